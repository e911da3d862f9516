"""Likely rules: found where they hold by design, not where chance or the ranges make them hold."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synthgan.errors import SynthganWarning
from synthgan.tables import suggestions
from synthgan.tables.inference import infer_schema
from synthgan.tables.schema.schema import Combinations, Constraint, Order, Sum, UniqueKey
from synthgan.tables.sources.open import open_source
from synthgan.tables.suggestions import suggest_constraints

N = 500


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def suggested(data: Any, declared: Any = None) -> dict[Constraint, str]:
    source = open_source(data)
    return dict(suggest_constraints(source, infer_schema(source, declared=declared)))


def moments(rng: np.random.Generator, n_rows: int = N) -> pd.Series:
    return pd.Series(pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 10**6, n_rows), unit="s"))


def test_order_of_times(rng: np.random.Generator) -> None:
    start = moments(rng)
    end = start + pd.to_timedelta(rng.integers(0, 5000, N), unit="s")
    end[::7] = pd.NaT
    frame = pd.DataFrame({"end": end, "start": start, "other": moments(rng)})
    rows = N - len(range(0, N, 7))
    assert suggested(frame) == {Order(low="start", high="end"): f"holds in all {rows} rows that have these values"}


def test_one_row_that_breaks_an_order_is_enough(rng: np.random.Generator) -> None:
    start = moments(rng)
    end = start + pd.Timedelta(1, "h")
    end[17] = start[17] - pd.Timedelta(1, "s")
    assert suggested(pd.DataFrame({"start": start, "end": end})) == {}


def test_a_copy_of_a_column_is_no_order(rng: np.random.Generator) -> None:
    start = moments(rng)
    assert suggested(pd.DataFrame({"start": start, "copy": start})) == {}


def test_order_that_the_ranges_explain_is_not_suggested(rng: np.random.Generator) -> None:
    frame = pd.DataFrame({"born": moments(rng) - pd.Timedelta(20_000, "D"), "hired": moments(rng)})
    assert suggested(frame) == {}


def test_order_is_suggested_without_its_shortcuts(rng: np.random.Generator) -> None:
    first = moments(rng)
    second = first + pd.to_timedelta(rng.integers(0, 5000, N), unit="s")
    third = second + pd.to_timedelta(rng.integers(0, 5000, N), unit="s")
    found = suggested(pd.DataFrame({"a": first, "b": second, "c": third}))
    assert set(found) == {Order(low="a", high="b"), Order(low="b", high="c")}


def test_order_of_amounts_needs_a_hint_in_the_names(rng: np.random.Generator) -> None:
    low = rng.normal(size=N).round(3)
    high = low + rng.random(N).round(3)
    assert set(suggested(pd.DataFrame({"min_price": low, "max_price": high}))) == {
        Order(low="min_price", high="max_price")
    }
    assert suggested(pd.DataFrame({"width": low, "height": high})) == {}
    assert suggested(pd.DataFrame({"max_price": low, "min_price": high})) == {}


@pytest.mark.parametrize("n_parts", [2, 3, 4])
@pytest.mark.parametrize("kind", ["integer", "float", "decimal"])
def test_sums(n_parts: int, kind: str, rng: np.random.Generator) -> None:
    cents = pd.DataFrame({f"part{i}": rng.integers(0, 10_000, N) for i in range(n_parts)})
    cents["noise"] = rng.integers(0, 10_000, N)
    cents["all"] = cents[[f"part{i}" for i in range(n_parts)]].sum(axis=1)
    frames = {
        "integer": cents,
        "float": cents / 100,
        "decimal": cents.astype(object).map(lambda value: Decimal(int(value)) / 100),
    }
    frame = frames[kind].copy()
    if kind == "float":
        frame.loc[::5, "all"] = np.nan
    rule = Sum(total="all", parts=tuple(f"part{i}" for i in range(n_parts)))
    rows = N - len(range(0, N, 5)) if kind == "float" else N
    assert suggested(frame) == {rule: f"holds in all {rows} rows that have these values"}


def test_sums_need_every_part_and_every_row(rng: np.random.Generator) -> None:
    frame = pd.DataFrame({"a": rng.integers(0, 100, N), "b": rng.integers(0, 100, N)})
    frame["copy"] = frame["a"]
    frame["nearly zero"] = (np.arange(N) == 3).astype(int)
    frame["off by one"] = frame["a"] + frame["b"] + (np.arange(N) == 100)
    assert not [rule for rule in suggested(frame) if isinstance(rule, Sum)]


def test_a_sum_silences_the_order_inside_it(rng: np.random.Generator) -> None:
    net = rng.integers(1, 1000, N)
    tax = rng.integers(1, 100, N)
    assert set(suggested(pd.DataFrame({"net": net, "tax": tax, "gross": net + tax}))) == {
        Sum(total="gross", parts=("net", "tax"))
    }


def test_combinations(rng: np.random.Generator) -> None:
    town = rng.integers(0, 40, N)
    frame = pd.DataFrame(
        {
            "town": [f"town {i}" for i in town],
            "region": [f"region {i % 5}" for i in town],
            "coastal": town % 5 < 2,
            "weather": rng.choice(["sun", "rain"], N),
        }
    )
    frame.loc[town == 7, "region"] = None
    assert suggested(frame) == {
        Combinations(
            columns=("town", "region", "coastal")
        ): "each of the 40 levels of 'town' comes with one combination of the others: 40 of 480 possible ones occur"
    }


def test_combinations_that_chance_explains_are_not_suggested(rng: np.random.Generator) -> None:
    frame = pd.DataFrame(
        {
            "rarely on": (np.arange(N) == 4).astype(int),
            "town": rng.choice([f"town {i}" for i in range(40)], N),
            "grade": rng.choice(["a", "b", "c"], N),
        }
    )
    assert suggested(frame) == {}


def test_keys(rng: np.random.Generator) -> None:
    order = np.repeat(np.arange(100), rng.integers(2, 6, 100))
    line = np.concatenate([np.arange(1, count + 1) for count in np.bincount(order)])
    shuffled = rng.permutation(len(order))
    frame = pd.DataFrame({"order": [f"A{i:04}" for i in order], "line": line}).iloc[shuffled]
    frame.insert(0, "id", np.arange(len(frame)))
    assert set(suggested(frame)) == {UniqueKey(columns=("id",)), UniqueKey(columns=("order", "line"))}
    gap = frame.assign(line=frame["line"].where(frame["line"] != 2, 9))
    assert set(suggested(gap)) == {UniqueKey(columns=("id",))}


def test_declared_rules_and_tiny_tables_are_left_alone(rng: np.random.Generator) -> None:
    start = moments(rng)
    frame = pd.DataFrame({"start": start, "end": start + pd.Timedelta(1, "h") * rng.random(N)})
    rules = {"constraints": [{"rule": "order", "low": "start", "high": "end"}]}
    assert suggested(frame, rules) == {}
    assert suggested(frame.head(20)) == {}


def test_no_more_is_said_of_a_sample_than_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    n_rows = 20_000
    part, town = rng.integers(1, 1000, n_rows), rng.integers(0, 40, n_rows)
    end = part + rng.integers(1, 500, n_rows)
    table = pa.table(
        {
            "id": np.arange(n_rows),
            "start_day": pa.array(part, pa.int32()).cast(pa.date32()),
            "end_day": pa.array(end, pa.int32()).cast(pa.date32()),
            "broken_day": pa.array(np.where(np.arange(n_rows) == 9_999, 0, end + 1), pa.int32()).cast(pa.date32()),
            "town": [f"town {i}" for i in town],
            "region": [f"region {i % 5}" for i in town],
        }
    )
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=1000)
    monkeypatch.setattr(suggestions, "sample_rows", lambda _: 2000)
    monkeypatch.setattr("synthgan.tables.sources.parquet_source._SAMPLED_ROW_GROUPS", 4)
    found = suggested(tmp_path / "a.parquet")
    assert set(found) == {Order(low="start_day", high="end_day"), Combinations(columns=("town", "region"))}
    assert found[Order(low="start_day", high="end_day")] == "holds in all 20,000 rows that have these values"
    assert found[Combinations(columns=("town", "region"))].endswith("of a sample of 2,000 rows")


SHARED: dict[str, set[Constraint]] = {
    "adult_train": {Combinations(columns=("education", "education-num"))},
    "default": {UniqueKey(columns=("ID",))},
    "german_credit": set(),
    "hotel_bookings": {Combinations(columns=("is_canceled", "reservation_status"))},
    "insurance": set(),
    "nyc_taxis": {
        Order(low="pickup", high="dropoff"),
        Combinations(columns=("pickup_zone", "pickup_borough")),
        Combinations(columns=("dropoff_zone", "dropoff_borough")),
    },
    "penguins_raw": {UniqueKey(columns=("Species", "Sample Number"))},
    "shoppers": set(),
    "titanic": set(),
}


@pytest.mark.parametrize("table", SHARED)
def test_rules_of_the_shared_tables(table: str, shared_data: Path) -> None:
    assert set(suggested(shared_data / f"{table}.parquet")) == SHARED[table]


def test_tables_too_wide_to_compare_everything_say_so(rng: np.random.Generator) -> None:
    numbers = rng.integers(1, 60, (60, 400))
    frame = pd.DataFrame(numbers, columns=[f"c{i}" for i in range(400)])
    frame["c7"] = frame["c3"] + frame["c5"]
    with pytest.warns(SynthganWarning) as told:
        found = suggested(frame)
    assert [str(each.message).partition(" were")[0] for each in told] == ["sums of columns", "combinations of columns"]
    assert Sum(total="c7", parts=("c3", "c5")) in found

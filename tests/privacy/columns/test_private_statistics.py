"""Door 1 under privacy: sensitivity, nothing exact behind it, and statistics that are still good."""

from __future__ import annotations

import datetime
import math
from decimal import Decimal, localcontext
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from synthgan.errors import SchemaError, SettingsError
from synthgan.privacy.account.ledger import Ledger
from synthgan.privacy.clamping import ClampedSource
from synthgan.privacy.columns import heavy_values, level_release
from synthgan.privacy.columns import private_statistics as statistics
from synthgan.privacy.columns import protocol as column_release
from synthgan.privacy.columns.private_statistics import PrivateStatistics
from synthgan.privacy.columns.protocol import CountMechanisms
from synthgan.privacy.mechanisms import Mechanisms
from synthgan.privacy.private_schema import private_schema
from synthgan.privacy.units import UnitLimitedSource
from synthgan.tables.codec import TableCodec
from synthgan.tables.codec_settings import CodecSettings
from synthgan.tables.columns.levels import OTHER
from synthgan.tables.schema.schema import TableSchema
from synthgan.tables.sources.batches import Source, TableSource
from synthgan.tables.statistics.statistics import ColumnStatistics
from tests.stand_in_mechanisms import NoisyCounts, RecordedCounts, ScriptedCounts

QUICK = (Phase.explicit, Phase.reuse, Phase.generate)
"""Shrinking tables of sixteen columns takes minutes."""

PLENTY = 1.0
"""A rho at which noise is small (standard deviations of about one row) and the tests are about something else."""

LITTLE = 0.2 * 0.0296
"""A fifth of the zCDP budget at epsilon 1 and delta 1e-5."""


def source(columns: Any) -> TableSource:
    return TableSource(columns if isinstance(columns, pa.Table) else pa.table(columns), description="the table")


def release(
    columns: Any,
    declared: Any = None,
    *,
    rho: float = PLENTY,
    mechanisms: CountMechanisms | None = None,
    **options: Any,
) -> tuple[PrivateStatistics, TableCodec]:
    rows = columns if isinstance(columns, Source) else source(columns)
    schema = private_schema(rows, declared)
    found = PrivateStatistics.release(
        ClampedSource(rows, schema), schema, mechanisms or NoisyCounts(0), rho=rho, delta=1e-6, **options
    )
    return found, TableCodec.fit(rows, schema, CodecSettings(), statistics=found)


def decoded(codec: TableCodec, n_rows: int = 20_000) -> pa.Table:
    """Rows with every column drawn by itself from the codec's shares."""
    rng = np.random.default_rng(0)
    layout = codec.layout
    codes = np.zeros((n_rows, layout.n_columns), dtype=np.int64)
    for index, span in enumerate(layout.spans):
        share = layout.marginal[span.start : span.stop].astype(np.float64)
        codes[:, index] = rng.choice(span.n_levels, n_rows, p=share / share.sum())
    return codec.decoder(rng).decode(codes, rng.random((n_rows, layout.n_positions)))


def distance(real: Any, made: Any) -> float:
    """Kolmogorov-Smirnov distance."""
    real, made = np.sort(np.asarray(real, np.float64)), np.sort(np.asarray(made, np.float64))
    places = np.concatenate((real, made))
    shares = [np.searchsorted(values, places, side="right") / len(values) for values in (real, made)]
    return float(np.abs(shares[0] - shares[1]).max())


# ------------------------------------------------------------------------------------------------------- sensitivity

CELLS: dict[str, Any] = {
    "colour": (pa.string(), st.sampled_from([None, "red", "blue", "mauve", "x"])),
    "word": (pa.string(), st.one_of(st.none(), st.text(max_size=2))),
    "flag": (pa.bool_(), st.one_of(st.none(), st.booleans())),
    "age": (pa.int64(), st.one_of(st.none(), st.integers(-5, 130))),
    "gain": (pa.int64(), st.one_of(st.sampled_from([0, 99_999, None]), st.integers(-10, 200_000))),
    "any": (pa.int64(), st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))),
    "huge": (pa.uint64(), st.one_of(st.none(), st.integers(0, 2**64 - 1))),
    "real": (pa.float64(), st.one_of(st.none(), st.floats(width=64))),
    "share": (pa.float32(), st.one_of(st.none(), st.floats(width=32))),
    "price": (
        pa.decimal128(30, 2),
        st.one_of(st.none(), st.integers(-(10**29), 10**29).map(lambda n: Decimal(n) / 100)),
    ),
    "day": (pa.date32(), st.one_of(st.none(), st.dates())),
    "time": (
        pa.timestamp("ns"),
        st.one_of(st.none(), st.integers(-(2**63) + 1, 2**63 - 1)),
    ),
    "zoned": (pa.timestamp("s", tz="Europe/Berlin"), st.one_of(st.none(), st.integers(-(2**62), 2**62))),
    "gap": (pa.duration("ms"), st.one_of(st.none(), st.integers(-(10**15), 10**15))),
    "ticket": (pa.string(), st.one_of(st.none(), st.text(max_size=3))),
    "note": (pa.string(), st.one_of(st.none(), st.text(max_size=3))),
}

DECLARED = {
    "columns": {
        "colour": {"levels": ["red", "blue", "green"]},
        "age": {"bounds": [0, 120]},
        "gain": {"bounds": [0, 99_999]},
        "ticket": "identifier",
        "note": "text",
    }
}


def table_of(rows: list[tuple[Any, ...]]) -> pa.Table:
    arrays = [pa.array([row[place] for row in rows], type=held) for place, (held, _) in enumerate(CELLS.values())]
    return pa.table(arrays, names=list(CELLS))


ROWS = st.tuples(*(values for _, values in CELLS.values()))


def check_neighbours(first: ScriptedCounts, second: ScriptedCounts, k: int) -> None:
    """Both were asked the same questions, and no answer before noise differs by more than k rows."""
    assert [what for what, _ in first.inputs] == [what for what, _ in second.inputs]
    for (what, one), (_, other) in zip(first.inputs, second.inputs, strict=True):
        if what.startswith(("levels", "single values")):
            # Keys are listed by value, and one key more moves the others; sorted counts are never farther apart.
            size = max(len(one), len(other))
            padded = [np.sort(np.append(counts, np.zeros(size - len(counts), np.int64))) for counts in (one, other)]
            assert abs(len(one) - len(other)) <= k
            assert np.abs(padded[0] - padded[1]).sum() <= k
        else:
            assert np.abs(one - other).sum() <= k


@pytest.mark.slow
@settings(max_examples=30, deadline=None, phases=QUICK)
@given(rows=st.lists(ROWS, min_size=1, max_size=25), place=st.integers(0, 24), seed=st.integers(0, 20))
def test_one_row_changes_every_statistic_by_one_at_most(rows: list[Any], place: int, seed: int) -> None:
    place %= len(rows)
    recorders = []
    for kept in (rows, rows[:place] + rows[place + 1 :]):
        recorders.append(ScriptedCounts(seed))
        release(table_of(kept), DECLARED, mechanisms=recorders[-1])
    check_neighbours(*recorders, 1)


@pytest.mark.slow
@settings(max_examples=20, deadline=None, phases=QUICK)
@given(
    rows=st.lists(st.tuples(st.integers(0, 3), ROWS), min_size=1, max_size=30),
    k=st.integers(1, 3),
    seed=st.integers(0, 9),
)
def test_one_person_changes_every_statistic_by_k_at_most(rows: list[Any], k: int, seed: int) -> None:
    recorders = []
    for gone in (-1, rows[0][0]):
        kept = [(who, *cells) for who, cells in rows if who != gone]
        table = table_of([cells for _, *cells in kept]).append_column(
            "who", pa.array([who for who, *_ in kept], pa.int64())
        )
        # At most k rows of each person, whichever they are: here the first ones, the same in both tables.
        places = pd.Series([who for who, *_ in kept], dtype=object).groupby([who for who, *_ in kept]).cumcount()
        table = table.filter(pa.array(places.to_numpy(dtype=np.int64) < k)) if kept else table
        recorders.append(ScriptedCounts(seed))
        release(table, {"columns": {**DECLARED["columns"], "who": "identifier"}}, mechanisms=recorders[-1], unit="who")
    check_neighbours(*recorders, k)


@settings(max_examples=30, deadline=None, phases=QUICK)
@given(rows=st.lists(ROWS, min_size=1, max_size=25))
def test_every_row_is_counted_once_at_most(rows: list[Any]) -> None:
    recorder = RecordedCounts(threshold=2)
    release(table_of(rows), DECLARED, mechanisms=recorder)
    assert recorder.inputs[0] == ("number of rows", np.array([len(rows)]))
    for _, counts in recorder.inputs:
        assert counts.dtype == np.int64
        assert counts.min(initial=0) >= 0
        assert counts.sum() <= len(rows)


def test_constraints_keep_the_sensitivity() -> None:
    rng = np.random.default_rng(0)
    low = rng.integers(0, 100, 200)
    columns = {"low": low, "high": low + rng.integers(-5, 50, 200), "extra": rng.integers(0, 10, 200)}
    table = pa.table(columns)
    declared = {
        "columns": {name: {"bounds": [0, 500]} for name in columns},
        "constraints": [
            {"rule": "order", "low": "low", "high": "high"},
            {"rule": "combinations", "columns": ["extra"] * 0 + ["extra", "flag"]},
        ],
    }
    table = table.append_column("flag", pa.array(rng.random(200) < 0.5))
    declared["columns"]["extra"] = {"kind": "integer", "bounds": [0, 9]}
    recorders = [ScriptedCounts(0), ScriptedCounts(0)]
    for recorder, rows in zip(recorders, (table, table.slice(1)), strict=True):
        release(rows, declared, mechanisms=recorder)
    check_neighbours(*recorders, 1)


# -------------------------------------------------------------------------------------------- nothing exact leaves


def everything(found: PrivateStatistics, codec: TableCodec) -> list[Any]:
    """All that a model file or a message could tell of the statistics and the codec."""
    released = [
        {name: getattr(value, name) for name in value.__slots__}
        for kind in (found._levels, found._histograms, found._templates)
        for _, value in sorted(kind.items())
    ]
    plain = [
        {name: fact.tolist() if hasattr(fact, "tolist") else fact for name, fact in value.items()} for value in released
    ]
    return [found.n_rows(), plain, found.released, codec.to_json(), codec.schema, codec.notices, codec.describe()]


@pytest.mark.slow
@settings(max_examples=30, deadline=None, phases=QUICK)
@given(tables=st.tuples(*[st.lists(ROWS, max_size=12)] * 2), seed=st.integers(0, 1000))
def test_with_the_same_answers_all_tables_look_alike(tables: Any, seed: int) -> None:
    made = [everything(*release(table_of(rows), DECLARED, mechanisms=ScriptedCounts(seed))) for rows in tables]
    assert made[0] == made[1]


def test_no_row_is_read_outside_the_counters(monkeypatch: pytest.MonkeyPatch) -> None:
    """The codec is fitted from statistics alone, and the schema from types: both work on a source without rows."""
    rows = source(table_of([]))
    found, _ = release({"colour": ["red"] * 50, "age": range(50)}, {"columns": {"age": {"bounds": [0, 99]}}})

    class Gone(TableSource):
        def _read(self, columns: list[str], batch_size: int) -> Any:
            raise AssertionError("a row was read")

    gone = Gone(pa.table({"colour": ["red"], "age": [1]}), description="the table")
    schema = private_schema(gone, {"columns": {"age": {"bounds": [0, 99]}}})
    assert TableCodec.fit(gone, schema, statistics=found).n_rows == found.n_rows()
    assert rows.n_rows == 0


def test_clipped_and_undeclared_rows_are_no_news() -> None:
    """Notices say nothing of exact counts: what lies beyond bounds is on the bound before it is counted."""
    declared = {"columns": {"age": {"bounds": [0, 50]}, "x": {"levels": ["a"]}}}
    _, codec = release({"age": [10, 70, -3, 40] * 100, "x": ["a"] * 400}, declared, rho=100.0)
    assert codec.notices == ()
    assert decoded(codec).column("age").to_pandas().between(0, 50).all()


# ------------------------------------------------------------------------------------------------------ the budget


def test_all_of_the_budget_is_spent_and_no_more() -> None:
    rng = np.random.default_rng(0)
    columns = {
        "x": rng.choice(["a", "b"], 3000),
        "n": rng.integers(0, 10**6, 3000),
        "r": rng.lognormal(3, 2, 3000),
        "t": pa.array(rng.integers(0, 10**9, 3000), pa.timestamp("s")),
        "id": range(3000),
    }
    mechanisms = NoisyCounts(0)
    release(columns, {"columns": {"id": "identifier"}}, rho=0.1, mechanisms=mechanisms)
    assert math.fsum(rho for _, rho in mechanisms.spent) == pytest.approx(0.1, rel=1e-9)
    assert sum(mechanisms.deltas) <= 1e-6 * (1 + 1e-9)
    assert mechanisms.spent[0] == ("number of rows", pytest.approx(0.002))


def test_text_and_the_unit_cost_nothing() -> None:
    mechanisms = NoisyCounts(0)
    columns = {"who": ["a", "b"] * 50, "note": ["x", "y"] * 50}
    _, codec = release(columns, {"columns": {"note": "text", "who": "identifier"}}, mechanisms=mechanisms, unit="who")
    assert mechanisms.spent == [("number of rows", PLENTY)]
    made = decoded(codec, 100).to_pandas()
    assert made["note"].isna().all()
    assert made["who"].is_unique


def test_budgets_that_cannot_be() -> None:
    rows = source({"x": ["a"], "y": [1.5]})
    schema = private_schema(rows)
    for rho in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(SettingsError, match="positive budget"):
            PrivateStatistics.release(rows, schema, NoisyCounts(0), rho=rho, delta=1e-6)
    mechanisms = NoisyCounts(0)
    with pytest.raises(SettingsError, match="declare those of 'x'"):
        PrivateStatistics.release(rows, schema, mechanisms, rho=1.0, delta=0.0)
    assert mechanisms.spent == []
    declared = private_schema(rows, {"columns": {"x": {"levels": ["a"]}}})
    PrivateStatistics.release(rows, declared, mechanisms, rho=1.0, delta=0.0)
    assert mechanisms.deltas == []


def test_bounds_without_a_value_are_refused_before_anything_is_spent() -> None:
    mechanisms = NoisyCounts(0)
    with pytest.raises(SchemaError, match="the bounds of column 'x' hold no value of its grid"):
        release({"x": [1, 2]}, {"columns": {"x": {"bounds": [11, 19], "granularity": 10}}}, mechanisms=mechanisms)
    assert mechanisms.spent == []


def test_the_real_mechanisms_and_ledger() -> None:
    ledger = Ledger(1.0, 1e-5, discovery_delta=1e-6)
    before = ledger.remaining_rho
    rng = np.random.default_rng(0)
    columns = {"x": rng.choice(["a", "b"], 5000), "n": rng.integers(0, 10**5, 5000), "empty": pa.nulls(5000)}
    found, codec = release(columns, mechanisms=Mechanisms(ledger), rho=before / 5)
    assert ledger.remaining_rho == pytest.approx(0.8 * before, rel=1e-6)
    assert {entry.door for entry in ledger.entries} == {1}
    assert found.provenance == "released"
    assert isinstance(found, PrivateStatistics)
    assert abs(found.n_rows() - 5000) < 1000
    assert codec.n_rows == found.n_rows()
    as_door: ColumnStatistics = found
    assert as_door.levels("empty").n_missing == found.n_rows()


# ---------------------------------------------------------------------------------------------------------- levels


def test_declared_levels() -> None:
    columns = {"x": ["a"] * 700 + ["b"] * 250 + [None] * 50}
    found, codec = release(columns, {"columns": {"x": {"levels": ["a", "b", "c"]}}})
    counts = found.levels("x")
    assert set(counts.values.to_pylist()) == {"a", "b", "c"}
    assert dict(zip(counts.values.to_pylist(), counts.counts, strict=True)) == pytest.approx(
        {"a": 700, "b": 250, "c": 0}, abs=8
    )
    assert counts.n_unlisted == 0
    assert counts.n_missing == pytest.approx(50, abs=8)
    assert counts.counts.sum() + counts.n_missing == pytest.approx(found.n_rows(), abs=1)
    assert set(decoded(codec).column("x").to_pylist()) <= {"a", "b", "c", None}


def test_what_nobody_declared_becomes_other_only_when_it_is_much() -> None:
    declared = {"columns": {"x": {"levels": ["a", "b"]}}}
    _, codec = release({"x": ["a"] * 700 + ["b"] * 299 + ["?"]}, declared, rho=LITTLE)
    assert set(decoded(codec).column("x").to_pylist()) == {"a", "b"}
    _, codec = release({"x": ["a"] * 700 + ["b"] * 300 + ["?"] * 500}, declared)
    shares = pd.Series(decoded(codec).column("x").to_pylist()).value_counts(normalize=True)
    assert shares[OTHER] == pytest.approx(1 / 3, abs=0.03)


def test_undeclared_levels_are_discovered() -> None:
    words = ["common"] * 3000 + ["other"] * 1500 + [f"rare {i}" for i in range(500)] + [None] * 400
    found, codec = release({"x": words, "y": words}, {"columns": {"y": "identifier"}}, rho=0.05)
    counts = found.levels("x")
    assert counts.values.to_pylist() == ["common", "other"]
    assert counts.n_missing == pytest.approx(400, abs=40)
    assert counts.n_unlisted == pytest.approx(500, abs=80)
    made = decoded(codec)
    assert set(made.column("x").to_pylist()) == {"common", "other", OTHER, None}
    assert pd.Series(made.column("y").to_pylist()).dropna().is_unique
    assert made.column("y").null_count / len(made) == pytest.approx(400 / 5400, abs=0.02)


def test_text_that_never_repeats_stays_behind_the_door() -> None:
    found, codec = release({"x": [f"name {i}" for i in range(2000)]})
    assert len(found.levels("x").values) == 0
    assert set(decoded(codec).column("x").to_pylist()) == {OTHER}


def test_rare_declared_levels_share_buckets() -> None:
    """Levels whose counts are mostly noise have no code of their own, and come out all the same."""
    sizes = {f"level {i:02}": 3000 if i < 3 else 15 for i in range(40)}
    columns = {"x": [level for level, size in sizes.items() for _ in range(size)]}
    _, codec = release(columns, {"columns": {"x": {"levels": list(sizes)}}}, rho=LITTLE / 10)
    assert codec.layout.spans[0].n_levels < 12
    made = pd.Series(decoded(codec).column("x").to_pylist()).value_counts(normalize=True)
    assert set(made.index) == set(sizes)
    assert made[[level for level, size in sizes.items() if size == 15]].sum() == pytest.approx(555 / 9555, abs=0.03)
    exact = release(columns, {"columns": {"x": {"levels": list(sizes)}}}, rho=1000.0)[1]
    assert exact.layout.spans[0].n_levels == 40


def test_an_ordered_column_keeps_its_order() -> None:
    levels = ["low", "middle", "high"]
    declared = {"columns": {"x": {"levels": {"values": levels, "ordered": True}}}}
    _, codec = release({"x": ["low"] * 10 + ["high"] * 3000 + ["middle"] * 5}, declared, rho=LITTLE)
    assert codec.encoders[0].values.to_pylist() == levels


def test_truth_values_have_public_levels() -> None:
    mechanisms = NoisyCounts(0)
    found, codec = release({"x": [True] * 300 + [None] * 100}, mechanisms=mechanisms)
    assert mechanisms.deltas == []
    assert set(found.levels("x").values.to_pylist()) == {True, False}
    assert decoded(codec).column("x").null_count == pytest.approx(5000, abs=600)


def test_dictionaries_with_unused_and_differing_entries() -> None:
    parts = [
        pa.DictionaryArray.from_arrays(pa.array([0, 1] * 500), pa.array(words))
        for words in (["a", "b", "z"], ["b", "a"])
    ]
    found, _ = release(pa.table({"x": pa.chunked_array(parts)}))
    assert set(found.levels("x").values.to_pylist()) == {"a", "b"}
    assert found.levels("x").counts == pytest.approx([1000, 1000], abs=20)


# --------------------------------------------------------------------------------------------------------- numbers


def test_few_ticks_are_counted_one_by_one() -> None:
    ages = np.random.default_rng(0).integers(17, 91, 20_000)
    found, codec = release({"age": ages}, {"columns": {"age": {"bounds": [17, 90]}}})
    histogram = found.histogram("age")
    assert (histogram.lower == histogram.upper).all()
    assert histogram.counts == pytest.approx(np.bincount(ages)[17:], abs=10)
    assert distance(ages, decoded(codec).column("age")) < 0.02


@pytest.mark.parametrize("declared", [True, False])
def test_spikes_are_found_at_epsilon_one(declared: bool) -> None:
    """As in Adult's capital gain: nearly all zero, a cap far away, the rest thin in between."""
    rng = np.random.default_rng(0)
    gains = np.concatenate((np.zeros(29_000), np.full(900, 99_999), rng.integers(100, 30_000, 2000))).astype(np.int64)
    facts = {"columns": {"gain": {"bounds": [0, 99_999]}}} if declared else None
    found, codec = release({"gain": gains}, facts, rho=LITTLE / 8)
    histogram = found.histogram("gain")
    single = histogram.lower[histogram.lower == histogram.upper].tolist()
    assert {0, 99_999} <= set(single)
    assert found.histogram("gain").counts[0] == pytest.approx(29_000, abs=500)
    made = decoded(codec).column("gain").to_numpy()
    assert (made == 0).mean() == pytest.approx(29_000 / 31_900, abs=0.01)
    assert (made == 99_999).mean() == pytest.approx(900 / 31_900, abs=0.01)
    assert distance(gains, made) < 0.02


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).lognormal(8, 2.5, 20_000),
        -np.random.default_rng(1).pareto(1.0, 20_000) * 1e-3,
        np.random.default_rng(2).normal(1e6, 1.0, 20_000),
        np.random.default_rng(3).standard_cauchy(20_000),
        (np.random.default_rng(4).lognormal(3, 1, 20_000)).astype(np.float32),
    ],
    ids=["lognormal", "pareto", "far from zero", "cauchy", "single precision"],
)
def test_numbers_without_bounds(values: Any) -> None:
    found, codec = release({"x": values}, rho=0.01)
    assert found.histogram("x").axis.step is None
    made = decoded(codec).column("x")
    assert made.type == pa.array(values).type
    assert made.null_count == 0
    assert distance(values, made) < 0.03


def test_whole_numbers_that_look_like_identifiers() -> None:
    ids = 10**9 + np.random.default_rng(0).permutation(20_000) * 7
    found, codec = release({"x": ids}, rho=0.01)
    assert distance(ids, decoded(codec).column("x")) < 0.03
    histogram = found.histogram("x")
    assert not (histogram.counts[histogram.lower == histogram.upper] > 400).any()


def test_infinities_and_missing_are_cells() -> None:
    values = np.concatenate(
        (np.random.default_rng(0).normal(0, 1, 3000), [np.inf] * 400, [-np.inf] * 300, [np.nan] * 200)
    )
    found, codec = release({"x": values})
    histogram = found.histogram("x")
    assert (histogram.n_positive_infinite, histogram.n_negative_infinite, histogram.n_missing) == pytest.approx(
        (400, 300, 200), abs=15
    )
    made = decoded(codec).column("x").to_numpy(zero_copy_only=False)
    assert np.isposinf(made).mean() == pytest.approx(400 / 3900, abs=0.02)
    found, codec = release({"x": values}, {"columns": {"x": {"bounds": [-5, 5]}}})
    assert found.histogram("x").n_positive_infinite == 0
    made = decoded(codec).column("x").to_numpy(zero_copy_only=False)
    assert (made > 4.9).mean() == pytest.approx(400 / 3900, abs=0.02)


@pytest.mark.parametrize(
    "values",
    [np.arange(50), pa.array([datetime.date(2020, 1, 1)] * 50), pa.array([Decimal("1.5")] * 50)],
    ids=["integers", "dates", "decimals"],
)
def test_only_floats_can_be_infinite_whatever_the_noise_says(values: Any) -> None:
    class TheLastCellsAreFull(NoisyCounts):
        """Infinities come last."""

        def counts(self, counts: Any, *, rho: float, door: int, what: str) -> Any:
            return np.where(np.arange(len(counts)) >= len(counts) - 2, 4000, 10).astype(np.int64)

    found, codec = release({"x": values}, mechanisms=TheLastCellsAreFull(0))
    histogram = found.histogram("x")
    assert (histogram.n_positive_infinite, histogram.n_negative_infinite) == (0, 0)
    assert len(decoded(codec)) > 0


def test_a_column_without_missing_values_gets_none() -> None:
    """Noise on the cell of missing values must not put holes into a column that has none."""
    for seed in range(20):
        columns = {"x": np.arange(5000) % 97, "y": ["a", "b"] * 2500}
        _, codec = release(columns, rho=LITTLE, mechanisms=NoisyCounts(seed))
        made = decoded(codec, 2000)
        assert made.column("x").null_count == 0
        assert made.column("y").null_count == 0


@pytest.mark.parametrize(
    ("array", "granularity"),
    [
        (pa.array(np.random.default_rng(0).integers(0, 4000, 9000) * 86_400_000, pa.timestamp("ms")), 86_400 * 10**9),
        (pa.array(np.random.default_rng(0).integers(0, 10**9, 9000), pa.timestamp("s", tz="UTC")), 10**9),
        (pa.array(np.random.default_rng(0).integers(0, 900, 9000) * 60_000, pa.duration("ms")), 60 * 10**9),
        (pa.array(np.random.default_rng(0).integers(0, 10**15, 9000), pa.timestamp("us")), 1000),
        (pa.array(np.random.default_rng(0).integers(0, 900, 9000).astype(np.float64)), 1),
        (pa.array(np.random.default_rng(0).integers(0, 90_000, 9000) / 100), 0.01),
        (pa.array((np.random.default_rng(0).integers(0, 9000, 9000) / 10).astype(np.float32)), 0.1),
        (pa.array(np.random.default_rng(0).random(9000)), None),
        (pa.array(np.random.default_rng(0).integers(0, 900, 9000) * 5), 1),
    ],
    ids=["days", "seconds", "minutes", "microseconds", "whole", "cents", "tenths", "continuous", "integers"],
)  # fmt: skip
def test_granularity_comes_from_noisy_counts(array: pa.Array, granularity: float | None) -> None:
    found, codec = release({"x": array}, rho=0.1)
    assert found.histogram("x").axis.granularity == granularity
    made = decoded(codec, 500).column("x")
    assert made.type == array.type


def test_granularity_is_the_types_own_when_noise_hides_it() -> None:
    found, _ = release({"x": pa.array([0] * 40, pa.timestamp("s"))}, rho=LITTLE)
    assert found.histogram("x").axis.granularity == 10**9
    found, _ = release({"x": pa.array([0.0] * 40)}, rho=LITTLE)
    assert found.histogram("x").axis.granularity is None


def test_declared_granularity_costs_nothing() -> None:
    mechanisms = NoisyCounts(0)
    facts = {"columns": {"x": {"granularity": 0.5, "bounds": [0, 10]}}}
    found, _ = release({"x": [0.5, 1.0, 7.3] * 500}, facts, mechanisms=mechanisms)
    assert found.histogram("x").axis.granularity == 0.5
    assert [what for what, _ in mechanisms.spent] == ["number of rows", "coarse histogram of column 'x'"]


@pytest.mark.parametrize(
    ("values", "facts", "on_grid"),
    [
        (
            np.arange(1500) % 40 + 0.5,
            {"granularity": 1, "offset": 0.99},
            lambda made: np.round(np.rint(made - 0.99) + 0.99, 2),
        ),
        (np.arange(3000) % 7, {"granularity": 2, "offset": -1, "bounds": [0, 900]}, lambda made: made // 2 * 2 + 1),
        (
            np.arange("2001-01-01", "2011-01-01", dtype="datetime64[D]"),
            {"calendar": "month-start", "bounds": ["2000-06-15", None]},
            lambda made: made.astype("datetime64[M]").astype("datetime64[D]"),
        ),
        (
            np.arange("2001-01-01", "2011-01-01", dtype="datetime64[D]").astype("datetime64[s]"),
            {"granularity": 7 * 86_400 * 10**9, "offset": "2024-05-14T12:00"},
            lambda made: (made - np.datetime64("2024-05-14T12:00")) // np.timedelta64(7, "D") * np.timedelta64(7, "D")
            + np.datetime64("2024-05-14T12:00"),
        ),
    ],
    ids=["x.99", "odd numbers", "month starts", "weekly"],
)  # fmt: skip
def test_a_declared_grid_of_any_kind_costs_nothing(values: Any, facts: Any, on_grid: Any) -> None:
    mechanisms = NoisyCounts(0)
    _, codec = release({"x": values}, {"columns": {"x": facts}}, mechanisms=mechanisms)
    assert not any("steps" in what for what, _ in mechanisms.spent)
    made = decoded(codec, 2000).column("x").drop_null().to_numpy()
    assert len(made) > 1000
    np.testing.assert_array_equal(on_grid(made), made)


def test_long_decimals_between_declared_bounds_keep_their_digits() -> None:
    first = Decimal("98765432109876543210.123456789012345678")
    with localcontext(prec=60):
        values = pa.array([first + Decimal(int(i)).scaleb(-18) for i in np.arange(2000) % 90], pa.decimal128(38, 18))
        bounds = [str(first), str(first + Decimal(89).scaleb(-18))]
    _, codec = release({"x": values}, {"columns": {"x": {"bounds": bounds}}})
    assert set(decoded(codec, 2000).column("x").to_pylist()) == set(values.to_pylist())


def test_half_open_bounds() -> None:
    values = np.random.default_rng(0).exponential(1000, 8000) - 50
    _, codec = release({"x": values}, {"columns": {"x": {"bounds": [0, None]}}})
    made = decoded(codec).column("x").to_numpy()
    assert made.min() >= 0
    assert distance(np.maximum(values, 0), made) < 0.02


# ------------------------------------------------------------------------------------------ many values, few buckets


def test_many_values_are_looked_for_in_buckets_first(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (column_release, heavy_values, level_release, statistics):
        monkeypatch.setattr(module, "EXACT_KEYS", 2**10)
    rng = np.random.default_rng(0)
    columns = {
        "word": [f"word {i}" for i in range(3000)] + ["often"] * 2000,
        "real": np.concatenate((rng.random(3000), np.zeros(2000))),
        "whole": np.concatenate((rng.integers(0, 2**40, 3000), np.full(2000, 77))),
    }
    mechanisms = NoisyCounts(0)
    found, _ = release(columns, mechanisms=mechanisms)
    assert found.levels("word").values.to_pylist() == ["often"]
    for name, spike in (("real", 0.0), ("whole", 77)):
        histogram = found.histogram(name)
        heavy = histogram.lower[(histogram.lower == histogram.upper) & (histogram.counts > 1000)]
        assert heavy.tolist() == [spike]
    assert sum("buckets" in what for what, _ in mechanisms.spent) == 3
    assert sum(mechanisms.deltas) <= 1e-6 * (1 + 1e-9)


# ---------------------------------------------------------------------------------------------------- hostile tables


@pytest.mark.slow
@settings(max_examples=60, deadline=None, phases=QUICK)
@given(rows=st.lists(ROWS, max_size=30), seed=st.integers(0, 1000), rho=st.sampled_from([LITTLE, 1.0, 1000.0]))
def test_no_table_raises_or_warns(rows: list[Any], seed: int, rho: float) -> None:
    """Rows out of bounds, of undeclared levels, all missing, none at all: fitted, encoded, decoded without a word."""
    table = table_of(rows)
    found, codec = release(table, DECLARED, rho=rho, mechanisms=NoisyCounts(seed))
    encoded = codec.encode(table, rng=np.random.default_rng(0))
    assert encoded.n_rows == len(rows)
    made = decoded(codec, 200)
    assert made.schema.types == table.schema.types
    ages = [age for age in made.column("age").to_pylist() if age is not None]
    assert all(0 <= age <= 120 for age in ages)
    assert found.n_rows() >= 1


def test_all_kinds_at_a_useful_size() -> None:
    n, rng = 6000, np.random.default_rng(0)
    columns = {
        "text": rng.choice(["a", "b", "c"], n),
        "flag": rng.random(n) < 0.2,
        "tiny": pa.array(rng.integers(-3, 4, n), pa.int8()),
        "huge": pa.array(rng.integers(0, 2**63, n, dtype=np.uint64) + np.uint64(2**62), pa.uint64()),
        "price": pa.array([Decimal(int(v)) / 100 for v in rng.integers(0, 10**6, n)], pa.decimal128(30, 2)),
        "day": pa.array([datetime.date(2020, 1, 1) + datetime.timedelta(int(d)) for d in rng.integers(0, 700, n)]),
        "zoned": pa.array(rng.integers(1_500_000_000, 1_700_000_000, n), pa.timestamp("s", tz="Europe/Berlin")),
        "clock": pa.array(rng.integers(0, 86_400, n), pa.int32()).cast(pa.time32("s")),
        "none": pa.nulls(n),
    }
    found, codec = release(columns)
    made = decoded(codec)
    for name in ("tiny", "huge", "price"):
        assert distance(columns[name].to_pandas().astype(float), made.column(name).to_pandas().astype(float)) < 0.03
    for name in ("day", "zoned"):
        as_number = [pa.array(columns[name]).cast(pa.int32() if name == "day" else pa.int64()), made.column(name)]
        as_number[1] = as_number[1].cast(as_number[0].type)
        assert distance(*as_number) < 0.03
    assert [each.column for each in found.released] == list(columns)


def test_constraints_hold_and_violations_pass_in_silence() -> None:
    n, rng = 5000, np.random.default_rng(0)
    low = rng.integers(0, 1000, n)
    high = low + rng.integers(0, 300, n)
    high[:50] = -(2**62)  # breaks the order, and would overflow
    low[50:60] = 2**62
    part, other = rng.integers(0, 50, n).astype(np.int32), rng.integers(0, 50, n).astype(np.int32)
    total = part + other
    total[:20] += 1
    columns = {
        "key": rng.integers(0, 100, n),
        "low": low,
        "high": high,
        "part": part,
        "other": other,
        "total": total,
        "town": rng.choice(["A", "B"], n),
        "state": rng.choice(["X", "Y"], n),
    }
    declared = {
        "columns": {"low": {"bounds": [0, 2000]}, "high": {"bounds": [0, 2000]}},
        "constraints": [
            {"rule": "order", "low": "low", "high": "high"},
            {"rule": "sum", "total": "total", "parts": ["part", "other"]},
            {"rule": "combinations", "columns": ["town", "state"]},
            {"rule": "unique_key", "columns": ["key"]},
        ],
    }
    rows = source(columns)
    _, codec = release(rows, declared)
    schema: TableSchema = private_schema(rows, declared)
    assert codec.encode(ClampedSource(rows, schema), rng=rng).n_rows == n
    made = decoded(codec, 3000).to_pandas()
    assert (made["low"] <= made["high"]).all()
    given = made["total"].notna()
    assert (made["total"] == made["part"] + made["other"])[given].all()
    assert made["key"].is_unique
    assert set(made["town"]) == {"A", "B"}


def test_persons_and_statistics_together() -> None:
    who = np.repeat(np.arange(2000), 5)
    rows = UnitLimitedSource(source({"who": who, "x": ["a", "b"] * 5000}), "who", 2)
    schema = private_schema(rows, unit="who")
    found = PrivateStatistics.release(rows, schema, NoisyCounts(0, rows_per_unit=2), rho=0.1, delta=1e-6, unit="who")
    assert found.n_rows() == pytest.approx(4000, abs=300)
    assert found.levels("x").standard_error == pytest.approx(NoisyCounts(rows_per_unit=2).standard_deviation(0.098))
    codec = TableCodec.fit(rows, schema, statistics=found)
    assert [span.name for span in codec.layout.spans] == ["x"]
    assert decoded(codec, 50).to_pandas()["who"].is_unique

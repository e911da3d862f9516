"""Rows per person: at most k, the same in every pass, drawn by nobody's seed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthgan.errors import SchemaError, SourceError
from synthgan.privacy.units import UnitLimitedSource
from synthgan.tables.sources.batches import TableSource
from synthgan.tables.sources.holdout import divide
from synthgan.tables.sources.open import open_source


def source(units: Any, **columns: Any) -> TableSource:
    units = units if isinstance(units, pa.Array | pa.ChunkedArray) else pa.array(units)
    return TableSource(pa.table({"row": range(len(units)), "who": units, **columns}), description="the table")


@settings(max_examples=100, deadline=None)
@given(
    units=st.lists(st.one_of(st.none(), st.integers(0, 5)), max_size=60),
    k=st.integers(1, 4),
    batch_size=st.integers(1, 70),
)
def test_each_person_keeps_as_many_rows_as_allowed(units: list[int | None], k: int, batch_size: int) -> None:
    limited = UnitLimitedSource(source(pa.array(units, pa.int64())), "who", k)
    kept = limited.read().to_pydict()
    want = {unit: min(n, k) for unit, n in Counter(units).items() if unit is not None}
    assert Counter(kept["who"]) == want
    assert [units[row] for row in kept["row"]] == kept["who"]
    assert kept["row"] == sorted(kept["row"])
    assert limited.n_rows == sum(want.values())
    again = [value for batch in limited.batches(["row"], batch_size) for value in batch.column(0).to_pylist()]
    assert again == kept["row"]


def test_the_draw_is_uniform_and_differs_between_fits() -> None:
    table = source(["a"] * 6 + ["b"] * 2)
    counts = Counter()
    for _ in range(600):
        counts.update(UnitLimitedSource(table, "who", 2).read().column("row").to_pylist())
    assert counts[6] == counts[7] == 600
    # Each of a's six rows stays with probability 1/3: 200 of 600, standard deviation 11.5.
    assert all(130 < counts[row] < 270 for row in range(6))


def test_the_draw_takes_no_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the system's entropy replaced by zeros the draw is fixed: there is no other source of chance."""
    asked = []

    def zeros(n_bytes: int) -> bytes:
        asked.append(n_bytes)
        return bytes(n_bytes)

    monkeypatch.setattr("synthgan.privacy.units.os.urandom", zeros)
    drawn = [UnitLimitedSource(source(["a"] * 50), "who", 1).read().column("row").to_pylist() for _ in range(3)]
    assert drawn[0] == drawn[1] == drawn[2]
    assert asked == [400, 400, 400]


def test_one_person_more_moves_nobody_elses_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """With coupled keys the other persons' rows are the same: removing a person changes k rows at most."""
    units = np.array(["a", "b", "c"] * 20)
    keys = np.random.default_rng(0).integers(0, 2**63, len(units), dtype=np.uint64)
    chosen = {}
    for gone in ("", "b"):
        rows = units != gone
        monkeypatch.setattr("synthgan.privacy.units.os.urandom", lambda _, rows=rows: keys[rows].tobytes())
        table = pa.table({"row": np.flatnonzero(rows), "who": units[rows]})
        limited = UnitLimitedSource(TableSource(table, description="the table"), "who", 3)
        chosen[gone] = set(limited.read().column("row").to_pylist())
    assert chosen[""] - chosen["b"] == {row for row in chosen[""] if units[row] == "b"}
    assert chosen["b"] < chosen[""]
    assert len(chosen[""] - chosen["b"]) == 3


@pytest.mark.parametrize(
    ("units", "n_kept"),
    [
        (pa.array([2**53, 2**53 + 1, None, 2**53]), 2),
        (pa.array(["a", "b", None, "a"]).dictionary_encode(), 2),
        (pa.array(["NA", "None", "null", "nan", "NA"]), 4),
        (pa.array([None, None], pa.null()), 0),
        (pa.array([1, 1, 2], pa.date32()), 2),
        (pa.chunked_array([pa.array(["a", "b"]).dictionary_encode(), pa.array(["b", "a"]).dictionary_encode()]), 2),
        (pa.array([], pa.string()), 0),
    ],
)
def test_units_of_all_types(units: Any, n_kept: int) -> None:
    assert UnitLimitedSource(source(units), "who", 1).n_rows == n_kept


@pytest.mark.parametrize(
    "held", [pa.float16(), pa.float32(), pa.float64(), pa.dictionary(pa.int8(), pa.float64())], ids=str
)
def test_floats_name_nobody(held: pa.DataType) -> None:
    units = pa.array([1.0, None], pa.float64()).cast(getattr(held, "value_type", held))
    units = units.dictionary_encode() if pa.types.is_dictionary(held) else units
    with pytest.raises(SchemaError, match="unit column 'who' is of the type"):
        UnitLimitedSource(source(units), "who", 1)
    with pytest.raises(SchemaError, match="floats cannot name persons"):
        divide(source(units), 0.5, key=bytes(16), unit="who")


def test_everything_else_is_the_sources() -> None:
    frame = pd.DataFrame({1: pd.Categorical(["x", "y", "x"]), "who": ["a", "a", "b"]})
    limited = UnitLimitedSource(open_source(frame), "who", 1)
    assert (limited.labels, limited.pandas_dtypes["1"]) == ({"1": 1}, "category")
    assert limited.categories["1"].values == ("x", "y")
    assert set(limited.to_frame()["who"]) == {"a", "b"}
    assert open_source(limited) is limited


def test_unknown_unit_column() -> None:
    with pytest.raises(SchemaError, match="the unit column 'whoo' is not in the table; did you mean 'who'"):
        UnitLimitedSource(source(["a"]), "whoo", 1)


def test_a_source_that_changes_is_refused() -> None:
    class Growing(TableSource):
        def _read(self, columns: list[str], batch_size: int) -> Any:
            yield from super()._read(columns, batch_size)
            if grown:
                yield from super()._read(columns, batch_size)

    grown: list[bool] = []
    limited = UnitLimitedSource(Growing(pa.table({"who": ["a", "b"]}), description="the table"), "who", 1)
    assert limited.read().num_rows == 2
    grown.append(True)
    with pytest.raises(SourceError, match="the table has changed while it was read"):
        limited.read()

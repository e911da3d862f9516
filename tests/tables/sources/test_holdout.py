"""A holdout drawn unit by unit, by a keyed hash: the same rows again, whoever else is in the table."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthgan.errors import SchemaError, SourceError
from synthgan.tables.sources.batches import TableSource
from synthgan.tables.sources.holdout import divide
from synthgan.tables.sources.open import open_source

KEY = bytes(range(16))
OTHER_KEY = bytes(range(1, 17))

CELLS: dict[str, Any] = {
    "text": (pa.string(), st.one_of(st.none(), st.text(max_size=3))),
    "whole": (pa.int32(), st.one_of(st.none(), st.integers(-(2**31), 2**31 - 1))),
    "huge": (pa.uint64(), st.one_of(st.none(), st.integers(0, 2**64 - 1))),
    "real": (pa.float64(), st.one_of(st.none(), st.floats())),
    "half": (pa.float32(), st.one_of(st.none(), st.floats(width=32))),
    "flag": (pa.bool_(), st.one_of(st.none(), st.booleans())),
    "price": (pa.decimal128(10, 2), st.one_of(st.none(), st.integers(0, 10**7).map(lambda n: Decimal(n) / 100))),
    "day": (pa.date32(), st.one_of(st.none(), st.dates())),
    "time": (pa.timestamp("us"), st.one_of(st.none(), st.datetimes(datetime.datetime(1900, 1, 1)))),
    "clock": (pa.time32("s"), st.one_of(st.none(), st.integers(0, 86_399))),
    "gap": (pa.duration("ms"), st.one_of(st.none(), st.integers(-(10**12), 10**12))),
    "level": (pa.dictionary(pa.int8(), pa.string()), st.sampled_from([None, "a", "b"])),
    "nothing": (pa.null(), st.none()),
}
ROW = st.tuples(*(values for _, values in CELLS.values()))


def table_of(rows: list[Any]) -> pa.Table:
    arrays = [pa.array([row[place] for row in rows], type=held) for place, (held, _) in enumerate(CELLS.values())]
    return pa.table([pa.array(range(len(rows)), pa.int64()), *arrays], names=["row", *CELLS])


def source(table: Any) -> TableSource:
    return TableSource(table if isinstance(table, pa.Table) else pa.table(table), description="the table")


def rows_of(side: Any, column: str = "row") -> list[Any]:
    return side.read([column]).column(0).to_pylist()


@settings(max_examples=30)
@given(rows=st.lists(ROW, max_size=20), place=st.integers(0, 19))
def test_one_row_less_moves_no_other_row(rows: list[Any], place: int) -> None:
    table = table_of(rows)
    whole = divide(source(table), 0.5, key=KEY)
    assert sorted(rows_of(whole.training) + rows_of(whole.holdout)) == list(range(len(rows)))
    assert rows_of(whole.training) == sorted(rows_of(whole.training))
    assert (whole.training.n_rows, whole.holdout.n_rows, whole.n_rows) == (
        len(rows_of(whole.training)),
        len(rows_of(whole.holdout)),
        len(rows),
    )
    if rows:
        place %= len(rows)
        left = table.filter(pa.array(np.arange(len(rows)) != place))
        less = divide(source(left), 0.5, key=KEY)
        assert rows_of(less.training) == [row for row in rows_of(whole.training) if row != place]
        assert rows_of(less.holdout) == [row for row in rows_of(whole.holdout) if row != place]
        assert less.content != whole.content


@settings(max_examples=30)
@given(people=st.lists(st.one_of(st.none(), st.integers(0, 8)), max_size=40), gone=st.integers(0, 8))
def test_a_person_has_all_rows_on_one_side_and_moves_nobody_else(people: list[int | None], gone: int) -> None:
    table = pa.table({"row": pa.array(range(len(people)), pa.int64()), "who": pa.array(people, pa.int64())})
    whole = divide(source(table), 0.4, key=KEY, unit="who")
    sides = [set(rows_of(side, "who")) - {None} for side in (whole.training, whole.holdout)]
    assert not sides[0] & sides[1]
    left = table.filter(pa.array([who != gone for who in people], pa.bool_()))
    less = divide(source(left), 0.4, key=KEY, unit="who")
    assert rows_of(less.training) == [row for row in rows_of(whole.training) if people[row] != gone]


def test_rows_without_a_person_are_on_neither_side() -> None:
    who = pa.array([None if row % 2 else str(row) for row in range(400)])
    whole = divide(source({"row": range(400), "who": who}), 0.5, key=KEY, unit="who")
    rows = sorted(rows_of(whole.training) + rows_of(whole.holdout))
    assert rows == list(range(0, 400, 2))
    assert whole.n_rows == 400
    assert 60 < whole.holdout.n_rows < 140


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
def test_the_share_is_about_what_was_asked_for(share: float) -> None:
    n = 20_000
    held_out = divide(source({"row": range(n)}), share, key=KEY).holdout.n_rows
    # Six standard deviations; the key is fixed, so is the answer.
    assert abs(held_out - share * n) <= 6 * (n * share * (1 - share)) ** 0.5


def test_keys_draw_independently() -> None:
    table = source({"row": range(20_000)})
    one, other = (set(rows_of(divide(table, 0.2, key=key).holdout)) for key in (KEY, OTHER_KEY))
    assert len(one & other) == pytest.approx(0.04 * 20_000, rel=0.2)
    assert divide(table, 0.2, key=KEY).content != divide(table, 0.2, key=OTHER_KEY).content
    # All 128 bits of a key count, those of its last byte too.
    last = set(rows_of(divide(table, 0.2, key=KEY[:15] + b"\xff").holdout))
    assert len(one & last) == pytest.approx(0.04 * 20_000, rel=0.2)


def test_neighbouring_numbers_are_drawn_independently() -> None:
    """Numbers differ in few bits; their draws must not."""
    held_out = np.zeros(20_000, dtype=bool)
    held_out[rows_of(divide(source({"row": range(20_000)}), 0.5, key=KEY).holdout)] = True
    for lag in (1, 2, 256):
        assert abs((held_out[lag:] == held_out[:-lag]).mean() - 0.5) < 0.02


def test_equal_rows_are_on_one_side() -> None:
    values = [*range(30), -0.0, float("nan")] * 10
    held = divide(source({"x": values, "y": ["a"] * 320}), 0.5, key=KEY).holdout.read().to_pandas()["x"]
    counts = held.value_counts(dropna=False)
    assert set(counts) <= {10, 20}  # 0.0 and -0.0 are one value
    assert 8 < len(counts) < 24


def test_passes_and_batches_and_columns_do_not_matter() -> None:
    rng = np.random.default_rng(0)
    table = pa.table({"row": range(500), "x": rng.choice(["a", "b"], 500), "z": rng.random(500)})

    class Batches(TableSource):
        def _read(self, columns: list[str], batch_size: int) -> Iterator[pa.RecordBatch]:
            yield from super()._read(columns, 7)

    whole, pieces = (divide(kind(table, description="t"), 0.3, key=KEY) for kind in (TableSource, Batches))
    assert whole.content == pieces.content
    assert rows_of(whole.holdout) == rows_of(pieces.holdout) == rows_of(whole.holdout)
    assert rows_of(whole.holdout, "z") == table.column("z").take(pa.array(rows_of(whole.holdout))).to_pylist()


def test_what_lies_under_missing_cells_does_not_matter() -> None:
    mask = np.array([False, True] * 20)
    arrays = [pa.array(np.where(mask, junk, np.arange(40)), mask=mask) for junk in (0, 77)]
    assert len({divide(source({"x": array}), 0.5, key=KEY).content for array in arrays}) == 1


def test_a_parquet_file_and_its_frame_are_one_table(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2, 3, 4], "b": pd.Categorical(["x", "y", "x", None]), "c": [0.5, None, 2, 3]})
    frame.to_parquet(tmp_path / "t.parquet")
    contents = {divide(open_source(data), 0.5, key=KEY).content for data in (frame, tmp_path / "t.parquet")}
    assert len(contents) == 1


def test_order_names_and_values_are_content() -> None:
    tables = [{"a": [1, 2], "b": [3, 4]}, {"a": [2, 1], "b": [4, 3]}, {"b": [1, 2], "a": [3, 4]}]
    tables += [{"a": [3, 4], "b": [1, 2]}, {"a": [1, 2], "b": [3, None]}, {"a": [1], "b": [3]}]
    assert len({divide(source(table), 0.0, key=KEY).content for table in tables}) == len(tables)


def test_unknown_unit_column() -> None:
    with pytest.raises(SchemaError, match="the unit column 'whoo' is not in the table; did you mean 'who'"):
        divide(source({"who": [1]}), 0.1, key=KEY, unit="whoo")


def test_a_source_that_changes_is_refused() -> None:
    class Growing(TableSource):
        def _read(self, columns: list[str], batch_size: int) -> Iterator[pa.RecordBatch]:
            for _ in range(1 + len(grown)):
                yield from super()._read(columns, batch_size)

    grown: list[bool] = []
    whole = divide(Growing(pa.table({"x": [1, 2, 3]}), description="the table"), 0.0, key=KEY)
    grown.append(True)
    with pytest.raises(SourceError, match="the table has changed while it was read"):
        whole.training.read()

"""The index of a DataFrame: part of the table where it has names, the same from the Parquet file of the frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from synthgan.errors import DataError, SynthganWarning
from synthgan.tables.frames.frame_index import flat, index_levels, with_index
from synthgan.tables.frames.frames import restore_types, stored_schema, to_frame
from synthgan.tables.schema.schema import TableSchema
from synthgan.tables.sources.open import Source, open_source

DAYS = pd.date_range("2024-01-01", periods=4, freq="D", tz="Europe/Berlin")
KEPT: dict[str, Any] = {
    "whole": pd.Index([7, 5, 9, 2], name="customer"),
    "text": pd.Index(["a", "b", "c", "d"], name="code"),
    "zoned": pd.DatetimeIndex(DAYS, name="when", freq=None),
    "category": pd.CategoricalIndex(["x", "y", "x", "x"], categories=["y", "z", "x"], ordered=True, name="grade"),
    "nullable": pd.Index(pd.array([1, None, 3, 4], dtype="Int64"), name="n"),
    "two": pd.MultiIndex.from_arrays([["u", "v", "u", "v"], [1, 1, 2, 2]], names=["where", "nr"]),
}
NOT_KEPT: dict[str, tuple[Any, str | None]] = {
    "default": (pd.RangeIndex(4), None),
    "chosen rows": (pd.Index([7, 5, 9, 2]), None),
    "numbered by name": (pd.RangeIndex(4, name="row"), "the index 'row' only numbers the rows and is not part of the"),
    "text": (pd.Index(["a", "b", "c", "d"]), "and without a name, is not part of the table: use reset_index()"),
    "times": (pd.DatetimeIndex(DAYS, freq=None), "without a name, is not part of the table"),
    "half": (
        pd.MultiIndex.from_arrays([[1, 2, 3, 4], list("abcd")], names=["k", None]),
        "2 levels 1 level has no name",
    ),
}


def frame_with(index: Any) -> pd.DataFrame:
    return pd.DataFrame({"a": [1.5, 2.5, 3.5, 4.5], "b": ["p", "q", "p", "q"]}, index=index)


def schema_of(source: Source) -> TableSchema:
    return TableSchema(columns=tuple(source.column_schema(name, kind="constant") for name in source.names))


@pytest.mark.parametrize("name", KEPT)
def test_an_index_with_names_comes_back(name: str) -> None:
    frame = frame_with(KEPT[name])
    source = open_source(frame)
    assert source.index == tuple(str(level) for level in frame.index.names)
    assert source.notices == ()
    pd.testing.assert_frame_equal(source.to_frame(), frame)


@pytest.mark.parametrize("name", KEPT)
def test_a_parquet_file_of_the_frame_is_the_same_table(name: str, tmp_path: Path) -> None:
    frame = frame_with(KEPT[name])
    frame.to_parquet(tmp_path / "a.parquet")
    read, given = open_source(tmp_path / "a.parquet"), open_source(frame)
    assert (read.names, read.index, read.notices) == (given.names, given.index, given.notices)
    assert read.read().to_pylist() == given.read().to_pylist()
    assert read.pandas_dtypes == given.pandas_dtypes
    written = restore_types(given.read(), schema_of(given))
    assert written.schema.equals(stored_schema(schema_of(given)), check_metadata=True)
    theirs = pa.Table.from_pandas(frame)
    pd.testing.assert_frame_equal(written.to_pandas(), theirs.to_pandas())


@pytest.mark.parametrize("name", NOT_KEPT)
def test_an_index_without_names_is_left_out_and_told(name: str, tmp_path: Path) -> None:
    index, notice = NOT_KEPT[name]
    frame = frame_with(index)
    frame.to_parquet(tmp_path / "a.parquet")
    for source in (open_source(frame), open_source(tmp_path / "a.parquet"), open_source(pa.Table.from_pandas(frame))):
        assert source.names == ("a", "b")
        assert source.index == ()
        assert len(source.notices) == (notice is not None)
        assert all(notice is not None and notice in sentence for sentence in source.notices)
        pd.testing.assert_frame_equal(source.to_frame(), frame.reset_index(drop=True))


def test_an_index_called_like_a_column_is_refused() -> None:
    frame = frame_with(pd.Index(list("wxyz"), name="a"))
    for data in (frame, pa.Table.from_pandas(frame)):
        with pytest.raises(DataError, match="the index and a column are both called 'a'"):
            open_source(data)


def test_damaged_notes_are_one_sentence() -> None:
    table = pa.Table.from_pandas(frame_with(KEPT["text"]))
    for notes in (b"{", b'{"index_columns": 5}', b'{"columns": [{"name": 3}]}'):
        with pytest.warns(SynthganWarning, match="what pandas noted in the file about its columns is damaged"):
            source = open_source(table.replace_schema_metadata({b"pandas": notes}))
        assert source.names == tuple(table.column_names)


def test_labels_of_several_levels_and_other_types() -> None:
    columns = pd.MultiIndex.from_tuples([("a", 1), ("a", 2)])
    frame = pd.DataFrame([[1, 2], [3, 4]], columns=columns, index=pd.Index(["x", "y"], name=5))
    source = open_source(frame)
    assert source.labels["5"] == 5
    pd.testing.assert_frame_equal(to_frame(source.read(), schema_of(source)), frame)


def test_flat_and_back() -> None:
    frame = frame_with(KEPT["two"])
    level = flat(frame)
    assert level.columns.tolist() == ["a", "b", "where", "nr"]
    pd.testing.assert_frame_equal(with_index(level, ["where", "nr"]), frame)
    plain = frame_with(pd.RangeIndex(4))
    assert flat(plain) is plain
    assert index_levels(plain.index) == ([], None)


def test_levels_that_some_batch_lacks_do_not_hinder() -> None:
    source = open_source(frame_with(KEPT["whole"]))
    only = to_frame(source.read(["a"]), schema_of(source))
    assert only.columns.tolist() == ["a"]
    assert isinstance(only.index, pd.RangeIndex)
    assert np.array_equal(only["a"], [1.5, 2.5, 3.5, 4.5])

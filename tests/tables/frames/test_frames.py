"""DataFrames there and back: every dtype, label and missing value."""

from __future__ import annotations

import datetime as dt
import traceback
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthgan.errors import DataError
from synthgan.tables.arrow_types import parse_type
from synthgan.tables.frames.frames import from_frame, restore_types, stored_schema, to_frame
from synthgan.tables.schema.schema import ColumnSchema, Levels, TableSchema
from synthgan.tables.sources.open import open_source

SECRET = "Zaphod Beeblebrox"


def arrow(values: list[Any], data_type: pa.DataType) -> pd.Series[Any]:
    return pd.Series(pd.array(values, dtype=pd.ArrowDtype(data_type)))


DAYS = pd.date_range("2024-01-01", periods=3)
MOMENT = dt.datetime(2024, 3, 31, 1, 30, 0, 5)
COLUMNS: dict[str, Any] = {
    "int8": np.array([1, 2, 3], "int8"),
    "uint64": np.array([1, 2, 2**63 + 5], "uint64"),
    "float16": np.array([1, np.nan, 0.5], "float16"),
    "float32": np.array([1, np.nan, np.inf], "float32"),
    "float64": [0.1, np.nan, -np.inf],
    "bool": [True, False, True],
    "boolean": pd.array([True, None, False], "boolean"),
    "Int64": pd.array([2**60 + 1, None, 3], "Int64"),
    "UInt8": pd.array([1, None, 3], "UInt8"),
    "Float32": pd.array([1.5, None, 3], "Float32"),
    "Float64": pd.array([1.5, None, 3], "Float64"),
    "string[python]": pd.array(["a", None, ""], "string[python]"),
    "string[pyarrow]": pd.array(["a", None, ""], "string[pyarrow]"),
    "object text": pd.Series(["a", None, ""], dtype=object),
    "object whole": pd.Series([1, None, 3], dtype=object),
    "object true": pd.Series([True, None, False], dtype=object),
    "object float": pd.Series([1.5, None, 2.5], dtype=object),
    "object date": [dt.date(2024, 1, 1), None, dt.date(1066, 10, 14)],
    "object time": [dt.time(1, 2, 3, 4), None, dt.time(23, 59)],
    "object datetime": pd.Series([MOMENT, None, MOMENT], dtype=object),
    "object datetime zone": pd.Series([MOMENT.replace(tzinfo=dt.timezone.utc), None], dtype=object),
    "object timedelta": pd.Series([dt.timedelta(days=1, microseconds=1), None], dtype=object),
    "object decimal": [Decimal("1.25"), None, Decimal("3.00")],
    "object uuid": [UUID(int=7), None, UUID(int=2**127)],
    "object none": pd.Series([None, None], dtype=object),
    "datetime64[s]": DAYS.as_unit("s"),
    "datetime64[ns]": DAYS.as_unit("ns") + pd.Timedelta(1, "ns"),
    "datetime64 missing": pd.Series([pd.Timestamp("2024-01-01"), pd.NaT]),
    "zone": pd.date_range("2024-03-30 22:00", periods=3, freq="h", tz="Europe/Berlin"),
    "zone offset": pd.date_range("2024-01-01", periods=3, tz=dt.timezone(dt.timedelta(hours=5, minutes=30))),
    "timedelta64[ms]": pd.to_timedelta([1, None, 3], unit="s").as_unit("ms"),
    "period[M]": pd.period_range("2024-01", periods=3, freq="M"),
    "period[Q]": pd.PeriodIndex(["2024Q1", None, "2024Q3"], freq="Q"),
    "sparse float": pd.arrays.SparseArray([0.0, 1.0, np.nan]),
    "sparse int": pd.arrays.SparseArray([0, 1, 0], fill_value=0),
    "arrow int": arrow([1, None, 3], pa.int64()),
    "arrow string": arrow(["a", None, ""], pa.string()),
    "arrow decimal": arrow([Decimal("1.10"), None], pa.decimal128(5, 2)),
    "arrow zone": arrow([MOMENT.replace(tzinfo=dt.timezone.utc), None], pa.timestamp("us", tz="Asia/Tokyo")),
    "arrow time": arrow([dt.time(1, 2, 3), None], pa.time32("ms")),
    "arrow date64": arrow([dt.date(2024, 1, 1), None], pa.date64()),
    "arrow dictionary": pd.Series(pd.arrays.ArrowExtensionArray(pa.array(["x", "y", "x", None]).dictionary_encode())),
    "category ordered": pd.Categorical(["a", "b", None], categories=["b", "a", "unused"], ordered=True),
    "category whole": pd.Categorical([3, 1, None]),
    "category float": pd.Categorical([1.5, 2.0, None]),
    "category bool": pd.Categorical([True, False, None]),
    "category Int64": pd.Categorical(pd.array([1, 2, None], dtype="Int64")),
    "category string": pd.Categorical(pd.array(["a", "b", None], dtype="string")),
    "category day": pd.Categorical([*DAYS[:2], None]),
    "category interval": pd.cut([1.0, 5.0, 9.0, np.nan], 3),
    "category interval of days": pd.cut(pd.Series(DAYS), 2),
    "category period": pd.Categorical(pd.period_range("2024-01", periods=3, freq="M")),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_comes_back_as_it_was(name: str) -> None:
    frame = pd.DataFrame({name: COLUMNS[name]})
    pd.testing.assert_frame_equal(open_source(frame).to_frame(), frame)


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_comes_back_in_batches_of_plain_types(name: str) -> None:
    """Dictionaries decoded and rows in pieces, as a decoder hands them over."""
    frame = pd.DataFrame({name: COLUMNS[name]})
    source = open_source(frame)
    schema = TableSchema(columns=(source.column_schema(name, kind="constant"),))
    plain = pa.table({name: source.read()[name].cast(parse_type(schema[name].arrow_type))})
    pieces = pa.concat_tables([plain.slice(0, 1), plain.slice(1)])
    pd.testing.assert_frame_equal(to_frame(pieces, schema), frame)


@pytest.mark.parametrize("name", COLUMNS)
def test_a_file_of_stored_types_reads_like_one_that_pandas_wrote(name: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({name: COLUMNS[name], "last": 1})
    source = open_source(frame)
    schema = TableSchema(columns=tuple(source.column_schema(column, kind="constant") for column in source.names))
    stored = restore_types(source.read(), schema)
    assert stored.schema.equals(stored_schema(schema), check_metadata=True)
    pq.write_table(stored, tmp_path / "ours.parquet")
    if name.startswith(("period", "sparse", "category interval", "category period", "arrow dictionary")):
        assert len(pd.read_parquet(tmp_path / "ours.parquet")) == len(frame)
        return  # pandas has no form of these that a file could hold, or cannot read its own
    frame.to_parquet(tmp_path / "theirs.parquet", index=False)
    ours, theirs = (pd.read_parquet(tmp_path / f"{who}.parquet") for who in ("ours", "theirs"))
    pd.testing.assert_frame_equal(ours, theirs)


def test_a_file_keeps_labels_and_the_order_of_categories(tmp_path: Path) -> None:
    frame = pd.DataFrame({7: pd.Categorical(["c", "a"], categories=["c", "b", "a"], ordered=True), 8: [1, 2]})
    source = open_source(frame)
    schema = TableSchema(columns=tuple(source.column_schema(name, kind="constant") for name in source.names))
    pq.write_table(restore_types(source.read(["8", "7"]), schema), tmp_path / "a.parquet")
    read = pd.read_parquet(tmp_path / "a.parquet")
    assert read[7].cat.categories.tolist() == ["c", "b", "a"]
    assert read[7].cat.ordered
    assert read.columns.tolist() == [8, 7]


def test_types_of_a_file_come_back_without_pandas() -> None:
    table = pa.table({"t": pa.array([1, None], pa.time32("s")), "d": pa.array(["x", "y"]).dictionary_encode()})
    source = open_source(table)
    schema = TableSchema(columns=tuple(source.column_schema(name, kind="constant") for name in source.names))
    restored = restore_types(source.read(), schema)
    assert restored.schema.equals(table.schema, check_metadata=True)
    assert restored.to_pydict() == table.to_pydict()


def test_the_string_dtype_with_nan() -> None:
    try:
        dtype = pd.StringDtype(na_value=np.nan)
    except TypeError:
        pytest.skip("pandas before 2.3 has no string dtype with NaN")
    frame = pd.DataFrame({"a": pd.array(["x", None], dtype=dtype)})
    assert from_frame(frame).pandas_dtypes == {"a": "str"}
    pd.testing.assert_frame_equal(open_source(frame).to_frame(), frame)


def test_missing_values_of_all_spellings_are_missing() -> None:
    cells = ["a", None, np.nan, pd.NA, pd.NaT]
    assert from_frame(pd.DataFrame({"a": pd.Series(cells, dtype=object)})).table["a"].to_pylist() == ["a", *[None] * 4]
    decimals = [Decimal("1.5"), Decimal("NaN"), None]
    assert from_frame(pd.DataFrame({"a": decimals})).table["a"].to_pylist() == [Decimal("1.5"), None, None]


@pytest.mark.parametrize(
    "columns",
    [
        [0, 1],
        ["a", 1],
        [1.5, True],
        [("a", 1), ("b", 2)],
        [("a", 1), "b"],
        [pd.Timestamp("2024-01-01"), dt.date(2024, 1, 1)],
        ["", " "],
    ],
)
def test_labels_and_their_order_come_back(columns: list[Any]) -> None:
    frame = pd.DataFrame([[1, "x"], [2, "y"]])
    frame.columns = pd.Index(columns, tupleize_cols=all(isinstance(label, tuple) for label in columns))
    result = open_source(frame).to_frame()
    pd.testing.assert_index_equal(result.columns, frame.columns, exact=False)
    assert result.to_numpy().tolist() == frame.to_numpy().tolist()
    source = open_source(frame)
    schema = TableSchema(columns=tuple(source.column_schema(name, kind="constant") for name in source.names))
    assert restore_types(source.read(), schema).column_names == list(source.names)


def test_the_index_is_left_out() -> None:
    frame = pd.DataFrame({"a": [1, 2]}, index=["x", "y"])
    assert open_source(frame).names == ("a",)
    assert open_source(frame).to_frame().index.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("dtype", "expected"), [("int32", "Int32"), ("uint8", "UInt8"), ("bool", "boolean"), ("float32", "float32")]
)
def test_a_dtype_without_missing_values_gives_way_to_its_twin(dtype: str, expected: str) -> None:
    source = open_source(pd.DataFrame({"a": np.array([1, 0], dtype)}))
    schema = TableSchema(columns=(source.column_schema("a", kind="constant"),))
    with_missing = pa.table({"a": pa.array([1, None]).cast(parse_type(schema["a"].arrow_type))})
    frame = to_frame(with_missing, schema)
    assert str(frame["a"].dtype) == expected
    assert frame["a"].isna().tolist() == [False, True]


def categorical(levels: Levels | None) -> TableSchema:
    column = ColumnSchema(name="a", kind="categorical", arrow_type="string", pandas_dtype="category", levels=levels)
    return TableSchema(columns=(column,))


def test_an_unknown_category_is_added_only_when_used() -> None:
    schema = categorical(Levels(values=("b", "a"), ordered=True))
    used = to_frame(pa.table({"a": ["a", "<other>", None]}), schema)["a"]
    assert used.tolist() == ["a", "<other>", np.nan]
    assert used.cat.categories.tolist() == ["b", "a", "<other>"]
    assert used.cat.ordered
    unused = to_frame(pa.table({"a": ["a", None]}), schema)["a"]
    assert unused.cat.categories.tolist() == ["b", "a"]
    assert to_frame(pa.table({"a": ["b", "a"]}), categorical(None))["a"].cat.categories.tolist() == ["a", "b"]


def test_an_interval_category_gives_way_to_text_when_others_are_used() -> None:
    source = open_source(pd.DataFrame({"a": pd.cut([1.0, 5.0, 9.0], [0, 5, 10])}))
    schema = TableSchema(columns=(source.column_schema("a", kind="categorical"),))
    used = to_frame(pa.table({"a": ["<other>", "(0, 5]"]}), schema)["a"]
    assert used.cat.categories.tolist() == ["(0, 5]", "(5, 10]", "<other>"]


def test_a_subset_of_columns_in_another_order() -> None:
    source = open_source(pd.DataFrame({"a": [1, 2], "b": ["x", "y"], 3: [1.5, 2.5]}))
    schema = TableSchema(columns=tuple(source.column_schema(name, kind="constant") for name in source.names))
    frame = to_frame(source.read(["3", "a"]), schema)
    assert frame.columns.tolist() == [3, "a"]
    assert to_frame(pa.table({}), schema).shape == (0, 0)


@given(
    st.lists(
        st.tuples(
            st.none() | st.text(st.characters(codec="utf-8"), max_size=5),
            st.none() | st.integers(-(2**63), 2**63 - 1),
            st.floats(width=64),
            st.none() | st.datetimes(min_value=dt.datetime(1700, 1, 1), max_value=dt.datetime(2200, 1, 1)),
            st.none() | st.decimals(-1000, 1000, places=2),
            st.sampled_from(["a", "b", None]),
        ),
        min_size=1,
        max_size=20,
    )
)
@settings(max_examples=40, deadline=None)
def test_any_rows_come_back(rows: list[tuple[Any, ...]]) -> None:
    text, whole, number, moment, money, category = zip(*rows, strict=True)
    frame = pd.DataFrame(
        {
            "text": pd.array(text, dtype="string[python]"),
            "whole": pd.array(whole, dtype="Int64"),
            "number": np.array(number, dtype=float),
            "moment": pd.Series(moment, dtype="datetime64[us]"),
            "money": pd.Series(money, dtype=object),
            "category": pd.Categorical(category, categories=["b", "a"]),
        }
    )
    pd.testing.assert_frame_equal(open_source(frame, minimum_rows=1).to_frame(), frame)


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "two columns are called 'a': names must differ"),
        (pd.DataFrame([[1, 2]], columns=[1, "1"]), "two columns are called '1' once names are text"),
        (pd.DataFrame([[1, 2]], columns=["a", None]), "the column at position 1 has no name"),
        (pd.DataFrame([[1, 2]], columns=["a", np.nan]), "the column at position 1 has no name"),
        (
            pd.DataFrame([[1, 2]], columns=pd.Index(["a", "b\udc00"], dtype=object)),
            "the column at position 1 holds half of a surrogate pair",
        ),
        (pd.DataFrame({"a": ["x", SECRET, 3]}), "column 'a' mixes values of several types (int, str)"),
        (pd.DataFrame({"a": [True, 1, None]}, dtype=object), "column 'a' mixes values of several types (bool, int)"),
        (pd.DataFrame({"a": [1, Decimal(2)]}, dtype=object), "mixes values of several types (Decimal, int)"),
        (pd.DataFrame({"a": [dt.date(2024, 1, 1), SECRET]}), "mixes values of several types (date, str)"),
        (pd.DataFrame({"a": [[SECRET], [SECRET]]}), "column 'a' holds list objects"),
        (pd.DataFrame({"a": [{"k": SECRET}, None]}), "column 'a' holds dict objects"),
        (pd.DataFrame({"a": [SECRET.encode(), None]}), "column 'a' holds bytes objects"),
        (pd.DataFrame({"a": [UUID(int=1), SECRET]}), "mixes values of several types (UUID, str)"),
        (pd.DataFrame({"a": [10**30, None]}, dtype=object), "column 'a' holds integer objects that do not fit"),
        (pd.DataFrame({"a": [Decimal("Infinity"), Decimal(1)]}), "column 'a' holds decimal objects that do not fit"),
        (
            pd.DataFrame({"a": pd.Series([MOMENT, MOMENT.replace(tzinfo=dt.timezone.utc)], dtype=object)}),
            "column 'a' mixes datetimes with and without a time zone",
        ),
        (pd.DataFrame({"a": [f"{SECRET}\ud800", "b"]}, dtype=object), "column 'a' holds text with lone surrogates"),
        (pd.DataFrame({"a": [f"{SECRET}\ud800", None, pd.NA]}, dtype=object), "holds text with lone surrogates"),
        (pd.DataFrame({"a": [1j, 2j]}), "column 'a' has the dtype complex128"),
        (pd.DataFrame({"a": pd.interval_range(0, 2)}), "column 'a' has the dtype interval[int64, right]"),
    ],
)
def test_what_cannot_be_modelled_is_refused_by_name(frame: pd.DataFrame, expected: str) -> None:
    with pytest.raises(DataError) as error:
        from_frame(frame)
    assert expected in str(error.value)
    assert SECRET not in "".join(traceback.format_exception(error.value))


def test_a_dtype_that_arrow_cannot_read_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise TypeError(SECRET)

    monkeypatch.setattr(pd.arrays.IntegerArray, "__arrow_array__", refuse)
    with pytest.raises(DataError, match="column 'a' has the dtype Int64, which has no Arrow counterpart") as error:
        from_frame(pd.DataFrame({"a": pd.array([1, 2], "Int64")}))
    assert SECRET not in "".join(traceback.format_exception(error.value))

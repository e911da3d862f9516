"""DataFrames in and out: every column to Arrow, and back to its own dtype and label.

pandas dtypes are remembered as text (``ColumnSchema.pandas_dtype``): ``str(dtype)``, except that a string dtype names
its storage (``string[python]``, ``string[pyarrow]``, ``str``) and an Arrow-backed dtype is ``ArrowDtype(int64)``,
as pandas prints an Arrow-backed string and a string stored by Arrow alike.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from synthgan.errors import DataError
from synthgan.tables.arrow_types import is_text, parse_type, physical_type, stored_text, to_physical, uuid_array
from synthgan.tables.object_columns import declared_series
from synthgan.tables.reading import Reading
from synthgan.tables.schema import ColumnSchema, Levels, TableSchema
from synthgan.tables.written_columns import as_stored, plain_schema

_OBJECT_TYPES = {
    "string": None,
    "boolean": pa.bool_(),
    "integer": None,
    "floating": pa.float64(),
    "mixed-integer-float": pa.float64(),
    "decimal": None,
    "date": pa.date32(),
    "datetime": None,
    "datetime64": None,
    "timedelta": None,
    "timedelta64": None,
    "time": pa.time64("us"),
    "empty": pa.null(),
}
"""What `pandas.api.types.infer_dtype` calls an object column, and its Arrow type (None: Arrow finds it)."""

_INTERVAL, _PERIOD, _ARROW = "interval[", "period[", "ArrowDtype("


@dataclass(frozen=True, kw_only=True, slots=True)
class ArrowFrame:
    """A DataFrame as an Arrow table of physical types, and what is needed to go back.

    Attributes:
        table: the values; fields are named by the string names.
        labels: string name -> original label, where that is not a string.
        pandas_dtypes: string name -> dtype as text (see the module).
        stored_types: string name -> Arrow type as text, where it differs from the physical one.
        categories: string name -> levels of each categorical column.
    """

    table: pa.Table = field(repr=False)
    labels: dict[str, Hashable]
    pandas_dtypes: dict[str, str]
    stored_types: dict[str, str]
    categories: dict[str, Levels]


def from_frame(frame: pd.DataFrame, reading: Reading | None = None) -> ArrowFrame:
    """``frame`` as Arrow, its objects as ``reading`` says; the index is left out.

    Raises:
        DataError: for duplicate, colliding or unwritable column names, mixed-type columns and dtypes that cannot be
            modelled.
    """
    names, labels = _names(frame.columns)
    arrays: list[pa.ChunkedArray] = []
    pandas_dtypes: dict[str, str] = {}
    stored_types: dict[str, str] = {}
    categories: dict[str, Levels] = {}
    for position, name in enumerate(names):
        series = frame.iloc[:, position]
        pandas_dtypes[name] = dtype_text(series.dtype)
        series = series if reading is None else declared_series(series, name, reading)
        if isinstance(series.dtype, pd.CategoricalDtype):
            dtype = dtype_text(series.cat.categories.dtype)
            series = _plain_categories(series)
            categories[name] = Levels(
                values=tuple(series.cat.categories.tolist()),
                ordered=bool(series.cat.ordered),
                source="inferred-exact",
                pandas_dtype=dtype,
            )
        stored = _stored_array(series, name)
        target = physical_type(stored.type, name)
        if text := stored_text(stored.type, target):
            stored_types[name] = text
        chunks = stored.chunks if isinstance(stored, pa.ChunkedArray) else [stored]
        arrays.append(pa.chunked_array([to_physical(chunk, target) for chunk in chunks], type=target))
    return ArrowFrame(
        table=pa.Table.from_arrays(arrays, names=names),
        labels=labels,
        pandas_dtypes=pandas_dtypes,
        stored_types=stored_types,
        categories=categories,
    )


def _names(columns: pd.Index[Any]) -> tuple[list[str], dict[str, Hashable]]:
    """String names, and the labels that are not strings."""
    seen: dict[str, Hashable] = {}
    for position, label in enumerate(columns):
        if label is None or (isinstance(label, float) and np.isnan(label)):
            raise DataError(f"the column at position {position} has no name: give it one")
        name = str(label)
        if any("\ud800" <= character <= "\udfff" for character in name):
            raise DataError(
                f"the name of the column at position {position} holds half of a surrogate pair, which no file can "
                "store: rename it"
            )
        if name in seen:
            same = isinstance(seen[name], str) == isinstance(label, str)
            how = "" if same else " once names are text (one is not a string)"
            raise DataError(f"two columns are called {name!r}{how}: names must differ, so rename one of them")
        seen[name] = label.item() if isinstance(label, np.generic) else label
    return list(seen), {name: label for name, label in seen.items() if not isinstance(label, str)}


def dtype_text(dtype: Any) -> str:
    """A pandas dtype as the text that `to_frame` understands."""
    if isinstance(dtype, pd.ArrowDtype):
        return f"{_ARROW}{dtype.pyarrow_dtype})"
    if isinstance(dtype, pd.StringDtype):
        return f"string[{dtype.storage}]" if dtype.na_value is pd.NA else "str"
    return str(dtype)


def noted_by_pandas(schema: pa.Schema) -> tuple[dict[str, str], dict[str, Hashable]]:
    """What pandas noted in an Arrow schema: string name -> dtype as text, and -> label where that is not a string."""
    if b"pandas" not in (schema.metadata or {}):
        return {}, {}
    noted = [
        (str(label), label, dtype)
        for label, dtype in schema.empty_table().to_pandas().dtypes.items()
        if str(label) in schema.names
    ]
    labels = {name: label for name, label, _ in noted if not isinstance(label, str)}
    return {name: dtype_text(dtype) for name, _, dtype in noted}, labels


def _plain_categories(series: pd.Series[Any]) -> pd.Series[Any]:
    """Categories that Arrow has no type for (intervals, periods) become text."""
    categories = series.cat.categories
    if isinstance(categories.dtype, pd.IntervalDtype | pd.PeriodDtype):
        return series.cat.rename_categories([str(category) for category in categories])
    return series


def _stored_array(series: pd.Series[Any], name: str) -> pa.Array | pa.ChunkedArray:
    """The column as Arrow stores it, with NaN, None and NaT all missing."""
    dtype: Any = series.dtype
    if isinstance(dtype, pd.PeriodDtype):
        return pa.array(series.dt.start_time.astype("datetime64[us]"), from_pandas=True)
    if isinstance(dtype, pd.SparseDtype):
        return _stored_array(pd.Series(np.asarray(series)), name)
    if isinstance(dtype, pd.IntervalDtype) or dtype.kind in "cV":
        raise DataError(
            f"column {name!r} has the dtype {dtype}, which synthgan cannot model: "
            f"split it into plain columns or drop it"
        )
    if dtype == np.dtype(object):
        return _object_array(series, name)
    if isinstance(dtype, np.dtype) and dtype.kind == "f" and dtype.itemsize > np.dtype(np.float64).itemsize:
        series = series.astype("float64")
    try:
        return pa.array(series, from_pandas=True)
    except (pa.ArrowException, ValueError, TypeError):
        raise DataError(
            f"column {name!r} has the dtype {dtype}, which has no Arrow counterpart: convert it or drop it"
        ) from None


def _object_array(series: pd.Series[Any], name: str) -> pa.Array | pa.ChunkedArray:
    if pd.api.types.infer_dtype(series, skipna=True) == "string":
        with suppress(pa.ArrowException, ValueError):  # a missing value that Arrow does not know, or no Unicode: below
            return pa.array(series, from_pandas=True)
    present = series[series.notna()]
    kind = pd.api.types.infer_dtype(present)
    if kind == "mixed" and all(isinstance(value, UUID) for value in present):
        return uuid_array(pa.array([str(value) if isinstance(value, UUID) else None for value in series], pa.string()))
    if kind not in _OBJECT_TYPES:
        types = sorted({type(value).__name__ for value in present})
        listed = ", ".join(types[:4]) + (", ..." if len(types) > 4 else "")
        if len(types) == 1:
            raise DataError(
                f"column {name!r} holds {listed} objects, which synthgan cannot model: "
                f"convert it to text or numbers, or drop it"
            )
        raise DataError(f"column {name!r} mixes values of several types ({listed}): convert the column to one of them")
    if kind == "datetime" and len({value.tzinfo is None for value in present if isinstance(value, datetime)}) > 1:
        raise DataError(f"column {name!r} mixes datetimes with and without a time zone: give all of them one, or none")
    try:
        # where() puts None for NaN and NaT, which Arrow takes for values among objects
        return pa.array(series.where(series.notna(), None), type=_OBJECT_TYPES[kind], from_pandas=True)
    except UnicodeEncodeError:
        raise DataError(
            f"column {name!r} holds text with lone surrogates, which is no valid Unicode: replace or drop these cells"
        ) from None
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        raise DataError(
            f"column {name!r} holds {kind} objects that do not fit one Arrow type (too large, infinite or mixed): "
            f"convert the column to one dtype"
        ) from None


def stored_schema(schema: TableSchema, names: Sequence[str] | None = None) -> pa.Schema:
    """The Arrow schema of a file that holds the table: the source's own types, and pandas dtypes as pandas notes them.

    Args:
        schema: the table.
        names: its columns that the file holds, in order; all by default.
    """
    schema = plain_schema(schema)
    columns = [schema[name] for name in (schema.names if names is None else names)]
    fields = [pa.field(column.name, _stored_type(column)) for column in columns]
    noted = [column for column in columns if _is_noted(column)]
    if not noted:
        return pa.schema(fields)
    empty = pa.schema([pa.field(column.name, parse_type(column.arrow_type)) for column in noted])
    frame = to_frame(empty.empty_table(), schema)
    if frame.columns.inferred_type.startswith("mixed"):
        frame.columns = pd.Index(empty.names)  # pandas notes labels of one type only
    notes = pa.Schema.from_pandas(frame).pandas_metadata
    notes["index_columns"] = []  # the empty frame's index says nothing about the rows to come
    return pa.schema(fields, metadata={"pandas": json.dumps(notes)})


def _stored_type(column: ColumnSchema) -> pa.DataType:
    stored = parse_type(column.stored_type or column.arrow_type)
    if pa.types.is_dictionary(stored):  # rare levels or categories added later may need a wider index than the source
        return pa.dictionary(pa.int32(), stored.value_type, ordered=stored.ordered)
    return stored


def _is_noted(column: ColumnSchema) -> bool:
    """Whether pandas can note the column's dtype in a file in a form that it reads back."""
    categories = column.levels.pandas_dtype if column.levels is not None else None
    if column.pandas_dtype is None:
        return False
    unknown = (_INTERVAL, _PERIOD, "Sparse[", f"{_ARROW}dictionary")
    return not any(text.startswith(unknown) for text in (column.pandas_dtype, categories or ""))


def restore_types(table: pa.Table, schema: TableSchema) -> pa.Table:
    """``table`` with the types and metadata of `stored_schema`, ready to be written."""
    table, schema = as_stored(table, schema)
    target = stored_schema(schema, table.column_names)
    arrays = [_restored(table.column(field.name), field.type, schema[field.name].levels) for field in target]
    return pa.Table.from_arrays(arrays, schema=target)


def _restored(values: pa.ChunkedArray, target: pa.DataType, levels: Levels | None = None) -> pa.ChunkedArray:
    if pa.types.is_dictionary(target):
        codes, categories, _ = _against_levels(values, levels)
        dictionary = pa.array(categories, target.value_type)
        indices = pa.array(codes, pa.int32(), mask=codes < 0)
        return pa.chunked_array([pa.DictionaryArray.from_arrays(indices, dictionary, ordered=target.ordered)]).cast(
            target
        )
    if values.type == target:
        return values
    if target == pa.uuid():
        return pa.chunked_array([uuid_array(chunk) for chunk in values.chunks], type=target)
    if pa.types.is_time(target):
        whole = values.cast(pa.int64())
        return (whole.cast(pa.int32()) if pa.types.is_time32(target) else whole).cast(target)
    return values.cast(target)


def _against_levels(
    values: pa.ChunkedArray, levels: Levels | None
) -> tuple[npt.NDArray[np.int64], list[Any], list[Any]]:
    """Codes of ``values`` (-1 for missing), the levels with those that only the values have behind, and the latter."""
    plain = values.cast(values.type.value_type) if pa.types.is_dictionary(values.type) else values
    encoded = plain.combine_chunks().dictionary_encode()
    found = encoded.dictionary.to_pylist()
    categories = list(levels.values) if levels is not None else []
    known = set(categories)
    extra = [value for value in found if value not in known]
    categories += extra if levels is not None else sorted(extra)
    place = {value: position for position, value in enumerate(categories)}
    places = np.array([place[value] for value in found] + [-1])  # the last one is for missing cells
    codes = places[encoded.indices.fill_null(len(found)).to_numpy(zero_copy_only=False)]
    return codes.astype(np.int64), categories, extra


def to_frame(table: pa.Table, schema: TableSchema) -> pd.DataFrame:
    """``table`` as a DataFrame with the labels and dtypes of ``schema``, in the table's column order.

    A whole-number or boolean numpy dtype cannot hold missing values; where there are some, its nullable twin is used.

    Args:
        table: columns by their string names, of physical or stored types; a subset of the schema's is fine.
        schema: says label, pandas dtype, categories and written format of each.
    """
    table, schema = as_stored(table, schema)
    columns = [schema[name] for name in table.column_names]
    series = [_series(table.column(column.name), column) for column in columns]
    frame = pd.DataFrame(dict(enumerate(series)), index=pd.RangeIndex(table.num_rows))
    labels: list[Any] = [column.name if column.label is None else column.label for column in columns]
    if labels and all(isinstance(label, tuple) for label in labels):
        frame.columns = pd.MultiIndex.from_tuples(labels)
    else:
        frame.columns = pd.Index(labels, tupleize_cols=False)
    return frame


def _series(values: pa.ChunkedArray, column: ColumnSchema) -> Any:
    text = column.pandas_dtype
    if text == "category":
        return _categorical(values, column)
    if text is not None and text.startswith(_PERIOD):
        return _periods(values, text)
    if column.stored_type is not None:
        values = _restored(values, parse_type(column.stored_type), column.levels)
    if text is None:
        return pd.Series(values.to_pandas())
    if text == "object":
        return _objects(values)
    dtype: Any = parse_dtype(text)
    if isinstance(dtype, pd.ArrowDtype):
        return pd.Series(pd.arrays.ArrowExtensionArray(_restored(values, dtype.pyarrow_dtype)))
    if isinstance(dtype, pd.SparseDtype):
        return pd.Series(values.to_pandas()).astype(dtype.subtype).astype(dtype)
    if isinstance(dtype, np.dtype):
        return _numpy(values, dtype)
    if hasattr(dtype, "__from_arrow__") and not isinstance(dtype, pd.DatetimeTZDtype):
        return pd.Series(dtype.__from_arrow__(values), dtype=dtype)
    return pd.Series(values.to_pandas()).astype(dtype)


def parse_dtype(text: str) -> Any:
    """The dtype behind the text of `dtype_text`; object for ``str`` where this pandas has no such dtype."""
    if text.startswith(_ARROW):
        return pd.ArrowDtype(parse_type(text.removeprefix(_ARROW).removesuffix(")")))
    if text == "str":
        try:
            return pd.StringDtype(na_value=np.nan)
        except TypeError:  # pandas before 2.3
            return np.dtype(object)
    if text.startswith("string["):
        return pd.StringDtype(text.removeprefix("string[").removesuffix("]"))
    return pd.api.types.pandas_dtype(text)


def _numpy(values: pa.ChunkedArray, dtype: np.dtype[Any]) -> Any:
    if values.null_count and dtype.kind in "iub":
        twin = "boolean" if dtype.kind == "b" else dtype.name.replace("i", "I").replace("u", "U")
        nullable: Any = pd.api.types.pandas_dtype(twin)
        return pd.Series(nullable.__from_arrow__(values), dtype=nullable)
    return pd.Series(values.to_pandas()).astype(dtype)


def _objects(values: pa.ChunkedArray) -> pd.Series[Any]:
    if not is_text(values.type):
        return pd.Series(values.to_pylist(), dtype=object)
    # One object per distinct text, not per cell.
    plain = values.cast(pa.large_string()) if pa.types.is_string_view(values.type) else values
    encoded = plain.combine_chunks().dictionary_encode()
    texts = np.array([*encoded.dictionary.to_pylist(), None], dtype=object)
    return pd.Series(texts[encoded.indices.fill_null(len(texts) - 1).to_numpy()], dtype=object)


def _periods(values: pa.ChunkedArray, text: str) -> pd.Series[Any]:
    """Periods from the start of each; from ordinals where the file held those."""
    dtype: Any = pd.api.types.pandas_dtype(text)
    if pa.types.is_integer(values.type):
        return pd.Series(dtype.construct_array_type()._from_sequence(values.to_pylist(), dtype=dtype))
    return pd.Series(values.to_pandas()).dt.to_period(dtype.freq)


def _categorical(values: pa.ChunkedArray, column: ColumnSchema) -> pd.Series[Any]:
    """A categorical of the schema's levels; values outside them (``<other>``) become categories only when used."""
    levels = column.levels
    codes, categories, extra = _against_levels(values, levels)
    if levels is not None and levels.pandas_dtype is not None and not extra:
        index = _category_index(categories, levels.pandas_dtype)
    else:
        index = pd.Index(categories)
    ordered = levels is not None and levels.ordered
    return pd.Series(pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(index, ordered=ordered)))


def _category_index(categories: list[Any], text: str) -> pd.Index[Any]:
    if text.startswith(_INTERVAL):
        dtype: Any = pd.api.types.pandas_dtype(text)
        ends = [category.strip("[]()").split(", ") for category in categories]
        # Not astype: pandas before 2.2 leaves midnight out of the text, and would want one format of all.
        left, right = (pd.Index([end[side] for end in ends], dtype=dtype.subtype) for side in (0, 1))
        return pd.IntervalIndex.from_arrays(left, right, closed=dtype.closed)
    if text.startswith(_PERIOD):
        return pd.PeriodIndex(categories, dtype=text)
    index: pd.Index[Any] = pd.Index(categories, dtype=parse_dtype(text))
    return index

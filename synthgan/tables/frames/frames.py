"""DataFrames in and out: every column to Arrow, and back to its own dtype and label.

pandas dtypes are remembered as text (`synthgan.tables.pandas_dtypes`), the levels of an index as columns that say so
(`synthgan.tables.frames.frame_index`).
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa

from synthgan.errors import DataError
from synthgan.tables.arrow_types import (
    from_physical,
    is_text,
    parse_type,
    physical_type,
    roomy,
    stored_text,
    to_physical,
    uuid_array,
    value_type,
)
from synthgan.tables.frames.frame_categories import against_levels, categorical, plain_categories
from synthgan.tables.frames.frame_index import index_levels, with_index
from synthgan.tables.frames.frame_labels import column_names
from synthgan.tables.frames.object_columns import declared_series
from synthgan.tables.frames.object_moments import check_moments
from synthgan.tables.pandas_dtypes import ARROW, INTERVAL, PERIOD, dtype_text, parse_dtype
from synthgan.tables.pandas_zones import zone_name
from synthgan.tables.reading.reading import Reading
from synthgan.tables.schema.schema import ColumnSchema, Levels, TableSchema
from synthgan.tables.schema.written_columns import as_stored, plain_schema

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


@dataclass(frozen=True, kw_only=True, slots=True)
class ArrowFrame:
    """A DataFrame as an Arrow table of physical types, and what is needed to go back.

    Attributes:
        table: the values; fields are named by the string names.
        labels: string name -> original label, where that is not a string.
        pandas_dtypes: string name -> dtype as text (see the module).
        stored_types: string name -> Arrow type as text, where it differs from the physical one.
        categories: string name -> levels of each categorical column.
        index: string names of the columns that are levels of the index.
        notices: what to say about the index.
    """

    table: pa.Table = field(repr=False)
    labels: dict[str, Hashable]
    pandas_dtypes: dict[str, str]
    stored_types: dict[str, str]
    categories: dict[str, Levels]
    index: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


def from_frame(frame: pd.DataFrame, reading: Reading | None = None) -> ArrowFrame:
    """``frame`` as Arrow, its objects as ``reading`` says; levels of its index that have names behind its columns.

    Raises:
        DataError: for duplicate, colliding or unwritable column names, mixed-type columns and dtypes that cannot be
            modelled.
    """
    levels, notice = index_levels(frame.index, private=reading is not None and reading.private)
    names, labels = column_names([*frame.columns, *(label for label, _ in levels)], n_index=len(levels))
    arrays: list[pa.ChunkedArray] = []
    pandas_dtypes: dict[str, str] = {}
    stored_types: dict[str, str] = {}
    categories: dict[str, Levels] = {}
    for position, name in enumerate(names):
        own = position < frame.shape[1]
        series = frame.iloc[:, position] if own else pd.Series(levels[position - frame.shape[1]][1])
        _check_dtype(series.dtype, name)
        pandas_dtypes[name] = dtype_text(series.dtype)
        series = series if reading is None else declared_series(series, name, reading)
        held = series.dtype
        series = plain_categories(series) if isinstance(held, pd.CategoricalDtype) else series
        stored = _stored_array(series, name)
        target = physical_type(stored.type, name)
        if text := stored_text(stored.type, target):
            stored_types[name] = text
        chunks = stored.chunks if isinstance(stored, pa.ChunkedArray) else [stored]
        arrays.append(pa.chunked_array([to_physical(chunk, target) for chunk in chunks], type=target))
        if isinstance(held, pd.CategoricalDtype):
            categories[name] = Levels(
                values=tuple(arrays[-1].chunk(0).dictionary.to_pylist()),
                ordered=bool(held.ordered),
                source="inferred-exact",
                pandas_dtype=dtype_text(held.categories.dtype),
            )
    return ArrowFrame(
        table=pa.Table.from_arrays(arrays, names=names),
        labels=labels,
        pandas_dtypes=pandas_dtypes,
        stored_types=stored_types,
        categories=categories,
        index=tuple(names[frame.shape[1] :]),
        notices=() if notice is None else (notice,),
    )


def _check_dtype(dtype: Any, name: str) -> None:
    """Refuse dtypes that cannot be modelled, or written into any file, whatever the column holds."""
    held = dtype.categories.dtype if isinstance(dtype, pd.CategoricalDtype) else getattr(dtype, "subtype", dtype)
    if isinstance(dtype, pd.IntervalDtype) or held.kind in "cV":
        raise DataError(
            f"column {name!r} has the dtype {dtype}, which synthgan cannot model: "
            f"split it into plain columns or drop it"
        )
    if isinstance(held, np.dtype) and held.kind == "f" and held.itemsize > np.dtype(np.float64).itemsize:
        raise DataError(
            f"column {name!r} has the dtype {dtype}, whose digits no file format keeps: convert it with "
            "astype('float64'), or drop it"
        )


def _stored_array(series: pd.Series[Any], name: str) -> pa.Array | pa.ChunkedArray:
    """The column as Arrow stores it, with NaN, None and NaT all missing."""
    dtype: Any = series.dtype
    if isinstance(dtype, pd.PeriodDtype):
        return pa.array(series.dt.start_time.astype("datetime64[us]"), from_pandas=True)
    if isinstance(dtype, pd.SparseDtype):
        return _stored_array(pd.Series(np.asarray(series)), name)
    if dtype == np.dtype(object):
        return _object_array(series, name)
    if isinstance(dtype, pd.DatetimeTZDtype):
        local = pa.array(series.dt.tz_convert(None), from_pandas=True)
        return local.cast(pa.timestamp(local.type.unit, zone_name(dtype.tz)))
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
    check_moments(kind, present, name)
    try:
        # where() puts None for NaN and NaT, which Arrow takes for values among objects
        return roomy(pa.array(series.where(series.notna(), None), type=_OBJECT_TYPES[kind], from_pandas=True))
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
    # Without a level the empty frame's index says nothing about the rows to come.
    notes["index_columns"] = [column.name for column in noted if column.index]
    return pa.schema(fields, metadata={"pandas": json.dumps(notes)})


def _stored_type(column: ColumnSchema) -> pa.DataType:
    stored = parse_type(column.stored_type or column.arrow_type)
    if pa.types.is_dictionary(stored) and isinstance(stored.value_type, pa.BaseExtensionType):
        return stored.value_type  # Parquet writes dictionaries of these and cannot read them
    if pa.types.is_dictionary(stored):  # rare levels or categories added later may need a wider index than the source
        return pa.dictionary(pa.int32(), stored.value_type, ordered=stored.ordered)
    return stored


def _is_noted(column: ColumnSchema) -> bool:
    """Whether pandas can note the column's dtype in a file in a form that it reads back."""
    categories = column.levels.pandas_dtype if column.levels is not None else None
    if column.pandas_dtype is None:
        return False
    unknown = (INTERVAL, PERIOD, "Sparse[", f"{ARROW}dictionary")
    return not any(text.startswith(unknown) for text in (column.pandas_dtype, categories or ""))


def restore_types(table: pa.Table, schema: TableSchema) -> pa.Table:
    """``table`` with the types and metadata of `stored_schema`, ready to be written."""
    table, schema = as_stored(table, schema)
    target = stored_schema(schema, table.column_names)
    arrays = [_restored(table.column(field.name), field.type, schema[field.name].levels) for field in target]
    return pa.Table.from_arrays(arrays, schema=target)


def _restored(values: pa.ChunkedArray, target: pa.DataType, levels: Levels | None = None) -> pa.ChunkedArray:
    if pa.types.is_dictionary(target):
        codes, categories, _ = against_levels(values, levels)
        plain = value_type(values.type)
        dictionary = from_physical(pa.chunked_array([pa.array(categories, plain)]), target.value_type).combine_chunks()
        indices = pa.array(codes, pa.int32(), mask=codes < 0)
        return pa.chunked_array([pa.DictionaryArray.from_arrays(indices, dictionary, ordered=target.ordered)]).cast(
            target
        )
    return from_physical(values, target)


def to_frame(table: pa.Table, schema: TableSchema) -> pd.DataFrame:
    """``table`` as a DataFrame with the labels, dtypes and index of ``schema``, in the table's column order.

    A whole-number or boolean numpy dtype cannot hold missing values; where there are some, its nullable twin is used.

    Args:
        table: columns by their string names, of physical or stored types; a subset of the schema's is fine.
        schema: says label, pandas dtype, categories and written format of each.
    """
    table, schema = as_stored(table, schema)
    # Levels of the index last, where they can be split off.
    columns = sorted((schema[name] for name in table.column_names), key=lambda column: column.index)
    series = [_series(table.column(column.name), column) for column in columns]
    frame = pd.DataFrame(dict(enumerate(series)), index=pd.RangeIndex(table.num_rows))
    labels: list[Any] = [column.name if column.label is None else column.label for column in columns]
    n_index = sum(column.index for column in columns)
    if n_index:
        frame = with_index(frame, labels[-n_index:])
        labels = labels[:-n_index]
    if labels and all(isinstance(label, tuple) for label in labels):
        frame.columns = pd.MultiIndex.from_tuples(labels)
    else:
        frame.columns = pd.Index(labels, tupleize_cols=False)
    return frame


def _series(values: pa.ChunkedArray, column: ColumnSchema) -> Any:
    text = column.pandas_dtype
    if text == "category":
        return categorical(values, column)
    if text is not None and text.startswith(PERIOD):
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

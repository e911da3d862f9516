"""What a column is compared as: numbers, times or levels, by a schema or else by its dtype."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import Any, Literal

import pandas as pd
import pyarrow as pa

from synthgan.errors import SchemaError, did_you_mean
from synthgan.tables.kinds import LEVELLED, Kind, Role
from synthgan.tables.schema.schema import TableSchema
from synthgan.tables.schema.schema_file import declaration_of

TimeRole = Literal["instant", "duration"]


def kinds_of(
    schema: TableSchema | Mapping[str, Any] | str | os.PathLike[str], columns: Collection[str]
) -> dict[str, Kind]:
    """The kinds that a schema, or what a user declares of one, gives to ``columns``; the others have none.

    Raises:
        SchemaError: when it is malformed or names another column, or its file cannot be read.
    """
    kinds: dict[str, Kind] = {}
    for name, column in declaration_of(schema).columns.items():
        if name not in columns:
            hint = did_you_mean(name, columns) or f"; it has {len(columns)} columns"
            raise SchemaError(f"the schema names the column {name!r}, which the real table lacks{hint}")
        if "kind" in column.facts:
            kinds[name] = column.facts["kind"]
        elif "levels" in column.facts:
            kinds[name] = LEVELLED
    return kinds


def role_of(series: pd.Series) -> Role:
    """Numbers, datetimes and timedeltas are numeric; booleans and all else are categorical."""
    dtype = series.dtype
    if isinstance(dtype, pd.ArrowDtype):
        arrow = dtype.pyarrow_dtype
        return "numeric" if _is_number_like(arrow) else "categorical"
    if pd.api.types.is_bool_dtype(dtype) or isinstance(dtype, pd.CategoricalDtype):
        return "categorical"
    if pd.api.types.is_numeric_dtype(dtype):
        return "numeric"
    if pd.api.types.is_datetime64_any_dtype(dtype) or pd.api.types.is_timedelta64_dtype(dtype):
        return "numeric"
    if pd.api.types.is_object_dtype(dtype) and pd.api.types.infer_dtype(series, skipna=True) in _NUMERIC_OBJECTS:
        return "numeric"
    return "categorical"


_NUMERIC_OBJECTS = frozenset(
    {
        "integer",
        "floating",
        "mixed-integer-float",
        "decimal",
        "datetime64",
        "datetime",
        "date",
        "timedelta64",
        "timedelta",
    }
)


def clock_of(series: pd.Series) -> TimeRole | None:
    """What a numeric column's nanoseconds stand for; None when its numbers are numbers."""
    dtype = series.dtype
    if isinstance(dtype, pd.ArrowDtype):
        arrow = dtype.pyarrow_dtype
        instant = pa.types.is_timestamp(arrow) or pa.types.is_date(arrow)
        return "instant" if instant else "duration" if pa.types.is_duration(arrow) else None
    kind = pd.api.types.infer_dtype(series, skipna=True) if pd.api.types.is_object_dtype(dtype) else dtype.kind
    if kind in {"M", "datetime64", "datetime", "date"}:
        return "instant"
    return "duration" if kind in {"m", "timedelta64", "timedelta"} else None


def _is_number_like(arrow: pa.DataType) -> bool:
    types = pa.types
    return bool(
        types.is_integer(arrow)
        or types.is_floating(arrow)
        or types.is_decimal(arrow)
        or types.is_timestamp(arrow)
        or types.is_date(arrow)
        or types.is_duration(arrow)
    )

"""Bounds, levels and labels as JSON and back: dates and times in ISO 8601, decimals as text."""

from __future__ import annotations

import math
from collections.abc import Hashable
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from synthgan.errors import SchemaError
from synthgan.tables.arrow_types import DECIMAL256_DIGITS, NANOSECONDS, is_text
from synthgan.tables.axes.whole_axis import WholeAxis

INFINITIES = {"inf": math.inf, "-inf": -math.inf}
"""Infinite levels as they are written."""

"""Of any decimal that Arrow holds."""


def value_to_json(value: Any) -> Any:
    """A bound or level as a JSON scalar; infinities, which JSON has not, as text.

    Raises:
        SchemaError: for a value of a type that no column has.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and math.isinf(value):
        return next(name for name, infinite in INFINITIES.items() if infinite == value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, timedelta):
        return pd.Timedelta(value).isoformat()
    if isinstance(value, date | time):  # a datetime is a date
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise SchemaError(f"a {type(value).__name__} cannot be written into a schema file")


def value_from_json(raw: Any, data_type: pa.DataType, where: str) -> Any:
    """A bound or level as the Python value that goes with the Arrow type ``data_type``.

    Args:
        raw: a JSON scalar; a Python value of the right type is taken as well.
        data_type: the column's physical type.
        where: names the place for messages, like ``a bound of column 'age'``.

    Raises:
        SchemaError: when ``raw`` is not a value of that type.
    """
    if isinstance(raw, np.generic):
        raw = raw.item()
    try:
        value = _convert(raw, data_type)
    except (ValueError, TypeError, OverflowError, InvalidOperation, pa.ArrowException):
        value = None
    if value is None:
        raise SchemaError(f"{where} must be {_expected(data_type)}, since the column holds {data_type}")
    return value


def values_to_json(values: pa.Array) -> list[Any]:
    """Values of any column type as JSON scalars; times as whole numbers, decimals and infinities as text."""
    if pa.types.is_decimal(values.type):
        return [str(value) for value in values.to_pylist()]
    if pa.types.is_floating(values.type):
        return [value_to_json(value) for value in values.to_pylist()]
    content: list[Any] = (values if (whole := _whole_type(values.type)) is None else values.cast(whole)).to_pylist()
    return content


def values_from_json(content: list[Any], arrow_type: pa.DataType) -> pa.Array:
    """The values that `values_to_json` wrote."""
    if pa.types.is_decimal(arrow_type):
        return pa.array([Decimal(text) for text in content], type=arrow_type)
    if pa.types.is_floating(arrow_type):
        return pa.array([INFINITIES[value] if isinstance(value, str) else value for value in content], type=arrow_type)
    whole = _whole_type(arrow_type)
    return pa.array(content, type=arrow_type) if whole is None else pa.array(content, type=whole).cast(arrow_type)


def _whole_type(arrow_type: pa.DataType) -> pa.DataType | None:
    """The whole numbers behind a type of times, None for other types."""
    if pa.types.is_timestamp(arrow_type) or pa.types.is_duration(arrow_type):
        return pa.int64()
    return pa.int32() if pa.types.is_date32(arrow_type) else None


def offset_from_json(raw: Any, data_type: pa.DataType, where: str) -> Any:
    """The offset of a grid as a number in the unit of its granularity; dates and times of the grid may stand for it.

    Raises:
        SchemaError: when ``raw`` is a text that is no value of the column's type, or that type has no grids.
    """
    if not isinstance(raw, str):
        return raw
    if is_text(data_type) or pa.types.is_null(data_type):
        raise SchemaError(f"{where} is for numbers and times, and the column holds {data_type}: leave it out")
    value = value_from_json(raw, data_type, where)
    if pa.types.is_timestamp(data_type):
        wall = pd.Timestamp(value).tz_localize(None)
        return int(WholeAxis(pa.timestamp(data_type.unit)).ticks(wall) * NANOSECONDS[data_type.unit])
    if pa.types.is_duration(data_type):
        return int(WholeAxis(data_type).ticks(value) * NANOSECONDS[data_type.unit])
    return int(WholeAxis(data_type).ticks(value)) if pa.types.is_date(data_type) else float(value)


def _convert(raw: Any, data_type: pa.DataType) -> Any:
    """The value, or None when ``raw`` is none of the type's."""
    types = pa.types
    if types.is_boolean(data_type) or isinstance(raw, bool):
        return raw if isinstance(raw, bool) and types.is_boolean(data_type) else None
    if is_text(data_type) or types.is_null(data_type):
        return raw if isinstance(raw, str) else None
    if types.is_integer(data_type):
        whole = int(raw) if isinstance(raw, int | float) and raw == int(raw) else None
        return None if whole is None else pa.scalar(whole, data_type).as_py()
    if types.is_floating(data_type):
        return raw if isinstance(raw, int | float) and math.isfinite(float(raw)) else None
    if types.is_decimal(data_type):
        value = Decimal(str(raw)) if isinstance(raw, str | int | float | Decimal) else None
        return value if value is not None and value.is_finite() and value.adjusted() < DECIMAL256_DIGITS else None
    if types.is_date(data_type):
        return date.fromisoformat(raw) if isinstance(raw, str) else raw if type(raw) is date else None
    if types.is_timestamp(data_type):
        return _moment(raw, data_type.tz) if isinstance(raw, str | datetime) else None
    if types.is_duration(data_type):
        return _plain(pd.Timedelta(raw)) if isinstance(raw, str | timedelta) else None
    return None


def _moment(raw: str | datetime, time_zone: str | None) -> Any:
    """A datetime without a zone, or with the column's; without one it is taken for local time there."""
    if isinstance(raw, str):
        date.fromisoformat(raw[:10])  # Timestamp also reads forms that are not ISO, and words like "now"
    moment = pd.Timestamp(raw)
    if time_zone is None:
        return _plain(moment) if moment.tzinfo is None else None
    if moment.tzinfo is None:
        return _plain(moment.tz_localize(time_zone, ambiguous=True, nonexistent="shift_forward"))
    return _plain(moment.tz_convert(time_zone))


def _plain(value: Any) -> Any:
    """The standard library's twin of a pandas scalar, unless nanoseconds would be lost; None for NaT."""
    if pd.isna(value):
        return None
    if value.nanosecond if isinstance(value, pd.Timestamp) else value.nanoseconds:
        return value
    return value.to_pydatetime() if isinstance(value, pd.Timestamp) else value.to_pytimedelta()


def _expected(data_type: pa.DataType) -> str:
    types = pa.types
    for check, words in (
        (types.is_boolean, "true or false"),
        (types.is_integer, f"a whole number that {data_type} can hold"),
        (types.is_floating, "a finite number"),
        (types.is_decimal, "a finite decimal number, written as text"),
        (types.is_date, "an ISO date like 2024-12-31"),
        (types.is_duration, "a duration like PT8H30M or '1 days 02:00:00'"),
    ):
        if check(data_type):
            return words
    if types.is_timestamp(data_type):
        zone = f" in the time zone {data_type.tz} (or with an offset)" if data_type.tz else ", without an offset"
        return f"an ISO date and time like 2024-12-31T23:59:00{zone}"
    return "text"


def label_to_json(label: Hashable) -> Any:
    """A column label that is not a string as JSON.

    Raises:
        SchemaError: for a label of a type that no file can hold.
    """
    if isinstance(label, tuple):
        return {"tuple": [label_to_json(part) for part in label]}
    if label is pd.NaT or (isinstance(label, float) and not math.isfinite(label)):
        raise SchemaError("a column label that is, or holds, NaN or infinity cannot be kept: rename the column")
    if not isinstance(label, Enum):  # one of text or numbers would come back as plain text or numbers
        if isinstance(label, datetime):
            return {"datetime": label.isoformat()}
        if isinstance(label, date):
            return {"date": label.isoformat()}
        if label is None or isinstance(label, bool | int | float | str):
            return label
    raise SchemaError(
        f"a column label of the type {type(label).__name__} cannot be kept: use text, numbers, dates or tuples of these"
    )


def label_from_json(raw: Any) -> Hashable:
    """The label that `label_to_json` wrote.

    Raises:
        SchemaError: when it wrote no such thing.
    """
    if raw is None or isinstance(raw, bool | int | float | str):
        return raw
    if isinstance(raw, dict) and len(raw) == 1:
        ((kind, content),) = raw.items()
        if kind == "tuple" and isinstance(content, list):
            return tuple(label_from_json(part) for part in content)
        try:
            if kind == "datetime":
                return pd.Timestamp(content)
            if kind == "date":
                return date.fromisoformat(content)
        except (ValueError, TypeError, OverflowError):
            pass
    raise SchemaError("a column label must be text, a number, or an object with one of the keys tuple, datetime, date")

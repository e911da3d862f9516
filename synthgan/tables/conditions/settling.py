"""Brings a condition's values onto a column's own Arrow type, so that testing them never rounds or overflows.

A settled value converts exactly to the type. A settled range of a whole-number type (integers, decimals, times) is
rounded inwards and includes both ends; one of an ordered categorical becomes the levels it spans.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from numbers import Real
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.types as pat

from synthgan.errors import ConditionError
from synthgan.tables.arrow_types import is_text
from synthgan.tables.axes.whole_axis import WholeAxis
from synthgan.tables.frames.frame_categories import category_text
from synthgan.tables.schema.schema import ColumnSchema

_ISO = re.compile(
    r"\d{4}(?:-\d{2}(?:-\d{2}(?:[T ]\d{2}(?::\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?)?(?: ?Z| ?[+-]\d{2}(?::?\d{2})?)?)?)?)?"
)
_UNITLESS = re.compile(r"[+-]?\d*\.?\d*(?:[eE][+-]?\d+)?")
_HOUR_AND_MINUTE = re.compile(r"\d{1,2}:\d{2}")
_MIDNIGHT = datetime(1970, 1, 1)


def is_missing(value: Any) -> bool:
    """Whether a scalar stands for a missing value: None, NaN, NaT or ``pandas.NA``."""
    return bool(pd.api.types.is_scalar(value) and pd.isna(value))


def has_order(column: ColumnSchema, arrow_type: pa.DataType) -> bool:
    """Whether a range can be asked of the column."""
    ordered = column.levels is not None and column.levels.ordered
    return ordered or WholeAxis.has_axis(arrow_type) or pat.is_floating(arrow_type)


def wrong_type(column: ColumnSchema, got: str) -> ConditionError:
    """The error for a value that the column's type does not take; ``got`` describes it without quoting it."""
    return ConditionError(f"column '{column.name}' holds {column.arrow_type} values; the condition gives {got}")


def settle_value(value: Any, column: ColumnSchema, arrow_type: pa.DataType) -> Any:
    """One wanted value, as the type holds it.

    Raises:
        ConditionError: when the type does not take such a value or cannot hold this one.
    """
    value = _as_category(value, column)
    if not WholeAxis.has_axis(arrow_type):
        return _cast(value, column, arrow_type)
    axis = WholeAxis(arrow_type)
    ticks = _on_axis(value, column, axis)
    if isinstance(ticks, float) or ticks.denominator != 1 or not axis.limits[0] <= ticks <= axis.limits[1]:
        raise _impossible(column)
    return _at_tick(int(ticks), column, axis)


def _as_category(value: Any, column: ColumnSchema) -> Any:
    """An interval or period as the text that stands for it in a categorical of such; other values as they are.

    Raises:
        ConditionError: when it is of another kind than the categories.
    """
    noted = None if column.levels is None else column.levels.pandas_dtype
    if noted is None or not isinstance(value, pd.Interval | pd.Period):
        return value
    try:
        text = category_text(value, noted)
    except (ValueError, TypeError):
        text = None
    if text is None:
        raise ConditionError(
            f"column '{column.name}' has categories of the dtype {noted}; the condition gives a "
            f"{type(value).__name__} of another kind"
        )
    return text


def settle_bounds(
    low: Any, high: Any, includes: tuple[bool, bool], column: ColumnSchema, arrow_type: pa.DataType
) -> tuple[Any, Any, tuple[bool, bool]]:
    """The two ends of a range, None for an open side, and whether each is included.

    Raises:
        ConditionError: when the column has no order, a bound does not fit its type, or nothing lies between them.
    """
    if any(bound is not None and is_missing(bound) for bound in (low, high)):
        raise ConditionError(f"the range on column '{column.name}' has NaN as a bound; use None for an open side")
    if not has_order(column, arrow_type):
        raise ConditionError(
            f"column '{column.name}' ({column.arrow_type}) has no order, so a range cannot be asked of it; "
            "give a list or set for a choice of values"
        )
    if WholeAxis.has_axis(arrow_type):
        return *_whole_bounds(low, high, includes, column, WholeAxis(arrow_type)), (True, True)
    low, high = (None if bound is None else _cast(bound, column, arrow_type) for bound in (low, high))
    low, high = (None if low == -math.inf else low), (None if high == math.inf else high)
    if low == math.inf or high == -math.inf:
        raise _empty_range(column)
    if low is not None and high is not None and (low > high or (low == high and not all(includes))):
        raise _empty_range(column)
    return low, high, includes


def levels_between(
    low: Any, high: Any, includes: tuple[bool, bool], column: ColumnSchema, arrow_type: pa.DataType
) -> tuple[Any, ...]:
    """The levels of an ordered categorical from ``low`` to ``high``.

    Raises:
        ConditionError: when a bound is not a level or nothing lies between them.
    """
    assert column.levels is not None
    levels = [settle_value(level, column, arrow_type) for level in column.levels.values]  # noqa: PD011
    places = []
    for bound, default in ((low, 0), (high, len(levels) - 1)):
        settled = None if bound is None else settle_value(bound, column, arrow_type)
        if settled is not None and settled not in levels:
            raise ConditionError(
                f"a bound of the range on column '{column.name}' is not one of its {len(levels)} ordered categories"
            )
        places.append(default if settled is None else levels.index(settled))
    first = places[0] + (low is not None and not includes[0])
    last = places[1] - (high is not None and not includes[1])
    if first > last:
        raise _empty_range(column)
    return tuple(levels[first : last + 1])


def _whole_bounds(
    low: Any, high: Any, includes: tuple[bool, bool], column: ColumnSchema, axis: WholeAxis
) -> tuple[Any, Any]:
    lowest, highest = axis.limits
    start = -math.inf if low is None else _on_axis(low, column, axis)
    stop = math.inf if high is None else _on_axis(high, column, axis)
    if start == math.inf or stop == -math.inf:
        raise _empty_range(column)
    first = lowest if start == -math.inf else math.ceil(start)
    last = highest if stop == math.inf else math.floor(stop)
    first += first == start and not includes[0]
    last -= last == stop and not includes[1]
    if max(first, lowest) > min(last, highest):
        raise _empty_range(column)
    return (
        _at_tick(first, column, axis) if first > lowest else None,
        _at_tick(last, column, axis) if last < highest else None,
    )


def _impossible(column: ColumnSchema) -> ConditionError:
    return ConditionError(
        f"the condition on column '{column.name}' asks for a value that its type {column.arrow_type} cannot hold"
    )


def _empty_range(column: ColumnSchema) -> ConditionError:
    return ConditionError(
        f"the range asked of column '{column.name}' holds no value; its low end must not pass its high end"
    )


def _on_axis(value: Any, column: ColumnSchema, axis: WholeAxis) -> Any:
    """Exact ticks as a Fraction, or a float infinity."""
    if isinstance(value, Real | Decimal) and math.isinf(value):
        return float(value)
    try:
        return axis.ticks(_coerce(value, column, axis.arrow_type))
    except ConditionError:
        raise
    except (ValueError, TypeError, OverflowError, InvalidOperation):
        raise wrong_type(column, f"a {type(value).__name__} that does not read as one") from None


def _at_tick(tick: int, column: ColumnSchema, axis: WholeAxis) -> Any:
    try:
        return axis.value(tick)
    except (ValueError, OverflowError):
        raise _impossible(column) from None


def _coerce(value: Any, column: ColumnSchema, arrow_type: pa.DataType) -> Any:
    """The value as something `WholeAxis.ticks` takes, refusing what would change its meaning (``TypeError``)."""
    if isinstance(value, np.generic) and not isinstance(value, np.datetime64 | np.timedelta64):
        value = value.item()
    is_number = isinstance(value, int | float | Decimal)
    if pat.is_integer(arrow_type) or pat.is_decimal(arrow_type):
        if not is_number:
            raise TypeError
        # In a decimal column 0.1 means a tenth, not the nearest binary fraction.
        return Decimal(repr(value)) if isinstance(value, float) and pat.is_decimal(arrow_type) else value
    if pat.is_duration(arrow_type):
        if is_number:
            raise TypeError
        return _duration(value, column)
    if isinstance(value, pd.Period):  # periods are stored by their start
        value = value.start_time
    if not isinstance(value, str | date | datetime | np.datetime64):
        raise TypeError
    stamp = pd.Timestamp(_iso_text(value, column) if isinstance(value, str) else value)
    zone = arrow_type.tz if pat.is_timestamp(arrow_type) else None
    if stamp.tzinfo is None and zone is not None:
        return stamp.tz_localize(zone, ambiguous=True, nonexistent="shift_forward")
    if stamp.tzinfo is not None and zone is None:
        raise wrong_type(column, "a time with a time zone; give local time without one")
    return stamp


def _iso_text(text: str, column: ColumnSchema) -> str:
    """A date or time in ISO 8601: whatever else pandas reads depends on the country that wrote it."""
    if not _ISO.fullmatch(text.strip()):
        own = "" if column.written is None else f", or as the column has it ({column.written})"
        raise wrong_type(
            column, f"a date or time that is not in ISO form; write it like 2024-05-01 or 2024-05-01T12:30{own}"
        )
    return text.strip()


def _duration(value: Any, column: ColumnSchema) -> Any:
    """A duration or time of day; texts need a unit or colons, since a bare number would be one of nanoseconds."""
    if isinstance(value, time):
        return datetime.combine(_MIDNIGHT, value) - _MIDNIGHT
    if isinstance(value, str):
        if _UNITLESS.fullmatch(value.strip()):
            raise wrong_type(column, "a duration without a unit; write it like 90s, 2h or 13:25")
        return f"{value.strip()}:00" if _HOUR_AND_MINUTE.fullmatch(value.strip()) else value
    return value


def _cast(value: Any, column: ColumnSchema, arrow_type: pa.DataType) -> Any:
    """The value as the column's type stores it, for types without a whole axis."""
    if isinstance(value, np.generic):
        value = value.item()
    for holds, accepts, convert in _CASTS:
        if holds(arrow_type):
            if not accepts(value):
                raise wrong_type(column, f"a {type(value).__name__}")
            return convert(value, arrow_type)
    try:
        return pa.scalar(value, type=arrow_type).as_py()
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError):
        raise wrong_type(column, f"a {type(value).__name__}") from None


def _to_float(value: Any, arrow_type: pa.DataType) -> float:
    with np.errstate(over="ignore"):
        return float(np.dtype(arrow_type.to_pandas_dtype()).type(float(value)))


_CASTS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[Any], bool], Callable[[Any, pa.DataType], Any]], ...] = (
    (pat.is_floating, lambda value: isinstance(value, int | float | Decimal), _to_float),
    (
        pat.is_boolean,
        lambda value: isinstance(value, bool) or (isinstance(value, int | float) and value in (0, 1)),
        lambda value, _: bool(value),
    ),
    (is_text, lambda value: isinstance(value, str | UUID), lambda value, _: str(value)),
)

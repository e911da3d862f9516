"""What a constrained column can hold: the bounds of its type and of its schema, in natural units.

Natural units are plain numbers, and nanoseconds for times and dates alike (a date is its midnight): they make limits
of columns with different Arrow types comparable.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from synthgan.errors import SchemaError
from synthgan.tables.arrow_types import DAY, EXACT_FLOATS, NANOSECONDS, parse_type
from synthgan.tables.axes.whole_axis import WholeAxis
from synthgan.tables.kinds import TRAITS, Kind, Scale, natural_kind
from synthgan.tables.schema.schema import Bounds, ColumnSchema

LARGEST_TICK = 2**63 - 2**53
"""Constraints calculate with ticks up to this size; the room above keeps rounding to a grid from overflowing."""

LARGEST_UNSCALED = 10**18 - 1
"""The same for decimals."""

_CALENDAR = 2**63
"""Nanoseconds from 1970 that pandas can hold in every unit; limits of times and dates beyond are open."""

LARGEST_DECIMAL_IN_FLOATS = 10**15 - 1
"""As `EXACT_FLOATS` for decimals without their point: each has a float of its own, which prints as it does."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Smallest and largest value in natural units; infinite when open."""

    lower: Fraction | float = -math.inf
    upper: Fraction | float = math.inf

    def narrowed(self, other: Limits) -> Limits:
        """Both limits at once."""
        return Limits(max(self.lower, other.lower), min(self.upper, other.upper))


def number_kind(column: ColumnSchema) -> Kind | None:
    """What kind of number the column holds; None when it holds none. Constants are judged by their type."""
    kind = natural_kind(parse_type(column.arrow_type)) if column.traits.type_decides else column.kind
    return kind if TRAITS[kind].is_number else None


def scale_of(column: ColumnSchema) -> Scale | None:
    """What the column's numbers measure; None when it holds none."""
    kind = number_kind(column)
    return None if kind is None else TRAITS[kind].scale


def natural_tick(arrow_type: pa.DataType) -> Fraction:
    """One tick of a whole-number type in natural units."""
    if pat.is_decimal(arrow_type):
        return Fraction(10) ** -int(arrow_type.scale)
    if pat.is_timestamp(arrow_type) or pat.is_duration(arrow_type):
        return Fraction(NANOSECONDS[arrow_type.unit])
    return Fraction(DAY) if pat.is_date(arrow_type) else Fraction(1)


def declared_step(column: ColumnSchema) -> Fraction | None:
    """The column's granularity in natural units, for whole-number types; None when it is not known."""
    held = parse_type(column.arrow_type)
    if column.granularity is None or pat.is_floating(held):
        return None
    return Fraction(str(column.granularity)) * (DAY if pat.is_date(held) else 1)


def exact_together(columns: Sequence[ColumnSchema]) -> dict[str, Limits]:
    """What each column may hold so that it can be compared with the others exactly; floats are open."""
    types = {column.name: parse_type(column.arrow_type) for column in columns}
    whole = [held for held in types.values() if not pat.is_floating(held)]
    if not whole:
        return dict.fromkeys(types, Limits())
    has_decimals = any(pat.is_decimal(held) for held in whole)
    shared = min(natural_tick(held) for held in whole) * (LARGEST_UNSCALED if has_decimals else LARGEST_TICK)
    limits = {}
    for name, held in types.items():
        largest: Fraction | float = math.inf if pat.is_floating(held) else shared
        if len(whole) < len(types) and not pat.is_floating(held):
            largest = min(largest, natural_tick(held) * largest_in_floats(held))
        limits[name] = Limits(-largest, largest)
    return limits


def largest_in_floats(held: pa.DataType) -> int:
    """Ticks of a whole-number type up to which each value has a float of its own."""
    return LARGEST_DECIMAL_IN_FLOATS if pat.is_decimal(held) else EXACT_FLOATS


def limits_of(column: ColumnSchema) -> Limits:
    """What the column's stored type and its schema's bounds allow, on the type's own ticks.

    Raises:
        SchemaError: when a bound is not a value of the column's type.
    """
    held = parse_type(column.arrow_type)
    limits = _type_limits(column, held)
    if column.bounds is not None:
        lower, upper = column.bounds.lower, column.bounds.upper
        declared = Limits(
            -math.inf if lower is None else natural_value(lower, column, held),
            math.inf if upper is None else natural_value(upper, column, held),
        )
        limits = limits.narrowed(declared)
    if pat.is_floating(held):
        return limits
    tick = natural_tick(held)
    return Limits(math.ceil(limits.lower / tick) * tick, math.floor(limits.upper / tick) * tick)


def is_narrow(column: ColumnSchema) -> bool:
    """Whether sums and gaps could leave the column's range: it has bounds, or a type of less than 64 bits."""
    held = parse_type(column.stored_type or column.arrow_type)
    return column.bounds is not None or pat.is_time(held) or (pat.is_primitive(held) and held.bit_width < 64)


def declared_bounds(limits: Limits, column: ColumnSchema) -> Bounds | None:
    """The limits as bounds of the column's schema, open where they are only those of its type."""
    if not column.traits.is_number:
        return None
    lower, upper = (None if tick is None else WholeAxis(held).value(tick) for held, tick in _ends(limits, column))
    if pat.is_floating(parse_type(column.arrow_type)):
        # Beyond what is exact as a float it is the type of another column that ends, which says nothing of this one.
        lower, upper = (None if abs(float(end)) >= EXACT_FLOATS else float(end) for end in (limits.lower, limits.upper))
    if lower is None and upper is None:
        return column.bounds
    return Bounds(lower=lower, upper=upper, source="declared" if column.bounds is None else column.bounds.source)


def clip_array(array: pa.Array, limits: Limits, column: ColumnSchema) -> pa.Array:
    """The column with values outside the limits moved to the nearest one inside; missing stays missing."""
    if pat.is_floating(array.type):
        inside = float_limits(limits, array.type)
        ends = [None if math.isinf(end) else pa.scalar(float(end), array.type) for end in (inside.lower, inside.upper)]
    else:
        ends = [None if tick is None else _scalar(tick, held) for held, tick in _ends(limits, column)]
    for end, is_beyond in zip(ends, (pc.less, pc.greater), strict=True):
        if end is not None:
            array = pc.if_else(is_beyond(array, end), end, array)
    return array


def float_limits(limits: Limits, held: pa.DataType) -> Limits:
    """The limits as the float type holds them: rounded inwards."""
    kind = np.dtype(held.to_pandas_dtype()).type
    ends: list[Fraction | float] = []
    for end, inwards in ((limits.lower, np.inf), (limits.upper, -np.inf)):
        if math.isinf(end):
            ends.append(end)
            continue
        with np.errstate(over="ignore"):
            value = kind(float(end))
        beyond = float(value) > end if inwards < 0 else float(value) < end
        inside = float(np.nextafter(value, kind(inwards)) if beyond else value)
        ends.append(inside if math.isinf(inside) else Fraction(inside))
    return Limits(*ends)


def _ends(limits: Limits, column: ColumnSchema) -> list[tuple[pa.DataType, int | None]]:
    """Both limits in the column's own ticks, None where they say no more than its type (or more than a calendar)."""
    held = parse_type(column.arrow_type)
    if pat.is_floating(held):
        return [(held, None), (held, None)]
    of_type = _type_limits(column, held)
    return [(held, _told(limits.lower, of_type.lower, held)), (held, _told(limits.upper, of_type.upper, held))]


def _told(end: Fraction | float, of_type: Fraction | float, held: pa.DataType) -> int | None:
    if end == of_type or (pat.is_temporal(held) and not -_CALENDAR <= end <= _CALENDAR):
        return None
    return int(end / natural_tick(held))


def _scalar(tick: int, held: pa.DataType) -> pa.Scalar:
    return pa.scalar(WholeAxis(held).value(tick) if pat.is_decimal(held) else tick, type=held)


def _type_limits(column: ColumnSchema, held: pa.DataType) -> Limits:
    if pat.is_floating(held):
        return Limits()
    stored = parse_type(column.stored_type) if column.stored_type else held
    tick = natural_tick(held)
    if pat.is_time(stored):
        return Limits(Fraction(0), DAY - tick)
    lowest, highest = WholeAxis(held).limits
    largest = LARGEST_UNSCALED if pat.is_decimal(held) else LARGEST_TICK
    return Limits(max(lowest, -largest) * tick, min(highest, largest) * tick)


def natural_value(value: Any, column: ColumnSchema, held: pa.DataType) -> Fraction | float:
    """A value of the column, which holds the type ``held``, in natural units.

    Raises:
        SchemaError: when it is none.
    """
    try:
        if isinstance(value, float) and math.isinf(value):
            return value
        if pat.is_floating(held):
            return Fraction(str(value))
        if pat.is_timestamp(held) and held.tz is not None and pd.Timestamp(value).tzinfo is None:
            value = pd.Timestamp(value).tz_localize(held.tz, ambiguous=True, nonexistent="shift_forward")
        return WholeAxis(held).ticks(value) * natural_tick(held)
    except (ValueError, TypeError, OverflowError):
        raise SchemaError(f"a bound of column '{column.name}' is not a value of its type {column.arrow_type}") from None

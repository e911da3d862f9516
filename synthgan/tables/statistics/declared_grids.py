"""The grid that a schema declares: a granularity, an offset, days of a calendar."""

from __future__ import annotations

import math
from fractions import Fraction

import pyarrow as pa
import pyarrow.types as pat

from synthgan.errors import SchemaError
from synthgan.tables.arrow_types import NANOSECONDS
from synthgan.tables.axes.axis import Axis
from synthgan.tables.axes.calendars import Calendar, parse_calendar
from synthgan.tables.axes.decimal_digits import DecimalFrame
from synthgan.tables.axes.grids import Grid
from synthgan.tables.axes.raw_numbers import MAX_DECIMALS, raw_day
from synthgan.tables.schema.schema import ColumnSchema

_LARGEST = 1e40  # of any number in a type's own unit


def has_declared_grid(column: ColumnSchema) -> bool:
    """Whether the schema says what grid the column lies on."""
    return column.granularity is not None or column.calendar is not None


def declared_axis(column: ColumnSchema, arrow_type: pa.DataType, frame: DecimalFrame | None = None) -> Axis:
    """The axis on the grid that the column's schema declares.

    Args:
        column: its ``granularity``, ``offset`` and ``calendar``; at least one of the first and the last.
        arrow_type: the physical type.
        frame: for decimals, how raw numbers are counted.

    Raises:
        SchemaError: when the grid does not fit the type.
    """
    if pat.is_floating(arrow_type):
        return _float_axis(column, arrow_type)
    frame = DecimalFrame() if frame is None else frame.with_zeros()
    calendar, day = _calendar(column, arrow_type)
    step = day if column.granularity is None else _in_raw_units(column, "granularity", arrow_type, frame.dropped)
    offset = 0 if column.offset is None else _in_raw_units(column, "offset", arrow_type, frame.dropped)
    if calendar is not None and day % step:
        raise SchemaError(f"the granularity of column '{column.name}' must divide the day of its calendar")
    shift = frame.origin // 10**frame.dropped
    grid = Grid(step=step, offset=(offset - shift) % step, calendar=calendar, day=day if calendar is not None else 0)
    return Axis(arrow_type=arrow_type, grid=grid, decimals=frame.dropped, origin=frame.origin)


def _calendar(column: ColumnSchema, arrow_type: pa.DataType) -> tuple[Calendar | None, int]:
    day = raw_day(arrow_type)
    if column.calendar is None:
        return None, day
    if not day:
        raise SchemaError(f"column '{column.name}' has the type {arrow_type}, which has no days for a calendar")
    return parse_calendar(column.calendar), day


def _in_raw_units(column: ColumnSchema, fact: str, arrow_type: pa.DataType, dropped: int) -> int:
    """A declared granularity or offset as a whole number of the type's steps."""
    unit = Fraction(1)
    if pat.is_timestamp(arrow_type) or pat.is_duration(arrow_type):
        unit = Fraction(NANOSECONDS[arrow_type.unit])
    elif pat.is_decimal(arrow_type):
        unit = Fraction(10) ** (dropped - int(arrow_type.scale))
    wanted = _exact(column, fact) / unit
    raw = round(wanted)
    if (fact == "granularity" and not 1 <= raw < 2**63) or not math.isclose(raw, wanted, rel_tol=1e-9, abs_tol=1e-9):
        raise SchemaError(
            f"the {fact} of column '{column.name}' is not a whole number of the steps of its type {arrow_type}"
        )
    return raw


def _float_axis(column: ColumnSchema, arrow_type: pa.DataType) -> Axis:
    if column.calendar is not None:
        raise SchemaError(f"column '{column.name}' has the type {arrow_type}, which has no days for a calendar")
    granularity = _exact(column, "granularity")
    offset = Fraction(0) if column.offset is None else _exact(column, "offset")
    for places in range(MAX_DECIMALS + 1):
        step, start = (part * 10**places for part in (granularity, offset))
        if round(step) >= 1 and all(math.isclose(round(p), p, rel_tol=1e-9, abs_tol=1e-12) for p in (step, start)):
            if round(step) >= 2**62:
                break
            grid = Grid(step=round(step), offset=round(start) % round(step))
            return Axis(arrow_type=arrow_type, grid=grid, decimals=places)
    raise SchemaError(
        f"the granularity of column '{column.name}' (or its offset) has more than {MAX_DECIMALS} decimals, "
        "or is too large"
    )


def _exact(column: ColumnSchema, fact: str) -> Fraction:
    """A declared number as it is written, so that 0.1 is a tenth."""
    value = column.granularity if fact == "granularity" else column.offset
    if value is None or not abs(value) < _LARGEST or (fact == "granularity" and value <= 0):
        raise SchemaError(
            f"the {fact} of column '{column.name}' must be a number that its type can hold"
            + (", above zero" if fact == "granularity" else "")
        )
    return Fraction(str(value))

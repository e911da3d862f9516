"""Public grids: the number line of a column cut into cells before, or independently of, any look at its rows."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

from synthgan.errors import SchemaError
from synthgan.privacy.columns.estimates import Cell, Tick
from synthgan.tables.arrow_types import NANOSECONDS, parse_type
from synthgan.tables.axes.axis import Axis
from synthgan.tables.axes.decimal_digits import DecimalFrame
from synthgan.tables.axes.grids import Grid
from synthgan.tables.axes.raw_numbers import Numbers, raw_day
from synthgan.tables.axes.whole_axis import WholeAxis
from synthgan.tables.schema.schema import ColumnSchema
from synthgan.tables.statistics.declared_grids import declared_axis, has_declared_grid

N_EQUAL_CELLS = 64
"""Cells of equal width between declared bounds; also the most pieces that a cell is cut into at once."""

_SMALLEST_EXPONENT = -32
_FLOAT_EXPONENTS = (*range(_SMALLEST_EXPONENT, 65), 80, 96, 128, 192, 256, 512, 1024)
"""Floats: powers of two at which the exponential grid is cut; beyond 2**64 hardly any column has values."""

_FIRST_SECOND = -62_135_596_800 + 2 * 86_400  # of the days that Python knows in every time zone, from 1970
_LAST_SECOND = 253_402_300_799 - 2 * 86_400
_LONGEST_SECONDS = 86_400 * 999_999_999  # Python's longest timedelta


def public_axis(column: ColumnSchema, *, step: int | None = 1, decimals: int = 0) -> Axis:
    """The column's grid: the declared one, else ``step`` and ``decimals``, which nobody may read off the rows."""
    arrow_type = parse_type(column.arrow_type)
    frame = _public_frame(column, arrow_type)
    if has_declared_grid(column):
        return declared_axis(column, arrow_type, frame)
    if pat.is_floating(arrow_type):
        return Axis(arrow_type=arrow_type, grid=None if step is None else Grid(step=step), decimals=decimals)
    return Axis(arrow_type=arrow_type, grid=Grid(step=step or 1), decimals=frame.dropped, origin=frame.origin)


def _public_frame(column: ColumnSchema, arrow_type: pa.DataType) -> DecimalFrame:
    """How decimals are counted: from declared bounds, where there are both."""
    bounds = column.bounds
    if not pat.is_decimal(arrow_type) or bounds is None or bounds.lower is None or bounds.upper is None:
        return DecimalFrame()
    low, high = (WholeAxis(arrow_type).ticks(bound) for bound in (bounds.lower, bounds.upper))
    return DecimalFrame.of_range(math.floor(low), math.ceil(high)).with_zeros()


def type_range(axis: Axis) -> tuple[Tick, Tick]:
    """First and last tick that the column's type can hold (times: within what Python knows, the years 1 to 9999)."""
    arrow_type = axis.arrow_type
    if pat.is_floating(arrow_type):
        largest = float(np.finfo(arrow_type.to_pandas_dtype()).max)
        return (-largest, largest) if axis.grid is None else (-(2**50), 2**50)
    low, high = WholeAxis(arrow_type).limits
    if pat.is_date32(arrow_type):
        low, high = _FIRST_SECOND // 86_400, _LAST_SECOND // 86_400
    elif pat.is_timestamp(arrow_type):
        per_second = 10**9 // NANOSECONDS[arrow_type.unit]
        low, high = max(low, _FIRST_SECOND * per_second), min(high, _LAST_SECOND * per_second)
    elif pat.is_duration(arrow_type):
        longest = _LONGEST_SECONDS * (10**9 // NANOSECONDS[arrow_type.unit])
        low, high = max(low, -longest), min(high, longest)
    elif pat.is_decimal(arrow_type):
        low, high = (axis.frame.raw_one(end) for end in (low, high))
        low, high = max(low, -(2**63)), min(high, 2**63 - 1)
    if axis.is_shifted:
        return low - 2**63, high - 2**63
    grid = Grid(step=1) if axis.grid is None else axis.grid
    return grid.ceil_one(low), grid.floor_one(high)


def declared_range(column: ColumnSchema, axis: Axis) -> tuple[Tick | None, Tick | None]:
    """First and last tick within the column's bounds, None where a side is open."""
    if column.bounds is None:
        return None, None
    return axis.tick_at_least(column.bounds.lower), axis.tick_at_most(column.bounds.upper)


def public_range(column: ColumnSchema, axis: Axis) -> tuple[Tick, Tick]:
    """First and last tick that the column can have: within its bounds and its type.

    Raises:
        SchemaError: when there is none.
    """
    low, high = declared_range(column, axis)
    first, last = type_range(axis)
    low, high = (first if low is None else max(low, first)), (last if high is None else min(high, last))
    if low > high:
        raise SchemaError(f"the bounds of column '{column.name}' hold no value of its grid and type: widen them")
    return low, high


def n_ticks(axis: Axis, low: Tick, high: Tick) -> float:
    """How many ticks there are between two, both included; infinite on a continuous axis."""
    if axis.is_gridded:
        return float(int(high) - int(low) + 1)
    return 1.0 if low == high else math.inf


def equal_cells(axis: Axis, low: Tick, high: Tick, n_pieces: int) -> list[Cell]:
    """``[low, high]`` in at most ``n_pieces`` cells of about equal width."""
    n_pieces = int(min(n_pieces, n_ticks(axis, low, high)))
    if axis.is_gridded:
        width = int(high) - int(low) + 1
        return _between(axis, [int(low) + width * piece // n_pieces for piece in range(n_pieces)], high)
    # Halves first: the difference of two large floats may not fit.
    inner = [2 * (low / 2 + (high / 2 - low / 2) * (piece / n_pieces)) for piece in range(1, n_pieces)]
    held = axis.dtype.type
    starts = sorted({float(low), *(float(held(start)) for start in inner)})
    return _between(axis, [start for start in starts if low <= start <= high], high)


def exponential_cells(axis: Axis, low: Tick, high: Tick) -> list[Cell]:
    """``[low, high]`` cut at powers of two of the column's raw unit on either side of zero, which is a cell of its own.

    Dates and times from 1900 to 2100 are cut into years instead: nobody measures dates by powers of two.
    """
    inner = [cut for cut in _cuts(axis) if low < cut <= high]
    return _between(axis, [low, *inner], high)


def _cuts(axis: Axis) -> Sequence[Tick]:
    """First ticks of the cells of the exponential grid, ascending."""
    if not axis.is_gridded:
        # The float after zero starts the cell of what is positive and hardly more than zero.
        tiny = float(np.nextafter(axis.dtype.type(0), axis.dtype.type(1)))
        largest = float(np.finfo(axis.dtype).max)
        powers = [2.0**power for power in _FLOAT_EXPONENTS if power < 1024 and 2.0**power < largest]
        above = [float(np.nextafter(axis.dtype.type(-power), axis.dtype.type(np.inf))) for power in reversed(powers)]
        return [*above, 0.0, tiny, *powers]
    powers_of_two = [2**power for power in range(63)]
    ticks = {0, *powers_of_two, *(1 - power for power in powers_of_two)}
    if pat.is_timestamp(axis.arrow_type) or pat.is_date32(axis.arrow_type):
        ticks = {tick for tick in ticks if not _year_tick(axis, 1900) < tick < _year_tick(axis, 2101)}
        ticks |= {_year_tick(axis, year) for year in range(1900, 2102)}
    if axis.is_shifted:
        ticks = {0, *(tick - 2**63 for tick in ticks if tick >= 0)}  # tick 0 is the raw 2**63
    return sorted(ticks)


def _year_tick(axis: Axis, year: int) -> int:
    assert axis.grid is not None
    return axis.grid.ceil_one((datetime(year, 1, 1) - datetime(1970, 1, 1)).days * raw_day(axis.arrow_type))


def without_ticks(axis: Axis, cell: Cell, ticks: Sequence[Tick]) -> list[Cell]:
    """The stretches of a cell between the given ticks inside it; ascending, empty when nothing is left."""
    inside = ticks[bisect.bisect_left(ticks, cell.lower) : bisect.bisect_right(ticks, cell.upper)]
    found, start = [], cell.lower
    for tick in inside:
        if start < tick:
            found.append(Cell(start, neighbour(axis, tick, -1)))
        start = neighbour(axis, tick, +1)
    if start <= cell.upper:
        found.append(Cell(start, cell.upper))
    return found


def neighbour(axis: Axis, tick: Tick, direction: int) -> Tick:
    """The next tick upwards (+1) or downwards (-1)."""
    if axis.is_gridded:
        return int(tick) + direction
    with np.errstate(over="ignore"):  # beyond the largest float lies infinity, and no cell
        return float(np.nextafter(axis.dtype.type(tick), axis.dtype.type(direction * np.inf)))


def width(axis: Axis, cell: Cell) -> float:
    """Width of a cell in ticks, above 0."""
    if axis.is_gridded:
        return float(int(cell.upper) - int(cell.lower) + 1)
    return max(cell.upper / 2 - cell.lower / 2, 5e-324)


def tick_array(axis: Axis, ticks: Sequence[Any]) -> Numbers:
    """Ticks as an array of the axis' dtype."""
    return np.array(ticks, dtype=axis.dtype)


def _between(axis: Axis, starts: Sequence[Tick], high: Tick) -> list[Cell]:
    lasts = [neighbour(axis, start, -1) for start in starts[1:]]
    return [Cell(start, last) for start, last in zip(starts, [*lasts, high], strict=True)]


def time_steps(arrow_type: pa.DataType) -> tuple[int, ...]:
    """Steps that times may lie on, coarsest first, in the type's unit: day, hour, minute, second, ms, us, its own."""
    if pat.is_timestamp(arrow_type) or pat.is_duration(arrow_type):
        unit = NANOSECONDS[arrow_type.unit]
        nanoseconds = (86_400 * 10**9, 3_600 * 10**9, 60 * 10**9, 10**9, 10**6, 10**3, 1)
        return tuple(step // unit for step in nanoseconds if step >= unit)
    return (1,)

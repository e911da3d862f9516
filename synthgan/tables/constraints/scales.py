"""The common scale on which a constraint compares and adds columns, exactly.

Whole-number columns (integers, decimals, times) are read as int64 ticks of the finest step among them; floats as the
decimals that they print as, so that 0.3 - 0.1 is 0.2. A column that is derived downwards, from columns above it, is
mirrored: its scale has ``direction`` -1, and "high" and "at least" trade places with "low" and "at most".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from synthgan.errors import DataError
from synthgan.tables.arrow_types import DAY, NANOSECONDS, parse_type
from synthgan.tables.axes.axis import Axis
from synthgan.tables.axes.grids import Grid
from synthgan.tables.axes.raw_numbers import has_zone, read_whole
from synthgan.tables.constraints.limits import (
    LARGEST_DECIMAL_IN_FLOATS,
    LARGEST_TICK,
    LARGEST_UNSCALED,
    Limits,
    declared_step,
    largest_in_floats,
    natural_tick,
)
from synthgan.tables.kinds import Kind
from synthgan.tables.schema.schema import Bounds, ColumnSchema
from synthgan.tables.statistics.declared_grids import declared_axis, has_declared_grid

Ticks = npt.NDArray[Any]
"""``(n_rows,)`` int64 on a whole scale, float64 on a decimal one."""

Mask = npt.NDArray[np.bool_]

_MAX_DECIMALS = 8
_QUARTER_HOUR = 900 * 10**9  # clocks of all zones differ by whole ones


@dataclass(frozen=True, slots=True)
class Numbers:
    """A column batch on a scale.

    Attributes:
        ticks: the values; anything where not ``valid``.
        valid: ``(n_rows,)`` bool: the value is present.
        exact: what comparisons must hold for. It differs from ``ticks`` for float32, which stores 0.1 a little off.
    """

    ticks: Ticks
    valid: Mask
    exact: Ticks


class Scale(Protocol):
    """Reads columns of one constraint as numbers that can be compared, subtracted and added without rounding."""

    direction: int

    def read(self, array: pa.Array) -> Numbers:
        """A batch of any of the constraint's columns, in its own type."""

    def lowest(self, n_rows: int) -> Ticks:
        """Ticks below all values that matter; minus infinity reads as this."""

    def in_ticks(self, limits: Limits) -> tuple[Any, Any]:
        """First and last tick inside the limits."""

    def subtract(self, high: Ticks, low: Ticks) -> Ticks:
        """Differences, negative ones raised to 0."""

    def add(self, low: Ticks, gap: Ticks, limits: Limits) -> Ticks:
        """Sums on the derived column's grid, at least ``low`` and within the limits, which hold for ``low`` too."""

    def write(self, ticks: Ticks, valid: Mask, at_least: Ticks | None = None) -> pa.Array:
        """The derived column in its own type, rounded to it without falling below ``at_least``."""

    def gap_schema(self, name: str, reason: str) -> ColumnSchema:
        """The column that holds differences."""

    def read_gap(self, array: pa.Array) -> Numbers:
        """Differences back from their column; negative ones raised to 0."""

    def write_gap(self, ticks: Ticks, valid: Mask) -> pa.Array:
        """Differences as their column holds them."""


def make_scale(result: ColumnSchema, others: Sequence[ColumnSchema], direction: int = 1) -> Scale:
    """The scale for deriving ``result`` from ``others``."""
    types = [parse_type(column.arrow_type) for column in (result, *others)]
    if any(pat.is_floating(held) for held in types):
        return DecimalScale(result, direction)
    return WholeScale(result, others, direction)


class WholeScale:
    """int64 ticks of the finest step among the columns; see `Scale`."""

    def __init__(self, result: ColumnSchema, others: Sequence[ColumnSchema], direction: int = 1) -> None:
        """Take the derived column and those it is derived from."""
        self.direction = direction
        self._result = result
        self._type = parse_type(result.arrow_type)
        self._tick = min(natural_tick(parse_type(column.arrow_type)) for column in (result, *others))
        self._own = int(natural_tick(self._type) / self._tick)
        declared = declared_axis(result, self._type).grid if has_declared_grid(result) else None
        self._grid = Grid(step=1) if declared is None else declared
        # On such grids gaps are those of the clock on the wall, or a day of 23 hours would leave them; grids of minutes
        # are the same in every zone.
        steps = declared_step(result)
        shifts = declared is not None and (declared.calendar is not None or _QUARTER_HOUR % (steps or 1))
        self._wall_zone = self._type.tz if has_zone(self._type) and shifts else None

    def read(self, array: pa.Array) -> Numbers:
        """See `Scale.read`.

        Raises:
            DataError: when values are too large for int64 ticks.
        """
        if pat.is_timestamp(array.type) and array.type.tz is not None:
            array = array.cast(pa.timestamp(array.type.unit, self._wall_zone or "UTC"))
        factor = int(natural_tick(array.type) / self._tick)
        raw, missing = read_whole(array)
        largest = (LARGEST_UNSCALED if pat.is_decimal(array.type) else LARGEST_TICK) // factor
        if len(raw) and (raw.max() > largest or (raw.dtype.kind == "i" and raw.min() < -largest)):
            raise DataError(
                f"a column that a constraint compares with '{self._result.name}' holds values too large for exact "
                "arithmetic: correct them or leave the constraint out"
            )
        ticks = raw.astype(np.int64, copy=False) * (factor * self.direction)
        valid = np.ones(len(ticks), dtype=bool) if missing is None else ~missing
        return Numbers(ticks, valid, ticks)

    def lowest(self, n_rows: int) -> Ticks:
        """See `Scale.lowest`."""
        return np.full(n_rows, np.iinfo(np.int64).min, dtype=np.int64)

    def subtract(self, high: Ticks, low: Ticks) -> Ticks:
        """See `Scale.subtract`; saturates at the largest int64."""
        apart = np.minimum(_unsigned(high) - _unsigned(low), np.uint64(2**63 - 1)).view(np.int64)
        return np.where(high < low, 0, apart)

    def add(self, low: Ticks, gap: Ticks, limits: Limits) -> Ticks:
        """See `Scale.add`."""
        first, last = self.in_ticks(limits)
        room = _unsigned(np.maximum(low, last)) - _unsigned(low)
        total: Ticks = (_unsigned(low) + np.minimum(_unsigned(gap), room)).view(np.int64)
        total = np.maximum(total, first)
        if self._own == 1 and self._grid == Grid(step=1):
            return total
        up, down = self._around(total)
        # Where the next grid point is out of bounds, the one before will do if it keeps the order, else the bound.
        total = np.where(down >= np.maximum(low, first), down, np.maximum(low, last))
        snapped: Ticks = np.where(up <= last, up, total)
        return snapped

    def _around(self, ticks: Ticks) -> tuple[Ticks, Ticks]:
        """The first grid point that is not below each tick, and the last one that is not above."""
        raw = ticks * self.direction
        above, below = self._grid.above(-(-raw // self._own)), self._grid.below(raw // self._own)
        ends = above * (self._own * self.direction), below * (self._own * self.direction)
        return ends if self.direction > 0 else (ends[1], ends[0])

    def in_ticks(self, limits: Limits) -> tuple[int, int]:
        """See `Scale.in_ticks`; the limits lie on the column's own ticks."""
        ends: list[int] = []
        for end, outermost in ((limits.lower, -LARGEST_TICK), (limits.upper, LARGEST_TICK)):
            tick = outermost if isinstance(end, float) else int(end / self._tick)
            ends.append(self._wall(tick) if abs(tick) < LARGEST_TICK else outermost)
        return (ends[0], ends[1]) if self.direction > 0 else (-ends[1], -ends[0])

    def _wall(self, tick: int) -> int:
        if self._wall_zone is None:
            return tick
        local = pd.Timestamp(int(tick * self._tick), unit="ns", tz="UTC").tz_convert(self._wall_zone).tz_localize(None)
        return int(local.as_unit("ns").to_numpy().astype(np.int64)) // int(self._tick)

    def write(self, ticks: Ticks, valid: Mask, at_least: Ticks | None = None) -> pa.Array:  # noqa: ARG002
        """See `Scale.write`; `add` has put the ticks on the column's own steps already."""
        raw = np.where(valid, ticks * self.direction, 0) // self._own
        if self._wall_zone is None:
            return whole_array(raw, valid, self._type)
        local = whole_array(raw, valid, pa.timestamp(self._type.unit))
        side = "latest" if self.direction > 0 else "earliest"  # either keeps the order
        return pc.assume_timezone(local, self._wall_zone, ambiguous=side, nonexistent=side)

    def gap_schema(self, name: str, reason: str) -> ColumnSchema:
        """See `Scale.gap_schema`: integers, decimals or timedeltas; the days between dates are integers."""
        held, kind, zero = self._gap_type()
        bounds = Bounds(lower=zero)
        return ColumnSchema(name=name, kind=kind, source="declared", reason=reason, arrow_type=str(held), bounds=bounds)

    def _gap_type(self) -> tuple[pa.DataType, Kind, Any]:
        if self._tick.denominator == 1 and self._tick < DAY and pat.is_temporal(self._type):
            unit = next(unit for unit, size in NANOSECONDS.items() if size == self._tick)
            return pa.duration(unit), "timedelta", pd.Timedelta(0)
        if self._tick.denominator > 1 or pat.is_decimal(self._type):
            return pa.decimal128(38, len(str(self._tick.denominator)) - 1), "decimal", Decimal(0)
        return pa.int64(), "integer", 0

    def read_gap(self, array: pa.Array) -> Numbers:
        """See `Scale.read_gap`."""
        raw, missing = read_whole(array)
        ticks = np.maximum(raw, 0)
        return Numbers(ticks, np.ones(len(raw), dtype=bool) if missing is None else ~missing, ticks)

    def write_gap(self, ticks: Ticks, valid: Mask) -> pa.Array:
        """See `Scale.write_gap`."""
        return whole_array(np.where(valid, ticks, 0), valid, self._gap_type()[0])


class DecimalScale:
    """Floats, rounded as the decimals that they print as; see `Scale`."""

    def __init__(self, result: ColumnSchema, direction: int = 1) -> None:
        """Take the derived column."""
        self.direction = direction
        self._result = result
        self._type = parse_type(result.arrow_type)

    def read(self, array: pa.Array) -> Numbers:
        """See `Scale.read`; integers and decimals become floats, decimals those that print as they do."""
        valid = ~pc.is_null(array, nan_is_null=True).to_numpy(zero_copy_only=False)
        narrow = pat.is_floating(array.type) and array.type.bit_width < 64
        stored = array.cast(pa.float32()) if narrow else array.cast(pa.float64(), safe=False)
        values = stored.fill_null(0).to_numpy(zero_copy_only=False)
        exact = np.where(valid, values, 0).astype(np.float64)
        if pat.is_decimal(array.type):
            exact = _decimals_as_printed(exact, array.type.scale)
        ticks = _as_printed(values, valid) if narrow else exact
        return Numbers(ticks * self.direction, valid, exact * self.direction)

    def lowest(self, n_rows: int) -> Ticks:
        """See `Scale.lowest`."""
        return np.full(n_rows, -np.inf)

    def in_ticks(self, limits: Limits) -> tuple[float, float]:
        """See `Scale.in_ticks`."""
        first, last = float(limits.lower), float(limits.upper)
        return (first, last) if self.direction > 0 else (-last, -first)

    def subtract(self, high: Ticks, low: Ticks) -> Ticks:
        """See `Scale.subtract`; from infinity to infinity it is 0."""
        with np.errstate(invalid="ignore", over="ignore"):
            gap = np.where(high == low, 0.0, high - low)
            return np.maximum(_round_like(gap, high, low), 0.0)

    def add(self, low: Ticks, gap: Ticks, limits: Limits) -> Ticks:
        """See `Scale.add`."""
        first, last = self.in_ticks(limits)
        with np.errstate(invalid="ignore", over="ignore"):
            total = np.maximum(_round_like(low + gap, low, gap), low)
        return np.clip(total, first, last)

    def write(self, ticks: Ticks, valid: Mask, at_least: Ticks | None = None) -> pa.Array:
        """See `Scale.write`."""
        least = np.full(len(ticks), -np.inf) if at_least is None else np.where(valid, at_least, -np.inf)
        wanted = np.maximum(np.where(valid, ticks, 0.0), least) * self.direction
        if pat.is_decimal(self._type):
            return self._write_decimals(wanted, valid, least)
        held = np.dtype(self._type.to_pandas_dtype())
        with np.errstate(over="ignore"):
            values = (np.rint(wanted) if held.kind in "iu" else wanted).astype(held)
        short = values.astype(np.float64) * self.direction < least
        if short.any():  # rounding to a narrower type went the wrong way
            step = self.direction if held.kind in "iu" else np.inf * self.direction
            values[short] = values[short] + step if held.kind in "iu" else np.nextafter(values[short], held.type(step))
        return pa.array(values, mask=~valid)

    def _write_decimals(self, wanted: Ticks, valid: Mask, least: Ticks) -> pa.Array:
        point = 10.0**self._type.scale
        raw = np.rint(wanted * point).astype(np.int64)
        raw += self.direction * (raw / point * self.direction < least)  # rounding went the wrong way
        return whole_array(raw, valid, self._type)

    def gap_schema(self, name: str, reason: str) -> ColumnSchema:
        """See `Scale.gap_schema`."""
        bounds = Bounds(lower=0.0)
        return ColumnSchema(
            name=name, kind="float", source="declared", reason=reason, arrow_type="double", bounds=bounds
        )

    def read_gap(self, array: pa.Array) -> Numbers:
        """See `Scale.read_gap`."""
        valid = ~pc.is_null(array, nan_is_null=True).to_numpy(zero_copy_only=False)
        ticks = np.maximum(np.where(valid, array.fill_null(0).to_numpy(zero_copy_only=False), 0.0), 0.0)
        return Numbers(ticks, valid, ticks)

    def write_gap(self, ticks: Ticks, valid: Mask) -> pa.Array:
        """See `Scale.write_gap`."""
        return pa.array(np.where(valid, ticks, 0.0), mask=~valid)


def check_exact_in_floats(array: pa.Array, name: str, result: str) -> None:
    """Refuse whole numbers and decimals that no float holds exactly.

    Raises:
        DataError: names the column, and the one that is derived.
    """
    if pat.is_floating(array.type) or array.null_count == len(array):
        return
    ends = pc.min_max(array).as_py()
    if max(abs(end) for end in ends.values()) > largest_in_floats(array.type) * natural_tick(array.type):
        raise DataError(
            f"column '{name}', which a constraint compares with floats ('{result}' is derived from both), holds values "
            "too large to be exact as floats: correct them, convert the floats, or leave the constraint out"
        )


def whole_array(raw: npt.NDArray[np.int64], valid: Mask, arrow_type: pa.DataType) -> pa.Array:
    """Arrow values at raw ticks of the type; instants where it has a time zone."""
    missing = None if valid.all() else ~valid
    if pat.is_uint64(arrow_type):
        return pa.array(raw.astype(np.uint64), mask=missing)
    if pat.is_timestamp(arrow_type):
        return pa.array(raw, mask=missing).cast(arrow_type)
    return Axis(arrow_type=arrow_type, grid=Grid(step=1)).write(raw, missing)


def plain(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """One chunk, without a dictionary."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    return column.dictionary_decode() if pat.is_dictionary(column.type) else column


def sum_as_printed(columns: Sequence[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """Row sums of floats, rounded to the most decimals that any of the row's terms prints with."""
    with np.errstate(invalid="ignore", over="ignore"):
        return _round_like(np.sum(columns, axis=0), *columns)


def _unsigned(ticks: Ticks) -> npt.NDArray[np.uint64]:
    """int64 ticks as uint64, whose differences wrap around correctly."""
    return np.ascontiguousarray(ticks, dtype=np.int64).view(np.uint64)


def _decimals_as_printed(values: Ticks, scale: int) -> Ticks:
    """Decimals that were cast to floats as the floats that print like them; Arrow's may be the next ones."""
    point = 10.0**scale
    raw = np.rint(values * point)
    return np.where(np.abs(raw) <= LARGEST_DECIMAL_IN_FLOATS, raw / point, values)


def _as_printed(values: npt.NDArray[Any], valid: Mask) -> npt.NDArray[np.float64]:
    """float32 values as the short decimals that they stand for, where there are such."""
    wide = values.astype(np.float64)
    printed = wide.copy()
    open_rows = valid.copy()
    with np.errstate(invalid="ignore", over="ignore"):
        for decimals in range(_MAX_DECIMALS + 1):
            if not open_rows.any():
                break
            rounded = np.round(wide, decimals)
            found = open_rows & (rounded.astype(values.dtype) == values)
            printed[found] = rounded[found]
            open_rows &= ~found
    return printed


def _round_like(result: npt.NDArray[np.float64], *terms: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Round each row to the most decimals among its terms; leave rows with a term that is no short decimal."""
    needed = np.zeros(len(result), dtype=np.int8)
    for term in terms:
        needed = np.maximum(needed, _decimals(term))
    rounded = result.copy()
    for decimals in np.unique(needed):
        if decimals <= _MAX_DECIMALS:
            rows = needed == decimals
            rounded[rows] = np.round(result[rows], int(decimals))
    return np.where(np.isfinite(rounded), rounded, result)


def _decimals(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int8]:
    """Decimals that each value prints with, give or take a few units in the last place; above the maximum if more."""
    needed = np.full(len(values), _MAX_DECIMALS + 1, dtype=np.int8)
    left = np.arange(len(values))
    for decimals in range(_MAX_DECIMALS + 1):
        checked = values[left]
        rounded = np.round(checked, decimals)
        found = (rounded == checked) | (np.abs(rounded - checked) <= 4 * np.spacing(np.abs(checked)))
        needed[left[found]] = decimals
        left = left[~found]
        if not len(left):
            break
    return needed

"""The number line of a numeric column: Arrow values to ticks and back, exactly.

Whole-number types (integers, decimals, times) and floats that all lie on a decimal grid have *gridded* axes: a tick is
an int64, the number of a point of the column's `Grid`, so that no tick stands for a value off the grid. Other floats
are *continuous*: the tick is the value. Datetimes with a zone are handled as local wall time, so that "whole days"
means local midnights, unless they keep to a coarser grid in UTC.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from synthgan.tables.arrow_types import DECIMAL256_DIGITS, NANOSECONDS, parse_type
from synthgan.tables.axes.decimal_digits import DecimalFrame
from synthgan.tables.axes.grids import Grid
from synthgan.tables.axes.raw_numbers import (
    MAX_DECIMALS,
    Clock,
    Mask,
    Numbers,
    has_zone,
    raw_day,
    read_floats,
    read_whole,
    whole_floats,
)
from synthgan.tables.axes.whole_axis import WholeAxis

_UINT64_SHIFT = np.uint64(2**63)
_LARGEST_FLOAT = 2**62  # as whole floats saturate


@dataclass(frozen=True, kw_only=True, slots=True)
class Readings:
    """A column batch as numbers.

    Attributes:
        ticks: ``(n_rows,)`` int64 or float64; 0 where the value is missing or infinite.
        missing: ``(n_rows,)`` bool, or None when nothing is missing. NaN counts as missing.
        infinite: ``(n_rows,)`` int8, the sign of infinite values and 0 elsewhere, or None when all are finite.
    """

    ticks: Numbers
    missing: Mask | None = None
    infinite: npt.NDArray[np.int8] | None = None

    @property
    def finite(self) -> Mask | None:
        """``(n_rows,)`` bool: rows that hold a number; None when all do."""
        if self.missing is None:
            return None if self.infinite is None else self.infinite == 0
        return ~self.missing if self.infinite is None else ~self.missing & (self.infinite == 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Axis:
    """How a numeric column's Arrow values map to ticks.

    Attributes:
        arrow_type: the column's Arrow type.
        grid: where its values lie, in raw units; None on a continuous axis. A raw unit is 1 for integers,
            ``10**-decimals`` for floats, the time unit for datetimes and timedeltas, a day for dates,
            ``10**(decimals - scale)`` for decimals.
        decimals: for floats the decimals of the raw unit, for decimal types the number of last digits dropped.
        origin: for decimal types the unscaled value from which raw numbers are counted.
        clock: for datetimes in a time zone, what the grid is a grid of.
    """

    arrow_type: pa.DataType
    grid: Grid | None
    decimals: int = 0
    origin: int = 0
    clock: Clock = "wall"

    @property
    def is_gridded(self) -> bool:
        """Whether ticks are whole numbers."""
        return self.grid is not None

    @property
    def step(self) -> int | None:
        """Raw units per tick (with a calendar: within a day); None on a continuous axis."""
        return None if self.grid is None else self.grid.step

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of ticks: int64, or the column's own float."""
        if self.is_gridded:
            return np.dtype(np.int64)
        return np.dtype(np.float32 if pat.is_float32(self.arrow_type) else np.float64)

    @property
    def is_shifted(self) -> bool:
        """Whether ticks of unsigned 64-bit integers are counted from the middle of their range, to fit into int64."""
        return pat.is_uint64(self.arrow_type) and self.grid is not None and self.grid.step == 1

    @property
    def has_clock_changes(self) -> bool:
        """Whether ticks are wall times of a time zone."""
        return has_zone(self.arrow_type) and self.clock == "wall"

    @property
    def frame(self) -> DecimalFrame:
        """How raw numbers of a decimal type are counted."""
        return DecimalFrame(origin=self.origin, dropped=self.decimals)

    def read(self, array: pa.Array) -> Readings:
        """Numbers of a batch; values off the grid go to the grid point below (floats: to the nearest decimal first)."""
        if pat.is_floating(self.arrow_type):
            values, missing, infinite = read_floats(array)
            return Readings(ticks=self.ticks_of_raw(values), missing=missing, infinite=infinite)
        raw, missing = read_whole(array, self.frame, self.clock)
        return Readings(ticks=self.ticks_of_raw(raw), missing=missing)

    def ticks_of_raw(self, raw: npt.NDArray[Any]) -> Numbers:
        """Ticks of raw whole numbers, or of floats as `read_floats` gives them."""
        if self.grid is None:
            return raw.astype(self.dtype, copy=False)
        if pat.is_floating(self.arrow_type):
            return self.grid.floor(whole_floats(raw, self.decimals))
        if self.is_shifted:
            return (raw.astype(np.uint64, copy=False) ^ _UINT64_SHIFT).view(np.int64)
        return self.grid.floor(raw)

    def write(self, ticks: Numbers, missing: Mask | None) -> pa.Array:
        """Arrow values at the ticks, null where ``missing``."""
        arrow_type = self.arrow_type
        if self.is_shifted:
            return pa.array(ticks.view(np.uint64) ^ _UINT64_SHIFT, mask=missing)
        raw = ticks if self.grid is None else self.grid.raw(ticks)
        if pat.is_floating(arrow_type):
            values = raw if self.grid is None else raw / 10.0**self.decimals
            return pa.array(values.astype(arrow_type.to_pandas_dtype(), copy=False), mask=missing)
        if pat.is_uint64(arrow_type):
            return pa.array(raw.view(np.uint64), mask=missing)
        if pat.is_decimal(arrow_type):
            return self.frame.write(raw, missing, arrow_type)
        if pat.is_date32(arrow_type):
            return pa.array(raw.astype(np.int32), mask=missing).cast(arrow_type)
        if self.has_clock_changes:
            local = pa.array(raw, mask=missing).cast(pa.timestamp(arrow_type.unit))
            instants = pc.assume_timezone(local, arrow_type.tz, ambiguous="earliest", nonexistent="latest")
            return instants.cast(arrow_type)
        return pa.array(raw, mask=missing).cast(arrow_type)

    def are_skipped(self, ticks: npt.NDArray[np.int64]) -> Mask:
        """``(n_rows,)`` bool: wall times that a clock change leaves out."""
        assert self.grid is not None
        raw, _ = read_whole(self.write(ticks, None))
        return np.asarray(raw != self.grid.raw(ticks))

    def around_clock_change(self, ticks: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], ...]:
        """For skipped wall times: the first tick after the clock change and the last one before it."""
        assert self.grid is not None
        arrow_type = self.arrow_type
        local = pa.array(self.grid.raw(ticks)).cast(pa.timestamp(arrow_type.unit))
        after, before = (
            read_whole(pc.assume_timezone(local, arrow_type.tz, ambiguous="earliest", nonexistent=side))[0]
            for side in ("latest", "earliest")
        )
        return self.grid.floor(self.grid.above(after)), self.grid.floor(before)

    def tick_at_least(self, value: Any) -> float | int | None:
        """Lowest tick whose value is at least ``value``; None for None and minus infinity."""
        place = None if value is None else self._place(value)
        if place is None or self.grid is None:
            return None if place is None else float(place)
        return self._within_ticks(self.grid.ceil_one(Fraction(place)))

    def tick_at_most(self, value: Any) -> float | int | None:
        """Highest tick whose value is at most ``value``; None for None and plus infinity."""
        place = None if value is None else self._place(value)
        if place is None or self.grid is None:
            return None if place is None else float(place)
        return self._within_ticks(self.grid.floor_one(Fraction(place)))

    def _within_ticks(self, tick: int) -> int:
        return max(-(2**63), min(tick - 2**63 if self.is_shifted else tick, 2**63 - 1))

    def _place(self, value: Any) -> Fraction | float | None:
        """A value in raw units, exactly; None for infinities. On a continuous axis the value itself."""
        arrow_type = self.arrow_type
        if isinstance(value, float) and math.isinf(value):
            return None
        if pat.is_floating(arrow_type):
            number = float(value)
            if self.grid is None or math.isinf(number):
                return None if math.isinf(number) else number
            return self._place_of_float(number, self.grid)
        if has_zone(arrow_type):
            stamp = pd.Timestamp(value)
            if self.has_clock_changes:
                value = stamp if stamp.tzinfo is None else stamp.tz_convert(arrow_type.tz).tz_localize(None)
                arrow_type = pa.timestamp(arrow_type.unit)
            elif stamp.tzinfo is None:
                value = stamp.tz_localize(arrow_type.tz, ambiguous=True, nonexistent="shift_forward")
        raw = WholeAxis(arrow_type).ticks(value) if WholeAxis.has_axis(arrow_type) else Fraction(value)
        return (raw - self.origin) / 10**self.decimals if pat.is_decimal(arrow_type) else raw

    def _place_of_float(self, number: float, grid: Grid) -> Fraction:
        """The decimal that the float stands for, where there is one; what it is exactly, elsewhere."""
        held = self.arrow_type.to_pandas_dtype()
        raw = round(number * 10.0**self.decimals)
        same = [near for near in (raw, raw - 1, raw + 1) if held(near / 10.0**self.decimals) == number]
        on_grid = [near for near in same if grid.raw_one(grid.floor_one(near)) == near]
        if same:
            return Fraction((on_grid or same)[0])
        return Fraction(number) * 10**self.decimals

    @property
    def granularity(self) -> float | int | None:
        """Spacing of the grid in the unit of `ColumnSchema.granularity`; None on a continuous axis."""
        return None if self.grid is None else self._in_units(self.grid.step)

    @property
    def offset(self) -> float | int:
        """Offset of the grid in the unit of `ColumnSchema.granularity`, below the granularity."""
        return 0 if self.grid is None else self._in_units(self.grid.offset, self.origin)

    def _in_units(self, raw: int, origin: int = 0) -> float | int:
        if pat.is_floating(self.arrow_type):
            return raw / 10**self.decimals if self.decimals else raw
        if pat.is_timestamp(self.arrow_type) or pat.is_duration(self.arrow_type):
            return raw * NANOSECONDS[self.arrow_type.unit]
        if pat.is_decimal(self.arrow_type):
            step = 0 if self.grid is None else self.grid.step * 10**self.decimals
            unscaled = raw * 10**self.decimals + origin
            return float(Fraction(unscaled % step if origin else unscaled) / Fraction(10) ** int(self.arrow_type.scale))
        return raw

    def describe_grid(self) -> dict[str, Any]:
        """Offset and calendar of the grid, as far as it has them."""
        calendar = None if self.grid is None else self.grid.calendar
        facts = {"offset": self.offset or None, "calendar": None if calendar is None else calendar.text}
        return {fact: value for fact, value in facts.items() if value is not None}

    def covers(self, low: Any, high: Any) -> bool:
        """Whether the column's type can hold the values at two ticks."""
        if self.grid is None or self.is_shifted:
            return True
        first, last = (self.grid.raw_one(int(tick)) for tick in (low, high))
        if pat.is_floating(self.arrow_type):
            return first >= -_LARGEST_FLOAT and last <= _LARGEST_FLOAT
        lowest, highest = WholeAxis(self.arrow_type).limits
        unit = 10**self.decimals if pat.is_decimal(self.arrow_type) else 1
        return lowest <= first * unit + self.origin and last * unit + self.origin <= highest

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        content: dict[str, Any] = {"arrow_type": str(self.arrow_type), "step": None, "decimals": self.decimals}
        if self.grid is not None:
            content |= self.grid.to_json()
        if self.origin:
            content["origin"] = str(self.origin)  # more digits than some readers of JSON keep
        if self.clock != "wall":
            content["clock"] = self.clock
        return content

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Axis:
        """The axis that `to_json` wrote.

        Raises:
            ValueError: when a part is out of range, or they do not fit together.
        """
        arrow_type = parse_type(content["arrow_type"])
        most = MAX_DECIMALS if pat.is_floating(arrow_type) else DECIMAL256_DIGITS if pat.is_decimal(arrow_type) else 0
        decimals, clock, origin = content["decimals"], content.get("clock", "wall"), str(content.get("origin", 0))
        if not isinstance(decimals, int) or not 0 <= decimals <= most or clock not in ("wall", "utc"):
            raise ValueError("the unit of an axis is out of range")
        if (
            len(origin) > DECIMAL256_DIGITS
            or not origin.removeprefix("-").isdecimal()
            or (origin != "0" and not pat.is_decimal(arrow_type))
        ):
            raise ValueError("the origin of an axis is out of range")
        grid = None if content["step"] is None else Grid.from_json(content, raw_day(arrow_type))
        if grid is None and not pat.is_floating(arrow_type):
            raise ValueError("an axis of whole numbers needs a step")
        return cls(arrow_type=arrow_type, grid=grid, decimals=decimals, origin=int(origin), clock=clock)

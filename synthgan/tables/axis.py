"""The number line of a numeric column: Arrow values to ticks and back, exactly.

Whole-number types (integers, decimals, times) and floats that all lie on a decimal grid have *gridded* axes: a tick is
an int64, and a value is ``tick * step`` in the column's raw unit. Other floats are *continuous*: the tick is the value.
Datetimes with a zone are handled as local wall time, so that "whole days" means local midnights.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from synthgan.errors import DataError, SchemaError
from synthgan.tables.arrow_types import NANOSECONDS, parse_type
from synthgan.tables.schema import ColumnSchema
from synthgan.tables.whole_axis import WholeAxis

Numbers: TypeAlias = npt.NDArray[Any]
"""Ticks: int64 on a gridded axis, the column's own float on a continuous one."""

Mask: TypeAlias = npt.NDArray[np.bool_]

MAX_DECIMALS = 6
"""Floats are tried on grids of 1, 0.1, ... down to this many decimals."""

_NOISE = 1e-9  # of a grid step: rounding errors of sums and differences are below
_LARGEST_SCALED = 2.0**50  # beyond this a float's neighbours are too far apart to tell a decimal grid
_TIME_STEPS_SECONDS = (86_400, 3_600, 1_800, 900, 600, 300, 60, 30, 15, 10, 5, 1)
_UINT64_SHIFT = np.uint64(2**63)
_LARGEST_UNSCALED = 10**18  # decimals with more digits drop their last ones


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
        step: raw units per tick; None on a continuous axis. A raw unit is 1 for integers, ``10**-decimals`` for floats,
            the time unit for datetimes and timedeltas, a day for dates, ``10**(decimals - scale)`` for decimals.
        decimals: for floats the decimals of the raw unit, for decimal types the number of last digits dropped.
    """

    arrow_type: pa.DataType
    step: int | None
    decimals: int = 0

    @property
    def is_gridded(self) -> bool:
        """Whether ticks are whole numbers."""
        return self.step is not None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Dtype of ticks: int64, or the column's own float."""
        if self.is_gridded:
            return np.dtype(np.int64)
        return np.dtype(np.float32 if pat.is_float32(self.arrow_type) else np.float64)

    @property
    def is_shifted(self) -> bool:
        """Whether ticks of unsigned 64-bit integers are counted from the middle of their range, to fit into int64."""
        return pat.is_uint64(self.arrow_type) and self.step == 1

    def read(self, array: pa.Array) -> Readings:
        """Numbers of a batch; values off the grid go to the grid point below (floats: to the nearest decimal first)."""
        if pat.is_floating(self.arrow_type):
            values, missing, infinite = read_floats(array)
            return Readings(ticks=self.ticks_of_raw(values), missing=missing, infinite=infinite)
        raw, missing = read_whole(array, self.decimals)
        return Readings(ticks=self.ticks_of_raw(raw), missing=missing)

    def ticks_of_raw(self, raw: npt.NDArray[Any]) -> Numbers:
        """Ticks of raw whole numbers, or of floats as `read_floats` gives them."""
        if pat.is_floating(self.arrow_type):
            if self.step is None:
                return raw.astype(self.dtype, copy=False)
            with np.errstate(over="ignore"):
                whole = np.clip(np.rint(raw * 10.0**self.decimals), -(2.0**62), 2.0**62)
            return _divide(whole.astype(np.int64), self.step)
        if self.is_shifted:
            return (raw.astype(np.uint64, copy=False) ^ _UINT64_SHIFT).view(np.int64)
        step = self.step or 1
        return _divide(raw, step).astype(np.int64, copy=False)

    def write(self, ticks: Numbers, missing: Mask | None) -> pa.Array:
        """Arrow values at the ticks, null where ``missing``."""
        arrow_type = self.arrow_type
        if pat.is_floating(arrow_type):
            values = ticks if self.step is None else (ticks * np.int64(self.step)) / 10.0**self.decimals
            return pa.array(values.astype(arrow_type.to_pandas_dtype(), copy=False), mask=missing)
        if self.is_shifted:
            return pa.array(ticks.view(np.uint64) ^ _UINT64_SHIFT, mask=missing)
        if pat.is_uint64(arrow_type):
            return pa.array(ticks.view(np.uint64) * np.uint64(self.step or 1), mask=missing)
        raw = ticks if self.step in (None, 1) else ticks * np.int64(self.step or 1)
        if pat.is_decimal(arrow_type):
            return _write_decimals(raw, missing, arrow_type, self.decimals)
        if pat.is_date32(arrow_type):
            return pa.array(raw.astype(np.int32), mask=missing).cast(arrow_type)
        if pat.is_timestamp(arrow_type) and arrow_type.tz is not None:
            local = pa.array(raw, mask=missing).cast(pa.timestamp(arrow_type.unit))
            instants = pc.assume_timezone(local, arrow_type.tz, ambiguous="earliest", nonexistent="latest")
            return instants.cast(arrow_type)
        return pa.array(raw, mask=missing).cast(arrow_type)

    def around_clock_change(self, ticks: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], ...]:
        """For skipped wall times: the first tick after the clock change and the last one before it."""
        step = np.int64(self.step or 1)
        arrow_type = self.arrow_type
        local = pa.array(ticks * step).cast(pa.timestamp(arrow_type.unit))
        after, before = (
            read_whole(pc.assume_timezone(local, arrow_type.tz, ambiguous="earliest", nonexistent=side))[0]
            for side in ("latest", "earliest")
        )
        return -(-after // step), before // step

    def tick_at_least(self, value: Any) -> float | int | None:
        """Lowest tick whose value is at least ``value``; None for None and minus infinity."""
        return None if value is None else self._tick_near(value, rounding=math.ceil)

    def tick_at_most(self, value: Any) -> float | int | None:
        """Highest tick whose value is at most ``value``; None for None and plus infinity."""
        return None if value is None else self._tick_near(value, rounding=math.floor)

    def _tick_near(self, value: Any, rounding: Callable[[Fraction], int]) -> float | int | None:
        arrow_type, step = self.arrow_type, self.step
        if pat.is_floating(arrow_type):
            number = float(value)
            if step is None or math.isinf(number):
                return None if math.isinf(number) else number
            tick = round(number * 10.0**self.decimals / step)
            held = arrow_type.to_pandas_dtype()
            for near in (tick - 1, tick, tick + 1):
                if held(near * step / 10.0**self.decimals) == number:
                    return _within_int64(near)
            return _within_int64(rounding(Fraction(number) * 10**self.decimals / step))
        if isinstance(value, float) and math.isinf(value):
            return None
        if pat.is_timestamp(arrow_type) and arrow_type.tz is not None:
            stamp = pd.Timestamp(value)
            value = stamp if stamp.tzinfo is None else stamp.tz_convert(arrow_type.tz).tz_localize(None)
            arrow_type = pa.timestamp(arrow_type.unit)
        raw = WholeAxis(arrow_type).ticks(value) if WholeAxis.has_axis(arrow_type) else Fraction(value)
        if pat.is_decimal(arrow_type):
            raw /= 10**self.decimals
        tick = rounding(raw / (step or 1))
        return _within_int64(tick - 2**63 if self.is_shifted else tick)

    @property
    def granularity(self) -> float | int | None:
        """Spacing of the grid in the unit of `ColumnSchema.granularity`; None on a continuous axis."""
        if self.step is None:
            return None
        if pat.is_floating(self.arrow_type):
            return self.step / 10**self.decimals if self.decimals else self.step
        if pat.is_timestamp(self.arrow_type) or pat.is_duration(self.arrow_type):
            return self.step * NANOSECONDS[self.arrow_type.unit]
        if pat.is_decimal(self.arrow_type):
            return float(self.step * 10.0 ** (self.decimals - self.arrow_type.scale))
        return self.step

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"arrow_type": str(self.arrow_type), "step": self.step, "decimals": self.decimals}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Axis:
        """The axis that `to_json` wrote."""
        step = content["step"]
        return cls(
            arrow_type=parse_type(content["arrow_type"]),
            step=None if step is None else int(step),
            decimals=int(content["decimals"]),
        )


def is_numeric(arrow_type: pa.DataType) -> bool:
    """Whether a column of the type can be modelled as numbers or times."""
    times = pat.is_timestamp(arrow_type) or pat.is_date32(arrow_type) or pat.is_duration(arrow_type)
    floats = pat.is_float32(arrow_type) or pat.is_float64(arrow_type)
    return bool(times or floats or pat.is_integer(arrow_type) or pat.is_decimal(arrow_type))


def conform(array: pa.Array, arrow_type: pa.DataType, column: str) -> pa.Array:
    """A batch column as the type its schema names, without dictionary encoding.

    Raises:
        DataError: when its values do not convert exactly.
    """
    if pat.is_dictionary(array.type):
        array = array.dictionary_decode()
    if array.type == arrow_type:
        return array
    try:
        return array.cast(arrow_type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise DataError(
            f"column '{column}' holds {array.type} where the schema says {arrow_type}, and its values do not convert "
            "exactly; convert the column or correct the schema"
        ) from None


def find_axis(column: ColumnSchema, arrow_type: pa.DataType, *, divisor: int, decimals: int | None) -> Axis:
    """The coarsest grid that every value lies on, or the declared one.

    Args:
        column: the column's schema; its ``granularity`` wins over what was found.
        arrow_type: the physical type.
        divisor: greatest common divisor of all raw values (0: none seen).
        decimals: floats: fewest decimals that write every value, None when there is no such grid; decimal types: the
            number of digits dropped; else 0.

    Raises:
        SchemaError: when the declared granularity does not fit the type.
    """
    if column.granularity is not None:
        return _declared_axis(column, arrow_type, 0 if decimals is None else decimals)
    if decimals is None:
        return Axis(arrow_type=arrow_type, step=None)
    step = divisor if 1 <= divisor < 2**63 else 1
    if pat.is_timestamp(arrow_type) or pat.is_duration(arrow_type):
        step = _time_step(divisor, arrow_type.unit)
    elif pat.is_date(arrow_type) or (pat.is_uint64(arrow_type) and divisor < 2):
        step = 1
    return Axis(arrow_type=arrow_type, step=step, decimals=decimals)


def read_floats(array: pa.Array) -> tuple[npt.NDArray[np.float64], Mask | None, npt.NDArray[np.int8] | None]:
    """Float64 values with 0 for what is not finite, the missing mask (null or NaN), and signs of infinite values."""
    if array.null_count:
        array = pc.fill_null(array, float("nan"))
    values = array.to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
    finite = np.isfinite(values)
    if finite.all():
        return values, None, None
    missing = np.isnan(values)
    infinite = (
        np.where(finite | missing, 0, np.sign(values)).astype(np.int8)
        if (finite | missing).sum() < len(values)
        else None
    )
    return np.where(finite, values, 0.0), missing if missing.any() else None, infinite


def read_whole(array: pa.Array, dropped_digits: int = 0) -> tuple[npt.NDArray[Any], Mask | None]:
    """Raw whole numbers (int64, or uint64 for that type) with 0 where null, and the missing mask."""
    missing = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
    arrow_type = array.type
    if pat.is_decimal(arrow_type):
        raw = _unscaled(array, dropped_digits)
        return (raw if missing is None else np.where(missing, 0, raw)), missing
    if pat.is_timestamp(arrow_type):
        array = pc.local_timestamp(array) if arrow_type.tz is not None else array
    elif pat.is_date32(arrow_type):
        array = array.cast(pa.int32())
    if not pat.is_uint64(arrow_type):
        array = array.cast(pa.int64())
    raw = (array if missing is None else array.fill_null(0)).to_numpy(zero_copy_only=False)
    return raw, missing


def digits_to_drop(array: pa.Array) -> int:
    """How many last digits a decimal batch must drop for its unscaled values to fit into int64."""
    if array.type.precision <= 18 or array.null_count == len(array):
        return 0
    largest = pc.max(pc.abs(array.drop_null())).as_py()
    unscaled = abs(int(largest.scaleb(array.type.scale)))
    return max(0, len(str(unscaled)) - 18) if unscaled >= _LARGEST_UNSCALED else 0


def decimals_needed(values: npt.NDArray[np.float64], *, at_least: int, single_precision: bool) -> int | None:
    """Fewest decimals, from ``at_least`` to `MAX_DECIMALS`, that write every finite value; None when there are none."""
    if not len(values):
        return at_least
    largest = float(np.abs(values).max())
    relative = 6e-8 if single_precision else 2e-15
    for decimals in range(at_least, MAX_DECIMALS + 1):
        # A grid finer than the float's own spacing would accept anything.
        if largest * 10.0**decimals > (1 / (4 * relative) if decimals else _LARGEST_SCALED):
            return None
        scaled = values * 10.0**decimals
        whole = np.rint(scaled)
        if single_precision:
            if np.array_equal((whole / 10.0**decimals).astype(np.float32), values.astype(np.float32)):
                return decimals
        else:
            noise = min(_NOISE, relative * largest * 10.0**decimals)
            if np.all(np.abs(scaled - whole) <= np.clip(relative * np.abs(scaled), noise, 0.05)):
                return decimals
    return None


def _within_int64(tick: int) -> int:
    return max(-(2**63), min(tick, 2**63 - 1))


def _divide(raw: npt.NDArray[Any], step: int) -> npt.NDArray[Any]:
    return raw if step == 1 else raw // raw.dtype.type(step)


def _time_step(divisor: int, unit: str) -> int:
    per_second = 10**9 // NANOSECONDS[unit]
    candidates = [seconds * per_second for seconds in _TIME_STEPS_SECONDS]
    candidates += [per_second // 10**power for power in (3, 6, 9) if per_second >= 10**power]
    if divisor == 0:
        return candidates[0]
    return next((step for step in candidates if divisor % step == 0), 1)


def _declared_axis(column: ColumnSchema, arrow_type: pa.DataType, decimals: int) -> Axis:
    granularity = column.granularity
    if granularity is None or not math.isfinite(granularity) or granularity <= 0:
        raise SchemaError(f"the granularity of column '{column.name}' must be a positive number")
    if pat.is_floating(arrow_type):
        for places in range(MAX_DECIMALS + 1):
            if math.isclose(round(granularity * 10**places), granularity * 10**places, rel_tol=1e-9):
                return Axis(arrow_type=arrow_type, step=round(granularity * 10**places), decimals=places)
        raise SchemaError(f"the granularity of column '{column.name}' has more than {MAX_DECIMALS} decimals")
    unit = 1.0
    if pat.is_timestamp(arrow_type) or pat.is_duration(arrow_type):
        unit = float(NANOSECONDS[arrow_type.unit])
    elif pat.is_decimal(arrow_type):
        unit = 10.0 ** (decimals - arrow_type.scale)
    step = round(granularity / unit)
    if step < 1 or not math.isclose(step, granularity / unit, rel_tol=1e-9):
        raise SchemaError(
            f"the granularity of column '{column.name}' is not a whole number of the steps of its type {arrow_type}"
        )
    return Axis(arrow_type=arrow_type, step=step, decimals=decimals)


def _unscaled(array: pa.Array, dropped_digits: int) -> npt.NDArray[np.int64]:
    """Unscaled integers of a decimal array, without their last digits; saturated where they exceed int64."""
    arrow_type = array.type
    if dropped_digits:
        array = pc.fill_null(array, pa.scalar(0).cast(arrow_type)) if array.null_count else array
        array = array.cast(pa.decimal256(76, arrow_type.scale)).cast(
            pa.decimal256(76, arrow_type.scale - dropped_digits), safe=False
        )
    width = array.type.bit_width // 8
    start = array.offset * width
    content = np.frombuffer(array.buffers()[1], dtype=np.uint8)[start : start + len(array) * width]
    if width == 4:
        return content.view(np.int32).astype(np.int64)
    words = content.view(np.int64).reshape(len(array), width // 8)
    low, high = words[:, 0], words[:, -1]
    fits = (words[:, 1:] == (low >> 63)[:, None]).all(axis=1)
    return low.copy() if fits.all() else np.where(fits, low, np.where(high < 0, -_LARGEST_UNSCALED, _LARGEST_UNSCALED))


def _write_decimals(
    raw: npt.NDArray[np.int64], missing: Mask | None, arrow_type: pa.DataType, dropped_digits: int
) -> pa.Array:
    words = np.empty((len(raw), 2), dtype=np.int64)
    words[:, 0] = raw
    words[:, 1] = raw >> 63
    valid = None if missing is None else pa.array(~missing).buffers()[1]
    wide = pa.decimal128(38, arrow_type.scale - dropped_digits)
    return pa.Array.from_buffers(wide, len(raw), [valid, pa.py_buffer(words)]).cast(arrow_type)

"""Arrow columns of numbers and times as NumPy numbers: floats as they are, everything else as whole raw units."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from synthgan.errors import DataError
from synthgan.tables.arrow_types import DAY, NANOSECONDS
from synthgan.tables.axes.decimal_digits import DecimalFrame

Numbers: TypeAlias = npt.NDArray[Any]
"""Ticks: int64 on a gridded axis, the column's own float on a continuous one."""

Mask: TypeAlias = npt.NDArray[np.bool_]

Clock: TypeAlias = Literal["wall", "utc"]
"""Which times a column with a time zone is read as: those of the clock on the wall there, or instants in UTC."""

MAX_DECIMALS = 6
"""Floats are tried on grids of 1, 0.1, ... down to this many decimals."""

LARGEST_SCALED = 2.0**50
"""In steps of a decimal grid; beyond it a float's neighbours are too far apart to tell one."""

_PLAIN = DecimalFrame()
_NOISE = 1e-9  # of a grid step: rounding errors of sums and differences are below


def is_numeric(arrow_type: pa.DataType) -> bool:
    """Whether a column of the type can be modelled as numbers or times."""
    times = pat.is_timestamp(arrow_type) or pat.is_date32(arrow_type) or pat.is_duration(arrow_type)
    floats = pat.is_float32(arrow_type) or pat.is_float64(arrow_type)
    return bool(times or floats or pat.is_integer(arrow_type) or pat.is_decimal(arrow_type))


def has_zone(arrow_type: pa.DataType) -> bool:
    """Whether the type is a datetime in a time zone."""
    return bool(pat.is_timestamp(arrow_type) and arrow_type.tz is not None)


def raw_day(arrow_type: pa.DataType) -> int:
    """Raw units in a day of the calendar; 0 for types that are no dates."""
    if pat.is_date32(arrow_type):
        return 1
    return DAY // NANOSECONDS[arrow_type.unit] if pat.is_timestamp(arrow_type) else 0


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


def read_whole(
    array: pa.Array, frame: DecimalFrame = _PLAIN, clock: Clock = "wall"
) -> tuple[npt.NDArray[Any], Mask | None]:
    """Raw whole numbers (int64, or uint64 for that type) with 0 where null, and the missing mask.

    A raw unit is 1 for integers, the time unit for datetimes and durations, a day for dates; decimals have a ``frame``,
    and datetimes in a time zone a ``clock``.
    """
    missing = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
    arrow_type = array.type
    if pat.is_decimal(arrow_type):
        raw = frame.read(array)
        return (raw if missing is None else np.where(missing, 0, raw)), missing
    if has_zone(arrow_type) and clock == "wall":
        array = pc.local_timestamp(array)
    elif pat.is_date32(arrow_type):
        array = array.cast(pa.int32())
    if not pat.is_uint64(arrow_type):
        array = array.cast(pa.int64())
    raw = (array if missing is None else array.fill_null(0)).to_numpy(zero_copy_only=False)
    return raw, missing


def wall_times(instants: npt.NDArray[np.int64], arrow_type: pa.DataType) -> npt.NDArray[np.int64]:
    """Raw times on the wall in the type's zone at raw instants."""
    return read_whole(pa.array(instants).cast(arrow_type))[0]


def decimals_needed(
    values: npt.NDArray[np.float64], largest: float, *, at_least: int, single_precision: bool
) -> int | None:
    """Fewest decimals, from ``at_least`` to `MAX_DECIMALS`, that write every value; None when there are none.

    Args:
        values: finite ones.
        largest: of all absolute values of the column; decides how many decimals its floats can tell.
        at_least: decimals that other values of the column need.
        single_precision: whether the values come from 32-bit floats.
    """
    if not len(values):
        return at_least
    relative = 6e-8 if single_precision else 2e-15
    for decimals in range(at_least, MAX_DECIMALS + 1):
        # A grid finer than the float's own spacing would accept anything.
        if largest * 10.0**decimals > (1 / (4 * relative) if decimals else LARGEST_SCALED):
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


def whole_floats(values: npt.NDArray[np.float64], decimals: int) -> npt.NDArray[np.int64]:
    """Floats in units of their last decimal, saturated far beyond what a decimal grid can tell."""
    with np.errstate(over="ignore"):
        return np.clip(np.rint(values * 10.0**decimals), -(2.0**62), 2.0**62).astype(np.int64)

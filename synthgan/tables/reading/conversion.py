"""Columns of one type as another one that was declared: each value that does not convert is missing, nothing raises."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from synthgan.tables.arrow_types import DAY, EXACT_FLOATS, NANOSECONDS, is_text, physical_type
from synthgan.tables.reading.text_values import cast_each, each, in_zone, only, read_text


def convert(values: pa.Array, kind: pa.DataType, *, decimal: str = ".", cut: bool = False) -> pa.Array:
    """``values``, of a physical type, as the physical type of ``kind``.

    A float that is whole becomes the integer, or its digits, as if it had never been a float. Times without a zone are
    local times of a declared zone, and the other way round.

    Args:
        values: a column, or a part of one.
        kind: the declared type, as a file would store it.
        decimal: what stands before the decimals of numbers that are text.
        cut: as `read_text` has it.
    """
    target = physical_type(kind, "converted")
    if pat.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pat.is_boolean(values.type) and (pat.is_integer(target) or pat.is_floating(target)):
        values = values.cast(pa.uint8())
    held = values.type
    if held == target:
        return values
    if pat.is_null(held) or pat.is_null(target):
        return pa.nulls(len(values), target)
    if is_text(held):
        return read_text(values, kind, decimal=decimal, cut=cut)
    if is_text(target):
        return as_text(values).cast(target)
    direct = _direct(values, target, cut=cut)
    return read_text(as_text(values), kind, cut=cut) if direct is None else direct


def _direct(values: pa.Array, target: pa.DataType, *, cut: bool) -> pa.Array | None:
    """Between types that are near each other; None for others, whose values are compared by how they are written."""
    held = values.type
    if pat.is_floating(held) and pat.is_integer(target):
        return cast_each(only(values, _is_whole(values)), target)
    if pat.is_floating(held) and pat.is_decimal(target):
        return _rounded(values, target)
    if pat.is_floating(target) and not pat.is_temporal(held):
        return values.cast(target, safe=False)
    if pat.is_timestamp(held) and (pat.is_timestamp(target) or pat.is_date(target)):
        return _moments(values, target, cut=cut)
    if pat.is_date(held) and pat.is_timestamp(target):
        days = values.cast(pa.int32()).cast(pa.int64())
        local = _scaled(days, DAY, pa.timestamp(target.unit), cut=cut)
        return local if target.tz is None else in_zone(local, target)
    if pat.is_duration(held) and pat.is_duration(target):
        return _scaled(values.cast(pa.int64()), NANOSECONDS[held.unit], target, cut=cut)
    return cast_each(values, target) if pat.is_integer(held) and pat.is_integer(target) else None


def as_text(values: pa.Array) -> pa.Array:
    """How the values are written; whole floats as whole numbers, durations as pandas prints them."""
    if pat.is_floating(values.type):
        # As a float: Arrow would bring a whole number to the values' own type, and refuse it where that is float32.
        whole = pc.and_(_is_whole(values), pc.less_equal(pc.abs(values), float(EXACT_FLOATS)))
        digits = only(values, whole).cast(pa.int64()).cast(pa.string())
        return pc.coalesce(digits, values.cast(pa.string()))
    if pat.is_duration(values.type):
        return _durations_as_text(values)
    if pat.is_timestamp(values.type) and values.type.tz is not None:
        return each(lambda some: pc.strftime(some, format="%Y-%m-%d %H:%M:%S%z"), values, pa.string())
    return values.cast(pa.string())


def _durations_as_text(values: pa.Array) -> pa.Array:
    """As pandas prints each one by itself; of a column, it leaves out the time of day where all are whole days."""
    missing = values.is_null().to_numpy(zero_copy_only=False)
    ticks: npt.NDArray[np.int64] = values.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    seconds, fraction = np.divmod(ticks, 10**9 // NANOSECONDS[values.type.unit])
    days, rest = np.divmod(seconds, 86_400)
    nanos = fraction * NANOSECONDS[values.type.unit]
    texts = np.char.add(np.char.mod("%d days ", days), np.where(days < 0, "+", ""))
    for sign, part in (("", rest // 3600), (":", rest // 60 % 60), (":", rest % 60)):
        texts = np.char.add(texts, np.char.mod(f"{sign}%02d", part))
    decimals = np.where(nanos % 1000, np.char.mod(".%09d", nanos), np.char.mod(".%06d", nanos // 1000))
    texts = np.char.add(texts, np.where(nanos, decimals, ""))
    return pa.array(texts, pa.string(), mask=missing)


def _is_whole(values: pa.Array) -> pa.Array:
    return pc.and_(pc.is_finite(values), pc.equal(pc.floor(values), values))


def _rounded(values: pa.Array, target: pa.DataType) -> pa.Array:
    """Floats as decimals where they stand for one: 0.1 is a tenth, 1/3 is none."""
    numbers = values.cast(pa.float64()).fill_null(np.nan).to_numpy(zero_copy_only=False)
    with np.errstate(all="ignore"):
        scaled = numbers * 10.0**target.scale
        stands = np.isfinite(scaled)
        stands &= np.abs(scaled - np.rint(scaled)) <= 1e-9 * np.maximum(1.0, np.abs(scaled))
    texts = np.char.mod(f"%.{max(0, target.scale)}f", np.where(stands, numbers, 0.0))
    return cast_each(only(pa.array(texts, pa.string()), pa.array(stands)), target)


def _moments(values: pa.Array, target: pa.DataType, *, cut: bool) -> pa.Array:
    held = values.type
    zone = target.tz if pat.is_timestamp(target) else None
    if held.tz is not None and zone is None:
        values = pc.local_timestamp(values)
    ticks = values.cast(pa.int64())
    if held.tz is None and zone is not None:
        return in_zone(_scaled(ticks, NANOSECONDS[held.unit], pa.timestamp(target.unit), cut=cut), target)
    return _scaled(ticks, NANOSECONDS[held.unit], target, cut=cut)


def _scaled(ticks: pa.Array, nanoseconds: int, target: pa.DataType, *, cut: bool) -> pa.Array:
    """Ticks of so many nanoseconds as a type with ticks of its own; missing where they do not fit."""
    wanted = DAY if pat.is_date(target) else NANOSECONDS[target.unit]
    missing = ticks.is_null().to_numpy(zero_copy_only=False)
    counts: npt.NDArray[np.int64] = ticks.fill_null(0).to_numpy(zero_copy_only=False)
    if nanoseconds < wanted:
        counts, rest = np.divmod(counts, wanted // nanoseconds)
        lost = missing if cut else missing | (rest != 0)
    else:
        factor = nanoseconds // wanted
        lost = missing | (np.abs(counts.astype(np.float64)) >= 2.0**63 / factor)
        counts = np.where(lost, 0, counts) * factor
    whole = pa.array(counts, pa.int64(), mask=lost)
    return cast_each(whole, pa.int32()).cast(target) if pat.is_date(target) else whole.cast(target)

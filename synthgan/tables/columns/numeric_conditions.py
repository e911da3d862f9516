"""Conditions on numbers and times: from predicates to codes and position intervals."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from synthgan.errors import ConditionError
from synthgan.tables.axes.axis import Axis
from synthgan.tables.axes.raw_numbers import Numbers
from synthgan.tables.columns.numeric_levels import INFINITE_LEVELS, NumericLevels
from synthgan.tables.columns.protocol import LevelCondition
from synthgan.tables.conditions.predicates import AnyOf, Between, Equals, Missing, Predicate

Tick = float | int
Interval = tuple[Tick, Tick]

NARROWEST = 1 / 256
"""A single value is asked of a bin through a window at least this wide; decoded values then move onto the value."""

_RESOLUTION = 1e-5  # of positions: narrower ranges are asked for through a wider window, too


def compile_numeric(levels: NumericLevels, predicate: Predicate) -> LevelCondition:
    """Which codes and positions decode to values that meet the predicate, or come near enough to be moved onto them.

    Raises:
        ConditionError: when none does.
    """
    allowed = np.zeros(levels.n_levels, dtype=bool)
    lower = np.zeros(levels.n_levels, dtype=np.float32)
    upper = np.ones(levels.n_levels, dtype=np.float32)
    if levels.missing is not None:
        allowed[levels.missing] = isinstance(predicate, Missing) or (isinstance(predicate, AnyOf) and predicate.missing)
    for name, value in INFINITE_LEVELS.items():
        if name in levels.special:
            allowed[levels.special[name]] = _takes_infinity(predicate, value)
    intervals = _intervals(levels.axis, predicate)
    for code, spike in zip(levels.spike_codes, levels.spikes, strict=True):
        allowed[code] = any(low <= spike <= high for low, high in intervals)
    window = _RESOLUTION if isinstance(predicate, Between) else NARROWEST
    exact = True
    for code, parts in _parts_of_bins(levels, intervals).items():
        allowed[code] = True
        start, stop = min(part[0] for part in parts), max(part[1] for part in parts)
        exact &= len(parts) == 1
        if stop - start < window:
            middle = min(max((start + stop) / 2, window / 2), 1 - window / 2)
            start, stop, exact = middle - window / 2, middle + window / 2, False
        lower[code], upper[code] = start, stop
    if not allowed.any():
        raise ConditionError(
            f"no value that the model can generate for column '{levels.name}' meets its condition; rare values and "
            "extremes are not learned, so ask for a wider range or for commoner values"
        )
    # Ticks are wall times: where a clock change repeats an hour, they do not tell its two halves apart.
    exact &= isinstance(predicate, Missing) or not levels.axis.has_clock_changes
    return LevelCondition(
        allowed=allowed,
        lower=lower,
        upper=upper,
        is_exact=exact,
        snap=partial(_snap, levels, predicate),
        is_exact_when_snapped=not levels.axis.has_clock_changes,
    )


def _snap(levels: NumericLevels, predicate: Predicate, array: pa.Array) -> pa.Array:
    """Values moved to the nearest one that the predicate asks for; missing and infinite ones stay."""
    readings = levels.axis.read(array)
    finite = readings.finite
    if isinstance(predicate, Between):
        limits = np.iinfo(np.int64) if levels.axis.is_gridded else np.finfo(levels.axis.dtype)
        low, high = _intervals(levels.axis, predicate)[0]
        ticks = np.clip(readings.ticks, max(low, limits.min), min(high, limits.max))
        moved = levels.axis.write(ticks, None)
        unmoved = ticks == readings.ticks
        finite = ~unmoved if finite is None else finite & ~unmoved
    else:
        on_grid = [v for v in _wanted(predicate) if levels.axis.tick_at_least(v) == levels.axis.tick_at_most(v)]
        values = pa.array(on_grid, type=array.type)
        wanted = levels.axis.read(values)
        usable = np.flatnonzero(np.ones(len(values), dtype=bool) if wanted.finite is None else wanted.finite)
        usable = usable[np.argsort(wanted.ticks[usable], kind="stable")]
        if not len(usable):
            return array
        near = wanted.ticks[usable].astype(np.float64)
        middle = near[:-1] + (near[1:] - near[:-1]) / 2
        moved = values.take(pa.array(usable[np.searchsorted(middle, readings.ticks.astype(np.float64))]))
    return moved if finite is None else pc.if_else(pa.array(finite), moved, array)


def _wanted(predicate: Predicate) -> tuple[Any, ...]:
    if isinstance(predicate, Equals):
        return (predicate.value,)
    return predicate.values if isinstance(predicate, AnyOf) else ()


def _takes_infinity(predicate: Predicate, value: float) -> bool:
    if isinstance(predicate, Between):
        return predicate.high is None if value > 0 else predicate.low is None
    return any(isinstance(wanted, float) and wanted == value for wanted in _wanted(predicate))


def _intervals(axis: Axis, predicate: Predicate) -> list[Interval]:
    """Closed tick intervals that meet the predicate, ascending and merged where they touch."""
    if isinstance(predicate, Missing):
        return []
    if isinstance(predicate, Between):
        low = axis.tick_at_least(predicate.low)
        high = axis.tick_at_most(predicate.high)
        if low is not None and not predicate.includes_low and axis.tick_at_most(predicate.low) == low:
            low = _next(axis, low, +1)
        if high is not None and not predicate.includes_high and axis.tick_at_least(predicate.high) == high:
            high = _next(axis, high, -1)
        return [(-np.inf if low is None else low, np.inf if high is None else high)]
    found: list[Interval] = []
    for value in _wanted(predicate):
        low, high = axis.tick_at_least(value), axis.tick_at_most(value)
        if low is not None and low == high:
            found.append((low, low))
    merged: list[Interval] = []
    for low, high in sorted(found):
        if merged and axis.is_gridded and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged


def _parts_of_bins(levels: NumericLevels, intervals: list[Interval]) -> dict[int, list[tuple[float, float]]]:
    """Position intervals by the code of their bin."""
    segments = levels.segments
    found: dict[int, list[tuple[float, float]]] = {}
    if not len(segments):
        return found
    for low, high in intervals:
        rows = np.flatnonzero((segments.last >= low) & (segments.start <= high))
        for index in np.unique(segments.bin[rows]):
            part = _part_of_bin(levels, int(index), low, high)
            found.setdefault(int(levels.bin_codes[index]), []).append(part)
        has_spike = ((levels.spikes >= low) & (levels.spikes <= high)).any()
        if not len(rows) and not has_spike and segments.start[0] <= high and low <= segments.last[-1]:
            # Between two pieces of a quantile function: the nearer one stands in, and values move from there.
            code, position = levels.lookup.place(low)
            found.setdefault(code, []).append((position, position))
    return found


def _next(axis: Axis, tick: Tick, direction: int) -> Tick:
    if axis.is_gridded:
        return tick + direction
    return float(np.nextafter(axis.dtype.type(tick), axis.dtype.type(direction * np.inf)))


def _part_of_bin(levels: NumericLevels, index: int, low: Tick, high: Tick) -> tuple[float, float]:
    """Position interval of a bin whose ticks lie in ``[low, high]``; there must be some."""
    segments = levels.segments
    rows = np.flatnonzero((segments.bin == index) & (segments.last >= low) & (segments.start <= high))
    first, final = rows[0], rows[-1]
    position, slope = segments.first_position, segments.share_per_tick
    unit = 1.0 if levels.axis.is_gridded else 0.0
    start, stop = position[first], position[final] + segments.share[final]
    if low > segments.start[first]:
        start += _gap(segments.start[first], low) * slope[first]
    if high < segments.last[final]:
        stop = position[final] + (_gap(segments.start[final], high) + unit) * slope[final]
    elif final + 1 == len(segments) or segments.bin[final + 1] != index:
        stop = 1.0
    return _round_inwards(levels, int(levels.bin_codes[index]), (low, high), float(start), float(stop))


def _gap(start: Tick, tick: Tick) -> float:
    """Distance in ticks; Python integers do not overflow."""
    return float(int(tick) - int(start)) if isinstance(start, int | np.integer) else float(tick) - float(start)


def _round_inwards(
    levels: NumericLevels, code: int, wanted: Interval, start: float, stop: float
) -> tuple[float, float]:
    """The interval in float32, shrunk by a few units in the last place until both its ends decode to wanted ticks."""
    lower, upper = np.float32(max(start, 0.0)), np.float32(min(stop, 1.0))
    for _ in range(8):
        low_tick, high_tick = _decode(levels, code, lower, upper)
        lower_fits, upper_fits = low_tick >= wanted[0], high_tick <= wanted[1]
        if lower_fits and upper_fits:
            break
        lower = lower if lower_fits else np.nextafter(lower, np.float32(2))
        upper = upper if upper_fits else np.nextafter(upper, np.float32(-1))
    return float(lower), float(upper)


def _decode(levels: NumericLevels, code: int, lower: np.float32, upper: np.float32) -> Numbers:
    return levels.curve.ticks(np.array([code, code]), np.array([lower, upper]))

"""The axis of a column whose grid nobody declared: found from its values, all of them, in one pass."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as pat

from synthgan.tables.arrow_types import NANOSECONDS
from synthgan.tables.axes.axis import Axis
from synthgan.tables.axes.decimal_digits import DecimalFrame, is_saturated, ruled_out
from synthgan.tables.axes.grid_search import GridSearch
from synthgan.tables.axes.grids import Grid
from synthgan.tables.axes.raw_numbers import Clock, decimals_needed, has_zone, raw_day, wall_times, whole_floats

_TIME_STEPS_SECONDS = (86_400, 3_600, 1_800, 900, 600, 300, 60, 30, 15, 10, 5, 1)
_CLEARLY = 0.75  # of the points on the wall: a grid in UTC must have fewer to be taken instead


class AxisSearch:
    """Finds the coarsest grid that all values lie on, and the unit it is counted in."""

    def __init__(
        self,
        arrow_type: pa.DataType,
        values: npt.NDArray[Any],
        counts: npt.NDArray[Any],
        *,
        exception_rows: float = math.inf,
        outer_rows: int = 0,
    ) -> None:
        """Start from raw values and their rows.

        Args:
            arrow_type: the column's type.
            values: ``(n,)`` distinct and ascending: floats, or raw whole numbers (of datetimes in a zone: instants).
            counts: ``(n,)`` rows of each.
            exception_rows: rows that a value off the grid of the others needs to belong to it all the same.
            outer_rows: outermost rows, on either side, that are moved inwards later and whose size has no say here: of
                floats and long decimals they need not lie on the grid, and no grid is likelier because of how far out
                they lie. In small tables fewer.
        """
        self._type = arrow_type
        self._reach = math.inf
        self._decimals: int | None = 0
        self._searches: dict[Clock, GridSearch] = {}
        if not len(values):
            return
        outer_rows = ruled_out(int(counts.sum()), outer_rows)
        if pat.is_floating(arrow_type):
            self._reach = _reach(np.abs(values.astype(np.float64)), counts, outer_rows)
            self._decimals = self._needed(values)
        counts = counts[self._judged(values)]
        for clock, raw in self._readings(values).items():
            self._searches[clock] = GridSearch(
                *distinct(raw, counts),
                natural=natural_steps(arrow_type),
                day=raw_day(arrow_type),
                exception_rows=exception_rows,
                outer_rows=outer_rows,
            )

    def add(self, values: npt.NDArray[Any]) -> None:
        """Take values of further rows; any order, and repeated ones, will do."""
        before = self._decimals
        if before is None:
            return
        if pat.is_floating(self._type):
            self._decimals = self._needed(values)
        for clock, raw in self._readings(values).items():
            search = self._searches[clock]
            if self._decimals != before:
                search.scale(10 ** ((self._decimals or 0) - before))
            search.add(raw)

    def axis(self, frame: DecimalFrame) -> Axis:
        """The axis of all values so far; decimals are counted in ``frame``."""
        if self._decimals is None:
            return Axis(arrow_type=self._type, grid=None)
        grids = {clock: search.grid() for clock, search in self._searches.items()}
        grid, clock = grids.get("wall", Grid(step=1)), _WALL
        if "utc" in grids:
            n_wall, n_utc = (grids[at].n_points(*self._searches[at].range) for at in (_WALL, _UTC))
            if n_utc < _CLEARLY * n_wall:
                grid, clock = grids["utc"], _UTC
        decimals, origin = self._decimals, 0
        if pat.is_decimal(self._type):
            decimals, origin = frame.dropped, frame.origin
        return Axis(arrow_type=self._type, grid=grid, decimals=decimals, origin=origin, clock=clock)

    def _needed(self, values: npt.NDArray[Any]) -> int | None:
        at_least = 0 if self._decimals is None else self._decimals
        values = values[self._judged(values)]
        largest = self._reach
        if math.isinf(largest):
            largest = float(np.abs(values).max(initial=0.0))
        return decimals_needed(values, largest, at_least=at_least, single_precision=not pat.is_float64(self._type))

    def _judged(self, values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """``(n,)`` bool: values that must lie on the grid."""
        if pat.is_floating(self._type):
            return np.abs(values) <= self._reach
        if pat.is_decimal(self._type):
            return ~is_saturated(values)
        return np.ones(len(values), dtype=bool)

    def _readings(self, values: npt.NDArray[Any]) -> dict[Clock, npt.NDArray[Any]]:
        """The values as whole numbers, by the clock that they are read from; none without a value."""
        values = values[self._judged(values)]
        if self._decimals is None or not len(values):
            return {}
        if pat.is_floating(self._type):
            return {_WALL: whole_floats(values, self._decimals)}
        return {_WALL: wall_times(values, self._type), _UTC: values} if has_zone(self._type) else {_WALL: values}


def _reach(sizes: npt.NDArray[np.float64], counts: npt.NDArray[Any], outer_rows: int) -> float:
    """The largest size that more than ``outer_rows`` rows have or exceed; infinite where none is to be left out."""
    if not outer_rows:
        return math.inf
    order = np.argsort(-sizes, kind="stable")
    rows = np.cumsum(counts[order])
    return float(sizes[order][np.searchsorted(rows, outer_rows, side="right")])


_WALL: Clock = "wall"
_UTC: Clock = "utc"


def natural_steps(arrow_type: pa.DataType) -> tuple[int, ...]:
    """Steps whose multiples need no evidence, coarsest first, in raw units: of a clock, or powers of ten; down to 1."""
    if pat.is_date32(arrow_type):
        return (1,)
    if not (pat.is_timestamp(arrow_type) or pat.is_duration(arrow_type)):
        return tuple(10**power for power in range(18, -1, -1))
    per_second = 10**9 // NANOSECONDS[arrow_type.unit]
    steps = [seconds * per_second for seconds in _TIME_STEPS_SECONDS]
    return (*steps, *(per_second // 10**power for power in (3, 6, 9) if per_second >= 10**power))


def distinct(values: npt.NDArray[Any], counts: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Distinct values in ascending order with their summed counts."""
    if not len(values):
        return values, counts
    order = np.argsort(values, kind="stable")
    values, counts = values[order], counts[order]
    first = np.flatnonzero(np.concatenate(([True], values[1:] != values[:-1])))
    return values[first], np.add.reduceat(counts, first)

"""Which grid a column's values lie on: the coarsest one that all of them share, unless chance would explain it.

A few values always share some grid. Whether one was meant shows in how many values keep to it that could have lain
between its points: had the values been drawn at random from the points of a finer grid, the chance that all of them
hit the coarse one would be ``C(n_coarse, n) / C(n_fine, n)``. Minus its base-two logarithm is the evidence, in bits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from synthgan.tables.axes.calendars import Calendar, rules_of, widened
from synthgan.tables.axes.grids import MAX_EXCEPTIONS, Grid

ROUND_BITS, OFFSET_BITS, CALENDAR_BITS = 6.0, 10.0, 18.0
"""Evidence that a grid needs: of multiples of a step, of such with an offset, of days of a calendar. The more grids
there are of a kind, the more likely one of them fits by chance."""

FEWEST_BESIDE = 30
"""Fewest distinct values on a grid beside which frequent others are taken for exceptions."""

_CLEARLY = 0.75  # of the points: a grid with exceptions must leave out more than that, or it is not worth them
_MOST_TERMS = 4096  # of a sum that only grows


class GridEvidence:
    """What values of raw whole numbers have in common, updated batch by batch."""

    def __init__(
        self,
        values: npt.NDArray[Any],
        counts: npt.NDArray[Any],
        natural: Sequence[int],
        day: int,
        outer_rows: int,
    ) -> None:
        """Start from distinct values.

        Args:
            values: ``(n,)`` at least one, ascending; int64 or uint64.
            counts: ``(n,)`` rows of each.
            natural: steps that need no evidence, coarsest first, down to 1.
            day: raw units in a day, 0 when the type is no date.
            outer_rows: rows on either side that must lie on the grid, but are no evidence for it.
        """
        self._natural = natural
        self._day = day
        inner = values[_inner(counts, outer_rows)]
        self._n_values = len(inner)
        self._reference = int(values[0])
        self.low, self.high = int(inner[0]), int(inner[-1])
        self._divisor = 0
        self._n_days, self._rules = 0, list[Calendar]()
        self._has_outer = outer_rows > 0
        if day:
            self._n_days = len(np.unique(inner // np.int64(day)))
            self._rules = rules_of(np.unique(values // np.int64(day)))
        self._widen(values)

    def add(self, values: npt.NDArray[Any]) -> None:
        """Take further values."""
        if not len(values):
            return
        if self._rules:
            days = np.unique(values // np.int64(self._day))
            wider = [widened(rule, days) for rule in self._rules]
            self._rules = [rule for rule in wider if rule is not None]
        self._widen(values)

    def _widen(self, values: npt.NDArray[Any]) -> None:
        lowest = values.min()
        # Differences of 64-bit numbers need all 64 bits.
        apart = int(np.gcd.reduce(values.view(np.uint64) - lowest.view(np.uint64)))
        self._divisor = math.gcd(self._divisor, apart, int(lowest) - self._reference)
        if not self._has_outer:
            self.low, self.high = min(self.low, int(lowest)), max(self.high, int(values.max()))

    def scale(self, factor: int) -> None:
        """Count in raw units that are so many times smaller."""
        self._reference, self._divisor = self._reference * factor, self._divisor * factor
        self.low, self.high = self.low * factor, self.high * factor

    def grid(self) -> Grid:
        """The coarsest grid that is no chance."""
        found = self._steps()
        step = math.gcd(found.step, self._day)
        fewest = found.n_points(self.low, self.high)
        for rule in self._rules:
            days = Grid(step=step, offset=self._reference % step, calendar=rule, day=self._day)
            first, last = self.low // self._day, self.high // self._day
            n_days = Grid(step=1, calendar=rule, day=1).n_points(first, last)
            if self._bits(last - first + 1, n_days, self._n_days) < CALENDAR_BITS:
                continue
            if (n_points := days.n_points(self.low, self.high)) < fewest:
                found, fewest = days, n_points
        return found

    def _steps(self) -> Grid:
        divisor, rounded = self._divisor, math.gcd(self._divisor, self._reference)
        finest = self._natural_step(rounded)
        candidates = [divisor, self._natural_step(divisor), rounded]
        for step in sorted({step for step in candidates if step > finest}, reverse=True):
            n_fine, n_coarse = ((self.high - self.low) // width + 1 for width in (finest, step))
            needed = OFFSET_BITS if self._reference % step else ROUND_BITS
            if self._bits(n_fine, n_coarse, self._n_values) >= needed:
                return Grid(step=step, offset=self._reference % step)
        return Grid(step=finest, offset=self._reference % finest)

    def _natural_step(self, divisor: int) -> int:
        if not divisor:
            return self._natural[-1]
        return next(step for step in self._natural if divisor % step == 0)

    @staticmethod
    def _bits(n_fine: int, n_coarse: int, n_values: int) -> float:
        """Evidence for the coarse grid; the outermost two values only say where it starts and ends."""
        n_free = min(n_values - 2, n_coarse - 2, _MOST_TERMS)
        if n_free < 1:
            return 0.0
        taken = np.arange(n_free, dtype=np.float64)
        return float(np.log2((n_fine - 2 - taken) / (n_coarse - 2 - taken)).sum())


def _inner(counts: npt.NDArray[Any], outer_rows: int) -> slice:
    """The values between the rows of the given rank from either end; all of them at rank 0."""
    low = int(np.searchsorted(np.cumsum(counts), outer_rows, side="right"))
    high = len(counts) - int(np.searchsorted(np.cumsum(counts[::-1]), outer_rows, side="right"))
    return slice(low, high) if low < high else slice(low := min(low, len(counts) - 1), low + 1)


class GridSearch:
    """Finds the grid of a column, and which frequent values off it belong to it all the same."""

    def __init__(
        self,
        values: npt.NDArray[Any],
        counts: npt.NDArray[Any],
        *,
        natural: Sequence[int] = (1,),
        day: int = 0,
        exception_rows: float = math.inf,
        outer_rows: int = 0,
    ) -> None:
        """Start from distinct ascending values and their rows; exceptions need ``exception_rows``."""
        self._exceptions = values[:0]
        self._evidence = GridEvidence(values, counts, natural, day, outer_rows)
        frequent = np.flatnonzero(counts >= exception_rows)
        if not len(frequent) or len(values) < FEWEST_BESIDE + MAX_EXCEPTIONS:
            return
        heaviest = frequent[np.argsort(-counts[frequent], kind="stable")[:MAX_EXCEPTIONS]]
        rest = GridEvidence(np.delete(values, heaviest), np.delete(counts, heaviest), natural, day, outer_rows)
        grid, low, high = rest.grid(), rest.low, rest.high
        if grid.n_points(low, high) < _CLEARLY * self._evidence.grid().n_points(low, high):
            chosen = values[np.sort(heaviest)]
            points = np.array([grid.raw_one(grid.floor_one(value)) for value in chosen.tolist()], dtype=values.dtype)
            self._exceptions = chosen[points != chosen]
            rest.add(chosen[points == chosen])
            self._evidence = rest

    def add(self, values: npt.NDArray[Any]) -> None:
        """Take values of further rows."""
        self._evidence.add(values[~np.isin(values, self._exceptions)] if len(self._exceptions) else values)

    def scale(self, factor: int) -> None:
        """Count in raw units that are so many times smaller."""
        self._evidence.scale(factor)
        self._exceptions = self._exceptions * self._exceptions.dtype.type(factor)

    def grid(self) -> Grid:
        """The grid of all values so far."""
        grid = self._evidence.grid()
        off = tuple(value for value in self._exceptions.tolist() if grid.raw_one(grid.floor_one(value)) != value)
        return Grid(step=grid.step, offset=grid.offset, calendar=grid.calendar, day=grid.day, exceptions=off)

    @property
    def range(self) -> tuple[int, int]:
        """Between which values the evidence lies, exceptions left out."""
        return self._evidence.low, self._evidence.high

"""The grids that values lie on: every so many units from some offset, or days of a calendar, with single exceptions.

A grid numbers its points: point number *tick* and the next one are neighbours. So what calculates with ticks (bins,
positions, conditions, ranges) knows nothing of grids, and every tick is a value of the grid.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from synthgan.tables.axes.calendars import Calendar, Days, parse_calendar

MAX_EXCEPTIONS = 8
"""Most values off a grid that belong to it all the same."""

_FURTHEST_NUMBER = 10**10  # of a calendar's days: beyond any date, and safe to multiply


@dataclass(frozen=True, kw_only=True, slots=True)
class Grid:
    """Places ``offset + n * step`` for all whole n, in raw units; of a calendar's days only, where there is one.

    Attributes:
        step: raw units from one place to the next, at least 1; with a calendar it divides the day.
        offset: of the places, at least 0 and below ``step``.
        calendar: the days that the places are on; None for every day.
        day: raw units in a day; with a calendar only.
        exceptions: up to `MAX_EXCEPTIONS` raw numbers, ascending, that are none of these places and belong to the grid.

    Raises:
        ValueError: when the parts do not fit together.
    """

    step: int
    offset: int = 0
    calendar: Calendar | None = None
    day: int = 0
    exceptions: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Check the parts against each other."""
        whole = all(_is_whole(part) for part in (self.step, self.offset, self.day, *self.exceptions))
        if not whole or not 1 <= self.step < 2**63 or not 0 <= self.offset < self.step:
            raise ValueError("a grid needs a whole step of at least 1, and an offset from 0 up to the step")
        if self.calendar is not None and (self.day < 1 or self.day % self.step):
            raise ValueError("the step of a grid of days must divide the day")
        in_order = all(low < high for low, high in zip(self.exceptions, self.exceptions[1:], strict=False))
        if len(self.exceptions) > MAX_EXCEPTIONS or not in_order or any(map(self._is_place, self.exceptions)):
            raise ValueError("the exceptions of a grid must ascend and lie off it")

    @property
    def slots(self) -> int:
        """Places in a day of the calendar."""
        return self.day // self.step

    def floor(self, raw: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """Tick of the last point that is not above each of some raw numbers (int64 or uint64)."""
        if self.calendar is None:
            ticks = _floor_divide(raw, self.step, self.offset)
        else:
            days, inside = np.divmod(raw, np.int64(self.day))
            numbers = self.calendar.floor(days)
            slot = _floor_divide(inside, self.step, self.offset)
            ticks = numbers * self.slots + np.where(self.calendar.day(numbers) == days, slot, self.slots - 1)
        if self.exceptions:
            ticks = ticks + np.searchsorted(np.array(self.exceptions, dtype=raw.dtype), raw, side="right")
        return ticks

    def below(self, raw: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """The last point that is not above each of some raw numbers."""
        return self.raw(self.floor(raw))

    def above(self, raw: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """The first point that is not below each of some raw numbers."""
        ticks = self.floor(raw)
        return self.raw(ticks + (self.raw(ticks) < raw))

    def raw(self, ticks: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Raw numbers of the points; those of uint64 wrap around, as their bits do."""
        if not self.exceptions:
            return self._places(ticks)
        own = np.array(self._ticks_of_exceptions(), dtype=np.int64)
        before = np.searchsorted(own, ticks)
        held = own[np.minimum(before, len(own) - 1)] == ticks
        bits = np.array([value & (2**64 - 1) for value in self.exceptions], dtype=np.uint64).view(np.int64)
        return np.where(held, bits[np.minimum(before, len(own) - 1)], self._places(ticks - before))

    def floor_one(self, value: Fraction | int) -> int:
        """Tick of the last point that is not above ``value``, exactly."""
        return self._place_below(value) + bisect.bisect_right(self.exceptions, value)

    def ceil_one(self, value: Fraction | int) -> int:
        """Tick of the first point that is not below ``value``, exactly."""
        tick = self.floor_one(value)
        return tick if self.raw_one(tick) == value else tick + 1

    def raw_one(self, tick: int) -> int:
        """Raw number of one point, exactly."""
        own = self._ticks_of_exceptions()
        before = bisect.bisect_left(own, tick)
        return self.exceptions[before] if before < len(own) and own[before] == tick else self._place(tick - before)

    def n_points(self, low: int, high: int) -> int:
        """How many points lie from ``low`` to ``high``, both included."""
        return self.floor_one(high) - self.ceil_one(low) + 1

    def _ticks_of_exceptions(self) -> list[int]:
        return [self._place_below(value) + 1 + before for before, value in enumerate(self.exceptions)]

    def _is_place(self, value: int) -> bool:
        return self._place(self._place_below(value)) == value

    def _place_below(self, value: Fraction | int) -> int:
        if self.calendar is None:
            return math.floor((value - self.offset) / Fraction(self.step))
        day, inside = divmod(math.floor(value), self.day)
        number = int(self.calendar.floor(_one(day))[0])
        slot = (inside - self.offset) // self.step if self._day(number) == day else self.slots - 1
        return number * self.slots + slot

    def _place(self, index: int) -> int:
        if self.calendar is None:
            return index * self.step + self.offset
        number, slot = divmod(index, self.slots)
        return self._day(number) * self.day + slot * self.step + self.offset

    def _day(self, number: int) -> int:
        assert self.calendar is not None
        return int(self.calendar.day(_one(number))[0])

    def _places(self, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        if self.calendar is None:
            return indices if self.step == 1 else indices * np.int64(self.step) + np.int64(self.offset)
        numbers, slot = np.divmod(indices, np.int64(self.slots))
        places: npt.NDArray[np.int64] = self.calendar.day(numbers) * self.day + slot * self.step + self.offset
        return places

    def without_exceptions(self) -> Grid:
        """A grid of equal steps that all points lie on, the exceptions among them."""
        step = self.step
        for value in self.exceptions:
            step = math.gcd(step, value - self.offset)
        calendar = None if self.exceptions else self.calendar
        return Grid(step=step, offset=self.offset % step, calendar=calendar, day=self.day if calendar else 0)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; what is as usual is left out."""
        content: dict[str, Any] = {"step": self.step}
        if self.offset:
            content["offset"] = self.offset
        if self.calendar is not None:
            content["calendar"] = self.calendar.text
        if self.exceptions:
            content["exceptions"] = list(self.exceptions)
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any], day: int) -> Grid:
        """The grid that `to_json` wrote, for a type with so many raw units in a day (0: a type without days).

        Raises:
            ValueError: when a part is of another form, or they do not fit together.
        """
        text, exceptions = content.get("calendar"), content.get("exceptions", [])
        calendar = None if text is None else parse_calendar(text)
        if (text is not None and (calendar is None or not day)) or not isinstance(exceptions, list):
            raise ValueError("a grid names an unknown calendar, or one for a type without days")
        if not all(_is_whole(value) and -(2**63) <= value < 2**64 for value in exceptions):
            raise ValueError("the exceptions of a grid must be whole numbers of 64 bits")
        return cls(
            step=content["step"],
            offset=content.get("offset", 0),
            calendar=calendar,
            day=0 if calendar is None else day,
            exceptions=tuple(exceptions),
        )


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _one(value: int) -> Days:
    return np.array([max(-_FURTHEST_NUMBER, min(value, _FURTHEST_NUMBER))], dtype=np.int64)


def _floor_divide(raw: npt.NDArray[Any], step: int, offset: int) -> npt.NDArray[np.int64]:
    if step == 1:
        return raw.astype(np.int64, copy=False)
    # The offset is not subtracted: the difference might not fit.
    held = raw.dtype.type
    whole = (raw // held(step)).astype(np.int64, copy=False)
    if not offset:
        return whole
    ticks: npt.NDArray[np.int64] = whole - (raw - raw // held(step) * held(step) < held(offset))
    return ticks

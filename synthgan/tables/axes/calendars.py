"""Days that recur by the calendar: starts and ends of months, quarters and years, days of the month or of the week.

Each rule numbers its days, so that day number n and the next one are neighbours. Days are counted from 1970-01-01.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Days: TypeAlias = npt.NDArray[np.int64]
"""``(n,)`` days since 1970-01-01, or numbers of a rule's days."""

LAST_DAY = 31
"""Day of the month that stands for its last one; 29 and 30 are the last one in months that are shorter."""

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_BUSINESS = (0, 1, 2, 3, 4)
_TO_MONDAY = 3  # 1970-01-01 was a Thursday
_PERIODS = {"month": 1, "quarter": 3, "half-year": 6, "year": 12}
_MONTHS = re.compile(
    r"(?P<business>business-)?(?P<period>month|quarter|half-year|year|(?P<every>[1-9]\d{0,3})-months)"
    r"-(?P<day>start|end|[1-9]|[12]\d|30)(?:\+(?P<shift>[1-9]\d{0,3}))?"
)
_FURTHEST_DAY = 10**12  # beyond any date that a type can hold, and far inside what numpy's calendar reckons with


class Calendar(Protocol):
    """A rule that days keep to."""

    def floor(self, days: Days) -> Days:
        """Number of the rule's last day that is not after each of ``days``."""

    def day(self, numbers: Days) -> Days:
        """The rule's days with these numbers."""

    @property
    def text(self) -> str:
        """The rule as `parse_calendar` reads it."""


@dataclass(frozen=True, slots=True)
class Weekdays:
    """Some days of every week.

    Attributes:
        days: weekdays in order, Monday 0; at least one.
    """

    days: tuple[int, ...]

    def floor(self, days: Days) -> Days:
        """See `Calendar.floor`."""
        week, weekday = np.divmod(_in_reach(days) + _TO_MONDAY, 7)
        not_after = np.searchsorted(np.array(self.days), np.arange(7), side="right")
        numbers: Days = week * len(self.days) + not_after[weekday] - 1
        return numbers

    def day(self, numbers: Days) -> Days:
        """See `Calendar.day`."""
        week, place = np.divmod(numbers, len(self.days))
        days: Days = _in_reach(week) * 7 + np.array(self.days)[place] - _TO_MONDAY
        return days

    @property
    def text(self) -> str:
        """See `Calendar.text`."""
        return "business-days" if self.days == _BUSINESS else "+".join(_WEEKDAYS[day] for day in self.days)


@dataclass(frozen=True, slots=True)
class MonthDays:
    """One day in every so many months.

    Attributes:
        every: months from one day to the next.
        first: months after January 1970 of the day with the number 0, below ``every``.
        day_of_month: 1 to `LAST_DAY`; a month that is shorter gives its last day.
        roll: where a day falls on a weekend: -1 gives the Friday before, 1 the Monday after, 0 the day itself.
    """

    every: int
    first: int
    day_of_month: int
    roll: int = 0

    def floor(self, days: Days) -> Days:
        """See `Calendar.floor`."""
        days = _in_reach(days)
        numbers = (_month(days) - self.first) // self.every
        return numbers - (self.day(numbers) > days)

    def day(self, numbers: Days) -> Days:
        """See `Calendar.day`."""
        months = np.clip(numbers, -_FURTHEST_DAY // self.every, _FURTHEST_DAY // self.every) * self.every + self.first
        return _rolled(_day_in_month(months, self.day_of_month), self.roll)

    @property
    def text(self) -> str:
        """See `Calendar.text`."""
        period = next((name for name, months in _PERIODS.items() if months == self.every), f"{self.every}-months")
        at_end = self.day_of_month == LAST_DAY
        day = "end" if at_end else "start" if self.day_of_month == 1 else str(self.day_of_month)
        shift = (self.first - (self.every - 1 if at_end else 0)) % self.every
        return f"{'business-' if self.roll else ''}{period}-{day}{f'+{shift}' if shift else ''}"


def parse_calendar(text: Any) -> Calendar | None:
    """The rule that a text names, None when it names none.

    Known are ``business-days``; weekdays like ``mon+wed+fri``; and ``PERIOD-DAY``, where the period is ``month``,
    ``quarter``, ``half-year``, ``year`` or like ``2-months``, and the day ``start``, ``end`` or the day of the first
    month. ``+N`` behind it shifts by N months, and ``business-`` before a start or end asks for the period's first
    or last day from Monday to Friday.
    """
    if not isinstance(text, str):
        return None
    if text == "business-days":
        return Weekdays(_BUSINESS)
    names = text.split("+")
    if set(names) <= set(_WEEKDAYS):
        days = tuple(sorted({_WEEKDAYS.index(name) for name in names}))
        return Weekdays(days) if len(days) == len(names) else None
    match = _MONTHS.fullmatch(text)
    if match is None:
        return None
    every = int(match["every"]) if match["every"] else _PERIODS[match["period"]]
    at_end, at_start = match["day"] == "end", match["day"] == "start"
    if match["business"] and not (at_end or at_start):
        return None
    return MonthDays(
        every=every,
        first=((every - 1 if at_end else 0) + int(match["shift"] or 0)) % every,
        day_of_month=LAST_DAY if at_end else 1 if at_start else int(match["day"]),
        roll=0 if not match["business"] else -1 if at_end else 1,
    )


def rules_of(days: Days) -> list[Calendar]:
    """The rules, coarsest of their kind, that all of some days keep to; at least two days."""
    rules: list[Calendar] = []
    weekdays = np.unique((days + _TO_MONDAY) % 7)
    if 1 < len(weekdays) < 7:
        rules.append(Weekdays(tuple(weekdays.tolist())))
    months = _month(days)
    apart = int(np.gcd.reduce(months - months[0]))
    day_of_month = int((days - _day_in_month(months, 1)).max()) + 1
    for day, roll in ((LAST_DAY, 0), (day_of_month, 0), (LAST_DAY, -1), (1, 1)):
        if apart and np.array_equal(_rolled(_day_in_month(months, day), roll), days):
            steps = {apart, math.gcd(apart, 12)}
            rules += [MonthDays(every, int(months[0]) % every, day, roll) for every in sorted(steps)]
            break
    return rules


def widened(rule: Calendar, days: Days) -> Calendar | None:
    """The rule for further days, too; None when there is none of its kind."""
    if np.array_equal(rule.day(rule.floor(days)), days):
        return rule
    if not isinstance(rule, Weekdays):
        return None
    weekdays = sorted({*rule.days, *np.unique((days + _TO_MONDAY) % 7).tolist()})
    return Weekdays(tuple(weekdays)) if len(weekdays) < 7 else None


def _in_reach(days: Days) -> Days:
    return np.clip(days, -_FURTHEST_DAY, _FURTHEST_DAY)


def _month(days: Days) -> Days:
    """Months since January 1970."""
    months: Days = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return months


def _day_in_month(months: Days, day_of_month: int) -> Days:
    start, following = (
        (months + after).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) for after in (0, 1)
    )
    days: Days = np.minimum(start + day_of_month - 1, following - 1)
    return days


def _rolled(days: Days, roll: int) -> Days:
    beyond_friday = np.maximum((days + _TO_MONDAY) % 7 - 4, 0)
    if roll < 0:
        return days - beyond_friday
    return days + np.where(beyond_friday > 0, 3 - beyond_friday, 0) if roll > 0 else days

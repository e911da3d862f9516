"""Formats of times that a text may have."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from functools import cache

from synthgan.tables.written.time_format import DAYS, TimeFormat

_D, _M = ("%d", "%-d"), ("%m", "%-m")
_JOINS = (" ", "T", ", ", "  ", " - ", "_", " at ", " um ")
_SUFFIX = re.compile(r"(?: ?(?:Z|[+-]\d{2}:?\d{2}|[+-]\d{2})| (?:UTC|GMT|Uhr|h))?")
_LONGEST = 64


_WEEKDAY = re.compile(r"(?P<name>[A-Z][a-z]+)(?P<sign>, |\\., | )")


@cache
def _numbered_dates() -> tuple[TimeFormat, ...]:
    """Ways to write a date in digits, those with leading zeros first; months of a year at the end."""
    patterns: list[str] = []
    for (day, month), year in itertools.product(itertools.product(_D, _M), ("%Y", "%y")):
        patterns += [sign.join((day, month, year)) for sign in (".", "/", "-", " ", ". ")]
        patterns += [sign.join((month, day, year)) for sign in (".", "/", "-", " ")]
        patterns += [sign.join((year, month, day)) for sign in ("-", "/", ".", " ") if year == "%Y" or sign == "-"]
    patterns.append("%Y%m%d")
    for month, sign in itertools.product(_M, ("-", "/", ".")):
        patterns += [sign.join(("%Y", month)), sign.join((month, "%Y"))]
    return _parsed(patterns)


@cache
def _named_dates() -> tuple[TimeFormat, ...]:
    """Ways to write a date with the name of its month; months of a year at the end."""
    patterns: list[str] = []
    for day, month, year in itertools.product(_D, ("%b", "%B"), ("%Y", "%y")):
        patterns += [sign.join((day, month, year)) for sign in (" ", "-", "/", ".", "")]
        patterns += [
            f"{day}. {month} {year}",
            f"{month} {day}, {year}",
            f"{month} {day} {year}",
            f"{year}-{month}-{day}",
        ]
        patterns += [f"{year} {month} {day}", f"{day} {month}, {year}"]
    for sign, month, year in itertools.product((" ", "-"), ("%b", "%B"), ("%Y", "%y")):
        patterns.append(sign.join((month, year)))
    return _parsed(patterns)


@cache
def _clocks() -> tuple[TimeFormat, ...]:
    """Ways to write a time of day."""
    ends = ["", ":%S", *(f":%S{sign}%{places}f" for sign, places in itertools.product(".,", range(1, 7)))]
    patterns = [f"{hour}:%M{end}" for hour, end in itertools.product(("%H", "%-H"), ends)]
    patterns += [
        f"{hour}:%M{end}{space}{half}"
        for hour, end, space, half in itertools.product(("%I", "%-I"), ("", ":%S"), (" ", ""), ("%p", "%P"))
    ]
    patterns += ["%Hh%M", "%-Hh%M", "%H.%M Uhr", "%-H.%M Uhr", "%H.%M", "%H.%M.%S", "%H-%M-%S"]
    return _parsed(patterns)


def time_proposals(text: str) -> Iterator[TimeFormat]:
    """Formats that ``text`` may have, the likelier ones first: a date, a time of day, or one behind the other."""
    if len(text) > _LONGEST or not any(character.isdigit() for character in text):
        return
    patterns = [date for date, rest in _dates_at_start(text) if not rest]
    for clock, rest in _beginning(_clocks(), text):
        if _SUFFIX.fullmatch(rest) and (clock not in _NO_TIMES or rest):
            patterns.append(clock + rest)
        for join in _JOINS:
            if rest.startswith(join):
                dates = _dates_at_start(rest.removeprefix(join))
                patterns += [clock + join + date for date, behind in dates if not behind]
    for date, rest in _dates_at_start(text):
        for join in _JOINS:
            if rest.startswith(join):
                clocks = _beginning(_clocks(), rest.removeprefix(join))
                patterns += [date + join + clock + suffix for clock, suffix in clocks if _SUFFIX.fullmatch(suffix)]
    yield from _parsed(dict.fromkeys(patterns))


_NO_TIMES = frozenset({"%H.%M", "%H.%M.%S", "%H-%M-%S"})
"""By themselves these are numbers or codes."""


def _dates_at_start(text: str) -> Iterator[tuple[str, str]]:
    """Patterns of dates that the text begins with, and what is behind."""
    yield from _beginning(_numbered_dates(), text)
    if any(character.isalpha() for character in text):
        yield from _beginning(_named_dates(), text)
        if weekday := _WEEKDAY.match(text):
            name = "%A" if weekday["name"] in DAYS else "%a"
            for date, rest in _dates_at_start(text[weekday.end() :]):
                yield name + weekday["sign"] + date, rest


def _beginning(forms: tuple[TimeFormat, ...], text: str) -> Iterator[tuple[str, str]]:
    for form in forms:
        if found := form.compiled.match(text):
            yield form.pattern, text[found.end() :]


def _parsed(patterns: Iterable[str]) -> tuple[TimeFormat, ...]:
    return tuple(form for pattern in patterns if (form := TimeFormat.parse(pattern)) is not None)

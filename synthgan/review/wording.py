"""Texts and numbers for a page that people read: harmless, short, and never the end of a rendering."""

from __future__ import annotations

from typing import Any

from synthgan.evaluation.compared.harmless_text import harmless, short
from synthgan.loose_json import finite, numbers

__all__ = [
    "beside",
    "counted",
    "exactly",
    "figure",
    "finite",
    "harmless",
    "listed",
    "numbers",
    "percent",
    "short",
    "span",
]

_SPACE = "\N{NO-BREAK SPACE}"


def figure(value: Any, unit: str = "", *, more: int = 0) -> str:
    """A number for people, with as many digits as it can carry, or ``more``; a dash for what is not one."""
    number = finite(value)
    if number is None:
        return "\N{EN DASH}"
    size = abs(number)
    if size >= 1e7 or 0 < size < 1e-4:
        text = f"{number:.{2 + more}e}"
    else:
        decimals = 0 if size >= 1000 else 1 if size >= 100 else 2 if unit or size >= 10 else 3
        text = f"{number:,.{decimals + more}f}" if round(size, 4) else "0"
        if size and not float(text.replace(",", "")):
            text = f"{number:.1g}"
    return f"{text.replace('-', chr(0x2212))}{_SPACE + unit if unit else ''}"


def beside(value: float, limit: float, unit: str = "") -> str:
    """A number for people, with digits enough to stay on its side of the limit beside it."""
    for more in range(12):
        text = figure(value, unit, more=more)
        shown = float(text.removesuffix(f"{_SPACE}{unit}").replace(",", "").replace("\N{MINUS SIGN}", "-"))
        if value == limit or ((shown > limit) == (value > limit) and (shown < limit) == (value < limit)):
            break
    return text


def exactly(value: float, unit: str = "") -> str:
    """A number that somebody wrote, with the digits that were written."""
    text = f"{value:.10g}".replace("-", "\N{MINUS SIGN}")
    return f"{text}{_SPACE + unit if unit else ''}"


def percent(value: Any) -> str:
    """A share as a percentage."""
    number = finite(value)
    if number is None:
        return "\N{EN DASH}"
    size = abs(100 * number)
    decimals = 0 if size >= 99.95 or not size else 1 if size >= 1 else 2
    return f"{100 * number:.{decimals}f}{_SPACE}%" if size < 1e7 else figure(100 * number, "%")


def span(interval: Any, unit: str = "") -> str:
    """An interval of two numbers; empty without one."""
    ends = numbers(interval)
    if len(ends) != 2 or None in ends:
        return ""
    low, high = (figure(end, unit).removesuffix(f"{_SPACE}{unit}") for end in ends)
    return f"{low} to {high}{_SPACE + unit if unit else ''}"


def counted(n: int, one: str, many: str | None = None) -> str:
    """A count with its noun: 1 gate, 2 gates."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def listed(words: list[str]) -> str:
    """Words joined for a sentence: a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)

"""Texts and numbers for a page that people read: harmless, short, and never the end of a rendering."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from numbers import Real
from typing import Any

MOST_CHARACTERS = 2_000
"""No text on the page is longer."""

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
_MOST_MARKS = 3


def harmless(text: Any) -> str:
    """The text without characters that act instead of being seen.

    Control characters become their pictures, overrides of the writing direction and other invisible characters the
    replacement character, line breaks spaces; piles of combining marks are cut. Nothing is escaped here: that is the
    template's work.
    """
    characters = []
    marks = 0
    for character in str(text)[: MOST_CHARACTERS + 1]:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= _MOST_MARKS:
            characters.append(_seen(character))
    if len(characters) > MOST_CHARACTERS:
        characters[MOST_CHARACTERS - 1 :] = "\N{HORIZONTAL ELLIPSIS}"
    return "".join(characters)


def short(text: Any, most: int = 60) -> str:
    """A name cut in its middle to at most ``most`` characters, harmless."""
    whole = harmless(text) or "(empty)"
    if len(whole) <= most:
        return whole
    tail = max(1, most // 4)
    return f"{whole[: most - tail - 1]}\N{HORIZONTAL ELLIPSIS}{whole[-tail:]}"


def finite(value: Any) -> float | None:
    """The number as a float; None for everything else, and for numbers that are not finite."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except (OverflowError, TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def figure(value: Any, unit: str = "") -> str:
    """A number for people, with as many digits as it can carry; a dash for what is not one."""
    number = finite(value)
    if number is None:
        return "\N{EN DASH}"
    size = abs(number)
    if size >= 1e7 or 0 < size < 1e-4:
        text = f"{number:.2e}"
    else:
        decimals = 0 if size >= 1000 else 1 if size >= 100 else 2 if unit or size >= 10 else 3
        text = f"{number:,.{decimals}f}" if round(size, 4) else "0"
        if size and not float(text.replace(",", "")):
            text = f"{number:.1g}"
    return f"{text.replace('-', chr(0x2212))}{' ' + unit if unit else ''}"


def percent(value: Any) -> str:
    """A share as a percentage."""
    number = finite(value)
    if number is None:
        return "\N{EN DASH}"
    size = abs(100 * number)
    decimals = 0 if size >= 99.95 or not size else 1 if size >= 1 else 2
    return f"{100 * number:.{decimals}f} %" if size < 1e7 else f"{figure(100 * number)} %"


def span(interval: Any, unit: str = "") -> str:
    """An interval of two numbers; empty without one."""
    ends = numbers(interval)
    if len(ends) != 2 or None in ends:
        return ""
    low, high = (figure(end, unit).removesuffix(f" {unit}") for end in ends)
    return f"{low} to {high}{' ' + unit if unit else ''}"


def numbers(values: Any) -> list[float | None]:
    """Each value as a finite float or None; an empty list for what is no list."""
    if not isinstance(values, Iterable) or isinstance(values, str | bytes | dict):
        return []
    return [finite(value) for value in values]


def counted(n: int, one: str, many: str | None = None) -> str:
    """A count with its noun: 1 gate, 2 gates."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def listed(words: list[str]) -> str:
    """Words joined for a sentence: a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _seen(character: str) -> str:
    code = ord(character)
    if character in "\t\n\r":
        return " "
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\N{SYMBOL FOR DELETE}"
    category = unicodedata.category(character)
    if category in ("Zl", "Zp"):
        return " "
    if category in ("Cc", "Cf", "Cs", "Cn", "Co") and character not in _JOINERS:
        return _REPLACEMENT
    return character

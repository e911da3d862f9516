"""Names and values of a table as texts that are safe to look at: nothing in them acts, none is endless."""

from __future__ import annotations

import unicodedata
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

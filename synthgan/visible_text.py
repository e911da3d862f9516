"""Text of unknown origin as it may stand in a message: nothing in it acts on a terminal, none is endless.

Names of columns and files, levels and what a damaged file holds are written by other people. Raw, an escape sequence in
them could clear the screen, write into the clipboard or hide the end of a line, and an override of the writing
direction could show ``exe.csv`` for ``vsc.exe``.
"""

from __future__ import annotations

import unicodedata
from typing import Final

_JOINERS: Final = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
"""Format characters that scripts and emoji need, and that move nothing."""

_ACTING: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories of characters that act instead of being seen: control, format, surrogates, line and paragraph."""

_LONGEST_SHOWN: Final = 100


def visible(text: str, *, keep: str = "") -> str:
    r"""The text with characters that act written as escapes like ``\x1b`` and ``\u202e``.

    Args:
        text: anything.
        keep: characters that stay as they are, such as a line break between lines of one's own.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character.encode("unicode_escape").decode("ascii") if _acts(character) and character not in keep else character
        for character in text
    )


def visible_json(text: str) -> str:
    r"""JSON text with characters that act as ``\uXXXX``, which JSON allows inside its texts; line breaks stay."""
    if text.isascii():  # json.dumps has escaped what acts
        return text
    return "".join(
        _json_escape(character) if character != "\n" and _acts(character) else character for character in text
    )


def shown(text: str) -> str:
    """Text of a file as it may stand in a message: in quotes, on one line, escaped, not too long."""
    short = text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "..."
    return repr(short.encode("utf-8", "backslashreplace").decode("utf-8"))


def _acts(character: str) -> bool:
    return unicodedata.category(character) in _ACTING and character not in _JOINERS


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))

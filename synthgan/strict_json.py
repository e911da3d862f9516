"""JSON read with suspicion: one reader for every JSON file that synthgan takes from outside.

Files come from other people, from editors and from disks that fail. Size and depth are bounded before anything is
built, and what Python's own reader lets pass is refused: a key that is there twice, NaN and infinity, numbers beyond
double precision, halves of surrogate pairs.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any, Final

MOST_BYTES: Final = 256 * 2**20
DEEPEST: Final = 64
MOST_CONTAINERS: Final = 4_000_000
"""Each object or list takes far more memory than the two characters that may write it."""

_LONGEST_INTEGER: Final = 309
"""Digits of the largest double; Python refuses integers of thousands of digits with a text of its own."""
_NOT_BRACKETS: Final = bytes(code for code in range(256) if code not in b"[]{}")
_SURROGATE: Final = re.compile(rb"\\u[dD][89abAB]|\\u[dD][c-fC-F]")


class JsonError(ValueError):
    """Something is no strict JSON; the message completes the sentence "this file ..." and quotes nothing of it."""


class RepeatedKeyError(JsonError):
    """An object names a key twice; ``key`` is that key, which a message may quote where keys are no data."""

    def __init__(self, key: str) -> None:
        super().__init__("is not valid JSON: an object names a key twice")
        self.key = key


def read_json(path: Path, *, most_bytes: int = MOST_BYTES) -> Any:
    """The JSON values in a file.

    Raises:
        JsonError: when the file holds anything but strict JSON.
        OSError: when it cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(most_bytes + 1)
    return parse_json(content, most_bytes=most_bytes)


def parse_json(content: bytes, *, most_bytes: int = MOST_BYTES, finite: bool = True) -> Any:
    """The JSON values that UTF-8 bytes hold; a byte-order mark before them is passed over.

    Args:
        content: the bytes.
        most_bytes: more are refused.
        finite: refuse NaN and infinity, which Python writes and JSON does not know.

    Raises:
        JsonError: when they are anything but strict JSON.
    """
    if len(content) > most_bytes:
        raise JsonError(f"is too large: at most {_size(most_bytes)} are read")
    _check_brackets(content)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise JsonError("is not UTF-8 text: save it as UTF-8") from None
    try:
        values = json.loads(
            text,
            object_pairs_hook=_without_repeats,
            parse_constant=_refuse_constant if finite else float,
            parse_float=_finite,
            parse_int=_whole,
        )
    except json.JSONDecodeError as error:
        raise JsonError(f"is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise JsonError("is nested too deeply") from None
    if _SURROGATE.search(content):
        _check_surrogates(values)
    return values


def _check_brackets(content: bytes) -> None:
    """Refuse what is nested too deeply or has too many parts, before a parser builds any of it."""
    # Without escaped characters every quote opens or closes a text. What is no JSON may be cut wrongly here: the parser
    # stops at its first fault, before which the cut is right.
    plain = content.replace(b"\\\\", b"").replace(b'\\"', b"")
    brackets = b"".join(plain.split(b'"')[::2]).translate(None, _NOT_BRACKETS)
    opened = brackets.count(b"[") + brackets.count(b"{")
    if opened > MOST_CONTAINERS:
        raise JsonError(f"holds more than {MOST_CONTAINERS:,} objects and lists")
    if opened <= DEEPEST:
        return
    depth = 0
    for code in brackets:
        depth += 1 if code in b"[{" else -1
        if depth > DEEPEST:
            raise JsonError(f"is nested too deeply (at most {DEEPEST} levels are read)")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise RepeatedKeyError(key)
            seen.add(key)
    return found


def _refuse_constant(name: str) -> Any:
    raise JsonError(f"holds {name}, which is no number in JSON: leave the value out, or write null")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _too_large()
    return value


def _whole(text: str) -> int:
    if len(text.lstrip("-")) > _LONGEST_INTEGER:
        raise _too_large()
    value = int(text)
    try:
        float(value)
    except OverflowError:
        raise _too_large() from None
    return value


def _too_large() -> JsonError:
    return JsonError("holds a number that is too large to be read")


def _check_surrogates(values: Any) -> None:
    try:
        json.dumps(values, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise JsonError("holds text with half of a surrogate pair, which is no valid Unicode") from None


def _size(n_bytes: int) -> str:
    return f"{n_bytes // 2**20} MiB" if n_bytes >= 2**20 else f"{n_bytes // 2**10} KiB"

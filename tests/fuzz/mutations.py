"""Seeded damage: to bytes, to JSON values, to text."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import numpy as np

Rng = np.random.Generator

TOKENS = (
    b"NaN", b"-Infinity", b"null", b"{}", b"[]", b'"', b"\\", b"\xff\xfe", b"\xef\xbb\xbf", b"\0", b"\x1b[2J", b",",
    b";", b"\n", b"\r\n", b"1e999", b"9" * 5_000, b"[" * 500, b"\\ud800", "\u202e".encode(), b"<script>",
    b"-0.0", b"1e-400",
)  # fmt: skip
"""What is put into the bytes of a file."""

ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 0.5, -0.0, 1e-320, 1e308, -1e308, 2**31, 2**53 + 1, 2**63, -(2**63) - 1, 10**30,
    10**300, "", " ", "0", "null", "x" * 3_000, "\u202e\x1b[31m\x07", "../../etc/passwd", "2024-02-30",
    "9999-12-31T23:59:59", "timestamp[ns, tz=Mars]", "int64", "decimal128(38, 10)",
    "dictionary<values=string, indices=int32, ordered=0>", "category", "period[D]", "interval[int64, right]", "float",
    "differential privacy", "high", [], {}, [[]], [1, "a", None], {"a": 1}, [0] * 3_000,
)  # fmt: skip
"""What is put in the place of a JSON value."""

RAW_TOKENS = (b"NaN", b"-Infinity", b"1e999", b"1" + b"0" * 400, b"7" * 5_000, b'"\\ud800"', b"[" * 80 + b"]" * 80)
"""JSON that no writer of ours writes, put in the place of a value as text."""

_PLACEHOLDER = "placeholder of a raw token"


def pick(rng: Rng, values: Any) -> Any:
    return values[int(rng.integers(len(values)))]


def damaged_bytes(content: bytes, rng: Rng) -> bytes:
    """One to three small wounds."""
    for _ in range(int(rng.integers(1, 4))):
        start = int(rng.integers(0, len(content) + 1))
        stop = min(len(content), start + int(rng.integers(1, 64)))
        kind = int(rng.integers(6))
        if kind == 0 and content:  # a bit
            place = min(start, len(content) - 1)
            content = content[:place] + bytes([content[place] ^ (1 << int(rng.integers(8)))]) + content[place + 1 :]
        elif kind == 1:  # cut out
            content = content[:start] + content[stop:]
        elif kind == 2:  # twice
            content = content[:stop] + content[start:]
        elif kind == 3:  # put in
            content = content[:start] + pick(rng, TOKENS) + content[start:]
        elif kind == 4:  # cut short
            content = content[:start] if rng.random() < 0.3 else content[:start] + bytes(stop - start) + content[stop:]
        else:  # noise
            content = content[:start] + rng.bytes(stop - start) + content[stop:]
    return content


def damaged_json(content: bytes, rng: Rng) -> bytes:
    """JSON whose form is right and whose content is not; now and then what no writer writes."""
    if rng.random() < 0.1:
        return damaged_bytes(content, rng)
    values = json.loads(content)
    raw = None
    for _ in range(int(rng.integers(1, 4))):
        places = list(_places(values))
        if not places:
            break
        holder, key = pick(rng, places)
        kind = int(rng.integers(7))
        if kind == 0 and isinstance(holder, dict):
            del holder[key]
        elif kind == 1 and isinstance(holder, list):
            holder.insert(key, copy.deepcopy(pick(rng, ODD_VALUES)))
        elif kind == 2:  # something from elsewhere
            elsewhere, name = pick(rng, places)
            if (isinstance(elsewhere, dict) and name in elsewhere) or (
                isinstance(elsewhere, list) and name < len(elsewhere)
            ):
                holder[key] = json.loads(json.dumps(elsewhere[name]))
        elif kind == 3 and isinstance(holder, dict):  # another key
            holder[pick(rng, ("unknown", "", "name", "\x1b", "kind"))] = holder.pop(key)
        elif kind == 4:
            raw, holder[key] = pick(rng, RAW_TOKENS), _PLACEHOLDER
        else:
            holder[key] = copy.deepcopy(pick(rng, ODD_VALUES))
    written = json.dumps(values).encode()
    return written if raw is None else written.replace(f'"{_PLACEHOLDER}"'.encode(), raw)


def _places(values: Any) -> Any:
    """Every (container, key) of the values; of long lists the first ones."""
    stack = [values]
    while stack:
        holder = stack.pop()
        keys = (
            list(holder)
            if isinstance(holder, dict)
            else range(min(len(holder), 40))
            if isinstance(holder, list)
            else ()
        )
        for key in keys:
            yield holder, key
            stack.append(holder[key])


def damaged_text(text: str, rng: Rng) -> str:
    """Text for a command line: anything but a null character."""
    content = damaged_bytes(text.encode("utf-8", "surrogatepass"), rng)
    return content.decode("utf-8", "surrogateescape").replace("\0", "")


Mutation = Callable[[bytes, Rng], bytes]

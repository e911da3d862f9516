"""How identifiers are written: patterns of character classes, never the identifiers themselves."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from synthgan.tables.arrow_types import is_text
from synthgan.tables.schema.schema import ColumnSchema

CLASSES: dict[str, str] = {
    "9": "0123456789",
    "1": "123456789",
    "A": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "a": "abcdefghijklmnopqrstuvwxyz",
    "h": "0123456789abcdef",
    "H": "0123456789ABCDEF",
    "L": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    "X": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "x": "0123456789abcdefghijklmnopqrstuvwxyz",
    "m": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
}
"""Characters behind each letter or digit of a pattern; every other character of a pattern stands for itself."""

MAX_PATTERNS = 4096
"""At most this many patterns are told apart; beyond that letters and digits fall into one class."""

ROWS_IN_FULL = 2**16
ROWS_PER_BATCH = 2**11

MAX_LENGTH = 64
"""Longer identifiers count as unlisted."""

VARIES = "\0"

HEADROOM = 100
"""A format keeps its constant digits only if it can write this many times the table's rows without changing them."""

_MAX_FOLLOWED = 64
_UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_LOWER_HEX, _UPPER_HEX = r"^[0-9a-f]{16,}$", r"^[0-9A-F]{16,}$"
_TO_HEXADECIMAL = str.maketrans("Xx", "Hh")
_MIXED = r"[0-9][A-Fa-f].*[0-9][A-Fa-f]"
"""Among hexadecimal digits letters and figures alternate; `DE` before twenty figures is the name of a country."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """One way in which identifiers are written.

    Attributes:
        pattern: a class of `CLASSES` per letter or digit; other characters as they are.
        fixed: as long as ``pattern``: the character where all rows of the pattern agree, `VARIES` elsewhere.
        n_rows: rows written this way.
    """

    pattern: str
    fixed: str
    n_rows: float

    @property
    def n_possible(self) -> int:
        """How many different identifiers can be written."""
        free = (c for c, f in zip(self.pattern, self.fixed, strict=True) if f == VARIES)
        return math.prod(len(CLASSES.get(character, "?")) for character in free)


@dataclass(frozen=True, kw_only=True, slots=True)
class Templates:
    """How an identifier column is written.

    Attributes:
        formats: commonest first, with the rows that were looked at.
        n_present: rows with an identifier, looked at or not.
        n_missing: rows without one.
        n_unlisted: rows looked at whose format is not listed.
        n_zero_first: rows looked at that begin with a zero.
        n_beyond_f: rows looked at with a letter that is no hexadecimal digit.
    """

    formats: tuple[Format, ...]
    n_present: float
    n_missing: float = 0.0
    n_unlisted: float = 0.0
    n_zero_first: float = math.inf
    n_beyond_f: float = math.inf


class FormatCounter:
    """Counts patterns over batches, and follows which characters never vary in the first few of them.

    Looks at every row of the first `ROWS_IN_FULL`, then at `ROWS_PER_BATCH` evenly spaced ones of each batch.
    """

    def __init__(self, column: ColumnSchema) -> None:
        """Count for ``column``."""
        self._column = column
        self._counts: dict[str, int] = {}
        self._fixed: dict[str, list[str]] = {}
        self._coarse = False
        self._n_present = 0
        self._n_missing = 0
        self._n_unlisted = 0
        self._n_zero_first = 0
        self._n_beyond_f = 0

    def add(self, array: pa.Array) -> None:
        """Take a batch."""
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        self._n_missing += array.null_count
        array = array.drop_null()
        if self._n_present >= ROWS_IN_FULL and len(array) > ROWS_PER_BATCH:
            looked_at = array.take(pa.array(np.linspace(0, len(array) - 1, ROWS_PER_BATCH).astype(np.int64)))
        else:
            looked_at = array
        self._n_present += len(array)
        text = as_text(looked_at)
        short = pc.less_equal(pc.utf8_length(text), MAX_LENGTH)
        self._n_unlisted += len(text) - (pc.sum(short).as_py() or 0)
        text = text.filter(short)
        if not len(text):
            return
        self._n_zero_first += pc.sum(pc.starts_with(text, "0")).as_py()
        self._n_beyond_f += pc.sum(pc.match_substring_regex(text, "[G-Zg-z]")).as_py()
        patterns = patterns_of(text)
        if self._coarse:
            patterns = _map_values(patterns)
        counted = patterns.value_counts()
        for pattern, count in zip(counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True):
            self._counts[pattern] = self._counts.get(pattern, 0) + count
            self._follow(pattern, text, patterns)
        if len(self._counts) > MAX_PATTERNS:
            self._make_coarse()

    def _follow(self, pattern: str, text: pa.Array, patterns: pa.Array) -> None:
        known = self._fixed.get(pattern)
        if known is None:
            if len(self._fixed) >= _MAX_FOLLOWED:
                return
            known = self._fixed[pattern] = [""] * len(pattern)
        open_places = [place for place, character in enumerate(known) if character != VARIES]
        if not open_places:
            return
        rows = text.filter(pc.equal(patterns, pattern))
        for place in open_places:
            characters = pc.utf8_slice_codeunits(rows, place, place + 1)
            first = known[place] or characters[0].as_py()
            known[place] = first if pc.all(pc.equal(characters, first)).as_py() else VARIES

    def _make_coarse(self) -> None:
        merged: dict[str, int] = {}
        for pattern, count in self._counts.items():
            merged[coarse(pattern)] = merged.get(coarse(pattern), 0) + count
        if len(merged) > MAX_PATTERNS:
            kept = sorted(merged, key=lambda pattern: (-merged[pattern], pattern))[: MAX_PATTERNS // 2]
            self._n_unlisted += sum(merged.values()) - sum(merged[pattern] for pattern in kept)
            merged = {pattern: merged[pattern] for pattern in kept}
        self._counts, self._fixed, self._coarse = merged, {}, True

    def finish(self) -> Templates:
        """The formats of all batches."""
        formats = [
            Format(
                pattern=pattern, fixed="".join(self._fixed.get(pattern, [VARIES] * len(pattern))), n_rows=float(count)
            )
            for pattern, count in self._counts.items()
        ]
        return Templates(
            formats=in_order(formats),
            n_present=float(self._n_present),
            n_missing=float(self._n_missing),
            n_unlisted=float(self._n_unlisted),
            n_zero_first=float(self._n_zero_first),
            n_beyond_f=float(self._n_beyond_f),
        )


def as_text(array: pa.Array) -> pa.Array:
    """Identifiers as large strings; numbers as they print."""
    return array.cast(pa.large_string()) if is_text(array.type) else array.cast(pa.string()).cast(pa.large_string())


def patterns_of(text: pa.Array) -> pa.Array:
    """The pattern of each text.

    UUIDs and mixed runs of 16 or more hexadecimal digits are told by their class as a whole, others letter by letter.
    """
    plain = pc.replace_substring_regex(text, r"\p{Lu}", "A")
    plain = pc.replace_substring_regex(plain, r"[\p{Ll}\p{Lo}\p{Lt}\p{Lm}\p{M}]", "a")
    plain = pc.replace_substring_regex(plain, r"\p{N}", "9")
    mixed = pc.match_substring_regex(text, _MIXED)
    lower = pc.or_(pc.match_substring_regex(text, _UUID), pc.and_(mixed, pc.match_substring_regex(text, _LOWER_HEX)))
    upper = pc.or_(
        pc.match_substring_regex(text, _UUID.replace("a-f", "A-F")),
        pc.and_(mixed, pc.match_substring_regex(text, _UPPER_HEX)),
    )
    digits = pc.match_substring_regex(text, r"^[0-9]*$")
    return pc.if_else(
        digits,
        plain,
        pc.if_else(
            lower,
            pc.replace_substring_regex(text, r"[0-9a-f]", "h"),
            pc.if_else(upper, pc.replace_substring_regex(text, r"[0-9A-F]", "H"), plain),
        ),
    )


def coarse(pattern: str) -> str:
    """The pattern with letters and digits in one class."""
    if set(pattern) & set("hHLXxm"):
        return pattern
    upper, lower, digit = ("A" in pattern), ("a" in pattern), ("9" in pattern)
    together = (
        "m"
        if upper and lower and digit
        else "L"
        if upper and lower
        else "X"
        if upper and digit
        else "x"
        if lower and digit
        else None
    )
    if together is None:
        return pattern
    return "".join(together if character in "Aa9" else character for character in pattern)


def merge_coarsely(formats: Iterable[Format]) -> tuple[Format, ...]:
    """Formats that are alike but for letters and digits, as one."""
    merged: dict[str, float] = {}
    for form in formats:
        pattern = coarse(form.pattern)
        merged[pattern] = merged.get(pattern, 0.0) + form.n_rows
    return in_order(
        Format(pattern=pattern, fixed=VARIES * len(pattern), n_rows=rows) for pattern, rows in merged.items()
    )


def narrowed(form: Format, *, zero_first: bool, beyond_f: bool) -> Format:
    """The format without a zero in front, and with no letters but hexadecimal digits, where the column has none."""
    pattern = form.pattern if beyond_f else form.pattern.translate(_TO_HEXADECIMAL)
    if pattern[:1] == "9" and len(pattern) > 1 and not zero_first:
        pattern = "1" + pattern[1:]
    return Format(pattern=pattern, fixed=form.fixed, n_rows=form.n_rows)


def with_room(form: Format, n_rows: float) -> Format:
    """The format of ``n_rows`` rows with enough free characters: UUIDs have nothing fixed, others free last digits."""
    if is_uuid(form.pattern):
        return Format(pattern=form.pattern, fixed=VARIES * len(form.pattern), n_rows=form.n_rows)
    fixed = list(form.fixed)
    n_possible = form.n_possible
    for place in reversed(range(len(fixed))):
        if n_possible >= HEADROOM * n_rows:
            break
        if form.pattern[place] == "9" and fixed[place] != VARIES:
            fixed[place] = VARIES
            n_possible *= 10
    return Format(pattern=form.pattern, fixed="".join(fixed), n_rows=form.n_rows)


def is_uuid(pattern: str) -> bool:
    """Whether the pattern is that of a UUID."""
    return pattern in {"-".join(letter * length for length in (8, 4, 4, 4, 12)) for letter in "hH"}


def in_order(formats: Iterable[Format]) -> tuple[Format, ...]:
    """Commonest first."""
    return tuple(sorted(formats, key=lambda form: (-form.n_rows, form.pattern)))


def _map_values(patterns: pa.Array) -> pa.Array:
    encoded = patterns.dictionary_encode()
    mapped = pa.array([coarse(pattern) for pattern in encoded.dictionary.to_pylist()], type=pa.large_string())
    return mapped.take(encoded.indices)

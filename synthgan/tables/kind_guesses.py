"""Guesses a column's kind from its distinct values and their counts, and says why.

Reasons name kinds of evidence and no counts: a schema file is often published, and a guess may be declared public.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from synthgan.tables.arrow_types import is_text
from synthgan.tables.kinds import TRAITS, Kind, natural_kind
from synthgan.tables.written import NumberFormat
from synthgan.tables.written.recognition import find_format


@dataclass(frozen=True, kw_only=True)
class Guess:
    """A kind, the clause that says why, and the format of text that is to be read as what is written in it."""

    kind: Kind
    reason: str
    written: str | None = None


def count_values(name: str, values: pa.ChunkedArray, *, share: float = 1.0) -> ValueCounts:
    """Distinct values and their counts, the evidence for a guess.

    Args:
        name: the column's name; names like ``customer_id`` are weak evidence.
        values: sampled values.
        share: the sample's share of all rows.
    """
    dictionary = pa.types.is_dictionary(values.type)
    present = (values.cast(values.type.value_type) if dictionary else values).drop_null()
    counted = present.value_counts()
    return ValueCounts(
        name=name,
        values=counted.field("values"),
        counts=np.sort(counted.field("counts").to_numpy(zero_copy_only=False))[::-1],
        n_missing=values.null_count,
        share=share,
        is_dictionary=dictionary,
    )


def guess_kind(counted: ValueCounts, *, from_categorical: bool = False, may_be_written: bool = True) -> Guess:
    """The kind of one column.

    Args:
        counted: what its values look like.
        from_categorical: the column is a pandas categorical, so that its levels were chosen by a person.
        may_be_written: whether text may be read as the numbers or times that are written in it.
    """
    if counted.n_distinct == 0:
        return Guess(kind="constant", reason="every value is missing")
    if counted.n_distinct == 1 and not counted.n_missing:
        return Guess(kind="constant", reason="one value in every row")
    plain = counted.values.type
    if from_categorical:
        return Guess(kind="categorical", reason="a categorical column")
    if is_text(plain):
        return (_guess_written(counted) if may_be_written else None) or _guess_text(counted)
    if counted.is_dictionary:
        return Guess(kind="categorical", reason="dictionary-encoded")
    if pa.types.is_boolean(plain):
        return Guess(kind="boolean", reason="true/false values")
    whole = _whole_numbers(counted)
    if whole is not None and (reason := _identifier_reason(counted, whole)):
        return Guess(kind="identifier", reason=reason)
    return Guess(kind=natural_kind(plain), reason=f"{plain} values")


@dataclass(frozen=True, kw_only=True)
class ValueCounts:
    """What a guess is drawn from.

    Attributes:
        name: the column's name.
        values: the distinct values that are not missing, in no order.
        counts: rows of each distinct value, descending.
        n_missing: rows without a value.
        share: the sample's share of all rows.
        is_dictionary: the column is dictionary-encoded.
    """

    name: str
    values: pa.Array
    counts: np.ndarray[Any, np.dtype[np.int64]]
    n_missing: int
    share: float
    is_dictionary: bool

    @property
    def n_distinct(self) -> int:
        """Number of distinct values."""
        return len(self.counts)

    @property
    def n_present(self) -> int:
        """Number of rows that have a value."""
        return int(self.counts.sum())

    @property
    def repeated_share(self) -> float:
        """Share of present rows whose value is carried by enough rows to be learned as a level."""
        enough = max(2, min(10, self.n_present // 10))
        enough = max(2, int(np.ceil(enough * self.share)))
        return float(self.counts[self.counts >= enough].sum() / self.n_present)

    @property
    def nearly_unique(self) -> bool:
        """Whether hardly a value is carried by two rows, of the whole table and not only of the sample."""
        return self.n_present - self.n_distinct <= _REPEATED * self.share * self.n_present


_UUID = r"^[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$"
_NUMBER = r"^\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*$"
_DAY = r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})"
_CLOCK = r"(?:[ T]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?\s*(?:Z|[-+]\d{2}:?\d{2})?)?"
_DATE = rf"^\s*{_DAY}{_CLOCK}\s*$"
_EMAIL = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"
_URL = r"^[a-zA-Z][a-zA-Z+.-]*://"
_NEARLY_ALL = 0.95
_READ_VALUES = 20_000
_MOSTLY = 0.5
_REPEATED = 0.1
"""Most rows of an identifier of text that share their value with another one."""


def _guess_written(counted: ValueCounts) -> Guess | None:
    """Numbers and times written as text in one format; None where text is what the column means."""
    form = find_format(counted.values)
    if form is None:
        return None
    if counted.n_distinct == 2 and counted.repeated_share >= _NEARLY_ALL:
        return None
    if isinstance(form, NumberFormat) and form.is_bare:
        if counted.repeated_share >= _MOSTLY:  # names of classes, of agents, of branches
            return None
        lengths = pc.utf8_length(counted.values)
        if pc.min(lengths).as_py() == pc.max(lengths).as_py() > 2:  # codes, such as those of the post
            return None
        numbers = form.to_values(counted.values).cast(pa.float64()).to_numpy(zero_copy_only=False)
        if _identifier_reason(counted, numbers):
            return None
    kind = natural_kind(form.value_type)
    return Guess(
        kind=kind,
        reason=f"text that writes {TRAITS[kind].written_as} as {form.pattern}",
        written=form.pattern,
    )


def _guess_text(counted: ValueCounts) -> Guess:
    words = counted.values.slice(0, _READ_VALUES)
    form = _form(words)
    if counted.repeated_share >= _MOSTLY:
        singles = float((counted.counts == 1).mean())
        if counted.n_distinct >= 0.1 * counted.n_present and singles >= 0.5 and _is_prose(words):
            return Guess(kind="text", reason="sentences, many of them written once")
        return Guess(kind="categorical", reason=f"text values that repeat{form and f'; they read as {form}'}")
    if not counted.nearly_unique and (form or _is_code(words)):
        unclear = f"; they read as {form}, but not in one format of all" if form else ""
        return Guess(kind="categorical", reason=f"values that repeat, if seldom{unclear}")
    if _matching(words, _UUID) >= _NEARLY_ALL:
        return Guess(kind="identifier", reason="UUIDs")
    if form:
        return Guess(
            kind="identifier",
            reason=f"text that reads as {form}, but not in one format of all, and seldom repeats; convert the column",
        )
    if _matching(words, _EMAIL) >= _NEARLY_ALL or _matching(words, _URL) >= _NEARLY_ALL:
        return Guess(kind="text", reason="addresses (e-mail or web) that seldom repeat")
    if _is_code(words):
        return Guess(kind="identifier", reason="codes that seldom repeat")
    return Guess(kind="text", reason="words that seldom repeat")


def _form(words: pa.Array) -> str:
    if _matching(words, _DATE) >= 1.0:
        return "dates"
    return "numbers" if _matching(words, _NUMBER) >= 1.0 else ""


def _matching(words: pa.Array, pattern: str) -> float:
    return float(pc.mean(pc.match_substring_regex(words, pattern).cast(pa.float64())).as_py())


def _typical(numbers: pa.Array) -> float:
    """The mean, of which a few long values have no say: those beyond the 95th percentile count as if they were it."""
    most = _high(numbers)
    return float(pc.mean(pc.min_element_wise(numbers.cast(pa.float64()), most)).as_py())


def _high(numbers: pa.Array) -> float:
    """The 95th percentile, never the largest of several values."""
    return float(pc.quantile(numbers, q=0.95, interpolation="lower")[0].as_py())


def _n_words(words: pa.Array) -> float:
    return 1.0 + _typical(pc.count_substring_regex(pc.utf8_trim_whitespace(words), r"\s+"))


def _is_prose(words: pa.Array) -> bool:
    return _n_words(words) >= 4 and _typical(pc.utf8_length(words)) >= 25


def _is_code(words: pa.Array) -> bool:
    """Short, with digits or of one width, without prose: ticket numbers, serial numbers, plates, hashes."""
    lengths = pc.utf8_length(words)
    if _high(lengths) > 64:
        return False
    if _matching(words, r"\pL") <= 0.05:
        return True
    if _n_words(words) <= 2 and _matching(words, r"\d") >= 0.7:
        return True
    one_width = pc.min(lengths).as_py() == pc.max(lengths).as_py() >= 3
    return bool(one_width and _matching(words, r"^[A-Z0-9_.:/-]+$") >= _NEARLY_ALL)


def _whole_numbers(counted: ValueCounts) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """The distinct values as floats when all are whole numbers, else None."""
    types, data_type = pa.types, counted.values.type
    whole = types.is_integer(data_type) or (types.is_decimal(data_type) and data_type.scale <= 0)
    # pandas turns whole numbers with missing ones among them into floats
    if not whole and not (types.is_floating(data_type) and counted.n_missing):
        return None
    numbers = counted.values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return numbers if np.isfinite(numbers).all() and (numbers == np.floor(numbers)).all() else None


_ID_WORDS = frozenset(
    ("id", "ids", "uuid", "guid", "key", "pk", "no", "nr", "number", "code", "index", "identifier", "ssn", "unnamed")
)
_EPOCHS = ((1e9, 2.2e9), (1e12, 2.2e12), (1e15, 2.2e15), (1e18, 2.2e18), (1800, 2200), (18000101, 22001231))


def _identifier_reason(counted: ValueCounts, numbers: np.ndarray[Any, np.dtype[np.float64]]) -> str:
    """Why whole numbers name rows instead of measuring them; empty when nothing says so.

    The outermost values have no say, so that one row's size decides no kind.
    """
    n, n_distinct = counted.n_present, counted.n_distinct
    if numbers.min() < 0:
        return ""
    n_outer = max(1, len(numbers) // 20) if len(numbers) > 3 else 0
    numbers = np.sort(numbers)[n_outer : len(numbers) - n_outer]
    low, high = float(numbers[0]), float(numbers[-1])
    words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d+", counted.name)}
    is_named = n >= 10 and bool(words & _ID_WORDS)
    # A name tells identifiers made of a time, as those of messages, from times; keys of days are shorter.
    may_be_times = any(first <= low and high <= last for first, last in _EPOCHS) and not (is_named and low >= 1e12)
    if n_distinct < 0.99 * n or may_be_times:
        return ""
    # were the values drawn at random from their range, about n^2 / 2 range pairs of rows would agree
    if n_distinct == n and len(numbers) ** 2 / (2 * (high - low + 1)) > 7:
        return "whole numbers that never repeat although their range is narrow"
    if is_named:
        return "whole numbers that hardly repeat, under a name that says so"
    digits = len(str(int(low)))
    exact = high < 2.0**53
    rounded = exact and np.gcd.reduce(numbers.astype(np.int64)) > 1
    if n >= 100 and digits >= 8 and digits == len(str(int(high))) and not rounded:
        return "whole numbers of one length that hardly repeat"
    return ""

"""Decimals as 64-bit whole numbers: counted from an origin, so that their last digits are kept as far as they fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from synthgan.tables.arrow_types import DECIMAL256_DIGITS

_DIGITS = 18
_ROUND = 10**_DIGITS
_WIDEST = 4 * _ROUND  # with the origin rounded down to a multiple of 10**18, all of it fits into int64
_LARGEST = 2**63 - 1

Words = npt.NDArray[np.uint64]
"""``(n_rows, n_words)`` two's complement integers, lowest word first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DecimalFrame:
    """How unscaled decimals (values without their decimal point) become raw numbers.

    A raw number is ``(unscaled - origin) / 10**dropped``, rounded down.

    Attributes:
        origin: the unscaled value of the raw number 0.
        dropped: last digits that a raw number leaves out; those of the origin stand for them.
    """

    origin: int = 0
    dropped: int = 0

    @classmethod
    def of_range(cls, low: int, high: int) -> DecimalFrame:
        """A frame for unscaled values from ``low`` to ``high``.

        The origin tells the leading digits of ``low``, and where digits must be left out the last ones: if the column's
        values share these, nothing is lost.
        """
        if max(-low, high) < _ROUND:
            return cls()
        dropped = 0
        while (high - low) // 10**dropped >= _WIDEST:
            dropped += 1
        unit = 10**dropped
        return cls(origin=low // unit // _ROUND * _ROUND * unit + low % unit, dropped=dropped)

    def holds(self, low: int, high: int) -> bool:
        """Whether raw numbers tell all unscaled values from ``low`` to ``high`` apart as well as they can."""
        return self.raw_one(low) > -_LARGEST and self.raw_one(high) < _LARGEST

    def raw_one(self, unscaled: int) -> int:
        """Raw number of one unscaled value, exactly."""
        return (unscaled - self.origin) // 10**self.dropped

    def with_zeros(self) -> DecimalFrame:
        """The frame that writes zeros for the digits left out, instead of the origin's."""
        return DecimalFrame(origin=self.origin - self.origin % 10**self.dropped, dropped=self.dropped)

    def moved(self, raw: npt.NDArray[np.int64], to: DecimalFrame) -> tuple[npt.NDArray[np.int64], bool]:
        """Raw numbers of this frame in another one, and whether that leaves out only digits of its origin.

        Saturated ones stay so.
        """
        apart = raw.astype(object) * 10**self.dropped + (self.origin - to.origin)
        whole = apart // 10**to.dropped
        fits = ~is_saturated(raw) & (whole > -_LARGEST) & (whole < _LARGEST)
        ends = np.where(raw < 0, -_LARGEST, _LARGEST)
        ends = np.where(is_saturated(raw), ends, np.where(whole < 0, -_LARGEST, _LARGEST))
        moved = np.where(fits, whole, ends).astype(np.int64)
        return moved, bool((whole * 10**to.dropped == apart)[fits].all())

    def read(self, array: pa.Array) -> npt.NDArray[np.int64]:
        """``(n_rows,)`` raw numbers of a decimal array, saturated where they do not fit; anything where null."""
        words = _words(array)
        if self.origin or self.dropped:
            words = _added(_extended(words, 4), -self.origin)
        if self.dropped:
            words = _words(_shortened(words, self.dropped))
        return _saturated(words)

    def is_exact_for(self, array: pa.Array) -> bool:
        """Whether the digits left out of a decimal array's values, if they fit, are all those of the origin."""
        if not self.dropped:
            return True
        held = array.drop_null()
        held = held.filter(pa.array(~is_saturated(self.read(held))))
        apart = _array(_added(_extended(_words(held), 4), -self.origin), pa.decimal256(DECIMAL256_DIGITS, 0))
        whole = apart.cast(pa.decimal256(DECIMAL256_DIGITS, -self.dropped), safe=False)
        return bool(pc.all(pc.equal(whole.cast(apart.type), apart), min_count=0).as_py())

    def write(self, raw: npt.NDArray[np.int64], missing: Any, arrow_type: pa.DataType) -> pa.Array:
        """Decimals at raw numbers, null where ``missing``."""
        words = _extended(raw.view(np.uint64)[:, None], 4 if self.origin or self.dropped else 2)
        if self.dropped:
            held = _array(words, pa.decimal256(DECIMAL256_DIGITS, -self.dropped))
            words = _words(held.cast(pa.decimal256(DECIMAL256_DIGITS, 0)))
        if self.origin:
            words = _added(words, self.origin)
        scale = arrow_type.scale
        wide = pa.decimal128(38, scale) if words.shape[1] == 2 else pa.decimal256(DECIMAL256_DIGITS, scale)
        return _array(words, wide, missing).cast(arrow_type)


class DecimalReader:
    """The frame that a column's decimals are read in, widened batch by batch."""

    def __init__(self, outer_rows: int = 0) -> None:
        """Start before the first batch.

        Args:
            outer_rows: outermost rows, on either side, that need no room; in small tables fewer.
        """
        self.frame = DecimalFrame()
        self._outer_rows = outer_rows
        self._n_rows = 0
        self._lowest: list[int] = []
        self._highest: list[int] = []
        self._is_exact = True

    def widen(self, array: pa.Array, earlier: Sequence[npt.NDArray[np.int64]]) -> bool:
        """Make room for a batch; whether the frame changed, and ``earlier`` raw numbers are to be moved."""
        array = array.drop_null()
        if not len(array):
            return False
        before = self.frame
        low, high = self._range_with(array)
        if not self.frame.holds(low, high):
            self.frame = DecimalFrame.of_range(low, high)
        self._is_exact &= self.frame.is_exact_for(array)
        self._is_exact &= self.frame == before or all(before.moved(raw, self.frame)[1] for raw in earlier)
        if not self._is_exact:
            self.frame = self.frame.with_zeros()
        return self.frame != before

    def _range_with(self, array: pa.Array) -> tuple[int, int]:
        """The smallest and the largest unscaled value that need room, once the values of a batch are known."""
        n_kept = self._outer_rows + 1
        self._n_rows += len(array)
        self._lowest = sorted(self._lowest + _outermost(array, n_kept, "ascending"))[:n_kept]
        self._highest = sorted(self._highest + _outermost(array, n_kept, "descending"), reverse=True)[:n_kept]
        rank = min(ruled_out(self._n_rows, self._outer_rows), len(self._lowest) - 1)
        return min(self._lowest[rank], self._highest[rank]), max(self._lowest[rank], self._highest[rank])

    @property
    def n_lost_digits(self) -> int:
        """Last digits that are left out and were not the same in all values."""
        return 0 if self._is_exact else self.frame.dropped


def ruled_out(n_rows: int, outer_rows: int) -> int:
    """How many of the outermost rows on a side have no say in how a column's numbers are stored, one at least.

    None without ``outer_rows``, and never more than these; a twentieth of a small table.
    """
    return min(outer_rows, max(1, n_rows // 20), max(0, (n_rows - 1) // 2))


def is_saturated(raw: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """``(n,)`` bool: raw numbers that stand for a decimal beyond what its frame holds."""
    return (raw <= -_LARGEST) | (raw >= _LARGEST)


def _outermost(array: pa.Array, n_rows: int, order: str) -> list[int]:
    """Unscaled values of the first rows in an order."""
    places = pc.select_k_unstable(pa.table([array], names=["value"]), n_rows, sort_keys=[("value", order)])
    return [_unscaled(value) for value in array.take(places).to_pylist()]


def _unscaled(value: Decimal) -> int:
    """All digits of a value of Arrow, whatever precision Python's decimals calculate with."""
    sign, digits, _ = value.as_tuple()
    return (-1 if sign else 1) * int("".join(map(str, digits)))


def _words(array: pa.Array) -> Words:
    width = array.type.bit_width // 8
    start = array.offset * width
    content = np.frombuffer(array.buffers()[1], dtype=np.uint8)[start : start + len(array) * width]
    if width == 4:
        return content.view(np.int32).astype(np.int64).view(np.uint64)[:, None]
    return content.view(np.uint64).reshape(len(array), width // 8)


def _array(words: Words, arrow_type: pa.DataType, missing: Any = None) -> pa.Array:
    valid = None if missing is None else pa.array(~missing).buffers()[1]
    return pa.Array.from_buffers(arrow_type, len(words), [valid, pa.py_buffer(np.ascontiguousarray(words))])


def _extended(words: Words, n_words: int) -> Words:
    """The same integers in at least ``n_words`` words."""
    if words.shape[1] >= n_words:
        return words
    sign = (words[:, -1:].view(np.int64) >> 63).view(np.uint64)
    return np.concatenate((words, np.repeat(sign, n_words - words.shape[1], axis=1)), axis=1)


def _added(words: Words, value: int) -> Words:
    """Each integer plus ``value``; the sum must fit into the words."""
    sums = np.empty_like(words)
    carry = np.zeros(len(words), dtype=np.uint64)
    for place in range(words.shape[1]):
        term = np.uint64((value >> (64 * place)) & (2**64 - 1))
        partial = words[:, place] + term
        sums[:, place] = partial + carry
        carry = ((partial < term) | (sums[:, place] < partial)).astype(np.uint64)
    return sums


def _shortened(words: Words, digits: int) -> pa.Array:
    """The integers without their last digits, rounded down."""
    whole = _array(words, pa.decimal256(DECIMAL256_DIGITS, 0))
    short = whole.cast(pa.decimal256(DECIMAL256_DIGITS, -digits), safe=False)
    negative = words[:, -1].view(np.int64) < 0
    if not negative.any():
        return short
    # Arrow rounds towards zero.
    inexact = pc.not_equal(short.cast(whole.type), whole).to_numpy(zero_copy_only=False)
    below = _added(_words(short), -1)
    return _array(np.where((negative & inexact)[:, None], below, _words(short)), short.type)


def _saturated(words: Words) -> npt.NDArray[np.int64]:
    signed = words.view(np.int64)
    low, high = signed[:, 0], signed[:, -1]
    fits = (signed[:, 1:] == (low >> 63)[:, None]).all(axis=1)
    return low.copy() if fits.all() else np.where(fits, low, np.where(high < 0, -_LARGEST, _LARGEST))

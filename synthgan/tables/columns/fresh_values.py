"""Writers of fresh, unique identifiers: a keyed permutation of a counter, so that nothing has to be remembered."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from synthgan.errors import DataError
from synthgan.tables.arrow_types import is_text
from synthgan.tables.statistics.formats import CLASSES, MAX_LENGTH, VARIES, Format, is_uuid, with_room

_MAX_PERMUTED = 2**40  # identifiers told apart by the permutation; characters beyond those are drawn at random
_ROUNDS = 4


class Permutation:
    """A keyed permutation of ``range(size)``: a Feistel network, walked until it lands inside the range."""

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        """Draw the keys; ``size`` is at most 2**62."""
        self._size = size
        self._half = np.uint64(max(1, math.ceil((size - 1).bit_length() / 2)))
        self._mask = np.uint64((1 << int(self._half)) - 1)
        self._keys = rng.integers(0, 2**63, size=_ROUNDS, dtype=np.uint64)

    def apply(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """``(n_rows,)`` images of numbers in ``[0, size)``."""
        images = self._once(numbers.astype(np.uint64))
        outside = np.flatnonzero(images >= self._size)
        while len(outside):
            images[outside] = self._once(images[outside])
            outside = outside[images[outside] >= self._size]
        return images.astype(np.int64)

    def _once(self, numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        left, right = numbers >> self._half, numbers & self._mask
        for key in self._keys:
            mixed = (right + key) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(29)
            mixed = (mixed * np.uint64(0xBF58476D1CE4E5B9)) >> np.uint64(32)
            left, right = right, left ^ (mixed & self._mask)
        return (left << self._half) | right


class FormatWriter:
    """Texts of one format, each once."""

    def __init__(
        self,
        form: Format,
        rng: np.random.Generator,
        *,
        overflow_sign: str,
        leading_zero: bool = True,
        largest: str | None = None,
    ) -> None:
        """Start a session.

        Args:
            form: how texts are written.
            rng: draws them.
            overflow_sign: marks texts made after the format's possibilities ran out.
            leading_zero: whether the first digit may be a zero.
            largest: a number of as many digits as the format has, which none may pass.
        """
        self._rng = rng
        self._overflow_sign = overflow_sign
        self._template = np.array([ord(c) for c in form.pattern], dtype=np.uint32)
        self._slots: list[tuple[int, npt.NDArray[np.uint32]]] = []
        uuid = is_uuid(form.pattern)
        bound = largest
        for place, (character, fixed) in enumerate(zip(form.pattern, form.fixed, strict=True)):
            if fixed != VARIES:
                self._template[place] = ord(fixed)
                bound = bound if bound and fixed == bound[place] else None
            elif uuid and place == 14:
                self._template[place] = ord("4")
            elif character in CLASSES:
                characters = CLASSES[character]
                characters = characters[1:] if place == 0 and not leading_zero else characters
                characters = characters[8:12] if uuid and place == 19 else characters
                if bound is not None:  # below the bound's own digit, all later ones are free
                    below = characters[: characters.find(bound[place])]
                    characters, bound = (below, None) if below else (bound[place], bound)
                self._slots.append((place, np.array([ord(c) for c in characters], dtype=np.uint32)))
        self.has_run_out = False
        self._capacity, self._permuted = 1, 0
        for _, choices in reversed(self._slots):
            if self._capacity * len(choices) > _MAX_PERMUTED:
                break
            self._capacity *= len(choices)
            self._permuted += 1
        self._permutation = Permutation(self._capacity, rng)
        self._next = 0

    @property
    def n_left(self) -> int:
        """How many texts are left before the format runs out."""
        return max(0, self._capacity - self._next)

    def write(self, n_rows: int) -> pa.Array:
        """``n_rows`` more texts."""
        numbers = np.arange(self._next, self._next + n_rows)
        self._next += n_rows
        turn, inside = np.divmod(numbers, self._capacity)
        images = self._permutation.apply(inside)
        letters = np.repeat(self._template[None, :], n_rows, axis=0)
        for index, (place, choices) in enumerate(reversed(self._slots)):
            if index < self._permuted:
                images, digit = np.divmod(images, len(choices))
            else:
                digit = self._rng.integers(0, len(choices), size=n_rows)
            letters[:, place] = choices[digit]
        text = pa.array(letters.view(f"<U{len(self._template)}").ravel(), type=pa.large_string())
        if not turn.any():
            return text
        self.has_run_out = True
        suffix = pa.array(np.char.add(self._overflow_sign, turn.astype(str)), type=pa.large_string())
        return pc.if_else(
            pa.array(turn > 0), pc.binary_join_element_wise(text, suffix, pa.scalar("", pa.large_string())), text
        )


class NumberWriter:
    """Whole numbers, each once: of the learned widths where these are long or one, else counted up from 1."""

    def __init__(
        self, column: str, arrow_type: pa.DataType, formats: tuple[Format, ...], rng: np.random.Generator
    ) -> None:
        """Start a session."""
        self._column = column
        self._arrow_type = arrow_type
        self._rng = rng
        self._next = 1
        self._writers: list[FormatWriter] = []
        self._shares = np.zeros(0)
        widths = [len(form.pattern) for form in formats]
        of_digits = bool(formats) and all(set(form.pattern) == {"9"} for form in formats)
        if (
            of_digits
            and max(widths) <= _most_digits(arrow_type)
            and (min(widths) >= _LONG or len(widths) == 1 < widths[0])
        ):
            largest = str(_largest(arrow_type))
            self._writers = [
                FormatWriter(
                    with_room(form, _MANY_ROWS) if len(form.pattern) > _COUNTABLE else form,
                    rng,
                    overflow_sign="",
                    leading_zero=False,
                    largest=largest if len(largest) == len(form.pattern) else None,
                )
                for form in formats
            ]
            self._shares = np.cumsum([form.n_rows for form in formats])
            self._next = 10 ** min(max(widths), _COUNTABLE)

    def write(self, n_rows: int) -> pa.Array:
        """``n_rows`` more numbers.

        Raises:
            DataError: when the column's type cannot hold that many different ones.
        """
        drawn = self._rng.random(n_rows) if self._writers else np.zeros(0)
        chosen = np.searchsorted(self._shares[:-1], drawn, side="right")
        parts: list[pa.Array] = []
        for index, writer in enumerate(self._writers):
            parts.append(writer.write(min(int((chosen == index).sum()), writer.n_left)))
        n_left = n_rows - sum(map(len, parts))
        for writer in self._writers:
            parts.append(writer.write(min(n_left, writer.n_left)))
            n_left -= len(parts[-1])
        counted = pa.array(np.arange(self._next, self._next + n_left, dtype=np.int64) if n_left else [], pa.int64())
        parts.append(counted.cast(pa.large_string()))
        self._next += n_left
        texts = pa.concat_arrays(parts)
        if len(self._writers) > 1:
            texts = texts.take(pa.array(self._rng.permutation(n_rows)))
        try:
            return _from_digits(texts, self._arrow_type)
        except pa.ArrowInvalid:
            raise DataError(
                f"column '{self._column}' is an identifier of type {self._arrow_type}, which cannot hold that many "
                "different values; ask for fewer rows or give the column a wider type"
            ) from None


_LONG = 6
"""Numbers of at least as many digits are names, whatever their widths; shorter ones may be counted."""


_COUNTABLE = 18
"""Digits of the longest numbers that can be counted up from in 64 bits."""

_MANY_ROWS = 1e9
"""Longer ones get so many free digits that they never run out."""


def _largest(arrow_type: pa.DataType) -> int:
    """The largest number that the type holds exactly, next to its neighbours."""
    if pat.is_decimal(arrow_type):
        return 10 ** (arrow_type.precision - max(0, arrow_type.scale)) - 1
    if pat.is_integer(arrow_type):
        return 2 ** (arrow_type.bit_width - (not pat.is_unsigned_integer(arrow_type))) - 1
    if pat.is_floating(arrow_type):
        return 2 ** {16: 11, 32: 24, 64: 53}[arrow_type.bit_width]
    return 10**MAX_LENGTH - 1


def _most_digits(arrow_type: pa.DataType) -> int:
    return len(str(_largest(arrow_type)))


def _from_digits(texts: pa.Array, arrow_type: pa.DataType) -> pa.Array:
    """Texts of digits as numbers; text columns keep them."""
    return texts.cast(pa.string()).cast(arrow_type) if not is_text(arrow_type) else texts.cast(arrow_type)

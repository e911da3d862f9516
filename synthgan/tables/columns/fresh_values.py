"""Writers of fresh, unique identifiers: a keyed permutation of a counter, so that nothing has to be remembered."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from synthgan.errors import DataError
from synthgan.tables.formats import CLASSES, VARIES, Format, is_uuid

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
        self, form: Format, rng: np.random.Generator, *, overflow_sign: str, leading_zero: bool = True
    ) -> None:
        """Start a session; ``overflow_sign`` marks texts made after the format's possibilities ran out."""
        self._rng = rng
        self._overflow_sign = overflow_sign
        self._template = np.array([ord(c) for c in form.pattern], dtype=np.uint32)
        self._slots: list[tuple[int, npt.NDArray[np.uint32]]] = []
        uuid = is_uuid(form.pattern)
        for place, (character, fixed) in enumerate(zip(form.pattern, form.fixed, strict=True)):
            if fixed != VARIES:
                self._template[place] = ord(fixed)
            elif uuid and place == 14:
                self._template[place] = ord("4")
            elif character in CLASSES:
                characters = CLASSES[character]
                characters = characters[1:] if place == 0 and not leading_zero else characters
                characters = characters[8:12] if uuid and place == 19 else characters
                self._slots.append((place, np.array([ord(c) for c in characters], dtype=np.uint32)))
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
        suffix = pa.array(np.char.add(self._overflow_sign, turn.astype(str)), type=pa.large_string())
        return pc.if_else(
            pa.array(turn > 0), pc.binary_join_element_wise(text, suffix, pa.scalar("", pa.large_string())), text
        )


class NumberWriter:
    """Whole numbers, each once: of the learned width where all have one width, else counted up from 1."""

    def __init__(
        self, column: str, arrow_type: pa.DataType, formats: tuple[Format, ...], rng: np.random.Generator
    ) -> None:
        """Start a session."""
        self._column = column
        self._arrow_type = arrow_type
        self._writer: FormatWriter | None = None
        self._next = 1
        if len(formats) == 1 and set(formats[0].pattern) == {"9"} and 1 < len(formats[0].pattern) <= 18:
            self._writer = FormatWriter(formats[0], rng, overflow_sign="", leading_zero=False)
            self._next = 10 ** len(formats[0].pattern)

    def write(self, n_rows: int) -> pa.Array:
        """``n_rows`` more numbers.

        Raises:
            DataError: when the column's type cannot hold that many different ones.
        """
        n_written = min(n_rows, self._writer.n_left) if self._writer is not None else 0
        parts = [] if self._writer is None else [self._writer.write(n_written).cast(pa.int64())]
        parts.append(pa.array(np.arange(self._next, self._next + n_rows - n_written), type=pa.int64()))
        self._next += n_rows - n_written
        numbers = pa.concat_arrays(parts)
        if pat.is_large_string(self._arrow_type) or pat.is_string(self._arrow_type):
            return numbers
        try:
            return numbers.cast(self._arrow_type)
        except pa.ArrowInvalid:
            raise DataError(
                f"column '{self._column}' is an identifier of type {self._arrow_type}, which cannot hold that many "
                "different values; ask for fewer rows or give the column a wider type"
            ) from None

"""What a written format offers, whether it writes numbers or times."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ticks = npt.NDArray[np.int64]


class WrittenFormat(Protocol):
    """A way to write values as text, of which the text is the only one for its value, and the value for its text.

    Attributes:
        pattern: the format as a schema file has it.
        value_type: Arrow type of the values.
    """

    @property
    def pattern(self) -> str:
        """The format as a schema file has it."""

    @property
    def value_type(self) -> pa.DataType:
        """Arrow type of the values."""

    def to_values(self, texts: pa.Array) -> pa.Array:
        """The value of each text; null where the text is not exactly what `to_texts` writes for a value."""

    def to_texts(self, values: pa.Array) -> pa.Array:
        """The text of each value; null stays null."""


def by_distinct(texts: pa.Array, convert: Any) -> pa.Array:
    """``convert`` applied to each distinct entry once."""
    encoded = texts if pa.types.is_dictionary(texts.type) else texts.dictionary_encode()
    distinct = encoded.dictionary
    if pa.types.is_large_string(distinct.type) or pa.types.is_string_view(distinct.type):
        distinct = distinct.cast(pa.string())
    return convert(distinct).take(encoded.indices)


def only_exact(texts: pa.Array, values: pa.Array, written: pa.Array) -> pa.Array:
    """``values`` where what is ``written`` for them is the text itself, else null."""
    same = pc.fill_null(pc.equal(texts, written.cast(texts.type)), False)
    return pc.if_else(same, values, pa.scalar(None, values.type))


def joined(parts: list[pa.Array | str], n_rows: int) -> pa.Array:
    """Texts put together of arrays and constants."""
    arrays = [pa.repeat(part, n_rows) if isinstance(part, str) else part for part in parts]
    return pc.binary_join_element_wise(*arrays, "") if arrays else pa.repeat("", n_rows)


def padded(numbers: Ticks, width: int) -> pa.Array:
    """Numbers that are not negative as texts of at least ``width`` digits."""
    return pc.utf8_lpad(pa.array(numbers).cast(pa.string()), width=width, padding="0")

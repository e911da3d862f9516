"""The one place that knows where each encoded column lies.

A *modelled* column (one with at least two levels) owns the slice ``[start, stop)`` of the concatenated level axis, and,
when some of its levels are bins, one column of the positions matrix. Networks, critics, conditions and decoding all
read this object; nobody else computes an offset.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from synthgan.tables.columns.protocol import ColumnEncoder


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """One modelled column's place on the level axis.

    Attributes:
        name: the column's name in the codec's (internal) schema.
        start: first index on the level axis.
        stop: one past the last index; ``stop - start`` is the number of levels, at least 2.
        position: the column's index in the positions matrix, or None when no level is a bin.
    """

    name: str
    start: int
    stop: int
    position: int | None

    @property
    def n_levels(self) -> int:
        """Number of levels of the column."""
        return self.stop - self.start


@dataclass(frozen=True)
class Layout:
    """Slices of all modelled columns, in the order of the codes matrix.

    Attributes:
        spans: one `Span` per column of the codes matrix, in order, covering ``[0, n_levels)`` without gaps.
        is_bin: ``(n_levels,)`` bool: the level is a bin, so its cell also has a position in [0, 1).
        value_start: ``(n_levels,)`` float32: standardised value at position 0 (0 for levels without a number).
        value_stop: ``(n_levels,)`` float32: standardised value at position 1 (``value_start`` for single values).
        is_ordered: ``(n_levels,)`` bool: the level has a place in its column's order (a number or a time); the codes of
            a column's ordered levels ascend with it.
        marginal: ``(n_levels,)`` float32: each level's share of rows as released by the column-statistics door.
    """

    spans: tuple[Span, ...]
    is_bin: npt.NDArray[np.bool_] = field(repr=False)
    value_start: npt.NDArray[np.float32] = field(repr=False)
    value_stop: npt.NDArray[np.float32] = field(repr=False)
    is_ordered: npt.NDArray[np.bool_] = field(repr=False)
    marginal: npt.NDArray[np.float32] = field(repr=False)

    @property
    def n_columns(self) -> int:
        """Number of modelled columns."""
        return len(self.spans)

    @property
    def n_levels(self) -> int:
        """Length of the level axis."""
        return self.spans[-1].stop if self.spans else 0

    @cached_property
    def n_positions(self) -> int:
        """Number of columns of the positions matrix."""
        return sum(span.position is not None for span in self.spans)

    @cached_property
    def starts(self) -> npt.NDArray[np.int64]:
        """``(n_columns,)`` first level index of each column: ``codes + starts`` are indices on the level axis."""
        return np.array([span.start for span in self.spans], dtype=np.int64)

    @cached_property
    def column_of_level(self) -> npt.NDArray[np.int64]:
        """``(n_levels,)`` index of the column that owns each level."""
        return np.repeat(np.arange(self.n_columns), [span.n_levels for span in self.spans])

    @cached_property
    def positioned_columns(self) -> npt.NDArray[np.int64]:
        """``(n_positions,)`` index of the codes column behind each column of the positions matrix."""
        return np.array([i for i, span in enumerate(self.spans) if span.position is not None], dtype=np.int64)

    def without_order(self) -> Layout:
        """The same columns, without a word on the order of their levels."""
        return dataclasses.replace(self, is_ordered=np.zeros_like(self.is_ordered))

    @property
    def codes_dtype(self) -> np.dtype[np.uint8] | np.dtype[np.int16]:
        """Narrowest dtype that holds every code: uint8, or int16 when a column has more than 256 levels."""
        widest = max((span.n_levels for span in self.spans), default=0)
        return np.dtype(np.uint8) if widest <= 256 else np.dtype(np.int16)

    def index(self, name: str) -> int:
        """Index of the modelled column called ``name``.

        Raises:
            KeyError: when no modelled column has that name.
        """
        place = self.place(name)
        if place is None:
            raise KeyError(name)
        return place

    def place(self, name: str | None) -> int | None:
        """Index of the modelled column called ``name``, None where no modelled column has that name."""
        return next((place for place, span in enumerate(self.spans) if span.name == name), None)


@dataclass(frozen=True)
class EncodedTable:
    """A table as the networks see it: a code per cell and, for bins, a position.

    Attributes:
        layout: what the codes mean.
        codes: ``(n_rows, n_columns)`` uint8 or int16, in C order.
        positions: ``(n_rows, n_positions)`` uint8: the position in [0, 1) inside the bin in units of 1/256; arbitrary
            where the code is not a bin.
    """

    layout: Layout
    codes: npt.NDArray[np.uint8] | npt.NDArray[np.int16] = field(repr=False)
    positions: npt.NDArray[np.uint8] = field(repr=False)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.codes)


def layout_of(encoders: Iterable[ColumnEncoder]) -> Layout:
    """Where the columns lie that have at least two levels, in their order."""
    spans: list[Span] = []
    facts = []
    start = n_positions = 0
    for encoder in encoders:
        of_column = encoder.facts
        n_levels = len(of_column.marginal)
        if n_levels < 2:
            continue
        position = None
        if of_column.is_bin.any():
            position, n_positions = n_positions, n_positions + 1
        spans.append(Span(name=encoder.name, start=start, stop=start + n_levels, position=position))
        facts.append(of_column)
        start += n_levels
    none = np.zeros(0)
    return Layout(
        spans=tuple(spans),
        is_bin=np.concatenate([none.astype(bool), *(f.is_bin for f in facts)]),
        value_start=np.concatenate([none, *(f.value_start for f in facts)]).astype(np.float32),
        value_stop=np.concatenate([none, *(f.value_stop for f in facts)]).astype(np.float32),
        is_ordered=np.concatenate([none.astype(bool), *(f.is_ordered for f in facts)]),
        marginal=np.concatenate([none, *(f.marginal for f in facts)]).astype(np.float32),
    )

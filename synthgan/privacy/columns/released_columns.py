"""What a private fit counted of each column, in words that need no knowledge of the mechanisms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Basis = Literal["known values", "found values", "ranges", "missing only"]
"""What the noisy counts of a column are counts of."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleasedColumn:
    """What a private fit counted of one column. Every number in it came through a mechanism.

    Attributes:
        column: its name; where a constraint rewrites columns, that of the column which is modelled instead.
        basis: what was counted: values that were declared or follow from the type, values that were found in the
            table, ranges of numbers or times, or nothing but how many cells are missing.
        words: the same with numbers, as a clause.
    """

    column: str
    basis: Basis
    words: str

    def __str__(self) -> str:
        return f"column '{self.column}': {self.words}"


def number_of(count: int, what: str) -> str:
    """Such as "2 values"."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"

"""What a private fit counted of each column, in words that need no knowledge of the mechanisms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import pyarrow.types as pat

from synthgan.privacy.columns.level_release import public_levels
from synthgan.tables.arrow_types import parse_type
from synthgan.tables.schema.schema import ColumnSchema
from synthgan.tables.statistics.formats import Templates
from synthgan.tables.statistics.histogram import Histogram
from synthgan.tables.statistics.level_counts import LevelCounts

Basis = Literal["known values", "found values", "ranges", "missing only"]
"""What the noisy counts of a column are counts of."""

Released: TypeAlias = LevelCounts | Histogram | Templates


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


def in_words(column: ColumnSchema, released: Released) -> ReleasedColumn:
    """What was released of a column, told from released numbers and the declaration only."""
    if isinstance(released, Histogram):
        return ReleasedColumn(column=column.name, basis="ranges", words=_of_ranges(column, released))
    if isinstance(released, Templates):
        words = "identifiers, written afresh; only the missing ones were counted"
        return ReleasedColumn(column=column.name, basis="missing only", words=words)
    if pat.is_null(parse_type(column.arrow_type)):
        words = "always missing, as its type says; nothing was counted"
        return ReleasedColumn(column=column.name, basis="missing only", words=words)
    n_values = _number(len(released.values), "value")
    others = "; all others are learned as one" if released.n_unlisted > 0 else ""
    if public_levels(column) is not None:
        origin = "its type allows" if column.levels is None else "declared"
        return ReleasedColumn(column=column.name, basis="known values", words=f"{n_values} {origin}{others}")
    words = f"{n_values} found that enough rows share{others}"
    return ReleasedColumn(column=column.name, basis="found values", words=words)


def _of_ranges(column: ColumnSchema, histogram: Histogram) -> str:
    n_single = int((histogram.lower == histogram.upper).sum())
    n_ranges = len(histogram.counts) - n_single
    counted = [_number(n_single, "single value")] if n_single else []
    if n_ranges or not counted:
        counted.insert(0, _number(n_ranges, "range"))
    words = f"counted in {' and '.join(counted)}"
    step = histogram.axis.granularity
    if column.traits.scale != "amount":  # the steps of times are nanoseconds or days
        return words
    return f"{words}, " + ("with any number of decimals" if step is None else f"in steps of {step:.15g}")


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"

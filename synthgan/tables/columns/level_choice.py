"""Which levels a column keeps: with codes of their own, in buckets, or not at all."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from synthgan.tables.arrow_types import is_text
from synthgan.tables.columns.protocol import FitRules
from synthgan.tables.schema.schema import ColumnSchema
from synthgan.tables.written.recognition import find_format

OTHER = "<other>"
"""What rare strings decode to."""

BUCKET_SHARE = 4
"""One in this many of ``max_levels`` becomes a tail bucket, when buckets are needed at all."""

SURE = 4.0
"""Levels with fewer rows than this many standard errors of their counts share tail buckets of twice as many."""


_MOST_WORDS = 8


def kept_levels(
    column: ColumnSchema, values: pa.Array, counts: npt.NDArray[np.float64], rules: FitRules
) -> tuple[pa.Array, npt.NDArray[np.float64], float, int]:
    """Levels to keep, in code order, with their rows; then the rows and number of the others."""
    floor = rules.level_floor
    kept = counts >= floor
    if column.levels is not None:
        listed = pa.array(column.levels.values, type=values.type, from_pandas=True)
        place = np.asarray(pc.index_in(values, value_set=listed).fill_null(-1)).astype(np.int64)
        if column.levels.source != "inferred-exact":
            # Declared and released levels are public: occurring is enough.
            kept = (place >= 0) & (counts > 0)
        if column.levels.ordered and kept.sum() <= rules.max_levels:
            chosen = np.flatnonzero(kept)
            chosen = chosen[np.argsort(place[chosen], kind="stable")]
            return values.take(pa.array(chosen)), counts[chosen], float(counts[~kept].sum()), int((~kept).sum())
    if is_text(values.type):
        kept &= ~np.asarray(pc.equal(values, pa.scalar(OTHER, type=values.type)))
    chosen = np.flatnonzero(kept)
    return values.take(pa.array(chosen)), counts[chosen], float(counts[~kept].sum()), int((~kept).sum())


def words_among_numbers(values: pa.Array) -> int:
    """How many of distinct levels are words without a digit, where all others are numbers or times in one format.

    0 where not: such a column would be one of numbers if its words, such as "n/a", were missing.
    """
    if not is_text(values.type):
        return 0
    has_digit = pc.match_substring_regex(values, r"\d")
    n_words = len(values) - (pc.sum(has_digit).as_py() or 0)
    if not 0 < n_words <= _MOST_WORDS or len(values) < 2 * n_words:
        return 0
    return n_words if find_format(values.filter(has_digit)) is not None else 0


def is_closed(column: ColumnSchema, counts: npt.NDArray[np.float64]) -> bool:
    """Whether the column's dtype says which categories there are, and they are no list of what single rows hold.

    A dtype made from the rows, as by ``astype("category")``, may hold a name for each of them: categories that were not
    declared count only if most rows share theirs with others.
    """
    if column.pandas_dtype != "category" or column.levels is None:
        return False
    n_rows = counts.sum()
    shared = max(2, min(10, n_rows // 10))
    return column.levels.source != "inferred-exact" or bool(counts[counts >= shared].sum() >= n_rows / 2)


def split_levels(
    column: ColumnSchema, counts: npt.NDArray[np.float64], rules: FitRules, sure: float
) -> tuple[int, int]:
    """How many levels get a code of their own, and how many buckets the others share.

    Too many levels share buckets, and so do those whose counts are mostly noise: fewer than ``sure`` rows. An ordered
    column keeps its order and has no buckets for the latter.
    """
    most = max(1, rules.max_levels // BUCKET_SHARE)
    is_ordered = column.levels is not None and column.levels.ordered
    n_sure = len(counts) if is_ordered else int((counts >= sure).sum())
    if len(counts) - n_sure < 2:
        n_sure = len(counts)
    n_single = min(n_sure, rules.max_levels - most) if len(counts) > rules.max_levels else n_sure
    if n_single == len(counts):
        return n_single, 0
    n_buckets = most if sure <= 0 else int(np.clip(counts[n_single:].sum() // (2 * sure), 1, most))
    return n_single, n_buckets


def buckets(tail: npt.NDArray[np.float64], n_buckets: int) -> npt.NDArray[np.int64]:
    """Bucket of each tail level: about equal rows, none empty."""
    if not len(tail):
        return np.zeros(0, dtype=np.int64)
    middle = (np.cumsum(tail) - tail / 2) / tail.sum()
    return np.unique(np.minimum((middle * n_buckets).astype(np.int64), n_buckets - 1), return_inverse=True)[1]

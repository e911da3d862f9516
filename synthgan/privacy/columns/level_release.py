"""Noisy counts of columns of levels: of declared levels, or of levels that are discovered."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from synthgan.privacy.columns.estimates import TRUST, norm_sub, towards_their_mean, without_noise
from synthgan.privacy.columns.heavy_values import bucket_of
from synthgan.privacy.columns.protocol import EXACT_KEYS, Budget, ColumnRelease, Counter, Counts, PendingRelease
from synthgan.privacy.columns.released_columns import ReleasedColumn, number_of
from synthgan.tables.arrow_types import parse_type
from synthgan.tables.axes.raw_numbers import conform
from synthgan.tables.constraints.counters import hash_rows
from synthgan.tables.schema.schema import ColumnSchema
from synthgan.tables.statistics.level_counts import LevelCounts

UNKNOWN_LEVELS = 32.0
"""Cells that a column of undeclared levels is taken for when the budget is split."""


def public_levels(column: ColumnSchema) -> pa.Array | None:
    """The levels that a column is publicly known to have; None when they are to be discovered."""
    arrow_type = parse_type(column.arrow_type)
    if column.levels is not None:
        return pa.array(column.levels.values, type=arrow_type, from_pandas=True)
    if pat.is_boolean(arrow_type):
        return pa.array([False, True])
    return pa.array([], type=arrow_type) if pat.is_null(arrow_type) else None


def release_levels(column: ColumnSchema, budget: Budget) -> PendingRelease[LevelCounts]:
    """Release the value counts of a column."""
    if pat.is_null(parse_type(column.arrow_type)):  # its type says that every row is missing
        return LevelCounts(values=pa.array([], pa.null()), counts=np.zeros(0), n_missing=budget.n_rows)
    levels = public_levels(column)
    if levels is None:
        return (yield from _unknown_levels(column, budget))
    return (yield from _known_levels(column, levels, budget))


def _n_cells(column: ColumnSchema) -> float:
    levels = public_levels(column)
    return UNKNOWN_LEVELS if levels is None else len(levels) + 2.0


def _discovers(column: ColumnSchema) -> bool:
    return public_levels(column) is None


def levels_in_words(column: ColumnSchema, released: LevelCounts) -> ReleasedColumn:
    """How many values were counted, and how they came to be known."""
    if pat.is_null(parse_type(column.arrow_type)):
        words = "always missing, as its type says; nothing was counted"
        return ReleasedColumn(column=column.name, basis="missing only", words=words)
    n_values = number_of(len(released.values), "value")
    others = "; all others are learned as one" if released.n_unlisted > 0 else ""
    if public_levels(column) is not None:
        origin = "its type allows" if column.levels is None else "declared"
        return ReleasedColumn(column=column.name, basis="known values", words=f"{n_values} {origin}{others}")
    words = f"{n_values} found that enough rows share{others}"
    return ReleasedColumn(column=column.name, basis="found values", words=words)


LEVEL_RELEASE = ColumnRelease(
    release=release_levels,
    in_words=levels_in_words,
    n_cells=_n_cells,
    discovers=_discovers,
    needs_discovery=_discovers,
)
"""Levels that nobody declared are those that are discovered: there is nothing else to count."""


def _known_levels(column: ColumnSchema, levels: pa.Array, budget: Budget) -> PendingRelease[LevelCounts]:
    """One histogram over the declared levels, one cell for all others, and missing."""
    counter = KnownLevelCounter(column, levels)
    yield counter
    noisy, deviation = budget.counts(counter.counts, 1.0, "declared levels")
    noisy = without_noise(noisy, deviation, n_last=2)
    counts, rest = noisy[: len(levels)], noisy[len(levels) :]
    rare = counts < TRUST * deviation
    if rare.sum() > 1:
        counts[rare] = towards_their_mean(counts[rare], deviation)
    projected = norm_sub(np.concatenate((counts, rest)), budget.n_rows)
    # A declared level is public, so it may keep a trace of probability where noise swallowed it.
    counts = np.maximum(projected[: len(levels)], 0.01)
    order = np.argsort(-counts, kind="stable")
    return LevelCounts(
        values=levels.take(pa.array(order)),
        counts=counts[order],
        n_unlisted=float(projected[-2]),
        n_missing=float(projected[-1]),
        standard_error=deviation,
    )


def _unknown_levels(column: ColumnSchema, budget: Budget) -> PendingRelease[LevelCounts]:
    """Discovery among the values that occur, missing being one of them; the others are the remainder."""
    arrow_type = parse_type(column.arrow_type)
    share, buckets = 1.0, None
    if budget.n_rows > EXACT_KEYS:
        share = 0.5
        buckets = yield from _heavy_buckets(budget, share)
    counter = ValueCounter(column, buckets)
    yield counter
    values, counts = counter.finish()
    kept, noisy = budget.discover(counts, share, "levels")
    deviation = budget.deviation(share)
    listed = values.take(pa.array(kept))
    absent = np.asarray(pc.is_null(listed).to_numpy(zero_copy_only=False), dtype=bool)
    remainder = budget.n_rows - float(noisy.sum())
    if remainder < TRUST * deviation * np.sqrt(max(1, len(noisy))):
        remainder = 0.0
        noisy = norm_sub(noisy, budget.n_rows) if len(noisy) else noisy
    order = np.argsort(-noisy[~absent], kind="stable")
    return LevelCounts(
        values=listed.filter(pa.array(~absent)).take(pa.array(order)).cast(arrow_type),
        counts=noisy[~absent][order],
        n_unlisted=max(remainder, 0.0),
        n_missing=float(noisy[absent].sum()),
        standard_error=deviation,
    )


def _heavy_buckets(budget: Budget, share: float) -> Generator[Counter, None, npt.NDArray[np.bool_]]:
    counter = ValueBucketCounter()
    yield counter
    occurring = np.flatnonzero(counter.counts)
    kept, _ = budget.discover(counter.counts[occurring], share, "buckets of levels")
    buckets = np.zeros(EXACT_KEYS, dtype=bool)
    buckets[occurring[kept]] = True
    return buckets


class KnownLevelCounter:
    """Rows per known level, then of all other values, then missing."""

    def __init__(self, column: ColumnSchema, levels: pa.Array) -> None:
        self._column = column
        self._levels = levels
        self.counts: Counts = np.zeros(len(levels) + 2, dtype=np.int64)

    def add(self, array: pa.Array) -> None:
        """Take a batch."""
        array = conform(array, self._levels.type, self._column.name)
        place = pc.index_in(array, value_set=self._levels).fill_null(len(self._levels))
        place = pc.if_else(pc.is_null(array, nan_is_null=True), pa.scalar(len(self._levels) + 1, pa.int32()), place)
        self.counts += np.bincount(place.to_numpy(zero_copy_only=False), minlength=len(self.counts))


class ValueBucketCounter:
    """Rows per bucket of a public hash of the value, missing among them."""

    def __init__(self) -> None:
        self.counts: Counts = np.zeros(EXACT_KEYS, dtype=np.int64)

    def add(self, array: pa.Array) -> None:
        """Take a batch."""
        self.counts += np.bincount(_value_buckets(array), minlength=EXACT_KEYS)


class ValueCounter:
    """Rows per value, missing among them, in the chosen buckets only; no value is dropped."""

    def __init__(self, column: ColumnSchema, buckets: npt.NDArray[np.bool_] | None) -> None:
        self._type = parse_type(column.arrow_type)
        self._name = column.name
        self._buckets = buckets
        self._parts: list[pa.Table] = []
        self._n_pending = 0

    def add(self, array: pa.Array) -> None:
        """Take a batch."""
        if self._buckets is not None:
            array = array.filter(pa.array(self._buckets[_value_buckets(array)]))
        counted = _plain(conform(array, self._type, self._name)).value_counts()
        self._parts.append(pa.table({"value": counted.field(0), "count": counted.field(1)}))
        self._n_pending += len(counted)
        if self._n_pending > 2 * EXACT_KEYS:
            self._merge()

    def _merge(self) -> None:
        merged = pa.concat_tables(self._parts).group_by("value").aggregate([("count", "sum")])
        self._parts = [merged.select(["value", "count_sum"]).rename_columns(["value", "count"])]
        self._n_pending = len(merged)

    def finish(self) -> tuple[pa.Array, Counts]:
        """Values, in an order that says nothing of the rows, and their counts."""
        if not self._parts:
            return pa.array([], type=self._type), np.zeros(0, dtype=np.int64)
        self._merge()
        table = self._parts[0].sort_by("value")
        return table["value"].combine_chunks(), table["count"].to_numpy().astype(np.int64)


def _plain(array: pa.Array) -> pa.Array:
    """Without two spellings of zero or of missing."""
    if not pat.is_floating(array.type):
        return array
    array = pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)
    return pc.add(array, pa.scalar(0.0, array.type))


def _value_buckets(array: pa.Array) -> npt.NDArray[np.int64]:
    return bucket_of(hash_rows([array]))

"""Columns of levels counted over batches."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

MAX_LISTED_LEVELS = 2**20
"""Level columns list at most this many levels; the rarest beyond that are counted together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LevelCounts:
    """How often each value of a column occurs.

    Attributes:
        values: distinct values without null, by falling count, then by value.
        counts: ``(n_levels,)`` float64 rows per value.
        n_unlisted: rows whose value is not listed.
        n_missing: rows without a value.
        standard_error: standard deviation of each count about the true one; 0 for exact counts.
    """

    values: pa.Array
    counts: npt.NDArray[np.float64]
    n_unlisted: float = 0.0
    n_missing: float = 0.0
    standard_error: float = 0.0


@dataclass(slots=True)
class LevelCounter:
    """Counts distinct values of any type over batches."""

    _pending: list[pa.Table] = field(default_factory=list)
    _n_pending: int = 0
    _n_unlisted: int = 0
    _n_missing: int = 0

    def add(self, array: pa.Array) -> None:
        """Take a batch."""
        counted = array.value_counts()
        values, counts = counted.field(0), counted.field(1)
        if pat.is_dictionary(values.type):
            values = values.dictionary_decode()
        absent = pc.is_null(values, nan_is_null=True)
        self._n_missing += pc.sum(counts.filter(absent)).as_py() or 0
        present = pc.invert(absent)
        self._pending.append(pa.table({"value": values.filter(present), "count": counts.filter(present)}))
        self._n_pending += len(counted)
        if self._n_pending > MAX_LISTED_LEVELS:
            self._merge()

    def _merge(self) -> None:
        if self._pending:
            merged = pa.concat_tables(self._pending).group_by("value").aggregate([("count", "sum")])
            self._pending = [merged.select(["value", "count_sum"]).rename_columns(["value", "count"])]
        if self._pending and len(self._pending[0]) > MAX_LISTED_LEVELS // 2:
            table = self._pending[0].sort_by([("count", "descending"), ("value", "ascending")])
            rest = table.slice(MAX_LISTED_LEVELS // 2)
            self._n_unlisted += pc.sum(rest["count"]).as_py()
            self._pending = [table.slice(0, MAX_LISTED_LEVELS // 2)]
        self._n_pending = sum(len(table) for table in self._pending)

    def finish(self) -> LevelCounts:
        """The counts of all batches."""
        self._merge()
        table = self._pending[0].sort_by([("count", "descending"), ("value", "ascending")])
        return LevelCounts(
            values=_one_array(table["value"]),
            counts=table["count"].to_numpy().astype(np.float64),
            n_unlisted=float(self._n_unlisted),
            n_missing=float(self._n_missing),
        )


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)

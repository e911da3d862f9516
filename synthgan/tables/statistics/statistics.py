"""Door 1: everything the codec learns from the table, as counts per column.

`ColumnStatistics` is the interface; `ExactStatistics` its exact twin, one streaming pass with bounded memory. Whoever
reads statistics must not assume that counts are whole numbers or that every level that occurs is listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pyarrow as pa

from synthgan.errors import DataError
from synthgan.tables.schema.schema import ColumnSchema, Provenance, TableSchema
from synthgan.tables.statistics.formats import FormatCounter, Templates
from synthgan.tables.statistics.histogram import MAX_DISTINCT, SAMPLE_ROWS, Histogram, NumberCounter
from synthgan.tables.statistics.level_counts import MAX_LISTED_LEVELS, LevelCounter, LevelCounts

__all__ = [
    "MAX_DISTINCT",
    "MAX_LISTED_LEVELS",
    "SAMPLE_ROWS",
    "ColumnStatistics",
    "ExactStatistics",
    "Histogram",
    "LevelCounts",
    "Templates",
]


MIN_COUNT = 10
"""Rows behind a single value by default."""


class ColumnStatistics:
    """What the codec may know of the table: the exact and the private twin differ in how they are made.

    Attributes:
        provenance: what facts read off these statistics are worth: exact readings, or releases of a private mechanism.
    """

    provenance: Provenance

    def __init__(
        self,
        n_rows: float,
        levels: Mapping[str, LevelCounts],
        histograms: Mapping[str, Histogram],
        templates: Mapping[str, Templates],
    ) -> None:
        """Take finished counts, by the names of the columns."""
        self._n_rows = n_rows
        self._levels = dict(levels)
        self._histograms = dict(histograms)
        self._templates = dict(templates)

    def n_rows(self) -> float:
        """Number of rows; of a private twin, a noisy one, at least 1."""
        return float(self._n_rows)

    def levels(self, column: str) -> LevelCounts:
        """Value counts of a categorical, boolean or constant column."""
        return self._levels[column]

    def histogram(self, column: str) -> Histogram:
        """Histogram of a numeric column."""
        return self._histograms[column]

    def templates(self, column: str) -> Templates:
        """Formats of an identifier column."""
        return self._templates[column]


class ExactStatistics(ColumnStatistics):
    """Exact counts from one pass over batches.

    Memory is bounded per column: a numeric column with more than `MAX_DISTINCT` distinct values is summarised by a
    seeded uniform sample of `SAMPLE_ROWS` rows (missing and infinite values, extremes of the grid and its spacing stay
    exact); a level column lists at most `MAX_LISTED_LEVELS` levels.
    """

    provenance: Provenance = "inferred-exact"

    @classmethod
    def collect(
        cls, batches: Iterable[pa.RecordBatch], schema: TableSchema, *, min_count: int = MIN_COUNT, outer_rows: int = 0
    ) -> ExactStatistics:
        """Count every column of ``schema`` over the batches, except text, which is never read.

        Args:
            batches: the rows.
            schema: the columns to count.
            min_count: rows that a value off the grid of all others needs to be kept as it is.
            outer_rows: outermost rows of a column of numbers that value protection moves inwards, on either side.

        Raises:
            DataError: when there are no rows, or a column is not in the batches.
            SchemaError: when a column's kind does not fit its values.
        """
        counters = {
            column.name: _counter(column, index, min_count, outer_rows)
            for index, column in enumerate(schema.columns)
            if column.traits.is_read
        }
        n_rows = 0
        for batch in batches:
            n_rows += batch.num_rows
            for name, counter in counters.items():
                index = batch.schema.get_field_index(name)
                if index < 0:
                    raise DataError(f"the table has no column '{name}', which the schema lists; add it or fit anew")
                counter.add(batch.column(index))
        if n_rows == 0:
            raise DataError("the table has no rows; at least two are needed to fit")
        levels = {name: c.finish() for name, c in counters.items() if isinstance(c, LevelCounter)}
        histograms = {name: c.finish() for name, c in counters.items() if isinstance(c, NumberCounter)}
        templates = {name: c.finish() for name, c in counters.items() if isinstance(c, FormatCounter)}
        return cls(n_rows, levels, histograms, templates)


def _counter(
    column: ColumnSchema, index: int, min_count: int, outer_rows: int
) -> LevelCounter | NumberCounter | FormatCounter:
    if column.traits.counted_as == "histogram":
        rng = np.random.default_rng([index, SAMPLE_ROWS])
        return NumberCounter(column, rng, exception_rows=max(min_count, MIN_COUNT), outer_rows=outer_rows)
    if column.traits.counted_as == "templates":
        return FormatCounter(column)
    return LevelCounter()

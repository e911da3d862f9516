"""What the releases of all kinds of columns share: the mechanisms they may use, a budget, and the way rows are read.

The release of a column is a generator. It yields a counter, which is then shown every batch of the column once; when it
is resumed the counts are complete, a mechanism releases them, and on goes the generator with noisy numbers only. So
one pass over the table serves all columns, and how many passes there are depends on released numbers alone.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from synthgan.privacy.account.entries import STATISTICS
from synthgan.privacy.columns.released_columns import ReleasedColumn
from synthgan.tables.schema.schema import ColumnSchema

EXACT_KEYS = 2**20
"""Distinct values are counted one by one where there can be no more than this many; else hash buckets come first."""

Counts: TypeAlias = npt.NDArray[np.int64]


class CountMechanisms(Protocol):
    """The mechanisms of `synthgan.privacy.mechanisms.Mechanisms` that door 1 uses."""

    def counts(self, counts: Counts, *, rho: float, door: int, what: str) -> Counts:
        """Noisy counts of disjoint cells."""

    def standard_deviation(self, rho: float) -> float:
        """Of one noisy count."""

    def discover(self, counts: Counts, *, rho: float, delta: float, door: int, what: str) -> tuple[Counts, Counts]:
        """Indices and noisy counts of those cells, publicly unknown, that hold clearly more rows than one unit has."""


class Counter(Protocol):
    """Counts something of a column over batches. Every row counts in at most one cell."""

    def add(self, array: pa.Array) -> None:
        """Take a batch."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What one column may spend, and on what.

    Attributes:
        mechanisms: spends it.
        column: the column, for the ledger.
        rho: zCDP budget of the column.
        delta: of each of its discoveries.
        n_rows: the noisy number of rows of the table.
    """

    mechanisms: CountMechanisms
    column: str
    rho: float
    delta: float
    n_rows: float

    def counts(self, counts: Counts, share: float, what: str) -> tuple[npt.NDArray[np.float64], float]:
        """Noisy counts for a ``share`` of the budget, and their standard deviation.

        Privacy:
            Add or remove one unit of k rows: L2 sensitivity k, because every row counts in at most one cell.
        """
        rho = self.rho * share
        noisy = self.mechanisms.counts(counts, rho=rho, door=STATISTICS, what=f"{what} of column '{self.column}'")
        return noisy.astype(np.float64), self.deviation(share)

    def deviation(self, share: float) -> float:
        """Standard deviation of a count that is released for a ``share`` of the budget."""
        return float(self.mechanisms.standard_deviation(self.rho * share))

    def discover(self, counts: Counts, share: float, what: str) -> tuple[Counts, npt.NDArray[np.float64]]:
        """Indices and noisy counts of the heavy ones among cells whose very existence is private.

        Privacy:
            As `counts`, and ``delta`` for cells that exist for one unit's sake only.
        """
        kept, noisy = self.mechanisms.discover(
            counts, rho=self.rho * share, delta=self.delta, door=STATISTICS, what=f"{what} of column '{self.column}'"
        )
        return kept, noisy.astype(np.float64)


T = TypeVar("T")

PendingRelease: TypeAlias = Generator[Counter, None, T]
"""The release of a column: yields counters to be filled, returns what was released."""


def _never(column: ColumnSchema) -> bool:  # noqa: ARG001 -- one answer for every column
    return False


@dataclass(frozen=True, kw_only=True)
class ColumnRelease:
    """How one family of columns is counted under privacy.

    Attributes:
        release: the release itself: gives `LevelCounts`, a `Histogram` or `Templates`, as the kind's ``counted_as``
            says.
        in_words: what was released of a column, told from that and the declaration only.
        n_cells: how many cells are counted, as far as the declaration tells; the column's share of the budget goes by
            it.
        discovers: whether the release may discover values, which takes a part of the delta.
        needs_discovery: whether nothing can be released without a discovery.
    """

    release: Callable[[ColumnSchema, Budget], PendingRelease[Any]]
    in_words: Callable[[ColumnSchema, Any], ReleasedColumn]
    n_cells: Callable[[ColumnSchema], float]
    discovers: Callable[[ColumnSchema], bool] = _never
    needs_discovery: Callable[[ColumnSchema], bool] = _never

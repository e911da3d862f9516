"""Two-way tables of counts: every column as cells, their distance between two tables, and association within one."""

from __future__ import annotations

from typing import Literal

import numpy as np

from synthgan.evaluation.compared.compared_tables import Codes, ComparedTables, Floats
from synthgan.evaluation.compared.resampling import Resamples

Edges = Literal["own", "shared"]

N_BINS = 10
"""Bins of equal width that a number is cut into."""

DENSE_CELLS = 4_000_000
"""Most cells of a table that are counted in an array with a place for each; larger tables are sorted."""

_MOST_RESAMPLED = 2000
_FINEST = 1e-12


class ContingencyTables:
    """Every column of two tables as codes from 0, and contingency tables of their pairs.

    With ``edges="own"`` numbers are cut over each table's own range, as sdmetrics does; with ``"shared"`` over the real
    table's, values beyond it belonging to the outermost bins, and missing numbers are a cell of their own.
    """

    def __init__(self, tables: ComparedTables, real: str, synthetic: str, edges: Edges) -> None:
        self.edges = edges
        self.synthetic = synthetic
        self.codes: dict[str, tuple[Codes, Codes]] = {}
        self.sizes: dict[str, int] = {}
        for column, role in tables.roles.items():
            if role == "numeric":
                first, second = tables.numbers[real][column], tables.numbers[synthetic][column]
                if edges == "shared":
                    shared = _bin_edges(first)
                    self.codes[column] = _clipped_bins(first, shared), _clipped_bins(second, shared)
                else:
                    self.codes[column] = _library_bins(first), _library_bins(second)
                self.sizes[column] = N_BINS + 2
            else:
                self.codes[column] = tables.codes[real][column] + 1, tables.codes[synthetic][column] + 1
                self.sizes[column] = tables.n_levels[column] + 1

    def total_variation(self, left: str, right: str) -> float:
        """Half the L1 distance of the two tables' cell shares."""
        (first_keys, first), (second_keys, second) = self._counts(left, right, 0), self._counts(left, right, 1)
        keys, place = np.unique(np.concatenate([first_keys, second_keys]), return_inverse=True)
        difference = np.bincount(
            place, weights=np.concatenate([first / first.sum(), -second / second.sum()]), minlength=len(keys)
        )
        return float(0.5 * np.abs(difference).sum())

    def resampled_total_variation(self, left: str, right: str, resamples: Resamples) -> Floats:
        """The same in each resample of the second table's rows: ``(n_resamples,)``."""
        real_keys, real = self._counts(left, right, 0)
        keys, counts = self._counts(left, right, 1)
        shares: Floats = np.zeros(len(keys))
        place = np.minimum(np.searchsorted(keys, real_keys), len(keys) - 1)
        known = keys[place] == real_keys
        shares[place[known]] = real[known] / real.sum()
        unreached = real[~known].sum() / real.sum()
        cells = self._places(left, right, keys)
        n_cells = len(keys)
        if n_cells > _MOST_RESAMPLED:
            # The rarest cells move together, those above their real share and those below: the sum of their distances
            # is then kept, and its spread is that of the linearised distance.
            folded: Codes = np.argsort(np.argsort(-counts, kind="stable"), kind="stable").astype(np.int64)
            rare = folded >= _MOST_RESAMPLED
            folded[rare] = _MOST_RESAMPLED + (counts[rare] / counts.sum() > shares[rare])
            n_cells = _MOST_RESAMPLED + 2
            shares = np.bincount(folded, weights=shares, minlength=n_cells).astype(np.float64)
            cells = folded[cells]
        drawn = resamples.counts(cells, n_cells)
        drawn /= drawn.sum(axis=1, keepdims=True)
        distances: Floats = 0.5 * (np.abs(drawn - shares).sum(axis=1) + unreached)
        return distances

    def association(self, left: str, right: str, *, which: Literal[0, 1] = 0) -> float:
        """Cramer's V of the first (0) or second (1) table's cells; NaN when a column has a single level there."""
        keys, counts = self._counts(left, right, which)
        rows, columns = np.divmod(keys, self.sizes[right])
        row_sums = np.bincount(rows, weights=counts)
        column_sums = np.bincount(columns, weights=counts)
        smaller = min(np.count_nonzero(row_sums), np.count_nonzero(column_sums))
        if smaller < 2:
            return float("nan")
        # Pearson's chi-square over n: sum of observed squared over expected, less one; empty cells add nothing.
        phi_squared = (counts**2 / (row_sums[rows] * column_sums[columns])).sum() - 1.0
        return float(np.sqrt(max(phi_squared, 0.0) / (smaller - 1)))

    def _places(self, left: str, right: str, keys: Codes) -> Codes:
        """Place among ``keys``, in order, of each row's cell in the second table."""
        if self.sizes[left] * self.sizes[right] > DENSE_CELLS:
            return np.searchsorted(keys, self._keys(left, right, 1)).astype(np.int64)
        places = np.zeros(int(keys[-1]) + 1, dtype=np.int64)
        places[keys] = np.arange(len(keys))
        return places[self._keys(left, right, 1)]

    def _keys(self, left: str, right: str, which: Literal[0, 1]) -> Codes:
        return self.codes[left][which] * self.sizes[right] + self.codes[right][which]

    def _counts(self, left: str, right: str, which: Literal[0, 1]) -> tuple[Codes, Floats]:
        """Keys of the cells that occur, in order, and their counts."""
        keys = self._keys(left, right, which)
        if self.sizes[left] * self.sizes[right] <= DENSE_CELLS:
            counts = np.bincount(keys)
            occupied = np.flatnonzero(counts)
            return occupied, counts[occupied].astype(np.float64)
        occupied, sparse = np.unique(keys, return_counts=True)
        return occupied, sparse.astype(np.float64)


def _bin_edges(values: Floats) -> Floats:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return np.array([0.0, 1.0])
    low, high = finite.min(), finite.max()
    largest = max(abs(low), abs(high))
    if high - low > _FINEST * largest or largest < 1.0 / _FINEST:
        return np.histogram_bin_edges(finite, bins=N_BINS)
    # As good as constant beside its size (one date in nanoseconds): its ten bins would have no width.
    return np.linspace(low - _FINEST * largest, high + _FINEST * largest, N_BINS + 1)


def _library_bins(values: Floats) -> Codes:
    """Bins as sdmetrics cuts them: the largest value has a bin of its own, which missing values share."""
    return np.digitize(values, _bin_edges(values)).astype(np.int64)


def _clipped_bins(values: Floats, edges: Floats) -> Codes:
    """Bins 0 to 9, values beyond the range in the outermost ones; bin 10 for missing values."""
    bins = np.digitize(values, edges[1:-1]).astype(np.int64)
    bins[np.isnan(values)] = N_BINS
    return bins

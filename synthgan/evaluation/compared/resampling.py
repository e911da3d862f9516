"""How far chance in the synthetic rows moves a figure that is made of counts: a bootstrap of groups of rows.

Rows are exchangeable, so drawing 200 random groups of rows with replacement moves a sum over rows as much as drawing
the rows themselves does (the bootstrap of Efron 1979), and a table of any size costs one pass over its rows.

A bootstrap adds the noise of a second draw to that of the first, so distances grow in it. The intervals are therefore
centred: they take the resamples' spread around their own mean and put it around the figure. They say where the figure
of another table of as many rows of the same generator would fall, real rows given; the noise that the figure itself
holds stays in it, as it does in the noise floor beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synthgan.evaluation.compared.compared_tables import Codes, Floats

N_RESAMPLES = 200
N_GROUPS = 200

_FEW_ROWS = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Resamples:
    """Rows dealt into groups at random, and how often each resample holds each group.

    Attributes:
        groups: ``(n_rows,)`` group of each row.
        weights: ``(n_resamples, n_groups)``.
    """

    groups: Codes
    weights: Floats

    def counts(self, cells: Codes, n_cells: int, rows: Codes | None = None) -> Floats:
        """Rows per cell in each resample: ``(n_resamples, n_cells)``.

        Args:
            cells: ``(n_rows,)`` the cell of each row, or ``(len(rows),)``.
            n_cells: number of cells; memory grows with it times the number of groups.
            rows: the rows that the cells belong to (one may occur several times); None for all, in order.
        """
        groups = self.groups if rows is None else self.groups[rows]
        n_groups = self.weights.shape[1]
        counts = np.bincount(groups * n_cells + cells, minlength=n_groups * n_cells)
        return self.weights @ counts.reshape(n_groups, n_cells).astype(np.float64)

    def sums(self, values: Floats) -> Floats:
        """Sums of each column over the rows of each resample: ``(n_rows, n_values)`` to ``(n_resamples, n_values)``."""
        n_groups = self.weights.shape[1]
        totals = [np.bincount(self.groups, weights=column, minlength=n_groups) for column in values.T]
        return self.weights @ np.array(totals).reshape(len(totals), n_groups).T

    @property
    def n_rows(self) -> Floats:
        """Rows in each resample: ``(n_resamples,)``."""
        return self.weights @ np.bincount(self.groups, minlength=self.weights.shape[1]).astype(np.float64)


def resample(n_rows: int, rng: np.random.Generator, *, n_resamples: int = N_RESAMPLES) -> Resamples:
    """Deal rows into groups (below 1,000 rows, one each) and draw the groups with replacement."""
    n_groups = n_rows if n_rows < _FEW_ROWS else N_GROUPS
    return Resamples(
        groups=rng.permutation(n_rows) % n_groups,
        weights=rng.multinomial(n_groups, np.full(n_groups, 1.0 / n_groups), size=n_resamples).astype(np.float64),
    )


def centred_interval(
    value: float, resampled: Floats | None, *, lowest: float = -np.inf, highest: float = np.inf
) -> tuple[float, float] | None:
    """95% interval: the resamples' percentiles around their mean, put around ``value``, which it holds.

    None without a value or resamples.

    Args:
        value: the figure.
        resampled: ``(n_resamples,)`` the figure in each resample; NaN ones are left aside.
        lowest: least value that the figure can take.
        highest: largest value that it can take.
    """
    if resampled is None or np.isnan(value):
        return None
    known = resampled[~np.isnan(resampled)]
    if not len(known):
        return None
    lower, upper = value + np.quantile(known, [0.025, 0.975]) - known.mean()
    return float(min(max(lower, lowest), value)), float(max(min(upper, highest), value))

"""What a shadow-model attack looks at: figures of a synthetic table, some of them about one record."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synthgan.evaluation.compared.compared_tables import ComparedTables, Floats
from synthgan.evaluation.compared.neighbours import RowPoints, as_points, smallest_distances

NEAR_SHARE = 0.05
"""Numbers within this share of the population's ranks of a record's own count as equal to it."""

N_LEVELS = 10
"""Most frequent levels of a column whose shares are looked at."""

N_NEIGHBOURS = 5


def summary(tables: ComparedTables, table: str) -> Floats:
    """Figures of a whole table: ``(n_features,)``.

    Mean, spread, quartiles and missing share of each numeric column, shares of the most frequent levels of each other
    column, and all pairwise correlations, categories by the rank of their frequency (the *naive* and *correlation*
    features of Stadler et al. 2022).
    """
    values = tables.matrix(table, max_levels=N_LEVELS + 1)
    parts: list[Floats] = []
    filled = np.zeros_like(values)
    for place, name in enumerate(tables.columns):
        column = values[:, place]
        known = column[~np.isnan(column)]
        parts.append(np.array([len(known) / len(column)]))
        if tables.roles[name] == "numeric":
            figures = (
                [known.mean(), known.std(), *np.quantile(known, [0.0, 0.25, 0.5, 0.75, 1.0])] if len(known) else []
            )
            parts.append(np.array(figures if figures else [0.0] * 7))
        else:
            parts.append(np.bincount(known.astype(np.int64), minlength=N_LEVELS + 1) / len(column))
        filled[:, place] = np.where(np.isnan(column), known.mean() if len(known) else 0.0, column)
    centred = filled - filled.mean(axis=0)
    spread = centred.std(axis=0)
    scaled = np.divide(centred, spread, out=np.zeros_like(centred), where=spread > 0)
    correlations = (scaled.T @ scaled / len(scaled))[np.triu_indices(scaled.shape[1], 1)]
    return np.concatenate([*parts, correlations])


class RecordQueries:
    """Counts of the rows that agree with a record on some of the columns (the query attack of Houssiau et al. 2022).

    Args:
        tables: the compared tables.
        population: name of the table that gives ranks and scales.
        records: places of the records in it.
        n_queries: sets of columns, drawn at random; one more is that of all columns.
        rng: draws the sets.
    """

    def __init__(
        self,
        tables: ComparedTables,
        population: str,
        records: NDArray[np.int64],
        n_queries: int,
        rng: np.random.Generator,
    ) -> None:
        n_columns = len(tables.columns)
        sizes = rng.integers(1, n_columns + 1, size=n_queries)
        asked = rng.random((n_queries, n_columns)).argsort(axis=1).argsort(axis=1) < sizes[:, None]
        self._asked = np.concatenate([asked, np.ones((1, n_columns), dtype=bool)]).astype(np.float32)
        self._tables = tables
        self._population = population
        self._sorted = {name: np.sort(tables.numbers[population][name]) for name in tables.numeric}
        self._records: dict[str, Floats] = {name: self._coded(population, name)[records] for name in tables.columns}
        self._points: RowPoints = as_points(tables, population, real=population)[records]

    def about(self, table: str) -> Floats:
        """Figures of a table about each record: ``(n_records, n_features)``.

        The share of rows that answers each query, and the nearest row's distance with the mean of the five nearest.
        """
        columns = [self._coded(table, name) for name in self._tables.columns]
        shares = []
        for record in range(len(self._points)):
            differs = np.column_stack(
                [
                    _differs(own, self._records[name][record], tolerance=NEAR_SHARE * (role == "numeric"))
                    for own, (name, role) in zip(columns, self._tables.roles.items(), strict=True)
                ]
            )
            shares.append((differs.astype(np.float32) @ self._asked.T == 0.0).mean(axis=0))
        points = as_points(self._tables, table, real=self._population)
        near = smallest_distances(self._points, points, N_NEIGHBOURS)
        return np.column_stack([np.array(shares), near[:, 0], near.mean(axis=1)])

    def _coded(self, table: str, column: str) -> Floats:
        """Ranks among the population, from 0 to 1, or codes; NaN where missing."""
        if self._tables.roles[column] == "categorical":
            codes = self._tables.codes[table][column]
            return np.where(codes < 0, np.nan, codes)
        values, ordered = self._tables.numbers[table][column], self._sorted[column]
        ordered = ordered[~np.isnan(ordered)]
        ranks = (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")) / 2.0
        return np.where(np.isnan(values), np.nan, ranks / max(len(ordered), 1))


def _differs(values: Floats, own: float, *, tolerance: float) -> NDArray[np.bool_]:
    if np.isnan(own):
        return np.asarray(~np.isnan(values))
    # A missing value is at no distance from anything, so it differs.
    return np.asarray(~(np.abs(values - own) <= tolerance))

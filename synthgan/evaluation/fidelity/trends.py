"""Trend: how closely pairs of columns of the synthetic table follow the real ones.

Strong-pair trend is that of sdmetrics 0.32 (``QualityReport``: Column Pair Trends with its default thresholds),
computed on shared codes at once instead of pair by pair; ``test_fidelity.py`` holds it to the library's figures.
Trend over all pairs is the measure of the TabSyn, TabDiff and TabPC papers (sdmetrics 0.11.1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from synthgan.evaluation.compared.compared_tables import ComparedTables, Floats
from synthgan.evaluation.compared.contingency import ContingencyTables, Edges
from synthgan.evaluation.compared.resampling import Resamples
from synthgan.evaluation.fidelity.correlations import MOST_RESAMPLED, correlation_matrix, resampled_correlations

CORRELATION_THRESHOLD = 0.5
ASSOCIATION_THRESHOLD = 0.3


EXTREME_ROWS = 10
"""Rows at a number's smallest and largest value from which on its own bins are taken as settled."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PairErrors:
    """Error of each pair of columns, in percent.

    Attributes:
        pairs: the two column names.
        errors: ``(n_pairs,)``, NaN where undefined or not counted.
        resampled: ``(n_resamples,)`` the mean (over at most `MOST_RESAMPLED` pairs) in each resample of the synthetic
            rows; None where none was drawn, and where own bins hang on extremes that few synthetic rows hold, since
            bins are not cut anew.
    """

    pairs: tuple[tuple[str, str], ...]
    errors: Floats
    resampled: Floats | None = None

    @property
    def mean(self) -> float:
        """Mean over the pairs that count; NaN when none does."""
        counted = self.errors[~np.isnan(self.errors)]
        return float(counted.mean()) if len(counted) else float("nan")


def trend_errors(
    tables: ComparedTables,
    *,
    edges: Edges = "shared",
    real: str = "real",
    synthetic: str = "synthetic",
    resamples: Resamples | None = None,
) -> PairErrors:
    """Distance of every column pair: half the difference of Pearson correlations, or total variation of the cells.

    Numerics beside a categorical are cut into ten bins of equal width. With ``edges="own"`` each table's own range is
    cut, as sdmetrics does; with ``"shared"`` the real table's bins serve both, and missing numbers are a cell of their
    own; values beyond the real range belong to the outermost bins. A numeric column that is constant in one of the two
    tables counts as uncorrelated there, so that collapse costs.
    """
    pairs = tables.once(_trend_errors, real, synthetic, edges)
    if resamples is None:
        return pairs
    cells, correlations = ContingencyTables(tables, real, synthetic, edges), _correlations(tables, real, synthetic)
    return _with_resamples(pairs, tables, cells, correlations[0], resamples)


def _trend_errors(tables: ComparedTables, real: str, synthetic: str, edges: Edges) -> PairErrors:
    cells = ContingencyTables(tables, real, synthetic, edges)
    correlations = _correlations(tables, real, synthetic)
    pairs = tuple(combinations(tables.columns, 2))
    place = {column: index for index, column in enumerate(tables.numeric)}
    errors = np.empty(len(pairs))
    for index, (left, right) in enumerate(pairs):
        if left in place and right in place:
            first, second = (np.nan_to_num(matrix[place[left], place[right]]) for matrix in correlations)
            errors[index] = 50.0 * abs(first - second)
        else:
            errors[index] = 100.0 * cells.total_variation(left, right)
    return PairErrors(pairs=pairs, errors=errors)


def strong_pair_errors(
    tables: ComparedTables,
    *,
    real: str = "real",
    synthetic: str = "synthetic",
    resamples: Resamples | None = None,
) -> PairErrors:
    """Trend of the pairs that are strongly related in the real table, as sdmetrics 0.32 reports it.

    Counted are numeric pairs with a real correlation beyond 0.5 and other pairs with a real Cramer's V above 0.3; bins
    have own edges; pairs with a constant numeric column are left out, as in the library.
    """
    cells = ContingencyTables(tables, real, synthetic, "own")
    correlations = _correlations(tables, real, synthetic)
    pairs = tuple(combinations(tables.columns, 2))
    place = {column: index for index, column in enumerate(tables.numeric)}
    errors = np.full(len(pairs), np.nan)
    for index, (left, right) in enumerate(pairs):
        if left in place and right in place:
            first, second = (matrix[place[left], place[right]] for matrix in correlations)
            if abs(first) > CORRELATION_THRESHOLD:
                errors[index] = 50.0 * abs(first - second)
        elif cells.association(left, right) > ASSOCIATION_THRESHOLD:
            errors[index] = 100.0 * cells.total_variation(left, right)
    return _with_resamples(PairErrors(pairs=pairs, errors=errors), tables, cells, correlations[0], resamples)


def _correlations(tables: ComparedTables, real: str, synthetic: str) -> tuple[Floats, Floats]:
    return tables.once(correlation_matrix, real), tables.once(correlation_matrix, synthetic)


def _with_resamples(
    found: PairErrors,
    tables: ComparedTables,
    cells: ContingencyTables,
    real_correlations: Floats,
    resamples: Resamples | None,
) -> PairErrors:
    counted = np.flatnonzero(~np.isnan(found.errors))
    if resamples is None or not len(counted):
        return found
    counted = counted[:: math.ceil(len(counted) / MOST_RESAMPLED)]
    pairs = [found.pairs[index] for index in counted]
    numeric = [pair for pair in pairs if tables.roles[pair[0]] == tables.roles[pair[1]] == "numeric"]
    apart = set(numeric)
    binned = {column for pair in pairs if pair not in apart for column in pair if tables.roles[column] == "numeric"}
    if cells.edges == "own" and not all(_steady(tables.numbers[cells.synthetic][column]) for column in binned):
        return found
    total = np.zeros(len(resamples.weights))
    if numeric:
        place = {column: index for index, column in enumerate(tables.numeric)}
        target = np.array([np.nan_to_num(real_correlations[place[left], place[right]]) for left, right in numeric])
        total += 50.0 * np.abs(resampled_correlations(tables, cells.synthetic, numeric, resamples) - target).sum(axis=1)
    for pair in pairs:
        if pair not in apart:
            total += 100.0 * cells.resampled_total_variation(*pair, resamples)
    return replace(found, resampled=total / len(pairs))


def _steady(values: Floats) -> bool:
    """Whether so many rows hold a number's extremes that another draw of the rows has them too."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return True
    return min(int((finite == end).sum()) for end in (finite.min(), finite.max())) >= EXTREME_ROWS

"""Correlations of the numeric columns, and how far those of a synthetic table are from the real ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from scipy.stats import rankdata

from synthgan.evaluation.compared.compared_tables import ComparedTables, Floats
from synthgan.evaluation.compared.resampling import Resamples, centred_interval
from synthgan.evaluation.scores import Score

MOST_RESAMPLED = 500
"""Most pairs of columns that the interval rests on, taken evenly."""

_FLAT = 1e-12
"""Variance of standardised values below which a resample's column is constant but for rounding."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CorrelationErrors:
    """Correlations of each pair of numeric columns in two tables.

    Attributes:
        pairs: the two column names, without pairs that have no correlation in the real table.
        real: ``(n_pairs,)`` correlations in the real table.
        synthetic: ``(n_pairs,)`` in the synthetic one; 0 where a column is constant there.
    """

    pairs: tuple[tuple[str, str], ...]
    real: Floats
    synthetic: Floats

    @property
    def errors(self) -> Floats:
        """``(n_pairs,)`` absolute differences, between 0 and 2."""
        errors: Floats = np.abs(self.real - self.synthetic)
        return errors

    @property
    def mean(self) -> float:
        """Mean over the pairs; NaN without any."""
        return float(self.errors.mean()) if len(self.pairs) else float("nan")


def correlation_scores(
    tables: ComparedTables,
    resamples: Resamples | None,
    *,
    real: str = "real",
    synthetic: str = "synthetic",
    reference: str | None = None,
) -> list[Score]:
    """Mean absolute difference of the Pearson correlations of numeric columns; Spearman's in the details.

    Args:
        tables: the compared tables.
        resamples: of the synthetic rows, for the interval; None for none.
        real: name of the real table.
        synthetic: name of the table to score.
        reference: name of a table of fresh real rows, scored the same way.
    """
    pearson = correlation_errors(tables, real=real, synthetic=synthetic)
    spearman = correlation_errors(tables, ranks=True, real=real, synthetic=synthetic)
    details: dict[str, Any] = {
        "pearson": pearson.mean,
        "spearman": spearman.mean,
        "largest": _largest(pearson),
        "largest_spearman": _largest(spearman),
        "pairs": {
            f"{left} | {right}": float(error)
            for (left, right), error in zip(pearson.pairs, pearson.errors, strict=True)
        },
    }
    floor = None
    if reference is not None:
        floor = correlation_errors(tables, real=real, synthetic=reference).mean
        details["spearman_reference"] = correlation_errors(tables, ranks=True, real=real, synthetic=reference).mean
    resampled = None
    if resamples is not None and pearson.pairs:
        thinned = slice(None, None, math.ceil(len(pearson.pairs) / MOST_RESAMPLED))
        drawn = resampled_correlations(tables, synthetic, pearson.pairs[thinned], resamples)
        resampled = np.abs(drawn - pearson.real[thinned]).mean(axis=1)
    return [
        Score.of(
            "correlations",
            pearson.mean,
            interval=centred_interval(pearson.mean, resampled, lowest=0.0, highest=2.0),
            reference=floor,
            note="mean absolute difference of Pearson correlations over all pairs of numeric columns",
            details=details,
        )
    ]


def correlation_errors(
    tables: ComparedTables, *, ranks: bool = False, real: str = "real", synthetic: str = "synthetic"
) -> CorrelationErrors:
    """Correlations of every pair of numeric columns in both tables: Pearson's, or with ``ranks`` Spearman's.

    A pair without a correlation in the real table (a constant column, or never present together) has nothing to keep
    and is left out; without one in the synthetic table it counts as uncorrelated there, so that collapse costs.
    """
    first, second = (correlation_matrix(tables, name, ranks=ranks) for name in (real, synthetic))
    places = [(i, j) for i, j in combinations(range(len(tables.numeric)), 2) if not np.isnan(first[i, j])]
    return CorrelationErrors(
        pairs=tuple((tables.numeric[i], tables.numeric[j]) for i, j in places),
        real=np.array([first[place] for place in places]),
        synthetic=np.nan_to_num(np.array([second[place] for place in places])),
    )


def correlation_matrix(tables: ComparedTables, table: str, *, ranks: bool = False) -> Floats:
    """Correlations of the numeric columns over the rows where both are present: ``(n_numeric, n_numeric)``.

    NaN where one of the two is constant. With ``ranks``, values are replaced by their ranks within the column first.
    """
    names = tables.numeric
    values = np.array([tables.numbers[table][name] for name in names]).reshape(len(names), tables.n_rows[table])
    present = np.isfinite(values)
    if ranks:
        for row, known in zip(values, present, strict=True):
            row[known] = rankdata(row[known])
    matrix = np.full((len(names), len(names)), np.nan)
    if present.all():
        values = _scaled(values)
        spread = values.max(axis=1) > values.min(axis=1)
        centred = values[spread] - values[spread].mean(axis=1, keepdims=True)
        centred /= np.sqrt((centred**2).sum(axis=1, keepdims=True))
        matrix[np.ix_(spread, spread)] = centred @ centred.T
        return matrix
    for left in range(len(names)):
        for right in range(left, len(names)):
            both = present[left] & present[right]
            matrix[left, right] = matrix[right, left] = _pearson(values[left, both], values[right, both])
    return matrix


def resampled_correlations(
    tables: ComparedTables, table: str, pairs: Sequence[tuple[str, str]], resamples: Resamples
) -> Floats:
    """Pearson correlation of each pair in each resample of a table's rows: ``(n_resamples, n_pairs)``.

    0 where a column is constant in the resample.
    """
    order = np.argsort(resamples.groups, kind="stable")
    n_groups = resamples.weights.shape[1]
    starts = np.searchsorted(resamples.groups[order], np.arange(n_groups))
    columns = {name: _standardised(tables.numbers[table][name][order]) for pair in pairs for name in pair}
    found = np.zeros((len(resamples.weights), len(pairs)))
    for index, (left, right) in enumerate(pairs):
        both = ~np.isnan(columns[left]) & ~np.isnan(columns[right])
        x, y = (np.where(both, columns[name], 0.0) for name in (left, right))
        sums = np.add.reduceat(np.array([both, x, y, x * x, y * y, x * y]), starts, axis=1)
        count, x_sum, y_sum, x_squares, y_squares, products = (resamples.weights @ sums.T).T
        count = np.maximum(count, 1.0)
        x_variance = x_squares / count - (x_sum / count) ** 2
        y_variance = y_squares / count - (y_sum / count) ** 2
        varies = (x_variance > _FLAT) & (y_variance > _FLAT)
        covariance = products / count - x_sum * y_sum / count**2
        scale = np.sqrt(np.where(varies, x_variance * y_variance, 1.0))
        found[:, index] = np.where(varies, np.clip(covariance / scale, -1.0, 1.0), 0.0)
    return found


def _largest(errors: CorrelationErrors) -> dict[str, Any] | None:
    if not errors.pairs:
        return None
    worst = int(errors.errors.argmax())
    return {
        "pair": list(errors.pairs[worst]),
        "real": float(errors.real[worst]),
        "synthetic": float(errors.synthetic[worst]),
        "difference": float(errors.errors[worst]),
    }


def _pearson(left: Floats, right: Floats) -> float:
    left, right = _scaled(left), _scaled(right)
    if len(left) < 2 or left.min() == left.max() or right.min() == right.max():
        return float("nan")
    first, second = left - left.mean(), right - right.mean()
    return float((first @ second) / np.sqrt((first @ first) * (second @ second)))


def _scaled(values: Floats) -> Floats:
    """Rows as shares of their largest absolute value, so that squares neither overflow nor vanish."""
    largest = np.abs(values).max(axis=-1, keepdims=True, initial=0.0)
    shares: Floats = np.divide(values, largest, out=np.zeros_like(values), where=largest > 0)
    return shares


def _standardised(values: Floats) -> Floats:
    """Values with mean 0 and variance 1 over the finite ones, NaN for the others; all 0 when they are constant."""
    known = np.isfinite(values)
    standardised = np.full(len(values), np.nan)
    own = _scaled(values[known])
    if len(own):
        own = own - own.mean()
        deviation = own.std()
        standardised[known] = own / deviation if deviation > 0 else 0.0
    return standardised

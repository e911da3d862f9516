"""Frechet distance of encoded rows: how far apart are the first two moments of two mixed tables."""

from __future__ import annotations

import numpy as np

from synthgan.comparison import Gaussian, frechet_distance, random_projection
from synthgan.evaluation.compared.compared_tables import ComparedTables, Floats

_MOST_LEVELS = 100


def relative_frechet_distance(tables: ComparedTables, *, real: str = "real", synthetic: str = "synthetic") -> float:
    """Frechet distance of the encoded rows' first two moments, as a share of the real rows' total variance.

    Numbers are encoded as their rank among the real ones (half the share of real values below and half the share not
    above, which a few extremes cannot rule), with an indicator where some are missing; categories are one-hot. Each
    column is scaled to total variance 1 in the real table. Beyond `synthgan.comparison.MOST_FEATURES` features a fixed
    random projection stands in for them.

    Returns:
        0 at best; 1 is what a table would score that holds nothing but the mean; NaN when no column varies.
    """
    blocks = [_encoded(tables, column, real, synthetic) for column in tables.columns]
    scaled = []
    for first, second in blocks:
        deviation = np.sqrt(first.var(axis=0).sum())
        if deviation > 0:
            scaled.append((first / deviation, second / deviation))
    if not scaled:
        return float("nan")
    parts = [np.concatenate(side, axis=1) for side in zip(*scaled, strict=True)]
    projection = random_projection(parts[0].shape[1])
    if projection is not None:
        parts = [part @ projection for part in parts]
    laws = [_fitted(part) for part in parts]
    return frechet_distance(*laws) / float(np.trace(laws[0].covariance))


def _fitted(rows: Floats) -> Gaussian:
    mean = rows.mean(axis=0)
    centred = rows - mean
    return Gaussian(mean, centred.T @ centred / len(rows))


def _encoded(tables: ComparedTables, column: str, real: str, synthetic: str) -> tuple[Floats, Floats]:
    """One column's features in both tables: twice ``(n_rows, n_features)``."""
    names = (real, synthetic)
    if tables.roles[column] == "categorical":
        levels = [tables.one_hot(name, [column], max_levels=_MOST_LEVELS).astype(np.float64) for name in names]
        return levels[0], levels[1]
    own = tables.numbers[real][column]
    own = np.sort(own[~np.isnan(own)])
    parts = []
    for name in names:
        values = tables.numbers[name][column]
        missing = np.isnan(values)
        below = np.searchsorted(own, values, side="left") + np.searchsorted(own, values, side="right")
        # The real ranks' mean is a half, so a missing number says nothing here and all in its indicator.
        ranks = np.where(missing, 0.5, below / (2.0 * max(len(own), 1)))
        parts.append(np.column_stack([ranks, missing]))
    return parts[0], parts[1]

"""Shape: how closely each column of the synthetic table follows the real one.

The measure of sdmetrics (``QualityReport``: Column Shapes); its test, ``test_fidelity.py``, holds it to the
library's figures.
"""

from __future__ import annotations

import numpy as np

from synthgan.evaluation.compared.compared_tables import Codes, ComparedTables, Floats
from synthgan.evaluation.compared.resampling import Resamples

_KS_DECIMALS = 14
_KS_LARGEST = 1e10
_GRID = 100
_MOST_LEVELS = 2000


def shape_errors(tables: ComparedTables, *, real: str = "real", synthetic: str = "synthetic") -> dict[str, float]:
    """Distance of each column's distribution, in percent: Kolmogorov-Smirnov for numbers, total variation for others.

    Missing values are left aside, as sdmetrics does (see `synthgan.evaluation.fidelity.missingness`).
    """
    return tables.once(_shape_errors, real, synthetic)


def _shape_errors(tables: ComparedTables, real: str, synthetic: str) -> dict[str, float]:
    errors = {}
    for column, role in tables.roles.items():
        if role == "numeric":
            distance = _kolmogorov_smirnov(tables.numbers[real][column], tables.numbers[synthetic][column])
        else:
            distance = _total_variation(
                tables.codes[real][column], tables.codes[synthetic][column], tables.n_levels[column]
            )
        errors[column] = 100.0 * distance
    return errors


def resampled_shape(
    tables: ComparedTables, resamples: Resamples, *, real: str = "real", synthetic: str = "synthetic"
) -> Floats:
    """Mean shape error, in percent, in each resample of the synthetic rows: ``(n_resamples,)``.

    The largest gap of two distribution functions is searched at about 200 points and where it is now; of a category
    with more than 2,000 levels the rarest count as one.
    """
    distances = []
    for column, role in tables.roles.items():
        if role == "numeric":
            distances.append(_resampled_gap(tables.numbers[real][column], tables.numbers[synthetic][column], resamples))
        else:
            first, second = (tables.codes[name][column] for name in (real, synthetic))
            distances.append(_resampled_variation(first, second, tables.n_levels[column], resamples))
    known = [distance for distance in distances if distance is not None]
    mean: Floats = 100.0 * np.mean(known, axis=0) if known else np.full(len(resamples.weights), np.nan)
    return mean


def _kolmogorov_smirnov(real: Floats, synthetic: Floats) -> float:
    """Largest distance of the two empirical distribution functions."""
    first, second = _sorted(real), _sorted(synthetic)
    if not len(first) or not len(second):
        return float("nan")
    points = np.concatenate([first, second])
    return float(np.abs(_below(first, points) - _below(second, points)).max())


def _resampled_gap(real: Floats, synthetic: Floats, resamples: Resamples) -> Floats | None:
    first, second = _sorted(real), _sorted(synthetic)
    if not len(first) or not len(second):
        return None
    points = np.concatenate([first, second])
    widest = points[np.abs(_below(first, points) - _below(second, points)).argmax()]
    thinned = [part[:: max(1, len(part) // _GRID)] for part in (first, second)]
    grid = np.unique(np.concatenate([*thinned, [widest]]))
    values = _rounded(synthetic)
    # Cell i holds the values up to grid[i] and above the one before; missing ones have the last cell.
    cells = np.where(np.isnan(values), len(grid) + 1, np.searchsorted(grid, values, side="left"))
    counts = resamples.counts(cells, len(grid) + 2)[:, :-1].cumsum(axis=1)
    shares = counts[:, :-1] / np.maximum(counts[:, -1:], 1.0)
    gaps: Floats = np.abs(shares - _below(first, grid)).max(axis=1)
    return gaps


def _total_variation(real: Codes, synthetic: Codes, n_levels: int) -> float:
    first = np.bincount(real[real >= 0], minlength=n_levels)
    second = np.bincount(synthetic[synthetic >= 0], minlength=n_levels)
    if not first.sum() or not second.sum():
        return float("nan")
    return float(0.5 * np.abs(first / first.sum() - second / second.sum()).sum())


def _resampled_variation(real: Codes, synthetic: Codes, n_levels: int, resamples: Resamples) -> Floats | None:
    first = np.bincount(real[real >= 0], minlength=n_levels)
    second = np.bincount(synthetic[synthetic >= 0], minlength=n_levels)
    if not first.sum() or not second.sum():
        return None
    ranks = np.empty(n_levels + 1, dtype=np.int64)
    ranks[np.argsort(-(first + second), kind="stable")] = np.minimum(np.arange(n_levels), _MOST_LEVELS)
    size = min(n_levels, _MOST_LEVELS + 1)
    ranks[-1] = size
    shares = np.bincount(ranks[:-1], weights=first, minlength=size) / first.sum()
    counts = resamples.counts(ranks[synthetic], size + 1)[:, :-1]
    counts /= np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
    distances: Floats = 0.5 * np.abs(counts - shares).sum(axis=1)
    return distances


def _sorted(values: Floats) -> Floats:
    present: Floats = np.sort(_rounded(values[~np.isnan(values)]))
    return present


def _rounded(values: Floats) -> Floats:
    """Values as sdmetrics rounds them, so that noise in the last digit does not split ties."""
    small = np.abs(values) < _KS_LARGEST
    return np.where(small, np.round(np.where(small, values, 0.0), _KS_DECIMALS), values)


def _below(values: Floats, points: Floats) -> Floats:
    """Share of sorted values that are not above each point."""
    shares: Floats = np.searchsorted(values, points, side="right") / len(values)
    return shares

"""How good predictions are, on the test rows and on many resamples of them at once.

A resample is a row of counts: how often each test row was drawn. One set of counts serves all models, so differences
between them are paired.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from synthgan.evaluation.catalogue import Definition, definition
from synthgan.evaluation.compared.compared_tables import Floats
from synthgan.evaluation.utility.models import Task

Counts = NDArray[np.uint16]
"""``(n_resamples, n_rows)``."""

Measure = Callable[[NDArray[np.generic], Floats, Counts], Floats]
"""Truth ``(n_rows,)``, predictions and counts to ``(n_resamples,)`` figures, NaN where undefined."""

N_RESAMPLES = 200

_CHUNK_CELLS = 2_000_000


def resample_counts(n_rows: int, rng: np.random.Generator, n_resamples: int = N_RESAMPLES) -> Counts:
    """Bootstrap resamples of the rows as counts, ``(n_resamples, n_rows)``."""
    counts = np.empty((n_resamples, n_rows), dtype=np.uint16)
    for resample in counts:
        resample[:] = np.bincount(rng.integers(n_rows, size=n_rows), minlength=n_rows)
    return counts


def once(n_rows: int) -> Counts:
    """Every row once: the counts of the test rows themselves."""
    return np.ones((1, n_rows), dtype=np.uint16)


def percentile_interval(values: Floats) -> tuple[float, float]:
    """95% percentile interval of resampled figures; undefined ones are left aside."""
    known = values[~np.isnan(values)]
    if not len(known):
        return math.nan, math.nan
    lower, upper = np.quantile(known, [0.025, 0.975])
    return float(lower), float(upper)


def auc(truth: NDArray[np.generic], predicted: Floats, counts: Counts) -> Floats:
    """Area under the ROC curve; of more than two classes, the mean of each class against the rest.

    Args:
        truth: ``(n_rows,)`` class numbers.
        predicted: ``(n_rows, n_classes)`` probabilities. Ties count half.
        counts: ``(n_resamples, n_rows)``.
    """
    n_classes = predicted.shape[1]
    if n_classes == 2:
        return _area(truth == 1, predicted[:, 1] - predicted[:, 0], counts)
    classes = [level for level in range(n_classes) if (truth == level).any()]
    total, defined = np.zeros(len(counts)), np.zeros(len(counts))
    for level in classes:
        area = _area(truth == level, predicted[:, level], counts)
        known = ~np.isnan(area)
        total[known] += area[known]
        defined += known
    return _ratio(total, defined)


def _area(positive: NDArray[np.bool_], score: Floats, counts: Counts) -> Floats:
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(score[order]) > 0]))  # equal scores are one step
    positive = positive[order]
    areas = []
    for chunk in _chunks(counts):
        drawn = chunk[:, order].astype(np.float64)
        above = np.add.reduceat(drawn * positive, starts, axis=1)
        below = np.add.reduceat(drawn * ~positive, starts, axis=1)
        beaten = np.cumsum(below, axis=1) - below / 2
        areas.append(_ratio((above * beaten).sum(axis=1), above.sum(axis=1) * below.sum(axis=1)))
    return np.concatenate(areas)


def balanced_accuracy(truth: NDArray[np.generic], predicted: Floats, counts: Counts) -> Floats:
    """Share of rows whose most probable class is right, per class and averaged over the classes that were drawn."""
    classes = np.unique(truth)
    member = (truth[:, None] == classes).astype(np.float64)
    right = member * (predicted.argmax(axis=1) == truth)[:, None]
    figures = []
    for chunk in _chunks(counts):
        drawn = chunk.astype(np.float64)
        rows, hits = drawn @ member, drawn @ right
        shares = hits / np.maximum(rows, 1)
        figures.append(_ratio(shares.sum(axis=1), (rows > 0).sum(axis=1)))
    return np.concatenate(figures)


def r2(truth: NDArray[np.generic], predicted: Floats, counts: Counts) -> Floats:
    """Share of the target's variance that the predictions explain."""
    centred, errors, _ = _scaled(truth, predicted)
    error = _mean(errors**2, counts)
    spread = _mean(centred**2, counts) - _mean(centred, counts) ** 2
    return 1.0 - _ratio(error, np.where(spread > 1e-12, spread, 0.0))


def rmse(truth: NDArray[np.generic], predicted: Floats, counts: Counts) -> Floats:
    """Root of the mean squared error, in units of the target."""
    _, errors, size = _scaled(truth, predicted)
    return np.sqrt(_mean(errors**2, counts)) * size


def explained(whole: NDArray[np.generic]) -> Measure:
    """1 less the mean squared error as a share of the variance of ``whole``.

    It is `r2` for a part of a table, whose own variance may be tiny, against the variance of the whole.

    Args:
        whole: ``(n_test,)`` true values of all test rows, not all the same.
    """
    centred, _, size = _scaled(whole, np.zeros(len(whole)))
    spread = math.sqrt(float((centred**2).mean())) * size

    def measure(truth: NDArray[np.generic], predicted: Floats, counts: Counts) -> Floats:
        return 1.0 - (rmse(truth, predicted, counts) / spread) ** 2

    return measure


def _scaled(truth: NDArray[np.generic], predicted: Floats) -> tuple[Floats, Floats, float]:
    """Centred truth and errors in units of the truth's largest deviation, and that unit: squares must not overflow."""
    values = truth.astype(np.float64)
    centred = values - values.mean()
    size = float(np.abs(centred).max()) or 1.0
    return centred / size, (values - predicted) / size, size


def _mean(values: Floats, counts: Counts) -> Floats:
    parts = [_ratio(chunk @ values, chunk.sum(axis=1)) for chunk in (part.astype(float) for part in _chunks(counts))]
    return np.concatenate(parts)


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    """NaN where the denominator is zero."""
    defined = denominator > 0
    return np.where(defined, numerator / np.where(defined, denominator, 1.0), np.nan)


def _chunks(counts: Counts) -> Iterator[Counts]:
    """Resamples in portions that fit the memory as floats."""
    step = max(1, _CHUNK_CELLS // max(1, counts.shape[1]))
    for start in range(0, len(counts), step):
        yield counts[start : start + step]


MEASURES: dict[Task, dict[str, Measure]] = {
    "binary": {"auc": auc, "balanced_accuracy": balanced_accuracy},
    "multiclass": {"auc": auc, "balanced_accuracy": balanced_accuracy},
    "regression": {"r2": r2, "rmse": rmse},
}
"""Per task, name -> measure. The first is the one that gaps are measured in."""


def row_of(measure: str) -> Definition:
    """What the catalogue says of a measure's score."""
    return definition(f"utility_{measure}")

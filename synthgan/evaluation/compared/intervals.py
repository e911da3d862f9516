"""How far a figure may be trusted: intervals of shares, of areas under ROC curves, of anything else by bootstrap."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Z = 1.959963984540054
"""Two-sided 95% quantile of the normal distribution."""


def wilson(count: float, n: float, *, z: float = Z) -> tuple[float, float]:
    """Interval of a share ``count / n`` (Wilson 1927), 95% unless ``z`` is the normal quantile of another level."""
    if n == 0:
        return 0.0, 1.0
    share = count / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    # The ends of none and of all are exact, whatever the rounding of the sums above.
    return 0.0 if count == 0 else max(0.0, centre - half), 1.0 if count == n else min(1.0, centre + half)


def difference(
    first: float, first_interval: tuple[float, float], second: float, second_interval: tuple[float, float]
) -> tuple[float, float]:
    """Interval of ``first - second`` from those of two independent figures (Newcombe 1998, method 10)."""
    (low, high), (second_low, second_high) = first_interval, second_interval
    value = first - second
    return (
        value - math.hypot(first - low, second_high - second),
        value + math.hypot(high - first, second - second_low),
    )


def roc_auc(positive: NDArray[np.bool_], score: NDArray[np.float64]) -> tuple[float, float]:
    """Area under the ROC curve and its standard error (DeLong, DeLong and Clarke-Pearson 1988).

    Args:
        positive: ``(n,)`` truth; both classes must occur.
        score: ``(n,)`` higher for positives; ties count half.
    """
    high, low = score[positive], score[~positive]
    ranks = rankdata(np.concatenate([high, low]))
    # Share of the other class that each row beats: its overall rank less its rank among its own.
    above = (ranks[: len(high)] - rankdata(high)) / len(low)
    below = 1.0 - (ranks[len(high) :] - rankdata(low)) / len(high)
    area = float(above.mean())
    variance = _mean_variance(above) + _mean_variance(below)
    return area, math.sqrt(variance)


def bootstrap(
    statistic: Callable[[NDArray[np.int64]], float], n: int, rng: np.random.Generator, *, n_resamples: int = 200
) -> tuple[float, float]:
    """95% percentile interval of ``statistic(rows)`` over resampled row numbers; NaN results are left aside."""
    values = np.array([statistic(rng.integers(n, size=n)) for _ in range(n_resamples)])
    values = values[~np.isnan(values)]
    if not len(values):
        return math.nan, math.nan
    lower, upper = np.quantile(values, [0.025, 0.975])
    return float(lower), float(upper)


def _mean_variance(values: NDArray[np.float64]) -> float:
    return float(values.var(ddof=1)) / len(values) if len(values) > 1 else 0.0

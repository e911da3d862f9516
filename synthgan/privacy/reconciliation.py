"""Noisy counts made to agree: post-processing of released marginals, which costs no privacy.

Counts measured of one thing are averaged by precision. Counts of a pair of columns are then moved, by as little as
possible in the least-squares sense, towards the margins that are known better, and those of its slices towards the
pair. Counts may stay negative: cutting them off would bias every sum (Zhang et al. 2021, PrivSyn, compare repairs).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Estimate:
    """Counts with independent noise of one variance.

    Attributes:
        counts: any shape.
        variance: of each cell.
    """

    counts: Counts
    variance: float

    @property
    def standard_deviation(self) -> float:
        """Of each cell."""
        return float(np.sqrt(self.variance))


def combined(*estimates: Estimate) -> Estimate:
    """Estimates of the same counts, averaged by precision."""
    precision = sum(1 / estimate.variance for estimate in estimates)
    counts = sum(estimate.counts / estimate.variance for estimate in estimates) / precision
    return Estimate(np.asarray(counts), 1 / precision)


def fitted_to(pair: Estimate, rows: Estimate, columns: Estimate) -> Estimate:
    """A pair's counts, with each margin moved to the precision-weighted mean of its own and what is known of it.

    Args:
        pair: ``(n_a, n_b)``.
        rows: ``(n_a,)`` counts of the first column's levels.
        columns: ``(n_b,)`` counts of the second column's levels.
    """
    counts = pair.counts
    n_a, n_b = counts.shape
    for axis, known, n_summed in ((1, rows, n_b), (0, columns, n_a)):
        own = counts.sum(axis)
        weight = pair.variance * n_summed / (pair.variance * n_summed + known.variance)
        counts = counts + np.expand_dims(weight * (known.counts - own) / n_summed, axis)
    return Estimate(counts, pair.variance)


def split_fitted_to(split: Estimate, pair: Estimate) -> Estimate:
    """Counts of a pair within slices, moved towards the pair's counts of all rows.

    Args:
        split: ``(n_slices, n_a, n_b)``.
        pair: ``(n_a, n_b)``.
    """
    n_slices = len(split.counts)
    missing = (pair.counts - split.counts.sum(0)) / n_slices
    return Estimate(split.counts + missing, split.variance)

"""From noisy counts to usable ones: several measurements of nested cells reconciled, nothing negative, one total.

All of this is post-processing of released numbers and costs no budget.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Tick = float | int

TRUST = 4.0
"""Standard deviations from which on a count is taken for more than noise; pure noise passes once in 30,000 times."""


def norm_sub(counts: npt.NDArray[np.float64], total: float) -> npt.NDArray[np.float64]:
    """The non-negative counts with that total which lie nearest to ``counts``: one amount off all, negatives cut.

    Counts of minus infinity stay nothing whatever the total.

    The Euclidean projection onto a simplex (Norm-Sub in Wang et al. 2020, *Locally Differentially Private
    Frequency Estimation with Consistency*).
    """
    if not (counts > -np.inf).any() or total <= 0:
        return np.zeros(len(counts))
    falling = np.sort(counts)[::-1]
    excess = (np.cumsum(falling) - total) / np.arange(1, len(counts) + 1)
    last = int(np.flatnonzero(falling > excess)[-1])
    projected: npt.NDArray[np.float64] = np.maximum(counts - excess[last], 0.0)
    return projected


def rising_sums(counts: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Non-negative counts of neighbouring cells whose running sums lie nearest to those of ``counts``.

    Isotonic regression of the running sums by pooling adjacent violators: a negative count is made up for by its
    neighbours. One amount off all cells, as in `norm_sub`, would move rows from the heavy end of a histogram to its
    empty one.
    """
    sums: list[float] = []
    sizes: list[int] = []
    for running in np.cumsum(counts).tolist():
        total, size = max(running, 0.0), 1
        while sums and sums[-1] / sizes[-1] >= total / size:
            total, size = total + sums.pop(), size + sizes.pop()
        sums.append(total)
        sizes.append(size)
    fitted = np.repeat([total / size for total, size in zip(sums, sizes, strict=True)], sizes)
    rising: npt.NDArray[np.float64] = np.maximum(np.diff(fitted, prepend=0.0), 0.0)
    return rising


def towards_their_mean(counts: npt.NDArray[np.float64], deviation: float) -> npt.NDArray[np.float64]:
    """Noisy counts that are mostly noise, moved towards their mean by the share of their variance that is noise.

    All stay positive, because a level that is publicly known may occur; the total stays what it was, or becomes small
    when it was negative.
    """
    if not len(counts):
        return counts
    mean = max(float(counts.mean()), 0.1 * deviation / math.sqrt(len(counts)), 1e-3)
    variance = float(counts.var())
    signal = max(variance - deviation**2, 0.0) / variance if variance > 0 else 0.0
    moved = np.maximum(mean + signal * (counts - mean), 0.05 * mean)
    shrunk: npt.NDArray[np.float64] = moved * (mean * len(counts) / moved.sum())
    return shrunk


@dataclass(eq=False)
class Cell:
    """A closed stretch ``[lower, upper]`` of ticks, what was measured of it, and the cells that it was cut into.

    Attributes:
        lower: first tick.
        upper: last tick, inclusive.
        count: the best estimate: the mean of its measurements, after `reconcile` with those of other cells as well.
        variance: of its own measurements' precision-weighted mean; infinite before the first.
        parts: disjoint cells that together hold the same rows.
    """

    lower: Tick
    upper: Tick
    count: float = 0.0
    variance: float = math.inf
    parts: list[Cell] = field(default_factory=list)
    _measured: float = field(default=0.0, repr=False)
    _below: list[float] = field(default_factory=list, repr=False)

    @property
    def is_single(self) -> bool:
        """Whether it is one tick."""
        return self.lower == self.upper

    def measure(self, count: float, variance: float) -> None:
        """Take another independent measurement."""
        self._measured, self.variance = _combined(self._measured, self.variance, count, variance)
        self.count = self._measured

    def leaves(self) -> list[Cell]:
        """The cells below it that are not cut, ascending as their parts are."""
        return [leaf for part in self.parts for leaf in part.leaves()] if self.parts else [self]

    def reconcile(self) -> None:
        """Make every cell's count the sum of its parts', by least squares (Hay et al. 2010, section 4)."""
        self._gather()
        self._spread()

    def _gather(self) -> float:
        """Set ``count`` to what its own measurements and those below it say; returns the variance of that."""
        self.count, variance = self._measured, self.variance
        if self.parts:
            below = [part._gather() for part in self.parts]
            counted = sum(part.count for part in self.parts)
            self.count, variance = _combined(self.count, variance, counted, sum(below))
            self._below = below
        return variance

    def _spread(self) -> None:
        if not self.parts:
            return
        left = self.count - sum(part.count for part in self.parts)
        is_open = any(math.isinf(variance) for variance in self._below)
        weights = [float(math.isinf(variance)) if is_open else variance for variance in self._below]
        for part, weight in zip(self.parts, weights, strict=True):
            part.count += left * weight / sum(weights)
            part._spread()


def _combined(count: float, variance: float, other: float, other_variance: float) -> tuple[float, float]:
    """Precision-weighted mean of two independent measurements, and its variance; infinite variance is none at all."""
    if math.isinf(other_variance):
        return count, variance
    if math.isinf(variance):
        return other, other_variance
    total = variance + other_variance
    return count + (other - count) * variance / total, variance * other_variance / total


def without_noise(noisy: npt.NDArray[np.float64], deviation: float, *, n_last: int) -> npt.NDArray[np.float64]:
    """The counts with those of the last ``n_last`` cells set to nothing where they may be no more than noise.

    They are missing values, infinities, and levels outside the declared ones: in a table that has none, a trace of them
    would be worse than losing a few.
    """
    kept = noisy.copy()
    last = kept[len(kept) - n_last :]
    last[last < TRUST * deviation] = -np.inf
    return kept

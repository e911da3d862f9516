"""What the evaluation of tables and the monitor of training share: when a mode is reached, and a distance of Gaussians.

Both see the same figures from two sides: one from rows, the other from the marginals that the second door released.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MODE_ROWS = 10
"""Fewest real rows behind a mode: fewer say nothing certain, and value protection merges rarer levels by design."""

REACHED_SHARE = 0.2
"""A mode is reached from this fraction of its real share on.

Chance alone takes fewer than 2 of 10 expected rows from one mode in 2,000.
"""

MOST_FEATURES = 512
"""Most features of a Frechet distance; more are projected at random onto this many."""


@dataclass(frozen=True)
class Gaussian:
    """The normal law with the given moments.

    Attributes:
        mean: ``(n_features,)``.
        covariance: ``(n_features, n_features)``, symmetric; may be singular.
    """

    mean: Floats
    covariance: Floats

    @cached_property
    def root(self) -> Floats:
        """Symmetric square root of the covariance, what rounding (or noise) made negative being 0."""
        values, vectors = np.linalg.eigh(self.covariance)
        root: Floats = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
        return root


def frechet_distance(first: Gaussian, second: Gaussian) -> float:
    """Squared Frechet distance of two normal laws: the FID of Heusel et al. 2017 (section 3), given the moments.

    ``|m1 - m2|^2 + tr(C1 + C2 - 2 (C1^1/2 C2 C1^1/2)^1/2)`` (Dowson and Landau 1982). The symmetric form needs
    eigenvalues of symmetric matrices only, so singular covariances are no special case.

    Args:
        first: its root is computed once and kept, so the law that is compared often goes here.
        second: with as many features.

    Returns:
        0 for equal moments; in units of squared features.
    """
    inner = first.root @ second.covariance @ first.root
    overlap = np.sqrt(np.maximum(np.linalg.eigvalsh((inner + inner.T) / 2), 0.0)).sum()
    gap = first.mean - second.mean
    squared = gap @ gap + np.trace(first.covariance) + np.trace(second.covariance) - 2.0 * overlap
    return float(max(squared, 0.0))


def random_projection(n_features: int, n_kept: int = MOST_FEATURES) -> Floats | None:
    """A fixed Gaussian matrix that keeps squared lengths on average (Johnson and Lindenstrauss 1984).

    Returns:
        ``(n_features, n_kept)``; None when there are no more than ``n_kept`` features. The same for the same sizes.
    """
    if n_features <= n_kept:
        return None
    matrix: Floats = np.random.default_rng(n_features).standard_normal((n_features, n_kept)) / np.sqrt(n_kept)
    return matrix

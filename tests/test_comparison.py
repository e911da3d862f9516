"""The Frechet distance of Gaussians, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from synthgan.comparison import Gaussian, frechet_distance, random_projection


def law(mean: list[float], covariance: list[list[float]]) -> Gaussian:
    return Gaussian(np.array(mean, dtype=float), np.array(covariance, dtype=float))


def test_one_dimension_by_hand() -> None:
    # (0 - 3)^2 + 1 + 4 - 2 * sqrt(1 * 4)
    assert frechet_distance(law([0], [[1]]), law([3], [[4]])) == pytest.approx(10.0)


def test_two_dimensions_by_hand() -> None:
    # Covariances that do not commute. With A = diag(4, 1): A^1/2 B A^1/2 = [[8, 2], [2, 2]], eigenvalues 5 +- sqrt(13),
    # and the sum of their roots is sqrt(trace + 2 sqrt(determinant)) = sqrt(10 + 2 sqrt(12)).
    first, second = law([1, 0], [[4, 0], [0, 1]]), law([0, 2], [[2, 1], [1, 2]])
    expected = 1 + 4 + 5 + 4 - 2 * np.sqrt(10 + 2 * np.sqrt(12))
    assert frechet_distance(first, second) == pytest.approx(expected)
    assert frechet_distance(second, first) == pytest.approx(expected)


def test_equal_laws_are_at_distance_0() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 8))
    covariance = np.cov(rows, rowvar=False)
    assert frechet_distance(Gaussian(rows[0], covariance), Gaussian(rows[0], covariance)) == pytest.approx(0, abs=1e-9)


def test_singular_covariances_are_no_special_case() -> None:
    # One-hot rows: each block sums to 1, so its covariance is singular. A point is at the distance of the whole spread.
    share = np.array([0.5, 0.3, 0.2])
    spread = Gaussian(share, np.diag(share) - np.outer(share, share))
    assert frechet_distance(spread, Gaussian(share, spread.covariance.copy())) == pytest.approx(0, abs=1e-7)
    point = Gaussian(np.array([1.0, 0, 0]), np.zeros((3, 3)))
    expected = ((share - point.mean) ** 2).sum() + (share * (1 - share)).sum()
    assert frechet_distance(spread, point) == pytest.approx(expected)
    assert frechet_distance(point, spread) == pytest.approx(expected)


def test_what_noise_made_negative_counts_as_0() -> None:
    assert frechet_distance(law([0, 0], [[1, 0], [0, -1e-3]]), law([0, 0], [[1, 0], [0, 0]])) == pytest.approx(
        0, abs=2e-3
    )


def test_projection_keeps_distances_on_average() -> None:
    assert random_projection(512) is None
    matrix = random_projection(900, 300)
    assert matrix is not None
    assert matrix.shape == (900, 300)
    assert np.array_equal(matrix, random_projection(900, 300))
    lengths = ((np.random.default_rng(0).normal(size=(40, 900)) @ matrix) ** 2).sum(1)
    assert lengths.mean() == pytest.approx(900, rel=0.1)

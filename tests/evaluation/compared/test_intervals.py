"""Intervals: textbook answers and coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest

from synthgan.evaluation.compared.intervals import bootstrap, roc_auc, wilson


@pytest.mark.parametrize(
    ("count", "n", "lower", "upper"),
    # Newcombe 1998, Table I (method 3).
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_published_intervals(count: int, n: int, lower: float, upper: float) -> None:
    assert wilson(count, n) == pytest.approx((lower, upper), abs=5e-5)


def test_wilson_of_nothing_is_everything() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


def test_area_by_hand() -> None:
    # Pairs (0.9, 0.5), (0.9, 0.1), (0.4, 0.5), (0.4, 0.1): three of four in order.
    positive = np.array([True, True, False, False])
    area, error = roc_auc(positive, np.array([0.9, 0.4, 0.5, 0.1]))
    assert area == 0.75
    # Both placements are 1 and 1/2: variance 1/8 over two rows, for each class.
    assert error == pytest.approx(math.sqrt(2 * 0.125 / 2))


def test_ties_count_half() -> None:
    assert roc_auc(np.array([True, False, False]), np.array([1.0, 1.0, 0.0]))[0] == 0.75


def test_area_agrees_with_scikit_learn_and_its_interval_covers() -> None:
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    truth = 0.7602499389065233  # P(N(1, 1) > N(0, 1))
    covered = 0
    for _ in range(200):
        positive = rng.random(300) < 0.3
        score = np.round(rng.normal(size=300) + positive, 3)
        area, error = roc_auc(positive, score)
        assert area == pytest.approx(roc_auc_score(positive, score))
        covered += abs(area - truth) < 1.96 * error
    assert 0.9 <= covered / 200 <= 0.99


def test_bootstrap_covers_a_mean_and_leaves_undefined_resamples_aside() -> None:
    values = np.arange(100.0)
    lower, upper = bootstrap(lambda rows: float(values[rows].mean()), 100, np.random.default_rng(0))
    half = 1.96 * values.std() / 10
    assert (lower, upper) == pytest.approx((49.5 - half, 49.5 + half), abs=1.5)
    assert all(math.isnan(end) for end in bootstrap(lambda _: math.nan, 10, np.random.default_rng(0), n_resamples=5))

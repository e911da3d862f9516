"""Figures of predictions: by hand, against scikit-learn, and on resamples."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthgan.evaluation.utility.measures import (
    auc,
    balanced_accuracy,
    explained,
    once,
    percentile_interval,
    r2,
    resample_counts,
    rmse,
)

TWO = np.array([1, 1, 0, 0]), np.array([[0.1, 0.9], [0.6, 0.4], [0.5, 0.5], [0.9, 0.1]])
THREE = np.array([0, 1, 2, 2]), np.array([[0.8, 0.1, 0.1], [0.2, 0.5, 0.3], [0.1, 0.6, 0.3], [0.3, 0.3, 0.4]])
VALUES = np.array([0.0, 2.0, 4.0]), np.array([0.0, 2.0, 1.0])


def test_two_classes_by_hand() -> None:
    assert auc(*TWO, once(4)) == 0.75
    # One of two positives and both negatives (the tie goes to the first class).
    assert balanced_accuracy(*TWO, once(4)) == 0.75


def test_three_classes_by_hand() -> None:
    # Class 0 first of all: 1. Class 1 beats rows at 0.1 and 0.3, not 0.6: 2/3. Class 2: 0.3 beats 0.1 and ties 0.3, 0.4
    # beats both: 3.5/4.
    assert auc(*THREE, once(4)) == pytest.approx((1 + 2 / 3 + 3.5 / 4) / 3)
    assert balanced_accuracy(*THREE, once(4)) == pytest.approx((1 + 1 + 0.5) / 3)


def test_values_by_hand() -> None:
    assert rmse(*VALUES, once(3)) == pytest.approx(math.sqrt(3.0))
    assert r2(*VALUES, once(3)) == pytest.approx(1 - 9 / 8)


def test_a_part_is_measured_against_the_variance_of_the_whole() -> None:
    truth, predicted = VALUES
    # Variance of 0, 2, 4: 8/3. The last two rows' mean squared error: 9/2.
    assert explained(truth)(truth[1:], predicted[1:], once(2)) == pytest.approx(1 - (9 / 2) / (8 / 3))


@pytest.mark.parametrize(
    ("measure", "truth", "predicted"),
    [
        (auc, *TWO),
        (balanced_accuracy, *TWO),
        (auc, *THREE),
        (balanced_accuracy, *THREE),
        (r2, *VALUES),
        (rmse, *VALUES),
    ],
)
@given(data=st.data())
def test_counts_stand_for_repeated_rows(measure, truth, predicted, data) -> None:
    rows = np.array(data.draw(st.lists(st.integers(0, len(truth) - 1), min_size=1, max_size=12)))
    counts = np.bincount(rows, minlength=len(truth)).astype(np.uint16)[None]
    expected = measure(truth[rows], predicted[rows], once(len(rows)))
    if measure is auc and len(np.unique(truth)) == 2 and len(np.unique(truth[rows])) == 1:
        assert np.isnan(measure(truth, predicted, counts)).all()
    else:
        np.testing.assert_allclose(measure(truth, predicted, counts), expected, atol=1e-9)


def test_figures_agree_with_scikit_learn() -> None:
    from sklearn.metrics import balanced_accuracy_score, r2_score, roc_auc_score

    rng = np.random.default_rng(0)
    truth = rng.integers(4, size=300)
    predicted = np.round(rng.dirichlet(np.ones(4), size=300), 2)
    predicted[:, 3] = 1 - predicted[:, :3].sum(axis=1)
    assert auc(truth, predicted, once(300)) == pytest.approx(roc_auc_score(truth, predicted, multi_class="ovr"))
    expected = balanced_accuracy_score(truth, predicted.argmax(axis=1))
    assert balanced_accuracy(truth, predicted, once(300)) == pytest.approx(expected)
    values = rng.normal(size=300) * 1e18
    answers = values + rng.normal(size=300) * 3e17
    assert r2(values, answers, once(300)) == pytest.approx(r2_score(values, answers))


def test_what_is_undefined_is_nan() -> None:
    assert np.isnan(auc(np.array([1, 1]), np.array([[0.5, 0.5]] * 2), once(2)))
    assert np.isnan(r2(np.array([3.0, 3.0]), np.array([3.0, 3.0]), once(2)))
    assert all(math.isnan(end) for end in percentile_interval(np.array([math.nan])))
    assert percentile_interval(np.array([1.0, math.nan, 1.0])) == (1.0, 1.0)


def test_huge_values_do_not_overflow() -> None:
    truth = np.array([1e300, 2e300, 3e300])
    assert rmse(truth, truth + 1e299, once(3)) == pytest.approx(1e299)
    assert explained(truth)(truth, truth, once(3)) == 1.0


def test_resamples_have_the_size_of_the_table_and_their_interval_is_the_normal_one() -> None:
    rng = np.random.default_rng(0)
    counts = resample_counts(400, rng, n_resamples=2000)
    assert (counts.sum(axis=1) == 400).all()
    values = rng.normal(size=400)
    means = 1 - r2(values, np.full(400, values.mean()), counts)  # at least 1: the mean is best on the table itself
    assert means.min() >= 1.0
    lower, upper = percentile_interval(counts @ values / 400)
    half = 1.96 * values.std() / 20
    assert (lower, upper) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.01)

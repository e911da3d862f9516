"""Soft labels of tables whose law is known."""

from __future__ import annotations

import numpy as np
import pytest

from synthgan.critics.teacher import out_of_fold_labels


def test_soft_labels_follow_the_law_of_the_rows() -> None:
    rng = np.random.default_rng(0)
    x = rng.random((4000, 2)).astype(np.float32)
    labels = (rng.random(4000) < np.where(x[:, 0] > 0.5, 0.9, 0.2)).astype(np.int64)
    soft = out_of_fold_labels(x, labels, 2, seed=0)
    assert soft.sum(1) == pytest.approx(np.ones(4000), abs=1e-5)
    assert soft[x[:, 0] > 0.5, 1].mean() == pytest.approx(0.9, abs=0.03)
    assert soft[x[:, 0] <= 0.5, 1].mean() == pytest.approx(0.2, abs=0.03)


def test_a_row_does_not_foretell_itself() -> None:
    """Labels that nothing foretells: in fold, trees would lean towards each row's own."""
    rng = np.random.default_rng(0)
    x = rng.random((600, 5)).astype(np.float32)
    labels = rng.integers(2, size=600)
    soft = out_of_fold_labels(x, labels, 2, seed=0)
    own = soft[np.arange(600), labels]
    assert own.mean() == pytest.approx(0.5, abs=0.05)


def test_classes_that_are_rare_or_absent_are_no_obstacle() -> None:
    x = np.arange(30, dtype=np.float32)[:, None]
    labels = np.zeros(30, np.int64)
    labels[7] = 2  # alone of its class: the models of the other folds know it, its own does not
    soft = out_of_fold_labels(x, labels, 4, seed=0)
    assert soft.sum(1) == pytest.approx(np.ones(30), abs=1e-5)
    assert soft[7, 2] == 0
    assert not soft[:, [1, 3]].any()


@pytest.mark.parametrize("n_rows", [2, 3])
def test_the_smallest_tables(n_rows: int) -> None:
    labels = np.arange(n_rows) % 2
    soft = out_of_fold_labels(np.zeros((n_rows, 1), np.float32), labels, 2, seed=0)
    assert soft.shape == (n_rows, 2)

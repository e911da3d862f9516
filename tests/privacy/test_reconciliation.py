"""Counts made to agree, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from synthgan.privacy.reconciliation import Estimate, combined, fitted_to, split_fitted_to


def estimate(counts: object, variance: float) -> Estimate:
    return Estimate(np.array(counts, dtype=np.float64), variance)


def test_estimates_of_one_thing_are_averaged_by_precision() -> None:
    # Precisions 1/4 and 1: weights 0.2 and 0.8.
    both = combined(estimate([10, 0], 4.0), estimate([20, -5], 1.0))
    assert both.counts.tolist() == pytest.approx([18.0, -4.0])
    assert both.variance == pytest.approx(0.8)
    assert both.standard_deviation == pytest.approx(0.8**0.5)
    assert combined(estimate([7], 3.0)).counts.tolist() == pytest.approx([7.0])


def test_a_pair_moves_halfway_to_margins_that_are_known_as_well_as_its_own() -> None:
    # A margin of the pair sums two cells of variance 1, so its own variance is 2, that of the margins known besides.
    fitted = fitted_to(estimate([[1, 2], [3, 4]], 1.0), estimate([5, 7], 2.0), estimate([6.5, 6.5], 2.0))
    # Rows: 3 and 7 against 5 and 7, so half of the missing 2 is shared by two cells: [[1.5, 2.5], [3, 4]].
    # Columns: 4.5 and 6.5 against 6.5 and 6.5, the same once more.
    np.testing.assert_allclose(fitted.counts, [[2.0, 2.5], [3.5, 4.0]])
    assert fitted.variance == 1.0


def test_exact_margins_are_met_and_unknown_ones_ignored() -> None:
    pair = estimate([[1, 2, 3], [3, 4, -1]], 1.0)
    rows, columns = estimate([10, 2], 1e-12), estimate([6, 5, 1], 1e-12)
    fitted = fitted_to(pair, rows, columns).counts
    np.testing.assert_allclose(fitted.sum(1), [10, 2])
    np.testing.assert_allclose(fitted.sum(0), [6, 5, 1])
    unknown = [estimate(part.counts, 1e15) for part in (rows, columns)]
    np.testing.assert_allclose(fitted_to(pair, *unknown).counts, pair.counts, atol=1e-9)


def test_slices_take_equal_shares_of_what_is_missing() -> None:
    split = estimate([[[1.0, 0.0]], [[2.0, 4.0]]], 3.0)
    fitted = split_fitted_to(split, estimate([[5.0, 2.0]], 1.0))
    np.testing.assert_allclose(fitted.counts, [[[2.0, -1.0]], [[3.0, 3.0]]])
    np.testing.assert_allclose(fitted.counts.sum(0), [[5.0, 2.0]])

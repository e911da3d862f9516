"""Differences of correlations, by hand and against numpy and scipy."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from synthgan.evaluation.compared.compared_tables import compare
from synthgan.evaluation.compared.resampling import resample
from synthgan.evaluation.fidelity.correlations import correlation_errors, correlation_matrix, correlation_scores


def test_differences_by_hand() -> None:
    # x and y correlate 1 and 1/2; z is -x in the one and x in the other.
    real = pd.DataFrame({"x": [1.0, 2, 3], "y": [1.0, 2, 3], "z": [3.0, 2, 1]})
    synthetic = pd.DataFrame({"x": [1.0, 2, 3], "y": [1.0, 3, 2], "z": [1.0, 2, 3]})
    (score,) = correlation_scores(compare({"real": real, "synthetic": synthetic, "holdout": real}), None)
    assert score.details["pairs"] == pytest.approx({"x | y": 0.5, "x | z": 2.0, "y | z": 1.5})
    assert score.value == pytest.approx(4 / 3)
    largest = dict(score.details["largest"])
    assert largest.pop("pair") == ["x", "z"]
    assert largest == pytest.approx({"real": -1.0, "synthetic": 1.0, "difference": 2.0})
    assert score.interval is None
    assert (score.unit, score.direction, score.ideal) == ("", "lower", 0.0)
    (floor,) = correlation_scores(
        compare({"real": real, "synthetic": synthetic, "holdout": real}), None, reference="holdout"
    )
    assert floor.reference == pytest.approx(0.0, abs=1e-12)
    json.dumps(floor.to_dict(), allow_nan=False)


def test_ranks_see_what_is_monotone() -> None:
    x = np.arange(1.0, 8.0)
    real, synthetic = pd.DataFrame({"x": x, "y": x}), pd.DataFrame({"x": x, "y": np.exp(x)})
    (score,) = correlation_scores(compare({"real": real, "synthetic": synthetic}), None)
    assert score.details["spearman"] == pytest.approx(0.0, abs=1e-12)
    assert score.value == pytest.approx(1 - np.corrcoef(x, np.exp(x))[0, 1])


def test_spearman_agrees_with_scipy() -> None:
    values = np.random.default_rng(0).integers(5, size=(80, 3)).astype(float)
    tables = compare({"real": pd.DataFrame(values, columns=[*"xyz"])})
    assert correlation_matrix(tables, "real", ranks=True) == pytest.approx(spearmanr(values).statistic)


def test_a_constant_synthetic_column_costs_and_a_constant_real_one_does_not_count() -> None:
    frame, constant = (
        pd.DataFrame({"x": [1.0, 2, 3], "y": [1.0, 2, 3]}),
        pd.DataFrame({"x": [2.0] * 3, "y": [1.0, 2, 3]}),
    )
    tables = compare({"real": frame, "synthetic": constant})
    assert correlation_errors(tables).mean == pytest.approx(1.0)
    (score,) = correlation_scores(tables, None, real="synthetic", synthetic="real")
    assert math.isnan(score.value)
    assert score.details["largest"] is None


def test_fewer_than_two_numbers_have_no_score() -> None:
    tables = compare(
        {
            "real": pd.DataFrame({"x": [1.0, 2, 3], "c": [*"aab"]}),
            "synthetic": pd.DataFrame({"x": [1.0, 2, 4], "c": [*"abb"]}),
        }
    )
    (score,) = correlation_scores(tables, resample(3, np.random.default_rng(0)))
    assert math.isnan(score.value)
    assert score.interval is None


def test_the_interval_is_about_as_wide_as_that_of_a_correlation() -> None:
    """Of one pair with a correlation of 0.6 and 2,000 rows the standard error is (1 - 0.36) / sqrt(2000)."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=2000)
    synthetic = pd.DataFrame({"x": x, "y": 0.6 * x + 0.8 * rng.normal(size=2000)})
    real = pd.DataFrame({"x": x, "y": rng.normal(size=2000)})
    tables = compare({"real": real, "synthetic": synthetic})
    (score,) = correlation_scores(tables, resample(2000, rng, n_resamples=500))
    assert score.interval is not None
    assert score.interval[1] - score.interval[0] == pytest.approx(2 * 1.96 * 0.64 / math.sqrt(2000), rel=0.15)

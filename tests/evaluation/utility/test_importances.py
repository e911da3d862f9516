"""Permutation importances of two models, and how far their ranks agree."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from synthgan.evaluation.compared.compared_tables import compare
from synthgan.evaluation.utility.importances import (
    importance_agreement_score,
    permutation_importances,
    rank_correlation,
)
from synthgan.evaluation.utility.models import FittedModel
from synthgan.evaluation.utility.prediction import Problem, prediction_problem

COLUMNS = [*"abcde"]
FALLING = (1.0, 0.6, 0.35, 0.2, 0.05)


def problem(n_columns: int = 5) -> Problem:
    def rows(seed: int) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        return pd.DataFrame({name: rng.normal(size=400) for name in COLUMNS[:n_columns]}).assign(
            y=lambda frame: frame.sum(axis=1) + rng.normal(size=400)
        )

    tables = compare({name: rows(seed) for seed, name in enumerate(("real", "synthetic", "holdout"))})
    found = prediction_problem(tables, "y", np.random.default_rng(0))
    assert isinstance(found, Problem)
    return found


def weighing(*weights: float) -> FittedModel:
    return FittedModel(predict=lambda rows: rows @ np.array(weights))


def test_a_shuffled_column_costs_what_the_model_gets_from_it() -> None:
    drops = permutation_importances(problem(), {"one": weighing(1, 0, 0, 0, 2)}, np.random.default_rng(0), [0, 1, 4])
    assert drops["one"].shape == (5, 3)
    assert (drops["one"][:, 1] == 0).all()
    # Shuffling turns w x into w x': the squared error grows by 2 w times the covariance of x and y, which is 1, and the
    # variance of y is 6.
    assert drops["one"].mean(axis=0)[[0, 2]] == pytest.approx([2 / 6, 4 / 6], abs=0.1)


def test_rank_correlation_by_hand() -> None:
    assert rank_correlation(np.array([0.1, 5.0, 7.0]), np.array([1.0, 2.0, 30.0])) == 1.0
    assert rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 1.0])) == -1.0
    # Ranks 1 2 3 4 against 2 1 4 3: 1 - 6 * 4 / (4 * 15).
    assert rank_correlation(np.arange(4.0), np.array([1.0, 0.0, 3.0, 2.0])) == pytest.approx(0.6)
    assert math.isnan(rank_correlation(np.arange(3.0), np.ones(3)))


def test_models_that_lean_on_the_same_columns_agree() -> None:
    same = weighing(*FALLING)
    models = {"real": same, "synthetic": weighing(*(0.9 * np.array(FALLING))), "half_1": same, "half_2": same}
    score = importance_agreement_score(problem(), models, np.random.default_rng(0))
    assert not isinstance(score, str)
    assert score.value == 1.0
    assert score.reference == 1.0
    assert score.interval is not None
    assert score.interval[0] > 0.8
    assert list(score.details["importances"]) == COLUMNS
    assert set(score.details["importances"]["a"]) == {"real", "synthetic"}


def test_models_that_lean_on_other_columns_do_not() -> None:
    same = weighing(*FALLING)
    models = {"real": same, "synthetic": weighing(*FALLING[::-1]), "half_1": same, "half_2": same}
    score = importance_agreement_score(problem(), models, np.random.default_rng(0))
    assert not isinstance(score, str)
    assert score.value == -1.0
    assert score.interval is not None
    assert score.interval[1] < 0


def test_no_columns_to_rank_is_said() -> None:
    same = dict.fromkeys(("real", "synthetic", "half_1", "half_2"), weighing(1, 1))
    reason = importance_agreement_score(problem(2), same, np.random.default_rng(0))
    assert reason == "fewer than 3 columns predict the target"
    flat = dict.fromkeys(("real", "synthetic", "half_1", "half_2"), weighing(0, 0, 0, 0, 0))
    reason = importance_agreement_score(problem(), flat, np.random.default_rng(0))
    assert reason == "a model's answers do not hang on any column"


def test_wide_tables_rank_a_draw_of_their_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synthgan.evaluation.utility.importances.MAX_COLUMNS", 4)
    same = dict.fromkeys(("real", "synthetic", "half_1", "half_2"), weighing(*FALLING))
    score = importance_agreement_score(problem(), same, np.random.default_rng(0))
    assert not isinstance(score, str)
    assert len(score.details["importances"]) == 4

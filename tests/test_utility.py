"""Train on synthetic, test on real: classification with two and more classes, regression, and edge cases."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from synthgan.evaluation.features import compare
from synthgan.evaluation.scores import Score
from synthgan.evaluation.utility import Trial, _classification, _regression, task_of, utility_scores


def rows(n: int, seed: int, signal: float = 2.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x, noise = rng.normal(size=n), rng.normal(size=n)
    y = signal * x + noise
    return pd.DataFrame(
        {
            "x": x,
            "group": rng.choice([*"uv"], n),
            "number": y,
            "two": np.where(y > 0, "yes", "no"),
            "three": np.select([y < -1, y < 1], ["low", "mid"], "high"),
        }
    )


def scored(target: str, synthetic: pd.DataFrame | None = None, **options: Any) -> dict[str, Score]:
    frames = {
        "real": rows(600, 0),
        "synthetic": rows(600, 1) if synthetic is None else synthetic,
        "holdout": rows(400, 2),
    }
    keep = ["x", "group", target]
    tables = compare({name: frame[keep] for name, frame in frames.items()}, keep=keep, **options)
    return {score.name: score for score in utility_scores(tables, target, np.random.default_rng(0))}


# ------------------------------------------------------------------------------------------------------ hand-computed


def test_two_classes_by_hand() -> None:
    trial = Trial(truth=np.array([1, 1, 0, 0]), predicted=np.array([[0.1, 0.9], [0.6, 0.4], [0.5, 0.5], [0.9, 0.1]]))
    measured = _classification(trial, np.random.default_rng(0))
    assert measured["auc"][0] == 0.75
    # One of two positives and both negatives (the tie goes to the first class).
    assert measured["balanced_accuracy"][0] == 0.75


def test_three_classes_by_hand() -> None:
    predicted = np.array([[0.8, 0.1, 0.1], [0.2, 0.5, 0.3], [0.1, 0.6, 0.3], [0.3, 0.3, 0.4]])
    measured = _classification(Trial(truth=np.array([0, 1, 2, 2]), predicted=predicted), np.random.default_rng(0))
    # Class 0 first of all: 1. Class 1 beats rows at 0.1 and 0.3, not 0.6: 2/3. Class 2: 0.3 beats 0.1 and ties 0.3, 0.4
    # beats both: 3.5/4.
    assert measured["auc"][0] == pytest.approx((1 + 2 / 3 + 3.5 / 4) / 3)
    assert measured["balanced_accuracy"][0] == pytest.approx((1 + 1 + 0.5) / 3)


def test_regression_by_hand() -> None:
    trial = Trial(truth=np.array([0.0, 2.0, 4.0]), predicted=np.array([0.0, 2.0, 1.0]))
    measured = _regression(trial, np.random.default_rng(0))
    assert measured["rmse"][0] == pytest.approx(math.sqrt(3.0))
    assert measured["r2"][0] == pytest.approx(1 - 9 / 8)


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (["a", "b", "a"], "binary"),
        ([*"abc"], "multiclass"),
        ([True, False, True], "binary"),
        ([0, 1, 1], "binary"),
        ([1, 2, 3], "multiclass"),
        ([0.5, 1.5, 2.5], "regression"),
        (list(range(11)), "regression"),
        (["a", "a", None], None),
        ([f"c{i}" for i in range(51)], None),
        ([7, 7, 7], None),
    ],
)
def test_the_task_is_read_off_the_target(values: list[Any], task: str | None) -> None:
    assert task_of(compare({"real": pd.DataFrame({"y": values})}, keep=["y"]), "y") == task


# ---------------------------------------------------------------------------------------------------------- end to end


@pytest.mark.parametrize("target", ["two", "three"])
def test_fresh_rows_are_as_useful_as_the_real_ones(target: str) -> None:
    scores = scored(target)
    assert list(scores) == ["utility_auc", "utility_balanced_accuracy"]
    auc = scores["utility_auc"]
    assert auc.reference is not None
    assert auc.interval is not None
    assert auc.value == pytest.approx(auc.reference, abs=0.05)
    assert auc.interval[0] < auc.value < auc.interval[1]
    assert auc.value > 0.8
    assert auc.details["n_test"] == 400


def test_useless_rows_are_found_useless() -> None:
    auc = scored("two", rows(600, 1, signal=0.0))["utility_auc"]
    assert abs(auc.value - 0.5) < 0.15
    assert auc.reference is not None
    assert auc.reference > 0.85


def test_regression_has_r2_and_rmse() -> None:
    scores = scored("number")
    assert list(scores) == ["utility_r2", "utility_rmse"]
    assert 0.6 < scores["utility_r2"].value < 0.85
    assert scores["utility_rmse"].direction == "lower"
    assert scores["utility_rmse"].value == pytest.approx(1.1, abs=0.15)


def test_a_class_that_synthetic_rows_lack_gets_no_probability() -> None:
    synthetic = rows(600, 1)
    scores = scored("three", synthetic[synthetic["three"] != "high"])
    assert scores["utility_auc"].value < scores["utility_auc"].reference
    only_one = scored("two", synthetic[synthetic["two"] == "yes"])["utility_auc"]
    assert only_one.value == 0.5


def test_rows_without_a_target_take_no_part() -> None:
    synthetic = rows(600, 1)
    synthetic.loc[::2, "two"] = None
    assert scored("two", synthetic)["utility_auc"].value > 0.8
    nothing = rows(600, 1).assign(two=None)
    assert scored("two", nothing) == {}


def test_the_target_alone_predicts_nothing() -> None:
    frame = pd.DataFrame({"y": [*"ab"] * 10})
    tables = compare({"real": frame, "synthetic": frame, "holdout": frame})
    assert utility_scores(tables, "y", np.random.default_rng(0)) == []

"""Train on synthetic, test on real: classification with two and more classes, regression, and edge cases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from synthgan.evaluation.compared.compared_tables import compare
from synthgan.evaluation.scores import Score
from synthgan.evaluation.utility.models import MODELS
from synthgan.evaluation.utility.prediction import Problem, prediction_problem
from synthgan.evaluation.utility.utility import task_of, utility_scores


@pytest.fixture(scope="module", autouse=True)
def _few_trees() -> Iterator[None]:
    """Small models learn these tables as well."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("synthgan.evaluation.utility.models._ROUNDS", 30)
        patch.setattr("synthgan.evaluation.utility.models._FOREST_TREES", 20)
        yield


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


@pytest.fixture(scope="module")
def fresh() -> dict[str, Score]:
    """Real rows in the synthetic table's place."""
    return scored("two")


def test_fresh_rows_are_as_useful_as_the_real_ones(fresh: dict[str, Score]) -> None:
    assert list(fresh) == ["utility_auc", "utility_balanced_accuracy", "utility_gap", "subgroup_gap"]
    auc = fresh["utility_auc"]
    assert auc.reference is not None
    assert auc.interval is not None
    assert auc.value == pytest.approx(auc.reference, abs=0.05)
    assert auc.interval[0] < auc.value < auc.interval[1]
    assert auc.value > 0.8
    assert auc.details["n_test"] == 400
    gap = fresh["utility_gap"]
    assert gap.interval is not None
    assert gap.reference is not None
    # scikit-learn's version decides whether this draw's interval just misses zero.
    assert gap.interval[0] < 0.005
    assert gap.interval[1] > -0.005
    assert 0 <= gap.reference < 0.05


def test_all_models_stand_beside_the_first(fresh: dict[str, Score]) -> None:
    for name in ("utility_auc", "utility_balanced_accuracy"):
        models = fresh[name].details["models"]
        assert list(models) == list(MODELS)
        assert models["gradient_boosting"]["value"] == fresh[name].value
        assert models["gradient_boosting"]["real"] == fresh[name].reference
        for model in models.values():
            assert model["interval"][0] < model["value"] < model["interval"][1]
            assert model["real_interval"][0] < model["real"] < model["real_interval"][1]
    gap = fresh["utility_gap"]
    gaps = [each["real"] - each["value"] for each in fresh["utility_auc"].details["models"].values()]
    assert gap.value == pytest.approx(np.mean(gaps))
    assert [each["value"] for each in gap.details["models"].values()] == pytest.approx(gaps)


def test_what_could_not_be_computed_is_named_with_its_reason(fresh: dict[str, Score]) -> None:
    reasons = fresh["utility_gap"].details["not_computed"]
    assert reasons == {"importance_agreement": "fewer than 3 columns predict the target"}


def test_three_classes_are_scored_one_against_the_rest() -> None:
    scores = scored("three")
    assert scores["utility_auc"].value == pytest.approx(scores["utility_auc"].reference, abs=0.05)
    assert scores["utility_auc"].value > 0.8
    assert scores["utility_auc"].details["task"] == "multiclass"


def test_shuffled_labels_leave_a_gap_whose_interval_excludes_zero() -> None:
    synthetic = rows(600, 1)
    shuffled = synthetic.assign(two=np.random.default_rng(0).permutation(synthetic["two"]))
    scores = scored("two", shuffled)
    auc, gap = scores["utility_auc"], scores["utility_gap"]
    assert abs(auc.value - 0.5) < 0.15
    assert auc.reference is not None
    assert auc.reference > 0.85
    assert gap.value > 0.2
    assert gap.interval is not None
    assert gap.interval[0] > 0.15
    assert gap.value > 5 * (gap.reference or 0.0)


def test_a_group_with_flipped_labels_is_named_and_columns_are_ranked() -> None:
    def table(n: int, seed: int, *, flipped: bool = False) -> pd.DataFrame:
        frame = rows(n, seed).drop(columns=["number", "three"])
        frame["other"] = np.random.default_rng(seed).normal(size=n)
        swap = (frame["group"] == "v") & flipped
        return frame.assign(two=frame["two"].where(~swap, frame["two"].map({"yes": "no", "no": "yes"})))

    tables = compare({"real": table(600, 0), "synthetic": table(600, 1, flipped=True), "holdout": table(800, 2)})
    scores = {score.name: score for score in utility_scores(tables, "two", np.random.default_rng(0))}
    assert list(scores)[3:] == ["subgroup_gap", "importance_agreement"]
    worst = scores["subgroup_gap"].details["worst"]
    assert (worst["column"], worst["group"]) == ("group", "v")
    assert worst["interval"][0] > 0.5
    assert scores["subgroup_gap"].value > 2 * (scores["subgroup_gap"].reference or 0.0)
    importances = scores["importance_agreement"].details["importances"]
    # The flip makes the group matter to the synthetic model alone.
    assert importances["group"]["synthetic"] - importances["group"]["real"] > 0.01
    assert importances["x"]["real"] > 0.3


def test_regression_has_r2_and_rmse() -> None:
    scores = scored("number")
    assert list(scores)[:3] == ["utility_r2", "utility_rmse", "utility_gap"]
    assert 0.6 < scores["utility_r2"].value < 0.85
    assert scores["utility_rmse"].direction == "lower"
    assert scores["utility_rmse"].value == pytest.approx(1.1, abs=0.15)
    # A straight line is what made the numbers.
    assert scores["utility_r2"].details["models"]["linear"]["value"] > scores["utility_r2"].value
    gap = scores["utility_gap"]
    assert gap.details["measure"] == "r2"
    assert abs(gap.value) < 0.05


def test_a_class_that_synthetic_rows_lack_gets_no_probability() -> None:
    synthetic = rows(600, 1)
    scores = scored("three", synthetic[synthetic["three"] != "high"])
    assert scores["utility_auc"].value < scores["utility_auc"].reference
    only_one = scored("two", synthetic[synthetic["two"] == "yes"])["utility_auc"]
    assert only_one.value == 0.5


def test_rows_of_a_class_that_the_real_ones_lack_take_no_part() -> None:
    synthetic = rows(600, 1)
    synthetic.loc[::2, "two"] = [f"made up {n}" for n in range(300)]
    auc = scored("two", synthetic)["utility_auc"]
    assert auc.details["n_synthetic"] == 300
    assert auc.details["n_synthetic_of_other_classes"] == 300
    assert auc.value > 0.8


def test_rows_without_a_target_take_no_part() -> None:
    synthetic = rows(600, 1)
    synthetic.loc[::2, "two"] = None
    assert scored("two", synthetic)["utility_auc"].value > 0.8
    nothing = rows(600, 1).assign(two=None)
    assert scored("two", nothing) == {}


def test_row_caps_are_kept_and_stated() -> None:
    frames = {name: rows(120, seed)[["x", "two"]] for seed, name in enumerate(("real", "synthetic", "holdout"))}
    tables = compare(frames, keep=["x", "two"])
    first = utility_scores(tables, "two", np.random.default_rng(0), max_rows=100, max_test_rows=60, n_jobs=1)[0]
    assert first.details["n_real"] == first.details["n_synthetic"] == 100
    assert first.details["n_test"] == 60
    assert first.details["n_test_available"] == 120
    assert "drawn at random: 100 of 120 real rows, 100 of 120 synthetic rows, 60 of 120 test rows" in first.note
    many = pd.DataFrame({"x": np.zeros(30_000), "y": [f"c{n % 40}" for n in range(30_000)]})
    problem = prediction_problem(
        compare(dict.fromkeys(frames, many)), "y", np.random.default_rng(0), max_test_rows=50_000
    )
    assert isinstance(problem, Problem)
    # Time grows with the classes: 500,000 / 40, and 150,000 / 40 but at least 5,000.
    assert (len(problem.real), len(problem.test)) == (12_500, 5_000)


@pytest.mark.parametrize(
    ("real", "holdout", "reason"),
    [
        ([*"ab"] * 10, ["a"] * 20, "'y' has a single value in the rows to learn from or to test on"),
        (["a"] * 20, [*"ab"] * 10, "'y' has a single value, more than 50 classes, or no known value"),
        ([*"ab"] * 10, [*"ab"] * 4, "fewer than 10 test rows have a known 'y'"),
        ([*"ab"] * 10, [*"cd"] * 10, "fewer than 10 test rows have a known 'y'"),
    ],
)
def test_too_little_to_predict_gives_no_score_but_a_reason(real: list[str], holdout: list[str], reason: str) -> None:
    frames = {
        name: pd.DataFrame({"x": np.arange(len(y)) / 7, "y": y})
        for name, y in {"real": real, "synthetic": real, "holdout": holdout}.items()
    }
    tables = compare(frames, keep=["y"])
    assert prediction_problem(tables, "y", np.random.default_rng(0)) == reason
    assert utility_scores(tables, "y", np.random.default_rng(0)) == []


def test_the_target_alone_predicts_nothing() -> None:
    frame = pd.DataFrame({"y": [*"ab"] * 10})
    tables = compare({"real": frame, "synthetic": frame, "holdout": frame})
    assert utility_scores(tables, "y", np.random.default_rng(0)) == []


@pytest.mark.parametrize("n_rows", [2, 3, 12])
def test_tiny_training_tables_are_scored(n_rows: int) -> None:
    frames = {
        name: rows(n, seed)[["x", "group", "two"]]
        for seed, (name, n) in enumerate({"real": 100, "synthetic": n_rows, "holdout": 40}.items())
    }
    frames["real"] = pd.concat([frames["real"].groupby("two").head(1), frames["real"]]).head(n_rows)
    scores = utility_scores(compare(frames, keep=["x", "group", "two"]), "two", np.random.default_rng(0))
    assert [score.name for score in scores][:3] == ["utility_auc", "utility_balanced_accuracy", "utility_gap"]
    assert all(0 <= score.value <= 1 for score in scores[:2])

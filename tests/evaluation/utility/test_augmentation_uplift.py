"""Whether added rows help: fresh real ones do, noise and copies do not, and the verdict says which."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from synthgan.evaluation.compared.compared_tables import compare
from synthgan.evaluation.scores import Score
from synthgan.evaluation.utility.augmentation_uplift import WORTHWHILE, _verdict, augmentation_scores

WEIGHTS = np.array([1.5, -1.0, 1.0, 0.7, -0.7, 0.5])


@pytest.fixture(scope="module", autouse=True)
def _few_trees() -> Iterator[None]:
    """Small models learn these tables as well."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("synthgan.evaluation.utility.models._ROUNDS", 30)
        patch.setattr("synthgan.evaluation.utility.models._FOREST_TREES", 20)
        yield


def rows(n: int, seed: int, *, noise: bool = False) -> pd.DataFrame:
    """Six columns that decide a class of one row in five together."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 6))
    number = x @ WEIGHTS + 0.5 * rng.normal(size=n)
    if noise:
        number = rng.permutation(number)
    frame = pd.DataFrame(x, columns=[*"abcdef"])
    return frame.assign(number=number, label=np.where(number > 2.0, "yes", "no"))


def uplift(synthetic: pd.DataFrame, target: str = "label", n_real: int = 150, **options: int) -> Score:
    frames = {"real": rows(n_real, 0), "synthetic": synthetic, "holdout": rows(1500, 2)}
    columns = [*"abcdef", target]
    tables = compare({name: frame[columns] for name, frame in frames.items()}, keep=columns)
    (score,) = augmentation_scores(tables, target, np.random.default_rng(0), n_jobs=1, **options)
    return score


@pytest.fixture(scope="module")
def fresh() -> Score:
    return uplift(rows(300, 1))


def test_more_rows_of_a_starved_model_help(fresh: Score) -> None:
    assert fresh.name == "augmentation_uplift"
    assert fresh.details["verdict"] == "helps"
    assert fresh.note.startswith("helps: AUC")
    assert fresh.interval is not None
    assert 0 < fresh.interval[0] < fresh.value < fresh.interval[1]


def test_each_way_of_training_is_told(fresh: Score) -> None:
    arms = fresh.details["arms"]
    assert list(arms) == ["real", "real_and_synthetic", "balanced_by_synthetic", "class_weights", "oversampling"]
    n_yes = int((rows(150, 0)["label"] == "yes").sum())
    n_spare = int((rows(300, 1)["label"] == "yes").sum())
    missing = 150 - 2 * n_yes
    # As many synthetic rows as real ones, and of the small class what there is.
    assert {way: arm["n_rows"] for way, arm in arms.items()} == {
        "real": 150,
        "real_and_synthetic": 300,
        "balanced_by_synthetic": 150 + min(missing, n_spare),
        "class_weights": 150,
        "oversampling": 150 + missing,
    }
    for name in ("auc", "balanced_accuracy"):
        assert arms["real"][name]["uplift"] == 0.0
        for arm in arms.values():
            assert arm[name]["uplift"] == pytest.approx(arm[name]["value"] - arms["real"][name]["value"])
            assert arm[name]["interval"][0] < arm[name]["value"] < arm[name]["interval"][1]
    assert fresh.value == arms["real_and_synthetic"]["auc"]["uplift"]
    assert fresh.reference == max(arms[way]["auc"]["uplift"] for way in ("class_weights", "oversampling"))
    # Weights move the threshold, which is what balanced accuracy rewards.
    assert arms["class_weights"]["balanced_accuracy"]["uplift_interval"][0] > 0
    json.dumps(fresh.to_dict(), allow_nan=False)


def test_noise_does_not_help() -> None:
    score = uplift(rows(150, 1, noise=True))
    assert score.details["verdict"] == "does not help"
    assert score.value < 0


def test_copies_do_not_help() -> None:
    real = rows(300, 0)
    copies = real.sample(300, replace=True, random_state=1, ignore_index=True)
    assert uplift(copies, n_real=300).details["verdict"] != "helps"


def test_numbers_have_no_classes_to_balance() -> None:
    score = uplift(rows(150, 1), "number", n_repeats=2)
    assert list(score.details["arms"]) == ["real", "real_and_synthetic"]
    assert score.details["measure"] == "r2"
    assert score.reference is None
    assert score.details["verdict"] == "helps"
    # Less error is a gain too.
    rmse = score.details["arms"]["real_and_synthetic"]["rmse"]
    assert rmse["uplift"] == pytest.approx(score.details["arms"]["real"]["rmse"]["value"] - rmse["value"])
    assert rmse["uplift"] > 0


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        ([0.001, 0.02], "helps"),
        ([-0.001, 0.02], "unclear"),
        ([0.0, 0.02], "unclear"),
        ([-0.02, 0.0049], "does not help"),
        ([0.001, 0.004], "does not help"),
        ([-0.02, WORTHWHILE], "unclear"),
        ([-0.02, -0.01], "does not help"),
    ],
)
def test_the_verdict_by_hand(interval: list[float], verdict: str) -> None:
    assert _verdict(interval) == verdict


def test_a_capped_table_is_said_to_give_a_bound() -> None:
    score = uplift(rows(150, 1), n_repeats=1, max_rows=100)
    assert score.details["arms"]["real_and_synthetic"]["n_rows"] == 200
    assert score.note.endswith("so this is an upper bound")


def test_nothing_to_predict_gives_no_score() -> None:
    frame = pd.DataFrame({"x": np.arange(30.0), "y": ["a"] * 30})
    tables = compare({"real": frame, "synthetic": frame, "holdout": frame}, keep=["x", "y"])
    assert augmentation_scores(tables, "y", np.random.default_rng(0)) == []


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(KeyError, match="no model named 'svm'; there are gradient_boosting, random_forest, linear"):
        frame = rows(60, 0)
        tables = compare({"real": frame, "synthetic": frame, "holdout": frame})
        augmentation_scores(tables, "label", np.random.default_rng(0), model="svm")

"""Gaps within parts of a table: planted ones are named, chance is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthgan.evaluation.compared.compared_tables import ComparedTables, compare
from synthgan.evaluation.utility.measures import auc, resample_counts
from synthgan.evaluation.utility.prediction import Problem, prediction_problem
from synthgan.evaluation.utility.subgroups import (
    Subgroup,
    subgroup_gap_score,
    subgroup_gaps,
    subgroups_of,
    worst_by_chance,
)

N_TEST = 1200


def rows(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    frame = pd.DataFrame(
        {
            "x": x,
            "region": rng.choice(["north", "south", "<b>"], n, p=[0.45, 0.5, 0.05]),
            "children": rng.choice([0.0, 1.0, np.nan], n, p=[0.5, 0.3, 0.2]),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(3, size=n), unit="D"),
            "number": x + rng.normal(size=n),
        }
    )
    return frame.assign(label=np.where(frame["number"] > 0, "yes", "no"))


def prepared(target: str = "label") -> tuple[Problem, ComparedTables]:
    columns = ["x", "region", "children", "day", target]
    frames = {"real": rows(50, 0), "synthetic": rows(50, 1), "holdout": rows(N_TEST, 2)}
    tables = compare({name: frame[columns] for name, frame in frames.items()}, keep=columns)
    problem = prediction_problem(tables, target, np.random.default_rng(0))
    assert isinstance(problem, Problem)
    return problem, tables


def answers(problem: Problem, noise: float, seed: int, flipped: np.ndarray | None = None) -> np.ndarray:
    """Probabilities that know the truth up to noise, and the opposite of it in some rows."""
    score = problem.test.target.astype(float) + noise * np.random.default_rng(seed).normal(size=N_TEST)
    if flipped is not None:
        score = np.where(flipped, 1 - score, score)
    return np.column_stack([-score, score])


def test_levels_values_quarters_and_missing_are_subgroups_when_they_are_large_enough() -> None:
    problem, tables = prepared()
    found = {
        (part.column, part.group): part.rows for part in subgroups_of(problem, tables, "holdout", np.arange(N_TEST))
    }
    # The level <b> has about 60 rows. The days are instants: told by quarters, of which the fourth has no row above the
    # upper quartile when there are three values.
    assert set(found) == {
        *(("region", group) for group in ("north", "south")),
        *(("children", group) for group in ("0", "1", "(missing)")),
        *(("x", f"quarter {n} of 4") for n in (1, 2, 3, 4)),
        *(("day", f"quarter {n} of 4") for n in (1, 2, 3)),
    }
    frame = rows(N_TEST, 2)
    np.testing.assert_array_equal(found["region", "south"], np.flatnonzero(frame["region"] == "south"))
    np.testing.assert_array_equal(found["children", "(missing)"], np.flatnonzero(frame["children"].isna()))
    assert [len(found["x", f"quarter {n} of 4"]) for n in (1, 2, 3, 4)] == [300] * 4


def test_a_part_with_one_class_is_no_subgroup() -> None:
    problem, tables = prepared()
    tables.numbers["holdout"]["x"] = np.where(problem.test.target == 1, 5.0, -5.0)  # two values, a class each
    assert "x" not in {part.column for part in subgroups_of(problem, tables, "holdout", np.arange(N_TEST))}


def test_a_planted_gap_is_named_and_its_interval_excludes_zero() -> None:
    problem, tables = prepared()
    south = rows(N_TEST, 2)["region"].to_numpy() == "south"
    given = {name: answers(problem, 0.7, seed) for seed, name in enumerate(("real", "half_1", "half_2"))}
    given["synthetic"] = answers(problem, 0.7, 3, flipped=south)
    score = subgroup_gap_score(problem, tables, "holdout", given, np.random.default_rng(0))
    assert not isinstance(score, str)
    worst = score.details["worst"]
    assert (worst["column"], worst["group"], worst["n_test"]) == ("region", "south", south.sum())
    assert score.value == pytest.approx(worst["real"] - worst["synthetic"])
    assert score.value > 0.5
    assert worst["interval"][0] > 0.4
    assert score.interval is not None
    assert score.interval[0] > 0.4
    assert score.reference is not None
    assert score.reference < score.value / 2


def test_the_interval_of_the_worst_of_many_equals_covers_zero() -> None:
    """Models of the same quality: the largest of twelve gaps is no finding, in nearly all of fifteen tables."""
    problem, tables = prepared()
    subgroups = subgroups_of(problem, tables, "holdout", np.arange(N_TEST))
    truth, accused, alone = problem.test.target, 0, 0
    for seed in range(15):
        counts = resample_counts(N_TEST, np.random.default_rng(seed), n_resamples=100)
        models = [answers(problem, 1.0, 2 * seed + place) for place in (0, 1)]
        gaps = subgroup_gaps(subgroups, truth, *models, measure=auc, counts=counts)
        assert gaps.interval[0] <= gaps.gaps.max() <= gaps.interval[1]
        accused += gaps.interval[0] > 0
        alone += gaps.gaps.max() > 0.02
    assert accused <= 2
    assert alone > 12  # so the plain maximum would have accused


def test_chance_of_halves_is_the_mean_of_both_directions() -> None:
    truth = np.array([0, 1] * 100)
    parts = [
        Subgroup(column="c", group=group, rows=np.arange(start, start + 100)) for group, start in (("a", 0), ("b", 100))
    ]
    right = np.column_stack([1.0 - truth, truth])
    wrong_in_b = np.where(np.arange(200)[:, None] < 100, right, 1 - right)
    # Gaps of 0 and 1 one way, 0 and -1 the other: the worst are 1 and 0.
    assert worst_by_chance(parts, truth, right, wrong_in_b, auc) == 0.5


def test_regression_takes_the_variance_of_the_whole_table() -> None:
    problem, tables = prepared("number")
    truth = problem.test.target
    given = dict.fromkeys(("real", "half_1", "half_2"), truth + 0.0)
    given["synthetic"] = truth + np.where(rows(N_TEST, 2)["region"] == "north", truth.std(), 0.0)
    score = subgroup_gap_score(problem, tables, "holdout", given, np.random.default_rng(0))
    assert not isinstance(score, str)
    assert score.details["worst"]["group"] == "north"
    # An error of one standard deviation in every row of the group is all of the variance.
    assert score.value == pytest.approx(1.0)


def test_small_tables_have_no_subgroup_and_say_why() -> None:
    frames = {
        name: rows(90, seed)[["x", "region", "label"]] for seed, name in enumerate(("real", "synthetic", "holdout"))
    }
    tables = compare(frames, keep=["x", "region", "label"])
    problem = prediction_problem(tables, "label", np.random.default_rng(0))
    assert isinstance(problem, Problem)
    given = dict.fromkeys(("real", "synthetic", "half_1", "half_2"), np.zeros((90, 2)))
    reason = subgroup_gap_score(problem, tables, "holdout", given, np.random.default_rng(0))
    assert reason == "no subgroup has 100 test rows and 20 of two classes"


def test_wide_tables_split_fewer_test_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synthgan.evaluation.utility.subgroups.MAX_CELLS", 2000)
    monkeypatch.setattr("synthgan.evaluation.utility.subgroups._FEWEST", 200)
    monkeypatch.setattr("synthgan.evaluation.utility.subgroups.MAX_COLUMNS", 3)
    problem, tables = prepared()
    given = {name: answers(problem, 0.7, seed) for seed, name in enumerate(("real", "synthetic", "half_1", "half_2"))}
    score = subgroup_gap_score(problem, tables, "holdout", given, np.random.default_rng(0))
    assert not isinstance(score, str)
    assert score.details["n_test"] == 2000 // 3
    assert score.details["n_columns_not_split"] == 1

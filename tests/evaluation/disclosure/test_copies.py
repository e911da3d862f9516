"""Copies and closeness: a leaky generator is caught, fresh rows are not accused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from synthgan.evaluation.compared.compared_tables import compare
from synthgan.evaluation.compared.neighbours import as_points, nearest, nearest_two
from synthgan.evaluation.coverage.alpha_beta import alpha_precision_beta_recall
from synthgan.evaluation.disclosure.copies import (
    RealNeighbours,
    closer_to_train_score,
    copies_warning,
    copy_score,
    copy_scores,
    exact_copies,
    near_copies_score,
    nndr_score,
    real_neighbours,
)
from synthgan.evaluation.scores import Score


def rows(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return pd.DataFrame(
        {
            "x": x,
            "y": np.where(rng.random(n) < 0.1, np.nan, x**2 + rng.normal(size=n)),
            "c": rng.choice([*"abc"], n),
            "d": np.where(x > 0, "up", "down"),
        }
    )


# ------------------------------------------------------------------------------------------------------- exact copies


def test_copies_by_hand() -> None:
    real = pd.DataFrame({"x": [1.0, 2.0, None], "c": ["a", "b", None]})
    synthetic = pd.DataFrame({"c": ["b", "a", None, "a", "b"], "x": [2.0, 2.0, None, 1.0, None]})
    tables = compare({"real": real, "synthetic": synthetic})
    assert exact_copies(tables).tolist() == [True, False, True, True, False]
    score = copy_score(tables)
    assert score.value == pytest.approx(60.0)
    assert score.details == {"copies": 3, "n_rows": 5, "real_repeats": 0, "real_n_rows": 3}
    assert score.direction == "lower"
    assert score.interval is not None
    assert score.interval == pytest.approx((23.07, 88.24), abs=0.01)


def test_copies_stand_beside_the_same_count_for_a_holdout() -> None:
    real = pd.DataFrame({"c": [*"ab"]})
    tables = compare(
        {"real": real, "synthetic": pd.DataFrame({"c": [*"aacd"]}), "holdout": pd.DataFrame({"c": [*"bbbc"]})}
    )
    score = copy_score(tables, holdout="holdout")
    assert (score.value, score.reference, score.ideal, score.direction) == (50.0, 75.0, 75.0, "target")
    assert score.details["holdout_copies"] == 3


def warned(**frames: pd.DataFrame) -> str | None:
    """The warning of tables that are compared."""
    holdout = "holdout" if "holdout" in frames else None
    return copies_warning(copy_score(compare(frames), holdout=holdout))


def test_a_table_of_copies_is_called_one_without_a_value() -> None:
    real = rows(200, 0)
    said = warned(real=real, synthetic=real.sample(frac=1.0, random_state=1))
    assert said is not None
    assert said.startswith("All 200 rows of the synthetic table are exact copies of real rows")
    assert "at most 1.9% of honest rows" in said
    mixed = pd.concat([real.head(150), rows(50, 1)])
    assert str(warned(real=real, synthetic=mixed)).startswith("150 of 200 rows")
    # A holdout that is the real table itself shows nothing, so the real rows' own repeats count.
    assert warned(real=real, synthetic=real, holdout=real) == said


def test_copies_that_chance_explains_bring_no_warning() -> None:
    real = rows(200, 0)
    coarse = real[["c", "d"]]
    assert warned(real=coarse, synthetic=coarse) is None, "six different rows: nobody can help repeating them"
    assert warned(real=coarse, synthetic=coarse, holdout=rows(200, 1)[["c", "d"]]) is None
    assert warned(real=real, synthetic=pd.concat([real.head(90), rows(110, 1)])) is None, "fewer than half"
    assert warned(real=real.head(5), synthetic=real.head(5)) is None, "too few to tell"


def test_a_table_with_each_row_twice_is_judged_by_its_holdout() -> None:
    twice = pd.concat([rows(100, 0)] * 2)
    assert warned(real=twice, synthetic=twice) is None
    assert warned(real=twice, synthetic=twice, holdout=rows(200, 1)) is not None


def test_values_of_different_dtypes_are_copies_when_they_are_equal() -> None:
    real = pd.DataFrame({"k": pd.Series([1, 2], dtype="Int64"), "c": pd.Series(["a", "b"], dtype="category")})
    synthetic = pd.DataFrame({"k": [1.0, 2.5], "c": ["a", "b"]})
    assert exact_copies(compare({"real": real, "synthetic": synthetic})).tolist() == [True, False]


def test_wide_tables_have_exact_keys() -> None:
    rng = np.random.default_rng(0)
    real = pd.DataFrame(rng.integers(1000, size=(500, 60)))
    synthetic = pd.concat([real.iloc[:50], real.iloc[50:100] + np.eye(50, 60, dtype=int)])
    tables = compare({"real": real, "synthetic": synthetic})
    assert exact_copies(tables).tolist() == [True] * 50 + [False] * 50


# --------------------------------------------------------------------------------------------------- nearest neighbours


@pytest.mark.parametrize(("norm", "metric"), [("l1", "cityblock"), ("l2", "euclidean")])
def test_nearest_agrees_with_scipy(norm: str, metric: str) -> None:
    tables = compare({"real": rows(300, 0), "synthetic": rows(200, 1)})
    points, queries = as_points(tables, "real"), as_points(tables, "synthetic")
    expected = cdist(queries.matrix, points.matrix, metric)
    distances, places = nearest(queries, points, norm=norm)  # type: ignore[arg-type]
    assert distances == pytest.approx(expected.min(axis=1), abs=1e-6)
    assert expected[np.arange(200), places] == pytest.approx(expected.min(axis=1), abs=1e-6)


def test_a_row_is_not_its_own_neighbour() -> None:
    points = as_points(compare({"real": pd.DataFrame({"x": [0.0, 1.0, 4.0]})}), "real")
    distances, places = nearest(points, points, norm="l1", same=True)
    assert distances.tolist() == [0.25, 0.25, 0.75]
    assert places.tolist() == [1, 0, 1]


def test_distances_scale_numbers_and_count_categories_twice() -> None:
    tables = compare(
        {
            "real": pd.DataFrame({"x": [0.0, 10.0], "c": [*"ab"]}),
            "synthetic": pd.DataFrame({"x": [2.0, None, 5.0], "c": [*"aac"]}),
        }
    )
    distances, _ = nearest(as_points(tables, "synthetic"), as_points(tables, "real")[:1], norm="l1")
    # 2/10; missing: middle of the range and the indicator; 5/10 and another category.
    assert distances.tolist() == pytest.approx([0.2, 1.5, 2.5])


# ----------------------------------------------------------------------------------------------------------- DCR share


def test_share_by_hand() -> None:
    tables = compare(
        {
            "real": pd.DataFrame({"x": [0.0, 10.0]}),
            "synthetic": pd.DataFrame({"x": [1.0, 2.0, 5.0, 9.0]}),
            "holdout": pd.DataFrame({"x": [3.0, 10.0]}),
        }
    )
    # 1 is nearer to train (0), 2 and 5 to the holdout (3), 9 ties at 10.
    score = closer_to_train_score(real_neighbours(tables, np.random.default_rng(0)))
    assert score.value == pytest.approx(1.5 / 4)
    assert score.details == {"diagnostic": True, "n_rows": 4, "n_train": 2, "n_holdout": 2, "ties": 1}


def test_copies_with_noise_are_caught_and_fresh_rows_are_not_accused() -> None:
    train = rows(800, 0)
    rng = np.random.default_rng(3)
    leaky = train.assign(x=train["x"] + 0.01 * rng.normal(size=800))
    frames = {"real": train, "holdout": rows(800, 2)}
    caught = closer_to_train_score(real_neighbours(compare({**frames, "synthetic": leaky}), rng))
    fresh = closer_to_train_score(real_neighbours(compare({**frames, "synthetic": rows(800, 1)}), rng))
    assert caught.value > 0.9
    assert caught.interval is not None
    assert caught.interval[0] > 0.5
    assert fresh.interval is not None
    assert fresh.interval[0] < 0.5 < fresh.interval[1]


def test_equally_many_training_and_holdout_rows_take_part() -> None:
    tables = compare({"real": rows(500, 0), "synthetic": rows(300, 1), "holdout": rows(100, 2)})
    score = closer_to_train_score(real_neighbours(tables, np.random.default_rng(0), max_rows=50))
    assert (score.details["n_train"], score.details["n_holdout"], score.details["n_rows"]) == (100, 100, 50)
    assert abs(score.value - 0.5) < 0.25


# --------------------------------------------------------------------------------------------------- near copies, NNDR


def leaky(train: pd.DataFrame, noise: float, seed: int) -> pd.DataFrame:
    return train.assign(x=train["x"] + noise * np.random.default_rng(seed).normal(size=len(train)))


def excess(score: Score) -> tuple[float, float]:
    """The interval of the difference from the reference."""
    assert score.interval is not None
    assert score.reference is not None
    return score.interval[0] - score.reference, score.interval[1] - score.reference


def test_the_two_nearest_by_hand() -> None:
    tables = compare({"real": pd.DataFrame({"x": [0.0, 1.0, 4.0]}), "synthetic": pd.DataFrame({"x": [3.0, 0.0]})})
    distances, places = nearest_two(as_points(tables, "synthetic"), as_points(tables, "real"), norm="l1")
    assert distances.tolist() == [[0.25, 0.5], [0.0, 0.25]]
    assert places.tolist() == [2, 0]
    assert nearest_two(as_points(tables, "synthetic"), as_points(tables, "real")[:1], norm="l1")[0][0, 1] == np.inf


def test_near_copies_and_ratios_by_hand() -> None:
    found = RealNeighbours(
        to_train=np.array([[0.0, 0.0], [0.1, 0.4], [0.3, 0.4], [0.5, 0.5]]),
        to_holdout=np.array([[0.2, 0.4], [0.1, 0.1], [0.3, 0.4], [0.1, 1.0]]),
        train_rows=np.array([0, 1, 1, 2]),
        holdout_rows=np.array([4, 4, 4, 4]),
        # The 5% quantile of twenty distances from 0.1 on, taken low, is the first.
        among_train=np.linspace(0.1, 2.0, 20),
        n_real_each=20,
    )
    near = near_copies_score(found)
    # Near training rows: 0.0 and 0.1; near holdout rows: 0.1 and 0.1.
    assert (near.value, near.reference, near.ideal, near.direction) == (50.0, 50.0, 50.0, "target")
    assert near.details["excess"] == 0.0
    ratio = nndr_score(found)
    assert ratio is not None
    # 1 (both at 0), 0.25, 0.75, 1; to the holdout 0.5, 1, 0.75, 0.1.
    assert ratio.value == pytest.approx(0.875)
    assert ratio.reference == pytest.approx(0.625)
    assert ratio.details["diagnostic"] is True


def test_five_percent_of_the_training_rows_count_as_near_to_each_other() -> None:
    tables = compare({"real": rows(1000, 0), "synthetic": rows(1000, 1), "holdout": rows(1000, 2)})
    score = near_copies_score(real_neighbours(tables, np.random.default_rng(0)))
    assert score.value == pytest.approx(5.0, abs=2.0)
    assert score.reference == pytest.approx(5.0, abs=2.0)


def test_near_copies_are_caught() -> None:
    frames = {"real": rows(600, 0), "holdout": rows(600, 1)}
    for synthetic in (leaky(frames["real"], 1e-3, 5), frames["real"].sample(600, replace=True, random_state=0)):
        scores = copy_scores(compare({**frames, "synthetic": synthetic}), np.random.default_rng(0), holdout="holdout")
        by_name = {score.name: score for score in scores}
        assert list(by_name) == ["exact_copies", "near_copies", "dcr_share", "nndr"]
        assert excess(by_name["near_copies"])[0] > 20.0
        assert excess(by_name["nndr"])[1] < -0.5


def test_fresh_rows_are_not_accused_of_near_copies() -> None:
    accused = 0
    for seed in range(10):
        frames = {name: rows(400, 10 * seed + place) for place, name in enumerate(("real", "synthetic", "holdout"))}
        near = copy_scores(compare(frames), np.random.default_rng(seed), holdout="holdout")[1]
        accused += excess(near)[0] > 0
    assert accused <= 2


def test_without_a_holdout_only_exact_copies_are_left() -> None:
    tables = compare({"real": rows(50, 0), "synthetic": rows(50, 1)})
    assert [score.name for score in copy_scores(tables, np.random.default_rng(0))] == ["exact_copies"]


def test_caps_of_rows_hold() -> None:
    tables = compare({"real": rows(300, 0), "synthetic": rows(300, 1), "holdout": rows(200, 2)})
    found = real_neighbours(tables, np.random.default_rng(0), max_rows=70, max_real=90)
    assert (found.to_train.shape, found.n_real_each, len(found.among_train)) == ((70, 2), 90, 90)


def test_single_rows_have_no_ratio() -> None:
    tables = compare({name: pd.DataFrame({"x": [1.0]}) for name in ("real", "synthetic", "holdout")})
    names = [score.name for score in copy_scores(tables, np.random.default_rng(0), holdout="holdout")]
    assert names == ["exact_copies", "near_copies", "dcr_share"]


# ------------------------------------------------------------------------------------------------------------ coverage


def coverage(synthetic: pd.DataFrame) -> tuple[float, float]:
    return alpha_precision_beta_recall(
        compare({"real": rows(600, 0), "synthetic": synthetic}), np.random.default_rng(0)
    )


def test_fresh_rows_are_typical_and_cover() -> None:
    precision, recall = coverage(rows(600, 1))
    assert precision > 0.93
    # Of a fresh sample of the same size about half the real rows have a synthetic row nearer than the nearest real one.
    assert 0.4 < recall < 0.6


def test_a_copy_of_the_table_is_perfect() -> None:
    precision, recall = coverage(rows(600, 0))
    assert precision == pytest.approx(1.0, abs=0.01)
    assert recall == pytest.approx(1.0, abs=0.02)


def test_a_collapsed_generator_covers_nothing() -> None:
    one = rows(600, 1).iloc[[0] * 600]
    _, recall = coverage(one)
    assert recall < 0.15


def test_outliers_lose_precision() -> None:
    real = rows(600, 0)
    precision, _ = coverage(rows(600, 1).assign(x=real["x"].max(), c="a"))
    assert precision < 0.7


def test_capped_rows_are_drawn_by_the_seed() -> None:
    tables = compare({"real": rows(400, 0), "synthetic": rows(400, 1)})
    first, again = (alpha_precision_beta_recall(tables, np.random.default_rng(5), max_rows=100) for _ in range(2))
    assert first == again

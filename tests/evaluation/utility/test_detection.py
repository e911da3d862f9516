"""Two-sample test: fresh rows pass, distorted ones are caught."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthgan.evaluation.compared.compared_tables import compare
from synthgan.evaluation.utility.detection import detect, detection_auc, detection_scores


def rows(n: int, seed: int, slope: float = 1.0) -> pd.DataFrame:
    """A number, a second one that depends on it, and a category that depends on its sign."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    c = np.where(rng.random(n) < 0.8, np.where(x > 0, "up", "down"), None)
    return pd.DataFrame({"x": x, "y": slope * x + rng.normal(size=n), "c": c})


def test_fresh_rows_cannot_be_told_apart() -> None:
    tables = compare({"real": rows(1500, 0), "synthetic": rows(1500, 1)})
    (score,) = detection_scores(tables, np.random.default_rng(0))
    assert score.value > 0.9
    assert score.interval is not None
    assert score.interval[0] <= score.value <= score.interval[1]
    assert score.details["n_rows_each"] == 1500
    assert abs(score.details["auc"] - 0.5) < 3 * score.details["auc_standard_error"]


def test_a_broken_dependency_is_caught() -> None:
    tables = compare({"real": rows(1500, 0), "synthetic": rows(1500, 1, slope=-1.0), "holdout": rows(700, 2)})
    (score,) = detection_scores(tables, np.random.default_rng(0), reference="holdout")
    assert score.value < 0.6
    assert score.interval is not None
    assert score.interval[1] < 0.7
    assert score.reference is not None
    assert score.reference > 0.85


def test_a_telltale_value_separates_perfectly() -> None:
    synthetic = rows(600, 1).assign(y=99.0)
    auc, error = detection_auc(compare({"real": rows(600, 0), "synthetic": synthetic}), np.random.default_rng(0))
    assert auc == pytest.approx(1.0, abs=5e-3)  # with scikit-learn 1.7 it is 0.998
    assert error < 0.01


def test_unequal_tables_take_part_with_equally_many_rows() -> None:
    tables = compare({"real": rows(300, 0), "synthetic": rows(900, 1)})
    (score,) = detection_scores(tables, np.random.default_rng(0))
    assert score.details["n_rows_each"] == 300
    (capped,) = detection_scores(tables, np.random.default_rng(0), max_rows=100)
    assert capped.details["n_rows_each"] == 100


def test_the_seed_decides_everything() -> None:
    tables = compare({"real": rows(300, 0), "synthetic": rows(300, 1)})
    first, again, other = (detection_auc(tables, np.random.default_rng(seed))[0] for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_too_few_rows_give_no_score() -> None:
    tables = compare({"real": rows(5, 0), "synthetic": rows(100, 1)})
    assert detection_scores(tables, np.random.default_rng(0)) == []


def test_many_levels_are_no_obstacle() -> None:
    rng = np.random.default_rng(0)
    frames = {
        name: pd.DataFrame({"c": [f"level {i}" for i in rng.integers(400, size=900)]}) for name in ("real", "synthetic")
    }
    auc, _ = detection_auc(compare(frames, keep=["c"]), rng)
    assert auc == pytest.approx(0.5, abs=0.08)


def test_one_bad_column_is_named_first() -> None:
    synthetic = rows(800, 1)
    synthetic["c"] = np.random.default_rng(2).choice(["up", "down", None], 800, p=[0.1, 0.8, 0.1])
    (score,) = detection_scores(compare({"real": rows(800, 0), "synthetic": synthetic}), np.random.default_rng(0))
    importances = score.details["importances"]
    assert next(iter(importances)) == "c"
    assert importances["c"] > 0.1
    assert list(importances.values()) == sorted(importances.values(), reverse=True)


def test_a_broken_dependency_names_both_columns_and_spares_a_third() -> None:
    frames = {"real": rows(800, 0), "synthetic": rows(800, 1, slope=-1.0)}
    rng = np.random.default_rng(3)
    compared = compare({name: frame.drop(columns="c").assign(z=rng.normal(size=800)) for name, frame in frames.items()})
    found = detect(compared, np.random.default_rng(0))
    assert set(list(found.importances)[:2]) == {"x", "y"}
    assert found.importances["y"] > 0.1
    assert abs(found.importances["z"]) < 0.03


def test_a_perfect_telltale_is_all_that_matters() -> None:
    synthetic = rows(600, 1).assign(y=99.0)
    found = detect(compare({"real": rows(600, 0), "synthetic": synthetic}), np.random.default_rng(0))
    # Shuffled, y is chance: half of the area is gone.
    assert found.importances["y"] == pytest.approx(0.5, abs=0.05)
    assert abs(found.importances["x"]) < 0.02


def test_fresh_rows_leave_nothing_to_name() -> None:
    found = detect(compare({"real": rows(800, 0), "synthetic": rows(800, 1)}), np.random.default_rng(0))
    assert max(abs(drop) for drop in found.importances.values()) < 0.05


def test_wide_tables_shuffle_fewer_rows_and_still_name_the_column() -> None:
    rng = np.random.default_rng(0)
    frames = [pd.DataFrame(rng.normal(size=(300, 40)), columns=[f"x{i}" for i in range(40)]) for _ in range(2)]
    frames[1]["x17"] += 3.0
    tables = compare({"real": frames[0], "synthetic": frames[1]})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("synthgan.evaluation.utility.detection.IMPORTANCE_ROWS", 40)
        patch.setattr("synthgan.evaluation.utility.detection._ROWS_PER_COLUMN", (60, 100))
        found = detect(tables, np.random.default_rng(0))
    assert next(iter(found.importances)) == "x17"


def test_a_column_that_is_known_in_a_few_rows_is_no_obstacle() -> None:
    """Both values may fall into the fold that is held out."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=24)
    few = np.where(np.arange(24) < 1, 1.0, np.nan)
    tables = compare({"real": pd.DataFrame({"x": x, "few": few}), "synthetic": pd.DataFrame({"x": x + 9, "few": few})})
    for seed in range(5):
        assert detection_auc(tables, np.random.default_rng(seed))[0] >= 0.5

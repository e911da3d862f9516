"""Two-sample test: fresh rows pass, distorted ones are caught."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthgan.evaluation.detection import detection_auc, detection_scores
from synthgan.evaluation.features import compare


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
    assert auc == pytest.approx(1.0, abs=1e-3)
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

"""Mode coverage and the Frechet distance of tables, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthgan.evaluation.compared.compared_tables import ComparedTables, compare
from synthgan.evaluation.coverage import modes
from synthgan.evaluation.coverage.alpha_beta import alpha_beta_scores
from synthgan.evaluation.coverage.coverage import coverage_scores
from synthgan.evaluation.coverage.frechet import relative_frechet_distance
from synthgan.evaluation.coverage.modes import mode_coverage


def table(counts: dict[tuple[str, str], int]) -> pd.DataFrame:
    return pd.DataFrame([cell for cell, n in counts.items() for _ in range(n)], columns=["a", "b"])


REAL = {("x", "p"): 50, ("x", "q"): 30, ("y", "p"): 10, ("y", "q"): 9, ("z", "q"): 1}


def pair(real: dict[tuple[str, str], int], synthetic: dict[tuple[str, str], int]) -> ComparedTables:
    return compare({"real": table(real), "synthetic": table(synthetic)})


def test_cells_by_hand() -> None:
    # Modes are the three cells of ten rows or more; of 100 synthetic rows (x, p) wants 10, (x, q) 6 and (y, p) 2.
    found = mode_coverage(pair(REAL, {("x", "p"): 92, ("x", "q"): 6, ("y", "p"): 1, ("y", "q"): 1}))
    assert found.pairs == {"a | b": (2, 3)}
    assert found.share == pytest.approx(2 / 3)
    # a: x (80 rows, 98 found) and y (19 rows, wants 3.8, has 2); b: p (60) and q (40, wants 8, has 7).
    assert found.columns == {"a": (1, 2), "b": (1, 2)}
    assert found.level_share == 0.5


def test_a_table_covers_itself_and_one_cell_covers_little() -> None:
    assert mode_coverage(pair(REAL, REAL)).share == 1.0
    assert mode_coverage(pair(REAL, {("x", "p"): 100})).pairs == {"a | b": (1, 3)}
    # Levels that the real table lacks neither help nor harm.
    assert mode_coverage(pair(REAL, {**REAL, ("new", "new"): 3})).share == 1.0


def test_modes_are_cells_that_a_table_of_the_synthetic_size_should_hold() -> None:
    # Of 50 rows, only (x, p) and (x, q) should have ten or more; of 1,000, the same three cells as of 100.
    assert mode_coverage(pair(REAL, {("x", "p"): 50})).pairs == {"a | b": (1, 2)}
    assert mode_coverage(pair(REAL, {cell: 10 * n for cell, n in REAL.items()})).pairs == {"a | b": (3, 3)}


def test_numbers_missing_values_and_spikes_have_cells() -> None:
    rng = np.random.default_rng(0)
    amount = np.where(np.arange(400) < 200, 0.0, rng.lognormal(size=400))
    amount[300:] = np.nan
    real = pd.DataFrame({"amount": amount})
    whole = mode_coverage(compare({"real": real, "synthetic": real}))
    assert whole.share == 1.0  # no pair of columns: levels take their place
    n_modes = whole.columns["amount"][1]
    without = {"spike": real[~(real["amount"] == 0)], "missing": real.dropna(), "tail": real[~(real["amount"] > 1.5)]}
    for frame in without.values():
        tables = compare({"real": real, "synthetic": frame.sample(400, replace=True, random_state=0)})
        assert 0 < mode_coverage(tables).columns["amount"][0] < n_modes


def test_the_sparse_count_is_the_dense_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    real = pd.DataFrame(rng.zipf(1.6, size=(800, 3)) % 17, columns=["a", "b", "c"]).astype(str)
    synthetic = real.iloc[:300].assign(b=real["a"].to_numpy()[:300])
    tables = compare({"real": real, "synthetic": synthetic})
    dense = mode_coverage(tables)
    monkeypatch.setattr(modes, "DENSE_CELLS", 0)
    assert mode_coverage(tables) == dense
    assert 0 < dense.share < 1


def test_without_any_mode_the_share_is_undefined() -> None:
    frame = pd.DataFrame({"a": ["x"] * 5, "b": ["y"] * 5})
    assert np.isnan(mode_coverage(compare({"real": frame, "synthetic": frame})).share)


def test_frechet_distance_by_hand() -> None:
    # One binary column scaled to total variance 1 (2 p (1 - p) = 1/2 before): shares 1/2 against 1 and 0.
    real = pd.DataFrame({"a": ["x", "y"] * 20})
    tables = compare({"real": real, "synthetic": pd.DataFrame({"a": ["x"] * 40})})
    # Means differ by (1/2, -1/2), squared and scaled: 2 * (1/4 + 1/4) = 1; the whole variance is lost as well.
    assert relative_frechet_distance(tables) == pytest.approx(2.0)
    assert relative_frechet_distance(compare({"real": real, "synthetic": real})) == pytest.approx(0, abs=1e-9)


def test_frechet_distance_sees_dependence_missing_values_and_constants() -> None:
    rng = np.random.default_rng(0)
    x = rng.lognormal(size=2000)
    real = pd.DataFrame({"x": x, "y": x + 0.1 * rng.normal(size=2000), "c": 1.0})
    shuffled = real.assign(y=rng.permutation(real["y"]))
    assert relative_frechet_distance(compare({"real": real, "synthetic": shuffled})) > 0.2
    gone = real.assign(y=real["y"].where(rng.random(2000) < 0.5))
    assert relative_frechet_distance(compare({"real": real, "synthetic": gone})) > 0.05
    constant = pd.DataFrame({"c": ["a"] * 9})
    assert np.isnan(relative_frechet_distance(compare({"real": constant, "synthetic": constant})))


def test_many_features_are_projected() -> None:
    rng = np.random.default_rng(0)
    names = [f"c{i}" for i in range(8)]
    real, fresh = (pd.DataFrame(rng.integers(0, 90, (1500, 8)), columns=names).astype(str) for _ in range(2))
    tables = compare({"real": real, "synthetic": fresh}, keep=names)
    near = relative_frechet_distance(tables)
    point = pd.DataFrame([real.iloc[0]] * 1500)
    far = relative_frechet_distance(compare({"real": real, "synthetic": point}, keep=names))
    assert 0 < near < 0.3
    # The spread is lost (1), and the mean is off by about (1 - 1/90)^2 + 89/90^2 over 1 - 1/90, that is 1.
    assert far == pytest.approx(2.0, rel=0.15)


def test_scores_have_the_floor_beside_them_and_rows_can_be_capped() -> None:
    rng = np.random.default_rng(0)
    real, fresh = (pd.DataFrame({"a": rng.choice([*"pqrs"], 600), "x": rng.normal(size=600)}) for _ in range(2))
    broken = pd.DataFrame({"a": ["p"] * 600, "x": rng.normal(size=600)})
    tables = compare({"real": real, "synthetic": broken, "holdout": fresh})
    coverage, distance = coverage_scores(tables, rng, reference="holdout", max_rows=200, neighbour_rows=0)
    assert coverage.value < 0.4
    assert coverage.reference == 1.0
    assert coverage.details["columns"]["a"] == {"reached": 1, "modes": 4}
    assert coverage.details["levels"] < coverage.details["levels_reference"] == 1.0
    assert distance.reference is not None
    assert distance.value > 50 > 10 * distance.reference > 0
    assert distance.unit == "%"
    alone, _ = coverage_scores(compare({"real": real, "synthetic": fresh}), rng, neighbour_rows=0)
    assert alone.reference is None


def test_alpha_precision_and_beta_recall_stand_beside_the_floor() -> None:
    rng = np.random.default_rng(0)
    real, fresh, other = (pd.DataFrame({"a": rng.choice([*"pqrs"], 600), "x": rng.normal(size=600)}) for _ in range(3))
    narrow = other.assign(x=other["x"] / 20)
    tables = compare({"real": real, "synthetic": narrow, "holdout": fresh, "other": other})
    found = {score.name: score for score in coverage_scores(tables, rng, reference="holdout")}
    assert list(found) == ["mode_coverage", "frechet_distance", "alpha_precision", "beta_recall"]
    honest = {score.name: score for score in coverage_scores(tables, rng, synthetic="other", reference="holdout")}
    for name in ("alpha_precision", "beta_recall"):
        score, fair = found[name], honest[name]
        assert score.interval is not None
        assert fair.interval is not None
        assert fair.reference is not None
        assert score.interval[0] <= score.value <= score.interval[1] < fair.interval[0]
        assert abs(fair.value - fair.reference) < 0.1
        assert len(score.details["curve"]["share"]) == len(score.details["curve"]["level"]) == 30
        assert score.details["n_rows"] == {"real": 600, "synthetic": 600, "holdout": 600}
    capped = coverage_scores(tables, rng, neighbour_rows=100, n_resamples=0)[2]
    assert capped.details["n_rows"] == {"real": 100, "synthetic": 100}
    assert capped.interval is None


def test_rows_drawn_by_a_cap_widen_the_interval_of_alpha_precision() -> None:
    rng = np.random.default_rng(0)
    real, other = (pd.DataFrame({"x": rng.normal(size=n)}) for n in (2001, 2000))
    tables = compare({"real": real, "synthetic": other.assign(x=other["x"] * 2)})
    widths = []
    for cap in (2001, 2000):
        precision = alpha_beta_scores(tables, np.random.default_rng(0), max_rows=cap)[0]
        assert precision.interval is not None
        widths.append(precision.interval[1] - precision.interval[0])
    assert widths[1] > 1.1 * widths[0]


def test_a_single_real_row_has_no_neighbour() -> None:
    tables = compare({"real": pd.DataFrame({"x": [1.0]}), "synthetic": pd.DataFrame({"x": [1.0, 2.0]})})
    assert alpha_beta_scores(tables, np.random.default_rng(0)) == []

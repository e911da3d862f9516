"""Rare slices: by hand, and what is lost or changed in small groups is found."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest

from synthgan.evaluation.compared.compared_tables import compare
from synthgan.evaluation.fidelity import rare_slices
from synthgan.evaluation.fidelity.rare_slices import MAX_ROWS, rare_slice_scores
from synthgan.evaluation.scores import Score


def table(counts: dict[tuple[str, str], int]) -> pd.DataFrame:
    return pd.DataFrame([cell for cell, n in counts.items() for _ in range(n)], columns=["c", "d"])


def scored(
    real: pd.DataFrame, synthetic: pd.DataFrame, holdout: pd.DataFrame | None = None, *, max_rows: int = MAX_ROWS
) -> Score:
    frames = {"real": real, "synthetic": synthetic} | ({} if holdout is None else {"holdout": holdout})
    tables = compare(frames, leave_out_identifiers=False)
    (score,) = rare_slice_scores(
        tables, np.random.default_rng(0), reference=None if holdout is None else "holdout", max_rows=max_rows
    )
    return score


REAL = {("a", "u"): 490, ("a", "v"): 500, ("r", "u"): 10}


def test_size_and_inside_by_hand() -> None:
    # Slices: c = r, and (r, u). The first has half its rows, and all of the other kind: errors 1/2 and 1. The second
    # is gone, and has no further column: error 1.
    score = scored(table(REAL), table({("a", "u"): 495, ("a", "v"): 500, ("r", "v"): 5}))
    assert score.details["n_slices"] == 2
    assert score.details["size"] == pytest.approx(75.0)
    assert score.details["inside"] == pytest.approx(100.0)
    assert score.value == pytest.approx(87.5)
    worst, next_worst = score.details["worst"]
    assert worst == {"slice": {"c": "r", "d": "u"}, "real": 0.01, "synthetic": 0.0, "size": 100.0, "inside": 100.0}
    assert next_worst.pop("slice") == {"c": "r"}
    assert next_worst == pytest.approx({"real": 0.01, "synthetic": 0.005, "size": 50.0, "inside": 100.0})
    json.dumps(score.to_dict(), allow_nan=False)


def test_twice_as_many_costs_as_much_as_half_as_many() -> None:
    # Both slices have 20 rows where 10 are wanted, or 5; within, nothing changes (and the pair has no inside).
    for n in (5, 20):
        score = scored(table(REAL), table({("a", "u"): 490, ("a", "v"): 510 - n, ("r", "u"): n}))
        assert score.details["size"] == pytest.approx(50.0)
        assert score.value == pytest.approx((25.0 + 50.0) / 2)


def test_a_table_keeps_its_own_slices_and_the_floor_stands_beside_a_loss() -> None:
    rng = np.random.default_rng(0)

    def fresh() -> pd.DataFrame:
        c = rng.choice([*"abcd"], 12_000, p=[0.6, 0.38, 0.012, 0.008])
        return pd.DataFrame({"c": c, "x": rng.normal(size=12_000) + 3 * (c == "c"), "e": rng.choice([*"pq"], 12_000)})

    real, holdout = fresh(), fresh()
    assert scored(real, real.sample(frac=1.0, random_state=0)).value == pytest.approx(0.0, abs=1e-9)
    blurred = fresh().assign(x=lambda frame: rng.permutation(frame["x"]))
    score, honest = scored(real, blurred, holdout), scored(real, fresh(), holdout)
    assert score.reference is not None
    assert score.interval is not None
    assert honest.interval is not None
    assert score.interval[0] > honest.interval[1]
    assert abs(honest.value - score.reference) < 3.0
    # The slice whose numbers were blurred is the worst inside among the levels.
    inside = {tuple(part["slice"].items()): part["inside"] for part in score.details["worst"]}
    assert any(("c", "c") in part for part in inside)


def test_the_tails_of_numbers_are_slices() -> None:
    rng = np.random.default_rng(0)
    x = rng.permutation(np.arange(2000.0))
    real, synthetic = pd.DataFrame({"x": x}), pd.DataFrame({"x": np.minimum(x, 1970.0)})
    score = scored(real, synthetic)
    # Slices: below 19 (19 rows, of no error) and above 1979 (20 rows, all lost); quantiles are values of the table.
    assert score.details["n_slices"] == 2
    assert score.value == pytest.approx(50.0)
    assert score.details["worst"][0]["slice"] == {"x": "above 1979"}


def test_instants_and_missing_values_have_texts() -> None:
    days = pd.date_range("2020-01-01", periods=2000).to_series().reset_index(drop=True)
    real = pd.DataFrame({"t": days, "c": [None] * 15 + ["a"] * 1985})
    score = scored(real, real.iloc[15:-20])
    slices = {tuple(part["slice"].items()): part["synthetic"] for part in score.details["worst"]}
    assert slices[("c", "(missing)"),] == 0.0
    last = str(days.iloc[1979]).replace(" ", "T")
    assert slices[("t", f"above {last}"),] == 0.0


def test_tables_too_small_have_no_slices() -> None:
    score = scored(table({("a", "u"): 40, ("b", "v"): 10}), table({("a", "u"): 50}))
    assert math.isnan(score.value)
    assert score.details == {"n_slices": 0}
    assert score.interval is None


def test_rows_and_slices_are_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    frames = [pd.DataFrame({name: rng.choice(60, 5000).astype(str) for name in "abc"}) for _ in range(3)]
    score = scored(*frames)
    assert 150 < score.details["n_slices"] <= 180
    assert score.details["n_rows"] == {"real": 5000, "synthetic": 5000, "holdout": 5000}
    monkeypatch.setattr(rare_slices, "MOST_SLICES", 50)
    capped = scored(*frames, max_rows=2000)
    assert capped.details["n_slices"] == 50
    assert capped.details["n_rows"] == {"real": 2000, "synthetic": 2000, "holdout": 2000}
    assert capped.interval is not None


def test_many_levels_take_the_sparse_way_to_the_same_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    frames = [pd.DataFrame({name: rng.choice(12, 3000).astype(str) for name in "abc"}) for _ in range(2)]
    dense = scored(*frames)
    monkeypatch.setattr(rare_slices, "DENSE_CELLS", 1)
    sparse = scored(*frames)
    assert sparse.value == pytest.approx(dense.value)
    assert sparse.details == dense.details

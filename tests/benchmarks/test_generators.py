"""The benchmarks of the review: generators by all scores and gates, and our scores beside sdmetrics; tiny tables."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)


def small_frame(n_rows: int = 300) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=n_rows)
    return pd.DataFrame(
        {
            "x": x,
            "k": pd.array(rng.integers(100, size=n_rows), dtype="Int64"),
            "c": pd.array(np.where(rng.random(n_rows) < 0.1, None, np.where(x > 0, "up", "down")), dtype="string"),
            "y": pd.array(x + rng.normal(size=n_rows) > 0, dtype="boolean"),
        }
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    small_frame().to_parquet(folder / "small.parquet")
    return folder


# ----------------------------------------------------------------------------------------------------------- generators


def test_the_leaky_generator_copies_every_row_with_a_little_noise(data: Path) -> None:
    from benchmarks.generate import fit_leaky
    from benchmarks.tables import load_table

    table = load_table("small", data, target="y")
    sampler, _ = fit_leaky(table, 0, {"noise": 0.01, "exchanged": 0.1})
    rows = sampler(len(table.train))
    assert rows.dtypes.equals(table.train.dtypes)
    assert rows["k"].min() >= table.train["k"].min()
    moved = np.sort(rows["x"].to_numpy()) - np.sort(table.train["x"].to_numpy())
    assert 0 < np.abs(moved).max() < 0.1
    # By x most rows are found again, and with them their k; of unrelated rows 7% would be as near.
    nearest = np.abs(rows["x"].to_numpy()[:, None] - table.train["x"].to_numpy()).argmin(axis=1)
    assert len(set(nearest)) > 0.5 * len(table.train)
    same = rows["k"].to_numpy() - table.train["k"].to_numpy()[nearest]
    assert (np.abs(same.astype(float)) <= 3).mean() > 0.4
    assert len(sampler(700)) == 700


def test_the_leaky_generator_keeps_missing_and_constant_numbers() -> None:
    from benchmarks.generate import _moved

    rng = np.random.default_rng(0)
    column = pd.Series(pd.array([1, None, 5, 9], dtype="Int64"))
    moved = _moved(column, 0.5, rng)
    assert moved.dtype == column.dtype
    assert moved.isna().tolist() == [False, True, False, False]
    assert moved.between(1, 9).sum() == 3
    assert _moved(pd.Series([2.0, 2.0]), 0.5, rng).tolist() == [2.0, 2.0]
    empty = pd.Series([None, None], dtype="Float64")
    assert _moved(empty, 0.5, rng) is empty


def cell(generator: str, outcomes: dict[str, str] | None = None, **values: float | None) -> dict[str, Any]:
    """A cell with scores named as the real ones; ``outcomes`` by score."""
    directions = {"utility_auc": "higher", "dcr_share": "target"}
    groups = {"utility_auc": "utility", "membership_auc": "membership", "dcr_share": "copies"}
    scores = {
        name: {
            "label": name,
            "group": groups.get(name, "fidelity"),
            "value": value,
            "interval": None,
            "ideal": 0.5 if name == "dcr_share" else None,
            "reference": 1.0,
            "direction": directions.get(name, "lower"),
            "unit": "",
        }
        for name, value in values.items()
    }
    verdicts = [
        {"gate": {"name": f"gate on {score}", "score": score}, "outcome": outcome}
        for score, outcome in (outcomes or {}).items()
    ]
    return {
        "table": "small",
        "generator": generator,
        "seed": 0,
        "n_rows": {"real": 1000, "synthetic": 900},
        "scores": scores,
        "verdicts": {"outcome": "fail" if "fail" in (outcomes or {}).values() else "pass", "verdicts": verdicts},
        "evaluate_seconds": 12.3,
        "options": {},
    }


def test_orderings_follow_the_direction_of_each_score() -> None:
    from benchmarks.generators_report import checks

    cells = {
        "synthgan": [cell("synthgan", shape=1.0, utility_auc=0.9, dcr_share=0.48)],
        "private": [cell("private", shape=2.0, utility_auc=0.95, dcr_share=0.51)],
        "ctgan": [cell("ctgan", shape=None)],
        "leaky": [cell("leaky", dcr_share=0.8)],
    }
    found = {(check.what, check.expected): check for check in checks(cells)}
    assert found["shape", "synthgan better than private"].holds
    assert found["shape", "synthgan better than private"].found == "1.000 and 2.000"
    assert found["utility_auc", "synthgan better than private"].holds is False
    assert found["dcr_share", "synthgan better than leaky"].holds
    assert found["shape", "synthgan better than ctgan"].holds is None
    assert found["membership_auc", "synthgan better than leaky"].holds is None


def test_gates_that_must_fail_and_that_may_not() -> None:
    from benchmarks.generators_report import checks

    def held(generator: str, score: str, outcome: str) -> bool | None:
        cells = {generator: [cell(generator, {score: outcome}, **{score: 0.5})]}
        found = {check.expected: check.holds for check in checks(cells) if check.what == f"gates, {generator}"}
        return next(holds for expected, holds in found.items() if expected.startswith("a gate") or len(found) == 1)

    assert held("leaky", "membership_auc", "fail")
    assert held("leaky", "membership_auc", "inconclusive") is False
    assert held("leaky", "utility_auc", "fail") is False
    assert held("independent", "utility_auc", "fail")
    assert held("synthgan", "membership_auc", "pass")
    assert held("synthgan", "membership_auc", "fail") is False


def test_the_page_of_the_generators() -> None:
    from benchmarks.generators_report import markdown

    cells = [
        cell("synthgan", {"shape": "pass", "membership_auc": "inconclusive"}, shape=1.0, membership_auc=0.5),
        cell("leaky", {"shape": "pass", "membership_auc": "fail"}, shape=123.4, membership_auc=0.99),
    ]
    text = markdown({"cells": dict(enumerate(cells)), "skipped": {"small/ctgan": "no python"}})
    assert "| score | best | real rows | synthgan | leaky |" in text
    assert "| shape | lower | 1.000 | 1.000 | 123.4 |" in text
    assert "| gate on membership_auc | ? | **fail** |" in text
    assert "| **all** | pass | **fail** |" in text
    assert "| membership_auc | synthgan better than leaky | 0.500 and 0.990 | yes |" in text
    assert "What is known beforehand holds in 3 of 3 cases. Not measured, in whole or in part: alpha_precision" in text
    assert (
        "| gates, leaky | a gate on copies or disclosure or membership fails | gate on membership_auc | yes |" in text
    )
    assert "Rows: 1,000 real, 900 synthetic. Longest evaluation: 12 s." in text
    assert text.endswith("- small/ctgan: skipped, no python\n")


@pytest.mark.slow
def test_generators_are_measured_kept_and_resumed(data: Path, tmp_path: Path) -> None:
    output, page = tmp_path / "generators.json", tmp_path / "generators.md"
    command = [
        *(sys.executable, ROOT / "benchmarks" / "generators.py", "--data", data, "--tables", "small"),
        *("--target", "small=y", "--generators", "bootstrap", "leaky", "ctgan", "private", "--max-steps", "2"),
        *("--samples", tmp_path / "samples", "--output", output, "--markdown", page),
    ]
    first = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "small/leaky/0: running" in first
    assert "small/ctgan: skipped, no python" in first
    results = json.loads(output.read_text())
    assert list(results["cells"]) == ["small/private/0", "small/bootstrap/0", "small/leaky/0"]
    bootstrap = results["cells"]["small/bootstrap/0"]
    assert bootstrap["scores"]["exact_copies"]["value"] == 100.0
    assert bootstrap["verdicts"]["outcome"] == "fail"
    assert bootstrap["run"]["source"]
    assert results["cells"]["small/private/0"]["options"]["epsilon"] == 1.0
    assert "exact copies | " in page.read_text()
    second = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert second.count("already there") == 3
    again = subprocess.run([*command, "--again"], capture_output=True, text=True, check=True).stdout
    assert again.count("running") == 3
    assert len(list((tmp_path / "samples").glob("*.parquet"))) == 3


# ---------------------------------------------------------------------------------------------------------- calibration


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # scipy's exact p-value, which is not used
def test_our_scores_agree_with_sdmetrics_and_the_definitions(data: Path) -> None:
    pytest.importorskip("sdmetrics", reason="sdmetrics is not installed")
    from benchmarks.calibration import calibrate
    from benchmarks.calibration_report import MEASURES, agrees, markdown
    from benchmarks.generate import fit_independent
    from benchmarks.tables import load_table

    table = load_table("small", data, target="y")
    cell = calibrate(table, fit_independent(table, 0, {})[0](270), near_rows=30)
    measures = cell["measures"]
    assert list(measures) == list(MEASURES)
    for name, found in measures.items():
        assert agrees(name, found) or name == "dcr_share_sdmetrics", (name, found)
    assert (measures["shape"]["parts_compared"], measures["trend_own"]["parts_compared"]) == (4, 6)
    assert 0 < measures["strong_pairs"]["parts_compared"] < 6
    assert cell["n_near"] == {"real": 30, "synthetic": 30, "holdout": 30}
    text = markdown({"cells": {"a": cell | {"table": "small", "sample": "independent", "run": None}}})
    assert "| independent | Shape error % | " in text


def test_figures_apart_are_shown_as_such() -> None:
    from benchmarks.calibration_report import agrees, markdown

    assert agrees("shape", {"ours": 1.0, "theirs": 1.0005}) is True
    assert agrees("shape", {"ours": 1.0, "theirs": 1.1}) is False
    assert agrees("shape", {"ours": 1.0, "theirs": 1.0, "largest_difference": 0.1}) is False
    assert agrees("strong_pairs", {"ours": None, "theirs": None}) is None
    measures = {
        "shape": {"ours": 1.0, "theirs": 1.1, "largest_difference": 0.2},
        "strong_pairs": {"ours": None, "theirs": None},
        "beta_recall": {"ours": 0.5, "theirs": 0.5},
    }
    near = {"real": 2000, "synthetic": 2000, "holdout": 2000}
    cell = {"table": "t", "sample": "s", "measures": measures, "n_rows": {"train": 9000}, "n_near": near}
    text = markdown({"cells": {"t/s": cell}})
    assert "1 of 2 figures agree." in text
    assert "| s | Shape error % | 1.0000 | 1.1000 | 1.0e-01 | 2.0e-01 | **no** |" in text
    assert "| s | Strong-pair trend error % | undefined | undefined |  |  |  |" in text
    assert "| s | Beta-recall | 0.5000 | 0.5000 | 0.0e+00 |  | yes |" in text


@pytest.mark.slow
def test_calibration_is_kept_and_resumed(data: Path, tmp_path: Path) -> None:
    pytest.importorskip("sdmetrics", reason="sdmetrics is not installed")
    made = tmp_path / "made.parquet"
    small_frame(250).to_parquet(made)
    output, page = tmp_path / "calibration.json", tmp_path / "calibration.md"
    command = [
        *(sys.executable, ROOT / "benchmarks" / "calibration.py", "--data", data, "--tables", "small"),
        *("--target", "small=y", "--near-rows", "20", "--files", f"small={made}"),
        *("--output", output, "--markdown", page),
    ]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.count("running") == 3
    assert list(json.loads(output.read_text())["cells"]) == ["small/bootstrap", "small/independent", "small/made"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.count("already there") == 3
    assert "| made | Shape error % |" in page.read_text()
    assert str(tmp_path) not in output.read_text()

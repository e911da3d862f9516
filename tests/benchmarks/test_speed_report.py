"""The page of the speed benchmark, from figures computed by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)


GOOD = {"shape": 1.0, "trend_shared": 2.0, "strong_pairs": 3.0, "xgb_c2st": 0.7, "mle_auc": 0.9}


def ours(seconds: list[float], n_rows: int = 1000) -> dict[str, Any]:
    tasks = {name: {"n_rows": n_rows, "seconds": seconds} for name in ("encode", "draw", "decode", "sample_parquet")}
    return {
        "fit": {"n_rows": n_rows, "steps": 10, "seconds": 3.0, "training_seconds": 2.0, "peak_rss_mib": 400.0},
        "tasks": tasks,
        "bytes_per_cell": {"codes": 1.0, "positions": 0.33},
        "n_levels": 381,
        "kept_levels": 42,
        "peak_rss_mib": 500.0,
    }


def run_of(commit: str) -> dict[str, Any]:
    machine = {"cores": 2, "processor": "P"}
    return {"commit": commit, "uncommitted_changes": False, "date": "2026-01-02T00:00:00+00:00", "machine": machine}


@pytest.mark.parametrize(
    ("name", "worse"), [("shape", 1.1), ("strong_pairs", 3.1), ("xgb_c2st", 0.6), ("mle_auc", 0.8)]
)
def test_a_measure_is_unmet_when_it_is_worse_in_its_own_direction(name: str, worse: float) -> None:
    from benchmarks.speed_report import unmet

    assert unmet(GOOD, GOOD) == []
    assert unmet(GOOD | {name: worse}, GOOD) == [name]
    assert unmet(GOOD, GOOD | {name: worse}) == []


def test_the_page_gives_medians_ratios_and_the_first_budget_that_is_enough() -> None:
    from benchmarks.speed_report import markdown

    ctgan = {"sample_seconds_each": [2.0, 2.0], "decode_seconds": [1.0], "encode_seconds": [4.0], "peak_rss_mib": 900.0}
    cells = {
        "tasks/adult": {
            "n_rows": 1000,
            "n_columns": 15,
            "options": {"repeats": 3},
            "synthgan": [ours([0.5, 9.0, 0.4]), ours([0.5, 0.5, 0.6])],
            "ctgan": [ctgan],
        },
        "quality/adult/ctgan": {
            "epochs": 300,
            "fit_seconds": 600.0,
            "seconds_from": "the whole fit",
            "scores": GOOD,
            "run": run_of("a"),
        },
        "quality/adult/200": {
            "options": {"max_steps": 200},
            "fit_seconds": 20.0,
            "scores": GOOD,
            "run": run_of("a"),
        },
        "quality/adult/100": {"options": {"max_steps": 100}, "fit_seconds": 9.0, "scores": GOOD | {"shape": 1.5}},
        "rows/10000": ours([0.02], 10_000),
    }
    text = markdown({"skipped": {"quality": "why"}, "cells": cells})
    assert "| sample to Parquet | 2,000 | 500 | 4.0 |" in text
    assert "| decode (to Arrow) | 2,000 | 1,000 | 2.0 |" in text
    assert "| draw codes and positions | 2,000 |  |  |" in text
    assert "positions 0.33 more. Peak memory of the process: 500 MiB (ctgan: 900 MiB)." in text
    assert text.index("synthgan, 100 steps") < text.index("synthgan, 200 steps")
    assert "Reached with 200 steps, in 1/30 of ctgan's seconds." in text
    assert "not measured in one run" not in text
    assert "| 10,000 | 381 | 42 | 2.00 | 200.0 | 2.00 | 2.00 | 2.00 | 400 | 500 |" in text
    assert "Left out: quality, why." in text
    cells["quality/adult/200"]["run"] = run_of("b")
    assert "not measured in one run" in markdown({"cells": cells})
    del cells["quality/adult/200"]
    assert "No budget reached ctgan's figures" in markdown({"cells": cells})

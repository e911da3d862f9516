"""The benchmarks of conditions and of scale: hand-computed slices, and short runs of both scripts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from synthgan.datasets import load_adult

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT)


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"a": 2}, [False, True, False, False]),
        ({"a": (2, None)}, [False, True, True, False]),
        ({"a": (None, 2)}, [True, True, False, False]),
        ({"a": (2, 2), "b": "y"}, [False, True, False, False]),
        ({"a": None}, [False, False, False, True]),
        ({"a": [1, None]}, [True, False, False, True]),
        ({"b": ["x"]}, [True, False, False, True]),
        ({"b": None, "a": 3}, [False, False, True, False]),
        ({"t": ("2024-01-02", "2024-01-03")}, [False, True, True, False]),
        ({}, [True, True, True, True]),
    ],
    ids=str,
)
def test_the_benchmark_judges_conditions_by_itself(conditions: dict[str, Any], expected: list[bool]) -> None:
    from benchmarks.conditions import meets

    frame = pd.DataFrame(
        {
            "a": pd.array([1, 2, 3, None], dtype="Int64"),
            "b": pd.array(["x", "y", None, "x"], dtype="string"),
            "t": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03", None]),
        },
        index=[7, 5, 3, 1],
    )
    assert meets(frame, conditions).tolist() == expected


def test_every_condition_of_the_benchmark_is_met_by_real_rows(shared_data: Path) -> None:
    from benchmarks.conditions import CASES, meets
    from benchmarks.tables import load_table

    for name, cases in CASES.items():
        train = load_table(name, shared_data).train
        counts = {case: int(meets(train, conditions).sum()) for case, conditions in cases.items()}
        assert min(counts.values()) >= 25, counts
        assert max(count for case, count in counts.items() if case.startswith("rare")) < 300, counts


def test_the_benchmark_of_conditions_writes_figures_and_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import conditions

    folder, output, page = tmp_path / "data", tmp_path / "conditions.json", tmp_path / "conditions.md"
    folder.mkdir()
    for part in ("train", "test"):
        load_adult(part).to_parquet(folder / f"adult_{part}.parquet")
    monkeypatch.setattr(conditions, "SELECTED_FROM", 5000)
    monkeypatch.setattr(conditions, "MOST_REPEATS", 2)
    monkeypatch.setitem(
        conditions.CASES, "adult", {name: conditions.CASES["adult"][name] for name in ("two columns", "missing")}
    )
    command = ["conditions.py", "--data", str(folder), "--tables", "adult", "--max-steps", "3", "--output", str(output)]
    monkeypatch.setattr(sys, "argv", [*command, "--models", str(tmp_path / "models"), "--markdown", str(page)])
    conditions.main()
    results = json.loads(output.read_text())
    assert results["benchmark"] == "conditions"
    assert list(results["cells"]) == ["adult/two columns/0", "adult/missing/0"]
    cell = results["cells"]["adult/missing/0"]
    assert {"commit", "machine", "versions", "source"} <= cell["run"].keys()
    assert cell["settings"]["n_steps"] == 3
    assert (cell["satisfied"], cell["n_real_rows"], cell["n_steps"]) == (1.0, 1836, 3)
    assert cell["n_rows_drawn"] == 2 * 1836
    assert 0 < cell["effective_sample_size"] <= cell["n_rows_drawn"]
    scores = cell["scores"]
    assert scores.keys() == {"synthetic", "floor", "ignored", "selected"}
    assert scores["floor"]["shape"] < 3 < scores["synthetic"]["shape"]
    assert scores["floor"]["trend_shared"] < scores["ignored"]["trend_shared"]
    assert [path.suffix for path in (tmp_path / "models").iterdir()] == [".synthgan"]
    assert '| missing: `{"workclass": null}` | 1,836 | 100% |' in page.read_text()
    conditions.main()
    assert json.loads(output.read_text())["cells"] == results["cells"], "what is there is not measured again"


def test_the_benchmark_of_scale_measures_each_size(tmp_path: Path) -> None:
    output = tmp_path / "scale.json"
    command = [sys.executable, str(ROOT / "benchmarks" / "scale.py"), "--rows", "50000", "500000", "--max-steps", "5"]
    done = subprocess.run(
        [*command, "--folder", str(tmp_path), "--output", str(output)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(output.read_text())
    small, large = (results["cells"][size] for size in ("50000", "500000"))
    assert (small["fit"]["n_rows"], large["fit"]["n_rows"]) == (50_000, 500_000)
    assert results["within_limit"] is True
    for cell in (small, large):  # how the sizes compare is the benchmark's to tell: a busy machine makes it chance
        assert cell["fit"]["peak_rss_mib"] > 50
        codec, millions = cell["codec"], cell["fit"]["n_rows"] / 1e6
        assert codec["encode_seconds_per_million_rows"] == pytest.approx(codec["encode_seconds"] / millions)
    assert np.isclose(large["codec"]["code_table_mib"], 10 * small["codec"]["code_table_mib"], rtol=0.2)
    assert [path.name for path in tmp_path.iterdir()] == ["scale.json"], "the table is deleted afterwards"


CTGAN_DOUBLE = """
class Transformer:
    def transform(self, table):
        return table.copy()

    def inverse_transform(self, rows):
        return rows.reset_index(drop=True)


class CTGAN:
    def __init__(self, epochs):
        self._transformer = Transformer()

    def fit(self, table, discrete):
        self._table = table

    def sample(self, n_rows):
        return self._transformer.inverse_transform(self._table.sample(n_rows, replace=True, random_state=0))


TVAE = CTGAN
"""


@pytest.fixture
def peer_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A python whose ctgan resamples the rows it was given."""
    folder = tmp_path / "packages"
    (folder / "ctgan").mkdir(parents=True)
    (folder / "ctgan" / "__init__.py").write_text(CTGAN_DOUBLE)
    for name in ("ctgan", "rdt"):
        (folder / f"{name}-0.0.dist-info").mkdir()
        (folder / f"{name}-0.0.dist-info" / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.0\n"
        )
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return sys.executable


def run_speed(output: Path, *more: str) -> str:
    command = [sys.executable, str(ROOT / "benchmarks" / "speed.py"), "--quick", "--output", str(output), *more]
    done = subprocess.run(command, cwd=output.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_benchmark_of_speed_takes_turns_with_the_peer_and_resumes(tmp_path: Path, peer_environment: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=2000)
    data = tmp_path / "data"
    data.mkdir()
    pd.DataFrame({"x": x, "y": np.where(x > 0, "up", "down")}).to_parquet(data / "small.parquet")
    output, page = tmp_path / "speed.json", tmp_path / "speed.md"
    table = ["--data", str(data), "--table", "small", "--target", "y"]
    peer = ["--peer-python", peer_environment, "--markdown", str(page)]
    run_speed(output, *table, *peer, "--parts", "tasks", "quality")
    results = json.loads(output.read_text())
    assert list(results["cells"]) == ["tasks/small", "quality/small/ctgan", "quality/small/3"]
    tasks = results["cells"]["tasks/small"]
    assert (tasks["n_rows"], tasks["n_columns"]) == (1800, 2)
    (ours,), (theirs,) = tasks["synthgan"], tasks["ctgan"]
    assert {"encode", "decode", "draw", "forward", "sample_parquet", "sample_frame"} == ours["tasks"].keys()
    assert [len(theirs[name]) for name in ("encode_seconds", "decode_seconds", "sample_seconds_each")] == [1, 1, 1]
    quality = results["cells"]["quality/small/ctgan"]
    assert quality["seconds_from"] == "the whole fit"
    assert quality["scores"].keys() == {"shape", "trend_shared", "strong_pairs", "xgb_c2st", "mle_auc"}
    assert "| ctgan |" in page.read_text()
    again = run_speed(output, *table, *peer, "--parts", "quality")
    assert "quality/small/3: already there" in again
    assert json.loads(output.read_text())["cells"] == results["cells"]


def test_the_benchmark_of_speed_without_the_peer_says_what_it_leaves_out(tmp_path: Path) -> None:
    output = tmp_path / "speed.json"
    said = run_speed(output, "--parts", "quality", "rows", "columns", "levels", "--threads", "1")
    assert "ctgan: skipped" in said
    assert "quality: skipped" in said
    results = json.loads(output.read_text())
    assert results["skipped"].keys() == {"ctgan", "quality"}
    assert list(results["cells"]) == ["rows/2000", "columns/5", "levels/10"]
    for cell in results["cells"].values():
        assert min(cell["peak_rss_mib"], cell["fit"]["peak_rss_mib"]) > 50  # two readings: neither bounds the other
        assert cell["tasks"]["sample_parquet"]["n_rows"] == 2000
        assert cell["threads"] == cell["run"]["threads"] == 1
        assert cell["settings"]["n_steps"] == 3
        assert sum(cell["bytes_per_cell"].values()) <= 3
    assert results["cells"]["levels/10"]["kept_levels"] == 10

"""``synthgan demo``: the whole way on the bundled table, with training cut short."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import synthgan
from synthgan.datasets import load_adult


@pytest.mark.slow
def test_the_demo_leaves_model_rows_and_scores(cli, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    outcome = cli("demo", "--output", folder, "--max-steps", 20, "--device", "cpu")
    assert (outcome.code, outcome.err) == (0, "")
    assert sorted(path.name for path in folder.iterdir()) == [
        *("model.synthgan", "release", "scores.json", "synthetic.parquet")
    ]
    rows, train = pd.read_parquet(folder / "synthetic.parquet"), load_adult("train")
    assert rows.shape == train.shape
    assert list(rows.columns) == list(train.columns)
    assert round(synthgan.load(folder / "model.synthgan").n_rows_) == len(train)
    assert json.loads((folder / "scores.json").read_text(encoding="utf-8"))["n_rows"]["holdout"] == 16_281
    for text in ("Fidelity", "Utility", "guarantee: none", str(folder / "synthetic.parquet"), "Next: synthgan inspect"):
        assert text in outcome.out
    assert "\x1b" not in outcome.out


@pytest.mark.parametrize("name", ["model.synthgan", "synthetic.parquet", "scores.json"])
def test_results_of_an_earlier_run_are_kept(cli, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("precious")
    outcome = cli("demo", "--output", tmp_path)
    assert outcome.code == 6
    assert "--force" in outcome.err
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "precious"


def test_a_folder_that_is_no_bundle_is_kept(cli, tmp_path: Path) -> None:
    (tmp_path / "release").mkdir()
    (tmp_path / "release" / "thesis.txt").write_text("precious")
    for force in ([], ["--force"]):
        outcome = cli("demo", "--output", tmp_path, *force)
        assert outcome.code == 6
        assert "release" in outcome.err
    assert [path.name for path in tmp_path.rglob("*.*")] == ["thesis.txt"]


def test_a_file_is_no_folder(cli, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert cli("demo", "--output", tmp_path / "file").code == 6

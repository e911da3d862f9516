"""``synthgan evaluate`` end to end, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from synthgan.datasets import load_adult


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three disjoint parts of 400 rows of Adult as files."""
    frame = load_adult("train")
    folder = tmp_path_factory.mktemp("tables")
    paths = {}
    for number, name in enumerate(("real", "synthetic", "holdout")):
        paths[name] = folder / f"{name}.parquet"
        frame.iloc[number * 400 : (number + 1) * 400].to_parquet(paths[name])
    return paths


def test_scores_are_shown_and_more_is_suggested(cli, tables) -> None:
    outcome = cli("evaluate", tables["real"], tables["synthetic"])
    assert (outcome.code, outcome.err) == (0, "")
    for word in ("Fidelity", "Detection", "Compared 400 synthetic with 400 real rows"):
        assert word in outcome.out
    assert "Utility" not in outcome.out.split("Note:")[0]
    assert "--holdout FILE --target COLUMN" in outcome.out
    assert "\x1b" not in outcome.out


def test_target_and_holdout_add_scores_and_json_is_written(cli, tables, tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    words = [tables["real"], tables["synthetic"], "--holdout", tables["holdout"], "--target", "income", "--json", path]
    outcome = cli("evaluate", *words, "--seed", 3)
    assert outcome.code == 0, outcome.err
    assert "Utility" in outcome.out
    assert "Next:" not in outcome.out
    assert str(path) in outcome.out
    scores = json.loads(path.read_text(encoding="utf-8"))
    assert scores["n_rows"] == {"real": 400, "synthetic": 400, "holdout": 400}
    assert scores["settings"]["random_state"] == 3
    values = {score["name"]: score["value"] for score in scores["scores"]}
    assert len(values) > 5

    assert cli("evaluate", *words).code == 6, "an existing file is not overwritten"
    assert json.loads(path.read_text(encoding="utf-8")) == scores
    assert cli("evaluate", *words, "--seed", 3, "--force").code == 0
    again = json.loads(path.read_text(encoding="utf-8"))
    assert {score["name"]: score["value"] for score in again["scores"]} == values, "same seed, same scores"


def test_a_copy_is_noticed(cli, tables, tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    outcome = cli("evaluate", tables["real"], tables["real"], "--json", path)
    assert outcome.code == 0
    assert outcome.err.startswith("Warning: All 400 rows of the synthetic table are exact copies of real rows")
    assert len(outcome.err.splitlines()) == 1
    copies = [score for score in json.loads(path.read_text(encoding="utf-8"))["scores"] if score["group"] == "copies"]
    assert copies[0]["value"] == 100.0


def test_a_schema_says_what_columns_are(cli, tables, tmp_path: Path) -> None:
    schema, path = tmp_path / "schema.json", tmp_path / "scores.json"
    schema.write_text(json.dumps({"columns": {"education-num": "categorical", "fnlwgt": "identifier"}}))
    outcome = cli("evaluate", tables["real"], tables["synthetic"], "--schema", schema, "--json", path)
    assert outcome.code == 0, outcome.err
    assert "Column 'fnlwgt' takes no part: an identifier, as the schema has it." in outcome.out
    assert f"--schema {schema}" in outcome.out.splitlines()[-1]
    settings = json.loads(path.read_text(encoding="utf-8"))["settings"]
    assert "education-num" in settings["categorical"]
    assert "fnlwgt" not in settings["numeric"]


def test_csv_and_parquet_can_be_compared(cli, tables, tmp_path: Path) -> None:
    path = tmp_path / "synthetic.csv"
    pd.read_parquet(tables["synthetic"]).to_csv(path, index=False)
    assert cli("evaluate", tables["real"], path).code == 0


def test_refusals(cli, tables, tmp_path: Path) -> None:
    real, synthetic = tables["real"], tables["synthetic"]
    missing, narrow = tmp_path / "missing.parquet", tmp_path / "narrow.parquet"
    pd.read_parquet(synthetic).drop(columns="age").to_parquet(narrow)
    for words, code, says in (
        ([real, missing], 3, "missing.parquet"),
        ([real, narrow], 3, "age"),
        ([real, synthetic, "--schema", tmp_path / "schema.json"], 3, "does not exist"),
        ([real, synthetic, "--target", "incme"], 2, "'income'"),
        ([real, synthetic, "--holdout", missing], 3, "missing.parquet"),
        ([real, synthetic, "--json", tmp_path / "no" / "scores.json"], 6, "folder"),
        ([real], 2, "SYNTHETIC"),
    ):
        outcome = cli("evaluate", *words)
        assert outcome.code == code, (words, outcome.err)
        assert says in outcome.err
        assert outcome.out == ""


def test_the_policy_that_ships_is_there_by_name(cli, tables) -> None:
    """The training rows themselves must not pass, and fresh rows too few to tell must not fail for privacy."""
    copied = cli("evaluate", tables["real"], tables["real"], "--holdout", tables["holdout"], "--policy", "default")
    assert copied.code == 10
    assert "exact copies" in copied.out
    fresh = cli("evaluate", tables["real"], tables["synthetic"], "--holdout", tables["holdout"], "--policy", "default")
    assert fresh.code == 11

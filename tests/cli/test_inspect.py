"""``synthgan inspect``: the whole truth about a model file."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

import synthgan
from synthgan.cli.inspect import stored
from tests.altered_models import rewrite


def test_it_shows_every_column_and_the_guarantee(cli, adult: pd.DataFrame, model_file: Path) -> None:
    outcome = cli("inspect", model_file)
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    for name in adult.columns:
        assert sum(line.startswith(f"{name} ") for line in lines) == 1
    facts = {line.split()[0]: line for line in lines if line}
    assert facts["guarantee"].split()[1] == "none:"
    assert "fewer than 10 rows" in facts["protection"]
    assert "1,000 rows" in facts["counts"]
    assert "20 steps" in facts["training"]
    assert re.search(r"[\d.]+% of modes reached", facts["training"])
    assert synthgan.__version__ in facts["written"]
    assert lines[-1].startswith("Next: synthgan sample ")
    assert "\x1b" not in outcome.out


def test_a_model_without_protection_says_so(cli, table: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    assert cli("fit", table, "-o", model, "--no-protection", "--max-steps", "5", "--device", "cpu").code == 0
    assert "OFF" in cli("inspect", model).out


def test_json_goes_to_standard_output_alone(cli, adult: pd.DataFrame, model_file: Path) -> None:
    outcome = cli("inspect", model_file, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    shown = json.loads(outcome.out)
    assert shown["manifest"]["guarantee"] == "none"
    assert shown["n_rows"] == 1000
    assert shown["size_bytes"] == model_file.stat().st_size
    assert [column["column"] for column in shown["columns"]] == list(adult.columns)


def test_one_column_is_shown_with_its_values(cli, adult: pd.DataFrame, model_file: Path) -> None:
    outcome = cli("inspect", model_file, "--column", "workclass")
    assert outcome.code == 0
    shown = json.loads(outcome.out)
    assert shown["schema"]["kind"] == "categorical"
    counts = adult["workclass"].value_counts()
    (codec,) = shown["codec"]
    assert set(codec["values"]) == set(counts.index[counts >= 10])

    outcome = cli("inspect", model_file, "--column", "workclas")
    assert outcome.code == 2
    assert "'workclass'" in outcome.err


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"levels": 1, "buckets": 0, "missing": False, "merged": 0}, "1 value"),
        (
            {"levels": 1200, "buckets": 2, "missing": True, "merged": 31},
            "1,200 values, 2 buckets of rarer values, missing, 31 rarer merged and not stored",
        ),
        (
            {"levels": 3, "bins": 40, "knots": 200, "missing": False, "merged": 0, "lowest": "0", "highest": "99"},
            "3 values, 40 bins, 200 knots, from 0 to 99",
        ),
        (
            {"formats": 2, "patterns": ["AA-9", "A9"], "missing": False, "merged": 1},
            "2 formats (AA-9, A9), 1 rarer merged and not stored",
        ),
        ({"formats": 0, "patterns": [], "missing": False, "merged": 0}, "nothing"),
        ({"text": "empty"}, "nothing (empty)"),
    ],
)
def test_what_is_stored_in_words(facts: dict, text: str) -> None:
    assert stored(facts) == text


@pytest.mark.parametrize(
    ("member", "damage"),
    [
        ("schema.json", lambda content: content.replace(b'"categorical"', b'"categorial"', 1)),
        ("schema.json", lambda _: b"7"),
        ("schema.json", lambda content: content.replace(b'"arrow_type":"int64"', b'"arrow_type":"mars64"', 1)),
        ("codec.json", lambda _: b"{}"),
        ("codec.json", lambda _: b'{"columns":[[]]}'),
    ],
)
def test_a_model_whose_parts_make_no_sense_is_named(cli, model_file: Path, tmp_path: Path, member: str, damage) -> None:
    altered = rewrite(model_file, tmp_path / "altered.synthgan", {member: damage})
    for words in (("inspect", altered), ("sample", altered, "-n", 3, "-o", tmp_path / "rows.csv")):
        outcome = cli(*words)
        assert outcome.code == 5, outcome.err
        assert "altered.synthgan" in outcome.err
        assert len(outcome.err.splitlines()) == 1
    assert not (tmp_path / "rows.csv").exists()

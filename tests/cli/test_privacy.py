"""``synthgan fit --epsilon``, its holdout and receipt, and what ``synthgan inspect`` tells of a private model."""

from __future__ import annotations

import json
import re
import stat
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import synthgan
from synthgan.fitting.receipt import read_receipt, split
from synthgan.privacy.account.shared_file import LedgerFile

QUICK = ("--max-steps", "4", "--device", "cpu", "--seed", "1")


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small table with persons of two rows each."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("people") / "people.parquet"
    frame = pd.DataFrame(
        {
            "colour": rng.choice(["red", "blue"], 800),
            "age": rng.integers(0, 100, 800),
            "who": [f"person {i // 2}" for i in range(800)],
        }
    )
    frame.to_parquet(path)
    return path


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What everybody knows of the table."""
    path = tmp_path_factory.mktemp("schema") / "public.json"
    columns = {"colour": {"levels": ["red", "blue"]}, "age": {"bounds": [0, 99]}, "who": "identifier"}
    path.write_text(json.dumps({"columns": columns}))
    return path


def facts_of(text: str) -> dict[str, list[str]]:
    """The facts of a summary by their first word."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.strip():
            found.setdefault(line.split()[0], []).append(line)
    return found


def test_a_private_fit_from_option_to_inspect(cli, people: Path, declared: Path, tmp_path: Path) -> None:
    model, ledger = tmp_path / "model.synthgan", tmp_path / "fits.json"
    options = ["--epsilon", 4, "--delta", 1e-6, "--unit", "who", "--rows-per-unit", 2, "--neural", 0.5]
    outcome = cli(
        "fit", people, "-o", model, "--schema", declared, *options, "--ledger", ledger, "--target", "colour", *QUICK
    )
    assert outcome.code == 0, outcome.err
    facts = facts_of(outcome.out)
    assert "epsilon 4, delta 1e-06" in facts["guarantee"][0]
    assert "not counted" not in outcome.out
    assert "model.receipt.json (internal:" in re.sub(r"\s+", " ", outcome.out)
    assert LedgerFile(ledger).guarantee() == (4.0, 1e-6)
    assert {path.name for path in tmp_path.iterdir()} >= {"model.synthgan", "model.receipt.json", "fits.json"}
    assert read_receipt(tmp_path / "model.receipt.json", model=model).unit == "who"

    made = synthgan.load(model).ledger_
    assert made is not None
    assert {entry.door for entry in made.entries} == {1, 2, 3}

    outcome = cli("inspect", model)
    assert (outcome.code, outcome.err) == (0, "")
    text = re.sub(r"\s+", " ", outcome.out)
    assert "differential privacy, epsilon 4, delta 1e-06, for each person in 'who', of whom at most 2 rows" in text
    for door, mechanism in (
        ("column statistics", "discrete Gaussian"),
        ("marginals", "exponential mechanism"),
        ("neural critic", "DP-SGD"),
    ):
        assert re.search(rf"{door} +{mechanism} +[\d,]+ +[\d.]+%", outcome.out)
    shares = [float(share) for share in re.findall(r"([\d.]+)%$", outcome.out, flags=re.MULTILINE)]
    assert sum(shares) == pytest.approx(100 * made.spent / made.budget, abs=0.3)
    assert "rows (noisy) learned" in text
    assert text.count("not covered") == len(made.unprotected)
    assert re.sub(r"\s+", " ", made.unprotected[0]) in text

    outcome = cli("inspect", model, "--json")
    shown = json.loads(outcome.out)
    assert shown["manifest"]["guarantee"] == "differential privacy"
    assert shown["ledger"] == made.to_json()


def test_the_default_unit_is_a_row_and_other_fits_are_not_counted(
    cli, people: Path, declared: Path, tmp_path: Path
) -> None:
    outcome = cli("fit", people, "-o", tmp_path / "model", "--schema", declared, "--epsilon", 2, *QUICK)
    assert outcome.code == 0, outcome.err
    assert "epsilon 2, delta 1e-05; other fits on this table are not counted" in re.sub(r"\s+", " ", outcome.out)
    assert outcome.err == "", "what was released of the columns is no warning"
    assert facts_of(outcome.out)["columns"] == [
        "  columns    learned from noisy counts: 1 by known values, 1 by ranges of numbers or times, "
        "1 by missing cells only (`synthgan inspect` shows what the file holds)"
    ]
    assert "for each row" in cli("inspect", tmp_path / "model").out


def test_a_cap_is_kept_with_exit_code_8(cli, people: Path, declared: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "fits.json"
    LedgerFile.create(ledger, cap_epsilon=1)
    outcome = cli(
        "fit", people, "-o", tmp_path / "model", "--schema", declared, "--epsilon", 2, "--ledger", ledger, *QUICK
    )
    assert outcome.code == 8
    assert "above its cap of 1" in outcome.err
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (["--delta", "1e-6"], 2, "--delta goes with --epsilon"),
        (["--unit", "who"], 2, "--unit goes with --epsilon"),
        (["--rows-per-unit", "2"], 2, "--rows-per-unit goes with --epsilon"),
        (["--neural", "0.5"], 2, "--neural goes with --epsilon"),
        (["--ledger", "fits.json"], 2, "--ledger goes with --epsilon"),
        (["--epsilon", "0"], 2, "epsilon must be"),
        (["--epsilon", "nan"], 2, "epsilon must be"),
        (["--epsilon", "1", "--delta", "1"], 2, "delta must be"),
        (["--epsilon", "1", "--rows-per-unit", "2"], 2, "the unit is a row"),
        (["--epsilon", "1", "--neural", "1.5"], 2, "--neural"),
        (["--epsilon", "1", "--unit", "whom"], 3, "did you mean 'who'"),
        (["--epsilon", "1", "--target", "color"], 3, "did you mean 'colour'"),
        (["--epsilon", "1", "--early-stopping"], 8, "early stopping"),
        (["--epsilon", "1", "--no-protection"], 8, "--no-protection"),
        (["--holdout", "1"], 2, "--holdout"),
        (["--holdout", "-0.1"], 2, "--holdout"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_is_refused(
    cli, people: Path, tmp_path: Path, options: list[str], code: int, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = cli("fit", people, "-o", tmp_path / "model", *options, *QUICK)
    assert outcome.code == code, outcome.err
    assert text in re.sub(r"\s+", " ", outcome.err)
    assert outcome.out == ""
    assert not list(tmp_path.iterdir())


def test_an_inferred_schema_is_refused(cli, people: Path, tmp_path: Path) -> None:
    schema = tmp_path / "inferred.json"
    assert cli("schema", people, "-o", schema).code == 0
    outcome = cli("fit", people, "-o", tmp_path / "model", "--epsilon", 1, "--schema", schema, *QUICK)
    assert outcome.code == 3
    assert "declare them public" in outcome.err


def test_unsafe_guarantees_are_warned_of(cli, people: Path, declared: Path, tmp_path: Path) -> None:
    outcome = cli(
        "fit", people, "-o", tmp_path / "model", "--schema", declared, "--epsilon", 20, "--delta", 0.1, *QUICK
    )
    assert outcome.code == 0
    said = re.sub(r"\s+", " ", outcome.err)
    assert "epsilon 20 is above 10" in said
    assert "delta 0.1 is not below 1 divided by" in said
    assert len(outcome.err.splitlines()) == outcome.err.count("Warning: ") == 2


def test_a_holdout_without_privacy(cli, people: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.synthgan"
    outcome = cli("fit", people, "-o", model, "--holdout", 0.25, *QUICK)
    assert outcome.code == 0, outcome.err
    path = tmp_path / "model.receipt.json"
    text = re.sub(r"\s+", " ", outcome.out)
    assert f"{path} (internal: tells which rows were fitted; keep it with the table, never publish it)" in text
    training, holdout = split(people, path)
    assert 100 < holdout.n_rows < 300
    assert text.startswith(f"Learned {training.n_rows:,} rows")
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert text.endswith(f"Next: synthgan review {model} --data {people} -o release ")
    outcome = cli("fit", people, "-o", tmp_path / "other.synthgan", *QUICK)
    assert "receipt" not in outcome.out
    assert "noisy counts" not in outcome.out


def test_an_existing_receipt_is_refused_before_any_work(cli, tmp_path: Path) -> None:
    (tmp_path / "model.receipt.json").write_text("precious")
    outcome = cli("fit", tmp_path / "missing.parquet", "-o", tmp_path / "model.synthgan", "--holdout", 0.1, *QUICK)
    assert outcome.code == 6
    assert "--force" in outcome.err
    assert (tmp_path / "model.receipt.json").read_text() == "precious"


def test_a_private_fit_goes_on_from_its_checkpoint(cli, people: Path, declared: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / "fit.checkpoint"
    words = ["fit", people, "--schema", declared, "--epsilon", 2, "--checkpoint", checkpoint, *QUICK]
    assert cli(*words, "-o", tmp_path / "a.synthgan").code == 0
    assert {path.name for path in tmp_path.iterdir()} >= {"fit.checkpoint", "fit.checkpoint.journal"}
    outcome = cli(*words, "-o", tmp_path / "b.synthgan")
    assert outcome.code == 0, outcome.err
    assert (tmp_path / "a.synthgan").read_bytes() == (tmp_path / "b.synthgan").read_bytes()
    (tmp_path / "fit.checkpoint.journal").unlink()
    outcome = cli(*words, "-o", tmp_path / "c.synthgan")
    assert outcome.code == 8
    assert "nobody knows what was spent" in outcome.err

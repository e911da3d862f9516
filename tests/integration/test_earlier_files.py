"""Files that an earlier version wrote still do what they are for; tests/earlier_files/write.py made them."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

import synthgan
from synthgan import ModelFileError, Privacy, Synthesizer, TableSchema
from tests.earlier_files.table import EXACT, N_ROWS, PRIVATE, PRIVATE_SCHEMA, private, table
from tests.earlier_files.write import SLEPT

FILES = Path(__file__).resolve().parent.parent / "earlier_files"
COLUMNS = table().column_names


@dataclass(frozen=True)
class Outcome:
    """How a command line ended, and what it printed."""

    code: int
    printed: str


def command(*words: object) -> Outcome:
    """Run ``python -m synthgan`` in a process of its own: it takes over the streams of the one that it runs in."""
    line = [sys.executable, "-m", "synthgan", *map(str, words)]
    ended = subprocess.run(line, capture_output=True, text=True, encoding="utf-8", check=False)
    return Outcome(ended.returncode, ended.stdout + ended.stderr)


def copied(folder: Path, *names: str) -> Path:
    for name in names:
        shutil.copy(FILES / name, folder)
    return folder / names[0]


def content(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def weights(synthesizer: Synthesizer) -> torch.Tensor:
    return torch.cat([tensor.detach().flatten() for tensor in synthesizer.generator_.parameters()])


CODES = {"exact": r"P\d{6}", "private": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"}
"""How the models write an identifier: a private fit knows no format that nobody declared."""


def check_rows(rows: pd.DataFrame, n_rows: int, name: str) -> None:
    """What any model of the table must keep to, on every processor."""
    assert rows.shape == (n_rows, len(COLUMNS))
    assert list(rows.columns) == COLUMNS
    assert rows["code"].str.fullmatch(CODES[name]).all()
    assert rows["code"].is_unique
    assert set(rows["colour"].dropna()) <= {"red", "blue", "green"}
    assert rows["age"].dtype == "int64"
    assert rows["age"].between(0, 99).all()
    assert (rows["weight"] % 0.25 == 0).all()
    assert pd.api.types.is_datetime64_dtype(rows["seen"])
    assert rows["smokes"].dtype == bool
    assert rows["price"].str.fullmatch(r"(\d{1,3}\.)?\d{1,3},\d\d €").all()
    assert (rows["opened"] <= rows["closed"])[rows["closed"].notna()].all()
    assert rows["opened"].notna().all()


@pytest.mark.parametrize("name", ["exact", "private"])
def test_a_model_file_gives_rows(name: str) -> None:
    model = synthgan.load(FILES / f"{name}.synthgan")
    assert model.history_[-1]["step"] == EXACT["settings"].n_steps
    assert model.training_settings_.batch_size == EXACT["settings"].batch_size
    assert (model.ledger_ is None) == (name == "exact")
    check_rows(model.sample(300, random_state=1), 300, name)
    some = model.sample(50, conditions={"colour": "red", "age": (30, 50)}, random_state=1)
    assert set(some["colour"]) == {"red"}
    assert some["age"].between(30, 50).all()
    pd.testing.assert_frame_equal(model.sample(20, random_state=1), model.sample(20, random_state=1))


def test_a_model_file_gives_the_rows_that_it_gave(tmp_path: Path) -> None:
    """All but those that another processor rounds to the other side of a threshold."""
    before = content(FILES / "exact.rows.json")["sampled with seed 3"]
    synthgan.load(FILES / "exact.synthgan").sample_to(tmp_path / "rows.csv", len(before) - 1, random_state=3)
    now = (tmp_path / "rows.csv").read_text(encoding="utf-8").splitlines()
    assert now[0] == before[0]
    assert len(now) == len(before)
    assert sum(was == line for was, line in zip(before, now, strict=True)) > 0.9 * len(before)


def test_the_ledger_of_a_private_model_adds_up() -> None:
    ledger = synthgan.load(FILES / "private.synthgan").ledger_
    assert ledger.guarantee() == (4.0, 1e-5)
    assert 3.5 < ledger.spent_epsilon() <= 4.0
    assert {entry.door for entry in ledger.entries} == {1, 2, 3}
    assert {entry.state for entry in ledger.entries} == {"spent"}


def test_inspect_shows_a_model_file() -> None:
    shown = command("inspect", FILES / "private.synthgan")
    assert shown.code == 0, shown.printed
    assert "epsilon 4" in shown.printed
    assert all(name in shown.printed for name in COLUMNS)


def test_an_exact_fit_goes_on_to_the_result_that_it_had(tmp_path: Path) -> None:
    checkpoint = copied(tmp_path, "exact.checkpoint")
    with pytest.raises(ModelFileError, match="belongs to another fit"):
        Synthesizer(**EXACT).fit(table().slice(0, N_ROWS - 1), checkpoint=checkpoint)
    resumed = Synthesizer(**EXACT).fit(table(), checkpoint=checkpoint)
    finished = synthgan.load(FILES / "exact.synthgan")
    assert [record["step"] for record in resumed.history_] == [record["step"] for record in finished.history_]
    assert resumed.history_[-1]["step"] == EXACT["settings"].n_steps
    # The first steps took long when the checkpoint was made: they were not taken again.
    assert resumed.history_[0].pop("seconds") > SLEPT
    assert resumed.history_[0] == finished.history_[0]
    torch.testing.assert_close(weights(resumed), weights(finished), rtol=1e-2, atol=1e-3)
    check_rows(resumed.sample(100, random_state=1), 100, "exact")

    resumed.save(tmp_path / "model.synthgan")
    receipts = content(tmp_path / "model.receipt.json"), content(FILES / "exact.receipt.json")
    for name in ("key", "holdout", "unit", "content", "sides", "n_rows", "n_training", "n_holdout"):
        assert receipts[0][name] == receipts[1][name], name


def test_a_receipt_tells_the_rows_that_were_held_out() -> None:
    # The function's home may change, and is that of the receipt.
    home = importlib.import_module(_receipt_home())
    training, holdout = home.split(table(), FILES / "exact.receipt.json")
    assert list(holdout.to_frame()["code"]) == content(FILES / "exact.rows.json")["held out"]
    assert len(training.to_frame()) + len(holdout.to_frame()) == N_ROWS
    home.read_receipt(FILES / "private.receipt.json", model=FILES / "private.synthgan")
    with pytest.raises(ModelFileError, match="belongs to another model"):
        home.read_receipt(FILES / "private.receipt.json", model=FILES / "exact.synthgan")


def _receipt_home() -> str:
    shortest = {"settings": None, "max_steps": 1, "target": None, "effort": "quick"}
    frame = pd.DataFrame({"number": range(40)})
    return type(Synthesizer(**{**EXACT, "schema": None, **shortest}).fit(frame).receipt_).__module__


def test_a_private_fit_goes_on_and_is_paid_once(tmp_path: Path) -> None:
    checkpoint = copied(tmp_path, "private.checkpoint", "private.checkpoint.journal", "fits.json")
    before = content(tmp_path / "fits.json")
    assert [fit["state"] for fit in before["fits"]] == ["spent", "reserved"]
    lines = [json.loads(line) for line in (FILES / "private.checkpoint.journal").read_text().splitlines()]
    reserved = [line["reserve"] for line in lines if "reserve" in line]

    resumed = Synthesizer(privacy=private(tmp_path / "fits.json"), **PRIVATE).fit(table(), checkpoint=checkpoint)

    ledger, finished = resumed.ledger_, synthgan.load(FILES / "private.synthgan")
    assert [(e.id, e.door, e.what) for e in ledger.entries[: len(reserved)]] == [
        (each["id"], each["door"], each["what"]) for each in reserved
    ]
    assert len(ledger.entries) == len(finished.ledger_.entries) > len(reserved)
    assert {entry.state for entry in ledger.entries} == {"spent"}
    assert sum(entry.what == "number of rows" for entry in ledger.entries) == 1
    assert ledger.guarantee() == (4.0, 1e-5)
    assert ledger.spent_epsilon() <= 4.0
    assert resumed.history_[0] == finished.history_[0]
    assert resumed.history_[-1]["step"] == PRIVATE["settings"].n_steps
    assert resumed.n_rows_ == finished.n_rows_
    check_rows(resumed.sample(100, random_state=1), 100, "private")

    account = content(tmp_path / "fits.json")
    assert [fit["state"] for fit in account["fits"]] == ["spent", "spent"]
    assert [fit["id"] for fit in account["fits"]] == [fit["id"] for fit in before["fits"]]
    assert account["joint_guarantee"] == before["joint_guarantee"] == {"epsilon": 6.0, "delta": 2e-5}


def test_an_account_takes_another_fit(tmp_path: Path) -> None:
    account = copied(tmp_path, "fits.json")
    before = content(account)
    Synthesizer(privacy=Privacy(0.5, delta=1e-6, ledger=account), **PRIVATE).fit(table())
    after = content(account)
    assert after["fits"][:2] == before["fits"]
    assert [fit["state"] for fit in after["fits"]] == ["spent", "reserved", "spent"]
    assert after["joint_guarantee"] == {"epsilon": 6.5, "delta": pytest.approx(2.1e-5, rel=1e-12)}
    assert {**after, "fits": [], "joint_guarantee": {}} == {**before, "fits": [], "joint_guarantee": {}}


def test_schemas_say_what_they_said(tmp_path: Path) -> None:
    schema = synthgan.read_schema(FILES / "exact.schema.json")
    assert isinstance(schema, TableSchema)
    assert schema == synthgan.load(FILES / "exact.synthgan").schema_
    synthgan.write_schema(schema, tmp_path / "again.json")
    assert content(tmp_path / "again.json") == content(FILES / "exact.schema.json")
    assert content(FILES / "declared.schema.json") == PRIVATE_SCHEMA
    fitted = Synthesizer(**{**EXACT, "schema": FILES / "declared.schema.json", "max_steps": 1}).fit(table())
    private_schema = synthgan.load(FILES / "private.synthgan").schema_
    for column, declared in zip(fitted.schema_.columns, private_schema.columns, strict=True):
        assert (column.name, column.kind, column.bounds) == (declared.name, declared.kind, declared.bounds)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["exact", "private"])
def test_a_bundle_is_whole(name: str, tmp_path: Path) -> None:
    with ZipFile(FILES / f"{name}.bundle.zip") as archive:
        archive.extractall(tmp_path)
    verified = command("review", "--verify", tmp_path)
    written_with = content(tmp_path / "shareable" / "environment.json")
    here = {library: version(library) for library in ("jinja2", "matplotlib", "numpy")} | {
        "synthgan": synthgan.__version__
    }
    there = written_with["libraries"] | {"synthgan": written_with["synthgan"]}
    if {library: there[library] for library in here} == here:
        assert verified.code == 0, verified.printed
        assert "is whole: 10 files are as their manifests say" in verified.printed
    else:  # other versions may draw a report otherwise, and verification says so of whatever differs
        assert verified.code in (0, 5), verified.printed
        lines = [line for line in verified.printed.splitlines() if "is not what follows" in line]
        assert verified.code == 0 or lines
        assert all("other versions wrote it" in line for line in lines)

    review = tmp_path / "shareable" / "review.json"
    review.write_bytes(re.sub(rb'"n_rows": \d+', b'"n_rows": 7', review.read_bytes(), count=1))
    assert command("review", "--verify", tmp_path).code == 5


@pytest.mark.slow
def test_a_model_with_its_receipt_is_reviewed_by_the_policy(tmp_path: Path) -> None:
    model = copied(tmp_path, "exact.synthgan", "exact.receipt.json", "policy.toml")
    pq.write_table(table(), tmp_path / "table.parquet")
    options = ["--policy", tmp_path / "policy.toml", "--seed", 3, "--date", "2026-12-01", "--jobs", 1]
    reviewed = command("review", model, "--data", tmp_path / "table.parquet", "-o", tmp_path / "new", *options)
    assert reviewed.code in (10, 11), reviewed.printed
    with ZipFile(FILES / "exact.bundle.zip") as archive:
        archive.extractall(tmp_path / "old")
    old, new = (content(tmp_path / each / "internal" / "review.json") for each in ("old", "new"))
    assert [verdict["gate"] for verdict in old["gates"]["verdicts"]] == [
        verdict["gate"] for verdict in new["gates"]["verdicts"]
    ]
    assert old.keys() == new.keys()
    for number in ("n_training", "n_holdout"):
        assert old["real"][number] == new["real"][number]

    pq.write_table(table().slice(1), tmp_path / "other.parquet")
    refused = command("review", model, "--data", tmp_path / "other.parquet", "-o", tmp_path / "no", *options)
    assert refused.code == 3, refused.printed
    assert not (tmp_path / "no").exists()

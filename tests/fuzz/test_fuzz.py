"""Thousands of damaged files and odd words: each ends with a sentence and a documented exit code, never with 1.

``SYNTHGAN_FUZZ_CASES=10 SYNTHGAN_FUZZ_SEED=3`` tries ten times as many, others than usual.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import synthgan
from synthgan.fitting.receipt import read_receipt
from synthgan.model.archive import MANIFEST
from synthgan.privacy.account.shared_file import LedgerFile
from synthgan.review import write_bundle
from synthgan.review.bundle.manifest import write_manifest
from synthgan.review.policy_file import read_policy
from synthgan.synthesizer import Synthesizer
from synthgan.tables.conditions.predicates import parse_where
from synthgan.tables.inference import infer_schema
from synthgan.tables.sources.open import open_source
from tests.altered_models import rewrite
from tests.fuzz.cases import CANARY, CASES, SEED, Fuzzer
from tests.fuzz.mutations import Rng, damaged_bytes, damaged_json, damaged_text, pick
from tests.reviewed_models import ReviewedModel, install

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="alarms as POSIX has them")]

POLICY = Path(synthgan.__file__).parent / "review" / "default_policy.toml"


def seeds(target: int, n_cases: int) -> list[Rng]:
    return [np.random.default_rng([SEED, target, i]) for i in range(round(n_cases * CASES))]


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Every kind of column, with a value of its own that no message may show."""
    rng = np.random.default_rng(0)
    n_rows = 120
    names = np.array(["north", "south", "west"], dtype=object)[rng.integers(0, 3, n_rows)]
    names[7] = CANARY
    start = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, n_rows), unit="D")
    return pd.DataFrame(
        {
            "id": [f"{CANARY}-{i:04d}" for i in range(n_rows)],
            "region": names,
            "grade": pd.Categorical(rng.choice(["a", "b"], n_rows), categories=["a", "b", "c"], ordered=True),
            "age": rng.integers(18, 90, n_rows),
            "income": np.where(rng.random(n_rows) < 0.2, np.nan, rng.lognormal(8, 1, n_rows).round(2)),
            "start": start,
            "end": start + pd.to_timedelta(rng.integers(0, 90, n_rows), unit="D"),
            "seen": start.tz_localize("Europe/Berlin"),
            "flag": rng.random(n_rows) < 0.4,
            "note": [f"{CANARY} wrote this sentence number {i} about something" for i in range(n_rows)],
        }
    )


@pytest.fixture(scope="module")
def table(rows: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    rows.to_parquet(path)
    return path


@pytest.fixture(scope="module")
def model(table: Path) -> Path:
    """A model of ``table`` and, beside it, the receipt of the fit."""
    path = table.with_name("model.synthgan")
    synthesizer = Synthesizer(max_steps=3, random_state=0, device="cpu", progress="off", holdout=0.2, min_count=3)
    synthesizer.fit(table).save(path)
    return path


@pytest.fixture(scope="module")
def schema(table: Path) -> bytes:
    path = table.with_name("schema.json")
    synthgan.write_schema(infer_schema(open_source(table)), path)
    content = json.loads(path.read_bytes())
    content["constraints"] = [
        {"rule": "order", "low": "start", "high": "end"},
        {"rule": "combinations", "columns": ["region", "flag"]},
    ]
    return json.dumps(content).encode()


def test_schema_files(table: Path, schema: bytes, tmp_path: Path) -> None:
    fuzzer = Fuzzer("schema")
    path, model = tmp_path / "schema.json", tmp_path / "m.synthgan"
    for number, rng in enumerate(seeds(1, 900)):
        path.write_bytes(damaged_json(schema, rng))
        if fuzzer.command("schema", table, "--declared", path) == 0 and number % 2:
            few = ("--max-steps", 1, "--device", "cpu", "--force")
            private = ("--epsilon", 2) if number % 8 == 1 else ()
            if fuzzer.command("fit", table, "-o", model, "--schema", path, *private, *few) == 0:
                fuzzer.command("sample", model, "-n", 20, "-o", tmp_path / "rows.parquet", "--force")
    fuzzer.finish()


def test_csv_files(rows: pd.DataFrame, tmp_path: Path) -> None:
    fuzzer = Fuzzer("CSV")
    plain = rows.to_csv(index=False).encode()
    path = tmp_path / "rows.csv"
    for number, rng in enumerate(seeds(2, 800)):
        path.write_bytes(damaged_bytes(plain, rng) if number % 5 else damaged_bytes(plain[:400], rng))
        fuzzer.command("schema", path)
    fuzzer.finish()


def test_parquet_files(table: Path, rows: pd.DataFrame, tmp_path: Path) -> None:
    fuzzer = Fuzzer("Parquet")
    whole = table.read_bytes()
    arrow = pa.Table.from_pandas(rows)
    notes = arrow.schema.metadata[b"pandas"]
    path = tmp_path / "rows.parquet"
    for number, rng in enumerate(seeds(3, 800)):
        if number % 3 == 0:
            pq.write_table(arrow.replace_schema_metadata({b"pandas": damaged_json(notes, rng)}), path)
        else:
            tail = len(whole) - int.from_bytes(whole[-8:-4], "little") - 8
            path.write_bytes(
                whole[:tail] + damaged_bytes(whole[tail:], rng) if number % 3 == 1 else damaged_bytes(whole, rng)
            )
        fuzzer.command("schema", path)
    fuzzer.finish()


def _damage_members(rng: Rng, members: list[str]) -> dict[str, Callable[[bytes], bytes]]:
    name = pick(rng, members)

    def change(old: bytes) -> bytes:
        for _ in range(20):
            new = damaged_bytes(old, rng) if name.endswith(".safetensors") else damaged_json(old, rng)
            if new != old:
                return new
        return old + b" "

    return {name: change}


def test_model_files(model: Path, private_release: ReviewedModel, tmp_path: Path) -> None:
    fuzzer = Fuzzer("model")
    path, out = tmp_path / "m.synthgan", tmp_path / "rows.csv"
    members = ["schema.json", "codec.json", "codec.json", "codec.json", "history.json", MANIFEST, "model.safetensors"]
    for number, rng in enumerate(seeds(4, 1_600)):
        source = private_release.model if number % 4 == 0 else model
        if number % 5 == 0:
            path.write_bytes(damaged_bytes(source.read_bytes(), rng))
        else:
            rewrite(source, path, _damage_members(rng, [*members, *(["ledger.json"] * 3 if number % 4 == 0 else [])]))
        if number % 2:
            fuzzer.command("inspect", path)
        else:
            fuzzer.command("sample", path, "-n", 4, "-o", out, "--force")
    fuzzer.finish()


def test_conditions(model: Path, tmp_path: Path) -> None:
    fuzzer = Fuzzer("--where")
    schema = synthgan.load(model).schema_
    words = [
        *("region=north", "region=north|south", "age=20..40", "age=..40", "income=missing()", "flag=True"),
        *("start=2024-03-01..2024-04-01", "seen=2024-03-01T00:00:00+01:00..", "grade=a..b", "id=x", "note=missing()"),
    ]
    for number, rng in enumerate(seeds(5, 1_500)):
        asked = [damaged_text(pick(rng, words), rng) for _ in range(int(rng.integers(1, 3)))]
        if number % 10:
            fuzzer.call(lambda asked=asked: parse_where(asked, schema), f"--where {asked}")
        else:
            wheres = [word for text in asked for word in ("--where", text)]
            fuzzer.command("sample", model, "-n", 2, "-o", tmp_path / "rows.csv", "--force", *wheres)
    fuzzer.finish()


def test_policy_files(model: Path, tmp_path: Path) -> None:
    fuzzer = Fuzzer("policy")
    path = tmp_path / "policy.toml"
    whole = POLICY.read_bytes()
    for number, rng in enumerate(seeds(6, 600)):
        path.write_bytes(damaged_bytes(whole, rng))
        if number % 10:
            fuzzer.call(lambda: read_policy(path), f"policy {number}")
        else:
            fuzzer.command("review", tmp_path / "none", "--data", "none", "-o", tmp_path / "out", "--policy", path)
    fuzzer.finish()


def test_ledger_files(table: Path, tmp_path: Path) -> None:
    fuzzer = Fuzzer("ledger")
    path = tmp_path / "ledger.json"
    ledger = LedgerFile.create(path, table="people", cap_epsilon=50.0)
    ledger.settle(ledger.reserve(1.0, 1e-6, what="a first fit"))
    ledger.reserve(0.5, 1e-7)
    whole = path.read_bytes()
    for number, rng in enumerate(seeds(7, 400)):
        path.write_bytes(damaged_json(whole, rng))
        fuzzer.call(lambda: LedgerFile(path).reserve(1.0, 1e-6), f"ledger {number}")
        if number % 40 == 0:
            path.write_bytes(b"[" + damaged_json(whole, rng))
            fuzzer.command("fit", table, "-o", tmp_path / "m", "--epsilon", 1, "--ledger", path, "--device", "cpu")
    fuzzer.finish()


def test_receipts(model: Path, tmp_path: Path) -> None:
    fuzzer = Fuzzer("receipt")
    path = tmp_path / "model.receipt.json"
    whole = model.with_name("model.receipt.json").read_bytes()
    for number, rng in enumerate(seeds(8, 400)):
        path.write_bytes(damaged_json(whole, rng))
        fuzzer.call(lambda: read_receipt(path), f"receipt {number}: {path.read_bytes()[:300]!r}")
    fuzzer.finish()


def test_checkpoints(table: Path, tmp_path: Path) -> None:
    fuzzer = Fuzzer("checkpoint")
    checkpoint = tmp_path / "whole.checkpoint"
    Synthesizer(max_steps=2, random_state=0, device="cpu", progress="off").fit(table, checkpoint=checkpoint)
    whole = checkpoint.read_bytes()
    size = 8 + int.from_bytes(whole[:8], "little")
    path = tmp_path / "fit.checkpoint"
    words = ("fit", table, "-o", tmp_path / "m.synthgan", "--force", "--max-steps", 2, "--device", "cpu", "--seed", 0)
    for number, rng in enumerate(seeds(9, 80)):
        head = damaged_bytes(whole[:size], rng) if number % 2 else whole[:8] + damaged_bytes(whole[8:size], rng)
        path.write_bytes(head + whole[size:] if number % 4 else damaged_bytes(whole, rng))
        fuzzer.command(*words, "--checkpoint", path)
    fuzzer.finish()


@pytest.fixture(scope="module")
def bundle(private_release: ReviewedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle") / "release"
    with pytest.MonkeyPatch.context() as patch:
        install(patch, page=False)  # verification writes the report again, with what is there by then
        write_bundle(private_release.model, private_release.data, folder, random_state=1)
    return folder


def test_review_bundles(bundle: Path, tmp_path: Path) -> None:
    fuzzer = Fuzzer("bundle")
    assert fuzzer.command("review", "--verify", bundle) == 0
    files = sorted(path.relative_to(bundle) for path in bundle.rglob("*") if path.is_file())
    for number, rng in enumerate(seeds(10, 500)):
        copy = tmp_path / "release"
        shutil.copytree(bundle, copy)
        path = copy / pick(rng, files)
        damage = damaged_json if path.suffix == ".json" and rng.random() < 0.8 else damaged_bytes
        path.write_bytes(damage(path.read_bytes(), rng))
        if number % 2 and path.name != "MANIFEST.json":  # by somebody who knows the format
            (path.parent / "MANIFEST.json").unlink()
            write_manifest(path.parent, path.parent.name)
        fuzzer.command("review", "--verify", copy if number % 3 else copy / "shareable")
        shutil.rmtree(copy)
    fuzzer.finish()


def test_words_of_the_command_line(table: Path, model: Path, tmp_path: Path) -> None:
    fuzzer = Fuzzer("words")
    lines = [
        ["schema", str(table), "--target", "region"],
        ["inspect", str(model), "--column", "age"],
        ["sample", str(model), "-n", "3", "-o", str(tmp_path / "rows.csv"), "--force", "--seed", "1"],
        ["schema", str(table), "--declared", str(tmp_path / "none.json")],
    ]
    for rng in seeds(11, 400):
        words = list(pick(rng, lines))
        place = int(rng.integers(len(words)))
        words[place] = damaged_text(words[place], rng)
        if "-n" in words and words[place - 1] == "-n" and words[place].strip().isdigit():
            words[place] = words[place].strip()[:3]  # not to draw millions of rows
        if not any(word.startswith("-o") and word != "-o" for word in words) and words[place - 1] != "-o":
            fuzzer.command(*words)
    fuzzer.finish()


def test_a_few_as_processes(table: Path, model: Path, schema: bytes, tmp_path: Path) -> None:
    """What only a process shows: nothing beside the sentence, from no library either."""
    rng = np.random.default_rng([SEED, 12])
    (tmp_path / "schema.json").write_bytes(schema.replace(b'"order"', b'["order"]'))
    (tmp_path / "m.synthgan").write_bytes(damaged_bytes(model.read_bytes(), rng))
    (tmp_path / "rows.parquet").write_bytes(table.read_bytes()[:-9])
    (tmp_path / "rows.csv").write_bytes("größe,b\n1,2\n".encode("latin-1"))
    for code, words in (
        (3, ["schema", table, "--declared", tmp_path / "schema.json"]),
        (5, ["inspect", tmp_path / "m.synthgan"]),
        (3, ["schema", tmp_path / "rows.parquet"]),
        (3, ["schema", tmp_path / "rows.csv"]),
        (2, ["sample", model, "-n", "2", "-o", tmp_path / "o.csv", "--where", b"region=\xff"]),
    ):
        shown = subprocess.run([sys.executable, "-m", "synthgan", *words], capture_output=True, check=False)
        assert (shown.returncode, shown.stdout) == (code, b""), shown.stderr
        assert shown.stderr.startswith(b"Error: ") or code == 2
        assert len(shown.stderr.splitlines()) == 1 or code == 2

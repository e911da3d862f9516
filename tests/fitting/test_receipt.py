"""Receipts: what the owner keeps of a fit, and what never leaves with the model."""

from __future__ import annotations

import copy
import dataclasses
import io
import json
import pickle
import re
import stat
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import torch

import synthgan
from synthgan import DataError, ModelFileError, OutputError, Privacy, SettingsError, Synthesizer
from synthgan.config import GeneratorSettings, TrainingSettings
from synthgan.fitting import receipt as module
from synthgan.fitting.exact import exact_doors
from synthgan.fitting.receipt import STAYED, read_receipt, receipt_path, split
from synthgan.tables.inference import infer_schema
from tests.stand_in_mechanisms import ScriptedMechanisms

SMALL = TrainingSettings(
    n_steps=4, batch_size=16, adversarial_weight=0.0, generator=GeneratorSettings(width=8, n_blocks=1, latent_dim=4)
)
DECLARED = {"columns": {"colour": {"levels": ["red", "blue"]}, "age": {"bounds": [0, 99]}}}
N_ROWS = 7919  # nothing else in a model file is likely to be this number


def people(n_rows: int = 600) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "colour": rng.choice(["red", "blue"], n_rows),
            "age": rng.integers(0, 100, n_rows),
            "who": [f"person {i // 3}" for i in range(n_rows)],
        }
    )


def fit(frame: Any, **options: Any) -> Synthesizer:
    options = {"settings": SMALL, "device": "cpu", "random_state": 0, "progress": "off", **options}
    return Synthesizer(**options).fit(frame)


def test_the_receipt_tells_the_rows_again(tmp_path: Path) -> None:
    frame = people()
    frame.to_parquet(tmp_path / "people.parquet")
    made = fit(frame, holdout=0.25)
    path = made.save(tmp_path / "model.synthgan")
    receipt = read_receipt(tmp_path / "model.receipt.json", model=path)
    assert receipt == made.receipt_
    assert (receipt.n_rows, receipt.holdout, receipt.unit) == (600, 0.25, "row")
    assert receipt.n_training == made.n_rows_
    assert 100 < receipt.n_holdout < 200
    for data in (frame, tmp_path / "people.parquet"):
        training, holdout = (side.to_frame() for side in split(data, tmp_path / "model.receipt.json"))
        assert (len(training), len(holdout)) == (receipt.n_training, receipt.n_holdout)
        both = pd.concat([training, holdout]).sort_values(list(frame.columns), ignore_index=True)
        pd.testing.assert_frame_equal(both, frame.sort_values(list(frame.columns), ignore_index=True))


def test_an_exact_fit_sees_training_rows_only(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def infer(rows: Any, **options: Any) -> Any:
        seen.append(rows.to_frame())
        return infer_schema(rows, **options)

    def doors(table: Any, *arguments: Any, **options: Any) -> Any:
        seen.append(table.n_rows)
        return exact_doors(table, *arguments, **options)

    monkeypatch.setattr("synthgan.fitting.exact.infer_schema", infer)
    monkeypatch.setattr("synthgan.fitting.exact.exact_doors", doors)
    frame = people()
    made = fit(frame, holdout=0.5)
    training = split(frame, made.receipt_)[0].to_frame()
    pd.testing.assert_frame_equal(seen[0], training)
    assert made.codec_.n_rows == seen[1] == len(training) < 400
    counts = made.codec_.layout.marginal[:2] * len(training)
    assert sorted(counts.round()) == sorted(training["colour"].value_counts())


def test_persons_are_held_out_with_all_rows(tmp_path: Path) -> None:
    frame = people()
    privacy = Privacy(50.0, unit="who", rows_per_unit=2)  # little noise
    made = fit(frame, holdout=0.3, privacy=privacy, schema=DECLARED)
    made.save(tmp_path / "model")
    assert receipt_path(tmp_path / "model") == tmp_path / "model.receipt.json"
    training, holdout = (side.to_frame() for side in split(frame, tmp_path / "model.receipt.json"))
    assert not set(training["who"]) & set(holdout["who"])
    assert holdout["who"].value_counts().eq(3).all()
    assert read_receipt(tmp_path / "model.receipt.json").unit == "who"
    # Two rows of each person's three are used.
    assert made.n_rows_ == pytest.approx(len(training) * 2 / 3, abs=40)


def test_each_fit_draws_another_holdout() -> None:
    """`random_state` does not decide who is held out: who knows it would know the rows."""
    frame = people()
    one, other = (fit(frame, holdout=0.2).receipt_ for _ in range(2))
    assert one.key != other.key
    assert one.content != other.content


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_the_receipt_is_its_owners_alone(tmp_path: Path) -> None:
    made = fit(people(), privacy=Privacy(4.0), schema=DECLARED)
    path = receipt_path(made.save(tmp_path / "model.synthgan"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    with pytest.raises(OutputError, match="exists"):
        made.save(tmp_path / "other.synthgan") and made.save(tmp_path / "model.synthgan")
    made.save(tmp_path / "model.synthgan", force=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "never with the model" in json.loads(path.read_text())["note"]


def test_an_existing_receipt_is_not_lost(tmp_path: Path) -> None:
    (tmp_path / "model.receipt.json").write_text("precious")
    with pytest.raises(OutputError):
        fit(people(), holdout=0.1).save(tmp_path / "model.synthgan")
    assert [path.name for path in tmp_path.iterdir()] == ["model.receipt.json"]


def test_fits_without_privacy_or_holdout_have_none(tmp_path: Path) -> None:
    made = fit(people())
    assert made.receipt_ is None
    made.save(tmp_path / "model.synthgan")
    assert [path.name for path in tmp_path.iterdir()] == ["model.synthgan"]
    with pytest.raises(ModelFileError, match="there is no receipt"):
        split(people(), tmp_path / "model.receipt.json")


def test_a_private_model_file_holds_nothing_of_its_receipt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "synthgan.fitting.private.Mechanisms", ScriptedMechanisms
    )  # noisy counts that meet none by chance
    # Half of the rows: numbers near a fifth of them stand in the file as years of papers.
    frame = people(N_ROWS).drop(columns="who")
    made = fit(frame, privacy=Privacy(1.0), schema=DECLARED, holdout=0.5, target="colour")
    path = made.save(tmp_path / "model.synthgan")
    receipt = made.receipt_
    assert receipt.n_rows == N_ROWS
    numbers = (str(n) for n in (N_ROWS, receipt.n_training, receipt.n_holdout))
    secret = [receipt.key.hex(), receipt.content, *(rf'(?<!"size": )(?<![\w.]){n}(?![\w.])' for n in numbers)]
    with zipfile.ZipFile(path) as file:
        members = {name: file.read(name) for name in file.namelist()}
    text = "\n".join(content.decode() for name, content in members.items() if name.endswith(".json"))
    assert not [found for found in secret if re.search(found, text)]
    assert receipt.key not in path.read_bytes()
    assert bytes.fromhex(receipt.content) not in path.read_bytes()

    # And with the same released answers, another holdout of another table makes the same file.
    other = fit(frame.head(50), privacy=Privacy(1.0), schema=DECLARED, holdout=0.5, target="colour")
    assert other.save(tmp_path / "other.synthgan").read_bytes() == path.read_bytes()
    assert synthgan.load(path).receipt_ is None


def copied(made: Synthesizer) -> list[Synthesizer]:
    in_file = io.BytesIO()
    joblib.dump(made, in_file)
    in_file.seek(0)
    dumped = [pickle.loads(pickle.dumps(made, protocol)) for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)]
    return [*dumped, joblib.load(in_file), copy.copy(made), copy.deepcopy(made)]


@pytest.mark.parametrize("privacy", [Privacy(1.0), None])
def test_copies_and_pickles_leave_the_receipt_behind(
    privacy: Privacy | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "synthgan.fitting.private.Mechanisms", ScriptedMechanisms
    )  # noisy counts that meet none by chance
    made = fit(people(N_ROWS).drop(columns="who"), privacy=privacy, schema=DECLARED, holdout=0.5)
    receipt, notices = made.receipt_, made.notices_
    exact = {receipt.n_holdout} | ({N_ROWS, receipt.n_training} if privacy else set())
    for each in copied(made):
        assert each.receipt_ is None
        assert each.notices_ == (*notices, STAYED)
        content = pickle.dumps(each)
        assert receipt.key not in content
        assert receipt.content.encode() not in content
        assert not exact & set(numbers_in(vars(each)))
        assert len(each.sample(3)) == 3
        assert copy.copy(each).notices_ == each.notices_, "said once"
    assert made.receipt_ is receipt
    assert made.notices_ is notices
    assert not re.search(rf"{N_ROWS}|{receipt.content}|{re.escape(repr(receipt.key))}", f"{made!r} {receipt!r}")
    copied(made)[0].save(tmp_path / "copy.synthgan")
    assert [path.name for path in tmp_path.iterdir()] == ["copy.synthgan"]


def test_a_pickle_of_an_earlier_version_loses_its_receipt() -> None:
    made = fit(people(60), holdout=0.5)
    old = Synthesizer.__new__(Synthesizer)
    old.__setstate__(dict(vars(made)))
    assert old.receipt_ is None
    assert old.n_rows_ == made.n_rows_
    assert "receipt_" not in vars(copy.copy(Synthesizer()))


def numbers_in(value: Any, depth: int = 0) -> Iterator[int]:
    """Every whole number that an object holds, whatever it is nested in."""
    if isinstance(value, int) and not isinstance(value, bool):
        yield value
    elif isinstance(value, Mapping):
        yield from (number for each in value.values() for number in numbers_in(each, depth + 1))
    elif isinstance(value, list | tuple | set | frozenset):
        yield from (number for each in value for number in numbers_in(each, depth + 1))
    elif depth < 12 and not isinstance(value, str | bytes | np.ndarray | torch.Tensor):
        slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
        held = {name: getattr(value, name, None) for name in slots} | getattr(value, "__dict__", {})
        yield from numbers_in(held, depth + 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.head(599),
        lambda frame: frame.iloc[::-1],
        lambda frame: frame.assign(age=frame["age"].where(frame.index != 300, 5000)),
        lambda frame: frame.rename(columns={"age": "years"}),
        lambda frame: frame.drop(columns="who"),
        lambda frame: frame.head(0),
    ],
    ids=["a row less", "reversed", "a cell", "a name", "a column less", "no row"],
)
@pytest.mark.parametrize("unit", ["row", "who"])
def test_another_table_is_refused(change: Any, unit: str) -> None:
    frame = people()
    receipt = fit(frame, holdout=0.1, privacy=Privacy(4.0, unit=unit), schema=DECLARED).receipt_
    split(frame, receipt)
    with pytest.raises(DataError, match="is not the table of this receipt"):
        split(change(frame), receipt)


@pytest.mark.parametrize(
    "damage",
    [
        lambda values: values | {"version": 3},
        lambda values: values | {"version": 1},
        lambda values: values | {"sides": None},
        lambda values: {k: v for k, v in values.items() if k != "seal"},
        lambda values: values | {"format": "synthgan-ledger"},
        lambda values: values | {"key": values["key"][:-2]},
        lambda values: values | {"key": 7},
        lambda values: values | {"n_holdout": values["n_holdout"] + 1},
        lambda values: values | {"holdout": 1.5},
        lambda values: values | {"more": 1},
        lambda values: {k: v for k, v in values.items() if k != "content"},
        lambda values: [values],
    ],
)
def test_damaged_receipts_are_refused(damage: Any, tmp_path: Path) -> None:
    path = receipt_path(fit(people(60), holdout=0.1).save(tmp_path / "model.synthgan"))
    path.write_text(json.dumps(damage(json.loads(path.read_text()))))
    with pytest.raises(ModelFileError, match="no whole receipt"):
        read_receipt(path)
    path.write_text("{")
    with pytest.raises(ModelFileError, match="no whole receipt"):
        read_receipt(path)


EDITS: dict[str, dict[str, Any]] = {
    "more held out": {"holdout": 0.9},
    "a little more held out": {"holdout": 0.2001},
    "nothing held out": {"holdout": 0.0},
    "another unit": {"unit": "who"},
    "another unit with few values": {"unit": "colour"},
    "a unit that is no column": {"unit": "person"},
    "other numbers": {"n_training": 1, "n_holdout": 599},
    "another number of rows": {"n_rows": 601, "n_training": 601, "n_holdout": 0},
    "other sides": {"sides": "00" * 32},
}


def by_hand(path: Path, changed: dict[str, Any], *, sealed: bool = False, version: int = 2) -> None:
    """Edit a receipt; a forger who knows the code seals it again."""
    content = json.loads(path.read_text()) | changed | {"version": version}
    seal = content.pop("seal", None)
    if version == 1:
        content.pop("sides", None)
    else:
        content["seal"] = module._seal(content, bytes.fromhex(content["key"])) if sealed else seal
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("name", EDITS)
@pytest.mark.parametrize("privacy", [None, Privacy(4.0)])
def test_an_edited_receipt_is_refused(name: str, privacy: Privacy | None, tmp_path: Path) -> None:
    frame = people()
    path = receipt_path(fit(frame, holdout=0.2, privacy=privacy, schema=DECLARED).save(tmp_path / "model.synthgan"))
    original = path.read_bytes()
    by_hand(path, EDITS[name])
    for read in (read_receipt, lambda file: split(frame, file)):
        with pytest.raises(ModelFileError, match="was edited: its seal is broken"):
            read(path)
    path.write_bytes(original)
    by_hand(path, EDITS[name], sealed=True)
    for receipt in (path, dataclasses.replace(read_receipt(path))):
        with pytest.raises(ModelFileError, match=r"does not belong to the fit of .* or was edited") as caught:
            split(frame, receipt)
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("change", [{"key": "00" * 16}, {"content": "00" * 32}], ids=str)
def test_with_another_key_the_table_is_another(change: dict[str, Any], tmp_path: Path) -> None:
    path = receipt_path(fit(people(), holdout=0.2).save(tmp_path / "model.synthgan"))
    by_hand(path, change, sealed=True)
    with pytest.raises(DataError, match="is not the table of this receipt"):
        split(people(), path)


def test_a_receipt_moved_to_another_model_is_told(tmp_path: Path) -> None:
    first, second = (fit(people(), holdout=0.2).save(tmp_path / f"{i}.synthgan") for i in range(2))
    digest = json.loads(receipt_path(second).read_text())["model_sha256"]
    by_hand(receipt_path(first), {"model_sha256": digest})
    with pytest.raises(ModelFileError, match="was edited"):
        read_receipt(receipt_path(first), model=second)


@pytest.mark.parametrize("unit", ["row", "who"])
def test_receipts_of_version_1_still_serve(unit: str, tmp_path: Path) -> None:
    """They state numbers only: what divides the rows otherwise is told where the numbers differ."""
    frame, privacy = people(), Privacy(4.0, unit=unit)
    path = receipt_path(fit(frame, holdout=0.2, privacy=privacy, schema=DECLARED).save(tmp_path / "model.synthgan"))
    new = split(frame, path)
    by_hand(path, {}, version=1)
    for old, side in zip(split(frame, path), new, strict=True):
        pd.testing.assert_frame_equal(old.to_frame(), side.to_frame())
    by_hand(path, {"holdout": 0.9}, version=1)
    with pytest.raises(ModelFileError, match="was edited"):
        split(frame, path)


def test_the_receipt_of_another_model_is_told(tmp_path: Path) -> None:
    first, second = (fit(people(60 + i), holdout=0.1).save(tmp_path / f"{i}.synthgan") for i in range(2))
    read_receipt(receipt_path(first), model=first)
    with pytest.raises(ModelFileError, match="belongs to another model"):
        read_receipt(receipt_path(first), model=second)


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan"), True, "half"])
def test_shares_that_cannot_be(share: Any) -> None:
    with pytest.raises(SettingsError, match=r"holdout must be a share of the rows in \[0, 1\)"):
        fit(people(20), holdout=share)


def test_too_few_training_rows_are_refused_in_an_exact_fit() -> None:
    with pytest.raises(DataError, match="at least 2 are needed"):
        fit(people(3), holdout=0.999999)


def test_a_resumed_fit_keeps_its_holdout(tmp_path: Path) -> None:
    frame, checkpoint = people(), tmp_path / "fit.checkpoint"
    whole = Synthesizer(settings=SMALL, holdout=0.3, device="cpu", random_state=0, progress="off")
    whole.fit(frame, checkpoint=checkpoint)
    again = Synthesizer(settings=SMALL, holdout=0.3, device="cpu", random_state=0, progress="off")
    again.fit(frame, checkpoint=checkpoint)
    assert again.receipt_ == whole.receipt_
    assert again.history_ == whole.history_
    with pytest.raises(ModelFileError, match="belongs to another fit"):
        Synthesizer(settings=SMALL, holdout=0.2, device="cpu", random_state=0, progress="off").fit(
            frame, checkpoint=checkpoint
        )

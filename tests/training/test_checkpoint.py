"""Checkpoints: an interrupted fit goes on to the same result, and nothing else is taken for its checkpoint."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from synthgan import ModelFileError, OutputError, Synthesizer
from synthgan.training.checkpoint import Checkpoint
from synthgan.training.loop import Trainer
from tests.orders_table import TINY, orders

Interrupt = Callable[..., None]


def tiny(**parameters: Any) -> Synthesizer:
    given: dict[str, Any] = {
        "settings": dataclasses.replace(TINY, n_steps=120),
        "target": "paid",
        "device": "cpu",
        "progress": "off",
        "random_state": 0,
    }
    return Synthesizer(**(given | parameters))


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return orders(300)


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Interrupt:
    """Save a checkpoint after one step and raise KeyboardInterrupt in the middle of another."""

    def arrange(*, saved_at: int, killed_in: int) -> None:
        def save_if_due(self: Checkpoint, trainer: Trainer) -> None:
            if trainer.step == saved_at:
                self.save(trainer)

        step = Trainer._step

        def train_step(self: Trainer, kind: tuple[bool, ...]) -> Any:
            losses = step(self, kind)
            if self.step == killed_in:  # the weights have moved, the count of steps has not
                raise KeyboardInterrupt
            return losses

        monkeypatch.setattr(Checkpoint, "save_if_due", save_if_due)
        monkeypatch.setattr(Trainer, "_step", train_step)

    return arrange


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {
            "settings": dataclasses.replace(
                TINY, n_steps=120, condition_fraction=0.3, gram_horizon=(2.0, 20.0), penalty_interval=4
            )
        },
        {"settings": dataclasses.replace(TINY, n_steps=120, adversarial_weight=0.0)},
        {"early_stopping": True, "settings": dataclasses.replace(TINY, n_steps=120, patience=20)},
    ],
    ids=["plain", "conditional", "marginal critic only", "early stopping"],
)
def test_an_interrupted_fit_goes_on_to_the_same_file(
    table: pd.DataFrame,
    tmp_path: Path,
    interrupt: Interrupt,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
) -> None:
    uninterrupted = tiny(**changes).fit(table)
    whole = uninterrupted.save(tmp_path / "whole.synthgan")
    with monkeypatch.context():
        interrupt(saved_at=55, killed_in=70)
        with pytest.raises(KeyboardInterrupt):
            tiny(**changes).fit(table, checkpoint=tmp_path / "fit.checkpoint")
    monkeypatch.undo()
    resumed = tiny(**changes).fit(table, checkpoint=tmp_path / "fit.checkpoint")
    assert [record["step"] for record in resumed.history_] == [record["step"] for record in uninterrupted.history_]
    assert resumed.save(tmp_path / "resumed.synthgan").read_bytes() == whole.read_bytes()
    # What is finished stays finished: the file of a completed run gives the model at once.
    again = tiny(**changes).fit(table, checkpoint=tmp_path / "fit.checkpoint")
    assert again.save(tmp_path / "again.synthgan").read_bytes() == whole.read_bytes()


def test_without_a_random_state_the_seed_is_the_checkpoints(
    table: pd.DataFrame, tmp_path: Path, interrupt: Interrupt, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(saved_at=10, killed_in=20)
    with pytest.raises(KeyboardInterrupt):
        tiny(random_state=None).fit(table, checkpoint=tmp_path / "fit.checkpoint")
    monkeypatch.undo()
    copy = tmp_path / "copy.checkpoint"
    copy.write_bytes((tmp_path / "fit.checkpoint").read_bytes())
    files = [
        tiny(random_state=None).fit(table, checkpoint=checkpoint).save(tmp_path / f"{number}.synthgan")
        for number, checkpoint in enumerate([tmp_path / "fit.checkpoint", copy])
    ]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_checkpoint_is_for_its_owner_only_from_the_first_byte(
    table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = []

    def observing(tensors: Any, path: Path, metadata: Any) -> None:
        modes.append(Path(path).stat().st_mode & 0o777)
        save_file(tensors, path, metadata)

    monkeypatch.setattr("safetensors.torch.save_file", observing)
    path = tmp_path / "fit.checkpoint"
    tiny().fit(table, checkpoint=path)
    assert set(modes) == {0o600}  # a busy machine saves more than once
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["fit.checkpoint"]


@pytest.mark.parametrize(
    "changes",
    [
        {"random_state": 1},
        {"min_count": 5},
        {"target": None},
        {"settings": dataclasses.replace(TINY, n_steps=121)},
        {"schema": {"columns": [{"name": "items", "kind": "categorical"}]}},
        {"early_stopping": True, "settings": dataclasses.replace(TINY, n_steps=120, patience=20)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_the_checkpoint_of_another_fit_is_refused(
    table: pd.DataFrame, tmp_path: Path, checkpoint: bytes, changes: dict[str, Any]
) -> None:
    path = tmp_path / "fit.checkpoint"
    path.write_bytes(checkpoint)
    with pytest.raises(ModelFileError, match=r"belongs to another fit.*delete it"):
        tiny(**changes).fit(table, checkpoint=path)
    assert path.read_bytes() == checkpoint


def test_a_fit_goes_on_without_recording_its_steps(table: pd.DataFrame, tmp_path: Path, checkpoint: bytes) -> None:
    path = tmp_path / "fit.checkpoint"
    path.write_bytes(checkpoint)
    fitted = tiny(settings=dataclasses.replace(TINY, n_steps=120, capture="off")).fit(table, checkpoint=path)
    assert fitted.history_[-1]["step"] == 120


def test_the_checkpoint_of_another_table_is_refused(table: pd.DataFrame, tmp_path: Path, checkpoint: bytes) -> None:
    path = tmp_path / "fit.checkpoint"
    path.write_bytes(checkpoint)
    changed = table.assign(items=table["items"].where(np.arange(300) != 7, 1 + table["items"] % 5))
    with pytest.raises(ModelFileError, match="another fit"):
        tiny().fit(changed, checkpoint=path)


@pytest.fixture(scope="module")
def checkpoint(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("checkpoint") / "fit.checkpoint"
    tiny().fit(table, checkpoint=path)
    return path.read_bytes()


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-100],
        lambda content: content[:1000],
        lambda content: b"",
        lambda content: b"PK\x03\x04" + content[4:],
        lambda content: b"id,name\n1,Grace Hopper\n",
    ],
    ids=["end cut", "header only", "empty", "other format", "csv"],
)
def test_a_damaged_checkpoint_is_refused(table: pd.DataFrame, tmp_path: Path, checkpoint: bytes, damage: Any) -> None:
    path = tmp_path / "fit.checkpoint"
    path.write_bytes(damage(checkpoint))
    with pytest.raises(ModelFileError, match=r"not a readable checkpoint.*delete it") as caught:
        tiny().fit(table, checkpoint=path)
    assert "Hopper" not in str(caught.value)
    assert path.read_bytes() == damage(checkpoint)


@pytest.mark.parametrize("part", ["tensor", "shape", "value", "format"])
def test_a_checkpoint_with_a_part_missing_is_refused(
    table: pd.DataFrame, tmp_path: Path, checkpoint: bytes, part: str
) -> None:
    path = tmp_path / "fit.checkpoint"
    path.write_bytes(checkpoint)
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        header = json.loads(file.metadata()["synthgan"])
    if part == "tensor":
        del tensors["generator.logits.weight"]
    elif part == "shape":
        tensors["generator.logits.weight"] = torch.zeros(3, 3)
    elif part == "value":
        del header["values"]["history"]
    else:
        header["format"] = "synthgan-checkpoint-999"
    save_file(tensors, path, {"synthgan": json.dumps(header)})
    with pytest.raises(ModelFileError, match="not a readable checkpoint"):
        tiny().fit(table, checkpoint=path)


def test_a_checkpoint_that_cannot_be_written_is_an_output_error(table: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="folder"):
        tiny().fit(table, checkpoint=tmp_path / "no" / "fit.checkpoint")


def test_the_interval_decides_when_to_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("synthgan.training.checkpoint.time.monotonic", lambda: clock[0])
    saved = []
    monkeypatch.setattr(Checkpoint, "save", lambda self, trainer: saved.append(trainer))
    saver = Checkpoint(tmp_path / "x", {"seed": 0}, interval_seconds=10.0)
    for now in (100.0, 104.9, 105.0):  # the first one comes early
        clock[0] = now
        saver.save_if_due(now)  # type: ignore[arg-type]
    assert saved == [105.0]

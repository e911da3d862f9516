"""A private fit that is killed goes on, asks for nothing twice, and never spends more than it promised."""

from __future__ import annotations

import dataclasses
import stat
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors import safe_open

import synthgan
from synthgan import ModelFileError, OutputError, Privacy, PrivacyError, Synthesizer
from synthgan.config import DpSgdSettings, TrainingSettings
from synthgan.fitting.resume import Resume, journal_path
from synthgan.privacy.account.ledger import Ledger
from synthgan.privacy.account.shared_file import LedgerFile
from synthgan.privacy.dp_sgd import PrivateCritic
from synthgan.privacy.mechanisms import Mechanisms
from synthgan.training.checkpoint import Checkpoint, SavedRun
from synthgan.training.loop import Trainer
from tests.fitting.test_private import DECLARED, SMALL, people

CRITIC = DpSgdSettings(expected_batch_size=16, n_updates=30, updates_per_step=(1, 4), width=8)


class Killed(BaseException):
    """In place of SIGKILL: nothing in the package handles it."""


def fit(checkpoint: Path, frame: pd.DataFrame | None = None, **options: Any) -> Synthesizer:
    privacy = options.pop("privacy", Privacy(8.0, neural=0.5, neural_settings=CRITIC))
    options = {"settings": SMALL, "random_state": 0, "target": "smokes", "schema": DECLARED, "holdout": 0.1, **options}
    made = Synthesizer(privacy=privacy, device="cpu", progress="off", **options)
    return made.fit(people() if frame is None else frame, checkpoint=checkpoint)


def kill_at_step(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    plain = Trainer._prepare

    def prepare(self: Trainer, learning_rate: float) -> Any:
        if self.step == step:
            raise Killed
        return plain(self, learning_rate)

    monkeypatch.setattr(Trainer, "_prepare", prepare)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "fit.checkpoint"


@pytest.mark.parametrize("neural", [0.0, 0.5, 1.0])
def test_a_killed_fit_goes_on(neural: float, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    updates: list[int] = []
    plain = PrivateCritic._noised_real_half

    def count(self: PrivateCritic) -> None:
        updates.append(1)
        plain(self)

    monkeypatch.setattr(PrivateCritic, "_noised_real_half", count)
    privacy = Privacy(8.0, neural=neural, neural_settings=CRITIC)
    for step in (0, 3, 7):
        with monkeypatch.context() as patched:
            kill_at_step(patched, step)
            with pytest.raises(Killed):
                fit(path, privacy=privacy)
        before = Ledger.resume(journal_path(path))
    made = fit(path, privacy=privacy)

    ledger = made.ledger_
    assert ledger is not None
    assert ledger.guarantee() == (8.0, 1e-5)
    assert ledger.spent_epsilon() <= 8.0
    assert [e.what for e in ledger.entries][: len(before.entries)] == [e.what for e in before.entries]
    assert sum(entry.what == "number of rows" for entry in ledger.entries) == 1
    assert sum(entry.mechanism == "DP-SGD" for entry in ledger.entries) == (neural > 0)
    assert {entry.state for entry in ledger.entries} == {"spent"}
    assert made.history_[-1]["step"] == SMALL.n_steps
    assert len(updates) <= CRITIC.n_updates
    assert (len(updates) > 0) is (neural > 0)
    assert len(made.sample(10)) == 10
    saved = made.save(tmp_path / "model.synthgan")
    assert synthgan.load(saved).ledger_.to_json() == ledger.to_json()
    if sys.platform != "win32":
        for file in (path, journal_path(path)):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_rounds_are_saved_at_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a round released is on the disk before the next step: a kill loses the round that it meets, no other."""
    privacy = Privacy(8.0, neural=0.0)
    with monkeypatch.context() as patched:
        kill_at_step(patched, 4)
        with pytest.raises(Killed):
            fit(path, privacy=privacy)
    made = fit(path, privacy=privacy)
    undisturbed = fit(path.with_name("other"), privacy=privacy)
    for name in ("door", "mechanism", "what"):
        one, other = ([getattr(entry, name) for entry in each.ledger_.entries] for each in (made, undisturbed))
        assert one == other
    assert made.ledger_.spent == pytest.approx(undisturbed.ledger_.spent, rel=1e-6)


def test_a_lost_release_counts_as_spent(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between reservation and release: nobody knows what became of it, so it is paid for."""
    privacy = Privacy(8.0, neural=0.0)
    plain = Mechanisms.select
    asked: list[int] = []

    def select(self: Mechanisms, *arguments: Any, **options: Any) -> int:
        asked.append(1)
        if len(asked) == 9:
            monkeypatch.setattr(Mechanisms, "_paid", dies)
        return plain(self, *arguments, **options)

    def dies(self: Mechanisms, *_: Any, rho: float, door: int, mechanism: str, what: str, delta: float = 0) -> Any:
        from dp_accounting import ZCDpEvent

        self.ledger.reserve(ZCDpEvent(rho), door=door, mechanism=mechanism, what=what)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Mechanisms, "select", select)
        paid = Mechanisms._paid
        with pytest.raises(Killed):
            fit(path, privacy=privacy)
        monkeypatch.setattr(Mechanisms, "_paid", paid)
    before = Ledger.resume(journal_path(path))
    (lost,) = [entry for entry in before.entries if entry.state == "reserved"]
    made = fit(path, privacy=privacy)
    ledger = made.ledger_
    assert [entry.id for entry in ledger.entries if entry.state == "reserved"] == [lost.id]
    assert ledger.entries[: len(before.entries)] == before.entries
    assert ledger.spent_epsilon() <= 8.0


def test_noise_is_not_repeated(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs from one checkpoint with one seed draw different batches and different noise."""
    # More updates than are journalled at once: some are left after the kill.
    privacy = Privacy(8.0, neural=1.0, neural_settings=dataclasses.replace(CRITIC, n_updates=200))
    with monkeypatch.context() as patched:
        kill_at_step(patched, 3)
        with pytest.raises(Killed):
            fit(path, privacy=privacy)
    files = [(file, file.read_bytes()) for file in (path, journal_path(path))]
    weights = []
    for _ in range(2):
        for file, content in files:
            file.write_bytes(content)
        generator = fit(path, privacy=privacy).generator_
        weights.append(torch.cat([tensor.flatten() for tensor in generator.parameters()]))
    assert not torch.equal(*weights)


def test_a_finished_fit_may_be_asked_for_again(path: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "fits.json"
    privacy = Privacy(8.0, neural=0.5, neural_settings=CRITIC, ledger=ledger)
    made, again = (fit(path, privacy=privacy) for _ in range(2))
    assert again.ledger_.to_json() == made.ledger_.to_json()
    assert again.history_ == made.history_
    assert (again.notices_, again.n_rows_, again.receipt_) == (made.notices_, made.n_rows_, made.receipt_)
    assert again.released_ == made.released_
    assert made.released_
    assert [fit.state for fit in LedgerFile(ledger).read().fits] == ["spent"]
    pd.testing.assert_frame_equal(again.sample(20, random_state=1), made.sample(20, random_state=1))


def test_a_ledger_file_counts_a_killed_and_resumed_fit_once(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = tmp_path / "fits.json"
    privacy = Privacy(8.0, neural=0.0, ledger=ledger)
    with monkeypatch.context() as patched:
        kill_at_step(patched, 3)
        with pytest.raises(Killed):
            fit(path, privacy=privacy)
    assert [fit.state for fit in LedgerFile(ledger).read().fits] == ["reserved"]
    other = Privacy(8.0, neural=0.0, ledger=tmp_path / "other.json")
    LedgerFile.create(tmp_path / "other.json")
    with pytest.raises(PrivacyError, match="does not know the fit of the checkpoint"):
        fit(path, privacy=other)
    fit(path, privacy=privacy)
    assert [fit.state for fit in LedgerFile(ledger).read().fits] == ["spent"]
    assert LedgerFile(ledger).guarantee() == (8.0, 1e-5)


def test_a_place_in_an_account_is_kept_from_the_moment_it_is_taken(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fit begun without an account is killed, goes on with one, and is killed again before a save was due."""
    ledger = tmp_path / "fits.json"
    for account in (None, ledger):
        with monkeypatch.context() as patched:
            kill_at_step(patched, 3)
            with pytest.raises(Killed):
                fit(path, privacy=Privacy(8.0, neural=0.0, ledger=account))
    fit(path, privacy=Privacy(8.0, neural=0.0, ledger=ledger))
    assert [fit.state for fit in LedgerFile(ledger).read().fits] == ["spent"]


def test_what_was_restored_is_let_go_of(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tensors of a checkpoint are as large as a trainer, and training takes hours."""
    runs: list[SavedRun] = []
    plain = SavedRun.restore

    def restore(self: SavedRun, trainer: Trainer) -> None:
        assert self.tensors
        plain(self, trainer)
        runs.append(self)

    monkeypatch.setattr(SavedRun, "restore", restore)
    privacy = Privacy(8.0, neural=0.0)
    fit(path, privacy=privacy)
    fit(path, privacy=privacy)
    assert [run.tensors for run in runs] == [{}]


@pytest.mark.parametrize(
    "change",
    [
        {"frame": people(400, seed=1)},
        {"frame": people().head(399)},
        {"privacy": Privacy(9.0, neural=0.0)},
        {"privacy": Privacy(8.0, delta=1e-6, neural=0.0)},
        {"privacy": Privacy(8.0, neural=0.1, neural_settings=CRITIC)},
        {"holdout": 0.2},
        {"target": None},
        {"random_state": 1},
        {"min_count": 3},
        {"settings": TrainingSettings(n_steps=11)},
    ],
    ids=", ".join,
)
def test_another_fit_is_refused(change: dict[str, Any], path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = {"privacy": Privacy(8.0, neural=0.0)}
    with monkeypatch.context() as patched:
        kill_at_step(patched, 2)
        with pytest.raises(Killed):
            fit(path, **started)
    journal = journal_path(path).read_bytes()
    with pytest.raises(ModelFileError, match="belongs to another fit"):
        fit(path, **started | change)
    assert journal_path(path).read_bytes() == journal


def test_without_its_journal_nobody_knows_what_was_spent(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    privacy = Privacy(8.0, neural=0.0)
    with monkeypatch.context() as patched:
        kill_at_step(patched, 2)
        with pytest.raises(Killed):
            fit(path, privacy=privacy)
    content = journal_path(path).read_bytes()
    journal_path(path).unlink()
    with pytest.raises(PrivacyError, match="nobody knows what was spent"):
        fit(path, privacy=privacy)
    Ledger(2.0, 1e-5, journal=journal_path(path))
    with pytest.raises(PrivacyError, match="belongs to another fit"):
        fit(path, privacy=privacy)
    journal_path(path).write_bytes(content)
    path.unlink()
    with pytest.raises(PrivacyError, match="counts what an earlier fit spent"):
        fit(path, privacy=privacy)


def test_the_checkpoint_of_a_private_fit_holds_no_row(path: Path) -> None:
    frame = people()
    frame["colour"] = "a level that nobody declared"
    fit(path, frame, privacy=Privacy(8.0, neural=0.5, neural_settings=CRITIC))
    assert b"a level that nobody declared" not in path.read_bytes()
    assert b"a level that nobody declared" not in journal_path(path).read_bytes()


@pytest.mark.parametrize("privacy", [None, Privacy(8.0, neural=0.5, neural_settings=CRITIC)], ids=["exact", "private"])
def test_a_checkpoint_is_read_once(privacy: Privacy | None, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[Any] = []

    def open_and_count(file: Any, *arguments: Any) -> Any:
        reads.append(file)
        return safe_open(file, *arguments)

    fit(path, privacy=privacy)
    with monkeypatch.context() as patched:
        patched.setattr("safetensors.safe_open", open_and_count)
        fit(path, privacy=privacy)
    assert reads == [path]


def test_a_fit_that_begins_has_nothing_to_go_on_from(path: Path) -> None:
    assert Resume.read(None) == Resume()
    assert Resume.read(path) == Resume(path)
    Resume.read(path).check({"seed": 3})
    assert not path.exists()
    with pytest.raises(OutputError):
        Resume.read(path / "below")


def test_what_an_earlier_run_left_is_read_as_it_was_written(path: Path) -> None:
    key, besides = bytes(range(16)), {"cells": torch.ones(2)}
    identity = {"seed": 5, "table": "abc"}
    Checkpoint(path, identity, besides=lambda: (besides, {"holdout_key": key.hex(), "fit": "a name"})).save(None)
    resume = Resume.read(path)
    assert (resume.seed, resume.holdout_key, resume.account_fit) == (5, key, "a name")
    assert resume.run is not None
    assert torch.equal(resume.run.tensors_besides["cells"], torch.ones(2))
    assert not resume.run.tensors
    resume.check(identity)
    with pytest.raises(ModelFileError, match="belongs to another fit"):
        resume.check(identity | {"table": "abd"})


@pytest.mark.parametrize("values", [{"holdout_key": key} for key in ("zz", "00", 3)] + [{"fit": 3}], ids=str)
def test_a_checkpoint_with_a_value_that_is_none_is_unreadable(values: dict[str, Any], path: Path) -> None:
    Checkpoint(path, {"seed": 5}, besides=lambda: ({}, values)).save(None)
    with pytest.raises(ModelFileError, match="not a readable checkpoint"):
        Resume.read(path)


def test_a_checkpoint_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        fit(tmp_path / "no" / "fit.checkpoint")
    assert not list(tmp_path.iterdir())


def test_the_first_checkpoint_comes_before_the_first_step(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kill_at_step(monkeypatch, 0)
    with pytest.raises(Killed):
        fit(path)
    assert path.exists()

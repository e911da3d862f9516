"""One fit before exact or private doors: when its progress is saved, and where its seed comes from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from synthgan import Privacy, Synthesizer
from synthgan.fitting import fit as fitting
from synthgan.fitting.resume import Resume
from synthgan.training.checkpoint import Checkpoint
from tests.fitting.test_private import DECLARED, SMALL, people


class Maker:
    identity: dict[str, Any] = {"seed": 0}  # noqa: RUF012
    n_releases = 0

    def kept(self) -> Any:
        return {}, {}


def test_releases_are_saved_at_once_and_steps_when_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(Checkpoint, "save", lambda *_: calls.append("save"))
    monkeypatch.setattr(Checkpoint, "save_if_due", lambda *_: calls.append("save if due"))
    maker: Any = Maker()
    progress, trainer = fitting._Progress(maker, tmp_path / "x", n_saved=0), None
    assert not progress.save_releases(trainer)
    progress.on_step(trainer)  # type: ignore[arg-type]
    maker.n_releases = 3
    progress.on_step(trainer)  # type: ignore[arg-type]
    progress.on_step(trainer)  # type: ignore[arg-type]
    assert calls == ["save if due", "save", "save if due"]
    assert not fitting._Progress(maker, tmp_path / "x", n_saved=3).save_releases(trainer)
    assert fitting._Progress(maker, tmp_path / "x", n_saved=2).save_releases(trainer)


@pytest.mark.parametrize("privacy", [None, Privacy(4.0)])
def test_a_fit_goes_on_with_the_seed_of_its_checkpoint(privacy: Privacy | None, tmp_path: Path) -> None:
    path = tmp_path / "fit.checkpoint"
    seeds = []
    for _ in range(2):
        options: dict[str, Any] = {"settings": SMALL, "schema": DECLARED, "privacy": privacy}
        made = Synthesizer(device="cpu", progress="off", **options).fit(people(100), checkpoint=path)
        assert [("seconds" in record) for record in made.history_] == [privacy is None] * len(made.history_)
        seeds.append(Resume.read(path).seed)
    assert seeds[0] == seeds[1] is not None

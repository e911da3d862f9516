"""``synthgan audit`` end to end, on few runs, and how it ends when more leaks than was claimed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from synthgan.privacy.mechanisms import Mechanisms

FEW = ["--runs", 12, "--canaries", 40]


def test_a_sound_pipeline_passes(cli, tmp_path: Path) -> None:
    path = tmp_path / "audit.json"
    outcome = cli("audit", "--epsilon", 2, *FEW, "--json", path)
    assert (outcome.code, outcome.err) == (0, "")
    for word in ("pipeline", "DP-SGD critic", "its word in the model file", "epsilon 2 at delta 1e-05"):
        assert word in outcome.out
    assert "\x1b" not in outcome.out
    figures = json.loads(path.read_text(encoding="utf-8"))
    assert (figures["epsilon"], figures["delta"], figures["confidence"]) == (2.0, 1e-5, 0.95)
    assert figures["lower_bound"] <= 2.0
    assert not figures["is_refuted"]
    assert {each["n_runs"] for each in figures["outcomes"]} == {12}
    assert figures["one_run"]["n_canaries"] == 40
    assert cli("audit", *FEW, "--json", path).code == 6, "an existing file is not overwritten"


@pytest.mark.slow
def test_a_broken_pipeline_exits_with_9(cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    original = Mechanisms.counts

    def counts(self, counts, *, what, **options):
        noisy = original(self, counts, what=what, **options)
        return counts if what == "number of rows" else noisy

    monkeypatch.setattr(Mechanisms, "counts", counts)
    path = tmp_path / "audit.json"
    outcome = cli("audit", "--epsilon", 0.1, "--runs", 48, "--canaries", 0, "--confidence", 0.5, "--json", path)
    assert outcome.code == 9
    assert outcome.err.startswith("Error: the audit proves an epsilon of at least ")
    assert "where 0.1 is claimed" in outcome.err
    assert json.loads(path.read_text(encoding="utf-8"))["is_refuted"], "the figures are there all the more"
    assert json.loads(path.read_text(encoding="utf-8"))["one_run"] is None


def test_refusals(cli, tmp_path: Path) -> None:
    for words, says in (
        (["--epsilon", 0], "epsilon"),
        (["--delta", 2], "delta"),
        (["--runs", 3], "--runs"),
        (["--canaries", 4], "at least 10 canaries"),
        (["--confidence", 1], "--confidence"),
    ):
        outcome = cli("audit", *words)
        assert outcome.code == 2, words
        assert says in outcome.err
        assert outcome.out == ""
    assert cli("audit", "--json", tmp_path / "no" / "audit.json").code == 6

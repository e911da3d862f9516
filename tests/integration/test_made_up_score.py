"""A made-up attack is a function and a row, a made-up part one more row: all else follows from the catalogue."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import synthgan
from synthgan.evaluation import parts
from synthgan.evaluation.catalogue import CATALOGUE, GROUPS, Definition
from synthgan.evaluation.compared.compared_tables import ComparedTables
from synthgan.evaluation.disclosure import disclosure
from synthgan.evaluation.disclosure.risk import unpaired_risk
from synthgan.evaluation.scores import Score, Scores
from synthgan.review.gates import apply
from synthgan.review.policy_file import parse_policy
from synthgan.review.report.page import render_report
from synthgan.review.verdicts import Outcome
from tests.policy_texts import gate_text


def attack_by_name(
    tables: ComparedTables, rng: np.random.Generator, *, real: str, synthetic: str, holdout: str
) -> Score | None:
    """Finds 30 of 40 members, and 10 of 40 others: (30 - 10) / (40 - 10) of what can be lost is lost."""
    risk = unpaired_risk(30, 10, 40)
    details = {"attack_rate": risk.attack, "control_rate": risk.control, "n_attacks": risk.n_attacks}
    return Score.of("by_name", risk.value, interval=risk.interval, reference=0.0, note="by name", details=details)


def table(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"x": rng.normal(size=60), "level": rng.choice(["a", "b"], 60)})


def page_of(scores: Scores, policy: str) -> tuple[str, str, Outcome]:
    verdicts = apply(parse_policy(policy), scores)
    page = render_report(title="t", scores=scores, verdicts=verdicts, ledger=None, provenance=[], facts={}, limits=[])
    return page, str(verdicts), verdicts.outcome


def test_an_attack(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Definition("Found by name", "disclosure", "lower", ideal=0.0, worst=1.0, needs=("holdout",))
    monkeypatch.setitem(CATALOGUE, "by_name", row)  # type: ignore[arg-type]
    monkeypatch.setattr(disclosure, "attacks", lambda target, secrets: (attack_by_name,))
    policy = gate_text(name='"by name"', score='"by_name"', at_most="0.1")

    scores = synthgan.evaluate(table(0), table(1), table(2), parts=["disclosure"], progress="off")
    score = scores["by_name"]
    assert (score.label, score.direction, score.group, score.ideal) == ("Found by name", "lower", "disclosure", 0.0)
    assert score.value == pytest.approx(2 / 3)
    assert Scores.from_dict(scores.to_dict())["by_name"] == score
    assert "Found by name" in str(scores) and "Found by name" in scores.to_html()
    page, told, outcome = page_of(scores, policy)
    assert outcome is Outcome.FAIL
    assert "Found by name" in page and "Risk 0.667, 95% interval" in page
    assert "0.667 (interval" in told and "on the bad side of the threshold, at most 0.1" in told

    without = synthgan.evaluate(table(0), table(1), parts=["disclosure"], progress="off")
    assert "by_name" not in without
    page, told, outcome = page_of(without, policy)
    assert outcome is Outcome.INCONCLUSIVE
    assert "the score 'by_name' was not computed: it needs a holdout." in told


def test_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(GROUPS, "charm", "Charm of the rows")  # type: ignore[arg-type]
    monkeypatch.setitem(CATALOGUE, "charm", Definition("Charm", "charm", "higher", "%", 100.0))  # type: ignore[arg-type]
    monkeypatch.setitem(
        parts.PARTS,  # type: ignore[arg-type]
        "charm",
        lambda request, rng: ([Score.of("charm", 12.5, interval=(10.0, 15.0))], ["Charm is made up."]),
    )
    scores = synthgan.evaluate(table(0), table(1), parts=["charm", "copies"], progress="off")  # type: ignore[list-item]
    assert [score.name for score in scores] == ["exact_copies", "charm"]
    assert "Charm is made up." in scores.notes
    lines = str(scores).splitlines()
    assert lines[lines.index("Charm of the rows") + 1].split() == [
        "Charm",
        "12.50",
        "%",
        "10.00",
        "to",
        "15.00",
        "higher",
    ]
    page, _, outcome = page_of(scores, gate_text(name='"charm"', score='"charm"', at_most=None, at_least="5"))
    assert outcome is Outcome.PASS
    assert "Charm of the rows" in page and "Charm of the rows" in scores.to_html()

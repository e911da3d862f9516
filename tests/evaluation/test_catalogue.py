"""The catalogue of scores: it holds what an evaluation makes, a policy gates and the glossary explains."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest

import synthgan
from synthgan.evaluation import parts
from synthgan.evaluation.catalogue import ATTACKING, CATALOGUE, GROUPS, Group, definition
from synthgan.evaluation.glossary import read_glossary, words_of
from synthgan.evaluation.scores import Score
from synthgan.review.policy_file import default_policy

SCARCE = {"membership_tpr_1", "membership_tpr_1_worst", "membership_tpr_01", "membership_tpr_01_worst"}
"""Scores that only a holdout of thousands has."""


def table(rng: np.random.Generator, n_rows: int) -> pd.DataFrame:
    x = rng.normal(size=n_rows)
    return pd.DataFrame(
        {
            "x": x,
            "y": x + rng.normal(size=n_rows),
            "level": rng.choice(["a", "b", "c"], n_rows),
            "answer": np.where(x + rng.normal(size=n_rows) > 0, "yes", "no"),
        }
    )


OF_CLASSES = {"utility_auc", "utility_balanced_accuracy"}
OF_NUMBERS = {"utility_r2", "utility_rmse"}


def of_group(*groups: str) -> set[str]:
    return {name for name, row in CATALOGUE.items() if row.group in groups}


CASES = {
    "tables": (
        *(840, ["fidelity", "coverage", "membership", "disclosure", "copies"], None),
        of_group("fidelity", "coverage", "membership", "disclosure", "copies") - SCARCE,
    ),
    "models": (200, ["detection", "augmentation"], "answer", {"c2st", "augmentation_uplift"}),
    "classes": (420, ["utility"], "answer", of_group("utility") - OF_NUMBERS - {"augmentation_uplift"}),
    "numbers": (420, ["utility"], "y", of_group("utility") - OF_CLASSES - {"augmentation_uplift"}),
}
"""Rows, parts, target, and the scores that they make."""


@pytest.mark.parametrize("case", CASES)
def test_every_score_of_a_part_is_as_the_catalogue_says(case: str) -> None:
    n_rows, computed, target, names = CASES[case]
    rng = np.random.default_rng(0)
    real, synthetic, holdout = (table(rng, n_rows) for _ in range(3))
    scores = synthgan.evaluate(real, synthetic, holdout, target=target, parts=computed, progress="off")
    assert {score.name for score in scores} == names
    for score in scores:
        row = CATALOGUE[score.name]
        assert (score.label, score.group, score.unit) == (row.label, row.group, row.unit)
        assert score.direction == row.direction
        assert score.ideal == (score.reference if row.ideal == "reference" else row.ideal)


def test_the_cases_are_all_parts_and_all_scores() -> None:
    assert {part for _, computed, _, _ in CASES.values() for part in computed} == set(parts.PARTS)
    assert set().union(*(names for _, _, _, names in CASES.values())) == set(CATALOGUE) - SCARCE


def test_without_holdout_or_target_those_are_missing_that_need_one() -> None:
    rng = np.random.default_rng(1)
    scores = synthgan.evaluate(table(rng, 60), table(rng, 60), progress="off")
    assert {name for name in CATALOGUE if name not in scores} == {name for name, row in CATALOGUE.items() if row.needs}
    assert scores["exact_copies"].direction == "lower"


def test_a_score_without_a_row_cannot_be_made() -> None:
    with pytest.raises(
        LookupError, match=r"the score 'charm' has no row in synthgan\.evaluation\.catalogue\.CATALOGUE"
    ):
        Score.of("charm", 1.0)
    with pytest.raises(LookupError, match="'shape '"):
        definition("shape ")


def test_a_part_that_makes_one_by_hand_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    charm = Score(name="charm", label="Charm", value=1.0, direction="higher", group="fidelity")
    monkeypatch.setitem(parts.PARTS, "fidelity", lambda request, rng: ([charm], []))
    rng = np.random.default_rng(0)
    with pytest.raises(LookupError, match="'charm'"):
        synthgan.evaluate(table(rng, 30), table(rng, 30), parts=["fidelity"], progress="off")


@pytest.mark.parametrize(
    ("name", "reference", "direction", "ideal"),
    [
        ("shape", None, "lower", 0.0),
        ("shape", 3.0, "lower", 0.0),
        ("utility_auc", 0.9, "higher", None),
        ("membership_auc", 0.5, "lower", 0.5),
        ("exact_copies", 2.0, "target", 2.0),
        ("exact_copies", None, "lower", None),
        ("dcr_share", None, "target", 0.5),
        ("nndr", 0.7, "target", 0.7),
        ("nndr", None, "none", None),
    ],
)
def test_where_real_rows_are_the_ideal_the_direction_waits_for_them(
    name: str, reference: float | None, direction: str, ideal: float | None
) -> None:
    score = Score.of(name, 1.0, reference=reference, note="a note", details={"n": 1}, interval=(0.0, 2.0))
    assert (score.direction, score.ideal) == (direction, ideal)
    assert replace(score, name="") == Score(
        name="",
        label=CATALOGUE[name].label,
        value=1.0,
        direction=score.direction,
        group=CATALOGUE[name].group,
        interval=(0.0, 2.0),
        ideal=ideal,
        reference=reference,
        unit=CATALOGUE[name].unit,
        note="a note",
        details={"n": 1},
    )


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_row_agrees_with_itself(name: str) -> None:
    row = CATALOGUE[name]
    assert (row.gated is None) or row.direction == "target"
    assert row.worst in ((None, 0.0) if row.better == "higher" else (None, 100.0 if row.unit else 1.0))
    assert "holdout" in row.needs or "holdout rows" not in row.needs
    if row.better is None:
        assert row.worst is None


def test_every_group_has_a_title_and_a_score_and_every_part_a_function() -> None:
    assert tuple(GROUPS) == get_args(Group)
    assert {row.group for row in CATALOGUE.values()} == set(GROUPS)
    assert set(parts.PARTS) == set(get_args(parts.Part))
    assert set(GROUPS) <= set(parts.PARTS)
    assert set(GROUPS) > ATTACKING
    labels = [row.label for row in CATALOGUE.values()]
    assert len(labels) == len(set(labels))


def test_the_gates_that_ship_keep_to_the_catalogue() -> None:
    for gate in default_policy().gates:
        row = CATALOGUE[gate.score]
        assert row.better == ("lower" if gate.at_most is not None else "higher"), gate.name
        if gate.against != "excess" and row.worst is not None:
            assert (gate.threshold < row.worst) == (row.better == "lower"), gate.name
        # What everybody can give is a holdout; a gate that needs more may not stand in the way.
        assert not (gate.required and {"target", "request"} & set(row.needs)), gate.name


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_score_has_its_words(name: str) -> None:
    assert any(name in entry.scores for entry in words_of([name]))
    page = Path(__file__).resolve().parents[2] / "docs" / "scores.md"
    assert f"`{name}`" in page.read_text(encoding="utf-8")


def test_the_glossary_names_no_other_score() -> None:
    assert {score for entry in read_glossary() for score in entry.scores} <= set(CATALOGUE)

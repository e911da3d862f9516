"""Games and reports: what is scored, how findings add up, and that evidence is there to be found."""

from __future__ import annotations

import json

import numpy as np
import pytest

from synthgan.audit.games import DistinguishingGame, Transcript, judged, play
from synthgan.audit.pipeline import ONE_RUN, audit, games, pipeline_game
from synthgan.errors import SettingsError


def known_game(shift: float, *, epsilon: float = 1.0, zcdp: bool = False) -> DistinguishingGame:
    rng = np.random.default_rng(0)
    return DistinguishingGame(
        name="known",
        epsilon=epsilon,
        delta=1e-5,
        play=lambda canary: {"shifted": rng.normal(shift * canary, 1), "noise": rng.normal()},
        zcdp_delta=1e-5 if zcdp else None,
    )


def test_runs_take_turns_and_the_strongest_evidence_counts() -> None:
    seen: list[bool] = []
    game = DistinguishingGame(
        name="turns", epsilon=1.0, delta=1e-5, play=lambda canary: seen.append(canary) or {"x": float(canary)}
    )
    steps: list[int] = []
    outcome = play(game, 11, on_run=lambda: steps.append(1))
    assert seen == [False, True] * 5 + [False]
    assert (outcome.n_runs, len(steps)) == (11, 11)
    found = play(known_game(6.0), 300)
    assert found.strongest.evidence == "shifted"
    assert found.is_refuted
    assert not play(known_game(0.0), 300).is_refuted


def test_only_notions_that_the_mechanism_promises_refute() -> None:
    for zcdp, expected in ((False, ("approximate",)), (True, ("approximate", "zcdp"))):
        finding = play(known_game(1.0, zcdp=zcdp), 200).findings[0]
        assert finding.refuting == expected
        assert set(finding.bounds) == {*expected, "gaussian"}
        assert finding.epsilon == max(finding.bounds[notion].epsilon for notion in expected)


def test_all_bounds_of_an_outcome_share_its_error() -> None:
    transcript = Transcript()
    for run in range(40):
        transcript.add({"a": float(run % 2), "b": 0.0}, canary=bool(run % 2))
    outcome = judged(known_game(0.0, zcdp=True), transcript, confidence=0.92)
    bounds = [bound for finding in outcome.findings for bound in finding.bounds.values()]
    assert {round(bound.confidence, 12) for bound in bounds} == {0.98}  # 0.08 in four parts


def test_every_game_scores_the_same_evidence_with_and_without_the_canary() -> None:
    for game in games(2.0, 1e-5):
        without, with_ = game.play(False), game.play(True)
        assert list(without) == list(with_)
        assert all(np.isfinite(list(scores.values())).all() for scores in (without, with_))


NAMES = [game.name for game in games(1.0, 1e-5)]


def test_every_game_has_a_name_of_its_own() -> None:
    assert len(set(NAMES)) == len(NAMES) == 13
    sampled = {game.name for game in games(1.0, 1e-5) if "sampled" in game.refuting}
    assert sampled == {"DP-SGD critic, persons", "DP-SGD critic, sampled persons"}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_evidence_is_there_to_be_found(name: str) -> None:
    """With a budget beyond all reason every game tells the tables apart: no attacker looks past the canary."""
    game = next(game for game in games(5000.0, 1e-5) if game.name == name)
    hidden = ("DP-SGD critic, sampled persons", "pipeline, number of persons")  # by a coin, by a 1% share of the budget
    outcome = play(game, 480 if name in hidden else 40)
    assert outcome.strongest.bounds["approximate"].false_positives[0] <= (24 if name in hidden else 2)
    assert outcome.strongest.epsilon > 0.4


def test_a_trained_generator_is_attacked_too() -> None:
    scores = pipeline_game(4.0, 1e-5, n_steps=3).play(True)
    assert 0 < scores["generated share of its levels"] < 1


def test_a_report_holds_all_figures() -> None:
    told: list[tuple[str, int]] = []
    report = audit(
        3.0, n_runs=8, n_canaries=20, played=(known_game(0.0, epsilon=3.0),), on_run=lambda *t: told.append(t)
    )
    assert told == [*(("known", run) for run in range(1, 9)), (ONE_RUN, 8)]
    assert report.one_run is not None
    assert report.one_run.confidence == pytest.approx(0.975)
    assert report.outcomes[0].confidence == pytest.approx(0.975)
    assert not report.is_refuted
    content = json.loads(report.to_json())
    assert content["lower_bound"] == report.lower_bound
    assert content["outcomes"][0]["findings"][0]["bounds"]["approximate"]["true_positives"][1] == 2
    for wrong in ({"n_runs": 7}, {"n_canaries": 3}, {"confidence": 0.0}):
        with pytest.raises(SettingsError, match="an audit needs"):
            audit(1.0, **wrong)
    with pytest.raises(SettingsError, match="epsilon"):
        audit(-1.0)

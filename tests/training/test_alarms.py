"""Alarms: silent in healthy fits, and said once when a fit goes wrong."""

from __future__ import annotations

import math
import re
import warnings

import pytest
import torch

from synthgan.errors import SynthganWarning, TrainingError
from synthgan.training.alarms import alarms
from synthgan.training.loop import Trainer
from synthgan.training.monitor import Baseline
from tests.training.test_loop import trainer

BASELINE = Baseline(marginal_error=0.1, mode_coverage=0.98, agreement=0.01)
HEALTHY = {
    "discriminator": 0.6,
    "adversarial": 0.8,
    "generator": 0.9,
    "averaged_marginal_error": 0.02,
    "mode_coverage": 0.99,
    "level_coverage": 1.0,
    "row_agreement": 1e-6,
}


def said(*changes: dict[str, float], ended: bool = False, chance: float | None = math.log(2)) -> dict[int, list[str]]:
    """What is said at which step of a history with one record per change, 50 steps apart from step 150 on."""
    history = [{"step": 150 + 50 * i, **HEALTHY, **change} for i, change in enumerate(changes)]
    found = {}
    for i in range(len(history)):
        last = ended and i == len(history) - 1
        texts = alarms(history[: i + 1], warmup_steps=100, last=last, baseline=BASELINE, chance=chance)
        if texts:
            found[150 + 50 * i] = list(texts.values())
    return found


BAD = {
    "adversarial": (-5e3, r"diverges: at step 300 the adversarial loss is -5e\+03"),
    "averaged_marginal_error": (
        0.2,
        r"diverges: at step 300 the marginal error .* is 0\.200, after 0\.020 at its best",
    ),
    "mode_coverage": (0.4, "collapsed: at step 300 it reaches 40% of the table's modes .* after 99% at its best"),
    "row_agreement": (0.5, r"collapsed: at step 300 two generated rows are equal with probability 0\.50"),
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_a_figure_must_be_bad_twice_in_a_row_and_is_said_once(name: str) -> None:
    value, text = BAD[name]
    bad = {name: value}
    assert said({}, bad, {}, bad, {}) == {}
    assert list(said({}, bad, ended=True)) == [200]
    found = said({}, {}, bad, bad, bad, {}, bad, bad, ended=True)
    assert list(found) == [300]
    (sentence,) = found[300]
    assert re.search(text, sentence)
    assert "fit again with" in sentence


def test_a_critic_has_won_after_three_records() -> None:
    won = {"discriminator": 1e-3}
    assert said(won, won, {}, won, won) == {}
    found = said({}, won, won, won, won)
    assert list(found) == [300]
    assert "critic has won: at step 300 its loss is 0.001 (0.69 is chance)" in found[300][0]
    # A Wasserstein critic's loss has no bottom.
    assert said({}, won, won, won, chance=None) == {}


def test_one_matter_is_said_once_though_two_figures_show_it() -> None:
    gone = {"mode_coverage": 0.1, "row_agreement": 1.0}
    assert [len(texts) for texts in said({}, gone, gone, gone).values()] == [1]


def test_the_first_steps_are_not_judged() -> None:
    history = [{"step": step, **HEALTHY, "mode_coverage": 0.1} for step in (20, 40, 60, 80, 100)]
    assert alarms(history, warmup_steps=10, last=True, baseline=BASELINE, chance=None) == {}
    history = [{"step": step, **HEALTHY, "mode_coverage": 0.1} for step in (200, 400)]
    assert alarms(history, warmup_steps=500, last=True, baseline=BASELINE, chance=None) == {}


def test_records_without_an_evaluation_neither_repeat_nor_break_a_row() -> None:
    plain = {"generator": 1.0, "discriminator": 0.6, "adversarial": 0.8}
    bad = HEALTHY | {"mode_coverage": 0.1}
    records = [bad, plain, bad, plain, bad, plain]
    history = [{"step": 200 + 50 * i, **record} for i, record in enumerate(records)]
    spoken = [
        alarms(history[: i + 1], warmup_steps=0, last=i == 5, baseline=BASELINE, chance=None)
        for i in range(len(history))
    ]
    assert [len(texts) for texts in spoken] == [0, 0, 1, 0, 0, 0]


# ------------------------------------------------------------------------------------------------------------ real fits


def warned(run: Trainer) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run.run()
    assert all(warning.category is SynthganWarning for warning in caught)
    return [str(warning.message) for warning in caught]


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{}, {"adversarial_weight": 0.0}, {"marginal_weight": 0.0}], ids=str)
def test_healthy_fits_are_silent(changes: dict[str, float]) -> None:
    run = trainer(n_steps=300, **changes)
    assert warned(run) == []
    assert run.history[-1]["mode_coverage"] > 0.8


def test_an_absurd_learning_rate_is_said() -> None:
    texts = warned(trainer(learning_rate=30.0, n_steps=250))
    assert [text.split(":")[0] for text in texts] == ["training diverges", "the generator has collapsed"]
    assert all("at step 200" in text for text in texts)


def test_a_wasserstein_critic_without_penalty_is_said() -> None:
    texts = warned(trainer(loss="wasserstein", penalty=0.0, marginal_weight=0.0, learning_rate=0.05, n_steps=250))
    assert any("training diverges" in text and "loss" in text for text in texts)


def test_a_generator_stuck_in_one_row_is_said_and_so_is_the_critic_that_sees_it() -> None:
    run = trainer(loss="non-saturating", penalty=0.0, n_steps=300)

    def hold(_: Trainer) -> None:
        # Always the same row, and one that the table never has: flag 0 with colour 1.
        for network in (run.generator, run.averaged):
            with torch.no_grad():
                network.logits.weight.zero_()
                network.logits.bias.copy_(torch.tensor([9.0, -9, -9, 9, -9, -9, 9, -9]))
                network.rank_head.law.weight.zero_()
                network.position_head.offsets.fill_(3.0)

    with pytest.warns(SynthganWarning) as caught:
        run.run(on_step=hold)
    texts = [str(warning.message) for warning in caught]
    assert [text.split(":")[0] for text in sorted(texts)] == [
        "the generator has collapsed",
        "the neural critic has won",
        "training diverges",
    ]
    last = run.history[-1]
    assert last["mode_coverage"] < 0.3
    assert last["row_agreement"] > 0.99
    assert last["frechet_distance"] > 0.9


def test_weights_that_are_no_numbers_end_training_at_the_evaluation() -> None:
    run = trainer(n_steps=50)

    def spoil(_: Trainer) -> None:
        if run.step == 49:
            with torch.no_grad():
                run.averaged.logits.bias.fill_(float("nan"))

    with pytest.raises(TrainingError, match="averaged generator's output is no longer a finite number"):
        run.run(on_step=spoil)

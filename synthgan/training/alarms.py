"""Rules that notice, from the training history alone, that a fit goes wrong. Each speaks once.

They are meant to be hard to trigger: a figure must be far off several times in a row, after the warm-up; only the last
record of a run counts alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from synthgan.training.monitor import Baseline

Record = Mapping[str, float]

FIRST_STEPS = 100
"""A fit this short is a trial, and the first steps of any fit are rough."""

ERROR_FACTOR = 3.0
ERROR_SLACK = 0.1
LARGEST_LOSS = 1_000.0
COVERAGE_FACTOR = 0.5
AGREEMENT_FACTOR = 2.0
AGREEMENT_SLACK = 0.05
WON_SHARE = 0.01

_CALMER = "fit again with a smaller learning_rate or a larger penalty."
_VARIED = "fit again with a larger marginal_weight, a smaller learning_rate or another loss."


@dataclass(frozen=True, slots=True)
class Symptom:
    """What one rule makes of one record.

    Attributes:
        step: of the record.
        bad: whether the rule is broken.
        text: what to say if so, one sentence.
    """

    step: int
    bad: bool
    text: str


def alarms(
    history: Sequence[Record],
    *,
    warmup_steps: int,
    last: bool,
    baseline: Baseline,
    chance: float | None,
) -> dict[str, str]:
    """What the newest record gives reason to say for the first time: a sentence on divergence, collapse, a won critic.

    Args:
        history: all records so far, at least one.
        warmup_steps: records up to this step are not judged, and none up to `FIRST_STEPS`.
        last: whether the newest record is the run's last.
        baseline: what the fit started from.
        chance: the discriminator's loss when it cannot tell rows apart, None where the loss has no such level.

    Returns:
        matter to sentence; the matters are ``"divergence"``, ``"collapse"`` and ``"critic"``.
    """
    matters = {
        "divergence": [(2, _large_losses(history)), (2, _large_errors(history, baseline))],
        "collapse": [(2, _lost_modes(history, baseline)), (2, _equal_rows(history, baseline))],
        "critic": [(3, _won(history, chance))] if chance is not None else [],
    }
    newest, first_judged = history[-1]["step"], max(warmup_steps, FIRST_STEPS)
    texts = {}
    for matter, rules in matters.items():
        firsts = [
            _first_alarm([r for r in readings if r.step > first_judged], in_a_row, newest if last else None)
            for in_a_row, readings in rules
        ]
        said = [first for first in firsts if first is not None]
        if said and min(first.step for first in said) == newest:
            texts[matter] = said[0].text
    return texts


def _first_alarm(readings: Sequence[Symptom], in_a_row: int, last_step: float | None) -> Symptom | None:
    """The first reading that completes ``in_a_row`` bad ones, or is bad at the last step."""
    run = 0
    for reading in readings:
        run = run + 1 if reading.bad else 0
        if run >= in_a_row or (reading.bad and reading.step == last_step):
            return reading
    return None


def _large_losses(history: Sequence[Record]) -> Iterator[Symptom]:
    """Divergence: losses are means of bounded or penalised scores, so of order 1 in a fit that works."""
    for record in history:
        losses = {name: record[name] for name in ("discriminator", "adversarial", "generator") if name in record}
        if not losses:
            continue
        name = max(losses, key=lambda key: abs(losses[key]))
        step = int(record["step"])
        yield Symptom(
            step,
            abs(losses[name]) > LARGEST_LOSS,
            f"training diverges: at step {step} the {name} loss is {losses[name]:.3g}, where losses of a working fit "
            f"are of order 1; {_CALMER}",
        )


def _large_errors(history: Sequence[Record], baseline: Baseline) -> Iterator[Symptom]:
    """Divergence: the marginals are far worse than they have been, or than those of independent columns."""
    best = baseline.marginal_error
    for record in history:
        if "averaged_marginal_error" not in record:
            continue
        error, step = record["averaged_marginal_error"], int(record["step"])
        # An error is at most 1: where the best is large already, halfway to the worst is far off too.
        limit = min(ERROR_FACTOR * best + ERROR_SLACK, (1 + best) / 2)
        yield Symptom(
            step,
            error > limit,
            f"training diverges: at step {step} the marginal error of the averaged generator is {error:.3f}, after "
            f"{best:.3f} at its best; {_CALMER}",
        )
        best = min(best, error)


def _lost_modes(history: Sequence[Record], baseline: Baseline) -> Iterator[Symptom]:
    """Collapse: the generator leaves out much of what it has reached, or of what independent columns reach."""
    best = baseline.mode_coverage
    for record in history:
        if "mode_coverage" not in record:
            continue
        coverage, step = record["mode_coverage"], int(record["step"])
        yield Symptom(
            step,
            coverage < COVERAGE_FACTOR * best,
            f"the generator has collapsed: at step {step} it reaches {coverage:.0%} of the table's modes (values and "
            f"pairs of values that enough rows share), after {best:.0%} at its best; {_VARIED}",
        )
        best = max(best, coverage)


def _equal_rows(history: Sequence[Record], baseline: Baseline) -> Iterator[Symptom]:
    """Collapse: generated rows are equal far more often than two real rows can be."""
    limit = AGREEMENT_FACTOR * baseline.agreement + AGREEMENT_SLACK
    for record in history:
        if "row_agreement" not in record:
            continue
        agreement, step = record["row_agreement"], int(record["step"])
        yield Symptom(
            step,
            agreement > limit,
            f"the generator has collapsed: at step {step} two generated rows are equal with probability "
            f"{agreement:.2f}, two real rows with {baseline.agreement:.2f} at most; {_VARIED}",
        )


def _won(history: Sequence[Record], chance: float) -> Iterator[Symptom]:
    """A critic that tells rows apart without fail has flat scores, and so nothing to teach."""
    for record in history:
        if "discriminator" not in record:
            continue
        loss, step = record["discriminator"], int(record["step"])
        yield Symptom(
            step,
            loss < WON_SHARE * chance,
            f"the neural critic has won: at step {step} its loss is {loss:.2g} ({chance:.2g} is chance), so it tells "
            "generated rows from real ones without fail and no longer guides the generator; fit again with a larger "
            "penalty, a smaller learning_rate or a larger marginal_weight.",
        )

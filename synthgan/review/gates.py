"""The verdict of a policy on scores: each gate is passed, failed or inconclusive.

The burden of proof is on the table. A gate is passed only when all of the evidence is on the good side of its
threshold, and failed only when all of it is on the bad side. An interval that holds the threshold, too few rows, a
figure that was not computed: all these are inconclusive, so that scarce data never pass by default.
"""

from __future__ import annotations

from numbers import Integral
from typing import Any, Final, NamedTuple

from synthgan.evaluation.catalogue import CATALOGUE
from synthgan.evaluation.compared.intervals import difference
from synthgan.evaluation.scores import Score, Scores
from synthgan.review.policy import Gate, Policy
from synthgan.review.verdicts import EXIT_CODES, HEADINGS, Outcome, Verdict, Verdicts
from synthgan.review.wording import beside, finite

__all__ = ["EXIT_CODES", "HEADINGS", "Outcome", "Verdict", "Verdicts", "apply", "judge"]

_TABLES: Final = ("real", "synthetic")
_ROW_COUNTS: Final = (
    *("n_rows", "n_rows_each", "n_test", "n_train", "n_holdout", "holdout_n_rows"),
    *("n_members", "n_non_members", "n_attacks", "n_control"),
)
"""Keys of a score's details that say how many rows, or attacks on rows, its figure comes from."""

_REFERENCE_INTERVALS: Final = ("reference_interval", "holdout_interval")


def apply(policy: Policy, scores: Scores) -> Verdicts:
    """Hold the scores to the policy.

    Args:
        policy: the gates.
        scores: what `synthgan.evaluate` returned; nothing in it is drawn or computed anew.
    """
    return Verdicts(verdicts=tuple(judge(gate, scores) for gate in policy.gates), policy=policy.name)


def judge(gate: Gate, scores: Scores) -> Verdict:
    """The verdict of one gate."""
    if gate.score not in scores:
        why = f"the score '{gate.score}' was not computed{_hint(gate.score, scores)}"
        return Verdict(gate=gate, outcome=Outcome.INCONCLUSIVE, why=f"{why}.", because=why)
    score = scores[gate.score]
    found = _judged(gate, score, scores)
    return Verdict(
        gate=gate,
        outcome=found.outcome,
        why=f"{found.why}.",
        because=found.because or found.why,
        value=finite(score.value),
        interval=_finite_pair(score.interval),
        reference=finite(score.reference),
        excess=found.excess,
        excess_interval=found.excess_interval,
    )


class _Finding(NamedTuple):
    """An outcome, a sentence without its full stop, a shorter one where there is one, and what was judged."""

    outcome: Outcome
    why: str
    because: str = ""
    excess: float | None = None
    excess_interval: tuple[float, float] | None = None


def _hint(score: str, scores: Scores) -> str:
    """What a score that is not there needs, where that can be told."""
    needs = CATALOGUE[score].needs
    if "request" in needs:
        return ": it is computed only when asked for (--augmentation), with a holdout and a target"
    if "holdout" in needs and not scores.n_rows.get("holdout"):
        return ": it needs a holdout"
    if "target" in needs and not scores.settings.get("target"):
        return ": it needs a target"
    return ": the holdout has too few rows for it" if "holdout rows" in needs else ""


def _judged(gate: Gate, score: Score, scores: Scores) -> _Finding:
    value = finite(score.value)
    if value is None:
        return _Finding(Outcome.INCONCLUSIVE, "the score is undefined on these tables")
    interval = None
    if score.interval is not None:
        interval = _finite_pair(score.interval)
        if interval is None:
            return _Finding(Outcome.INCONCLUSIVE, "the interval of the score is undefined")
        interval = min(*interval, value), max(*interval, value)
    if gate.against != "excess":
        return _compared(gate, score, scores, value, interval)
    reference = finite(score.reference)
    if reference is None:
        return _Finding(Outcome.INCONCLUSIVE, "there is no reference to compare with: give a holdout")
    interval = _difference(value, interval, reference, _reference_interval(score, reference))
    found = _compared(gate, score, scores, value - reference, interval)
    return found._replace(excess=value - reference, excess_interval=interval)


def _compared(gate: Gate, score: Score, scores: Scores, value: float, interval: tuple[float, float] | None) -> _Finding:
    """The finding on the figure that a gate judges."""
    what, unit = "the score above its reference" if gate.against == "excess" else "the score", score.unit
    n_rows = _rows(gate, score, scores)
    enough = gate.least_rows is None or n_rows >= gate.least_rows
    scarce = f"{n_rows:,} rows took part and the gate asks for {gate.least_rows or 0:,}"
    if interval is None:
        if gate.against == "interval":
            return _Finding(Outcome.INCONCLUSIVE, "the score has no interval, and the gate asks for one")
        if not enough:
            return _Finding(Outcome.INCONCLUSIVE, scarce)
        side = _side(gate, value, value)
        why = f"{what}, {_text(value, gate, unit)}, is {_SIDES[side]} the threshold, {_bound(gate, unit)}"
        return _Finding(side, why, _FIGURE[side])
    side = _side(gate, *interval)
    if side is Outcome.PASS and not enough:
        return _Finding(Outcome.INCONCLUSIVE, scarce)
    width = interval[1] - interval[0]
    if side is Outcome.PASS and gate.widest is not None and width > gate.widest:
        wide = f"its interval is {_plain(beside(width, gate.widest, unit))} wide and the gate asks for at most"
        why = f"the figure is uncertain: {wide} {_exact(gate.widest, unit)}"
        return _Finding(Outcome.INCONCLUSIVE, why)
    ends = " to ".join(_text(end, gate, unit).removesuffix(f" {unit}") for end in interval)
    why = f"{what}, {_text(value, gate, unit)} (interval {ends}), is {_SIDES[side]} the threshold, {_bound(gate, unit)}"
    return _Finding(side, why, _INTERVAL[side])


_SIDES: Final = {
    Outcome.PASS: "on the good side of",
    Outcome.FAIL: "on the bad side of",
    Outcome.INCONCLUSIVE: "not surely on either side of",
}


_INTERVAL: Final = {
    Outcome.PASS: "all of the interval keeps to the limit",
    Outcome.FAIL: "none of the interval keeps to the limit",
    Outcome.INCONCLUSIVE: "the interval lies on both sides of the limit",
}
_FIGURE: Final = {
    Outcome.PASS: "the figure keeps to the limit",
    Outcome.FAIL: "the figure does not keep to the limit",
}


def _side(gate: Gate, lower: float, upper: float) -> Outcome:
    """Pass when the whole interval keeps to the threshold, fail when none of it does."""
    if gate.at_most is not None:
        best, worst, threshold = lower, upper, gate.at_most
    else:
        best, worst, threshold = -upper, -lower, -gate.threshold
    if worst <= threshold:
        return Outcome.PASS
    return Outcome.FAIL if best > threshold else Outcome.INCONCLUSIVE


def _difference(
    value: float,
    interval: tuple[float, float] | None,
    reference: float,
    reference_interval: tuple[float, float] | None,
) -> tuple[float, float] | None:
    """Interval of ``value - reference`` from the intervals of both (Zou and Donner 2008).

    A reference without an interval counts as exact. None when the value has no interval.
    """
    if interval is None:
        return None
    return difference(value, interval, reference, reference_interval or (reference, reference))


def _reference_interval(score: Score, reference: float) -> tuple[float, float] | None:
    for key in _REFERENCE_INTERVALS:
        ends = score.details.get(key)
        if isinstance(ends, list | tuple) and len(ends) == 2:
            pair = _finite_pair((ends[0], ends[1]))
            if pair is not None:
                return min(*pair, reference), max(*pair, reference)
    return None


def _rows(gate: Gate, score: Score, scores: Scores) -> int:
    """Rows that the figure rests on: the fewest of the tables compared, and of what the score says of itself."""
    tables = (*_TABLES, "holdout") if gate.against == "excess" else _TABLES
    counts = [scores.n_rows.get(table, 0) for table in tables]
    stated = (score.details.get(key) for key in _ROW_COUNTS)
    counts += [int(count) for count in stated if isinstance(count, Integral)]
    return min(counts)


def _bound(gate: Gate, unit: str) -> str:
    return f"{'at most' if gate.at_most is not None else 'at least'} {_exact(gate.threshold, unit)}"


def _exact(value: float, unit: str) -> str:
    """A number of the policy, with all its digits."""
    return f"{value:.10g}{' ' + unit if unit else ''}"


def _text(value: float, gate: Gate, unit: str = "") -> str:
    """A figure, rounded so that it stays on its side of the threshold."""
    return _plain(beside(value, gate.threshold, unit))


def _plain(text: str) -> str:
    """For terminals of any kind: signs that every character set has."""
    return text.replace("\N{MINUS SIGN}", "-").replace("\N{NO-BREAK SPACE}", " ")


def _finite_pair(pair: tuple[Any, Any] | None) -> tuple[float, float] | None:
    if pair is None:
        return None
    lower, upper = finite(pair[0]), finite(pair[1])
    return None if lower is None or upper is None else (lower, upper)

"""The verdict of a policy on scores: each gate is passed, failed or inconclusive.

The burden of proof is on the table. A gate is passed only when all of the evidence is on the good side of its
threshold, and failed only when all of it is on the bad side. An interval that holds the threshold, too few rows, a
figure that was not computed: all these are inconclusive, so that scarce data never pass by default.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from numbers import Integral
from typing import Any, Final

from synthgan.errors import PolicyError, did_you_mean
from synthgan.evaluation.intervals import difference
from synthgan.evaluation.scores import Score, Scores
from synthgan.review.policy import Gate, Policy, check_keys
from synthgan.review.wording import finite
from synthgan.visible_text import shown

HEADINGS: Final = ("Gate", "Verdict", "Why")

_TABLES: Final = ("real", "synthetic")
_ROW_COUNTS: Final = (
    *("n_rows", "n_rows_each", "n_test", "n_train", "n_holdout", "holdout_n_rows"),
    *("n_members", "n_non_members", "n_attacks", "n_control"),
)
"""Keys of a score's details that say how many rows, or attacks on rows, its figure comes from."""

_REFERENCE_INTERVALS: Final = ("reference_interval", "holdout_interval")


class Outcome(str, Enum):
    """What a gate, or a whole policy, comes to."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"

    def __str__(self) -> str:
        return self.value


EXIT_CODES: Final[Mapping[Outcome, int]] = {Outcome.PASS: 0, Outcome.FAIL: 10, Outcome.INCONCLUSIVE: 11}
"""What a command that applies a policy exits with; apart from the codes of errors (`synthgan.cli.main`)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What one gate comes to.

    Attributes:
        gate: the gate.
        outcome: of this gate.
        why: one sentence.
        value: the score's figure; None where there is none.
        interval: its 95% interval, where it has one.
        reference: its noise floor, where it has one.
    """

    gate: Gate
    outcome: Outcome
    why: str
    value: float | None = None
    interval: tuple[float, float] | None = None
    reference: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The verdict as JSON values."""
        return {
            "gate": self.gate.to_dict(),
            "outcome": self.outcome.value,
            "why": self.why,
            "value": self.value,
            "interval": None if self.interval is None else list(self.interval),
            "reference": self.reference,
        }

    @classmethod
    def from_dict(cls, content: Any, where: str = "the verdict") -> Verdict:
        """The verdict that `to_dict` wrote.

        Raises:
            PolicyError: a key is unknown, missing or wrong.
        """
        content = _mapping(content, ("gate", "outcome", "why", "value", "interval", "reference"), where)
        interval = content["interval"]
        if interval is not None:
            if not isinstance(interval, list | tuple) or len(interval) != 2:
                raise PolicyError(f"{where}: 'interval' must be a pair of numbers, or null")
            interval = (_number(interval[0], "interval", where), _number(interval[1], "interval", where))
        if not isinstance(content["why"], str):
            raise PolicyError(f"{where}: 'why' must be text")
        return cls(
            gate=Gate.from_dict(content["gate"], where),
            outcome=_outcome(content["outcome"], where),
            why=content["why"],
            value=_number(content["value"], "value", where, optional=True),
            interval=interval,
            reference=_number(content["reference"], "reference", where, optional=True),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdicts:
    """The verdicts of one policy, in its order. Iterates over `Verdict`, looks up by the gate's name.

    Attributes:
        verdicts: one for each gate.
        policy: name of the policy.
    """

    verdicts: tuple[Verdict, ...]
    policy: str = ""

    @property
    def outcome(self) -> Outcome:
        """Fail if any gate fails; else inconclusive unless all required gates pass, and at least one is there."""
        if any(verdict.outcome is Outcome.FAIL for verdict in self.verdicts):
            return Outcome.FAIL
        required = [verdict.outcome for verdict in self.verdicts if verdict.gate.required]
        passed = bool(required) and all(outcome is Outcome.PASS for outcome in required)
        return Outcome.PASS if passed else Outcome.INCONCLUSIVE

    @property
    def exit_code(self) -> int:
        """What a command exits with: 0, 10 for a failed gate, 11 when inconclusive."""
        return EXIT_CODES[self.outcome]

    def of(self, outcome: Outcome) -> tuple[Verdict, ...]:
        """The verdicts with this outcome."""
        return tuple(verdict for verdict in self.verdicts if verdict.outcome is outcome)

    def __iter__(self) -> Iterator[Verdict]:
        return iter(self.verdicts)

    def __len__(self) -> int:
        return len(self.verdicts)

    def __getitem__(self, name: str) -> Verdict:
        for verdict in self.verdicts:
            if verdict.gate.name == name:
                return verdict
        raise KeyError(f"no gate named {name!r}{did_you_mean(name, [found.gate.name for found in self.verdicts])}")

    @property
    def headline(self) -> str:
        """The outcome and what it rests on, in one sentence."""
        parts = []
        for outcome in Outcome:
            found = self.of(outcome)
            waived = sum(not verdict.gate.required for verdict in found)
            note = f" ({waived} of them not required)" if waived and outcome is Outcome.INCONCLUSIVE else ""
            parts.append(f"{len(found)} {_PLURAL[outcome]}{note}")
        return f"{str(self.outcome).capitalize()}: of {len(self.verdicts)} gates {', '.join(parts)}."

    def rows(self) -> list[tuple[str, ...]]:
        """The table that is printed: failed gates first, then inconclusive ones, then passed ones."""
        order = (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS)
        return [
            (verdict.gate.name, str(outcome) + ("" if verdict.gate.required else ", not required"), verdict.why)
            for outcome in order
            for verdict in self.of(outcome)
        ]

    def __str__(self) -> str:
        rows = [HEADINGS, *self.rows()]
        first, second = (max(len(row[i]) for row in rows) for i in (0, 1))
        return "\n".join([self.headline, *(f"  {a:<{first}}  {b:<{second}}  {c}".rstrip() for a, b, c in rows)])

    def _repr_html_(self) -> str:
        """The table for a notebook; names and reasons are escaped."""
        head = "".join(f"<th>{heading}</th>" for heading in HEADINGS)
        body = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in self.rows())
        return f"<p>{html.escape(self.headline)}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON values. ``outcome`` and ``exit_code`` follow from the verdicts."""
        return {
            "policy": self.policy,
            "outcome": self.outcome.value,
            "exit_code": self.exit_code,
            "verdicts": [verdict.to_dict() for verdict in self.verdicts],
        }

    @classmethod
    def from_dict(cls, content: Any) -> Verdicts:
        """The verdicts that `to_dict` wrote.

        Raises:
            PolicyError: a key is unknown, missing or wrong, or the outcome does not follow from the verdicts.
        """
        content = _mapping(content, ("policy", "outcome", "exit_code", "verdicts"), "the verdicts")
        if not isinstance(content["policy"], str) or not isinstance(content["verdicts"], list | tuple):
            raise PolicyError("the verdicts must have a text 'policy' and a list 'verdicts'")
        verdicts = tuple(
            Verdict.from_dict(verdict, f"verdict number {i}") for i, verdict in enumerate(content["verdicts"], start=1)
        )
        found = cls(verdicts=verdicts, policy=content["policy"])
        if (content["outcome"], content["exit_code"]) != (found.outcome.value, found.exit_code):
            raise PolicyError(
                f"the outcome of the verdicts was altered: from the gates follows '{found.outcome}'; apply the policy "
                "again"
            )
        return found


_PLURAL: Final = {Outcome.PASS: "passed", Outcome.FAIL: "failed", Outcome.INCONCLUSIVE: "inconclusive"}


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
        why = f"the score '{gate.score}' was not computed{_hint(gate.score, scores)}."
        return Verdict(gate=gate, outcome=Outcome.INCONCLUSIVE, why=why)
    score = scores[gate.score]
    outcome, why = _judged(gate, score, scores)
    return Verdict(
        gate=gate,
        outcome=outcome,
        why=why,
        value=finite(score.value),
        interval=_finite_pair(score.interval),
        reference=finite(score.reference),
    )


def _hint(score: str, scores: Scores) -> str:
    """What a score that is not there needs, where that can be told."""
    if score == "augmentation_uplift":
        return ": it is computed only when asked for (--augmentation), with a holdout and a target"
    if score.startswith(_NEED_HOLDOUT) and not scores.n_rows.get("holdout"):
        return ": it needs a holdout"
    if score.startswith(_NEED_TARGET) and not scores.settings.get("target"):
        return ": it needs a target"
    if score.startswith("membership_"):
        return ": the holdout has too few rows for it"
    return ""


_NEED_HOLDOUT: Final = ("membership_", "attribute_inference", "singling_out", "linkability", "near_copies")
_NEED_TARGET: Final = ("utility_", "subgroup_gap", "importance_agreement")


def _judged(gate: Gate, score: Score, scores: Scores) -> tuple[Outcome, str]:
    value = finite(score.value)
    if value is None:
        return Outcome.INCONCLUSIVE, "the score is undefined on these tables."
    interval = None
    if score.interval is not None:
        interval = _finite_pair(score.interval)
        if interval is None:
            return Outcome.INCONCLUSIVE, "the interval of the score is undefined."
        interval = min(*interval, value), max(*interval, value)
    what, unit = "the score", score.unit
    if gate.against == "excess":
        reference = finite(score.reference)
        if reference is None:
            return Outcome.INCONCLUSIVE, "there is no reference to compare with: give a holdout."
        interval = _difference(value, interval, reference, _reference_interval(score, reference))
        value, what = value - reference, "the score above its reference"
    n_rows = _rows(gate, score, scores)
    enough = gate.least_rows is None or n_rows >= gate.least_rows
    scarce = f"{n_rows:,} rows took part and the gate asks for {gate.least_rows or 0:,}."
    if interval is None:
        if gate.against == "interval":
            return Outcome.INCONCLUSIVE, "the score has no interval, and the gate asks for one."
        if not enough:
            return Outcome.INCONCLUSIVE, scarce
        side = _side(gate, value, value)
        return side, f"{what}, {_text(value, unit)}, is {_SIDES[side]} the threshold, {_bound(gate, unit)}."
    side = _side(gate, *interval)
    if side is Outcome.PASS and not enough:
        return Outcome.INCONCLUSIVE, scarce
    width = interval[1] - interval[0]
    if side is Outcome.PASS and gate.widest is not None and width > gate.widest:
        wide = f"its interval is {_text(width, unit)} wide and the gate asks for at most {_text(gate.widest, unit)}"
        return Outcome.INCONCLUSIVE, f"the figure is uncertain: {wide}."
    ends = " to ".join(_text(end, "") for end in interval)
    return side, (
        f"{what}, {_text(value, unit)} (interval {ends}), is {_SIDES[side]} the threshold, {_bound(gate, unit)}."
    )


_SIDES: Final = {
    Outcome.PASS: "on the good side of",
    Outcome.FAIL: "on the bad side of",
    Outcome.INCONCLUSIVE: "not surely on either side of",
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
    return f"{'at most' if gate.at_most is not None else 'at least'} {_text(gate.threshold, unit)}"


def _text(value: float, unit: str) -> str:
    return f"{value:.4g}{' ' + unit if unit else ''}"


def _finite_pair(pair: tuple[Any, Any] | None) -> tuple[float, float] | None:
    if pair is None:
        return None
    lower, upper = finite(pair[0]), finite(pair[1])
    return None if lower is None or upper is None else (lower, upper)


def _mapping(content: Any, keys: tuple[str, ...], where: str) -> Mapping[str, Any]:
    if not isinstance(content, Mapping):
        raise PolicyError(f"{where} must be an object with the keys {', '.join(keys)}")
    check_keys(content, keys, where)
    missing = [key for key in keys if key not in content]
    if missing:
        raise PolicyError(f"{where} lacks the key '{missing[0]}'")
    return content


def _number(value: Any, key: str, where: str, *, optional: bool = False) -> Any:
    if value is None and optional:
        return None
    found = finite(value)
    if found is None:
        raise PolicyError(f"{where}: '{key}' must be a number{', or null' if optional else ''}")
    return found


def _outcome(value: Any, where: str) -> Outcome:
    try:
        return Outcome(value)
    except ValueError:
        known = ", ".join(outcome.value for outcome in Outcome)
        given = f", not {shown(value)}" if isinstance(value, str) else ""
        raise PolicyError(f"{where}: 'outcome' must be one of {known}{given}") from None

"""What gates come to: passed, failed or inconclusive, each with what it rests on.

`synthgan.review.gates` judges; a verdict can be written as JSON and read back.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from synthgan.errors import PolicyError, did_you_mean
from synthgan.loose_json import finite
from synthgan.review.policy import Gate, check_keys
from synthgan.review.wording import counted
from synthgan.visible_text import shown

HEADINGS: Final = ("Gate", "Verdict", "Why")


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
        why: one sentence that stands alone, figures included.
        because: the same in a clause, for a place where the figures stand beside it.
        value: the score's figure; None where there is none.
        interval: its 95% interval, where it has one.
        reference: its noise floor, where it has one.
        excess: the figure less its reference, of a gate that judges that.
        excess_interval: its 95% interval, where it has one.
    """

    gate: Gate
    outcome: Outcome
    why: str
    because: str = ""
    value: float | None = None
    interval: tuple[float, float] | None = None
    reference: float | None = None
    excess: float | None = None
    excess_interval: tuple[float, float] | None = None

    def to_dict(self) -> dict[str, Any]:
        """The verdict as JSON values."""
        return {
            "gate": self.gate.to_dict(),
            "outcome": self.outcome.value,
            "why": self.why,
            "because": self.because,
            "value": self.value,
            "interval": None if self.interval is None else list(self.interval),
            "reference": self.reference,
            "excess": self.excess,
            "excess_interval": None if self.excess_interval is None else list(self.excess_interval),
        }

    @classmethod
    def from_dict(cls, content: Any, where: str = "the verdict") -> Verdict:
        """The verdict that `to_dict` wrote.

        Raises:
            PolicyError: a key is unknown, missing or wrong.
        """
        content = _mapping(content, _VERDICT_KEYS, where)
        for key in ("why", "because"):
            if not isinstance(content[key], str):
                raise PolicyError(f"{where}: '{key}' must be text")
        return cls(
            gate=Gate.from_dict(content["gate"], where),
            outcome=_outcome(content["outcome"], where),
            why=content["why"],
            because=content["because"],
            value=_number(content["value"], "value", where, optional=True),
            interval=_ends(content["interval"], "interval", where),
            reference=_number(content["reference"], "reference", where, optional=True),
            excess=_number(content["excess"], "excess", where, optional=True),
            excess_interval=_ends(content["excess_interval"], "excess_interval", where),
        )


_VERDICT_KEYS: Final = (
    "gate",
    "outcome",
    "why",
    "because",
    "value",
    "interval",
    "reference",
    "excess",
    "excess_interval",
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
        return f"{str(self.outcome).capitalize()}: of {counted(len(self.verdicts), 'gate')} {self.counts}."

    @property
    def counts(self) -> str:
        """How many gates came to each outcome, and how many of the inconclusive ones were not required."""
        parts = []
        for outcome in Outcome:
            found = self.of(outcome)
            waived = sum(not verdict.gate.required for verdict in found)
            note = f" ({waived} of them not required)" if waived and outcome is Outcome.INCONCLUSIVE else ""
            parts.append(f"{len(found)} {_PLURAL[outcome]}{note}")
        return ", ".join(parts)

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


def _ends(value: Any, key: str, where: str) -> tuple[float, float] | None:
    if value is None:
        return None
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise PolicyError(f"{where}: '{key}' must be a pair of numbers, or null")
    return _number(value[0], key, where), _number(value[1], key, where)


def _outcome(value: Any, where: str) -> Outcome:
    try:
        return Outcome(value)
    except ValueError:
        known = ", ".join(outcome.value for outcome in Outcome)
        given = f", not {shown(value)}" if isinstance(value, str) else ""
        raise PolicyError(f"{where}: 'outcome' must be one of {known}{given}") from None

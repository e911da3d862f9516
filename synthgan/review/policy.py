"""The policy of a review: which scores must keep to which thresholds before a table leaves the building, and why.

`synthgan.review.policy_file` reads it from a TOML file, `synthgan.review.gates` applies it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from synthgan.errors import PolicyError, did_you_mean
from synthgan.evaluation.catalogue import CATALOGUE
from synthgan.visible_text import shown

Against = Literal["interval", "value", "excess"]

FORMAT: Final = "synthgan-policy"
VERSION: Final = 1
MOST_GATES: Final = 1000
_LONGEST_NAME: Final = 100
_LONGEST_TEXT: Final = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """One threshold on one score, and why it is there. Exactly one of ``at_most`` and ``at_least`` is set.

    Attributes:
        name: unique in its policy.
        score: name of the score that is judged.
        reason: why the threshold is what it is, for the one who decides.
        at_most: the threshold of a score of which less is better, in the score's own unit.
        at_least: the threshold of a score of which more is better.
        against: what is held to the threshold. "interval": the whole 95% interval. "value": the figure itself where the
            score has no interval, the interval where it has one. "excess": the score less its reference (its noise
            floor), with the interval of the difference where the score has one.
        least_rows: rows that must have taken part for a pass, and for any verdict without an interval; needed there.
        widest: widest interval that may pass; None for any.
        required: whether a pass is needed. A gate that is not required may be inconclusive; it may not fail.
        source: where the threshold comes from: a paper, a guideline, a benchmark.

    Raises:
        PolicyError: says which key is wrong.
    """

    name: str
    score: str
    reason: str
    at_most: float | None = None
    at_least: float | None = None
    against: Against = "interval"
    least_rows: int | None = None
    widest: float | None = None
    required: bool = True
    source: str = ""

    def __post_init__(self) -> None:
        where = f"gate {shown(self.name)}" if isinstance(self.name, str) else "a gate"
        _check_text(self.name, "name", where, longest=_LONGEST_NAME)
        _check_text(self.reason, "reason", where)
        _check_text(self.source, "source", where, empty=True)
        _check_score(self.score, where)
        _check_thresholds(self.at_most, self.at_least, self.score, where)
        _check_choice(self.against, "against", get_args(Against), where)
        _need(isinstance(self.required, bool), f"{where}: 'required' must be true or false")
        _check_number(self.widest, "widest", where)
        _need(self.widest is None or self.widest > 0, f"{where}: 'widest' must be above 0; leave it out for any width")
        rows = self.least_rows
        whole = isinstance(rows, int) and not isinstance(rows, bool) and rows >= 1
        _need(rows is None or whole, f"{where}: 'least_rows' must be a whole number of at least 1")
        _need(
            rows is not None or self.against == "interval",
            f"{where}: a gate against '{self.against}' needs 'least_rows', for without an interval only the number of "
            "rows says whether the figure can be trusted",
        )

    @property
    def threshold(self) -> float:
        """The bound that is set."""
        return self.at_most if self.at_most is not None else self.at_least  # type: ignore[return-value]

    def to_dict(self) -> dict[str, Any]:
        """The keys that are set, as JSON values."""
        content = {name: getattr(self, name) for name in _GATE_KEYS}
        return {name: value for name, value in content.items() if value not in (None, "")}

    @classmethod
    def from_dict(cls, content: Any, where: str = "the gate") -> Gate:
        """The gate that `to_dict` wrote, or that a policy file describes.

        Raises:
            PolicyError: a key is unknown, missing or wrong.
        """
        _need(isinstance(content, Mapping), f"{where} must be a table of keys and values")
        check_keys(content, _GATE_KEYS, where)
        for key in ("name", "score", "reason"):
            _need(key in content, f"{where} lacks the key '{key}'")
        try:
            return cls(**{key: _as_float(value) if key in _NUMBERS else value for key, value in content.items()})
        except PolicyError as error:
            raise PolicyError(f"{where}, {error}") from None


_GATE_KEYS: Final = tuple(field.name for field in dataclasses.fields(Gate))
_NUMBERS: Final = frozenset({"at_most", "at_least", "widest"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """The gates of a review, in the order they are shown.

    Attributes:
        gates: at least one of them required; their names differ.
        name: of the policy, for people.

    Raises:
        PolicyError: no gate is required, or two have one name.
    """

    gates: tuple[Gate, ...]
    name: str = ""

    def __post_init__(self) -> None:
        _check_text(self.name, "name", "the policy", longest=_LONGEST_NAME, empty=True)
        _need(
            any(gate.required for gate in self.gates),
            "the policy has no required gate, so anything would pass: add a table [[gates]] with required = true",
        )
        _need(len(self.gates) <= MOST_GATES, f"the policy has {len(self.gates)} gates; {MOST_GATES} at most")
        seen: set[str] = set()
        for gate in self.gates:
            _need(gate.name not in seen, f"the policy has two gates {shown(gate.name)}: give each a name of its own")
            seen.add(gate.name)

    def to_dict(self) -> dict[str, Any]:
        """The policy as JSON values; the content of its TOML file."""
        named = {"name": self.name} if self.name else {}
        return {"format": FORMAT, "version": VERSION, **named, "gates": [gate.to_dict() for gate in self.gates]}

    @classmethod
    def from_dict(cls, content: Any, where: str = "the policy") -> Policy:
        """The policy that `to_dict` wrote, or that a file describes.

        Args:
            content: ``{"format", "version", "name", "gates"}``.
            where: what the content is, for messages.

        Raises:
            PolicyError: says which key of which gate is wrong.
        """
        _need(isinstance(content, Mapping), f"{where} must be a table with the keys 'format', 'version' and 'gates'")
        check_keys(content, ("format", "version", "name", "gates"), where)
        for key in ("format", "version"):
            _need(
                key in content, f"{where} lacks the key '{key}': begin it with format = '{FORMAT}', version = {VERSION}"
            )
        _need(content["format"] == FORMAT, f"{where} is not in the format '{FORMAT}': check its key 'format'")
        version = content["version"]
        whole = isinstance(version, int) and not isinstance(version, bool) and version >= 1
        _need(whole, f"the version of {where} must be a whole number of at least 1")
        _need(
            version <= VERSION, f"{where} is of a version newer than this synthgan reads ({VERSION}): update synthgan"
        )
        gates = content.get("gates")
        listed = isinstance(gates, list | tuple) and len(gates) > 0
        _need(listed, f"{where} has no gates: write each as a table [[gates]]")
        _need(len(gates) <= MOST_GATES, f"{where} has {len(gates)} gates; {MOST_GATES} at most")
        parsed = tuple(Gate.from_dict(gate, f"{where}, gate number {i}") for i, gate in enumerate(gates, start=1))
        try:
            return cls(gates=parsed, name=content.get("name", ""))
        except PolicyError as error:
            raise PolicyError(f"{where}: {error}") from None


def check_keys(content: Mapping[Any, Any], known: Collection[str], where: str) -> None:
    """Refuse keys that are not known.

    Raises:
        PolicyError: names the first one, and the known one that is close.
    """
    for key in content:
        if key not in known:
            hint = did_you_mean(key, known) or f"; the keys are {', '.join(known)}"
            raise PolicyError(f"unknown key {shown(str(key))} in {where}{hint}")


def _need(condition: bool, message: str) -> None:
    if not condition:
        raise PolicyError(message)


def _check_text(value: Any, key: str, where: str, *, longest: int = _LONGEST_TEXT, empty: bool = False) -> None:
    _need(isinstance(value, str), f"{where}: '{key}' must be text")
    _need(empty or bool(value.strip()), f"{where}: '{key}' is empty: say it in a few words")
    _need(len(value) <= longest, f"{where}: '{key}' is too long ({longest} characters at most)")
    _need(
        all(character.isprintable() or character == "\n" for character in value),
        f"{where}: '{key}' holds characters that cannot be printed: write it as plain text",
    )
    _need(key != "name" or "\n" not in value, f"{where}: 'name' must be one line")


def _check_choice(value: Any, key: str, known: Collection[str], where: str) -> None:
    if not isinstance(value, str) or value not in known:
        hint = did_you_mean(value, known) if isinstance(value, str) else ""
        raise PolicyError(f"{where}: '{key}' must be one of {', '.join(known)}{hint}")


def _check_score(score: Any, where: str) -> None:
    _need(isinstance(score, str), f"{where}: 'score' must be the name of a score, as text")
    row = CATALOGUE.get(score)
    _need(
        row is None or row.better is not None,
        f"{where}: {score!r} is a diagnostic and cannot be a gate, for no distance to training rows is evidence of "
        "privacy; gate 'membership_auc' or 'near_copies' instead",
    )
    if row is None:
        gated = [name for name, row in CATALOGUE.items() if row.better is not None]
        hint = did_you_mean(score, gated) or "; docs/scores.md lists the scores"
        raise PolicyError(f"{where}: 'score' names {shown(score)}, which is no score{hint}")


def _check_thresholds(at_most: Any, at_least: Any, score: str, where: str) -> None:
    _check_number(at_most, "at_most", where)
    _check_number(at_least, "at_least", where)
    right, wrong, more = (
        ("at_most", "at_least", "less") if CATALOGUE[score].better == "lower" else ("at_least", "at_most", "more")
    )
    given = {"at_most": at_most, "at_least": at_least}
    _need(
        given[wrong] is None,
        f"{where}: '{wrong}' would reward a bad table, for {more} is better of '{score}': write '{right}'",
    )
    _need(given[right] is not None, f"{where} has no threshold: set '{right}'")


def _check_number(value: Any, key: str, where: str) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    _need(value is None or number, f"{where}: '{key}' must be a number")
    _need(value is None or math.isfinite(_as_float(value)), f"{where}: '{key}' must be a finite number")


def _as_float(value: Any) -> Any:
    """Whole numbers as floats; what is no number as it is, to be refused by name."""
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            return math.inf
    return value

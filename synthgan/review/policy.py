"""The policy of a review: which scores must keep to which thresholds before a table leaves the building, and why.

A policy is a TOML file of gates; ``default_policy.toml`` beside this module is the one that ships.
`synthgan.review.gates` applies it.
"""

from __future__ import annotations

import dataclasses
import math
import os
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal, get_args

from synthgan.errors import PolicyError, did_you_mean
from synthgan.evaluation.scores import Direction
from synthgan.visible_text import shown

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Against = Literal["interval", "value", "excess"]

FORMAT: Final = "synthgan-policy"
VERSION: Final = 1
MOST_BYTES: Final = 1024 * 1024
MOST_GATES: Final = 1000
_MOST_KEY_PARTS: Final = 32
_LONGEST_NAME: Final = 100
_LONGEST_TEXT: Final = 2000

SCORES: Final[Mapping[str, Direction]] = {
    "shape": "lower",
    "trend_shared": "lower",
    "trend_own": "lower",
    "strong_pairs": "lower",
    "missing": "lower",
    "missing_patterns": "lower",
    "correlations": "lower",
    "rare_slices": "lower",
    "mode_coverage": "higher",
    "frechet_distance": "lower",
    "alpha_precision": "higher",
    "beta_recall": "higher",
    "c2st": "higher",
    "utility_auc": "higher",
    "utility_balanced_accuracy": "higher",
    "utility_r2": "higher",
    "utility_rmse": "lower",
    "utility_gap": "lower",
    "subgroup_gap": "lower",
    "importance_agreement": "higher",
    "augmentation_uplift": "higher",
    "membership_auc": "lower",
    "membership_tpr_10": "lower",
    "membership_tpr_1": "lower",
    "membership_tpr_01": "lower",
    "membership_auc_worst": "lower",
    "membership_tpr_10_worst": "lower",
    "membership_tpr_1_worst": "lower",
    "membership_tpr_01_worst": "lower",
    "attribute_inference": "lower",
    "singling_out": "lower",
    "linkability": "lower",
    "rare_categories": "lower",
    "extreme_values": "lower",
    "exact_copies": "lower",
    "near_copies": "lower",
}
"""Scores that a gate may name, and which way is better."""

_PERCENT: Final = (
    *("shape", "trend_shared", "trend_own", "strong_pairs", "missing", "missing_patterns"),
    *("rare_categories", "extreme_values", "exact_copies", "near_copies"),
)
_SHARES: Final = ("attribute_inference", "singling_out", "linkability")
_WORST: Final[Mapping[str, float]] = {
    **dict.fromkeys(_PERCENT, 100.0),
    **{name: 1.0 for name in SCORES if name in _SHARES or name.startswith("membership_")},
    **dict.fromkeys(
        ("mode_coverage", "alpha_precision", "beta_recall", "c2st", "utility_auc", "utility_balanced_accuracy"), 0.0
    ),
}
"""The worst that a score can be, where there is such a value: a threshold there lets everything pass."""

DIAGNOSTICS: Final = frozenset({"dcr_share", "nndr"})
"""Scores that may warn and never clear: far from every training row is not the same as safe."""


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


def read_policy(path: str | os.PathLike[str]) -> Policy:
    """The policy in the TOML file ``path``.

    Raises:
        PolicyError: the file cannot be read, what it holds is malformed, or every table would pass one of its gates.
    """
    path = Path(path)
    where = f"the policy file {path}"
    _need("\0" not in str(path), "the path of the policy file holds a null character: check the path")
    try:
        _need(path.stat().st_size <= MOST_BYTES, f"{where} is too large ({MOST_BYTES // 1024} KiB at most)")
        content = path.read_bytes()
    except FileNotFoundError:
        raise PolicyError(f"{where} does not exist: check the path") from None
    except OSError as error:
        raise PolicyError(f"{where} cannot be read ({error.strerror}): check the path and its permissions") from None
    policy = parse_policy(content, where)
    for i, gate in enumerate(policy.gates, start=1):
        _check_reach(gate, f"{where}, gate number {i}, gate {shown(gate.name)}")
    return policy


def parse_policy(content: bytes | str, where: str = "the policy") -> Policy:
    """The policy that TOML text describes.

    Args:
        content: the text, or its bytes in UTF-8.
        where: what the content is, for messages.

    Raises:
        PolicyError: says which key of which gate is wrong.
    """
    try:
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
        if _has_endless_key(text):
            raise RecursionError
        parsed = tomllib.loads(text)
    except UnicodeDecodeError:
        raise PolicyError(f"{where} is not UTF-8 text: save it as UTF-8") from None
    except RecursionError:
        raise PolicyError(f"{where} is nested too deeply for a policy") from None
    except ValueError as error:  # also TOMLDecodeError
        raise PolicyError(f"{where} is not valid TOML: {shown(str(error))}") from None
    return Policy.from_dict(parsed, where)


def _has_endless_key(text: str) -> bool:
    """Whether a key has so many dotted parts that reading it would take memory that grows with their square."""
    for line in text.split("\n"):
        if line.count(".") > _MOST_KEY_PARTS:
            for side in line.split("="):
                parts = side.split(".")
                if len(parts) > _MOST_KEY_PARTS and all(part.strip() for part in parts):
                    return True
    return False


def default_policy() -> Policy:
    """The policy that ships with synthgan; ``docs/policy.md`` explains its thresholds."""
    content = files("synthgan.review").joinpath("default_policy.toml").read_bytes()
    return parse_policy(content, "the default policy")


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
    _need(
        score not in DIAGNOSTICS,
        f"{where}: {score!r} is a diagnostic and cannot be a gate, for no distance to training rows is evidence of "
        "privacy; gate 'membership_auc' or 'near_copies' instead",
    )
    if score not in SCORES:
        hint = did_you_mean(score, SCORES) or "; docs/scores.md lists the scores"
        raise PolicyError(f"{where}: 'score' names {shown(score)}, which is no score{hint}")


def _check_thresholds(at_most: Any, at_least: Any, score: str, where: str) -> None:
    _check_number(at_most, "at_most", where)
    _check_number(at_least, "at_least", where)
    right, wrong, more = (
        ("at_most", "at_least", "less") if SCORES[score] == "lower" else ("at_least", "at_most", "more")
    )
    given = {"at_most": at_most, "at_least": at_least}
    _need(
        given[wrong] is None,
        f"{where}: '{wrong}' would reward a bad table, for {more} is better of '{score}': write '{right}'",
    )
    _need(given[right] is not None, f"{where} has no threshold: set '{right}'")


def _check_reach(gate: Gate, where: str) -> None:
    """Refuse a threshold that no table can miss, such as 60 for a share; most likely it was meant in percent."""
    worst = _WORST.get(gate.score)
    if worst is None or gate.against == "excess":
        return
    key, missed = ("at_most", gate.threshold < worst) if gate.at_most is not None else ("at_least", gate.threshold > 0)
    bounds = "0 to 100" if gate.score in _PERCENT else "0 to 1"
    side = "below" if key == "at_most" else "above"
    _need(
        missed,
        f"{where}: no table can miss this threshold, for '{gate.score}' runs from {bounds}: "
        f"set '{key}' {side} {worst:g}",
    )


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

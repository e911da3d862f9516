"""A ledger as JSON for the model file: what was promised, how it was composed, what was spent on what.

Hundreds of adaptive rounds must not bloat it: releases of equal event, door and mechanism form one entry with a count
and, for each thing released, how often. Reading is strict, and the totals are checked against the entries.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from synthgan.errors import PrivacyError
from synthgan.privacy.account.entries import Statement
from synthgan.privacy.account.events import event_to_json
from synthgan.privacy.account.parameters import ADJACENCY, ROW

VERSION = 1
MOST_RELEASES = 20_000
"""A ledger takes no more, so that a damaged or hostile file cannot ask for endless work."""

METHOD = (
    "fully adaptive composition: a Renyi filter at one order fixed before any data was read, converted to epsilon at "
    "the conversion delta; deltas of discovery add up to at most the discovery delta, which was taken off the target "
    "delta first"
)
SOURCE = (
    "filter: Feldman and Zrnic 2021, Lecuyer 2021; releases with a delta of their own: Whitehouse et al. 2023; "
    "conversion: Canonne, Kamath and Steinke 2020, Proposition 12; computed by Google's dp-accounting"
)
RANDOMNESS = {
    "counts, discovery and selection": "OpenDP's exact samplers, which draw on the operating system's entropy",
    "DP-SGD": (
        "Gaussian noise of Opacus from an ordinary torch generator, seeded from the operating system's entropy "
        "(os.urandom); it is neither cryptographic nor exact"
    ),
}
_PROSE = ("adjacency", "method", "source", "randomness")


@dataclass(frozen=True, slots=True)
class Group:
    """Equal releases: one entry of the document.

    Attributes:
        door: 1, 2 or 3.
        mechanism: name of the mechanism.
        event: the event of each release, as JSON values.
        delta: own delta of each release.
        state: "reserved" or "spent".
        what: how often each thing was released.
    """

    door: int
    mechanism: str
    event: dict[str, Any]
    delta: float
    state: str
    what: dict[str, int]

    def expanded(self) -> Iterator[str]:
        """What was released, once per release."""
        for what, count in self.what.items():
            for _ in range(count):
                yield what


@dataclass(frozen=True, slots=True)
class Document:
    """A document taken apart: arguments of `Ledger`, of `Ledger.declare`, and the releases."""

    terms: dict[str, Any]
    declared: dict[str, Any]
    groups: tuple[Group, ...]


def write(ledger: Statement) -> dict[str, Any]:
    """The document of what a ledger states.

    Raises:
        PrivacyError: when several rows per unit were declared and not of whom.
    """
    rows_per_unit = ledger.rows_per_unit or 1
    if ledger.unit is None and rows_per_unit > 1:
        raise PrivacyError("the ledger does not know whom it protects; declare the column that names the persons")
    return {
        "version": VERSION,
        "guarantee": {"epsilon": ledger.epsilon, "delta": ledger.delta},
        "adjacency": ADJACENCY,
        "unit": ledger.unit or ROW,
        "rows_per_unit": rows_per_unit,
        "composition": {
            "method": METHOD,
            "source": SOURCE,
            "order": ledger.order,
            "budget": ledger.budget,
            "conversion_delta": ledger.conversion_delta,
            "discovery_delta": ledger.discovery_delta,
        },
        "spent": {
            "epsilon": ledger.spent_epsilon,
            "renyi_divergence": ledger.spent,
            "discovery_delta": ledger.spent_delta,
        },
        "doors": _totals(ledger),
        "entries": [_entry(group) for group in _grouped(ledger)],
        "unprotected": list(ledger.unprotected),
        "randomness": dict(RANDOMNESS),
    }


def read(values: Any) -> Document:
    """A document taken apart, its form checked.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: when the form is not that of a document.
    """
    top = "version guarantee adjacency unit rows_per_unit composition spent doors entries unprotected randomness"
    _keys(values, top)
    _keys(values["guarantee"], "epsilon delta")
    _keys(values["composition"], "method source order budget conversion_delta discovery_delta")
    if values["version"] != VERSION or not isinstance(values["entries"], list):
        raise ValueError
    unprotected = values["unprotected"]
    if not isinstance(unprotected, list) or not all(isinstance(text, str) for text in unprotected):
        raise TypeError
    groups = tuple(_group(entry) for entry in values["entries"])
    if sum(sum(group.what.values()) for group in groups) > MOST_RELEASES:
        raise ValueError
    composition = values["composition"]
    return Document(
        terms={
            **values["guarantee"],
            "order": composition["order"],
            "discovery_delta": composition["discovery_delta"],
        },
        declared={
            "unit": values["unit"],
            "rows_per_unit": values["rows_per_unit"],
            "unprotected": unprotected,
        },
        groups=groups,
    )


def agree(left: Any, right: Any) -> bool:
    """Whether two documents say the same: prose may be worded differently, numbers differ by rounding."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(
            _is_prose(left[key], right[key]) if key in _PROSE else agree(left[key], right[key]) for key in left
        )
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(agree, left, right))
    if _is_number(left) and _is_number(right):
        return math.isclose(left, right, rel_tol=1e-6, abs_tol=0)
    return type(left) is type(right) and left == right


def _totals(ledger: Statement) -> dict[str, Any]:
    totals = {}
    for door in sorted({entry.door for entry in ledger.entries}):
        entries = [entry for entry in ledger.entries if entry.door == door]
        cost = math.fsum(entry.cost for entry in entries)
        totals[str(door)] = {
            "releases": len(entries),
            "renyi_divergence": cost,
            "share_of_budget": cost / ledger.budget,
            "discovery_delta": math.fsum(entry.delta for entry in entries),
        }
    return totals


def _grouped(ledger: Statement) -> list[Group]:
    groups: dict[tuple[Any, ...], Group] = {}
    for entry in ledger.entries:
        event = event_to_json(entry.event)
        key = (entry.door, entry.mechanism, repr(event), entry.delta, entry.state)
        group = groups.setdefault(key, Group(entry.door, entry.mechanism, event, entry.delta, entry.state, {}))
        group.what[entry.what] = group.what.get(entry.what, 0) + 1
    return list(groups.values())


def _entry(group: Group) -> dict[str, Any]:
    return {
        "door": group.door,
        "mechanism": group.mechanism,
        "event": group.event,
        "delta": group.delta,
        "state": group.state,
        "count": sum(group.what.values()),
        "what": dict(group.what),
    }


def _group(values: Any) -> Group:
    _keys(values, "door mechanism event delta state count what")
    what = values["what"]
    texts = [values["mechanism"], *what]
    counts = list(what.values())
    if not all(isinstance(text, str) for text in texts) or not all(type(count) is int for count in counts):
        raise TypeError
    if values["state"] not in ("reserved", "spent") or not counts or min(counts) < 1 or sum(counts) != values["count"]:
        raise ValueError
    if type(values["door"]) is not int or not _is_number(values["delta"]):
        raise TypeError
    return Group(values["door"], values["mechanism"], values["event"], values["delta"], values["state"], what)


def _keys(values: Any, names: str) -> None:
    if not isinstance(values, dict) or set(values) != set(names.split()):
        raise ValueError


def _is_prose(value: Any, example: Any) -> bool:
    if isinstance(example, dict):
        return (
            isinstance(value, dict)
            and value.keys() == example.keys()
            and all(_is_prose(text, "") for text in value.values())
        )
    return isinstance(value, str) and value != ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

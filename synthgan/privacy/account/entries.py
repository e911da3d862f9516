"""What a ledger is made of: its entries, one for each release, and all that it states of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from dp_accounting import DpEvent

STATISTICS, MARGINALS, NEURAL = 1, 2, 3
DOOR_NAMES = {STATISTICS: "column statistics", MARGINALS: "marginals", NEURAL: "neural critic"}
"""The doors that private data is looked at through."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One release in a ledger.

    Attributes:
        id: its number, counted from 0.
        door: one of `DOOR_NAMES`.
        mechanism: name of the mechanism.
        what: what was released, without any value of the data.
        event: what dp-accounting composes.
        delta: probability with which the event's bound may fail, paid from the ledger's discovery delta.
        cost: Renyi divergence of the event at the ledger's order.
        state: "reserved" until the mechanism has run. Both states count as spent.
    """

    id: int
    door: int
    mechanism: str
    what: str
    event: DpEvent
    delta: float
    cost: float
    state: Literal["reserved", "spent"] = "reserved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a ledger states at one moment: the promise, whom it protects, how it is composed, and what was spent.

    Attributes:
        epsilon: the promise.
        delta: the promise.
        unit: "row" or the column of the persons, None where it was not declared.
        rows_per_unit: the most rows of a unit that any release counts on, None where it was not declared.
        unprotected: quantities that are published as they are.
        order: the Renyi order of the filter.
        budget: Renyi divergence at that order that may be spent.
        conversion_delta: the delta at which the divergence is converted.
        discovery_delta: what the releases' own deltas may add up to.
        spent: Renyi divergence of all entries.
        spent_delta: sum of the entries' own deltas.
        spent_epsilon: the epsilon that the entries add up to.
        entries: all releases, in order.
    """

    epsilon: float
    delta: float
    unit: str | None
    rows_per_unit: int | None
    unprotected: tuple[str, ...]
    order: float
    budget: float
    conversion_delta: float
    discovery_delta: float
    spent: float
    spent_delta: float
    spent_epsilon: float
    entries: tuple[Entry, ...]

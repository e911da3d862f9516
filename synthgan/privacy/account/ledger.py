"""One fit's privacy account: every release is reserved here before it touches data, and refused if it would overshoot.

The account is kept at one Renyi order, fixed before any data is read. Costs at one order add up even when each release
is chosen after seeing those before it, so a release is accepted as long as the sum stays within the divergence that
implies the promised epsilon: a Renyi filter (Feldman and Zrnic 2021, "Individual Privacy Accounting via a Renyi
Filter"; Lecuyer 2021, "Practical Privacy Filters and Odometers with Renyi Differential Privacy"). Releases that hold
with probability ``1 - delta`` only (category discovery) pay their delta from a part of the target delta set aside at
the start; deltas add up (Whitehouse et al. 2023, "Fully-Adaptive Composition in Differential Privacy").
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from synthgan.errors import BudgetError, ModelFileError, PrivacyError, SettingsError
from synthgan.privacy.account import ledger_document
from synthgan.privacy.account.entries import DOOR_NAMES, Entry, Statement
from synthgan.privacy.account.events import (
    budget_at,
    check_order,
    epsilon_of,
    event_from_json,
    event_to_json,
    plan_order,
    renyi_cost,
)
from synthgan.privacy.account.journal import Journal
from synthgan.privacy.account.parameters import ROW, check_delta, check_epsilon, check_unit

if TYPE_CHECKING:
    from dp_accounting import DpEvent

SLACK = 1e-9
"""Share of the budget kept back from planners, so that the parts of a budget that was split may add up to it in spite
of rounding. The promise is never exceeded by it."""


class Ledger:
    """The account of one fit.

    Args:
        epsilon: the promise.
        delta: the promise; a constant fixed before data is touched.
        order: the Renyi order of the filter, None for the best one for zCDP mechanisms (see
            `synthgan.privacy.account.events.plan_order`); fixed here, before data is touched.
        discovery_delta: the part of ``delta`` set aside for releases that have a delta of their own.
        journal: a new file that every change is written to before it counts; None for an account in memory only.

    Raises:
        SettingsError: when a number is out of range, or no guarantee of that epsilon exists at this order.
        PrivacyError: when the journal exists already (see `resume`).
        OutputError: when the journal cannot be written.

    Example:
        >>> from dp_accounting import ZCDpEvent
        >>> from synthgan.privacy.account.ledger import Ledger
        >>> ledger = Ledger(1.0, 1e-5)
        >>> half = ZCDpEvent(ledger.remaining_rho / 2)
        >>> entry = ledger.reserve(half, door=1, mechanism="discrete Gaussian", what="counts of 'income'")
        >>> ledger.settle(entry)
        >>> ledger.fits(half), ledger.fits(ZCDpEvent(3 * half.rho)), ledger.spent_epsilon() < 1.0
        (True, False, True)
    """

    def __init__(
        self,
        epsilon: float,
        delta: float,
        *,
        order: float | None = None,
        discovery_delta: float = 0.0,
        journal: str | os.PathLike[str] | None = None,
    ) -> None:
        self.epsilon = check_epsilon(epsilon)
        self.delta = check_delta(delta)
        if not isinstance(discovery_delta, int | float) or not 0 <= discovery_delta < self.delta:
            raise SettingsError(f"discovery_delta must be at least 0 and below delta, got {discovery_delta!r}.")
        self.discovery_delta = float(discovery_delta)
        self.conversion_delta = self.delta - self.discovery_delta * (1 + SLACK)
        if self.conversion_delta <= 0:
            raise SettingsError("discovery_delta must leave a part of delta for everything else.")
        self.order = plan_order(self.epsilon, self.conversion_delta) if order is None else check_order(order)
        self.budget = budget_at(self.epsilon, self.conversion_delta, self.order)
        if self.budget <= 0:
            raise SettingsError(
                f"no guarantee of epsilon {self.epsilon:g} at delta {self.conversion_delta:g} can be kept at order "
                f"{self.order:g}; leave the order to be chosen."
            )
        self.unit: str | None = None
        self.rows_per_unit: int | None = None
        self.unprotected: tuple[str, ...] = ()
        self._entries: list[Entry] = []
        self._progress: dict[int, int] = {}
        self._sealed = False
        self._journal: Journal | None = None
        if journal is not None:
            self._journal = Journal.create(journal, {"ledger": 1, **self._terms()})

    @classmethod
    def resume(cls, journal: str | os.PathLike[str]) -> Ledger:
        """The account that a journal tells of, which goes on in the same file.

        Releases that were reserved and not finished count as spent: nobody knows how far they came.

        Raises:
            PrivacyError: when the journal is missing or damaged.
        """
        file, lines = Journal.reopen(journal)
        try:
            first, *rest = lines
            if first.pop("ledger") != 1:
                raise ValueError
            ledger = cls(**first)
            for line in rest:
                ((kind, values),) = line.items()
                if kind == "reserve":
                    event = event_from_json(values.pop("event"))
                    if ledger.reserve(event, **{k: v for k, v in values.items() if k != "id"}).id != values["id"]:
                        raise ValueError
                elif kind == "settle":
                    ledger.settle(next(entry for entry in ledger.entries if entry.id == values))
                elif kind == "progress":
                    ledger.progress(next(entry for entry in ledger.entries if entry.id == values["id"]), values["done"])
                elif kind == "declare":
                    ledger.declare(**values)
                else:
                    raise ValueError
        except (KeyError, TypeError, ValueError, StopIteration, AttributeError):
            raise PrivacyError(
                f"'{os.fspath(journal)}' is no whole journal of a ledger of this version of synthgan; restore it from "
                "a copy, or count its fit as spent in full and start a new one"
            ) from None
        ledger._journal = file
        return ledger

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All releases so far, in order."""
        return tuple(self._entries)

    @property
    def spent(self) -> float:
        """Renyi divergence at the ledger's order of everything reserved or spent."""
        return math.fsum(entry.cost for entry in self._entries)

    @property
    def spent_delta(self) -> float:
        """Sum of the releases' own deltas."""
        return math.fsum(entry.delta for entry in self._entries)

    @property
    def remaining(self) -> float:
        """Renyi divergence at the ledger's order that may still be spent; may be split at will (see `SLACK`)."""
        return max(0.0, self.budget * (1 - SLACK) - self.spent)

    @property
    def remaining_rho(self) -> float:
        """The largest rho of a zCDP release that still fits."""
        return self.remaining / self.order

    @property
    def remaining_delta(self) -> float:
        """What is left of the discovery delta."""
        return max(0.0, self.discovery_delta - self.spent_delta)

    def fits(self, event: DpEvent, *, delta: float = 0.0) -> bool:
        """Whether `reserve` would accept this.

        Raises:
            PrivacyError: for an event that the ledger does not know.
        """
        try:
            return not self._sealed and self._fits(renyi_cost(event, self.order), delta)
        except BudgetError:
            return False

    def reserve(self, event: DpEvent, *, door: int, mechanism: str, what: str, delta: float = 0.0) -> Entry:
        """Enter a release that is about to be made; it counts from now on, whatever happens.

        Call this before the mechanism reads anything. With a journal, the entry is on the disk when this returns.

        Args:
            event: its cost.
            door: one of `synthgan.privacy.account.entries.DOOR_NAMES`.
            mechanism: name of the mechanism.
            what: what is released: names of columns, no value of the data.
            delta: probability with which the event's bound may fail.

        Raises:
            BudgetError: when it would overshoot the promise.
            PrivacyError: for an event that the ledger does not know, or when the journal belongs to someone else.
            OutputError: when the journal cannot be written.
        """
        if self._sealed:
            raise PrivacyError("this ledger is the record of a finished fit; a new release needs a ledger of its own")
        if door not in DOOR_NAMES:
            raise ValueError(f"door must be one of {tuple(DOOR_NAMES)}")
        if len(self._entries) >= ledger_document.MOST_RELEASES:
            raise BudgetError(
                f"a ledger keeps at most {ledger_document.MOST_RELEASES} releases; make fewer, larger ones"
            )
        cost = renyi_cost(event, self.order)
        entry = Entry(len(self._entries), door, mechanism, what, event, float(delta), cost)
        self._refuse_overshoot(entry)
        if self._journal is not None:
            values = {"id": entry.id, "door": door, "mechanism": mechanism, "what": what, "delta": entry.delta}
            self._journal.append({"reserve": {**values, "event": event_to_json(event)}})
        self._entries.append(entry)
        return entry

    def settle(self, entry: Entry) -> None:
        """Note that a reserved release was made.

        Raises:
            PrivacyError: when the entry is not reserved in this ledger.
        """
        if not entry.id < len(self._entries) or self._entries[entry.id] is not entry or entry.state != "reserved":
            raise PrivacyError("only a release that is reserved in this ledger can be settled, and only once")
        if self._journal is not None:
            self._journal.append({"settle": entry.id})
        self._entries[entry.id] = dataclasses.replace(entry, state="spent")

    def progress(self, entry: Entry, done: int) -> None:
        """Note how many parts of a release of many parts will have been made, before they are; they count from now on.

        Raises:
            PrivacyError: when the entry is not reserved in this ledger, or the figure falls.
        """
        if not entry.id < len(self._entries) or self._entries[entry.id] is not entry or entry.state != "reserved":
            raise PrivacyError("only a release that is reserved in this ledger makes progress")
        if not isinstance(done, int) or done < self.progress_of(entry):
            raise PrivacyError("the progress of a release never falls")
        if self._journal is not None:
            self._journal.append({"progress": {"id": entry.id, "done": done}})
        self._progress[entry.id] = done

    def progress_of(self, entry: Entry) -> int:
        """What was last noted of a release, 0 when nothing was."""
        return self._progress.get(entry.id, 0)

    def declare(
        self, *, unit: str | None = None, rows_per_unit: int | None = None, unprotected: Sequence[str] = ()
    ) -> None:
        """State whom the guarantee protects and what it does not cover; shown with the account.

        Args:
            unit: "row" or the column of the persons.
            rows_per_unit: the most rows of a unit that any release counts on.
            unprotected: quantities that are published as they are, one phrase each; added to those declared before.

        Raises:
            SettingsError: when a value is out of range.
            PrivacyError: when releases were already made for other units or another number of rows per unit.
        """
        new_unit = self.unit if unit is None else unit
        new_rows = self.rows_per_unit if rows_per_unit is None else rows_per_unit
        check_unit(new_unit or "?", 1 if new_rows is None else new_rows)  # each may be declared before the other
        changed = self.unit not in (None, new_unit) or self.rows_per_unit not in (None, new_rows)
        if changed and self._entries:
            raise PrivacyError("releases were made for another unit; all releases of a fit protect the same one")
        added = tuple(dict.fromkeys(text for text in unprotected if text not in self.unprotected))
        if self._journal is not None and (added or (new_unit, new_rows) != (self.unit, self.rows_per_unit)):
            values = {"unit": new_unit, "rows_per_unit": new_rows, "unprotected": list(added)}
            self._journal.append({"declare": values})
        self.unit, self.rows_per_unit, self.unprotected = new_unit, new_rows, self.unprotected + added

    def guarantee(self) -> tuple[float, float]:
        """The promised epsilon and delta, which hold whatever was released."""
        return self.epsilon, self.delta

    def spent_epsilon(self) -> float:
        """The epsilon, at the promised delta, that all reservations so far add up to; never above the promise."""
        return epsilon_of(self.spent, self.order, self.conversion_delta)

    def in_words(self) -> str:
        """Epsilon, delta and whom they protect in a sentence, for model cards, reports and the command line."""
        rows = self.rows_per_unit or 1
        each = "each row" if self.unit in (None, ROW) else f"each person in '{self.unit}'"
        limit = "" if each == "each row" else f", of whom at most {rows} {'row was' if rows == 1 else 'rows were'} used"
        return f"differential privacy, epsilon {self.epsilon:g}, delta {self.delta:g}, for {each}{limit}"

    def to_json(self) -> dict[str, Any]:
        """The account for a model file: equal releases are counted, not repeated. See `ledger_document`."""
        return ledger_document.write(self._statement())

    @classmethod
    def from_json(cls, values: Any) -> Ledger:
        """The account that `to_json` wrote; a record, which accepts no further release.

        Raises:
            ModelFileError: when anything in it is missing, unknown or at odds with the rest.
        """
        try:
            document = ledger_document.read(values)
            ledger = cls(**document.terms)
            ledger.declare(**document.declared)
            for group in document.groups:
                event = event_from_json(group.event)
                for what in group.expanded():
                    entry = ledger.reserve(
                        event, door=group.door, mechanism=group.mechanism, what=what, delta=group.delta
                    )
                    if group.state == "spent":
                        ledger.settle(entry)
            if not ledger_document.agree(values, ledger.to_json()):
                raise ValueError
        except (PrivacyError, SettingsError, KeyError, TypeError, ValueError, AttributeError, OverflowError):
            raise ModelFileError(
                "the privacy ledger is damaged, altered or of another version of synthgan; do not rely on its guarantee"
            ) from None
        ledger._sealed = True
        return ledger

    def _statement(self) -> Statement:
        return Statement(
            epsilon=self.epsilon,
            delta=self.delta,
            unit=self.unit,
            rows_per_unit=self.rows_per_unit,
            unprotected=self.unprotected,
            order=self.order,
            budget=self.budget,
            conversion_delta=self.conversion_delta,
            discovery_delta=self.discovery_delta,
            spent=self.spent,
            spent_delta=self.spent_delta,
            spent_epsilon=self.spent_epsilon(),
            entries=self.entries,
        )

    def _terms(self) -> dict[str, float]:
        names = ("epsilon", "delta", "order", "discovery_delta")
        return {name: getattr(self, name) for name in names}

    def _fits(self, cost: float, delta: float) -> bool:
        return self._cost_fits(cost) and self._delta_fits(delta)

    def _cost_fits(self, cost: float) -> bool:
        return math.fsum([*(entry.cost for entry in self._entries), cost]) <= self.budget

    def _delta_fits(self, delta: float) -> bool:
        total = math.fsum([*(entry.delta for entry in self._entries), delta])
        return delta >= 0 and total <= self.discovery_delta * (1 + SLACK)

    def _refuse_overshoot(self, entry: Entry) -> None:
        if not self._cost_fits(entry.cost):
            left = self.remaining / self.budget
            raise BudgetError(
                f"{entry.mechanism} of {entry.what} would take {entry.cost / self.budget:.1%} of the privacy budget, "
                f"of which {left:.1%} is left; it was refused before any data was read for it"
            )
        if not self._delta_fits(entry.delta):
            raise BudgetError(
                f"{entry.mechanism} of {entry.what} would take a delta of {entry.delta:.3g}, but "
                f"{self.remaining_delta:.3g} of the {self.discovery_delta:.3g} set aside for discovery is left; it was "
                "refused before any data was read for it"
            )

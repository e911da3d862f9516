"""The updates of DP-SGD in a ledger: one entry, reserved before any row is read, and how many of them were taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from synthgan.errors import PrivacyError
from synthgan.privacy.account.entries import NEURAL
from synthgan.privacy.account.ledger import Ledger

if TYPE_CHECKING:
    from dp_accounting import DpEvent

DP_SGD = "DP-SGD"
"""Name of the mechanism in ledgers."""


class UpdateAccount(Protocol):
    """Who is asked before the private critic updates its weights."""

    @property
    def n_journalled(self) -> int:
        """The last figure told to `journal`, by an earlier run or this one: so many updates count as taken."""

    def reserve(self, event: DpEvent) -> None:
        """Be told, before any row is read, what all updates together cost; refuse by raising."""

    def journal(self, n_updates: int) -> None:
        """Be told, before updates are taken, how many will have been."""


class LedgerUpdates:
    """The updates' account in a fit's ledger. On resuming it finds the entry of the first run.

    Args:
        ledger: of the fit.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._entry = next((entry for entry in ledger.entries if entry.mechanism == DP_SGD), None)

    @property
    def n_journalled(self) -> int:
        """See `UpdateAccount.n_journalled`."""
        return 0 if self._entry is None else self._ledger.progress_of(self._entry)

    def check(self, event: DpEvent) -> None:
        """Refuse the ledger of another fit.

        Raises:
            PrivacyError: when an earlier run reserved something else.
        """
        if self._entry is not None and self._entry.event != event:
            raise PrivacyError("the ledger's journal belongs to another fit than the checkpoint beside it")

    def reserve(self, event: DpEvent) -> None:
        """Enter the event, unless an earlier run did.

        Raises:
            BudgetError: when it would overshoot the promise.
            PrivacyError: when an earlier run reserved something else.
        """
        self.check(event)
        if self._entry is None:
            self._entry = self._ledger.reserve(event, door=NEURAL, mechanism=DP_SGD, what="gradients of the critic")

    def journal(self, n_updates: int) -> None:
        """See `UpdateAccount.journal`; on the disk when it returns, where the ledger has a journal."""
        assert self._entry is not None
        self._ledger.progress(self._entry, n_updates)

    def settle(self) -> None:
        """Note that the fit is done, where updates were reserved."""
        if self._entry is not None and self._entry.state == "reserved":
            self._ledger.settle(self._entry)
            self._entry = self._ledger.entries[self._entry.id]

"""The updates of DP-SGD in a ledger: reserved once, counted through kills, settled at the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from synthgan.errors import BudgetError, PrivacyError
from synthgan.privacy.account.ledger import Ledger
from synthgan.privacy.account.updates import DP_SGD, LedgerUpdates
from synthgan.privacy.dp_sgd_plan import DpSgdPlan

PLAN = DpSgdPlan(sampling_rate=0.1, noise_multiplier=4.0, max_grad_norm=1.0, n_updates=20)


def test_updates_are_one_entry_through_kills(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    ledger = Ledger(4.0, 1e-5, journal=journal)
    updates = LedgerUpdates(ledger)
    assert updates.n_journalled == 0
    updates.reserve(PLAN.event())
    updates.journal(5)
    updates.journal(10)

    again = LedgerUpdates(Ledger.resume(journal))
    assert again.n_journalled == 10
    again.reserve(PLAN.event())
    again.journal(20)
    again.settle()
    again.settle()
    (entry,) = Ledger.resume(journal).entries
    assert (entry.door, entry.mechanism, entry.state, entry.event.count) == (3, DP_SGD, "spent", 20)
    assert LedgerUpdates(Ledger.resume(journal)).n_journalled == 20
    with pytest.raises(PrivacyError, match="makes progress"):
        again.journal(21)


def test_another_plan_and_a_full_ledger_are_refused() -> None:
    ledger = Ledger(4.0, 1e-5)
    LedgerUpdates(ledger).reserve(PLAN.event())
    other = DpSgdPlan(sampling_rate=0.1, noise_multiplier=4.0, max_grad_norm=1.0, n_updates=21)
    LedgerUpdates(ledger).check(PLAN.event())
    for ask in (LedgerUpdates(ledger).check, LedgerUpdates(ledger).reserve):
        with pytest.raises(PrivacyError, match="journal belongs to another fit"):
            ask(other.event())
    assert len(ledger.entries) == 1
    small = Ledger(0.01, 1e-5)
    with pytest.raises(BudgetError):
        LedgerUpdates(small).reserve(PLAN.event())
    LedgerUpdates(small).settle()
    assert not small.entries

"""A guarantee in a sentence, for model cards, reports and the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from synthgan.privacy.account.ledger import Ledger

DOOR_NAMES = {1: "column statistics", 2: "marginals", 3: "neural critic"}


def in_words(ledger: Ledger) -> str:
    """Epsilon, delta and whom they protect."""
    rows = ledger.rows_per_unit or 1
    each = "each row" if ledger.unit in (None, "row") else f"each person in '{ledger.unit}'"
    limit = "" if each == "each row" else f", of whom at most {rows} {'row was' if rows == 1 else 'rows were'} used"
    return f"differential privacy, epsilon {ledger.epsilon:g}, delta {ledger.delta:g}, for {each}{limit}"

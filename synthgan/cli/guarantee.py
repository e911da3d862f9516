"""A privacy guarantee and its ledger, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthgan.cli.messages import say, table
from synthgan.privacy.account.entries import DOOR_NAMES

if TYPE_CHECKING:
    from synthgan.privacy.account.ledger import Ledger

NO_GUARANTEE = "none: nothing is proved about what the file tells about any one row"


def show_spending(ledger: Ledger) -> None:
    """Print what the budget went to."""
    shares: dict[tuple[int, str], list[float]] = {}
    for entry in ledger.entries:
        shares.setdefault((entry.door, entry.mechanism), []).append(entry.cost / ledger.budget)
    rows = [
        (DOOR_NAMES[door], mechanism, f"{len(each):,}", f"{sum(each):.1%}")
        for (door, mechanism), each in sorted(shares.items())
    ]
    table(("door", "mechanism", "releases", "of the budget"), rows)
    say()


def unprotected(ledger: Ledger) -> list[tuple[str, str]]:
    """What the guarantee does not cover, a fact each."""
    return [("not covered", quantity) for quantity in ledger.unprotected]

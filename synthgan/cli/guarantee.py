"""A privacy guarantee and its ledger, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from synthgan.cli.messages import table

if TYPE_CHECKING:
    from synthgan.privacy.ledger import Ledger

NO_GUARANTEE = "none: nothing is proved about what the file tells about any one row"

_DOORS = {1: "column statistics", 2: "marginals", 3: "neural critic"}


def in_words(ledger: Ledger) -> str:
    """Epsilon, delta and whom they protect."""
    rows = ledger.rows_per_unit or 1
    each = "each row" if ledger.unit in (None, "row") else f"each person in '{ledger.unit}'"
    limit = "" if each == "each row" else f", of whom at most {rows} {'row was' if rows == 1 else 'rows were'} used"
    return f"differential privacy, epsilon {ledger.epsilon:g}, delta {ledger.delta:g}, for {each}{limit}"


def show_spending(ledger: Ledger) -> None:
    """Print what the budget went to."""
    shares: dict[tuple[int, str], list[float]] = {}
    for entry in ledger.entries:
        shares.setdefault((entry.door, entry.mechanism), []).append(entry.cost / ledger.budget)
    rows = [
        (_DOORS[door], mechanism, f"{len(each):,}", f"{sum(each):.1%}")
        for (door, mechanism), each in sorted(shares.items())
    ]
    table(("door", "mechanism", "releases", "of the budget"), rows)
    click.echo()


def unprotected(ledger: Ledger) -> list[tuple[str, str]]:
    """What the guarantee does not cover, a fact each."""
    return [("not covered", quantity) for quantity in ledger.unprotected]

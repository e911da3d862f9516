"""What several fits on one table come to: the fits of a ledger file, their joint guarantee, and both as JSON values."""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from synthgan.errors import SettingsError
from synthgan.privacy.account.parameters import ADJACENCY, check_delta, check_epsilon, check_unit

FORMAT = "synthgan-ledger"
VERSION = 1
COMPOSITION = (
    "Basic composition: epsilons add up, and so do deltas, also when a fit is planned after seeing the results of the "
    "fits before it (Rogers et al. 2016). A fit counts in full from the moment it starts; one that was killed stays "
    "reserved and counts too."
)


@dataclass(frozen=True, slots=True)
class Fit:
    """One fit's whole promise.

    Attributes:
        id: a random name.
        state: "reserved" from before the data is read, "spent" when it is done; both count.
        epsilon: its epsilon.
        delta: its delta.
        rows_per_unit: most rows of a unit that it used.
        what: a note.
        reserved_at: when it started (UTC).
    """

    id: str
    state: str
    epsilon: float
    delta: float
    rows_per_unit: int
    what: str
    reserved_at: str


@dataclass(frozen=True, slots=True)
class Account:
    """What a ledger file says.

    Attributes:
        table: the name of the table in this file: random, or one that a person chose.
        unit: whom all its fits protect.
        cap_epsilon: what the epsilons may add up to, None for no limit.
        cap_delta: what the deltas may add up to, None for no limit.
        fits: all fits so far.
    """

    table: str
    unit: str
    cap_epsilon: float | None
    cap_delta: float | None
    fits: tuple[Fit, ...] = ()

    def guarantee(self) -> tuple[float, float]:
        """Joint epsilon and delta of all fits, finished or not; delta at most 1."""
        return _total(fit.epsilon for fit in self.fits), min(1.0, _total(fit.delta for fit in self.fits))


def new_fit(epsilon: float, delta: float, unit: str, rows_per_unit: int, *, what: str) -> Fit:
    """A fit that is about to be reserved, with a random name.

    Raises:
        SettingsError: when a value is out of range.
    """
    check_unit(unit, rows_per_unit)
    return Fit(
        id=secrets.token_hex(8),
        state="reserved",
        epsilon=check_epsilon(epsilon),
        delta=check_delta(delta),
        rows_per_unit=int(rows_per_unit),
        what=what,
        reserved_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )


def new_account(table: str | None, unit: str, cap_epsilon: float | None, cap_delta: float | None) -> Account:
    """An account without fits.

    Raises:
        SettingsError: when a value is out of range.
    """
    if table is not None and (not isinstance(table, str) or not table):
        raise SettingsError("table must be a name, or None for a random one.")
    check_unit(unit, 1)
    return Account(
        table=f"table-{secrets.token_hex(4)}" if table is None else table,
        unit=unit,
        cap_epsilon=None if cap_epsilon is None else check_epsilon(cap_epsilon),
        cap_delta=None if cap_delta is None else check_delta(cap_delta),
    )


def account_to_json(account: Account) -> dict[str, Any]:
    """The content of the file."""
    epsilon, delta = account.guarantee()
    return {
        "format": FORMAT,
        "version": VERSION,
        "table": account.table,
        "unit": account.unit,
        "adjacency": ADJACENCY,
        "joint_guarantee": {"epsilon": epsilon, "delta": delta},
        "composition": COMPOSITION,
        "cap": {"epsilon": account.cap_epsilon, "delta": account.cap_delta},
        "fits": [asdict(fit) for fit in account.fits],
    }


def account_from_json(values: Any) -> Account:
    """The account that `account_to_json` wrote.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, ArithmeticError, SettingsError: when the values are none.
    """
    account = new_account(values["table"], values["unit"], values["cap"]["epsilon"], values["cap"]["delta"])
    fits = tuple(Fit(**fit) for fit in values["fits"])
    for fit in fits:
        check_unit(account.unit, fit.rows_per_unit)
        texts = (fit.id, fit.what, fit.reserved_at)
        if fit.state not in ("reserved", "spent") or not all(isinstance(text, str) for text in texts):
            raise ValueError
        if (check_epsilon(fit.epsilon), check_delta(fit.delta)) != (fit.epsilon, fit.delta):
            raise ValueError
    if len({fit.id for fit in fits}) < len(fits):
        raise ValueError
    return replace(account, fits=fits)


def _total(parts: Iterator[float]) -> float:
    """The sum of numbers as people write them: ten times 0.1 is 1, and a cap of 1 is not passed."""
    total = float(sum((Decimal(repr(part)) for part in parts), Decimal(0)))
    return total if math.isfinite(total) else math.inf

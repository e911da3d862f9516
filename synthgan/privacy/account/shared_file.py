"""A file that composes several fits on one table: tuning runs, seeds, yesterday's release.

Each fit's promise holds by itself; together they cost more. The file lists the fits and adds their epsilons and their
deltas up: basic composition, which stays true when a fit's budget is chosen after seeing the fits before it (Rogers,
Roth, Ullman and Vadhan 2016, "Privacy Odometers and Filters"). The file holds nothing of the table, no fingerprint
either: a person says that the fits that share it are on one table.

The file is not signed. Totals that do not add up are refused, and so is a file that lacks fits which its lock remembers
(`synthgan.privacy.account.shared_file_lock`); who takes fits out, mends the totals and deletes the lock is believed.
"""

from __future__ import annotations

import json
import math
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from synthgan.errors import BudgetError, OutputError, PrivacyError, SettingsError, SynthganError
from synthgan.privacy.account.journal import PRIVATE_MODE, sync_folder
from synthgan.privacy.account.parameters import ADJACENCY, ROW, check_delta, check_epsilon, check_unit
from synthgan.privacy.account.shared_file_lock import locked, memory_of
from synthgan.strict_json import parse_json

FORMAT = "synthgan-ledger"
VERSION = 1
COMPOSITION = (
    "Basic composition: epsilons add up, and so do deltas, also when a fit is planned after seeing the results of the "
    "fits before it (Rogers et al. 2016). A fit counts in full from the moment it starts; one that was killed stays "
    "reserved and counts too."
)
LOCK_SECONDS = 30.0
MOST_BYTES = 64 * 2**20
"""A file of a hundred thousand fits is smaller."""

T = TypeVar("T")


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


class LedgerFile:
    """A ledger file on disk: JSON, readable by its owner only, replaced whole, locked while it is read and written.

    Several fits may run at once: each reserves its promise under the lock before it reads data. (Locks need
    a POSIX system; elsewhere let one fit at a time use the file.)

    Args:
        path: the file; it need not exist yet.

    Example:
        >>> from synthgan.privacy.account.shared_file import LedgerFile
        >>> file = LedgerFile.create("fits.json", cap_epsilon=3.0)
        >>> file.read().guarantee(), file.read().cap_epsilon
        ((0.0, 0.0), 3.0)
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        *,
        table: str | None = None,
        unit: str = ROW,
        cap_epsilon: float | None = None,
        cap_delta: float | None = None,
    ) -> LedgerFile:
        """A new file without fits.

        Args:
            path: where it is to stand.
            table: a name for the table, which anyone who reads the file sees; None for a random one.
            unit: "row" or the column of the persons, for all fits.
            cap_epsilon: refuse fits whose epsilons would add up to more.
            cap_delta: refuse fits whose deltas would add up to more.

        Raises:
            SettingsError: when a value is out of range.
            OutputError: when the file exists already or cannot be written.
        """
        file = cls(path)
        account = _new_account(table, unit, cap_epsilon, cap_delta)

        def begin(found: Account | None) -> tuple[Account, None]:
            if found is not None:
                raise OutputError(f"the ledger file '{file.path}' exists already; use it, or choose another name")
            return account, None

        file._change(begin)
        return file

    def read(self) -> Account:
        """What the file says.

        Raises:
            PrivacyError: when it is missing or damaged.
        """
        account = self._found()
        if account is None:
            raise PrivacyError(f"there is no ledger file '{self.path}'; the first fit that names it creates it")
        return account

    def guarantee(self) -> tuple[float, float]:
        """Joint epsilon and delta of all fits in the file, finished or not.

        Raises:
            PrivacyError: when the file is missing or damaged.
        """
        return self.read().guarantee()

    def check(self, epsilon: float, delta: float, *, unit: str = ROW, rows_per_unit: int = 1) -> None:
        """Raise what `reserve` would raise now, and change nothing."""
        from synthgan.tables.files.outputs import check_output

        check_output(self.path, force=True)
        self._with(self._found(), _new_fit(epsilon, delta, unit, rows_per_unit, what=""), unit)

    def reserve(self, epsilon: float, delta: float, *, unit: str = ROW, rows_per_unit: int = 1, what: str = "") -> Fit:
        """Enter a fit's whole promise, before it releases anything. Creates the file when there is none.

        Args:
            epsilon: its epsilon.
            delta: its delta.
            unit: whom it protects; the same for all fits in a file.
            rows_per_unit: most rows of a unit that it uses.
            what: a note, without any value of the data.

        Raises:
            SettingsError: when a value is out of range.
            BudgetError: when the file has a cap that the fit would pass.
            PrivacyError: when the file is damaged, busy, has lost fits or several names, or is about another unit.
            OutputError: when the file cannot be written.
        """
        fit = _new_fit(epsilon, delta, unit, rows_per_unit, what=what)
        return self._change(lambda found: (self._with(found, fit, unit), fit))

    def settle(self, fit: Fit | str) -> None:
        """Note that a reserved fit is done. It costs the same; the file only shows that it was not killed.

        Raises:
            PrivacyError: when the fit is not reserved in this file, or the file is damaged or busy.
            OutputError: when the file cannot be written.
        """
        wanted = fit if isinstance(fit, str) else fit.id

        def finish(found: Account | None) -> tuple[Account, None]:
            fits = found.fits if found is not None else ()
            if found is None or (wanted, "reserved") not in [(other.id, other.state) for other in fits]:
                raise PrivacyError(f"the ledger file '{self.path}' has no such reserved fit; was it replaced?")
            done = tuple(replace(other, state="spent") if other.id == wanted else other for other in fits)
            return replace(found, fits=done), None

        self._change(finish)

    @contextmanager
    def fit(
        self, epsilon: float, delta: float, *, unit: str = ROW, rows_per_unit: int = 1, what: str = ""
    ) -> Iterator[Fit]:
        """`reserve`, and `settle` when the block ends well; a block that fails leaves its fit reserved."""
        entered = self.reserve(epsilon, delta, unit=unit, rows_per_unit=rows_per_unit, what=what)
        yield entered
        self.settle(entered)

    def _with(self, found: Account | None, fit: Fit, unit: str) -> Account:
        """The account with one fit more.

        Raises:
            PrivacyError: when the fit does not go with the others, or a cap is passed.
        """
        account = found or _new_account(None, unit, None, None)
        if account.unit != unit:
            raise PrivacyError(
                f"the fits of the ledger file '{self.path}' protect the unit '{account.unit}', this one '{unit}'; "
                "their guarantees do not add up: use another file"
            )
        account = replace(account, fits=(*account.fits, fit))
        for name, cap, total in zip(
            ("epsilon", "delta"), (account.cap_epsilon, account.cap_delta), account.guarantee(), strict=True
        ):
            if cap is not None and total > cap:
                raise BudgetError(
                    f"with this fit, {name} of the ledger file '{self.path}' would add up to {total:g}, above its cap "
                    f"of {cap:g}; the fit was refused before it read any data"
                )
        return account

    def _found(self) -> Account | None:
        """What the file says now, None when there is none."""
        from synthgan.tables.files.outputs import real_path

        target = real_path(self.path)
        memory = memory_of(target)  # first: fits may be added meanwhile
        account = _load(target)
        memory.check(target, _names(account))
        return account

    def _change(self, change: Callable[[Account | None], tuple[Account, T]]) -> T:
        """Read, change and replace the file while nobody else does."""
        from synthgan.tables.files.outputs import atomic_path, check_output, real_path

        check_output(self.path, force=True)
        target = real_path(self.path)
        with locked(target, timeout_seconds=LOCK_SECONDS) as held:
            found = _load(target)
            held.memory.check(target, _names(found))
            account, answer = change(found)
            with atomic_path(target, force=True) as temporary:
                temporary.chmod(PRIVATE_MODE)  # before a byte of it is written
                temporary.write_text(json.dumps(_to_json(account), indent=2) + "\n", encoding="utf-8")
            sync_folder(target)
            held.remember(_names(account))
        return answer


def _load(path: Path) -> Account | None:
    try:
        with path.open("rb") as file:
            n_names = os.fstat(file.fileno()).st_nlink
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError:
        raise PrivacyError(f"cannot read the ledger file '{path}'; run as the user who wrote it") from None
    if n_names > 1:
        raise PrivacyError(
            f"the ledger file '{path}' has {n_names} names (hard links), each of which would become an account of its "
            "own when a fit is entered; remove all but one, and use symbolic links instead"
        )
    try:
        values = parse_json(content, most_bytes=MOST_BYTES)
        account = _from_json(values)
        prose = values["composition"]  # may be worded otherwise by another version
        if not isinstance(prose, str) or values != _to_json(account) | {"composition": prose}:
            raise ValueError
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError, SynthganError):
        raise PrivacyError(
            f"'{path}' is no whole ledger file of this version of synthgan; restore it from a copy, as nobody knows "
            "what was spent"
        ) from None
    return account


def _names(account: Account | None) -> list[str]:
    return [] if account is None else [fit.id for fit in account.fits]


def _new_fit(epsilon: float, delta: float, unit: str, rows_per_unit: int, *, what: str) -> Fit:
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


def _new_account(table: str | None, unit: str, cap_epsilon: float | None, cap_delta: float | None) -> Account:
    if table is not None and (not isinstance(table, str) or not table):
        raise SettingsError("table must be a name, or None for a random one.")
    check_unit(unit, 1)
    return Account(
        table=f"table-{secrets.token_hex(4)}" if table is None else table,
        unit=unit,
        cap_epsilon=None if cap_epsilon is None else check_epsilon(cap_epsilon),
        cap_delta=None if cap_delta is None else check_delta(cap_delta),
    )


def _to_json(account: Account) -> dict[str, Any]:
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


def _from_json(values: Any) -> Account:
    account = _new_account(values["table"], values["unit"], values["cap"]["epsilon"], values["cap"]["delta"])
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

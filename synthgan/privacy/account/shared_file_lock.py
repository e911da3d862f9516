"""The lock of a ledger file, which remembers how many fits the ledger held when it was last written.

The lock stands in a file of its own beside the ledger (``.fits.json.lock``): the ledger is replaced whole, so it cannot
carry one. What it remembers is no signature. Whoever may write to the folder can change both files; it tells of a
ledger that was lost, restored from an old copy, or had a fit taken out.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from synthgan.errors import OutputError, PrivacyError
from synthgan.privacy.account.journal import PRIVATE_MODE, lock

MOST_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Memory:
    """What a lock remembers of its ledger.

    Attributes:
        n_fits: how many fits it held.
        last: the name of the last one, None when there was none.
    """

    n_fits: int = 0
    last: str | None = None

    def check(self, ledger: Path, fits: Sequence[str]) -> None:
        """Refuse a ledger that lacks fits it once had.

        Args:
            ledger: its path.
            fits: names of the fits that it holds now, in order; none when it is missing.

        Raises:
            PrivacyError: when there were more, or the last one was another.
        """
        if len(fits) < self.n_fits or (self.n_fits and fits[self.n_fits - 1] != self.last):
            raise PrivacyError(
                f"the ledger file '{ledger}' has lost fits, of which '{lock_path(ledger)}' remembers {self.n_fits}; "
                "restore it from a newer copy, as nobody knows what was spent (and choose another name for the account "
                "of another table)"
            )


class Lock:
    """A lock that is held.

    Attributes:
        memory: what it remembered when it was taken.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.memory = _read(descriptor)

    def remember(self, fits: Sequence[str]) -> None:
        """Note which fits the ledger holds now."""
        memory = {"fits": len(fits), "last": fits[-1] if fits else None}
        content = json.dumps(memory).encode()
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        os.write(self._descriptor, content)
        os.ftruncate(self._descriptor, len(content))
        os.fsync(self._descriptor)


def lock_path(ledger: Path) -> Path:
    """Where the lock of a ledger file lies."""
    return ledger.with_name(f".{ledger.name}.lock")


def memory_of(ledger: Path) -> Memory:
    """What the lock of a ledger remembers, whoever holds it; to be asked before the ledger is read."""
    with suppress(OSError):
        descriptor = os.open(lock_path(ledger), os.O_RDONLY)
        try:
            return _read(descriptor)
        finally:
            os.close(descriptor)
    return Memory()


@contextmanager
def locked(ledger: Path, *, timeout_seconds: float) -> Iterator[Lock]:
    """Within the block no other process changes the ledger.

    Args:
        ledger: its real path, so that all links to one ledger share one lock.
        timeout_seconds: how long to wait for another process.

    Raises:
        OutputError: when the lock cannot be made.
        PrivacyError: when another process holds it for long.
    """
    patience = time.monotonic() + timeout_seconds
    while (descriptor := _taken(ledger)) is None:
        if time.monotonic() > patience:
            raise PrivacyError(f"another process holds the ledger file '{ledger}'; try again later")
        time.sleep(0.02)
    try:
        yield Lock(descriptor)
    finally:
        os.close(descriptor)


def _taken(ledger: Path) -> int | None:
    """The locked file; None when another process has it."""
    beside = lock_path(ledger)
    try:
        descriptor = os.open(beside, os.O_CREAT | os.O_RDWR, PRIVATE_MODE)
    except OSError:
        raise OutputError(f"cannot write '{beside}', the lock of the ledger file; check the folder") from None
    with suppress(BlockingIOError, FileNotFoundError):
        lock(descriptor, wait=False)
        if os.path.samestat(os.fstat(descriptor), beside.stat()):  # one that was deleted meanwhile keeps nobody out
            return descriptor
    os.close(descriptor)
    return None


def _read(descriptor: int) -> Memory:
    """Nothing where an earlier version made the lock, or a kill cut it short: it is a witness, not the account."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    try:
        values = json.loads(os.read(descriptor, MOST_BYTES))
        return Memory(max(0, int(values["fits"])), values["last"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return Memory()

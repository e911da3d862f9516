"""A ledger on disk while a fit runs: JSON lines, each forced to the disk before anything relies on it.

A journal names releases and their cost; it holds nothing of the table, and is readable by its owner only.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from synthgan.errors import OutputError, PrivacyError
from synthgan.strict_json import JsonError, parse_json

PRIVATE_MODE = 0o600


class Journal:
    """An append-only file of JSON objects, one a line. Made by `create` or `reopen`."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self._size = size
        self._broken = False

    @classmethod
    def create(cls, path: str | os.PathLike[str], header: Mapping[str, Any]) -> Journal:
        """A new journal with its first line.

        Raises:
            PrivacyError: when the file exists: what it says was spent must not be forgotten.
            OutputError: when it cannot be written.
        """
        path = Path(path)
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE_MODE))
        except FileExistsError:
            raise _used(path) from None
        except OSError as error:
            raise _unwritable(path, error) from None
        journal = cls(path, 0)
        journal.append(header)
        sync_folder(path)
        return journal

    @classmethod
    def reopen(cls, path: str | os.PathLike[str]) -> tuple[Journal, list[dict[str, Any]]]:
        """A journal to go on with, and its lines.

        A last line without an end was cut off by a kill. `append` had not returned, so nothing relied on it: it is
        removed.

        Raises:
            PrivacyError: when the file is missing, unreadable or damaged.
        """
        path = Path(path)
        try:
            with _locked(path) as descriptor:
                content = _read_all(descriptor)
                whole = content[: content.rfind(b"\n") + 1]
                if len(whole) < len(content):
                    os.ftruncate(descriptor, len(whole))
                    os.fsync(descriptor)
        except OSError as error:
            raise PrivacyError(
                f"cannot read the journal '{path}' ({_reason(error)}); without it nobody knows what was spent"
            ) from None
        lines = []
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                values = parse_json(line)
            except JsonError:
                values = None
            if not isinstance(values, dict):
                raise PrivacyError(f"line {number} of the journal '{path}' is damaged; restore the file from a copy")
            lines.append(values)
        return cls(path, len(whole)), lines

    def append(self, values: Mapping[str, Any]) -> None:
        """Write one line and force it to the disk.

        Raises:
            PrivacyError: when another process has written to the journal, or an earlier line could not be written.
            OutputError: when this one cannot be; nothing more is taken after that.
        """
        if self._broken:
            raise PrivacyError(f"a line of the journal '{self.path}' could not be written; resume the fit from it")
        line = json.dumps(values, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        try:
            with _locked(self.path) as descriptor:
                if os.fstat(descriptor).st_size != self._size:
                    raise PrivacyError(
                        f"another process has changed the journal '{self.path}'; let one fit at a time use it"
                    )
                self._broken = True
                os.lseek(descriptor, 0, os.SEEK_END)
                _write_all(descriptor, line)
                os.fsync(descriptor)
                self._broken = False
        except OSError as error:
            self._broken = True
            raise _unwritable(self.path, error) from None
        self._size += len(line)


def check_unused(path: str | os.PathLike[str]) -> None:
    """Refuse early what `Journal.create` would refuse.

    Raises:
        PrivacyError: when the file exists.
        OutputError: when it could not be written.
    """
    from synthgan.tables.files.outputs import check_output

    if os.path.lexists(path):
        raise _used(Path(path))
    check_output(path)


def sync_folder(path: Path) -> None:
    """Force the folder's entry of a new or replaced file to the disk, where the system can."""
    if sys.platform == "win32":
        return
    descriptor = os.open(path.resolve().parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def lock(descriptor: int, *, wait: bool = True) -> None:
    """Take the file for this process alone until it is closed, where the system has such locks.

    Raises:
        BlockingIOError: when ``wait`` is off and another process has it.
    """
    if sys.platform == "win32":
        return
    import fcntl

    fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR)
    try:
        lock(descriptor)
        yield descriptor
    finally:
        os.close(descriptor)


def _read_all(descriptor: int) -> bytes:
    parts = []
    while part := os.read(descriptor, 1 << 20):
        parts.append(part)
    return b"".join(parts)


def _write_all(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]


def _used(path: Path) -> PrivacyError:
    return PrivacyError(
        f"the journal '{path}' exists already and counts what an earlier fit spent; resume that fit, or name another "
        "file"
    )


def _unwritable(path: Path, error: OSError) -> OutputError:
    return OutputError(f"cannot write the journal '{path}' ({_reason(error)}); no budget is spent without it")


def _reason(error: OSError) -> str:
    return os.strerror(error.errno).lower() if error.errno else "the operating system refused"

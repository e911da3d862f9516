"""Outputs that appear whole or not at all: written beside their place under a hidden name, and moved when finished."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from synthgan.errors import OutputError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What the operating system says when there is no room left."""
UNFINISHED: set[Path] = set()
"""Temporary files and folders that are being written now, and vanish when an exception comes."""
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_LINKS_UNSUPPORTED = {
    errno.EPERM,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.ENOSYS,
    errno.EXDEV,
    errno.EMLINK,
    errno.EACCES,
}


def check_output(path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Fail early, before hours of work, when nothing could be written at ``path``.

    Raises:
        OutputError: when the file exists and ``force`` is off, or its folder is missing or not writable.
    """
    path = Path(path)
    if not path.name:
        raise OutputError("the output path is empty; name a file")
    with explained(path):
        if path.is_dir():
            raise OutputError(f"'{path}' is a folder; name a file inside it")
        if path.exists():
            if not path.is_file():
                raise OutputError(f"'{path}' is a device or a pipe; name an ordinary file")
            if not force:
                raise _exists(path)
        _check_place(path)


def is_text_path(path: Path) -> bool:
    """Whether a path is text, and not bytes that no text has; Arrow opens no other."""
    return not any("\ud800" <= character <= "\udfff" for character in str(path))


def make_folder(path: str | os.PathLike[str]) -> None:
    """Create a folder with its parents; an existing one is fine.

    Raises:
        OutputError: when something else stands there or it cannot be created.
    """
    path = Path(path)
    with explained(path):
        if path.exists() and not path.is_dir():
            raise OutputError(f"'{path}' exists and is not a folder; choose another name")
        path.mkdir(parents=True, exist_ok=True)


@contextmanager
def atomic_path(path: str | os.PathLike[str], *, force: bool = False) -> Iterator[Path]:
    """A temporary path to write to, which becomes ``path`` when the block ends well and vanishes when it does not.

    Args:
        path: where the file is to stand.
        force: replace a file that is already there.

    Yields:
        A path in the same folder, not yet existing.

    Raises:
        OutputError: when the file exists and ``force`` is off, or cannot be written (no folder, no permission, disk
            full); any `OSError` inside the block is taken to be about the output.
    """
    path = Path(path)
    check_output(path, force=force)
    target = real_path(path)  # a link keeps pointing at the file that is replaced
    temporary = target.with_name(f".synthgan-{secrets.token_hex(8)}.partial")
    UNFINISHED.add(temporary)
    try:
        with explained(path):
            # An empty file first: problems show now, and it takes the permissions that the user's umask asks for.
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            if force and target.exists():
                shutil.copymode(target, temporary)
            yield temporary
            _to_disk(temporary)
            _move(temporary, target, path, force=force)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        UNFINISHED.discard(temporary)


def check_folder_output(
    path: str | os.PathLike[str], *, force: bool = False, replaceable: Callable[[Path], bool] = lambda _: False
) -> None:
    """Like `check_output`, for a folder that `atomic_folder` is to write. An empty one may stand there already.

    Args:
        path: where the folder is to stand.
        force: replace a folder that is already there, if it is ``replaceable``.
        replaceable: whether a folder is one that may be deleted.

    Raises:
        OutputError: when something stands there that may not be replaced, or the place is not writable.
    """
    path, target = Path(path), real_path(Path(path))
    with explained(path):
        if not target.name:
            raise OutputError("the output is the root of the file system; name a folder")
        if target.exists():
            if not target.is_dir():
                raise OutputError(f"'{path}' exists and is not a folder; choose another name")
            if any(target.iterdir()) and not force:
                raise _exists(path)
            if any(target.iterdir()) and not replaceable(target):
                raise OutputError(f"'{path}' holds other files, which are not overwritten; choose another name")
        _check_place(path)


@contextmanager
def atomic_folder(
    path: str | os.PathLike[str], *, force: bool = False, replaceable: Callable[[Path], bool] = lambda _: False
) -> Iterator[Path]:
    """A temporary folder to fill, which becomes ``path`` when the block ends well and vanishes when it does not.

    Yields:
        An empty folder beside ``path``. Its files are best written by `atomic_path` or `open_writer`, which explain
        what goes wrong and wait for the disk.

    Raises:
        OutputError: as `check_folder_output`, and when the folder cannot be created or moved.
    """
    path = Path(path)
    check_folder_output(path, force=force, replaceable=replaceable)
    target = real_path(path)
    temporary = target.with_name(f".synthgan-{secrets.token_hex(8)}.partial")
    aside = temporary.with_suffix(".replaced")
    UNFINISHED.add(temporary)
    try:
        with explained(path):
            temporary.mkdir()
        yield temporary
        with explained(path):
            check_folder_output(path, force=force, replaceable=replaceable)  # it may have come to be meanwhile
            _move_folder(temporary, target, aside)
        shutil.rmtree(aside, ignore_errors=True)
    finally:
        is_moved = not temporary.exists()
        shutil.rmtree(temporary, ignore_errors=True)
        if is_moved:  # else the folder that stepped aside is all there is
            shutil.rmtree(aside, ignore_errors=True)
        UNFINISHED.discard(temporary)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what the operating system says about an output into one helpful sentence."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        if error.errno in FULL:
            reason = "the disk or quota is full; free some space or choose another place"
        elif error.errno in _FORBIDDEN:
            reason = "no permission to write there; choose another place"
        elif error.errno == errno.ENAMETOOLONG:
            reason = "the name is too long; choose a shorter one"
        else:
            reason = os.strerror(error.errno).lower() if error.errno else "the operating system refused"
        raise OutputError(f"cannot write '{path}': {reason}") from None


def real_path(path: Path) -> Path:
    """Where a path leads, with all links followed.

    Raises:
        OutputError: when it leads nowhere, as a relative one does in a folder that was deleted.
    """
    try:
        with explained(path):
            return path.resolve()
    except RuntimeError:
        raise OutputError(f"'{path}' is a link that leads back to itself; choose another name") from None


def _check_place(path: Path) -> None:
    folder = real_path(path).parent
    if not folder.is_dir():
        raise OutputError(f"cannot write '{path}': its folder does not exist; create it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"cannot write '{path}': no permission to create files in its folder; choose another place")


def _exists(path: Path) -> OutputError:
    return OutputError(
        f"'{path}' exists already; choose another name or overwrite it with force (--force in the shell)"
    )


def _to_disk(path: Path) -> None:
    """Make the operating system keep its promise now: a full disk may show only here."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _move(temporary: Path, target: Path, path: Path, *, force: bool) -> None:
    if not force:
        try:
            os.link(temporary, target)  # fails when another process has put a file there in the meantime
        except FileExistsError:
            raise _exists(path) from None
        except OSError as error:
            if error.errno not in _LINKS_UNSUPPORTED:
                raise
            if target.exists():
                raise _exists(path) from None
        else:
            return
    temporary.replace(target)


def _move_folder(temporary: Path, target: Path, aside: Path) -> None:
    """Put a folder in the place of another, which steps aside, and comes back when that fails or is interrupted."""
    try:
        if target.exists():
            target.rename(aside)
        temporary.rename(target)
    except BaseException:
        if aside.exists() and not target.exists():
            aside.rename(target)
        raise

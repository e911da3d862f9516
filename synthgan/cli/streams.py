"""Standard output and error that may be closed, full, or read by somebody who stops early.

A run must not die of it: by the time it prints, its files are written. What cannot be printed is dropped, and whether
that is worth an error is told once, at the end.
"""

from __future__ import annotations

import io
import os
import select
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class Tolerant(io.RawIOBase):
    """A file descriptor to write to, which takes everything and remembers what went wrong.

    Attributes:
        error: why something could not be written; None when all was, or when the reader had gone.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._is_lost = False
        self.error: OSError | None = None

    def write(self, content: ReadableBuffer, /) -> int:
        """All of the content, as far as anybody takes it."""
        left = memoryview(content).cast("B")
        while left and not self._is_lost:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:
                select.select([], [self._descriptor], [])
            except BrokenPipeError:  # who stops reading has seen enough
                self._is_lost = True
            except OSError as error:
                self._is_lost, self.error = True, error
        return memoryview(content).nbytes

    def writable(self) -> bool:
        """Yes."""
        return True

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether a person looks on."""
        return os.isatty(self._descriptor)


def occupy_closed_descriptors() -> None:
    """Open the null device where input, output or error is closed, lest a file that is opened later takes its place."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)  # the lowest free one


def make_tolerant() -> Tolerant:
    """Put tolerant streams in the place of ``sys.stdout`` and ``sys.stderr``; returns the one for output."""
    occupy_closed_descriptors()
    raw = Tolerant(1)
    if sys.platform == "win32":  # its consoles are no plain descriptors
        return raw
    sys.stdout = _text(raw, sys.stdout)
    sys.stderr = _text(Tolerant(2), sys.stderr)
    return raw


def _text(raw: Tolerant, before: TextIO | None) -> io.TextIOWrapper:
    """The encoding is the one Python chose; characters that it lacks come out as escapes."""
    encoding = getattr(before, "encoding", None) or "utf-8"
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding=encoding, errors="backslashreplace", line_buffering=True)

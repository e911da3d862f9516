"""Whether there is memory enough for a command, asked before libraries are loaded that would abort for want of it."""

from __future__ import annotations

import errno
import mmap
import os
import sys

from synthgan.errors import MachineError

OUT_OF_MEMORY = MachineError(
    "there is not enough memory for this command on this machine, or under its limits (ulimit, container); give it "
    "more, or try a smaller table"
)

_TABLE_LIBRARIES = 640 * 2**20
_NETWORK_LIBRARIES = 2560 * 2**20
_EACH_CORE = 48 * 2**20
"""Address space, not memory in use: stack and buffers of a thread of the linear algebra library."""
_WORDS = ("cannot allocate memory", "can't allocate memory", "out of memory", "failed to map", "can't start new thread")


def check_memory(*, with_networks: bool) -> None:
    """Fail with a sentence where a library would abort the process, or take it for an interruption.

    Args:
        with_networks: whether the command needs the libraries that train and sample, besides those for tables.

    Raises:
        MachineError: when so much address space cannot be had.
    """
    if sys.platform == "win32":
        return
    wanted = _NETWORK_LIBRARIES if with_networks else _TABLE_LIBRARIES
    size = wanted + _EACH_CORE * (os.cpu_count() or 1)
    try:
        # Asked for and given back; not touched, so that no memory is used.
        mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=mmap.PROT_READ).close()
    except (OSError, MemoryError, OverflowError, ValueError):
        raise OUT_OF_MEMORY from None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a foreign exception says in its own way that there is no memory left."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return isinstance(error, ImportError | RuntimeError | OSError) and any(
        words in str(error).lower() for words in _WORDS
    )

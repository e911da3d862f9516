"""Work ahead: one thread prepares the next item while the caller uses the last one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import Queue
from typing import TypeVar

Item = TypeVar("Item")

READY = 2
"""Most items that lie ready."""


class _End:
    """What the thread puts last: the error that ended it, or None."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items in the same order, drawn from ``items`` in a thread, at most `READY` of them too early.

    ``items`` itself runs in that one thread, so a random source that only it uses gives what it would give without.
    An error of ``items`` is raised here. Closing this iterator, also by an error in the caller, ends the thread after
    the item that it is at.
    """
    ready: Queue[Item | _End] = Queue()
    room = threading.Semaphore(READY)
    stopped = threading.Event()

    def work() -> None:
        error: BaseException | None = None
        try:
            while room.acquire() and not stopped.is_set():
                ready.put(next(items))
        except StopIteration:
            pass
        except BaseException as problem:
            error = problem
        ready.put(_End(error))

    thread = threading.Thread(target=work, name="synthgan-ahead", daemon=True)
    thread.start()
    try:
        while not isinstance(item := ready.get(), _End):
            room.release()
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stopped.set()
        room.release()
        thread.join()

"""Pieces of work that do not need each other, each on one core.

Left to itself torch shares every single operation between the cores, which then wait for each other hundreds of times
in a chunk of rows; and where several threads of Python do so, the cores that wait are sent to sleep each time.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from typing import TypeVar

import torch

Piece = TypeVar("Piece")


def on_all_cores(work: Callable[[Piece], None], pieces: Sequence[Piece]) -> None:
    """Call ``work`` with each piece, in as many threads as torch uses here, which run on one core each.

    What a piece computes does not depend on the number of threads. ``work`` must not call this function itself. An
    error of ``work`` is raised here, and the pieces that had not begun are left. Where torch uses one thread, or the
    system has none to give, the caller works alone.
    """
    n_threads = torch.get_num_threads()
    n_workers = 0 if n_threads == 1 or not pieces else min(_crew.hired(n_threads), n_threads, len(pieces))
    if n_workers == 0:
        for piece in pieces:
            work(piece)
        return
    waiting = deque(pieces)
    ended: SimpleQueue[BaseException | None] = SimpleQueue()

    def take_turns() -> None:
        try:
            for piece in _until_empty(waiting):
                work(piece)
        except BaseException as error:
            waiting.clear()
            ended.put(error)
        else:
            ended.put(None)

    for _ in range(n_workers):
        _crew.give(take_turns)
    try:
        errors = [ended.get() for _ in range(n_workers)]
    finally:
        waiting.clear()
    for error in errors:
        if error is not None:
            raise error


def _until_empty(waiting: deque[Piece]) -> Iterator[Piece]:
    while True:
        try:
            piece = waiting.popleft()
        except IndexError:
            return
        yield piece


class _Crew:
    """Threads in which torch uses one core. They stay until the process ends, and sleep when there is nothing to do."""

    def __init__(self) -> None:
        self.start_anew()

    def start_anew(self) -> None:
        """Without any threads, as a child after a fork."""
        self._tasks: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._hiring = threading.Lock()
        self._size = 0

    def hired(self, n_wanted: int) -> int:
        """How many there are, after the attempt to have ``n_wanted``."""
        if self._size < n_wanted:
            try:
                hirer = threading.Thread(target=self._hire, args=(n_wanted,), name="synthgan-hirer", daemon=True)
                hirer.start()
            except RuntimeError:  # the system has no thread to give, or the interpreter is about to end
                return self._size
            hirer.join()
        return self._size

    def give(self, task: Callable[[], None]) -> None:
        """A task for whoever is free next."""
        self._tasks.put(task)

    def _hire(self, n_wanted: int) -> None:
        """Start the threads that are missing. This, too, runs in a thread, which no interruption reaches.

        Whichever thread tells torch its number of cores last tells it to all threads that start later; a new thread
        knows what they had before. One that starts in between, elsewhere in the process, has one core for good.
        """
        with self._hiring:
            n_threads = torch.get_num_threads()
            while self._size < n_wanted:
                settled = threading.Event()
                server = threading.Thread(target=self._serve, args=(settled,), name="synthgan-piece", daemon=True)
                try:
                    server.start()
                except RuntimeError:
                    return  # those that there are will do
                settled.wait()
                torch.set_num_threads(n_threads)
                self._size += 1

    def _serve(self, settled: threading.Event) -> None:
        torch.get_num_threads()  # a thread's first call gives it the number of the process
        torch.set_num_threads(1)
        settled.set()
        while True:
            self._tasks.get()()


_crew = _Crew()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_crew.start_anew)

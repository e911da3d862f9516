"""Pieces of work that do not need each other, each on one core.

Left to itself torch shares every single operation between the cores, which then wait for each other hundreds of times
in a chunk of rows; and where several threads of Python do so, the cores that wait are sent to sleep each time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Piece = TypeVar("Piece")

STREAMS = 2**32
"""Different seeds of torch's random source on a CPU."""
STREAM_STEP = 0x9E3779B9
"""Odd, so that as many multiples of it differ as there are seeds; the golden ratio, so that they lie far apart."""

_starting = threading.Lock()


def on_all_cores(work: Callable[[Piece], None], pieces: Sequence[Piece]) -> None:
    """Call ``work`` with each piece, in as many threads as torch uses here, which run on one core each.

    A single piece, or a single thread, is worked on by the caller. An error of ``work`` is raised here, when the pieces
    that had begun are done; the others are left.
    """
    with _starting:
        n_threads = torch.get_num_threads()
        n_workers = min(n_threads, len(pieces))
        if n_workers > 1:
            pool = _single_cores(n_workers)
            # The last thread that sets the number sets it for all that start later.
            torch.set_num_threads(n_threads)
    if n_workers <= 1:
        for piece in pieces:
            work(piece)
        return
    try:
        for _ in pool.map(work, pieces):
            pass
    finally:
        pool.shutdown(cancel_futures=True)


def _single_cores(n_workers: int) -> ThreadPoolExecutor:
    """Threads that have started, and in which torch uses one core."""
    pool = ThreadPoolExecutor(n_workers, "synthgan-piece")
    all_here = threading.Barrier(n_workers)

    def settle(_: int) -> None:
        torch.get_num_threads()  # in a new thread the first call of all sets the number that the process has
        torch.set_num_threads(1)
        all_here.wait()  # so that each thread comes by once

    try:
        for _ in pool.map(settle, range(n_workers)):
            pass
    except BaseException:
        all_here.abort()
        pool.shutdown()
        raise
    return pool


def piece_streams(rng: torch.Generator, n_pieces: int) -> Iterator[torch.Generator]:
    """A random source for each piece, from the next number of ``rng``: what a piece draws depends on no other piece.

    The sources of one call are all different. They, and ``rng``, are on the CPU.
    """
    first = int(torch.randint(STREAMS, (1,), generator=rng))
    for piece in range(n_pieces):
        yield torch.Generator().manual_seed((first + piece * STREAM_STEP) % STREAMS)

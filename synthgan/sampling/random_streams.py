"""The random sources of a sampling session."""

from __future__ import annotations

import torch

STREAMS = 2**32
"""Different seeds of torch's random source on a CPU, which keeps no more bits of one."""
STEP = 0x9E3779B9
"""Odd, so that as many multiples of it differ as there are seeds; the golden ratio, so that they lie far apart."""


class Streams:
    """One source for what is drawn as a whole, and many for chunks of rows that are drawn side by side.

    Args:
        own: source of the session, on the device where rows are drawn.

    Attributes:
        own: the same.
    """

    def __init__(self, own: torch.Generator) -> None:
        self.own = own
        self._next = int(torch.randint(STREAMS, (1,), generator=own, device=own.device))

    @property
    def device(self) -> torch.device:
        """Where rows are drawn."""
        return self.own.device

    def take(self, n: int) -> list[torch.Generator]:
        """Sources for the next ``n`` chunks.

        On a CPU each chunk has its own, and no two in a session are the same (up to `STREAMS` chunks): what a chunk
        draws depends on no other one. An accelerator draws one chunk after the other from the session's source.
        """
        if self.device.type != "cpu":
            return [self.own] * n
        seeds = [(self._next + STEP * chunk) % STREAMS for chunk in range(n)]
        self._next = (self._next + STEP * n) % STREAMS
        return [torch.Generator().manual_seed(seed) for seed in seeds]

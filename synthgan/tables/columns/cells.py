"""Pieces of the number line with the rows on them, and arithmetic on their ticks that never overflows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from synthgan.tables.axes.raw_numbers import Numbers

LARGEST = float(np.finfo(np.float64).max)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cells:
    """Disjoint ascending closed pieces ``[start, last]`` of the number line with the rows on them.

    Closed, because the tick after the largest int64 does not exist. On a gridded axis the tick t is as wide as 1, on a
    continuous axis a single value has no width.
    """

    start: Numbers
    last: Numbers
    counts: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.start)

    @property
    def is_gridded(self) -> bool:
        """Whether ticks are whole numbers."""
        return bool(self.start.dtype == np.int64)

    def take(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.int64] | slice) -> Cells:
        """The chosen cells."""
        return Cells(start=self.start[chosen], last=self.last[chosen], counts=self.counts[chosen])

    @property
    def total(self) -> float:
        """Rows on all cells."""
        return float(self.counts.sum())


def clip_cells(cells: Cells, low: float | int | None, high: float | int | None) -> Cells:
    """Cells moved into ``[low, high]``; what falls onto another cell joins it."""
    start, last = np.clip(cells.start, low, high), np.clip(cells.last, low, high)
    start[1:] = np.maximum(start[1:], next_tick(last[:-1], +1))
    first = np.flatnonzero(start <= last)
    return Cells(start=start[first], last=last[first], counts=np.add.reduceat(cells.counts, first))


def joined(parts: list[Cells]) -> Cells:
    """Disjoint cells of several sets (at least one), ascending."""
    start = np.concatenate([part.start for part in parts])
    order = np.argsort(start, kind="stable")
    return Cells(
        start=start[order],
        last=np.concatenate([part.last for part in parts])[order],
        counts=np.concatenate([part.counts for part in parts])[order],
    )


def moments(cells: Cells) -> tuple[float, float]:
    """Mean tick of the rows and their standard deviation; zeros without any."""
    if not len(cells):
        return 0.0, 0.0
    middle = cells.start.astype(np.float64) / 2 + cells.last.astype(np.float64) / 2
    share = cells.counts / cells.counts.sum()
    centre = float(np.dot(middle, share))
    # Scaled first, so that the squares of large values do not overflow.
    scale = float(np.abs(middle / 2 - centre / 2).max())
    if scale == 0:
        return centre, 0.0
    spread = float(np.sqrt(np.dot(((middle / 2 - centre / 2) / scale) ** 2, share))) * scale * 2
    return centre, min(spread, LARGEST)


def distance(start: Numbers, stop: Numbers) -> npt.NDArray[np.float64]:
    """``stop - start`` as float64 for ``start <= stop``, without overflow."""
    if start.dtype == np.int64:
        unsigned: npt.NDArray[np.uint64] = stop.view(np.uint64) - start.view(np.uint64)
        return unsigned.astype(np.float64)
    with np.errstate(over="ignore"):
        apart: npt.NDArray[np.float64] = np.minimum(stop.astype(np.float64) - start.astype(np.float64), LARGEST)
    return apart


def next_tick(ticks: Numbers, direction: int) -> Numbers:
    """The next representable tick upwards (+1) or downwards (-1)."""
    if ticks.dtype == np.int64:
        return ticks + direction
    with np.errstate(over="ignore"):
        return np.nextafter(ticks, ticks.dtype.type(direction * np.inf))

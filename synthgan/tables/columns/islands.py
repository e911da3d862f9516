"""Where a column's rows lie apart, and how far the outermost rows of each part may reach.

A sentinel at 10**9 among incomes, or two modes with nothing between them, are *islands*: pieces of the quantile
function that reached across the gap would fill it with values that no row has.

Value protection hides how far the outermost rows lie. Whatever depends on their place goes by rank: the end of an
island is the median of its ``min_count`` outermost rows, which stays where it is however large the largest value is,
and gaps are looked for after the rows beyond that median were moved to it. An island of fewer than ``min_count`` rows
joins the nearest one that has enough.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from synthgan.tables.axes.raw_numbers import Numbers
from synthgan.tables.columns.cells import Cells, clip_cells, distance

WIDE = 6.0
"""A gap is wide when it is more than this many times as wide as its `NEIGHBOURS` nearest values lie apart altogether.

So the values of a heavy tail, which lie ever farther apart, are not torn apart.
"""

STRIKING = 40.0
"""The same for a gap behind which so few rows lie that they are not kept, and the user is told."""

NEIGHBOURS = 20

MAX_ISLANDS = 16

_OTHER_GAPS = 0.25  # share of the distances between neighbours that may be gaps themselves
_FEWEST_DISTANCES = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Gaps:
    """Wide empty gaps of a column, ascending.

    Attributes:
        after: ``(n_gaps,)`` first tick behind each.
        ratio: ``(n_gaps,)`` its width in widths of the neighbouring values.
    """

    after: Numbers
    ratio: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.after)

    def side(self, ticks: Numbers) -> npt.NDArray[np.int64]:
        """``(n_ticks,)`` how many of the gaps lie below each tick."""
        return np.searchsorted(self.after, ticks, side="right")

    def widest(self, n_gaps: int) -> Gaps:
        """The ``n_gaps`` with the largest ratios."""
        kept = np.sort(np.argsort(-self.ratio, kind="stable")[:n_gaps])
        return Gaps(after=self.after[kept], ratio=self.ratio[kept])


@dataclass(frozen=True, kw_only=True, slots=True)
class Protection:
    """What value protection asks of a column, in counted rows; all 0 without protection.

    Attributes:
        rows: fewest rows of an island.
        outer_rows: rank, from the outside, of the rows that an island's end rests on.
    """

    rows: float = 0.0
    outer_rows: float = 0.0

    @classmethod
    def of(cls, min_count: int, rows_per_observation: float) -> Protection:
        """Protection by ``min_count`` observations."""
        rank = outer_rank(min_count)
        if not rank:
            return cls(rows=rows_per_observation, outer_rows=0.0)
        return cls(rows=max(min_count, 2 * rank) * rows_per_observation, outer_rows=rank * rows_per_observation)


def outer_rank(min_count: int) -> int:
    """How many rows at each end of a column's numbers are moved inwards to hide how far they lie."""
    if min_count == 1:  # one row is enough
        return 0
    # For the median half of them; the outermost row itself never, nor seen from the other side.
    return max(2, min_count // 2)


def no_gaps(cells: Cells) -> Gaps:
    """None, on the axis of the cells."""
    return Gaps(after=cells.start[:0], ratio=np.zeros(0))


def wide_gaps(cells: Cells, protection: Protection, *, ratio: float = WIDE) -> Gaps:
    """Gaps that are wide beside the distances of the values next to them, on both sides if both have enough values.

    Args:
        cells: all of the column's rows.
        protection: rows further out than its outer rank count as if they lay at it.
        ratio: least width in widths of the neighbouring values.
    """
    if len(cells) and protection.outer_rows > 0:
        cells = clip_cells(cells, *_outer_ticks(cells, protection.outer_rows))
    apart = distance(cells.last[:-1], cells.start[1:])
    at = _worth_a_look(apart, ratio)
    near = np.maximum(_together(apart, at), _together(apart[::-1], len(apart) - 1 - at))
    empty = apart[at] - float(cells.is_gridded)
    is_wide = (empty / ratio > near) & (near >= 0)
    with np.errstate(divide="ignore", over="ignore"):
        return Gaps(after=cells.start[1:][at[is_wide]], ratio=empty[is_wide] / near[is_wide])


def _worth_a_look(apart: npt.NDArray[np.float64], ratio: float) -> npt.NDArray[np.int64]:
    """``(n,)`` gaps that may be wide, to spare long columns the sorting: near either end, or wider than any could do.

    Of the nearest distances on a side, one more than may be left out, the smallest counts.
    """
    n_gaps, n_nearest = len(apart), int(NEIGHBOURS * _OTHER_GAPS) + 1
    ends = np.arange(n_gaps)
    if n_gaps <= 2 * NEIGHBOURS:
        return ends
    smallest = np.lib.stride_tricks.sliding_window_view(apart, n_nearest).min(axis=1)
    middle = ends[NEIGHBOURS : n_gaps - NEIGHBOURS]
    bound = np.maximum(smallest[middle - n_nearest], smallest[middle + 1])
    wider = middle[apart[middle] / ratio > bound]
    return np.concatenate((ends[:NEIGHBOURS], wider, ends[n_gaps - NEIGHBOURS :]))


def _together(apart: npt.NDArray[np.float64], at: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """``(n,)`` how wide the `NEIGHBOURS` values before each of the gaps ``at`` are together, or those there are.

    The largest distances among them are left out, as gaps themselves. Negative where too few values would tell: with
    fewer than `NEIGHBOURS` on this side, the other one is asked, if it has more.
    """
    padded = np.concatenate((np.full(NEIGHBOURS, np.inf), apart))
    before = np.sort(np.lib.stride_tricks.sliding_window_view(padded, NEIGHBOURS)[at], axis=1)
    known = np.minimum(at, NEIGHBOURS)
    kept = known - (known * _OTHER_GAPS).astype(np.int64)
    is_kept = np.arange(NEIGHBOURS) < kept[:, None]
    # Divided first, so that sums of large distances do not overflow.
    typical = np.where(is_kept, before / np.maximum(kept, 1)[:, None], 0.0).sum(axis=1)
    with np.errstate(over="ignore"):
        together: npt.NDArray[np.float64] = typical * np.maximum(known, NEIGHBOURS // 4)
    is_told = (known == NEIGHBOURS) | ((known >= len(apart) - 1 - at) & (known >= _FEWEST_DISTANCES))
    return np.where(is_told, together, -1.0)


def alone(cells: Cells, gaps: Gaps) -> npt.NDArray[np.bool_]:
    """``(n_cells,)`` bool: cells with wide gaps on both sides, or beyond the outermost one."""
    side = gaps.side(cells.start)
    only: npt.NDArray[np.bool_] = np.bincount(side, minlength=len(gaps) + 1)[side] == 1
    return only & (len(gaps) > 0)


def has_far_rows(cells: Cells, protection: Protection) -> bool:
    """Whether rows lie strikingly far from all others, and too few of them to be kept there."""
    gaps = wide_gaps(cells, Protection(), ratio=STRIKING)
    if not len(gaps):
        return False
    rows = np.bincount(gaps.side(cells.start), weights=cells.counts)
    return bool(((rows > 0) & (rows < protection.rows)).any())


def make_islands(cells: Cells, gaps: Gaps, spikes: Numbers, protection: Protection) -> list[Cells]:
    """The rows that have no level of their own, divided at the gaps, ascending; their ends are those to be kept.

    Args:
        cells: the rows, at least one.
        gaps: where to divide.
        spikes: ticks with a level of their own, on which no end may lie.
        protection: what ends and islands need. Without it ends stay where the outermost rows lie.
    """
    side = gaps.side(cells.start)
    rows = np.bincount(side, weights=cells.counts)
    dense = np.flatnonzero((rows >= protection.rows) & (rows > 0))
    if not len(dense):
        if len(spikes) or cells.total < protection.rows:
            return []
        # Together they are enough, and there is nothing else they could go to.
        side, dense = np.zeros(len(cells), dtype=np.int64), np.zeros(1, dtype=np.int64)
    owners: list[int] = []
    ends: list[tuple[float | int, float | int]] = []
    for island in dense:
        own = cells.take(side == island)
        low, high = _ends(own, spikes, protection) if protection.outer_rows > 0 else (own.start[0], own.last[-1])
        if low <= high:
            owners.append(int(island))
            ends.append((low, high))
    if not owners:
        return []
    lows, highs = (np.array(side_ends, dtype=cells.start.dtype) for side_ends in zip(*ends, strict=True))
    nearest = _nearest(cells, lows, highs)
    # A dense island's rows are its own, wherever its ends came to lie.
    place = np.searchsorted(owners, side)
    known = np.array(owners)[np.minimum(place, len(owners) - 1)] == side
    owner = np.where(known, np.minimum(place, len(owners) - 1), nearest)
    return [clip_cells(cells.take(owner == index), low, high) for index, (low, high) in enumerate(ends)]


def _nearest(cells: Cells, lows: Numbers, highs: Numbers) -> npt.NDArray[np.int64]:
    """``(n_cells,)`` index of the island whose end is nearest to each cell."""
    after = np.minimum(np.searchsorted(lows, cells.start, side="right"), len(lows) - 1)
    before = np.maximum(np.searchsorted(lows, cells.start, side="right") - 1, 0)
    down = distance(np.minimum(highs[before], cells.start), cells.start)
    up = distance(cells.last, np.maximum(lows[after], cells.last))
    is_below = cells.start < lows[0]
    return np.where((down <= up) & ~is_below, before, after)


def _outer_ticks(cells: Cells, rows: float) -> tuple[float | int, float | int]:
    """The ticks below and above which at most ``rows`` rows lie, counted with those on them."""
    first, last = _rank(cells.counts, rows), len(cells) - 1 - _rank(cells.counts[::-1], rows)
    low, high = cells.start[first].item(), cells.last[last].item()
    return min(low, high), max(low, high)


def _rank(counts: npt.NDArray[np.float64], rows: float, *, beyond: bool = False) -> int:
    """Index of the cell in which the row of the given rank, or the next one, lies."""
    reached = np.cumsum(counts)
    least = rows * (1 + 1e-9 if beyond else 1 - 1e-9)  # counts of sampled rows are multiples of a float
    return min(int(np.searchsorted(reached, least)), len(counts) - 1)


def _ends(cells: Cells, spikes: Numbers, protection: Protection) -> tuple[float | int, float | int]:
    """Between the row of the outer rank and the next one, on either side: nobody's value where values are distinct.

    No end lies on a spike; where that leaves nothing, they cross.
    """
    rows, from_above = protection.outer_rows, cells.counts[::-1]
    low = _between(cells, _rank(cells.counts, rows), _rank(cells.counts, rows, beyond=True), inwards=+1)
    places = (len(cells) - 1 - _rank(from_above, rows, beyond=beyond) for beyond in (True, False))
    high = _between(cells, *places, inwards=-1)
    while low in spikes:
        low = low + 1 if cells.is_gridded else np.nextafter(low, cells.start.dtype.type(np.inf))
    while high in spikes:
        high = high - 1 if cells.is_gridded else np.nextafter(high, -cells.start.dtype.type(np.inf))
    return low, high


def _between(cells: Cells, below: int, above: int, *, inwards: int) -> float | int:
    """The middle between a cell's last tick and another's first, rounded inwards on a grid."""
    if below == above:
        return (cells.start[below] if inwards > 0 else cells.last[below]).item()
    low, high = cells.last[below].item(), cells.start[above].item()
    if not cells.is_gridded:
        return low / 2 + high / 2
    return (low + high + (inwards > 0)) // 2

"""From a histogram to spikes, bins and their inner quantile functions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from synthgan.tables.columns.protocol import LARGEST_POSITION, FitRules
from synthgan.tables.raw_numbers import Numbers

MAX_SPIKES = 60
"""Most levels for single values of a column with many distinct values."""

INNER_SEGMENTS = 16
"""Most linear pieces of the quantile function inside one bin."""

TAIL_SHARE = 0.02
"""The outermost share of rows on either side whose bins may be halved."""

MIN_BIN_ROWS = 20

_NEIGHBOURS = 8
_STANDS_OUT = 8.0
_WORTH_A_LEVEL = 0.002
_MIN_RESIDUAL_BINS = 6
_LARGEST = float(np.finfo(np.float64).max)


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

    def take(self, chosen: npt.NDArray[np.bool_] | slice) -> Cells:
        """The chosen cells."""
        return Cells(start=self.start[chosen], last=self.last[chosen], counts=self.counts[chosen])

    @property
    def total(self) -> float:
        """Rows on all cells."""
        return float(self.counts.sum())


@dataclass(frozen=True, kw_only=True, slots=True)
class Segments:
    """Linear pieces of all bins' inner quantile functions, ascending in bin, position and tick.

    Attributes:
        bin: ``(n_segments,)`` index of the bin.
        share: ``(n_segments,)`` share of the bin's rows; sums to 1 within a bin.
        start: ``(n_segments,)`` first tick.
        last: ``(n_segments,)`` last tick, inclusive; segments are disjoint, and none holds a spike.
    """

    bin: npt.NDArray[np.int64]
    share: npt.NDArray[np.float64]
    start: Numbers
    last: Numbers

    def __len__(self) -> int:
        return len(self.start)

    @property
    def first_position(self) -> npt.NDArray[np.float64]:
        """``(n_segments,)`` position in its bin at which each segment starts."""
        return share_before(self.bin, self.share)

    @property
    def width(self) -> npt.NDArray[np.float64]:
        """``(n_segments,)`` width in ticks."""
        return distance(self.start, self.last) + (1.0 if self.start.dtype == np.int64 else 0.0)

    @property
    def share_per_tick(self) -> npt.NDArray[np.float64]:
        """``(n_segments,)`` slope of the position over the tick."""
        return _ratio(self.share, self.width)

    @property
    def ticks_per_share(self) -> npt.NDArray[np.float64]:
        """``(n_segments,)`` slope of the tick over the position."""
        return _ratio(self.width, self.share)


@dataclass(frozen=True, kw_only=True, slots=True)
class Binning:
    """Spikes and bins of a column.

    Attributes:
        spikes: ``(n_spikes,)`` ticks, ascending.
        segments: the bins' inner quantile functions.
        n_merged: how many distinct values found no level and no bin; they go to the nearest spike.
    """

    spikes: Numbers
    segments: Segments
    n_merged: int = 0


def _ratio(above: npt.NDArray[np.float64], below: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    with np.errstate(over="ignore"):
        ratio: npt.NDArray[np.float64] = np.divide(above, below, out=np.zeros(len(above)), where=below > 0)
    return np.minimum(ratio, _LARGEST)


def distance(start: Numbers, stop: Numbers) -> npt.NDArray[np.float64]:
    """``stop - start`` as float64 for ``start <= stop``, without overflow."""
    if start.dtype == np.int64:
        unsigned: npt.NDArray[np.uint64] = stop.view(np.uint64) - start.view(np.uint64)
        return unsigned.astype(np.float64)
    with np.errstate(over="ignore"):
        apart: npt.NDArray[np.float64] = np.minimum(stop.astype(np.float64) - start.astype(np.float64), _LARGEST)
    return apart


def share_before(group: npt.NDArray[np.int64], share: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Running sum of ``share`` before each entry within its group; groups are ascending. Starts at exactly 0."""
    if not len(share):
        return np.zeros(0)
    running = np.concatenate(([0.0], np.cumsum(share)[:-1]))
    return np.clip(running - running[np.searchsorted(group, group)], 0.0, LARGEST_POSITION)


def make_binning(cells: Cells, rules: FitRules, *, rows_per_observation: float = 1.0) -> Binning:
    """Choose spikes and bins.

    Args:
        cells: where the rows lie; already clipped to declared bounds.
        rules: bin number and protection.
        rows_per_observation: see `Histogram.rows_per_observation`.
    """
    floor = rules.level_floor * rows_per_observation
    knot_rows = rules.min_count * rows_per_observation
    is_spike = _find_spikes(cells, rules, floor)
    spikes, others = cells.take(is_spike).start, cells.take(~is_spike)
    capped = rules.protect_values and not rules.counts_are_public
    rest = _cap_extremes(others, spikes, knot_rows) if capped and len(others) else others
    if not len(rest) or rest.total < floor:
        none = Segments(bin=np.zeros(0, np.int64), share=np.zeros(0), start=spikes[:0], last=spikes[:0])
        return Binning(spikes=spikes, segments=none, n_merged=len(others))
    n_bins = round(max(rules.n_bins * np.sqrt(rest.total / cells.total), min(_MIN_RESIDUAL_BINS, rules.n_bins)))
    first_cells = _bin_edges(rest, n_bins, max(knot_rows, MIN_BIN_ROWS * rows_per_observation))
    return Binning(spikes=spikes, segments=_cut_out(_inner_segments(rest, first_cells, knot_rows), spikes))


def clip_cells(cells: Cells, low: float | int | None, high: float | int | None) -> Cells:
    """Cells moved into ``[low, high]``; what falls onto another cell joins it."""
    start, last = np.clip(cells.start, low, high), np.clip(cells.last, low, high)
    start[1:] = np.maximum(start[1:], next_tick(last[:-1], +1))
    first = np.flatnonzero(start <= last)
    return Cells(start=start[first], last=last[first], counts=np.add.reduceat(cells.counts, first))


def _find_spikes(cells: Cells, rules: FitRules, floor: float) -> npt.NDArray[np.bool_]:
    single: npt.NDArray[np.bool_] = cells.start == cells.last
    counts = np.where(single, cells.counts, 0.0)
    enough: npt.NDArray[np.bool_] = single & (counts >= floor)
    if len(cells) <= rules.max_single_values and single.all():
        return single & (counts > 0) if rules.counts_are_public else enough
    total = cells.total
    heavy = enough & (counts >= total / (2 * rules.n_bins))
    below = np.concatenate(([0.0], np.cumsum(counts)))
    first = np.maximum(np.arange(len(counts)) - _NEIGHBOURS, 0)
    last = np.minimum(np.arange(len(counts)) + _NEIGHBOURS, len(counts) - 1)
    around = (below[last + 1] - below[first] - counts) / np.maximum(last - first, 1)
    outstanding = enough & (counts >= _STANDS_OUT * around) & (counts >= _WORTH_A_LEVEL * total) & (counts >= 2 * floor)
    chosen: npt.NDArray[np.bool_] = heavy | outstanding
    if chosen.sum() > MAX_SPIKES:
        heaviest = np.argsort(-counts, kind="stable")
        kept = np.zeros(len(cells), dtype=bool)
        kept[heaviest[chosen[heaviest]][:MAX_SPIKES]] = True
        return kept
    return chosen


def _cap_extremes(cells: Cells, spikes: Numbers, knot_rows: float) -> Cells:
    """Move the outermost rows on either side to the mean of the ``knot_rows`` outermost ones.

    With so few rows that the two means cross nothing is left, unless there is no spike that could take them.
    """
    top = cells.last[-1:].repeat(len(cells))
    up = _outer_mean(distance(cells.start[:1].repeat(len(cells)), cells.start), cells.counts, knot_rows)
    down = _outer_mean(distance(cells.last, top)[::-1], cells.counts[::-1], knot_rows)
    low: float | int
    high: float | int
    if cells.is_gridded:
        low, high = int(cells.start[0]) + math.ceil(up), int(cells.last[-1]) - math.ceil(down)
    else:
        low, high = cells.start[0] + cells.start.dtype.type(up), cells.last[-1] - cells.start.dtype.type(down)
    # A cap may not be a spike's own tick; the next one inwards will do.
    while low in spikes:
        low = low + 1 if cells.is_gridded else np.nextafter(low, cells.start.dtype.type(np.inf))
    while high in spikes:
        high = high - 1 if cells.is_gridded else np.nextafter(high, -cells.start.dtype.type(np.inf))
    if low > high:
        if len(spikes):
            return cells.take(slice(0, 0))
        low = high = (low + high) // 2 if cells.is_gridded else low / 2 + high / 2
    return clip_cells(cells, low, high)


def _outer_mean(ticks: npt.NDArray[np.float64], counts: npt.NDArray[np.float64], rows: float) -> float:
    """Mean tick of the first ``rows`` rows."""
    before = np.concatenate(([0.0], np.cumsum(counts)[:-1]))
    taken = np.clip(rows - before, 0.0, counts)
    return float(np.dot(ticks, taken / taken.sum()))


def _bin_edges(cells: Cells, n_bins: int, min_rows: float) -> npt.NDArray[np.int64]:
    """Index of each bin's first cell: equal mass, with the tails halved where they stretch out."""
    below = np.concatenate(([0.0], np.cumsum(cells.counts)))
    total = below[-1]
    shares = np.linspace(0, 1, n_bins + 1)[1:-1]
    wanted = np.concatenate((shares, _tail_shares(cells, min_rows), 1 - _tail_shares(_mirrored(cells), min_rows)))
    cuts = np.unique(_closest(below, np.sort(wanted) * total))
    kept = [0]
    for cut in cuts:
        if below[cut] - below[kept[-1]] >= min_rows and total - below[cut] >= min_rows:
            kept.append(int(cut))
    return np.array(kept, dtype=np.int64)


def _closest(below: npt.NDArray[np.float64], wanted: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    right = np.clip(np.searchsorted(below, wanted), 1, len(below) - 1)
    return np.where(wanted - below[right - 1] <= below[right] - wanted, right - 1, right)


def _tail_shares(cells: Cells, min_rows: float) -> npt.NDArray[np.float64]:
    """Shares at which the lower tail is cut: halves, as long as the outer half is clearly the wider one."""
    below = np.concatenate(([0.0], np.cumsum(cells.counts)))
    total, shares, share = below[-1], [], TAIL_SHARE
    while share / 2 * total >= min_rows:
        outer, inner = (np.searchsorted(below, part * total) for part in (share / 2, share))
        outer, inner = min(int(outer), len(cells) - 1), min(int(inner), len(cells) - 1)
        if not 0 < outer < inner:
            break
        middle = float(cells.start[outer])
        if middle - float(cells.start[0]) <= 1.5 * (float(cells.start[inner]) - middle):
            break
        shares += [share, share / 2]
        share /= 2
    return np.array(shares)


def _mirrored(cells: Cells) -> Cells:
    start, last = -cells.last[::-1].astype(np.float64), -cells.start[::-1].astype(np.float64)
    return Cells(start=start, last=last, counts=cells.counts[::-1])


def _inner_segments(cells: Cells, first_cells: npt.NDArray[np.int64], knot_rows: float) -> Segments:
    """Cut every bin into pieces of about equal mass, none with fewer than ``knot_rows`` rows."""
    below = np.concatenate(([0.0], np.cumsum(cells.counts)))
    stops = np.append(first_cells[1:], len(cells))
    starts: list[int] = []
    bins: list[int] = []
    for index, (first, stop) in enumerate(zip(first_cells, stops, strict=True)):
        mass = below[stop] - below[first]
        pieces = int(np.clip(mass // max(knot_rows, 1e-12), 1, INNER_SEGMENTS))
        cuts = _closest(below, below[first] + mass * np.arange(1, pieces) / pieces)
        kept = [int(first)]
        for cut in np.unique(cuts):
            if (
                first < cut < stop
                and below[cut] - below[kept[-1]] >= knot_rows
                and below[stop] - below[cut] >= knot_rows
            ):
                kept.append(int(cut))
        starts += kept
        bins += [index] * len(kept)
    begin = np.array(starts, dtype=np.int64)
    end = np.append(begin[1:], len(cells))
    mass = below[end] - below[begin]
    bin_of = np.array(bins, dtype=np.int64)
    share = mass / np.bincount(bin_of, weights=mass)[bin_of]
    low, high = _stretch(cells, begin, end)
    return Segments(bin=bin_of, share=share, start=low, last=high)


def _stretch(cells: Cells, begin: npt.NDArray[np.int64], end: npt.NDArray[np.int64]) -> tuple[Numbers, Numbers]:
    """Ends of the pieces: half a typical spacing beyond the outermost values, never past the middle of a gap.

    So no knot lies on a value of the table (except on a grid), and wide gaps between values stay empty.
    """
    low, high = cells.start[begin], cells.last[end - 1]
    spacing = distance(low, high) / np.maximum(end - begin - 1, 1)
    if cells.is_gridded:
        # Half of the ticks strictly between two pieces, as whole numbers: a float would not tell wide gaps apart.
        between = (low[1:].view(np.uint64) - high[:-1].view(np.uint64) - 1) // 2
        inside = np.floor(np.maximum(spacing - 1, 0) / 2).astype(np.uint64)
        up, down = (np.minimum(own, between).view(np.int64) for own in (inside[:-1], inside[1:]))
        return np.append(low[:1], low[1:] - down), np.append(high[:-1] + up, high[-1:])
    gap = distance(high[:-1], low[1:])
    spacing = np.where(spacing > 0, spacing, np.inf)
    up = (np.minimum(spacing[:-1], gap) / 2).astype(low.dtype)
    down = (np.minimum(spacing[1:], gap) / 2).astype(low.dtype)
    high = np.append(np.minimum(high[:-1] + up, next_tick(low[1:], -1)), high[-1:])
    low = np.append(low[:1], np.maximum(low[1:] - down, next_tick(high[:-1], +1)))
    return low, np.maximum(high, low)


def _cut_out(segments: Segments, spikes: Numbers) -> Segments:
    """Split pieces at the spikes inside them, so that no piece holds a spike's tick."""
    owner = np.searchsorted(segments.start, spikes, side="right") - 1
    inside = (owner >= 0) & (spikes <= segments.last[np.maximum(owner, 0)])
    spikes, owner = spikes[inside], owner[inside]
    if not len(spikes):
        return segments
    start = np.concatenate((segments.start, next_tick(spikes, +1)))
    piece = np.concatenate((np.arange(len(segments)), owner))
    order = np.argsort(start, kind="stable")
    start, piece = start[order], piece[order]
    # Each part ends before the next spike in its piece, or at the piece's own end.
    no_spike = segments.last[-1:]
    following = np.concatenate((next_tick(spikes, -1), no_spike))[np.searchsorted(spikes, start)]
    last = np.minimum(segments.last[piece], following)
    whole = last >= start
    parts = Segments(
        bin=segments.bin[piece][whole], share=segments.share[piece][whole], start=start[whole], last=last[whole]
    )
    piece, width = piece[whole], parts.width
    total = np.bincount(piece, weights=width, minlength=len(segments))[piece]
    n_parts = np.bincount(piece, minlength=len(segments))[piece]
    split = np.divide(width, total, out=1.0 / n_parts, where=total > 0)
    return Segments(bin=parts.bin, share=parts.share * split, start=parts.start, last=parts.last)


def next_tick(ticks: Numbers, direction: int) -> Numbers:
    """The next representable tick upwards (+1) or downwards (-1)."""
    if ticks.dtype == np.int64:
        return ticks + direction
    with np.errstate(over="ignore"):
        return np.nextafter(ticks, ticks.dtype.type(direction * np.inf))

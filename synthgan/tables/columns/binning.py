"""From a histogram to spikes, bins and their inner quantile functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from synthgan.tables.axes.raw_numbers import Numbers
from synthgan.tables.columns.cells import LARGEST, Cells, distance, joined, next_tick
from synthgan.tables.columns.islands import (
    MAX_ISLANDS,
    Gaps,
    Protection,
    alone,
    has_far_rows,
    make_islands,
    no_gaps,
    wide_gaps,
)
from synthgan.tables.columns.protocol import LARGEST_POSITION, FitRules

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
_FEWEST_BINS = 4  # of a table of few rows, if `min_count` allows them


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
        kept: where the binning takes the rows to lie: on the spikes, and between the ends of the bins.
        n_merged: how many distinct values found no level and no bin; they go to the nearest spike.
        has_far_rows: see `islands.has_far_rows`.
        fullness: how many times ``min_count`` rows there are, where ends are protected; else infinite.
    """

    spikes: Numbers
    segments: Segments
    kept: Cells
    n_merged: int = 0
    has_far_rows: bool = False
    fullness: float = math.inf


def _ratio(above: npt.NDArray[np.float64], below: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    with np.errstate(over="ignore"):
        ratio: npt.NDArray[np.float64] = np.divide(above, below, out=np.zeros(len(above)), where=below > 0)
    return np.minimum(ratio, LARGEST)


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
    is_protected = rules.protect_values and not rules.counts_are_public
    protection = Protection.of(rules.min_count, rows_per_observation) if is_protected else Protection()
    # Released cells are wide, and noise puts rows into empty ones: there gaps are not looked for.
    gaps = no_gaps(cells) if rules.counts_are_public else wide_gaps(cells, protection)
    is_spike = _find_spikes(cells, rules, floor) | _lone_values(cells, gaps, max(floor, knot_rows))
    spikes, others = cells.take(is_spike), cells.take(~is_spike)
    is_far = is_protected and has_far_rows(cells, protection)
    parts: list[Cells] = []
    if len(others) and others.total >= floor:
        parts = make_islands(others, gaps.widest(MAX_ISLANDS - 1), spikes.start, protection)
    if not parts:
        nothing = spikes.start[:0]
        none = Segments(bin=np.zeros(0, np.int64), share=np.zeros(0), start=nothing, last=nothing)
        return Binning(spikes=spikes.start, segments=none, kept=spikes, n_merged=len(others), has_far_rows=is_far)
    n_bins = max(rules.n_bins * np.sqrt(others.total / cells.total), min(_MIN_RESIDUAL_BINS, rules.n_bins))
    bin_rows = MIN_BIN_ROWS * rows_per_observation
    if not rules.counts_are_public:
        bin_rows = min(bin_rows, cells.total / _FEWEST_BINS)
    pieces: list[Segments] = []
    for part in parts:
        n_own = max(1, round(n_bins * part.total / others.total))
        first_cells = _bin_edges(part, n_own, max(knot_rows, bin_rows))
        pieces.append(_inner_segments(part, first_cells, knot_rows, gaps))
    return Binning(
        spikes=spikes.start,
        segments=_cut_out(_side_by_side(pieces), spikes.start),
        kept=joined([spikes, *parts]),
        has_far_rows=is_far,
        fullness=cells.total / knot_rows if is_protected else math.inf,
    )


def _side_by_side(parts: Sequence[Segments]) -> Segments:
    """The segments of several islands, with the bins numbered through."""
    n_bins = np.cumsum([0, *(int(part.bin[-1]) + 1 for part in parts)])
    return Segments(
        bin=np.concatenate([part.bin + first for part, first in zip(parts, n_bins[:-1], strict=True)]),
        share=np.concatenate([part.share for part in parts]),
        start=np.concatenate([part.start for part in parts]),
        last=np.concatenate([part.last for part in parts]),
    )


def _lone_values(cells: Cells, gaps: Gaps, floor: float) -> npt.NDArray[np.bool_]:
    """Single values that lie apart from all others and have enough rows: sentinels, however few beside the rest."""
    lone: npt.NDArray[np.bool_] = alone(cells, gaps) & (cells.start == cells.last) & (cells.counts >= floor)
    return lone


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


def _inner_segments(cells: Cells, first_cells: npt.NDArray[np.int64], knot_rows: float, gaps: Gaps) -> Segments:
    """Cut every bin into pieces of about equal mass, none with fewer than ``knot_rows`` rows.

    A wide gap nearby takes a cut to itself.
    """
    below = np.concatenate(([0.0], np.cumsum(cells.counts)))
    behind_gaps = np.searchsorted(cells.start, gaps.after)
    stops = np.append(first_cells[1:], len(cells))
    starts: list[int] = []
    bins: list[int] = []
    for index, (first, stop) in enumerate(zip(first_cells, stops, strict=True)):
        mass = below[stop] - below[first]
        pieces = int(np.clip(mass // max(knot_rows, 1e-12), 1, INNER_SEGMENTS))
        cuts = _closest(below, below[first] + mass * np.arange(1, pieces) / pieces)
        cuts = _onto_gaps(below, cuts, behind_gaps, reach=mass / pieces / 2)
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


def _onto_gaps(
    below: npt.NDArray[np.float64], cuts: npt.NDArray[np.int64], behind_gaps: npt.NDArray[np.int64], *, reach: float
) -> npt.NDArray[np.int64]:
    """Cuts moved to the nearest gap, where no more than ``reach`` rows lie between."""
    if not len(behind_gaps) or not len(cuts):
        return cuts
    at_gap = (
        behind_gaps[_closest(below[behind_gaps], below[cuts])]
        if len(behind_gaps) > 1
        else behind_gaps.repeat(len(cuts))
    )
    return np.where(np.abs(below[at_gap] - below[cuts]) <= reach, at_gap, cuts)


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

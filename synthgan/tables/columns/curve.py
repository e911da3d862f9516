"""The two directions between ticks and codes with positions, both by table lookup."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from synthgan.tables.axes.raw_numbers import Numbers
from synthgan.tables.columns.binning import Segments
from synthgan.tables.columns.cells import distance, next_tick
from synthgan.tables.columns.protocol import LARGEST_POSITION, Codes, Positions

_LARGEST_UINT64 = float(np.nextafter(2.0**64, 0))
_FAR_TICK = 2**62  # a table here would reach beyond int64
_TABLE_TICKS = 2**16  # a gridded column no wider than this is looked up tick by tick


class TickLookup:
    """Ticks to codes and positions: the number line cut into regions, each with one code and one slope.

    Every tick has a region. A spike's is its own tick and no more; the gaps between the bins' segments belong to the
    nearer segment, and the outermost ones reach to infinity. Only without any bin do spikes share out the gaps.
    """

    def __init__(self, segments: Segments, bin_codes: Codes, spikes: Numbers, spike_codes: Codes) -> None:
        """Lay bins and spikes side by side; there must be at least one."""
        n_segments, none = len(segments), np.zeros(len(spikes))
        starts, owners = np.concatenate((segments.start, spikes)), np.arange(n_segments + len(spikes))
        if n_segments:
            boundaries = _halfway(segments.start, segments.last)
            after = spikes[spikes < next_tick(spikes, +1)]
            self._boundaries = np.unique(np.concatenate((boundaries, spikes, next_tick(after, +1))))
            owners = np.concatenate(([-1], np.searchsorted(boundaries, self._boundaries, side="right")))
            owners[0] = 0
            at_spike = np.searchsorted(self._boundaries, spikes) + 1
            owners[at_spike] = n_segments + np.arange(len(spikes))
        else:
            self._boundaries = _halfway(spikes, spikes)
        self._gridded = bool(spikes.dtype == np.int64)
        self.code = np.concatenate((bin_codes[segments.bin], spike_codes))[owners]
        self._start = starts[owners]
        self._last = np.concatenate((segments.last, spikes))[owners]
        self._position = np.concatenate((segments.first_position, none))[owners]
        self._slope = np.concatenate((segments.share_per_tick, none))[owners]
        self._low, self._table = self._tabulate()

    def _tabulate(self) -> tuple[int, npt.NDArray[np.int64] | None]:
        if not self._gridded or not len(self._boundaries):
            return 0, None
        low, high = int(self._boundaries[0]) - 1, int(self._boundaries[-1])
        if high - low >= _TABLE_TICKS or max(abs(low), abs(high)) >= _FAR_TICK:
            return 0, None
        return low, np.searchsorted(self._boundaries, np.arange(low, high + 1), side="right")

    def find(self, ticks: Numbers) -> npt.NDArray[np.int64]:
        """``(n_rows,)`` index of each tick's region."""
        if self._table is None:
            return np.searchsorted(self._boundaries, ticks, side="right")
        piece: Codes = self._table[np.clip(ticks, self._low, self._low + len(self._table) - 1) - self._low]
        return piece

    def codes(self, ticks: Numbers) -> Codes:
        """``(n_rows,)`` codes."""
        codes: Codes = self.code[self.find(ticks)]
        return codes

    def place(self, tick: float | int) -> tuple[int, float]:
        """Code and position of one tick, without jitter."""
        piece = self.find(np.array([tick], dtype=self._start.dtype))
        start = self._start[piece]
        inside = np.clip(np.array([tick], dtype=start.dtype), start, self._last[piece])
        position = self._position[piece] + distance(start, inside) * self._slope[piece]
        return int(self.code[piece][0]), float(min(position[0], LARGEST_POSITION))

    def encode(self, ticks: Numbers, rng: np.random.Generator) -> tuple[Codes, Positions]:
        """``(n_rows,)`` codes, and float32 positions with jitter inside the granule."""
        piece = self.find(ticks)
        start = self._start[piece]
        inside = distance(start, np.clip(ticks, start, self._last[piece]))
        if self._gridded:
            inside += rng.random(len(ticks), dtype=np.float32)
        positions = self._position[piece] + inside * self._slope[piece]
        return self.code[piece], np.minimum(positions, LARGEST_POSITION).astype(np.float32)


class TickCurve:
    """Codes and positions to ticks: one curve over ``code + position``, monotone within every bin."""

    def __init__(
        self, segments: Segments, bin_codes: Codes, spikes: Numbers, spike_codes: Codes, n_levels: int
    ) -> None:
        """Lay the codes side by side; those without a number get tick 0."""
        others = np.setdiff1d(np.arange(n_levels), bin_codes)
        tick_of_code = np.zeros(n_levels, dtype=spikes.dtype)
        tick_of_code[spike_codes] = spikes
        none = np.zeros(len(others))
        place = np.concatenate((bin_codes[segments.bin] + segments.first_position, others))
        order = np.argsort(place, kind="stable")
        self._gridded = bool(spikes.dtype == np.int64)
        self._place = place[order]
        self._start = np.concatenate((segments.start, tick_of_code[others]))[order]
        self._last = np.concatenate((segments.last, tick_of_code[others]))[order]
        self._slope = np.concatenate((segments.ticks_per_share, none))[order]

    def ticks(self, codes: Codes, positions: Positions | None) -> Numbers:
        """``(n_rows,)`` ticks; without positions no code may be a bin."""
        if positions is None:
            only: Numbers = self._start[codes]
            return only
        place = codes + np.clip(positions, 0.0, LARGEST_POSITION).astype(np.float64)
        piece = np.searchsorted(self._place, place, side="right") - 1
        start, last = self._start[piece], self._last[piece]
        inside = (place - self._place[piece]) * self._slope[piece]
        ticks: Numbers
        if not self._gridded:
            with np.errstate(over="ignore"):
                ticks = (start + inside).astype(start.dtype)
            return np.clip(ticks, start, last)
        # Unsigned arithmetic, because a bin may be wider than the largest int64.
        offset = np.minimum(np.floor(inside), np.minimum(distance(start, last), _LARGEST_UINT64)).astype(np.uint64)
        ticks = (start.view(np.uint64) + offset).view(np.int64)
        return np.clip(ticks, start, last)


def _halfway(start: Numbers, last: Numbers) -> Numbers:
    """``(n_pieces - 1,)`` first tick of every piece but the first, when gaps go to the nearer one."""
    before, after = last[:-1], start[1:]
    if start.dtype == np.int64:
        between: Numbers = (after.view(np.uint64) - before.view(np.uint64) - 1) // 2
        return before + 1 + between.view(np.int64)
    middle: Numbers = np.maximum(next_tick(before, +1), before / 2 + after / 2)
    return middle

"""The levels of a numeric column, and how codes and positions lie on its ticks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from synthgan.tables.axes.axis import Axis
from synthgan.tables.axes.raw_numbers import Numbers
from synthgan.tables.columns.binning import Binning, Segments
from synthgan.tables.columns.curve import TickCurve, TickLookup
from synthgan.tables.columns.protocol import Codes

INFINITE_LEVELS = {"+inf": np.inf, "-inf": -np.inf}
"""Names of the levels of infinite values."""


@dataclass(frozen=True)
class NumericLevels:
    """Levels in value order: spikes and bins, then infinities, missing last.

    Attributes:
        name: the column.
        axis: values to ticks and back.
        spikes: ``(n_spikes,)`` ticks of single-value levels, ascending.
        spike_codes: ``(n_spikes,)`` their codes.
        bin_codes: ``(n_bins,)`` codes of the bins, ascending.
        segments: the bins' inner quantile functions; segment bins index ``bin_codes``.
        special: codes of ``"+inf"``, ``"-inf"`` and ``"missing"``, as far as the column has them.
        marginal: ``(n_levels,)`` share of rows.
    """

    name: str
    axis: Axis
    spikes: Numbers
    spike_codes: Codes
    bin_codes: Codes
    segments: Segments
    special: dict[str, int]
    marginal: npt.NDArray[np.float64]

    @property
    def n_levels(self) -> int:
        """Number of codes."""
        return len(self.marginal)

    @property
    def missing(self) -> int | None:
        """Code of missing, None when the column has none."""
        return self.special.get("missing")

    @cached_property
    def lookup(self) -> TickLookup:
        """Ticks to codes; only for a column with at least one spike or bin."""
        return TickLookup(self.segments, self.bin_codes, self.spikes, self.spike_codes)

    @cached_property
    def curve(self) -> TickCurve:
        """Codes to ticks."""
        return TickCurve(self.segments, self.bin_codes, self.spikes, self.spike_codes, self.n_levels)

    def check(self) -> None:
        """See to it that a damaged file cannot decode to nonsense.

        Raises:
            ValueError: when the parts do not fit together.
        """
        segments = self.segments
        sizes = {len(part) for part in (segments.bin, segments.share, segments.start, segments.last)}
        codes = np.sort(np.concatenate((self.spike_codes, self.bin_codes, list(self.special.values()))))
        fits = (
            len(self.spikes) == len(self.spike_codes)
            and len(sizes) == 1
            and np.array_equal(codes, np.arange(self.n_levels))
            and np.array_equal(np.unique(segments.bin), np.arange(len(self.bin_codes)))
            and set(self.special) <= {"missing", *INFINITE_LEVELS}
            and (self.spikes[1:] > self.spikes[:-1]).all()
            and (np.diff(segments.bin) >= 0).all()
            and (segments.share >= 0).all()
            and (segments.start <= segments.last).all()
            and (segments.start[1:] > segments.last[:-1]).all()
            and (self.marginal >= 0).all()
            and math.isclose(self.marginal.sum(), 1, abs_tol=1e-6)
            and all(self.axis.covers(ticks[0], ticks[-1]) for ticks in (self.spikes, segments.start) if len(ticks))
            and (not len(segments) or self.axis.covers(segments.start[0], segments.last[-1]))
        )
        if not fits:
            raise ValueError(f"the levels of column '{self.name}' do not fit together")


def value_order(binning: Binning) -> tuple[Codes, Codes]:
    """Codes of spikes and bins by value; a bin counts as its median."""
    segments, n_spikes = binning.segments, len(binning.spikes)
    n_bins = int(segments.bin[-1]) + 1 if len(segments) else 0
    middle = np.zeros(0)
    if n_bins:
        place = segments.bin + segments.first_position
        owner = np.searchsorted(place, np.arange(n_bins) + 0.5, side="right") - 1
        inside = (np.arange(n_bins) + 0.5 - place[owner]) * segments.ticks_per_share[owner]
        middle = segments.start[owner].astype(np.float64) + np.minimum(inside, segments.width[owner])
    place = np.concatenate((binning.spikes.astype(np.float64), middle))
    codes = np.empty(n_spikes + n_bins, dtype=np.int64)
    codes[np.argsort(place, kind="stable")] = np.arange(n_spikes + n_bins)
    # Huge ticks can tie as floats; spikes and bins keep their own order all the same.
    return np.sort(codes[:n_spikes]), np.sort(codes[n_spikes:])

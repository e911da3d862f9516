"""Numbers and times: heavy values as levels, the rest in bins with a position inside."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from synthgan.tables.axes.axis import Axis
from synthgan.tables.axes.raw_numbers import Mask, Numbers, conform
from synthgan.tables.columns.binning import Segments, make_binning
from synthgan.tables.columns.cells import moments
from synthgan.tables.columns.curve import TickLookup
from synthgan.tables.columns.numeric_bounds import clip_to_bounds, declared_bounds, rows_beyond
from synthgan.tables.columns.numeric_conditions import compile_numeric
from synthgan.tables.columns.numeric_levels import INFINITE_LEVELS, NumericLevels, value_order
from synthgan.tables.columns.protocol import Codes, FitRules, LevelCondition, LevelFacts, Losses, Positions
from synthgan.tables.conditions.predicates import Predicate
from synthgan.tables.schema.schema import ColumnSchema
from synthgan.tables.statistics.statistics import ColumnStatistics

STANDARDISED_LIMIT = 10.0
"""Standardised values are clipped to this many standard deviations."""


@dataclass(frozen=True)
class NumericEncoder(NumericLevels):
    """A numeric column: its levels, what their values are to the networks, and what the fit lost.

    Attributes:
        bounds: declared lower and upper tick, None where open.
        centre: mean tick of the rows with a number, as far as they are kept: outermost ones lie on the ends of the
            bins.
        spread: their standard deviation in ticks.
        n_merged: how many distinct values went to the nearest level for want of rows.
        clipped_rows: rows beyond the declared bounds; known to a fit, not to a loaded model.
        n_lost_digits: last digits of decimals that come out as zeros; likewise.
        has_far_rows: whether too few rows to be kept lie far from all others; known to a fit, not to a loaded model.
        has_lost_infinities: whether infinite values were too few to be kept; known to a fit, not to a loaded model.
        fullness: how many times ``min_count`` rows have a number, where value protection draws bins in from their ends;
            infinite elsewhere, and for a loaded model.
    """

    bounds: tuple[float | int | None, float | int | None]
    centre: float
    spread: float
    n_merged: int = 0
    clipped_rows: float = 0.0
    n_lost_digits: int = 0
    has_far_rows: bool = False
    has_lost_infinities: bool = False
    fullness: float = math.inf

    @classmethod
    def fit(cls, column: ColumnSchema, statistics: ColumnStatistics, rules: FitRules) -> NumericEncoder:
        """Choose levels from the column's histogram."""
        histogram = statistics.histogram(column.name)
        bounds = declared_bounds(column, histogram.axis)
        cells, infinite = clip_to_bounds(histogram, bounds)
        binning = make_binning(cells, rules, rows_per_observation=histogram.rows_per_observation)
        spike_codes, bin_codes = value_order(binning)
        n_levels = len(spike_codes) + len(bin_codes)
        n_missing = histogram.n_missing + (cells.total if n_levels == 0 else 0.0)
        special: dict[str, int] = {}
        special_rows: list[float] = []
        for name, rows in infinite.items():
            if rows >= rules.level_floor:
                special[name] = n_levels + len(special_rows)
                special_rows.append(rows)
            else:
                n_missing += rows
        if n_missing > 0 or n_levels + len(special_rows) == 0:
            special["missing"] = n_levels + len(special_rows)
            special_rows.append(max(n_missing, 0.0))
        counted: npt.NDArray[Any] = np.zeros(n_levels)
        if n_levels:
            # Rows are counted where encoding would put them, so that shares and codes agree.
            lookup = TickLookup(binning.segments, bin_codes, binning.spikes, spike_codes)
            counted = np.bincount(lookup.codes(cells.start), weights=cells.counts, minlength=n_levels)
        rows_of_code = np.concatenate((counted, special_rows))
        n_rows = rows_of_code.sum()
        centre, spread = moments(binning.kept)
        return cls(
            name=column.name,
            axis=histogram.axis,
            bounds=bounds,
            spikes=binning.spikes,
            spike_codes=spike_codes,
            bin_codes=bin_codes,
            segments=binning.segments,
            special=special,
            marginal=rows_of_code / n_rows if n_rows > 0 else np.full(len(rows_of_code), 1 / len(rows_of_code)),
            centre=centre,
            spread=spread,
            n_merged=binning.n_merged,
            clipped_rows=rows_beyond(histogram, bounds),
            n_lost_digits=histogram.n_lost_digits,
            has_far_rows=binning.has_far_rows,
            has_lost_infinities=any(infinite[name] > 0 and name not in special for name in infinite),
            fullness=binning.fullness,
        )

    @cached_property
    def facts(self) -> LevelFacts:
        """The levels, in code order."""
        is_bin = np.zeros(self.n_levels, dtype=bool)
        is_bin[self.bin_codes] = True
        is_ordered = is_bin.copy()
        is_ordered[self.spike_codes] = True
        start, stop = np.zeros(self.n_levels), np.zeros(self.n_levels)
        start[self.spike_codes] = stop[self.spike_codes] = self._standardise(self.spikes)
        if len(self.bin_codes):
            first = np.searchsorted(self.segments.bin, np.arange(len(self.bin_codes)))
            final = np.append(first[1:], len(self.segments)) - 1
            start[self.bin_codes] = self._standardise(self.segments.start[first])
            stop[self.bin_codes] = self._standardise(self.segments.last[final])
        for name, sign in (("+inf", 1.0), ("-inf", -1.0)):
            if name in self.special:
                start[self.special[name]] = stop[self.special[name]] = sign * STANDARDISED_LIMIT
        return LevelFacts(
            is_bin=is_bin, value_start=start, value_stop=stop, is_ordered=is_ordered, marginal=self.marginal
        )

    def _standardise(self, ticks: Numbers) -> npt.NDArray[np.float64]:
        if self.spread <= 0:
            return np.zeros(len(ticks))
        # Halves first: the difference of two large floats may not fit.
        standard = (ticks.astype(np.float64) / 2 - self.centre / 2) / (self.spread / 2)
        return np.clip(standard, -STANDARDISED_LIMIT, STANDARDISED_LIMIT)

    def encode(self, array: pa.Array, rng: np.random.Generator) -> tuple[Codes, Positions | None]:
        """Codes and positions of a batch."""
        readings = self.axis.read(conform(array, self.axis.arrow_type, self.name))
        ticks = self._within_bounds(readings.ticks)
        positions: Positions | None = None
        if len(self.bin_codes):
            codes, positions = self.lookup.encode(ticks, rng)
        elif len(self.spikes):
            codes = self.lookup.codes(ticks)
        else:
            codes = np.full(len(array), self._no_number, dtype=np.int64)
        if readings.infinite is not None:
            for sign, name, bound in ((1, "+inf", self.bounds[1]), (-1, "-inf", self.bounds[0])):
                rows = readings.infinite == sign
                if rows.any():
                    codes[rows] = self._code_at(bound) if bound is not None else self.special.get(name, self._no_number)
        if readings.missing is not None:
            codes[readings.missing] = self._no_number
        return codes, positions

    def _within_bounds(self, ticks: Numbers) -> Numbers:
        low, high = self.bounds
        return ticks if low is None and high is None else np.clip(ticks, low, high)

    def _code_at(self, tick: float | int) -> int:
        if not len(self.spikes) and not len(self.bin_codes):
            return self._no_number
        return int(self.lookup.codes(np.array([tick], dtype=self.axis.dtype))[0])

    @cached_property
    def _no_number(self) -> int:
        """Code of what is not a number; the commonest one where the fit saw nothing missing."""
        return self.special.get("missing", int(np.argmax(self.marginal)))

    def decoder(self, rng: np.random.Generator) -> NumericEncoder:  # noqa: ARG002
        """The encoder itself: decoding numbers needs neither state nor chance."""
        return self

    def decode(self, codes: Codes, positions: Positions | None) -> pa.Array:
        """Values at the codes and positions."""
        missing = None if self.missing is None else codes == self.missing
        ticks = self.curve.ticks(codes, positions)
        array = self.axis.write(ticks, missing)
        if self.axis.has_clock_changes:
            array = self._outside_clock_changes(array, ticks, codes, missing)
        if any(name in self.special for name in INFINITE_LEVELS):
            values = array.to_numpy(zero_copy_only=False).copy()
            for name, value in INFINITE_LEVELS.items():
                if name in self.special:
                    values[codes == self.special[name]] = value
            array = pa.array(values, mask=missing)
        return array

    def _outside_clock_changes(self, array: pa.Array, ticks: Numbers, codes: Codes, missing: Mask | None) -> pa.Array:
        """Move wall times that a clock change skips to the nearest one with the same code; if need be, to any other."""
        wrong = self.axis.are_skipped(ticks)
        if missing is not None:
            wrong &= ~missing
        rows = np.flatnonzero(wrong)
        if not len(rows):
            return array
        ticks, wanted = ticks.copy(), codes[rows]
        is_moved = np.zeros(len(rows), dtype=bool)
        around = self.axis.around_clock_change(ticks[rows])
        for candidate, code in [*((each, wanted) for each in around), *((each, None) for each in around)]:
            exists = ~self.axis.are_skipped(candidate)
            fits = ~is_moved & exists if code is None else ~is_moved & exists & (self.lookup.codes(candidate) == code)
            ticks[rows[fits]] = candidate[fits]
            is_moved |= fits
        return self.axis.write(ticks, missing)

    def compile(self, predicate: Predicate) -> LevelCondition:
        """Which codes and positions decode to values that meet the predicate."""
        return compile_numeric(self, predicate)

    @property
    def listed(self) -> None:
        """Numbers are no list of values, also where a few of them have levels."""

    @property
    def losses(self) -> Losses:
        """Values that went to the nearest level for want of rows, and what value protection changed."""
        has_bins = len(self.bin_codes) > 0
        return Losses(
            n_classes=0 if has_bins else self.n_merged,
            classes_become="the nearest that is kept" if len(self.spikes) else "missing",
            has_far_rows=self.has_far_rows,
            has_infinities=self.has_lost_infinities,
            fullness=self.fullness,
        )

    def describe(self) -> dict[str, Any]:
        """What the model file holds about the column."""
        ends: list[str | None] = [None, None]
        if len(self.spikes) or len(self.segments):
            starts = np.concatenate((self.spikes, self.segments.start))
            lasts = np.concatenate((self.spikes, self.segments.last))
            ends = [str(value) for value in self.axis.write(np.array([starts.min(), lasts.max()]), None).to_pylist()]
        return {
            "levels": len(self.spikes) + sum(name in self.special for name in INFINITE_LEVELS),
            "bins": len(self.bin_codes),
            "knots": len(self.segments) + 1 if len(self.segments) else 0,
            "missing": self.missing is not None,
            "merged": self.n_merged,
            "granularity": self.axis.granularity,
            **self.axis.describe_grid(),
            "lowest": ends[0],
            "highest": ends[1],
        }

    def notices(self) -> tuple[str, ...]:
        """Says when nothing is left, what declared bounds cut, and what is lost; see also `protection_notices`."""
        if self.n_merged and self.missing is not None and self.n_levels == 1:
            return (f"column '{self.name}' has too few rows with a value and will be emitted empty; lower min_count",)
        said: list[str] = []
        if self.clipped_rows >= 1:
            said.append(
                f"column '{self.name}' lies beyond its declared bounds in {self.clipped_rows:.0f} rows, which are "
                "learned as if they lay on the bounds; widen the bounds if that is not meant"
            )
        if self.n_lost_digits:
            said.append(
                f"column '{self.name}' spans more digits than 64 bits hold, so the last {self.n_lost_digits} of them "
                "come out as zeros; round the column, or declare it categorical if its values are codes"
            )
        return tuple(said)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "name": self.name,
            "axis": self.axis.to_json(),
            "bounds": list(self.bounds),
            "spikes": self.spikes.tolist(),
            "spike_codes": self.spike_codes.tolist(),
            "bin_codes": self.bin_codes.tolist(),
            "segment_bin": self.segments.bin.tolist(),
            "segment_share": self.segments.share.tolist(),
            "segment_start": self.segments.start.tolist(),
            "segment_last": self.segments.last.tolist(),
            "special": dict(self.special),
            "marginal": self.marginal.tolist(),
            "centre": self.centre,
            "spread": self.spread,
            "n_merged": self.n_merged,
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> NumericEncoder:
        """The encoder that `to_json` wrote.

        Raises:
            ValueError: when the parts do not fit together.
        """
        axis = Axis.from_json(content["axis"])
        dtype = axis.dtype
        low, high = content["bounds"]
        encoder = cls(
            name=content["name"],
            axis=axis,
            bounds=(low, high),
            spikes=np.array(content["spikes"], dtype=dtype),
            spike_codes=np.array(content["spike_codes"], dtype=np.int64),
            bin_codes=np.array(content["bin_codes"], dtype=np.int64),
            segments=Segments(
                bin=np.array(content["segment_bin"], dtype=np.int64),
                share=np.array(content["segment_share"], dtype=np.float64),
                start=np.array(content["segment_start"], dtype=dtype),
                last=np.array(content["segment_last"], dtype=dtype),
            ),
            special={name: int(code) for name, code in content["special"].items()},
            marginal=np.array(content["marginal"], dtype=np.float64),
            centre=float(content["centre"]),
            spread=float(content["spread"]),
            n_merged=int(content["n_merged"]),
        )
        encoder.check()
        return encoder

"""Counters of numeric columns: rows per cell of a public grid, and rows per candidate of the grid itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as pat

from synthgan.privacy.columns.estimates import Cell, Tick
from synthgan.privacy.columns.protocol import Counts
from synthgan.privacy.columns.public_grids import tick_array, time_steps
from synthgan.tables.axes.axis import Axis
from synthgan.tables.axes.raw_numbers import LARGEST_SCALED, MAX_DECIMALS, Numbers, conform, read_floats, read_whole

N_SPECIAL = 3
"""Missing, plus infinity, minus infinity: the last cells of a whole histogram."""


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A column's rows as ticks, moved into the declared range.

    Attributes:
        name: the column.
        axis: its grid.
        low: first declared tick, None where open.
        high: last declared tick.
    """

    name: str
    axis: Axis
    low: Tick | None
    high: Tick | None

    def read(self, array: pa.Array) -> tuple[Numbers, Counts]:
        """Ticks of the rows that hold a number, and how many are missing, plus and minus infinite.

        An infinity beyond a declared bound lies on the bound, like any other number.
        """
        readings = self.axis.read(conform(array, self.axis.arrow_type, self.name))
        ticks, infinite = readings.ticks, readings.infinite
        n_missing = 0 if readings.missing is None else int(readings.missing.sum())
        special = np.array([n_missing, 0, 0], dtype=np.int64)
        keep = readings.finite
        if infinite is not None and keep is not None:
            ticks = ticks.copy()
            for place, (sign, bound) in enumerate(((1, self.high), (-1, self.low)), start=1):
                rows = infinite == sign
                if bound is None:
                    special[place] = int(rows.sum())
                else:
                    ticks[rows] = bound
                    keep = keep | rows
        if keep is not None:
            ticks = ticks[keep]
        if self.low is not None or self.high is not None:
            ticks = np.clip(ticks, self.low, self.high)
        return ticks, special


class CellCounter:
    """Rows per cell, then missing and infinite rows; rows in no cell, or on an excluded tick, count nowhere."""

    def __init__(self, reader: Reader, cells: Sequence[Cell], *, excluded: Numbers | None = None) -> None:
        """Count for ascending, disjoint ``cells``; ``excluded`` ticks ascend."""
        self._reader = reader
        self._lower = tick_array(reader.axis, [cell.lower for cell in cells])
        self._upper = tick_array(reader.axis, [cell.upper for cell in cells])
        self._excluded = excluded
        self.counts: Counts = np.zeros(len(cells) + N_SPECIAL, dtype=np.int64)

    def add(self, array: pa.Array) -> None:
        """Take a batch."""
        ticks, special = self._reader.read(array)
        self.counts[-N_SPECIAL:] += special
        if self._excluded is not None:
            ticks = ticks[~is_among(ticks, self._excluded)]
        place = np.searchsorted(self._lower, ticks, side="right") - 1
        inside = place >= 0
        inside[inside] = ticks[inside] <= self._upper[place[inside]]
        self.counts[:-N_SPECIAL] += np.bincount(place[inside], minlength=len(self._lower))


def is_among(ticks: Numbers, chosen: Numbers) -> npt.NDArray[np.bool_]:
    """``(n_ticks,)`` bool: which are among the ascending ``chosen`` ones."""
    if not len(chosen):
        return np.zeros(len(ticks), dtype=bool)
    place = np.minimum(np.searchsorted(chosen, ticks), len(chosen) - 1)
    among: npt.NDArray[np.bool_] = chosen[place] == ticks
    return among


class StepCounter:
    """Rows by the coarsest of `candidate_steps` that their time or number lies on; the last cell: on none."""

    def __init__(self, name: str, arrow_type: pa.DataType) -> None:
        self._name = name
        self._type = arrow_type
        self.counts: Counts = np.zeros(len(candidate_steps(arrow_type)) + 1, dtype=np.int64)

    def add(self, array: pa.Array) -> None:
        """Take a batch."""
        array = conform(array, self._type, self._name)
        if pat.is_floating(self._type):
            values, missing, infinite = read_floats(array)
            keep = np.ones(len(values), dtype=bool) if missing is None else ~missing
            if infinite is not None:
                keep &= infinite == 0
            place = self._decimals(values[keep])
        else:
            raw, absent = read_whole(array)
            place = self._steps(raw if absent is None else raw[~absent])
        self.counts += np.bincount(place, minlength=len(self.counts))

    def _decimals(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        place = np.full(len(values), MAX_DECIMALS + 1, dtype=np.int64)
        held: Any = self._type.to_pandas_dtype()
        with np.errstate(over="ignore", invalid="ignore"):
            for decimals in range(MAX_DECIMALS, -1, -1):
                scaled = np.rint(values * 10.0**decimals)
                fits = (held(1) * (scaled / 10.0**decimals).astype(held)) == values.astype(held)
                place[fits & (np.abs(scaled) < LARGEST_SCALED)] = decimals
        return place

    def _steps(self, raw: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        steps = candidate_steps(self._type)
        place = np.full(len(raw), len(steps), dtype=np.int64)
        for index in range(len(steps) - 1, -1, -1):
            place[raw % steps[index] == 0] = index
        return place


def candidate_steps(arrow_type: pa.DataType) -> tuple[int, ...]:
    """Grids that a column's values may lie on, coarsest first: steps of time, or numbers of decimals of a float."""
    if pat.is_floating(arrow_type):
        return tuple(range(MAX_DECIMALS + 1))
    return time_steps(arrow_type)

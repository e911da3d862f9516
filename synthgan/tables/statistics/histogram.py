"""Numeric columns counted over batches: values on the ticks of the grid that they were found to lie on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as pat

from synthgan.errors import SchemaError
from synthgan.tables.arrow_types import parse_type
from synthgan.tables.axes.axis import Axis
from synthgan.tables.axes.axis_search import AxisSearch, distinct
from synthgan.tables.axes.decimal_digits import DecimalFrame, DecimalReader
from synthgan.tables.axes.raw_numbers import Numbers, conform, is_numeric, read_floats, read_whole, wall_times
from synthgan.tables.schema.schema import ColumnSchema
from synthgan.tables.statistics.declared_grids import declared_axis, has_declared_grid

MAX_DISTINCT = 2**18
"""Numeric columns keep exact counts up to this many distinct values, and a random sample of rows beyond."""

SAMPLE_ROWS = 2**19
"""Rows in that sample."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Histogram:
    """Where a numeric column's rows lie, on the ticks of its axis.

    Attributes:
        axis: the grid that was found, and the way back to values.
        lower: ``(n_cells,)`` first tick of each cell, ascending.
        upper: ``(n_cells,)`` last tick of each cell, inclusive; ``lower`` for a single value. Cells are disjoint.
        counts: ``(n_cells,)`` float64 rows per cell.
        rows_per_observation: rows that one counted row stands for, above 1 when the counts come from a sample or
            carry noise: a cell of at least ``k * rows_per_observation`` rows is as sure as one in which k rows of the
            whole table were counted.
        n_missing: rows without a number.
        n_positive_infinite: rows at plus infinity.
        n_negative_infinite: rows at minus infinity.
        n_lost_digits: last digits of a decimal column's values that its range leaves no room for.
    """

    axis: Axis
    lower: Numbers
    upper: Numbers
    counts: npt.NDArray[np.float64]
    rows_per_observation: float = 1.0
    n_missing: float = 0.0
    n_positive_infinite: float = 0.0
    n_negative_infinite: float = 0.0
    n_lost_digits: int = 0


class NumberCounter:
    """Counts a numeric column's values and finds its grid."""

    def __init__(
        self,
        column: ColumnSchema,
        rng: np.random.Generator,
        *,
        exception_rows: float = math.inf,
        outer_rows: int = 0,
    ) -> None:
        """Count for ``column``.

        Args:
            column: its schema; a declared grid wins over what would be found.
            rng: draws the sample when there are too many distinct values.
            exception_rows: see `AxisSearch`.
            outer_rows: see `AxisSearch`.
        """
        self._column = column
        self._rng = rng
        self._exception_rows = exception_rows
        self._outer_rows = outer_rows
        self._arrow_type = parse_type(column.arrow_type)
        if not is_numeric(self._arrow_type):
            raise SchemaError(
                f"column '{column.name}' is declared {column.kind} but holds {column.arrow_type}; convert the column "
                "or declare another kind"
            )
        self._values: list[npt.NDArray[Any]] = []
        self._counts: list[npt.NDArray[np.int64]] = []
        self._n_pending = 0
        self._sample: _RowSample | None = None
        self._search: AxisSearch | None = None
        self._n_finite = 0
        self._n_missing = 0
        self._n_infinite = {1: 0, -1: 0}
        self._decimals = DecimalReader(outer_rows)

    def add(self, array: pa.Array) -> None:
        """Take a batch.

        Raises:
            DataError: when the batch has another type than the schema says, and no exact way to it.
        """
        values = self._read(array)
        self._n_finite += len(values)
        if not len(values):
            return
        if self._sample is not None:
            if self._search is not None:
                self._search.add(values)
            self._sample.add(values)
            return
        counted = pa.array(values).value_counts()
        self._values.append(counted.field(0).to_numpy(zero_copy_only=False))
        self._counts.append(counted.field(1).to_numpy())
        self._n_pending += len(counted)
        if self._n_pending > 2 * MAX_DISTINCT:
            self._merge()

    def _read(self, array: pa.Array) -> npt.NDArray[Any]:
        """Finite raw values of a batch; datetimes in a zone as instants."""
        array = conform(array, self._arrow_type, self._column.name)
        if pat.is_floating(array.type):
            floats, missing, infinite = read_floats(array)
            keep = np.ones(len(floats), dtype=bool) if missing is None else ~missing
            if infinite is not None:
                keep &= infinite == 0
                for sign in (1, -1):
                    self._n_infinite[sign] += int((infinite == sign).sum())
            self._n_missing += 0 if missing is None else int(missing.sum())
            return floats if keep.all() else floats[keep]
        if pat.is_decimal(array.type):
            before = self._decimals.frame
            if self._decimals.widen(array, [*self._values, *(self._sample.values if self._sample is not None else ())]):
                self._recount(before)
        raw, absent = read_whole(array, self._decimals.frame, "utc")
        self._n_missing += 0 if absent is None else int(absent.sum())
        return raw if absent is None else raw[~absent]

    def _recount(self, before: DecimalFrame) -> None:
        """Bring what was counted in another frame to the present one."""
        frame = self._decimals.frame
        self._values = [before.moved(values, frame)[0] for values in self._values]
        if self._sample is not None:
            self._sample.values = [before.moved(values, frame)[0] for values in self._sample.values]
            self._search = self._new_search(np.arange(2), np.ones(2))  # what held in the old unit is not known in this

    def _new_search(self, values: npt.NDArray[Any], counts: npt.NDArray[Any]) -> AxisSearch:
        return AxisSearch(
            self._arrow_type,
            values,
            counts,
            exception_rows=self._exception_rows,
            outer_rows=self._outer_rows,
        )

    def _merge(self) -> None:
        values, counts = distinct(np.concatenate(self._values), np.concatenate(self._counts))
        if len(values) > MAX_DISTINCT:
            self._sample = _RowSample(self._rng, values, counts)
            self._search = None if has_declared_grid(self._column) else self._new_search(values, counts)
            self._values, self._counts, self._n_pending = [], [], 0
        else:
            self._values, self._counts, self._n_pending = [values], [counts], len(values)

    def finish(self) -> Histogram:
        """The histogram of all batches."""
        if self._values:
            self._merge()
        weight = 1.0
        if self._sample is not None:
            values, counts = np.unique(self._sample.finish(), return_counts=True)
            weight = self._n_finite / max(1, int(counts.sum()))
        elif self._values:
            values, counts = self._values[0], self._counts[0]
        else:
            values, counts = np.zeros(0), np.zeros(0, dtype=np.int64)
        if has_declared_grid(self._column):
            axis = declared_axis(self._column, self._arrow_type, self._decimals.frame)
        else:
            search = self._new_search(values, counts) if self._search is None else self._search
            axis = search.axis(self._decimals.frame)
        if axis.has_clock_changes and len(values):
            values = wall_times(values, self._arrow_type)
        ticks, counts = distinct(axis.ticks_of_raw(values), counts)
        ticks = ticks.astype(axis.dtype, copy=False)
        return Histogram(
            axis=axis,
            lower=ticks,
            upper=ticks,
            counts=(counts * weight).astype(np.float64),
            rows_per_observation=weight,
            n_missing=float(self._n_missing),
            n_positive_infinite=float(self._n_infinite[1]),
            n_negative_infinite=float(self._n_infinite[-1]),
            n_lost_digits=self._decimals.n_lost_digits,
        )


class _RowSample:
    """A uniform sample of `SAMPLE_ROWS` rows: those with the smallest of independent random keys."""

    def __init__(self, rng: np.random.Generator, values: npt.NDArray[Any], counts: npt.NDArray[np.int64]) -> None:
        """Start from rows that are counted already."""
        self._rng = rng
        # Counted rows are thinned before they are written out, so that a heavy value does not take its rows' memory.
        self._highest_key = min(1.0, 4 * SAMPLE_ROWS / max(1, int(counts.sum())))
        kept = rng.binomial(counts, self._highest_key)
        self.values = [np.repeat(values, kept)]
        self._keys = [rng.random(len(self.values[0])) * self._highest_key]
        self._n_pending = len(self._keys[0])

    def add(self, values: npt.NDArray[Any]) -> None:
        keys = self._rng.random(len(values))
        kept = keys < self._highest_key
        self.values.append(values[kept])
        self._keys.append(keys[kept])
        self._n_pending += int(kept.sum())
        if self._n_pending > 2 * SAMPLE_ROWS:
            self._shrink()

    def _shrink(self) -> None:
        values, keys = np.concatenate(self.values), np.concatenate(self._keys)
        if len(keys) > SAMPLE_ROWS:
            chosen = np.argpartition(keys, SAMPLE_ROWS)[:SAMPLE_ROWS]
            values, keys = values[chosen], keys[chosen]
            self._highest_key = float(keys.max())
        self.values, self._keys, self._n_pending = [values], [keys], len(keys)

    def finish(self) -> npt.NDArray[Any]:
        self._shrink()
        return self.values[0]

"""Declared bounds of numbers and times: as ticks, and what they do to a histogram."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from synthgan.tables.axes.axis import Axis
from synthgan.tables.columns.cells import Cells, clip_cells
from synthgan.tables.schema.schema import ColumnSchema
from synthgan.tables.statistics.histogram import Histogram

TickBounds: TypeAlias = tuple[float | int | None, float | int | None]
"""Lower and upper tick, None where open."""


def declared_bounds(column: ColumnSchema, axis: Axis) -> TickBounds:
    """Declared bounds as ticks, rounded inwards; bounds that were not declared bind nothing."""
    if column.bounds is None or column.bounds.source != "declared":
        return None, None
    return axis.tick_at_least(column.bounds.lower), axis.tick_at_most(column.bounds.upper)


def clip_to_bounds(histogram: Histogram, bounds: TickBounds) -> tuple[Cells, dict[str, float]]:
    """Cells within the bounds, and the rows at infinities that no bound catches."""
    start, last, counts = histogram.lower, histogram.upper, histogram.counts
    low, high = bounds
    extra = [
        (bound, rows)
        for bound, rows in ((low, histogram.n_negative_infinite), (high, histogram.n_positive_infinite))
        if bound is not None and rows > 0
    ]
    if extra:
        ends = np.array([bound for bound, _ in extra], dtype=start.dtype)
        start, last = np.concatenate((start, ends)), np.concatenate((last, ends))
        counts = np.concatenate((counts, [rows for _, rows in extra]))
    order = np.lexsort((last, start))
    cells = Cells(start=start[order], last=last[order], counts=counts[order])
    if (low is not None or high is not None) and len(cells):
        cells = clip_cells(cells, low, high)
    infinite = {
        "+inf": histogram.n_positive_infinite if high is None else 0.0,
        "-inf": histogram.n_negative_infinite if low is None else 0.0,
    }
    return cells, infinite


def rows_beyond(histogram: Histogram, bounds: TickBounds) -> float:
    """Rows outside the bounds."""
    low, high = bounds
    below = 0.0 if low is None else histogram.counts[histogram.upper < low].sum() + histogram.n_negative_infinite
    above = 0.0 if high is None else histogram.counts[histogram.lower > high].sum() + histogram.n_positive_infinite
    return float(below + above)

"""Nearest rows in mixed tables, exactly and in blocks: numbers scaled to the real ranges, categories one-hot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from synthgan.evaluation.compared.compared_tables import ComparedTables, Floats

Norm = Literal["l1", "l2"]

_BLOCK_CELLS = 1_000_000  # what a core's cache holds: larger blocks take twice the time


@dataclass(frozen=True, kw_only=True, slots=True)
class RowPoints:
    """Rows as points.

    Attributes:
        numbers: ``(n_rows, n_numbers)`` scaled numbers; a missing one is the middle of the range, with an indicator
            column beside it, so that two missing values are equal and one alone is far.
        levels: ``(n_rows, n_levels)`` one-hot categories.
        values: ``(n_rows, n_values)`` the numbers as they came, NaN for a missing one. Scaled ones may be equal where
            these differ.
    """

    numbers: Floats
    levels: NDArray[np.float32]
    values: Floats

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, rows: NDArray[np.int64] | slice) -> RowPoints:
        return RowPoints(numbers=self.numbers[rows], levels=self.levels[rows], values=self.values[rows])

    @property
    def matrix(self) -> Floats:
        """Numbers and levels side by side: ``(n_rows, n_numbers + n_levels)``."""
        return np.concatenate([self.numbers, self.levels.astype(np.float64)], axis=1)

    @property
    def keys(self) -> list[bytes]:
        """One per row: equal where all numbers and levels are. Missing equals missing, and -0.0 equals 0.0."""
        values = np.where(np.isnan(self.values), np.nan, self.values + 0.0)
        return [value.tobytes() + level.tobytes() for value, level in zip(values, self.levels, strict=True)]


def as_points(tables: ComparedTables, table: str, *, real: str = "real") -> RowPoints:
    """One table's rows as points, scaled so that the real table's finite numbers span [0, 1].

    Numbers beyond one such span outside of it count as that far.
    """
    columns: list[Floats] = []
    for name in tables.numeric:
        own = tables.numbers[real][name]
        own = own[np.isfinite(own)]
        low, high = (float(own.min()), float(own.max())) if len(own) else (0.0, 0.0)
        values = tables.numbers[table][name]
        missing = np.isnan(values)
        scaled = (np.clip(values, low - (high - low), high + (high - low)) - low) / ((high - low) or 1.0)
        columns.append(np.where(missing, 0.5, scaled))
        if any(bool(np.isnan(numbers[name]).any()) for numbers in tables.numbers.values()):
            columns.append(missing.astype(np.float64))
    none = np.empty((tables.n_rows[table], 0))
    return RowPoints(
        numbers=np.column_stack([none, *columns]),
        levels=tables.one_hot(table, tables.categorical),
        values=np.column_stack([none, *(tables.numbers[table][name] for name in tables.numeric)]),
    )


def nearest(
    queries: RowPoints, points: RowPoints, *, norm: Norm, same: bool = False
) -> tuple[Floats, NDArray[np.int64]]:
    """Distance to, and row number of, each query's nearest point.

    Args:
        queries: ``(n_queries, ...)``.
        points: ``(n_points, ...)``, at least one (two with ``same``).
        norm: "l1" (a differing category counts 2) or "l2".
        same: the queries are the points themselves; a row is not its own neighbour.
    """
    distances = np.empty(len(queries))
    places = np.empty(len(queries), dtype=np.int64)
    for rows, cost in distance_blocks(queries, points, norm=norm):
        within = np.arange(len(cost))
        if same:
            cost[within, rows.start + within] = np.inf
        places[rows] = cost.argmin(axis=1)
        distances[rows] = cost[within, places[rows]]
    return (np.sqrt(distances) if norm == "l2" else distances), places


def nearest_two(queries: RowPoints, points: RowPoints, *, norm: Norm) -> tuple[Floats, NDArray[np.int64]]:
    """Distances to each query's nearest and second nearest point, ``(n_queries, 2)``, and the nearest one's row number.

    The second distance is infinite if there is but one point. Arguments as of `nearest`.
    """
    distances = np.empty((len(queries), 2))
    places = np.empty(len(queries), dtype=np.int64)
    for rows, cost in distance_blocks(queries, points, norm=norm):
        within = np.arange(len(cost))
        places[rows] = cost.argmin(axis=1)
        distances[rows, 0] = cost[within, places[rows]]
        cost[within, places[rows]] = np.inf
        distances[rows, 1] = cost.min(axis=1)
    return (np.sqrt(distances) if norm == "l2" else distances), places


def smallest_distances(queries: RowPoints, points: RowPoints, k: int) -> Floats:
    """L1 distances to each query's ``k`` nearest points, or to all if there are fewer: ``(n_queries, k)``, rising."""
    k = min(k, len(points))
    found = np.empty((len(queries), k))
    for rows, distances in distance_blocks(queries, points, norm="l1"):
        found[rows] = np.partition(distances, k - 1, axis=1)[:, :k]
    found.sort(axis=1)
    return found


def distance_blocks(queries: RowPoints, points: RowPoints, *, norm: Norm) -> Iterator[tuple[slice, Floats]]:
    """Distances from some queries to all points, a block of queries at a time, as memory bounds it.

    Yields:
        The queries' rows, and ``(n_rows, n_points)`` L1 distances or *squared* L2 distances.
    """
    block = max(1, _BLOCK_CELLS // max(len(points), 1))
    for start in range(0, len(queries), block):
        rows = slice(start, min(start + block, len(queries)))
        yield rows, _distances(queries[rows], points, norm)


def _distances(queries: RowPoints, points: RowPoints, norm: Norm) -> Floats:
    """L1 distances, or squared L2 distances: ``(n_queries, n_points)``."""
    # Inner products of one-hot rows count the agreeing columns, exactly in float32.
    n_columns = queries.levels[:1].sum()
    cost: Floats = (2.0 * (n_columns - queries.levels @ points.levels.T)).astype(np.float64)
    if norm == "l1":
        gap = np.empty_like(cost)
        for column in range(queries.numbers.shape[1]):
            np.subtract(queries.numbers[:, column, None], points.numbers[None, :, column], out=gap)
            cost += np.abs(gap, out=gap)
        return cost
    squares = (queries.numbers**2).sum(axis=1)[:, None] + (points.numbers**2).sum(axis=1)[None, :]
    squares -= 2.0 * (queries.numbers @ points.numbers.T)
    cost += np.maximum(squares, 0.0, out=squares)
    return cost

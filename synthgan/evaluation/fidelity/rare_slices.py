"""Rare slices: are small groups of rows as many, and as they are, in the synthetic table.

Averages over all rows hide what happens to a group of one row in two hundred. That synthetic tables may keep the whole
and lose the size or the nature of small groups is measured per subgroup by Bhanot et al. ("The Problem of Fairness in
Synthetic Healthcare Data", Entropy 23(9):1165, 2021); here the groups are not named by anyone but are all rare levels
and pairs of levels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthgan.comparison import MODE_ROWS
from synthgan.evaluation.compared.compared_tables import Codes, ComparedTables, Floats
from synthgan.evaluation.compared.contingency import DENSE_CELLS
from synthgan.evaluation.compared.cuts import cut_at, n_cells, quantile_edges
from synthgan.evaluation.compared.resampling import N_RESAMPLES, Resamples, centred_interval, resample
from synthgan.evaluation.compared.value_texts import MISSING, level_texts, number_text
from synthgan.evaluation.scores import Score

SMALLEST_SHARE, LARGEST_SHARE = 0.002, 0.02
"""A slice is rare when it holds between these shares of the real rows."""

MOST_SLICES = 200
"""Most slices that are compared."""

MAX_ROWS = 50_000
"""Most rows per table."""

N_SHOWN = 10
"""Worst slices that the details list."""

_QUANTILES = (0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99)
_MOST_LEVELS = 20
_MOST_PAIRS = 1000
_TINY = 1e-300


@dataclass(frozen=True, slots=True)
class _Column:
    """One column's cells: levels, or what lies between and on a number's quantiles, with missing as a cell.

    Attributes:
        cells: per table, ``(n_rows,)`` from 0.
        n_cells: their number.
        coarse: ``(n_cells,)`` the cell by which distributions are compared: rare levels share one.
        edges: a number's quantiles; None for levels.
    """

    cells: Mapping[str, Codes]
    n_cells: int
    coarse: Codes
    edges: Floats | None


@dataclass(frozen=True, slots=True)
class _Slice:
    columns: tuple[str, ...]
    cells: tuple[int, ...]
    share: float


@dataclass(frozen=True, slots=True)
class _Errors:
    """Size and inside errors per slice, between 0 and 1, ``(..., n_slices)``; and the shares of the table's rows."""

    size: Floats
    inside: Floats
    shares: Floats

    @property
    def both(self) -> Floats:
        errors: Floats = (self.size + self.inside) / 2
        return errors


def rare_slice_scores(
    tables: ComparedTables,
    rng: np.random.Generator,
    *,
    real: str = "real",
    synthetic: str = "synthetic",
    reference: str | None = None,
    max_rows: int = MAX_ROWS,
    n_resamples: int = N_RESAMPLES,
) -> list[Score]:
    """Mean error of the rare slices, in percent.

    A slice is a level of a column, or a pair of two columns' levels, that holds 0.2% to 2% of the real rows, and of
    which both tables should hold at least ten; numbers are cut at their deciles and at the first and last percent.
    Its *size error* is the part of the larger share that the smaller one lacks; its *inside error* is the total
    variation between the real and the synthetic distribution of each other column within the slice, averaged over
    these columns (1 when the synthetic slice is empty). The slice's error is the mean of both. Of more than 200 slices
    levels come first, then pairs taken evenly by size.

    Args:
        tables: the compared tables.
        rng: draws rows of tables with more than ``max_rows``, and the resamples.
        real: name of the real table.
        synthetic: name of the table to score.
        reference: name of a table of fresh real rows, scored the same way.
        max_rows: most rows per table.
        n_resamples: resamples of the synthetic rows behind the interval; 0 for none.
    """
    names = [name for name in (real, synthetic, reference) if name is not None]
    drawn_rows = tables.n_rows[real] > max_rows
    tables = tables.at_most(max_rows, names, rng)
    columns = {column: _column(tables, column, names, real) for column in tables.columns}
    slices = _rare_slices(columns, tables.n_rows, real, synthetic)
    note = f"size and inner distributions of groups of {SMALLEST_SHARE:.1%} to {LARGEST_SHARE:.0%} of the rows"
    if not slices:
        return [Score.of("rare_slices", math.nan, note=note, details={"n_slices": 0})]
    distributions = _Distributions(columns, slices, real)
    found = distributions.errors(synthetic)
    fresh = None if reference is None else distributions.errors(reference)
    value = 100.0 * float(found.both.mean())
    drawn = None
    if n_resamples:
        resamples = {synthetic: resample(tables.n_rows[synthetic], rng, n_resamples=n_resamples)}
        if drawn_rows:
            resamples[real] = resample(tables.n_rows[real], rng, n_resamples=n_resamples)
        drawn = 100.0 * distributions.errors(synthetic, resamples).both.mean(axis=-1)
    worst = np.argsort(-found.both, kind="stable")[:N_SHOWN]
    details: dict[str, Any] = {
        "n_slices": len(slices),
        "n_rows": {name: tables.n_rows[name] for name in names},
        "size": 100.0 * float(found.size.mean()),
        "inside": 100.0 * float(found.inside.mean()),
        "size_reference": None if fresh is None else 100.0 * float(fresh.size.mean()),
        "inside_reference": None if fresh is None else 100.0 * float(fresh.inside.mean()),
        "worst": [
            {
                "slice": _texts(tables, columns, slices[i]),
                "real": slices[i].share,
                "synthetic": float(found.shares[i]),
                "size": 100.0 * float(found.size[i]),
                "inside": 100.0 * float(found.inside[i]),
            }
            for i in worst
        ],
    }
    return [
        Score.of(
            "rare_slices",
            value,
            interval=centred_interval(value, drawn, lowest=0.0, highest=100.0),
            reference=None if fresh is None else 100.0 * float(fresh.both.mean()),
            note=note,
            details=details,
        )
    ]


class _Distributions:
    """Each column's distribution within each slice."""

    def __init__(self, columns: Mapping[str, _Column], slices: list[_Slice], real: str) -> None:
        self.columns = columns
        self.slices = slices
        self.real = real
        self.counted = np.array([[name not in part.columns for name in columns] for part in slices])

    def errors(self, table: str, resamples: Mapping[str, Resamples] | None = None) -> _Errors:
        """Errors of one table's slices, ``(n_slices,)``; or ``(n_resamples, n_slices)`` of the tables resampled."""
        drawn = {name: None if resamples is None else resamples.get(name) for name in (table, self.real)}
        members = {name: self._members(name) for name in drawn}
        shares, wanted = (self._shares(name, *members[name], drawn[name]) for name in (table, self.real))
        size = np.abs(shares - wanted) / np.maximum(np.maximum(shares, wanted), _TINY)
        distance = np.zeros_like(size)
        for place, name in enumerate(self.columns):
            here, there = (self._inside(part, name, *members[part], drawn[part]) for part in (table, self.real))
            distance += self.counted[:, place] * 0.5 * np.abs(here - there).sum(axis=-1)
        n_others = self.counted.sum(axis=1)
        inside = np.where((shares > 0) & (wanted > 0), distance / np.maximum(n_others, 1), 1.0)
        # Where there is no other column, size is all there is.
        inside = np.where(n_others > 0, inside, size)
        return _Errors(size, inside, shares)

    def _shares(self, table: str, rows: Codes, owners: Codes, resamples: Resamples | None) -> Floats:
        """Each slice's share of the table's rows: ``(..., n_slices)``."""
        n_slices = len(self.slices)
        if resamples is not None:
            return resamples.counts(owners, n_slices, rows) / resamples.n_rows[:, None]
        n_rows = len(next(iter(self.columns.values())).cells[table])
        shares: Floats = np.bincount(owners, minlength=n_slices) / n_rows
        return shares

    def _members(self, table: str) -> tuple[Codes, Codes]:
        """Rows of the slices one after another, and the slice of each."""
        by_columns: dict[tuple[str, ...], list[int]] = {}
        for place, part in enumerate(self.slices):
            by_columns.setdefault(part.columns, []).append(place)
        rows, owners = [], []
        for names, places in by_columns.items():
            keys, n_keys = _keys(self.columns, names, table)
            wanted = np.array([_key(self.columns, self.slices[place]) for place in places])
            order = np.argsort(wanted)
            if n_keys <= DENSE_CELLS:
                owner_of = np.full(n_keys, -1)
                owner_of[wanted] = places
                owner = owner_of[keys]
            else:
                at = order[np.minimum(np.searchsorted(wanted[order], keys), len(wanted) - 1)]
                owner = np.where(wanted[at] == keys, np.array(places)[at], -1)
            members = np.flatnonzero(owner >= 0)
            rows.append(members)
            owners.append(owner[members])
        return np.concatenate(rows), np.concatenate(owners)

    def _inside(self, table: str, name: str, rows: Codes, owners: Codes, resamples: Resamples | None) -> Floats:
        """One column's shares within each slice: ``(..., n_slices, n_cells)``, all 0 in an empty slice."""
        column = self.columns[name]
        size = int(column.coarse.max()) + 1
        cells = owners * size + column.coarse[column.cells[table][rows]]
        n_cells = len(self.slices) * size
        if resamples is None:
            counts: Floats = np.bincount(cells, minlength=n_cells).astype(np.float64)
        else:
            counts = resamples.counts(cells, n_cells, rows)
        counts = counts.reshape(*counts.shape[:-1], len(self.slices), size)
        shares: Floats = counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1.0)
        return shares


def _column(tables: ComparedTables, column: str, names: list[str], real: str) -> _Column:
    if tables.roles[column] == "categorical":
        cells = {name: tables.codes[name][column] + 1 for name in names}
        n_levels = tables.n_levels[column] + 1
        coarse = np.empty(n_levels, dtype=np.int64)
        counts = np.bincount(cells[real], minlength=n_levels)
        coarse[np.argsort(-counts, kind="stable")] = np.minimum(np.arange(n_levels), _MOST_LEVELS)
        return _Column(cells, n_levels, coarse, None)
    edges = quantile_edges(tables.numbers[real][column], _QUANTILES)
    cells = {name: cut_at(tables.numbers[name][column], edges) for name in names}
    return _Column(cells, n_cells(edges), np.arange(n_cells(edges)), edges)


def _rare_slices(columns: Mapping[str, _Column], n_rows: Mapping[str, int], real: str, synthetic: str) -> list[_Slice]:
    least = max(SMALLEST_SHARE, MODE_ROWS / n_rows[real], MODE_ROWS / n_rows[synthetic])
    pairs = list(combinations(columns, 2))
    pairs = pairs[:: max(1, math.ceil(len(pairs) / _MOST_PAIRS))]
    single = [part for name in columns for part in _rare_cells(columns, (name,), real, least, n_rows[real])]
    double = [part for pair in pairs for part in _rare_cells(columns, pair, real, least, n_rows[real])]
    single = _thinned(single, MOST_SLICES)
    return single + _thinned(double, MOST_SLICES - len(single))


def _rare_cells(
    columns: Mapping[str, _Column], names: tuple[str, ...], real: str, least: float, n_rows: int
) -> list[_Slice]:
    keys, n_keys = _keys(columns, names, real)
    if n_keys <= DENSE_CELLS:
        counts = np.bincount(keys)
        found = np.arange(len(counts))
    else:
        found, counts = np.unique(keys, return_counts=True)
    shares = counts / n_rows
    rare = np.flatnonzero((shares >= least) & (shares <= LARGEST_SHARE))
    slices = []
    for key, share in zip(found[rare].tolist(), shares[rare].tolist(), strict=True):
        cells = (key,) if len(names) == 1 else divmod(key, columns[names[1]].n_cells)
        slices.append(_Slice(names, cells, share))
    return slices


def _thinned(slices: list[_Slice], most: int) -> list[_Slice]:
    """At most so many, taken evenly by their share of the rows."""
    if len(slices) <= most:
        return slices
    by_share = sorted(slices, key=lambda part: part.share)
    places: NDArray[np.int64] = (np.arange(most) * len(slices)) // max(most, 1)
    return [by_share[place] for place in places]


def _keys(columns: Mapping[str, _Column], names: tuple[str, ...], table: str) -> tuple[Codes, int]:
    first = columns[names[0]]
    if len(names) == 1:
        return first.cells[table], first.n_cells
    second = columns[names[1]]
    return first.cells[table] * second.n_cells + second.cells[table], first.n_cells * second.n_cells


def _key(columns: Mapping[str, _Column], part: _Slice) -> int:
    return part.cells[0] if len(part.cells) == 1 else part.cells[0] * columns[part.columns[1]].n_cells + part.cells[1]


def _texts(tables: ComparedTables, columns: Mapping[str, _Column], part: _Slice) -> dict[str, str]:
    """The slice's level, or range of numbers, by column."""
    texts = {}
    for name, cell in zip(part.columns, part.cells, strict=True):
        edges = columns[name].edges
        if edges is None:
            texts[name] = level_texts(tables, name, [cell - 1])[0]
            continue
        place, on_edge = divmod(cell, 2)
        if cell == columns[name].n_cells - 1:
            texts[name] = MISSING
        elif on_edge:
            texts[name] = number_text(tables, name, edges[place])
        else:
            ends = [number_text(tables, name, edges[i]) if 0 <= i < len(edges) else None for i in (place - 1, place)]
            between = (f"above {ends[0]}" if ends[0] else "", f"below {ends[1]}" if ends[1] else "")
            texts[name] = " and ".join(part for part in between if part) or "any"
    return texts

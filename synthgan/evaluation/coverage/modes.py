"""Mode coverage: which of the combinations of values that real rows share does the synthetic table reach.

The failure that it looks for is mode collapse, where a generator leaves whole parts of the table out. Counting the
modes that generated rows reach is how the GAN literature measures it (VEEGAN, Srivastava et al. 2017, section 4;
PacGAN, Lin et al. 2018, section 4). In a mixed table the modes are the levels of its columns (as in the
``CategoryCoverage`` of sdmetrics) and the cells of its two-way tables.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from synthgan.comparison import MODE_ROWS, REACHED_SHARE
from synthgan.evaluation.compared.compared_tables import Codes, ComparedTables, Floats
from synthgan.evaluation.compared.contingency import DENSE_CELLS
from synthgan.evaluation.compared.cuts import cut_at, n_cells, quantile_edges
from synthgan.evaluation.compared.resampling import Resamples

N_BINS = 10
"""Bins of equally many real rows that a numeric column is cut into."""

_FAR = 5.0
_BLOCK = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class ModeCoverage:
    """How many modes of the real table another one reaches.

    Attributes:
        columns: per column, modes reached and modes: its levels, or bins.
        pairs: the same per pair of columns, joined by ``" | "``: the cells of their two-way table.
        resampled: ``(n_resamples,)`` the share in each resample of the synthetic rows; None where none was drawn.
    """

    columns: dict[str, tuple[int, int]]
    pairs: dict[str, tuple[int, int]]
    resampled: Floats | None = None

    @property
    def share(self) -> float:
        """Modes reached as a share of all: of pairs where there are any, else of levels; NaN when there is no mode."""
        share = _share(self.pairs)
        return _share(self.columns) if np.isnan(share) else share

    @property
    def level_share(self) -> float:
        """Levels and bins reached, as a share of all; NaN when there are none."""
        return _share(self.columns)


def mode_coverage(
    tables: ComparedTables, *, real: str = "real", synthetic: str = "synthetic", resamples: Resamples | None = None
) -> ModeCoverage:
    """Count the modes of the real table that the synthetic one reaches.

    A mode is a level of a column, or a cell of a two-way table, that holds at least `MODE_ROWS` real rows and of which
    a synthetic table of this size should hold as many. It is reached when the synthetic table has at least
    `REACHED_SHARE` of the rows that it should. Missing is a level; numbers are cut into `N_BINS` bins of equally many
    real rows, and a value on which an edge falls (because many rows share it) is a level of its own.
    """
    coded = {column: _codes(tables, column, real, synthetic) for column in tables.columns}
    scale = tables.n_rows[synthetic] / tables.n_rows[real]
    columns, pairs = {}, {}
    gained = _Gained(resamples)
    for column, (keys, size) in coded.items():
        columns[column] = _reached(*keys, size, scale, gained if len(coded) < 2 else None)
    for left, right in combinations(tables.columns, 2):
        (left_codes, left_size), (right_codes, right_size) = coded[left], coded[right]
        first, second = (a * right_size + b for a, b in zip(left_codes, right_codes, strict=True))
        pairs[f"{left} | {right}"] = _reached(first, second, left_size * right_size, scale, gained)
    found = ModeCoverage(columns=columns, pairs=pairs)
    n_modes = sum(n for _, n in (pairs or columns).values())
    if gained.modes is None or not n_modes:
        return found
    return replace(found, resampled=found.share + gained.modes / n_modes)


class _Gained:
    """Modes gained or lost in each resample, summed over columns or pairs."""

    def __init__(self, resamples: Resamples | None) -> None:
        self.resamples = resamples
        self.modes = None if resamples is None else np.zeros(len(resamples.weights))

    def add(self, cells: Codes, counted: Codes, least: Floats, modes: NDArray[np.bool_]) -> None:
        """Redraw the modes whose count is near the least that reaches them: only these can change sides."""
        if self.resamples is None:
            return
        unsure = np.flatnonzero(modes & (counted > 0) & (np.abs(counted - least) <= _FAR * np.sqrt(counted)))
        place = np.full(len(counted), -1)
        for start in range(0, len(unsure), _BLOCK):
            block = unsure[start : start + _BLOCK]
            place[:] = -1
            place[block] = np.arange(len(block))
            rows = np.flatnonzero(place[cells] >= 0)
            drawn = self.resamples.counts(place[cells[rows]], len(block), rows)
            self.modes += (drawn >= least[block]).sum(axis=1) - (counted[block] >= least[block]).sum()


def _reached(real: Codes, synthetic: Codes, n_keys: int, scale: float, gained: _Gained | None) -> tuple[int, int]:
    """Modes reached and modes of one column or pair, given each row's cell."""
    if n_keys > DENSE_CELLS:
        found, place = np.unique(real, return_inverse=True)
        at = np.searchsorted(found, synthetic)
        known = np.minimum(at, len(found) - 1)
        # Cells without a real row share one place at the end.
        synthetic = np.where(found[known] == synthetic, known, len(found))
        real, n_keys = place.reshape(-1), len(found) + 1
    expected = np.bincount(real, minlength=n_keys).astype(np.float64) * scale
    counted = np.bincount(synthetic, minlength=n_keys)
    modes = expected >= MODE_ROWS * max(scale, 1.0)
    if gained is not None:
        gained.add(synthetic, counted, REACHED_SHARE * expected, modes)
    return int((counted[modes] >= REACHED_SHARE * expected[modes]).sum()), int(modes.sum())


def _codes(tables: ComparedTables, column: str, real: str, synthetic: str) -> tuple[tuple[Codes, Codes], int]:
    """The column's cell of each row of both tables, counted from 0, and the number of cells."""
    if tables.roles[column] == "categorical":
        codes = tables.codes
        return (codes[real][column] + 1, codes[synthetic][column] + 1), tables.n_levels[column] + 1
    edges = quantile_edges(tables.numbers[real][column], np.arange(1, N_BINS) / N_BINS)
    first, second = (cut_at(tables.numbers[name][column], edges) for name in (real, synthetic))
    return (first, second), n_cells(edges)


def _share(counts: dict[str, tuple[int, int]]) -> float:
    n_modes = sum(n for _, n in counts.values())
    return sum(reached for reached, _ in counts.values()) / n_modes if n_modes else float("nan")

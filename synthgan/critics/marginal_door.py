"""The second door: marginals of the encoded table, released as share matrices over the level axis.

The marginal critic reads nothing else of the data. `ExactMarginals` counts the rows; its private twin,
`synthgan.privacy.marginals`, hands out noisy shares with their tolerances, and weight 0 where it measured nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from synthgan.networks.layers import LevelAxis
from synthgan.tables.layout import Layout

LEAST_TOLERANCE = 1e-6


@dataclass(frozen=True)
class GramTarget:
    """What a door released of one family of marginals.

    Attributes:
        share: ``(n_levels, n_levels)``, symmetric: the data's two-way marginals (each block sums to 1; to the slice's
            share for three-way slices).
        weight: ``(n_columns, n_columns)``, symmetric: weight of each block, 0 where the marginal is unknown.
        n_rows: number of rows behind the shares; their standard errors follow from it.
        tolerance: ``(n_levels, n_levels)``: standard error of each cell where it is more than sampling error; None for
            ``sqrt(share * (1 - share) / n_rows)``. Nothing below it is worth fitting.
    """

    share: Tensor
    weight: Tensor
    n_rows: int
    tolerance: Tensor | None = None

    def tolerance_at(self, rows: slice, columns: slice) -> Tensor:
        """Standard errors of a block of cells, never below `LEAST_TOLERANCE`. Shape: that of the block."""
        if self.tolerance is not None:
            return self.tolerance[rows, columns].clamp_min(LEAST_TOLERANCE)
        share = self.share[rows, columns]
        return (share * (1 - share) / self.n_rows).clamp_min_(LEAST_TOLERANCE**2).sqrt_()


class Marginals(Protocol):
    """The second door: marginals of the encoded table. Its exact and its private twin share this interface."""

    def pairs(self) -> GramTarget:
        """All two-way marginals (and, on the diagonal blocks, the one-way ones)."""
        ...

    def slice(self, column: int, levels: Sequence[int]) -> GramTarget:
        """Two-way marginals of the rows whose code in ``column`` is among ``levels``.

        They are part of the three-way marginals with that column.
        """
        ...


class ExactMarginals:
    """Marginals read exactly off the codes, a chunk of rows at a time.

    Args:
        codes: ``(n_rows, n_columns)`` integer tensor on the device; fewer than 2**31 rows.
        layout: what the codes mean.
    """

    CHUNK = 65_536
    # Cells counted in one call: what a core's cache holds, or enough to keep a GPU busy.
    CHUNK_CELLS = 2**18
    CHUNK_CELLS_ON_GPU = 2**24

    def __init__(self, codes: Tensor, layout: Layout) -> None:
        self._codes = codes
        self._axis = LevelAxis(layout).to(codes.device)
        self._chunk_cells = self.CHUNK_CELLS if codes.device.type == "cpu" else self.CHUNK_CELLS_ON_GPU

    def pairs(self) -> GramTarget:
        """See `Marginals.pairs`."""
        return self._target(self.counts(), self._ones())

    def slice(self, column: int, levels: Sequence[int]) -> GramTarget:
        """See `Marginals.slice`."""
        weight = self._ones()
        # A softmax times itself is no marginal, so the slicing column's own blocks are left to the pairs.
        weight[column, :] = weight[:, column] = 0
        return self._target(self.counts(column, levels), weight)

    def counts(self, column: int | None = None, levels: Sequence[int] = ()) -> Tensor:
        """Rows per cell, of all rows or of those whose code in ``column`` is among ``levels``.

        Returns:
            ``(n_levels, n_levels)`` int32; blocks below the diagonal are left at 0.
        """
        chunks: Iterable[Tensor] = self._codes.split(self.CHUNK)
        if column is not None:
            wanted = torch.tensor(list(levels), device=self._codes.device)
            chunks = (codes[torch.isin(codes[:, column], wanted)] for codes in chunks)
        starts = [*self._axis.starts.tolist(), self._axis.n_levels]
        counts = torch.zeros(self._axis.n_levels, self._axis.n_levels, dtype=torch.int32, device=self._codes.device)
        for codes in chunks:
            self._count(codes, starts, counts)
        return counts

    def _ones(self) -> Tensor:
        return torch.ones(self._axis.n_columns, self._axis.n_columns, device=self._codes.device)

    def _target(self, counts: Tensor, weight: Tensor) -> GramTarget:
        starts = [*self._axis.starts.tolist(), self._axis.n_levels]
        # Wide tables: the counts become shares in their own memory, row by row of blocks.
        share = counts.view(torch.float32)
        for start, stop in itertools.pairwise(starts):
            share[start:stop, start:] = (counts[start:stop, start:].double() / len(self._codes)).float()
            share[stop:, start:stop] = share[start:stop, stop:].T
        return GramTarget(share, weight, len(self._codes))

    def _count(self, codes: Tensor, starts: Sequence[int], counts: Tensor) -> None:
        """Add the rows' cells to the blocks on and above the diagonal."""
        narrow = self._axis.n_levels**2 < 2**31
        index = (codes.long() + self._axis.starts).T.to(torch.int32 if narrow else torch.int64).contiguous()
        n_columns = len(index)
        group = max(1, self._chunk_cells // max(1, len(codes)))
        # Cells are counted, not multiplied out: the product of one-hot rows costs some twenty times as much.
        for column in range(n_columns):
            start, stop = starts[column], starts[column + 1]
            own = index[column] - start
            for first in range(column, n_columns, group):
                left, right = starts[first], starts[min(first + group, n_columns)]
                cells = index[first : first + group] + (own * (right - left) - left)
                counted = torch.bincount(cells.flatten(), minlength=(stop - start) * (right - left))
                counts[start:stop, left:right] += counted.view(stop - start, right - left)


def per_pair(cells: Tensor, axis: LevelAxis) -> Tensor:
    """Sums over each pair of columns. Shape: ``(n_levels, n_levels)`` to ``(n_columns, n_columns)``."""
    member = cells.new_zeros(axis.n_levels, axis.n_columns)
    member.scatter_(1, axis.column_of_level[:, None], 1.0)
    return member.T @ cells @ member

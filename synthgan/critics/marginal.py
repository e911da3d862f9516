"""The marginal critic: every two-way marginal of the generated rows against the data's, in one matrix product.

With ``P`` the ``(n_rows, n_levels)`` matrix of per-column softmaxes, a batch is a mixture of product distributions, so
the off-diagonal blocks of ``P'P / n_rows`` are its exact expected two-way marginals. The critic never sees a row: it
holds the `Marginals` that the second door handed out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from synthgan.networks.layers import LevelAxis, chunks_of
from synthgan.tables.layout import Layout


@dataclass(frozen=True)
class GramTarget:
    """What a door released of one family of marginals.

    Attributes:
        share: ``(n_levels, n_levels)``: the data's two-way marginals (each block sums to 1; to the slice's share for
            three-way slices).
        tolerance: ``(n_levels, n_levels)``: standard error of each cell; nothing below it is worth fitting.
        weight: ``(n_columns, n_columns)``: weight of each block, 0 where the marginal is unknown.
    """

    share: Tensor
    tolerance: Tensor
    weight: Tensor


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
        codes: ``(n_rows, n_columns)`` integer tensor on the device.
        layout: what the codes mean.
    """

    CHUNK = 65_536
    CHUNK_CELLS = 2**24  # of 64-bit numbers: 128 MiB, however many columns the table has

    def __init__(self, codes: Tensor, layout: Layout) -> None:
        self._codes = codes
        self._axis = LevelAxis(layout).to(codes.device)

    def pairs(self) -> GramTarget:
        """See `Marginals.pairs`."""
        weight = torch.ones(self._axis.n_columns, self._axis.n_columns, device=self._codes.device)
        return self._target(self._chunks(), weight)

    def slice(self, column: int, levels: Sequence[int]) -> GramTarget:
        """See `Marginals.slice`."""
        wanted = torch.tensor(list(levels), device=self._codes.device)
        weight = torch.ones(self._axis.n_columns, self._axis.n_columns, device=self._codes.device)
        # A softmax times itself is no marginal, so the slicing column's own blocks are left to the pairs.
        weight[column, :] = weight[:, column] = 0
        chunks = self._chunks()
        return self._target((codes[torch.isin(codes[:, column], wanted)] for codes in chunks), weight)

    def _chunks(self) -> tuple[Tensor, ...]:
        return chunks_of(self._codes, max(1, min(self.CHUNK, self.CHUNK_CELLS // self._axis.n_columns)))

    def _target(self, chunks: Iterable[Tensor], weight: Tensor) -> GramTarget:
        n_levels, starts, sizes = self._axis.n_levels, self._axis.starts, self._axis.sizes
        counts = torch.zeros(n_levels, n_levels, dtype=torch.long, device=self._codes.device)
        for codes in chunks:
            index = codes.long() + starts
            # Cells are counted, not multiplied out: the product of one-hot rows costs some twenty times as much.
            for column, (start, size) in enumerate(zip(starts.tolist(), sizes, strict=True)):
                cells = (index[:, column : column + 1] - start) * n_levels + index[:, column:]
                counted = torch.bincount(cells.flatten(), minlength=size * n_levels)
                counts[start : start + size] += counted.view(size, n_levels)
        share = (counts + counts.triu(1).T).double() / len(self._codes)
        tolerance = (share * (1 - share) / len(self._codes)).sqrt()
        return GramTarget(share.float(), tolerance.float(), weight)


class MarginalCritic:
    """Smoothed L1 distance between generated and released two-way marginals, averaged over column pairs.

    A cell that is off by less than its standard error pulls little: the gradient's size is ``tanh(error / tolerance)``.
    The L1 distance of one batch is biased upwards by about ``1 / sqrt(n_rows)`` because noise takes the place of error,
    so the sign of each cell's error is read off a running average of the Gram matrix (``decay`` > 0), and the current
    batch supplies the gradient.

    Args:
        target: what the door released.
        axis: the layout on the device.
        decay: weight of the past in the running average; 0 for the current batch alone.
        slice_levels: indices on the level axis of the slice that the target describes, None for all rows.
    """

    def __init__(
        self, target: GramTarget, axis: LevelAxis, *, decay: float = 0.0, slice_levels: Tensor | None = None
    ) -> None:
        self.target = target
        self._decay = decay
        self._slice_levels = slice_levels
        column = axis.column_of_level
        off_diagonal = target.weight * (1 - torch.eye(axis.n_columns, device=target.share.device))
        n_pairs = off_diagonal.sum().clamp_min(1)
        self._weight = (off_diagonal / n_pairs)[column][:, column]
        self._tolerance = target.tolerance.clamp_min(1e-6)
        self.average: Tensor | None = None

    def gram(self, probabilities: Tensor) -> Tensor:
        """Expected two-way marginals of a batch. Shape: ``(n_rows, n_levels)`` to ``(n_levels, n_levels)``."""
        weighted = probabilities
        if self._slice_levels is not None:
            weighted = probabilities * probabilities[:, self._slice_levels].sum(1, keepdim=True)
        return weighted.T @ probabilities / len(probabilities)

    def loss(self, probabilities: Tensor) -> tuple[Tensor, Tensor]:
        """Loss with gradients, and the mean total variation distance of the (averaged) marginals, detached."""
        gram = self.gram(probabilities)
        current = gram.detach()
        if self._decay:
            self.average = current.clone() if self.average is None else self.average.lerp_(current, 1 - self._decay)
            current = self.average
        error = current - self.target.share
        pull = torch.tanh(error / self._tolerance) * self._weight
        return (pull * gram).sum(), 0.5 * (error.abs() * self._weight).sum()

    def distance(self, probabilities: Tensor, target: GramTarget | None = None) -> Tensor:
        """Mean total variation distance over column pairs, between a batch and ``target``.

        Args:
            probabilities: ``(n_rows, n_levels)``.
            target: this critic's own by default.
        """
        share = (self.target if target is None else target).share
        return 0.5 * ((self.gram(probabilities) - share).abs() * self._weight).sum()

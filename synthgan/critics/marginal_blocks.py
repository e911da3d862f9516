"""What a step of the marginal critic multiplies: blocks of a batch's Gram matrices, and their pull to the target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from synthgan.critics.marginal_door import LEAST_TOLERANCE, GramTarget


@dataclass(frozen=True)
class Tile:
    """The cells between two packs of levels.

    Attributes:
        a: levels of the rows.
        b: levels of the columns.
        shares: views of the targets' shares, ``n_targets`` of shape ``(n_a, n_b)``.
        precision: ``(n_targets, n_a, n_b)``: one over each cell's tolerance.
        weight: ``(n_targets, n_a, n_b)``: weight of each cell.
    """

    a: slice
    b: slice
    shares: Sequence[Tensor]
    precision: Tensor
    weight: Tensor

    def pull(self, grams: Tensor) -> tuple[Tensor, Tensor]:
        """Weighted pulls, and the block's part of the first target's mean total variation distance.

        Shape: ``(n_targets, n_a, n_b)`` to the same and ``()``.
        """
        off = torch.stack([gram - share for gram, share in zip(grams, self.shares, strict=True)])
        distance = 0.5 * (off[0].abs() * self.weight[0]).sum()
        return off.mul_(self.precision).tanh_().mul_(self.weight), distance


class OneWay:
    """The columns' own marginals: the diagonal of what the door released of pairs."""

    def __init__(self, pairs: GramTarget, weight: float) -> None:
        self._share = pairs.share.diagonal().clone()
        variance = self._share * (1 - self._share) / pairs.n_rows
        released = pairs.tolerance.diagonal() if pairs.tolerance is not None else variance.clamp_min(0).sqrt()
        self._precision = 1 / released.clamp_min(LEAST_TOLERANCE)
        self._weight = weight

    def pull_on(self, rows: Tensor, gradient: Tensor) -> Tensor:
        """The loss; its gradient is added in place. Shape: ``(n_rows, n_levels)`` twice to ``()``."""
        mean = rows.mean(0)
        pull = self._weight * torch.tanh((mean - self._share) * self._precision)
        gradient += pull / len(rows)
        return torch.dot(pull, mean)


class Batch:
    """Blocks of a batch's Gram matrices, one per slice.

    They are taken of rows less the slice's mean row, which is added back afterwards: products in bfloat16 then round
    what is left of independence, and neither the shares themselves nor probabilities that all rows have in common.

    Args:
        probabilities: ``(n_rows, n_levels)``.
        weights: ``(n_slices, n_rows, 1)``: each row's probability of each slice; None for one slice of all rows.
        products: precision of the products' factors.
    """

    def __init__(self, probabilities: Tensor, weights: Tensor | None, products: torch.dtype) -> None:
        self.weights = weights
        self.n_slices = 1 if weights is None else len(weights)
        self._n_rows = len(probabilities)
        self._centred: list[Tensor] = []
        self._means: list[tuple[Tensor, Tensor]] = []
        for s in range(self.n_slices):
            if weights is None:
                total = mean = probabilities.mean(0)
                centred = probabilities - mean
            else:
                total = weights[s, :, 0] @ probabilities / self._n_rows
                mean = total / weights[s].mean().clamp_min(1e-12)
                centred = (probabilities - mean).mul_(weights[s].sqrt())
            self._centred.append(centred.to(products))
            self._means.append((total, mean))

    def grams(self, a: slice, b: slice) -> Tensor:
        """Expected two-way marginals. Shape: ``(n_slices, levels of a, levels of b)``."""
        blocks = []
        for centred, (total, mean) in zip(self._centred, self._means, strict=True):
            product = (centred[:, a].T @ centred[:, b]).to(total.dtype)
            blocks.append(torch.outer(total[a], mean[b]).add_(product, alpha=1 / self._n_rows))
        return torch.stack(blocks)

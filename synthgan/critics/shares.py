"""The one-way critic: the share of each level in the generated rows against what the first door released."""

from __future__ import annotations

from torch import Tensor


class ShareCritic:
    """Total variation distance of one-way marginals, summed over columns.

    The marginal critic implies one-way marginals by its pairs. Where it is off (a private fit whose whole budget beyond
    the column statistics goes to the neural critic) they would drift, since a noised discriminator is a poor keeper of
    them. They were released with the column statistics, so holding on to them reads nothing and costs no budget.

    Args:
        shares: ``(n_levels,)`` released share of each level; sums to 1 within each column.
    """

    def __init__(self, shares: Tensor) -> None:
        self._shares = shares

    def loss(self, probabilities: Tensor) -> Tensor:
        """Scalar. Shape of unconditioned generations' softmaxes: ``(n_rows, n_levels)``."""
        return (probabilities.mean(0) - self._shares).abs().sum() / 2

"""Training conditions: which columns a generated row is told in advance, and what it is told.

Conditions come from rows that the generator drew a step before, never from the data, so that the same code serves a
private fit. Told a set of levels, the row's law must be the joint law given that set: each level besides the row's own
enters the set by the same coin, whichever level is the row's own, so the set says nothing beyond membership.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from synthgan.networks.layers import LevelAxis


class ConditionSampler:
    """Draws conditions for the first rows of each batch, leaving the others unconditioned.

    Args:
        axis: the layout on the device.
        marginal: ``(n_levels,)`` share of each level; weighs the levels of a set.
        n_rows: rows per batch.
        fraction: share of them to condition.
        rng: random source on the device.
    """

    def __init__(self, axis: LevelAxis, marginal: Tensor, n_rows: int, fraction: float, rng: torch.Generator) -> None:
        self._axis = axis
        self._marginal = marginal
        self.rng = rng
        self._n_rows = n_rows
        self.n_conditioned = round(n_rows * fraction)
        self.codes = torch.zeros(self.n_conditioned, axis.n_columns, dtype=torch.long, device=marginal.device)
        self._allowed: Tensor | None = None
        self._mask: Tensor | None = None
        self.ready = False

    def remember(self, codes: Tensor) -> None:
        """Keep freshly generated codes as the source of the next conditions. Shape: ``(n_rows, n_columns)``."""
        self.codes.copy_(codes[len(codes) - self.n_conditioned :])
        self.ready = True

    def draw(self) -> tuple[Tensor | None, Tensor]:
        """Condition ``(n_rows, n_levels)`` (None when no row has one) and mask ``(n_rows, n_columns)``."""
        axis, n = self._axis, self.n_conditioned
        device = self._marginal.device
        mask = torch.zeros(self._n_rows, axis.n_columns, device=device)
        if n == 0 or not self.ready:
            self._allowed = None
            return None, mask
        share = self._uniform(n, 1)  # few columns in some rows, many in others
        mask[:n] = (self._uniform(n, axis.n_columns) < share * share).float()
        breadth = (2 * self._uniform(n, axis.n_columns) - 1).clamp_min(0)  # half of the cells: one level exactly
        allowed = axis.one_hot(self.codes)
        allowed = torch.maximum(allowed, (self._uniform(n, axis.n_levels) < breadth[:, axis.column_of_level]).float())
        self._allowed, self._mask = allowed, mask[:n]
        condition = torch.zeros(self._n_rows, axis.n_levels, device=device)
        condition[:n] = axis.normalise(allowed * self._marginal) * mask[:n, axis.column_of_level]
        return condition, mask

    @property
    def n_drawn(self) -> int:
        """Number of leading rows of the current batch that have a condition."""
        return 0 if self._allowed is None else self.n_conditioned

    def loss(self, probabilities: Tensor) -> Tensor:
        """Mean negative log probability that the conditioned columns meet their conditions."""
        if self._allowed is None or self._mask is None:
            return probabilities.new_zeros(())
        allowed = probabilities[: self.n_conditioned] * self._allowed
        met = torch.stack([part.sum(1) for part in self._axis.parts(allowed)], 1)
        return -(met.clamp_min(1e-6).log() * self._mask).sum() / self._mask.sum().clamp_min(1)

    def state(self) -> dict[str, Tensor]:
        """What the next draw depends on."""
        return {"codes": self.codes, "rng": self.rng.get_state(), "ready": torch.tensor(self.ready)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state`."""
        self.codes.copy_(state["codes"])
        self.ready = bool(state["ready"])
        self.rng.set_state(state["rng"].cpu())

    def _uniform(self, *shape: int) -> Tensor:
        return torch.rand(*shape, generator=self.rng, device=self._marginal.device)

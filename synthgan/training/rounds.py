"""Rounds of measuring and training: between them, the second door measures what the generator gets most wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from synthgan.critics.marginal import MarginalCritic, expected_marginals
from synthgan.critics.marginal_door import Marginals
from synthgan.networks.generator import Generator

ROUND_ROWS = 4096
"""Generated rows that a door is shown."""


class AdaptiveMarginals(Marginals, Protocol):
    """A second door that does not tell everything at once."""

    @property
    def is_spent(self) -> bool:
        """Whether it has told all it will."""
        ...

    def measure_worst(self, expected: Sequence[Tensor]) -> None:
        """Learn more of what a generator with these marginals (`expected_marginals`) gets most wrong."""
        ...


@dataclass
class MarginalRounds:
    """Turns of a door and the training.

    Attributes:
        door: measures.
        critic: makes a critic of all that the door has told so far.
        every: training steps between two rounds.
        column: the column that the door's slices are cut from.
        slices: its codes in each slice.
    """

    door: AdaptiveMarginals
    critic: Callable[[], MarginalCritic]
    every: int
    column: int = 0
    slices: Sequence[Sequence[int]] = ()

    def is_due(self, step: int) -> bool:
        """Whether a round comes after this step."""
        return step % self.every == 0 and not self.door.is_spent

    @torch.no_grad()
    def measure(self, generator: Generator, rng: torch.Generator) -> MarginalCritic:
        """One round: show the door what the generator makes, and return a critic that knows more."""
        axis = generator.axis
        z = torch.randn(ROUND_ROWS, generator.settings.latent_dim, generator=rng, device=axis.starts.device)
        probabilities = axis.softmax(generator(z)[1])
        self.door.measure_worst(expected_marginals(probabilities, axis, self.column, self.slices))
        return self.critic()

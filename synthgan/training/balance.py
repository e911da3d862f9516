"""The balance of the two critics: how much the marginal critic weighs beside the neural one.

Too little, and marginals drift; too much, and the generator is held to pairs of columns alone. How hard the neural
critic pulls depends on the table: on its columns, on the rows to tell apart, on the loss. So the weight is not a number
to be chosen but measured: both gradients at the generator's weights are to be of equal length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

FIRST_WEIGHT = 2.0
"""The marginal critic's weight until it has been measured, and where it is not."""

MEASURED_SHARE = 0.25
"""Of the schedule: afterwards the weight stays. A critic that gets stronger must not be answered with ever more."""

INTERVAL = 8
"""Steps from one measurement to the next: each takes two backward passes more."""

MEMORY = 10
"""Measurements that the geometric mean looks back over, so that one wild gradient does not decide."""

LIMITS = (0.1, 10.0)
"""The weight stays between these."""


class Balance:
    """The marginal critic's weight, a tensor that recorded steps read anew each time.

    Args:
        weight: given by the settings; None to measure it.
        first_step: before it, networks are hardly trained and nothing is measured.
        device: where the steps run.
    """

    def __init__(self, weight: float | None, first_step: int, device: torch.device) -> None:
        self.is_measured = weight is None
        self._first_step = first_step
        self.weight = torch.full((), FIRST_WEIGHT if weight is None else weight, device=device)
        self._log_ratio = torch.zeros((), device=device)
        self._n_measured = torch.zeros((), device=device)

    def is_due(self, step: int, progress: float) -> bool:
        """Whether a step is to be measured.

        Args:
            step: number of steps before it.
            progress: share of the schedule before it.
        """
        due = self._first_step <= step and progress < MEASURED_SHARE and step % INTERVAL == 0
        return self.is_measured and due

    def measure(self, neural: Tensor, marginal: Tensor, parameters: Sequence[Tensor]) -> None:
        """Compare the gradients of two losses, and set the weight. Reads no value, and works in place.

        Args:
            neural: the neural critic's loss, whose graph is kept.
            marginal: the marginal critic's, likewise.
            parameters: the generator's weights that both depend on.
        """
        ratio = (_steepness(neural, parameters) / _steepness(marginal, parameters)).log()
        self._n_measured += 1
        self._log_ratio += (ratio - self._log_ratio) / self._n_measured.clamp_max(MEMORY)
        self.weight.copy_(self._log_ratio.exp().clamp(*LIMITS))

    def state(self) -> dict[str, Tensor]:
        """What the next measurement depends on."""
        return {"weight": self.weight, "log_ratio": self._log_ratio, "n_measured": self._n_measured}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state`."""
        for name, tensor in self.state().items():
            tensor.copy_(state[name])


def _steepness(loss: Tensor, parameters: Sequence[Tensor]) -> Tensor:
    """Length of a loss's gradient, never 0."""
    gradients = torch.autograd.grad(loss, parameters, retain_graph=True, materialize_grads=True)
    return torch.stack([gradient.float().square().sum() for gradient in gradients]).sum().sqrt().clamp_min(1e-12)

"""The balance of the two critics: how much the marginal critic weighs beside the neural one.

Too little, and marginals drift; too much, and the generator is held to pairs of columns alone. How hard the neural
critic pulls depends on the table, on the loss, and on how long it has known the rows. So the weight follows what is
measured now and then: at the generator's weights, the marginal critic's gradient is to be no shorter than the other's.
Once enough was measured it never falls: where a heavy marginal critic was needed, marginals are hard to hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

LEAST_WEIGHT, MOST_WEIGHT = 2.0, 10.0
"""The weight stays between these. With less, marginals of easy tables drift at the end of long fits."""

INTERVAL = 8
"""Steps from one measurement to the next: each takes two backward passes more."""

MEMORY = 10
"""Measurements that the geometric mean looks back over, so that one wild gradient does not decide."""


class Balance:
    """The marginal critic's weight, a tensor that recorded steps read anew each time.

    Args:
        weight: given by the settings; None to measure it.
        first_step: before it, networks are hardly trained and nothing is measured: the weight is the least there is.
        device: where the steps run.
        n_turns: steps in which the marginal critic sees all pairs of columns once; all its turns are measured. The
            gradient of one turn is longer than that of all together, so the weight comes out smaller than with one.
    """

    def __init__(self, weight: float | None, first_step: int, device: torch.device, *, n_turns: int = 1) -> None:
        self._is_measured = weight is None
        self._first_step = first_step
        self._n_turns = n_turns
        self.weight = torch.full((), LEAST_WEIGHT if weight is None else weight, device=device)
        self._log_ratio = torch.zeros((), device=device)
        self._n_measured = torch.zeros((), device=device)

    def is_due(self, step: int) -> bool:
        """Whether a step is to be measured, given the number of steps before it."""
        if not self._is_measured or step < self._first_step:
            return False
        # Where the number of turns shares a factor with the interval, every interval-th step sees a part of them.
        shift = step // (INTERVAL * self._n_turns) % min(self._n_turns, INTERVAL)
        return step % INTERVAL == shift

    def measure(self, neural: Tensor, marginal: Tensor, parameters: Sequence[Tensor]) -> None:
        """Compare the gradients of two losses, and set the weight. Reads no value, and works in place.

        Args:
            neural: the neural critic's loss, times its own weight; its graph is kept.
            marginal: the marginal critic's, likewise.
            parameters: the generator's weights that both depend on.
        """
        ratio = (_steepness(neural, parameters) / _steepness(marginal, parameters)).log()
        self._n_measured += 1
        self._log_ratio += (ratio - self._log_ratio) / self._n_measured.clamp_max(MEMORY)
        weight = self._log_ratio.exp().clamp(LEAST_WEIGHT, MOST_WEIGHT)
        least = self.weight * (self._n_measured > MEMORY)  # a mean of few measurements may yet fall
        self.weight.copy_(torch.maximum(weight, least))

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

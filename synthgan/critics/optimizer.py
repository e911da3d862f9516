"""Adam steps that can be replayed: the learning rate is a tensor, and all state keeps its place in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn


def adam(parameters: Iterable[nn.Parameter], learning_rate: float, betas: tuple[float, float]) -> torch.optim.Adam:
    """Adam (Kingma and Ba 2015) as both networks use it; its step count lies on the parameters' device."""
    return torch.optim.Adam(parameters, lr=learning_rate, betas=betas, fused=True)


def learning_rate_tensor(device: torch.device) -> Tensor:
    """A scalar for the learning rate, in the type that fused Adam reads: float64 on the CPU, float32 on a GPU."""
    return torch.zeros((), dtype=torch.float64 if device.type == "cpu" else torch.float32, device=device)


def descend(optimizer: torch.optim.Adam, loss: Tensor, learning_rate: Tensor | float) -> None:
    """Step down the loss's gradient, and let go of the gradients: their memory belongs to this step alone.

    Args:
        optimizer: made by `adam`.
        loss: scalar; its graph is freed.
        learning_rate: a number, or a scalar made by `learning_rate_tensor`, which a captured step reads anew each time.
    """
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    # torch refuses to capture an optimiser that is not declared capturable, and warns when a capturable one steps
    # outside of a graph. A fused one computes the same either way.
    capturing = loss.is_cuda and torch.cuda.is_current_stream_capturing()
    for group in optimizer.param_groups:
        group["lr"], group["capturable"] = learning_rate, capturing
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Adam's moments and step counts as named tensors."""
    state: dict[str, Tensor] = {}
    for i, parameter in enumerate(p for group in optimizer.param_groups for p in group["params"]):
        for key, value in optimizer.state.get(parameter, {}).items():
            state[f"optimizer.{i}.{key}"] = value
    return state


def load_optimizer_state(optimizer: torch.optim.Optimizer, state: Mapping[str, Tensor]) -> None:
    """Restore what `optimizer_state` returned, into the memory of the present state where there is one."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for name, value in state.items():
        if name.startswith("optimizer."):
            _, i, key = name.split(".")
            held = optimizer.state[parameters[int(i)]]
            if key in held:
                held[key].copy_(value)
            else:
                held[key] = value.clone()

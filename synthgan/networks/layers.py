"""Building blocks shared by the generator and the discriminator."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synthgan.networks.packs import PackedProduct
from synthgan.networks.products import dense
from synthgan.tables.layout import Layout

LEAK = 0.2


def seeded_linear(n_inputs: int, n_outputs: int, rng: torch.Generator | None, *, gain: float = 1.0) -> nn.Linear:
    """A linear layer with zero bias and normal weights of variance ``gain**2 * 2 / n_inputs`` (He et al. 2015).

    Without ``rng`` the layer is blank: it has shapes but no memory, until a state dict is assigned to it.
    """
    layer = _BlankLinear(n_inputs, n_outputs, device="meta")
    if rng is None:
        return layer
    layer = layer.to_empty(device="cpu")
    with torch.no_grad():
        layer.weight.normal_(0.0, gain * math.sqrt(2.0 / n_inputs), generator=rng)
        layer.bias.zero_()
    return layer


class _BlankLinear(nn.Linear):
    """A linear layer that leaves its weights to whoever made it: torch warns when it is to fill a layer of width 0."""

    def reset_parameters(self) -> None:
        """Do nothing."""

    def forward(self, rows: Tensor) -> Tensor:
        """Shape: ``(n_rows, n_inputs)`` to ``(n_rows, n_outputs)``."""
        if torch.is_grad_enabled():
            return super().forward(rows)
        return dense(rows, self.weight, self.bias)


def gumbel_like(logits: Tensor, rng: torch.Generator) -> Tensor:
    """Standard Gumbel noise: the argmax of logits plus noise is a categorical draw."""
    uniform = torch.rand(logits.shape, generator=rng, device=logits.device).clamp_min_(1e-20)
    return uniform.log_().neg_().log_().neg_()


class ResidualBlock(nn.Module):
    """``x + W2 act(W1 act(x))``, starting near the identity and without normalisation."""

    def __init__(self, width: int, hidden: int, rng: torch.Generator | None) -> None:
        super().__init__()
        self.expand = seeded_linear(width, hidden, rng)
        self.contract = seeded_linear(hidden, width, rng, gain=0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Shape: ``(n_rows, width)`` to ``(n_rows, width)``."""
        update: Tensor = self.contract(F.leaky_relu(self.expand(F.leaky_relu(x, LEAK)), LEAK))
        return x + update

    def round_weights(self) -> None:
        """To bfloat16, for good: the products without gradients are then in bfloat16, and there are no others."""
        for layer in (self.expand, self.contract):
            layer.weight = nn.Parameter(layer.weight.bfloat16(), requires_grad=False)


class LevelAxis(nn.Module):
    """A `Layout` as tensors on the device, and the operations that follow its slices.

    The buffers are not part of the state dict: they are rebuilt from the layout.
    """

    starts: Tensor
    is_bin: Tensor
    column_of_level: Tensor
    positioned_columns: Tensor

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.sizes = tuple(span.n_levels for span in layout.spans)
        self.n_levels = layout.n_levels
        self.n_columns = layout.n_columns
        self.n_positions = layout.n_positions
        buffers: dict[str, npt.NDArray[Any]] = {
            "starts": layout.starts,
            "is_bin": layout.is_bin,
            "column_of_level": layout.column_of_level,
            "positioned_columns": layout.positioned_columns,
        }
        for name, array in buffers.items():
            self.register_buffer(name, torch.from_numpy(array.copy()), persistent=False)
        self.value_maps = _value_maps(layout)

    def parts(self, rows: Tensor) -> tuple[Tensor, ...]:
        """Each column's slice. Shape: ``(n_rows, n_levels)`` to ``n_columns`` tensors ``(n_rows, its levels)``."""
        pieces: tuple[Tensor, ...] = rows.split(self.sizes, 1)
        return pieces

    def softmax(self, logits: Tensor) -> Tensor:
        """Softmax within each column's slice. Shape: ``(n_rows, n_levels)`` to the same."""
        return torch.cat([part.softmax(1) for part in self.parts(logits)], 1)

    def argmax(self, scores: Tensor) -> Tensor:
        """Code of the largest score in each column. Shape: ``(n_rows, n_levels)`` to ``(n_rows, n_columns)`` int64."""
        return torch.stack([part.argmax(1) for part in self.parts(scores)], 1)

    def normalise(self, weights: Tensor) -> Tensor:
        """Scale each column's slice to sum 1 (zeros stay zeros). Shape: ``(n_rows, n_levels)`` to the same."""
        return torch.cat([part / part.sum(1, keepdim=True).clamp_min(1e-12) for part in self.parts(weights)], 1)

    def one_hot(self, codes: Tensor) -> Tensor:
        """Concatenated one-hot rows. Shape: ``(n_rows, n_columns)`` int64 to ``(n_rows, n_levels)`` float32."""
        return self.one_hot_from_index(codes + self.starts)

    def one_hot_from_index(self, index: Tensor) -> Tensor:
        """As `one_hot`, from indices on the level axis."""
        rows = torch.zeros(len(index), self.n_levels, device=index.device)
        return rows.scatter_(1, index, 1.0)

    def position_levels(self, codes: Tensor) -> Tensor:
        """Level index of each positioned column. Shape: ``(n_rows, n_columns)`` to ``(n_rows, n_positions)`` int64."""
        return (codes + self.starts)[:, self.positioned_columns]


def _value_maps(layout: Layout) -> PackedProduct:
    """From one-hot rows to what discriminators read off a positioned column: is a bin, value at position 0, range."""
    entries = np.stack([layout.is_bin, layout.value_start, layout.value_stop - layout.value_start], 1)
    return PackedProduct(entries[:, :, None], layout.column_of_level, layout.positioned_columns, layout.n_columns)


@contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Within the block, gradients flow through a network but not into its parameters."""
    parameters = list(network.parameters())
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)

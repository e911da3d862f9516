"""Building blocks shared by the generator and the discriminator."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (the name everybody reads)

from synthgan.tables.layout import Layout

LEAK = 0.2


def seeded_linear(n_inputs: int, n_outputs: int, generator: torch.Generator, *, gain: float = 1.0) -> nn.Linear:
    """A linear layer with zero bias and normal weights of variance ``gain**2 * 2 / n_inputs`` (He et al. 2015)."""
    layer = nn.utils.skip_init(nn.Linear, n_inputs, n_outputs)
    with torch.no_grad():
        layer.weight.normal_(0.0, gain * math.sqrt(2.0 / n_inputs), generator=generator)
        layer.bias.zero_()
    return layer


class ResidualBlock(nn.Module):
    """``x + W2 act(W1 act(x))``, starting near the identity and without normalisation."""

    def __init__(self, width: int, hidden: int, generator: torch.Generator) -> None:
        super().__init__()
        self.expand = seeded_linear(width, hidden, generator)
        self.contract = seeded_linear(hidden, width, generator, gain=0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Shape: ``(n_rows, width)`` to ``(n_rows, width)``."""
        return x + self.contract(F.leaky_relu(self.expand(F.leaky_relu(x, LEAK)), LEAK))


class LevelAxis(nn.Module):
    """A `Layout` as tensors on the device, and the operations that follow its slices.

    The buffers are not part of the state dict: they are rebuilt from the layout.
    """

    starts: Tensor
    value_maps: Tensor
    column_of_level: Tensor
    positioned_columns: Tensor

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.sizes = tuple(span.n_levels for span in layout.spans)
        self.n_levels = layout.n_levels
        self.n_columns = layout.n_columns
        self.n_positions = layout.n_positions
        for name, array in {
            "starts": layout.starts,
            "value_maps": _value_maps(layout),
            "column_of_level": layout.column_of_level,
            "positioned_columns": layout.positioned_columns,
        }.items():
            self.register_buffer(name, torch.from_numpy(array.copy()), persistent=False)

    def softmax(self, logits: Tensor) -> Tensor:
        """Softmax within each column's slice. Shape: ``(n_rows, n_levels)`` to the same."""
        return torch.cat([part.softmax(1) for part in logits.split(self.sizes, 1)], 1)

    def argmax(self, scores: Tensor) -> Tensor:
        """Code of the largest score in each column. Shape: ``(n_rows, n_levels)`` to ``(n_rows, n_columns)`` int64."""
        return torch.stack([part.argmax(1) for part in scores.split(self.sizes, 1)], 1)

    def normalise(self, weights: Tensor) -> Tensor:
        """Scale each column's slice to sum 1 (zeros stay zeros). Shape: ``(n_rows, n_levels)`` to the same."""
        return torch.cat([part / part.sum(1, keepdim=True).clamp_min(1e-12) for part in weights.split(self.sizes, 1)], 1)

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


def _value_maps(layout: Layout) -> npt.NDArray[np.float32]:
    """``(n_levels, 3 * n_positions)``: takes one-hot rows to (is a bin, value at position 0, value range) per positioned column."""
    maps = np.zeros((3, layout.n_levels, layout.n_positions), dtype=np.float32)
    for span in layout.spans:
        if span.position is not None:
            rows = slice(span.start, span.stop)
            maps[0, rows, span.position] = layout.is_bin[rows]
            maps[1, rows, span.position] = layout.value_start[rows]
            maps[2, rows, span.position] = layout.value_stop[rows] - layout.value_start[rows]
    return np.concatenate(list(maps), axis=1)

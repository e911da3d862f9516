"""Products in which every column of the table minds its own business, at a cost linear in the number of columns."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

COLUMNS_PER_PACK = 16
"""Up to this many columns one dense product takes as long as several small ones; a table of fewer is one pack."""


class PackedProduct(nn.Module):
    """Product with matrices that are zero where an input and an output belong to different columns of the table.

    As one dense matrix, each would cost the square of the number of columns. So neighbouring columns are packed: inside
    a pack the product is dense, and between packs there is nothing. Products, unlike looked up entries, have gradients
    that add up in a fixed order.

    Args:
        entries: ``(n_inputs, n_matrices, n_waves)``: what an input says to each of the outputs of its own column.
        inputs: ``(n_inputs,)`` column of each input, ascending.
        outputs: ``(n_columns_out,)`` columns that have outputs, ascending: ``n_waves`` outputs each.
        n_columns: columns of the table.
        transposed: whether to multiply by the transpose instead, of a single matrix.
    """

    def __init__(
        self,
        entries: npt.NDArray[np.floating] | npt.NDArray[np.bool_],
        inputs: npt.NDArray[np.int64],
        outputs: npt.NDArray[np.int64],
        n_columns: int,
        *,
        transposed: bool = False,
    ) -> None:
        super().__init__()
        self.n_matrices, n_waves = entries.shape[1:]
        n_packs = max(math.ceil(n_columns / COLUMNS_PER_PACK), 1)
        edges = [n_columns * pack // n_packs for pack in range(n_packs + 1)]
        places = [list(pairwise(np.searchsorted(columns, edges).tolist())) for columns in (inputs, outputs)]
        self.n_inputs = [stop - start for start, stop in places[0]]
        self.n_outputs = [(stop - start) * n_waves for start, stop in places[1]]
        for index, (rows, columns) in enumerate(zip(*places, strict=True)):
            own = inputs[slice(*rows), None] == outputs[None, slice(*columns)]
            block = entries[slice(*rows), :, None, :] * own[:, None, :, None]
            flat = block.reshape(len(own), self.n_matrices * self.n_outputs[index])
            stored = np.ascontiguousarray(flat.T if transposed else flat, dtype=np.float32)
            self.register_buffer(f"block_{index}", torch.from_numpy(stored), persistent=False)
        if transposed:
            self.n_inputs, self.n_outputs = self.n_outputs, self.n_inputs

    @property
    def blocks(self) -> list[Tensor]:
        """Each pack's matrices side by side: ``(its inputs, n_matrices * its outputs)``."""
        return [self.get_buffer(f"block_{index}") for index in range(len(self.n_inputs))]

    def forward(self, rows: Tensor) -> tuple[Tensor, ...]:
        """A float32 product per matrix. Shape: ``(n_rows, n_inputs)`` to ``n_matrices`` of ``(n_rows, n_outputs)``."""
        if len(self.n_inputs) == 1:
            # Joining and cutting a single piece would copy it.
            whole = (rows @ self.blocks[0]).float()
            return whole.chunk(self.n_matrices, 1) if self.n_matrices > 1 else (whole,)
        parts = [part @ block for part, block in zip(rows.split(self.n_inputs, 1), self.blocks, strict=True)]
        if self.n_matrices == 1:
            return (torch.cat(parts, 1).float(),)
        shaped = [part.unflatten(1, (self.n_matrices, n)) for part, n in zip(parts, self.n_outputs, strict=True)]
        return torch.cat(shaped, 2).float().unbind(1)

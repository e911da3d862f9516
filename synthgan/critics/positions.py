"""The position critic: positions inside each bin must be uniform, which the codec made them by construction.

It needs no door: the law it holds the generator to is the same for every table. Without it the discriminator would have
to notice, bin by bin, that positions bunch up.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from synthgan.networks.generator import GeneratedRows
from synthgan.networks.layers import LevelAxis

N_HARMONICS = 6
DECAY = 0.9


class PositionCritic:
    """Smoothed L1 size of the cosine coefficients of each bin's positions, averaged over positioned columns.

    For uniform positions ``u`` the means of ``sqrt(2) cos(pi k u)``, k = 1, 2, ..., are zero with variance 1. Few rows
    of a batch fall into one bin, so the signs are read off a running average and the batch supplies the gradient.

    Args:
        axis: the layout on the device.
        marginal: ``(n_levels,)`` share of rows of each level.
        n_rows: rows per batch.
    """

    def __init__(self, axis: LevelAxis, marginal: Tensor, n_rows: int) -> None:
        self._axis = axis
        self._is_bin = axis.is_bin.unsqueeze(1)
        position_of_column = torch.zeros(axis.n_columns, dtype=torch.long, device=marginal.device)
        position_of_column[axis.positioned_columns] = torch.arange(axis.n_positions, device=marginal.device)
        self._level = torch.arange(axis.n_levels, device=marginal.device)
        self._position = position_of_column[axis.column_of_level]
        self._harmonics = math.pi * torch.arange(1, N_HARMONICS + 1, device=marginal.device)
        n_effective = n_rows * (1 + DECAY) / (1 - DECAY)
        self._noise = (marginal / n_effective).sqrt().clamp_min(1e-9).unsqueeze(1)
        self.average = torch.zeros(axis.n_levels, N_HARMONICS, device=marginal.device)

    def loss(self, rows: GeneratedRows) -> Tensor:
        """What the generator should minimise; near 0 when positions are uniform in every bin."""
        waves = math.sqrt(2) * torch.cos(rows.positions.float().unsqueeze(2) * self._harmonics)
        # A product with the one-hot codes adds in a fixed order; scattered sums would depend on the threads.
        sums = rows.one_hot.detach().T.float() @ waves.flatten(1)
        current = sums.float().view(len(sums), -1, N_HARMONICS)[self._level, self._position] / len(waves)
        self.average.lerp_(current.detach(), 1 - DECAY)
        pull = torch.tanh(self.average / self._noise) * self._is_bin
        return (pull * current).sum() / (self._axis.n_positions * N_HARMONICS)

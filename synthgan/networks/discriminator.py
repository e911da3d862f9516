"""The discriminator: a row (and which of its columns were conditioned on) in, a realness score out."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synthgan.config import DiscriminatorSettings
from synthgan.networks.layers import LEAK, LevelAxis, ResidualBlock, seeded_linear
from synthgan.networks.ranks import RankFeatures
from synthgan.tables.layout import Layout

POSITION_GAIN = 3.0
"""Brings the uniform position to a standard deviation near 1."""


class Discriminator(nn.Module):
    """Residual MLP without normalisation, as in R3GAN (Huang et al. 2024).

    A row enters as the concatenation of its one-hot codes, for each positioned column the position and the standardised
    value that code and position stand for, and for each ordered column waves of its rank.

    Args:
        layout: the columns to judge.
        settings: sizes and options.
        rng: source of the initial weights.
        conditional: whether it also sees which columns a row was conditioned on.
        n_target_levels: levels of the auxiliary classifier's target; 0 for no classifier.

    Attributes:
        column_of_feature: ``(n_features,)`` int64, on the CPU: the column that each input tells of.
    """

    def __init__(
        self,
        layout: Layout,
        settings: DiscriminatorSettings,
        rng: torch.Generator,
        *,
        conditional: bool = False,
        n_target_levels: int = 0,
    ) -> None:
        super().__init__()
        self.axis = LevelAxis(layout)
        self.packing = settings.packing
        width = settings.width
        self._conditional = conditional
        self.ranks = RankFeatures(layout if settings.ranks else layout.without_order())
        columns = np.arange(layout.n_columns if conditional else 0)
        owners = [layout.column_of_level, *2 * [layout.positioned_columns], self.ranks.columns, columns]
        self.column_of_feature = torch.from_numpy(np.concatenate(owners))
        n_features = len(self.column_of_feature)
        n_inputs = n_features * settings.packing
        self.embed = seeded_linear(n_inputs, width, rng, gain=(n_inputs / (3 * layout.n_columns)) ** 0.5)
        self.blocks = nn.ModuleList(ResidualBlock(width, width, rng) for _ in range(settings.n_blocks))
        self.score = seeded_linear(width, 1, rng, gain=0.5)
        self.classify = seeded_linear(width, n_target_levels, rng) if n_target_levels else None
        if settings.spectral_norm:
            # torch draws the first singular vectors from its global random state: lend it ours, and put its own back.
            with torch.random.fork_rng(devices=[]):
                torch.set_rng_state(rng.get_state())
                for module in [m for m in self.modules() if isinstance(m, nn.Linear)]:
                    nn.utils.parametrizations.spectral_norm(module)
                rng.set_state(torch.get_rng_state())

    def features(self, one_hot: Tensor, positions: Tensor, condition_mask: Tensor) -> Tensor:
        """Network input of each row. Shape: ``(n_rows, n_levels + 2 * n_positions + rank features [+ n_columns])``."""
        parts = [one_hot]
        if self.axis.n_positions:
            in_bin, start, span = self.axis.value_maps(one_hot)
            # Outside bins the position is arbitrary: it is centred (0), and the value is the level's own.
            parts += [in_bin * (positions - 0.5) * POSITION_GAIN, start + span * positions]
        if len(self.ranks.columns):
            parts.append(self.ranks(one_hot, positions))
        if self._conditional:
            parts.append(condition_mask)
        return torch.cat(parts, 1)

    def trunk(self, features: Tensor) -> Tensor:
        """Hidden state of each pack. Shape: ``(n_rows, n_features)`` to ``(n_rows / packing, width)``.

        Without packing, rows may also come in groups: ``(n_groups, n_rows, n_features)`` to
        ``(n_groups, n_rows, width)``.
        """
        if self.packing > 1:
            features = features.reshape(len(features) // self.packing, -1)
        h = self.embed(features)
        for block in self.blocks:
            h = block(h)
        return F.leaky_relu(h, LEAK)

    def forward(self, features: Tensor) -> Tensor:
        """Scores. Shape: ``(n_rows, n_features)`` to ``(n_rows / packing,)``; groups as in `trunk`."""
        scores: Tensor = self.score(self.trunk(features))
        return scores.squeeze(-1)

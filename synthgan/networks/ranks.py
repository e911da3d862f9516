"""Columns with an order: what their ranks tell the discriminator, and how the generator follows a rank.

One-hot codes say nothing of which bins are neighbours. A network would have to learn the order of every column, level
by level; here it is given. The rank of a value is the share of rows below it, so heavy tails do no harm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synthgan.networks.layers import seeded_linear
from synthgan.networks.packs import PackedProduct
from synthgan.tables.layout import Layout

N_HARMONICS = 4
"""Cosine waves per column that the discriminator sees."""

MIN_LEVELS = 4
"""A column with fewer ordered levels is as well served by its one-hot code."""

LOG_WIDTH_RANGE = (-5.0, 1.0)
START_LOG_WIDTH = -0.7
EDGE = 0.02
PULL = 0.5
"""Makes the spread inside a bin that of a peak much narrower than the bin."""

MIN_BIN_SHARE = 1e-6
FARTHEST = 0.6
"""Locations lie within this distance of rank 1/2, so a little beyond either end."""


def ordered_columns(layout: Layout) -> npt.NDArray[np.int64]:
    """Indices of the columns with at least `MIN_LEVELS` ordered levels, or with bins that have an order."""
    ordered = np.bincount(layout.column_of_level, layout.is_ordered, layout.n_columns)
    ordered_bins = np.bincount(layout.column_of_level, layout.is_ordered & layout.is_bin, layout.n_columns)
    return np.flatnonzero((ordered_bins > 0) | (ordered >= MIN_LEVELS))


def rank_intervals(layout: Layout) -> npt.NDArray[np.float64]:
    """Share of a column's ordered rows below each level, and below or at it. Shape: ``(2, n_levels)``.

    Zeros at levels without a place in the order.
    """
    intervals = np.zeros((2, layout.n_levels))
    for span in layout.spans:
        place = slice(span.start, span.stop)
        share = layout.marginal[place].astype(np.float64) * layout.is_ordered[place]
        share /= max(float(share.sum()), 1e-12)
        above = np.cumsum(share)
        intervals[:, place] = np.where(layout.is_ordered[place], [above - share, above], 0.0)
    return intervals


class RankFeatures(nn.Module):
    """Cosine waves of each ordered column's rank, linear in one-hot code and position.

    ``sqrt(2) cos(pi k rank)`` for ``k = 1 .. N_HARMONICS``: uncorrelated, with mean 0 and variance 1 for a continuous
    column. Inside a bin the wave is followed along its chord.

    Args:
        layout: the columns.

    Attributes:
        columns: ``(n_features,)`` int64: the column that each wave belongs to.
    """

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        columns = ordered_columns(layout)
        low, high = rank_intervals(layout)
        harmonics = math.pi * np.arange(1, N_HARMONICS + 1)

        def wave(rank: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
            return math.sqrt(2) * np.cos(rank[:, None] * harmonics)

        # A bin is followed from its lower to its upper rank; a single value stands at the middle of its ranks.
        in_bin = layout.is_bin[:, None]
        start = np.where(in_bin, wave(low), wave((low + high) / 2)) * layout.is_ordered[:, None]
        change = np.where(in_bin, wave(high) - wave(low), 0.0) * layout.is_ordered[:, None]
        waves = np.stack([start, change], 1)
        self.columns = np.repeat(columns, N_HARMONICS)
        self.maps = PackedProduct(waves, layout.column_of_level, columns, layout.n_columns)
        same = np.ones((layout.n_positions, 1, N_HARMONICS))
        self.picks = PackedProduct(same, layout.positioned_columns, columns, layout.n_columns)

    def forward(self, one_hot: Tensor, positions: Tensor) -> Tensor:
        """Shape: ``(n_rows, n_levels)``, ``(n_rows, n_positions)`` to ``(n_rows, n_features)``."""
        start, change = self.maps(one_hot)
        # In float32, which keeps neighbours apart.
        with torch.autocast(positions.device.type, enabled=False):
            (inside,) = self.picks(positions)
        waves: Tensor = start + change * inside
        return waves


@dataclass(frozen=True)
class RankLaw:
    """Where each ordered column's rank is to lie.

    Attributes:
        location: ``(n_rows, n_ordered)`` most likely rank, about 0 to 1.
        narrowness: ``(n_rows, n_ordered)`` reciprocal of the peak's width.
        sharpness: ``(n_rows, n_ordered)`` how fast the peak falls off.
    """

    location: Tensor
    narrowness: Tensor
    sharpness: Tensor


class RankHead(nn.Module):
    """What the hidden state says about the ranks of ordered columns: added to the logits, and followed into the bins.

    Each ordered column has a location ``m``, a width ``s`` and a sharpness ``k``; a level at rank ``r`` gets
    ``-k log(1 + ((r - m) / s)^2)``, the log density of Student's t up to a constant: one peak that a smooth change of
    the hidden state moves across the levels, with tails heavy enough for the plain logits to overrule it. In a bin that
    holds the peak and is wider than the peak, the position is drawn near ``m``.

    Args:
        layout: the columns.
        width: width of the hidden state.
        rng: source of the initial weights; None leaves the head blank.
    """

    ranks: Tensor
    intervals: Tensor

    def __init__(self, layout: Layout, width: int, rng: torch.Generator | None) -> None:
        super().__init__()
        columns = ordered_columns(layout)
        self.n_columns = len(columns)
        low, high = rank_intervals(layout)
        self.at_levels = PackedProduct(
            layout.is_ordered[:, None, None], layout.column_of_level, columns, layout.n_columns, transposed=True
        )
        self.picks = PackedProduct(np.ones((len(columns), 1, 1)), columns, layout.positioned_columns, layout.n_columns)
        self.runs = _ordered_runs(layout, columns)
        arrays = {"ranks": (low + high) / 2, "intervals": np.stack([low, np.maximum(high - low, MIN_BIN_SHARE)], 1)}
        for name, array in arrays.items():
            self.register_buffer(name, torch.from_numpy(array.astype(np.float32)), persistent=False)
        self.law = seeded_linear(width, 3 * len(columns), rng, gain=0.5)
        if rng is not None:
            with torch.no_grad():
                self.law.bias[self.n_columns : 2 * self.n_columns] = START_LOG_WIDTH
                self.law.bias[2 * self.n_columns :] = math.log(math.e - 1)  # a sharpness of 1

    def forward(self, hidden: Tensor) -> RankLaw:
        """Shape: ``(n_rows, width)`` to thrice ``(n_rows, n_ordered)``, in float32."""
        location, log_width, sharpness = self.law(hidden).float().chunk(3, 1)
        return RankLaw(
            location=0.5 + FARTHEST * torch.tanh(location),
            narrowness=torch.exp(-log_width.clamp(*LOG_WIDTH_RANGE)),
            sharpness=F.softplus(sharpness),
        )

    def logits(self, law: RankLaw) -> Tensor:
        """What to add to the logits. Shape: ``(n_rows, n_levels)``, 0 at levels without order."""
        # Neighbouring ranks and narrow peaks: bfloat16 cannot tell them apart.
        with torch.autocast(self.ranks.device.type, enabled=False):
            away = self.ranks * self._spread(law.narrowness) - self._spread(law.location * law.narrowness)
            return -self._spread(law.sharpness) * torch.log1p(away.square())

    def add_logits(self, logits: Tensor, law: RankLaw) -> Tensor:
        """Logits with those of the peaks, without gradients. Shape: ``(n_rows, n_levels)``.

        On a CPU in place and column by column: memory that is touched for the first time, and products that copy one
        figure to many levels, take longer than the logarithms.
        """
        if logits.device.type != "cpu" or logits.dtype != torch.float32:
            return logits + self.logits(law)
        slope, offset = law.narrowness, -law.location * law.narrowness
        for column, place in self.runs:
            here = slice(column, column + 1)
            away = torch.addcmul(offset[:, here], slope[:, here], self.ranks[place])
            logits[:, place].addcmul_(away.square_().log1p_(), law.sharpness[:, here], value=-1)
        return logits

    def _spread(self, of_columns: Tensor) -> Tensor:
        """A figure per ordered column at its levels. Shape: ``(n_rows, n_ordered)`` to ``(n_rows, n_levels)``."""
        (of_levels,) = self.at_levels(of_columns)
        return of_levels

    def inside_bins(self, law: RankLaw, levels: Tensor) -> tuple[Tensor, Tensor]:
        """Location and scale of ``logit(position)`` that the peak asks for; 0 and 1, so uniform, where it says nothing.

        Args:
            law: of ``n_rows`` rows.
            levels: ``(n_rows, n_positions)`` level of each positioned column.

        Returns:
            Twice ``(n_rows, n_positions)``.
        """
        return self._inside(*self._picked(law), levels)

    def inside_given_bins(self, law: RankLaw, positions: Tensor, levels: Tensor) -> tuple[Tensor, Tensor]:
        """As `inside_bins`, for ``k`` given pairs of a positioned column and one of its levels, in every row.

        Shape: ``(k,)``, ``(k,)`` to twice ``(n_rows, k)``.
        """
        location, narrowness = self._picked(law)
        return self._inside(location[:, positions], narrowness[:, positions], levels)

    def _picked(self, law: RankLaw) -> tuple[Tensor, Tensor]:
        """Location and narrowness of positioned columns, 0 in those without order. Twice ``(n_rows, n_positions)``."""
        with torch.autocast(self.ranks.device.type, enabled=False):
            return self.picks(law.location)[0], self.picks(law.narrowness)[0]

    def _inside(self, location: Tensor, narrowness: Tensor, levels: Tensor) -> tuple[Tensor, Tensor]:
        low, share = F.embedding(levels, self.intervals).unbind(-1)
        place = (location - low) / share
        # A peak much wider than the bin, or many bins away, is flat inside it.
        pull = PULL * share * narrowness / (1 + (place - 0.5).square())
        return torch.logit(place.clamp(EDGE, 1 - EDGE)) * pull / (1 + pull), 1 / (1 + pull)


def _ordered_runs(layout: Layout, columns: npt.NDArray[np.int64]) -> list[tuple[int, slice]]:
    """Stretches of neighbouring levels with an order: which of ``columns`` they belong to, and where they are."""
    owners = np.where(layout.is_ordered & np.isin(layout.column_of_level, columns), layout.column_of_level, -1)
    edges = [0, *(np.flatnonzero(np.diff(owners)) + 1).tolist(), len(owners)]
    stretches = [(int(owners[start]), slice(start, stop)) for start, stop in pairwise(edges) if start < stop]
    return [(int(np.searchsorted(columns, owner)), place) for owner, place in stretches if owner >= 0]

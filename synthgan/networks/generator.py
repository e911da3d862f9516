"""The conditional generator: noise and a condition in, level logits and positions out."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synthgan.config import GeneratorSettings, Precision
from synthgan.networks.layers import LEAK, LevelAxis, ResidualBlock, gumbel_like, seeded_linear
from synthgan.networks.products import multiplies_bfloat16
from synthgan.networks.ranks import RankHead, RankLaw
from synthgan.tables.layout import Layout

POSITION_EPSILON = 1e-4
MAX_LOCATION = 8.0
LOG_SCALE_RANGE = (-4.0, 1.0)


@dataclass(frozen=True)
class GeneratedRows:
    """One batch as the critics see it.

    Attributes:
        codes: ``(n_rows, n_columns)`` int64: the drawn codes.
        probabilities: ``(n_rows, n_levels)``: each column's softmax; their averaged outer products are exact marginals.
        one_hot: ``(n_rows, n_levels)``: drawn codes, with straight-through gradients while training.
        positions: ``(n_rows, n_positions)`` in (0, 1), differentiable.
        condition_mask: ``(n_rows, n_columns)`` float: 1 where the row was conditioned on the column.
    """

    codes: Tensor
    probabilities: Tensor
    one_hot: Tensor
    positions: Tensor
    condition_mask: Tensor

    def detach(self) -> GeneratedRows:
        """The same rows without gradients."""
        parts = (self.codes, self.probabilities, self.one_hot, self.positions, self.condition_mask)
        return GeneratedRows(*(part.detach() for part in parts))


class PositionHead(nn.Module):
    """Distribution of the position inside a bin, given the hidden state and the column's own code.

    ``logit(position)`` follows a logistic law; at location 0 and scale 1 the position is uniform. Both are bilinear in
    the hidden state and the level, so that a smooth value can be followed across bin edges. The law has an explicit
    CDF, so ranges are truncated exactly.
    """

    def __init__(self, axis: LevelAxis, width: int, rank: int, rng: torch.Generator | None) -> None:
        super().__init__()
        self.axis = axis
        self.rank = rank
        self.project = seeded_linear(width, axis.n_positions * rank, rng)
        device = "meta" if rng is None else "cpu"
        # ``loadings[level]`` maps the projected hidden state to (location, log scale); zero: uniform positions.
        self.loadings = nn.Parameter(torch.zeros(axis.n_levels, rank, 2, device=device))
        self.offsets = nn.Parameter(torch.zeros(axis.n_levels, 2, device=device))
        if rng is not None:
            with torch.no_grad():
                self.loadings[:, :, 0].normal_(0.0, 0.05, generator=rng)

    def raw_law(self, hidden: Tensor, levels: Tensor) -> Tensor:
        """Location and log scale at each row's levels.

        Shape: ``(n_rows, width)``, ``(n_rows, n_positions)`` to ``(n_rows, n_positions, 2)``.
        """
        factors = self.project(hidden).view(len(hidden), -1, self.rank)
        return torch.einsum("npr,nprk->npk", factors, self._loadings_at(levels)) + F.embedding(levels, self.offsets)

    def raw_law_at(self, hidden: Tensor, positions: Tensor, levels: Tensor) -> Tensor:
        """As `raw_law`, for ``k`` given pairs of a positioned column and one of its levels, in every row.

        Shape: ``(n_rows, width)``, ``(k,)``, ``(k,)`` to ``(n_rows, k, 2)``.
        """
        factors = self.project(hidden).view(len(hidden), -1, self.rank)[:, positions]
        return torch.einsum("nkr,krp->nkp", factors, self._loadings_at(levels)) + F.embedding(levels, self.offsets)

    def _loadings_at(self, levels: Tensor) -> Tensor:
        """Shape: any shape of level indices to the same followed by ``(rank, 2)``.

        An embedding, because the gradient of plain indexing adds up in the order in which threads happen to finish.
        """
        return F.embedding(levels, self.loadings.flatten(1)).unflatten(-1, (self.rank, 2))

    @staticmethod
    def inverse_cdf(uniform: Tensor, location: Tensor, scale: Tensor) -> Tensor:
        """Position at a cumulative probability; differentiable in location and scale."""
        u = uniform.clamp(POSITION_EPSILON, 1 - POSITION_EPSILON)
        return torch.sigmoid(location + scale * torch.logit(u))

    @staticmethod
    def cdf(position: Tensor, location: Tensor, scale: Tensor) -> Tensor:
        """Cumulative probability of a position; 0 and 1 are met exactly at the ends."""
        inner = torch.sigmoid((torch.logit(position.clamp(1e-7, 1 - 1e-7)) - location) / scale)
        return torch.where(position <= 0, 0.0, torch.where(position >= 1, 1.0, inner))


class Generator(nn.Module):
    """Residual MLP from noise and condition to per-column logits, and a second small stage for positions.

    Columns with an order have a peak that moves along their ranks (`RankHead`) besides a logit per level.

    Args:
        layout: the columns to generate.
        settings: sizes.
        rng: source of the initial weights; None leaves the network blank, without memory, for weights to be assigned.
        conditional: whether the network can be told a condition.
    """

    def __init__(
        self, layout: Layout, settings: GeneratorSettings, rng: torch.Generator | None, *, conditional: bool = False
    ) -> None:
        super().__init__()
        self.settings = settings
        self.conditional = conditional
        self.axis = LevelAxis(layout)
        width = settings.width
        self.latent = seeded_linear(settings.latent_dim, width, rng)
        if conditional:
            self.condition = seeded_linear(layout.n_levels, width, rng, gain=0.5 * layout.n_levels**0.5)
        self.blocks = nn.ModuleList(
            ResidualBlock(width, settings.hidden or width, rng) for _ in range(settings.n_blocks)
        )
        self.logits = seeded_linear(width, layout.n_levels, rng, gain=0.5)
        self.rank_head = RankHead(layout if settings.ranks else layout.without_order(), width, rng)
        self.position_head = PositionHead(self.axis, width, settings.position_rank, rng)
        self.marginal: Tensor
        self.register_buffer("marginal", torch.from_numpy(layout.marginal.copy()), persistent=False)
        if rng is not None:
            with torch.no_grad():
                peaks = self.rank_head.logits(self.rank_head(torch.zeros(1, width)))[0]
                self.logits.bias.copy_(self.marginal.clamp_min(1e-6).log() - peaks)

    def forward(self, z: Tensor, condition: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Hidden state and logits.

        Args:
            z: ``(n_rows, latent_dim)`` standard normal noise.
            condition: ``(n_rows, n_levels)``: in each conditioned column's slice, a distribution over its allowed
                levels; zeros in the other slices. None for no condition at all.

        Returns:
            ``(n_rows, width)`` and ``(n_rows, n_levels)``.
        """
        hidden = self.hidden(z, condition)
        logits, law = self.logits(hidden), self.rank_head(hidden)
        return hidden, self.with_peaks(logits, law)

    def hidden(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Hidden state, see `forward`. Shape: ``(n_rows, width)``."""
        h = self.latent(z)
        if condition is not None:
            h = h + self.condition(condition)
        for block in self.blocks:
            h = block(h)
        return F.leaky_relu(h, LEAK)

    def with_peaks(self, logits: Tensor, law: RankLaw) -> Tensor:
        """Plain logits and those of the ranks' law together; without gradients, ``logits`` may be written over."""
        if torch.is_grad_enabled():
            return logits + self.rank_head.logits(law)
        return self.rank_head.add_logits(logits, law)

    def for_sampling(self, precision: Precision) -> Generator:
        """The same network to sample from, without gradients: trained in bfloat16, its blocks are multiplied in it.

        Only on a CPU that does so natively, and only the residual blocks: rounded logits made rows easier to tell from
        real ones, and rounded locations do not keep neighbouring ranks apart. All but the blocks is shared.
        """
        device = self.axis.starts.device
        if precision != "bfloat16" or device.type != "cpu" or not multiplies_bfloat16(device):
            return self
        network = copy.copy(self)
        network._modules = dict(self._modules)
        network.blocks = copy.deepcopy(self.blocks)
        for block in network.blocks:
            assert isinstance(block, ResidualBlock)
            block.round_weights()
        return network

    def draw(
        self, z: Tensor, condition: Tensor | None, condition_mask: Tensor, *, temperature: float, rng: torch.Generator
    ) -> GeneratedRows:
        """A batch for training: straight-through Gumbel-softmax codes (Jang et al. 2017) and positions."""
        hidden, logits = self(z, condition)
        probabilities = self.axis.softmax(logits)
        perturbed = logits + gumbel_like(logits, rng)
        codes = self.axis.argmax(perturbed.detach())
        soft = self.axis.softmax(perturbed / temperature)
        one_hot = self.axis.one_hot(codes) + (soft - soft.detach())
        return GeneratedRows(codes, probabilities, one_hot, self.draw_positions(hidden, codes, rng), condition_mask)

    def draw_positions(self, hidden: Tensor, codes: Tensor, rng: torch.Generator, law: RankLaw | None = None) -> Tensor:
        """Positions for drawn codes; ``law`` is what `rank_head` makes of the hidden state, None to make it here.

        Shape: ``(n_rows, width)``, ``(n_rows, n_columns)`` to ``(n_rows, n_positions)``.
        """
        location, scale = self.position_law(hidden, self.axis.position_levels(codes), law)
        uniform = torch.rand(location.shape, generator=rng, device=hidden.device)
        return self.position_head.inverse_cdf(uniform, location, scale)

    def position_law(self, hidden: Tensor, levels: Tensor, law: RankLaw | None = None) -> tuple[Tensor, Tensor]:
        """Location and scale of ``logit(position)``; ``law`` as in `draw_positions`.

        Shape: ``(n_rows, width)``, ``(n_rows, n_positions)`` to twice ``(n_rows, n_positions)``.
        """
        peak = self.rank_head.inside_bins(self.rank_head(hidden) if law is None else law, levels)
        return _combined(peak, self.position_head.raw_law(hidden, levels))

    def position_law_at(self, hidden: Tensor, positions: Tensor, levels: Tensor) -> tuple[Tensor, Tensor]:
        """As `position_law`, for ``k`` given pairs of a positioned column and one of its levels, in every row.

        Shape: ``(n_rows, width)``, ``(k,)``, ``(k,)`` to twice ``(n_rows, k)``.
        """
        peak = self.rank_head.inside_given_bins(self.rank_head(hidden), positions, levels)
        return _combined(peak, self.position_head.raw_law_at(hidden, positions, levels))


def _combined(peak: tuple[Tensor, Tensor], raw: Tensor) -> tuple[Tensor, Tensor]:
    """What the peak asks for, corrected by what the bilinear head has learned."""
    location = peak[0] + raw[..., 0].float()
    scale = peak[1] * raw[..., 1].float().clamp(*LOG_SCALE_RANGE).exp()
    return MAX_LOCATION * torch.tanh(location / MAX_LOCATION), scale

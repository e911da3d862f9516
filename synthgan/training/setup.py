"""From an encoded table to a trainer, with every part where it belongs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from synthgan.config import TrainingSettings
from synthgan.critics.adversarial import AdversarialCritic, RealRows
from synthgan.critics.marginal import MarginalCritic, SliceTarget
from synthgan.critics.marginal_door import ExactMarginals, GramTarget, Marginals
from synthgan.critics.positions import PositionCritic
from synthgan.critics.shares import ShareCritic
from synthgan.critics.shrinkage import shrunk, shrunk_slice
from synthgan.networks.generator import Generator
from synthgan.tables.layout import EncodedTable, Layout
from synthgan.training.conditions import ConditionSampler
from synthgan.training.loop import Trainer
from synthgan.training.monitor import Monitor

N_SLICES = 4
"""Most slices of a target column whose three-way marginals are fitted."""


@dataclass(frozen=True)
class Seeds:
    """Independent seeds, one per use of randomness in training."""

    networks: int
    loop: int
    critic: int
    conditions: int
    holdout: int

    @classmethod
    def spawn(cls, seed: int) -> Seeds:
        """Derive all of them from one."""
        return cls(*(int(word >> 1) for word in np.random.SeedSequence(seed).generate_state(5, np.uint64)))


def build_trainer(
    table: EncodedTable, settings: TrainingSettings, device: torch.device, seed: int, *, target: int | None = None
) -> Trainer:
    """Open the exact doors onto ``table`` and set a trainer before them.

    Args:
        table: the encoded training rows.
        settings: resolved settings.
        device: where everything lives from here on.
        seed: makes training repeatable.
        target: index of the modelled column that matters most, None for no such column.
    """
    layout, seeds = table.layout, Seeds.spawn(seed)
    initial = torch.Generator().manual_seed(seeds.networks)
    conditional = settings.condition_fraction > 0
    generator = Generator(layout, settings.generator, initial, conditional=conditional).to(device)
    averaged = Generator(layout, settings.generator, initial, conditional=conditional).to(device)
    averaged.load_state_dict(generator.state_dict())

    codes, positions = torch.from_numpy(table.codes).to(device), torch.from_numpy(table.positions).to(device)
    holdout = None
    if settings.early_stopping:
        held_out = torch.from_numpy(
            np.random.default_rng(seeds.holdout).random(table.n_rows) < settings.holdout_fraction
        )
        held_out[0], held_out[1] = True, False  # never an empty side
        held_out = held_out.to(device)
        holdout = ExactMarginals(codes[held_out], layout).pairs()
        codes, positions = codes[~held_out], positions[~held_out]

    neural = None
    if settings.adversarial_weight:
        rng = torch.Generator(device).manual_seed(seeds.critic)
        rows = RealRows(codes, positions)
        neural = AdversarialCritic(rows, layout, settings, rng=rng, initial=initial, target=target)
    marginals = ExactMarginals(codes, layout)
    pairs = marginals.pairs()
    critic = _marginal_critic(marginals, pairs, layout, generator, settings, target=target)
    return Trainer(
        generator=generator,
        averaged=averaged,
        marginal=critic,
        positions=_position_critic(generator, settings),
        neural=neural,
        conditions=ConditionSampler(
            generator.axis,
            generator.marginal,
            settings.batch_size,
            settings.condition_fraction,
            torch.Generator(device).manual_seed(seeds.conditions),
        ),
        settings=settings,
        rng=torch.Generator(device).manual_seed(seeds.loop),
        monitor=Monitor(pairs, generator.axis),
        holdout=holdout,
        shares=ShareCritic(generator.marginal) if settings.share_weight else None,
    )


def _position_critic(generator: Generator, settings: TrainingSettings) -> PositionCritic | None:
    if not settings.position_weight or not generator.axis.n_positions:
        return None
    return PositionCritic(generator.axis, generator.marginal, settings.batch_size)


def _marginal_critic(
    marginals: Marginals,
    pairs: GramTarget,
    layout: Layout,
    generator: Generator,
    settings: TrainingSettings,
    *,
    target: int | None,
) -> MarginalCritic | None:
    if not settings.marginal_weight:
        return None
    axis, decay, strength = generator.axis, settings.gram_decay, settings.shrinkage
    pairs = shrunk(pairs, axis, strength)
    if target is None or not settings.target_weight:
        return MarginalCritic(pairs, axis, decay=decay)
    start, slices = layout.spans[target].start, []
    for levels in target_slices(layout, target):
        places = [start + level for level in levels]
        released = shrunk_slice(marginals.slice(target, levels), pairs, places, axis, strength)
        slices.append(SliceTarget(levels, released))
    return MarginalCritic(pairs, axis, column=target, slices=slices, slice_weight=settings.target_weight, decay=decay)


def target_slices(layout: Layout, target: int) -> list[list[int]]:
    """Codes of the target grouped into at most `N_SLICES` slices of neighbouring levels and similar mass."""
    span = layout.spans[target]
    share = layout.marginal[span.start : span.stop].astype(np.float64)
    if span.n_levels <= N_SLICES:
        return [[code] for code in range(span.n_levels)]
    middle = np.cumsum(share) - share / 2
    group = np.minimum((middle / share.sum() * N_SLICES).astype(int), N_SLICES - 1)
    return [np.flatnonzero(group == g).tolist() for g in range(N_SLICES) if (group == g).any()]

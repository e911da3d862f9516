"""From the doors onto a table to a trainer, with every part where it belongs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from synthgan.config import TrainingSettings
from synthgan.critics.adversarial import NeuralCritic
from synthgan.critics.marginal import MarginalCritic, SliceTarget
from synthgan.critics.marginal_door import GramTarget, Marginals
from synthgan.critics.positions import PositionCritic
from synthgan.critics.shrinkage import shrunk, shrunk_slice
from synthgan.networks.generator import Generator
from synthgan.tables.layout import Layout
from synthgan.training.conditions import ConditionSampler
from synthgan.training.critic_balance import Balance
from synthgan.training.loop import Trainer
from synthgan.training.monitor import Monitor
from synthgan.training.rounds import AdaptiveMarginals, MarginalRounds

N_SLICES = 4
"""Most slices of a target column whose three-way marginals are fitted."""

ONE_WAY_WEIGHT = 0.5
"""Weight of the columns' own marginals where not all pairs are known."""

MEASURING_SHARE = 0.7
"""Share of the steps over which a second door that does not tell everything at once is asked."""


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
        return cls(*(int(word) >> 1 for word in np.random.SeedSequence(seed).generate_state(5, np.uint64)))


@dataclass(frozen=True)
class Doors:
    """What training sees of the table: the second door, the third, and what is held out. Exact or private.

    Attributes:
        marginals: the second door.
        neural: makes the critic behind the third door, given the source of initial weights; None for none.
        rounds: the second door once more where it does not tell everything at once, else None.
        n_rounds: how often it is asked.
        holdout: marginals of held-out rows, None without early stopping.
    """

    marginals: Marginals
    neural: Callable[[torch.Generator], NeuralCritic] | None = None
    rounds: AdaptiveMarginals | None = None
    n_rounds: int = 0
    holdout: GramTarget | None = None


def trainer_before(
    doors: Doors,
    layout: Layout,
    settings: TrainingSettings,
    device: torch.device,
    seeds: Seeds,
    *,
    target: int | None,
) -> Trainer:
    """A trainer before doors, which cannot tell exact ones from private ones.

    Args:
        doors: what it sees of the table.
        layout: what codes mean.
        settings: resolved settings.
        device: where everything lives.
        seeds: of everything but the doors.
        target: index of the modelled column that matters most, None for no such column.
    """
    initial = torch.Generator().manual_seed(seeds.networks)
    conditional = settings.condition_fraction > 0
    generator = Generator(layout, settings.generator, initial, conditional=conditional).to(device)
    averaged = Generator(layout, settings.generator, initial, conditional=conditional).to(device)
    averaged.load_state_dict(generator.state_dict())
    neural = None if doors.neural is None else doors.neural(initial)
    pairs = doors.marginals.pairs()
    marginal = _marginal_critic(doors.marginals, pairs, layout, generator, settings, target=target)
    n_turns = 1 if marginal is None else marginal.n_turns
    return Trainer(
        generator=generator,
        averaged=averaged,
        marginal=marginal,
        positions=_position_critic(generator, settings),
        neural=neural,
        balance=Balance(settings.marginal_weight, settings.warmup_steps, device, n_turns=n_turns),
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
        rounds=_rounds(doors, layout, generator, settings, target=target),
        holdout=doors.holdout,
    )


def _rounds(
    doors: Doors, layout: Layout, generator: Generator, settings: TrainingSettings, *, target: int | None
) -> MarginalRounds | None:
    door = doors.rounds
    if door is None or settings.marginal_weight == 0:
        return None

    def critic() -> MarginalCritic:
        known = _marginal_critic(door, door.pairs(), layout, generator, settings, target=target)
        assert known is not None
        return known

    every = max(1, int(MEASURING_SHARE * settings.n_steps / max(1, doors.n_rounds)))
    slices = [] if target is None else target_slices(layout, target)
    return MarginalRounds(door, critic, every, column=target or 0, slices=slices if len(slices) > 1 else [])


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
    if settings.marginal_weight == 0:
        return None
    axis, horizon, strength = generator.axis, settings.gram_horizon, settings.shrinkage
    pairs = shrunk(pairs, axis, strength)
    one_way = ONE_WAY_WEIGHT if (pairs.weight == 0).any() else 0.0
    if target is None or not settings.target_weight:
        return MarginalCritic(pairs, axis, horizon=horizon, one_way_weight=one_way)
    start, slices = layout.spans[target].start, []
    for levels in target_slices(layout, target):
        places = [start + level for level in levels]
        released = shrunk_slice(marginals.slice(target, levels), pairs, places, axis, strength)
        slices.append(SliceTarget(levels, released))
    if not any(part.released.weight.any() for part in slices):
        slices = []
    return MarginalCritic(
        pairs,
        axis,
        column=target,
        slices=slices,
        slice_weight=settings.target_weight,
        horizon=horizon,
        one_way_weight=one_way,
    )


def target_slices(layout: Layout, target: int) -> list[list[int]]:
    """Codes of the target grouped into at most `N_SLICES` slices of neighbouring levels and similar mass."""
    span = layout.spans[target]
    share = layout.marginal[span.start : span.stop].astype(np.float64)
    if span.n_levels <= N_SLICES:
        return [[code] for code in range(span.n_levels)]
    middle = np.cumsum(share) - share / 2
    group = np.minimum((middle / share.sum() * N_SLICES).astype(int), N_SLICES - 1)
    return [np.flatnonzero(group == g).tolist() for g in range(N_SLICES) if (group == g).any()]

"""The neural critic: it owns the real rows and teaches the generator through `generator_loss` alone.

The training loop hands over generated rows and gets back a loss; it never holds a real batch. The private twin
(`synthgan.privacy.dp_sgd`, the same discriminator trained by DP-SGD) satisfies the same `NeuralCritic` protocol.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from synthgan.config import TrainingSettings
from synthgan.critics.losses import LOSSES, AdversarialLoss
from synthgan.critics.optimizer import adam, descend, load_optimizer_state, optimizer_state
from synthgan.critics.twin import TwinClassifiers
from synthgan.networks.discriminator import Discriminator
from synthgan.networks.generator import GeneratedRows
from synthgan.networks.layers import LevelAxis, frozen
from synthgan.tables.layout import Layout


class NeuralCritic(Protocol):
    """The third door: row batches, behind a critic that owns them.

    `update` and `generator_loss` work on the device alone: they read no tensor's value, keep state in place, and leave
    counting to `plan`, so that a step can be captured once and replayed.
    """

    @property
    def generators(self) -> Sequence[torch.Generator]:
        """The random sources that it draws from."""
        ...

    def plan(self, n_updates: int) -> tuple[bool, ...]:
        """Count the coming updates; for each, whether it takes the penalty."""
        ...

    def update(self, fake: GeneratedRows, learning_rate: Tensor | float, *, penalised: bool) -> Tensor:
        """One step of the discriminator against generated rows; returns its loss as a detached scalar."""
        ...

    def generator_loss(self, fake: GeneratedRows) -> Tensor:
        """What the generator should minimise, differentiable in the generated rows; comes after an `update`."""
        ...

    def state(self) -> dict[str, Tensor]:
        """Everything needed to go on exactly from here (weights, optimiser, random state), as tensors."""
        ...

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state`."""
        ...


@dataclass(frozen=True)
class EncodedRows:
    """The encoded training rows on the device.

    Attributes:
        codes: ``(n_rows, n_columns)`` uint8 or int16.
        positions: ``(n_rows, n_positions)`` uint8, in units of 1/256.
    """

    codes: Tensor
    positions: Tensor

    def batch(self, n_rows: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Rows drawn with replacement: codes as int64, positions as float32 spread evenly within their 1/256."""
        return self.at(torch.randint(len(self.codes), (n_rows,), generator=rng, device=self.codes.device), rng)

    def at(self, index: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """The rows at ``index``, as `batch` gives them. Shape: ``(n,)`` to ``(n, n_columns)``, ``(n, n_positions)``."""
        positions = self.positions[index].float()
        jitter = torch.rand(positions.shape, generator=rng, device=positions.device)
        return self.codes[index].long(), (positions + jitter) / 256


class AdversarialCritic:
    """The exact third door: a discriminator trained on the rows themselves.

    Args:
        rows: the encoded training rows.
        layout: what the codes mean.
        settings: loss, penalties, optimiser.
        rng: drives row sampling (on the rows' device).
        initial: drives the initial weights (CPU).
        target: index of the column that the classifiers name, None for no classifiers.
    """

    def __init__(
        self,
        rows: EncodedRows,
        layout: Layout,
        settings: TrainingSettings,
        *,
        rng: torch.Generator,
        initial: torch.Generator,
        target: int | None = None,
    ) -> None:
        device = rows.codes.device
        self._rows = rows
        self._settings = settings
        self._rng = rng
        self._target = target
        self.loss: AdversarialLoss = LOSSES[settings.loss]
        self._penalty_weight = self.loss.penalty_weight if settings.penalty is None else settings.penalty
        n_target_levels = layout.spans[target].n_levels if target is not None and settings.auxiliary_weight else 0
        self.discriminator = Discriminator(
            layout,
            settings.discriminator,
            initial,
            conditional=settings.condition_fraction > 0,
            n_target_levels=n_target_levels,
        ).to(device)
        self._not_target = (self.discriminator.column_of_feature != (-1 if target is None else target)).to(device)
        self._twins: TwinClassifiers | None = None
        if target is not None and settings.twin_weight:
            columns = self.discriminator.column_of_feature
            self._twins = TwinClassifiers(columns, layout, target, settings, initial=initial, rng=rng)
        self._axis: LevelAxis = self.discriminator.axis
        self._optimizer = adam(self.discriminator.parameters(), settings.learning_rate, settings.betas)
        self._n_updates = 0
        self._real_scores: Tensor | None = None  # of the latest update, for losses that pair rows

    @property
    def generators(self) -> Sequence[torch.Generator]:
        """See `NeuralCritic.generators`."""
        return (self._rng,)

    def plan(self, n_updates: int) -> tuple[bool, ...]:
        """See `NeuralCritic.plan`."""
        taken = self.loss.penalty in ("r1r2", "interpolated") and self._penalty_weight > 0
        coming = range(self._n_updates, self._n_updates + n_updates)
        self._n_updates += n_updates
        return tuple(taken and i % self._settings.penalty_interval == 0 for i in coming)

    def update(self, fake: GeneratedRows, learning_rate: Tensor | float, *, penalised: bool) -> Tensor:
        """See `NeuralCritic.update`."""
        fake = fake.detach()
        fake_features = self.discriminator.features(fake.one_hot, fake.positions, fake.condition_mask)
        real_features, real_codes = self._real_features(fake.condition_mask)
        loss, total = self._discriminator_loss(real_features, fake_features, penalised=penalised)
        if self.discriminator.classify is not None:
            total = total + self._settings.auxiliary_weight * self._classify(real_features, real_codes)
        descend(self._optimizer, total, learning_rate)
        if self.loss.penalty == "clip":
            with torch.no_grad():
                for parameter in self.discriminator.parameters():
                    parameter.clamp_(-self._penalty_weight, self._penalty_weight)
        if self._twins is not None:
            self._twins.update(real_features, real_codes, fake_features, fake.codes, learning_rate)
        return loss.detach()

    def generator_loss(self, fake: GeneratedRows) -> Tensor:
        """See `NeuralCritic.generator_loss`. Losses that pair rows take the real scores of the latest update."""
        features = self.discriminator.features(fake.one_hot, fake.positions, fake.condition_mask)
        with frozen(self.discriminator):
            fake_scores = self.discriminator(features)
            if self.loss.separable:
                real_scores = fake_scores.detach()
            else:
                if self._real_scores is None:
                    raise ValueError(f"the {self._settings.loss} loss pairs rows: call update before generator_loss")
                real_scores = self._real_scores
            loss = self.loss.generator(real_scores, fake_scores)
            if self.discriminator.classify is not None:
                loss = loss + self._settings.auxiliary_weight * self._classify(features, fake.codes)
        if self._twins is not None:
            loss = loss + self._settings.twin_weight * self._twins.generator_loss(features)
        return loss

    def state(self) -> dict[str, Tensor]:
        """See `NeuralCritic.state`."""
        tensors = {f"weights.{k}": v for k, v in self.discriminator.state_dict().items()}
        tensors |= optimizer_state(self._optimizer)
        if self._twins is not None:
            tensors |= {f"twins.{k}": v for k, v in self._twins.state().items()}
        return tensors | {"rng": self._rng.get_state(), "n_updates": torch.tensor(self._n_updates)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """See `NeuralCritic.load_state`."""
        weights = {k.removeprefix("weights."): v for k, v in state.items() if k.startswith("weights.")}
        self.discriminator.load_state_dict(weights)
        load_optimizer_state(self._optimizer, state)
        if self._twins is not None:
            self._twins.load_state({k.removeprefix("twins."): v for k, v in state.items() if k.startswith("twins.")})
        self._rng.set_state(state["rng"].cpu())
        self._n_updates = int(state["n_updates"])

    def _real_features(self, condition_mask: Tensor) -> tuple[Tensor, Tensor]:
        codes, positions = self._rows.batch(len(condition_mask), self._rng)
        one_hot = self._axis.one_hot(codes)
        return self.discriminator.features(one_hot, positions, condition_mask), codes

    def _discriminator_loss(self, real: Tensor, fake: Tensor, *, penalised: bool) -> tuple[Tensor, Tensor]:
        """Adversarial loss, and the same with the penalty where this update takes one."""
        at_data = penalised and self.loss.penalty == "r1r2"
        both = torch.cat([real, fake]).requires_grad_(at_data)
        scores = self.discriminator(both)
        real_scores, fake_scores = scores.chunk(2)
        self._real_scores = real_scores.detach()
        loss = self.loss.discriminator(real_scores, fake_scores)
        if not penalised:
            return loss, loss
        weight = self._penalty_weight * self._settings.penalty_interval
        if at_data:
            # R1 on real rows plus R2 on generated ones (Mescheder et al. 2018): one double backward for both.
            return loss, loss + weight * _squared_gradient(scores, both).sum() / (2 * len(real_scores))
        mix = torch.rand(len(real), 1, generator=self._rng, device=real.device)
        between = (mix * real + (1 - mix) * fake).requires_grad_(True)
        slope = (_squared_gradient(self.discriminator(between), between) + 1e-12).sqrt()
        return loss, loss + weight * ((slope - 1) ** 2).mean()

    def _classify(self, features: Tensor, codes: Tensor) -> Tensor:
        """Cross-entropy of the target's code given the rest of the row."""
        assert self._target is not None
        trunk = self.discriminator.trunk(features * self._not_target)
        assert self.discriminator.classify is not None
        return cross_entropy(self.discriminator.classify(trunk), codes[:, self._target])


def _squared_gradient(scores: Tensor, inputs: Tensor) -> Tensor:
    """Squared norm of each pack's gradient. Shape: ``(n_rows / packing,)``."""
    (gradient,) = torch.autograd.grad(scores.sum(), inputs, create_graph=True)
    return gradient.square().sum(1).view(len(scores), -1).sum(1)

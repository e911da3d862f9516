"""Twin classifiers of the target: what a model trained on the synthetic rows will look for.

One classifier knows the target given the other columns by the law of the real rows, its twin learns it from generated
ones. Where they disagree about a generated row, its target follows the wrong law, and the generator is told so. With a
single classifier (AC-GAN, Odena et al. 2017) the generator would do best to draw only rows whose target is beyond
doubt; the twin takes that advantage away (Gong et al. 2019, "Twin Auxiliary Classifiers GAN").

The real rows are few and would be learned by heart over a whole training, so their classifier is taught beforehand, for
some passes and with out-of-fold labels (`synthgan.critics.teacher`), and is left alone from then on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synthgan.config import TrainingSettings
from synthgan.critics.optimizer import adam, descend, load_optimizer_state, optimizer_state
from synthgan.critics.teacher import MOST_CLASSES, out_of_fold_labels
from synthgan.networks.layers import LEAK, ResidualBlock, frozen, seeded_linear
from synthgan.tables.layout import Layout

WIDTH = 128
DROPOUT = 0.2
"""Share of columns, and of hidden units, hidden while learning."""

SMOOTHING = 0.1
"""Added to the probabilities, shared out among the classes: where a target is next to impossible, how impossible is no
better known than this."""

MOST_ROWS = 100_000
"""Real rows that the classifier is taught; more take longer and teach it little."""

PASSES, PASSES_WITHOUT_TEACHER = 60, 25
TRUST = 0.7
"""Weight of the out-of-fold labels against the rows' own."""


class TwinClassifiers:
    """Two classifiers of the target's code, and the loss that their disagreement is to the generator.

    The generator's loss is ``KL(generated target | row  ||  real target | row)`` with both laws smoothed, estimated as
    the mean over generated rows of ``log q(y | x) - log p(y | x)`` with ``q`` the twin on generated rows and ``p`` the
    classifier of the real ones.

    Args:
        column_of_feature: ``(n_features,)`` which column each of the discriminator's inputs belongs to.
        layout: what the codes mean.
        target: index of the target among the modelled columns.
        settings: learning rate, betas, batch size and number of steps.
        initial: drives the initial weights (CPU).
        rng: drives dropout and the draw of rows, on the device.
    """

    def __init__(
        self,
        column_of_feature: Tensor,
        layout: Layout,
        target: int,
        settings: TrainingSettings,
        *,
        initial: torch.Generator,
        rng: torch.Generator,
    ) -> None:
        self._layout = layout
        self._target = target
        self._settings = settings
        self._span = layout.spans[target]
        self._column_of_feature = column_of_feature.to(rng.device)
        self._visible = self._column_of_feature != target
        self._smoothing = SMOOTHING / self._span.n_levels
        n_features, n_classes = len(column_of_feature), self._span.n_levels
        self._real, self._generated = (_Classifier(n_features, layout, n_classes, initial) for _ in range(2))
        self._networks = nn.ModuleDict({"real": self._real, "generated": self._generated}).to(rng.device)
        self._optimizer = adam(self._generated.parameters(), settings.learning_rate, settings.betas)
        self._rng = rng
        self._taught = torch.zeros((), dtype=torch.bool)

    @property
    def taught(self) -> bool:
        """Whether the real rows' classifier has been taught."""
        return bool(self._taught)

    def teach(
        self,
        codes: Tensor,
        positions: Tensor,
        features: Callable[[Tensor, Tensor], Tensor],
        *,
        time_limit: float | None = None,
    ) -> None:
        """Teach the classifier of the real rows.

        Args:
            codes: ``(n_rows, n_columns)`` integers, the real rows.
            positions: ``(n_rows, n_positions)`` uint8, in units of 1/256.
            features: from codes (int64) and positions (float32, of 1) to the discriminator's inputs.
            time_limit: seconds that the whole training may take; a small part of it is spent here.
        """
        most_rows = MOST_ROWS if time_limit is None else min(MOST_ROWS, max(500, int(1000 * time_limit)))
        if len(codes) > most_rows:
            chosen = torch.randperm(len(codes), generator=self._rng, device=codes.device)[:most_rows]
            codes, positions = codes[chosen], positions[chosen]
        n_rows, labels = len(codes), codes[:, self._target].long()
        soft, n_passes = F.one_hot(labels, self._span.n_levels).float(), PASSES_WITHOUT_TEACHER
        if self._span.n_levels <= MOST_CLASSES:
            seed = int(torch.randint(2**31, (), generator=self._rng, device=codes.device))
            inputs = self._ordinal(codes.cpu().numpy(), positions.cpu().numpy())
            foreseen = out_of_fold_labels(inputs, labels.cpu().numpy(), self._span.n_levels, seed=seed)
            soft = soft.lerp(torch.from_numpy(foreseen).to(codes.device), TRUST)
            n_passes = PASSES
        batch = min(self._settings.batch_size, 1000, max(64, n_rows // 20))
        n_steps = max(1, min(n_passes * n_rows // batch, self._settings.n_steps))
        if time_limit is not None:
            n_steps = max(1, min(n_steps, int(10 * time_limit)))
        optimizer = adam(self._real.parameters(), self._settings.learning_rate, self._settings.betas)
        for step in range(n_steps):
            rate = min(1.0, (step + 1) / 50) * 0.5 * (1 + math.cos(math.pi * step / n_steps))
            index = torch.randint(n_rows, (batch,), generator=self._rng, device=codes.device)
            within = positions[index].float()
            within = (within + torch.rand(within.shape, generator=self._rng, device=codes.device)) / 256
            rows = features(codes[index].long(), within)
            loss = F.cross_entropy(self._real(self._thinned(rows), dropout=self._rng).float(), soft[index])
            descend(optimizer, loss, self._settings.learning_rate * rate)
        self._taught.fill_(True)

    def update(self, generated: Tensor, codes: Tensor, learning_rate: Tensor | float) -> None:
        """One step of the classifier of the generated rows.

        Args:
            generated: ``(n_rows, n_features)`` discriminator inputs of generated rows.
            codes: ``(n_rows, n_columns)`` their codes.
            learning_rate: of this step.
        """
        logits = self._generated(self._thinned(generated.detach()), dropout=self._rng)
        descend(self._optimizer, F.cross_entropy(logits, codes[:, self._target]), learning_rate)

    def generator_loss(self, generated: Tensor) -> Tensor:
        """How much more likely the drawn targets are by the generated rows' law than by the real one's.

        Shape: ``(n_rows, n_features)``, differentiable in the rows, to a scalar.
        """
        rest, drawn = generated * self._visible, generated[:, self._span.start : self._span.stop]
        with frozen(self._networks):
            q, p = (network(rest).float().softmax(1) for network in (self._generated, self._real))
            excess = ((q + self._smoothing) / (p + self._smoothing)).log()
        return (drawn * excess).sum(1).mean()

    def state(self) -> dict[str, Tensor]:
        """Weights and optimiser, as tensors."""
        tensors = {f"weights.{k}": v for k, v in self._networks.state_dict().items()}
        return tensors | optimizer_state(self._optimizer) | {"taught": self._taught}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state`."""
        weights = {k.removeprefix("weights."): v for k, v in state.items() if k.startswith("weights.")}
        self._networks.load_state_dict(weights)
        load_optimizer_state(self._optimizer, state)
        self._taught.copy_(state["taught"])

    def _ordinal(self, codes: npt.NDArray[np.integer], positions: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Codes without the target, each with its position within the bin added. Shape: ``(n_rows, n_columns - 1)``."""
        numbers = codes.astype(np.float32)
        numbers[:, self._layout.positioned_columns] += (positions + np.float32(0.5)) / 256
        return np.delete(numbers, self._target, axis=1)

    def _thinned(self, features: Tensor) -> Tensor:
        """Rows without their target, and each without some other columns."""
        shape = (len(features), self._layout.n_columns)
        kept = torch.rand(shape, generator=self._rng, device=features.device) >= DROPOUT
        return features * self._visible * kept[:, self._column_of_feature] / (1 - DROPOUT)


class _Classifier(nn.Module):
    def __init__(self, n_features: int, layout: Layout, n_classes: int, initial: torch.Generator) -> None:
        super().__init__()
        self.embed = seeded_linear(n_features, WIDTH, initial, gain=(n_features / (3 * layout.n_columns)) ** 0.5)
        self.block = ResidualBlock(WIDTH, WIDTH, initial)
        self.classify = seeded_linear(WIDTH, n_classes, initial, gain=0.3)

    def forward(self, features: Tensor, *, dropout: torch.Generator | None = None) -> Tensor:
        """Logits. Shape: ``(n_rows, n_features)`` to ``(n_rows, n_classes)``."""
        h = self.block(_drop(self.embed(features), dropout))
        logits: Tensor = self.classify(_drop(F.leaky_relu(h, LEAK), dropout))
        return logits


def _drop(hidden: Tensor, rng: torch.Generator | None) -> Tensor:
    """Dropout from a given source; torch's own draws from the global one."""
    if rng is None:
        return hidden
    kept = torch.rand(hidden.shape, generator=rng, device=hidden.device) >= DROPOUT
    return hidden * kept / (1 - DROPOUT)

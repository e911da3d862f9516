"""Twin classifiers of the target: what a model trained on the synthetic rows will look for.

One classifier learns the target from the other columns on real rows, its twin on generated ones. Where they disagree
about a generated row, its target follows the wrong law, and the generator is told so. With a single classifier (AC-GAN,
Odena et al. 2017) the generator would do best to draw only rows whose target is beyond doubt; the twin takes that
advantage away (Gong et al. 2019, "Twin Auxiliary Classifiers GAN").
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synthgan.config import TrainingSettings
from synthgan.critics.optimizer import adam, descend, load_optimizer_state, optimizer_state
from synthgan.networks.layers import LEAK, ResidualBlock, frozen, seeded_linear
from synthgan.tables.layout import Layout

WIDTH = 128
DROPOUT = 0.2
"""Share of columns, and of hidden units, hidden while learning: the real rows are few and seen often."""

SMOOTHING = 0.1
"""Added to the probabilities, shared out among the classes: where a target is next to impossible, how impossible is no
better known than this."""


class TwinClassifiers:
    """Two classifiers of the target's code, and the loss that their disagreement is to the generator.

    The generator's loss is ``KL(generated target | row  ||  real target | row)`` with both laws smoothed, estimated as
    the mean over generated rows of ``log q(y | x) - log p(y | x)`` with ``q`` the twin on generated rows and ``p`` the
    one on real rows.

    Args:
        column_of_feature: ``(n_features,)`` which column each of the discriminator's inputs belongs to.
        layout: what the codes mean.
        target: index of the target among the modelled columns.
        settings: learning rate and betas.
        initial: drives the initial weights (CPU).
        rng: drives dropout, on the device.
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
        self._target = target
        self._span = layout.spans[target]
        self._column_of_feature = column_of_feature.to(rng.device)
        self._visible = self._column_of_feature != target
        self._n_columns = layout.n_columns
        self._smoothing = SMOOTHING / self._span.n_levels
        n_features, n_classes = len(column_of_feature), self._span.n_levels
        self._real, self._generated = (_Classifier(n_features, layout, n_classes, initial) for _ in range(2))
        self._networks = nn.ModuleDict({"real": self._real, "generated": self._generated}).to(rng.device)
        self._optimizer = adam(self._networks.parameters(), settings.learning_rate, settings.betas)
        self._rng = rng

    def update(
        self,
        real: Tensor,
        real_codes: Tensor,
        generated: Tensor,
        generated_codes: Tensor,
        learning_rate: Tensor | float,
    ) -> None:
        """One step of each classifier.

        Args:
            real: ``(n_rows, n_features)`` discriminator inputs of real rows.
            real_codes: ``(n_rows, n_columns)`` their codes.
            generated: as ``real``, of generated rows.
            generated_codes: their codes.
            learning_rate: of this step.
        """
        of_real = self._real(self._thinned(real.detach()), dropout=self._rng)
        of_generated = self._generated(self._thinned(generated.detach()), dropout=self._rng)
        loss = F.cross_entropy(of_real, real_codes[:, self._target])
        loss = loss + F.cross_entropy(of_generated, generated_codes[:, self._target])
        descend(self._optimizer, loss, learning_rate)

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
        return tensors | optimizer_state(self._optimizer)

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state`."""
        weights = {k.removeprefix("weights."): v for k, v in state.items() if k.startswith("weights.")}
        self._networks.load_state_dict(weights)
        load_optimizer_state(self._optimizer, state)

    def _thinned(self, features: Tensor) -> Tensor:
        """Rows without their target, and each without some other columns."""
        kept = torch.rand(len(features), self._n_columns, generator=self._rng, device=features.device) >= DROPOUT
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

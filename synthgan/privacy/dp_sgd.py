"""The private third door: the neural critic trained by DP-SGD, with Opacus.

It satisfies `synthgan.critics.adversarial.NeuralCritic`, so the training loop cannot tell it from the exact critic.
Three rules keep the accounting true:

- Real rows meet the discriminator in one place, `PrivateCritic._noised_real_half`: Poisson batches, each unit's
  gradient clipped, noise on the sum, divided by a released number. Losses that tie rows together, penalties on real
  rows and layers that mix rows are refused by name.
- The generated rows' gradient is added after the noise, and depends on nothing of the batch: neither its rows nor their
  number.
- What the loop gets to see (the loss, the share of generated rows found out) is computed from generated rows and noised
  weights.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from opacus.grad_sample import GradSampleModuleFastGradientClipping, register_grad_sampler, register_norm_sampler
from opacus.grad_sample.linear import compute_linear_grad_sample, compute_linear_norm_sample
from opacus.optimizers import DPOptimizerFastGradientClipping
from opacus.utils.fast_gradient_clipping_utils import DPTensorFastGradientClipping
from opacus.validators import ModuleValidator
from torch import Tensor, nn

from synthgan.config import DpSgdSettings, TrainingSettings
from synthgan.critics.adversarial import EncodedRows
from synthgan.critics.losses import LOSSES, AdversarialLoss
from synthgan.critics.optimizer import adam, load_optimizer_state, optimizer_state
from synthgan.errors import PrivacyError, SettingsError
from synthgan.networks.discriminator import Discriminator
from synthgan.networks.generator import GeneratedRows
from synthgan.networks.layers import frozen
from synthgan.networks.products import products_on_gpu
from synthgan.privacy.account.updates import UpdateAccount
from synthgan.privacy.dp_sgd_plan import CriticPlan
from synthgan.privacy.entropy import system_generator
from synthgan.tables.layout import Layout

JOURNAL_BLOCK = 50
"""Updates are journalled this many at a time, before the first of them."""

FOUND_OUT = (0.6, 0.8)
"""A critic that finds out a smaller share of the generated rows gets more updates, one that finds out a larger, fewer
(Bie, Kamath and Zhang 2023, section 4.3, watch the same figure)."""

HASTE = 2.0
"""How many times more, or fewer."""

MEMORY = 0.9
"""Decay per generator step of the average that the share is read from."""


class PrivateCritic:
    """The private third door. See the module's text for what it keeps to.

    Persons: their rows go through the network side by side, and ghost clipping (Li et al. 2022) takes the norm of each
    person's summed gradient without forming it, as it does for the words of a sentence.

    Conditions: the discriminator is never told one. Those of the generator come from rows that it generated before, so
    the rows it makes are to look like real ones whether conditioned or not.

    Args:
        rows: the encoded training rows.
        layout: what the codes mean.
        settings: of the fit; see `DpSgdSettings.training`.
        plan: all that the guarantee hangs on.
        account: asked for the plan's event once, before any row is read; updates that it has journalled count as taken.
        initial: drives the initial weights (CPU); they need not be secret.
        units: ``(n_rows,)`` index of each row's person; None when each row is a unit.

    Attributes:
        agreed: what was agreed with the ledger.

    Raises:
        PrivacyError: when a setting cannot be kept private; it is named.
    """

    def __init__(
        self,
        rows: EncodedRows,
        layout: Layout,
        settings: TrainingSettings,
        plan: CriticPlan,
        account: UpdateAccount,
        *,
        initial: torch.Generator,
        units: npt.NDArray[np.int64] | None = None,
    ) -> None:
        self._device = rows.codes.device
        self.loss: AdversarialLoss = LOSSES[settings.loss]
        refuse_what_cannot_be_private(settings, plan.settings, self._device)
        account.reserve(plan.event())
        self.agreed, private = plan.dp_sgd, plan.settings
        self._rows, self._settings, self._private = rows, settings, private
        self._units = plan.batches(len(rows.codes), units)
        self._rows_per_batch = plan.rows_per_batch
        self._entropy = system_generator(self._device)  # of the noise, and of positions within their 1/256
        self.discriminator = Discriminator(layout, settings.discriminator, initial).to(self._device)
        self._clipped = ghost_clipped(self.discriminator, self.agreed.max_grad_norm)
        self._optimizer = adam(self.discriminator.parameters(), private.learning_rate, settings.betas)
        self._noised = DPOptimizerFastGradientClipping(
            self._optimizer,
            noise_multiplier=self.agreed.noise_multiplier,
            max_grad_norm=self.agreed.max_grad_norm,
            expected_batch_size=None,
            loss_reduction="sum",
            generator=self._entropy,
        )
        self._found_out = torch.full((), sum(FOUND_OUT) / 2, device=self._device)
        self._account = account
        self._n_updates, self._n_plans, self._due = account.n_journalled, 0, 0.0

    @property
    def generators(self) -> Sequence[torch.Generator]:
        """See `NeuralCritic.generators`: none that may be put back, so no step may be captured."""
        return ()

    def plan(self, n_updates: int) -> tuple[bool, ...]:  # noqa: ARG002  (the exact critic's ratio)
        """As many entries as updates are to be taken now: none once those agreed with the ledger are used up.

        The updates left are spread evenly over the steps left; the critic gets up to `HASTE` times more of them while
        it finds out few of the generated rows, and fewer while it finds out most.
        """
        left = self.agreed.n_updates - self._n_updates
        pace = left / max(1, self._settings.n_steps - self._n_plans)
        self._n_plans += 1
        low, high = self._private.updates_per_step
        if self.loss.undecided is not None:
            found_out = float(self._found_out)
            pace *= HASTE if found_out < FOUND_OUT[0] else 1 / HASTE if found_out > FOUND_OUT[1] else 1.0
        self._due = min(self._due + pace, high)
        coming = min(max(low, int(self._due)), left)
        self._due = max(0.0, self._due - coming)
        interval = self._settings.penalty_interval
        first = self._n_updates
        return tuple(self._private.r2_weight > 0 and i % interval == 0 for i in range(first, first + coming))

    def update(self, fake: GeneratedRows, learning_rate: Tensor | float, *, penalised: bool) -> Tensor:
        """See `NeuralCritic.update`. The loss returned is twice its fake half: the real half is nobody's to see.

        Raises:
            PrivacyError: when all updates agreed with the ledger are used up.
        """
        self._count()
        with _full_precision(self._device):
            gradients, loss = self._fake_half(fake.detach(), penalised=penalised)
            self._noised_real_half()
            for parameter, gradient in zip(self.discriminator.parameters(), gradients, strict=True):
                assert parameter.grad is not None
                parameter.grad.add_(gradient)
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate * (self._private.learning_rate / self._settings.learning_rate)
        self._optimizer.step()
        self._noised.zero_grad(set_to_none=True)
        if self.loss.penalty == "clip":
            bound = self.loss.penalty_weight if self._settings.penalty is None else self._settings.penalty
            with torch.no_grad():
                for parameter in self.discriminator.parameters():
                    parameter.clamp_(-bound, bound)
        return 2 * loss

    def generator_loss(self, fake: GeneratedRows) -> Tensor:
        """See `NeuralCritic.generator_loss`; reads generated rows and noised weights only."""
        with frozen(self.discriminator):
            scores = self.discriminator(self._fake_features(fake))
        if self.loss.undecided is not None:
            self._found_out.lerp_((scores.detach() < self.loss.undecided).float().mean(), 1 - MEMORY)
        return self.loss.generator(scores.detach(), scores)

    def state(self) -> dict[str, Tensor]:
        """See `NeuralCritic.state`. No random state: noise that is drawn again is noise that can be subtracted."""
        tensors = {f"weights.{k}": v for k, v in self.discriminator.state_dict().items()}
        tensors |= optimizer_state(self._optimizer)
        counts = {"n_updates": self._n_updates, "n_plans": self._n_plans, "due": self._due}
        return tensors | {"found_out": self._found_out} | {k: torch.tensor(v) for k, v in counts.items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state`, with fresh noise; updates that were journalled since stay counted."""
        weights = {k.removeprefix("weights."): v for k, v in state.items() if k.startswith("weights.")}
        self.discriminator.load_state_dict(weights)
        load_optimizer_state(self._optimizer, state)
        self._found_out.copy_(state["found_out"])
        self._n_updates = max(int(state["n_updates"]), self._n_updates)
        self._n_plans, self._due = int(state["n_plans"]), float(state["due"])

    def _count(self) -> None:
        """One more update; refuse it beyond the plan, journal it before it happens."""
        if self._n_updates >= self.agreed.n_updates:
            raise PrivacyError(
                f"the neural critic has taken the {self.agreed.n_updates} updates that were agreed with the ledger; "
                "set n_updates in DpSgdSettings before the fit for more."
            )
        if self._n_updates >= self._account.n_journalled:
            self._account.journal(min(self._n_updates + JOURNAL_BLOCK, self.agreed.n_updates))
        self._n_updates += 1

    def _noised_real_half(self) -> None:
        """Put the real half's clipped, noised and normalised gradient into each parameter's ``grad``.

        Privacy:
            Adjacency: a unit added or removed. Each unit enters the batch with the plan's sampling rate and adds a
            gradient of norm at most `max_grad_norm` to the sum. Event: one of the plan's Poisson-sampled Gaussians.
        """
        index = torch.from_numpy(self._units.draw()).to(self._device)
        loss = DPTensorFastGradientClipping(self._clipped, self._noised, self._real_losses(index), "sum")
        with _hooked(self._clipped):
            loss.backward()
        self._noised.pre_step()
        for parameter in self.discriminator.parameters():
            assert parameter.grad is not None
            parameter.grad.div_(self._rows_per_batch)

    def _real_losses(self, index: Tensor) -> Tensor:
        """What each unit costs the discriminator: the sum over its rows. Shape: ``(n_drawn, k)`` to ``(n_drawn,)``."""
        assert self.loss.halves is not None
        with _hooked(self._clipped):
            scores = self._clipped(self._real_features(index).requires_grad_(True))  # lets Opacus hook the first layer
        losses = self.loss.halves[0](scores)
        return losses if losses.dim() == 1 else (losses * (index >= 0)).sum(1)

    def _real_features(self, index: Tensor) -> Tensor:
        """Shape: ``(n_drawn, 1)`` to ``(n_drawn, n_features)``, ``(n_drawn, k)`` to ``(n_drawn, k, n_features)``."""
        codes, positions = self._rows.at(index.flatten().clamp_min(0), self._entropy)
        one_hot = self.discriminator.axis.one_hot(codes)
        features = self.discriminator.features(one_hot, positions, positions.new_zeros(0))
        return features if index.shape[1] == 1 else features.unflatten(0, tuple(index.shape))

    def _fake_features(self, fake: GeneratedRows) -> Tensor:
        return self.discriminator.features(fake.one_hot, fake.positions, fake.condition_mask)

    def _fake_half(self, fake: GeneratedRows, *, penalised: bool) -> tuple[list[Tensor], Tensor]:
        """Gradient and value of the mean loss over the generated rows, whose number is a constant of the fit."""
        assert self.loss.halves is not None
        parameters = list(self.discriminator.parameters())
        features = self._fake_features(fake)
        gradients, total = [torch.zeros_like(p) for p in parameters], features.new_zeros(())
        if self._private.clip_fakes:
            with _hooked(self._clipped):
                losses = self.loss.halves[1](self._clipped(features.requires_grad_(True)))
                DPTensorFastGradientClipping(self._clipped, self._noised, losses, "sum").backward()
            gradients = [p.grad.detach() / len(losses) for p in parameters if p.grad is not None]
            self._noised.zero_grad(set_to_none=True)
        else:
            losses = self.loss.halves[1](self.discriminator(features))
            total = losses.mean()
        if penalised:
            weight = self._private.r2_weight * self._settings.penalty_interval / 2
            inputs = features.detach().requires_grad_(True)
            (slope,) = torch.autograd.grad(self.discriminator(inputs).sum(), inputs, create_graph=True)
            total = total + weight * slope.square().sum(1).mean()
        if total.requires_grad:
            # The last bias has no part in a penalty.
            slopes = torch.autograd.grad(total, parameters, allow_unused=True)
            gradients = [a if b is None else a + b for a, b in zip(gradients, slopes, strict=True)]
        return gradients, losses.detach().mean()


def ghost_clipped(discriminator: Discriminator, max_grad_norm: float) -> GradSampleModuleFastGradientClipping:
    """A second body for the same weights, whose hooks clip; the discriminator itself stays free of hooks.

    Raises:
        PrivacyError: when a layer mixes the rows of a batch, as batch normalisation does.
    """
    problems = ModuleValidator.validate(discriminator, strict=False)
    if problems:
        names = sorted({type(m).__name__ for m in discriminator.modules() if type(m) in ModuleValidator.VALIDATORS})
        raise PrivacyError(
            f"the discriminator has layers that cannot be trained privately ({', '.join(names)}): they mix the rows of "
            "a batch, so that no row's gradient is its own."
        )
    for kind in {type(m) for m in discriminator.modules() if isinstance(m, nn.Linear)}:
        register_grad_sampler(kind)(compute_linear_grad_sample)
        register_norm_sampler(kind)(compute_linear_norm_sample)
    shared = {id(t): t for t in (*discriminator.parameters(), *discriminator.buffers())}
    body = copy.deepcopy(discriminator, shared)
    clipped = GradSampleModuleFastGradientClipping(body, loss_reduction="sum", max_grad_norm=max_grad_norm)
    clipped.disable_hooks()
    return clipped


def refuse_what_cannot_be_private(settings: TrainingSettings, private: DpSgdSettings, device: torch.device) -> None:
    """Name the first setting that the private critic cannot keep.

    Raises:
        PrivacyError: when a setting ties real rows together, or reads them outside the clip.
        SettingsError: when a setting is merely not offered.
    """
    loss = LOSSES[settings.loss]
    penalty = loss.penalty_weight if settings.penalty is None else settings.penalty
    reads_rows = {"r1r2": "R1", "interpolated": "the interpolated penalty"}
    if not loss.separable:
        raise PrivacyError(
            f"the {loss.name} loss pairs real rows with generated ones, so no row's gradient can be clipped by itself; "
            "choose a loss that is a real half plus a fake half, such as 'non-saturating'."
        )
    if loss.penalty in reads_rows and penalty > 0:
        raise PrivacyError(
            f"{reads_rows[loss.penalty]}, the penalty of the {loss.name} loss, reads real rows outside the clip; set "
            "penalty to 0, and r2_weight in DpSgdSettings for a penalty on generated rows."
        )
    if settings.discriminator.packing > 1:
        raise PrivacyError("packing judges several real rows together; set discriminator.packing to 1.")
    if settings.discriminator.spectral_norm:
        raise PrivacyError(
            "spectral_norm keeps state that each pass through a layer changes, and ties its weights together; set "
            "discriminator.spectral_norm to False."
        )
    if settings.auxiliary_weight:
        raise PrivacyError("the auxiliary classifier reads real rows outside the clip; set auxiliary_weight to 0.")
    if settings.twin_weight:
        raise PrivacyError("the twin classifiers read real rows outside the clip; set twin_weight to 0.")
    if device.type == "cuda" and settings.capture != "off":
        raise SettingsError(
            "a step with the private critic cannot be captured: the size of its batches differs; set capture to 'off'."
        )
    if private.loss != settings.loss:
        raise SettingsError("loss differs between TrainingSettings and DpSgdSettings: use DpSgdSettings.training.")


@contextlib.contextmanager
def _hooked(clipped: GradSampleModuleFastGradientClipping) -> Iterator[None]:
    clipped.enable_hooks()
    try:
        yield
    finally:
        clipped.disable_hooks()


@contextlib.contextmanager
def _full_precision(device: torch.device) -> Iterator[None]:
    """Products in float32 within the block: a norm that is rounded to 8 or 10 bits is no bound."""
    exact = products_on_gpu(in_tf32=False) if device.type == "cuda" else contextlib.nullcontext()
    with torch.autocast(device.type, enabled=False), exact:
        yield

"""The training loop: generated rows go to the critics, their losses come back.

The loop holds no row of the table. It sees the data through the marginal critics (which hold released marginals) and
the neural critic (which owns the rows), and cannot tell an exact critic from a private one.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from synthgan.config import TrainingSettings
from synthgan.critics.adversarial import NeuralCritic, load_optimizer_state, optimizer_state
from synthgan.critics.losses import LOSSES
from synthgan.critics.marginal import GramTarget, MarginalCritic
from synthgan.critics.positions import PositionCritic
from synthgan.errors import SynthganWarning, TrainingError
from synthgan.networks.generator import GeneratedRows, Generator
from synthgan.training.alarms import alarms
from synthgan.training.conditions import ConditionSampler
from synthgan.training.device import autocast
from synthgan.training.monitor import Monitor

Record = dict[str, float]
"""One line of the training history: step, seconds, losses, and at evaluations what `Monitor` and the errors say."""

EVALUATION_ROWS = 8192
RECORD_EVERY = 50


@dataclass
class Trainer:
    """Trains a generator against its critics; holds everything a checkpoint needs.

    Attributes:
        generator: the network being trained.
        averaged: running average of its weights; samples are drawn from it.
        marginal: marginal critics with their weights; the first covers all pairs of columns.
        positions: the position critic, None when its weight is 0 or no column has bins.
        neural: the neural critic, None when its weight is 0.
        conditions: source of training conditions.
        settings: resolved settings.
        rng: drives noise and Gumbel draws, on the device.
        monitor: compares the averaged generator with released marginals at each evaluation.
        holdout: marginals of the held-out rows, None without early stopping.
        history: one `Record` per `RECORD_EVERY` steps, at each evaluation and at the end.
    """

    generator: Generator
    averaged: Generator
    marginal: Sequence[tuple[float, MarginalCritic]]
    positions: PositionCritic | None
    neural: NeuralCritic | None
    conditions: ConditionSampler
    settings: TrainingSettings
    rng: torch.Generator
    monitor: Monitor
    holdout: GramTarget | None = None
    history: list[Record] = field(default_factory=list)
    step: int = 0
    seconds: float = 0.0
    best: tuple[float, int] = (math.inf, 0)
    _best_weights: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Set up the generator's optimiser."""
        self.device = self.generator.axis.starts.device
        self._optimizer = torch.optim.Adam(
            self.generator.parameters(), lr=self.settings.learning_rate, betas=self.settings.betas, fused=True
        )

    def run(
        self,
        *,
        time_limit: float | None = None,
        on_record: Callable[[Record], None] = lambda _: None,
        on_step: Callable[[Trainer], None] = lambda _: None,
    ) -> str:
        """Train to the end of the schedule, and load the best weights into `averaged` when early stopping chose others.

        Args:
            time_limit: seconds after which the schedule must have ended, counted over all runs of this trainer.
            on_record: called with each new history record.
            on_step: called after each step, at a moment when `state` may be taken.

        Returns:
            why training ended: ``"steps"``, ``"time"`` or ``"early stopping"``.

        Raises:
            TrainingError: when a loss is no longer finite.

        Warns:
            SynthganWarning: when training diverges, the generator collapses or the neural critic has won
                (`synthgan.training.alarms`), once each.
        """
        settings, started = self.settings, time.monotonic() - self.seconds
        reason, losses = "steps", dict[str, Tensor]()
        while self.step < settings.n_steps:
            if self._out_of_patience():
                reason = "early stopping"
                break
            self.seconds = time.monotonic() - started
            progress = self.step / settings.n_steps
            if time_limit is not None:
                progress = max(progress, self.seconds / time_limit)
            if progress >= 1:
                reason = "time"
                break
            losses = self._train_step(self._learning_rate(progress))
            self.step += 1
            evaluate = self.step % settings.evaluate_every == 0 or self.step == settings.n_steps
            if evaluate or self.step % RECORD_EVERY == 0:
                on_record(self._record(losses, evaluate=evaluate, last=self.step == settings.n_steps))
            on_step(self)
        if reason == "time" and losses and (not self.history or self.history[-1]["step"] != self.step):
            on_record(self._record(losses, evaluate=True, last=True))
        if self._best_weights:
            self.averaged.load_state_dict(self._best_weights)
        return reason

    def _train_step(self, learning_rate: float) -> dict[str, Tensor]:
        settings, generator, losses = self.settings, self.generator, {}
        with autocast(settings.precision, self.device):
            rows = self._draw()
            if self.neural is not None:
                for _ in range(settings.discriminator_steps - 1):
                    self.neural.update(rows, learning_rate)
                    rows = self._draw()
                losses["discriminator"] = self.neural.update(rows, learning_rate)
                losses["adversarial"] = self.neural.generator_loss(rows)
            total = self.conditions.loss(rows.probabilities) + settings.adversarial_weight * losses.get(
                "adversarial", 0.0
            )
            if self.positions is not None:
                total = total + settings.position_weight * self.positions.loss(rows)
            unconditioned = rows.probabilities[self.conditions.n_drawn :]
            for weight, critic in self.marginal:
                loss, error = critic.loss(unconditioned)
                total = total + settings.marginal_weight * weight * loss
                losses.setdefault("marginal_error", error)
        losses["generator"] = total
        self._optimizer.param_groups[0]["lr"] = learning_rate
        self._optimizer.zero_grad(set_to_none=True)
        total.backward()
        self._optimizer.step()
        decay = min(settings.ema_decay, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.averaged.parameters()), list(generator.parameters()), 1 - decay)
        return losses

    def _draw(self) -> GeneratedRows:
        condition, mask = self.conditions.draw()
        n_rows, latent_dim = self.settings.batch_size, self.settings.generator.latent_dim
        z = torch.randn(n_rows, latent_dim, generator=self.rng, device=self.device)
        rows = self.generator.draw(z, condition, mask, temperature=self.settings.temperature, rng=self.rng)
        self.conditions.remember(rows.codes)
        return rows

    def _learning_rate(self, progress: float) -> float:
        """Linear warm-up, then a cosine from the peak to its final fraction."""
        settings = self.settings
        warm_up = min(1.0, (self.step + 1) / max(1, settings.warmup_steps))
        floor = settings.final_learning_rate
        return settings.learning_rate * warm_up * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress)))

    def _record(self, losses: Mapping[str, Tensor], *, evaluate: bool, last: bool) -> Record:
        record: Record = {"step": self.step, "seconds": round(self.seconds, 3)}
        record |= {name: float(value.detach()) for name, value in losses.items()}
        broken = [name for name, value in record.items() if not math.isfinite(value)]
        if broken:
            raise self._diverged(f"the {broken[0]} loss")
        if evaluate:
            record |= self._evaluate()
        self.history.append(record)
        for text in alarms(
            self.history,
            warmup_steps=self.settings.warmup_steps,
            last=last,
            baseline=self.monitor.baseline,
            chance=LOSSES[self.settings.loss].chance,
        ):
            warnings.warn(text, SynthganWarning, stacklevel=5)  # at the call of `Synthesizer.fit`
        return record

    def _diverged(self, what: str) -> TrainingError:
        return TrainingError(
            f"training diverged at step {self.step}: {what} is no longer a finite number; "
            "fit again with a smaller learning_rate or a larger penalty."
        )

    @torch.no_grad()
    def _evaluate(self) -> Record:
        """How the averaged generator compares with the released and the held-out marginals."""
        # Its own noise, apart from `rng`: evaluation must not steer training.
        noise = torch.Generator(self.device).manual_seed(self.step)
        z = torch.randn(EVALUATION_ROWS, self.settings.generator.latent_dim, generator=noise, device=self.device)
        probabilities = self.averaged.axis.softmax(self.averaged(z)[1])
        if not probabilities.isfinite().all():
            raise self._diverged("the averaged generator's output")
        record = self.monitor.figures(probabilities)
        if self.holdout is not None:
            score = float(self.marginal[0][1].distance(probabilities, self.holdout))
            record["holdout_error"] = score
            if score < self.best[0]:
                self.best = (score, self.step)
                self._best_weights = {k: v.detach().clone() for k, v in self.averaged.state_dict().items()}
        return record

    def _out_of_patience(self) -> bool:
        if self.holdout is None or not self.settings.early_stopping:
            return False
        return self.step - self.best[1] >= self.settings.patience * self.settings.evaluate_every

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything needed to go on exactly from here: tensors, and plain JSON values."""
        tensors = {f"generator.{k}": v for k, v in self.generator.state_dict().items()}
        tensors |= {f"averaged.{k}": v for k, v in self.averaged.state_dict().items()}
        tensors |= {f"best.{k}": v for k, v in self._best_weights.items()}
        tensors |= {f"generator_{k}": v for k, v in optimizer_state(self._optimizer).items()}
        tensors |= {"rng": self.rng.get_state()}
        tensors |= {f"conditions.{k}": v for k, v in self.conditions.state().items()}
        if self.positions is not None:
            tensors["positions"] = self.positions.average
        for i, (_, critic) in enumerate(self.marginal):
            if critic.average is not None:
                tensors[f"gram.{i}"] = critic.average
        if self.neural is not None:
            tensors |= {f"neural.{k}": v for k, v in self.neural.state().items()}
        values = {"step": self.step, "seconds": self.seconds, "best": list(self.best), "history": self.history}
        return tensors, values

    def load_state(self, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""

        def below(prefix: str) -> dict[str, Tensor]:
            return {k.removeprefix(prefix): v.to(self.device) for k, v in tensors.items() if k.startswith(prefix)}

        self.generator.load_state_dict(below("generator."))
        self.averaged.load_state_dict(below("averaged."))
        self._best_weights = below("best.")
        load_optimizer_state(self._optimizer, below("generator_"))
        self.rng.set_state(tensors["rng"].cpu())
        self.step, self.seconds = int(values["step"]), float(values["seconds"])
        self.best = (float(values["best"][0]), int(values["best"][1]))
        self.history = [dict(record) for record in values["history"]]
        self.conditions.load_state(below("conditions."))
        if self.positions is not None:
            self.positions.average = tensors["positions"].to(self.device)
        for i, (_, critic) in enumerate(self.marginal):
            if f"gram.{i}" in tensors:
                critic.average = tensors[f"gram.{i}"].to(self.device)
        if self.neural is not None:
            self.neural.load_state(below("neural."))

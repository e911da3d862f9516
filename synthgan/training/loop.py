"""The training loop: generated rows go to the critics, their losses come back.

The loop holds no row of the table. It sees the data through the marginal critic (which holds released marginals) and
the neural critic (which owns the rows), and cannot tell an exact critic from a private one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from synthgan.config import WARM_UP_SHARE, TrainingSettings
from synthgan.critics.adversarial import NeuralCritic
from synthgan.critics.losses import LOSSES
from synthgan.critics.marginal import MarginalCritic
from synthgan.critics.marginal_door import GramTarget
from synthgan.critics.optimizer import adam, descend, learning_rate_tensor, load_optimizer_state, optimizer_state
from synthgan.critics.positions import PositionCritic
from synthgan.errors import TrainingError
from synthgan.networks.generator import GeneratedRows, Generator
from synthgan.training.alarms import alarms
from synthgan.training.capture import StepKind, StepRunner, graphs_for
from synthgan.training.conditions import ConditionSampler
from synthgan.training.critic_balance import Balance
from synthgan.training.device import autocast, tensor_float
from synthgan.training.monitor import Monitor
from synthgan.training.rounds import MarginalRounds
from synthgan.warned import warn

Record = dict[str, float]
"""One line of the training history: step, seconds, losses, and at evaluations what `Monitor` and the errors say."""

EVALUATION_ROWS = 8192
EVALUATION_CELLS = 2**25  # a wide table is looked at in fewer rows
RECORD_EVERY = 50


@dataclass
class Trainer:
    """Trains a generator against its critics; holds everything a checkpoint needs.

    Attributes:
        generator: the network being trained.
        averaged: running average of its weights; samples are drawn from it.
        marginal: the marginal critic, None when its weight is 0.
        positions: the position critic, None when its weight is 0 or no column has bins.
        neural: the neural critic, None when its weight is 0.
        balance: the marginal critic's weight, given or measured.
        conditions: source of training conditions.
        settings: resolved settings.
        rng: drives noise and Gumbel draws, on the device.
        monitor: compares the averaged generator with released marginals at each evaluation.
        rounds: measures more marginals between steps, None where the second door told everything at once.
        holdout: marginals of the held-out rows, None without early stopping.
        history: one `Record` per `RECORD_EVERY` steps, at each evaluation and at the end. The last one judges the
            weights that stay; its ``best_step`` names their step where early stopping chose an earlier one.
    """

    generator: Generator
    averaged: Generator
    marginal: MarginalCritic | None
    positions: PositionCritic | None
    neural: NeuralCritic | None
    balance: Balance
    conditions: ConditionSampler
    settings: TrainingSettings
    rng: torch.Generator
    monitor: Monitor
    rounds: MarginalRounds | None = None
    holdout: GramTarget | None = None
    history: list[Record] = field(default_factory=list)
    step: int = 0
    seconds: float = 0.0
    best: tuple[float, int] = (math.inf, 0)
    _best_weights: dict[str, Tensor] = field(default_factory=dict)
    _set_aside: dict[str, Tensor] = field(default_factory=dict)
    _warned_of: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Set up the generator's optimiser, and the tensors through which a step is told what changes each time."""
        self.device = self.generator.axis.starts.device
        self._optimizer = adam(self.generator.parameters(), self.settings.learning_rate, self.settings.betas)
        # Positions have weights of their own, which the marginal critic does not see.
        apart = {id(parameter) for parameter in self.generator.position_head.parameters()}
        self._law_parameters = [p for p in self.generator.parameters() if id(p) not in apart]
        self._rate = learning_rate_tensor(self.device)
        self._newness = torch.zeros((), device=self.device)  # weight of the newest weights in the running average

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
        self._take_up()
        reason, losses = "steps", dict[str, Tensor]()
        with StepRunner(self._step, graphs_for(self.device, self._generators(), settings.capture)) as run_step:
            while self.step < settings.n_steps:
                if self._out_of_patience():
                    reason = "early stopping"
                    break
                self.seconds = time.monotonic() - started
                share_of_time = 0.0 if time_limit is None else self.seconds / time_limit
                if share_of_time >= 1:
                    reason = "time"
                    break
                losses = run_step(self._prepare(self._learning_rate(share_of_time)))
                self.step += 1
                evaluate = self.step % settings.evaluate_every == 0 or self.step == settings.n_steps
                if evaluate or self.step % RECORD_EVERY == 0:
                    on_record(self._record(losses, evaluate=evaluate))
                if self.rounds is not None and self.rounds.is_due(self.step):
                    self._learn_more(self.rounds)
                on_step(self)
            self._conclude(losses, on_record)
        return reason

    def _learn_more(self, rounds: MarginalRounds) -> None:
        """Let the second door measure what the averaged generator gets most wrong."""
        noise = torch.Generator(self.device).manual_seed(self.step)
        self.marginal = rounds.measure(self.averaged, noise)
        self.monitor = Monitor(self.marginal.pairs, self.generator.axis)

    def _prepare(self, learning_rate: float) -> StepKind:
        """The host's part of a step: what is a number goes into tensors, and what is a choice into the kind of step."""
        decay = min(self.settings.ema_decay, (1 + self.step) / (10 + self.step))
        self._rate.fill_(learning_rate)
        self._newness.fill_(1 - decay)
        penalised = () if self.neural is None else self.neural.plan(self.settings.discriminator_steps)
        turn = 0 if self.marginal is None else self.marginal.plan(learning_rate / self.settings.learning_rate)
        weigh = self.neural is not None and self.marginal is not None and self.balance.is_due(self.step)
        return (self.conditions.ready, turn, weigh, *penalised)

    def _step(self, kind: StepKind) -> dict[str, Tensor]:
        """The device's part: reads no value, counts nothing and keeps all state in place, so it can be replayed."""
        settings, losses = self.settings, dict[str, Tensor]()
        _, turn, weigh, *penalised = kind
        with tensor_float(settings.precision, self.device):
            with autocast(settings.precision, self.device):
                rows = self._draw()
                if self.neural is not None:
                    for i, with_penalty in enumerate(penalised):
                        rows = self._draw() if i else rows
                        losses["discriminator"] = self.neural.update(rows, self._rate, penalised=bool(with_penalty))
                    losses["adversarial"] = self.neural.generator_loss(rows)
                total = self.conditions.loss(rows.probabilities) + settings.adversarial_weight * losses.get(
                    "adversarial", 0.0
                )
                if self.positions is not None:
                    total = total + settings.position_weight * self.positions.loss(rows)
                if self.marginal is not None:
                    unconditioned = rows.probabilities[self.conditions.n_drawn :]
                    loss, losses["marginal_error"] = self.marginal.loss(unconditioned, turn)
                    if weigh:
                        neural = settings.adversarial_weight * losses["adversarial"]
                        self.balance.measure(neural, loss, self._law_parameters)
                    losses["marginal_weight"] = self.balance.weight.clone()
                    total = total + losses["marginal_weight"] * loss
            losses["generator"] = total
            descend(self._optimizer, total, self._rate)
        with torch.no_grad():
            averaged: list[Tensor] = list(self.averaged.parameters())
            torch._foreach_lerp_(averaged, list(self.generator.parameters()), [self._newness] * len(averaged))
        # A loss that kept its graph would keep the parameters bound to the stream of this step.
        return {name: value.detach() for name, value in losses.items()}

    def _generators(self) -> list[torch.Generator]:
        """Every random source that a step draws from."""
        return [self.rng, self.conditions.rng, *(() if self.neural is None else self.neural.generators)]

    def _draw(self) -> GeneratedRows:
        condition, mask = self.conditions.draw()
        n_rows, latent_dim = self.settings.batch_size, self.settings.generator.latent_dim
        z = torch.randn(n_rows, latent_dim, generator=self.rng, device=self.device)
        rows = self.generator.draw(z, condition, mask, temperature=self.settings.temperature, rng=self.rng)
        self.conditions.remember(rows.codes)
        return rows

    def _learning_rate(self, share_of_time: float) -> float:
        """Linear warm-up, then a cosine from the peak to its final fraction: by steps, or by time if that is faster."""
        settings = self.settings
        progress = max(self.step / settings.n_steps, share_of_time)
        warm_up = max((self.step + 1) / max(1, settings.warmup_steps), share_of_time / WARM_UP_SHARE)
        floor = settings.final_learning_rate
        cosine = floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))
        return settings.learning_rate * min(1.0, warm_up) * cosine

    def _record(self, losses: Mapping[str, Tensor], *, evaluate: bool) -> Record:
        record = self._losses_now(losses)
        if evaluate:
            record |= self._evaluate(self.step)
        self.history.append(record)
        self._warn(last=False)
        return record

    def _losses_now(self, losses: Mapping[str, Tensor]) -> Record:
        record: Record = {"step": self.step, "seconds": round(self.seconds, 3)}
        record |= {name: float(value) for name, value in losses.items()}
        broken = [name for name, value in record.items() if not math.isfinite(value)]
        if broken:
            raise self._diverged(f"the {broken[0]} loss")
        return record

    def _conclude(self, losses: Mapping[str, Tensor], on_record: Callable[[Record], None]) -> None:
        """Put the best weights in place, and see to it that the last record judges the weights that stay.

        Args:
            losses: of the last step; none if this run took no step.
            on_record: called with the last record if it is new or other than it was.
        """
        if not self.step:
            return
        newest = self.history[-1] if self.history and self.history[-1]["step"] == self.step else None
        record = newest or self._losses_now(losses)
        if "averaged_marginal_error" not in record:
            record = record | self._evaluate(self.step)
        if self._best_weights and self.best[1] != self.step:
            self._set_aside = {k: v.detach().clone() for k, v in self.averaged.state_dict().items()}
            self.averaged.load_state_dict(self._best_weights)
            if record.get("best_step") != self.best[1]:
                record = record | self._evaluate(self.best[1]) | {"best_step": self.best[1]}
        if record is not newest:
            self.history = [*self.history[: None if newest is None else -1], record]
            on_record(record)
        if losses:
            self._warn(last=True)

    def _take_up(self) -> None:
        """Go on with the running average, where the best weights have taken its place."""
        if self._set_aside:
            self.averaged.load_state_dict(self._set_aside)
            self._set_aside = {}

    def _warn(self, *, last: bool) -> None:
        found = alarms(
            self.history,
            warmup_steps=self.settings.warmup_steps,
            last=last,
            baseline=self.monitor.baseline,
            chance=LOSSES[self.settings.loss].chance,
        )
        for matter, text in found.items():
            if matter not in self._warned_of:  # the last record may be judged twice
                warn(text)
        self._warned_of.update(found)

    def _diverged(self, what: str) -> TrainingError:
        return TrainingError(
            f"training diverged at step {self.step}: {what} is no longer a finite number; "
            "fit again with a smaller learning_rate or a larger penalty."
        )

    @torch.no_grad()
    def _evaluate(self, step: int) -> Record:
        """How the averaged generator, with its weights of a step, compares with released and held-out marginals."""
        # Its own noise, apart from `rng`: evaluation must not steer training.
        noise = torch.Generator(self.device).manual_seed(step)
        n_rows = min(EVALUATION_ROWS, EVALUATION_CELLS // self.averaged.axis.n_levels)
        z = torch.randn(n_rows, self.settings.generator.latent_dim, generator=noise, device=self.device)
        probabilities = self.averaged.axis.softmax(self.averaged(z)[1])
        if not probabilities.isfinite().all():
            raise self._diverged("the averaged generator's output")
        record = self.monitor.figures(probabilities)
        if self.holdout is not None:
            assert self.marginal is not None  # the settings see to it
            score = record["holdout_error"] = float(self.marginal.distance(probabilities, self.holdout)[1])
            if score < self.best[0]:
                self.best = (score, step)
                self._best_weights = {k: v.detach().clone() for k, v in self.averaged.state_dict().items()}
        return record

    def _out_of_patience(self) -> bool:
        if self.holdout is None or not self.settings.early_stopping:
            return False
        return self.step - self.best[1] >= self.settings.patience * self.settings.evaluate_every

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Everything needed to go on exactly from here: tensors, and plain JSON values."""
        tensors = {f"generator.{k}": v for k, v in self.generator.state_dict().items()}
        tensors |= {f"averaged.{k}": v for k, v in (self._set_aside or self.averaged.state_dict()).items()}
        tensors |= {f"best.{k}": v for k, v in self._best_weights.items()}
        tensors |= {f"generator_{k}": v for k, v in optimizer_state(self._optimizer).items()}
        tensors |= {"rng": self.rng.get_state()}
        tensors |= {f"conditions.{k}": v for k, v in self.conditions.state().items()}
        tensors |= {f"balance.{k}": v for k, v in self.balance.state().items()}
        if self.positions is not None:
            tensors["positions"] = self.positions.average
        if self.marginal is not None:
            tensors |= {f"marginal.{k}": v for k, v in self.marginal.state().items()}
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
        self._set_aside, self._best_weights = {}, below("best.")
        load_optimizer_state(self._optimizer, below("generator_"))
        self.rng.set_state(tensors["rng"].cpu())
        self.step, self.seconds = int(values["step"]), float(values["seconds"])
        self.best = (float(values["best"][0]), int(values["best"][1]))
        self.history = [dict(record) for record in values["history"]]
        self.conditions.load_state(below("conditions."))
        self.balance.load_state(below("balance."))
        if self.positions is not None:
            self.positions.average.copy_(tensors["positions"])
        if self.marginal is not None:
            self.marginal.load_state(below("marginal."))
        if self.neural is not None:
            self.neural.load_state(below("neural."))

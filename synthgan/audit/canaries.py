"""The third door under attack: canary rows, and an attacker who sees every update of the private critic.

That is whom DP-SGD is accounted against: someone who knows all other rows, the weights, the generated rows and every
noised gradient. The attacker takes the gradient that reaches the optimiser, subtracts the generated rows' part, which
can be computed without the table, and correlates the rest with the clipped gradient that the canary would have added:
the likelihood ratio of Gaussian noise (Nasr et al. 2021 and 2023, gradient attacks).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from dp_accounting import DpEvent
from torch import Tensor
from torch.func import functional_call, grad, vmap

from synthgan.audit.bounds import CONFIDENCE
from synthgan.audit.games import DistinguishingGame, Signals, plain_layout
from synthgan.audit.one_run import OneRunBound, one_run_bound
from synthgan.audit.person_games import CANARY_ROWS, ROWS_PER_UNIT
from synthgan.config import DpSgdSettings, GeneratorSettings, TrainingSettings
from synthgan.critics.adversarial import EncodedRows
from synthgan.networks.generator import GeneratedRows
from synthgan.networks.layers import LevelAxis
from synthgan.privacy.account.ledger import Ledger
from synthgan.privacy.dp_sgd import PrivateCritic
from synthgan.privacy.dp_sgd_plan import CriticPlan, DpSgdPlan, calibrate
from synthgan.privacy.entropy import system_generator, system_rng
from synthgan.tables.layout import Layout

N_FAKES = 32

GUESSED = 0.2
"""Share of the canaries that are guessed at in one run, those with the most telling scores."""

GRAD_NORM = 0.01
"""Clipping norm of the critics under attack: far below any row's gradient, so that what goes unclipped stands out."""

CANARY_COLUMNS, CANARY_LEVELS = 40, 32
"""Of the canaries' table: so many that gradients of two canaries have little in common."""

SAMPLING_RATE = 0.4
"""Of the critic that is attacked on samples."""

_CPU = torch.device("cpu")
_BASE = TrainingSettings(
    n_steps=100,
    batch_size=N_FAKES,
    warmup_steps=0,
    precision="float32",
    generator=GeneratorSettings(width=8, n_blocks=1, latent_dim=2),
)


@dataclass(frozen=True)
class Attacker:
    """Who watches a private critic. No generated row has the last level of a column, to leave it to canaries.

    Attributes:
        layout: what codes mean.
        plan: of the critic, which is public.
        private: the critic's settings, which are public.
        n_rows: what sums over a batch are normalised by, public.
        known: ``(n_known, n_columns)`` codes of the rows that the attacker knows to be in the table.
        suspects: ``(n_suspects, n_columns)`` codes of the canaries; of persons, one of their rows, which are all equal.
        rows_per_unit: rows of a person that are used.
    """

    layout: Layout
    plan: DpSgdPlan
    private: DpSgdSettings
    n_rows: float
    known: Tensor
    suspects: Tensor
    rows_per_unit: int = 1

    def watch(self, codes: Tensor, units: npt.NDArray[np.int64] | None = None) -> tuple[Tensor, Tensor]:
        """Train a critic on a table, and say for each suspect how much the updates look as if it was in there.

        Args:
            codes: ``(n_rows, n_columns)`` of the table.
            units: ``(n_rows,)`` index of each row's person; None when each row is a unit.

        Returns:
            Two kinds of scores, ``(n_suspects,)`` each: by all weights, and by those alone that neither the known rows
            nor the generated ones should move.
        """
        critic = PrivateCritic(
            EncodedRows(codes, codes.new_zeros((len(codes), 0), dtype=torch.uint8)),
            self.layout,
            self.private.training(_BASE),
            CriticPlan(dp_sgd=self.plan, settings=self.private, n_rows=self.n_rows, rows_per_unit=self.rows_per_unit),
            _NoAccount(),
            initial=system_generator(_CPU),
            units=units,
        )
        seen: list[Tensor] = []
        critic._optimizer.register_step_pre_hook(lambda *_: seen.append(_flat_gradient(critic)))
        everywhere, elsewhere = _Suspicion(len(self.suspects)), _Suspicion(len(self.suspects))
        rate = self.plan.sampling_rate
        for _ in range(self.plan.n_updates):
            fakes = self._fakes()
            of_fakes = self._gradients(critic, fakes.codes, real=False)
            of_known = self._gradients(critic, self.known, real=True)
            of_suspects = self._clipped(self.rows_per_unit * self._gradients(critic, self.suspects, real=True))
            critic.update(fakes, critic._settings.learning_rate, penalised=False)
            rest = (seen.pop() - of_fakes.mean(0)) * (rate * self.n_rows) - rate * self._clipped(of_known).sum(0)
            untouched = ~((of_fakes != 0).any(0) | (of_known != 0).any(0))
            everywhere.add(of_suspects, rest, rate)
            elsewhere.add(of_suspects[:, untouched], rest[untouched], rate)
        noise = self.plan.noise_multiplier * self.plan.max_grad_norm
        return everywhere.scores(noise), elsewhere.scores(noise)

    def _gradients(self, critic: PrivateCritic, codes: Tensor, *, real: bool) -> Tensor:
        """Each row's own gradient. Shape: ``(n_rows, n_weights)``."""
        assert critic.loss.halves is not None
        discriminator, cost = critic.discriminator, critic.loss.halves[0 if real else 1]
        weights = {name: weight.detach() for name, weight in discriminator.named_parameters()}
        rows = discriminator.axis.one_hot(codes.long())
        inputs = discriminator.features(rows, rows.new_zeros((len(rows), 0)), rows.new_zeros(0))

        def loss(values: dict[str, Tensor], row: Tensor) -> Tensor:
            return cost(functional_call(discriminator, values, (row[None],))).sum()

        each = vmap(grad(loss), in_dims=(None, 0))(weights, inputs)
        return torch.cat([part.flatten(1) for part in each.values()], 1)

    def _clipped(self, gradients: Tensor) -> Tensor:
        norms = gradients.norm(dim=1, keepdim=True)
        return gradients * (self.plan.max_grad_norm / (norms + 1e-6)).clamp_max(1.0)

    def _fakes(self) -> GeneratedRows:
        rng, axis = system_rng(), LevelAxis(self.layout)
        drawn = np.stack([rng.integers(0, span.n_levels - 1, N_FAKES) for span in self.layout.spans], axis=1)
        codes = torch.from_numpy(drawn)
        one_hot = axis.one_hot(codes)
        return GeneratedRows(
            codes, one_hot, one_hot, one_hot.new_zeros((N_FAKES, 0)), one_hot.new_zeros((N_FAKES, len(axis.sizes)))
        )


class _NoAccount:
    """Of a critic whose rows are made up: its updates are counted by the game, which claims what they should cost."""

    n_journalled = 0

    def reserve(self, event: DpEvent) -> None:
        """Agree."""

    def journal(self, n_updates: int) -> None:
        """Keep nothing."""


class _Suspicion:
    """Whose gradients the noised ones look like, over all updates."""

    def __init__(self, n_suspects: int) -> None:
        self._overlaps, self._evidence = torch.zeros(n_suspects, n_suspects), torch.zeros(n_suspects)

    def add(self, gradients: Tensor, seen: Tensor, rate: float) -> None:
        """An update: the suspects' clipped gradients ``(n_suspects, n_weights)``, and what was seen of them."""
        self._overlaps += rate * gradients @ gradients.T
        self._evidence += gradients @ seen

    def scores(self, noise: float) -> Tensor:
        """The best linear guess of coins that are worth a half on average; the suspects' gradients overlap."""
        surprise = self._evidence - self._overlaps.sum(1) / 2
        return torch.linalg.solve(self._overlaps + 4 * noise**2 * torch.eye(len(surprise)), surprise)


def dp_sgd_game(epsilon: float, delta: float, *, n_updates: int = 2, sampling_rate: float = 1.0) -> DistinguishingGame:
    """Door 3 again and again: nine rows, and a tenth of levels that no other has and that are never generated."""
    layout = plain_layout({"a": 2, "b": 3})
    known = torch.tensor([[0, 0], [0, 1], [0, 1]] * 3, dtype=torch.uint8)
    canary = torch.tensor([[1, 2]], dtype=torch.uint8)
    private = _watched(n_updates)
    plan = _plan(epsilon, delta, private, sampling_rate)
    attacker = Attacker(layout, plan, private, float(len(known)), known, canary)

    def run(with_canary: bool) -> Signals:
        everywhere, elsewhere = attacker.watch(torch.cat([known, canary]) if with_canary else known)
        return {"gradient of all weights": float(everywhere[0]), "gradient of its own levels": float(elsewhere[0])}

    return DistinguishingGame(
        name="DP-SGD critic",
        epsilon=epsilon,
        delta=delta,
        play=run,
        # Without sampling it is a composition of Gaussians.
        zcdp_delta=delta if sampling_rate == 1 else None,
    )


def person_critic_game(epsilon: float, delta: float, *, sampling_rate: float = 1.0) -> DistinguishingGame:
    """One update of door 3: the canary is all there is, a person of several rows, and sampled by a coin.

    With nobody else in the table nothing but the noise hides the person. With one update the coin is half of the
    guarantee: a critic that samples more often than its ledger pays for shows it in every run.
    """
    layout = plain_layout({"a": 2, "b": 3})
    row = torch.tensor([[1, 2]], dtype=torch.uint8)
    rows, nobody = row.repeat(CANARY_ROWS, 1), row[:0]
    private = _watched(1)
    plan = _plan(epsilon, delta, private, sampling_rate)
    attacker = Attacker(layout, plan, private, 9.0, nobody, row, rows_per_unit=ROWS_PER_UNIT)

    def run(with_canary: bool) -> Signals:
        codes = rows if with_canary else nobody
        everywhere, _ = attacker.watch(codes, np.zeros(len(codes), dtype=np.int64))
        return {"gradient of all weights": float(everywhere[0])}

    return DistinguishingGame(
        name=f"DP-SGD critic, {'' if sampling_rate == 1 else 'sampled '}persons",
        epsilon=epsilon,
        delta=delta,
        play=run,
        sampling_rate=sampling_rate,
    )


def one_run_audit(
    epsilon: float,
    delta: float,
    *,
    n_canaries: int = 1000,
    n_guesses: int | None = None,
    n_updates: int = 4,
    sampling_rate: float = 1.0,
    confidence: float = CONFIDENCE,
) -> OneRunBound:
    """Door 3 once: many canaries of random levels in many columns, each in the table by a fair coin.

    Args:
        epsilon: what is claimed; the noise follows from it.
        delta: what is claimed.
        n_canaries: coins.
        n_guesses: coins guessed at, even; None for a fifth of them.
        n_updates: of the critic.
        sampling_rate: of the critic's batches.
        confidence: of the bound.

    Raises:
        SettingsError: when a number is out of range.
    """
    layout = plain_layout({f"column {number}": CANARY_LEVELS for number in range(CANARY_COLUMNS)})
    suspects = torch.from_numpy(system_rng().integers(0, CANARY_LEVELS, (n_canaries, CANARY_COLUMNS), dtype=np.uint8))
    private = _watched(n_updates)
    plan = _plan(epsilon, delta, private, sampling_rate)
    attacker = Attacker(layout, plan, private, n_canaries / 2, suspects[:0], suspects)
    coins = system_rng().random(n_canaries) < 0.5
    scores, _ = attacker.watch(suspects[torch.from_numpy(coins)])
    guesses = 2 * round(GUESSED * n_canaries / 2) if n_guesses is None else n_guesses
    return one_run_bound(coins, scores.double().numpy(), n_guesses=guesses, delta=delta, confidence=confidence)


def _watched(n_updates: int) -> DpSgdSettings:
    """A small, slow critic with a plain generated half, so that the real half, which is audited, stands out."""
    return DpSgdSettings(
        width=8,
        n_blocks=1,
        max_grad_norm=GRAD_NORM,
        n_updates=n_updates,
        learning_rate=1e-3,
        r2_weight=0.0,
        clip_fakes=False,
    )


def _plan(epsilon: float, delta: float, private: DpSgdSettings, sampling_rate: float) -> DpSgdPlan:
    """The plan that spends all of a ledger of its own."""
    from synthgan.privacy.account.events import plan_order

    neural = 0.0 if sampling_rate == 1 else 1.0
    order = plan_order(epsilon, delta, neural, sampling_rate=sampling_rate, n_updates=private.n_updates)
    ledger = Ledger(epsilon, delta, order=order)

    def fits(event: DpEvent) -> bool:
        return ledger.fits(event)

    return calibrate(
        fits, sampling_rate=sampling_rate, max_grad_norm=private.max_grad_norm, n_updates=private.n_updates
    )


def _flat_gradient(critic: PrivateCritic) -> Tensor:
    return torch.cat([weight.grad.flatten() for weight in critic.discriminator.parameters() if weight.grad is not None])

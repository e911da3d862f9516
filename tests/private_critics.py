"""Private critics on a small table, and ways to look inside an update."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch import Tensor

from synthgan.config import DpSgdSettings, GeneratorSettings, TrainingSettings
from synthgan.critics.adversarial import EncodedRows
from synthgan.critics.losses import LOSSES
from synthgan.networks.generator import GeneratedRows, Generator
from synthgan.privacy.dp_sgd import PrivateCritic
from synthgan.privacy.dp_sgd_plan import CriticPlan, DpSgdPlan
from tests.small_tables import small_table

TABLE = small_table(200)
CPU = torch.device("cpu")
SEPARABLE = sorted(name for name, loss in LOSSES.items() if loss.separable)
PRIVATE = DpSgdSettings(width=16, n_blocks=1, learning_rate=1e-3, clip_fakes=False, r2_weight=0.0)
BASE = TrainingSettings(
    n_steps=40,
    batch_size=32,
    penalty_interval=1,
    warmup_steps=0,
    precision="float32",
    generator=GeneratorSettings(width=16, n_blocks=1, latent_dim=4),
)
PLAN = DpSgdPlan(sampling_rate=0.2, noise_multiplier=0.0, max_grad_norm=0.5, n_updates=100)
NO_CLIP = 1e12


class RecordedAccount:
    """Notes what a critic asks for, or refuses it."""

    def __init__(self, *, n_journalled: int = 0, refusal: Exception | None = None) -> None:
        self.n_journalled, self.refusal = n_journalled, refusal
        self.events: list[Any] = []
        self.figures: list[int] = []

    def reserve(self, event: Any) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.events.append(event)

    def journal(self, n_updates: int) -> None:
        self.figures.append(n_updates)
        self.n_journalled = n_updates


def make(
    private: DpSgdSettings = PRIVATE,
    *,
    n_rows: float = 200.0,
    codes: Any = TABLE.codes,
    seed: int = 1,
    account: RecordedAccount | None = None,
    units: Any = None,
    rows_per_unit: int = 1,
    **fields: Any,
) -> PrivateCritic:
    """A critic on the small table, with weights that the seed fixes; ``fields`` are those of the DP-SGD plan."""
    dp_sgd = dataclasses.replace(PLAN, **fields)
    plan = CriticPlan(dp_sgd=dp_sgd, settings=private, n_rows=n_rows, rows_per_unit=rows_per_unit)
    rows = EncodedRows(torch.from_numpy(codes), torch.from_numpy(TABLE.positions[: len(codes)]))
    initial = torch.Generator().manual_seed(seed)
    account = RecordedAccount() if account is None else account
    return PrivateCritic(rows, TABLE.layout, private.training(BASE), plan, account, initial=initial, units=units)


def fake_rows(n_rows: int = 32) -> GeneratedRows:
    rng = torch.Generator().manual_seed(0)
    network = Generator(TABLE.layout, BASE.generator, rng)
    return network.draw(torch.randn(n_rows, 4, generator=rng), None, torch.zeros(n_rows, 3), temperature=0.7, rng=rng)


def batch_of(judge: PrivateCritic, *units: int) -> None:
    """Make every further batch consist of these units."""
    rows = judge._units._rows[list(units)]
    judge._units.draw = lambda: rows  # type: ignore[method-assign]


def fix_positions(judge: PrivateCritic) -> None:
    """Take positions at the middle of their 1/256, so that a row's features are the same each time."""
    codes, positions = judge._rows.codes, (judge._rows.positions.float() + 0.5) / 256
    judge._rows = type("Fixed", (), {"codes": codes, "at": lambda _, i, rng: (codes[i].long(), positions[i])})()


def real_half(judge: PrivateCritic) -> Tensor:
    """The real half's gradient as one vector."""
    judge._noised_real_half()
    flat = torch.cat([p.grad.flatten() for p in judge.discriminator.parameters()])
    judge._noised.zero_grad(set_to_none=True)
    return flat


def fake_half(judge: PrivateCritic, fake: GeneratedRows, *, penalised: bool = False) -> Tensor:
    return torch.cat([g.flatten() for g in judge._fake_half(fake.detach(), penalised=penalised)[0]])


def descent(judge: PrivateCritic, fake: GeneratedRows, *, penalised: bool = False) -> Tensor:
    """The gradient that an update hands to the optimiser, as one vector; the weights stay."""
    seen: list[Tensor] = []

    def step() -> None:
        seen.append(torch.cat([p.grad.flatten() for p in judge.discriminator.parameters()]))

    judge._optimizer.step = step  # type: ignore[method-assign, assignment]
    judge.update(fake, 1e-3, penalised=penalised)
    return seen[0]


def gradient_of(judge: PrivateCritic, loss: Tensor) -> Tensor:
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(judge.discriminator.parameters()))])


def person_gradient(judge: PrivateCritic, rows: list[int]) -> Tensor:
    """Gradient of one person's summed loss, the plain way."""
    features = judge._real_features(torch.tensor(rows)[:, None])
    assert judge.loss.halves is not None
    return gradient_of(judge, judge.loss.halves[0](judge.discriminator(features)).sum())


def clipped(gradient: Tensor, bound: float) -> Tensor:
    return gradient * min(1.0, bound / float(gradient.norm()))

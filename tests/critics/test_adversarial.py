from __future__ import annotations

import dataclasses

import pytest
import torch

from synthgan.config import DiscriminatorSettings, GeneratorSettings, TrainingSettings
from synthgan.critics.adversarial import AdversarialCritic, EncodedRows
from synthgan.critics.losses import LOSSES
from synthgan.networks.generator import GeneratedRows, Generator
from synthgan.training.device import autocast
from tests.small_tables import small_table

TABLE = small_table(500)
SETTINGS = TrainingSettings(
    batch_size=64,
    penalty_interval=1,
    generator=GeneratorSettings(width=16, n_blocks=1, latent_dim=4),
    discriminator=DiscriminatorSettings(width=16, n_blocks=1),
)


def critic(settings: TrainingSettings = SETTINGS, *, target: int | None = None, seed: int = 0) -> AdversarialCritic:
    rows = EncodedRows(torch.from_numpy(TABLE.codes), torch.from_numpy(TABLE.positions))
    rng, initial = torch.Generator().manual_seed(seed), torch.Generator().manual_seed(1)
    return AdversarialCritic(rows, TABLE.layout, settings, rng=rng, initial=initial, target=target)


def fake_rows(seed: int = 0) -> GeneratedRows:
    rng = torch.Generator().manual_seed(seed)
    network = Generator(TABLE.layout, SETTINGS.generator, rng)
    z = torch.randn(64, 4, generator=rng)
    return network.draw(z, None, torch.zeros(64, 3), temperature=0.7, rng=rng)


def test_positions_of_real_rows_stay_inside_their_256th() -> None:
    rows = EncodedRows(torch.from_numpy(TABLE.codes), torch.from_numpy(TABLE.positions))
    codes, positions = rows.batch(1000, torch.Generator().manual_seed(0))
    assert codes.dtype == torch.int64
    known = set(zip(TABLE.codes[:, 0].tolist(), TABLE.positions[:, 0].tolist(), strict=True))
    drawn = set(zip(codes[:, 0].tolist(), (positions[:, 0] * 256).floor().int().tolist(), strict=True))
    assert drawn <= known


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_every_loss_teaches_the_discriminator_to_tell_real_from_generated(name: str) -> None:
    settings = dataclasses.replace(SETTINGS, loss=name, penalty=None if name == "wasserstein-clipped" else 0.01)
    judge, fake = critic(settings), fake_rows()
    for _ in range(150):
        judge.update(fake, 1e-2, penalised=True)
    features, _ = judge._real_features(fake.condition_mask)
    made_up = judge.discriminator.features(fake.one_hot, fake.positions, fake.condition_mask)
    assert judge.discriminator(features).mean() > judge.discriminator(made_up).mean()


@pytest.mark.parametrize("option", [{}, {"packing": 4}, {"spectral_norm": True}], ids=["plain", "packed", "spectral"])
def test_generator_loss_reaches_the_rows_and_not_the_discriminator(option: dict[str, object]) -> None:
    sizes = dataclasses.replace(SETTINGS.discriminator, **option)
    judge, fake = critic(dataclasses.replace(SETTINGS, discriminator=sizes)), fake_rows()
    with pytest.raises(ValueError, match="call update before generator_loss"):
        judge.generator_loss(fake)
    judge.update(fake.detach(), 1e-4, penalised=True)
    fake.one_hot.retain_grad()
    judge.generator_loss(fake).backward()
    assert fake.one_hot.grad is not None
    assert fake.one_hot.grad.abs().sum() > 0
    assert all(p.grad is None and p.requires_grad for p in judge.discriminator.parameters())


def test_r1_and_r2_equal_the_gradient_norm_computed_row_by_row() -> None:
    judge = critic(dataclasses.replace(SETTINGS, penalty=0.5))
    fake = fake_rows().detach()
    real, _ = judge._real_features(fake.condition_mask)
    made_up = judge.discriminator.features(fake.one_hot, fake.positions, fake.condition_mask)
    plain, penalised = judge._discriminator_loss(real.clone(), made_up.clone(), penalised=True)

    def squared(features: torch.Tensor) -> float:
        total = 0.0
        for row in features:
            x = row.detach().clone().requires_grad_(True)
            judge.discriminator(x.unsqueeze(0)).sum().backward()
            assert x.grad is not None
            total += float(x.grad.square().sum())
        return total / len(features)

    assert (penalised - plain).item() == pytest.approx(0.5 / 2 * (squared(real) + squared(made_up)), rel=1e-4)


def test_a_lazy_penalty_is_taken_every_k_steps_and_weighs_k_times_as_much() -> None:
    fake = fake_rows().detach()
    every, lazy = (
        critic(dataclasses.replace(SETTINGS, penalty=0.5)),
        critic(dataclasses.replace(SETTINGS, penalty=0.5, penalty_interval=4)),
    )
    real, _ = every._real_features(fake.condition_mask)
    made_up = every.discriminator.features(fake.one_hot, fake.positions, fake.condition_mask)

    def penalty(judge: AdversarialCritic) -> float:
        plain, penalised = judge._discriminator_loss(real.clone(), made_up.clone(), penalised=True)
        return float((penalised - plain).detach())

    assert penalty(lazy) == pytest.approx(4 * penalty(every), rel=1e-5)
    plain, total = lazy._discriminator_loss(real.clone(), made_up.clone(), penalised=False)
    assert total is plain
    assert (every.plan(3), every.plan(1)) == ((True, True, True), (True,))
    assert (lazy.plan(3), lazy.plan(3)) == ((True, False, False), (False, True, False))
    unpenalised = critic(dataclasses.replace(SETTINGS, loss="wasserstein-clipped"))
    assert unpenalised.plan(2) == (False, False)


def test_weight_clipping_bounds_the_weights() -> None:
    judge = critic(dataclasses.replace(SETTINGS, loss="wasserstein-clipped", penalty=0.02))
    judge.update(fake_rows(), 1e-2, penalised=False)
    assert max(float(p.detach().abs().max()) for p in judge.discriminator.parameters()) <= 0.02


def test_the_auxiliary_classifier_learns_the_target_from_the_rest_of_the_row() -> None:
    judge = critic(dataclasses.replace(SETTINGS, auxiliary_weight=1.0), target=2)
    fake = fake_rows().detach()
    real, codes = judge._real_features(fake.condition_mask)
    before = judge._classify(real, codes).item()
    for _ in range(150):
        judge.update(fake, 1e-2, penalised=True)
    assert judge._classify(real, codes).item() < 0.7 * before


def test_state_resumes_exactly() -> None:
    first, second, fake = critic(), critic(seed=9), fake_rows()
    first.update(fake, 1e-3, penalised=first.plan(1)[0])
    second.load_state({k: v.clone() for k, v in first.state().items()})
    assert (first.plan(1), second.plan(1)) == ((True,), (True,))
    assert torch.equal(first.update(fake, 1e-3, penalised=True), second.update(fake, 1e-3, penalised=True))
    for a, b in zip(first.discriminator.parameters(), second.discriminator.parameters(), strict=True):
        assert torch.equal(a, b)


def test_an_update_within_bfloat16_sees_the_weights_of_the_update_before() -> None:
    fake, judge = fake_rows().detach(), critic()
    with autocast("bfloat16", torch.device("cpu")):
        before = judge.discriminator(judge._real_features(fake.condition_mask)[0])
        judge.update(fake, 1.0, penalised=False)
        features = judge._real_features(fake.condition_mask)[0]
        within = judge.discriminator(features)
    with autocast("bfloat16", torch.device("cpu")):
        afresh = judge.discriminator(features)
    assert torch.equal(within, afresh)
    assert not torch.equal(within, before)

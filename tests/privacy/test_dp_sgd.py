"""The private critic. Its guarantees are checked by `tests.detectors`, which planted bugs are shown to fail."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from dp_accounting import NeighboringRelation, rdp
from opacus.accountants import RDPAccountant
from torch import Tensor, nn

from synthgan.config import DiscriminatorSettings, DpSgdSettings
from synthgan.critics.adversarial import EncodedRows, NeuralCritic
from synthgan.critics.marginal_door import ExactMarginals
from synthgan.errors import PrivacyError, SettingsError
from synthgan.networks.discriminator import Discriminator
from synthgan.networks.generator import Generator
from synthgan.privacy import dp_sgd
from synthgan.privacy.dp_sgd import FOUND_OUT, JOURNAL_BLOCK, PrivateCritic
from synthgan.privacy.dp_sgd_plan import CriticPlan, DpSgdPlan, calibrate, sampling_rate
from synthgan.privacy.entropy import system_generator, system_rng
from synthgan.privacy.poisson_units import PoissonUnits
from synthgan.training.conditions import ConditionSampler
from synthgan.training.critic_balance import Balance
from synthgan.training.loop import Trainer
from synthgan.training.monitor import Monitor
from tests.detectors import (
    check_clipping,
    check_fakes_know_no_rows,
    check_generator_loss_reads_no_rows,
    check_membership,
    check_membership_is_secret,
    check_noise,
)
from tests.private_critics import (
    BASE,
    CPU,
    NO_CLIP,
    PLAN,
    PRIVATE,
    SEPARABLE,
    TABLE,
    RecordedAccount,
    batch_of,
    clipped,
    descent,
    fake_half,
    fake_rows,
    fix_positions,
    gradient_of,
    make,
    person_gradient,
    real_half,
)

# ------------------------------------------------------------------------------------------------------------- the plan


def test_the_plan_costs_what_opacus_says_it_costs() -> None:
    plan = DpSgdPlan(sampling_rate=0.03, noise_multiplier=1.3, max_grad_norm=1.0, n_updates=700)
    ours = rdp.RdpAccountant(neighboring_relation=NeighboringRelation.ADD_OR_REMOVE_ONE)
    ours.compose(plan.event())
    opacus = RDPAccountant()
    opacus.history = [(plan.noise_multiplier, plan.sampling_rate, plan.n_updates)]
    assert ours.get_epsilon(1e-5) == pytest.approx(opacus.get_epsilon(1e-5), rel=0.01)


def fits_into(epsilon: float, order: float) -> Callable[[Any], bool]:
    def fits(event: Any) -> bool:
        account = rdp.RdpAccountant([order], NeighboringRelation.ADD_OR_REMOVE_ONE)
        return account.compose(event).get_epsilon(1e-5) <= epsilon

    return fits


@pytest.mark.parametrize(("epsilon", "order"), [(1.0, 20.0), (10.0, 3.5)])
def test_calibration_finds_the_least_noise_that_fits(epsilon: float, order: float) -> None:
    fits = fits_into(epsilon, order)
    plan = calibrate(fits, sampling_rate=0.05, max_grad_norm=0.3, n_updates=1000)
    assert (plan.sampling_rate, plan.max_grad_norm, plan.n_updates) == (0.05, 0.3, 1000)
    assert fits(plan.event())
    assert not fits(dataclasses.replace(plan, noise_multiplier=0.998 * plan.noise_multiplier).event())


def test_calibration_of_what_never_fits_is_refused() -> None:
    with pytest.raises(PrivacyError, match="do not fit into what is left of the privacy budget"):
        calibrate(lambda _: False, sampling_rate=0.1, max_grad_norm=1.0, n_updates=5)
    assert calibrate(lambda _: True, sampling_rate=0.1, max_grad_norm=1.0, n_updates=5).noise_multiplier == 0.1


@pytest.mark.parametrize(
    "wrong",
    [
        {"sampling_rate": 0.0},
        {"sampling_rate": 1.5},
        {"noise_multiplier": float("nan")},
        {"noise_multiplier": -1.0},
        {"max_grad_norm": float("inf")},
        {"n_updates": 0},
        {"n_updates": True},
    ],
)
def test_a_plan_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        dataclasses.replace(PLAN, **wrong)


def test_the_sampling_rate_follows_the_released_number_of_units() -> None:
    assert sampling_rate(50, 1000.0) == 0.05
    assert sampling_rate(50, 20.0) == sampling_rate(50, -3.0) == 1.0


def test_the_plan_is_reserved_once_and_before_any_row_is_read() -> None:
    with pytest.raises(PrivacyError, match="no"):
        make(account=RecordedAccount(refusal=PrivacyError("no")))
    account = RecordedAccount()
    judge = make(account=account)
    for _ in range(3):
        judge.update(fake_rows(), 1e-3, penalised=False)
    assert account.events == [PLAN.event()]


# --------------------------------------------------------------------------------------------------------- the gradient


@pytest.mark.parametrize("name", SEPARABLE)
@pytest.mark.parametrize("clip_fakes", [False, True])
def test_without_noise_and_clipping_an_update_is_the_plain_one(name: str, clip_fakes: bool) -> None:
    private = dataclasses.replace(PRIVATE, loss=name, clip_fakes=clip_fakes)
    judge, fake = make(private, sampling_rate=1.0, max_grad_norm=NO_CLIP), fake_rows()
    fix_positions(judge)
    features = judge._real_features(torch.arange(200)[:, None])
    made_up = judge._fake_features(fake.detach())
    loss = judge.loss.discriminator(judge.discriminator(features), judge.discriminator(made_up))
    expected = gradient_of(judge, loss)
    torch.testing.assert_close(descent(judge, fake), expected, rtol=1e-5, atol=2e-6)


def test_clipping_bounds_each_unit() -> None:
    check_clipping()


def test_a_person_is_clipped_as_a_whole() -> None:
    persons = np.array([0, 0, 1, 2, 2, 2] + [3] * 194)
    bound = 0.1
    judge = make(max_grad_norm=bound, units=persons, rows_per_unit=3)
    fix_positions(judge)
    batch_of(judge, 0, 1, 2)
    plain = [person_gradient(judge, rows) for rows in ([0, 1], [2], [3, 4, 5])]
    assert min(float(g.norm()) for g in plain) > bound
    total = real_half(judge) * judge._rows_per_batch
    torch.testing.assert_close(total, sum(clipped(g, bound) for g in plain), rtol=1e-3, atol=1e-6)
    one_by_one = sum(clipped(person_gradient(judge, [i]), bound) for i in range(6))
    assert float((total - one_by_one).norm()) > bound / 2


def test_of_a_person_at_most_k_rows_count_and_which_is_left_to_chance() -> None:
    persons = np.repeat(np.arange(40), 5)
    judges = [PoissonUnits(200, persons, rows_per_unit=2, sampling_rate=1.0) for _ in range(2)]
    kept = [units.draw() for units in judges]
    for rows in kept:
        assert rows.shape == (40, 2)
        assert (persons[rows] == persons[rows][:, :1]).all()
        assert (rows[:, 0] != rows[:, 1]).all()
    assert sorted(map(tuple, np.sort(kept[0], 1))) != sorted(map(tuple, np.sort(kept[1], 1)))
    everyone = PoissonUnits(5, np.array([7, 7, 2, 9, 9]), rows_per_unit=2, sampling_rate=1.0).draw()
    assert sorted(map(tuple, np.sort(everyone, 1).tolist())) == [(-1, 2), (0, 1), (3, 4)]


def test_units_that_do_not_fit_the_rows_are_refused() -> None:
    for wrong in (np.zeros(4, np.int64), np.array([0, -1, 2])):
        with pytest.raises(SettingsError, match="one index of at least 0 for each row"):
            PoissonUnits(3, wrong, sampling_rate=0.5)
    with pytest.raises(SettingsError, match="rows_per_unit"):
        PoissonUnits(3, np.arange(3), rows_per_unit=0, sampling_rate=0.5)


def test_noise_has_the_planned_deviation() -> None:
    check_noise()


@pytest.mark.parametrize("units", [None, np.arange(200) // 2], ids=["rows", "persons"])
def test_an_empty_batch_takes_a_noised_step(units: Any) -> None:
    judge, fake = make(noise_multiplier=1.0, units=units, rows_per_unit=2), fake_rows()
    batch_of(judge)
    before = [p.detach().clone() for p in judge.discriminator.parameters()]
    noise = descent(judge, fake) - fake_half(judge, fake)
    assert float(noise.std()) == pytest.approx(0.5 / 40, rel=0.2)
    del judge._optimizer.step
    judge.update(fake, 1e-3, penalised=False)
    assert all(not torch.equal(a, b) for a, b in zip(before, judge.discriminator.parameters(), strict=True))


def test_generated_rows_are_added_after_the_noise() -> None:
    judge, fake = make(max_grad_norm=1e-6), fake_rows()
    batch_of(judge)
    assert torch.equal(descent(judge, fake), fake_half(judge, fake))
    assert float(fake_half(judge, fake).norm()) > 1e-3  # and so were never clipped
    noisy = make(noise_multiplier=1.0, max_grad_norm=0.5)
    batch_of(noisy)
    draws = torch.stack([descent(noisy, fake) for _ in range(60)])
    torch.testing.assert_close(draws.mean(0), fake_half(noisy, fake), rtol=0, atol=6 * 0.5 / 40 / 60**0.5)


def test_the_number_of_rows_drawn_normalises_nothing() -> None:
    judge, fake = make(), fake_rows()
    fix_positions(judge)
    halves = []
    for batch in ([5], [9], [5, 9]):
        batch_of(judge, *batch)
        halves.append(real_half(judge))
    torch.testing.assert_close(halves[2], halves[0] + halves[1], rtol=1e-4, atol=1e-7)
    batch_of(judge, 5)
    alone = fake_half(judge, fake)
    batch_of(judge, *range(50))
    assert torch.equal(fake_half(judge, fake), alone)
    wider = make(n_rows=400.0)
    wider.discriminator.load_state_dict(judge.discriminator.state_dict())
    fix_positions(wider)
    batch_of(wider, 5)
    torch.testing.assert_close(2 * real_half(wider), halves[0])


def test_generated_rows_may_be_clipped_to_the_same_norm() -> None:
    judge, fake = make(dataclasses.replace(PRIVATE, clip_fakes=True), max_grad_norm=0.05), fake_rows()
    assert judge.loss.halves is not None
    features = judge._fake_features(fake.detach())
    each = [gradient_of(judge, judge.loss.halves[1](judge.discriminator(row[None])).sum()) for row in features]
    expected = sum(clipped(g, 0.05) for g in each) / 32
    torch.testing.assert_close(fake_half(judge, fake), expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("clip_fakes", [False, True])
def test_r2_is_the_squared_gradient_at_generated_rows(clip_fakes: bool) -> None:
    private = dataclasses.replace(PRIVATE, r2_weight=0.7, clip_fakes=clip_fakes)
    judge, fake = make(private), fake_rows()
    inputs = judge._fake_features(fake.detach()).requires_grad_(True)
    (slope,) = torch.autograd.grad(judge.discriminator(inputs).sum(), inputs, create_graph=True)
    loss = 0.7 / 2 * slope.square().sum() / 32
    last_bias = judge.discriminator.score.bias.numel()
    expected = gradient_of(judge, loss + 0 * sum(p.sum() for p in judge.discriminator.parameters()))
    assert float(expected[-last_bias:].abs().max()) == 0
    difference = fake_half(judge, fake, penalised=True) - fake_half(judge, fake)
    torch.testing.assert_close(difference, expected, rtol=1e-3, atol=1e-6)
    assert make(private).plan(1) != () and all(make(private).plan(1))
    assert not any(make().plan(1))


def test_weight_clipping_bounds_the_weights() -> None:
    judge = make(dataclasses.replace(PRIVATE, loss="wasserstein-clipped"), noise_multiplier=5.0)
    judge.update(fake_rows(), 1.0, penalised=False)
    assert max(float(p.detach().abs().max()) for p in judge.discriminator.parameters()) <= 0.03


@pytest.mark.parametrize("clip_fakes", [False, True])
def test_bfloat16_around_an_update_changes_nothing_in_it(clip_fakes: bool) -> None:
    judge, fake = make(dataclasses.replace(PRIVATE, clip_fakes=clip_fakes)), fake_rows()
    fix_positions(judge)
    batch_of(judge, 1, 2, 3)
    plain = descent(judge, fake)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(descent(judge, fake), plain)


def test_batches_are_drawn_as_the_accountant_assumes() -> None:
    check_membership()


def test_generated_rows_know_no_real_ones() -> None:
    check_fakes_know_no_rows()


def test_a_condition_reaches_the_critic_through_the_row_alone() -> None:
    judge, fake = make(), fake_rows()
    told = dataclasses.replace(fake, condition_mask=torch.ones(32, 3))
    assert torch.equal(fake_half(judge, told), fake_half(judge, fake))
    assert torch.equal(judge.generator_loss(told), judge.generator_loss(fake))


def test_the_generator_is_told_nothing_of_real_rows() -> None:
    check_generator_loss_reads_no_rows()


def test_the_loss_that_an_update_returns_is_that_of_generated_rows() -> None:
    judge, fake = make(), fake_rows()
    assert judge.loss.halves is not None
    expected = 2 * judge.loss.halves[1](judge.discriminator(judge._fake_features(fake))).mean()
    assert judge.update(fake, 1e-3, penalised=False).item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("name", SEPARABLE)
def test_without_noise_the_critic_learns_to_tell_rows_apart(name: str) -> None:
    # With generated rows unclipped, a loss without a bottom would weigh them above the real ones and run away.
    private = dataclasses.replace(PRIVATE, loss=name, learning_rate=1e-2, clip_fakes=True)
    judge, fake = make(private, sampling_rate=0.5, n_updates=200), fake_rows()
    for _ in range(100):
        judge.update(fake, BASE.learning_rate, penalised=False)
    real = judge.discriminator(judge._real_features(torch.arange(200)[:, None]))
    assert real.mean() > judge.discriminator(judge._fake_features(fake)).mean() + 1e-3


def test_generator_loss_reaches_the_rows_and_not_the_discriminator() -> None:
    judge, fake = make(), fake_rows()
    fake.one_hot.retain_grad()
    judge.generator_loss(fake).backward()
    assert fake.one_hot.grad is not None
    assert fake.one_hot.grad.abs().sum() > 0
    assert all(p.grad is None and p.requires_grad for p in judge.discriminator.parameters())


def test_the_step_follows_the_schedule_at_its_own_peak() -> None:
    judge = make(dataclasses.replace(PRIVATE, learning_rate=0.004))
    judge.update(fake_rows(), torch.tensor(BASE.learning_rate / 2, dtype=torch.float64), penalised=False)
    assert float(judge._optimizer.param_groups[0]["lr"]) == pytest.approx(0.002)


# --------------------------------------------------------------------------------------------------- counting, resuming


def test_updates_are_spread_over_the_steps_and_end_with_the_plan() -> None:
    judge, fake = make(n_updates=100), fake_rows()
    taken = []
    for _ in range(50):
        coming = judge.plan(1)
        taken.append(len(coming))
        for penalised in coming:
            judge.update(fake, 1e-3, penalised=penalised)
    assert sum(taken) == 100
    assert set(taken[:40]) <= {2, 3}
    assert taken[40:] == [0] * 10
    with pytest.raises(PrivacyError, match="100 updates that were agreed with the ledger"):
        judge.update(fake, 1e-3, penalised=False)


@pytest.mark.parametrize(("share", "first"), [(0.0, 6), (sum(FOUND_OUT) / 2, 3), (1.0, 1)])
def test_the_ratio_follows_the_share_of_generated_rows_found_out(share: float, first: int) -> None:
    judge = make(n_updates=120)
    judge._found_out.fill_(share)
    assert len(judge.plan(1)) == first


def test_the_share_found_out_is_that_of_generated_rows() -> None:
    judge, fake = make(), fake_rows()
    with torch.no_grad():
        judge.discriminator.score.bias.fill_(-100.0)
    for _ in range(60):
        judge.generator_loss(fake)
    assert float(judge._found_out) > 0.99


def test_state_resumes_without_random_state_and_with_fresh_noise() -> None:
    fake = fake_rows()
    first = make(noise_multiplier=1.0)
    for penalised in first.plan(1):
        first.update(fake, 1e-3, penalised=penalised)
    state = {k: v.clone() for k, v in first.state().items()}
    assert all(isinstance(v, Tensor) for v in state.values())
    assert max(v.numel() for k, v in state.items() if not k.startswith(("weights.", "optimizer."))) == 1
    resumed = [make(noise_multiplier=1.0, seed=5) for _ in range(2)]
    for judge in resumed:
        judge.load_state(state)
        assert judge._n_updates == first._n_updates > 0
        batch_of(judge)
    weights = [w.discriminator.state_dict() for w in (first, *resumed)]
    assert all(torch.equal(weights[0][k], other[k]) for other in weights[1:] for k in weights[0])
    noise = [real_half(judge) for judge in resumed]
    assert abs(float(torch.corrcoef(torch.stack(noise))[0, 1])) < 0.3


def test_what_was_journalled_before_a_kill_stays_counted() -> None:
    account = RecordedAccount()
    first, fake = make(account=account), fake_rows()
    state = {k: v.clone() for k, v in first.state().items()}
    for _ in range(3):
        first.update(fake, 1e-3, penalised=False)
    assert account.figures == [JOURNAL_BLOCK]
    again = make(account=account)
    again.load_state(state)
    for _ in range(100 - JOURNAL_BLOCK):
        again.update(fake, 1e-3, penalised=False)
    assert account.figures == [JOURNAL_BLOCK, 100]
    with pytest.raises(PrivacyError, match="agreed with the ledger"):
        again.update(fake, 1e-3, penalised=False)


def test_the_loop_cannot_tell_it_from_the_exact_critic() -> None:
    base = dataclasses.replace(BASE, condition_fraction=0.25, evaluate_every=20)
    settings = PRIVATE.training(base)
    initial = torch.Generator().manual_seed(0)
    generator, averaged = (Generator(TABLE.layout, settings.generator, initial, conditional=True) for _ in range(2))
    judge: NeuralCritic = make(noise_multiplier=0.5, n_updates=60)
    shares = ExactMarginals(torch.from_numpy(TABLE.codes), TABLE.layout).pairs()
    conditions = ConditionSampler(generator.axis, generator.marginal, 32, 0.25, torch.Generator().manual_seed(1))
    trainer = Trainer(
        generator=generator,
        averaged=averaged,
        marginal=None,
        positions=None,
        neural=judge,
        balance=Balance(settings.marginal_weight, settings.warmup_steps, torch.device("cpu")),
        conditions=conditions,
        settings=settings,
        rng=torch.Generator().manual_seed(2),
        monitor=Monitor(shares, generator.axis),
    )
    assert trainer.run() == "steps"
    assert 45 <= int(trainer.state()[0]["neural.n_updates"]) <= 60
    assert trainer.history[-1]["step"] == 40


# ------------------------------------------------------------------------------------------------------------- refusals

REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("the relativistic loss pairs real rows", {"loss": "relativistic"}),
    ("R1, the penalty of the hinge loss, reads real rows", {"loss": "hinge", "penalty": None}),
    ("R1, the penalty of the non-saturating loss", {"loss": "non-saturating", "penalty": 0.1}),
    ("the interpolated penalty, the penalty of the wasserstein loss", {"loss": "wasserstein", "penalty": None}),
    ("packing judges several", {"discriminator": DiscriminatorSettings(packing=2)}),
    ("spectral_norm keeps state", {"discriminator": DiscriminatorSettings(spectral_norm=True)}),
    ("the auxiliary classifier reads", {"auxiliary_weight": 0.1}),
    ("the twin classifiers read", {"twin_weight": 0.5}),
]


@pytest.mark.parametrize(("text", "change"), REFUSED, ids=[text[:20] for text, _ in REFUSED])
def test_what_cannot_be_private_is_refused_by_name(text: str, change: dict[str, Any]) -> None:
    settings = dataclasses.replace(PRIVATE.training(BASE), **change)
    private = dataclasses.replace(PRIVATE, loss=settings.loss)
    rows = EncodedRows(torch.from_numpy(TABLE.codes), torch.from_numpy(TABLE.positions))
    plan, account = CriticPlan(dp_sgd=PLAN, settings=private, n_rows=200.0), RecordedAccount()
    with pytest.raises(PrivacyError, match=text):
        PrivateCritic(rows, TABLE.layout, settings, plan, account, initial=torch.Generator())
    assert not account.events


def test_settings_of_a_private_fit_are_the_given_ones_without_what_cannot_be_private() -> None:
    for name in SEPARABLE:
        private = dataclasses.replace(PRIVATE, loss=name)
        dp_sgd.refuse_what_cannot_be_private(private.training(BASE), private, CPU)
    with pytest.raises(PrivacyError, match="relativistic"):
        make(dataclasses.replace(PRIVATE, loss="relativistic"))
    with pytest.raises(SettingsError, match="loss differs"):
        dp_sgd.refuse_what_cannot_be_private(PRIVATE.training(BASE), dataclasses.replace(PRIVATE, loss="hinge"), CPU)


def test_settings_of_a_fit_by_the_private_critic_alone() -> None:
    settings = DpSgdSettings(n_updates=500).alone(BASE)
    dp_sgd.refuse_what_cannot_be_private(settings, DpSgdSettings(), CPU)
    assert (settings.n_steps, settings.marginal_weight) == (100, 1.5)
    assert DpSgdSettings(n_updates=1).alone(BASE).n_steps == 1
    assert DpSgdSettings(n_updates=200_000).alone(BASE).n_steps == 200_000, "never less than an update per step"


def test_a_larger_budget_buys_more_and_smaller_updates() -> None:
    assert DpSgdSettings.at(0.1) == DpSgdSettings.at(1.0) == DpSgdSettings()
    rich = DpSgdSettings.at(9.0)
    assert (rich.n_updates, rich.expected_batch_size) == (3000, 591)
    assert rich.learning_rate == pytest.approx(6e-3 / 3**0.5)
    alone = rich.alone(BASE)
    assert (alone.n_steps, alone.marginal_weight) == (1000, 0.5)
    assert alone.learning_rate == pytest.approx(3e-3 / 3**0.5)
    assert DpSgdSettings.at(1e6).n_updates == DpSgdSettings.MOST_UPDATES


@pytest.mark.parametrize(
    "wrong",
    [
        {"expected_batch_size": 0},
        {"max_grad_norm": float("nan")},
        {"learning_rate": -1.0},
        {"r2_weight": -0.1},
        {"loss": "cross"},
        {"updates_per_step": (3, 2)},
        {"updates_per_step": (0, 0)},
        {"updates_per_step": (0.5, 2)},
        {"updates_per_step": (1,)},
        {"updates_per_step": 4},
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        DpSgdSettings(**wrong)


def test_capture_on_a_gpu_is_refused() -> None:
    recorded = dataclasses.replace(PRIVATE.training(BASE), capture="auto")
    dp_sgd.refuse_what_cannot_be_private(recorded, PRIVATE, CPU)
    with pytest.raises(SettingsError, match="set capture to 'off'"):
        dp_sgd.refuse_what_cannot_be_private(recorded, PRIVATE, torch.device("cuda"))


def test_batch_norm_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    class Normalised(Discriminator):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.norm = nn.BatchNorm1d(4)

    monkeypatch.setattr(dp_sgd, "Discriminator", Normalised)
    with pytest.raises(PrivacyError, match="BatchNorm1d"):
        make()


@pytest.mark.parametrize("n_rows", [0.0, -3.0, float("nan"), float("inf")])
def test_an_impossible_number_of_rows_is_refused(n_rows: float) -> None:
    with pytest.raises(SettingsError, match="n_rows"):
        make(n_rows=n_rows)


# -------------------------------------------------------------------------------------------------------------- entropy


def test_random_sources_start_from_the_operating_system(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (torch.randn(10_000, generator=system_generator(CPU)) for _ in range(2))
    assert not torch.equal(one, two)
    assert abs(float(one.mean())) < 0.06
    assert abs(float(one.std()) - 1) < 0.05
    assert not np.array_equal(system_rng().random(5), system_rng().random(5))
    monkeypatch.setattr("os.urandom", lambda n: bytes(range(256)) * (n // 256) + bytes(n % 256))
    assert torch.equal(*(torch.randn(9, generator=system_generator(CPU)) for _ in range(2)))
    assert np.array_equal(system_rng().random(5), system_rng().random(5))


def test_more_than_32_bits_of_entropy_reach_the_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    words = bytearray(4 * 624)
    monkeypatch.setattr("os.urandom", lambda n: bytes(words[:n]))
    words[:8] = b"synthgan"
    plain = torch.randn(1000, generator=system_generator(CPU))
    words[2000] = 1  # far behind the first 32 bits
    assert not torch.equal(torch.randn(1000, generator=system_generator(CPU)), plain)


def test_public_seeds_do_not_fix_noise_or_membership() -> None:
    check_membership_is_secret()

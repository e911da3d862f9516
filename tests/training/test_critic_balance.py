"""The balance of the critics: measured by gradients, averaged geometrically, and never falling."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from synthgan.config import DiscriminatorSettings, GeneratorSettings, TrainingSettings
from synthgan.training import critic_balance as balance_module
from synthgan.training.critic_balance import INTERVAL, LEAST_WEIGHT, MEMORY, MOST_WEIGHT, Balance
from tests.small_tables import small_table
from tests.trainers import build_trainer

CPU = torch.device("cpu")


def measured(*slopes: tuple[float, float]) -> Balance:
    """A balance that saw losses whose gradients have these lengths, the neural critic's first."""
    balance = Balance(None, 0, CPU)
    weights = [torch.ones(2, requires_grad=True), torch.ones(1, requires_grad=True)]
    for neural, marginal in slopes:
        # Along the first parameter, and along the second: lengths count, not directions.
        balance.measure(neural * weights[0][1], marginal * weights[1].sum(), weights)
    return balance


def test_the_weight_makes_both_gradients_equally_long() -> None:
    assert measured((6.0, 2.0)).weight.item() == pytest.approx(3.0)


def test_the_length_is_that_over_all_parameters() -> None:
    balance = Balance(None, 0, CPU)
    first, second = torch.ones(2, requires_grad=True), torch.ones(1, requires_grad=True)
    neural = 2 * first[0] + 3 * first[1] + 6 * second.sum()  # 4 + 9 + 36 = 49
    balance.measure(neural, 2 * first[0], [first, second])
    assert balance.weight.item() == pytest.approx(3.5)


def test_measurements_have_a_geometric_mean() -> None:
    assert measured((3.0, 1.0), (9.0, 1.0), (3.0, 1.0), (9.0, 1.0)).weight.item() == pytest.approx(27**0.5)


def test_old_measurements_fade() -> None:
    weight = measured(*[(4.0, 1.0)] * MEMORY, (8.0, 1.0)).weight.item()
    assert weight == pytest.approx(4 * 2 ** (1 / MEMORY))


def test_the_weight_rises_and_never_falls() -> None:
    high = [(4.0, 1.0)] * (MEMORY + 1)
    assert measured(*high, *[(2.5, 1.0)] * MEMORY).weight.item() == pytest.approx(4.0)
    assert measured(*high, *[(6.0, 1.0)] * 20 * MEMORY).weight.item() == pytest.approx(6.0, rel=1e-4)


def test_one_early_measurement_does_not_set_the_weight_for_good() -> None:
    weight = measured((9.0, 1.0), *[(3.0, 1.0)] * (MEMORY - 1)).weight.item()
    assert weight == pytest.approx(3 * 3 ** (1 / MEMORY))


def test_the_weight_stays_within_limits_where_a_gradient_vanishes() -> None:
    assert measured((1.0, 0.0)).weight.item() == pytest.approx(MOST_WEIGHT)
    assert measured((0.0, 1.0)).weight.item() == pytest.approx(LEAST_WEIGHT)


def test_it_is_measured_now_and_then_once_the_networks_have_learned_something() -> None:
    balance = Balance(None, 2 * INTERVAL, CPU)
    assert balance.weight.item() == LEAST_WEIGHT
    due = [step for step in range(6 * INTERVAL) if balance.is_due(step)]
    assert due == [2 * INTERVAL, 3 * INTERVAL, 4 * INTERVAL, 5 * INTERVAL]


@pytest.mark.parametrize("n_turns", [1, 2, 3, 4, 6, 8, 12])
def test_where_pairs_take_turns_all_turns_are_measured(n_turns: int) -> None:
    balance = Balance(None, 0, CPU, n_turns=n_turns)
    due = [step for step in range(INTERVAL**2 * n_turns * n_turns) if balance.is_due(step)]
    assert {step % n_turns for step in due} == set(range(n_turns))
    assert len(due) == INTERVAL * n_turns * n_turns


def test_a_given_weight_is_kept() -> None:
    balance = Balance(0.7, 0, CPU)
    assert not balance.is_due(0)
    assert balance.weight.item() == pytest.approx(0.7)


def test_it_goes_on_from_its_state() -> None:
    first = measured((3.0, 1.0), (5.0, 1.0))
    second = Balance(None, 0, CPU)
    places = {name: tensor.data_ptr() for name, tensor in second.state().items()}
    second.load_state({name: tensor.clone() for name, tensor in first.state().items()})
    assert second.state() == first.state()
    assert {name: tensor.data_ptr() for name, tensor in second.state().items()} == places


@pytest.mark.parametrize("adversarial_weight", [1.0, 0.5])
def test_in_a_fit_the_marginal_critic_pulls_as_hard_as_the_neural_one(
    adversarial_weight: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(balance_module, "LEAST_WEIGHT", 0.001)
    run = build_trainer(
        small_table(500),
        TrainingSettings(
            n_steps=1,
            batch_size=32,
            warmup_steps=0,
            adversarial_weight=adversarial_weight,
            precision="float32",
            generator=GeneratorSettings(width=16, n_blocks=1, latent_dim=4),
            discriminator=DiscriminatorSettings(width=16, n_blocks=1),
        ),
        CPU,
        0,
    )
    assert run.neural is not None
    assert run.marginal is not None
    losses: dict[str, Tensor] = {}
    generator_loss, marginal_loss = run.neural.generator_loss, run.marginal.loss
    lengths: list[float] = []

    def neural(rows: object) -> Tensor:
        losses["neural"] = generator_loss(rows)  # type: ignore[arg-type]
        return losses["neural"]

    def marginal(probabilities: Tensor, turn: int) -> tuple[Tensor, Tensor]:
        loss, error = marginal_loss(probabilities, turn)
        # The head of positions has no part in the comparison: marginals of codes do not see it.
        shared = [p for name, p in run.generator.named_parameters() if not name.startswith("position_head.")]
        for each in (losses["neural"], loss):
            gradients = torch.autograd.grad(each, shared, retain_graph=True, materialize_grads=True)
            lengths.append(torch.cat([gradient.flatten() for gradient in gradients]).norm().item())
        return loss, error

    monkeypatch.setattr(run.neural, "generator_loss", neural)
    monkeypatch.setattr(run.marginal, "loss", marginal)
    run.run()
    assert run.balance.weight.item() == pytest.approx(adversarial_weight * lengths[0] / lengths[1], rel=1e-4)

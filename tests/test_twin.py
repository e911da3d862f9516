"""Twin classifiers of the small layout's colour (three levels), told by its flag."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from synthgan.config import DiscriminatorSettings, TrainingSettings
from synthgan.critics.twin import TwinClassifiers
from synthgan.networks.discriminator import Discriminator
from tests.small_tables import small_layout

LAYOUT = small_layout()
COLOUR = 2
DISCRIMINATOR = Discriminator(LAYOUT, DiscriminatorSettings(width=8), torch.Generator().manual_seed(0))


def twins(seed: int = 0) -> TwinClassifiers:
    return TwinClassifiers(
        DISCRIMINATOR.column_of_feature,
        LAYOUT,
        COLOUR,
        TrainingSettings(),
        initial=torch.Generator().manual_seed(seed),
        rng=torch.Generator().manual_seed(seed),
    )


def features(codes: Tensor) -> Tensor:
    one_hot = DISCRIMINATOR.axis.one_hot(codes)
    return DISCRIMINATOR.features(one_hot, torch.full((len(codes), 1), 0.5), torch.zeros(len(codes), 3))


def rows(n: int, *, follows: bool, seed: int) -> Tensor:
    """Flag at random; colour equal to it, or a coin of its own."""
    rng = torch.Generator().manual_seed(seed)
    flag, coin = (torch.randint(2, (n,), generator=rng) for _ in range(2))
    return torch.stack([flag, torch.randint(3, (n,), generator=rng), flag if follows else coin], 1)


def taught(steps: int = 150) -> TwinClassifiers:
    """Twins that have seen real colours follow the flag, and generated ones toss a coin."""
    pair = twins()
    for step in range(steps):
        real, generated = rows(200, follows=True, seed=2 * step), rows(200, follows=False, seed=2 * step + 1)
        pair.update(features(real), real, features(generated), generated, 2e-3)
    return pair


def test_the_loss_is_the_divergence_of_a_coin_from_a_rule() -> None:
    pair = taught()
    right, wrong = rows(2000, follows=True, seed=10_000), rows(2000, follows=True, seed=10_000)
    wrong[:, COLOUR] = 1 - wrong[:, COLOUR]
    # The coin gives either colour log 1/2; the rule gives the right one nearly log 1 and the wrong one far less.
    assert pair.generator_loss(features(right)).item() == pytest.approx(-0.69, abs=0.15)
    assert pair.generator_loss(features(wrong)).item() > 1


def test_gradients_ask_for_the_colour_that_the_rule_wants() -> None:
    pair = taught()
    drawn = features(torch.tensor([[0, 0, 1], [1, 0, 0]])).requires_grad_()
    pair.generator_loss(drawn).backward()
    assert drawn.grad is not None
    colour = drawn.grad[:, LAYOUT.spans[COLOUR].start : LAYOUT.spans[COLOUR].stop]
    assert colour[0, 0] < colour[0, 1]
    assert colour[1, 1] < colour[1, 0]


def test_the_target_is_hidden_from_its_classifiers() -> None:
    pair = taught(steps=5)
    seen = features(rows(50, follows=True, seed=0))
    other = features(rows(50, follows=True, seed=0))
    start, stop = LAYOUT.spans[COLOUR].start, LAYOUT.spans[COLOUR].stop
    other[:, start:stop] = other[:, start:stop].roll(1, 1)
    for network in pair._networks.values():
        assert torch.equal(network(seen * pair._visible), network(other * pair._visible))


def test_learning_goes_on_exactly_from_a_saved_state() -> None:
    pair, again = taught(steps=5), twins(seed=1)
    again.load_state({name: tensor.clone() for name, tensor in pair.state().items()})
    again._rng.set_state(pair._rng.get_state())
    real, generated = rows(50, follows=True, seed=0), rows(50, follows=False, seed=1)
    for each in (pair, again):
        each.update(features(real), real, features(generated), generated, 2e-3)
    assert pair.generator_loss(features(generated)) == again.generator_loss(features(generated))

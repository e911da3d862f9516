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


def coded_rows(codes: Tensor, positions: Tensor) -> Tensor:
    one_hot = DISCRIMINATOR.axis.one_hot(codes)
    return DISCRIMINATOR.features(one_hot, positions, torch.zeros(len(codes), 3))


def test_the_target_is_hidden_while_the_loss_is_taken() -> None:
    """The loss is the drawn target times what the rest of the row makes of it, so it is linear in the target."""
    pair = taught(steps=5)
    start, stop = LAYOUT.spans[COLOUR].start, LAYOUT.spans[COLOUR].stop
    first, second = features(torch.tensor([[0, 1, 0]])), features(torch.tensor([[0, 1, 1]]))
    half = first.lerp(second, 0.5)
    assert not torch.equal(first[:, start:stop], second[:, start:stop])
    ends = (pair.generator_loss(first) + pair.generator_loss(second)) / 2
    assert pair.generator_loss(half).item() == pytest.approx(ends.item(), abs=1e-6)


def test_the_target_is_hidden_while_learning() -> None:
    """Colours that only their own column tells: a classifier that saw it would be right on every row it learned."""
    pair = twins()
    for step in range(150):
        codes = rows(500, follows=False, seed=step)
        pair.update(features(codes), codes, features(codes), codes, 2e-3)
    codes = rows(2000, follows=False, seed=9999)
    with torch.no_grad():
        guess = pair._real(features(codes)).argmax(1)
    assert (guess == codes[:, COLOUR]).float().mean().item() < 0.6


def test_what_a_target_of_numbers_tells_is_hidden_too() -> None:
    """A number's code also enters as a position, a value and waves of its rank: each must be hidden from the twins."""
    number = int(LAYOUT.positioned_columns[0])
    pair = TwinClassifiers(
        DISCRIMINATOR.column_of_feature,
        LAYOUT,
        number,
        TrainingSettings(),
        initial=torch.Generator().manual_seed(0),
        rng=torch.Generator().manual_seed(0),
    )
    seen = coded_rows(torch.tensor([[0, 0, 0], [0, 2, 0]]), torch.tensor([[0.1], [0.9]])).requires_grad_()
    pair.generator_loss(seen).backward()
    assert seen.grad is not None
    owner = DISCRIMINATOR.column_of_feature
    told = owner == number
    told[LAYOUT.spans[number].start : LAYOUT.spans[number].stop] = False  # the drawn level, which is weighed
    assert told.any()
    assert not seen.grad[:, told].any()
    assert seen.grad[:, owner != number].any()


def test_learning_goes_on_exactly_from_a_saved_state() -> None:
    pair, again = taught(steps=5), twins(seed=1)
    again.load_state({name: tensor.clone() for name, tensor in pair.state().items()})
    again._rng.set_state(pair._rng.get_state())
    real, generated = rows(50, follows=True, seed=0), rows(50, follows=False, seed=1)
    for each in (pair, again):
        each.update(features(real), real, features(generated), generated, 2e-3)
    assert pair.generator_loss(features(generated)) == again.generator_loss(features(generated))

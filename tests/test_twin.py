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


def coded_rows(codes: Tensor, positions: Tensor) -> Tensor:
    one_hot = DISCRIMINATOR.axis.one_hot(codes)
    return DISCRIMINATOR.features(one_hot, positions, torch.zeros(len(codes), 3))


def teach(pair: TwinClassifiers, real: Tensor, *, time_limit: float | None = None) -> None:
    positions = torch.full((len(real), 1), 128, dtype=torch.uint8)
    pair.teach(real.to(torch.uint8), positions, coded_rows, time_limit=time_limit)


def taught(steps: int = 150, *, n_real: int = 2000) -> TwinClassifiers:
    """Twins of which one was taught that colours follow the flag, and one saw generated colours toss a coin."""
    pair = twins()
    teach(pair, rows(n_real, follows=True, seed=0))
    for step in range(steps):
        generated = rows(200, follows=False, seed=step + 1)
        pair.update(features(generated), generated, 2e-3)
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
    """The loss is the drawn target times what the rest of the row makes of it, so it is linear in the target."""
    pair = taught(steps=5)
    start, stop = LAYOUT.spans[COLOUR].start, LAYOUT.spans[COLOUR].stop
    first, second = features(torch.tensor([[0, 1, 0]])), features(torch.tensor([[0, 1, 1]]))
    half = first.lerp(second, 0.5)
    assert not torch.equal(first[:, start:stop], second[:, start:stop])
    ends = (pair.generator_loss(first) + pair.generator_loss(second)) / 2
    assert pair.generator_loss(half).item() == pytest.approx(ends.item(), abs=1e-6)


def test_what_a_target_of_numbers_tells_is_hidden_too() -> None:
    """A number's code also enters as a position, a value and waves of its rank: each must be hidden from the twins."""
    number = LAYOUT.positioned_columns[0]
    pair = TwinClassifiers(
        DISCRIMINATOR.column_of_feature,
        LAYOUT,
        int(number),
        TrainingSettings(),
        initial=torch.Generator().manual_seed(0),
        rng=torch.Generator().manual_seed(0),
    )
    codes = torch.tensor([[0, 0, 0], [0, 2, 0]])
    at_edge = coded_rows(codes, torch.tensor([[0.1], [0.9]]))
    at_edge.requires_grad_()
    pair.generator_loss(at_edge).backward()
    assert at_edge.grad is not None
    of_target = DISCRIMINATOR.column_of_feature == number
    of_target[LAYOUT.spans[number].start : LAYOUT.spans[number].stop] = False  # the drawn level, which is weighed
    assert of_target.any()
    assert not at_edge.grad[:, of_target].any()
    assert at_edge.grad[:, DISCRIMINATOR.column_of_feature != number].any()


def test_the_real_law_stays_as_it_was_taught() -> None:
    pair = taught(steps=0)
    before = {name: weight.clone() for name, weight in pair._real.state_dict().items()}
    generated = rows(200, follows=False, seed=1)
    pair.update(features(generated), generated, 2e-3)
    assert all(torch.equal(weight, before[name]) for name, weight in pair._real.state_dict().items())


def test_few_rows_are_not_learned_by_heart() -> None:
    """Colours that nothing foretells: whoever is sure of them has memorised the rows."""
    pair = twins()
    real = rows(120, follows=False, seed=0)
    teach(pair, real)
    with torch.no_grad():
        p = pair._real(features(real) * pair._visible).softmax(1)
    assert p[:, :2].max().item() < 0.85


def test_a_time_limit_shortens_the_lessons() -> None:
    unhurried, hurried = twins(), twins()
    real = rows(3000, follows=True, seed=0)
    teach(unhurried, real)
    teach(hurried, real, time_limit=0.3)  # three steps
    losses = [pair.generator_loss(features(rows(500, follows=True, seed=1))).item() for pair in (unhurried, hurried)]
    assert losses[0] < losses[1] - 0.1


def test_learning_goes_on_exactly_from_a_saved_state() -> None:
    pair, again = taught(steps=5), twins(seed=1)
    again.load_state({name: tensor.clone() for name, tensor in pair.state().items()})
    assert again.taught
    again._rng.set_state(pair._rng.get_state())
    generated = rows(50, follows=False, seed=1)
    for each in (pair, again):
        each.update(features(generated), generated, 2e-3)
    assert pair.generator_loss(features(generated)) == again.generator_loss(features(generated))

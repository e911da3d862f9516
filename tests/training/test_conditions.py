from __future__ import annotations

import torch

from synthgan.networks.layers import LevelAxis
from synthgan.training.conditions import ConditionSampler
from tests.small_tables import small_layout

AXIS = LevelAxis(small_layout())
MARGINAL = torch.from_numpy(small_layout().marginal)


def sampler(n_rows: int = 400, fraction: float = 0.5) -> ConditionSampler:
    return ConditionSampler(AXIS, MARGINAL, n_rows, fraction, torch.Generator().manual_seed(0))


def codes(n_rows: int = 400) -> torch.Tensor:
    rng = torch.Generator().manual_seed(1)
    return torch.stack([torch.randint(size, (n_rows,), generator=rng) for size in AXIS.sizes], 1)


def test_nothing_is_conditioned_before_a_row_was_generated_or_at_fraction_zero() -> None:
    fresh = sampler()
    assert fresh.draw()[0] is None
    assert fresh.n_drawn == 0
    never = sampler(fraction=0)
    never.remember(codes())
    assert never.draw()[0] is None


def test_conditions_hold_for_the_rows_they_come_from() -> None:
    source = sampler()
    source.remember(codes())
    condition, mask = source.draw()
    assert condition is not None
    own = AXIS.one_hot(source.codes)
    conditioned = mask[: source.n_drawn]
    met = torch.stack([part.sum(1) for part in (condition[: source.n_drawn] * own > 0).float().split(AXIS.sizes, 1)], 1)
    assert torch.equal(met, conditioned), "every conditioned column allows the row's own level"
    assert (condition[source.n_drawn :] == 0).all()
    assert 0 < conditioned.mean() < 1
    sums = torch.stack([part.sum(1) for part in condition[: source.n_drawn].split(AXIS.sizes, 1)], 1)
    torch.testing.assert_close(sums, conditioned)


def test_loss_is_zero_when_the_condition_is_met_for_sure() -> None:
    source = sampler()
    source.remember(codes())
    source.draw()
    probabilities = torch.cat([AXIS.one_hot(source.codes), AXIS.one_hot(codes(200))])
    assert source.loss(probabilities).item() == 0
    assert source.loss(torch.full((400, 8), 1e-3)).item() > 1


def test_state_resumes_exactly() -> None:
    first, second = sampler(), sampler()
    first.remember(codes())
    first.draw()
    second.load_state(first.state())
    a, b = first.draw()[0], second.draw()[0]
    assert a is not None
    assert b is not None
    assert torch.equal(a, b)

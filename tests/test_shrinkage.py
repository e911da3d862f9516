"""Shrinkage by hand, on two columns of two levels and 100 rows."""

from __future__ import annotations

import pytest
import torch

from synthgan.critics.marginal_door import ExactMarginals, GramTarget
from synthgan.critics.shrinkage import shrunk
from synthgan.networks.layers import LevelAxis
from tests.small_tables import small_layout, small_table

AXIS = LevelAxis(small_layout())


def marginals(n_rows: int) -> GramTarget:
    return ExactMarginals(torch.from_numpy(small_table(n_rows).codes), small_layout()).pairs()


def block(target: GramTarget, a: slice, b: slice) -> torch.Tensor:
    return target.share[a, b]


FLAG, AMOUNT, COLOUR = slice(0, 2), slice(2, 5), slice(5, 8)


def test_the_part_that_moves_is_noise_over_distance() -> None:
    whole = marginals(400)
    one_way = whole.share.diagonal()
    pair, product = block(whole, FLAG, COLOUR), torch.outer(one_way[FLAG], one_way[COLOUR])
    noise = (pair * (1 - pair) / 400).sum()
    part = noise / (pair - product).square().sum()
    assert 0 < part < 0.5, "the colour follows the flag"
    expected = (1 - part) * pair + part * product
    torch.testing.assert_close(block(shrunk(whole, AXIS, 1.0), FLAG, COLOUR), expected, atol=1e-6, rtol=1e-5)


def test_enough_shrinkage_leaves_independent_columns_with_the_same_shares() -> None:
    whole = marginals(400)
    most = shrunk(whole, AXIS, 1e6)
    one_way = whole.share.diagonal()
    torch.testing.assert_close(block(most, FLAG, AMOUNT), torch.outer(one_way[FLAG], one_way[AMOUNT]))
    for place in (FLAG, AMOUNT, COLOUR):
        assert torch.equal(block(most, place, place), block(whole, place, place))
    torch.testing.assert_close(most.share, most.share.T)


def test_none_changes_nothing_and_many_rows_shrink_little() -> None:
    whole = marginals(100_000)
    assert shrunk(whole, AXIS, 0.0) is whole
    assert (shrunk(whole, AXIS, 1.0).share - whole.share).abs().max() < 1e-3


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_shrunken_marginals_of_noise_are_nearer_to_the_truth(strength: float) -> None:
    codes = torch.stack([torch.randint(n, (200,), generator=torch.Generator().manual_seed(n)) for n in (2, 3, 3)], 1)
    noisy = ExactMarginals(codes, small_layout()).pairs()
    one_way = noisy.share.diagonal()
    truth = torch.outer(one_way, one_way)
    before, after = (
        (block(t, FLAG, COLOUR) - truth[FLAG, COLOUR]).square().sum() for t in (noisy, shrunk(noisy, AXIS, strength))
    )
    assert after < before

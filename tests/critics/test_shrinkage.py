"""Shrinkage by hand, on two columns of two levels and 100 rows."""

from __future__ import annotations

import pytest
import torch

from synthgan.config import GeneratorSettings, TrainingSettings
from synthgan.critics.marginal_door import ExactMarginals, GramTarget
from synthgan.critics.shrinkage import shrunk, shrunk_slice
from synthgan.networks.layers import LevelAxis
from synthgan.training.loop import Trainer
from tests.small_tables import small_layout, small_table
from tests.trainers import build_trainer

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
def test_shrunken_marginals_of_independent_columns_are_nearer_to_their_law(strength: float) -> None:
    laws = torch.tensor([0.3, 0.7]), torch.tensor([0.2, 0.5, 0.3]), torch.tensor([0.6, 0.3, 0.1])
    truth = torch.outer(laws[0], laws[2])
    before = after = 0.0
    for seed in range(20):
        rng = torch.Generator().manual_seed(seed)
        codes = torch.stack([torch.multinomial(law, 200, replacement=True, generator=rng) for law in laws], 1)
        noisy = ExactMarginals(codes, small_layout()).pairs()
        before += float((block(noisy, FLAG, COLOUR) - truth).square().sum())
        after += float((block(shrunk(noisy, AXIS, strength), FLAG, COLOUR) - truth).square().sum())
    assert after < 0.9 * before


# --- slices of the target ---------------------------------------------------------------------------------------------


def test_a_slice_is_judged_by_the_noise_of_its_own_rows() -> None:
    codes = torch.from_numpy(small_table(400).codes)
    released = ExactMarginals(codes, small_layout()).slice(0, [1])
    rows = codes[codes[:, 0] == 1]
    among = ExactMarginals(rows, small_layout()).pairs()
    share = len(rows) / 400
    assert 0.4 < share < 0.6
    expected = share * block(shrunk(among, AXIS, 5.0), AMOUNT, COLOUR)
    assert not torch.allclose(expected, block(released, AMOUNT, COLOUR), atol=1e-3), "something moves"
    torch.testing.assert_close(block(shrunk(released, AXIS, 5.0), AMOUNT, COLOUR), expected, atol=1e-6, rtol=1e-4)


def test_a_slice_without_rows_stays_empty() -> None:
    codes = torch.from_numpy(small_table(400).codes)
    door = ExactMarginals(codes[codes[:, 0] == 1], small_layout())
    empty = shrunk_slice(door.slice(0, [0]), shrunk(door.pairs(), AXIS, 1.0), [0], AXIS, 1.0)
    assert torch.equal(empty.share, torch.zeros(8, 8))


def test_a_slice_of_many_rows_is_as_released_and_without_shrinkage_the_same() -> None:
    door = ExactMarginals(torch.from_numpy(small_table(100_000).codes), small_layout())
    released, pairs = door.slice(2, [0, 2]), door.pairs()
    assert shrunk_slice(released, pairs, [5, 7], AXIS, 0.0) is released
    moved = shrunk_slice(released, shrunk(pairs, AXIS, 1.0), [5, 7], AXIS, 1.0)
    assert (moved.share - released.share).abs().max() < 2e-3


def cautious(n_rows: int, strength: float) -> Trainer:
    settings = TrainingSettings(
        shrinkage=strength, adversarial_weight=0.0, generator=GeneratorSettings(width=8, n_blocks=1, latent_dim=4)
    )
    return build_trainer(small_table(n_rows), settings, torch.device("cpu"), seed=0, target=2)


@pytest.mark.parametrize(("strength", "tolerance"), [(1e6, 1e-6), (1.0, 0.02)])
def test_slices_do_not_contradict_the_pairs(strength: float, tolerance: float) -> None:
    critic = cautious(120, strength).marginal
    assert critic is not None
    pairs, *slices = (target.share for target in critic._targets)
    assert len(slices) == 3
    apart = sum(slices) - pairs
    for a, b in ((FLAG, AMOUNT), (FLAG, COLOUR), (AMOUNT, COLOUR)):
        assert apart[a, b].abs().max() <= tolerance
    if strength > 1:
        for target in slices:  # also within a slice, and the slices with each other: nothing is left to fit
            expected = torch.outer(pairs.diagonal()[FLAG], pairs.diagonal()[AMOUNT]) * target[FLAG, FLAG].sum()
            torch.testing.assert_close(target[FLAG, AMOUNT], expected, atol=1e-6, rtol=1e-4)


def test_the_monitor_compares_with_the_table_itself() -> None:
    table = small_table(120)
    rows = AXIS.one_hot(torch.from_numpy(table.codes).long())
    run = cautious(120, 1e6)
    assert run.monitor.figures(rows)["averaged_marginal_error"] == pytest.approx(0, abs=1e-6)
    assert run.monitor.baseline.marginal_error > 0.1

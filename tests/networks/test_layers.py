from __future__ import annotations

import torch

from synthgan.networks.layers import LevelAxis, ResidualBlock, seeded_linear
from tests.small_tables import small_layout


def axis() -> LevelAxis:
    return LevelAxis(small_layout())


def test_softmax_is_per_column() -> None:
    logits = torch.tensor([[0.0, 0.0, 1.0, 1.0, 1.0, 0.0, float(torch.tensor(2.0).log()), 0.0]])
    expected = torch.tensor([[0.5, 0.5, 1 / 3, 1 / 3, 1 / 3, 0.25, 0.5, 0.25]])
    torch.testing.assert_close(axis().softmax(logits), expected)


def test_codes_one_hot_and_argmax_are_inverse() -> None:
    codes = torch.tensor([[0, 2, 1], [1, 0, 2]])
    rows = axis().one_hot(codes)
    assert rows.tolist() == [[1, 0, 0, 0, 1, 0, 1, 0], [0, 1, 1, 0, 0, 0, 0, 1]]
    assert torch.equal(axis().argmax(rows), codes)


def test_normalise_leaves_empty_slices_empty() -> None:
    weights = torch.tensor([[1.0, 3.0, 0.0, 0.0, 0.0, 2.0, 1.0, 1.0]])
    assert axis().normalise(weights).tolist() == [[0.25, 0.75, 0, 0, 0, 0.5, 0.25, 0.25]]


def test_value_maps_read_bin_start_and_range() -> None:
    one_hot = axis().one_hot(torch.tensor([[0, 0, 0], [0, 1, 0], [0, 2, 0]]))
    in_bin, start, span = (part[:, 0].tolist() for part in axis().value_maps(one_hot))
    assert in_bin == [1, 1, 0]
    assert start == [-1.5, 0, 0]
    assert span == [1.5, 1.5, 0]


def test_position_levels_point_at_the_drawn_level() -> None:
    assert axis().position_levels(torch.tensor([[1, 2, 0], [0, 1, 1]])).tolist() == [[4], [3]]


def test_initial_weights_come_from_the_generator_alone() -> None:
    def weights(seed: int) -> torch.Tensor:
        return seeded_linear(5, 4, torch.Generator().manual_seed(seed)).weight

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))
    assert torch.isfinite(ResidualBlock(4, 4, torch.Generator().manual_seed(0))(torch.ones(2, 4))).all()

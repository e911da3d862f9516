from __future__ import annotations

import math

import pytest
import torch

from synthgan.critics.positions import DECAY, N_HARMONICS, PositionCritic
from synthgan.networks.generator import GeneratedRows
from synthgan.networks.layers import LevelAxis
from tests.small_tables import small_layout

AXIS = LevelAxis(small_layout())
MARGINAL = torch.from_numpy(small_layout().marginal)


def rows(positions: torch.Tensor, amount: int = 0) -> GeneratedRows:
    """Rows with the given positions in one level of the second column."""
    codes = torch.zeros(len(positions), 3, dtype=torch.long)
    codes[:, 1] = amount
    one_hot = AXIS.one_hot(codes)
    return GeneratedRows(codes, one_hot, one_hot, positions.unsqueeze(1), torch.zeros(len(positions), 3))


def critic(n_rows: int = 1000) -> PositionCritic:
    return PositionCritic(AXIS, MARGINAL, n_rows)


def test_coefficients_by_hand() -> None:
    judge = critic()
    judge.loss(rows(torch.tensor([0.0, 0.5])))
    # cos(0) = 1 for every k; cos(k pi / 2) = 0, -1, 0, 1, 0, -1. Half of the rows each.
    expected = torch.tensor([0.5, 0.0, 0.5, 1.0, 0.5, 0.0]) * math.sqrt(2) * (1 - DECAY)
    torch.testing.assert_close(judge.average[2], expected, atol=1e-6, rtol=0)
    assert judge.average[3].abs().sum() == 0, "no row fell into the other bin"
    assert judge.average.shape == (8, N_HARMONICS)


def test_evenly_spread_positions_cost_nothing_and_bunched_ones_do() -> None:
    even = (torch.arange(1000) + 0.5) / 1000
    assert abs(critic().loss(rows(even)).item()) < 1e-4
    assert critic().loss(rows(0.5 + 0.1 * (even - 0.5))).item() > 0.1


def test_levels_without_positions_do_not_count() -> None:
    assert critic().loss(rows(torch.full((100,), 0.9), amount=2)).item() == 0


def test_gradient_spreads_positions_out() -> None:
    judge = critic(200)
    logits = (0.3 * torch.randn(200, generator=torch.Generator().manual_seed(0))).requires_grad_(True)
    before = torch.sigmoid(logits.detach()).std().item()
    optimizer = torch.optim.Adam([logits], 0.05)
    for _ in range(200):
        optimizer.zero_grad()
        judge.loss(rows(torch.sigmoid(logits))).backward()
        optimizer.step()
    spread = torch.sigmoid(logits.detach()).std().item()
    assert before < 0.1
    assert spread == pytest.approx(1 / math.sqrt(12), abs=0.05)

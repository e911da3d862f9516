from __future__ import annotations

import numpy as np
import pytest
import torch

from synthgan.critics.marginal import ExactMarginals, MarginalCritic
from synthgan.networks.layers import LevelAxis
from tests.small_tables import small_layout, small_table

LAYOUT = small_layout()
AXIS = LevelAxis(LAYOUT)
CODES = torch.tensor([[0, 0, 0], [0, 1, 0], [1, 2, 1], [1, 2, 2]], dtype=torch.uint8)


def test_pairs_by_hand() -> None:
    target = ExactMarginals(CODES, LAYOUT).pairs()
    share = target.share
    assert share[0, 2].item() == 0.25, "flag 0 with amount 0: one row of four"
    assert share[1, 4].item() == 0.5, "flag 1 with missing amount: two rows"
    assert share[4, 6].item() == 0.25
    assert share[2, 6].item() == 0
    assert share.diagonal().tolist() == [0.5, 0.5, 0.25, 0.25, 0.5, 0.5, 0.25, 0.25]
    assert target.tolerance[1, 4].item() == pytest.approx((0.5 * 0.5 / 4) ** 0.5)


def test_a_slice_counts_only_its_rows_and_leaves_its_own_column_out() -> None:
    target = ExactMarginals(CODES, LAYOUT).slice(0, [1])
    assert target.share[4, 6].item() == 0.25
    assert target.share[2, 5].item() == 0, "that row has flag 0"
    assert target.weight.tolist() == [[0, 0, 0], [0, 1, 1], [0, 1, 1]]


def test_slices_add_up_to_the_pairs() -> None:
    codes = torch.from_numpy(small_table().codes)
    marginals = ExactMarginals(codes, LAYOUT)
    total = marginals.slice(2, [0]).share + marginals.slice(2, [1, 2]).share
    torch.testing.assert_close(total, marginals.pairs().share)


@pytest.mark.parametrize(("limit", "size"), [("CHUNK", 7), ("CHUNK_CELLS", 60), ("CHUNK_CELLS", 1)])
def test_chunks_do_not_change_the_counts(monkeypatch: pytest.MonkeyPatch, limit: str, size: int) -> None:
    codes = torch.from_numpy(small_table().codes)
    whole = ExactMarginals(codes, LAYOUT).pairs().share
    monkeypatch.setattr(ExactMarginals, limit, size)
    assert torch.equal(ExactMarginals(codes, LAYOUT).pairs().share, whole)


def test_the_gram_of_one_hot_rows_is_the_data_s() -> None:
    critic = MarginalCritic(ExactMarginals(CODES, LAYOUT).pairs(), AXIS)
    loss, error = critic.loss(AXIS.one_hot(CODES.long()))
    assert error.item() == pytest.approx(0, abs=1e-7)
    assert loss.item() == pytest.approx(0, abs=1e-7)


def test_error_is_the_mean_total_variation_over_pairs() -> None:
    critic = MarginalCritic(ExactMarginals(CODES, LAYOUT).pairs(), AXIS)
    independent = torch.tensor([[0.5, 0.5, 0.25, 0.25, 0.5, 0.5, 0.25, 0.25]])
    share = ExactMarginals(CODES, LAYOUT).pairs().share.numpy()
    flat = independent[0].numpy()
    slices = [slice(0, 2), slice(2, 5), slice(5, 8)]
    distances = [
        0.5 * np.abs(np.outer(flat[a], flat[b]) - share[a, b]).sum() for i, a in enumerate(slices) for b in slices[:i]
    ]
    assert critic.loss(independent)[1].item() == pytest.approx(np.mean(distances), abs=1e-6)
    assert critic.distance(independent).item() == pytest.approx(np.mean(distances), abs=1e-6)


def test_gradient_lowers_the_error() -> None:
    critic = MarginalCritic(ExactMarginals(CODES, LAYOUT).pairs(), AXIS)
    logits = torch.randn(256, 8, generator=torch.Generator().manual_seed(0), requires_grad=True)
    errors = []
    for _ in range(200):
        loss, error = critic.loss(AXIS.softmax(logits))
        (gradient,) = torch.autograd.grad(loss, logits)
        logits = (logits - 200 * gradient).detach().requires_grad_(True)
        errors.append(error.item())
    assert errors[-1] < 0.1 * errors[0]


def test_the_running_average_remembers() -> None:
    critic = MarginalCritic(ExactMarginals(CODES, LAYOUT).pairs(), AXIS, decay=0.75)
    first, second = AXIS.one_hot(CODES[:2].long()), AXIS.one_hot(CODES[2:].long())
    critic.loss(first)
    critic.loss(second)
    assert critic.average is not None
    torch.testing.assert_close(critic.average, 0.75 * critic.gram(first) + 0.25 * critic.gram(second))


def test_a_slice_critic_weighs_rows_by_the_slice_s_probability() -> None:
    target = ExactMarginals(CODES, LAYOUT).slice(0, [1])
    critic = MarginalCritic(target, AXIS, slice_levels=torch.tensor([1]))
    torch.testing.assert_close(critic.gram(AXIS.one_hot(CODES.long()))[2:, 2:], target.share[2:, 2:])

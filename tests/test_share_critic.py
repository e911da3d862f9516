from __future__ import annotations

import pytest
import torch

from synthgan.critics.shares import ShareCritic


def test_the_distance_is_the_summed_total_variation_by_hand() -> None:
    critic = ShareCritic(torch.tensor([0.5, 0.5, 0.2, 0.3, 0.5]))
    rows = torch.tensor([[1.0, 0.0, 0.0, 0.0, 1.0], [0.6, 0.4, 0.4, 0.2, 0.4]])
    # Means (0.8, 0.2) and (0.2, 0.1, 0.7): 0.3 and 0.2 away.
    assert critic.loss(rows).item() == pytest.approx(0.5)
    assert critic.loss(torch.tensor([[0.5, 0.5, 0.2, 0.3, 0.5]])).item() == pytest.approx(0.0)


def test_its_gradient_moves_shares_towards_the_released_ones() -> None:
    critic, shares = ShareCritic(torch.tensor([0.9, 0.1])), torch.tensor([0.5, 0.5], requires_grad=True)
    critic.loss(shares[None]).backward()
    assert shares.grad is not None
    assert (shares.grad.sign() == torch.tensor([-1.0, 1.0])).all()

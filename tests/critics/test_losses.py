from __future__ import annotations

import math

import pytest
import torch

from synthgan.config import LOSS_NAMES
from synthgan.critics.losses import LOSSES

LOG_HALF = math.log(2)
REAL, FAKE = torch.tensor([2.0, 0.0]), torch.tensor([0.0, -2.0])
S = {score: math.log1p(math.exp(score)) for score in (-2.0, 0.0, 2.0)}  # softplus

# By hand, for scores (2, 0) of real rows and (0, -2) of generated ones.
EXPECTED = {
    "minimax": ((S[-2.0] + S[0.0]) / 2 + (S[0.0] + S[-2.0]) / 2, -(S[0.0] + S[-2.0]) / 2),
    "non-saturating": ((S[-2.0] + S[0.0]) / 2 + (S[0.0] + S[-2.0]) / 2, (S[0.0] + S[2.0]) / 2),
    "least-squares": (0.5 * 1.0 + 0.5 * 2.0, 0.5 * 5.0),
    "wasserstein-clipped": (-2.0, 1.0),
    "wasserstein": (-2.0, 1.0),
    "hinge": (0.5 + 0.5, 1.0),
    "relativistic": (S[-2.0], S[2.0]),
}


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_losses_by_hand(name: str) -> None:
    loss = LOSSES[name]
    discriminator, generator = EXPECTED[name]
    assert loss.discriminator(REAL, FAKE).item() == pytest.approx(discriminator, abs=1e-6)
    assert loss.generator(REAL, FAKE).item() == pytest.approx(generator, abs=1e-6)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_separable_losses_split_into_a_real_and_a_fake_half(name: str) -> None:
    loss = LOSSES[name]
    d, zero = loss.discriminator, torch.zeros(2)
    fake = torch.tensor([0.7, -1.3])
    split = d(REAL, fake) + d(zero, zero) - d(REAL, zero) - d(zero, fake)
    assert (abs(split.item()) < 1e-6) == loss.separable
    assert (loss.generator(REAL, FAKE) == loss.generator(zero, FAKE)).item() == loss.separable


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_better_fakes_lower_the_generator_loss(name: str) -> None:
    loss = LOSSES[name]
    assert loss.generator(REAL, FAKE + 1) < loss.generator(REAL, FAKE)
    assert loss.discriminator(REAL + 0.5, FAKE) < loss.discriminator(REAL, FAKE) or name == "least-squares"


def test_the_registry_holds_exactly_the_names_that_settings_accept() -> None:
    assert tuple(LOSSES) == LOSS_NAMES

from __future__ import annotations

import pytest
import torch

from synthgan.config import DiscriminatorSettings
from synthgan.networks.discriminator import POSITION_GAIN, Discriminator
from synthgan.networks.layers import LevelAxis
from tests.small_tables import small_layout


def discriminator(*, conditional: bool = False, **settings: object) -> Discriminator:
    sizes = DiscriminatorSettings(width=8, n_blocks=1, **settings)  # type: ignore[arg-type]
    return Discriminator(small_layout(), sizes, torch.Generator().manual_seed(0), conditional=conditional)


def test_features_are_codes_centred_positions_and_values() -> None:
    one_hot = LevelAxis(small_layout()).one_hot(torch.tensor([[0, 0, 1], [1, 2, 0]]))
    positions = torch.tensor([[0.9], [0.9]])
    features = discriminator().features(one_hot, positions, torch.zeros(2, 3))
    assert torch.equal(features[:, :8], one_hot)
    torch.testing.assert_close(features[0, 8:10], torch.tensor([0.4 * POSITION_GAIN, -1.5 + 1.5 * 0.9]))
    assert features[1, 8:].tolist() == [0] * 6, "a missing amount has neither position nor rank"


def test_every_feature_is_known_to_belong_to_a_column() -> None:
    network = discriminator(conditional=True)
    one_hot = LevelAxis(small_layout()).one_hot(torch.tensor([[0, 0, 1]])).requires_grad_()
    positions, mask = torch.tensor([[0.9]], requires_grad=True), torch.ones(1, 3, requires_grad=True)
    features = network.features(one_hot, positions, mask)[0]
    assert len(network.column_of_feature) == len(features)
    for column, feature in zip(network.column_of_feature.tolist(), features, strict=True):
        one_hot_part, position_part, mask_part = torch.autograd.grad(
            feature, (one_hot, positions, mask), retain_graph=True, allow_unused=True, materialize_grads=True
        )
        touched = set(network.axis.column_of_level[one_hot_part[0].nonzero()[:, 0]].tolist())
        touched |= {1} if position_part.any() else set()
        touched |= set(mask_part[0].nonzero()[:, 0].tolist())
        assert touched == {column}


def test_a_conditional_discriminator_sees_the_mask() -> None:
    one_hot = LevelAxis(small_layout()).one_hot(torch.tensor([[0, 0, 1]]))
    features = discriminator(conditional=True).features(one_hot, torch.tensor([[0.5]]), torch.tensor([[1.0, 0.0, 1.0]]))
    assert features[0, -3:].tolist() == [1, 0, 1]


@pytest.mark.parametrize("packing", [1, 4])
def test_one_score_per_pack(packing: int) -> None:
    network = discriminator(packing=packing)
    features = network.features(torch.zeros(12, 8), torch.zeros(12, 1), torch.zeros(12, 3))
    assert network(features).shape == (12 // packing,)


def test_spectral_norm_bounds_every_weight() -> None:
    network = discriminator(spectral_norm=True).train()
    for _ in range(50):
        network(torch.zeros(4, 14))
    norms = [torch.linalg.matrix_norm(m.weight, 2) for m in network.modules() if isinstance(m, torch.nn.Linear)]
    assert max(float(n.detach()) for n in norms) < 1.05


def test_spectral_norm_is_repeatable_and_leaves_the_global_random_state_alone() -> None:
    before = torch.get_rng_state()
    first = discriminator(spectral_norm=True)
    torch.rand(3)
    second = discriminator(spectral_norm=True)
    torch.set_rng_state(before)
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name
    discriminator(spectral_norm=True)
    assert torch.equal(torch.get_rng_state(), before)

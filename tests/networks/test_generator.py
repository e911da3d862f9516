from __future__ import annotations

import pytest
import torch

from synthgan.config import GeneratorSettings
from synthgan.networks import generator as generator_module
from synthgan.networks.generator import Generator, PositionHead
from tests.small_tables import small_layout

SETTINGS = GeneratorSettings(width=16, n_blocks=1, latent_dim=4, position_rank=2)


def generator(*, conditional: bool = False) -> Generator:
    return Generator(small_layout(), SETTINGS, torch.Generator().manual_seed(0), conditional=conditional)


def draw(network: Generator, seed: int = 0, n_rows: int = 64):
    rng = torch.Generator().manual_seed(seed)
    z = torch.randn(n_rows, 4, generator=rng)
    return network.draw(z, None, torch.zeros(n_rows, 3), temperature=0.7, rng=rng)


def test_shapes_and_hard_codes() -> None:
    rows = draw(generator())
    assert rows.codes.shape == (64, 3)
    assert rows.probabilities.shape == rows.one_hot.shape == (64, 8)
    assert rows.positions.shape == (64, 1)
    assert torch.equal(rows.one_hot.round(), generator().axis.one_hot(rows.codes))
    assert ((rows.positions > 0) & (rows.positions < 1)).all()


def test_draws_repeat_with_the_seed() -> None:
    assert torch.equal(draw(generator(), 1).one_hot, draw(generator(), 1).one_hot)
    assert not torch.equal(draw(generator(), 1).one_hot, draw(generator(), 2).one_hot)


def test_untrained_logits_start_near_the_marginals() -> None:
    network = generator()
    torch.nn.init.zeros_(network.logits.weight)
    torch.nn.init.zeros_(network.rank_head.law.weight)
    probabilities = draw(network).probabilities.mean(0)
    torch.testing.assert_close(probabilities, torch.from_numpy(small_layout().marginal), atol=1e-5, rtol=0)


def test_gradients_reach_every_weight() -> None:
    network = generator()
    torch.nn.init.normal_(network.position_head.loadings)
    rows = draw(network)
    (rows.one_hot.square().sum() + rows.probabilities.square().sum() + rows.positions.sum()).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("n_rows", [3, 256])
def test_logits_are_the_same_with_and_without_gradients(n_rows: int) -> None:
    network = generator()
    torch.nn.init.normal_(network.rank_head.law.weight, generator=torch.Generator().manual_seed(1))
    z = torch.randn(n_rows, 4, generator=torch.Generator().manual_seed(2))
    hidden, logits = network(z)
    assert network.rank_head.logits(network.rank_head(hidden)).abs().max() > 1, "the peaks matter"
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            torch.testing.assert_close(network(z), (hidden.detach(), logits.detach()))


def test_a_condition_needs_a_conditional_generator() -> None:
    condition = torch.zeros(1, 8)
    condition[0, 1] = 1.0
    z = torch.zeros(1, 4)
    told, untold = generator(conditional=True)(z, condition)[1], generator(conditional=True)(z, None)[1]
    assert not torch.equal(told, untold)
    with pytest.raises(AttributeError):
        generator()(z, condition)


def test_position_law_is_uniform_at_zero_and_its_cdf_inverts() -> None:
    uniform = torch.linspace(0.01, 0.99, 9)
    zero, one = torch.tensor(0.0), torch.tensor(1.0)
    torch.testing.assert_close(PositionHead.inverse_cdf(uniform, zero, one), uniform)
    location, scale = torch.tensor(0.7), torch.tensor(0.4)
    positions = PositionHead.inverse_cdf(uniform, location, scale)
    torch.testing.assert_close(PositionHead.cdf(positions, location, scale), uniform, atol=1e-5, rtol=0)
    assert PositionHead.cdf(torch.tensor([0.0, 1.0]), location, scale).tolist() == [0.0, 1.0]


def test_parameters_at_given_levels_agree_with_those_of_drawn_levels() -> None:
    network = generator()
    torch.nn.init.normal_(network.position_head.loadings, generator=torch.Generator().manual_seed(1))
    hidden = torch.randn(5, 16, generator=torch.Generator().manual_seed(2))
    of_drawn = network.position_law(hidden, torch.full((5, 1), 3))
    at_given = network.position_law_at(hidden, torch.tensor([0]), torch.tensor([3]))
    for drawn, given in zip(of_drawn, at_given, strict=True):
        torch.testing.assert_close(drawn, given)


def test_only_a_generator_of_bfloat16_is_sampled_in_it_and_only_its_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    network = generator()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    monkeypatch.setattr(generator_module, "multiplies_bfloat16", lambda _: True)
    assert network.for_sampling("float32") is network
    rounded = network.for_sampling("bfloat16")
    in_bfloat16 = {name for name, value in rounded.state_dict().items() if value.dtype == torch.bfloat16}
    assert in_bfloat16 == {"blocks.0.expand.weight", "blocks.0.contract.weight"}
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert rounded.logits.weight is network.logits.weight, "a small draw from a wide model copies next to nothing"
    z = torch.randn(500, network.settings.latent_dim, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        difference = rounded(z)[1] - network(z)[1]
    assert 0 < difference.abs().max() < 0.05
    monkeypatch.setattr(generator_module, "multiplies_bfloat16", lambda _: False)
    assert network.for_sampling("bfloat16") is network
    monkeypatch.setattr(generator_module, "multiplies_bfloat16", lambda _: True)
    elsewhere = generator().to("meta")
    assert elsewhere.for_sampling("bfloat16") is elsewhere, "not measured but on a CPU"

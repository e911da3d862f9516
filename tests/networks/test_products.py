from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from synthgan.networks.layers import seeded_linear
from synthgan.networks.products import FEWEST_ROWS, dense


@pytest.mark.parametrize("n_rows", [1, 16, FEWEST_ROWS, FEWEST_ROWS + 1, 1024])
@pytest.mark.parametrize(("n_inputs", "n_outputs"), [(256, 256), (128, 381), (16, 16), (4, 3), (256, 0)])
def test_products_are_those_of_linear(n_rows: int, n_inputs: int, n_outputs: int) -> None:
    rng = torch.Generator().manual_seed(0)
    rows, weight = torch.randn(n_rows, n_inputs, generator=rng), torch.randn(n_outputs, n_inputs, generator=rng)
    bias = torch.randn(n_outputs, generator=rng)
    product = dense(rows, weight, bias)
    assert product.shape == (n_rows, n_outputs)
    assert product.is_contiguous()
    exact = F.linear(rows.double(), weight.double(), bias.double())
    torch.testing.assert_close(product.double(), exact, atol=2e-5 * n_inputs**0.5, rtol=0)


def test_products_of_a_slice_of_rows_and_of_other_layouts() -> None:
    rng = torch.Generator().manual_seed(0)
    weight, bias = torch.randn(32, 32, generator=rng), torch.zeros(32)
    wide = torch.randn(3 * FEWEST_ROWS, 64, generator=rng)
    for rows in (wide[:, 16:48], wide[FEWEST_ROWS:, :32].contiguous()[: 2 * FEWEST_ROWS], wide[:64].T[:, :32]):
        torch.testing.assert_close(dense(rows, weight, bias), F.linear(rows, weight, bias), atol=1e-4, rtol=0)


@pytest.mark.parametrize("n_rows", [1, FEWEST_ROWS])
def test_weights_in_bfloat16_are_multiplied_in_it_and_the_bias_is_added_in_float32(n_rows: int) -> None:
    rng = torch.Generator().manual_seed(0)
    rows, weight = torch.randn(n_rows, 64, generator=rng), torch.randn(32, 64, generator=rng)
    bias = torch.full((32,), 1000.03125)  # of which bfloat16 would keep 1000
    product = dense(rows, weight.bfloat16(), bias)
    assert product.dtype == torch.float32
    exact = F.linear(rows.bfloat16().double(), weight.bfloat16().double())
    torch.testing.assert_close(product.double() - 1000.03125, exact, atol=1e-3, rtol=2**-8)


def test_layers_take_gradients_the_usual_way_and_give_the_same_without() -> None:
    layer = seeded_linear(32, 32, torch.Generator().manual_seed(0))
    rows = torch.randn(256, 32, generator=torch.Generator().manual_seed(1))
    with_gradient = layer(rows)
    assert with_gradient.requires_grad
    with torch.inference_mode():
        torch.testing.assert_close(layer(rows), with_gradient.detach(), atol=1e-5, rtol=0)

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from synthgan.config import DiscriminatorSettings, GeneratorSettings
from synthgan.networks.discriminator import Discriminator
from synthgan.networks.generator import Generator
from synthgan.networks.packs import COLUMNS_PER_PACK, PackedProduct
from synthgan.networks.ranks import RankFeatures, RankHead
from synthgan.tables.layout import Layout, Span


def binned_layout(sizes: list[int]) -> Layout:
    """Columns of bins only, all with positions and an order."""
    edges = [0, *np.cumsum(sizes).tolist()]
    spans = tuple(Span(name=str(i), start=edges[i], stop=edges[i + 1], position=i) for i in range(len(sizes)))
    every = np.ones(edges[-1], dtype=bool)
    start = np.concatenate([np.arange(size) for size in sizes]).astype(np.float32)
    marginal = np.repeat(1 / np.array(sizes), sizes).astype(np.float32)
    return Layout(spans, every, start, start + 1, every, marginal)


def dense(entries: np.ndarray, inputs: np.ndarray, outputs: np.ndarray) -> Tensor:
    """The whole matrices, zeros included. Shape: ``(n_matrices, n_inputs, n_outputs)``."""
    own = inputs[:, None] == outputs
    full = entries[:, :, None, :] * own[:, None, :, None]
    return torch.from_numpy(full.reshape(*entries.shape[:2], len(outputs) * entries.shape[2])).float().transpose(0, 1)


@pytest.mark.parametrize("n_columns", [0, 3, COLUMNS_PER_PACK, COLUMNS_PER_PACK + 1, 3 * COLUMNS_PER_PACK + 2])
@pytest.mark.parametrize(("n_matrices", "n_waves"), [(1, 1), (3, 1), (2, 4)])
def test_packs_multiply_and_differentiate_as_one_dense_matrix(n_columns: int, n_matrices: int, n_waves: int) -> None:
    rng = np.random.default_rng(0)
    inputs = np.repeat(np.arange(n_columns), rng.integers(1, 7, n_columns))
    outputs = np.flatnonzero(np.arange(n_columns) % 3 != 1)
    entries = rng.normal(size=(len(inputs), n_matrices, n_waves))
    packed = PackedProduct(entries, inputs, outputs, n_columns)
    whole = dense(entries, inputs, outputs)
    rows = torch.from_numpy(rng.normal(size=(5, len(inputs)))).float().requires_grad_()
    found, expected = torch.stack(packed(rows)), rows @ whole
    torch.testing.assert_close(found, expected)
    weights = torch.from_numpy(rng.normal(size=tuple(found.shape))).float()
    (slope,) = torch.autograd.grad((found * weights).sum(), rows)
    torch.testing.assert_close(slope, torch.autograd.grad((expected * weights).sum(), rows)[0])
    if n_matrices == n_waves == 1:
        back = PackedProduct(entries, inputs, outputs, n_columns, transposed=True)
        torch.testing.assert_close(back(weights[0])[0], weights[0] @ whole[0].T)


def test_what_the_networks_are_told_does_not_depend_on_the_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    layout = binned_layout([5, 40, 4, 7, 9, 6, 30, 5])
    rng = torch.Generator().manual_seed(0)
    one_hot = torch.rand(6, layout.n_levels, generator=rng)
    positions = torch.rand(6, layout.n_positions, generator=rng)
    hidden = torch.randn(6, 4, generator=rng)

    def told() -> list[Tensor]:
        head = RankHead(layout, 4, torch.Generator().manual_seed(1))
        law = head(hidden)
        levels = torch.from_numpy(layout.starts).expand(6, -1)
        return [RankFeatures(layout)(one_hot, positions), head.logits(law), *head.inside_bins(law, levels)]

    in_one = told()
    monkeypatch.setattr("synthgan.networks.packs.COLUMNS_PER_PACK", 3)
    for whole, packed in zip(in_one, told(), strict=True):
        torch.testing.assert_close(packed, whole)


def test_what_is_stored_grows_no_faster_than_the_columns() -> None:
    def size(sizes: list[int]) -> int:
        layout = binned_layout(sizes)
        rng = torch.Generator().manual_seed(0)
        networks = Generator(layout, GeneratorSettings(), rng), Discriminator(layout, DiscriminatorSettings(), rng)
        return sum(buffer.numel() for network in networks for buffer in network.buffers())

    packs_of_3, packs_of_12 = ([50] * n_packs * COLUMNS_PER_PACK for n_packs in (3, 12))
    assert size(packs_of_12) <= 4 * size(packs_of_3)
    one_wide = [*packs_of_12[1:], 5000]
    assert size(one_wide) <= sum(one_wide) / sum(packs_of_12) * size(packs_of_12), "a wide column fills no others"

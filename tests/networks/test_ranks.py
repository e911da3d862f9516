"""Ranks by hand: the small layout's amount has two bins of equal mass, so the ranks 0 to 1/2 and 1/2 to 1."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from synthgan.config import GeneratorSettings
from synthgan.networks.generator import Generator, PositionHead
from synthgan.networks.layers import LevelAxis
from synthgan.networks.ranks import N_HARMONICS, RankFeatures, RankHead, RankLaw, ordered_columns, rank_intervals
from synthgan.tables.layout import Layout, Span
from tests.small_tables import small_layout


def head() -> RankHead:
    return RankHead(small_layout(), 4, torch.Generator().manual_seed(0))


def law(location: float, width: float, sharpness: float = 1.0) -> RankLaw:
    return RankLaw(*(torch.tensor([[value]]) for value in (location, 1 / width, sharpness)))


def features(codes: list[int], position: float) -> Tensor:
    one_hot = LevelAxis(small_layout()).one_hot(torch.tensor([codes]))
    return RankFeatures(small_layout())(one_hot, torch.tensor([[position]]))[0]


def test_only_columns_with_an_order_count() -> None:
    assert ordered_columns(small_layout()).tolist() == [1]
    np.testing.assert_allclose(rank_intervals(small_layout())[:, 2:5], [[0, 0.5, 0], [0.5, 1, 0]])


@pytest.mark.parametrize(("code", "position", "rank"), [(0, 0.0, 0.0), (0, 1.0, 0.5), (1, 0.0, 0.5), (1, 1.0, 1.0)])
def test_waves_at_the_ends_of_bins(code: int, position: float, rank: float) -> None:
    expected = [math.sqrt(2) * math.cos(math.pi * k * rank) for k in range(1, N_HARMONICS + 1)]
    torch.testing.assert_close(features([0, code, 0], position), torch.tensor(expected), atol=1e-6, rtol=0)


def test_waves_follow_their_chord_inside_a_bin_and_vanish_where_a_value_is_missing() -> None:
    inside = (features([0, 0, 0], 0.0) + features([0, 0, 0], 1.0)) / 2
    torch.testing.assert_close(features([0, 0, 0], 0.5), inside)
    assert features([0, 2, 0], 0.5).tolist() == [0] * N_HARMONICS


def test_logits_are_students_t_over_the_ranks() -> None:
    logits = head().logits(law(0.25, 0.1, 2.0))[0]
    far = -2 * math.log(1 + (0.5 / 0.1) ** 2)  # bins lie at ranks 1/4 and 3/4
    torch.testing.assert_close(logits, torch.tensor([0, 0, 0, far, 0, 0, 0, 0]))


def test_in_place_the_logits_are_the_same_whatever_levels_have_an_order() -> None:
    rng = np.random.default_rng(0)
    sizes = [2, 9, 1, 30, 5]
    stops = np.cumsum(sizes).tolist()
    spans = tuple(
        Span(name=str(i), start=stop - size, stop=stop, position=None)
        for i, (size, stop) in enumerate(zip(sizes, stops, strict=True))
    )
    n_levels = stops[-1]
    nothing = np.zeros(n_levels, dtype=np.float32)
    layout = Layout(
        spans=spans,
        is_bin=np.zeros(n_levels, dtype=bool),
        value_start=nothing,
        value_stop=nothing,
        is_ordered=rng.random(n_levels) < 0.7,
        marginal=rng.random(n_levels).astype(np.float32),
    )
    peaks = RankHead(layout, 4, seeded := torch.Generator().manual_seed(0))
    assert peaks.n_columns >= 2
    logits = torch.randn(50, n_levels, generator=seeded)
    where = peaks(3 * torch.randn(50, 4, generator=seeded))
    with torch.no_grad():
        wanted = logits + peaks.logits(where)
        torch.testing.assert_close(peaks.add_logits(logits, where), wanted)


def test_a_narrow_peak_inside_a_bin_places_the_position() -> None:
    location, scale = head().inside_bins(law(0.4, 0.005), torch.tensor([[2]]))
    drawn = PositionHead.inverse_cdf(torch.linspace(0.02, 0.98, 49), location[0], scale[0])
    assert drawn.median().item() == pytest.approx(0.8, abs=0.01), "rank 0.4 is at 80% of the bin from 0 to 0.5"
    assert drawn.std().item() < 0.03
    given = head().inside_given_bins(law(0.4, 0.005), torch.tensor([0]), torch.tensor([2]))
    assert torch.equal(torch.cat(given), torch.cat([location, scale]))


@pytest.mark.parametrize("peak", [law(0.4, math.e), law(-40.0, 0.05)])
def test_a_wide_or_a_far_peak_leaves_positions_uniform(peak: RankLaw) -> None:
    location, scale = head().inside_bins(peak, torch.tensor([[2]]))
    assert abs(location.item()) < 0.2
    assert scale.item() == pytest.approx(1, abs=0.1)


def test_without_order_the_networks_are_told_nothing() -> None:
    bare = small_layout().without_order()
    assert RankHead(bare, 4, torch.Generator().manual_seed(0)).n_columns == 0
    assert RankFeatures(bare)(torch.zeros(2, 8), torch.zeros(2, 1)).shape == (2, 0)
    network = Generator(small_layout(), GeneratorSettings(width=4, ranks=False), torch.Generator().manual_seed(0))
    hidden = torch.ones(2, 4)
    assert not network.rank_head.logits(network.rank_head(hidden)).any()
    location, scale = network.rank_head.inside_bins(network.rank_head(hidden), torch.tensor([[2], [3]]))
    assert not location.any()
    assert (scale == 1).all()

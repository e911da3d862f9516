"""The monitor's figures by hand, from marginals alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from synthgan.critics.marginal_door import ExactMarginals
from synthgan.networks.layers import LevelAxis
from synthgan.tables.layout import Layout, Span
from synthgan.training import monitor as monitor_module
from synthgan.training.monitor import Monitor
from tests.small_tables import small_table


def layout(*sizes: int) -> Layout:
    stops = np.cumsum(sizes)
    spans = tuple(
        Span(name=f"c{i}", start=int(stop - size), stop=int(stop), position=None)
        for i, (size, stop) in enumerate(zip(sizes, stops, strict=True))
    )
    n = int(stops[-1])
    zeros = np.zeros(n, dtype=np.float32)
    none = np.zeros(n, dtype=bool)
    return Layout(spans, none, zeros, zeros, none, np.full(n, 0.5, dtype=np.float32))


def watch(codes: list[list[int]], *sizes: int) -> tuple[Monitor, LevelAxis]:
    axis = LevelAxis(layout(*sizes))
    return Monitor(ExactMarginals(torch.tensor(codes), layout(*sizes)).pairs(), axis), axis


EQUAL = [[0, 0]] * 50 + [[1, 1]] * 50
"""Two binary columns that are always equal."""


def test_rows_of_the_data_are_perfect() -> None:
    run, axis = watch(EQUAL, 2, 2)
    figures = run.figures(axis.one_hot(torch.tensor(EQUAL)))
    assert figures["averaged_marginal_error"] == 0.0
    assert figures["mode_coverage"] == figures["level_coverage"] == 1.0
    assert figures["frechet_distance"] == pytest.approx(0, abs=1e-6)
    # Two different rows of fifty and fifty: 2 * 50 * 49 of 100 * 99 ordered pairs agree.
    assert figures["row_agreement"] == pytest.approx(4900 / 9900)


def test_independent_columns_by_hand() -> None:
    run, _ = watch(EQUAL, 2, 2)
    half = torch.full((40, 4), 0.5)
    figures = run.figures(half)
    # Cells of 1/4 each against 1/2, 0, 0, 1/2: total variation 1/2. Both modes are reached with half their share.
    assert figures["averaged_marginal_error"] == pytest.approx(0.5)
    assert figures["mode_coverage"] == 1.0
    # Per column a binary's variance lies on one axis and is 1 when scaled; data: correlation 1, eigenvalues 2 and 0;
    # independent: 1 and 1. So 2 + 2 - 2 sqrt(2), of a variance of 2.
    assert figures["frechet_distance"] == pytest.approx((4 - 2 * 2**0.5) / 2, abs=1e-6)
    assert figures["row_agreement"] == pytest.approx(0.25)
    assert run.baseline.marginal_error == pytest.approx(0.5)
    assert run.baseline.mode_coverage == 1.0
    # Two rows of the data agree in the pair as often as in one column: 1/4 + 1/4.
    assert run.baseline.agreement == pytest.approx(0.5)


def test_a_generator_of_one_row_by_hand() -> None:
    run, axis = watch(EQUAL, 2, 2)
    figures = run.figures(axis.one_hot(torch.tensor([[0, 0]] * 30)))
    assert figures["mode_coverage"] == 0.5
    assert figures["level_coverage"] == 0.5
    # The mean is off by (1/2)^2 four times over the scale 1/2, which is 2, and the variance of 2 is lost: 4 of 2.
    assert figures["frechet_distance"] == pytest.approx(2.0)
    assert figures["row_agreement"] == 1.0


def test_modes_have_at_least_ten_rows_and_are_reached_at_a_fifth_of_their_share() -> None:
    codes = [[0, 0]] * 900 + [[1, 1]] * 91 + [[1, 2]] * 9
    run, axis = watch(codes, 2, 3)
    # Of 1,000 rows (1, 1) wants 0.2 * 91 = 18.2; (1, 2) is no mode, its level 2 is none either.
    for count, reached in ((18, 0.5), (19, 1.0)):
        rows = [[0, 0]] * (1000 - count) + [[1, 1]] * count
        figures = run.figures(axis.one_hot(torch.tensor(rows)))
        assert figures["mode_coverage"] == reached
    assert run.baseline.mode_coverage < 1.0  # independent: (1, 1) has a share of 0.1 * 0.091


def test_figures_need_no_pair_of_columns_and_no_variance() -> None:
    run, axis = watch([[0]] * 60 + [[1]] * 40, 2)
    figures = run.figures(axis.one_hot(torch.tensor([[0]] * 20)))
    assert figures["averaged_marginal_error"] == run.baseline.marginal_error == 0.0
    assert figures["mode_coverage"] == figures["level_coverage"] == 0.5
    constant, axis = watch([[0, 0]] * 30, 1, 1)
    figures = constant.figures(axis.one_hot(torch.tensor([[0, 0]] * 20)))
    assert figures["mode_coverage"] == 1.0
    assert figures["frechet_distance"] == 0.0


def test_unknown_pairs_take_no_part() -> None:
    codes = torch.tensor([[0, 0, 0]] * 50 + [[1, 1, 1]] * 50)
    pairs = ExactMarginals(codes, layout(2, 2, 2)).pairs()
    weight = torch.tensor([[1.0, 1, 0], [1, 1, 0], [0, 0, 1]])
    axis = LevelAxis(layout(2, 2, 2))
    run = Monitor(dataclasses.replace(pairs, weight=weight), axis)
    shuffled = codes.clone()
    shuffled[:, 2] = shuffled[torch.arange(100).roll(25), 2]
    figures = run.figures(axis.one_hot(shuffled))
    assert figures["averaged_marginal_error"] == 0.0
    assert figures["mode_coverage"] == 1.0
    assert figures["frechet_distance"] == pytest.approx(0, abs=1e-6)


def test_chunks_and_projections_give_the_same_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    table = small_table()
    codes = torch.from_numpy(table.codes).long()
    axis = LevelAxis(table.layout)
    uneven = axis.one_hot(codes[codes[:, 0] == 0])

    def distance() -> float:
        return Monitor(ExactMarginals(codes, table.layout).pairs(), axis).figures(uneven)["frechet_distance"]

    whole = distance()
    assert whole > 0.3
    monkeypatch.setattr(monitor_module, "_CHUNK_LEVELS", 3)
    assert distance() == pytest.approx(whole, rel=1e-9)
    # A rotation of the features changes no distance.
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(8, 8)))[0]
    monkeypatch.setattr(monitor_module, "random_projection", lambda n: rotation)
    assert distance() == pytest.approx(whole, rel=1e-6)

"""A table of 200 columns, from the frame to synthetic rows."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from synthgan import Synthesizer
from synthgan.critics.marginal import MAX_LEVELS
from synthgan.critics.marginal_door import ExactMarginals
from synthgan.networks.layers import LevelAxis
from synthgan.tables.layout import Layout, Span
from tests.orders_table import TINY

N_COLUMNS, N_LEVELS = 200, 41


@pytest.mark.slow
def test_a_table_of_200_columns_trains_and_samples() -> None:
    rng = np.random.default_rng(0)
    levels = np.array([f"v{i}" for i in range(N_LEVELS)])
    table = pd.DataFrame({f"c{i}": levels[rng.integers(0, N_LEVELS, 1500)] for i in range(N_COLUMNS - 1)})
    table["paid"] = table["c0"] < "v3"
    settings = dataclasses.replace(TINY, n_steps=6, batch_size=64)
    synthesizer = Synthesizer(
        target="paid", settings=settings, max_steps=4, device="cpu", progress="off", random_state=0
    )
    synthesizer.fit(table)
    assert synthesizer.codec_.layout.n_levels >= 8000 > MAX_LEVELS
    assert [record["step"] for record in synthesizer.history_] == [4]
    assert 0 < synthesizer.history_[-1]["averaged_marginal_error"] < 1
    rows = synthesizer.sample(50)
    assert list(rows.columns) == list(table.columns)
    assert rows["c7"].isin(levels).all()


def test_counts_of_a_wide_table_are_those_of_one_hot_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns of unequal sizes, counted in groups that do not divide their number."""
    rng = np.random.default_rng(0)
    sizes = rng.integers(2, 9, 23)
    edges = [0, *np.cumsum(sizes).tolist()]
    zeros = np.zeros(edges[-1], dtype=np.float32)
    spans = tuple(Span(name=str(i), start=edges[i], stop=edges[i + 1], position=None) for i in range(23))
    none = zeros.astype(bool)
    layout = Layout(spans, none, zeros, zeros, none, zeros)
    codes = torch.from_numpy(np.stack([rng.integers(0, size, 700) for size in sizes], 1).astype(np.uint8))
    monkeypatch.setattr(ExactMarginals, "CHUNK", 300)
    monkeypatch.setattr(ExactMarginals, "CHUNK_CELLS", 300 * 4)
    one_hot = LevelAxis(layout).one_hot(codes.long()).double()
    marginals = ExactMarginals(codes, layout)
    assert torch.equal(marginals.pairs().share, (one_hot.T @ one_hot / 700).float())
    in_slice = one_hot[codes[:, 5] == 1]
    assert torch.equal(marginals.slice(5, [1]).share, (in_slice.T @ in_slice / 700).float())

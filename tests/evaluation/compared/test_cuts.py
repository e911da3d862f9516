"""Numbers cut at quantiles, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthgan.evaluation.compared.cuts import cut_at, n_cells, quantile_edges

NAN = float("nan")


def test_cells_by_hand() -> None:
    cells = cut_at(np.array([0.0, 1.0, 1.5, 2.0, 9.0, NAN]), np.array([1.0, 2.0]))
    # Below, on the first edge, between, on the second edge, above, missing.
    assert cells.tolist() == [0, 1, 2, 3, 4, 5]
    assert n_cells(np.array([1.0, 2.0])) == 6


def test_edges_are_values_and_a_shared_one_counts_once() -> None:
    assert quantile_edges(np.array([1.0, 7.0, 7.0, 7.0, 9.0, NAN]), (0.25, 0.5, 0.75)).tolist() == [7.0]
    assert quantile_edges(np.array([3.0, 1.0, 2.0]), (0.0, 0.5)).tolist() == [1.0, 2.0]


@pytest.mark.parametrize("values", [[], [NAN, NAN]])
def test_without_a_value_there_is_no_edge_and_a_cell_for_each_of_number_and_missing(values: list[float]) -> None:
    edges = quantile_edges(np.array(values), (0.5,))
    assert edges.tolist() == []
    assert cut_at(np.array([4.0, NAN]), edges).tolist() == [0, 1]


@given(
    st.lists(st.floats(-5, 5) | st.just(NAN), min_size=1, max_size=30),
    st.lists(st.integers(-4, 4), unique=True, max_size=6),
)
def test_the_same_cell_is_the_same_side_of_every_edge(values: list[float], places: list[int]) -> None:
    edges = np.array(sorted(places), dtype=np.float64)
    cells = cut_at(np.array(values), edges)
    assert all(0 <= cell < n_cells(edges) for cell in cells)
    for value, cell in zip(values, cells.tolist(), strict=True):
        expected = n_cells(edges) - 1 if np.isnan(value) else sum(np.sign(value - edges) + 1)
        assert cell == expected

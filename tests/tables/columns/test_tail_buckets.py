"""Levels that share a code: where they lie in their buckets, and which positions ask for some of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthgan.tables.columns.tail_buckets import TailBuckets, Window

TWO = TailBuckets(bucket=np.array([0, 0, 0, 1, 1]), share=np.array([0.5, 0.25, 0.25, 0.75, 0.25]))


def test_a_position_means_the_level_whose_share_it_lies_in() -> None:
    assert TWO.n_buckets == 2
    assert TWO.first_levels.tolist() == [0, 3]
    buckets = np.array([0, 0, 0, 0, 0, 1, 1, 1])
    positions = np.array([0.0, 0.49, 0.5, 0.75, 1.0, 0.0, 0.74, 0.75], dtype=np.float32)
    assert TWO.levels(buckets, positions).tolist() == [0, 0, 1, 2, 2, 3, 3, 4]


@pytest.mark.parametrize(
    ("wanted", "bucket", "lower", "upper", "is_exact"),
    [
        ([1, 1, 1, 0, 0], 0, 0.0, 1.0, True),
        ([0, 1, 0, 0, 0], 0, 0.5, 0.75, True),
        ([1, 0, 1, 0, 0], 0, 0.0, 1.0, False),
        ([0, 0, 0, 0, 1], 1, 0.75, 1.0, True),
    ],
    ids=["all", "one", "with a gap", "the last"],
)
def test_a_window_holds_the_wanted_levels(
    wanted: list[int], bucket: int, lower: float, upper: float, is_exact: bool
) -> None:
    window = TWO.window(bucket, np.array(wanted, dtype=bool))
    assert isinstance(window, Window)
    assert (float(window.lower), float(window.upper)) == pytest.approx((lower, upper), abs=1e-6)
    assert window.is_exact == is_exact


def test_a_bucket_without_a_wanted_level_has_no_window() -> None:
    assert TWO.window(1, np.array([1, 1, 1, 0, 0], dtype=bool)) is None
    assert TailBuckets(bucket=np.zeros(0, dtype=np.int64), share=np.zeros(0)).n_buckets == 0


@given(st.lists(st.integers(1, 50), min_size=1, max_size=20), st.integers(0, 2**32 - 1))
def test_drawn_positions_mean_the_levels_they_were_drawn_for(rows: list[int], seed: int) -> None:
    shares = np.array(rows) / sum(rows)
    tail = TailBuckets(bucket=np.zeros(len(rows), dtype=np.int64), share=shares)
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, len(rows), 100)
    positions = tail.positions(levels, rng)
    assert ((positions >= 0) & (positions < 1)).all()
    # A draw within a rounding of the border may fall to the neighbour.
    assert (tail.levels(np.zeros(100, dtype=np.int64), positions) == levels).mean() > 0.9

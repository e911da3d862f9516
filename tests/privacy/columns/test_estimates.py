"""Post-processing of noisy counts, and the public grids they are taken on: hand-computed cases and laws."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthgan.privacy.columns.estimates import Cell, norm_sub, rising_sums, towards_their_mean
from synthgan.privacy.columns.heavy_values import bucket_of
from synthgan.privacy.columns.number_cells import StepCounter
from synthgan.privacy.columns.public_grids import (
    equal_cells,
    exponential_cells,
    n_ticks,
    neighbour,
    public_axis,
    public_range,
    without_ticks,
)
from synthgan.tables.kinds import Kind
from synthgan.tables.schema.schema import ColumnSchema

COUNTS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30).map(np.array)


def test_norm_sub_by_hand() -> None:
    # One is taken off all, and the negative one goes: 6 - 1, 4 - 1, nothing.
    np.testing.assert_allclose(norm_sub(np.array([6.0, -3.0, 4.0]), 8.0), [5, 0, 3])
    np.testing.assert_allclose(norm_sub(np.array([1.0, 2.0]), 9.0), [4, 5])
    np.testing.assert_allclose(norm_sub(np.array([1.0, -np.inf]), 9.0), [9, 0])
    np.testing.assert_allclose(norm_sub(np.array([-np.inf]), 9.0), [0])
    np.testing.assert_allclose(norm_sub(np.array([-4.0, 2.0]), 0.0), [0, 0])
    np.testing.assert_allclose(norm_sub(np.array([-4.0]), 5.0), [5])


@given(counts=COUNTS, total=st.floats(0.1, 1e6))
def test_norm_sub_is_a_projection(counts: Any, total: float) -> None:
    projected = norm_sub(counts, total)
    assert (projected >= 0).all()
    assert projected.sum() == pytest.approx(total, rel=1e-6, abs=1e-3)
    np.testing.assert_allclose(norm_sub(projected, total), projected, rtol=1e-6, atol=1e-3)


@given(
    counts=st.lists(st.integers(-1000, 1000), min_size=1, max_size=20).map(lambda c: np.array(c, dtype=np.float64)),
    total=st.integers(0, 5000),
)
def test_norm_sub_is_the_nearest_point(counts: np.ndarray, total: int) -> None:
    """Optimal if and only if positive counts moved by one number, and those at 0 would have fallen below it."""
    projected = norm_sub(counts, float(total))
    assert projected.min() >= 0
    assert projected.sum() == pytest.approx(total, abs=1e-6)
    moved = (counts - projected)[projected > 1e-9]
    if len(moved):
        np.testing.assert_allclose(moved, moved[0], atol=1e-6)
        assert (counts[projected <= 1e-9] <= moved[0] + 1e-6).all()


def test_rising_sums_by_hand() -> None:
    # Running sums 5, 2, 9: the first two are pooled at 3.5, so the second cell gets nothing and the third 5.5.
    np.testing.assert_allclose(rising_sums(np.array([5.0, -3.0, 7.0])), [3.5, 0, 5.5])
    np.testing.assert_allclose(rising_sums(np.array([-4.0, 1.0, 7.0])), [0, 0, 4])


@given(counts=COUNTS)
def test_rising_sums_are_never_negative_and_keep_what_is_right(counts: Any) -> None:
    rising = rising_sums(counts)
    assert (rising >= 0).all()
    right = np.abs(counts)
    np.testing.assert_allclose(rising_sums(right), right, atol=1e-6)


@given(counts=COUNTS, deviation=st.floats(0.1, 100))
def test_noise_is_moved_towards_the_mean(counts: Any, deviation: float) -> None:
    moved = towards_their_mean(counts, deviation)
    assert (moved > 0).all()
    if counts.mean() > deviation:
        assert moved.sum() == pytest.approx(counts.sum(), rel=1e-9)
    assert moved.max() - moved.min() <= counts.max() - counts.min() + 1e-6 * abs(counts).max() + moved.mean()


def test_measurements_of_one_cell_are_weighted_by_precision() -> None:
    cell = Cell(0, 9)
    cell.measure(10.0, 1.0)
    cell.measure(20.0, 4.0)
    assert (cell.count, cell.variance) == pytest.approx((12.0, 0.8))


def test_nested_measurements_are_reconciled_by_least_squares() -> None:
    cell = Cell(0, 9, parts=[Cell(0, 4), Cell(5, 9)])
    cell.measure(100.0, 2.0)
    cell.parts[0].measure(50.0, 1.0)
    cell.parts[1].measure(40.0, 1.0)
    for _ in range(2):  # doing it again adds no information
        cell.reconcile()
        # 100 and 90, each with variance 2, meet at 95; the difference of 5 is shared equally.
        assert [cell.count, *(part.count for part in cell.parts)] == pytest.approx([95, 52.5, 42.5])


def test_what_was_not_measured_takes_the_difference() -> None:
    cell = Cell(0, 9, parts=[Cell(3, 3), Cell(0, 9)])
    cell.measure(100.0, 2.0)
    cell.parts[0].measure(70.0, 1.0)
    cell.reconcile()
    assert [part.count for part in cell.parts] == [70, 30]
    assert cell.leaves() == cell.parts


TYPES: list[tuple[pa.DataType, Kind]] = [
    (pa.int8(), "integer"),
    (pa.int64(), "integer"),
    (pa.uint64(), "integer"),
    (pa.uint8(), "integer"),
    (pa.float32(), "float"),
    (pa.float64(), "float"),
    (pa.decimal128(5, 2), "decimal"),
    (pa.decimal128(38, 4), "decimal"),
    (pa.timestamp("s"), "datetime"),
    (pa.timestamp("ns"), "datetime"),
    (pa.date32(), "date"),
    (pa.duration("us"), "timedelta"),
]


@pytest.mark.parametrize(("held", "kind"), TYPES, ids=str)
@pytest.mark.parametrize("continuous", [False, True])
def test_cells_cover_the_whole_type_without_gaps(held: pa.DataType, kind: Kind, continuous: bool) -> None:
    column = ColumnSchema(name="x", kind=kind, arrow_type=str(held))
    axis = public_axis(column, step=None if continuous else 1)
    low, high = public_range(column, axis)
    for cells in (exponential_cells(axis, low, high), equal_cells(axis, low, high, 64)):
        assert (cells[0].lower, cells[-1].upper) == (low, high)
        assert all(cell.lower <= cell.upper for cell in cells)
        assert all(neighbour(axis, one.upper, +1) == other.lower for one, other in itertools.pairwise(cells))
        np.array([cell.lower for cell in cells], dtype=axis.dtype)
        assert len(cells) <= 400
    if axis.is_gridded and pa.types.is_integer(held):
        assert n_ticks(axis, low, high) == 2**held.bit_width


def test_zero_is_a_cell_of_its_own() -> None:
    for kind, held in (("integer", "int64"), ("float", "double")):
        axis = public_axis(ColumnSchema(name="x", kind=kind, arrow_type=held), step=None)
        cells = exponential_cells(axis, -100, 100)
        assert [cell.lower for cell in cells if cell.is_single and cell.lower == 0] == [0]


def test_integers_lie_in_powers_of_two_and_dates_in_years() -> None:
    axis = public_axis(ColumnSchema(name="x", kind="integer", arrow_type="int64"))
    ends = [(cell.lower, cell.upper) for cell in exponential_cells(axis, -4, 20)]
    assert ends == [(-4, -4), (-3, -2), (-1, -1), (0, 0), (1, 1), (2, 3), (4, 7), (8, 15), (16, 20)]
    axis = public_axis(ColumnSchema(name="x", kind="date", arrow_type="date32[day]"))
    ends = [(cell.lower, cell.upper) for cell in exponential_cells(axis, 0, 800)]
    assert ends == [(0, 364), (365, 729), (730, 800)]


def test_ticks_are_cut_out() -> None:
    axis = public_axis(ColumnSchema(name="x", kind="integer", arrow_type="int64"))
    parts = without_ticks(axis, Cell(0, 9), [-5, 0, 3, 4, 9, 12])
    assert [(part.lower, part.upper) for part in parts] == [(1, 2), (5, 8)]
    assert without_ticks(axis, Cell(3, 4), [3, 4]) == []


@given(keys=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1))
def test_buckets_are_fixed_and_in_range(keys: list[int]) -> None:
    first = bucket_of(np.array(keys, dtype=np.int64))
    assert ((first >= 0) & (first < 2**20)).all()
    np.testing.assert_array_equal(first, bucket_of(np.array(keys, dtype=np.int64)))


def test_buckets_spread_and_know_one_zero() -> None:
    assert len(np.unique(bucket_of(np.arange(1000)))) > 990
    assert bucket_of(np.array([-0.0])) == bucket_of(np.array([0.0]))
    assert bucket_of(np.array([1.5], np.float32)) == bucket_of(np.array([1.5]))


def test_rows_count_by_the_coarsest_step() -> None:
    counter = StepCounter("x", pa.timestamp("s"))
    counter.add(pa.array([0, 86_400, 3600, 60, 61, None], pa.timestamp("s")))
    assert counter.counts.tolist() == [2, 1, 1, 1, 0]  # days, hours, minutes, seconds, none
    counter = StepCounter("x", pa.float64())
    counter.add(pa.array([1.0, -3.0, 0.1, 0.29, 1.125, 1 / 3, 1e300, math.inf, None]))
    assert counter.counts.tolist() == [2, 1, 1, 1, 0, 0, 0, 2]
    counter = StepCounter("x", pa.float32())
    counter.add(pa.array(np.array([0.1, 0.29, 7], np.float32)))
    assert counter.counts.tolist() == [1, 1, 1, 0, 0, 0, 0, 0]

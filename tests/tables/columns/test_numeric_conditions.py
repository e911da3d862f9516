"""Conditions on numbers and times: what is allowed decodes to what was asked."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthgan.errors import ConditionError
from synthgan.tables.columns.protocol import LevelCondition
from synthgan.tables.conditions.predicates import AnyOf, Between, Equals, Missing, Predicate, matches, settle
from synthgan.tables.schema.schema import ColumnSchema
from tests.column_fitting import fit_column

FEW = settings(max_examples=40, deadline=None)


def draw_within(encoder: Any, condition: LevelCondition, n_rows: int, seed: int) -> tuple[Any, Any]:
    """Codes and float32 positions as a sampler would draw them; both ends of every interval come up."""
    rng = np.random.default_rng(seed)
    codes = rng.choice(np.flatnonzero(condition.allowed), size=n_rows)
    lower, upper = condition.lower[codes], condition.upper[codes]
    part = rng.choice(np.array([0.0, 1.0, *rng.random(6)], dtype=np.float32), size=n_rows)
    positions = np.clip(lower + part * (upper - lower), lower, np.nextafter(upper, np.float32(0)))
    return codes, positions


def check(encoder: Any, predicate: Predicate, seed: int = 0) -> pa.Array:
    condition = encoder.compile(predicate)
    assert (condition.lower < condition.upper).all()
    assert (condition.lower >= 0).all()
    assert (condition.upper <= 1).all()
    codes, positions = draw_within(encoder, condition, 400, seed)
    decoded = encoder.decode(codes, positions)
    if not condition.is_exact:
        decoded = condition.snap(decoded)
    if not pa.types.is_timestamp(decoded.type):
        assert matches(predicate, decoded).all()
    return decoded


def settled(predicate: Predicate, array: pa.Array, kind: Any) -> Predicate:
    return settle(predicate, ColumnSchema(name="x", kind=kind, arrow_type=str(array.type)))


COLUMNS = {
    "integers": (pa.array(np.random.default_rng(0).integers(0, 5000, 3000)), "integer"),
    "few integers": (pa.array([*range(50)] * 30 + [None] * 20 + [60, 61, 62, 65, 70] * 5), "integer"),
    "cents": (pa.array(np.random.default_rng(1).gamma(2, 50, 3000).round(2)), "float"),
    "reals": (pa.array(np.append(np.random.default_rng(2).normal(size=3000), [0.0] * 500)), "float"),
    "single": (pa.array(np.random.default_rng(3).normal(size=3000).astype(np.float32)), "float"),
    "days": (pa.array(np.random.default_rng(4).integers(-900, 9000, 3000).astype(np.int32)).cast(pa.date32()), "date"),
    "spans": (pa.array(np.random.default_rng(5).integers(-(10**9), 10**9, 3000)).cast(pa.duration("us")), "timedelta"),
}


@pytest.mark.parametrize("name", COLUMNS)
@FEW
@given(data=st.data())
def test_ranges(name: str, data: Any) -> None:
    array, kind = COLUMNS[name]
    values = array.drop_null().to_pylist()
    low, high = sorted((data.draw(st.sampled_from(values)), data.draw(st.sampled_from(values))))
    sides = data.draw(st.sampled_from([(low, high), (low, None), (None, high), (None, None)]))
    inclusive = data.draw(st.sampled_from(["both", "left", "right", "neither"]))
    encoder = fit_column(array, kind, n_bins=20)
    try:
        predicate = settled(Between(*sides, inclusive), array, kind)
        decoded = check(encoder, predicate)
    except ConditionError:
        # Nothing that is generated lies inside: then encoding what the table has inside gives values outside.
        inside = array.filter(pa.array(matches(Between(*sides, inclusive), array)))
        again = encoder.decode(*encoder.encode(inside, np.random.default_rng(0)))
        assert not matches(Between(*sides, inclusive), again).all() or not len(inside)
        return
    assert decoded.null_count == 0


@pytest.mark.parametrize("name", COLUMNS)
@FEW
@given(data=st.data())
def test_values(name: str, data: Any) -> None:
    array, kind = COLUMNS[name]
    encoder = fit_column(array, kind, n_bins=20)
    generated = encoder.decode(*encoder.encode(array, np.random.default_rng(0))).drop_null().to_pylist()
    wanted = data.draw(st.lists(st.sampled_from(generated), min_size=1, max_size=4))
    predicate = Equals(wanted[0]) if len(wanted) == 1 else AnyOf(tuple(wanted))
    check(encoder, settled(predicate, array, kind))


def test_a_range_takes_its_share_of_a_bin() -> None:
    encoder = fit_column(pa.array(np.arange(1000)), "integer", n_bins=2, protect_values=False)
    condition = encoder.compile(Between(250, 624))
    np.testing.assert_allclose(condition.lower, [0.5, 0.0], atol=1e-6)
    np.testing.assert_allclose(condition.upper, [1.0, 0.25], atol=1e-6)
    assert condition.is_exact


def test_missing() -> None:
    array = pa.array([1.0, 2.0, None] * 20)
    encoder = fit_column(array, "float")
    assert encoder.compile(Missing()).allowed.tolist() == [False, False, True]
    assert encoder.compile(AnyOf((2.0,), missing=True)).allowed.tolist() == [False, True, True]
    assert encoder.compile(Between(None, None)).allowed.tolist() == [True, True, False]
    with pytest.raises(ConditionError, match="column 'x'"):
        fit_column(pa.array([1.0, 2.0] * 20), "float").compile(Missing())


def test_infinities() -> None:
    array = pa.array([1.0, 2.0, np.inf, -np.inf] * 20)
    encoder = fit_column(array, "float")
    assert check(encoder, Equals(np.inf)).unique().to_pylist() == [np.inf]
    assert set(check(encoder, Between(1.5, None)).unique().to_pylist()) == {2.0, np.inf}
    assert set(check(encoder, Between(None, 1.5)).unique().to_pylist()) == {1.0, -np.inf}


@pytest.mark.parametrize("predicate", [Equals(10**6), Between(10**6, None), Between(None, -5), AnyOf((-1, 2000))])
def test_what_is_never_generated_is_refused_without_its_value(predicate: Predicate) -> None:
    encoder = fit_column(pa.array(np.arange(1000)), "integer")
    with pytest.raises(ConditionError, match="column 'x'") as caught:
        encoder.compile(predicate)
    assert not any(character.isdigit() for character in str(caught.value))


def test_impossible_values_beside_possible_ones_are_left_out() -> None:
    encoder = fit_column(pa.array([1, 2, 3] * 20), "integer")
    assert encoder.compile(AnyOf((2, 77))).allowed.tolist() == [False, True, False]


def test_single_values_of_a_continuous_column_are_written_exactly() -> None:
    array = pa.array(np.random.default_rng(6).normal(size=2000))
    encoder = fit_column(array, "float", n_bins=20)
    wanted = (0.1234567890123, -1.1, 0.9)
    condition = encoder.compile(AnyOf(wanted))
    assert not condition.is_exact
    assert condition.allowed.sum() == 3
    codes, positions = draw_within(encoder, condition, 300, 0)
    snapped = condition.snap(encoder.decode(codes, positions))
    assert set(snapped.to_pylist()) == set(wanted)


def test_clock_changes_leave_ranges_to_be_tested() -> None:
    start = int(dt.datetime(2024, 10, 20, tzinfo=dt.timezone.utc).timestamp())
    array = (
        pa.array([start + 60 * i for i in range(20_000)])
        .cast(pa.timestamp("s"))
        .cast(pa.timestamp("s", "Europe/Berlin"))
    )
    encoder = fit_column(array, "datetime", n_bins=20)
    low = dt.datetime(2024, 10, 27, 1, 30, tzinfo=dt.timezone.utc)  # the second 02:30 of that day in Berlin
    predicate = settled(Between(low, None), array, "datetime")
    condition = encoder.compile(predicate)
    assert not condition.is_exact
    codes, positions = draw_within(encoder, condition, 4000, 0)
    assert matches(predicate, encoder.decode(codes, positions)).mean() > 0.9
    moved = check(encoder, settled(Equals(low), array, "datetime"))
    assert moved.unique().equals(pa.array([low], type=array.type))


def test_decimals() -> None:
    array = pa.array([Decimal(i).scaleb(-2) for i in range(3000)], type=pa.decimal128(10, 2))
    encoder = fit_column(array, "decimal", n_bins=8)
    decoded = check(encoder, settled(Between(Decimal("3.33"), Decimal("4.5")), array, "decimal"))
    assert min(decoded.to_pylist()) == Decimal("3.33")
    assert max(decoded.to_pylist()) == Decimal("4.50")

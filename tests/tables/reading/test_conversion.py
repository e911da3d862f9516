"""Columns of one type as another that was declared."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthgan.tables.reading.conversion import as_text, convert

INF = float("inf")
TOKYO = pa.timestamp("us", "Asia/Tokyo")
DAY = datetime.date


def moment(hour: int, microsecond: int = 0) -> datetime.datetime:
    return datetime.datetime(2024, 1, 1, hour, microsecond=microsecond)


@pytest.mark.parametrize(
    ("values", "held", "kind", "expected"),
    [
        ([1.0, 2.5, INF, 1e20, -0.0], pa.float64(), pa.int64(), [1, None, None, None, 0]),
        ([1.0, 300.0], pa.float32(), pa.int8(), [1, None]),
        ([1.0, 2.5, INF, 1e20], pa.float64(), pa.string(), ["1", "2.5", "inf", "1e+20"]),
        ([0.1, 1 / 3, INF], pa.float64(), pa.decimal128(5, 2), [Decimal("0.10"), None, None]),
        ([1, 0, 300], pa.int64(), pa.int8(), [1, 0, None]),
        ([1, 0, 300], pa.int64(), pa.bool_(), [True, False, None]),
        ([2**53 + 1], pa.int64(), pa.string(), ["9007199254740993"]),
        ([1, 1000], pa.int64(), pa.decimal128(4, 2), [Decimal("1.00"), None]),
        ([True, False], pa.bool_(), pa.int32(), [1, 0]),
        (["1", "x", ""], pa.string(), pa.int64(), [1, None, None]),
        (["2024-01-01", "x"], pa.large_string(), pa.date32(), [DAY(2024, 1, 1), None]),
        ([Decimal("1.00"), Decimal("1.50")], pa.decimal128(5, 2), pa.int64(), [1, None]),
        ([Decimal("1.50")], pa.decimal128(5, 2), pa.float64(), [1.5]),
        ([moment(12), moment(0)], pa.timestamp("us"), pa.date32(), [None, DAY(2024, 1, 1)]),
        ([moment(12), moment(0, 5)], pa.timestamp("us"), pa.timestamp("s"), [moment(12), None]),
        ([DAY(2024, 1, 1), DAY(9999, 1, 1)], pa.date32(), pa.timestamp("ns"), [moment(0), None]),
        ([None, None], pa.null(), pa.int64(), [None, None]),
        ([1, 2], pa.int64(), pa.date32(), [None, None]),
    ],
    ids=str,
)
def test_conversions(values: list[Any], held: pa.DataType, kind: pa.DataType, expected: list[Any]) -> None:
    made = convert(pa.array([*values, None], held), kind)
    assert made.to_pylist() == [*expected, None]
    dictionary = pa.array(values, held).dictionary_encode() if not pa.types.is_null(held) else None
    if dictionary is not None:
        assert convert(dictionary, kind).to_pylist() == expected


def test_what_is_cut() -> None:
    values = pa.array([moment(12, 5)], pa.timestamp("us"))
    assert convert(values, pa.date32(), cut=True).to_pylist() == [DAY(2024, 1, 1)]
    assert convert(values, pa.timestamp("s"), cut=True).to_pylist() == [moment(12)]


def test_zones_are_local_time() -> None:
    noon = pa.array([moment(12)], pa.timestamp("us"))
    in_tokyo = convert(noon, TOKYO)
    assert in_tokyo.cast(pa.int64()).to_pylist() == [noon.cast(pa.int64())[0].as_py() - 9 * 3600 * 10**6]
    assert convert(in_tokyo, pa.timestamp("us")).equals(noon)
    assert convert(in_tokyo, pa.timestamp("ms", "UTC")).cast(pa.timestamp("us")).to_pylist() == [moment(3)]


@settings(max_examples=60, deadline=None)
@given(numbers=st.lists(st.one_of(st.none(), st.integers(-(2**53), 2**53)), max_size=8))
@pytest.mark.parametrize("kind", [pa.int64(), pa.int16(), pa.string(), pa.decimal128(20, 0), pa.float64()])
def test_whole_numbers_come_out_alike_once_one_is_missing(kind: pa.DataType, numbers: list[int | None]) -> None:
    """As integers, as the floats that pandas makes of them, and as text."""
    whole = pa.array(numbers, pa.int64())
    floats = pa.array([None if number is None else float(number) for number in numbers], pa.float64())
    assert convert(floats, kind).equals(convert(whole, kind))
    assert convert(whole.cast(pa.string()), kind).equals(convert(whole, kind))


@settings(max_examples=60, deadline=None)
@given(
    ticks=st.lists(st.integers(-(2**63) + 1, 2**63 - 1), max_size=6),
    held=st.sampled_from([pa.timestamp("ns"), pa.timestamp("s"), TOKYO, pa.duration("ms"), pa.int64()]),
    kind=st.sampled_from(
        [pa.timestamp("ns"), pa.timestamp("s", "UTC"), pa.date32(), pa.duration("ns"), pa.string(), pa.float32()]
    ),
    cut=st.booleans(),
)
def test_no_value_raises_or_changes_another(ticks: list[int], held: Any, kind: Any, cut: bool) -> None:
    values = pa.array(ticks, pa.int64()).cast(held)
    whole = convert(values, kind, cut=cut)
    alone = [convert(values.slice(place, 1), kind, cut=cut) for place in range(len(values))]
    assert whole.equals(pa.concat_arrays([pa.array([], whole.type), *alone]))


@pytest.mark.parametrize("floats", [pa.float32(), pa.float64()], ids=str)
def test_floats_of_every_width_are_written_as_text(floats: pa.DataType) -> None:
    assert as_text(pa.array([1.0, None, 2.5, -3.0], floats)).to_pylist() == ["1", None, "2.5", "-3"]

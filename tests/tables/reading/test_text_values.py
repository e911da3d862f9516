"""Cells of text as declared types: each by itself, and what does not read is missing."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthgan.tables.reading.text_values import read_text, valid_text

US, NS = pa.timestamp("us"), pa.timestamp("ns")
BERLIN = pa.timestamp("us", "Europe/Berlin")


def ticks(cell: str, kind: pa.DataType, **how: Any) -> int | None:
    """What a cell reads as, in ticks of the type's unit."""
    return read_text(pa.array([cell]), kind, **how).cast(pa.int64())[0].as_py()


@pytest.mark.parametrize(
    ("kind", "cells"),
    [
        (pa.int64(), {"5": 5, "+5": 5, " 7 ": 7, "5.0": 5, "007": 7, "-0": 0, "9223372036854775807": 2**63 - 1}),
        (pa.int64(), dict.fromkeys(["", "5.5", "1e3", "9223372036854775808", "1" * 40, "NA", "1,000", "0x1", "٣"])),
        (pa.uint8(), {"255": 255, "256": None, "-1": None}),
        (pa.uint64(), {"18446744073709551615": 2**64 - 1, "18446744073709551616": None}),
        (pa.float64(), {"1": 1.0, ".5": 0.5, "1e3": 1000.0, "+inf": float("inf"), "1e400": float("inf")}),
        (pa.float64(), dict.fromkeys(["nan", "NaN", "", "1,5", "0x10", "1e", "."])),
        (pa.float16(), {"1.5": 1.5}),
        (pa.bool_(), {"True": True, "FALSE": False, "1": True, "0": False, "yes": None, "": None}),
        (pa.decimal128(5, 2), {"1.5": Decimal("1.50"), "1.500": Decimal("1.50"), "999.99": Decimal("999.99")}),
        (pa.decimal128(5, 2), dict.fromkeys(["1.505", "1234", "1e2", "NaN", "x"])),
        (pa.date32(), {"2024-02-29": datetime.date(2024, 2, 29), "2024-01-01 00:00": datetime.date(2024, 1, 1)}),
        (pa.date32(), dict.fromkeys(["2023-02-29", "03/04/2024", "2024-01-01T12:00", "2024-1-1", "20240101"])),
        (pa.string(), {"NA": "NA", " x ": " x ", "": ""}),
        (pa.uuid(), {"not one": "not one"}),
        (pa.null(), {"x": None}),
    ],
    ids=str,
)
def test_cells(kind: pa.DataType, cells: dict[str, Any]) -> None:
    read = read_text(pa.array([*cells, None], pa.string()), kind)
    assert read.to_pylist() == [*cells.values(), None]
    assert [read_text(pa.array([cell]), kind)[0].as_py() for cell in cells] == list(cells.values())


def test_decimal_commas() -> None:
    cells = pa.array(["1,5", "1.5", "1.234,5"])
    assert read_text(cells, pa.float64(), decimal=",").to_pylist() == [1.5, None, None]
    assert read_text(cells, pa.decimal128(5, 2), decimal=",").to_pylist() == [Decimal("1.50"), None, None]


@pytest.mark.parametrize(
    ("cell", "kind", "hours"),
    [
        ("1970-01-01T05:00", US, 5),
        ("1970-01-01 5:00:00+09:00", US, 5),  # a type without a zone takes the local time
        ("1970-01-01T05:00:00Z", BERLIN, 5),
        ("1970-01-01T05:00:00-0300", BERLIN, 8),
        ("1970-01-01 05:00", BERLIN, 4),  # local time in Berlin, which was an hour ahead
        ("1970-01-02", NS, 24),
    ],
)
def test_moments(cell: str, kind: pa.DataType, hours: int) -> None:
    per_second = 10**6 if kind.unit == "us" else 10**9
    assert ticks(cell, kind) == hours * 3600 * per_second


@pytest.mark.parametrize("cell", ["2024-13-01", "2024-01-01 24:00", "2024-01-01 00:00:60", "x", "", "2024-01-01T00"])
def test_what_is_no_moment(cell: str) -> None:
    assert ticks(cell, US) is None
    assert ticks(cell, BERLIN) is None


def test_digits_beyond_the_unit() -> None:
    assert ticks("1970-01-01 00:00:00.1234567", US) is None
    assert ticks("1970-01-01 00:00:00.1234560", US) == 123_456
    assert ticks("1970-01-01 00:00:00.1234567", US, cut=True) == 123_456
    assert ticks("9999-12-31", NS) is None
    cut = read_text(pa.array(["2024-01-01T23:59"]), pa.date32(), cut=True)
    assert cut.to_pylist() == [datetime.date(2024, 1, 1)]


def test_hours_that_clocks_skip_and_repeat() -> None:
    assert ticks("2024-03-31 02:30", BERLIN) == ticks("2024-03-31T01:00Z", BERLIN)
    assert ticks("2024-10-27 02:30", BERLIN) == ticks("2024-10-27T00:30Z", BERLIN)


@pytest.mark.parametrize(
    ("cell", "seconds"),
    [
        ("02:03:04", 7384),
        ("1 days 02:03:04", 93_784),
        ("-1 days +22:00:00", -7200),
        ("-02:00:00", -7200),
        ("3 days", 259_200),
        ("1 day, 0:00:01", 86_401),
        ("", None),
        ("12", None),
        ("x", None),
        ("999999999 days", None),
    ],
)
def test_spans(cell: str, seconds: int | None) -> None:
    assert ticks(cell, pa.duration("us")) == (None if seconds is None else seconds * 10**6)


def test_times_of_day() -> None:
    kind = pa.time64("us")
    assert read_text(pa.array(["x"]), kind).type == pa.duration("us")
    assert [ticks(cell, kind) for cell in ("9:05", "23:59:59.5", "24:00", "")] == [
        32_700_000_000,
        86_399_500_000,
        None,
        None,
    ]


KINDS = [
    pa.int8(), pa.uint64(), pa.float32(), pa.bool_(), pa.decimal128(4, 1), pa.date32(), US, BERLIN, pa.time32("s"),
    pa.duration("ns"), pa.string(),
]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    cells=st.lists(st.one_of(st.none(), st.text(max_size=6), st.from_regex(r"[-+0-9.:eETZ ]{0,12}", fullmatch=True))),
    kind=st.sampled_from(KINDS),
    cut=st.booleans(),
)
def test_no_cell_changes_another(cells: list[str | None], kind: pa.DataType, cut: bool) -> None:
    whole = read_text(pa.array(cells, pa.string()), kind, cut=cut)
    alone = [read_text(pa.array([cell], pa.string()), kind, cut=cut) for cell in cells]
    assert whole.equals(pa.concat_arrays([pa.array([], whole.type), *alone]))


def test_bytes_that_are_no_text_stay_apart() -> None:
    raw = pa.array([b"\xff1", b"\xfe1", "ü".encode(), None], pa.binary())
    text = pa.Array.from_buffers(pa.string(), len(raw), raw.buffers(), null_count=1)
    assert valid_text(text).to_pylist() == ["\\xff1", "\\xfe1", "ü", None]
    assert valid_text(text.slice(2)).to_pylist() == ["ü", None]
    dictionary = pa.DictionaryArray.from_arrays(pa.array([0, 1, 1, None]), text)
    assert valid_text(dictionary).to_pylist() == ["\\xff1", "\\xfe1", "\\xfe1", None]

"""Conditions: reading them, settling them on a column's type, and testing rows."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthgan.errors import ConditionError
from synthgan.tables.axes.whole_axis import WholeAxis
from synthgan.tables.conditions.predicates import (
    AnyOf,
    Between,
    Equals,
    Missing,
    matches,
    parse_conditions,
    parse_where,
)
from synthgan.tables.schema.schema import ColumnSchema, Levels, TableSchema


def column(name, kind, arrow_type, **facts):
    return ColumnSchema(name=name, kind=kind, arrow_type=arrow_type, **facts)


SCHEMA = TableSchema(
    columns=(
        column("age", "integer", "int64"),
        column("small", "integer", "uint8"),
        column("rate", "float", "double"),
        column("rate32", "float", "float"),
        column("price", "decimal", "decimal128(10, 2)"),
        column("seen", "datetime", "timestamp[us]"),
        column("seen_zone", "datetime", "timestamp[ns, tz=Europe/Berlin]", time_zone="Europe/Berlin"),
        column("day", "date", "date32[day]"),
        column("clock", "timedelta", "time64[us]"),
        column("took", "timedelta", "duration[s]"),
        column("member", "boolean", "bool"),
        column("sex", "categorical", "large_string"),
        column("size", "categorical", "string", levels=Levels(values=("S", "M", "L", "XL"), ordered=True)),
        column("code", "categorical", "int64"),
        column("id", "identifier", "string"),
        column("note", "text", "string"),
        column("gone", "text", "string", text="drop"),
        column("7", "integer", "int64", label=7),
        column("a=b", "categorical", "string"),
        column("nothing", "constant", "null"),
        column("price_text", "decimal", "decimal128(18, 2)", stored_type="string", written="#.##0,00"),
        column("day_text", "date", "date32[day]", stored_type="string", written="%d.%m.%Y"),
    )
)


def one(name, asked):
    return parse_conditions({name: asked}, SCHEMA)[name]


def where(text):
    return next(iter(parse_where([text], SCHEMA).values()))


@pytest.mark.parametrize(
    ("name", "asked", "expected"),
    [
        ("age", 60, Equals(60)),
        ("age", np.int16(60), Equals(60)),
        ("age", 60.0, Equals(60)),
        ("age", (60, 80), Between(60, 80)),
        ("age", (60.5, 80.5), Between(61, 80)),
        ("age", (None, 80), Between(None, 80)),
        ("age", (-math.inf, 80), Between(None, 80)),
        ("age", (60, np.inf), Between(60, None)),
        ("age", (60, pd.NA), Between(60, None)),
        ("age", (None, None), Between(None, None)),
        ("age", Between(60, 80, "neither"), Between(61, 79)),
        ("age", Between(60.5, 80.5, "neither"), Between(61, 80)),
        ("age", [1, 2, 2], AnyOf((1, 2))),
        ("age", [1, None], AnyOf((1,), missing=True)),
        ("age", {5}, Equals(5)),
        ("age", range(3), AnyOf((0, 1, 2))),
        ("age", np.array([3, 4]), AnyOf((3, 4))),
        ("age", pd.Series([3, pd.NA], dtype="Int64"), AnyOf((3,), missing=True)),
        ("age", [None, math.nan], Missing()),
        ("age", None, Missing()),
        ("age", math.nan, Missing()),
        ("age", pd.NaT, Missing()),
        ("age", pd.NA, Missing()),
        ("age", Decimal("NaN"), Missing()),
        ("age", Missing(), Missing()),
        ("small", (-5, 300), Between(None, None)),
        ("rate", 1, Equals(1.0)),
        ("rate", math.inf, Equals(math.inf)),
        ("rate", Between(0.1, 0.2, "left"), Between(0.1, 0.2, "left")),
        ("rate32", 0.1, Equals(float(np.float32(0.1)))),
        ("price", 0.1, Equals(Decimal("0.10"))),
        ("price", (Decimal("0.101"), 3), Between(Decimal("0.11"), Decimal("3.00"))),
        ("seen", "2024-02-29", Equals(pd.Timestamp("2024-02-29"))),
        ("seen", (dt.date(2024, 1, 1), np.datetime64("2024-01-02T00:00:00.0000015", "ns")),
         Between(pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-02 00:00:00.000001"))),
        ("seen_zone", "2024-07-01 12:00", Equals(pd.Timestamp("2024-07-01 12:00", tz="Europe/Berlin"))),
        ("seen_zone", pd.Timestamp("2024-07-01 10:00", tz="UTC"),
         Equals(pd.Timestamp("2024-07-01 12:00", tz="Europe/Berlin"))),
        ("day", "2024-02-29", Equals(dt.date(2024, 2, 29))),
        ("day", (dt.datetime(2024, 2, 28, 1), None), Between(dt.date(2024, 2, 29), None)),
        ("clock", dt.time(1, 2, 3), Equals(pd.Timedelta("01:02:03"))),
        ("took", ("1 days", dt.timedelta(days=2)), Between(pd.Timedelta("1D"), pd.Timedelta("2D"))),
        ("clock", ("13:25", "23:59:59.5"), Between(pd.Timedelta("13:25:00"), pd.Timedelta("23:59:59.5"))),
        ("seen", ("2024-05", "2024-05-01T12:30:15.5"),
         Between(pd.Timestamp("2024-05-01"), pd.Timestamp("2024-05-01 12:30:15.5"))),
        ("seen_zone", "2024-07-01T10:00Z", Equals(pd.Timestamp("2024-07-01 12:00", tz="Europe/Berlin"))),
        ("price_text", ("10,50", "1.200,00"), Between(Decimal("10.50"), Decimal("1200.00"))),
        ("price_text", 12, Equals(Decimal("12.00"))),
        ("day_text", ["04.03.2024", "2024-03-05"], AnyOf((dt.date(2024, 3, 4), dt.date(2024, 3, 5)))),
        ("member", 1, Equals(True)),
        ("member", np.bool_(False), Equals(False)),
        ("sex", "Male", Equals("Male")),
        ("sex", ["Male", "Female"], AnyOf(("Male", "Female"))),
        ("size", ("M", None), AnyOf(("M", "L", "XL"))),
        ("size", Between("S", "L", "neither"), AnyOf(("M",))),
        ("code", (2, 3), Between(2, 3)),
        ("id", None, Missing()),
        ("note", None, Missing()),
        ("nothing", None, Missing()),
    ],
)  # fmt: skip
def test_python_notation(name, asked, expected):
    assert one(name, asked) == expected


def test_labels_that_are_not_strings():
    assert parse_conditions({7: 1}, SCHEMA) == {"7": Equals(1)}
    assert parse_conditions({"7": 1}, SCHEMA) == {"7": Equals(1)}
    with pytest.raises(ConditionError, match="two conditions"):
        parse_conditions({7: 1, "7": 2}, SCHEMA)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sex=>50K", Equals(">50K")),
        ("sex=", Equals("")),
        ("sex=a..b", Equals("a..b")),
        ("sex=x=y", Equals("x=y")),
        ("sex=Male|Female", AnyOf(("Male", "Female"))),
        (r"sex=Ma\|le", Equals("Ma|le")),
        ("sex=missing()", Missing()),
        ("sex=Male|missing()", AnyOf(("Male",), missing=True)),
        ("a=b=c", Equals("c")),
        ("age=60..80", Between(60, 80)),
        ("age=60..", Between(60, None)),
        ("age=..-3", Between(None, -3)),
        ("age= 60 ", Equals(60)),
        ("rate=-1.5..1e3", Between(-1.5, 1000.0)),
        ("rate=..inf", Between(None, None)),
        ("price=1.005..2", Between(Decimal("1.01"), Decimal("2.00"))),
        ("seen=2024-01-01..2024-01-02T12:00", Between(pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-02 12:00"))),
        ("day_text=04.03.2024..2024-03-05", Between(dt.date(2024, 3, 4), dt.date(2024, 3, 5))),
        ("price_text=100..1.200,00", Between(Decimal("100.00"), Decimal("1200.00"))),
        ("price_text=12,50|7", AnyOf((Decimal("12.50"), Decimal("7.00")))),
        ("took=90s..2h", Between(pd.Timedelta("90s"), pd.Timedelta("2h"))),
        ("member=yes", Equals(True)),
        ("member=False|TRUE", AnyOf((False, True))),
        ("size=M..L", AnyOf(("M", "L"))),
        ("code=2|3", AnyOf((2, 3))),
    ],
)
def test_shell_notation(text, expected):
    assert where(text) == expected


SECRET = 987654321.5
IMPOSSIBLE = [
    ({"ages": 1}, "did you mean 'age'"),
    ({"unheard-of": 1}, "does not have"),
    ({"age": 60.5}, "cannot hold"),
    ({"age": math.inf}, "cannot hold"),
    ({"small": 256}, "cannot hold"),
    ({"age": "987654321.5"}, "holds int64"),
    ({"age": (80, 60)}, "no value"),
    ({"age": Between(60, 60, "left")}, "no value"),
    ({"age": Between(60, 61, "neither")}, "no value"),
    ({"age": (math.inf, None)}, "no value"),
    ({"age": (math.nan, 3)}, "NaN as a bound"),
    ({"age": (1, 2, 3)}, "tuple of 3"),
    ({"age": {"low": 1}}, "is a dict"),
    ({"age": slice(1, 2)}, "is a slice"),
    ({"age": []}, "empty set"),
    ({"small": (300, None)}, "no value"),
    ({"rate": "987654321.5"}, "holds double"),
    ({"rate": (2.0, 1.0)}, "no value"),
    ({"rate": (math.inf, None)}, "no value"),
    ({"rate": Between(1.0, 1.0, "right")}, "no value"),
    ({"price": Decimal("0.001")}, "cannot hold"),
    ({"price": Decimal("987654321.5")}, "cannot hold"),
    ({"price": "987654321.5"}, "holds decimal"),
    ({"seen": "987654321.5 o'clock"}, "holds timestamp"),
    ({"seen": 5}, "holds timestamp"),
    ({"seen": pd.Timestamp("2024-01-01", tz="UTC")}, "without one"),
    ({"took": 5}, "holds duration"),
    ({"took": "5"}, "without a unit"),
    ({"took": ("1.5", None)}, "without a unit"),
    ({"seen": "03/04/2024"}, "not in ISO form"),
    ({"seen": ("4.3.2024", None)}, "not in ISO form"),
    ({"seen": "3 April 2024"}, "not in ISO form"),
    ({"seen": "now"}, "not in ISO form"),
    ({"seen": "2024-05-01 4pm"}, "not in ISO form"),
    ({"seen": "2024-5-1"}, "not in ISO form"),
    ({"seen": "2024-02-30"}, "does not read as one"),
    ({"seen_zone": ["2024-05-01", "01.05.2024"]}, "not in ISO form"),
    ({"day": (None, "12/31/2024")}, "not in ISO form"),
    ({"member": 2}, "holds bool"),
    ({"member": "yes"}, "holds bool"),
    ({"sex": 987654321.5}, "holds large_string"),
    ({"sex": [["987654321.5"]]}, "holds large_string"),
    ({"sex": ("A", "B")}, "no order"),
    ({"member": (False, True)}, "no order"),
    ({"size": ("M", "987654321.5")}, "ordered categories"),
    ({"size": ("L", "M")}, "no value"),
    ({"size": Between("M", "L", "neither")}, "no value"),
    ({"id": "987654321.5"}, "identifier"),
    ({"note": "987654321.5"}, "never learned"),
    ({"gone": None}, "dropped"),
    ("age=987654321.5", "mapping"),
]


@pytest.mark.parametrize(("asked", "says"), IMPOSSIBLE)
def test_impossible_conditions_say_which_part_and_quote_no_value(asked, says):
    with pytest.raises(ConditionError, match=says) as caught:
        parse_conditions(asked, SCHEMA)
    message = str(caught.value)
    assert str(SECRET) not in message
    assert caught.value.__cause__ is None
    if isinstance(asked, dict):
        assert next(iter(asked)) in message
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (["age>987654321.5"], "number 1 has no '='"),
        (["age=1", "ages=987654321.5"], "did you mean 'age'"),
        (["age=1", "age=2"], "two conditions"),
        (["age=1..2|5"], "mixes a range"),
        (["age=987654321.5x"], "holds int64"),
        (["age=x..y"], "holds int64"),
        (["rate=987654321.5x"], "holds double"),
        (["rate=nan"], r"missing\(\)"),
        (["age=..NaN"], r"missing\(\)"),
        (["member=perhaps"], "holds bool"),
        (["seen=987654321.5x"], "holds timestamp"),
        (["seen=03/04/2024.."], "not in ISO form"),
        (["seen=..4.3.2024"], "not in ISO form"),
        (["day_text=4.3.2024.."], r"not in ISO form.*as the column has it \(%d.%m.%Y\)"),
        (["price_text=12,5"], "holds decimal"),
        (["id=987654321.5"], "identifier"),
    ],
)
def test_malformed_shell_conditions(texts, says):
    with pytest.raises(ConditionError, match=says) as caught:
        parse_where(texts, SCHEMA)
    assert "987654321" not in str(caught.value)


def test_matches_by_hand():
    ages = pa.chunked_array([[1, None, 3], [60, 80]])
    assert matches(one("age", (3, 60)), ages).tolist() == [False, False, True, True, False]
    assert matches(one("age", None), ages).tolist() == [False, True, False, False, False]
    assert matches(one("age", [80, None]), ages).tolist() == [False, True, False, False, True]
    assert matches(one("age", 60), ages).tolist() == [False, False, False, True, False]
    assert matches(one("age", (None, None)), ages).tolist() == [True, False, True, True, True]

    rates = pa.array([0.1, float("nan"), None, math.inf, -math.inf])
    assert matches(one("rate", math.nan), rates).tolist() == [False, True, True, False, False]
    assert matches(one("rate", (0.1, math.inf)), rates).tolist() == [True, False, False, True, False]
    assert matches(Between(0.1, None, "neither"), rates).tolist() == [False, False, False, True, False]
    assert matches(one("rate", math.inf), rates).tolist() == [False, False, False, True, False]
    assert matches(one("rate32", 0.1), pa.array([0.1, 0.2], pa.float32())).tolist() == [True, False]
    assert matches(Equals(0.5), pa.array([0.5, None], pa.float16())).tolist() == [True, False]

    sexes = pa.array(["Male", None, "Female", "Male"])
    for held in (sexes, sexes.dictionary_encode(), sexes.cast(pa.large_string()), sexes.cast(pa.string_view())):
        assert matches(one("sex", "Male"), held).tolist() == [True, False, False, True]
        assert matches(one("sex", ["Female", None]), held).tolist() == [False, True, True, False]
        assert matches(one("sex", None), held).tolist() == [False, True, False, False]

    prices = pa.array([Decimal("0.10"), None, Decimal("0.11")], pa.decimal128(10, 2))
    assert matches(one("price", 0.1), prices).tolist() == [True, False, False]
    assert matches(one("price", (0.101, 1)), prices).tolist() == [False, False, True]
    seen = pa.array([0, None, 10**15], pa.timestamp("us"))
    assert matches(one("seen", "1970-01-01"), seen).tolist() == [True, False, False]
    assert matches(one("seen", ("1970-01-02", None)), seen).tolist() == [False, False, True]
    zoned = pa.array([pd.Timestamp("2024-07-01 10:00", tz="UTC").value, None], pa.timestamp("ns", "Europe/Berlin"))
    assert matches(one("seen_zone", "2024-07-01 12:00"), zoned).tolist() == [True, False]
    assert matches(one("day", "1970-01-02"), pa.array([0, 1], pa.date32())).tolist() == [False, True]
    assert matches(one("clock", dt.time(0, 0, 1)), pa.array([0, 10**6], pa.time64("us"))).tolist() == [False, True]
    assert matches(one("took", "1min"), pa.array([60, 61], pa.duration("s"))).tolist() == [True, False]
    assert matches(one("took", ("61s", None)), pa.array([60, 61], pa.duration("s"))).tolist() == [False, True]
    assert matches(one("member", True), pa.array([True, None, False])).tolist() == [True, False, False]
    assert matches(Missing(), pa.nulls(2)).tolist() == [True, True]
    assert matches(Missing(), pa.chunked_array([], pa.int64())).tolist() == []


TYPES = [pa.int8(), pa.uint64(), pa.int64(), pa.decimal128(12, 3), pa.timestamp("s"), pa.timestamp("us", "Asia/Tokyo"),
         pa.timestamp("ns"), pa.date32(), pa.duration("s"), pa.duration("ns")]  # fmt: skip


@settings(deadline=None)
@given(st.sampled_from(TYPES), st.integers(-(2**62), 2**62))
def test_axis_values_convert_exactly_to_their_type(arrow_type, tick):
    axis = WholeAxis(arrow_type)
    tick %= 10**9  # within the years 1970 to 2001 in the coarsest unit
    if not axis.limits[0] <= tick <= axis.limits[1] or arrow_type == pa.date32():
        tick %= 127
    value = axis.value(tick)
    assert axis.ticks(value) == tick
    exact = pa.scalar(value if pa.types.is_decimal(arrow_type) else tick, arrow_type)
    assert pa.scalar(value, arrow_type) == exact


@settings(deadline=None)
@given(
    st.sampled_from([pa.int8(), pa.uint8(), pa.int64(), pa.uint64()]),
    st.lists(st.one_of(st.none(), st.integers(0, 127)), max_size=8),
    st.one_of(st.none(), st.integers(-(10**20), 10**20), st.floats(-200, 300)),
    st.one_of(st.none(), st.integers(-(10**20), 10**20), st.floats(-200, 300)),
    st.sampled_from(["both", "left", "right", "neither"]),
)
def test_integer_ranges_agree_with_python_comparison(arrow_type, values, low, high, inclusive):
    schema = TableSchema(columns=(column("x", "integer", str(arrow_type)),))
    expected = [
        value is not None
        and (low is None or low < value or (low == value and inclusive in ("both", "left")))
        and (high is None or value < high or (high == value and inclusive in ("both", "right")))
        for value in values
    ]
    try:
        predicate = parse_conditions({"x": Between(low, high, inclusive)}, schema)["x"]
    except ConditionError:
        assert not any(expected)
    else:
        assert matches(predicate, pa.array(values, arrow_type)).tolist() == expected


@settings(deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.floats(width=32)), max_size=8),
    st.one_of(st.none(), st.floats(-1e38, 1e38), st.just(math.inf), st.just(-math.inf)),
    st.one_of(st.none(), st.floats(-1e38, 1e38), st.just(math.inf), st.just(-math.inf)),
)
def test_float_ranges_agree_with_a_frame(values, low, high):
    series = pd.Series(values, dtype="float32")
    expected = series.notna()
    if low is not None:
        expected &= series >= np.float32(low)
    if high is not None:
        expected &= series <= np.float32(high)
    schema = TableSchema(columns=(column("x", "float", "float"),))
    try:
        predicate = parse_conditions({"x": (low, high)}, schema)["x"]
    except ConditionError:
        assert not (expected & np.isfinite(series)).any()
    else:
        assert matches(predicate, pa.array(series)).tolist() == expected.tolist()

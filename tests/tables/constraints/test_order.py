"""Orders: what becomes of the higher column, and that no row breaks one."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthgan.errors import DataError, SchemaError
from synthgan.tables.arrow_types import parse_type
from synthgan.tables.constraints import (
    ViolationCounter,
    grid_columns,
    reparametrise,
    with_grids,
)
from synthgan.tables.constraints.limits import Limits
from synthgan.tables.constraints.scales import WholeScale
from synthgan.tables.schema.schema import Bounds, Combinations, Order, Sum, TableSchema
from synthgan.tables.statistics.statistics import ExactStatistics
from tests.constraint_tables import array, broken, cells, column, random_internal, rng, schema, table, there_and_back

DAY = 86_400 * 10**9


def test_an_order_by_hand():
    of = schema([Order(low="a", high="b")], a="int64", x="string", b="int64")
    rows = table(of, a=[1, None, 5, None], x=["p", "q", "r", "s"], b=[4, 7, None, None])
    rules = reparametrise(of)
    assert rules.internal.names == ("a", "x", "b without a", "b - a", "b is given")
    kinds = [each.kind for each in rules.internal.columns]
    assert kinds == ["integer", "categorical", "integer", "integer", "boolean"]
    assert rules.internal["b - a"].bounds == Bounds(lower=0)
    assert rules.internal.constraints == ()
    assert rules.derived == {"b": ("b without a", "b - a", "b is given")}
    inside = rules.forward(rows)
    assert inside.to_pydict() == {
        "a": [1, None, 5, None],
        "x": ["p", "q", "r", "s"],
        "b without a": [None, 7, None, None],
        "b - a": [3, None, None, None],
        "b is given": [True, True, False, False],
    }
    assert rules.backward(inside, rules.start(rng())).equals(rows)


@pytest.mark.parametrize(
    ("arrow_type", "kind", "gap_type"),
    [
        ("int8", "integer", "int64"),
        ("float", "float", "double"),
        ("decimal128(10, 2)", "decimal", "decimal128(38, 2)"),
        ("timestamp[us]", "timedelta", "duration[us]"),
        ("timestamp[us, tz=Europe/Berlin]", "timedelta", "duration[us]"),
        ("date32[day]", "integer", "int64"),
        ("duration[s]", "timedelta", "duration[s]"),
    ],
)
def test_gaps_have_proper_kinds(arrow_type, kind, gap_type):
    gap = reparametrise(schema([Order(low="a", high="b")], a=arrow_type, b=arrow_type)).internal["b - a"]
    assert (gap.kind, gap.arrow_type) == (kind, gap_type)
    assert gap.bounds.lower == type(gap.bounds.lower)(0)


def test_a_record_batch_stays_one_and_dictionaries_are_read():
    of = schema(
        [Order(low="a", high="b"), Combinations(columns=("c", "d"))], a="int64", b="int64", c="string", d="string"
    )
    rows = table(of, a=[1], b=[2], c=["x"], d=["y"])
    coded = rows.set_column(2, "c", rows.column("c").dictionary_encode())
    inside = reparametrise(of).forward(coded.to_batches()[0])
    assert isinstance(inside, pa.RecordBatch)
    assert inside.column(4).to_pylist() == ['["x", "y"]']


def test_cents_keep_their_grid():
    of = schema([Order(low="a", high="b")], a="double", b="double")
    rows = table(of, a=[0.1, 19.99, 1 / 3], b=[0.3, 100.01, 2.5])
    inside = reparametrise(of).forward(rows)
    assert inside.column("b - a").to_pylist()[:2] == [0.2, 80.02]
    assert there_and_back(of, rows).column("b").to_pylist() == [0.3, 100.01, 2.5]


def test_single_precision_compares_as_stored():
    of = schema([Order(low="a", high="b")], a="float", b="double")
    rows = pa.table(
        {"a": pa.array([0.1, 0.7], pa.float32()), "b without a": pa.nulls(2, pa.float64()), "b - a": [0.0, 0.0]}
    )
    rules = reparametrise(of)
    back = rules.backward(rows, rules.start(rng())).to_pandas()
    assert (back["a"].astype("float64") <= back["b"]).all()
    wide = schema([Order(low="a", high="b")], a="double", b="float")
    rows = pa.table({"a": [0.1, 0.7], "b without a": pa.nulls(2, pa.float32()), "b - a": [0.0, 0.0]})
    rules = reparametrise(wide)
    back = rules.backward(rows, rules.start(rng())).to_pandas()
    assert (back["a"] <= back["b"].astype("float64")).all()


def test_infinite_ends():
    of = schema([Order(low="a", high="b")], a="double", b="double")
    rows = table(of, a=[-math.inf, -math.inf, 1.0, math.inf, math.inf], b=[2.0, -math.inf, math.inf, math.inf, None])
    assert there_and_back(of, rows).equals(rows)


def test_narrow_types_stop_at_their_end():
    of = schema([Order(low="a", high="b"), Order(low="b", high="c")], a="int64", b="int8", c="uint8")
    rules = reparametrise(of)
    assert rules.internal["a"].bounds == Bounds(upper=127)
    inside = pa.table(
        {
            "a": pa.array([100, 1000, -1000, 5]),
            "b without a": pa.nulls(4, pa.int8()),
            "b - a": [100, 1, 0, 5],
            "c without b": pa.nulls(4, pa.uint8()),
            "c - b": [200, 0, 0, 5],
        }
    )
    back = rules.backward(inside, rules.start(rng())).to_pydict()
    assert back == {"a": [100, 127, -1000, 5], "b": [127, 127, -128, 10], "c": [255, 127, 0, 15]}


def test_declared_bounds_leave_room():
    of = schema(
        [Order(low="a", high="b")],
        a=column("a", "int64", bounds=Bounds(lower=0)),
        b=column("b", "int64", bounds=Bounds(lower=10, upper=100)),
    )
    rules = reparametrise(of)
    assert rules.internal["a"].bounds == Bounds(lower=0, upper=100)
    inside = pa.table(
        {
            "a": [5, 90, 500, None],
            "b without a": pa.array([None, None, None, 500]),
            "b - a": [1, 50, 1, None],
        }
    )
    assert rules.backward(inside, rules.start(rng())).to_pydict() == {"a": [5, 90, 100, None], "b": [10, 100, 100, 100]}
    with pytest.raises(SchemaError, match="no room for order 'a' <= 'b'"):
        reparametrise(
            schema(
                [Order(low="a", high="b")],
                a=column("a", "int64", bounds=Bounds(lower=5)),
                b=column("b", "int64", bounds=Bounds(upper=4)),
            )
        )


def test_declared_bounds_of_times():
    bounds = Bounds(lower=pd.Timestamp("2024-01-01"), upper=pd.Timestamp("2024-12-31"))
    of = schema([Order(low="a", high="b")], a="timestamp[ns]", b=column("b", "timestamp[us]", bounds=bounds))
    rules = reparametrise(of)
    assert rules.internal["a"].bounds.upper == pd.Timestamp("2024-12-31")
    inside = pa.table(
        {
            "a": pa.array([pd.Timestamp("2023-06-01"), pd.Timestamp("2025-06-01")], pa.timestamp("ns")),
            "b without a": pa.nulls(2, pa.timestamp("us")),
            "b - a": pa.array([0, 0], pa.duration("ns")),
        }
    )
    back = rules.backward(inside, rules.start(rng())).to_pandas()
    assert back["b"].tolist() == [pd.Timestamp("2024-01-01"), pd.Timestamp("2024-12-31")]
    assert (back["a"] <= back["b"]).all()


def test_times_of_day_stay_in_the_day():
    of = schema(
        [Order(low="a", high="b")],
        a=column("a", "duration[us]", kind="timedelta", stored_type="time64[us]"),
        b=column("b", "duration[us]", kind="timedelta", stored_type="time64[us]"),
    )
    rules = reparametrise(of)
    hour = 3600 * 10**6
    inside = pa.table(
        {
            "a": pa.array([23 * hour], pa.duration("us")),
            "b without a": pa.nulls(1, pa.duration("us")),
            "b - a": pa.array([5 * hour], pa.duration("us")),
        }
    )
    assert rules.backward(inside, rules.start(rng())).column("b").cast(pa.int64()).to_pylist() == [24 * hour - 1]


def test_chains_and_forks():
    of = schema(
        [Order(low="b", high="c"), Order(low="a", high="b"), Order(low="a", high="c"), Order(low="d", high="c")],
        a="int64",
        b="int64",
        c="int64",
        d="int64",
    )
    rules = reparametrise(of)
    names = (
        "a",
        "b without a",
        "b - a",
        "b is given",
        "c without b and a and d",
        "c - max(b, a, d)",
        "c is given",
        "d",
    )
    assert rules.internal.names == names
    rows = table(of, a=[1, 1, None, 1, None], b=[2, 2, 2, None, None], c=[3, 9, 9, 9, 9], d=[0, 9, None, None, None])
    inside = rules.forward(rows)
    assert inside.column("c - max(b, a, d)").to_pylist() == [1, 0, 7, 8, None]
    assert rules.backward(inside, rules.start(rng())).equals(rows)


def test_an_order_below_a_derived_column():
    of = schema(
        [Order(low="deposit", high="total"), Sum(total="total", parts=("x", "y"))],
        deposit="double",
        total="double",
        x="double",
        y="double",
    )
    rules = reparametrise(of)
    assert "total - deposit" in rules.internal.names
    rows = table(
        of, deposit=[0.1, 0.3, None, 5.0], total=[0.3, 0.3, 0.3, None], x=[0.1, 0.1, 0.1, 1.0], y=[0.2, 0.2, 0.2, None]
    )
    assert there_and_back(of, rows).equals(rows)


def with_found_grids(of, rows):
    """The schema with the grids that exact statistics find in its derived columns."""
    own = TableSchema(columns=tuple(of[name] for name in grid_columns(of)))
    return with_grids(of, ExactStatistics.collect(rows.select(own.names).to_batches(), own))


def test_a_column_on_whole_days_stays_there():
    of = schema([Order(low="booked", high="stay")], booked="timestamp[us]", stay="timestamp[us]")
    assert grid_columns(of) == ("stay",)
    days = [dt.datetime(2024, 1, 1) + dt.timedelta(days=day) for day in (0, 1, 4, 5)]
    of = with_found_grids(of, pa.table({"stay": pa.array(days, pa.timestamp("us"))}))
    assert (of["stay"].granularity, of["stay"].offset, of["stay"].calendar) == (DAY, None, None)
    assert grid_columns(of) == ()
    rows = table(
        of,
        booked=[dt.datetime(2024, 1, 1, 15, 30), dt.datetime(2024, 1, 5)],
        stay=[dt.datetime(2024, 1, 3), dt.datetime(2024, 1, 5)],
    )
    rules = reparametrise(of)
    inside = rules.forward(rows)
    assert rules.backward(inside, rules.start(rng())).equals(rows)
    other = inside.set_column(2, "stay - booked", pa.array([1, 1], pa.duration("us")))
    back = rules.backward(other, rules.start(rng())).column("stay").to_pylist()
    assert back == [dt.datetime(2024, 1, 2), dt.datetime(2024, 1, 6)]


DERIVED = {  # name -> Arrow type, values of the derived column, what a value on its grid is
    "daily at noon": ("timestamp[us]", "D", 12 * 3600, lambda at: at.dt.hour == 12),
    "weekly": ("timestamp[s]", "W-TUE", 9 * 3600, lambda at: (at.dt.day_of_week == 1) & (at.dt.hour == 9)),
    "month ends at six": ("timestamp[us]", "ME", 18 * 3600, lambda at: at.dt.is_month_end & (at.dt.hour == 18)),
    "business days": ("timestamp[ns]", "B", 0, lambda at: at.dt.day_of_week < 5),
    "noon in Berlin": ("timestamp[us, tz=Europe/Berlin]", "D", 12 * 3600, lambda at: at.dt.hour == 12),
    "quarter starts in Berlin": ("timestamp[us, tz=Europe/Berlin]", "QS", 0, lambda at: at.dt.is_quarter_start),
}


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("name", DERIVED)
def test_a_derived_column_stays_on_its_grid(name, direction):
    arrow_type, rule, seconds, on_grid = DERIVED[name]
    held = parse_type(arrow_type)
    days = pd.date_range("2005-01-01", "2025-12-31", freq=rule)
    random = rng()
    far = (days + pd.Timedelta(seconds=seconds))[random.integers(2, len(days) - 2, 600)].tz_localize(held.tz)
    near = far - direction * pd.to_timedelta(random.integers(0, 400 * 1440, 600), unit="min")
    values = {"far": pa.array(far.as_unit("ns")).cast(held), "near": pa.array(near.as_unit("ns")).cast(held)}
    rows = pa.table({**values, "y": [1] * 600})
    low, high = ("near", "far") if direction > 0 else ("far", "near")
    # Combinations decide the near column, so that the far one is derived from it in both directions.
    of = schema(
        [Order(low=low, high=high), Combinations(columns=("near", "y"))], near=arrow_type, far=arrow_type, y="int64"
    )
    assert grid_columns(of) == ("far",)
    of = with_found_grids(of, rows)
    rules = reparametrise(of)
    inside = rules.forward(rows.select(of.names))
    assert rules.backward(inside, rules.start(rng())).to_pandas()["far"].tolist() == rows.to_pandas()["far"].tolist()
    place = next(place for place, field in enumerate(inside.schema) if " - " in field.name)
    gap = (
        pa.array(random.integers(0, 3 * 10**8, 600), pa.int64())  # to 2035: libraries differ on summer time beyond 2037
        .cast(pa.duration("s"))
        .cast(inside.schema.field(place).type)
    )
    back = rules.backward(
        inside.set_column(place, inside.schema.field(place).name, gap), rules.start(rng())
    ).to_pandas()
    assert on_grid(back["far"]).all()
    assert (back[low] <= back[high]).all()


def test_whole_numbers_and_decimals_are_derived_on_their_offsets():
    of = schema([Order(low="a", high="b")], a="int64", b="decimal128(10, 2)")
    of = TableSchema(columns=(of["a"], dataclasses.replace(of["b"], granularity=1, offset=0.99)), constraints=())
    scale = WholeScale(of["b"], [of["a"]])
    snapped = scale.add(np.array([0, 99, 100, -250]), np.array([0, 0, 0, 1]), Limits(Fraction(-1000), Fraction(1000)))
    assert snapped.tolist() == [99, 99, 199, -201]
    down = WholeScale(of["b"], [of["a"]], direction=-1)
    lower = down.add(np.array([0, -99, -100]), np.array([0, 0, 5]), Limits(Fraction(-1000), Fraction(1000)))
    assert (-lower).tolist() == [-1, 99, -1]


def test_local_days_survive_the_change_of_clocks():
    zone = "Europe/Berlin"
    of = schema(
        [Order(low="a", high="b")],
        a=f"timestamp[us, tz={zone}]",
        b=column("b", f"timestamp[us, tz={zone}]", granularity=DAY, time_zone=zone),
    )
    local = pd.DatetimeIndex(["2024-03-30", "2024-10-26"]).tz_localize(zone).as_unit("us")
    rules = reparametrise(of)
    gap = pa.array([2 * DAY // 1000] * 2, pa.duration("us"))
    inside = pa.table({"a": pa.array(local), "b without a": pa.nulls(2, pa.timestamp("us", zone)), "b - a": gap})
    back = rules.backward(inside, rules.start(rng())).to_pandas()["b"]
    assert back.tolist() == [pd.Timestamp("2024-04-01", tz=zone), pd.Timestamp("2024-10-28", tz=zone)]
    there = rules.forward(rules.backward(inside, rules.start(rng())))
    assert there.drop(["b is given"]).equals(inside)


@pytest.mark.parametrize("direction", [1, -1])
def test_the_hour_that_comes_twice_keeps_the_order(direction):
    """On whole hours gaps are those of the wall clock, and 2 o'clock is twice on that night."""
    zone = "Europe/Berlin"
    held = pa.timestamp("us", zone)
    derived = column("b" if direction > 0 else "a", str(held), granularity=3600 * 10**9)
    anchor = column("a" if direction > 0 else "b", str(held))
    rules = reparametrise(
        TableSchema(
            columns=(anchor, derived, column("y", "int64")),
            constraints=(Order(low="a", high="b"), *([] if direction > 0 else [Combinations(columns=("b", "y"))])),
        )
    )
    twice = pd.date_range("2024-10-27 00:00", "2024-10-27 03:00", freq="30min", tz="UTC").tz_convert(zone)
    rows = pa.table({anchor.name: pa.array(twice, held), "y": [1] * 7})
    other = rows.append_column(derived.name, rows.column(anchor.name))
    inside = rules.forward(other)
    for hours in (0, 1, 2, 24):
        place = inside.schema.get_field_index("b - a")
        gap = pa.array([hours * 3600 * 10**6] * 7, pa.duration("us"))
        back = rules.backward(inside.set_column(place, "b - a", gap), rules.start(rng())).to_pandas()
        assert (back["a"] <= back["b"]).all()
        if hours == 24:
            assert (back["a"].dt.hour == back["b"].dt.hour).sum() >= 4


def test_zones_are_compared_as_instants():
    of = schema([Order(low="a", high="b")], a="timestamp[us, tz=Europe/Berlin]", b="timestamp[ns, tz=America/New_York]")
    rows = pa.table(
        {
            "a": pa.array([pd.Timestamp("2024-07-01 12:00", tz="Europe/Berlin")], pa.timestamp("us", "Europe/Berlin")),
            "b": pa.array(
                [pd.Timestamp("2024-07-01 07:00", tz="America/New_York")], pa.timestamp("ns", "America/New_York")
            ),
        }
    )
    inside = reparametrise(of).forward(rows)
    assert inside.column("b - a").cast(pa.int64()).to_pylist() == [3600 * 10**9]
    assert there_and_back(of, rows).equals(rows)
    assert broken(of, rows) == 0


ORDERED = [
    "int8",
    "uint8",
    "int64",
    "uint64",
    "float",
    "double",
    "decimal128(10, 2)",
    "decimal128(20, 4)",
    "timestamp[s]",
    "timestamp[ns]",
    "timestamp[us, tz=Europe/Berlin]",
    "timestamp[ns, tz=America/New_York]",
    "date32[day]",
    "duration[s]",
    "duration[ns]",
]


@settings(deadline=None)
@given(st.sampled_from(ORDERED), st.data())
def test_orders_come_back_as_they_went(arrow_type, data):
    rows = data.draw(st.lists(st.tuples(*[cells(arrow_type)] * 3), min_size=1, max_size=6))
    # Sort each row's present values into its present places, so that a <= b <= c holds.
    ordered = []
    for row in rows:
        present = iter(sorted(each for each in row if each is not None))
        ordered.append([None if each is None else next(present) for each in row])
    of = schema(
        [Order(low="a", high="b"), Order(low="b", high="c"), Order(low="a", high="c")],
        a=arrow_type,
        b=arrow_type,
        c=arrow_type,
    )
    a, b, c = zip(*ordered, strict=True)
    original = pa.table({"a": array(a, arrow_type), "b": array(b, arrow_type), "c": array(c, arrow_type)})
    assert broken(of, original) == 0
    assert there_and_back(of, original).equals(original)


NUMBERS, MOMENTS, ZONED, DURATIONS = ORDERED[:8], [*ORDERED[8:10], ORDERED[12]], ORDERED[10:12], ORDERED[13:]
FAMILIES = [NUMBERS, MOMENTS, ZONED, DURATIONS]


def exactly(values):
    """Values on one exact axis: fractions of what prints, nanoseconds from 1970 for dates and times."""
    held = values.type
    if pa.types.is_date(held):
        values = values.cast(pa.int32()).cast(pa.int64())
        return [None if each is None else Fraction(each * DAY) for each in values.to_pylist()]
    if pa.types.is_temporal(held):
        unit = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}[held.unit]
        return [None if each is None else Fraction(each * unit) for each in values.cast(pa.int64()).to_pylist()]
    if held == pa.float32():  # compared as stored
        values = values.cast(pa.float64())
    return [
        None if each is None else each if isinstance(each, float) and math.isinf(each) else Fraction(str(each))
        for each in values.to_pylist()
    ]


@settings(deadline=None)
@given(st.sampled_from(FAMILIES), st.data(), st.integers(0, 2**32 - 1))
def test_orders_hold_whatever_is_drawn(family, data, seed):
    types = [data.draw(st.sampled_from(family)) for _ in range(4)]
    step = data.draw(st.sampled_from([None, DAY, 3600 * 10**9]))
    gridded = {"granularity": step} if step and "timestamp" in types[1] else {}
    of = schema(
        [Order(low="a", high="b"), Order(low="b", high="c"), Order(low="d", high="c")],
        a=types[0],
        b=column("b", types[1], **gridded),
        c=types[2],
        d=types[3],
    )
    rules = reparametrise(of)
    inside = random_internal(rules, 50, seed)
    with np.errstate(all="raise"):
        back = rules.backward(inside, rules.start(rng()))
    assert back.column_names == list("abcd")
    for low, high in ("ab", "bc", "dc", "ac"):
        pairs = zip(
            exactly(back.column(low).combine_chunks()), exactly(back.column(high).combine_chunks()), strict=True
        )
        assert all(low is None or high is None or low <= high for low, high in pairs), (low, high)
    for name in "bc":  # missing where the model says so, and nowhere else, if any row knows a value
        wanted = pc.fill_null(inside[f"{name} is given"], False)
        known = back.column(name).null_count < len(back)
        assert not known or inside[f"{name} is given"].null_count == 50 or back.column(name).is_valid().equals(wanted)
    assert [str(held) for held in back.schema.types] == types
    assert broken(of, back) == 0


@pytest.mark.parametrize(
    ("low", "high", "lows", "highs"),
    [
        ("int64", "double", [1, 3, None], [1.0, 3.25, 2.0]),
        ("double", "int64", [0.5, 3.0, None], [1, 3, 2]),
        ("int64", "decimal128(10, 2)", [1, -3, None], [Decimal("1.00"), Decimal("2.25"), Decimal(2)]),
        ("decimal128(10, 2)", "double", [Decimal("0.10"), Decimal("0.30"), None], [0.1, 0.3, 0.3]),
        ("double", "decimal128(10, 2)", [0.1, 0.3, None], [Decimal("0.10"), Decimal("0.31"), Decimal(1)]),
        ("date32[day]", "timestamp[us]", [1, 2, None], [86_400 * 10**6, 2 * 86_400 * 10**6 + 1, 5]),
        ("timestamp[ns]", "date32[day]", [1, DAY, None], [1, 1, 5]),
        ("timestamp[s]", "timestamp[ns]", [1, 2, None], [10**9, 2 * 10**9 + 1, 7]),
    ],
)
def test_what_can_be_compared_on_one_axis_may_be_of_two_types(low, high, lows, highs):
    of = schema([Order(low="a", high="b")], a=low, b=high)
    rows = pa.table({"a": array(lows, low), "b": array(highs, high)})
    assert broken(of, rows) == 0
    assert there_and_back(of, rows).equals(rows)


def test_a_date_counts_as_its_midnight():
    of = schema([Order(low="a", high="b")], a="timestamp[us]", b="date32[day]")
    noon = dt.datetime(2024, 1, 1, 12)
    rows = table(of, a=[noon, noon], b=[dt.date(2024, 1, 2), dt.date(2024, 1, 1)])
    counter = ViolationCounter(of)
    counter.update(rows)
    with pytest.raises(DataError, match=r"1 row breaks .* \(a date counts as its midnight\)"):
        counter.check()
    assert there_and_back(of, rows).column("b").to_pylist() == [dt.date(2024, 1, 2)] * 2


@pytest.mark.parametrize(("arrow_type", "value"), [("int64", 2**53 + 1), ("decimal128(38, 2)", Decimal(10) ** 15)])
def test_what_no_float_holds_is_not_compared_with_floats(arrow_type, value):
    of = schema([Order(low="a", high="b")], a="double", b=arrow_type)
    with pytest.raises(DataError, match="column 'b', which a constraint compares with floats") as caught:
        reparametrise(of).forward(table(of, a=[1.0], b=[value]))
    assert str(value) not in str(caught.value)


def test_an_order_reaches_over_a_missing_middle():
    of = schema([Order(low="a", high="b"), Order(low="b", high="c")], a="int64", b="int64", c="int64")
    rules = reparametrise(of)
    rows = table(of, a=[1, 5, 5], b=[None, None, 7], c=[4, 6, 9])
    inside = rules.forward(rows)
    assert inside.column("c - b").to_pylist() == [3, 1, 2]
    assert rules.backward(inside, rules.start(rng())).equals(rows)
    counter = ViolationCounter(of)
    counter.update(table(of, a=[9, 1], b=[None, 2], c=[3, 4]))
    with pytest.raises(DataError, match="1 row breaks order 'a' <= 'c', which follows from the declared orders"):
        counter.check()


def test_a_column_that_is_always_given_is_never_missing():
    """The generator may draw a missing cell below, and nothing alone: another row's value stands in."""
    of = schema([Order(low="a", high="b")], a="int64", b="int64")
    rules = reparametrise(of)
    inside = pa.table(
        {
            "a": pa.array([None, None, 3, 4]),
            "b without a": pa.array([7, None, None, 9]),
            "b - a": pa.array([None, 2, None, None]),
            "b is given": [True] * 4,
        }
    )
    assert rules.backward(inside, rules.start(rng())).column("b").to_pylist()[0] == 7
    back = rules.backward(inside, rules.start(rng(), values={"b without a": lambda n: pa.array([8] * n)}))
    assert back.column("b").to_pylist() == [7, 8, 5, 9]


def test_models_without_the_column_that_says_what_is_given():
    of = schema([Order(low="a", high="b")], a="int64", b="int64")
    older = reparametrise(of, ["a", "b without a", "b - a"])
    assert older.internal.names == ("a", "b without a", "b - a")
    inside = pa.table({"a": pa.array([1, None]), "b without a": pa.array([None, 5]), "b - a": pa.array([2, None])})
    assert older.backward(inside, older.start(rng())).column("b").to_pylist() == [3, 5]

"""Grids of any step, offset and calendar: their arithmetic, and that they are found where they are and nowhere else."""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import grids as benchmark
from benchmarks.grids import TABLE
from synthgan.errors import ConditionError
from synthgan.tables.axes.axis import Axis
from synthgan.tables.axes.calendars import LAST_DAY, Calendar, MonthDays, Weekdays, parse_calendar, rules_of
from synthgan.tables.axes.grids import Grid
from synthgan.tables.conditions.predicates import Between, Equals
from synthgan.tables.schema.schema import ColumnSchema
from synthgan.tables.statistics import histogram
from tests.column_fitting import check_round_trip, fit_column, statistics_of

DAY = 86_400


# --- Calendars -------------------------------------------------------------------------------------------------------

rules = st.one_of(
    st.builds(
        lambda every, first, day, roll: MonthDays(every, first % every, day, roll if day in (1, LAST_DAY) else 0),
        st.sampled_from([1, 2, 3, 5, 6, 12, 48]),
        st.integers(0, 47),
        st.integers(1, LAST_DAY),
        st.just(0),
    ),
    st.builds(lambda every, first: MonthDays(every, first % every, 1, 1), st.sampled_from([1, 3]), st.integers(0, 2)),
    st.builds(lambda every: MonthDays(every, every - 1, LAST_DAY, -1), st.sampled_from([1, 3, 12])),
    st.builds(lambda days: Weekdays(tuple(sorted(days))), st.sets(st.integers(0, 6), min_size=1)),
)


@settings(max_examples=200, deadline=None)
@given(rule=rules, first=st.integers(-400_000, 400_000))
def test_a_rule_numbers_its_days_in_order(rule: Calendar, first: int) -> None:
    days = np.arange(first, first + 400)
    numbers = rule.floor(days)
    assert (rule.day(numbers) <= days).all()
    assert (rule.day(numbers + 1) > days).all()
    np.testing.assert_array_equal(rule.floor(rule.day(numbers)), numbers)
    assert parse_calendar(rule.text) == rule


@pytest.mark.parametrize(
    ("text", "pandas_rule"),
    [
        ("month-start", "MS"),
        ("month-end", "ME"),
        ("quarter-start", "QS"),
        ("quarter-end", "QE"),
        ("year-start", "YS"),
        ("year-end", "YE"),
        ("year-start+3", "YS-APR"),
        ("quarter-end+1", "QE-JAN"),
        ("business-days", "B"),
        ("business-month-end", "BME"),
        ("business-month-start", "BMS"),
        ("business-quarter-end", "BQE"),
        ("wed", "W-WED"),
    ],
)
def test_rules_are_those_of_pandas(text: str, pandas_rule: str) -> None:
    wanted = pd.date_range("1958-05-05", "2031-02-02", freq=pandas_rule)
    rule = parse_calendar(text)
    assert rule is not None
    every = pd.date_range("1958-05-05", "2031-02-02").values.astype("datetime64[D]").astype(np.int64)
    found = every[rule.day(rule.floor(every)) == every]
    np.testing.assert_array_equal(found, wanted.values.astype("datetime64[D]").astype(np.int64))
    assert rule.text == text
    if text != "wed":
        assert text in [rule.text for rule in rules_of(found)]


@pytest.mark.parametrize(
    "text",
    ["", "months-start", "month-0", "month-31", "month-start-1", "mon+mon", "business-month-15", "0-months-1", 3],
)
def test_what_names_no_rule_is_none(text: Any) -> None:
    assert parse_calendar(text) is None


def test_the_thirtieth_is_the_last_of_february() -> None:
    rule = parse_calendar("month-30")
    assert rule is not None
    days = rule.day(rule.floor(np.array([np.datetime64("2023-03-29").astype(int)])))
    assert days.astype("datetime64[D]").astype(str).tolist() == ["2023-02-28"]


# --- Arithmetic ------------------------------------------------------------------------------------------------------


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    if draw(st.booleans()):
        step = draw(st.integers(1, 50))
        plain = Grid(step=step, offset=draw(st.integers(0, step - 1)))
    else:
        step = draw(st.sampled_from([1, 6, 24]))
        plain = Grid(step=step, offset=draw(st.integers(0, step - 1)), calendar=draw(rules), day=24)
    off = sorted(
        value
        for value in draw(st.sets(st.integers(-3000, 3000), max_size=4))
        if plain.raw_one(plain.floor_one(value)) != value
    )
    return Grid(step=plain.step, offset=plain.offset, calendar=plain.calendar, day=plain.day, exceptions=tuple(off))


@settings(max_examples=300, deadline=None)
@given(data=st.data(), low=st.integers(-5000, 5000))
def test_ticks_number_the_points_in_order(data: st.DataObject, low: int) -> None:
    grid = data.draw(grids())
    raw = np.arange(low, low + 300)
    ticks = grid.floor(raw)
    points = grid.raw(ticks)
    assert (points <= raw).all()
    assert (grid.raw(ticks + 1) > raw).all()
    np.testing.assert_array_equal(grid.floor(points), ticks)
    assert [grid.floor_one(int(value)) for value in raw] == ticks.tolist()
    assert [grid.raw_one(int(tick)) for tick in ticks] == points.tolist()
    assert (grid.above(raw) >= raw).all()
    assert [grid.ceil_one(int(value)) for value in raw] == grid.floor(grid.above(raw)).tolist()
    coarse = grid.without_exceptions()
    np.testing.assert_array_equal(coarse.below(points), points)
    assert Grid.from_json(grid.to_json(), grid.day) == grid


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
@pytest.mark.parametrize(("step", "offset"), [(2, 1), (7, 3), (2**62 + 1, 5), (2**63 - 1, 2**62)])
def test_nothing_overflows_at_the_ends_of_64_bits(dtype: Any, step: int, offset: int) -> None:
    ends = np.iinfo(dtype)
    raw = np.array([ends.min, ends.min + 1, 0, ends.max - 1, ends.max], dtype=dtype)
    grid = Grid(step=step, offset=offset)
    ticks = grid.floor(raw)
    assert ticks.tolist() == [(int(value) - offset) // step for value in raw]
    inside = [tick for tick in ticks.tolist() if ends.min <= tick * step + offset <= ends.max]
    assert grid.raw(np.array(inside)).view(dtype).tolist() == [tick * step + offset for tick in inside]


@pytest.mark.parametrize(
    "parts",
    [
        {"step": 0},
        {"step": -1},
        {"step": 1e308},
        {"step": 2**63},
        {"step": True},
        {"step": 5, "offset": 5},
        {"step": 5, "offset": -1},
        {"step": 5, "offset": 10**400},
        {"step": 5, "exceptions": [10]},
        {"step": 5, "exceptions": [3, 2]},
        {"step": 5, "exceptions": list(range(1, 5)) + list(range(6, 10)) + [11]},
        {"step": 5, "exceptions": [10**30 + 1]},
        {"step": 5, "exceptions": 3},
        {"step": 86_400, "calendar": "month-begin"},
        {"step": 86_400, "calendar": 5},
        {"step": 7, "calendar": "month-start"},
    ],
    ids=str,
)
def test_doctored_axes_are_refused(parts: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"grid|exceptions"):
        Axis.from_json({"arrow_type": "timestamp[s]", "decimals": 0, **parts})


@pytest.mark.parametrize(
    "parts",
    [
        {"decimals": 1e3},
        {"decimals": 77},
        {"decimals": -1},
        {"origin": "1" * 77},
        {"origin": "x"},
        {"clock": "moon"},
        {"step": None},
    ],
    ids=str,
)
def test_doctored_units_are_refused(parts: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="axis"):
        Axis.from_json({"arrow_type": "decimal128(38, 2)", "decimals": 0, "step": 1, **parts})


def test_axes_of_earlier_versions_are_read() -> None:
    old = Axis.from_json({"arrow_type": "double", "step": 25, "decimals": 2})
    assert old == Axis(arrow_type=pa.float64(), grid=Grid(step=25), decimals=2)
    assert old.to_json() == {"arrow_type": "double", "step": 25, "decimals": 2}


# --- Finding ---------------------------------------------------------------------------------------------------------


def decoded_anywhere(encoder: Any, n_rows: int = 3000) -> pa.Array:
    """Values at random codes and positions, as a generator that has learned nothing would make them."""
    rng = np.random.default_rng(1)
    codes = rng.integers(0, encoder.n_levels, n_rows)
    return encoder.decode(codes, rng.random(n_rows) if len(encoder.bin_codes) else None)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_every_value_lies_on_the_grid_of_the_column(row: Any) -> None:
    array = row.values(np.random.default_rng(0), 4000)
    encoder = fit_column(array, row.kind)
    check_round_trip(encoder, array)
    assert len(encoder.bin_codes), "a column of levels alone shows nothing"
    assert row.share_on_grid(decoded_anywhere(encoder)) == 1.0


@settings(max_examples=60, deadline=None)
@given(
    step=st.integers(2, 10**6),
    offset=st.integers(-(10**9), 10**9),
    make=st.sampled_from(
        [
            ("integer", lambda raw: pa.array(raw, pa.int64())),
            ("integer", lambda raw: pa.array(raw + 2**62, pa.int64()).cast(pa.uint64())),
            ("float", lambda raw: pa.array(raw / 1e4)),
            ("timedelta", lambda raw: pa.array(raw, pa.duration("ms"))),
            ("datetime", lambda raw: pa.array(raw, pa.timestamp("us"))),
            ("decimal", lambda raw: pa.array([Decimal(int(value)).scaleb(-3) for value in raw], pa.decimal128(20, 3))),
        ]
    ),
)
def test_any_step_and_offset_is_found(step: int, offset: int, make: tuple[str, Callable[[Any], pa.Array]]) -> None:
    kind, array_of = make
    raw = offset + step * np.random.default_rng(step).integers(0, 5000, 600)
    encoder = fit_column(array_of(raw), kind, n_bins=6)
    generated = decoded_anywhere(encoder, 500)
    origin = array_of(np.array([offset]))
    unit = encoder.axis.read(origin)
    assert encoder.axis.write(unit.ticks, None).equals(origin)
    one_more = array_of(np.array([offset + step]))
    assert (encoder.axis.read(one_more).ticks - unit.ticks).tolist() == [1]
    again = encoder.axis.write(encoder.axis.read(generated).ticks, None)
    assert again.equals(generated)


def test_the_ends_of_64_bits_have_a_grid_too() -> None:
    ends = np.iinfo(np.int64)
    last = (2**64 - 1) // 1000
    values = np.array([int(ends.min) + 1000 * (last * place // 400) for place in range(401)])
    encoder = fit_column(pa.array(values), "integer", min_count=1)
    check_round_trip(encoder, pa.array(values))
    assert encoder.axis.grid == Grid(step=1000, offset=int(ends.min) % 1000)
    whole = fit_column(pa.array([ends.min, ends.max, 0, 1, 5] * 20), "integer")
    assert whole.axis.grid == Grid(step=1)


@pytest.mark.parametrize(
    "values",
    [
        pa.array([14, 21, 35]),
        pa.array([3, 1000]),
        pa.array([5, 8, 11]),
        pa.array([dt.date(2024, 1, 1), dt.date(2024, 2, 1), dt.date(2024, 3, 1)]),
        pa.array([dt.date(2024, 1, day) for day in range(1, 6)]),  # a week from Monday to Friday
        pa.array([dt.date(2024, 5, 6), dt.date(2024, 5, 13)]),
    ],
    ids=str,
)
def test_a_few_values_are_no_grid(values: pa.Array) -> None:
    kind = "date" if pa.types.is_date(values.type) else "integer"
    assert fit_column(values, kind, min_count=1).axis.grid == Grid(step=1)


def test_random_values_are_no_grid() -> None:
    for seed in range(200):
        rng = np.random.default_rng(seed)
        dates = pa.array(np.unique(rng.integers(10_000, 20_000, rng.integers(3, 60))).astype(np.int32)).cast(
            pa.date32()
        )
        whole = pa.array(rng.integers(-(10**6), 10**6, rng.integers(3, 60)))
        assert fit_column(dates, "date").axis.grid == Grid(step=1)
        assert fit_column(whole, "integer").axis.step in (1, 2, 10), "small steps are let through most easily"


def test_frequent_values_off_the_grid_stay_what_they_are() -> None:
    rng = np.random.default_rng(2)
    prices = np.append(rng.integers(1, 3000, 5000) + 0.99, [0.0] * 900 + [-1.0] * 300 + [9999.5] * 40)
    array = pa.array(rng.permutation(prices))
    encoder = fit_column(array, "float")
    assert encoder.axis.granularity == 1
    assert encoder.axis.offset == pytest.approx(0.99)
    check_round_trip(encoder, array)
    made = decoded_anywhere(encoder).to_numpy()
    is_special = np.isin(made, [0.0, -1.0, 9999.5])
    np.testing.assert_allclose(np.rint(made[~is_special] - 0.99) + 0.99, made[~is_special])
    assert {0.0, -1.0} <= set(made[is_special].tolist())
    for bound in (-1.5, -1, -0.5, 0, 0.5, 1.99, 9999.4, 9999.5, 9999.7):
        points = encoder.axis.write(np.arange(-10, 10_010), None).to_numpy()
        assert encoder.axis.tick_at_least(bound) == np.flatnonzero(points >= bound)[0] - 10
        assert encoder.axis.tick_at_most(bound) == np.flatnonzero(points <= bound)[-1] - 10


def test_rare_values_off_the_grid_are_no_exceptions() -> None:
    prices = np.append(np.random.default_rng(2).integers(1, 3000, 5000) + 0.99, [0.0] * 9)
    encoder = fit_column(pa.array(prices), "float")
    assert (encoder.axis.granularity, encoder.axis.grid.exceptions) == (0.01, ())


def test_a_date_that_stands_for_never_does_not_spoil_month_starts() -> None:
    months = np.random.default_rng(0).integers(0, 400, 3000).astype("datetime64[M]").astype("datetime64[D]")
    dates = pa.array(np.append(months, np.repeat(np.datetime64("2999-12-31"), 50)))
    encoder = fit_column(dates, "date")
    check_round_trip(encoder, dates)
    made = set(decoded_anywhere(encoder).to_pylist())
    assert {date.day for date in made} <= {1, 31}
    assert {date for date in made if date.day == 31} <= {dt.date(2999, 12, 31)}


def test_grids_are_found_in_all_rows_of_a_sampled_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histogram, "MAX_DISTINCT", 300)
    monkeypatch.setattr(histogram, "SAMPLE_ROWS", 500)
    rng = np.random.default_rng(0)

    def axis_of(array: pa.Array, kind: Any) -> Axis:
        column = ColumnSchema(name="x", kind=kind, arrow_type=str(array.type))
        return statistics_of(array, column).histogram("x").axis

    floats = np.append(np.append(rng.integers(0, 10**6, 9000) + 0.75, [0.0] * 1000), 77.25)
    assert axis_of(pa.array(rng.permutation(floats[:-1])), "float").grid == Grid(step=100, offset=75, exceptions=(0,))
    floats[:-1] = rng.permutation(floats[:-1])
    late = axis_of(pa.array(floats), "float")  # the last row is off the grid of all others
    assert (late.grid, late.decimals) == (Grid(step=50, offset=25, exceptions=(0,)), 2)
    finer = axis_of(pa.array(np.append(rng.integers(0, 10**6, 9000) * 2 + 1.0, 0.25)), "float")
    assert finer.granularity in (0.25, 0.75)
    days = rng.integers(0, 500_000, 20_000)
    business = days[(days + 3) % 7 < 5].astype("datetime64[D]")
    assert axis_of(pa.array(business), "date").grid.calendar == Weekdays((0, 1, 2, 3, 4))
    saturday = np.append(business, np.datetime64("2024-05-04"))
    assert axis_of(pa.array(saturday), "date").grid.calendar == Weekdays((0, 1, 2, 3, 4, 5))


def test_instants_in_steps_of_utc_keep_them() -> None:
    zone = "Europe/Berlin"
    instants = 6 * 3600 * np.random.default_rng(0).integers(70_000, 80_000, 4000)
    array = pa.array(instants).cast(pa.timestamp("s", zone))
    encoder = fit_column(array, "datetime")
    check_round_trip(encoder, array)
    assert (encoder.axis.clock, encoder.axis.grid) == ("utc", Grid(step=6 * 3600))
    assert (decoded_anywhere(encoder).cast(pa.int64()).to_numpy() % (6 * 3600) == 0).all()
    at = pd.Timestamp("2024-07-01 08:00", tz=zone)
    assert encoder.axis.tick_at_least(at) == encoder.axis.tick_at_most(at) == int(at.timestamp()) // (6 * 3600)


def test_a_wall_time_that_a_clock_change_skips_is_never_made() -> None:
    # 02:30 in Berlin: there is none on the last Sunday of March.
    days = np.random.default_rng(0).integers(17_000, 20_000, 4000)
    local = pa.array(days * DAY + 9000).cast(pa.timestamp("s"))
    exists = [pd.Timestamp(value, unit="s") for value in (days * DAY + 9000).tolist()]
    keep = np.array([not (t.month == 3 and t.weekday() == 6 and t.day > 24) for t in exists])
    array = pa.compute.assume_timezone(local.filter(pa.array(keep)), "Europe/Berlin", ambiguous="earliest")
    encoder = fit_column(array, "datetime", n_bins=12)
    made = pa.compute.local_timestamp(decoded_anywhere(encoder, 20_000)).cast(pa.int64()).to_numpy()
    assert set((made % DAY).tolist()) == {9000}


# --- Ranges ----------------------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_ranges_agree_with_brute_force(data: st.DataObject) -> None:
    step = data.draw(st.integers(1, 400))
    offset = data.draw(st.integers(0, step - 1))
    off = data.draw(st.sets(st.integers(-500, 500), max_size=3))
    exceptions = tuple(sorted(value for value in off if (value - offset) % step))
    grid = Grid(step=step, offset=offset, exceptions=exceptions)
    make: Any
    arrow_type, make = data.draw(
        st.sampled_from(
            [
                (pa.int64(), int),
                (pa.float64(), lambda raw: raw / 100),
                (pa.float32(), lambda raw: float(np.float32(raw / 100))),
                (pa.decimal128(12, 2), lambda raw: Decimal(raw).scaleb(-2)),
                (pa.timestamp("s"), lambda raw: pd.Timestamp(raw, unit="s")),
                (pa.date32(), lambda raw: dt.date(1970, 1, 1) + dt.timedelta(days=raw)),
                (pa.duration("ms"), lambda raw: pd.Timedelta(raw, unit="ms")),
            ]
        )
    )
    axis = Axis(arrow_type=arrow_type, grid=grid, decimals=2 if pa.types.is_floating(arrow_type) else 0)
    ticks = np.arange(grid.floor_one(-1200), grid.floor_one(1200) + 1)
    points = axis.write(ticks, None).to_pylist()
    assert [axis.tick_at_least(point) for point in points[::7]] == ticks.tolist()[::7]
    assert [axis.tick_at_most(point) for point in points[::7]] == ticks.tolist()[::7]
    bound = make(data.draw(st.integers(-700, 700)))
    assert axis.tick_at_least(bound) == next(t for t, point in zip(ticks, points, strict=True) if point >= bound)
    assert axis.tick_at_most(bound) == [t for t, point in zip(ticks, points, strict=True) if point <= bound][-1]


@pytest.mark.parametrize(
    ("kind", "array", "inside", "outside"),
    [
        (
            "date",
            pa.array(np.random.default_rng(0).integers(0, 600, 3000).astype("datetime64[M]").astype("datetime64[D]")),
            (dt.date(1999, 12, 15), dt.date(2003, 2, 1)),
            dt.date(2001, 5, 2),
        ),
        ("float", pa.array(np.random.default_rng(0).integers(0, 4000, 3000) + 0.99), (99.995, 250.5), 100.0),
        (
            "datetime",
            pa.array(np.random.default_rng(0).integers(9000, 15_000, 3000) * DAY + 43_200, pa.timestamp("s")),
            (dt.datetime(2000, 1, 1), dt.datetime(2003, 1, 1)),
            dt.datetime(2001, 1, 1),
        ),
    ],
    ids=["month starts", "x.99", "noon"],
)
def test_conditions_are_met_on_the_grid(kind: Any, array: pa.Array, inside: Any, outside: Any) -> None:
    encoder = fit_column(array, kind)
    low, high = inside
    predicate = Between(low=low, high=high)
    condition = encoder.compile(predicate)
    rng = np.random.default_rng(3)
    codes = rng.choice(np.flatnonzero(condition.allowed), 3000)
    lower, upper = condition.lower[codes], condition.upper[codes]
    made = condition.snap(encoder.decode(codes, lower + (upper - lower) * rng.random(3000)))
    again = encoder.axis.write(encoder.axis.read(made).ticks, None)
    assert again.equals(made)
    assert all(low <= value <= high for value in made.to_pylist())
    with pytest.raises(ConditionError, match="no value that the model can generate"):
        encoder.compile(Equals(value=outside))


@pytest.mark.slow
def test_the_benchmark_finds_all_of_its_columns_on_their_grids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "N_STEPS", 2)
    monkeypatch.setattr(sys, "argv", ["grids.py", "--output", str(tmp_path / "grids.json")])
    benchmark.main()
    written = json.loads((tmp_path / "grids.json").read_text())
    assert set(written["share_on_grid"]) == {row.name for row in TABLE}
    assert all(share == {"real": 1.0, "synthetic": 1.0} for share in written["share_on_grid"].values())
    assert {"commit", "machine", "versions"} <= set(written["run"])

"""Numbers and times: grids, spikes, bins, protection, and the law of the round trip."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal, localcontext
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from synthgan.errors import SchemaError
from synthgan.tables.axes.axis import Axis
from synthgan.tables.axes.grids import Grid
from synthgan.tables.columns.numeric import NumericEncoder
from synthgan.tables.columns.protocol import FitRules
from synthgan.tables.schema.schema import Bounds, ColumnSchema, TableSchema
from synthgan.tables.statistics.declared_grids import declared_axis
from synthgan.tables.statistics.statistics import ExactStatistics, Histogram
from tests.column_fitting import check_round_trip, fit_column

FEW = settings(max_examples=60, deadline=None)


def repeated(
    values: st.SearchStrategy[Any], most_values: int = 30, most_rows: int = 60
) -> st.SearchStrategy[list[Any]]:
    """Columns in which some values are heavy and others rare."""
    counted = st.lists(st.tuples(values, st.integers(1, most_rows)), min_size=1, max_size=most_values)
    return counted.map(lambda pairs: [value for value, count in pairs for _ in range(count)])


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), values)


# --- The law of the round trip ---------------------------------------------------------------------------------------


@FEW
@given(
    values=repeated(maybe(st.integers(-(2**63), 2**63 - 1) | st.integers(-20, 20) | st.sampled_from([0, -1, 99_999]))),
    protect=st.booleans(),
    n_bins=st.sampled_from([2, 8, 50]),
)
def test_integers(values: list[int | None], protect: bool, n_bins: int) -> None:
    array = pa.array(values, type=pa.int64())
    encoder = fit_column(array, "integer", protect_values=protect, n_bins=n_bins)
    decoded = check_round_trip(encoder, array)
    check_ends(array, decoded)
    if not protect:
        assert decoded.equals(array) or len(array.unique()) > 100
        return
    check_missing(encoder, array, decoded)


@FEW
@given(values=repeated(maybe(st.integers(0, 2**64 - 1) | st.integers(2**64 - 300, 2**64 - 1)), 20))
def test_unsigned_integers(values: list[int | None]) -> None:
    array = pa.array(values, type=pa.uint64())
    check_ends(array, check_round_trip(fit_column(array, "integer"), array))


@FEW
@given(
    values=hnp.arrays(
        np.float64,
        st.integers(1, 300),
        elements=st.floats(allow_nan=True, allow_infinity=True)
        | st.sampled_from([0.0, -1.0, 1e-300, 1.7e308, -1.7e308]),
    ),
    protect=st.booleans(),
)
def test_floats(values: np.ndarray[Any, Any], protect: bool) -> None:
    array = pa.array(values)
    encoder = fit_column(array, "float", protect_values=protect)
    decoded = check_round_trip(encoder, array)
    finite = values[np.isfinite(values)]
    got = decoded.drop_null().to_numpy()
    got = got[np.isfinite(got)]
    if len(got):
        # Rounding noise of a decimal grid, relative to the largest value, is all that may be lost.
        noise = 1e-15 * np.abs(finite).max()
        assert got.min() / 2 >= finite.min() / 2 - noise
        assert got.max() / 2 <= finite.max() / 2 + noise


@FEW
@given(values=repeated(st.floats(width=32, allow_nan=False, allow_infinity=False)), seed=st.integers(0, 100))
def test_single_precision_floats(values: list[float], seed: int) -> None:
    noise = np.random.default_rng(seed).normal(size=200)
    array = pa.array(np.concatenate((np.array(values, dtype=np.float32), noise.astype(np.float32))))
    check_ends(array, check_round_trip(fit_column(array, "float"), array))


@FEW
@given(values=repeated(maybe(st.integers(-(10**8), 10**8))), decimals=st.integers(0, 4))
def test_floats_on_a_decimal_grid(values: list[int | None], decimals: int) -> None:
    floats = [None if value is None else value / 10**decimals for value in values]
    array = pa.array(floats, type=pa.float64())
    encoder = fit_column(array, "float")
    decoded = check_round_trip(encoder, array)
    for value in decoded.drop_null().to_pylist():
        assert value == round(value, decimals)  # 0.1 + 0.2 never shows
    if all(value is None or abs(value) < 2**49 for value in values):
        assert encoder.axis.is_gridded


@FEW
@given(
    values=repeated(maybe(st.integers(-(10**17), 10**17))),
    scale=st.integers(0, 6),
    precision=st.sampled_from([18, 38]),
)
def test_decimals(values: list[int | None], scale: int, precision: int) -> None:
    exact = [None if value is None else Decimal(value).scaleb(-scale) for value in values]
    array = pa.array(exact, type=pa.decimal128(precision, scale))
    check_ends(array, check_round_trip(fit_column(array, "decimal"), array))


@FEW
@given(
    values=repeated(maybe(st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1)))),
    unit=st.sampled_from(["s", "ms", "us", "ns"]),
    zone=st.sampled_from([None, "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "+05:30"]),
)
def test_datetimes(values: list[dt.datetime | None], unit: str, zone: str | None) -> None:
    if unit == "s":
        values = [None if value is None else value.replace(microsecond=0) for value in values]
    array = pc.cast(pa.array(values, type=pa.timestamp("us")), pa.timestamp(unit), safe=False).cast(pa.int64())
    array = array.cast(pa.timestamp(unit, zone))
    check_ends(array, check_round_trip(fit_column(array, "datetime"), array))


@FEW
@given(values=repeated(maybe(st.dates(dt.date(1, 1, 1), dt.date(9999, 12, 31)))))
def test_dates(values: list[dt.date | None]) -> None:
    array = pa.array(values, type=pa.date32())
    check_ends(array, check_round_trip(fit_column(array, "date"), array))


@FEW
@given(values=repeated(maybe(st.timedeltas(dt.timedelta(days=-9000), dt.timedelta(days=9000)))))
def test_timedeltas(values: list[dt.timedelta | None]) -> None:
    array = pa.array(values, type=pa.duration("us"))
    check_ends(array, check_round_trip(fit_column(array, "timedelta"), array))


def check_ends(array: pa.Array, decoded: pa.Array) -> None:
    """Decoded values stay inside the real range."""
    real, got = (part.drop_null().to_pylist() for part in (array, decoded))
    if got:
        assert min(real) <= min(got)
        assert max(got) <= max(real)


def check_missing(encoder: Any, array: pa.Array, decoded: pa.Array) -> None:
    """Missing stays missing, and nothing else goes missing unless nothing could be kept."""
    if len(encoder.spikes) or len(encoder.bin_codes):
        assert decoded.is_null().equals(array.is_null())
    else:
        assert decoded.null_count == len(decoded)


# --- Levels and protection -------------------------------------------------------------------------------------------


def test_every_common_value_of_a_short_list_is_exact() -> None:
    array = pa.array([value for value in range(90) for _ in range(10)] + [500] * 3)
    encoder = fit_column(array, "integer")
    decoded = check_round_trip(encoder, array)
    assert decoded.to_pylist() == [value for value in range(90) for _ in range(10)] + [89] * 3
    assert encoder.describe()["merged"] == 1


def test_rare_values_of_a_short_list_share_a_bin_between_the_levels() -> None:
    array = pa.array([10] * 50 + [20] * 50 + [11, 12, 13, 14, 15, 16, 17, 18] * 3)
    encoder = fit_column(array, "integer")
    decoded = check_round_trip(encoder, array)
    assert decoded.to_pylist()[:100] == [10] * 50 + [20] * 50
    # The median of the ten outermost rows 11, 11, 11, 12, 12, 12, 13, 13, 13, 14 is 12, from above 17.
    assert set(decoded.to_pylist()[100:]) == {12, 13, 14, 15, 16, 17}
    assert list(encoder.facts.is_bin) == [False, True, False]


def test_heavy_values_are_levels_and_the_rest_bins_in_value_order() -> None:
    rng = np.random.default_rng(1)
    values = np.concatenate((np.zeros(3000), np.full(300, 99_999.0), rng.lognormal(5, 1, 1700)))
    array = pa.array(rng.permutation(values))
    encoder = fit_column(array, "float", n_bins=20)
    assert encoder.spikes.tolist() == [0.0, 99_999.0]
    assert encoder.spike_codes.tolist() == [0, encoder.n_levels - 1]
    assert encoder.facts.marginal[0] == pytest.approx(0.6)
    decoded = check_round_trip(encoder, array).to_numpy()
    np.testing.assert_array_equal(decoded == 0, array.to_numpy() == 0)
    np.testing.assert_array_equal(decoded == 99_999, array.to_numpy() == 99_999)
    facts = encoder.facts
    assert (np.diff(facts.value_start) >= 0).all()
    assert (facts.value_stop >= facts.value_start).all()


def test_a_value_that_stands_out_of_its_neighbourhood_is_a_level() -> None:
    rng = np.random.default_rng(2)
    array = pa.array(np.concatenate((rng.integers(0, 100_000, 10_000), np.full(60, 50_000))))
    encoder = fit_column(array, "integer", n_bins=50)
    assert encoder.spikes.tolist() == [50_000]


def test_a_sentinel_at_the_end_of_the_type_is_exact() -> None:
    top, bottom = 2**63 - 1, -(2**63)
    values = [*range(200)] * 5 + [top] * 40 + [bottom] * 40
    array = pa.array(values)
    encoder = fit_column(array, "integer", n_bins=20)
    decoded = check_round_trip(encoder, array).to_pylist()
    assert decoded[-80:] == [top] * 40 + [bottom] * 40
    assert max(decoded[:-80]) <= 199


def test_the_number_of_levels_is_bounded() -> None:
    rng = np.random.default_rng(3)
    array = pa.array(rng.integers(0, 150, 50_000))
    encoder = fit_column(array, "integer", n_bins=50)
    assert encoder.n_levels <= 110


def test_extremes_are_capped_at_the_median_of_the_outermost_rows() -> None:
    values = [*range(1000), 1_000_000]
    encoder = fit_column(pa.array(values), "integer", n_bins=10, min_count=10)
    # From above the fifth and sixth of 1,000,000, 999, 998, 997, 996, 995; from below between 4 and 5.
    assert encoder.segments.last[-1] == 995
    assert encoder.segments.start[0] == 5
    assert encoder.describe()["highest"] == "995"


def test_without_protection_extremes_are_exact() -> None:
    values = [*range(1000), 1_000_000]
    encoder = fit_column(pa.array(values), "integer", n_bins=10, protect_values=False)
    assert encoder.segments.last[-1] == 1_000_000
    assert encoder.segments.start[0] == 0


@pytest.mark.parametrize("protect", [True, False])
def test_between_two_knots_lie_at_least_min_count_rows(protect: bool) -> None:
    values = np.random.default_rng(4).gamma(2.0, 100.0, 3000)
    encoder = fit_column(pa.array(values), "float", n_bins=30, min_count=12, protect_values=protect)
    segments = encoder.segments
    assert len(segments) > 100
    held = np.searchsorted(segments.start, np.clip(values, segments.start[0], segments.last[-1]), side="right") - 1
    assert np.bincount(held).min() >= 12
    # No knot lies on a value, apart from the extremes that protection is there to hide.
    inner = np.concatenate((segments.start[1:], segments.last[:-1]))
    assert not np.isin(inner, values).any()
    assert np.isin(segments.start[0], values) == (not protect)


def test_a_wide_gap_between_values_stays_empty() -> None:
    rng = np.random.default_rng(5)
    values = np.concatenate((rng.uniform(0, 1, 500), rng.uniform(1000, 1001, 500)))
    encoder = fit_column(pa.array(values), "float", n_bins=7)
    n = 20_000
    codes = rng.choice(encoder.n_levels, size=n, p=encoder.facts.marginal)
    decoded = encoder.decode(codes, rng.random(n)).to_numpy()
    assert ((decoded < 1.1) | (decoded > 999.9)).all()


def test_fewer_rows_than_min_count_leave_nothing() -> None:
    array = pa.array([1.5, 2.5, None])
    encoder = fit_column(array, "float", min_count=10)
    assert encoder.n_levels == 1
    assert check_round_trip(encoder, array).null_count == 3
    assert "emitted empty" in encoder.notices()[0]


def test_all_missing_and_constant_columns() -> None:
    nothing = pa.nulls(30, pa.int64())
    assert check_round_trip(fit_column(nothing, "integer"), nothing).equals(nothing)
    same = pa.array([42.5] * 30)
    encoder = fit_column(same, "float")
    assert encoder.n_levels == 1
    assert check_round_trip(encoder, same).equals(same)


def test_infinities_are_levels_when_enough_rows_carry_them() -> None:
    values = np.concatenate((np.random.default_rng(6).normal(size=300), [np.inf] * 15, [-np.inf] * 3))
    array = pa.array(values)
    encoder = fit_column(array, "float", min_count=10)
    decoded = check_round_trip(encoder, array)
    assert decoded[300:315].to_pylist() == [np.inf] * 15
    assert decoded[315:].null_count == 3
    unprotected = fit_column(array, "float", protect_values=False)
    assert check_round_trip(unprotected, array)[315:].to_pylist() == [-np.inf] * 3


def test_infinities_of_a_gridded_column() -> None:
    array = pa.array([1.0, 2.0, 3.0] * 10 + [np.inf] * 10 + [None])
    decoded = check_round_trip(fit_column(array, "float"), array)
    assert decoded.equals(array)


def test_declared_bounds_clip() -> None:
    rng = np.random.default_rng(7)
    array = pa.array(np.append(rng.integers(-50, 150, 2000), [10**6]))
    encoder = fit_column(array, "integer", bounds=Bounds(lower=0, upper=100), protect_values=False)
    codes = rng.choice(encoder.n_levels, size=5000, p=encoder.facts.marginal)
    decoded = encoder.decode(codes, rng.random(5000)).to_numpy()
    assert decoded.min() == 0
    assert decoded.max() == 100
    at_bound = encoder.facts.marginal[encoder.encode(pa.array([0]), rng)[0][0]]
    assert at_bound == pytest.approx((array.to_numpy() <= 0).mean(), abs=0.02)


def test_bounds_that_were_only_inferred_do_not_clip() -> None:
    array = pa.array(list(range(200)))
    encoder = fit_column(array, "integer", bounds=Bounds(lower=50, upper=60, source="inferred-exact"))
    assert encoder.bounds == (None, None)


# --- Grids -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "arrow_type", "granularity"),
    [
        ([10, 25, 105], pa.int64(), 1),  # three values may be multiples of five by chance
        ([10, 25, 105, 40, 95, 155, 200], pa.int64(), 5),
        ([2000, 5000, 3000], pa.int64(), 1000),
        ([0, 0, 0], pa.int64(), 1),
        ([3, 7, -2], pa.int32(), 1),
        ([1.0, 2.0, 7.0], pa.float64(), 1),
        ([0.1, 0.2, 0.1 + 0.2, 0.7], pa.float64(), 0.1),
        ([0.05, 0.15, 1.0, 0.95, 0.45, 1.25, 0.85], pa.float64(), 0.05),
        ([19.99, 5.0], pa.float32(), 0.01),
        ([1e-6, 2.5], pa.float64(), 1e-6),
        ([1e-7, 2.5], pa.float64(), None),
        ([1e15 + 0.5, 1.0], pa.float64(), None),
        ([1e300, 1.0], pa.float64(), None),
        ([Decimal("1.50"), Decimal("2.25")], pa.decimal128(10, 2), 0.01),
        ([Decimal("1.50"), Decimal("1.51")], pa.decimal128(38, 18), 0.01),
        ([Decimal("1.5"), Decimal("-2")], pa.decimal256(50, 3), 0.1),
    ],
)
def test_granularity(values: list[Any], arrow_type: pa.DataType, granularity: float | None) -> None:
    kind = "decimal" if pa.types.is_decimal(arrow_type) else "float"
    array = pa.array(values, type=arrow_type)
    encoder = fit_column(array, kind, min_count=1)
    assert encoder.axis.granularity == granularity
    assert check_round_trip(encoder, array).to_pylist() == pytest.approx(array.to_pylist())


@pytest.mark.parametrize(
    ("step", "seconds"),
    [
        (dt.timedelta(days=1), 86_400),
        (dt.timedelta(hours=1), 3600),
        (dt.timedelta(minutes=15), 900),
        (dt.timedelta(minutes=1), 60),
        (dt.timedelta(seconds=1), 1),
        (dt.timedelta(milliseconds=1), 1e-3),
        (dt.timedelta(microseconds=1), 1e-6),
    ],
)
def test_granularity_of_times(step: dt.timedelta, seconds: float) -> None:
    start = dt.datetime(1969, 12, 20)
    factors = [0, 1, 3, 7, 11, 13]
    times = pa.array([start + step * factor for factor in factors], type=pa.timestamp("us"))
    assert fit_column(times, "datetime").axis.granularity == round(seconds * 1e9)
    spans = pa.array([-step * factor for factor in factors], type=pa.duration("us"))
    assert fit_column(spans, "timedelta").axis.granularity == round(seconds * 1e9)


def test_whole_days_in_a_time_zone_stay_local_midnights() -> None:
    zone = ZoneInfo("America/New_York")
    days = [dt.datetime(2020, 1, 1, tzinfo=zone) + dt.timedelta(days=day) for day in range(700)]
    array = pa.array(days, type=pa.timestamp("ms", "America/New_York"))
    encoder = fit_column(array, "datetime", n_bins=12)
    assert encoder.axis.granularity == 86_400 * 10**9
    rng = np.random.default_rng(8)
    codes = rng.choice(encoder.n_levels, size=3000, p=encoder.facts.marginal)
    local = pc.local_timestamp(encoder.decode(codes, rng.random(3000))).to_pylist()
    assert all(time.hour == time.minute == time.second == 0 for time in local)


def test_wall_times_that_a_clock_change_skips_are_not_made() -> None:
    # In Berlin the clock goes from 02:00 to 03:00 on 2024-03-31; half-hourly values around it.
    zone = "Europe/Berlin"
    start = int(dt.datetime(2024, 3, 30, 20, tzinfo=dt.timezone.utc).timestamp())
    array = (
        pa.array([start + 1800 * step for step in range(16)] * 4).cast(pa.timestamp("s")).cast(pa.timestamp("s", zone))
    )
    encoder = fit_column(array, "datetime", n_bins=3, min_count=10)
    assert len(encoder.bin_codes)
    check_round_trip(encoder, array)
    codes = np.repeat(encoder.bin_codes, 500)
    decoded = encoder.decode(codes, np.tile(np.linspace(0, 0.999, 500), len(encoder.bin_codes)))
    assert {time.minute for time in decoded.to_pylist()} <= {0, 30}
    np.testing.assert_array_equal(encoder.encode(decoded, np.random.default_rng(0))[0], codes)


@pytest.mark.parametrize("arrow_type", [pa.decimal128(38, 18), pa.decimal256(60, 18)], ids=str)
@pytest.mark.parametrize(
    ("step", "first"),
    [
        ("1", "1000.123456789012345678"),  # 22 digits that differ in steps of 10**18
        ("0.01", "12345678901234567890.00"),  # 38 digits, of which the last 16 are zeros
        ("0.000000000000000001", "98765432109876543210.123456789012345678"),  # the last of 38 digits alone differs
        ("-0.000000000000000007", "-98765432109876543210.123456789012345678"),
    ],
)
def test_no_digit_of_a_long_decimal_is_lost(arrow_type: pa.DataType, step: str, first: str) -> None:
    with localcontext(prec=60):
        values = [Decimal(first) + i * Decimal(step) for i in range(300)]
    array = pa.array(values, type=arrow_type)
    encoder = fit_column(array, "decimal", n_bins=5, min_count=1)
    decoded = check_round_trip(encoder, array)
    assert set(decoded.to_pylist()) <= set(values)
    assert encoder.notices() == ()


def test_decimals_that_span_more_than_64_bits_lose_their_last_digits_and_say_so() -> None:
    random = np.random.default_rng(0).integers(10**9, 10**10, (300, 3)).tolist()
    values = [Decimal("".join(map(str, digits))) for digits in random]  # 30 digits
    encoder = fit_column(pa.array(values, type=pa.decimal128(38, 0)), "decimal", n_bins=5, min_count=1)
    decoded = check_round_trip(encoder, pa.array(values, type=pa.decimal128(38, 0))).to_pylist()
    assert encoder.axis.decimals == 12
    assert all(value % 10**12 == 0 for value in decoded)
    assert encoder.notices() == (
        "column 'x' spans more digits than 64 bits hold, so the last 12 of them come out as zeros; round the column, "
        "or declare it categorical if its values are codes",
    )


def test_long_decimals_in_batches_of_growing_size_are_counted_alike() -> None:
    values = [Decimal(10) ** power * digit for power in (0, 5, 17, 19, 22, 27) for digit in range(1, 10)]
    column = ColumnSchema(name="x", kind="decimal", arrow_type="decimal128(38, 0)")
    batches = [pa.record_batch({"x": pa.array([value], pa.decimal128(38, 0))}) for value in values * 2]
    found = ExactStatistics.collect(batches, TableSchema(columns=(column,))).histogram("x")
    assert found.counts.sum() == 2 * len(values)
    kept = [value for value in values if value >= 10**17]
    assert found.axis.write(found.lower, None).to_pylist()[-len(kept) :] == kept
    assert found.n_lost_digits == found.axis.decimals > 0


@pytest.mark.parametrize("arrow_type", [pa.int64(), pa.uint64(), pa.timestamp("ns"), pa.decimal128(18, 2)], ids=str)
def test_gaps_too_wide_for_a_float_leave_the_bins_apart(arrow_type: pa.DataType) -> None:
    ticks = np.random.default_rng(0).integers(0, 10**18, 600)
    values = [Decimal(int(t)).scaleb(-2) for t in ticks] if pa.types.is_decimal(arrow_type) else ticks
    array = pa.array(values).cast(arrow_type)
    kind = {"timestamp[ns]": "datetime", "decimal128(18, 2)": "decimal"}.get(str(arrow_type), "integer")
    encoder = fit_column(array, kind)
    assert (encoder.segments.start[1:] > encoder.segments.last[:-1]).all()
    check_round_trip(encoder, array)


def test_only_a_column_that_comes_out_empty_is_said_to() -> None:
    one_value_left = fit_column(pa.array([2] * 50 + [3] * 3), "integer")
    assert one_value_left.n_merged == 1
    assert one_value_left.notices() == ()
    infinities_left = fit_column(pa.array([1.5, 2.5] + [np.inf] * 20 + [None] * 20), "float")
    assert infinities_left.notices() == ()
    (nothing_left,) = fit_column(pa.array([1, 2, 3]), "integer").notices()
    assert "will be emitted empty" in nothing_left


def test_declared_granularity_wins() -> None:
    array = pa.array(np.random.default_rng(9).uniform(0, 1000, 2000))
    encoder = fit_column(array, "float", granularity=0.5)
    decoded = check_round_trip(encoder, array).to_numpy()
    np.testing.assert_array_equal(decoded * 2, np.round(decoded * 2))


@pytest.mark.parametrize(
    ("arrow_type", "granularity"),
    [
        (pa.int64(), 0.5),
        (pa.int64(), -1),
        (pa.timestamp("s"), 1000),
        (pa.float64(), 1e-9),
        (pa.float64(), float("nan")),
    ],
)
def test_impossible_granularity_is_refused(arrow_type: pa.DataType, granularity: float) -> None:
    with pytest.raises(SchemaError, match="granularity of column 'x'"):
        column = ColumnSchema(name="x", kind="float", arrow_type=str(arrow_type), granularity=granularity)
        declared_axis(column, arrow_type)


def test_a_kind_that_does_not_fit_the_type_is_refused() -> None:
    with pytest.raises(SchemaError, match="'x' is declared integer but holds string"):
        fit_column(pa.array(["1", "2"]), "integer")


class ReleasedStatistics:
    """A stand-in for a private twin: coarse cells, fractional counts, nothing exact."""

    provenance = "released"

    def __init__(self, found: Histogram) -> None:
        self._found = found

    def n_rows(self) -> float:
        return 1000.3

    def histogram(self, column: str) -> Histogram:
        return self._found


@pytest.mark.parametrize("protect", [True, False])
@pytest.mark.parametrize("arrow_type", [pa.int64(), pa.float64()])
def test_released_histograms_of_wide_cells(arrow_type: pa.DataType, protect: bool) -> None:
    gridded = pa.types.is_integer(arrow_type)
    lower = np.array([-50, 0, 1, 40, 41, 500], dtype=np.int64 if gridded else np.float64)
    upper = np.array([-1, 0, 39, 40, 99, 900], dtype=lower.dtype)
    found = Histogram(
        axis=Axis(arrow_type=arrow_type, grid=Grid(step=1) if gridded else None),
        lower=lower,
        upper=upper,
        counts=np.array([120.7, 300.2, 99.5, 210.1, 0.0, 150.9]),
        n_missing=33.3,
    )
    column = ColumnSchema(name="x", kind="integer" if gridded else "float", arrow_type=str(arrow_type))
    rules = FitRules(n_bins=4, max_levels=256, min_count=10, protect_values=protect)
    encoder = NumericEncoder.fit(column, ReleasedStatistics(found), rules)
    assert encoder.spikes.tolist() == [0, 40]
    values = pa.array([-50, -20, 0, 5, 40, 45, 700, 900, None], type=arrow_type)
    check_round_trip(encoder, values)


# --- Distributions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make", [np.random.Generator.normal, np.random.Generator.lognormal, np.random.Generator.random]
)
def test_positions_are_uniform_and_values_keep_their_law(make: Any) -> None:
    rng = np.random.default_rng(10)
    values = make(rng, size=20_000)
    array = pa.array(values)
    encoder = fit_column(array, "float", n_bins=50)
    codes, positions = encoder.encode(array, rng)
    share = np.bincount(codes, minlength=encoder.n_levels) / len(values)
    np.testing.assert_allclose(share, encoder.facts.marginal, atol=1e-12)
    for code in encoder.bin_codes:
        inside = np.sort(positions[codes == code])
        steps = np.arange(1, len(inside) + 1) / len(inside)
        assert np.abs(inside - steps).max() < 1.7 / np.sqrt(len(inside))
    drawn = encoder.decode(rng.choice(encoder.n_levels, size=20_000, p=encoder.facts.marginal), rng.random(20_000))
    both = np.sort(np.concatenate((values, drawn.to_numpy())))
    ours = np.searchsorted(np.sort(drawn.to_numpy()), both, side="right") / 20_000
    real = np.searchsorted(np.sort(values), both, side="right") / 20_000
    assert np.abs(ours - real).max() < 0.02


def test_heavy_tails_get_bins_of_their_own() -> None:
    rng = np.random.default_rng(11)
    heavy = fit_column(pa.array(rng.pareto(1.5, 30_000)), "float", n_bins=50)
    flat = fit_column(pa.array(rng.random(30_000)), "float", n_bins=50)
    assert len(flat.bin_codes) == 50
    assert 53 <= len(heavy.bin_codes) <= 60
    assert heavy.facts.marginal[-1] < 0.003


def test_standardised_values_match_the_columns_moments() -> None:
    rng = np.random.default_rng(12)
    values = np.concatenate((rng.normal(50, 10, 9000), np.zeros(1000)))
    array = pa.array(values)
    encoder = fit_column(array, "float", n_bins=50, protect_values=False)
    codes, positions = encoder.encode(array, rng)
    facts = encoder.facts
    standard = facts.value_start[codes] + positions * (facts.value_stop - facts.value_start)[codes]
    np.testing.assert_allclose(standard, (values - values.mean()) / values.std(), atol=0.2)
    assert abs((standard - (values - values.mean()) / values.std()).mean()) < 0.003

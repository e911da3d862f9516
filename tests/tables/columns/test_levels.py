"""Categories, truth values and constants: levels, the rare level, tail buckets."""

from __future__ import annotations

import dataclasses
import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthgan.errors import ConditionError
from synthgan.tables.columns.level_choice import words_among_numbers
from synthgan.tables.columns.levels import OTHER
from synthgan.tables.conditions.predicates import AnyOf, Equals, Missing
from synthgan.tables.schema.schema import Levels
from tests.column_fitting import check_round_trip, fit_column

FEW = settings(max_examples=60, deadline=None)

columns = st.lists(
    st.tuples(st.one_of(st.none(), st.text(max_size=4), st.sampled_from([OTHER, "", "a"])), st.integers(1, 30)),
    min_size=1,
    max_size=40,
).map(lambda pairs: [value for value, count in pairs for _ in range(count)])


@FEW
@given(values=columns, protect=st.booleans(), max_levels=st.sampled_from([4, 8, 256]), encoded=st.booleans())
def test_strings(values: list[str | None], protect: bool, max_levels: int, encoded: bool) -> None:
    array = pa.array(values, type=pa.string())
    if encoded:
        array = array.dictionary_encode()
    encoder = fit_column(array, "categorical", protect_values=protect, max_levels=max_levels)
    decoded = check_round_trip(encoder, array).to_pylist()
    for given_value, got in zip(values, decoded, strict=True):
        common = values.count(given_value) >= (10 if protect else 1)
        assert got == (given_value if common or given_value is None else OTHER)


@FEW
@given(values=st.lists(st.one_of(st.none(), st.integers(-5, 5)), min_size=1, max_size=200))
def test_numbers_as_levels(values: list[int | None]) -> None:
    array = pa.array(values, type=pa.int16())
    decoded = check_round_trip(fit_column(array, "categorical", min_count=3), array).to_pylist()
    for given_value, got in zip(values, decoded, strict=True):
        if values.count(given_value) >= 3:
            assert got == given_value


@pytest.mark.parametrize(
    "array",
    [
        pa.array([True, False, None] * 20),
        pa.array([1.5, float("nan"), None, -0.5] * 20),
        pa.array([dt.date(1969, 1, 1), dt.date(2020, 2, 29)] * 20),
        pa.array([dt.datetime(2020, 1, 1, tzinfo=dt.timezone.utc)] * 20, type=pa.timestamp("us", "Asia/Tokyo")),
        pa.array([dt.timedelta(hours=-3), None] * 20, type=pa.duration("ms")),
        pa.array([Decimal("1.10"), Decimal("-3.00")] * 20, type=pa.decimal128(9, 2)),
        pa.array(["a", None] * 20, type=pa.large_string()),
        pa.array([2**64 - 1, 0] * 20, type=pa.uint64()),
    ],
    ids=lambda array: str(array.type),
)
def test_levels_of_any_type_are_exact(array: pa.Array) -> None:
    decoded = check_round_trip(fit_column(array, "categorical"), array)
    expected = array.to_pylist()
    assert decoded.to_pylist() == [None if value != value else value for value in expected]  # noqa: PLR0124 -- NaN


def test_all_missing_columns_of_any_type() -> None:
    for arrow_type in (pa.null(), pa.string(), pa.bool_(), pa.float64()):
        array = pa.nulls(25, arrow_type)
        encoder = fit_column(array, "constant")
        assert len(encoder.facts.marginal) == 1
        assert check_round_trip(encoder, array).equals(array)


def test_levels_by_falling_count_then_other_then_missing() -> None:
    array = pa.array(["b"] * 30 + ["a"] * 20 + ["c"] * 20 + ["rare"] * 3 + ["odd"] * 2 + [None] * 5)
    encoder = fit_column(array, "categorical")
    assert encoder.values.to_pylist() == ["b", "a", "c"]
    assert (encoder.other, encoder.missing, encoder.n_merged) == (3, 4, 2)
    np.testing.assert_allclose(encoder.facts.marginal, [30 / 80, 20 / 80, 20 / 80, 5 / 80, 5 / 80])
    assert encoder.describe() == {"levels": 3, "buckets": 0, "missing": True, "merged": 2}


def test_rare_values_that_are_not_text_go_missing_or_to_the_commonest_level() -> None:
    with_missing = pa.array([1] * 20 + [2] * 3 + [None] * 10)
    assert fit_column(with_missing, "categorical").facts.marginal.tolist() == [20 / 33, 13 / 33]
    without = pa.array([True] * 40 + [False] * 3)
    encoder = fit_column(without, "boolean")
    assert len(encoder.facts.marginal) == 1
    assert check_round_trip(encoder, without).to_pylist() == [True] * 43


def test_unknown_values_take_the_rare_level() -> None:
    encoder = fit_column(pa.array(["a"] * 20 + ["z"] * 2), "categorical")
    codes, _ = encoder.encode(pa.array(["new", "a", None]), np.random.default_rng(0))
    assert codes.tolist() == [1, 0, 0]


def test_ten_thousand_categories() -> None:
    rng = np.random.default_rng(0)
    names = np.array([f"level {i:05}" for i in range(10_000)])
    weights = 1 / np.arange(1, 10_001)
    drawn = np.concatenate((np.repeat(names, 12), rng.choice(names, size=200_000, p=weights / weights.sum())))
    array = pa.array(drawn)
    encoder = fit_column(array, "categorical")
    decoded = check_round_trip(encoder, array)
    assert decoded.equals(array)
    assert encoder.n_levels == 256
    assert encoder.n_buckets == 64
    rows = encoder.facts.marginal[encoder.facts.is_bin]
    assert rows.max() < 2 * rows.min()
    # Uniform positions give every level of a bucket its own share.
    codes = rng.choice(encoder.n_levels, size=300_000, p=encoder.facts.marginal)
    generated = encoder.decode(codes, rng.random(300_000))
    rare = pa.array(names[5000:])
    shares = [pc.mean(pc.is_in(part, value_set=rare).cast(pa.int8())).as_py() for part in (generated, array)]
    assert shares[0] == pytest.approx(shares[1], rel=0.03)


def test_declared_levels_are_public_and_others_are_not_learned() -> None:
    array = pa.array(["x"] * 50 + ["y"] * 2 + ["z"] * 30)
    encoder = fit_column(array, "categorical", levels=Levels(values=("y", "x", "w")))
    assert encoder.values.to_pylist() == ["x", "y"]
    assert check_round_trip(encoder, array).to_pylist() == ["x"] * 50 + ["y"] * 2 + [OTHER] * 30


def test_ordered_levels_keep_their_order() -> None:
    levels = Levels(values=("low", "mid", "high"), ordered=True, source="inferred-exact")
    array = pa.array(["high"] * 50 + ["mid"] * 20 + ["low"] * 30)
    assert fit_column(array, "categorical", levels=levels).values.to_pylist() == ["low", "mid", "high"]


def test_nothing_common_enough() -> None:
    array = pa.array(["a", "b", "c"])
    encoder = fit_column(array, "categorical")
    assert check_round_trip(encoder, array).to_pylist() == [OTHER] * 3
    assert "no level with enough rows" in encoder.notices()[0]
    numbers = pa.array([1, 2, 3])
    encoder = fit_column(numbers, "categorical")
    assert check_round_trip(encoder, numbers).null_count == 3


# --- Conditions ------------------------------------------------------------------------------------------------------


def test_conditions_on_levels() -> None:
    encoder = fit_column(pa.array(["a"] * 30 + ["b"] * 20 + ["z"] * 2 + [None] * 11), "categorical")
    assert encoder.compile(Equals("b")).allowed.tolist() == [False, True, False, False]
    assert encoder.compile(AnyOf(("a", "nowhere"), missing=True)).allowed.tolist() == [True, False, False, True]
    assert encoder.compile(Missing()).allowed.tolist() == [False, False, False, True]
    assert encoder.compile(Equals(OTHER)).allowed.tolist() == [False, False, True, False]
    with pytest.raises(ConditionError, match="column 'x'") as caught:
        encoder.compile(Equals("z"))
    assert "'z'" not in str(caught.value)


@FEW
@given(wanted=st.sets(st.integers(0, 59), min_size=1, max_size=8), data=st.data())
def test_conditions_on_tail_buckets(wanted: set[int], data: Any) -> None:
    array = pa.array([f"n{i:02}" for i in range(60) for _ in range(10 + i % 7)])
    encoder = fit_column(array, "categorical", max_levels=12)
    names = {f"n{i:02}" for i in wanted}
    condition = encoder.compile(AnyOf(tuple(sorted(names))))
    codes = np.flatnonzero(condition.allowed).repeat(4)
    part = data.draw(st.floats(0, 1, exclude_max=True, width=32))
    lower, upper = condition.lower[codes], condition.upper[codes]
    positions = np.minimum(lower + np.float32(part) * (upper - lower), np.nextafter(upper, np.float32(0)))
    got = set(encoder.decode(codes, positions).to_pylist())
    if condition.is_exact:
        assert got <= names
    found = set(np.flatnonzero(condition.allowed))
    assert found == set(encoder.encode(pa.array(sorted(names)), np.random.default_rng(0))[0].tolist())


@pytest.mark.parametrize(
    ("levels", "n_words"),
    [
        (["1,5", "2,25", "n/a", "3,0"], 1),
        (["13.05.2024", "unknown", "-", "14.06.2024", "01.01.2020"], 2),
        (["1,5", "2,25"], 0),
        (["00579", "00580", "none"], 0),
        (["10.0.0.1", "10.0.0.2", "none"], 0),
        (["red", "green", "3"], 0),
    ],
)
def test_words_among_numbers_are_counted(levels: list[str], n_words: int) -> None:
    assert words_among_numbers(pa.array(levels)) == n_words
    assert words_among_numbers(pa.array(range(3))) == 0


def test_a_column_of_numbers_and_a_word_is_told_what_would_help() -> None:
    values = [f"{i},5" for i in range(300)] + ["n/a"] * 30
    encoder = fit_column(pa.array(values), "categorical")
    (plain,) = dataclasses.replace(encoder, n_words=0).notices()
    (told,) = dataclasses.replace(encoder, n_words=1).notices()
    assert "identifier or text" in plain
    assert "numbers or times but for one text that is none, which should be missing" in told
    assert "n/a" not in told

"""Gaps stay empty, sentinels keep their share, and nothing that is stored moves with the size of one value."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthgan import Synthesizer
from synthgan.tables.columns.cells import Cells
from synthgan.tables.columns.islands import Protection, has_far_rows, make_islands, wide_gaps
from tests.column_fitting import check_round_trip, fit_column

MIN_COUNT = 10
N_ROWS = 5_000
TEN = Protection.of(10, 1.0)
FEW = settings(max_examples=60, deadline=None)


def cells_of(values: Any) -> Cells:
    ticks, counts = np.unique(values, return_counts=True)
    return Cells(start=ticks, last=ticks, counts=counts.astype(np.float64))


def drawn(encoder: Any, n_rows: int, seed: int = 0) -> np.ndarray[Any, Any]:
    """Values of codes that follow the column's shares: what a perfect generator would give."""
    rng = np.random.default_rng(seed)
    codes = rng.choice(encoder.n_levels, size=n_rows, p=encoder.facts.marginal)
    values = encoder.decode(codes, rng.random(n_rows))
    if pa.types.is_date32(values.type):
        values = values.cast(pa.int32())
    return values.to_numpy(zero_copy_only=False).astype(np.float64)


def incomes(rng: np.random.Generator, n_rows: int) -> pa.Array:
    return pa.array(rng.lognormal(10, 0.6, n_rows).round(2))


def whole_incomes(rng: np.random.Generator, n_rows: int) -> pa.Array:
    return pa.array(rng.lognormal(10, 0.6, n_rows).astype(np.int64))


def ages(rng: np.random.Generator, n_rows: int) -> pa.Array:
    return pa.array(rng.integers(18, 80, n_rows))


def dates(rng: np.random.Generator, n_rows: int) -> pa.Array:
    return pa.array(rng.integers(15_000, 19_000, n_rows).astype("datetime64[D]"))


SENTINELS = [
    (incomes, "float", 1e9),
    (whole_incomes, "integer", 10**9),
    (whole_incomes, "integer", -999_999),
    (ages, "integer", 999),
    (ages, "integer", -999),
    (dates, "date", dt.date(9999, 12, 31)),
    (dates, "date", dt.date(1900, 1, 1)),
]


@pytest.mark.parametrize("rows", [1, 3, 12, 40, 400])
@pytest.mark.parametrize(("bulk", "kind", "sentinel"), SENTINELS)
def test_no_value_is_invented_between_a_sentinel_and_the_rest(bulk: Any, kind: Any, sentinel: Any, rows: int) -> None:
    others = bulk(np.random.default_rng(rows), N_ROWS - rows)
    array = pa.concat_arrays([others, pa.array([sentinel] * rows).cast(others.type)])
    encoder = fit_column(array, kind, n_bins=50)
    values = drawn(encoder, 50_000)
    place = float(np.datetime64(sentinel, "D").astype(np.int64)) if kind == "date" else float(sentinel)
    inside = others.cast(pa.int32()).to_numpy() if kind == "date" else others.to_numpy()
    is_sentinel = values == place
    assert not ((values[~is_sentinel] > inside.max()) | (values[~is_sentinel] < inside.min())).any()
    share = rows / N_ROWS
    if rows < MIN_COUNT:
        assert not is_sentinel.any()
        assert encoder.has_far_rows
    else:
        assert encoder.facts.marginal[encoder.encode(array[-1:], np.random.default_rng(0))[0][0]] == pytest.approx(
            share
        )
        assert abs(is_sentinel.mean() - share) < 4 * np.sqrt(share / 50_000)
        assert not encoder.has_far_rows
    check_round_trip(encoder, array)


def test_several_sentinels_at_both_ends_and_two_modes() -> None:
    rng = np.random.default_rng(1)
    modes = np.concatenate((rng.normal(1_000, 30, 2_000), rng.normal(5_000, 30, 2_000)))
    array = pa.array(np.concatenate((modes, [-999.0] * 15, [0.0] * 30, [88_888.0] * 12, [99_999.0] * 60, [7e8] * 2)))
    encoder = fit_column(array, "float", n_bins=30)
    assert encoder.spikes.tolist() == [-999, 0, 88_888, 99_999]
    values = drawn(encoder, 100_000)
    rest = values[~np.isin(values, encoder.spikes)]
    low, high = modes[:2_000], modes[2_000:]
    assert (((rest >= low.min()) & (rest <= low.max())) | ((rest >= high.min()) & (rest <= high.max()))).all()
    assert (rest < 3_000).mean() == pytest.approx(0.5, abs=0.01)
    assert rest[rest > 3_000].std() == pytest.approx(30, rel=0.05)
    check_round_trip(encoder, array)


def test_a_far_cluster_of_distinct_values_is_a_bin_of_its_own() -> None:
    rng = np.random.default_rng(2)
    far = rng.uniform(1e6, 1.1e6, 60)
    array = pa.array(np.concatenate((rng.normal(size=3_000), far)))
    encoder = fit_column(array, "float", n_bins=20)
    values = drawn(encoder, 50_000)
    assert not ((values > 10) & (values < 1e6)).any()
    assert (values > 10).mean() == pytest.approx(60 / 3_060, rel=0.1)
    assert np.unique(values[values > 10]).size > 100
    check_round_trip(encoder, array)


def test_nights_stay_empty_on_more_days_than_there_are_islands() -> None:
    rng = np.random.default_rng(3)
    seconds = np.sort(rng.integers(0, 60, 40))[:, None] * 86_400 + rng.integers(9 * 3_600, 17 * 3_600, (40, 120))
    encoder = fit_column(pa.array(seconds.ravel()).cast(pa.timestamp("s")), "datetime", n_bins=20)
    rng = np.random.default_rng(0)
    codes = rng.choice(encoder.n_levels, size=20_000, p=encoder.facts.marginal)
    hours = encoder.decode(codes, rng.random(20_000)).cast(pa.int64()).to_numpy() % 86_400 / 3_600
    assert ((hours < 8.5) | (hours > 17.5)).mean() < 0.02


def test_without_protection_a_far_value_is_kept_and_the_gap_stays_empty() -> None:
    rng = np.random.default_rng(4)
    array = pa.array(np.append(rng.lognormal(10, 0.6, 2_000), 1e9))
    encoder = fit_column(array, "float", n_bins=20, protect_values=False)
    values = drawn(encoder, 100_000)
    assert not ((values > np.sort(array.to_numpy())[-2]) & (values < 1e9)).any()
    assert (values == 1e9).mean() == pytest.approx(1 / 2_001, rel=0.5)


@pytest.mark.parametrize(
    "draw",
    [
        lambda rng, n: rng.lognormal(0, 1, n),
        lambda rng, n: rng.lognormal(0, 2, n),
        lambda rng, n: rng.standard_t(3, n),
        lambda rng, n: rng.normal(size=n),
        lambda rng, n: rng.random(n),
        lambda rng, n: rng.exponential(size=n),
    ],
    ids=["lognormal", "wide lognormal", "t", "normal", "uniform", "exponential"],
)
def test_smooth_tails_have_no_gaps(draw: Any) -> None:
    found = sum(
        len(wide_gaps(cells_of(draw(np.random.default_rng(seed), n_rows)), TEN)) > 0
        for seed in range(25)
        for n_rows in (60, 300, 3_000)
    )
    assert found == 0


def test_a_gap_is_judged_by_both_sides_that_have_enough_values() -> None:
    # Twenty distances of 1 before the gap, of which 15 count: with few values behind, it is wide from 6 * 20 on.
    close = np.arange(21.0)
    for gap, after in ((120.0, []), (121.0, [141.0])):
        few = cells_of(np.concatenate((close, 20 + gap + 10 * np.arange(8))))
        assert wide_gaps(few, Protection()).after.tolist() == after
        many = cells_of(np.concatenate((close, 20 + gap + 10 * np.arange(40))))
        assert wide_gaps(many, Protection()).after.tolist() == []
    # A gap among the twenty is not taken for their distance: 0 lies far from the rest, and -999 from both.
    cells = cells_of(np.concatenate(([-999.0, 0.0], 900 + np.arange(100.0))))
    assert wide_gaps(cells, Protection()).after.tolist() == [0.0, 900.0]


@FEW
@given(
    distances=st.lists(st.sampled_from([1, 2, 3, 5, 40, 130, 700, 5_000, 10**6]), min_size=1, max_size=90),
    repeat=st.integers(1, 3),
)
def test_wide_gaps_are_those_of_the_definition(distances: list[int], repeat: int) -> None:
    distances = distances * repeat

    def near(side: list[int]) -> float:
        kept = sorted(side)[: len(side) - len(side) // 4]
        return sum(kept) / len(kept) * max(len(side), 5)

    expected = []
    place = 0
    for index, apart in enumerate(distances):
        place += apart
        sides = [distances[max(index - 20, 0) : index], distances[index + 1 : index + 21]]
        told = [side for side in sides if len(side) == 20] or [max(sides, key=len)]
        if len(told[0]) >= 2:
            told = [side for side in sides if len(side) == len(told[0])]
            if apart > 6 * max(map(near, told)):
                expected.append(float(place))
    ticks = np.concatenate(([0.0], np.cumsum(distances, dtype=np.float64)))
    assert wide_gaps(cells_of(ticks), Protection()).after.tolist() == expected


def test_islands_with_too_few_rows_go_to_the_nearest_end() -> None:
    values = np.concatenate((np.arange(100), [1_000] * 3, 10_000 + np.arange(100), [9_000] * 2)).astype(np.int64)
    gaps = wide_gaps(cells_of(values), TEN)
    low, high = make_islands(cells_of(values), gaps, np.zeros(0, dtype=np.int64), TEN)
    # Between the fifth and sixth row of each island, rounded inwards.
    assert (low.start[0], low.last[-1], low.total) == (5, 94, 103)
    assert (high.start[0], high.last[-1], high.total) == (10_005, 10_094, 102)
    assert has_far_rows(cells_of(values), TEN)


@pytest.mark.slow
def test_a_fit_keeps_a_sentinel_and_the_empty_gap_before_it() -> None:
    rng = np.random.default_rng(5)
    n_rows, n_sentinels = 2_000, 25
    age = rng.integers(18, 80, n_rows)
    income = (rng.lognormal(10, 0.5, n_rows) * (1 + age / 100)).round()
    highest = income.max()
    income[rng.choice(n_rows, n_sentinels, replace=False)] = 1e9
    table = pd.DataFrame({"age": age, "income": income, "job": rng.choice(list("abcd"), n_rows)})
    fitted = Synthesizer(max_steps=150, effort="quick", random_state=0, device="cpu", progress="off").fit(table)
    made = fitted.sample(20_000, random_state=1)["income"]
    assert not ((made > highest) & (made < 1e9)).any()
    share = n_sentinels / n_rows
    assert abs((made == 1e9).mean() - share) < 3 * np.sqrt(share / n_rows)


# --- Nothing moves with the size of one value ------------------------------------------------------------------------

KINDS: dict[str, tuple[pa.DataType, int, int]] = {
    # type, the extreme's smaller size, and how many times that the larger one is; in the type's own ticks
    "integer": (pa.int64(), 10**7, 10**9),
    "float": (pa.float64(), 10**7, 10**7),
    "decimal": (pa.decimal128(38, 2), 10**8, 10**6),
    "date": (pa.date32(), 10**6, 3),
    "datetime": (pa.timestamp("s"), 10**10, 10),
    "timedelta": (pa.duration("s"), 10**9, 1_000),
}


@pytest.mark.parametrize("kind", KINDS)
@FEW
@given(
    seed=st.integers(0, 10_000),
    n_rows=st.sampled_from([8, 15, 25, 60, 400]),
    spread=st.sampled_from([3, 50, 10**6]),
    min_count=st.sampled_from([2, 3, 10]),
    n_extremes=st.integers(1, 4),
    sign=st.sampled_from([1, -1]),
)
def test_nothing_that_is_stored_moves_with_the_size_of_extremes(
    kind: Any, seed: int, n_rows: int, spread: int, min_count: int, n_extremes: int, sign: int
) -> None:
    held, size, times = KINDS[kind]
    rng = np.random.default_rng(seed)
    # Whole floats stay so at any size; what one value's last digit does to the grid is another matter.
    spread = min(spread, size // 10)
    usual = np.concatenate((rng.integers(-spread, spread + 1, n_rows), [0] * (n_rows // 3)))
    n_extremes = min(n_extremes, max(min(2, min_count), min_count // 2) - 1)

    def stored(factor: int) -> Any:
        values = np.concatenate((usual, sign * size * factor - np.arange(n_extremes)))
        if kind == "decimal":
            array = pa.array([Decimal(int(value)) for value in values], type=held)
        else:
            array = pa.array(values.astype(np.float64 if kind == "float" else np.int64))
            array = array.cast(pa.int32()).cast(held) if kind == "date" else array.cast(held)
        encoder = fit_column(array, kind, n_bins=12, min_count=min_count)
        check_round_trip(encoder, array)
        codes, positions = encoder.encode(array, np.random.default_rng(0))
        return encoder.to_json(), codes.tolist(), None if positions is None else positions.tolist()

    assert stored(1) == stored(times)

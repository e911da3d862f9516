"""Resampled figures are those of the rows drawn again, and the intervals hold what they promise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from synthgan.evaluation.compared import contingency
from synthgan.evaluation.compared.compared_tables import ComparedTables, compare
from synthgan.evaluation.compared.resampling import Resamples, centred_interval, resample
from synthgan.evaluation.coverage.modes import mode_coverage
from synthgan.evaluation.fidelity.correlations import correlation_errors, resampled_correlations
from synthgan.evaluation.fidelity.fidelity import fidelity_scores
from synthgan.evaluation.fidelity.shapes import resampled_shape, shape_errors
from synthgan.evaluation.fidelity.trends import strong_pair_errors, trend_errors


def rows(n: int, seed: int, shift: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n) + shift
    return pd.DataFrame(
        {
            "x": x,
            "y": np.where(rng.random(n) < 0.1 + shift / 5, np.nan, x + rng.normal(size=n)),
            "c": np.array([*"abcdef"])[np.clip((x + rng.normal(size=n) + 2).astype(int), 0, 5)],
            "d": pd.Series(rng.choice([*"pqr"], n), dtype=object).where(rng.random(n) > 0.05, None),
        }
    )


def tables(shift: float = 0.3, n: int = 150) -> ComparedTables:
    return compare({"real": rows(n, 0), "synthetic": rows(n, 1, shift)})


def redrawn(compared: ComparedTables, resamples: Resamples, which: int) -> ComparedTables:
    """The comparison with the rows of one resample, each as often as it was drawn."""
    times = resamples.weights[which][resamples.groups].astype(np.int64)
    return compared.select("synthetic", np.repeat(np.arange(len(times)), times))


def test_few_rows_are_drawn_one_by_one_and_many_in_groups() -> None:
    rng = np.random.default_rng(0)
    few, many = resample(7, rng, n_resamples=50), resample(10_001, rng, n_resamples=50)
    assert sorted(few.groups) == list(range(7))
    assert few.n_rows.tolist() == [7.0] * 50
    assert set(np.bincount(many.groups)) == {50, 51}
    assert many.n_rows == pytest.approx([10_001] * 50, abs=200)


def test_counts_and_sums_are_those_of_the_rows_drawn() -> None:
    resamples = Resamples(groups=np.array([0, 1, 0, 1]), weights=np.array([[2.0, 0.0], [1.0, 1.0]]))
    assert resamples.counts(np.array([0, 1, 2, 1]), 3).tolist() == [[2, 0, 2], [1, 2, 1]]
    assert resamples.counts(np.array([0, 0, 1]), 2, np.array([0, 0, 3])).tolist() == [[4, 0], [2, 1]]
    assert resamples.sums(np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 1.0], [4.0, 0.0]])).tolist() == [[8, 2], [10, 1]]


def test_groups_spread_a_mean_as_much_as_rows_do() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=20_000)
    drawn = resample(len(values), rng, n_resamples=1000).sums(values[:, None])[:, 0] / len(values)
    assert drawn.std() == pytest.approx(1 / math.sqrt(20_000), rel=0.15)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_resampled_errors_are_those_of_the_rows_drawn_again(which: int) -> None:
    compared = tables()
    resamples = resample(150, np.random.default_rng(5), n_resamples=3)
    again = redrawn(compared, resamples, which)
    mean = np.mean(list(shape_errors(again).values()))
    assert resampled_shape(compared, resamples)[which] == pytest.approx(mean)
    trend = trend_errors(compared, resamples=resamples).resampled
    assert trend is not None
    assert trend[which] == pytest.approx(trend_errors(again).mean)
    pairs = correlation_errors(compared).pairs
    drawn = resampled_correlations(compared, "synthetic", pairs, resamples)[which]
    assert drawn == pytest.approx(correlation_errors(again).synthetic)
    share = mode_coverage(compared, resamples=resamples).resampled
    assert share is not None
    assert share[which] == pytest.approx(mode_coverage(again).share)


def test_a_table_of_one_column_has_resampled_modes_too() -> None:
    # b should have 50 rows and is reached from 10 on.
    compared = compare(
        {
            "real": pd.DataFrame({"c": ["a"] * 100 + ["b"] * 50}),
            "synthetic": pd.DataFrame({"c": ["a"] * 140 + ["b"] * 10}),
        }
    )
    resamples = resample(150, np.random.default_rng(5), n_resamples=30)
    share = mode_coverage(compared, resamples=resamples).resampled
    assert share is not None
    expected = [mode_coverage(redrawn(compared, resamples, which)).share for which in range(30)]
    assert share == pytest.approx(expected)
    assert set(expected) == {0.5, 1.0}


def test_folded_cells_keep_the_distance_and_nearly_its_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    frames = [pd.DataFrame({"a": rng.integers(30, size=3000), "b": rng.integers(30, size=3000)}) for _ in range(2)]
    compared = compare({"real": frames[0].astype(str), "synthetic": frames[1].astype(str)}, leave_out_identifiers=False)
    cells = contingency.ContingencyTables(compared, "real", "synthetic", "shared")
    whole = Resamples(groups=np.zeros(3000, dtype=np.int64), weights=np.array([[1.0]]))
    resamples = resample(3000, rng)
    exact = cells.resampled_total_variation("a", "b", resamples)
    monkeypatch.setattr(contingency, "_MOST_RESAMPLED", 100)
    assert cells.resampled_total_variation("a", "b", whole) == pytest.approx([cells.total_variation("a", "b")])
    assert cells.resampled_total_variation("a", "b", resamples).std() == pytest.approx(exact.std(), rel=0.8)


def test_own_bins_have_an_interval_only_where_many_rows_hold_the_extremes() -> None:
    rng = np.random.default_rng(0)
    resamples = resample(400, rng)

    def frame(numbers: Any) -> pd.DataFrame:
        return pd.DataFrame({"x": numbers, "c": np.where(numbers > 2, "high", "low")})

    settled, loose = rng.integers(5, size=400), rng.normal(2, 1, size=400)
    for numbers, expected in ((settled, True), (loose, False)):
        compared = compare({"real": frame(numbers), "synthetic": frame(numbers)})
        assert (strong_pair_errors(compared, resamples=resamples).resampled is not None) is expected
        assert (trend_errors(compared, edges="own", resamples=resamples).resampled is not None) is expected
        assert trend_errors(compared, resamples=resamples).resampled is not None


def test_centred_intervals_by_hand() -> None:
    drawn = np.arange(41.0)  # mean 20, percentiles 1 and 39
    assert centred_interval(50.0, drawn) == pytest.approx((31.0, 69.0))
    assert centred_interval(5.0, drawn, lowest=0.0, highest=10.0) == (0.0, 10.0)
    assert centred_interval(float("nan"), drawn) is None
    assert centred_interval(1.0, None) is None
    assert centred_interval(1.0, np.array([np.nan])) is None
    # One resample in 100 below: the mean is under the 2.5% percentile, and the interval still holds the value.
    assert centred_interval(1.0, np.array([0.5] + [1.0] * 99), highest=1.0) == (1.0, 1.0)


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_intervals_hold_the_mean_figure_of_tables_of_that_size(shift: float) -> None:
    """Also where there is nothing but noise, where a bootstrap that is not centred would miss it every time."""
    rng = np.random.default_rng(3)
    real = rows(300, 0)
    values, intervals = [], []
    for seed in range(60):
        compared = compare({"real": real, "synthetic": rows(300, seed + 1, shift)})
        found = trend_errors(compared, resamples=resample(300, rng, n_resamples=100))
        values.append(found.mean)
        intervals.append(centred_interval(found.mean, found.resampled))
    mean = np.mean(values)
    held = sum(low <= mean <= high for low, high in filter(None, intervals))
    assert 51 <= held <= 60
    width = np.mean([high - low for low, high in filter(None, intervals)])
    assert width == pytest.approx(2 * 1.96 * np.std(values), rel=0.35)


def test_every_fidelity_interval_holds_its_score_and_none_is_drawn_unasked() -> None:
    scores = fidelity_scores(tables(n=400), np.random.default_rng(0))
    for score in scores:
        if score.interval is not None:
            assert score.interval[0] <= score.value <= score.interval[1]
    with_interval = {score.name for score in scores if score.interval is not None}
    assert {"shape", "trend_shared", "missing", "missing_patterns", "correlations"} <= with_interval
    alone = fidelity_scores(tables(n=400), np.random.default_rng(0), n_resamples=0)
    assert [score.interval for score in alone] == [None] * len(scores)
    assert [score.value for score in alone] == pytest.approx([score.value for score in scores], nan_ok=True)

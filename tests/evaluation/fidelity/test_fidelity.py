"""Shape and trend: hand-computed answers, agreement with sdmetrics, and the noise floors of real tables."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthgan.evaluation.compared.compared_tables import ComparedTables, compare
from synthgan.evaluation.compared.contingency import Edges
from synthgan.evaluation.fidelity.fidelity import fidelity_scores
from synthgan.evaluation.fidelity.missingness import missing_errors
from synthgan.evaluation.fidelity.shapes import shape_errors
from synthgan.evaluation.fidelity.trends import strong_pair_errors, trend_errors


def compared(real: dict[str, Any], synthetic: dict[str, Any], **options: Any) -> ComparedTables:
    return compare({"real": pd.DataFrame(real), "synthetic": pd.DataFrame(synthetic)}, **options)


def mean_shape(tables: ComparedTables) -> float:
    return float(np.nanmean(list(shape_errors(tables).values())))


# ------------------------------------------------------------------------------------------------------ hand-computed


def test_shape_of_a_number_is_the_largest_gap_of_the_distribution_functions() -> None:
    # At 2 the real function stands at 3/4 and the synthetic one at 1/4.
    tables = compared({"x": [1, 1, 2, 3]}, {"x": [2, 3, 3, 3]})
    assert shape_errors(tables) == pytest.approx({"x": 50.0})


def test_shape_of_a_category_is_total_variation() -> None:
    # Shares 1/2, 1/2, 0 against 1/4, 1/4, 1/2: half of 1/4 + 1/4 + 1/2.
    tables = compared({"c": ["a", "a", "b", "b"]}, {"c": ["a", "b", "c", "c"]})
    assert shape_errors(tables) == pytest.approx({"c": 50.0})


def test_shape_leaves_missing_values_aside_and_missing_shares_count_them() -> None:
    tables = compared(
        {"x": [1.0, 2.0, None, None], "c": ["a", "b", None, "b"]}, {"x": [1.0, 2.0, 1.0, 2.0], "c": [*"abb", None]}
    )
    assert shape_errors(tables) == pytest.approx({"x": 0.0, "c": 0.0})
    assert missing_errors(tables) == pytest.approx({"x": 50.0, "c": 0.0})


def test_trend_of_two_numbers_is_half_the_difference_of_correlations() -> None:
    tables = compared({"x": [1, 2, 3], "y": [1, 2, 3]}, {"x": [1, 2, 3], "y": [3, 2, 1]})
    assert trend_errors(tables).mean == pytest.approx(100.0)
    # Correlations 1 and 1/2.
    tables = compared({"x": [1, 2, 3], "y": [1, 2, 3]}, {"x": [1, 2, 3], "y": [1, 3, 2]})
    assert trend_errors(tables).mean == pytest.approx(25.0)


def test_trend_of_two_categories_is_total_variation_of_the_cells() -> None:
    # (a, x) 1/2 and (b, y) 1/2 against a quarter in each of four cells.
    tables = compared({"c": [*"aabb"], "d": [*"xxyy"]}, {"c": [*"aabb"], "d": [*"xyxy"]})
    assert trend_errors(tables).mean == pytest.approx(50.0)


def test_trend_with_shared_bins_keeps_bins_where_one_extreme_is_lost_and_own_bins_shift() -> None:
    real = {"x": [*range(10), 100], "c": ["a"] * 11}
    synthetic = {"x": [*range(10), 9], "c": ["a"] * 11}
    assert trend_errors(compared(real, synthetic), edges="shared").mean == pytest.approx(100.0 / 11)
    # Own bins: ten of eleven rows in the first bin and one in the top one, against one or two in each of ten.
    assert trend_errors(compared(real, synthetic), edges="own").mean > 80.0


def test_trend_with_shared_bins_puts_values_beyond_the_real_range_into_the_outermost_bins() -> None:
    real = {"x": [0.0, 0.0, 10.0, 10.0], "c": [*"aabb"]}
    synthetic = {"x": [-5.0, 0.0, 10.0, 99.0], "c": [*"aabb"]}
    assert trend_errors(compared(real, synthetic)).mean == 0.0


def test_trend_with_shared_bins_tells_missing_from_the_largest_value() -> None:
    real = {"x": [0.0, 10.0, 10.0, 10.0], "c": ["a"] * 4}
    synthetic = {"x": [0.0, 10.0, 10.0, None], "c": ["a"] * 4}
    assert trend_errors(compared(real, synthetic), edges="shared").mean == pytest.approx(25.0)
    assert trend_errors(compared(real, synthetic), edges="own").mean == 0.0


def test_a_constant_synthetic_number_counts_as_uncorrelated_in_trend_and_is_left_out_of_strong_pairs() -> None:
    tables = compared({"x": [1, 2, 3], "y": [1, 2, 3]}, {"x": [2, 2, 2], "y": [1, 2, 3]})
    assert trend_errors(tables).mean == pytest.approx(50.0)
    assert math.isnan(strong_pair_errors(tables).mean)


def test_strong_pairs_leave_out_weakly_related_ones() -> None:
    # x and y are unrelated; c follows x exactly (Cramer's V of 1); d is independent of all.
    real = {"x": [0, 0, 1, 1] * 5, "y": [0, 1, 0, 1] * 5, "c": [*"aabb"] * 5, "d": [*"uvvu"] * 5}
    errors = strong_pair_errors(compared(real, {**real, "c": [*"bbaa"] * 5}))
    counted = {pair for pair, error in zip(errors.pairs, errors.errors, strict=True) if not np.isnan(error)}
    assert counted == {("x", "c")}
    assert errors.mean == pytest.approx(100.0)


def test_infinite_numbers_do_no_harm() -> None:
    real = {"x": [1.0, 2.0, math.inf, -math.inf], "y": [1.0, 2.0, 3.0, 4.0], "c": [*"aabb"]}
    tables = compared(real, real)
    values = {score.name: score.value for score in fidelity_scores(tables, np.random.default_rng(0))}
    # Four rows hold no rare slice.
    assert math.isnan(values.pop("rare_slices"))
    assert list(values.values()) == pytest.approx([0.0] * 7)


def test_many_levels_take_the_sparse_way_to_the_same_answer() -> None:
    n = 2500
    real = {"c": [f"a{i}" for i in range(n)], "d": [f"b{i}" for i in range(n)]}
    synthetic = {"c": real["c"], "d": real["d"][1:] + real["d"][:1]}
    assert trend_errors(compared(real, synthetic, keep=["c", "d"])).mean == pytest.approx(100.0)


def test_scores_carry_the_parts_and_the_noise_floor() -> None:
    real, fresh = pd.DataFrame({"x": [1, 2, 3], "c": [*"aab"]}), pd.DataFrame({"x": [1, 2, 4], "c": [*"aab"]})
    tables = compare({"real": real, "synthetic": real, "holdout": fresh})
    scores = {score.name: score for score in fidelity_scores(tables, np.random.default_rng(0), reference="holdout")}
    errors = ["shape", "trend_shared", "trend_own", "strong_pairs", "missing", "missing_patterns"]
    assert list(scores) == [*errors, "correlations", "rare_slices"]
    assert scores["shape"].value == 0.0
    # Only x differs, by a third.
    assert scores["shape"].reference == pytest.approx(100.0 / 6)
    assert scores["shape"].details == pytest.approx({"x": 0.0, "c": 0.0})
    assert list(scores["trend_shared"].details) == ["x | c"]
    assert {score.direction for score in scores.values()} == {"lower"}


mixed_columns = st.integers(min_value=2, max_value=40).flatmap(
    lambda n: st.fixed_dictionaries(
        {
            "x": st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=n, max_size=n),
            "k": st.lists(st.integers(-3, 3), min_size=n, max_size=n),
            "c": st.lists(st.one_of(st.none(), st.sampled_from("abc")), min_size=n, max_size=n),
        }
    )
)


@settings(max_examples=60, deadline=None)
@given(real=mixed_columns, synthetic=mixed_columns)
def test_errors_lie_between_0_and_100_and_a_table_agrees_with_itself(
    real: dict[str, Any], synthetic: dict[str, Any]
) -> None:
    dtypes = {"x": "Float64", "k": "Int64", "c": "string"}
    frames = [pd.DataFrame(columns).astype(dtypes) for columns in (real, synthetic)]
    tables = compare(
        {"real": frames[0], "synthetic": frames[1], "same": frames[0].iloc[::-1]}, numeric=["x", "k"], keep=[*"xkc"]
    )
    for score in fidelity_scores(tables, np.random.default_rng(0)):
        assert math.isnan(score.value) or -1e-9 <= score.value <= 100.0 + 1e-9
    for score in fidelity_scores(tables, np.random.default_rng(0), synthetic="same", n_resamples=0):
        assert math.isnan(score.value) or score.value == pytest.approx(0.0, abs=1e-6)


# ------------------------------------------------------------------------------------------- agreement with sdmetrics


def plain(frame: pd.DataFrame, numeric: list[str]) -> pd.DataFrame:
    """The frame on the dtypes that sdmetrics handles well."""
    return pd.DataFrame(
        {
            name: frame[name].to_numpy(dtype=float, na_value=np.nan)
            if name in numeric
            else frame[name].astype(object).where(frame[name].notna(), np.nan)
            for name in frame
        }
    )


def distorted(real: pd.DataFrame) -> pd.DataFrame:
    """Rows drawn with replacement, and every third column shuffled by itself."""
    rng = np.random.default_rng(0)
    rows = np.sort(rng.integers(len(real), size=len(real)))
    return pd.DataFrame(
        {
            name: real[name].iloc[rng.permutation(len(real)) if i % 3 == 0 else rows].reset_index(drop=True)
            for i, name in enumerate(real)
        }
    )


def assert_agrees_with_sdmetrics(real: pd.DataFrame, synthetic: pd.DataFrame, numeric: list[str]) -> None:
    reports = pytest.importorskip("sdmetrics.reports", reason="sdmetrics is not installed")
    roles = {name: {"sdtype": "numerical" if name in numeric else "categorical"} for name in real}
    report = reports.QualityReport()
    frames = [{"t": plain(frame, numeric)} for frame in (real, synthetic)]
    report.generate(*frames, {"tables": {"t": {"columns": roles}}}, verbose=False)
    tables = compare({"real": real, "synthetic": synthetic}, numeric=numeric, keep=list(real))

    ours = shape_errors(tables)
    for row in report.get_details("Column Shapes", "t").to_dict("records"):
        assert ours[row["Column"]] == pytest.approx(100 * (1 - row["Score"]), abs=1e-6, nan_ok=True), row["Column"]
    pairs = strong_pair_errors(tables)
    found = dict(zip(pairs.pairs, pairs.errors, strict=True))
    for row in report.get_details("Column Pair Trends", "t").to_dict("records"):
        pair = row["Column 1"], row["Column 2"]
        assert found[pair] == pytest.approx(100 * (1 - row["Score"]), abs=1e-6, nan_ok=True), pair
    theirs = report.get_properties().set_index("Property")["Score"]
    assert mean_shape(tables) == pytest.approx(100 * (1 - theirs["Column Shapes"]), abs=1e-6)
    assert pairs.mean == pytest.approx(100 * (1 - theirs["Column Pair Trends"]), abs=1e-6)


ADULT_NUMERIC = ["age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # scipy's exact p-value, which is not used
def test_adult_agrees_with_sdmetrics() -> None:
    from synthgan.datasets import load_adult

    real = load_adult("train")
    assert_agrees_with_sdmetrics(real, distorted(real), ADULT_NUMERIC)


@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::UserWarning")
@pytest.mark.parametrize("name", ["shoppers", "default", "titanic", "hotel_bookings", "penguins_raw"])
def test_other_tables_agree_with_sdmetrics(name: str, shared_data: Path) -> None:
    real = pd.read_parquet(shared_data / f"{name}.parquet").head(3000)
    numeric = [
        c
        for c in real
        if pd.api.types.is_numeric_dtype(real[c]) and not pd.api.types.is_bool_dtype(real[c]) and real[c].nunique() > 8
    ]
    assert_agrees_with_sdmetrics(real, distorted(real), numeric)


# ------------------------------------------------------------------------------------------------------- noise floors


def bootstrap(train: pd.DataFrame) -> pd.DataFrame:
    return train.sample(len(train), replace=True, random_state=1, ignore_index=True)


def test_a_bootstrap_of_adult_scores_the_measured_noise_floor() -> None:
    from synthgan.datasets import load_adult

    train = load_adult("train")
    tables = compare({"real": train, "synthetic": bootstrap(train)})
    assert set(tables.numeric) == set(ADULT_NUMERIC)
    assert mean_shape(tables) == pytest.approx(0.34, abs=0.005)
    assert strong_pair_errors(tables).mean == pytest.approx(0.78, abs=0.005)
    assert trend_errors(tables, edges="shared").mean == pytest.approx(0.81, abs=0.03)


@pytest.mark.parametrize(
    ("name", "shape", "strong", "trend", "edges"),
    [("default", 0.53, 0.61, 0.60, "shared"), ("shoppers", 0.72, 1.12, 1.36, "own")],
)
def test_bootstraps_of_the_benchmark_tables_score_their_noise_floors(
    name: str,
    shape: float,
    strong: float,
    trend: float,
    edges: Any,
    shared_data: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[3])
    from benchmarks.tables import load_table

    table = load_table(name, shared_data)
    tables = compare({"real": table.train, "synthetic": bootstrap(table.train)}, numeric=table.numeric)
    assert mean_shape(tables) == pytest.approx(shape, abs=0.005)
    assert strong_pair_errors(tables).mean == pytest.approx(strong, abs=0.005)
    assert trend_errors(tables, edges=edges).mean == pytest.approx(trend, abs=0.15)


def test_independent_columns_have_good_shape_and_bad_trend() -> None:
    """The papers' figures for Adult: shape 0.39, trend 7.5; strong pairs 24."""
    from synthgan.datasets import load_adult

    train = load_adult("train")
    rng = np.random.default_rng(0)
    independent = pd.DataFrame({c: train[c].iloc[rng.permutation(len(train))].reset_index(drop=True) for c in train})
    tables = compare({"real": train, "synthetic": independent})
    assert mean_shape(tables) == pytest.approx(0.0, abs=1e-9)
    assert trend_errors(tables, edges="own").mean == pytest.approx(7.4, abs=0.2)
    assert strong_pair_errors(tables).mean == pytest.approx(23.5, abs=0.5)


@pytest.mark.parametrize("scale", [1e-300, 1e-86, 1.0, 1e200, 1e307])
@pytest.mark.parametrize("gap", [False, True])
def test_correlations_do_not_hang_on_the_unit(scale: float, gap: bool) -> None:
    x = np.array([0.0, 1.0, 2.0, 5.0, 3.0])
    real = pd.DataFrame({"x": x * scale, "y": [1.0, 2.0, 3.0, 4.0, 0.0]})
    real.loc[4, "y"] = np.nan if gap else 0.0
    tables = compare({"real": real, "synthetic": real.assign(x=-real["x"])})
    expected = np.corrcoef(x[: 4 if gap else 5], real["y"].dropna())[0, 1]
    assert trend_errors(tables).mean == pytest.approx(100 * abs(expected))


@pytest.mark.parametrize("value", [0.0, 5e-324, 1e15, 1.6e18, 1e300])
def test_a_constant_of_any_size_has_bins(value: float) -> None:
    """A single date is a large constant in nanoseconds."""
    real, other = {"x": [value] * 4, "c": [*"aabb"]}, {"x": [value] * 4, "c": [*"aaab"]}
    for edges in get_args(Edges):
        assert trend_errors(compared(real, real), edges=edges).mean == 0.0
        assert trend_errors(compared(real, other), edges=edges).mean == pytest.approx(25.0)

"""Missing shares and joint patterns, by hand."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthgan.evaluation.compared.compared_tables import ComparedTables, compare
from synthgan.evaluation.compared.resampling import resample
from synthgan.evaluation.fidelity.missingness import missing_errors, missing_pattern_error, missingness_scores


def table(*patterns: str, n_each: int = 1) -> pd.DataFrame:
    """A row per pattern; the letters name the missing ones of the columns a (number), b and c (text)."""
    rows = [pattern for pattern in patterns for _ in range(n_each)]
    return pd.DataFrame(
        {
            "a": [np.nan if "a" in row else float(i) for i, row in enumerate(rows)],
            "b": [None if "b" in row else "x" for row in rows],
            "c": [None if "c" in row else "y" for row in rows],
        }
    )


def compared(real: pd.DataFrame, synthetic: pd.DataFrame) -> ComparedTables:
    return compare({"real": real, "synthetic": synthetic}, numeric=["a"], keep=[*"abc"])


def test_shares_may_be_right_while_the_columns_are_missing_apart() -> None:
    tables = compared(table("ab", "ab", "", ""), table("a", "a", "b", "b"))
    assert missing_errors(tables) == pytest.approx({"a": 0.0, "b": 0.0, "c": 0.0})
    assert missing_pattern_error(tables) == pytest.approx(100.0)


def test_patterns_by_hand() -> None:
    # Shares 1/2 of none, 1/4 of a and b, 1/4 of a; against 1/2, 1/2, 0.
    tables = compared(table("", "", "ab", "a"), table("", "", "ab", "ab"))
    assert missing_pattern_error(tables) == pytest.approx(25.0)
    _, patterns = missingness_scores(tables, None)
    assert patterns.name == "missing_patterns"
    assert patterns.details["n_patterns"] == 3
    assert patterns.details["patterns"] == [
        {"columns": [], "real": 0.5, "synthetic": 0.5},
        {"columns": ["a", "b"], "real": 0.25, "synthetic": 0.5},
        {"columns": ["a"], "real": 0.25, "synthetic": 0.0},
    ]
    json.dumps(patterns.to_dict(), allow_nan=False)


def test_without_missing_values_there_is_no_error() -> None:
    missing, patterns = missingness_scores(
        compared(table("", ""), table("", "")), resample(2, np.random.default_rng(0))
    )
    assert (missing.value, patterns.value) == (0.0, 0.0)
    assert missing.interval == patterns.interval == (0.0, 0.0)
    assert patterns.details["patterns"] == [{"columns": [], "real": 1.0, "synthetic": 1.0}]


def test_more_columns_than_bits() -> None:
    rng = np.random.default_rng(0)
    gone = np.tril(np.ones((101, 100)), -1) == 1  # row i lacks the first i columns
    frame = pd.DataFrame({f"x{i}": np.where(gone[:, i], np.nan, rng.normal(size=101)) for i in range(100)})
    same = frame.sample(frac=1.0, random_state=0)
    names = list(frame)
    tables = compare({"real": frame, "synthetic": same, "holdout": same.iloc[:-1]}, numeric=names, keep=names)
    assert missing_pattern_error(tables) == 0.0
    # One of 101 patterns is gone, and the others have its share.
    assert missing_pattern_error(tables, synthetic="holdout") == pytest.approx(100 / 101)
    (_, patterns) = missingness_scores(tables, None, reference="holdout")
    assert patterns.details["n_patterns"] == 101
    assert len(patterns.details["patterns"]) == 20
    assert patterns.reference == pytest.approx(100 / 101)


def test_the_interval_is_that_of_a_share() -> None:
    """With one column, the pattern error is the difference of two shares; the interval is about two standard errors."""
    real, synthetic = table("", "a", n_each=500), table("", "", "", "a", n_each=250)
    missing, patterns = missingness_scores(compared(real, synthetic), resample(1000, np.random.default_rng(0)))
    half = 196 * (0.25 * 0.75 / 1000) ** 0.5
    for score in (missing, patterns):
        assert score.value == pytest.approx(25.0)
        assert score.interval == pytest.approx((25 - half, 25 + half), abs=1.0)


patterns_of_rows = st.lists(st.sampled_from(["", "a", "b", "ab", "c", "bc"]), min_size=1, max_size=20)


@settings(max_examples=50, deadline=None)
@given(real=patterns_of_rows, synthetic=patterns_of_rows)
def test_no_single_column_is_farther_off_than_the_patterns(real: list[str], synthetic: list[str]) -> None:
    whole = table("", "abc")  # so that no column is empty, or full of gaps
    tables = compared(pd.concat([table(*real), whole]), pd.concat([table(*synthetic), whole]))
    error = missing_pattern_error(tables)
    assert max(missing_errors(tables).values()) - 1e-9 <= error <= 100.0
    assert missing_pattern_error(tables, real="synthetic", synthetic="real") == pytest.approx(error)

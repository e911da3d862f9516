"""What a report draws, by hand, for every kind of column and dtype."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthgan.evaluation import Scores, evaluate
from synthgan.evaluation.compared.compared_tables import compare
from synthgan.evaluation.evidence import Evidence
from synthgan.evaluation.evidence_of_tables import correlation_ratio, evidence_of
from synthgan.evaluation.fidelity import shapes, trends

TABLES = ("real", "synthetic")


def drawn(real: dict[str, Any], synthetic: dict[str, Any], holdout: dict[str, Any] | None = None) -> dict[str, Any]:
    frames = {"real": pd.DataFrame(real), "synthetic": pd.DataFrame(synthetic)}
    if holdout is not None:
        frames["holdout"] = pd.DataFrame(holdout)
    found = evidence_of(compare(frames, leave_out_identifiers=False))
    again: dict[str, Any] = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert Evidence.from_json(again) == found
    return again


def test_whole_numbers_have_bins_of_their_own() -> None:
    found = drawn({"x": [1.0, 2, 2, 4]}, {"x": [1.0, 1, 9, None]}, {"x": [4.0, 4, 4, 4]})["columns"]["x"]
    assert found["kind"] == "numeric"
    assert found["edges"] == [0.5, 1.5, 2.5, 3.5, 4.5]
    assert found["levels"] is None
    assert found["shares"]["real"] == [0.25, 0.5, 0.0, 0.25]
    # Values beyond the real ones are in the outermost bins; shares are of the present values.
    assert found["shares"]["synthetic"] == pytest.approx([2 / 3, 0.0, 0.0, 1 / 3])
    assert found["shares"]["holdout"] == [0.0, 0.0, 0.0, 1.0]
    assert found["missing"] == {"real": 0.0, "synthetic": 0.25}
    # At 1 the functions stand at 1/4 and 2/3.
    assert found["shape_error"] == pytest.approx(100 * (2 / 3 - 1 / 4))


def test_other_numbers_have_thirty_bins_over_the_middle() -> None:
    x = np.append(np.linspace(0.0, 1.0, 1001), [1e9])
    found = drawn({"x": x}, {"x": x[::2]})["columns"]["x"]
    assert len(found["edges"]) == 31
    assert found["edges"][0] == pytest.approx(0.005)
    assert found["edges"][-1] == pytest.approx(0.996)
    assert sum(found["shares"]["real"]) == pytest.approx(1.0)
    assert found["shares"]["real"][10] == pytest.approx(1 / 30, abs=0.002)


def test_large_whole_numbers_share_bins_of_equal_width() -> None:
    found = drawn({"x": np.arange(100.0)}, {"x": np.arange(100.0)})["columns"]["x"]
    # From 0 to 99 by four.
    assert found["edges"] == [-0.5 + 4 * i for i in range(26)]
    assert found["shares"]["real"] == pytest.approx([0.04] * 25)


def test_days_and_durations() -> None:
    days = pd.to_datetime(["2020-01-01", "2020-01-02", "2020-01-02", "2020-01-03"])
    waits = pd.to_timedelta([0.0, 1.5, 1.5, 3.0], unit="s")
    found = drawn({"t": days, "w": waits}, {"t": days, "w": waits})["columns"]
    assert found["t"]["kind"] == "time"
    assert found["t"]["edges"] == [f"2020-01-0{day}T00:00:00" for day in (1, 2, 3, 4)]
    assert found["t"]["shares"]["real"] == [0.25, 0.5, 0.25]
    assert found["w"]["kind"] == "numeric"
    assert found["w"]["edges"] == pytest.approx(np.linspace(0, 3, 31).tolist())


def test_instants_beyond_nanoseconds() -> None:
    dates = pd.Series([pd.Timestamp("9999-12-31").date(), pd.Timestamp("2020-01-01").date()] * 2)
    found = drawn({"t": dates}, {"t": dates})["columns"]["t"]
    assert found["kind"] == "time"
    assert found["edges"][0] == "2020-01-01T00:00:00"
    assert found["edges"][-1].startswith("100")


def test_levels_by_hand() -> None:
    found = drawn({"c": [*"aabc", None], "b": [True] * 4 + [False]}, {"c": [*"bbbdd"], "b": [True] * 5})["columns"]
    assert found["c"]["kind"] == "categorical"
    assert found["c"]["edges"] is None
    # By the real share, "d" (which is new) last.
    assert found["c"]["levels"] == ["a", "b", "c", "d"]
    assert found["c"]["shares"] == {"real": [0.5, 0.25, 0.25, 0.0], "synthetic": [0.0, 0.6, 0.0, 0.4]}
    assert found["c"]["missing"] == pytest.approx({"real": 0.2, "synthetic": 0.0})
    assert found["b"]["levels"] == ["True", "False"]


def test_levels_beyond_twenty_are_counted_together_and_an_invented_one_is_shown() -> None:
    real = {"c": [f"v{i}" for i in range(30) for _ in range(30 - i)]}
    found = drawn(real, {"c": ["new"] * 60 + ["v0"] * 40})["columns"]["c"]
    assert len(found["levels"]) == 21
    assert found["levels"][:2] == ["v0", "v1"]
    assert found["levels"][19:] == ["new", "(other)"]
    assert found["shares"]["synthetic"][19:] == pytest.approx([0.6, 0.0])
    assert sum(found["shares"]["real"]) == pytest.approx(1.0)
    assert found["shares"]["real"][-1] == pytest.approx(sum(range(1, 12)) / 465)


def test_long_and_hostile_levels_stay_texts() -> None:
    found = drawn({"c": ["<script>", "x" * 500]}, {"c": ["<script>", "x" * 500]})["columns"]["c"]
    assert found["levels"][0] == "<script>"
    assert len(found["levels"][1]) == 80


def test_pairs_by_hand() -> None:
    real = {"x": [0.0, 0, 1, 1], "y": [0.0, 0, -1, -1], "c": [*"aabb"], "d": [*"uuvv"]}
    found = drawn(real, {**real, "y": [0.0, -1, 0, -1], "d": [*"uvuv"]})["pairs"]
    assert found["columns"] == ["x", "y", "c", "d"]
    # Correlation -1, correlation ratio 1, Cramer's V 1.
    assert np.array(found["real"]) == pytest.approx(np.ones((4, 4)))
    apart = np.eye(4)
    apart[0, 2] = apart[2, 0] = apart[1, 3] = apart[3, 1] = 1.0
    assert np.array(found["synthetic"]) == pytest.approx(apart, abs=1e-7)
    # Half the difference of correlations, and total variation of the cells.
    assert found["error"][0] == [None, 50.0, 0.0, 50.0]
    assert found["left_out"] == []


def test_an_association_of_a_constant_is_undefined() -> None:
    found = drawn(
        {"x": [1.0, 1, 1], "y": [1.0, 2, 3], "c": [*"aab"]}, {"x": [1.0, 2, 3], "y": [1.0, 2, 3], "c": ["a"] * 3}
    )
    assert found["pairs"]["real"][0] == [1.0, None, None]
    assert found["pairs"]["synthetic"][2] == [None, None, 1.0]
    assert found["pairs"]["error"][0][1] == pytest.approx(50.0)


def test_of_many_columns_those_with_the_largest_error_are_shown() -> None:
    rng = np.random.default_rng(0)
    real = pd.DataFrame({f"x{i}": rng.choice([*"ab"], 200) for i in range(63)})
    synthetic = real.copy()
    for name in ("x5", "x62"):
        synthetic[name] = "a"
    found = evidence_of(compare({"real": real, "synthetic": synthetic})).to_json()["pairs"]
    assert len(found["columns"]) == len(found["real"]) == len(found["error"]) == 60
    assert {"x5", "x62"} <= set(found["columns"])
    assert len(found["left_out"]) == 3
    assert set(found["columns"]) | set(found["left_out"]) == set(real)
    assert found["columns"] == [name for name in real if name in set(found["columns"])]


def test_correlation_ratio_by_hand() -> None:
    levels = np.array([0, 0, 1, 1])
    assert correlation_ratio(np.array([1.0, 1, 3, 3]), levels) == pytest.approx(1.0)
    assert correlation_ratio(np.array([1.0, 3, 1, 3]), levels) == pytest.approx(0.0)
    # Means 1 and 3 around 2: between 4, within 4.
    assert correlation_ratio(np.array([0.0, 2, 2, 4]), levels) == pytest.approx(math.sqrt(0.5))
    assert correlation_ratio(np.array([0.0, 2, np.nan, 4]), levels) == pytest.approx(math.sqrt(6 / 8))
    assert math.isnan(correlation_ratio(np.array([1.0, 1, 1, 1]), levels))
    assert math.isnan(correlation_ratio(np.array([1.0, 2, np.nan, np.nan]), levels))


@pytest.mark.parametrize("kind", ["numpy", "nullable", "arrow"])
def test_every_dtype_gives_the_same_evidence(kind: str) -> None:
    frame = pd.DataFrame(
        {
            "x": [1.5, 2.5, None, 4.0],
            "k": [1, 2, 3, 3],
            "c": pd.Series(["a", None, "b", "b"], dtype=object),
            "t": pd.to_datetime(pd.Series(["2020-01-01", None, "2020-01-05", "2020-01-05"])),
        }
    )
    if kind == "nullable":
        other = frame.convert_dtypes()
    elif kind == "arrow":
        other = pa.Table.from_pandas(frame, preserve_index=False).to_pandas(types_mapper=pd.ArrowDtype)
    else:
        other = frame
    expected, found = (evidence_of(compare({"real": part, "synthetic": part})) for part in (frame, other))
    assert found == expected
    assert found.to_json()["columns"]["t"]["edges"][0] == "2020-01-01T00:00:00"


mixed = st.integers(min_value=2, max_value=30).flatmap(
    lambda n: st.fixed_dictionaries(
        {
            "x": st.lists(
                st.one_of(st.none(), st.floats(-1e300, 1e300), st.just(float("inf"))), min_size=n, max_size=n
            ),
            "k": st.lists(st.integers(-3, 60), min_size=n, max_size=n),
            "c": st.lists(st.one_of(st.none(), st.text(max_size=3)), min_size=n, max_size=n),
        }
    )
)


@settings(max_examples=60, deadline=None)
@given(real=mixed, synthetic=mixed)
def test_shares_add_up_and_associations_lie_between_0_and_1(real: dict[str, Any], synthetic: dict[str, Any]) -> None:
    frames = [pd.DataFrame(part).astype({"x": "Float64", "k": "Int64", "c": "string"}) for part in (real, synthetic)]
    found = evidence_of(
        compare({"real": frames[0], "synthetic": frames[1]}, numeric=["x", "k"], leave_out_identifiers=False)
    ).to_json()
    json.dumps(found, allow_nan=False)
    for column in found["columns"].values():
        size = len(column["levels"]) if column["edges"] is None else len(column["edges"]) - 1
        for shares in column["shares"].values():
            assert len(shares) == size
            assert sum(shares) == pytest.approx(1.0)
    for name in ("real", "synthetic"):
        values = [value for row in found["pairs"][name] for value in row if value is not None]
        assert all(0.0 <= value <= 1.0 for value in values)


def test_it_is_made_only_when_asked_for() -> None:
    rows = pd.DataFrame({"x": np.tile(np.arange(10.0), 4), "c": list("ab") * 20})
    quiet = evaluate(rows, rows, parts=["fidelity"])
    assert quiet.evidence is None
    assert quiet.to_dict()["evidence"] == {}
    asked = evaluate(rows, rows, parts=["fidelity"], evidence=True)
    assert asked.evidence is not None
    assert [column.name for column in asked.evidence.columns] == ["x", "c"]
    for scores in (asked, quiet):
        assert Scores.from_dict(json.loads(scores.to_json())).evidence == scores.evidence
    figures = [score.value for score in quiet]
    assert [score.value for score in asked] == pytest.approx(figures, abs=0.0, nan_ok=True)


def test_shape_and_trend_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    computed = []
    for module, name in ((shapes, "_shape_errors"), (trends, "_trend_errors"), (trends, "correlation_matrix")):
        measure = getattr(module, name)

        def counted(tables: Any, *args: Any, measure: Any = measure, name: str = name) -> Any:
            computed.append((name, *args))
            return measure(tables, *args)

        monkeypatch.setattr(module, name, counted)
    rows = pd.DataFrame({"x": np.arange(40.0), "y": np.arange(40.0) ** 2, "c": list("ab") * 20})
    evaluate(rows, rows, parts=["fidelity"], evidence=True)
    assert ("_shape_errors", "real", "synthetic") in computed
    assert ("_trend_errors", "real", "synthetic", "shared") in computed
    assert len(set(computed)) == len(computed)


def test_what_is_odd_in_a_file_is_left_out() -> None:
    whole = evidence_of(compare({name: pd.DataFrame({"x": [1.0, 2.0], "c": ["a", "b"]}) for name in TABLES}))
    content = whole.to_json()
    content["columns"]["x"]["edges"] = [2.0, 1.0, None]
    content["columns"]["c"]["shares"]["holdout"] = [0.5]
    content["pairs"]["error"] = [["?", 1.0]]
    read = Evidence.from_json(content)
    assert read is not None
    assert read.columns == tuple(column for column in whole.columns if column.name == "c")
    assert read.pairs.error == ((None, 1.0), (None, None))
    assert Evidence.from_json({}) is None

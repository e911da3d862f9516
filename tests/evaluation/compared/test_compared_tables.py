"""The shared preparation of mixed frames: roles, one coding, and what is left out."""

from __future__ import annotations

import datetime
import decimal
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from synthgan.errors import DataError, SchemaError
from synthgan.evaluation.compared.column_roles import kinds_of
from synthgan.evaluation.compared.compared_tables import compare
from synthgan.tables.kinds import Kind
from synthgan.tables.schema.schema import ColumnSchema, TableSchema

DAY = datetime.date(2020, 1, 2)
MOMENT = datetime.datetime(2020, 1, 2, 3, 4, 5, 6)
NS = 1_577_934_245_000_006_000  # MOMENT since 1970


def numeric(values: list[Any], dtype: Any) -> list[float]:
    frame = pd.DataFrame({"x": pd.Series(values, dtype=dtype)})
    tables = compare({"real": frame}, keep=["x"])
    assert tables.numeric == ("x",)
    return tables.numbers["real"]["x"].tolist()


@pytest.mark.parametrize(
    "dtype", ["object", "datetime64[s]", "datetime64[us]", "date32[pyarrow]", "timestamp[us][pyarrow]"]
)
def test_days_beyond_the_range_of_nanoseconds_keep_their_place(dtype: str) -> None:
    given = [DAY, datetime.date(9999, 12, 31)]
    # pandas 2.1 takes dates through nanoseconds, and numpy's moments as they are.
    early, late = numeric(np.array(given, dtype=dtype) if dtype.startswith("datetime64") else given, dtype)
    days = (datetime.date(9999, 12, 31) - DAY).days
    assert late - early == pytest.approx(days * 86_400e9)


@pytest.mark.parametrize(
    "dtype", ["int64", "float32", "Int64", "Float64", "int64[pyarrow]", "double[pyarrow]", "object"]
)
def test_numbers_of_every_backend_are_numeric(dtype: str) -> None:
    assert numeric([1, 2], dtype) == [1.0, 2.0]


@pytest.mark.parametrize("dtype", ["float64", "Int64", "Float64", "int64[pyarrow]", "double[pyarrow]"])
def test_missing_numbers_are_nan(dtype: str) -> None:
    first, second = numeric([1, None], dtype)
    assert first == 1.0
    assert math.isnan(second)


@pytest.mark.parametrize(
    "dtype",
    [
        "datetime64[ns]",
        "datetime64[us]",
        "datetime64[us, UTC]",
        pd.ArrowDtype(pa.timestamp("us")),
        pd.ArrowDtype(pa.timestamp("us", "UTC")),
    ],
)
def test_datetimes_are_nanoseconds_of_wall_time(dtype: Any) -> None:
    first, second = numeric([MOMENT, None], dtype)
    assert first == pytest.approx(NS, abs=256)
    assert math.isnan(second)


def test_a_zone_counts_as_wall_time() -> None:
    series = pd.Series([MOMENT]).dt.tz_localize("Asia/Tokyo")
    assert numeric(list(series), series.dtype) == pytest.approx([NS], abs=256)


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([DAY, None], object, 1_577_923_200 * 1e9),
        ([DAY, None], pd.ArrowDtype(pa.date32()), 1_577_923_200 * 1e9),
        ([datetime.timedelta(hours=1), None], "timedelta64[ns]", 3600e9),
        ([datetime.timedelta(hours=1), None], pd.ArrowDtype(pa.duration("s")), 3600e9),
        ([decimal.Decimal("1.25"), None], object, 1.25),
        ([decimal.Decimal("1.25"), None], pd.ArrowDtype(pa.decimal128(5, 2)), 1.25),
    ],
)
def test_dates_durations_and_decimals_are_numeric(values: list[Any], dtype: Any, expected: float) -> None:
    first, second = numeric(values, dtype)
    assert first == expected
    assert math.isnan(second)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        (["b", "a", None, "b"], "object"),
        (["b", "a", None, "b"], "string"),
        (["b", "a", None, "b"], "string[pyarrow]"),
        (["b", "a", None, "b"], "category"),
        (["b", "a", None, "b"], pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string()))),
        ([True, False, None, True], "boolean"),
        ([True, False, None, True], "bool[pyarrow]"),
        ([True, False, None, True], "object"),
    ],
)
def test_all_else_is_categorical_and_shares_codes(values: list[Any], dtype: Any) -> None:
    real = pd.DataFrame({"c": pd.Series(values, dtype=dtype)})
    synthetic = pd.DataFrame({"c": pd.Series([values[1], values[0]], dtype=object)})
    tables = compare({"real": real, "synthetic": synthetic})
    assert tables.categorical == ("c",)
    assert tables.codes["real"]["c"].tolist() == [0, 1, -1, 0]
    assert tables.codes["synthetic"]["c"].tolist() == [1, 0]
    assert tables.n_levels == {"c": 2}


def test_declared_numeric_columns_win_over_dtypes() -> None:
    frame = pd.DataFrame({"grade": [1, 2, 3], "size": [1, 2, 3]})
    tables = compare({"real": frame}, numeric=["size"])
    assert tables.roles == {"grade": "categorical", "size": "numeric"}


KINDS: dict[str, Kind] = {
    "flag": "categorical",
    "day": "categorical",
    "number": "identifier",
    "size": "integer",
    "word": "text",
    "same": "constant",
    "elsewhere": "float",
}


def described() -> pd.DataFrame:
    """Numbers and days that repeat, so that nothing but a schema says that they are no numbers."""
    return pd.DataFrame(
        {
            "flag": [0, 1] * 30,
            "day": pd.to_datetime(["2024-01-01", "2024-01-02"] * 30),
            "number": [7, 7, 8] * 20,
            "size": [*range(0, 60, 2)] * 2,
            "word": ["a", "b"] * 30,
            "same": [1] * 60,
            "other": [1.5, 2.5] * 30,
        }
    )


def test_a_schema_says_what_columns_are_and_dtypes_say_the_rest() -> None:
    frame = described()
    plain = compare({"real": frame, "synthetic": frame})
    assert plain.categorical == ("word",)
    tables = compare({"real": frame, "synthetic": frame}, kinds=KINDS)
    assert tables.roles == {
        "flag": "categorical",
        "day": "categorical",
        "size": "numeric",
        "same": "numeric",
        "other": "numeric",
    }
    assert tables.left_out == {
        "number": "an identifier, as the schema has it",
        "word": "free text, as the schema has it",
    }
    assert tables.n_levels == {"flag": 2, "day": 2}
    assert tables.clocks == {}
    assert tables.codes["synthetic"]["day"].tolist() == [0, 1] * 30


def test_columns_that_are_named_win_over_the_schema() -> None:
    frame = described()
    tables = compare({"real": frame}, kinds=KINDS, numeric=["flag"], keep=["number"])
    assert (tables.roles["flag"], tables.roles["size"], tables.roles["number"]) == (
        "numeric",
        "categorical",
        "categorical",
    )
    assert "number" in compare({"real": frame}, kinds=KINDS, leave_out_identifiers=False).columns


def test_levels_of_a_schema_are_the_same_whatever_holds_the_numbers() -> None:
    real = pd.DataFrame({"k": pd.Series([1, 2, 1], dtype="int64[pyarrow]")})
    synthetic = pd.DataFrame({"k": [2.0, None, 1.0]})
    tables = compare({"real": real, "synthetic": synthetic}, kinds={"k": "categorical"})
    assert tables.codes["real"]["k"].tolist() == [0, 1, 0]
    assert tables.codes["synthetic"]["k"].tolist() == [1, -1, 0]


def test_kinds_are_read_from_all_that_a_fit_takes_as_schema(tmp_path: Path) -> None:
    declared = {"columns": {"a": "identifier", "b": {"levels": [1, 2]}, "c": {"bounds": [0, 1]}}}
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(declared))
    columns = ["a", "b", "c", "d"]
    assert kinds_of(declared, columns) == kinds_of(path, columns) == {"a": "identifier", "b": "categorical"}
    whole = TableSchema(columns=(ColumnSchema(name="a", kind="float", arrow_type="double"),))
    assert kinds_of(whole, columns) == {"a": "float"}


def test_a_schema_of_other_columns_is_refused() -> None:
    for facts in ("categorical", {"bounds": [0, 1]}):
        with pytest.raises(SchemaError, match="names the column 'size', which the real table lacks; did you"):
            kinds_of({"columns": {"size": facts}}, ["sizes", "colour"])


def test_columns_are_matched_by_name_in_any_order() -> None:
    tables = compare(
        {"real": pd.DataFrame({0: [1, 2], "b": [3, 4]}), "synthetic": pd.DataFrame({"b": [5, 6], "0": [7, 8]})}
    )
    assert tables.columns == ("0", "b")
    assert tables.numbers["synthetic"]["0"].tolist() == [7.0, 8.0]


@pytest.mark.parametrize(
    ("column", "left_out"),
    [
        ([f"user {i}" for i in range(200)], True),
        ([f"user {i % 60}" for i in range(200)], False),
        (list(range(100, 300)), True),
        ([3 * i for i in range(200)], False),
        ([i / 7 for i in range(200)], False),
    ],
)
def test_identifiers_text_and_counters_are_left_out_by_name(column: list[Any], left_out: bool) -> None:
    frame = pd.DataFrame({"it": column, "x": [0.5] * 200})
    tables = compare({"real": frame, "synthetic": frame})
    assert ("it" in tables.left_out) is left_out
    assert "it" in compare({"real": frame}, keep=["it"]).columns
    assert "it" in compare({"real": frame}, leave_out_identifiers=False).columns


def test_a_column_that_is_empty_in_one_table_is_left_out_with_the_reason() -> None:
    tables = compare(
        {
            "real": pd.DataFrame({"t": ["a", "b"], "x": [1, 2]}),
            "synthetic": pd.DataFrame({"t": [None, None], "x": [1, 2]}),
        }
    )
    assert tables.left_out == {"t": "entirely missing in the synthetic table"}
    both = pd.DataFrame({"t": [None, None], "x": [1, 2]})
    assert compare({"real": both, "synthetic": both}).left_out == {"t": "entirely missing"}


@pytest.mark.parametrize(
    ("synthetic", "message"),
    [
        ({"x": []}, "The synthetic table has no rows"),
        ({"y": [1]}, r"The synthetic table lacks 1 column\(s\) of the real table: 'x'"),
        ({"x": [1], "y": [1]}, r"The synthetic table has 1 column\(s\) that the real table lacks: 'y'"),
        ({"x": ["secret"]}, "Column 'x' is compared as numbers but has dtype .* in the synthetic table"),
    ],
)
def test_tables_that_do_not_fit_are_refused_without_a_value(synthetic: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        compare({"real": pd.DataFrame({"x": [1, 2]}), "synthetic": pd.DataFrame(synthetic)})
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_texts_that_a_schema_calls_numbers_are_refused_without_a_value() -> None:
    frame = pd.DataFrame({"day": ["secret", "2024-01-02"]})
    with pytest.raises(DataError, match=r"'day' is compared as numbers but has dtype \w+ in the real table") as caught:
        compare({"real": frame, "synthetic": frame}, kinds={"day": "datetime"})
    assert "secret" not in str(caught.value)


def test_doubled_names_and_nested_values_are_refused() -> None:
    doubled = pd.DataFrame([[1, 2]], columns=["x", "x"])
    with pytest.raises(DataError, match="several columns named 'x'"):
        compare({"real": doubled})
    with pytest.raises(DataError, match="Column 'x' holds nested values"):
        compare({"real": pd.DataFrame({"x": [[1], [2]]})})


def test_one_hot_has_a_feature_per_level_and_one_for_missing() -> None:
    real = pd.DataFrame({"x": [10.0, 12.0], "c": ["a", "b"]})
    synthetic = pd.DataFrame({"x": [None, math.inf], "c": ["c", None]})
    tables = compare({"real": real, "synthetic": synthetic}, keep=["x"])
    assert tables.one_hot("real").tolist() == [[0, 1, 0, 0, 0], [2, 0, 1, 0, 0]]
    features = tables.one_hot("synthetic")
    assert np.isnan(features[:, 0]).all()
    assert features[:, 1:].tolist() == [[0, 0, 1, 0], [0, 0, 0, 1]]


def test_one_hot_keeps_apart_times_that_float32_alone_would_merge() -> None:
    times = pd.DataFrame({"t": pd.to_datetime(["2024-01-01 00:00:00", "2024-01-01 00:00:01"])})
    assert np.diff(compare({"real": times}).one_hot("real")[:, 0]).tolist() == [1e9]


def test_matrix_merges_the_rarest_levels() -> None:
    frame = pd.DataFrame({"c": [*"aaabbc", None]})
    values = compare({"real": frame}).matrix("real", max_levels=2)[:, 0].tolist()
    assert values[:6] == [0, 0, 0, 1, 1, 1]
    assert math.isnan(values[6])


def test_joined_tables_stand_one_after_the_other() -> None:
    real = pd.DataFrame({"x": [1, 2], "c": [*"ab"]})
    tables = compare({"real": real, "synthetic": pd.DataFrame({"x": [3], "c": ["b"]})})
    both = tables.joined("both", ("synthetic", "real"))
    assert both.n_rows == {"real": 2, "synthetic": 1, "both": 3}
    assert both.numbers["both"]["x"].tolist() == [3.0, 1.0, 2.0]
    assert both.codes["both"]["c"].tolist() == [1, 0, 1]
    assert "both" not in tables.n_rows


def test_select_takes_rows_of_one_table_only() -> None:
    frame = pd.DataFrame({"x": [1, 2, 3], "c": [*"abc"]})
    tables = compare({"real": frame, "synthetic": frame})
    part = tables.select("synthetic", np.array([2]))
    assert part.n_rows == {"real": 3, "synthetic": 1}
    assert part.numbers["synthetic"]["x"].tolist() == [3.0]
    assert part.codes["real"]["c"].tolist() == [0, 1, 2]
    assert tables.n_rows["synthetic"] == 3


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([1, 2], "int64", None),
        ([MOMENT], "datetime64[us]", "instant"),
        ([MOMENT], "datetime64[us, UTC]", "instant"),
        ([DAY], "object", "instant"),
        ([MOMENT], "object", "instant"),
        ([DAY], "date32[pyarrow]", "instant"),
        ([MOMENT], "timestamp[us][pyarrow]", "instant"),
        ([datetime.timedelta(1)], "timedelta64[ns]", "duration"),
        ([datetime.timedelta(1)], "object", "duration"),
        ([datetime.timedelta(1)], "duration[us][pyarrow]", "duration"),
        ([decimal.Decimal(1)], "object", None),
    ],
)
def test_columns_in_nanoseconds_say_so(values: list[Any], dtype: str, expected: str | None) -> None:
    tables = compare({"real": pd.DataFrame({"x": pd.Series(values * 2, dtype=dtype)})})
    assert tables.clocks.get("x") == expected


@pytest.mark.parametrize("dtype", ["object", "string", "category", "string[pyarrow]"])
def test_levels_are_the_values_behind_the_codes(dtype: str) -> None:
    real, synthetic = (pd.DataFrame({"c": pd.Series(values, dtype=dtype)}) for values in (["b", None, "a"], ["c", "a"]))
    tables = compare({"real": real, "synthetic": synthetic}, keep=["c"])
    named = [tables.levels["c"][code] for code in tables.codes["synthetic"]["c"]]
    assert named == ["c", "a"]
    assert tables.codes["real"]["c"][1] == -1
    assert len(tables.levels["c"]) == tables.n_levels["c"] == 3


def test_rows_are_capped_table_by_table() -> None:
    tables = compare({name: pd.DataFrame({"x": np.arange(float(n))}) for name, n in (("a", 9), ("b", 3), ("c", 9))})
    capped = tables.at_most(5, ("a", "b"), np.random.default_rng(0))
    assert capped.n_rows == {"a": 5, "b": 3, "c": 9}
    drawn = capped.numbers["a"]["x"]
    assert len(set(drawn)) == 5
    assert drawn.tolist() == sorted(drawn)
    assert tables.at_most(None, ("a", "b"), np.random.default_rng(0)).n_rows == tables.n_rows

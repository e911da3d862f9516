"""Guessed kinds, what is declared against them, and the reasons given."""

from __future__ import annotations

import datetime as dt
import traceback
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synthgan.errors import SchemaError
from synthgan.tables import inference
from synthgan.tables.inference import infer_schema
from synthgan.tables.schema.schema import Bounds, ColumnSchema, Levels, Order, TableSchema
from synthgan.tables.sources.open import open_source

SECRET = "Zaphod Beeblebrox"
RNG = np.random.default_rng(5)
N = 400
WORDS = ["amber", "birch", "cedar", "dusk", "ember", "frost", "grove", "heron", "iris", "juniper"]


def words(n: int, length: int) -> list[str]:
    return [" ".join(RNG.choice(WORDS, length)) + f" {''.join(RNG.choice(list('abcdefgh'), 4))}" for _ in range(n)]


def kind_of(values: Any, name: str = "column", **options: Any) -> str:
    schema = infer_schema(open_source(pd.DataFrame({name: values})), **options)
    return schema.columns[0].kind


KINDS: dict[str, tuple[Any, str]] = {
    "repeating text": (RNG.choice(WORDS, N), "categorical"),
    "few rows of text": (["a", "b", "a", "b", "a", "b", "a", "b"], "categorical"),
    "a pandas categorical": (pd.Categorical([f"level {i}" for i in range(N)]), "categorical"),
    "repeating numbers in text": (RNG.choice(["1", "2", "3"], N), "categorical"),
    "repeating dates in text": (RNG.choice(["2024-01-01", "2024-01-02"], N), "categorical"),
    "two hundred zones": ([f"Zone {i % 200}" for i in range(20 * N)], "categorical"),
    "true and false": (RNG.random(N) < 0.5, "boolean"),
    "true, false and missing": (pd.array([True, False, None] * 5, "boolean"), "boolean"),
    "small whole numbers": (RNG.integers(0, 5, N), "integer"),
    "wide whole numbers": (RNG.integers(0, 10**6, N), "integer"),
    "salaries that happen to differ": (RNG.choice(np.arange(20_000, 90_000), 100, replace=False), "integer"),
    "years": (np.arange(1900, 2020), "integer"),
    "seconds since 1970": (1_700_000_000 + np.arange(N), "integer"),
    "days as YYYYMMDD": (20240100 + np.arange(1, 31), "integer"),
    "numbers below zero": (np.arange(N) - 7, "integer"),
    "floats": (RNG.normal(size=N), "float"),
    "floats with infinities": (np.where(np.arange(N) % 9, RNG.normal(size=N), np.inf), "float"),
    "whole floats": (RNG.choice(10**6, N, replace=False).astype(float), "float"),
    "decimals": ([Decimal(int(n)) / 100 for n in RNG.integers(0, 10**6, N)], "decimal"),
    "moments": (pd.Timestamp("2024-01-01") + pd.to_timedelta(RNG.permutation(N), unit="min"), "datetime"),
    "moments in a zone": (pd.date_range("2024-01-01", periods=N, tz="Europe/Berlin"), "datetime"),
    "months": (pd.period_range("2000-01", periods=N, freq="M"), "datetime"),
    "dates": ([dt.date(2024, 1, 1) + dt.timedelta(days=i) for i in range(N)], "date"),
    "durations": (pd.to_timedelta(RNG.integers(0, 10**6, N), unit="s"), "timedelta"),
    "times of day": ([dt.time(i % 24, i % 60) for i in range(N)], "timedelta"),
    "a row number": (np.arange(N), "identifier"),
    "a shuffled key with gaps": (RNG.choice(3000, N, replace=False) + 1, "identifier"),
    "a key with missing values": (pd.array([*range(1, 150), *[None] * 300], "Int64"), "identifier"),
    "a key that pandas made float": ([*range(1, 150), *[np.nan] * 300], "identifier"),
    "a key as decimal": ([Decimal(i) for i in range(1, N)], "identifier"),
    "nine digits": (RNG.choice(9 * 10**8, N, replace=False) + 10**8, "identifier"),
    "eighteen digits": (9 * 10**17 + RNG.choice(10**17, N, replace=False), "identifier"),
    "UUIDs in text": ([str(UUID(int=i * 2**80 + 5)) for i in range(N)], "identifier"),
    "UUIDs": ([UUID(int=i * 2**80 + 5) for i in range(N)], "identifier"),
    "codes": ([f"N{i}A{i % 3}" for i in range(N)], "identifier"),
    "plates": ([f"{WORDS[i % 10][:2].upper()}-{i:05}" for i in range(N)], "identifier"),
    "telephone numbers": ([f"+1 (555) {i:03}-{7 * i:04}" for i in range(N)], "identifier"),
    "one width of capitals": (["".join(RNG.choice(list("ABCDEFGHKLMN"), 8)) for _ in range(N)], "identifier"),
    "moments in text": ([f"2024-01-01 {i // 60:02}:{i % 60:02}" for i in range(N)], "datetime"),
    "moments in text, written in two ways": (
        [f"2024-01-01 {i // 60:02}:{i % 60:02}{':00' * (i % 2)}" for i in range(N)],
        "identifier",
    ),
    "numbers in text": ([f"{x:.6f}" for x in RNG.normal(size=N)], "decimal"),
    "bare numbers in text": ([str(n) for n in RNG.integers(0, 10**6, 100)], "integer"),
    "postal codes": ([f"{n:05}" for n in RNG.choice(10**5, N, replace=False)], "identifier"),
    "postal codes that repeat": ([f"{n * 97 % 100_000:05}" for n in RNG.integers(0, 90, N)], "categorical"),
    "postal codes without zeros in front": ([str(n + 10_000) for n in RNG.integers(0, 90, N)], "categorical"),
    "row numbers in text": ([str(i) for i in range(N)], "identifier"),
    "codes of six rows each": ([f"K-{i % 67}" for i in range(N)], "categorical"),
    "percentages of six rows each": ([f"{i % 67} %" for i in range(N)], "integer"),
    "dates written in Germany": ([f"{i % 28 + 1:02}.{i % 12 + 1:02}.2024" for i in range(N)], "date"),
    "dates that may be of two countries": ([f"{i % 12 + 1:02}/{i % 11 + 1:02}/2024" for i in range(N)], "categorical"),
    "prices with a comma": ([f"{i * 37 % 500},{i * 7 % 100:02}" for i in range(N)], "decimal"),
    "thousands or thousandths": ([f"{i % 80 + 1}.{i % 80 + 100}" for i in range(N)], "categorical"),
    "prose": (words(N, 9), "text"),
    "names": (words(N, 2), "text"),
    "single words": (["".join(RNG.choice(list("abcdefgh"), RNG.integers(4, 12))) for _ in range(N)], "text"),
    "mail addresses": ([f"{w.replace(' ', '.')}@example.org" for w in words(N, 2)], "text"),
    "web addresses": ([f"https://example.org/{i}" for i in range(N)], "text"),
    "street addresses": ([f"{i} {w} street" for i, w in enumerate(words(N, 2))], "text"),
    "comments, one of them common": (["All of it was found in order."] * 60 + words(40, 6), "text"),
    "one value": (["same"] * N, "constant"),
    "one number": ([7.5] * N, "constant"),
    "nothing": ([None] * N, "constant"),
    "nothing but NaN": ([np.nan] * N, "constant"),
    "one value or missing": ((["same"] * 9 + [None]) * 20, "categorical"),
}


@pytest.mark.parametrize("case", KINDS)
def test_kinds(case: str) -> None:
    values, expected = KINDS[case]
    assert kind_of(values) == expected


@pytest.mark.parametrize("case", KINDS)
def test_reasons_are_given_and_quote_no_value(case: str) -> None:
    values, _ = KINDS[case]
    column = infer_schema(open_source(pd.DataFrame({"column": values}))).columns[0]
    assert column.source == "inferred-exact"
    assert column.reason
    quoted = {str(value) for value in pd.Series(values).dropna().unique() if len(str(value)) > 4}
    assert not any(value in column.reason for value in quoted)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("customer_id", "identifier"), ("AccountNo", "identifier"), ("order key", "identifier"), ("identity", "integer")],
)
def test_a_name_is_weak_evidence(name: str, expected: str) -> None:
    values = RNG.choice(10**6, 60, replace=False)
    assert kind_of(values, name) == expected
    assert kind_of(RNG.integers(0, 20, 60), name) == "integer"


def test_identifiers_made_of_a_time_are_told_from_times_by_their_name() -> None:
    snowflakes = 17 * 10**17 + np.arange(200) * 10**12 + RNG.choice(10**6, 200, replace=False)
    assert kind_of(snowflakes, "message_id") == "identifier"
    assert kind_of(snowflakes, "sent") == "integer"
    assert kind_of(20240101 + np.arange(28), "date_key") == "integer"


SHARED_KINDS = {
    "adult_train": {"fnlwgt": "integer", "workclass": "categorical", "education-num": "integer"},
    "default": {"ID": "identifier", "LIMIT_BAL": "float", "PAY_0": "integer", "BILL_AMT1": "float"},
    "german_credit": {"credit_amount": "integer", "purpose": "categorical", "credit_risk": "categorical"},
    "hotel_bookings": {
        "agent": "categorical",
        "company": "categorical",
        "country": "categorical",
        "adr": "float",
        "reservation_status_date": "datetime",
    },
    "insurance": {"charges": "float", "children": "integer"},
    "nyc_taxis": {"pickup": "datetime", "pickup_zone": "categorical", "total": "float", "passengers": "integer"},
    "penguins_raw": {
        "Individual ID": "categorical",
        "Comments": "text",
        "Species": "categorical",
        "Region": "constant",
        "Sample Number": "integer",
        "Date Egg": "datetime",
    },
    "shoppers": {"Weekend": "boolean", "Month": "categorical", "PageValues": "float", "Browser": "integer"},
    "titanic": {
        "name": "text",
        "ticket": "categorical",
        "cabin": "categorical",
        "home.dest": "text",
        "boat": "categorical",
        "body": "identifier",
        "survived": "integer",
        "age": "float",
    },
}


@pytest.mark.parametrize("table", SHARED_KINDS)
def test_kinds_of_the_shared_tables(table: str, shared_data: Path) -> None:
    path = shared_data / f"{table}.parquet"
    from_file = infer_schema(open_source(path))
    from_frame = infer_schema(open_source(pd.read_parquet(path)))
    assert [column.kind for column in from_file.columns] == [column.kind for column in from_frame.columns]
    assert [column.reason for column in from_file.columns] == [column.reason for column in from_frame.columns]
    assert {name: from_file[name].kind for name in SHARED_KINDS[table]} == SHARED_KINDS[table]


def test_the_target_is_never_an_identifier_or_text() -> None:
    assert kind_of(np.arange(N), "y", target="y") == "integer"
    assert kind_of(words(N, 3), "y", target="y") == "categorical"
    assert kind_of([*range(1, 150), *[np.nan] * 300], "y", target="y") == "float"
    assert kind_of(["same"] * 9, "y", target="y") == "constant"


def test_ten_thousand_categories_stay_categories() -> None:
    values = RNG.choice([f"code {i}" for i in range(10_000)], 300_000)
    assert kind_of(values) == "categorical"
    assert kind_of(pd.Categorical(values)) == "categorical"


def test_labels_types_and_categories_are_kept() -> None:
    frame = pd.DataFrame({7: pd.Categorical(["b", "a"] * 5, categories=["b", "a", "c"], ordered=True), "t": [1, 2] * 5})
    frame["z"] = pd.date_range("2024-01-01", periods=10, tz="Asia/Tokyo").as_unit("us")
    schema = infer_schema(open_source(frame))
    assert schema.names == ("7", "t", "z")
    assert schema["7"].label == 7
    assert schema["7"].levels == Levels(
        values=("b", "a", "c"), ordered=True, source="inferred-exact", pandas_dtype=schema["7"].levels.pandas_dtype
    )
    assert schema["7"].arrow_type in {"string", "large_string"}, "pandas 2 and 3"
    assert schema["7"].pandas_dtype == "category"
    assert (schema["z"].arrow_type, schema["z"].time_zone) == ("timestamp[us, tz=Asia/Tokyo]", "Asia/Tokyo")
    assert all(column.bounds is None for column in schema.columns), "exact extremes would end up in the model file"


# --- samples ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def rare_change(tmp_path: Path) -> Path:
    """20,000 rows in which one cell of some columns differs, where no sample looks."""
    n_rows, odd = 20_000, 12_345
    flag = np.zeros(n_rows, dtype=int)
    flag[odd] = 1
    table = pa.table(
        {
            "flag": flag,
            "word": pa.array(np.where(flag == 1, SECRET, "same")).dictionary_encode(),
            "gap": pa.array(np.ones(n_rows), mask=flag == 1),
            "constant": np.full(n_rows, "same"),
            "id": RNG.permutation(n_rows),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=1000)
    return tmp_path / "a.parquet"


def test_a_constant_in_the_sample_is_checked_in_all_rows(rare_change: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "SAMPLE_ROWS", 400)
    monkeypatch.setattr("synthgan.tables.sources.parquet_source._SAMPLED_ROW_GROUPS", 4)
    schema = infer_schema(open_source(rare_change))
    kinds = {column.name: column.kind for column in schema.columns}
    assert kinds == {
        "flag": "integer",
        "word": "categorical",
        "gap": "float",
        "constant": "constant",
        "id": "identifier",
    }
    assert "not in all others" in schema["flag"].reason


# --- declarations ----------------------------------------------------------------------------------------------------

FRAME = pd.DataFrame(
    {
        "age": RNG.integers(18, 90, N),
        "id": np.arange(N),
        "price": RNG.normal(size=N),
        "money": [Decimal(int(n)) / 100 for n in RNG.integers(0, 10**6, N)],
        "city": RNG.choice(WORDS, N),
        "name": words(N, 2),
        "when": pd.date_range("2024-01-01", periods=N),
        "zoned": pd.date_range("2024-01-01", periods=N, tz="Europe/Berlin"),
        "wait": pd.to_timedelta(RNG.integers(0, 10**6, N), unit="s"),
        "same": ["x"] * N,
    }
)


def declared(columns: dict[str, Any], **rest: Any) -> TableSchema:
    return infer_schema(open_source(FRAME), declared={"columns": columns, **rest})


def test_declared_facts_win_and_the_rest_is_guessed() -> None:
    schema = declared(
        {
            "age": {"bounds": [0, 120]},
            "id": "integer",
            "price": {"granularity": 0.01, "bounds": {"lower": -10}},
            "money": {"bounds": ["0.00", "9999.99"]},
            "city": {"levels": [*WORDS, "unseen"]},
            "name": {"text": "faker:name"},
            "when": {"bounds": ["2024-01-01", "2025-12-31T12:00:00"]},
            "zoned": {"bounds": ["2024-01-01", None], "time_zone": "Europe/Berlin"},
            "wait": {"bounds": ["PT0S", "P20D"]},
        },
        constraints=[{"rule": "order", "low": "age", "high": "id"}],
    )
    assert schema["age"].bounds == Bounds(lower=0, upper=120, source="declared")
    assert (schema["age"].kind, schema["age"].source) == ("integer", "inferred-exact")
    assert (schema["id"].kind, schema["id"].source, schema["id"].reason) == ("integer", "declared", "declared")
    assert (schema["price"].granularity, schema["price"].bounds) == (0.01, Bounds(lower=-10))
    assert schema["money"].bounds == Bounds(lower=Decimal("0.00"), upper=Decimal("9999.99"))
    assert schema["city"].levels == Levels(values=(*WORDS, "unseen"), source="declared")
    assert (schema["name"].kind, schema["name"].text) == ("text", "faker:name")
    assert schema["when"].bounds == Bounds(lower=dt.datetime(2024, 1, 1), upper=dt.datetime(2025, 12, 31, 12))
    assert schema["zoned"].bounds is not None
    assert schema["zoned"].bounds.lower == pd.Timestamp("2024-01-01", tz="Europe/Berlin")
    assert schema["wait"].bounds == Bounds(lower=dt.timedelta(0), upper=dt.timedelta(days=20))
    assert schema["same"].kind == "constant"
    assert schema.constraints == (Order(low="age", high="id"),)


@pytest.mark.parametrize(
    ("column", "facts", "kind"),
    [
        ("id", {"bounds": [0, None]}, "integer"),
        ("id", {"granularity": 1}, "integer"),
        ("name", {"levels": ["a", "b"]}, "categorical"),
        ("city", {"text": "drop"}, "text"),
        ("same", {"levels": ["x", "y"]}, "constant"),
        ("age", {"levels": [18, 19]}, "categorical"),
        ("age", {}, "integer"),
    ],
)
def test_a_fact_implies_the_kind_it_needs(column: str, facts: dict[str, Any], kind: str) -> None:
    schema = declared({column: facts})
    assert schema[column].kind == kind


def test_a_schema_declares_itself(tmp_path: Path) -> None:
    source = open_source(FRAME)
    first = infer_schema(source)
    assert infer_schema(source, declared=first) == first
    marks = {column.source for column in infer_schema(source, declared=first).columns}
    assert marks == {"inferred-exact"}, "reading one's own file back makes nothing declared"


def test_an_edited_kind_is_declared_even_when_its_mark_was_left() -> None:
    schema = declared({"id": {"kind": "integer", "source": "inferred-exact", "reason": "old"}})
    assert (schema["id"].kind, schema["id"].source) == ("integer", "declared")
    kept = declared({"id": {"kind": "identifier", "source": "inferred-exact", "reason": "old"}})
    assert kept["id"].source == "inferred-exact"
    assert declared({"id": {"kind": "identifier"}})["id"].source == "declared"
    assert declared({"age": {"kind": "integer", "source": "released"}})["age"].source == "released"


def test_edited_categories_are_declared_even_when_their_mark_was_left() -> None:
    source = open_source(pd.DataFrame({"c": pd.Categorical(["a", "b"] * 9)}))
    content = {"values": ["b", "a"], "source": "inferred-exact"}
    levels = infer_schema(source, declared={"columns": {"c": {"levels": content}}})["c"].levels
    assert levels == Levels(values=("b", "a"), source="declared")


def test_a_python_schema_declares() -> None:
    column = ColumnSchema(name="age", kind="integer", source="declared", bounds=Bounds(lower=0, upper=99))
    schema = infer_schema(open_source(FRAME), declared=TableSchema(columns=(column,)))
    assert schema["age"].bounds == Bounds(lower=0, upper=99)
    assert schema["age"].source == "declared"
    assert schema["age"].arrow_type == "int64"
    assert len(schema.columns) == len(FRAME.columns)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"agee": "integer"}, "the schema names the column 'agee', which the DataFrame lacks; did you mean 'age'?"),
        ({"unheard of": "integer"}, "which the DataFrame lacks; it has 10 columns"),
        ({"age": "intger"}, "unknown kind 'intger'; did you mean 'integer'?"),
        ({"age": {"bound": [0, 1]}}, "unknown key 'bound' in column 'age'; did you mean 'bounds'?"),
        ({"city": "integer"}, "column 'city' is declared integer, which its type"),
        ({"city": "datetime"}, "declare its arrow_type, or convert it to a datetime type (in pandas: pd.to_datetime)"),
        ({"city": "float"}, "(in pandas: pd.to_numeric)"),
        ({"price": "integer"}, "declare float with a granularity of 1"),
        ({"age": "boolean"}, "(it can be categorical, integer, identifier, constant)"),
        ({"when": "date"}, "column 'when' is declared date"),
        ({"age": "text"}, "column 'age' is declared text"),
        ({"when": "identifier"}, "column 'when' is declared identifier"),
        ({"age": "constant"}, "column 'age' is declared constant, but not all of its values are the same"),
        ({"age": {"bounds": [0, float("nan")]}}, "a bound of column 'age' must be a whole number"),
        ({"price": {"bounds": [0, float("inf")]}}, "a bound of column 'price' must be a finite number"),
        ({"money": {"bounds": [0, "NaN"]}}, "a bound of column 'money' must be a finite decimal number"),
        ({"money": {"bounds": [0, "Infinity"]}}, "a bound of column 'money' must be a finite decimal number"),
        ({"age": {"bounds": [9, 3]}}, "the bounds of column 'age' are reversed"),
        ({"when": {"bounds": ["2025-01-01", "2024-01-01"]}}, "the bounds of column 'when' are reversed"),
        ({"age": {"bounds": [0.5, 3]}}, "a bound of column 'age' must be a whole number"),
        ({"age": {"bounds": [True, 3]}}, "a bound of column 'age' must be a whole number"),
        ({"when": {"bounds": [SECRET, None]}}, "a bound of column 'when' must be an ISO date and time"),
        ({"when": {"bounds": ["now", None]}}, "a bound of column 'when' must be an ISO date and time"),
        ({"when": {"bounds": ["2024-01-01T00:00+02:00", None]}}, "a bound of column 'when' must be an ISO date"),
        ({"wait": {"bounds": [SECRET, None]}}, "a bound of column 'wait' must be a duration"),
        ({"city": {"bounds": ["a", "b"]}}, "column 'city' is categorical and cannot have bounds"),
        ({"city": {"granularity": 1}}, "column 'city' is categorical and cannot have granularity"),
        ({"age": {"granularity": 0}}, "the granularity of column 'age' must be a positive, finite number"),
        ({"age": {"granularity": float("nan")}}, "the granularity of column 'age' must be a positive, finite number"),
        ({"age": {"kind": "integer", "levels": [1, 2]}}, "column 'age' is integer and cannot have levels"),
        ({"age": {"levels": [1, SECRET]}}, "a level of column 'age' must be a whole number"),
        ({"city": {"levels": ["a", "a"]}}, "the levels of column 'city' name a value twice"),
        ({"name": {"text": "fakery"}}, "column 'name' has an unknown text option"),
        ({"age": {"text": "drop"}}, "column 'age' is integer and cannot have the option 'text'"),
        ({"zoned": {"time_zone": "Asia/Tokyo"}}, "has the time zone Europe/Berlin in the table"),
        ({"when": {"time_zone": "Asia/Tokyo"}}, "has no time zone in the table"),
    ],
)
def test_a_bad_declaration_is_refused_in_one_sentence(columns: dict[str, Any], expected: str) -> None:
    with pytest.raises(SchemaError) as error:
        declared(columns)
    assert expected in str(error.value)
    assert SECRET not in "".join(traceback.format_exception(error.value))


def test_unknown_columns_in_target_and_rules_are_refused() -> None:
    with pytest.raises(SchemaError, match=r"the target names the column .agee., .* did you mean .age."):
        infer_schema(open_source(FRAME), target="agee")
    with pytest.raises(SchemaError, match="Order names the unknown column 'agee'; did you mean 'age'"):
        declared({}, constraints=[{"rule": "order", "low": "agee", "high": "id"}])

"""The schema as a file: round trips, short forms, and refusals that both we and the JSON Schema agree on."""

from __future__ import annotations

import datetime as dt
import json
import traceback
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import jsonschema
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthgan.errors import OutputError, SchemaError
from synthgan.tables.arrow_types import parse_type
from synthgan.tables.inference import infer_schema
from synthgan.tables.kinds import TRAITS, natural_kind
from synthgan.tables.schema.declarations import constraint_to_json, parse_declaration
from synthgan.tables.schema.schema import (
    Bounds,
    ColumnSchema,
    Combinations,
    Levels,
    Order,
    Provenance,
    Sum,
    TableSchema,
    UniqueKey,
)
from synthgan.tables.schema.schema_file import JSON_SCHEMA, read_schema, schema_from_json, schema_to_json, write_schema
from synthgan.tables.schema.schema_values import value_from_json, value_to_json
from synthgan.tables.sources.open import open_source

SECRET = "Zaphod Beeblebrox"
BERLIN = pd.Timestamp("2024-03-31 03:30", tz="Europe/Berlin").to_pydatetime()

SCHEMA = TableSchema(
    columns=(
        ColumnSchema(name="a", label=7, kind="integer", arrow_type="int64", bounds=Bounds(lower=-1, upper=2**60)),
        ColumnSchema(name="b", label=("x", 1.5), kind="float", arrow_type="double", granularity=0.25),
        ColumnSchema(name="c", kind="decimal", arrow_type="decimal128(9, 2)", bounds=Bounds(lower=Decimal("0.10"))),
        ColumnSchema(name="d", kind="date", arrow_type="date32[day]", bounds=Bounds(upper=dt.date(2024, 2, 29))),
        ColumnSchema(
            name="e",
            label=pd.Timestamp("2024-01-01"),
            kind="datetime",
            arrow_type="timestamp[us]",
            bounds=Bounds(lower=dt.datetime(2024, 1, 1, 12, 30, 0, 5), source="released"),
        ),
        ColumnSchema(
            name="f",
            label=dt.date(2024, 1, 1),
            kind="datetime",
            source="declared",
            arrow_type="timestamp[ns, tz=Europe/Berlin]",
            time_zone="Europe/Berlin",
            bounds=Bounds(lower=BERLIN, upper=pd.Timestamp(2**61 + 1, tz="Europe/Berlin")),
        ),
        ColumnSchema(
            name="g",
            kind="timedelta",
            arrow_type="duration[ns]",
            stored_type="time64[ns]",
            bounds=Bounds(lower=dt.timedelta(hours=1, microseconds=1), upper=pd.Timedelta(10**15 + 1)),
        ),
        ColumnSchema(
            name="h",
            kind="categorical",
            source="released",
            reason="because",
            arrow_type="string",
            pandas_dtype="category",
            levels=Levels(values=("y", "x", "ü"), ordered=True, source="inferred-exact", pandas_dtype="object"),
        ),
        ColumnSchema(name="i", kind="text", arrow_type="large_string", text="faker:name"),
        ColumnSchema(name="j", kind="boolean", arrow_type="bool", levels=Levels(values=(True, False))),
        ColumnSchema(name="k", kind="constant", arrow_type="null"),
        ColumnSchema(name="l", kind="identifier", arrow_type="string"),
        ColumnSchema(name="m", kind="float", arrow_type="double", granularity=1, offset=0.99),
        ColumnSchema(name="n", kind="datetime", arrow_type="timestamp[us]", calendar="month-end", offset=-3600 * 10**9),
    ),
    constraints=(
        Order(low="d", high="e"),
        Sum(total="a", parts=("b", "c")),
        Combinations(columns=("h", "j", "k")),
        UniqueKey(columns=("l",)),
    ),
)


def test_a_schema_comes_back_from_its_file(tmp_path: Path) -> None:
    write_schema(SCHEMA, tmp_path / "schema.json")
    assert read_schema(tmp_path / "schema.json") == SCHEMA
    content = json.loads((tmp_path / "schema.json").read_text(encoding="utf-8"))
    assert content == schema_to_json(SCHEMA)
    jsonschema.validate(content, JSON_SCHEMA)


def test_the_file_is_for_people() -> None:
    content = schema_to_json(SCHEMA)
    assert content["columns"][2] == {
        "name": "c",
        "kind": "decimal",
        "source": "inferred-exact",
        "bounds": {"lower": "0.10", "upper": None, "source": "declared"},
        "arrow_type": "decimal128(9, 2)",
    }
    assert content["columns"][4]["bounds"]["lower"] == "2024-01-01T12:30:00.000005"
    assert content["columns"][6]["bounds"]["lower"] == "P0DT1H0M0.000001S"
    assert content["constraints"][1] == {"rule": "sum", "total": "a", "parts": ["b", "c"]}


def test_an_existing_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    path.write_text("mine")
    with pytest.raises(OutputError):
        write_schema(SCHEMA, path)
    assert path.read_text() == "mine"
    write_schema(SCHEMA, path, force=True)
    assert read_schema(path) == SCHEMA


def test_the_json_schema_is_one_and_knows_all_facts() -> None:
    jsonschema.Draft202012Validator.check_schema(JSON_SCHEMA)
    assert JSON_SCHEMA["$defs"]["source"]["enum"] == list(get_args(Provenance))
    facts = set(JSON_SCHEMA["$defs"]["column"]["properties"])
    assert facts == {field.name for field in ColumnSchema.__dataclass_fields__.values()}
    rules = {rule["properties"]["rule"]["const"] for rule in JSON_SCHEMA["$defs"]["constraint"]["oneOf"]}
    assert rules == {constraint_to_json(rule)["rule"] for rule in SCHEMA.constraints}


def test_schemas_of_the_shared_tables_come_back(shared_data: Path) -> None:
    for path in sorted(shared_data.glob("*.parquet")):
        schema = infer_schema(open_source(path))
        content = json.loads(json.dumps(schema_to_json(schema)))
        jsonschema.validate(content, JSON_SCHEMA)
        assert schema_from_json(content) == schema


SHORT: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"columns": {"a": "integer"}}, {"kind": "integer"}),
    ({"columns": [{"name": "a", "kind": "integer"}]}, {"kind": "integer"}),
    ({"columns": {"a": {"bounds": [0, None]}}}, {"bounds": {"lower": 0, "upper": None}}),
    (
        {"columns": {"a": {"bounds": {"upper": 3, "source": "released"}}}},
        {"bounds": {"upper": 3, "source": "released"}},
    ),
    ({"columns": {"a": {"levels": ["x", "y"]}}}, {"levels": {"values": ["x", "y"]}}),
    ({"columns": {"a": {"kind": None, "bounds": None, "granularity": None, "offset": None, "calendar": None}}}, {}),
    ({"columns": {"a": {"granularity": 7, "offset": "2024-01-01"}}}, {"granularity": 7, "offset": "2024-01-01"}),
    ({"columns": {"a": {"calendar": "quarter-end+1"}}}, {"calendar": "quarter-end+1"}),
    ({"$schema": "somewhere", "format": "synthgan-schema", "version": 1, "columns": {"a": {}}}, {}),
]


@pytest.mark.parametrize(("content", "facts"), SHORT)
def test_short_forms(content: dict[str, Any], facts: dict[str, Any]) -> None:
    jsonschema.validate(content, JSON_SCHEMA)
    assert parse_declaration(content).columns["a"].facts == facts


def test_what_is_not_mentioned_is_not_declared() -> None:
    assert parse_declaration({}).constraints is None
    assert parse_declaration({"constraints": []}).constraints == ()


MALFORMED: list[tuple[Any, str]] = [
    ([], "the schema must be an object"),
    ({"colums": []}, "unknown key 'colums' in the schema; did you mean 'columns'?"),
    ({"qqq": []}, "unknown key 'qqq' in the schema; the keys are"),
    ({"format": "other"}, "not in the format 'synthgan-schema'"),
    ({"version": 3}, "is of version 3, newer than this synthgan reads (2): update it"),
    ({"version": "1"}, "the version of the schema must be a whole number"),
    ({"columns": 3}, "the columns of the schema must be a list"),
    ({"columns": [{"kind": "integer"}]}, "column 1 of the schema needs a 'name'"),
    ({"columns": ["a"]}, "column 1 of the schema needs a 'name'"),
    ({"columns": [{"name": 7}]}, "a column whose name is not text"),
    ({"columns": {"a": 7}}, "column 'a' of the schema must be an object of facts"),
    ({"columns": {"a": {"kind": "intger"}}}, "unknown kind 'intger'; did you mean 'integer'?"),
    ({"columns": {"a": {"kind": "zzz"}}}, "unknown kind 'zzz'; the kinds are categorical, boolean"),
    ({"columns": {"a": {"kind": 3}}}, "'kind' of column 'a' must be text"),
    ({"columns": {"a": {"source": "guessed"}}}, "the source in column 'a' must be one of declared"),
    ({"columns": {"a": {"bound": [0, 1]}}}, "unknown key 'bound' in column 'a'; did you mean 'bounds'?"),
    ({"columns": {"a": {"bounds": [0]}}}, "must be a pair [lower, upper]"),
    ({"columns": {"a": {"bounds": 3}}}, "the bounds of column 'a' must be"),
    (
        {"columns": {"a": {"bounds": {"low": 3}}}},
        "unknown key 'low' in the bounds of column 'a'; did you mean 'lower'?",
    ),
    ({"columns": {"a": {"levels": "x"}}}, "the levels of column 'a' must be a list"),
    ({"columns": {"a": {"levels": {"ordered": True}}}}, "need a list of 'values'"),
    ({"columns": {"a": {"levels": {"values": [], "ordered": 1}}}}, "'ordered' in the levels of column 'a'"),
    ({"columns": {"a": {"granularity": "1"}}}, "the granularity of column 'a' must be a number"),
    ({"columns": {"a": {"offset": True}}}, "the offset of column 'a' must be a number or text"),
    ({"columns": {"a": {"calendar": 3}}}, "the calendar of column 'a' must be text"),
    ({"constraints": {}}, "the constraints of the schema must be a list"),
    ({"constraints": [{"low": "a", "high": "b"}]}, "needs the key 'rule' (one of order, sum"),
    (
        {"constraints": [{"rule": "ordr", "low": "a", "high": "b"}]},
        "unknown rule 'ordr' in the schema; did you mean 'order'",
    ),
    ({"constraints": [{"rule": "order", "low": "a"}]}, "'high' in a constraint of the rule 'order' must be a column"),
    ({"constraints": [{"rule": "order", "low": "a", "high": "b", "strict": True}]}, "unknown key 'strict'"),
    ({"constraints": [{"rule": "sum", "total": "a", "parts": "b"}]}, "'parts' in a constraint of the rule 'sum'"),
    ({"constraints": [{"rule": "unique_key", "columns": [1]}]}, "must be a list of column names"),
]


@pytest.mark.parametrize(("content", "expected"), MALFORMED)
def test_what_is_malformed_is_refused_by_us_and_by_the_json_schema(content: Any, expected: str) -> None:
    with pytest.raises(SchemaError) as error:
        parse_declaration(content)
    assert expected in str(error.value)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, JSON_SCHEMA)


def test_a_column_twice_is_refused() -> None:
    with pytest.raises(SchemaError, match="lists column 'a' twice"):
        parse_declaration({"columns": [{"name": "a"}, {"name": "a"}]})


@pytest.mark.parametrize("missing", ["kind", "arrow_type"])
def test_a_schema_in_part_is_no_whole_schema(missing: str) -> None:
    facts = {"name": "a", "kind": "integer", "arrow_type": "int64"}
    del facts[missing]
    with pytest.raises(SchemaError, match="column 'a' of the schema lacks its kind or its arrow_type"):
        schema_from_json({"columns": [facts]})


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "schema.json"
    for content, expected in (
        (None, "does not exist"),
        (b"\xff\xfe\x00", "is not UTF-8"),
        (f'{{"columns": [{{"name": "{SECRET}"'.encode(), "is not valid JSON: .* at line 1, column"),
        (b'{"columns": {"a": {"bounds": [NaN, 1]}}}', "holds NaN"),
        (b'{"columns": {"a": {"bounds": [0, Infinity]}}}', "holds Infinity"),
        (b"[" * 200_000, "nested too deeply"),
        (b"7", "schema.json must be an object"),
    ):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(SchemaError, match=expected) as error:
            read_schema(path)
        assert SECRET not in "".join(traceback.format_exception(error.value))
        assert "schema.json" in str(error.value)
    with pytest.raises(SchemaError, match=r"cannot be read"):
        read_schema(tmp_path)
    monkeypatch.setattr("synthgan.tables.schema.schema_file._MOST_BYTES", 3)
    path.write_text("{}  ")
    with pytest.raises(SchemaError, match="too large"):
        read_schema(path)


# --- values ----------------------------------------------------------------------------------------------------------


@given(
    st.one_of(
        st.tuples(st.just(pa.int64()), st.integers(-(2**63), 2**63 - 1)),
        st.tuples(st.just(pa.float64()), st.floats(allow_nan=False, allow_infinity=False)),
        st.tuples(st.just(pa.decimal128(38, 10)), st.decimals(allow_nan=False, allow_infinity=False, places=10)),
        st.tuples(st.just(pa.date32()), st.dates()),
        st.tuples(st.just(pa.timestamp("us")), st.datetimes(dt.datetime(1678, 1, 1), dt.datetime(2261, 1, 1))),
        st.tuples(st.just(pa.duration("us")), st.timedeltas(dt.timedelta(days=-100_000), dt.timedelta(days=100_000))),
        st.tuples(st.just(pa.string()), st.text()),
        st.tuples(st.just(pa.bool_()), st.booleans()),
        st.tuples(st.just(pa.timestamp("ns")), st.integers(-(2**62), 2**62).map(pd.Timestamp)),
        st.tuples(st.just(pa.duration("ns")), st.integers(-(2**62), 2**62).map(pd.Timedelta)),
    )
)
@settings(deadline=None)
def test_values_come_back(typed: tuple[pa.DataType, Any]) -> None:
    data_type, value = typed
    content = json.loads(json.dumps(value_to_json(value), allow_nan=False))
    assert value_from_json(content, data_type, "here") == value


@pytest.mark.parametrize("moment", ["2024-03-31T01:30", "2024-10-27T02:30", "2024-07-01T12:00:00.000000001"])
@pytest.mark.parametrize("zone", ["Europe/Berlin", "+05:30", "UTC"])
def test_zoned_values_come_back(moment: str, zone: str) -> None:
    data_type = pa.timestamp("ns", tz=zone)
    value = value_from_json(moment, data_type, "here")
    assert value.replace(tzinfo=None) == pd.Timestamp(moment)
    assert value_from_json(value_to_json(value), data_type, "here") == value


def test_numpy_and_python_values_are_taken() -> None:
    assert value_from_json(np.int64(3), pa.int8(), "here") == 3
    assert value_from_json(3.0, pa.int8(), "here") == 3
    assert value_from_json(0.1, pa.decimal128(5, 2), "here") == Decimal("0.1")
    assert value_from_json(dt.timedelta(1), pa.duration("s"), "here") == dt.timedelta(1)
    assert value_from_json(np.datetime64("2024-01-01T00:00", "us"), pa.timestamp("us"), "here") == dt.datetime(
        2024, 1, 1
    )


@pytest.mark.parametrize("value", [object(), 1j, b"x", [1]])
def test_other_values_are_refused(value: Any) -> None:
    with pytest.raises(SchemaError, match="cannot be written"):
        value_to_json(value)


# --- types -----------------------------------------------------------------------------------------------------------

TYPES = [
    *(pa.int8(), pa.uint64(), pa.float16(), pa.float32(), pa.float64(), pa.bool_(), pa.null(), pa.uuid()),
    *(pa.string(), pa.large_string(), pa.string_view(), pa.date32(), pa.date64(), pa.time32("s"), pa.time64("ns")),
    *(pa.timestamp("s"), pa.timestamp("ns", tz="Europe/Berlin"), pa.timestamp("ms", tz="+05:30"), pa.duration("us")),
    *(pa.decimal128(38, 10), pa.decimal128(5, -2), pa.decimal256(70, 3)),
    *(pa.dictionary(pa.int8(), pa.string(), ordered=True), pa.dictionary(pa.int32(), pa.timestamp("us", tz="UTC"))),
]


@pytest.mark.parametrize("data_type", TYPES, ids=str)
def test_types_come_back_from_their_names(data_type: pa.DataType) -> None:
    assert parse_type(str(data_type)) == data_type


@pytest.mark.parametrize("text", ["", "integer", "list<item: int64>", "timestamp[h]", "decimal128(99, 2)"])
def test_unknown_types_are_refused(text: str) -> None:
    with pytest.raises(SchemaError, match="unknown Arrow type"):
        parse_type(text)


@pytest.mark.parametrize(
    "data_type", [data_type for data_type in TYPES if not pa.types.is_dictionary(data_type)], ids=str
)
def test_every_type_has_a_kind(data_type: pa.DataType) -> None:
    assert natural_kind(data_type) in TRAITS


# --- the dataclasses -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"kind": "intger"}, "unknown kind 'intger'; did you mean 'integer'?"),
        ({"kind": ["integer"]}, "unknown kind ['integer']; did you mean 'integer'?"),
        ({"kind": "integer", "bounds": Bounds(lower=2, upper=1)}, "the bounds of column 'x' are reversed"),
        ({"kind": "float", "bounds": Bounds(lower=float("nan"))}, "the lower bound of column 'x' must be finite"),
        ({"kind": "float", "bounds": Bounds(upper=float("inf"))}, "the upper bound of column 'x' must be finite"),
        ({"kind": "decimal", "bounds": Bounds(upper=Decimal("NaN"))}, "the upper bound of column 'x' must be finite"),
        ({"kind": "datetime", "bounds": Bounds(lower=pd.NaT)}, "the lower bound of column 'x' must be finite"),
        (
            {"kind": "datetime", "bounds": Bounds(lower=3, upper=dt.datetime(2024, 1, 1))},
            "two types that have no order",
        ),
        ({"kind": "text", "bounds": Bounds(lower=1)}, "column 'x' is text and cannot have bounds"),
        ({"kind": "integer", "granularity": -1}, "the granularity of column 'x'"),
        ({"kind": "integer", "granularity": True}, "the granularity of column 'x'"),
        ({"kind": "boolean", "granularity": 1}, "column 'x' is boolean and cannot have granularity"),
        ({"kind": "integer", "offset": 1}, "the offset of column 'x' needs a granularity or a calendar beside it"),
        ({"kind": "integer", "granularity": 2, "offset": float("inf")}, "the offset of column 'x' must be a finite"),
        ({"kind": "integer", "calendar": "month-end"}, "column 'x' is integer and cannot have a calendar"),
        ({"kind": "date", "calendar": "month-begin"}, "the calendar of column 'x' is none that synthgan knows: use"),
        ({"kind": "categorical", "levels": Levels(values=(1, 1))}, "the levels of column 'x' name a value twice"),
        ({"kind": "text", "text": "faker:"}, "column 'x' has an unknown text option"),
    ],
)
def test_a_column_checks_itself(facts: dict[str, Any], expected: str) -> None:
    with pytest.raises(SchemaError) as error:
        ColumnSchema(name="x", **facts)
    assert expected in str(error.value)


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        (Order(low="a", high="q"), "names the unknown column 'q'"),
        (Order(low="a", high="a"), "names column 'a' twice"),
        (Sum(total="a", parts=()), "needs at least 2 columns and has 1"),
        (Sum(total="a", parts=("b", "b")), "names column 'b' twice"),
        (Combinations(columns=("a",)), "needs at least 2 columns and has 1"),
        (UniqueKey(columns=()), "needs at least 1 columns and has 0"),
    ],
)
def test_a_table_checks_its_rules(constraint: Any, expected: str) -> None:
    columns = tuple(ColumnSchema(name=name, kind="integer") for name in "ab")
    with pytest.raises(SchemaError, match=expected):
        TableSchema(columns=columns, constraints=(constraint,))


def test_a_table_has_each_name_once() -> None:
    with pytest.raises(SchemaError, match="two columns called 'a'"):
        TableSchema(columns=(ColumnSchema(name="a", kind="integer"),) * 2)
    with pytest.raises(KeyError):
        TableSchema(columns=())["a"]

"""The schema of a private fit: names, types and declarations, never a row."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from synthgan.errors import SchemaError
from synthgan.privacy.private_schema import private_schema
from synthgan.tables.inference import infer_schema
from synthgan.tables.schema.schema import Bounds, ColumnSchema, Order, Sum, TableSchema, UniqueKey
from synthgan.tables.schema.schema_file import read_schema, schema_to_json
from synthgan.tables.sources.batches import Source
from synthgan.tables.sources.open import open_source

ROOT = Path(__file__).resolve().parents[2]


class Unreadable(Source):
    """A source that has names and types and refuses to give rows."""

    def __init__(self, schema: pa.Schema) -> None:
        super().__init__(schema, description="the table", n_rows=None)

    def _read(self, columns: list[str], batch_size: int) -> Iterator[pa.RecordBatch]:
        raise AssertionError("a row was read")


def table(**types: pa.DataType) -> Unreadable:
    return Unreadable(pa.schema(list(types.items())))


@pytest.mark.parametrize(
    ("held", "kind"),
    [
        (pa.string(), "categorical"),
        (pa.large_string(), "categorical"),
        (pa.dictionary(pa.int8(), pa.int64()), "categorical"),
        (pa.bool_(), "boolean"),
        (pa.int8(), "integer"),
        (pa.uint64(), "integer"),
        (pa.float32(), "float"),
        (pa.float64(), "float"),
        (pa.decimal128(12, 2), "decimal"),
        (pa.timestamp("us"), "datetime"),
        (pa.timestamp("ns", tz="Europe/Berlin"), "datetime"),
        (pa.date32(), "date"),
        (pa.duration("s"), "timedelta"),
        (pa.time64("us"), "timedelta"),
        (pa.null(), "categorical"),
    ],
)
def test_kinds_follow_from_types_without_a_row(held: pa.DataType, kind: str) -> None:
    column = private_schema(table(x=held))["x"]
    assert (column.kind, column.source) == (kind, "declared")
    assert column.reason.startswith("follows from the type")
    assert (column.levels, column.bounds, column.granularity) == (None, None, None)


def test_declared_facts_win_and_need_no_row() -> None:
    declared = {
        "columns": {
            "name": "text",
            "ticket": "identifier",
            "size": {"levels": ["S", "M"]},
            "age": {"bounds": [0, 120]},
            "price": {"granularity": 0.01},
        }
    }
    source = table(name=pa.string(), ticket=pa.int64(), size=pa.string(), age=pa.int32(), price=pa.float64())
    schema = private_schema(source, declared)
    assert [column.kind for column in schema.columns] == ["text", "identifier", "categorical", "integer", "float"]
    assert schema["size"].levels.values == ("S", "M")
    assert (schema["age"].bounds.upper, schema["price"].granularity) == (120, 0.01)


def test_categories_of_a_categorical_are_no_declaration() -> None:
    frame = pd.DataFrame({"x": pd.Categorical(["a", "b"], categories=["a", "b", "secret"])})
    column = private_schema(open_source(frame))["x"]
    assert column.levels is None
    assert column.kind == "categorical"


def test_inferred_facts_are_refused_by_name() -> None:
    frame = pd.DataFrame({"x": pd.Categorical(["a", "b"] * 5), "y": range(10), "z": [1.5, 2.5] * 5})
    source = open_source(frame)
    content = schema_to_json(infer_schema(source))
    with pytest.raises(SchemaError, match=r"3 columns: 'x' \(kind, levels\), 'y' \(kind\), 'z' \(kind\); declare them"):
        private_schema(source, content)
    for column in content["columns"]:
        column["source"] = "declared"
    with pytest.raises(SchemaError, match=r"1 column: 'x' \(levels\)"):
        private_schema(source, content)
    content["columns"][0]["levels"]["source"] = "declared"
    assert private_schema(source, content)["x"].levels.values == ("a", "b")


def test_every_inferred_fact_is_named() -> None:
    column = ColumnSchema(
        name="y",
        kind="integer",
        arrow_type="int64",
        granularity=5,
        offset=1,
        bounds=Bounds(lower=0, source="inferred-exact"),
    )
    with pytest.raises(SchemaError, match=r"'y' \(kind, granularity, offset, bounds\)"):
        private_schema(table(y=pa.int64()), TableSchema(columns=(column,)))


def test_what_an_earlier_private_fit_released_is_public() -> None:
    declared = {
        "columns": {
            "x": {"kind": "categorical", "source": "released", "levels": {"values": ["a"], "source": "released"}}
        }
    }
    assert private_schema(table(x=pa.string()), declared)["x"].levels.source == "released"


def test_unknown_columns_and_units() -> None:
    with pytest.raises(
        SchemaError, match="the schema names the column 'agee', which the table lacks; did you mean 'age'"
    ):
        private_schema(table(age=pa.int64()), {"columns": {"agee": "integer"}})
    with pytest.raises(SchemaError, match="the privacy unit names the column 'person'"):
        private_schema(table(age=pa.int64()), unit="person")


@pytest.mark.parametrize("held", [pa.string(), pa.int64(), pa.dictionary(pa.int32(), pa.string())])
def test_the_unit_column_is_an_identifier_whatever_is_declared(held: pa.DataType) -> None:
    schema = private_schema(table(person=held), {"columns": {"person": "categorical"}}, unit="person")
    assert schema["person"].kind == "identifier"


def rule(*names: str) -> dict[str, Any]:
    return {"rule": "order", "low": names[0], "high": names[1]}


def test_constraints_need_bounds_where_arithmetic_could_overflow() -> None:
    source = table(a=pa.int64(), b=pa.int64())
    with pytest.raises(SchemaError, match=r"order 'a' <= 'b' needs bounds on both sides of 'a' in a private fit"):
        private_schema(source, {"constraints": [rule("a", "b")]})
    half = {"columns": {"a": {"bounds": [0, 9]}, "b": {"bounds": [0, None]}}, "constraints": [rule("a", "b")]}
    with pytest.raises(SchemaError, match="both sides of 'b'"):
        private_schema(source, half)
    half["columns"]["b"]["bounds"] = [0, 99]
    assert private_schema(source, half).constraints == (Order(low="a", high="b"),)


@pytest.mark.parametrize("held", [pa.int32(), pa.float64(), pa.date32(), pa.decimal128(9, 2)])
def test_narrow_types_and_floats_need_no_bounds(held: pa.DataType) -> None:
    schema = private_schema(table(a=held, b=held), {"constraints": [rule("a", "b")]})
    assert schema.constraints == (Order(low="a", high="b"),)


def test_times_with_bounds() -> None:
    source = table(a=pa.timestamp("ns", tz="Europe/Berlin"), b=pa.timestamp("ns", tz="Europe/Berlin"))
    bounds = {"bounds": ["2000-01-01T00:00:00", "2030-01-01T00:00:00"]}
    declared = {"columns": {"a": bounds, "b": bounds}, "constraints": [rule("a", "b")]}
    assert private_schema(source, declared)["a"].bounds.lower.year == 2000
    with pytest.raises(SchemaError, match="needs bounds"):
        private_schema(source, {"constraints": [rule("a", "b")]})


def test_sums_are_checked_like_orders() -> None:
    with pytest.raises(SchemaError, match="sum 't' = 'a' needs bounds on both sides of 't'"):
        private_schema(
            table(t=pa.int64(), a=pa.int64()), {"constraints": [{"rule": "sum", "total": "t", "parts": ["a"]}]}
        )
    schema = TableSchema(
        columns=tuple(
            ColumnSchema(
                name=name,
                kind="decimal",
                source="declared",
                arrow_type="decimal128(30, 2)",
                bounds=Bounds(lower=Decimal(0), upper=Decimal(10)),
            )
            for name in "ta"
        ),
        constraints=(Sum(total="t", parts=("a",)),),
    )
    assert (
        private_schema(table(t=pa.decimal128(30, 2), a=pa.decimal128(30, 2)), schema).constraints == schema.constraints
    )


def test_whole_numbers_beside_floats_need_bounds_within_which_floats_are_exact() -> None:
    source = table(a=pa.float64(), b=pa.int64())
    with pytest.raises(SchemaError, match=r"order 'a' <= 'b' needs bounds on both sides of 'b' in a private fit"):
        private_schema(source, {"constraints": [rule("a", "b")]})
    wide, narrow = ({"columns": {"b": {"bounds": [0, end]}}, "constraints": [rule("a", "b")]} for end in (2**54, 99))
    with pytest.raises(SchemaError, match="'b' in a private fit"):
        private_schema(source, wide)
    assert private_schema(source, narrow).constraints == (Order(low="a", high="b"),)
    assert private_schema(table(a=pa.float64(), b=pa.int32()), {"constraints": [rule("a", "b")]}).constraints


def test_no_constraint_on_the_unit() -> None:
    declared = {"constraints": [{"rule": "unique_key", "columns": ["person"]}]}
    with pytest.raises(SchemaError, match="unique key 'person' names the unit column 'person'"):
        private_schema(table(person=pa.int64(), x=pa.int64()), declared, unit="person")
    assert private_schema(table(person=pa.int64()), declared).constraints == (UniqueKey(columns=("person",)),)


def test_adults_domain_is_declared_throughout() -> None:
    schema = read_schema(ROOT / "benchmarks" / "domains" / "adult.json")
    assert private_schema(table(**{c.name: pa.int64() if c.bounds else pa.string() for c in schema.columns}), schema)
    assert {len(c.levels.values) for c in schema.columns if c.levels} == {8, 16, 7, 14, 6, 5, 2, 41}
    assert (schema["age"].bounds.lower, schema["age"].bounds.upper) == (17, 90)


def test_dates_are_declared_as_dates() -> None:
    schema = private_schema(table(d=pa.date32()), {"columns": {"d": {"bounds": ["2020-01-01", "2020-12-31"]}}})
    assert schema["d"].bounds.lower == datetime.date(2020, 1, 1)

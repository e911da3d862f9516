"""What a declaration says of the types, and how each reader obeys it."""

from __future__ import annotations

import datetime
import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from synthgan.errors import DataError, SchemaError
from synthgan.tables.inference import infer_schema
from synthgan.tables.reading.reading import Reading
from synthgan.tables.schema.schema_file import schema_to_json
from synthgan.tables.sources.open import open_source


def implied(facts: Any) -> pa.DataType:
    return Reading.of({"columns": {"x": facts}}, private=True).type_of_text("x")


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        ("integer", pa.int64()),
        ("float", pa.float64()),
        ("boolean", pa.bool_()),
        ("date", pa.date32()),
        ("datetime", pa.timestamp("us")),
        ("timedelta", pa.duration("us")),
        ("categorical", pa.string()),
        ("identifier", pa.string()),
        ("text", pa.string()),
        ({"kind": "datetime", "time_zone": "Asia/Tokyo"}, pa.timestamp("us", "Asia/Tokyo")),
        ({"bounds": [0, 120]}, pa.int64()),
        ({"bounds": [0, 1.5]}, pa.float64()),
        ({"bounds": [0, None], "granularity": 0.5}, pa.float64()),
        ({"bounds": ["2020-01-01", None]}, pa.date32()),
        ({"bounds": ["2020-01-01T00:00", None]}, pa.timestamp("us")),
        ({"levels": [1, 2]}, pa.int64()),
        ({"levels": [True, False]}, pa.bool_()),
        ({"levels": [1, True]}, pa.string()),
        ({"levels": ["a", "b"]}, pa.string()),
        ({"kind": "categorical", "levels": [1.5]}, pa.float64()),
        ({"kind": "categorical", "arrow_type": "int16"}, pa.int16()),
        ({"arrow_type": "duration[us]", "stored_type": "time64[us]"}, pa.time64("us")),
        ({"arrow_type": "string", "stored_type": "time64[us]"}, pa.string()),
        ({"arrow_type": "null"}, pa.string()),
    ],
    ids=str,
)
def test_types_follow_from_what_is_declared(facts: Any, kind: pa.DataType) -> None:
    assert implied(facts) == kind


def test_persons_are_text_unless_their_type_is_declared() -> None:
    kinds = {"columns": {"id": "integer", "x": "integer"}}
    reading = Reading.of(kinds, private=True, unit="id")
    assert (reading.type_of_text("id"), reading.type_of_text("x")) == (pa.string(), pa.int64())
    reading = Reading.of({"columns": {"id": {"arrow_type": "int64"}}}, private=True, unit="id")
    assert reading.type_of_text("id") == pa.int64()


def test_it_can_be_written_down() -> None:
    declared = {
        "columns": {"a": "integer", "b": {"arrow_type": "timestamp[ns, tz=Asia/Tokyo]"}, "c": {"bounds": [0, 1.5]}}
    }
    reading = Reading.of(declared, private=True, unit="u")
    assert Reading.from_json(json.loads(json.dumps(reading.to_json())), unit="u") == reading
    for content in ({}, {"private": True, "types": [], "text_types": {}}, {"types": {"a": "what"}, "text_types": {}}):
        with pytest.raises(ValueError, match="no reading"):
            Reading.from_json(content, unit=None)


@pytest.mark.parametrize(
    "facts", [{"arrow_type": "timestamp[us, tz=Nowhere/Land]"}, {"kind": "datetime", "time_zone": "Nowhere/Land"}]
)
def test_an_unknown_time_zone_is_refused(facts: Any) -> None:
    with pytest.raises(SchemaError, match=r"time zone .*not known"):
        Reading.of({"columns": {"x": facts}}, private=True)


# ------------------------------------------------------------------------------------------ declared types, exact fits

DECLARED: dict[str, Any] = {
    "columns": {
        "code": {"arrow_type": "string"},
        "n": {"arrow_type": "int16"},
        "price": {"arrow_type": "decimal128(9, 2)"},
        "day": {"arrow_type": "date32[day]"},
    }
}
FRAME = pd.DataFrame({"code": [7, 12, 7], "n": [1.0, None, 3.0], "price": [1.5, 2.0, None], "day": ["2024-01-01"] * 3})
EXPECTED = {
    "code": ["7", "12", "7"],
    "n": [1, None, 3],
    "price": [Decimal("1.50"), Decimal("2.00"), None],
    "day": [datetime.date(2024, 1, 1)] * 3,
}


def readers(frame: pd.DataFrame, folder: Path) -> dict[str, Any]:
    table = pa.Table.from_pandas(frame)
    pq.write_table(table, folder / "t.parquet")
    frame.to_csv(folder / "t.csv", index=False)
    dataset = ds.dataset(table)
    return {
        "frame": frame,
        "table": table,
        "dataset": dataset,
        "Parquet": folder / "t.parquet",
        "CSV": folder / "t.csv",
    }


@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize("reader", ["frame", "table", "dataset", "Parquet", "CSV"])
def test_every_reader_obeys_a_declared_type(tmp_path: Path, reader: str, private: bool) -> None:
    source = open_source(readers(FRAME, tmp_path)[reader], reading=Reading.of(DECLARED, private=private))
    assert source.read().to_pydict() == EXPECTED
    assert [str(field.type) for field in source.arrow_schema] == ["string", "int16", "decimal128(9, 2)", "date32[day]"]
    assert source.sample(2).num_rows == 2
    assert source.fingerprint() == source.fingerprint()
    frame = source.to_frame()
    assert frame["code"].tolist() == ["7", "12", "7"]
    schema = infer_schema(source, declared=DECLARED)
    assert [column.arrow_type for column in schema.columns] == [str(field.type) for field in source.arrow_schema]


@pytest.mark.parametrize("reader", ["frame", "table", "dataset", "Parquet", "CSV"])
def test_what_does_not_convert_is_an_error_without_the_value(tmp_path: Path, reader: str) -> None:
    frame = FRAME.assign(n=[1.0, 40_000.0, 0.5])
    source = open_source(readers(frame, tmp_path)[reader], reading=Reading.of(DECLARED))
    with pytest.raises(DataError, match="column 'n' holds 2 cells that do not read as int16, the type that") as error:
        source.read()
    assert "40" not in str(error.value)
    private = open_source(readers(frame, tmp_path)[reader], reading=Reading.of(DECLARED, private=True))
    assert private.read().column("n").to_pylist() == [1, None, None]


def test_objects_that_are_no_plain_values() -> None:
    frame = pd.DataFrame({"x": [1, [2], "3"]})
    declared = {"columns": {"x": {"arrow_type": "int64"}}}
    with pytest.raises(DataError, match="column 'x' holds 1 objects that are no plain values, and is declared int64"):
        open_source(frame, reading=Reading.of(declared))
    source = open_source(frame, reading=Reading.of(declared, private=True))
    assert source.read().column("x").to_pylist() == [1, None, 3]


def test_a_schema_of_an_earlier_file_with_an_empty_column_declares_nothing_of_it(tmp_path: Path) -> None:
    empty = pd.DataFrame({"x": [None, None], "y": [1, 2]})
    content = schema_to_json(infer_schema(open_source(empty)))
    full = pd.DataFrame({"x": ["a", "b"], "y": [1, 2]})
    assert open_source(full, reading=Reading.of(content)).read().column("x").to_pylist() == ["a", "b"]


def test_files_of_other_types_are_one_table_where_the_type_is_declared(tmp_path: Path) -> None:
    for name, cells in (("a", [1, 2]), ("b", [1.0, None]), ("c", ["7", "x"])):
        pd.DataFrame({"x": cells, "y": 0}).to_parquet(tmp_path / f"{name}.parquet")
    with pytest.raises(DataError, match="all files of one table need the same types"):
        open_source(tmp_path)
    declared = {"columns": {"x": {"arrow_type": "int64"}}}
    source = open_source(tmp_path, reading=Reading.of(declared, private=True))
    assert source.read().column("x").to_pylist() == [1, 2, 1, None, 7, None]
    with pytest.raises(DataError, match="column 'x' holds 1 cell that does not read as int64"):
        open_source(tmp_path, reading=Reading.of(declared)).read()


def test_folders_that_are_columns_are_text_in_a_private_fit(tmp_path: Path) -> None:
    """Whether all of them are whole numbers would hang on one folder."""
    for key in ("1", "2"):
        (tmp_path / f"shop={key}").mkdir()
        pd.DataFrame({"x": [1]}).to_parquet(tmp_path / f"shop={key}" / "t.parquet")
    assert open_source(tmp_path).read().column("shop").to_pylist() == [1, 2]
    assert open_source(tmp_path, reading=Reading(private=True)).read().column("shop").to_pylist() == ["1", "2"]
    declared = {"columns": {"shop": "integer"}}
    reading = Reading.of(declared, private=True)
    assert open_source(tmp_path, reading=reading).read().column("shop").to_pylist() == [1, 2]


def test_a_source_whose_types_follow_from_rows_is_refused_in_a_private_fit(tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "t.csv", index=False)
    for data in (open_source(tmp_path / "t.csv"), ds.dataset(tmp_path / "t.csv", format="csv")):
        with pytest.raises(SchemaError, match="types that its reader found out from the rows"):
            open_source(data, reading=Reading(private=True))


def test_categories_are_converted_with_their_column() -> None:
    frame = pd.DataFrame({"x": pd.Categorical([1, 2, None], categories=[2, 1, 3])})
    reading = Reading.of({"columns": {"x": {"arrow_type": "string"}}})
    source = open_source(frame, reading=reading)
    assert source.categories["x"].values == ("2", "1", "3")
    assert source.to_frame()["x"].astype(object).where(lambda cells: cells.notna(), None).tolist() == ["1", "2", None]


@pytest.mark.parametrize("n_levels", [3, 126, 127, 128, 200])
def test_the_index_of_a_dictionary_tells_no_number_of_levels(n_levels: int) -> None:
    """pandas takes 8 bits for up to 127 categories, and 16 for more."""
    words = [f"w{place}" for place in range(n_levels)]
    frame = pd.DataFrame({"x": pd.Categorical(words)})
    table = pa.table({"x": pa.array(words).dictionary_encode().cast(pa.dictionary(pa.int16(), pa.string()))})
    for data in (frame, table):
        for reading in (None, Reading(private=True)):
            stored = open_source(data, reading=reading).stored_types["x"]
            assert re.fullmatch(r"dictionary<values=(large_)?string, indices=int32, ordered=0>", stored)


def test_a_date_with_a_time_of_day_is_that_date() -> None:
    dates = pa.array([0, 1, 86_399_999, 86_400_000, -1, 2**62, None], pa.int64()).cast(pa.date64())
    read = open_source(pa.table({"x": dates})).read().column("x")
    assert read.cast(pa.int32()).to_pylist() == [0, 0, 0, 1, -1, None, None]

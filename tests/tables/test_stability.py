"""One unit more changes at most its own rows, before any noise: for every reader, and rows as nasty as can be.

What is compared of two neighbouring tables is all that a private fit takes from its source: types and what is
remembered of them, the schema, notices, the rows themselves, the questions that are asked of the mechanisms (whose
answers are scripted, so that both codecs are the same), and the encoded rows.
"""

from __future__ import annotations

import datetime
import json
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from synthgan.privacy.clamping import ClampedSource
from synthgan.privacy.columns.private_statistics import PrivateStatistics
from synthgan.privacy.private_schema import private_schema
from synthgan.privacy.units import UnitLimitedSource
from synthgan.tables.codec import TableCodec
from synthgan.tables.codec_settings import CodecSettings
from synthgan.tables.reading.reading import Reading
from synthgan.tables.schema.schema_file import schema_to_json
from synthgan.tables.sources.batches import Source
from synthgan.tables.sources.holdout import divide
from synthgan.tables.sources.open import open_source
from synthgan.tables.sources.written_source import as_modelled
from tests.stand_in_mechanisms import ScriptedCounts

KEY = bytes(range(16))
QUICK = (Phase.explicit, Phase.reuse, Phase.generate)
SUPPRESSED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]

DECLARED: dict[str, Any] = {
    "columns": {
        "whole": "integer",
        "real": {"kind": "float", "bounds": [0, 1000]},
        "flag": "boolean",
        "day": {"bounds": ["2020-01-01", "2030-12-31"]},
        "moment": {"kind": "datetime", "time_zone": "Europe/Berlin"},
        "price": {"arrow_type": "decimal128(9, 2)", "kind": "decimal", "bounds": ["0", "999"]},
        "level": {"levels": ["red", "blue"]},
    }
}
UNDECLARED: dict[str, Any] = {}
WRITTEN: dict[str, Any] = {
    "columns": {"whole": {"written": "0"}, "day": {"written": "%Y-%m-%d"}, "price": {"written": "0.00"}}
}
SCHEMAS = {"declared": DECLARED, "undeclared": UNDECLARED, "written": WRITTEN}


class Midway:
    """In place of a generator of random numbers: a row more does not move the draws of the others."""

    def random(self, size: Any = None, dtype: Any = float) -> Any:
        return np.full(() if size is None else size, 0.5, dtype)


class Seen:
    """What a private fit takes from a table."""

    def __init__(self, data: Any, declared: Any, *, unit: str | None, k: int, share: float = 0.2) -> None:
        reading = Reading.of(declared, private=True, unit=unit)
        source = open_source(data, minimum_rows=0, reading=reading)
        schema = private_schema(source, declared, unit=unit)
        division = divide(source, share, key=KEY, unit=unit)
        limited: Source = as_modelled(division.training, schema, strict=False)
        if unit is not None:
            with patch("synthgan.privacy.units.os.urandom", bytes):  # the same keys: the first k rows of each person
                limited = UnitLimitedSource(limited, unit, k)
        self.rows = rows_of(limited)
        self.counts = ScriptedCounts(0)
        clamped = ClampedSource(limited, schema)
        statistics = PrivateStatistics.release(clamped, schema, self.counts, rho=1.0, delta=1e-6, unit=unit)
        codec = TableCodec.fit(clamped, schema, CodecSettings(n_bins=8), statistics=statistics)
        encoded = codec.encode(clamped, rng=Midway())  # type: ignore[arg-type]
        self.codes = Counter(row.tobytes() for row in encoded.codes)
        kept = [dict(sorted(each.items())) for each in (source.stored_types, source.pandas_dtypes)]
        self.facts = json.dumps(
            [
                [str(field) for field in source.arrow_schema],
                *kept,
                [str(label) for label in source.labels.items()],
                source.notices,
                source.description,
                schema_to_json(schema),
                codec.to_json(),
                codec.notices,
                codec.describe(),
                [str(each) for each in statistics.released],
                self.counts.spent,
            ],
            default=str,
        )


def rows_of(source: Source) -> Counter[str]:
    """Rows and how often each is there; times as whole numbers, for Python holds fewer than Arrow does."""
    columns = []
    for column in source.read().columns:
        plain = pa.chunked_array(column.chunks, column.type).cast(getattr(column.type, "value_type", column.type))
        if pa.types.is_date(plain.type):
            plain = plain.cast(pa.int32())
        elif pa.types.is_temporal(plain.type):
            plain = plain.cast(pa.int64())
        columns.append(plain.to_pylist())
    return Counter(map(repr, zip(*columns, strict=True)))


def distance(first: Counter[Any], second: Counter[Any]) -> int:
    return sum(((first - second) + (second - first)).values())


def check(tables: Sequence[Callable[[], Any]], declared: Any, *, unit: str | None, k: int) -> None:
    """Two neighbouring tables; each is made only when it is read, so that both may have one name."""
    one, other = (Seen(table(), declared, unit=unit, k=k) for table in tables)
    assert one.facts == other.facts
    assert distance(one.rows, other.rows) <= k
    assert distance(one.codes, other.codes) <= k
    for (what, before), (_, after) in zip(one.counts.inputs, other.counts.inputs, strict=True):
        if len(before) == len(after):  # keys of what was discovered are listed by value, and may be more or fewer
            assert np.abs(np.sort(before) - np.sort(after)).sum() <= k, what


# --------------------------------------------------------------------------------------------------------------- CSV

HEADER = "id,whole,real,flag,day,moment,price,level,free"
USUAL = [
    "517,5,1.5,true,2024-02-29,2024-03-31T01:30:00Z,9.99,red,x",
    '518,,,,,,,,"a, b"',
    "519,-7,1e3,FALSE,2024-01-01,2024-10-27 02:30:00,0.5,blue,",
    "520,12,7,false,2024-12-31,2024-06-01 12:00:00+09:00,100,green,x",
    "123456789012345678,0,0,true,2025-01-01,2025-01-01,3.00,red,y",
    "123456789012345679,1,2,true,2025-01-02,2025-01-02,4.00,red,y",
]
NASTY = [
    b"1.5,1.5,0,1,2024-02-30,x,1,red,z",
    b"1e3,1e30,1e400,yes,0001-01-01,9999-12-31 23:59:59,1e5,Red,z",
    b"NA,NA,NA,NA,NA,NA,NA,NA,NA",
    b"null,null,nan,None,NaT,NaT,NaN,null,None",
    b",,,,,,,,",
    b"17,1000000000000000000000000000000,inf,0,2024-13-01,2024-01-01T00:00:00-11:00,99999999999,x,x",
    b"17,1,2",
    b"17,1,2,3,4,5,6,7,8,9,10,11",
    b'17,1,2,true,2024-01-01,2024-01-01,1,red,"open',
    b'"17,1,2,true,2024-01-01,2024-01-01,1,red,open',
    b'17,1,2,true,2024-01-01,2024-01-01,1,"re"d",x"',
    b'17,"1""","""2",true,2024-01-01,2024-01-01,1,red,""',
    b"\xff\xfe,1,2,true,2024-01-01,2024-01-01,1,\xe9,\xc3",
    b"17\x00,1\x00,2,true,2024-01-01,2024-01-01,1,\x00,\x00",
    b"17\r,1,2,true,2024-01-01,2024-01-01,1,red,\r",
    b"17\r",
    b"\r",
    b"",
    b"\xed\xa0\x80,1,2,true,2024-01-01,2024-01-01,1,red,\xed\xa0\x80",
    b"+17,+1,+2,TRUE, 2024-01-01 ,2024-01-01T00:00:00.123456789Z,+1.000,red ,x",
    b"017,007,0x10,t,2024-1-1,20240101,1,,;",
    b"17;1;2;true;2024-01-01;2024-01-01;1;red;x",
    b"17,31234.56,1.7976931348623157e308,true,2024-01-01,1677-01-01,0.001,red," + b"long" * 5000,
    HEADER.encode(),
]
CELL = st.one_of(st.sampled_from([cell for line in NASTY[:6] for cell in line.split(b",")]), st.binary(max_size=4))
LINE = st.one_of(
    st.sampled_from(NASTY),
    st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")),
    st.lists(CELL.map(lambda cell: cell.replace(b"\n", b"")), min_size=9, max_size=9).map(b",".join),
)


def csv_file(path: Path, lines: Sequence[bytes]) -> Path:
    path.write_bytes(b"\n".join([HEADER.encode(), *lines]) + b"\n")
    return path


def with_more(lines: Sequence[Any], more: Sequence[Any], place: int) -> list[Any]:
    return [*lines[:place], *more, *lines[place:]]


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("unit", [None, "id"])
@settings(max_examples=15, deadline=None, phases=QUICK, suppress_health_check=SUPPRESSED)
@given(line=LINE, place=st.integers(0, len(USUAL)))
def test_one_line_of_a_csv_file(tmp_path: Path, schema: str, unit: str | None, line: bytes, place: int) -> None:
    lines = [text.encode() for text in USUAL]
    tables = [
        lambda each=each: csv_file(tmp_path / "table.csv", each) for each in (lines, with_more(lines, [line], place))
    ]
    check(tables, SCHEMAS[schema], unit=unit, k=1)


@pytest.mark.parametrize("line", NASTY)
@pytest.mark.parametrize("unit", [None, "id"])
def test_each_nasty_line_of_a_csv_file(tmp_path: Path, unit: str | None, line: bytes) -> None:
    lines = [text.encode() for text in USUAL]
    tables = [lambda each=each: csv_file(tmp_path / "table.csv", each) for each in (lines, with_more(lines, [line], 3))]
    check(tables, DECLARED, unit=unit, k=1)


def test_the_usual_lines_are_all_read(tmp_path: Path) -> None:
    """Otherwise the tests above would hold of a reader that reads nothing."""
    path = csv_file(tmp_path / "table.csv", [text.encode() for text in USUAL])
    source = open_source(path, minimum_rows=0, reading=Reading.of(DECLARED, private=True, unit="id"))
    rows = source.read().to_pylist()
    assert [row["id"] for row in rows] == [line.split(",")[0] for line in USUAL]
    assert [row["whole"] for row in rows] == [5, None, -7, 12, 0, 1]
    assert [row["real"] for row in rows] == [1.5, None, 1000.0, 7.0, 0.0, 2.0]
    assert rows[0]["day"] == datetime.date(2024, 2, 29)
    assert rows[0]["price"] == Decimal("9.99")
    assert str(rows[0]["moment"]) == "2024-03-31 03:30:00+02:00"
    assert (rows[1]["free"], rows[2]["free"], rows[2]["level"]) == ("a, b", None, "blue")


@pytest.mark.parametrize("k", [1, 2])
@settings(max_examples=10, deadline=None, phases=QUICK, suppress_health_check=SUPPRESSED)
@given(
    person=st.sampled_from([b"900", b"1.5", b"NA", b"null", b"1e3", b"\xff", b'"9,1"', b" ", b"True"]),
    cells=st.lists(st.lists(CELL.map(lambda cell: cell.replace(b"\n", b"")), min_size=8, max_size=8), max_size=4),
    place=st.integers(0, len(USUAL)),
)
def test_a_person_with_several_lines(tmp_path: Path, k: int, person: bytes, cells: Any, place: int) -> None:
    lines, more = [text.encode() for text in USUAL], [b",".join([person, *each]) for each in cells]
    tables = [
        lambda each=each: csv_file(tmp_path / "table.csv", each) for each in (lines, with_more(lines, more, place))
    ]
    check(tables, DECLARED, unit="id", k=k)


# ------------------------------------------------------------------------------------- Parquet files and Arrow datasets

BERLIN = pa.timestamp("us", "Europe/Berlin")
TYPED: dict[str, tuple[pa.DataType, list[Any], list[Any]]] = {
    "id": (pa.int64(), [517, 518, 519, 520], [17, 2**53 + 1, 2**63 - 1]),
    "text": (pa.string(), ["a", "b", None, "a"], [b"\xff", b"\x00", b"NA", b"new"]),
    "code": (pa.dictionary(pa.int8(), pa.string()), ["x", "y", None, "x"], [b"\xe9", b"z"]),
    "number": (pa.dictionary(pa.int16(), pa.int64()), [1, 2, None, 1], [2**62]),
    "real": (pa.float64(), [1.0, 2.5, None, -1.0], [float("inf"), float("nan"), 1e300, 5e-324]),
    "single": (pa.float32(), [1.0, 2.5, None, -1.0], [float("-inf"), 3e38]),
    "whole": (pa.int64(), [1, 2, None, 4], [2**63 - 1, -(2**63)]),
    "large": (pa.uint64(), [1, 2, None, 4], [2**64 - 1]),
    "price": (pa.decimal128(38, 2), [Decimal(1), Decimal("2.5"), None, Decimal(9)], [Decimal(10) ** 35]),
    "day": (pa.date32(), [19000, 19001, None, 19003], [2**31 - 1, -(2**31)]),
    "date64": (pa.date64(), [0, 86_400_000, None, 0], [1, 86_400_001, 2**62]),
    "moment": (BERLIN, [10**15, 2 * 10**15, None, 0], [2**63 - 1, -(2**63) + 1]),
    "nano": (pa.timestamp("ns"), [10**15, 2 * 10**15, None, 0], [1, 2**63 - 1]),
    "clock": (pa.time64("us"), [0, 10**6, None, 5], [86_399_999_999]),
    "span": (pa.duration("ms"), [0, 10**6, None, 5], [2**62]),
}
"""Column -> its type, the usual values and nasty ones besides a missing one; times in ticks, nasty text in bytes."""


def array_of(held: pa.DataType, values: Sequence[Any]) -> pa.Array:
    """An array as a careless writer makes it: text is not looked at, a date may have a time of day."""
    if pa.types.is_dictionary(held):
        words = list(dict.fromkeys(value for value in values if value is not None))
        codes = [None if value is None else words.index(value) for value in values]
        return pa.DictionaryArray.from_arrays(pa.array(codes, held.index_type), array_of(held.value_type, words))
    if pa.types.is_string(held):
        raw = pa.array([value.encode() if isinstance(value, str) else value for value in values], pa.binary())
        return pa.Array.from_buffers(held, len(raw), raw.buffers())
    if pa.types.is_date32(held):
        return pa.array(values, pa.int32()).cast(held)
    return pa.array(values, pa.int64()).cast(held) if pa.types.is_temporal(held) else pa.array(values, held)


def typed_table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    columns = {name: array_of(held, [row[name] for row in rows]) for name, (held, *_) in TYPED.items()}
    return pa.table(columns)


ARROW_ROWS = [{name: values[place] for name, (_, values, _) in TYPED.items()} for place in range(4)]
ARROW_ROW = st.fixed_dictionaries({name: st.sampled_from([None, *nasty]) for name, (_, _, nasty) in TYPED.items()})
OTHER_TYPES = {
    "columns": {
        "whole": {"arrow_type": "int16"},
        "real": {"arrow_type": "int64"},
        "large": {"arrow_type": "string"},
        "text": {"arrow_type": "int64"},
        "day": {"arrow_type": "timestamp[ns]"},
        "moment": {"arrow_type": "date32[day]"},
        "nano": {"arrow_type": "timestamp[s, tz=Asia/Tokyo]"},
        "price": {"arrow_type": "double"},
        "span": {"arrow_type": "duration[ns]"},
        "code": {"arrow_type": "large_string"},
        "number": {"arrow_type": "int8"},
    }
}


def parquet_file(path: Path, table: pa.Table) -> Path:
    pq.write_table(table, path, store_schema=True)
    return path


READERS: dict[str, Callable[[Path, pa.Table], Any]] = {
    "Parquet": lambda folder, table: parquet_file(folder / "table.parquet", table),
    "table": lambda _, table: table,
    "dataset": lambda _, table: ds.dataset(table),
    "dataset of files": lambda folder, table: ds.dataset(parquet_file(folder / "table.parquet", table)),
}


@pytest.mark.parametrize("declared", [None, OTHER_TYPES], ids=["types of the file", "other types"])
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("unit", [None, "id", "text", "number"])
@settings(max_examples=6, deadline=None, phases=QUICK, suppress_health_check=SUPPRESSED)
@given(row=ARROW_ROW, place=st.integers(0, 4))
def test_one_row_of_typed_columns(
    tmp_path: Path, declared: Any, reader: str, unit: str | None, row: dict[str, Any], place: int
) -> None:
    tables = [
        lambda rows=rows: READERS[reader](tmp_path, typed_table(rows))
        for rows in (ARROW_ROWS, with_more(ARROW_ROWS, [row], place))
    ]
    check(tables, declared, unit=unit, k=1)


# -------------------------------------------------------------------------------------------------------------- pandas

SURROGATE = "a\ud800"
OBJECTS: list[Any] = [
    None, float("nan"), pd.NA, pd.NaT, 1, 2**70, 10**30, 1.5, 3.0, 1e300, float("inf"), True, "NA", "x", "", SURROGATE,
    b"\xff", Decimal("1.50"), Decimal("1E+50"), Decimal("NaN"), datetime.date(2024, 1, 1), np.int8(3), np.float32(0.1),
    datetime.datetime(2024, 1, 1, 12, tzinfo=datetime.timezone(datetime.timedelta(hours=-11))), datetime.time(1, 2),
    pd.Timestamp("2024-01-01 00:00:00.000000001"), pd.Timedelta("1 days 00:00:01"), [1], {"a": 1}, {1}, object,
    np.array([1, 2]), 1j, pd.Interval(0, 1), pd.Period("2024-01"), np.datetime64("9999-12-31"), "1", "2024-01-01", 7,
]  # fmt: skip
OBJECT_COLUMNS: dict[str, list[Any]] = {
    "id": ["517", "518", "519", "520"],
    "whole": [1, 2, None, 3],
    "word": ["a", "b", None, "a"],
    "day": ["2024-01-01", None, "2025-01-01", "2026-01-01"],
    "level": ["red", "blue", "red", None],
}
OBJECT_ROW = st.fixed_dictionaries({name: st.sampled_from(OBJECTS) for name in OBJECT_COLUMNS})
OBJECT_TYPES = {
    "columns": {
        "whole": {"arrow_type": "int64"},
        "day": "date",
        "level": {"levels": ["red", "blue"]},
    }
}


def object_frame(rows: Sequence[dict[str, Any]], dtype: Any) -> pd.DataFrame:
    columns = {}
    for name in OBJECT_COLUMNS:
        cells = np.empty(len(rows), dtype=object)
        cells[:] = [row[name] for row in rows]
        columns[name] = pd.Series(cells, dtype=object)
    return pd.DataFrame(columns)


@pytest.mark.parametrize("declared", [None, OBJECT_TYPES], ids=["undeclared", "declared"])
@pytest.mark.parametrize("unit", [None, "id"])
@settings(max_examples=20, deadline=None, phases=QUICK, suppress_health_check=SUPPRESSED)
@given(row=OBJECT_ROW, place=st.integers(0, 4))
def test_one_row_of_objects(declared: Any, unit: str | None, row: dict[str, Any], place: int) -> None:
    usual = [{name: cells[at] for name, cells in OBJECT_COLUMNS.items()} for at in range(4)]
    tables = [lambda rows=rows: object_frame(rows, object) for rows in (usual, with_more(usual, [row], place))]
    check(tables, declared, unit=unit, k=1)


@pytest.mark.parametrize("cell", OBJECTS, ids=lambda cell: type(cell).__name__)
def test_each_object(cell: Any) -> None:
    usual = [{name: cells[at] for name, cells in OBJECT_COLUMNS.items()} for at in range(4)]
    more = dict.fromkeys(OBJECT_COLUMNS, cell)
    for unit in (None, "id"):
        tables = [lambda rows=rows: object_frame(rows, object) for rows in (usual, [*usual, more])]
        check(tables, OBJECT_TYPES, unit=unit, k=1)


AS_PANDAS_LIKES: list[tuple[str, list[Any], Any]] = [
    ("int64", [1, 2, 3, 1], None),
    ("int64", [1, 2, 3, 1], 1.5),
    ("int64", [1, 2, 3, 1], "x"),
    ("int64", [1, 2, 3, 1], 2**70),
    ("bool", [True, False, True, True], None),
    ("bool", [True, False, True, True], 7),
    ("string", ["a", "b", "a", "b"], None),
    ("string", ["a", "b", "a", "b"], 1.5),
    ("timestamp[us]", [pd.Timestamp("2024-01-01")] * 4, pd.NaT),
    ("timestamp[us]", [pd.Timestamp("2024-01-01")] * 4, pd.Timestamp("2024-01-01", tz="Asia/Tokyo")),
    ("timestamp[us]", [pd.Timestamp("2024-01-01")] * 4, datetime.datetime(9999, 12, 31)),
    ("date32[day]", [datetime.date(2024, 1, 1)] * 4, pd.Timestamp("2024-01-01 12:00")),
    ("duration[us]", [pd.Timedelta(1, "s")] * 4, "x"),
    ("double", [1.5, 2.5, 1.0, 1.0], 10**30),
    ("double", [1.5, 2.5, 1.0, 1.0], "1,5"),
]


@pytest.mark.parametrize(("held", "usual", "more"), AS_PANDAS_LIKES)
def test_a_declared_type_wins_over_the_dtype_that_pandas_finds(held: str, usual: list[Any], more: Any) -> None:
    """One cell makes floats of whole numbers, or objects of either; the schema does not know."""
    declared = {"columns": {"x": {"arrow_type": held}}}
    frames = [pd.DataFrame({"x": cells}) for cells in (usual, [*usual, more])]
    check([lambda frame=frame: frame for frame in frames], declared, unit=None, k=1)
    kept = open_source(frames[1], reading=Reading.of(declared, private=True)).read().column("x")
    assert kept.slice(0, 4).null_count == 0


@pytest.mark.parametrize(
    "more", ["c", SURROGATE, None, *"defghijklmnopqrstuvwxyz"[:3]], ids=["new", "surrogate", "missing", "d", "e", "f"]
)
@pytest.mark.parametrize("dtype", ["category", "string", "string[python]", "str"])
def test_words_of_every_dtype(dtype: str, more: Any) -> None:
    words = [f"w{place}" for place in range(126)] + ["a", "b"]
    frames = []
    for cells in (words, [*words, more]):
        cells = pd.Series(cells, dtype=object)  # noqa: PLW2901
        try:
            frames.append(pd.DataFrame({"x": cells.astype(dtype), "y": 1.0}))
        except UnicodeEncodeError:
            pytest.skip("this dtype holds no lone surrogates")
    check([lambda frame=frame: frame for frame in frames], None, unit=None, k=1)


def test_categories_of_objects_have_the_type_of_text() -> None:
    frames = [pd.DataFrame({"x": pd.Series(cells, dtype="category")}) for cells in (["a", "b"], ["a", "b", 7], ["a"])]
    check([lambda: frames[0], lambda: frames[1]], None, unit=None, k=1)
    check([lambda: frames[0], lambda: frames[2]], None, unit="x", k=1)


def test_a_period_that_no_timestamp_holds_is_missing() -> None:
    frames = [
        pd.DataFrame({"x": pd.PeriodIndex(cells, freq="Y")}) for cells in (["2020", None], ["2020", None, "5000"])
    ]
    check([lambda frame=frame: frame for frame in frames], None, unit=None, k=1)

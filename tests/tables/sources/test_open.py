"""Reading tables: what comes out, how much memory it takes, and what is said when it fails."""

from __future__ import annotations

import gzip
import itertools
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.dataset as ds
import pyarrow.feather as pa_feather
import pyarrow.parquet as pq
import pytest

from synthgan.errors import DataError, SourceError
from synthgan.tables.pandas_dtypes import dtype_text
from synthgan.tables.sources.open import Source, open_source

SECRET = "Zaphod Beeblebrox"
TABLE = pa.table({"n": [1, 2, None, 4], "t": ["a", None, "c", "d"], "x": [0.5, 1.5, 2.5, None]})


def write(folder: Path, name: str, table: pa.Table = TABLE, **options: object) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if ".csv" in name:
        with pa.output_stream(str(path), compression="detect") as stream:
            pa_csv.write_csv(table, stream)
    else:
        pq.write_table(table, path, **options)
    return path


def feather(folder: Path) -> Path:
    pa_feather.write_feather(TABLE, folder / "a.feather")
    return folder / "a.feather"


def text_file(folder: Path, content: str | bytes, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def said(error: pytest.ExceptionInfo[BaseException]) -> str:
    """The message, after checking that neither it nor anything chained to it repeats a value."""
    assert SECRET not in "".join(traceback.format_exception(error.value))
    return str(error.value)


OPENERS: dict[str, Callable[[Path], object]] = {
    "frame": lambda _: TABLE.to_pandas(),
    "arrow table": lambda _: TABLE,
    "another library": lambda _: OtherFrame(),
    "parquet": lambda folder: write(folder, "a.parquet"),
    "parquet as text": lambda folder: str(write(folder, "a.pq")),
    "csv": lambda folder: write(folder, "a.csv"),
    "csv.gz": lambda folder: write(folder, "a.csv.gz"),
    "dataset in memory": lambda _: ds.dataset(TABLE),
    "dataset of feather": lambda folder: ds.dataset(feather(folder), format="feather"),
    "glob": lambda folder: (
        [write(folder, f"part-{i}.parquet", TABLE.slice(2 * i, 2)) for i in (0, 1)] and str(folder / "part-*.parquet")
    ),
    "folder": lambda folder: [write(folder, f"part-{i}.parquet", TABLE.slice(2 * i, 2)) for i in (0, 1)] and folder,
    "folder of csv": lambda folder: [write(folder, f"part-{i}.csv", TABLE.slice(2 * i, 2)) for i in (0, 1)] and folder,
    "list": lambda folder: [write(folder, f"part-{i}.parquet", TABLE.slice(2 * i, 2)) for i in (0, 1)],
}


@pytest.fixture(params=OPENERS)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    return open_source(OPENERS[request.param](tmp_path))  # type: ignore[arg-type]


class OtherFrame:
    """Stands for the data frames of other libraries."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return TABLE.__arrow_c_stream__(requested_schema)


def test_every_way_in_gives_the_same_rows(source: Source) -> None:
    rows = source.read().to_pydict()
    # a DataFrame of numpy dtypes and a CSV file have no whole numbers with missing ones, only floats
    assert [None if n is None else int(n) for n in rows.pop("n")] == [1, 2, None, 4]
    assert rows == {"t": ["a", None, "c", "d"], "x": [0.5, 1.5, 2.5, None]}
    assert source.names == ("n", "t", "x")
    assert source.n_rows in {4, None}


def test_batches_are_small_ordered_selectable_and_repeatable(source: Source) -> None:
    for _ in range(2):
        batches = list(source.batches(["x", "t"], batch_size=3))
        assert max(batch.num_rows for batch in batches) <= 3
        assert {tuple(batch.schema.names) for batch in batches} == {("x", "t")}
        assert list(itertools.chain(*(batch["t"].to_pylist() for batch in batches))) == ["a", None, "c", "d"]


def test_physical_types_and_what_they_stood_for(tmp_path: Path) -> None:
    stored = pa.table(
        {
            "half": pa.array([1.5, float("nan")], pa.float32()).cast(pa.float16()),
            "clock": pa.array([1_000_000, None], pa.time64("us")),
            "view": pa.array(["a", "b"], pa.string_view()),
            "day": pa.array([86_400_000, 0], pa.date64()),
            "code": pa.array(["a", "b"]).dictionary_encode(),
            "run": pa.RunEndEncodedArray.from_arrays([2], pa.array([7])),
        }
    )
    source = open_source(stored)
    assert [str(field.type) for field in source.arrow_schema] == [
        "float",
        "duration[us]",
        "string",
        "date32[day]",
        "dictionary<values=string, indices=int32, ordered=0>",
        "int64",
    ]
    assert source.stored_types == {
        "half": "halffloat",
        "clock": "time64[us]",
        "view": "string_view",
        "day": "date64[ms]",
        "code": "dictionary<values=string, indices=int32, ordered=0>",
    }
    assert source.read()["half"].to_pylist() == [1.5, None]


def test_parquet_knows_what_date_arrow_wrote(tmp_path: Path) -> None:
    days = pa.table({"day": pa.array([86_400_000, None, 0], pa.date64()), "other": pa.array([1, 2, 3], pa.date32())})
    source = open_source(write(tmp_path, "a.parquet", days))
    assert source.stored_types == {"day": "date64[ms]"}
    assert source.read()["day"].to_pylist() == days["day"].to_pylist()
    assert source.read()["day"].type == pa.date32()
    # Files of one table may differ in it, and the note may be damaged.
    write(tmp_path, "b.parquet", days.set_column(0, "day", days["day"].cast(pa.date32())))
    assert open_source(tmp_path).stored_types == {}
    noted = days.replace_schema_metadata({"ARROW:schema": "bm90IGEgc2NoZW1h"})
    pq.write_table(noted, tmp_path / "c.parquet", store_schema=False)
    assert open_source(tmp_path / "c.parquet").stored_types == {}


def test_nan_is_missing_and_infinity_is_not() -> None:
    source = open_source(pa.table({"x": [1.0, float("nan"), float("inf"), float("-inf")]}))
    assert source.read()["x"].to_pylist() == [1.0, None, float("inf"), float("-inf")]


def test_hive_partitions_are_columns(tmp_path: Path) -> None:
    for year, country, rows in ((2023, "DE", 0), (2023, "A%20B", 2), (2024, "__HIVE_DEFAULT_PARTITION__", 2)):
        write(tmp_path, f"year={year}/country={country}/part-{rows}.parquet", TABLE.slice(rows, 2))
    source = open_source(tmp_path)
    assert source.names == ("n", "t", "x", "year", "country")
    rows = source.read(["country", "year", "n"])
    assert rows.to_pydict() == {
        "country": ["A B", "A B", "DE", "DE", None, None],
        "year": [2023, 2023, 2023, 2023, 2024, 2024],
        "n": [None, 4, 1, 2, None, 4],
    }
    assert source.read(["year"]).num_rows == 6


def test_a_folder_is_searched_below_and_bookkeeping_is_skipped(tmp_path: Path) -> None:
    write(tmp_path, "deep/er/a.parquet")
    text_file(tmp_path, "not a table", "_SUCCESS")
    text_file(tmp_path, "not a table", "readme.txt")
    text_file(tmp_path, "not a table", ".hidden.parquet")
    assert open_source(tmp_path).n_rows == 4


def test_files_may_differ_in_forms_of_text_and_in_columns_without_any_value(tmp_path: Path) -> None:
    words = pa.array(["x", "y"])
    tables = [
        pa.table({"a": pa.nulls(2), "b": words.cast(pa.large_string()), "c": words.dictionary_encode()}),
        pa.table({"b": words, "c": words, "a": [1, 2]}),
        pa.table({"a": pa.nulls(2), "b": words.dictionary_encode(), "c": words.dictionary_encode()}),
    ]
    for number, table in enumerate(tables):
        write(tmp_path, f"{number}.parquet", table)
    text = ["x", "y"] * 3
    assert open_source(tmp_path).read().to_pydict() == {"a": [None, None, 1, 2, None, None], "b": text, "c": text}


def test_dtypes_written_by_pandas_are_remembered(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": pd.array([1, None], "Int64"), "b": pd.Series(["x", None], dtype="string[python]")})
    frame.to_parquet(tmp_path / "a.parquet")
    source = open_source(tmp_path / "a.parquet")
    read = pd.read_parquet(tmp_path / "a.parquet")
    assert source.pandas_dtypes == {"a": "Int64", "b": dtype_text(read["b"].dtype)}
    pd.testing.assert_frame_equal(source.to_frame(), read)


# --- CSV -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "expected", "values"),
    [
        (("1", "-2"), "int64", [1, -2]),
        (("1", " 2"), "int64", [1, 2]),
        (("1", "2.5"), "double", [1.0, 2.5]),
        (("1e3", "inf"), "double", [1000.0, float("inf")]),
        (("01", "10"), "string", ["01", "10"]),
        (("1", "12345678901234567890"), "string", ["1", "12345678901234567890"]),
        (("1", "x"), "string", ["1", "x"]),
        (("true", "False"), "bool", [True, False]),
        (("true", "1"), "string", ["true", "1"]),
        (("2024-01-31", "2024-02-01"), "date32[day]", None),
        (("2024-01-31", "2024-02-01 12:00"), "timestamp[s]", None),
        (("2024-01-31T01:02:03.5", "2024-02-01 12:00"), "timestamp[ms]", None),
        (("2024-01-31T01:02:03Z", "2024-02-01T12:00:00+01:00"), "timestamp[s, tz=UTC]", None),
        (("2024-01-31T01:02:03Z", "2024-02-01T12:00:00"), "string", None),
        (("31.01.2024", "01.02.2024"), "string", None),
        (("9:30", "23:59:59.25"), "duration[us]", None),
        (("NA", ""), "null", [None, None]),
        (('"a\nb"', '"c ""d"""'), "string", ["a\nb", 'c "d"']),
    ],
)
def test_csv_types(tmp_path: Path, cells: tuple[str, str], expected: str, values: list[object] | None) -> None:
    source = open_source(text_file(tmp_path, "k,v\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells))))
    assert str(source.arrow_schema.field("v").type) == expected
    assert source.n_rows == 2
    if values is not None:
        assert source.read()["v"].to_pylist() == values


def test_a_csv_type_holds_for_all_blocks_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synthgan.tables.sources.csv_source._BLOCK_BYTES", 64)
    text_file(tmp_path, "a,b,c\n" + "1,,1\n" * 50, "1.csv")
    text_file(tmp_path, "a,b,c\n" + "2,,1\n" * 50 + "3,2024-01-01,x\n", "2.csv")
    source = open_source(tmp_path)
    assert [str(field.type) for field in source.arrow_schema] == ["int64", "date32[day]", "string"]
    assert source.n_rows == 101
    assert source.read()["c"].to_pylist()[-2:] == ["1", "x"]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_csv_separators_and_byte_order_mark(tmp_path: Path, separator: str) -> None:
    rows = ["a b", '"c,d"'], ["1", "x"], ["2", '"y;z"']
    text = "\n".join(separator.join(row) for row in rows)
    source = open_source(text_file(tmp_path, b"\xef\xbb\xbf" + text.encode()))
    assert source.read().to_pydict() == {"a b": [1, 2], "c,d": ["x", "y;z"]}


def test_csv_means_what_pandas_reads(tmp_path: Path) -> None:
    path = text_file(tmp_path, 'a,b\nNA,"NA"\nnull,x\n1,\n,None\n')
    frame = open_source(path).to_frame()
    assert frame.isna().to_numpy().tolist() == pd.read_csv(path).isna().to_numpy().tolist()


# --- samples, fingerprints, memory -----------------------------------------------------------------------------------


def test_a_sample_is_everything_when_that_is_little(source: Source) -> None:
    assert source.sample(100).num_rows == 4


@pytest.mark.parametrize("way", ["frame", "parquet", "csv", "dataset"])
def test_a_sample_is_bounded_repeatable_ordered_and_spread(tmp_path: Path, way: str) -> None:
    table = pa.table({"i": np.arange(20_000)})
    path = write(tmp_path, "a.parquet", table, row_group_size=200)
    opened = {
        "frame": lambda: open_source(table.to_pandas()),
        "parquet": lambda: open_source(path),
        "csv": lambda: open_source(write(tmp_path, "a.csv", table)),
        "dataset": lambda: open_source(ds.dataset(write(tmp_path, "a.csv", table), format="csv")),
    }[way]()
    rows = opened.sample(1000)["i"].to_numpy()
    assert 500 <= len(rows) <= 1000
    assert (np.diff(rows) > 0).all()
    assert rows.min() < 1000
    assert rows.max() > 19_000
    assert rows.mean() == pytest.approx(10_000, rel=0.1)
    assert rows.tolist() == opened.sample(1000)["i"].to_pylist()


def test_a_fingerprint_is_the_content(source: Source) -> None:
    assert source.fingerprint() == source.fingerprint()
    assert len(source.fingerprint()) == 64


@pytest.mark.parametrize(
    "other",
    [
        TABLE.slice(0, 3),
        TABLE.take([1, 0, 2, 3]),
        TABLE.rename_columns(["n", "t", "y"]),
        TABLE.set_column(1, "t", pa.array(["a", "", "c", "d"])),
        TABLE.set_column(1, "t", pa.array(["a", None, "cd", ""])),
        TABLE.set_column(0, "n", pa.array([1, 2, 3, 4])),
        TABLE.set_column(0, "n", pa.array([1, 2, None, 4], pa.int32())),
    ],
)
def test_another_content_has_another_fingerprint(other: pa.Table, tmp_path: Path) -> None:
    assert open_source(other).fingerprint() != open_source(TABLE).fingerprint()
    first = open_source(write(tmp_path / "1", "a.parquet")).fingerprint()
    assert open_source(write(tmp_path / "2", "a.parquet", other)).fingerprint() != first


def test_a_fingerprint_ignores_where_the_bytes_lie(tmp_path: Path) -> None:
    padded = pa.concat_tables([TABLE, TABLE]).slice(4)
    assert open_source(padded).fingerprint() == open_source(TABLE).fingerprint()
    frames = [
        pd.DataFrame({"a": pd.arrays.IntegerArray(np.array([1, hidden]), np.array([False, True]))}) for hidden in (7, 8)
    ]
    assert len({open_source(frame).fingerprint() for frame in frames}) == 1
    moved = [open_source(write(tmp_path / folder, "a.parquet")).fingerprint() for folder in ("x", "y")]
    assert moved[0] == moved[1]


def test_reading_a_file_holds_batches_not_the_table(tmp_path: Path) -> None:
    table = pa.table({f"x{i}": np.random.default_rng(i).normal(size=2_000_000) for i in range(2)})
    path = write(tmp_path, "a.parquet", table, row_group_size=len(table))
    decoded = table.nbytes
    del table
    source = open_source(path)
    before, most = pa.total_allocated_bytes(), 0
    for batch in source.batches(batch_size=10_000):
        most = max(most, pa.total_allocated_bytes() - before)
        del batch
    assert 0 < most < decoded / 4  # the same 6 MB whatever the number of rows


# --- refusals --------------------------------------------------------------------------------------------------------


def _truncated(folder: Path) -> Path:
    path = write(folder, "a.parquet", pa.table({"a": [SECRET] * 1000}))
    path.write_bytes(path.read_bytes()[:-20])
    return path


def _damaged(folder: Path) -> Path:
    table = pa.table({"a": [f"{SECRET} {i}" for i in range(10_000)]})
    path = write(folder, "a.parquet", table, compression="zstd", use_dictionary=False)
    content = bytearray(path.read_bytes())
    content[1000:3000] = bytes(2000)
    path.write_bytes(content)
    return path


def _cut_gzip(folder: Path) -> Path:
    path = folder / "a.csv.gz"
    path.write_bytes(gzip.compress(f"a,b\n{SECRET},1\nx,2\n".encode())[:-9])
    return path


def _mixed(folder: Path, first: pa.Table, second: pa.Table) -> Path:
    write(folder, "1.parquet", first)
    write(folder, "2.parquet", second)
    return folder


BAD_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda folder: folder / "none.parquet", "does not exist"),
    "no match": (lambda folder: str(folder / "*.parquet"), "no file matches"),
    "empty folder": (lambda folder: folder, "holds no .parquet or .csv file"),
    "suffix": (lambda folder: text_file(folder, SECRET, "a.xlsx"), "suffix"),
    "empty file": (lambda folder: text_file(folder, ""), "is empty"),
    "empty parquet": (lambda folder: text_file(folder, "", "a.parquet"), "is empty"),
    "blank csv": (lambda folder: text_file(folder, "\n  \n"), "is empty"),
    "truncated parquet": (_truncated, "not a readable Parquet file"),
    "csv called parquet": (
        lambda folder: text_file(folder, f"a,b\n{SECRET},1\n", "a.parquet"),
        "not a readable Parquet",
    ),
    "parquet called csv": (lambda folder: write(folder, "a.pq").rename(folder / "a.csv"), "not a text file"),
    "cut gzip": (_cut_gzip, "cannot be read"),
    "not utf-8": (lambda folder: text_file(folder, f"a,b\n{SECRET}é,1\nx,2\n".encode("latin-1")), "not UTF-8"),
    "ragged": (lambda folder: text_file(folder, f"a,b\n1,2\n{SECRET},2,3\n"), "3 cells where the header has 2"),
    "names twice in csv": (lambda folder: text_file(folder, "a,a\n1,2\n1,2\n"), "two columns"),
    "headers differ": (
        lambda folder: [text_file(folder, "a,b\n1,2\n", "1.csv"), text_file(folder, "a,c\n1,2\n", "2.csv")],
        "the header of",
    ),
    "two formats": (
        lambda folder: write(folder, "a.csv").parent if write(folder, "a.parquet") else None,
        "one table needs one format",
    ),
    "column lacks": (lambda folder: _mixed(folder, TABLE, TABLE.drop_columns(["x"])), "lacks the column 'x'"),
    "column more": (lambda folder: _mixed(folder, TABLE.drop_columns(["x"]), TABLE), "has a column 'x' more"),
    "types differ": (
        lambda folder: _mixed(folder, TABLE, TABLE.set_column(0, "n", pa.array([SECRET] * 4))),
        "column 'n' is string in",
    ),
    "other partitions": (
        lambda folder: [write(folder, "a=1/x.parquet"), write(folder, "b=1/x.parquet")] and folder,
        "same keys",
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_refused_in_one_sentence(case: str, tmp_path: Path) -> None:
    make, expected = BAD_FILES[case]
    data = make(tmp_path)
    with pytest.raises(SourceError) as error:
        open_source(data)  # type: ignore[arg-type]
    assert expected in said(error)
    assert str(tmp_path) in said(error)


def test_damage_inside_a_file_is_found_when_it_is_read(tmp_path: Path) -> None:
    source = open_source(_damaged(tmp_path))
    with pytest.raises(SourceError) as error:
        source.read()
    assert str(tmp_path) in said(error)


def test_an_unreadable_file_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, "a.parquet")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pq, "ParquetFile", refuse)
    with pytest.raises(SourceError, match=r"a\.parquet cannot be read \(Permission denied\)"):
        open_source(path)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (pd.DataFrame({"a": pd.Series(dtype="int64")}), "the DataFrame has no rows: at least 2 are needed"),
        (pd.DataFrame({"a": [SECRET]}), "the DataFrame has 1 row: at least 2 are needed"),
        (pd.DataFrame(index=range(3)), "the DataFrame has no columns"),
        (pa.table({"a": pa.array([], pa.int64())}), "the Arrow table has no rows"),
        (pa.Table.from_arrays([pa.array([1, 2])] * 2, names=["a", "a"]), "two columns of the table are called 'a'"),
        (pa.table({"a": [[SECRET], [SECRET]]}), "column 'a' holds nested values (list)"),
        (pa.table({"a": [b"x", b"y"]}), "column 'a' has the type binary"),
        (42, "a table cannot be read from a int"),
        ([], "a table cannot be read from a list"),
        ([SECRET, 3], "a table cannot be read from a list"),
    ],
)
def test_a_bad_table_is_refused_in_one_sentence(data: object, expected: str) -> None:
    with pytest.raises(DataError) as error:
        open_source(data)  # type: ignore[arg-type]
    assert expected in said(error)


@pytest.mark.parametrize("content", ["a,b\n", "a,b\n1,2\n"])
def test_a_csv_file_needs_two_rows(tmp_path: Path, content: str) -> None:
    with pytest.raises(DataError, match="at least 2 are needed"):
        open_source(text_file(tmp_path, content))


def test_fewer_rows_are_fine_where_the_caller_says_so() -> None:
    assert open_source(pd.DataFrame({"a": [1]}), minimum_rows=1).n_rows == 1
    assert open_source(ds.dataset(TABLE.slice(0, 0)), minimum_rows=0).n_rows == 0


def test_shared_tables_read_as_pandas_reads_them(shared_data: Path) -> None:
    for path in sorted(shared_data.glob("*.parquet")):
        pd.testing.assert_frame_equal(open_source(path).to_frame(), pd.read_parquet(path))


def test_large_files_are_told_apart_by_stretches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synthgan.tables.sources.batches._WHOLE_FILE_BYTES", 64)
    monkeypatch.setattr("synthgan.tables.sources.batches._PROBE_BYTES", 8)
    rows = "".join(f"{i},{i}\n" for i in range(500))
    first, same, longer, ending = (
        text_file(tmp_path / name, content).parent
        for name, content in (
            ("1", "a,b\n" + rows),
            ("2", "a,b\n" + rows),
            ("3", "a,b\n" + rows + "1,1\n"),
            ("4", "a,b\n" + rows[:-2] + "8\n"),
        )
        if (tmp_path / name).mkdir() is None
    )
    prints = [open_source(folder).fingerprint() for folder in (first, same, longer, ending)]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3


def test_labels_noted_by_pandas_come_back(tmp_path: Path) -> None:
    pd.DataFrame({7: [1, 2], 8: [2.5, 3.5]}).to_parquet(tmp_path / "a.parquet")
    source = open_source(tmp_path / "a.parquet")
    assert source.labels == {"7": 7, "8": 8}
    pd.testing.assert_frame_equal(source.to_frame(), pd.read_parquet(tmp_path / "a.parquet"))


def test_categories_noted_by_pandas_come_back(tmp_path: Path) -> None:
    ordered = pd.CategoricalDtype(["c", "b", "a"], ordered=True)
    frames = [
        pd.DataFrame({"k": pd.Categorical(ranks, dtype=ordered), "m": pd.Categorical(cells)})
        for ranks, cells in ((["a", "a", "b"], ["a", "a", "b"]), (["b", "a", None], ["b", "a", "x"]))
    ]
    for name, frame in zip("12", frames, strict=True):
        frame.to_parquet(tmp_path / f"{name}.parquet")
    source = open_source(tmp_path)
    assert {name: (levels.values, levels.ordered) for name, levels in source.categories.items()} == {
        "k": (("c", "b", "a"), True),
        "m": (("a", "b", "x"), False),
    }
    expected = pd.concat(frames, ignore_index=True).astype({"m": pd.CategoricalDtype(["a", "b", "x"])})
    pd.testing.assert_frame_equal(source.to_frame(), expected)
    whole = pd.DataFrame({"d": pd.Categorical([3, 1, None], categories=[3, 2, 1])})
    pd.testing.assert_frame_equal(open_source(pa.Table.from_pandas(whole)).to_frame(), whole)

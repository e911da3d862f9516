"""CSV files as a private fit reads them: one line at a time, as declared."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthgan.errors import SchemaError, SettingsError, SourceError
from synthgan.tables.files.csv_format import CsvFormat
from synthgan.tables.reading.reading import Reading
from synthgan.tables.sources import csv_lines
from synthgan.tables.sources.csv_lines import blocks, rows
from synthgan.tables.sources.declared_csv import DeclaredCsvSource
from synthgan.tables.sources.open import open_source


def source(
    path: Path, content: bytes, declared: Any = None, *, unit: str | None = None, **how: Any
) -> DeclaredCsvSource:
    path.write_bytes(content)
    reading = Reading.of(declared, private=True, unit=unit)
    return DeclaredCsvSource([path], description="the file", reading=reading, csv_format=CsvFormat(**how))


def cells(content: bytes, tmp_path: Path, declared: Any = None, **how: Any) -> dict[str, list[Any]]:
    return source(tmp_path / "t.csv", content, declared, **how).read().to_pydict()


def test_columns_are_text_unless_declared_and_a_notice_says_so(tmp_path: Path) -> None:
    made = source(tmp_path / "t.csv", b"id,n,x\n1,2,3\n", {"columns": {"n": "integer"}}, unit="id")
    assert [str(field.type) for field in made.arrow_schema] == ["string", "int64", "string"]
    (notice,) = made.notices
    assert "text where nothing is declared: 1 column ('x')" in notice
    assert source(tmp_path / "t.csv", b"n\n1\n", {"columns": {"n": "integer"}}).notices == ()


def test_only_an_empty_cell_is_missing_unless_more_is_declared(tmp_path: Path) -> None:
    content = b'id,x\nNA,NA\n,null\n"",""\nNone,-\n'
    assert cells(content, tmp_path) == {"id": ["NA", None, None, "None"], "x": ["NA", "null", None, "-"]}
    told = cells(content, tmp_path, unit="id", missing=("NA", "-", "None"))
    assert told == {"id": ["NA", None, None, "None"], "x": [None, "null", None, None]}


def test_persons_are_told_apart_as_they_are_written(tmp_path: Path) -> None:
    ids = [b"17", b"017", b" 17", b"17.0", b"1.7e1", b"123456789012345678", b"123456789012345679", b"\xff", b"\xfe"]
    read = cells(b"id,x\n" + b"\n".join(each + b",1" for each in ids), tmp_path, unit="id")["id"]
    assert len(set(read)) == len(ids)
    assert read[:7] == [each.decode() for each in ids[:7]]


@pytest.mark.parametrize(
    ("line", "read"),
    [
        (b"1,2", ("1", "2")),
        (b'"1,5",2', ("1,5", "2")),
        (b'"say ""hi""",2', ('say "hi"', "2")),
        (b'a"b,2', ('a"b', "2")),
        (b'"a"b,2', ("ab", "2")),
        (b'"a"b"c,2', ('ab"c', "2")),
        (b"1,2\r", ("1", "2")),
        (b",", (None, None)),
        (b"1", None),
        (b"1,2,3", None),
        (b'"1,2', None),
        (b'1,"2', None),
        (b'"a""b,c', None),
        (b'1,"2"x"', ("1", '2x"')),
        (b"1\r,2", None),
        (b"", None),
        (b"1,\x00", ("1", "\x00")),
    ],
)
def test_what_a_row_is(tmp_path: Path, line: bytes, read: tuple[Any, Any] | None) -> None:
    for content in (line, b"p,q\n" + line, line + b"\np,q"):
        wanted = [] if read is None else [read]
        usual = [("p", "q")] if b"p,q" in content else []
        table = cells(b"a,b\n" + content + b"\n", tmp_path)
        assert sorted(zip(*table.values(), strict=True), key=str) == sorted([*wanted, *usual], key=str)


@settings(max_examples=200, deadline=None)
@given(
    table=st.lists(
        st.lists(
            st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=5)
            | st.sampled_from(['"', ",", '","', ""]),
            min_size=2,
            max_size=2,
        ),
        max_size=6,
    )
)
def test_what_the_standard_library_writes_is_read_back(table: list[list[str]]) -> None:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(table)
    read = rows(written.getvalue(), ["a", "b"], ",", ["a", "b"]).to_pydict()
    wanted = [tuple(cell or None for cell in row) for row in table]
    assert list(zip(read["a"], read["b"], strict=True)) == wanted


@settings(max_examples=100, deadline=None)
@given(text=st.text("ab,\"\n\r;' ", max_size=60))
def test_any_text_gives_whole_rows_and_each_line_counts_alone(text: str) -> None:
    alone = [rows(line, ["a", "b"], ",", ["b", "a"]) for line in text.split("\n")]
    together = rows(text, ["a", "b"], ",", ["b", "a"])
    assert together.to_pylist() == [row for batch in alone for row in batch.to_pylist()]


@settings(max_examples=100, deadline=None)
@given(
    lines=st.lists(st.binary(max_size=9).map(lambda line: line.replace(b"\n", b"")), max_size=8),
    size=st.integers(1, 12),
)
def test_blocks_end_where_lines_end(lines: list[bytes], size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_lines, "_BLOCK_BYTES", size)
        patch.setattr(csv_lines, "_LONGEST_LINE", 1000)
        found = [line for block in blocks(io.BytesIO(b"\n".join(lines)), b"\n") for line in block.split(b"\n")]
    assert [line for line in found if line] == [line for line in lines if line]


def test_a_line_that_is_too_long_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_lines, "_BLOCK_BYTES", 16)
    monkeypatch.setattr(csv_lines, "_LONGEST_LINE", 64)
    content = b"a,b\n1,2\n" + b"x" * 100 + b",y\n3,4\n" + b"x" * 500
    assert cells(content, tmp_path) == {"a": ["1", "3"], "b": ["2", "4"]}


def test_formats(tmp_path: Path) -> None:
    assert cells(b"\xef\xbb\xbfa;b\n1;2\n", tmp_path) == {"a": ["1"], "b": ["2"]}
    assert cells(b"a,b\r\n1,2\r\n", tmp_path) == {"a": ["1"], "b": ["2"]}
    assert cells(b"a,b\r1,2\r3,4", tmp_path) == {"a": ["1", "3"], "b": ["2", "4"]}
    assert cells(b"a|b\n1|2", tmp_path, separator="|") == {"a": ["1"], "b": ["2"]}
    assert cells("a,b\nä,ö\n".encode("latin-1"), tmp_path, encoding="latin-1") == {"a": ["ä"], "b": ["ö"]}
    assert cells(b"a;b\n1,5;2\n", tmp_path, {"columns": {"a": "float"}}, decimal=",") == {"a": [1.5], "b": ["2"]}
    with gzip.open(tmp_path / "t.csv.gz", "wb") as file:
        file.write(b"a,b\n1,2\n")
    made = DeclaredCsvSource([tmp_path / "t.csv.gz"], description="", reading=Reading(private=True))
    assert made.read(["b"]).to_pydict() == {"b": ["2"]}
    assert made.fingerprint() == made.fingerprint()


def test_rows_come_in_batches_and_two_files_are_one_table(tmp_path: Path) -> None:
    for name in "pq":
        (tmp_path / f"{name}.csv").write_bytes(b"a\n" + b"".join(b"%d\n" % place for place in range(10)))
    reading = Reading(types={"a": pa.int64()}, private=True)
    made = DeclaredCsvSource([tmp_path / "p.csv", tmp_path / "q.csv"], description="", reading=reading)
    assert [batch.num_rows for batch in made.batches(batch_size=4)] == [4, 4, 2, 4, 4, 2]
    assert made.read().column("a").to_pylist() == [*range(10), *range(10)]
    (tmp_path / "q.csv").write_bytes(b"b\n1\n")
    with pytest.raises(SourceError, match=r"the header of .*q\.csv differs from that of"):
        DeclaredCsvSource([tmp_path / "p.csv", tmp_path / "q.csv"], description="", reading=reading)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,a\n1,2\n", "two columns of .* are called 'a'"),
        (b'"a,b\n1,2\n', "a quote that is not closed"),
        (b"\n1,2\n", "is empty"),
        (b"a\x00,b\n", "not a text file"),
        ("ä,b\n".encode("latin-1"), "the header of .* is not utf-8 text"),
    ],
)
def test_headers_that_cannot_be_read(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        source(tmp_path / "t.csv", content)


def test_what_cannot_be_had_by_lines_is_refused_before_a_row_is_read(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="not in utf-16"):
        source(tmp_path / "t.csv", "a,b\n1,2\n".encode("utf-16"))
    with pytest.raises(SettingsError, match="not in shift_jis"):
        source(tmp_path / "t.csv", b"a,b\n", encoding="shift_jis")
    with pytest.raises(SchemaError, match="floats cannot name persons"):
        source(tmp_path / "t.csv", b"id\n1\n", {"columns": {"id": {"arrow_type": "double"}}}, unit="id")


SWITCHING = ["iso2022_jp", "iso2022_jp_2", "iso2022_kr", "hz", "utf-7", "unicode_escape", "raw_unicode_escape", "big5"]


@pytest.mark.parametrize("encoding", SWITCHING)
def test_encodings_in_which_a_row_changes_the_next_are_refused(tmp_path: Path, encoding: str) -> None:
    """After an escape of ISO 2022, what were letters are other ones until the next escape, in whichever row."""
    with pytest.raises(SettingsError, match="one byte per character"):
        source(tmp_path / "t.csv", b"a,b\n1,2\n", encoding=encoding)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "cp437", "koi8-r", "mac-roman", "iso8859-15"])
def test_no_row_changes_the_next_in_an_encoding_of_single_bytes(tmp_path: Path, encoding: str) -> None:
    odd = [b"\x1b$B", b"~{", b"\\", b"\\u000a", b"+AAo-", *(bytes([byte]) for byte in range(128, 256))]
    usual = source(tmp_path / "t.csv", b"a,b\n1,2\n3,4\n", encoding=encoding).read().to_pylist()
    for cell in odd:
        made = source(tmp_path / "t.csv", b"a,b\n1,2\nx,%b\n3,4\n" % cell, encoding=encoding).read().to_pylist()
        assert [made[0], made[-1]] == usual
        assert len(made) == 3


@pytest.mark.parametrize("key", ["3", "03", "x", "9" * 20, "-1", "%FE", "%C3%A9", "__HIVE_DEFAULT_PARTITION__"])
def test_one_folder_more_changes_no_other_row(tmp_path: Path, key: str) -> None:
    """Names of folders are cells: whole numbers beyond 64 bits and escapes that are no UTF-8 among them."""

    def rows_of(keys: list[str], folder: Path) -> tuple[str, list[Any]]:
        for name in keys:
            (folder / f"who={name}").mkdir(parents=True)
            (folder / f"who={name}" / "p.csv").write_bytes(b"x\n1\n")
        opened = open_source(folder, minimum_rows=0, reading=Reading(private=True, unit="who"))
        return str(opened.arrow_schema), [row["who"] for row in opened.read().to_pylist()]

    types, persons = rows_of(["1", "2", "%FF"], tmp_path / "usual")
    assert sorted(persons) == ["1", "2", "\\xff"]
    other, more = rows_of(["1", "2", "%FF", key], tmp_path / "more")
    assert types == other
    added = [person for person in more if person not in persons]
    assert len(more) == 4
    assert len(added) == 1


def test_a_file_that_is_cut_short_is_an_error(tmp_path: Path) -> None:
    whole = gzip.compress(b"a,b\n" + b"1,2\n" * 100_000)
    path = tmp_path / "t.csv.gz"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match="cannot be read"):
        DeclaredCsvSource([path], description="", reading=Reading(private=True)).read()

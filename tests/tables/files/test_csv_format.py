"""CSV files as they are written in the world: encodings, separators, decimal signs, spellings of missing cells."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from synthgan import CsvFormat, evaluate
from synthgan.errors import SettingsError, SourceError
from synthgan.tables.inference import infer_schema
from synthgan.tables.sources.open import open_source
from synthgan.tables.written import parse_format

GERMAN = "größe;preis;straße\n1;1,5;Öl\n2;-0,25;Ähre\n"
READ = {"größe": [1, 2], "preis": [1.5, -0.25], "straße": ["Öl", "Ähre"]}


def file(folder: Path, content: str | bytes, name: str = "t.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(content.encode(encoding) if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-8", "utf-16-le", "UTF8", "mac_roman"])
def test_an_encoding_can_be_named(tmp_path: Path, encoding: str) -> None:
    path = file(tmp_path, GERMAN, encoding=encoding)
    for packed in (False, True):
        if packed:
            path = file(tmp_path, gzip.compress(path.read_bytes()), "t.csv.gz")
        source = open_source(path, csv_format=CsvFormat(encoding=encoding, decimal=","))
        assert source.read().to_pydict() == READ


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-32"])
def test_a_byte_order_mark_names_the_encoding(tmp_path: Path, encoding: str) -> None:
    path = file(tmp_path, GERMAN, encoding=encoding)
    assert open_source(path, csv_format=CsvFormat(decimal=",")).read().to_pydict() == READ


@pytest.mark.parametrize("content", ["größe;x\n1;2\n3;4\n", "g;x\n1;Öl\n3;Ähre\n", "g;x\n1;a\n" * 30_000 + "1;ö\n"])
def test_another_encoding_is_refused_with_the_option_that_helps(tmp_path: Path, content: str) -> None:
    path = file(tmp_path, content, encoding="latin-1")
    with pytest.raises(SourceError, match=r"not UTF-8 text: name its encoding with --encoding .*latin-1") as caught:
        open_source(path)
    assert "Öl" not in str(caught.value)
    with pytest.raises(SourceError, match="not ascii text"):
        open_source(path, csv_format=CsvFormat(encoding="ascii"))


def test_utf_16_without_its_mark_is_refused_with_the_option_that_helps(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="--encoding"):
        open_source(file(tmp_path, GERMAN, encoding="utf-16-le"))


@pytest.mark.parametrize("named", [":", "^", " ", "space", "tab", "\t", ";"])
def test_a_separator_can_be_named(tmp_path: Path, named: str) -> None:
    separator = {"space": " ", "tab": "\t"}.get(named, named)
    path = file(tmp_path, separator.join("ab") + "\n" + f"1{separator}x\n2{separator}y\n")
    assert open_source(path, csv_format=CsvFormat(separator=named)).read().to_pydict() == {"a": [1, 2], "b": ["x", "y"]}


@pytest.mark.parametrize("name", ["t.tsv", "t.TSV", "t.tsv.gz"])
def test_tsv_files_have_tabs(tmp_path: Path, name: str) -> None:
    content = b"a, b\tc\n1\tx\n2\ty,z\n"
    path = file(tmp_path, gzip.compress(content) if name.endswith("gz") else content, name)
    assert open_source(path).read().to_pydict() == {"a, b": [1, 2], "c": ["x", "y,z"]}


def test_the_decimal_sign_decides_what_a_number_is(tmp_path: Path) -> None:
    path = file(tmp_path, "a;b;c\n1,5;1.5;1\n2;2.5;2\n")
    plain, german = open_source(path), open_source(path, csv_format=CsvFormat(decimal=","))
    assert plain.read().to_pydict() == {"a": ["1,5", "2"], "b": [1.5, 2.5], "c": [1, 2]}
    assert german.read().to_pydict() == {"a": [1.5, 2.0], "b": ["1.5", "2.5"], "c": [1, 2]}


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        (None, ["x", None, None, "-9", None]),
        ((), ["x", "NA", "null", "-9", None]),
        (("-9",), ["x", "NA", "null", None, None]),
        (("NA", "-9"), ["x", None, "null", None, None]),
    ],
)
def test_missing_spellings_can_be_named(
    tmp_path: Path, missing: tuple[str, ...] | None, expected: list[str | None]
) -> None:
    path = file(tmp_path, "k,v\n1,x\n2,NA\n3,null\n4,-9\n5,\n")
    assert open_source(path, csv_format=CsvFormat(missing=missing)).read()["v"].to_pylist() == expected


@pytest.mark.parametrize(
    "settings",
    [
        {"encoding": "utf-99"},
        {"encoding": "zip"},
        {"encoding": ""},
        {"encoding": "a\0b"},
        {"separator": ""},
        {"separator": ";;"},
        {"separator": '"'},
        {"separator": "\n"},
        {"separator": "x"},
        {"separator": "ß"},
        {"decimal": ";"},
        {"missing": "NA"},
        {"missing": (1,)},
    ],
)
def test_settings_out_of_range(settings: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        CsvFormat(**settings)


def test_a_csv_format_for_what_is_no_csv_file_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1, 2]}).to_parquet(tmp_path / "t.parquet")
    for data in (tmp_path / "t.parquet", pd.DataFrame({"a": [1, 2]})):
        with pytest.raises(SettingsError, match="no CSV file"):
            open_source(data, csv_format=CsvFormat(decimal=","))
        with pytest.raises(SettingsError, match="none of the tables is a CSV file"):
            evaluate(data, data, csv_format=CsvFormat(decimal=","))


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (("+49301234", "+4989"), "string"),
        (("+5", "6"), "string"),
        (("+1.5", "2.5"), "string"),
        (("1.5", "01"), "string"),
        (("-0", "1"), "double"),
        (("-01", "2"), "string"),
        (("12345678901234567890", "12345678901234567891"), "string"),
        (("12345678901234567", "1.5"), "string"),  # as doubles, neighbours of the first would be the same number
        (("12345678901234567", "1e3"), "string"),
        (("9007199254740993", "1.5"), "string"),
        (("9007199254740991", "1.5"), "double"),
        (("1700000000000000.0", "1.5"), "double"),
        (("0.1234567890123456789", "2"), "double"),
        (("1e300", "-2E-5"), "double"),
        (("007", "12"), "string"),
        (("0.5", "0"), "double"),
    ],
)
def test_a_number_keeps_its_sign_and_digits_or_stays_text(
    tmp_path: Path, cells: tuple[str, ...], expected: str
) -> None:
    source = open_source(file(tmp_path, "k,v\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells))))
    assert str(source.arrow_schema.field("v").type) == expected
    if expected == "string":
        assert source.read()["v"].to_pylist() == list(cells)


def test_several_utc_offsets_become_utc_with_a_notice(tmp_path: Path) -> None:
    rows = "".join(f"2024-0{1 + i % 9}-01T12:00:00+0{i % 2}:00,2024-01-01T0{i % 9}:00:00+01:00\n" for i in range(20))
    source = open_source(file(tmp_path, "mixed,one\n" + rows))
    assert [str(field.type) for field in source.arrow_schema] == ["timestamp[s, tz=UTC]"] * 2
    assert source.written == {"one": "%Y-%m-%dT%H:%M:%S+01:00"}
    (notice,) = source.notices
    assert "'mixed'" in notice
    assert "several UTC offsets" in notice


@pytest.mark.parametrize(
    ("true", "false", "written"), [("TRUE", "FALSE", "TRUE/FALSE"), ("True", "False", "True/False"),
                                   ("true", "false", None), ("True", "FALSE", None)]
)  # fmt: skip
def test_truth_values_keep_their_spelling(tmp_path: Path, true: str, false: str, written: str | None) -> None:
    source = open_source(file(tmp_path, f"n,said\n1,{true}\n2,\n3,{false}\n"))
    column = infer_schema(source).columns[1]
    assert (column.kind, column.arrow_type, column.written) == ("boolean", "bool", written)
    if written is not None:
        form = parse_format(written)
        assert form.to_texts(pa.array([True, None, False])).to_pylist() == [true, None, false]
        assert form.to_values(pa.array([true, None, false, "no"])).to_pylist() == [True, None, False, None]


def test_folders_named_key_value_are_columns(tmp_path: Path) -> None:
    for year in (2023, 2024):
        (tmp_path / f"year={year}" / "land=a%20b").mkdir(parents=True)
        file(tmp_path / f"year={year}" / "land=a%20b", f"v\n{year % 100}\n7\n")
    source = open_source(tmp_path)
    assert source.names == ("v", "year", "land")
    assert source.read().to_pydict() == {
        "v": [23, 7, 24, 7],
        "year": [2023, 2023, 2024, 2024],
        "land": ["a b"] * 4,
    }
    assert source.read(["year"])["year"].to_pylist() == [2023, 2023, 2024, 2024]
    before = source.fingerprint()
    (tmp_path / "year=2024").rename(tmp_path / "year=2025")
    assert open_source(tmp_path).fingerprint() != before


def test_folders_with_other_keys_are_refused(tmp_path: Path) -> None:
    for folder in ("year=2023", "jahr=2024"):
        (tmp_path / folder).mkdir()
        file(tmp_path / folder, "v\n1\n2\n")
    with pytest.raises(SourceError, match="other key=value folders"):
        open_source(tmp_path)


def test_a_synthetic_file_may_be_utf_8_beside_a_real_one_that_is_not(tmp_path: Path) -> None:
    rows = "stadt;preis\n" + "Köln;1,5\nMünchen;2,5\n" * 40
    real = file(tmp_path, rows, "real.csv", "latin-1")
    synthetic = file(tmp_path, rows, "synthetic.csv")
    form = CsvFormat(encoding="latin-1", decimal=",")
    scores = evaluate(real, synthetic, csv_format=form, parts=("fidelity",), progress="off")
    assert scores.settings["numeric"] == ["preis"]
    assert scores["shape"].value == 0

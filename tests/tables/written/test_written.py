"""Numbers and times written as text: found by their one format, modelled as such, and written back as they were."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthgan import CsvFormat, Privacy, Synthesizer, evaluate, load
from synthgan.errors import DataError, SchemaError
from synthgan.tables.inference import infer_schema
from synthgan.tables.schema.schema_file import schema_from_json, schema_to_json
from synthgan.tables.sources.open import open_source
from synthgan.tables.written import parse_format
from synthgan.tables.written.recognition import FormatSearch, find_format

READINGS: list[tuple[str, str, Any]] = [
    ("0,00", "361,69", Decimal("361.69")),
    ("0,00", "-0,05", Decimal("-0.05")),
    ("#.##0,00", "1.234,50", Decimal("1234.50")),
    ("#.##0,00", "-123.456.789,00", Decimal("-123456789.00")),
    ("#,##0", "12,345,678", 12345678),
    ("$#,##0.00", "-$1,200.00", Decimal("-1200.00")),
    ("$#,##0.00;$-#,##0.00", "$-1,200.00", Decimal("-1200.00")),
    ("$#,##0.00;($#,##0.00)", "($1,200.00)", Decimal("-1200.00")),
    ("0.00;0.00-", "5.00-", Decimal("-5.00")),
    ("# ##0,00 €", "1 234,50 €", Decimal("1234.50")),
    ("CHF #'##0.00", "CHF 1'200.50", Decimal("1200.50")),
    ("0 %", "12 %", 12),
    ("0.#%", "12.5%", Decimal("12.5")),
    ("0.#%", "12%", Decimal("12.0")),
    ("+0;-0", "+5", 5),
    ("0.0##", "1.25", Decimal("1.250")),
    ("%d.%m.%Y", "13.05.2024", dt.date(2024, 5, 13)),
    ("%-d.%-m.%Y", "3.5.2024", dt.date(2024, 5, 3)),
    ("%m/%d/%Y", "05/13/2024", dt.date(2024, 5, 13)),
    ("%d/%m/%y", "13/05/69", dt.date(1969, 5, 13)),
    ("%d/%m/%y", "13/05/68", dt.date(2068, 5, 13)),
    ("%Y-%m", "2024-05", dt.date(2024, 5, 1)),
    ("%a, %d %b %Y", "Mon, 13 May 2024", dt.date(2024, 5, 13)),
    ("%B %-d, %Y", "February 29, 2024", dt.date(2024, 2, 29)),
    ("%H:%M", "13:25", dt.timedelta(hours=13, minutes=25)),
    ("%-I:%M %p", "12:05 AM", dt.timedelta(minutes=5)),
    ("%I:%M%P", "12:05pm", dt.timedelta(hours=12, minutes=5)),
    ("%Y-%m-%d %H:%M+02:00", "2024-05-13 12:00+02:00", dt.datetime(2024, 5, 13, 12)),
    ("%d.%m.%Y %H:%M:%S,%3f", "13.05.2024 01:02:03,045", dt.datetime(2024, 5, 13, 1, 2, 3, 45000)),
    ("%Y-%m-%dT%H:%M:%SZ", "1969-12-31T23:59:59Z", dt.datetime(1969, 12, 31, 23, 59, 59)),
]
"""Pattern, text, value: by hand."""


@pytest.mark.parametrize(("pattern", "text", "value"), READINGS)
def test_texts_mean_and_values_are_written(pattern: str, text: str, value: Any) -> None:
    form = parse_format(pattern)
    assert form.pattern == pattern
    for held in (pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())):
        values = form.to_values(pa.array([text, None], held))
        assert values.to_pylist() == [value, None]
        assert values.type == form.value_type
        assert form.to_texts(values).to_pylist() == [text, None]


NOT_SO: list[tuple[str, str]] = [
    ("0,00", "361.69"), ("0,00", "361,6"), ("0,00", "361,690"), ("0,00", " 361,69"), ("0,00", "0361,69"),
    ("0,00", "-0,00"), ("0,00", "+1,00"), ("0,00", ""), ("0,00", "1.234,00"), ("#.##0,00", "1234,00"),
    ("#.##0,00", "1.23,00"), ("#.##0", "0.123"), ("0.##", "1.50"), ("0.##", "1."), ("0 %", "12%"), ("0", "007"),
    ("0", "1234567890123456789"), ("0.00", "12345678901234567.00"), ("%d.%m.%Y", "31.02.2024"),
    ("%d.%m.%Y", "1.5.2024"), ("%d.%m.%Y", "13.05.24"), ("%-d.%-m.%Y", "03.5.2024"), ("%d.%m.%Y", "13.13.2024"),
    ("%d.%m.%Y", "13.05.2024 "), ("%a, %d %b %Y", "Tue, 13 May 2024"), ("%H:%M", "24:00"), ("%H:%M", "12:60"),
    ("%H:%M", "9:30"), ("%-I:%M %p", "0:05 AM"), ("%-I:%M %p", "13:05 PM"), ("%Y-%m-%d %H:%MZ", "2024-05-13 12:00"),
    ("%Y-%m-%d %H:%M", "2024-05-13 24:00"), ("%B %Y", "Smarch 2024"),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "text"), NOT_SO)
def test_a_text_that_would_come_back_otherwise_has_no_value(pattern: str, text: str) -> None:
    assert parse_format(pattern).to_values(pa.array([text])).to_pylist() == [None]


@pytest.mark.parametrize(
    "pattern",
    ["", "abc", "1", "0.", "00", "#,##0,00", "0;0", "0;1", "%d.%m", "%Y", "%q.%Y", "%d.%d.%Y", "%H", "%I:%M",
     "%H:%M %p", "%Y-%m %H:%M", "%H:%M:%3f", "0 5", "%%Y-%m", "#.##0.00", "0." + "0" * 18],
)  # fmt: skip
def test_patterns_that_are_none_are_refused(pattern: str) -> None:
    with pytest.raises(SchemaError, match="no written format"):
        parse_format(pattern)


NUMBERS = st.sampled_from(
    ["0", "0,00", "#.##0,00", "#,##0.00 $", "$#,##0.00;($#,##0.00)", "0.##", "#'##0.0##", "0 %", "+0;-0", "0,000 kg",
     "# ##0;# ##0-", "0.00000000"]
)  # fmt: skip
TIMES = st.sampled_from(
    ["%d.%m.%Y", "%-d.%-m.%Y", "%m/%d/%Y", "%Y%m%d", "%A, %-d. %B %Y", "%d-%b-%Y %H:%M", "%Y-%m-%dT%H:%M:%S.%6fZ",
     "%-m/%-d/%Y %-I:%M:%S %p", "%H:%M", "%H:%M:%S,%2f", "%Hh%M", "%d.%m.%Y %H:%M Uhr"]
)  # fmt: skip


@given(pattern=NUMBERS, ticks=st.lists(st.one_of(st.none(), st.integers(-(10**17), 10**17)), min_size=1, max_size=20))
def test_numbers_come_back(pattern: str, ticks: list[int | None]) -> None:
    form = parse_format(pattern)
    scale = getattr(form.value_type, "scale", 0)
    values = pa.array(
        [None if n is None else Decimal(n).scaleb(-scale) if scale else n for n in ticks], form.value_type
    )
    texts = form.to_texts(values)
    assert form.to_values(texts).equals(values)
    assert texts.null_count == ticks.count(None)


@given(
    pattern=TIMES,
    times=st.lists(st.one_of(st.none(), st.datetimes(dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31))), max_size=20),
)
def test_times_come_back(pattern: str, times: list[dt.datetime | None]) -> None:
    form = parse_format(pattern)
    stamps = pa.array(times, pa.timestamp("us"))
    if pa.types.is_duration(form.value_type):
        of_day = pa.array([None if t is None else t - dt.datetime.combine(t.date(), dt.time()) for t in times])
        values = of_day.cast(pa.duration("us")).cast(form.value_type, safe=False)
    else:
        values = stamps.cast(form.value_type, safe=False)
    texts = form.to_texts(values)
    read = form.to_values(texts)
    assert form.to_texts(read).equals(texts)  # what is not written, such as seconds, is lost once and for all
    assert read.null_count == values.null_count


@given(texts=st.lists(st.text(st.sampled_from("0123456789.,:-/ +%€$apmAPMT'"), max_size=12), min_size=1, max_size=8))
def test_a_format_is_found_only_if_every_text_comes_back(texts: list[str]) -> None:
    cells = pa.array(sorted(set(texts)))
    form = find_format(cells)
    if form is not None:
        values = form.to_values(cells)
        assert values.null_count == 0
        assert form.to_texts(values).equals(cells)


FOUND: list[tuple[list[str], str | None]] = [
    (["361,69", "12,00"], "0,00"),
    (["1.234,50", "0,00", "-12,30"], "#.##0,00"),
    (["1.234,5", "0,25"], "#.##0,##"),
    (["12 %", "5 %", "100 %"], "0 %"),
    (["$1,200.00", "$5.00", "($3.50)"], "$#,##0.00;($#,##0.00)"),
    (["+5", "-3", "+0"], "+0;-0"),
    (["12 kg", "5 kg"], "0 kg"),
    (["21.5°C", "-3.0°C"], "0.0°C"),
    (["5kWh", "17kWh"], "0kWh"),
    (["101.3kPa", "99.8kPa"], "0.0kPa"),
    (["5MB", "512MB"], "0MB"),
    (["101MA", "7MC"], None),
    (["0.123", "0.456"], "0.000"),
    (["1.234", "5.678"], None),  # thousands or thousandths
    (["1,234", "5"], None),
    (["1.234", "12.345.678"], "#.##0"),
    (["1.234", "1.2345"], "0.####"),
    (["+49301234", "+4989123"], None),  # telephone numbers
    (["007", "012"], None),
    (["SKU-123", "SKU-456"], None),
    (["12A", "13A"], None),
    (["1.5", "1.50"], None),
    (["192.168.1.1", "10.0.0.1"], None),
    (["1e5", "2e6"], None),
    (["13.05.2024", "01.06.2024"], "%d.%m.%Y"),
    (["3.5.2024", "13.12.2024"], "%-d.%-m.%Y"),
    (["05/13/2024", "01/02/2024"], "%m/%d/%Y"),
    (["01/02/2024", "03/04/2024"], None),  # two countries read it differently
    (["13:25", "09:30"], "%H:%M"),
    (["9:30", "13:25"], "%-H:%M"),
    (["1:25 PM", "12:00 AM"], "%-I:%M %p"),
    (["13.25 Uhr", "09.30 Uhr"], "%H.%M Uhr"),
    (["2024-05-13 12:00+02:00", "2024-05-14 13:00+02:00"], "%Y-%m-%d %H:%M+02:00"),
    (["2024-05-13 12:00+02:00", "2024-05-14 13:00+01:00"], None),
    (["12:00 13.05.2024", "12:30 14.05.2024"], "%H:%M %d.%m.%Y"),
    (["May 3, 2024", "June 13, 2024"], "%B %-d, %Y"),
    (["20240513", "20239901"], "0"),
    (["05/2024", "11/2023"], "%m/%Y"),
    (["24-05-13", "24-06-14"], None),
    (["99-05-13", "24-06-14"], "%y-%m-%d"),
    (["abc", "def"], None),
    (["", "5"], None),
]


@pytest.mark.parametrize(("texts", "pattern"), FOUND)
def test_the_one_format_of_all(texts: list[str], pattern: str | None) -> None:
    form = find_format(pa.array(texts))
    assert (None if form is None else form.pattern) == pattern


def test_a_search_over_batches_widens_and_strikes_out() -> None:
    def search(*batches: list[str]) -> str | None:
        found = FormatSearch()
        for batch in batches:
            found.update(pa.array(batch))
        form = found.found()
        return None if form is None else form.pattern

    assert search(["1.5", "2.5"], ["3.25"], ["4"]) == "0.##"
    assert search(["12.00"], ["1,200.00"]) == "#,##0.00"
    assert search(["1.234"], ["x"], ["5.678"]) is None
    assert search(["03/04/2024"], ["13/04/2024"]) == "%d/%m/%Y"
    assert search() is None


# --- the way of a table ----------------------------------------------------------------------------------------------

N = 600
RNG = np.random.default_rng(0)


def _german(number: float) -> str:
    return f"{number:,.2f}".translate(str.maketrans(",.", ".,"))


COLUMNS: dict[str, list[str]] = {
    "share": [f"{i % 100} %" for i in range(N)],
    "price": [_german(x) for x in RNG.gamma(2, 500, N)],
    "day": pd.to_datetime(RNG.integers(0, 900, N), unit="D", origin="2021-01-01").strftime("%d.%m.%Y").tolist(),
    "clock": [f"{h:02}:{m:02}" for h, m in zip(RNG.integers(6, 20, N), RNG.integers(0, 60, N), strict=True)],
    "stamp": pd.to_datetime(RNG.integers(0, 10**5, N), unit="m", origin="2021-01-01")
    .strftime("%Y-%m-%d %H:%M+02:00")
    .tolist(),
}
WRITTEN = {
    "share": ("integer", "0 %"),
    "price": ("decimal", "#.##0,00"),
    "day": ("date", "%d.%m.%Y"),
    "clock": ("timedelta", "%H:%M"),
    "stamp": ("datetime", "%Y-%m-%d %H:%M+02:00"),
}


def frame() -> pd.DataFrame:
    made = pd.DataFrame(COLUMNS)
    made.loc[::20, "price"] = None
    made["number"] = np.linspace(0, 1, N)
    return made


@pytest.fixture(scope="module")
def written_model() -> Synthesizer:
    return Synthesizer(max_steps=3, progress="off", random_state=0, device="cpu").fit(frame())


def well_written(rows: pd.DataFrame) -> None:
    for name, (_, pattern) in WRITTEN.items():
        texts = pa.array(rows[name].dropna().astype(object), pa.string())
        assert len(texts)
        assert parse_format(pattern).to_values(texts).null_count == 0


def test_a_schema_says_how_columns_are_written() -> None:
    schema = infer_schema(open_source(frame()))
    assert {name: (schema[name].kind, schema[name].written) for name in WRITTEN} == WRITTEN
    assert schema["number"].written is None
    content = schema_to_json(schema)
    assert content["version"] == 2
    assert schema_from_json(content) == schema
    assert infer_schema(open_source(frame()), declared=content) == schema
    plain = schema_to_json(infer_schema(open_source(frame()[["number"]])))
    assert plain["version"] == 1
    assert "written" not in plain["columns"][0]


def test_rows_come_out_as_they_went_in(written_model: Synthesizer, tmp_path: Any) -> None:
    real, rows = frame(), written_model.sample(200)
    assert rows.dtypes.equals(real.dtypes)
    well_written(rows)
    assert set(rows["share"]) <= set(real["share"])
    assert rows["price"].isna().any()
    written_model.save(tmp_path / "m.synthgan")
    again = load(tmp_path / "m.synthgan")
    pd.testing.assert_frame_equal(again.sample(50, random_state=3), written_model.sample(50, random_state=3))
    for name, read in (("rows.parquet", pd.read_parquet), ("rows.csv", pd.read_csv)):
        again.sample_to(tmp_path / name, 50, random_state=3)
        well_written(read(tmp_path / name))


def test_conditions_ask_for_values(written_model: Synthesizer) -> None:
    rows = written_model.sample(
        40, conditions={"price": (100, "1.000,00"), "day": ("01.06.2021", "2022-01-31"), "clock": ("09:00", None)}
    )
    schema = written_model.schema_
    values = {name: parse_format(schema[name].written).to_values(pa.array(rows[name], pa.string())) for name in WRITTEN}
    assert all(Decimal(100) <= value <= Decimal(1000) for value in values["price"].to_pylist())
    assert all(dt.date(2021, 6, 1) <= value <= dt.date(2022, 1, 31) for value in values["day"].to_pylist())
    assert all(value >= dt.timedelta(hours=9) for value in values["clock"].to_pylist())
    wanted = frame()[["share"]].iloc[40:50]
    assert written_model.sample(conditions=wanted)["share"].tolist() == wanted["share"].tolist()


def test_evaluation_compares_values(written_model: Synthesizer) -> None:
    real, rows = frame(), written_model.sample(300)
    for schema in (None, written_model.schema_):
        scores = evaluate(real, rows, schema=schema, parts=("fidelity",), progress="off")
        assert set(scores.settings["numeric"]) == set(real.columns)
        assert not any("not written as" in note for note in scores.notes)
    rows.loc[:4, "day"] = "tomorrow"
    scores = evaluate(real, rows, parts=("fidelity",), progress="off")
    assert any("'day' of the synthetic table has 5 cells" in note for note in scores.notes)


def test_a_format_can_be_declared_where_none_is_clear() -> None:
    texts = [f"{i % 12 + 1:02}/{i % 11 + 1:02}/2024" for i in range(N)]
    source = open_source(pd.DataFrame({"day": texts}))
    assert infer_schema(source)["day"].kind == "categorical"
    column = infer_schema(source, declared={"columns": {"day": {"written": "%m/%d/%Y"}}})["day"]
    assert (column.kind, column.source, column.arrow_type) == ("date", "declared", "date32[day]")
    bounded = {"written": "%m/%d/%Y", "bounds": ["2024-01-01", "2024-12-31"]}
    assert infer_schema(source, declared={"columns": {"day": bounded}})["day"].bounds is not None
    with pytest.raises(SchemaError, match=r"column 'day'.*no written format"):
        infer_schema(source, declared={"columns": {"day": {"written": "dd/mm/yyyy"}}})
    with pytest.raises(DataError, match=r"column 'day' is declared to be written as '%d\.%m\.%Y'"):
        Synthesizer(schema={"columns": {"day": {"written": "%d.%m.%Y"}}}, progress="off").fit(
            pd.DataFrame({"day": texts})
        )
    with pytest.raises(SchemaError, match="does not go with its type double: leave 'written' out"):
        infer_schema(open_source(frame()), declared={"columns": {"number": {"written": "%d.%m.%Y"}}})
    column = infer_schema(open_source(frame()), declared={"columns": {"number": {"written": "0,00"}}})["number"]
    assert (column.kind, column.arrow_type, column.written) == ("float", "double", "0,00"), "for CSV files"


@pytest.mark.parametrize("facts", ["categorical", {"levels": ["0 %", "1 %"]}, {"text": "drop"}, "identifier"])
def test_what_is_declared_text_stays_text(facts: Any) -> None:
    column = infer_schema(open_source(frame()), declared={"columns": {"share": facts}})["share"]
    assert column.written is None
    assert column.arrow_type in {"string", "large_string"}


def test_a_cell_outside_the_sample_decides_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synthgan.tables.inference.SAMPLE_ROWS", 400)
    texts = [f"{i}.{i % 7}" for i in range(5000)]
    assert infer_schema(open_source(pa.table({"a": texts})))["a"].written == "0.0"
    sample = set(open_source(pa.table({"a": texts})).sample(400)["a"].to_pylist())
    odd = next(i for i, text in enumerate(texts) if text not in sample)
    texts[odd] = "unknown"
    assert infer_schema(open_source(pa.table({"a": texts})))["a"].written is None


@pytest.mark.filterwarnings("ignore::synthgan.errors.SynthganWarning")
def test_a_private_fit_reads_declared_formats_and_finds_none() -> None:
    table = frame()
    table.loc[5, "day"] = "tomorrow"  # an error would tell that the row is there
    schema = {
        "columns": {
            "price": {"written": "#.##0,00", "bounds": ["0", "5000"]},
            "day": {"written": "%d.%m.%Y", "bounds": ["2021-01-01", "2023-12-31"]},
            "share": {"levels": [f"{i} %" for i in range(100)]},
        }
    }
    privacy = Privacy(epsilon=50)
    model = Synthesizer(schema=schema, privacy=privacy, max_steps=2, progress="off", random_state=0, device="cpu")
    model.fit(table[["price", "day", "share", "clock"]])
    kinds = {column.name: (column.kind, column.written) for column in model.schema_.columns}
    assert kinds == {
        "price": ("decimal", "#.##0,00"),
        "day": ("date", "%d.%m.%Y"),
        "share": ("categorical", None),
        "clock": ("categorical", None),
    }
    rows = model.sample(100)
    for name in ("price", "day"):
        assert parse_format(WRITTEN[name][1]).to_values(pa.array(rows[name].dropna(), pa.string())).null_count == 0
    found = schema_to_json(infer_schema(open_source(table[["price"]])))
    with pytest.raises(SchemaError, match=r"'price' \(kind, written\)"):
        Synthesizer(schema=found, privacy=privacy, max_steps=2, progress="off").fit(table[["price"]])


# --- CSV files: read as numbers and times, written as they were ------------------------------------------------------

CSV_CELLS = {
    "price": (lambda i: f"{i * 37 % 500}.{i % 10}0", "double", "0.00"),
    "rough": (lambda i: f"{i / 7:.3g}", "double", None),
    "whole": (lambda i: f"{i * 3}", "int64", None),
    "mixed": (lambda i: f"{i}" if i % 2 else f"{i}.5", "double", None),
    "clock": (lambda i: f"{i % 24:02}:{i % 60:02}", "duration[us]", "%H:%M"),
    "day": (lambda i: f"2024-01-{i % 28 + 1:02}", "date32[day]", None),
    "stamp": (lambda i: f"2024-01-{i % 28 + 1:02}T{i % 24:02}:30", "timestamp[s]", "%Y-%m-%dT%H:%M"),
    "zone": (lambda i: f"2024-01-{i % 28 + 1:02} {i % 24:02}:30-05:00", "timestamp[s, tz=UTC]", "%Y-%m-%d %H:%M-05:00"),
    "german": (lambda i: f"{i % 28 + 1:02}.01.2024", "string", None),
}


def csv_file(folder: Path, n_rows: int = 300, separator: str = ",") -> Path:
    lines = [separator.join(cell(i) for cell, _, _ in CSV_CELLS.values()) for i in range(n_rows)]
    path = folder / "t.csv"
    path.write_text("\n".join([separator.join(CSV_CELLS), *lines]) + "\n")
    return path


def test_a_csv_file_keeps_how_its_cells_are_written(tmp_path: Path) -> None:
    path = csv_file(tmp_path)
    source = open_source(path)
    for name, (_, held, written) in CSV_CELLS.items():
        assert (str(source.arrow_schema.field(name).type), source.written.get(name)) == (held, written), name
    model = Synthesizer(max_steps=2, progress="off", random_state=0, device="cpu").fit(path)
    assert model.schema_["german"].written == "%d.%m.%Y"
    rows = model.sample(30)
    assert rows["price"].dtype == "float64", "in a frame, values are values"
    assert rows["stamp"].dtype.kind == "M"
    model.sample_to(tmp_path / "out.csv", 30, random_state=1)
    texts = pd.read_csv(tmp_path / "out.csv", dtype=str)
    for name, (_, _, written) in CSV_CELLS.items():
        if pattern := written or model.schema_[name].written:
            cells = pa.array(texts[name], pa.string())
            assert parse_format(pattern).to_values(cells).null_count == 0
    again = open_source(tmp_path / "out.csv")
    assert again.arrow_schema.equals(source.arrow_schema)
    later = model.sample(20, conditions={"zone": ("2024-01-15 12:30-05:00", None), "clock": (None, "06:10")})
    assert (later["zone"] >= pd.Timestamp("2024-01-15 17:30", tz="UTC")).all()
    assert all(clock <= dt.time(6, 10) for clock in later["clock"])


def test_a_file_with_decimal_commas_comes_out_with_them(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a;b;n\n" + "".join(f"{i},{i % 10}0;{i / 8:g};{i}\n".replace(".", ",") for i in range(200)))
    form = CsvFormat(decimal=",")
    model = Synthesizer(max_steps=2, progress="off", random_state=0, device="cpu").fit(path, csv_format=form)
    assert [column.kind for column in model.schema_.columns[:2]] == ["float", "float"]
    model.sample_to(tmp_path / "out.csv", 20, csv_format=CsvFormat(separator=";", decimal=","))
    out = open_source(tmp_path / "out.csv", csv_format=form)
    assert [str(field.type) for field in out.arrow_schema][:2] == ["double", "double"]
    assert (tmp_path / "out.csv").read_text().count(";") == 2 * 21

"""What `synthgan fit --epsilon` says, writes and returns is the same for neighbouring files, but for the noise."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import synthgan
from synthgan.fitting import private as private_fit
from synthgan.fitting.receipt import read_receipt, split
from tests.stand_in_mechanisms import ScriptedMechanisms

QUICK = ("--max-steps", "2", "--device", "cpu", "--seed", "1")
KINDS = {
    "income": {"kind": "integer", "bounds": [0, 100_000]},
    "born": "date",
    "colour": {"levels": ["red", "blue"]},
}
HEADER = "who,income,born,colour,note"
ROWS = [f"{10**17 + 16 * (place // 2)},{30_000 + place},2000-01-{1 + place % 28:02},red,x" for place in range(60)]
MORE = {
    "A1: an id that reads as a float": ["1.5,3,2000-01-01,red,x"],
    "A1: an id with an exponent": ["1e3,3,2000-01-01,red,x"],
    "A2: a person called NA": ["NA,3,2000-01-01,red,x"] * 50,
    "A2: rows without a person": [",3,2000-01-01,red,x"] * 50,
    "A4: cents among whole incomes": ["7,31234.56,2000-01-01,red,x"],
    "A4: a row with a cell too many": ["7,3,2000-01-01,red,x,y"],
    "A4: a row with a cell too few": ["7,3,2000-01-01"],
    "A4: a quote that is not closed": ['7,3,2000-01-01,red,"x'],
    "A4: a date that is none": ["7,3,2000-02-31,red,x"],
    "A4: a number beyond all types": ["7,1" + "0" * 400 + ",2000-01-01,red,x"],
    "bytes that are no UTF-8": [b"\xff,3,2000-01-01,\xff,\xfe"],
    "a byte that ends texts": [b"7,3,2000-01-01,\x00,\x00"],
}


def write(path: Path, rows: list[str | bytes]) -> None:
    lines = [row if isinstance(row, bytes) else row.encode() for row in [HEADER, *rows]]
    path.write_bytes(b"\n".join(lines) + b"\n")


def ending(cli: Any, data: Path, folder: Path, *options: object) -> tuple[Any, ...]:
    """All that a fit lets a bystander see: exit code, texts without the time it took, file names, the model."""
    model = folder / "model.synthgan"
    outcome = cli("fit", data, "-o", model, *options, *QUICK, "--force")
    texts = [re.sub(r"in [\d.]+ s\.", "in a while.", text) for text in (outcome.out, outcome.err)]
    names = sorted(path.name for path in folder.iterdir())
    return outcome.code, *texts, names, model.read_bytes() if model.exists() else b""


@pytest.mark.parametrize("unit", [(), ("--unit", "who")], ids=["rows", "persons"])
@pytest.mark.parametrize("case", MORE)
def test_neighbouring_csv_files_end_alike(
    cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str, unit: tuple[str, ...]
) -> None:
    monkeypatch.setattr(private_fit, "Mechanisms", ScriptedMechanisms)
    data, schema, folder = tmp_path / "people.csv", tmp_path / "public.json", tmp_path / "out"
    folder.mkdir()
    schema.write_text(json.dumps({"columns": KINDS}))
    ends = []
    for rows in (ROWS, [*ROWS[:20], *MORE[case], *ROWS[20:]]):
        write(data, rows)
        ends.append(ending(cli, data, folder, "--epsilon", 1, "--schema", schema, *unit))
    assert ends[0][0] == 0, ends[0][2]
    assert ends[0] == ends[1]


def test_many_rows_of_one_person_move_the_count_by_noise_alone(tmp_path: Path) -> None:
    """Persons spelled like missing values; the noise's standard deviation is below 5, and 500 rows would show."""
    counts = []
    for more in ([], ["NA,3,2000-01-01,red,x"] * 500, ["1.5,3,2000-01-01,red,x"], [",3,2000-01-01,red,x"] * 500):
        data = tmp_path / "people.csv"
        ids = [f"{10**17 + place},{place},2000-01-01,red,x" for place in range(300)]
        write(data, [*ids, *more])
        privacy = synthgan.Privacy(40.0, unit="who")
        made = synthgan.Synthesizer(
            privacy=privacy, schema={"columns": KINDS}, max_steps=1, device="cpu", progress="off"
        ).fit(data)
        counts.append(made.n_rows_)
    assert np.ptp(counts) < 100, counts
    assert abs(counts[0] - 300) < 100


def test_no_reason_of_a_schema_file_reaches_the_model(cli: Any, tmp_path: Path) -> None:
    """Not even that of a file whose sources were all set to "declared", as the message advises."""
    data, schema = tmp_path / "people.csv", tmp_path / "schema.json"
    write(data, ROWS)
    assert cli("schema", data, "-o", schema).code == 0
    content = json.loads(schema.read_text())
    for column in content["columns"]:
        assert not re.search(r"\d{2,}", column["reason"].replace("int64", "").replace("date32", "")), column
        column["source"] = "declared"
        column["reason"] = "58213 distinct in 58213 rows"
    schema.write_text(json.dumps(content))
    model = tmp_path / "model.synthgan"
    outcome = cli("fit", data, "-o", model, "--schema", schema, "--epsilon", 1, *QUICK)
    assert outcome.code == 0, outcome.err
    reasons = {column.reason for column in synthgan.load(model).schema_.columns}
    assert reasons == {"declared"}


def test_a_date_with_a_time_of_day_is_not_quoted(cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private_fit, "Mechanisms", ScriptedMechanisms)
    data, folder = tmp_path / "dates.parquet", tmp_path / "out"
    folder.mkdir()
    ends = []
    for more in ([], [86_400_000 * 11_000 + 1234]):
        days = pa.array([86_400_000 * day for day in range(50)] + more, pa.int64()).cast(pa.date64())
        pq.write_table(pa.table({"born": days}), data)
        ends.append(ending(cli, data, folder, "--epsilon", 1))
    assert ends[0][0] == 0, ends[0][2]
    assert ends[0] == ends[1]


@pytest.mark.parametrize("named", [(), ("--unit", "row")])
def test_a_column_called_row_needs_another_name(cli: Any, tmp_path: Path, named: tuple[str, ...]) -> None:
    data, ledger = tmp_path / "t.csv", tmp_path / "fits.json"
    data.write_text("row,x\n1,2\n")
    outcome = cli("fit", data, "-o", tmp_path / "m.synthgan", "--epsilon", 1, "--ledger", ledger, *named, *QUICK)
    assert outcome.code == 2
    assert "has a column called 'row'" in re.sub(r"\s+", " ", outcome.err)
    assert "rename the column" in re.sub(r"\s+", " ", outcome.err)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.csv"]  # nothing reserved, nothing half written


def test_floats_cannot_name_persons(cli: Any, tmp_path: Path) -> None:
    data = tmp_path / "t.parquet"
    pd.DataFrame({"who": [1.0, None], "x": [1, 2]}).to_parquet(data)
    outcome = cli("fit", data, "-o", tmp_path / "m.synthgan", "--epsilon", 1, "--unit", "who", *QUICK)
    assert outcome.code == 3
    assert "floats cannot name persons" in re.sub(r"\s+", " ", outcome.err)


def test_the_receipt_tells_the_rows_as_the_fit_read_them(cli: Any, tmp_path: Path) -> None:
    """Types that are declared, persons as text, and rows without a person on neither side."""
    data, schema, model = tmp_path / "people.csv", tmp_path / "public.json", tmp_path / "m.synthgan"
    write(data, [*ROWS, ",3,2000-01-01,red,x", "NA,3.5,2000-01-01,red,x"])
    schema.write_text(json.dumps({"columns": KINDS}))
    options = ["--epsilon", 1, "--schema", schema, "--unit", "who", "--holdout", 0.3]
    outcome = cli("fit", data, "-o", model, *options, *QUICK)
    assert outcome.code == 0, outcome.err
    assert "text where nothing is declared: 1 column ('note')" in re.sub(r"\s+", " ", outcome.err)
    receipt = read_receipt(tmp_path / "m.receipt.json", model=model)
    assert receipt.n_rows == 62
    assert receipt.n_training + receipt.n_holdout == 61
    training, holdout = split(data, receipt)
    frames = [side.to_frame() for side in (training, holdout)]
    persons = [set(frame["who"]) for frame in frames]
    assert not persons[0] & persons[1]
    assert len(persons[0] | persons[1]) == 31
    both = pd.concat(frames)
    assert str(both["income"].dtype) in ("Int64", "int64", "float64")
    assert both.loc[both["who"] == "NA", "income"].isna().all()

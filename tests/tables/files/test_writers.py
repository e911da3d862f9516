"""Table files are whole or absent, never overwrite by accident, and read back as they were written."""

from __future__ import annotations

import datetime as dt
import errno
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from synthgan.errors import OutputError
from synthgan.tables.files import writers
from synthgan.tables.files.csv_format import CsvFormat
from synthgan.tables.files.outputs import atomic_path, check_output, make_folder
from synthgan.tables.files.writers import check_table_output, open_writer
from synthgan.tables.sources.open import open_source

TABLE = pa.table({"x": pa.array([1, None, 3]), "name": pa.array(["a", "", None])})


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


def read(path):
    return pq.read_table(path) if path.suffix in (".parquet", ".pq") else pa_csv.read_csv(path)


@pytest.mark.parametrize("name", ["t.parquet", "t.pq", "t.csv", "t.csv.gz", "T.CSV", "t.v2.Parquet"])
def test_batches_read_back(tmp_path, name):
    path = tmp_path / name
    with open_writer(path, TABLE.schema) as writer:
        writer.write(TABLE.slice(0, 2))
        writer.write(TABLE.slice(2).to_batches()[0])
        assert listing(tmp_path) != [name]  # nothing under the final name yet
    assert writer.n_rows == 3
    assert listing(tmp_path) == [name]
    frame = pd.read_parquet(path) if "csv" not in name.lower() else pd.read_csv(path)
    assert frame["x"].tolist()[0::2] == [1.0, 3.0]
    assert frame["x"].isna().tolist() == [False, True, False]
    assert frame["name"][0] == "a"


def test_parquet_says_that_it_is_synthetic_and_keeps_the_types(tmp_path):
    table = TABLE.replace_schema_metadata({"pandas": "{}"})
    with open_writer(tmp_path / "t.parquet", table.schema, metadata={"synthgan.guarantee": "none"}) as writer:
        writer.write(table)
    back = pq.read_table(tmp_path / "t.parquet")
    assert back.replace_schema_metadata(None).equals(TABLE)
    assert back.schema.metadata == {b"pandas": b"{}", b"synthgan": b"synthetic", b"synthgan.guarantee": b"none"}


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.csv.gz"])
def test_no_rows_is_a_file_with_columns(tmp_path, name):
    with open_writer(tmp_path / name, TABLE.schema):
        pass
    assert read(tmp_path / name).column_names == ["x", "name"]
    assert read(tmp_path / name).num_rows == 0


def test_the_same_rows_give_the_same_bytes(tmp_path):
    for name in ("t.parquet", "t.csv", "t.csv.gz"):
        for run in ("one", "two"):
            make_folder(tmp_path / run)
            with open_writer(tmp_path / run / name, TABLE.schema) as writer:
                writer.write(TABLE)
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_csv_text_by_hand(tmp_path):
    table = pa.table(
        {
            'a"b,c': pa.array(["x,y", '"q"\n', "", None]),
            "took": pa.array([dt.timedelta(days=1, hours=2), None, dt.timedelta(0), dt.timedelta(seconds=-1)]),
            "when": pa.array([dt.datetime(2024, 2, 29, 1, 2, 3), None, None, None], pa.timestamp("s")),
            "price": pa.array([Decimal("1.10"), None, None, None], pa.decimal128(5, 2)),
            "kind": pa.array(["u", None, "v", "u"]).dictionary_encode(),
            "view": pa.array(["u", None, "v", "u"], pa.string_view()),
            "ok": pa.array([True, None, False, True]),
        }
    )
    with open_writer(tmp_path / "t.csv", table.schema) as writer:
        writer.write(table)
    assert (tmp_path / "t.csv").read_text() == (
        '"a""b,c","took","when","price","kind","view","ok"\n'
        '"x,y","1 days 02:00:00",2024-02-29 01:02:03,1.10,"u","u",true\n'
        '"""q""\n",,,,,,\n'
        '"","0 days 00:00:00",,,"v","v",false\n'
        ',"-1 days +23:59:59",,,"u","u",true\n'
    )


def test_a_lone_column_keeps_its_missing_rows_in_csv(tmp_path):
    table = pa.table({"x": pa.array([1.5, None, 3.0])})
    with open_writer(tmp_path / "t.csv", table.schema) as writer:
        writer.write(table)
    frame = pd.read_csv(tmp_path / "t.csv")
    assert frame["x"].isna().tolist() == [False, True, False]
    assert frame["x"].dropna().tolist() == [1.5, 3.0]


def test_rows_are_cast_to_the_declared_columns(tmp_path):
    schema = pa.schema([("name", pa.large_string()), ("x", pa.float64())])
    with open_writer(tmp_path / "t.parquet", schema) as writer:
        writer.write(TABLE)
    assert pq.read_schema(tmp_path / "t.parquet").remove_metadata() == schema


@pytest.mark.parametrize("name", ["t.parquet", "t.csv"])
@pytest.mark.parametrize("error", [RuntimeError("stop"), KeyboardInterrupt()])
def test_an_interrupted_write_leaves_nothing(tmp_path, name, error):
    with pytest.raises(type(error)), open_writer(tmp_path / name, TABLE.schema) as writer:
        writer.write(TABLE)
        raise error
    assert listing(tmp_path) == []


def test_an_existing_file_stays_without_force_and_is_kept_when_force_fails(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("precious")
    with pytest.raises(OutputError, match=r"exists already.*force"), open_writer(path, TABLE.schema):
        pytest.fail("the block must not run")
    with pytest.raises(OutputError, match="exists already"), atomic_path(path):
        pytest.fail("the block must not run")
    with pytest.raises(RuntimeError), open_writer(path, TABLE.schema, force=True) as writer:
        writer.write(TABLE)
        raise RuntimeError
    assert path.read_text() == "precious"
    with open_writer(path, TABLE.schema, force=True):
        pass
    assert path.read_text() == '"x","name"\n'
    assert listing(tmp_path) == ["t.csv"]


@pytest.mark.parametrize("name", ["t", "t.xlsx", "t.csv.bz2", "parquet"])
def test_unknown_suffixes(tmp_path, name):
    with pytest.raises(OutputError, match=r"\.parquet, \.pq, \.csv, \.csv\.gz, \.tsv"):
        open_writer(tmp_path / name, TABLE.schema)
    with pytest.raises(OutputError, match="suffix"):
        check_table_output(tmp_path / name)
    check_table_output(tmp_path / "t.csv")


def test_a_read_only_folder(tmp_path, monkeypatch):
    if os.geteuid() == 0:  # nothing is read-only for root: let the system calls say what they would say to others

        def forbid(*_, **__):
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr(writers.os, "access", lambda *_: False)
        with pytest.raises(OutputError, match="no permission"):
            check_output(tmp_path / "t.csv")
        monkeypatch.setattr(writers.os, "access", lambda *_: True)
        monkeypatch.setattr(writers.os, "open", forbid)
    else:
        tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="no permission"), open_writer(tmp_path / "t.csv", TABLE.schema):
        pytest.fail("the block must not run")
    tmp_path.chmod(0o700)
    assert listing(tmp_path) == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_in_the_block_or_at_the_end(tmp_path, monkeypatch, number):
    with pytest.raises(OutputError, match="disk or quota is full") as caught, atomic_path(tmp_path / "t"):
        raise OSError(number, os.strerror(number))
    assert caught.value.exit_code == 6

    def full(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with (
        pytest.raises(OutputError, match="disk or quota is full"),
        open_writer(tmp_path / "t.csv", TABLE.schema) as writer,
    ):
        writer.write(TABLE)
    assert listing(tmp_path) == []


FILL_THE_DISK = """
import resource, sys
import numpy as np, pyarrow as pa
from synthgan.errors import OutputError
from synthgan.tables.files.writers import open_writer

table = pa.table({"x": np.random.default_rng(0).random(100_000)})
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    with open_writer(sys.argv[1], table.schema) as writer:
        for _ in range(5):
            writer.write(table)
except OutputError as error:
    print(error)
"""


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.csv.gz"])
def test_a_disk_that_fills_up_in_reality(tmp_path, name):
    pytest.importorskip("resource")
    done = subprocess.run(
        [sys.executable, "-c", FILL_THE_DISK, str(tmp_path / name)], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(Path(writers.__file__).parents[3])},
    )  # fmt: skip
    assert "disk or quota is full" in done.stdout
    assert done.stderr == ""
    assert listing(tmp_path) == []


def test_csv_files_as_other_programs_want_them(tmp_path):
    table = pa.table({"größe": [1.5, None, -0.25], "wo": ["Köln", "a;b", None], "n": [1, 2, 3]})
    form = CsvFormat(encoding="latin-1", separator=";", decimal=",")
    for name in ("t.csv", "t.csv.gz"):
        with open_writer(tmp_path / name, table.schema, csv_format=form) as writer:
            writer.write(table)
        back = open_source(tmp_path / name, csv_format=form)
        assert back.read().to_pydict() == table.to_pydict()
    assert (tmp_path / "t.csv").read_bytes().decode("latin-1").splitlines()[1] == '"1,5";"Köln";1'
    with open_writer(tmp_path / "t.tsv", table.schema) as writer:
        writer.write(table)
    assert open_source(tmp_path / "t.tsv").read().to_pydict() == table.to_pydict()
    assert pd.read_csv(tmp_path / "t.tsv", sep="\t")["n"].tolist() == [1, 2, 3]


def test_characters_that_an_encoding_lacks_are_refused_and_leave_no_file(tmp_path):
    table = pa.table({"a": ["Łódź", "x"]})
    with (
        pytest.raises(OutputError, match="characters that the encoding iso8859-1 does not have") as caught,
        open_writer(tmp_path / "t.csv", table.schema, csv_format=CsvFormat(encoding="latin-1")) as writer,
    ):
        writer.write(table)
    assert "Łódź" not in str(caught.value)
    assert listing(tmp_path) == []

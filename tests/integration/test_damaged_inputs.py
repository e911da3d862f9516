"""Files and words that are damaged, hostile or odd: each a sentence with its exit code, or read as it was meant."""

from __future__ import annotations

import errno
import json
import os
import time
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import synthgan
from synthgan import Synthesizer
from synthgan.cli.main import run
from synthgan.errors import (
    ConditionError,
    DataError,
    ModelFileError,
    OutputError,
    PolicyError,
    PrivacyError,
    SchemaError,
    SettingsError,
    SourceError,
    SynthganWarning,
)
from synthgan.model import archive as model_archive
from synthgan.privacy.account.shared_file import LedgerFile
from synthgan.review.policy_file import parse_policy
from synthgan.tables.conditions.predicates import parse_where
from synthgan.tables.files.csv_format import CsvFormat
from synthgan.tables.frames.frames import to_frame
from synthgan.tables.inference import infer_schema
from synthgan.tables.reading.reading import Reading
from synthgan.tables.schema.schema import ColumnSchema, TableSchema
from synthgan.tables.schema.schema_file import read_schema, schema_from_json
from synthgan.tables.sources.open import open_source
from tests.altered_models import rewrite

ROWS = pa.table({"a": pa.array([1, 2, 3], pa.int8()), "b": ["x", "y", "z"]})


@pytest.mark.parametrize(
    "notes",
    [
        b"no JSON",
        b"\xff\xfe",
        b"[]",
        b"7",
        b'{"columns": [7], "index_columns": [], "column_indexes": []}',
        b'{"index_columns": ["nothing"], "columns": [{"name": "a", "pandas_type": "x", "numpy_type": "y"}]}',
        b'{"index_columns": [], "column_indexes": [], "columns": [{"name": "a", "field_name": "a", "pandas_type": '
        b'"datetimetz", "numpy_type": "datetime64[ns]", "metadata": {"timezone": "Mars/Phobos"}}]}',
    ],
    ids=range(7),
)
def test_damaged_notes_of_pandas_are_said_and_not_used(tmp_path: Path, notes: bytes) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(ROWS.replace_schema_metadata({b"pandas": notes}), path)
    try:
        frame = open_source(path).to_frame()
    except SynthganWarning:  # an error, in these tests
        with pytest.warns(SynthganWarning, match="what pandas noted"):
            frame = open_source(path).to_frame()
    assert frame["a"].tolist() == [1, 2, 3]
    assert run(["schema", str(path), "-o", str(tmp_path / "schema.json")]) == 0


def test_a_time_zone_that_nobody_knows(tmp_path: Path) -> None:
    moments = pa.array([0, 1, 2], pa.timestamp("us", tz="Mars/Phobos"))
    pq.write_table(pa.table({"seen": moments}), tmp_path / "rows.parquet")
    for data in (tmp_path / "rows.parquet", pa.table({"seen": moments})):
        with pytest.raises(DataError, match="column 'seen' has the time zone 'Mars/Phobos', which is not known"):
            open_source(data)
    for known in ("UTC", "Europe/Berlin", "+02:00"):
        open_source(pa.table({"seen": pa.array([0, 1, 2], pa.timestamp("us", tz=known))}))
    with pytest.raises(SchemaError, match="not known"):
        schema_from_json({"columns": [{"name": "a", "kind": "datetime", "arrow_type": "timestamp[us, tz=Mars]"}]})


def test_a_header_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes("größe,b\n1,2\n3,4\n".encode("latin-1"))
    with pytest.raises(SourceError, match="not UTF-8"):
        open_source(path)


def column(**facts: object) -> dict[str, object]:
    return {"columns": [{"name": "a", "kind": "integer", "arrow_type": "int8", **facts}]}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"columns": {}, "constraints": [{"rule": ["order"]}]}, "'rule' .* must be text"),
        ({"columns": {}, "constraints": [{"rule": {}}]}, "'rule' .* must be text"),
        (column(pandas_dtype="mars64"), "pandas_dtype 'mars64' of column 'a'"),
        (column(pandas_dtype="ArrowDtype(mars)"), "pandas_dtype"),
        (column(pandas_dtype="timedelta64[99999999999999999999s]"), "pandas_dtype"),
        (column(stored_type="mars64"), "unknown Arrow type 'mars64'"),
        (column(stored_type="dictionary<values=" * 5_000), "unknown Arrow type"),
        (column(bounds=[0, 10**30]), "a whole number that int8 can hold"),
        (column(bounds=[0, 1_000]), "a whole number that int8 can hold"),
        (column(bounds=[0, 10**400]), "a whole number that int8 can hold"),
        (column(bounds=[[], {}]), "a whole number"),
        (column(granularity=10**400), "granularity"),
        (column(arrow_type="double", kind="float", bounds=[0, 10**400]), "a finite number"),
        (column(arrow_type="decimal128(4, 2)", kind="decimal", bounds=["0", "1e999999"]), "a finite decimal"),
        (column(arrow_type="decimal128(400, 2)"), "unknown Arrow type"),
        (column(label={"datetime": 10**300}), "a column label"),
        (column(label={"tuple": [[1]]}), "a column label"),
        (column(kind="x" * 10**6), "unknown kind"),
    ],
    ids=range(18),
)
def test_schemas_that_make_no_sense(content: dict[str, object], says: str) -> None:
    began = time.process_time()
    with pytest.raises(SchemaError, match=says) as error:
        schema_from_json(content)
    assert len(str(error.value)) < 1_000
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"columns": {"a": {"bounds": [0, ' + "1" * 5_000 + "]}}}", "too large"),
        ('{"columns": {"a": "integer", "b": "text", "a": "float"}}', "names the key 'a' twice"),
        ('{"columns": {"\\ud800": "integer"}}', "surrogate"),
    ],
)
def test_schema_files_that_are_no_strict_json(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "schema.json"
    path.write_text(text)
    with pytest.raises(SchemaError, match=says):
        read_schema(path)


def test_a_schema_from_an_editor_that_marks_byte_order(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(column()).encode())
    assert read_schema(path).names == ("a",)


@pytest.mark.parametrize("epsilon", ["1" + "0" * 400, "1" * 5_000, "1e400", "NaN", '"1"', "[]", "true"])
def test_ledgers_with_odd_numbers(tmp_path: Path, epsilon: str) -> None:
    path = tmp_path / "ledger.json"
    LedgerFile(path).reserve(1.0, 1e-6)
    path.write_text(path.read_text().replace('"epsilon": 1.0', f'"epsilon": {epsilon}'))
    with pytest.raises(PrivacyError, match="no whole ledger file"):
        LedgerFile(path).read()
    with pytest.raises(PrivacyError, match="no whole ledger file"):
        LedgerFile(path).reserve(1.0, 1e-6)


@pytest.mark.parametrize(
    "text",
    ["a." * 400_000 + "a = 1", "[" + "a." * 400_000 + "a]", "x = {" + "a." * 400_000 + "a = 1}", "x = " + "[" * 10**6],
)
def test_policies_that_would_take_all_memory(text: str) -> None:
    began = time.process_time()
    with pytest.raises(PolicyError, match="nested too deeply"):
        parse_policy(text)
    assert time.process_time() - began < 2


def test_dots_in_the_words_of_a_policy_are_fine() -> None:
    gate = {"name": "g", "score": "shape", "at_most": 5, "reason": "see page " + "." * 80 + " 7"}
    text = "format = 'synthgan-policy'\nversion = 1\n[[gates]]\n" + "\n".join(f"{k} = {v!r}" for k, v in gate.items())
    assert parse_policy(text).gates[0].reason.endswith(". 7")


def test_an_epsilon_beyond_all_bounds() -> None:
    with pytest.raises(SettingsError, match="epsilon must be a finite number"):
        synthgan.Privacy(10**400)


def test_a_condition_that_is_no_text() -> None:
    schema = TableSchema(columns=(ColumnSchema(name="a", kind="categorical", arrow_type="string"),))
    with pytest.raises(ConditionError, match="condition number 1 holds half of a surrogate pair"):
        parse_where(["a=\ud800"], schema)


def _with_axis(content: bytes, **changes: object) -> bytes:
    codec = json.loads(content)
    for fitted in codec["columns"]:
        if "axis" in fitted:
            fitted["axis"].update(changes)
    return json.dumps(codec).encode()


@pytest.mark.parametrize(
    "changes", [{"step": 1e308}, {"step": 10**30}, {"step": None}, {"decimals": "x"}, {"arrow_type": "mars64"}]
)
def test_models_with_odd_axes(model_file: Path, tmp_path: Path, changes: dict[str, object]) -> None:
    altered = rewrite(model_file, tmp_path / "m.synthgan", {"codec.json": lambda old: _with_axis(old, **changes)})
    with pytest.raises(ModelFileError, match=r"m\.synthgan"):
        synthgan.load(altered)


def test_models_with_odd_dtypes(model_file: Path, tmp_path: Path) -> None:
    def change(old: bytes) -> bytes:
        return old.replace(b'"pandas_dtype":"int64"', b'"pandas_dtype":"int65"')

    altered = rewrite(model_file, tmp_path / "m.synthgan", {"schema.json": change})
    with pytest.raises(ModelFileError, match=r"m\.synthgan"):
        synthgan.load(altered)


@pytest.mark.skipif(os.name != "posix", reason="limits as POSIX has them")
def test_a_full_disk_while_a_checkpoint_is_written(adult: pd.DataFrame, tmp_path: Path) -> None:
    import resource
    import signal

    path = tmp_path / "fit.checkpoint"
    synthesizer = synthgan.Synthesizer(max_steps=3, random_state=0, device="cpu", progress="off")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(OutputError, match=r"cannot write '.*fit\.checkpoint': the disk or quota is full"):
            synthesizer.fit(adult, checkpoint=path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert not list(tmp_path.iterdir())


def test_files_whose_names_are_any_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files that Arrow reads and writes need a name that is text; all others may have any."""
    data = tmp_path / "rows.csv"
    # Equal rows are held out together: of two different ones both would be, once in twenty-five runs.
    data.write_text("a,b\n" + "".join(f"{i},{'xy'[i % 2]}\n" for i in range(40)))
    try:
        odd = tmp_path / "\udcff\x1b[31m"
        odd.mkdir()
        (odd / "rows.csv").write_text(data.read_text())
    except OSError:
        pytest.skip("this file system has text for names")
    model, schema = odd / "m\udcfe.synthgan", odd / "schema\udcfe.json"
    few = ["--max-steps", "2", "--device", "cpu", "--checkpoint", str(odd / "c")]
    cases: list[tuple[int, list[str]]] = [
        (0, ["schema", str(data), "-o", str(schema)]),
        (0, ["fit", str(data), "--schema", str(schema), "-o", str(model), "--holdout", "0.2", *few]),
        (0, ["inspect", str(model)]),
        (0, ["inspect", "--json", str(model)]),
        (0, ["sample", str(model), "-n", "5", "-o", str(tmp_path / "out.csv")]),
        (3, ["schema", str(odd / "rows.csv")]),
        (3, ["schema", str(odd)]),
        (3, ["review", str(model), "--data", str(odd / "rows.csv"), "-o", str(tmp_path / "bundle")]),
        (6, ["review", str(model), "--data", str(data), "-o", str(odd / "bundle")]),
        (6, ["sample", str(model), "-n", "5", "-o", str(odd / "out.csv")]),
        (6, ["sample", str(model), "-n", "5", "-o", str(odd / "out.parquet")]),
    ]
    for code, words in cases:
        assert run(words) == code, (words, capsys.readouterr().err)
        shown = capsys.readouterr()
        assert "\x1b" not in shown.out + shown.err
        assert code == 0 or len(shown.err.splitlines()) == 1


def test_decimals_in_bounds_stay() -> None:
    content = column(arrow_type="decimal128(6, 2)", kind="decimal", bounds=["0.005", "12.5"])
    bounds = schema_from_json(content).columns[0].bounds
    assert bounds is not None
    assert (bounds.lower, bounds.upper) == (Decimal("0.005"), Decimal("12.5"))
    assert to_frame(pa.table({"a": pa.array([], pa.decimal128(6, 2))}), schema_from_json(content)).shape == (0, 1)
    assert np.isfinite(float(bounds.upper))


# --- Text that is none, files that cannot be read, links that lead nowhere ------------------------------------------


def not_utf8(*, dictionary: bool) -> pa.Array:
    words = pa.array([b"\xff\xfecanary", b"b"] if dictionary else [b"\xff\xfecanary", b"b"] * 20, pa.binary())
    text = pa.Array.from_buffers(pa.string(), len(words), words.buffers())
    return pa.DictionaryArray.from_arrays(pa.array([0, 1] * 20, pa.int32()), text) if dictionary else text


@pytest.mark.parametrize("dictionary", [False, True])
def test_text_whose_bytes_are_no_utf8(tmp_path: Path, capsys: pytest.CaptureFixture[str], *, dictionary: bool) -> None:
    path = tmp_path / "rows.parquet"
    table = pa.table({"word": not_utf8(dictionary=dictionary), "n": range(40)})
    pq.write_table(table, path)
    for words in (["schema", str(path)], ["fit", str(path), "-o", str(tmp_path / "m.synthgan"), "--device", "cpu"]):
        assert run(words) == 3
        shown = capsys.readouterr().err
        assert "canary" not in shown
        assert not (tmp_path / "m.synthgan").exists()
    if not dictionary:  # Arrow itself refuses to read those
        assert "column 'word'" in shown
        with pytest.raises(DataError, match="column 'word' of the Arrow table holds text with bytes that are no UTF-8"):
            infer_schema(open_source(table))
    # A private fit says nothing of what a single row holds.
    reading = Reading(private=True)
    assert open_source(path, reading=reading).read()["word"].to_pylist()[0] == "\\xff\\xfecanary"


@pytest.mark.parametrize("encoding", ["idna", "punycode"])
def test_codecs_of_names_are_no_encodings(encoding: str) -> None:
    with pytest.raises(SettingsError, match="is not known"):
        CsvFormat(encoding=encoding)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_a_file_without_the_byte_order_mark_of_its_encoding(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n1,2\n3,4\n")
    with pytest.raises(SourceError, match="text: name its encoding with --encoding"):
        open_source(path, csv_format=CsvFormat(encoding=encoding))


def test_a_link_that_leads_back_to_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, loop = tmp_path / "rows.csv", tmp_path / "loop"
    rows.write_text("a,b\n" + "1,x\n2,y\n" * 20)
    loop.symlink_to(loop)
    for words in (
        ["schema", rows, "-o", loop],
        ["schema", rows, "-o", loop / "s.json", "--force"],
        ["fit", rows, "-o", loop, "--force", "--max-steps", "1"],
    ):
        assert run([str(word) for word in words]) == 6
        assert capsys.readouterr().err.startswith("Error: ")
    assert loop.is_symlink()


def test_a_model_on_a_disk_that_fails(model_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(stream: object) -> None:
        raise OSError(errno.EIO, "")

    monkeypatch.setattr(model_archive, "_ends", fails)
    with pytest.raises(ModelFileError, match="cannot be read: input/output error"):
        synthgan.load(model_file)


def test_more_rows_than_any_disk_holds(model_file: Path, tmp_path: Path) -> None:
    assert run(["sample", str(model_file), "-n", str(10**30), "-o", str(tmp_path / "rows.csv")]) == 2
    assert not list(tmp_path.iterdir())


def test_infinite_numbers_that_are_levels_are_kept_in_the_file(tmp_path: Path) -> None:
    table = pd.DataFrame({"far": [np.inf] * 40, "side": pd.Categorical([1.5, -np.inf] * 20), "n": range(40)})
    path = Synthesizer(max_steps=1, device="cpu", progress="off").fit(table).save(tmp_path / "m.synthgan")
    rows = synthgan.load(path).sample(20, random_state=0)
    assert (rows["far"] == np.inf).all()
    assert set(rows["side"]) <= {1.5, -np.inf}
    assert list(rows["side"].dtype.categories) == list(table["side"].dtype.categories)


def test_an_offset_of_text(tmp_path: Path) -> None:
    rows = pa.table({"word": ["a", "b"] * 20, "n": range(40)})
    with pytest.raises(SchemaError, match="the column holds string: leave it out"):
        infer_schema(open_source(rows), declared={"columns": {"word": {"offset": "a"}}})


@pytest.mark.skipif(os.name != "posix", reason="elsewhere a folder that is in use cannot be deleted")
def test_a_working_folder_that_was_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, gone = tmp_path / "rows.csv", tmp_path / "gone"
    rows.write_text("a,b\n" + "1,x\n2,y\n" * 20)
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert run(["schema", str(rows), "-o", "schema.json"]) == 6

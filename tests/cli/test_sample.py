"""``synthgan sample`` end to end, and what it refuses."""

from __future__ import annotations

import pickle
import shutil
import zipfile
from pathlib import Path

import pandas as pd
import pytest

pytestmark = pytest.mark.filterwarnings("ignore::synthgan.SynthganWarning")  # 20 steps support few conditions


def test_rows_are_written_and_the_summary_says_where(cli, model_file: Path, tmp_path: Path) -> None:
    output = tmp_path / "synthetic.parquet"
    outcome = cli("sample", model_file, "-n", 200, "-o", output, "--seed", 5)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("Wrote 200 synthetic rows")
    assert str(output) in outcome.out
    assert "\x1b" not in outcome.out
    rows = pd.read_parquet(output)
    assert len(rows) == 200
    assert [entry.name for entry in tmp_path.iterdir()] == [output.name]


def test_the_same_seed_writes_the_same_rows_as_python(cli, fitted, model_file: Path, tmp_path: Path) -> None:
    assert cli("sample", model_file, "-n", 100, "-o", tmp_path / "a.parquet", "--seed", 5).code == 0
    assert cli("sample", model_file, "-n", 100, "-o", tmp_path / "b.parquet", "--seed", 5).code == 0
    a, b = pd.read_parquet(tmp_path / "a.parquet"), pd.read_parquet(tmp_path / "b.parquet")
    pd.testing.assert_frame_equal(a, b)
    pd.testing.assert_frame_equal(a, fitted.sample(100, random_state=5))
    assert cli("sample", model_file, "-n", 100, "-o", tmp_path / "c.parquet", "--seed", 6).code == 0
    assert not pd.read_parquet(tmp_path / "c.parquet").equals(a)


@pytest.mark.parametrize("name", ["rows.csv", "rows.csv.gz"])
def test_csv(cli, model_file: Path, tmp_path: Path, name: str) -> None:
    assert cli("sample", model_file, "-n", 50, "-o", tmp_path / name).code == 0
    assert pd.read_csv(tmp_path / name).shape == (50, 15)


def test_conditions_hold_in_every_row(cli, model_file: Path, tmp_path: Path) -> None:
    output = tmp_path / "rows.parquet"
    wheres = ["income=>50K", "age=40..60", "sex=Male|Female", "workclass=Private|missing()"]
    options = [word for where in wheres for word in ("--where", where)]
    outcome = cli("sample", model_file, "-n", 60, "-o", output, *options)
    assert outcome.code == 0, outcome.err
    rows = pd.read_parquet(output)
    assert len(rows) == 60
    assert (rows["income"] == ">50K").all()
    assert rows["age"].between(40, 60).all()
    assert (rows["workclass"].isna() | (rows["workclass"] == "Private")).all()
    assert "effective sample" in outcome.out


def test_a_table_of_conditions_gives_one_row_each(cli, adult: pd.DataFrame, model_file: Path, tmp_path: Path) -> None:
    wanted = adult[["sex", "income"]].head(40)
    for name in ("wanted.parquet", "wanted.csv"):
        path = tmp_path / name
        wanted.to_parquet(path) if path.suffix == ".parquet" else wanted.to_csv(path, index=False)
        outcome = cli("sample", model_file, "-o", tmp_path / "rows.parquet", "--like", path, "--force")
        assert outcome.code == 0, outcome.err
        rows = pd.read_parquet(tmp_path / "rows.parquet")
        assert rows["sex"].tolist() == wanted["sex"].tolist()
        assert rows["income"].tolist() == wanted["income"].tolist()


def test_a_table_of_one_condition(cli, adult: pd.DataFrame, model_file: Path, tmp_path: Path) -> None:
    adult[["sex"]].head(1).to_csv(tmp_path / "one.csv", index=False)
    outcome = cli("sample", model_file, "-o", tmp_path / "rows.parquet", "--like", tmp_path / "one.csv")
    assert outcome.code == 0, outcome.err
    assert len(pd.read_parquet(tmp_path / "rows.parquet")) == 1


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        ([], 2, "-n"),
        (["-n", "0"], 2, "n_rows"),
        (["-n", "-5"], 2, "n_rows"),
        (["-n", "many"], 2, "-n"),
        (["-n", "5", "--like", "x.parquet"], 2, "--like"),
        (["--like", "x.parquet", "--where", "age=5"], 2, "--where"),
        (["--like", "missing.parquet"], 3, "missing.parquet"),
        (["-n", "5", "--where", "incme=>50K"], 4, "did you mean 'income'"),
        (["-n", "5", "--where", "income"], 4, "'='"),
        (["-n", "5", "--where", "income=plenty"], 4, "income"),
        (["-n", "5", "--where", "age=80..60"], 4, "age"),
        (["-n", "5", "--where", "age=forty"], 4, "age"),
        (["-n", "5", "--where", "age=4000.."], 4, "age"),
        (["-n", "5", "--where", "age=missing()"], 4, "age"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_refusals(cli, model_file: Path, tmp_path: Path, options: list[str], code: int, says: str) -> None:
    outcome = cli("sample", model_file, "-o", tmp_path / "rows.parquet", *options)
    assert outcome.code == code, outcome.err
    assert says in outcome.err
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    assert not list(tmp_path.iterdir())


def test_levels_of_the_table_are_not_quoted_in_errors(
    cli, adult: pd.DataFrame, model_file: Path, tmp_path: Path
) -> None:
    outcome = cli("sample", model_file, "-n", 5, "-o", tmp_path / "rows.parquet", "--where", "workclass=Privat")
    assert outcome.code == 4
    assert not [level for level in adult["workclass"].dropna().unique() if level in outcome.err]


@pytest.mark.parametrize("name", ["rows.xlsx", "rows", "no/rows.parquet"])
def test_outputs_that_cannot_be(cli, model_file: Path, tmp_path: Path, name: str) -> None:
    outcome = cli("sample", model_file, "-n", 5, "-o", tmp_path / name)
    assert outcome.code == 6, outcome.err
    assert not list(tmp_path.iterdir())


def test_an_existing_output_is_kept(cli, model_file: Path, tmp_path: Path) -> None:
    output = tmp_path / "rows.csv"
    output.write_text("precious")
    outcome = cli("sample", model_file, "-n", 5, "-o", output)
    assert outcome.code == 6
    assert "--force" in outcome.err
    assert output.read_text() == "precious"
    assert cli("sample", model_file, "-n", 5, "-o", output, "--force").code == 0
    assert len(pd.read_csv(output)) == 5


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_device_is_no_output(cli, model_file: Path) -> None:
    assert cli("sample", model_file, "-n", 5, "-o", "/dev/full", "--force").code == 6


def _missing(_: Path, path: Path) -> None:
    del path


def _truncated(model: Path, path: Path) -> None:
    path.write_bytes(model.read_bytes()[:-200])


def _other_zip(_: Path, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")


def _pickle(_: Path, path: Path) -> None:
    path.write_bytes(pickle.dumps({"weights": [1, 2, 3]}))


def _altered(model: Path, path: Path) -> None:
    shutil.copy(model, path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize("make", [_missing, _truncated, _other_zip, _pickle, _altered], ids=lambda make: make.__name__)
@pytest.mark.parametrize("command", ["sample", "inspect"])
def test_model_files_that_cannot_be_trusted(cli, model_file: Path, tmp_path: Path, make, command: str) -> None:
    broken = tmp_path / "broken.synthgan"
    make(model_file, broken)
    out = tmp_path / "out"
    out.mkdir()
    outcome = cli(command, broken, *(["-n", 5, "-o", out / "rows.csv"] if command == "sample" else []))
    assert outcome.code == 5, outcome.err
    assert outcome.out == ""
    assert len(outcome.err.splitlines()) == 1
    assert not list(out.iterdir())

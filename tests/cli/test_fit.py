"""``synthgan fit`` end to end, and what it refuses."""

from __future__ import annotations

import inspect
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

import synthgan

QUICK = ("--max-steps", "20", "--device", "cpu", "--seed", "1")


def test_a_fit_writes_a_model_and_says_what_is_next(cli, table: Path, tmp_path: Path) -> None:
    model = tmp_path / "my model.synthgan"
    outcome = cli("fit", table, "-o", model, "--target", "income", *QUICK)
    assert (outcome.code, outcome.err) == (0, ""), "quiet where there is no terminal"
    first, *_, last = outcome.out.splitlines()
    assert re.fullmatch(r"Learned 1,000 rows and 15 columns in [\d. a-z]+\.", first)
    assert str(model) in outcome.out
    assert "guarantee" in outcome.out
    assert "none" in outcome.out
    assert last == f"Next: synthgan sample '{model}' -n 1000 -o synthetic.parquet"
    assert "\x1b" not in outcome.out

    synthesizer = synthgan.load(model)
    assert round(synthesizer.n_rows_) == 1000
    assert [entry.name for entry in tmp_path.iterdir()] == [model.name]


def test_the_same_seed_gives_the_same_file_and_rows(cli, table: Path, tmp_path: Path) -> None:
    frames = []
    for name in ("a", "b"):
        assert cli("fit", table, "-o", tmp_path / name, *QUICK).code == 0
        frames.append(synthgan.load(tmp_path / name).sample(50, random_state=3))
    pd.testing.assert_frame_equal(*frames)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.slow
def test_several_files_a_glob_and_a_folder_are_one_table(cli, adult: pd.DataFrame, tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    for number in range(3):
        adult.iloc[number * 100 : (number + 1) * 100].to_parquet(parts / f"{number}.parquet")
    for data in ([parts], [parts / "*.parquet"], sorted(parts.iterdir())):
        outcome = cli("fit", *data, "-o", tmp_path / "model", "--force", *QUICK)
        assert outcome.code == 0, outcome.err
        assert outcome.out.startswith("Learned 300 rows")


@pytest.mark.slow
def test_options_reach_the_fit(cli, table: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    assert cli("fit", table, "-o", model, "--min-count", "25", "--no-protection", *QUICK).code == 0
    settings = synthgan.load(model).codec_.settings
    assert (settings.min_count, settings.protect_values) == (25, False)
    assert cli("fit", table, "-o", model, "--force", *QUICK).code == 0
    assert synthgan.load(model).codec_.settings.protect_values is True


def test_the_time_limit_ends_the_fit(cli, table: Path, tmp_path: Path) -> None:
    outcome = cli("fit", table, "-o", tmp_path / "model", "--time-limit", "1", "--device", "cpu")
    assert outcome.code == 0, outcome.err


def test_a_private_fit_has_no_time_limit(cli, table: Path, tmp_path: Path) -> None:
    account = tmp_path / "fits.json"
    outcome = cli(
        "fit", table, "-o", tmp_path / "model", "--epsilon", "1", "--ledger", account, "--time-limit", "60", *QUICK
    )
    assert outcome.code == 8
    assert "--max-steps" in outcome.err
    assert not account.exists()


def test_an_output_that_cannot_be_written_costs_nothing(cli, table: Path, tmp_path: Path) -> None:
    account, model = tmp_path / "fits.json", tmp_path / "model.synthgan"
    model.write_text("precious")
    for place, code in ((tmp_path / "nowhere" / "model.synthgan", 6), (model, 6), (account, 2)):
        outcome = cli("fit", table, "-o", place, "--epsilon", "1", "--ledger", account, *QUICK)
        assert outcome.code == code, outcome.err
        assert not account.exists()
    model.unlink()
    (tmp_path / "model.receipt.json").write_text("precious")
    assert cli("fit", table, "-o", model, "--epsilon", "1", "--ledger", account, *QUICK).code == 6
    assert [path.name for path in tmp_path.iterdir() if path != table] == ["model.receipt.json"]


def test_the_defaults_in_the_help_are_those_of_the_synthesizer(cli) -> None:
    defaults = {
        name: parameter.default for name, parameter in inspect.signature(synthgan.Synthesizer).parameters.items()
    }
    shown = re.sub(r"\s+", " ", cli("fit", "--help").out)
    assert f"--effort [quick|default|high] How long to train. [default: {defaults['effort']}]" in shown
    assert re.search(rf"--min-count N .*?\[default: {defaults['min_count']}\]", shown)
    assert re.search(rf"--device NAME .*?\[default: {defaults['device']}\]", shown)
    assert defaults["protect_values"] is True
    assert defaults["early_stopping"] is False


def test_an_edited_schema_is_obeyed(cli, table: Path, tmp_path: Path) -> None:
    schema, model = tmp_path / "schema.json", tmp_path / "model"
    assert cli("schema", table, "-o", schema).code == 0
    text = schema.read_text(encoding="utf-8")
    assert text.count('"fnlwgt"') == 1
    declared = synthgan.read_schema(schema)
    assert declared["education-num"].kind == "integer"

    schema.write_text('{"columns": [{"name": "education-num", "kind": "categorical"}]}', encoding="utf-8")
    outcome = cli("fit", table, "-o", model, "--schema", schema, *QUICK)
    assert outcome.code == 0, outcome.err
    fitted = synthgan.load(model).schema_
    assert (fitted["education-num"].kind, fitted["education-num"].source) == ("categorical", "declared")


def test_an_existing_model_is_refused_before_any_work(cli, tmp_path: Path) -> None:
    model = tmp_path / "model.synthgan"
    model.write_text("precious")
    outcome = cli("fit", tmp_path / "missing.parquet", "-o", model, *QUICK)
    assert outcome.code == 6
    assert "--force" in outcome.err
    assert model.read_text() == "precious"


def test_a_folder_that_does_not_exist_is_refused_before_any_work(cli, table: Path, tmp_path: Path) -> None:
    assert cli("fit", table, "-o", tmp_path / "no" / "model", *QUICK).code == 6


def test_a_checkpoint_needs_a_file_of_its_own(cli, table: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    outcome = cli("fit", table, "-o", tmp_path / "model", "--checkpoint", tmp_path / "link" / "model", *QUICK)
    assert outcome.code == 2
    assert "--checkpoint and --output" in outcome.err
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--max-steps", "0"], 2),
        (["--time-limit", "0"], 2),
        (["--min-count", "0"], 2),
        (["--effort", "enormous"], 2),
        (["--device", "abacus"], 2),
        (["--seed", "-1"], 2),
        (["--target", "incme"], 3),
        (["--schema", "missing.json"], 3),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_options(cli, table: Path, tmp_path: Path, options: list[str], code: int) -> None:
    outcome = cli("fit", table, "-o", tmp_path / "model", *options)
    assert outcome.code == code, outcome.err
    assert outcome.out == ""
    assert options[0].lstrip("-").split("-")[0] in outcome.err
    assert not list(tmp_path.iterdir())


def test_a_mistyped_target_is_guessed(cli, table: Path, tmp_path: Path) -> None:
    assert "'income'" in cli("fit", table, "-o", tmp_path / "model", "--target", "incme").err


def _truncated(table: Path, folder: Path) -> Path:
    path = folder / "truncated.parquet"
    path.write_bytes(table.read_bytes()[:-100])
    return path


def _empty(_: Path, folder: Path) -> Path:
    path = folder / "empty.parquet"
    path.touch()
    return path


def _wrong_suffix(table: Path, folder: Path) -> Path:
    return Path(shutil.copy(table, folder / "table.xlsx"))


def _csv_called_parquet(_: Path, folder: Path) -> Path:
    path = folder / "table.parquet"
    path.write_text("name,age\nGrace Hopper,85\nAlan Turing,41\n")
    return path


def _mixed_folder(table: Path, folder: Path) -> Path:
    mixed = folder / "mixed"
    mixed.mkdir()
    shutil.copy(table, mixed / "a.parquet")
    pd.DataFrame({"other": ["Grace Hopper", "Alan Turing"]}).to_parquet(mixed / "b.parquet")
    return mixed


def _missing(_: Path, folder: Path) -> Path:
    return folder / "missing.parquet"


def _no_match(_: Path, folder: Path) -> Path:
    return folder / "*.parquet"


@pytest.mark.parametrize(
    "make",
    [_truncated, _empty, _wrong_suffix, _csv_called_parquet, _mixed_folder, _missing, _no_match],
    ids=lambda make: make.__name__,
)
def test_unusable_data(cli, table: Path, tmp_path: Path, make) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    out.mkdir()
    outcome = cli("fit", make(table, data), "-o", out / "model", *QUICK)
    assert outcome.code == 3, outcome.err
    assert outcome.out == ""
    assert outcome.err.startswith("Error: ")
    assert len(outcome.err.splitlines()) == 1
    assert "Hopper" not in outcome.err
    assert not list(out.iterdir())


@pytest.mark.parametrize("n_rows", [0, 1])
def test_tables_without_enough_rows(cli, adult: pd.DataFrame, tmp_path: Path, n_rows: int) -> None:
    adult.head(n_rows).to_parquet(tmp_path / "short.parquet")
    outcome = cli("fit", tmp_path / "short.parquet", "-o", tmp_path / "model", *QUICK)
    assert outcome.code == 3
    assert "row" in outcome.err

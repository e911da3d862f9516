"""What all commands have in common: speed, help, exit codes, and how errors come out."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import unicodedata
import warnings
from pathlib import Path

import click
import pandas as pd
import pytest

from synthgan import errors
from synthgan.cli.commands import EXIT_CODES, group
from synthgan.cli.main import run
from synthgan.cli.messages import command_line, duration, file_size
from synthgan.errors import SynthganError, SynthganWarning
from synthgan.visible_text import visible

COMMANDS = ["demo", "fit", "sample", "evaluate", "review", "inspect", "schema", "audit"]
DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_commands_are_these() -> None:
    assert list(group.commands) == COMMANDS


def test_help_takes_less_than_half_a_second() -> None:
    def seconds() -> float:  # of the processor: a busy machine says nothing about the command
        before = os.times()
        subprocess.run([sys.executable, "-m", "synthgan", "--help"], capture_output=True, check=True)
        after = os.times()
        return after.children_user - before.children_user + after.children_system - before.children_system

    assert min(seconds() for _ in range(5)) < 0.5


@pytest.mark.parametrize("words", [["--help"], *([name, "--help"] for name in COMMANDS)], ids=" ".join)
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    code = (
        f"import sys; from synthgan.cli.main import run; code = run({words!r})\n"
        "print(code, *sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    exit_code, *loaded = shown.stderr.split()
    assert exit_code == "0"
    assert not {"torch", "pandas", "numpy", "pyarrow", "sklearn", "scipy", "sdmetrics", "rich"} & set(loaded)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(cli, name: str) -> None:
    shown = cli(name, "--help")
    assert shown.code == 0
    command = group.commands[name]
    assert "Examples:" in shown.out
    examples = re.findall(r"^ +synthgan (\w+)", shown.out.partition("Examples:")[2], flags=re.MULTILINE)
    assert len(examples) >= 2
    assert set(examples) == {name}
    assert all(option.help for option in command.params if isinstance(option, click.Option))
    assert (DOCS / "cli.md").read_text(encoding="utf-8").count(f"## synthgan {name}\n") == 1
    assert list(Path(__file__).parent.glob(f"test_{name}.py")), "every command has a test module"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_in_the_help_are_valid_command_lines(name: str) -> None:
    """Parse each example without running it."""
    import shlex

    command = group.commands[name]
    for line in re.findall(rf"^  synthgan {name}(.*)$", command.epilog or "", flags=re.MULTILINE):
        command.make_context(name, shlex.split(line))


def test_every_exit_code_is_documented(cli) -> None:
    documented = dict(EXIT_CODES)
    raised = {
        kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, SynthganError) and kind is not SynthganError
    }
    gates = {10, 11}  # no error: the review is written
    assert {0, 1, 2, 130, 143} | raised | gates == set(documented)
    shown, page = cli("--help").out, (DOCS / "cli.md").read_text(encoding="utf-8")
    for code, meaning in EXIT_CODES:
        assert re.search(rf"^ *{code}  {re.escape(meaning)}$", shown, flags=re.MULTILINE)
        assert f"| {code} | {meaning} |" in page


def test_a_mistake_on_the_command_line_exits_with_2(cli) -> None:
    for words in (
        ["fit"],
        ["fit", "x.parquet"],
        ["sample", "--sed", "1"],
        ["nonsense"],
        ["fit", "x", "-o", "y", "--effort", "a"],
    ):
        assert cli(*words).code == 2, words


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.SettingsError("out of range"), 2),
        (errors.SourceError("no such file"), 3),
        (errors.SchemaError("no such column"), 3),
        (errors.ConditionError("impossible"), 4),
        (errors.ModelFileError("damaged"), 5),
        (errors.BundleError("altered"), 5),
        (errors.OutputError("exists"), 6),
        (errors.TrainingError("diverged"), 7),
        (errors.PrivacyError("cannot be private"), 8),
        (errors.BudgetError("the budget is spent"), 8),
        (errors.AuditError("more leaks"), 9),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_an_error_is_one_sentence_with_its_exit_code(cli, monkeypatch, error: SynthganError, code: int) -> None:
    _fail_with(monkeypatch, error)
    outcome = cli("schema", "data.parquet")
    assert (outcome.code, outcome.out, outcome.err) == (code, "", f"Error: {error}\n")
    assert "Traceback" in cli("schema", "data.parquet", "--debug").err
    assert "Traceback" in cli("--debug", "schema", "data.parquet").err


def test_an_unexpected_error_shows_no_text_of_its_own(cli, monkeypatch) -> None:
    _fail_with(monkeypatch, RuntimeError("cell 'Jane Doe' is odd"))
    outcome = cli("schema", "data.parquet")
    assert (outcome.code, outcome.out) == (1, "")
    assert len(outcome.err.splitlines()) == 1
    assert "RuntimeError" in outcome.err
    assert "please report" in outcome.err
    assert "--debug" in outcome.err
    assert "Jane" not in outcome.err

    outcome = cli("schema", "data.parquet", "--debug")
    assert outcome.code == 1
    assert "Traceback" in outcome.err
    assert "Jane" in outcome.err


def test_control_c_exits_with_130_and_a_sentence(cli, monkeypatch) -> None:
    _fail_with(monkeypatch, KeyboardInterrupt())
    outcome = cli("schema", "data.parquet")
    assert (outcome.code, outcome.out) == (130, "")
    assert outcome.err.strip().startswith("Interrupted:")
    assert "Traceback" not in outcome.err


def _work_and_be_told_to_end(folder: Path, times: int) -> None:
    """What a command does with its outputs, until the system says SIGTERM."""
    from synthgan.tables.files.outputs import atomic_folder, atomic_path

    with atomic_folder(folder / "release") as unfinished, atomic_path(folder / "model") as model:
        (unfinished / "scores.json").write_text("{}")
        model.write_text("half")
        assert len(list(folder.iterdir())) == 2
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)  # the signal wakes it
        finally:
            for _ in range(times - 1):
                os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
@pytest.mark.parametrize("times", [1, 3])
def test_sigterm_ends_in_order_and_a_repeated_one_does_not_disturb_that(
    cli, monkeypatch, tmp_path: Path, times: int
) -> None:
    monkeypatch.setattr(
        "synthgan.tables.sources.open.open_source", lambda *_, **__: _work_and_be_told_to_end(tmp_path, times)
    )
    outcome = cli("schema", "data.parquet")
    assert (outcome.code, outcome.out) == (143, "")
    assert outcome.err.strip().startswith("Terminated: outputs are written only when they are complete")
    assert not list(tmp_path.iterdir())
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_another_arrangement_for_sigterm_is_left_alone(cli, monkeypatch) -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:
        monkeypatch.setattr(
            "synthgan.tables.sources.open.open_source", lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM) or 1 / 0
        )
        assert cli("schema", "data.parquet").code == 1
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == [signal.SIGTERM]


def test_a_command_runs_in_a_thread_where_no_handler_can_be_set(cli) -> None:
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(cli("--version").code))
    thread.start()
    thread.join()
    assert codes == [0]


WAITING = """
import sys, time
import synthgan.tables.sources.open
from synthgan.cli.main import main
from synthgan.tables.files.outputs import atomic_folder

folder = sys.argv.pop()

def wait(*_, **__):
    with atomic_folder(folder):
        print("writing", flush=True)
        time.sleep(60)

synthgan.tables.sources.open.open_source = wait
sys.argv += ["schema", "data.parquet"]
main()
"""


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_a_process_that_is_told_to_end_leaves_no_unfinished_output(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WAITING, tmp_path / "release"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        assert [path.suffix for path in tmp_path.iterdir()] == [".partial"]
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=240)
    assert process.returncode == 143
    assert "Terminated:" in told
    assert "Traceback" not in told
    assert not list(tmp_path.iterdir())


def test_warnings_are_sentences(cli, monkeypatch) -> None:
    def warn_and_stop(*_: object, **__: object) -> None:
        warnings.warn("few rows support this", SynthganWarning, stacklevel=1)
        raise errors.SourceError("enough")

    monkeypatch.setattr("synthgan.tables.sources.open.open_source", warn_and_stop)
    assert cli("schema", "data.parquet").err == "Warning: few rows support this\nError: enough\n"


@pytest.mark.skipif(os.name != "posix", reason="pipes as POSIX has them")
def test_a_reader_that_stops_early_is_no_error() -> None:
    command = f"{sys.executable} -m synthgan fit --help | head -n 1; echo ${{PIPESTATUS[1]}}"
    shown = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert shown.stdout.startswith("Usage:")
    assert "Traceback" not in shown.stderr


def test_arguments_default_to_the_process(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["synthgan", "--version"])
    assert run() == 0
    assert capsys.readouterr().out.startswith("synthgan, version ")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (42.4, "42 s"),
        (59.9, "1 min 0 s"),
        (412, "6 min 52 s"),
        (7260, "2 h 1 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1300, "1.3 kB"), (2_340_000, "2.3 MB")]
)
def test_file_sizes(tmp_path: Path, size: int, text: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * size)
    assert file_size(path) == text


def test_command_lines_can_be_pasted() -> None:
    assert command_line("synthgan", Path("my data.parquet"), "-n", "5") == "synthgan 'my data.parquet' -n 5"


@pytest.mark.skipif(not Path("/bin/bash").exists(), reason="no bash here")
@pytest.mark.parametrize("word", ["a\x1b[31m", "it's\u202e\\n", "\udcff b", "two\nlines", "$HOME", "ü\x9b"])
def test_odd_words_can_be_pasted_and_do_nothing(word: str) -> None:
    typed = command_line("printf", "%s", word)
    assert visible(typed) == typed
    shown = subprocess.run(["/bin/bash", "-c", typed], capture_output=True, check=True)
    assert shown.stdout == os.fsencode(word)


HOSTILE = "\x1b]0;owned\x07\u202etxt\x9b2J\n\u2066"


@pytest.mark.parametrize("words", [["schema"], ["schema", "--json"], ["schema", "--target", HOSTILE]], ids=len)
def test_names_of_columns_and_files_do_not_act_on_the_terminal(cli, tmp_path: Path, words: list[str]) -> None:
    path = tmp_path / f"{HOSTILE}.parquet"
    pd.DataFrame({HOSTILE: ["a", "b"] * 20, "low": range(40), "high": range(5, 45)}).to_parquet(path)
    outcome = cli(*words, path)
    assert outcome.code == 0
    assert not [c for c in outcome.out + outcome.err if c != "\n" and unicodedata.category(c) in ("Cc", "Cf")]
    shown = json.loads(outcome.out)["schema"]["columns"][0]["name"] if "--json" in words else outcome.out
    assert (HOSTILE if "--json" in words else "\\x1b]0;owned\\x07\\u202etxt\\x9b2J\\n\\u2066") in shown
    missing = cli("inspect", tmp_path / f"{HOSTILE}.synthgan")
    assert missing.code == 5
    assert len(missing.err.splitlines()) == 1
    assert "\x1b" not in missing.err
    assert "\x1b" not in cli("schema", path, f"--{HOSTILE}").err


def test_a_message_of_any_length_is_cut(cli, tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    path.write_text(json.dumps({"columns": {"a" * 10**6: "nonsense"}}))
    data = tmp_path / "data.csv"
    data.write_text("a,b\n1,2\n3,4\n")
    outcome = cli("schema", data, "--declared", path)
    assert outcome.code == 3
    assert len(outcome.err) < 5_000


def _fail_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let every command that reads a table meet ``error``."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("synthgan.tables.sources.open.open_source", fail)

"""How a process ends when the world around it fails: signals while it loads, no reader, no disk, no memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from synthgan.cli.main import run
from synthgan.cli.memory import is_out_of_memory
from synthgan.cli.signals import Requests, Terminated
from tests.interrupts import interrupts_heard

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals, limits and descriptors as POSIX has them")

SYNTHGAN = f"{sys.executable} -m synthgan"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("small") / "small.parquet"
    pd.DataFrame({"age": range(40), "sex": ["f", "m"] * 20}).to_parquet(path)
    return path


def shell(command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=False, timeout=120, env=os.environ | settings
    )


def test_nobody_reads_or_looks(small: Path, tmp_path: Path) -> None:
    """Who stops reading or closes the output has seen enough; the files are written all the same."""
    for number, ending in enumerate(("| head -0; exit ${PIPESTATUS[0]}", ">&-", ">&- 2>&-", "2>/dev/full")):
        schema = tmp_path / f"{number}.json"
        shown = shell(f"{SYNTHGAN} schema {small} -o {schema} {ending}")
        assert (shown.returncode, shown.stderr) == (0, ""), ending
        assert schema.is_file()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_behind_standard_output_is_an_error(small: Path, tmp_path: Path) -> None:
    schema = tmp_path / "schema.json"
    shown = shell(f"{SYNTHGAN} schema {small} -o {schema} > /dev/full")
    assert shown.returncode == 6
    assert shown.stderr == (
        "Error: cannot write to standard output: no space left on device; files that the command wrote are whole\n"
    )
    assert schema.is_file()
    assert shell(f"{SYNTHGAN} --help > /dev/full").returncode == 6


def test_characters_that_the_terminal_lacks_are_escaped(tmp_path: Path) -> None:
    path = tmp_path / "small.csv"
    path.write_text("身長,b\n" + "1.5,2\n2.5,3\n" * 20, encoding="utf-8")
    shown = shell(f"{SYNTHGAN} schema {path}", PYTHONIOENCODING="latin-1")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "\\u8eab\\u9577" in shown.stdout


@pytest.mark.parametrize("kilobytes", [80_000, 300_000, 450_000])
def test_too_little_memory_is_said_before_a_library_aborts(small: Path, tmp_path: Path, kilobytes: int) -> None:
    for command in (f"schema {small}", f"fit {small} -o {tmp_path / 'm.synthgan'}"):
        shown = shell(f"ulimit -v {kilobytes}; {SYNTHGAN} {command}")
        assert (shown.returncode, shown.stdout) == (12, "")
        assert shown.stderr.startswith("Error: there is not enough memory")
        assert len(shown.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(12, "Cannot allocate memory"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 12000000 bytes"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("can't start new thread"),
    ],
)
def test_want_of_memory_in_all_its_words(cli, monkeypatch, error: Exception) -> None:
    assert is_out_of_memory(error)
    _instead_of_reading(monkeypatch, error)
    assert cli("schema", "data.parquet").code == 12


@pytest.mark.parametrize(
    "error",
    [FileNotFoundError(2, "No usable temporary directory found in ['/tmp']"), OSError(28, "No space left on device")],
)
def test_no_room_for_temporary_files(cli, monkeypatch, error: OSError) -> None:
    _instead_of_reading(monkeypatch, error)
    outcome = cli("schema", "data.parquet")
    assert outcome.code == 6
    assert outcome.err.startswith("Error: no disk space is left for temporary files")


def test_other_errors_are_no_want_of_memory() -> None:
    assert not is_out_of_memory(RuntimeError("shapes differ"))
    assert not is_out_of_memory(ImportError("No module named 'torch'"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_a_library_turns_into_its_own_error_is_still_heard(cli, monkeypatch, number: int) -> None:
    def load(*_: object, **__: object) -> None:
        try:
            os.kill(os.getpid(), number)
            time.sleep(5)
        except BaseException as error:
            raise ImportError("the library could not be loaded") from error

    monkeypatch.setattr("synthgan.tables.sources.open.open_source", load)
    with interrupts_heard():
        outcome = cli("schema", "data.parquet")
    assert outcome.code == 128 + number
    assert "could not be loaded" not in outcome.err


@pytest.mark.parametrize(("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)])
def test_a_signal_that_is_swallowed_comes_again(number: int, kind: type[BaseException]) -> None:
    class Odd:
        def __del__(self) -> None:
            os.kill(os.getpid(), number)
            time.sleep(1)  # raises here, where Python can only report it

    requests = Requests()
    before = sys.unraisablehook
    with interrupts_heard(), pytest.raises(kind), requests.raised():
        Odd()
        time.sleep(5)
    assert requests.received == number
    assert sys.unraisablehook is before
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


SENT = """
import os, signal, sys
from synthgan.cli import signals
told = signals.end_at_once
def end_at_once():
    told()
    {when}
signals.end_at_once = end_at_once
import synthgan.cli.main as m
sys.argv = ["synthgan", "schema", sys.argv[1]]
m.main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_anything_is_loaded(small: Path, number: int) -> None:
    code = SENT.format(when=f"os.kill(os.getpid(), {int(number)})")
    with interrupts_heard():
        shown = subprocess.run([sys.executable, "-c", code, small], capture_output=True, text=True, check=False)
    assert (shown.returncode, shown.stdout) == (128 + number, "")
    assert len(shown.stderr.strip().splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_moment_of_loading(small: Path, tmp_path: Path, number: int) -> None:
    """The first tenth of a second is Python's own: a signal there ends the process, without our words."""
    for milliseconds in range(0, 4_000, 200):
        with interrupts_heard():
            process = subprocess.Popen(
                [sys.executable, "-m", "synthgan", "fit", small, "-o", tmp_path / "m.synthgan", "--force"],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        time.sleep(milliseconds / 1000)
        process.send_signal(number)
        _, told = process.communicate(timeout=120)
        assert process.returncode in (128 + number, -number), (milliseconds, told)
        assert milliseconds < 400 or "Traceback" not in told, (milliseconds, told)
        assert milliseconds < 400 or process.returncode == 128 + number, milliseconds
    assert not list(tmp_path.glob(".synthgan*"))


def test_words_that_are_no_text_are_mistakes(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (
        ["schema", "data.parquet", "--target", "a\udcff"],
        ["sample", "m.synthgan", "-n", "1", "-o", "r.csv", "--where", "a=\ud800"],
        ["schema", "data\0.parquet"],
    ):
        assert run(words) == 2
        assert len(capsys.readouterr().err.strip().splitlines()) <= 4


def _instead_of_reading(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("synthgan.tables.sources.open.open_source", fail)

"""What only a real process on a real terminal shows: progress, and Ctrl-C."""

from __future__ import annotations

import codecs
import os
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from tests.interrupts import interrupts_heard

PATIENCE_SECONDS = 600.0
"""When a process counts as stuck: a busy machine may take minutes to load torch."""

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="terminals as POSIX has them")]


class Terminal:
    """A command line whose output goes to a pseudo-terminal of 120 columns."""

    def __init__(self, *words: object) -> None:
        import fcntl
        import pty
        import struct
        import termios

        self._end, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        with interrupts_heard():
            self.process = subprocess.Popen(
                [sys.executable, "-m", "synthgan", *map(str, words)],
                stdin=subprocess.DEVNULL,
                stdout=other,
                stderr=other,
                env=os.environ | {"TERM": "xterm"},
            )
        os.close(other)
        self.shown = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")  # a read may end within a character

    def read_until(self, pattern: str | None = None) -> str:
        """Everything shown so far; returns when ``pattern`` is in it or the process has closed its end."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (pattern and re.search(pattern, self.shown)):
            assert time.monotonic() < deadline, self.shown
            if select.select([self._end], [], [], 0.2)[0]:
                try:
                    part = os.read(self._end, 4096)
                except OSError:
                    part = b""  # the other end is closed
                if not part:
                    break
                self.shown += self._decoder.decode(part)
        return self.shown

    def close(self) -> int:
        """Wait for the end of the process and return its exit code."""
        self.read_until()
        code = self.process.wait(timeout=PATIENCE_SECONDS)
        os.close(self._end)
        return code


def test_progress_is_shown_on_a_terminal(table: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.synthgan"
    terminal = Terminal("fit", table, "-o", model, "--max-steps", 55, "--device", "cpu")
    assert terminal.close() == 0, terminal.shown
    assert "Reading the table" in terminal.shown
    assert re.search(r"training.*/55", terminal.shown)
    assert "marginals" in terminal.shown
    assert "Learned 1,000 rows" in terminal.shown
    assert model.exists()


def test_control_c_during_a_fit_leaves_no_model(adult: pd.DataFrame, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    model, checkpoint, table = folder / "model.synthgan", folder / "fit.checkpoint", tmp_path / "long.parquet"
    # Rows enough for 10,000 steps: the fit is not over before this process, which may have to wait, has seen it begin.
    pd.concat([adult] * 10, ignore_index=True).to_parquet(table)
    terminal = Terminal(
        "fit", table, "-o", model, "--checkpoint", checkpoint, "--device", "cpu", "--effort", "high", "--seed", 1
    )
    # The first record: steps are under way, and nothing is being set up any more.
    assert "marginals" in terminal.read_until("marginals")
    assert terminal.process.poll() is None, terminal.shown
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.close() == 130, terminal.shown
    assert "Interrupted: no model was written" in terminal.shown
    assert str(checkpoint) in re.sub(r"\s+", "", terminal.shown)
    assert "Traceback" not in terminal.shown
    assert {path.name for path in folder.iterdir()} <= {checkpoint.name}


def test_tables_are_drawn_on_a_terminal_with_names_as_they_are(tmp_path: Path) -> None:
    name = "[bold]price[/bold] :smile:"
    pd.DataFrame({name: range(50), "b": ["x", "y"] * 25}).to_parquet(tmp_path / "t.parquet")
    terminal = Terminal("schema", tmp_path / "t.parquet")
    assert terminal.close() == 0, terminal.shown
    assert "───" in terminal.shown
    assert name in terminal.shown

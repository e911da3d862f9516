"""A fit in the shell, killed without warning and started again, ends with the same model file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from synthgan.datasets import load_adult
from tests.interrupts import interrupts_heard

pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 240

# The command line, with checkpoints every quarter of a second instead of every half minute.
DRIVER = """
import sys
from synthgan.cli.main import main
from synthgan.training.checkpoint import Checkpoint

Checkpoint.__init__.__kwdefaults__["interval_seconds"] = 0.25
sys.argv[0] = "synthgan"
main()
"""


def fit(data: Path, model: Path, *more: object) -> list[str]:
    """The command that fits."""
    options = ["--target", "income", "--max-steps", "120", "--device", "cpu", "--seed", "3", *more]
    return [sys.executable, "-c", DRIVER, *map(str, ["fit", data, "-o", model, *options])]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "adult.parquet"
    load_adult("train").head(4000).to_parquet(path)
    return path


@pytest.fixture(scope="module")
def uninterrupted(data: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The model file of a fit without a checkpoint."""
    model = tmp_path_factory.mktemp("model") / "whole.synthgan"
    subprocess.run(fit(data, model), check=True, capture_output=True)
    return model.read_bytes()


def kill_after_next_checkpoint(command: list[str], checkpoint: Path, delay_seconds: float) -> None:
    """Start the fit, and send SIGKILL a while after it has written a checkpoint of its own."""
    written = checkpoint.stat().st_mtime_ns if checkpoint.exists() else None
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not checkpoint.exists() or checkpoint.stat().st_mtime_ns == written:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "no checkpoint was written"
            time.sleep(0.01)
        time.sleep(delay_seconds)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, f"the fit ended by itself within {delay_seconds:.3f} s"


def test_a_fit_killed_at_random_instants_ends_with_the_same_file(
    data: Path, uninterrupted: bytes, tmp_path: Path
) -> None:
    checkpoint, model = tmp_path / "fit.checkpoint", tmp_path / "model.synthgan"
    command = fit(data, model, "--checkpoint", checkpoint)
    delays = np.random.default_rng(int.from_bytes(os.urandom(8), "little")).uniform(0.0, 0.6, size=3)
    for delay in delays:
        kill_after_next_checkpoint(command, checkpoint, float(delay))
        assert not model.exists()
        assert checkpoint.stat().st_mode & 0o777 == 0o600
        # A kill while a checkpoint is being written leaves its unfinished file, for the owner only.
        for leftover in tmp_path.glob(".synthgan-*.partial"):
            assert leftover.stat().st_mode & 0o077 == 0
    finished = subprocess.run(command, check=False, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    assert model.read_bytes() == uninterrupted, f"killed {delays.round(3).tolist()} s after checkpoints"


def test_an_interrupt_by_the_user_can_be_continued(data: Path, uninterrupted: bytes, tmp_path: Path) -> None:
    checkpoint, model = tmp_path / "fit.checkpoint", tmp_path / "model.synthgan"
    command = fit(data, model, "--checkpoint", checkpoint)
    with interrupts_heard():
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with process:
        while not checkpoint.exists():
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130
    assert str(checkpoint) in told
    assert not model.exists()
    assert [entry.name for entry in tmp_path.iterdir()] == [checkpoint.name]
    subprocess.run(command, check=True, capture_output=True)
    assert model.read_bytes() == uninterrupted

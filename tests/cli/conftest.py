"""Running the command line inside the test process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from synthgan.cli.main import run


@dataclass(frozen=True)
class Outcome:
    """How a command line ended, and what it printed."""

    code: int
    out: str
    err: str


Cli = Callable[..., Outcome]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Call it with the words of a command line; paths are converted."""

    def call(*words: object) -> Outcome:
        capsys.readouterr()
        code = run([str(word) for word in words])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def table(adult: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,000 rows of Adult as a Parquet file."""
    path = tmp_path_factory.mktemp("data") / "adult.parquet"
    adult.to_parquet(path)
    return path

"""The examples run as they are, with training cut short."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
ARGUMENTS = {
    "quickstart.py": ["--max-steps", "20"],
    "condition_frame.py": ["--max-steps", "20"],
    "augment_imbalanced.py": ["--max-steps", "20"],
    "larger_than_memory.py": ["--max-steps", "20", "--rows", "20000"],
    "private_release.py": ["--max-steps", "20"],
}
SAYS = {
    "quickstart.py": "gives the same rows after loading",
    "condition_frame.py": "1000 rows with the given sex, education",
    "augment_imbalanced.py": "augmented",
    "larger_than_memory.py": "wrote 20,000 rows",
    "private_release.py": "rows (a noisy count), epsilon spent: ",
}


def test_every_example_is_run_here() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(ARGUMENTS) == set(SAYS)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(ARGUMENTS))
def test_example_runs(name: str, tmp_path: Path) -> None:
    # Warnings stay warnings: a model after 20 steps supports rare conditions badly, and says so.
    result = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *ARGUMENTS[name]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert SAYS[name] in result.stdout
    assert not list(tmp_path.iterdir()), "an example leaves nothing behind"

"""The rules of the house, run as tests: what CI's lint step runs, and what a reader relies on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def _tool(*command: str) -> None:
    """Run a tool of the environment in the repository root and fail with its output."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        pytest.fail(
            f"{' '.join(command)} exited with {result.returncode}:\n{result.stdout}\n{result.stderr}", pytrace=False
        )


def test_format() -> None:
    _tool("ruff", "format", "--check", "--quiet", ".")


def test_lint() -> None:
    _tool("ruff", "check", "--quiet", ".")


@pytest.mark.parametrize(
    ("code", "rule"),
    [
        ("import pickle", "TID251"),
        ("import torch\n\nx = torch.load('f')", "TID251"),
        ("import torch\n\ntorch.manual_seed(1)", "TID251"),
        ("import numpy as np\n\nnp.random.seed(1)", "NPY002"),
        ("import numpy as np\n\nx = np.random.rand(3)", "NPY002"),
        ("import random\n\nx = random.random()", "TID251"),
        ("from .errors import DataError", "TID252"),
        ("print(1)", "T201"),
    ],
)
def test_lint_catches(code: str, rule: str) -> None:
    """What the house forbids is really found by its settings."""
    result = subprocess.run(
        [
            Path(sys.executable).parent / "ruff",
            "check",
            "--output-format",
            "concise",
            "--stdin-filename",
            "synthgan/x.py",
            "-",
        ],
        input=code + "\n",
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert rule in result.stdout


def test_import_contracts() -> None:
    _tool("lint-imports", "--no-cache", "--no-logo")


@pytest.mark.slow
def test_types() -> None:
    _tool("mypy")


def test_the_bundled_table_is_the_only_table_in_the_repository() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    tables = [
        name for name in listed.stdout.splitlines() if re.search(r"\.(parquet|pq|csv|csv\.gz|feather|arrow)$", name)
    ]
    assert set(tables) <= {"synthgan/datasets/adult.parquet"}


def test_constraints_pin_every_dependency_exactly() -> None:
    constraints = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pinned = dict(re.findall(r"^([a-z0-9-]+)==([0-9][^ ;\n]*)", constraints, flags=re.MULTILINE))
    lines = [line for line in constraints.splitlines() if line and not line.startswith("#")]
    assert len(pinned) == len(lines)
    declared = re.findall(
        r'^    "([a-z0-9-]+)[<>=]', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    assert len(declared) > 12
    assert not [name for name in declared if name not in pinned]
    assert pinned["torch"] == "2.13.0"


def test_the_makefile_explains_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)
    asked = ["help", "install", "demo", "test", "test-fast", "test-slow", "lint", "types", "docs", "check", "bench"]
    assert set(asked) <= set(phony.split())
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^  make ([a-z-]+) +\S", shown, flags=re.MULTILINE) == phony.split()


def test_ci_runs_the_test_command_of_the_readme() -> None:
    commands = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.findall(r"^make .*?(?= 2>&1)", commands, flags=re.MULTILINE) == ["make test"]
    assert "\nmake test " in (ROOT / "README.md").read_text(encoding="utf-8")
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert os.access(ROOT / "scripts" / "check", os.X_OK)

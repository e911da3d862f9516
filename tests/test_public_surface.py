"""What ``import synthgan`` offers, and what it costs."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest

import synthgan

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PUBLIC = {
    "Bounds",
    "BudgetError",
    "ColumnSchema",
    "Combinations",
    "ConditionError",
    "CsvFormat",
    "DataError",
    "Levels",
    "ModelFileError",
    "NotFittedError",
    "Order",
    "OutputError",
    "Privacy",
    "PrivacyError",
    "SchemaError",
    "SettingsError",
    "SourceError",
    "Sum",
    "SynthganError",
    "SynthganWarning",
    "Synthesizer",
    "TableSchema",
    "TrainingError",
    "UniqueKey",
    "__version__",
    "datasets",
    "evaluate",
    "load",
    "read_schema",
    "write_schema",
}
"""Pinned: a name that comes or goes is a decision, written down in CHANGELOG.md."""


def test_the_public_names_are_these() -> None:
    assert set(synthgan.__all__) == PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_name_exists(name: str) -> None:
    assert getattr(synthgan, name) is getattr(synthgan, name)
    assert name in dir(synthgan)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="synthesiser"):
        synthgan.synthesiser  # noqa: B018


def test_the_version_is_the_installed_one() -> None:
    assert importlib.metadata.version("synthgan") == synthgan.__version__


def test_importing_loads_nothing_heavy() -> None:
    code = "import sys, synthgan; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "pandas", "numpy", "pyarrow", "sklearn", "scipy", "sdmetrics", "rich", "click"} & set(loaded)


def test_the_command_module_is_the_entry_point() -> None:
    (entry,) = importlib.metadata.entry_points(group="console_scripts", name="synthgan")
    assert entry.value == "synthgan.cli.main:main"
    shown = subprocess.run([sys.executable, "-m", "synthgan", "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == f"synthgan, version {synthgan.__version__}"


def test_every_file_of_the_package_is_in_its_wheel() -> None:
    """What is no module is packed only where a pattern names it, and is missed only by who installs a wheel."""
    package = Path(synthgan.__file__).parent
    settings = tomllib.loads((package.parent / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"]["synthgan"]
    packed = {path for pattern in patterns for path in package.glob(pattern)}
    others = {path for path in package.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc", ".pyo")}
    assert others
    assert sorted(path.name for path in others - packed) == []
    assert all((folder / "__init__.py").is_file() for folder in {path.parent for path in package.rglob("*.py")})

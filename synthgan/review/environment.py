"""Which software made a bundle: versions and the kind of machine, nothing that names a machine, a user or a path."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from synthgan import __version__

LIBRARIES: Final = (
    "dp-accounting",
    "jinja2",
    "matplotlib",
    "numpy",
    "opacus",
    "opendp",
    "pandas",
    "pyarrow",
    "safetensors",
    "scikit-learn",
    "scipy",
    "torch",
)
"""Distributions whose versions may change what a bundle holds."""

FORMAT: Final = "synthgan-environment"
VERSION: Final = 2


def environment() -> dict[str, Any]:
    """The content of ``environment.json``. A library that is not installed is None."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "synthgan": __version__,
        "python": {"version": platform.python_version(), "implementation": platform.python_implementation()},
        "platform": {"system": platform.system(), "machine": platform.machine(), "arithmetic": _arithmetic()},
        "libraries": {name: _version(name) for name in LIBRARIES},
    }


def _arithmetic() -> str:
    """What rows are drawn with: CUDA, or the widest arithmetic that torch uses on this processor, such as AVX2."""
    import torch

    return "CUDA" if torch.cuda.is_available() else str(torch.backends.cpu.get_cpu_capability())


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None

"""Which software made a bundle: versions and the kind of machine, nothing that names a machine, a user or a path."""

from __future__ import annotations

import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from synthgan.version import __version__

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

_ABILITIES: Final = ("avx512_bf16", "amx_bf16")
"""Of a processor: arithmetic of its own for bfloat16, which rounds in its own way."""

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
    """What rows are drawn with, by which sums are rounded: CUDA, or the kind of processor and what it can do at once.

    A maker and a few abilities, shared by millions of machines; no model, no name.
    """
    import torch

    if torch.cuda.is_available():
        return "CUDA"
    told: dict[str, str] = {}
    with suppress(OSError, UnicodeDecodeError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            told.setdefault(name.strip(), value.strip())
    abilities = [flag for flag in _ABILITIES if flag in told.get("flags", "").split()]
    known = [torch.backends.cpu.get_cpu_capability(), told.get("vendor_id", ""), *abilities]
    return " ".join(text for text in known if text)


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None

"""What a figure was measured on: commit, machine, versions. Goes into every benchmark's JSON."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

SOURCES = ("synthgan", "benchmarks")
"""Folders whose uncommitted changes can change a figure."""

PACKAGES = ("synthgan", "numpy", "pandas", "pyarrow", "scikit-learn", "scipy", "sdmetrics", "torch", "xgboost-cpu")


def describe_run(packages: Sequence[str] = PACKAGES) -> dict[str, Any]:
    """Time, commit, machine and versions, as JSON values."""
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(_git("status", "--porcelain", "--", *SOURCES)),
        "machine": {
            "processor": _processor(),
            "cores": len(os.sched_getaffinity(0)),
            "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
            "system": platform.system(),
            "load_average": [round(load, 2) for load in os.getloadavg()],
        },
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "python": platform.python_version(),
        "versions": {name: version for name in packages if (version := _version(name)) is not None},
        "command": [Path(sys.argv[0]).name, *(without_folders(word) for word in sys.argv[1:])],
    }


def source_fingerprint() -> str:
    """Hash of the package's modules as they lie there now, committed or not."""
    found = hashlib.sha256()
    for path in sorted((ROOT / "synthgan").rglob("*.py")):
        content = path.read_bytes()
        found.update(f"{path.relative_to(ROOT).as_posix()}\0{len(content)}\0".encode() + content)
    return found.hexdigest()[:16]


def without_folders(word: str) -> str:
    """The word of a command without the machine's own folders: of an absolute path, only its last part."""
    option, equals, value = word.rpartition("=")
    return option + equals + (Path(value).name if Path(value).is_absolute() else value)


def _git(*words: str) -> str | None:
    found = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else None


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None

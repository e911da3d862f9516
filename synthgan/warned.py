"""Warnings at the line of the user's code that led to them, however deep in this package they arise."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from types import FrameType

from synthgan.errors import SynthganWarning

PACKAGE = str(Path(__file__).parent / "_")[:-1]
"""What the names of all files of this package begin with."""


def warn(text: str) -> None:
    """Issue a `SynthganWarning` at the nearest caller outside of this package.

    Python's filters show a warning once per line of code that it is issued at, so the line must be the caller's.

    Warns:
        SynthganWarning: always.
    """
    depth = 1  # of this very function, as `warnings.warn` counts
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
        frame, depth = frame.f_back, depth + 1
    warnings.warn(text, SynthganWarning, stacklevel=depth)

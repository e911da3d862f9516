"""What is told of rows that were drawn into a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleSummary:
    """What `Synthesizer.sample_to` wrote.

    Attributes:
        path: the file.
        n_rows: rows in it.
        effective_sample_size: of the latents behind conditioned rows; None without conditions.
    """

    path: Path
    n_rows: int
    effective_sample_size: float | None

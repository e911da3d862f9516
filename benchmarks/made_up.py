"""Made-up tables of any width and of any number of levels, to see how time and memory grow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

OTHER_LEVELS = 10
"""Levels of the texts beside the first."""


def write_made_up(path: Path, n_rows: int, n_columns: int, *, n_levels: int, seed: int) -> None:
    """Write a table of texts and floats in turn, all driven by three hidden factors.

    The first column has ``n_levels`` levels, the other texts have ten; the levels of a column are equally frequent, so
    that none is too rare to be kept as long as there are enough rows.

    Args:
        path: Parquet file to write.
        n_rows: rows.
        n_columns: columns.
        n_levels: levels of the first column.
        seed: of the values.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(n_rows, 3))
    columns: dict[str, Any] = {}
    for i in range(n_columns):
        score = factors @ rng.normal(size=3) + rng.normal(size=n_rows)
        if i % 2:
            columns[f"number {i}"] = score
            continue
        n = n_levels if i == 0 else OTHER_LEVELS
        level = np.argsort(np.argsort(score)) * n // n_rows
        columns[f"text {i}"] = np.array([f"level {k}" for k in range(n)], dtype=object)[level]
    pq.write_table(pa.table(columns), path)

"""Numbers cut into cells at the quantiles of the real rows, with a cell for each value that many rows share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from synthgan.evaluation.compared.compared_tables import Codes, Floats


def quantile_edges(values: Floats, levels: Sequence[float] | Floats) -> Floats:
    """The distinct values at these quantiles, rising; none where all values are missing.

    Args:
        values: ``(n_rows,)``, NaN where missing.
        levels: of the quantiles, between 0 and 1.
    """
    present = values[~np.isnan(values)]
    return np.unique(np.quantile(present, levels, method="lower")) if len(present) else np.empty(0)


def cut_at(values: Floats, edges: Floats) -> Codes:
    """Cells of numbers: even ones between the edges, odd ones on an edge, the last for missing values.

    Args:
        values: ``(n_rows,)``, NaN where missing.
        edges: ``(n_edges,)``, rising.

    Returns:
        ``(n_rows,)`` cells from 0 to ``n_cells(edges) - 1``.
    """
    cells = np.searchsorted(edges, values, side="left") + np.searchsorted(edges, values, side="right")
    cut: Codes = np.where(np.isnan(values), n_cells(edges) - 1, cells).astype(np.int64)
    return cut


def n_cells(edges: Floats) -> int:
    """How many cells `cut_at` has for these edges."""
    return 2 * len(edges) + 2

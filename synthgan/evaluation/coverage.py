"""Does the synthetic table hold all that the real one does, and are its rows typical of it.

Mode coverage (`synthgan.evaluation.modes`) and the Frechet distance (`synthgan.evaluation.frechet`) as scores, and
alpha-precision and beta-recall: Alaa, van Breugel, Saveliev and van der Schaar, "How Faithful is your Synthetic Data?"
(ICML 2022), sections 3 and 4, on one-hot categories and numbers scaled to the real table's range, without the learned
embedding (the variant that the TabSyn and TabDiff papers report).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from synthgan.comparison import MODE_ROWS, REACHED_SHARE
from synthgan.evaluation.features import ComparedTables, Floats
from synthgan.evaluation.frechet import relative_frechet_distance
from synthgan.evaluation.modes import mode_coverage
from synthgan.evaluation.neighbours import as_points, nearest
from synthgan.evaluation.scores import Score

N_LEVELS = 30
"""Support levels between 0 and 1 at which both curves are read."""


def coverage_scores(
    tables: ComparedTables,
    rng: np.random.Generator,
    *,
    real: str = "real",
    synthetic: str = "synthetic",
    reference: str | None = None,
    max_rows: int | None = None,
) -> list[Score]:
    """Mode coverage, and the Frechet distance in percent of the real rows' variance.

    Args:
        tables: the compared tables.
        rng: draws the rows when a table has more than ``max_rows``.
        real: name of the real table.
        synthetic: name of the table to score.
        reference: name of a table of fresh real rows, scored the same way as what to expect of real rows.
        max_rows: most rows of each table for the Frechet distance; None for all.
    """
    modes = mode_coverage(tables, real=real, synthetic=synthetic)
    fresh = None if reference is None else mode_coverage(tables, real=real, synthetic=reference)
    names = [name for name in (real, synthetic, reference) if name is not None]
    for name in names:
        if max_rows is not None and tables.n_rows[name] > max_rows:
            tables = tables.select(name, np.sort(rng.choice(tables.n_rows[name], max_rows, replace=False)))
    details: dict[str, Any] = {
        "levels": modes.level_share,
        "levels_reference": None if fresh is None else fresh.level_share,
        "columns": {column: {"reached": reached, "modes": n} for column, (reached, n) in modes.columns.items()},
        "pairs": {pair: {"reached": reached, "modes": n} for pair, (reached, n) in modes.pairs.items() if n},
    }
    return [
        Score(
            name="mode_coverage",
            label="Mode coverage",
            value=modes.share,
            direction="higher",
            ideal=1.0,
            group="coverage",
            reference=None if fresh is None else fresh.share,
            note=f"share of the cells of {MODE_ROWS} real rows or more that hold {REACHED_SHARE:.0%} of their share",
            details=details,
        ),
        Score(
            name="frechet_distance",
            label="Frechet distance",
            value=100.0 * relative_frechet_distance(tables, real=real, synthetic=synthetic),
            direction="lower",
            ideal=0.0,
            unit="%",
            group="coverage",
            reference=None
            if reference is None
            else 100.0 * relative_frechet_distance(tables, real=real, synthetic=reference),
            note="between Gaussians fitted to the encoded rows, in percent of the real rows' variance",
        ),
    ]


def alpha_precision_beta_recall(
    tables: ComparedTables,
    rng: np.random.Generator,
    *,
    real: str = "real",
    synthetic: str = "synthetic",
    max_rows: int | None = None,
) -> tuple[float, float]:
    """Integrated alpha-precision and beta-recall, both 1 at best.

    Args:
        tables: the compared tables.
        rng: draws the rows when a table has more than ``max_rows``.
        real: name of the real table, at least two rows.
        synthetic: name of the table to score.
        max_rows: most rows of each table to use; None for all. Time grows with the product of the two numbers of rows.
    """
    for name in (real, synthetic):
        if max_rows is not None and tables.n_rows[name] > max_rows:
            tables = tables.select(name, np.sort(rng.choice(tables.n_rows[name], max_rows, replace=False)))
    real_points, synthetic_points = as_points(tables, real, real=real), as_points(tables, synthetic, real=real)
    real_rows, synthetic_rows = real_points.matrix, synthetic_points.matrix
    levels = np.linspace(0.0, 1.0, N_LEVELS)

    centre = real_rows.mean(axis=0)
    real_radii = np.quantile(_norms(real_rows - centre), levels)
    precision = (_norms(synthetic_rows - centre)[:, None] <= real_radii).mean(axis=0)

    to_real, _ = nearest(real_points, real_points, norm="l2", same=True)
    to_synthetic, closest = nearest(real_points, synthetic_points, norm="l2")
    # Covered: a synthetic row lies closer than the nearest other real row, and inside the beta-support.
    depth = _norms(synthetic_rows[closest] - synthetic_rows.mean(axis=0))
    covered = (to_synthetic <= to_real)[:, None] & (depth[:, None] <= np.quantile(depth, levels))
    recall = covered.mean(axis=0)
    return _agreement(precision, levels), _agreement(recall, levels)


def _norms(rows: Floats) -> Floats:
    norms: Floats = np.sqrt((rows**2).sum(axis=1))
    return norms


def _agreement(curve: Floats, levels: Floats) -> float:
    """One less the area between a curve and the diagonal, as a share of the largest possible."""
    return float(1.0 - np.abs(curve - levels).sum() / levels.sum())

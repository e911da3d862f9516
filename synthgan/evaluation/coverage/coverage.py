"""Does the synthetic table hold all that the real one does, and are its rows typical of it.

Mode coverage (`modes.py` beside this module), the Frechet distance (`frechet.py`), alpha-precision and beta-recall
(`alpha_beta.py`) as scores.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from synthgan.comparison import MODE_ROWS, REACHED_SHARE
from synthgan.evaluation.compared.compared_tables import ComparedTables
from synthgan.evaluation.compared.resampling import N_RESAMPLES, centred_interval, resample
from synthgan.evaluation.coverage.alpha_beta import NEIGHBOUR_ROWS, alpha_beta_scores
from synthgan.evaluation.coverage.frechet import relative_frechet_distance
from synthgan.evaluation.coverage.modes import mode_coverage
from synthgan.evaluation.scores import Score


def coverage_scores(
    tables: ComparedTables,
    rng: np.random.Generator,
    *,
    real: str = "real",
    synthetic: str = "synthetic",
    reference: str | None = None,
    max_rows: int | None = None,
    neighbour_rows: int | None = NEIGHBOUR_ROWS,
    n_resamples: int = N_RESAMPLES,
) -> list[Score]:
    """Mode coverage, the Frechet distance in percent of the real rows' variance, alpha-precision and beta-recall.

    Args:
        tables: the compared tables.
        rng: draws the rows when a table has more than the caps, and the resamples.
        real: name of the real table.
        synthetic: name of the table to score.
        reference: name of a table of fresh real rows, scored the same way as what to expect of real rows.
        max_rows: most rows of each table for the Frechet distance; None for all.
        neighbour_rows: most rows of each table for alpha-precision and beta-recall; None for all, 0 to leave both out.
        n_resamples: resamples behind the intervals (see `synthgan.evaluation.compared.resampling`); 0 for no intervals.
    """
    whole = tables
    resamples = resample(tables.n_rows[synthetic], rng, n_resamples=n_resamples) if n_resamples else None
    modes = mode_coverage(tables, real=real, synthetic=synthetic, resamples=resamples)
    fresh = None if reference is None else mode_coverage(tables, real=real, synthetic=reference)
    names = [name for name in (real, synthetic, reference) if name is not None]
    tables = tables.at_most(max_rows, names, rng)
    details: dict[str, Any] = {
        "levels": modes.level_share,
        "levels_reference": None if fresh is None else fresh.level_share,
        "columns": {column: {"reached": reached, "modes": n} for column, (reached, n) in modes.columns.items()},
        "pairs": {pair: {"reached": reached, "modes": n} for pair, (reached, n) in modes.pairs.items() if n},
    }
    scores = [
        Score.of(
            "mode_coverage",
            modes.share,
            interval=centred_interval(modes.share, modes.resampled, lowest=0.0, highest=1.0),
            reference=None if fresh is None else fresh.share,
            note=f"share of the cells of {MODE_ROWS} real rows or more that hold {REACHED_SHARE:.0%} of their share",
            details=details,
        ),
        Score.of(
            "frechet_distance",
            100.0 * relative_frechet_distance(tables, real=real, synthetic=synthetic),
            reference=None
            if reference is None
            else 100.0 * relative_frechet_distance(tables, real=real, synthetic=reference),
            note="between Gaussians fitted to the encoded rows, in percent of the real rows' variance",
        ),
    ]
    if neighbour_rows != 0:
        scores += alpha_beta_scores(
            whole,
            rng,
            real=real,
            synthetic=synthetic,
            reference=reference,
            max_rows=neighbour_rows,
            n_resamples=n_resamples,
        )
    return scores

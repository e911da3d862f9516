"""Fidelity: how closely the synthetic table's columns, pairs of columns, gaps and rare slices follow the real ones.

Only the scores are put together here; the measures are beside this module in `shapes.py`, `trends.py`,
`missingness.py`, `correlations.py` and `rare_slices.py`. All are errors: 0 is perfect.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from synthgan.evaluation.compared.compared_tables import ComparedTables, Floats
from synthgan.evaluation.compared.resampling import N_RESAMPLES, Resamples, centred_interval, resample
from synthgan.evaluation.fidelity.correlations import correlation_scores
from synthgan.evaluation.fidelity.missingness import missingness_scores
from synthgan.evaluation.fidelity.rare_slices import rare_slice_scores
from synthgan.evaluation.fidelity.shapes import resampled_shape, shape_errors
from synthgan.evaluation.fidelity.trends import PairErrors, strong_pair_errors, trend_errors
from synthgan.evaluation.scores import Score

_NOTES = {
    "shape": "mean distance of the columns' distributions",
    "trend_shared": "mean distance over all pairs of columns",
    "trend_own": "the papers' convention; hangs on each column's extremes",
    "strong_pairs": "only pairs that are strongly related in the real table",
}


def fidelity_scores(
    tables: ComparedTables,
    rng: np.random.Generator,
    *,
    real: str = "real",
    synthetic: str = "synthetic",
    reference: str | None = None,
    n_resamples: int = N_RESAMPLES,
) -> list[Score]:
    """Shape, both trends, strong-pair trend, missing shares and patterns, correlations, rare slices.

    Args:
        tables: the compared tables.
        rng: draws the resamples, and rows for the rare slices where there are many.
        real: name of the real table.
        synthetic: name of the table to score.
        reference: name of a table of fresh real rows, scored the same way as the noise floor.
        n_resamples: resamples behind the intervals (see `synthgan.evaluation.compared.resampling`); 0 for no intervals.
    """
    resamples = resample(tables.n_rows[synthetic], rng, n_resamples=n_resamples) if n_resamples else None
    found = _figures(tables, real, synthetic, resamples)
    floors = {} if reference is None else _figures(tables, real, reference, None)
    scores = [
        Score.of(
            name,
            found[name][0],
            interval=centred_interval(found[name][0], found[name][2], lowest=0.0, highest=100.0),
            reference=floors[name][0] if floors else None,
            note=note,
            details=found[name][1],
        )
        for name, note in _NOTES.items()
    ]
    names: dict[str, Any] = {"real": real, "synthetic": synthetic, "reference": reference}
    scores += missingness_scores(tables, resamples, **names)
    scores += correlation_scores(tables, resamples, **names)
    scores += rare_slice_scores(tables, rng, n_resamples=n_resamples, **names)
    return scores


_Figure = tuple[float, dict[str, float], Floats | None]


def _figures(tables: ComparedTables, real: str, synthetic: str, resamples: Resamples | None) -> dict[str, _Figure]:
    """Value, parts and resampled values of each figure in `_NOTES`."""
    shapes = shape_errors(tables, real=real, synthetic=synthetic)
    known = [error for error in shapes.values() if not np.isnan(error)]
    drawn = None if resamples is None else resampled_shape(tables, resamples, real=real, synthetic=synthetic)
    names: dict[str, Any] = {"real": real, "synthetic": synthetic}
    return {
        "shape": (float(np.mean(known)) if known else float("nan"), shapes, drawn),
        "trend_shared": _of_pairs(trend_errors(tables, edges="shared", resamples=resamples, **names)),
        "trend_own": _of_pairs(trend_errors(tables, edges="own", resamples=resamples, **names)),
        "strong_pairs": _of_pairs(strong_pair_errors(tables, resamples=resamples, **names)),
    }


def _of_pairs(pairs: PairErrors) -> _Figure:
    named = zip(pairs.pairs, pairs.errors.tolist(), strict=True)
    return pairs.mean, {f"{left} | {right}": e for (left, right), e in named if not np.isnan(e)}, pairs.resampled

"""Alpha-precision and beta-recall: are synthetic rows typical of the real ones, and real rows of the synthetic ones.

Alaa, van Breugel, Saveliev and van der Schaar, "How Faithful is your Synthetic Data?" (ICML 2022), sections 3 and 4, on
one-hot categories and numbers scaled to the real table's range, without the learned embedding (the variant that the
TabSyn and TabDiff papers report).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthgan.evaluation.compared.compared_tables import ComparedTables, Floats
from synthgan.evaluation.compared.neighbours import RowPoints, as_points, nearest
from synthgan.evaluation.compared.resampling import N_RESAMPLES, centred_interval, resample
from synthgan.evaluation.scores import Score

N_LEVELS = 30
"""Support levels between 0 and 1 at which both curves are read."""

NEIGHBOUR_ROWS = 10_000
"""Most rows of each table by default: time grows with the product of their numbers."""

_LEVELS = np.linspace(0.0, 1.0, N_LEVELS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Supports:
    """Which rows lie in the other table's support at each of the levels.

    Attributes:
        real_depth: ``(n_real,)`` distance of each real row to the real centre.
        depth: ``(n_synthetic,)`` distance of each synthetic row to the real centre.
        inside: ``(n_synthetic, n_levels)`` synthetic rows no farther from the real centre than that share of real rows.
        covered: ``(n_real, n_levels)`` real rows that a synthetic row of that share of the synthetic support is closer
            to than the nearest other real row.
    """

    real_depth: Floats
    depth: Floats
    inside: NDArray[np.bool_]
    covered: NDArray[np.bool_]

    @property
    def alpha_precision(self) -> float:
        """Integrated alpha-precision; 1 at best."""
        return float(_agreement(self.inside.mean(axis=0)))

    @property
    def beta_recall(self) -> float:
        """Integrated beta-recall; 1 at best."""
        return float(_agreement(self.covered.mean(axis=0)))


def alpha_beta_scores(
    tables: ComparedTables,
    rng: np.random.Generator,
    *,
    real: str = "real",
    synthetic: str = "synthetic",
    reference: str | None = None,
    max_rows: int | None = NEIGHBOUR_ROWS,
    n_resamples: int = N_RESAMPLES,
) -> list[Score]:
    """Integrated alpha-precision and beta-recall.

    The interval of alpha-precision resamples the synthetic rows, and where a cap drew them the real rows too; that of
    beta-recall resamples the real rows that are or are not covered.

    Args:
        tables: the compared tables.
        rng: draws the rows when a table has more than ``max_rows``, and the resamples.
        real: name of the real table; with a single row there are no scores.
        synthetic: name of the table to score.
        reference: name of a table of fresh real rows, scored the same way.
        max_rows: most rows of each table; None for all.
        n_resamples: resamples behind the intervals; 0 for none.
    """
    if tables.n_rows[real] < 2:
        return []
    names = [name for name in (real, synthetic, reference) if name is not None]
    drawn_rows = max_rows is not None and tables.n_rows[real] > max_rows
    tables = tables.at_most(max_rows, names, rng)
    points = {name: as_points(tables, name, real=real) for name in names}
    to_real, _ = nearest(points[real], points[real], norm="l2", same=True)
    found = _supports(points[real], points[synthetic], to_real)
    fresh = None if reference is None else _supports(points[real], points[reference], to_real)
    details = {"n_rows": {name: tables.n_rows[name] for name in names}}
    precision, recall = None, None
    if n_resamples:
        precision = _resampled_precision(found, rng, n_resamples, with_real=drawn_rows)
        resamples = resample(tables.n_rows[real], rng, n_resamples=n_resamples)
        recall = _agreement(resamples.sums(found.covered.astype(np.float64)) / resamples.n_rows[:, None])
    return [
        Score.of(
            "alpha_precision",
            found.alpha_precision,
            interval=centred_interval(found.alpha_precision, precision, lowest=0.0, highest=1.0),
            reference=None if fresh is None else fresh.alpha_precision,
            note="whether as many synthetic rows as real ones lie in each central part of the real table",
            details=details | {"curve": _curve(found.inside)},
        ),
        Score.of(
            "beta_recall",
            found.beta_recall,
            interval=centred_interval(found.beta_recall, recall, lowest=0.0, highest=1.0),
            reference=None if fresh is None else fresh.beta_recall,
            note="whether real rows have a synthetic row nearer than the nearest other real row",
            details=details | {"curve": _curve(found.covered)},
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
    tables = tables.at_most(max_rows, (real, synthetic), rng)
    real_points, synthetic_points = as_points(tables, real, real=real), as_points(tables, synthetic, real=real)
    to_real, _ = nearest(real_points, real_points, norm="l2", same=True)
    found = _supports(real_points, synthetic_points, to_real)
    return found.alpha_precision, found.beta_recall


def _supports(real: RowPoints, synthetic: RowPoints, to_real: Floats) -> Supports:
    """Both supports, given the distance of each real row to the nearest other one."""
    real_rows, synthetic_rows = real.matrix, synthetic.matrix
    centre = real_rows.mean(axis=0)
    real_depth, depth = _norms(real_rows - centre), _norms(synthetic_rows - centre)
    to_synthetic, closest = nearest(real, synthetic, norm="l2")
    # Covered: a synthetic row lies closer than the nearest other real row, and inside the beta-support.
    central = _norms(synthetic_rows[closest] - synthetic_rows.mean(axis=0))
    return Supports(
        real_depth=real_depth,
        depth=depth,
        inside=depth[:, None] <= np.quantile(real_depth, _LEVELS),
        covered=(to_synthetic <= to_real)[:, None] & (central[:, None] <= np.quantile(central, _LEVELS)),
    )


def _resampled_precision(found: Supports, rng: np.random.Generator, n_resamples: int, *, with_real: bool) -> Floats:
    """Alpha-precision with rows drawn anew, the synthetic ones or those of both tables: ``(n_resamples,)``."""
    radii = np.quantile(found.real_depth, _LEVELS)
    values = np.empty(n_resamples)
    for place in range(n_resamples):
        if with_real:
            radii = np.quantile(rng.choice(found.real_depth, len(found.real_depth)), _LEVELS)
        depth = np.sort(rng.choice(found.depth, len(found.depth)))
        values[place] = _agreement(np.searchsorted(depth, radii, side="right") / len(depth))
    return values


def _curve(rows: NDArray[np.bool_]) -> dict[str, Any]:
    return {"level": _LEVELS.tolist(), "share": rows.mean(axis=0).tolist()}


def _norms(rows: Floats) -> Floats:
    norms: Floats = np.sqrt((rows**2).sum(axis=1))
    return norms


def _agreement(curve: Floats) -> Any:
    """One less the area between a curve and the diagonal, as a share of the largest possible; by the last axis."""
    return 1.0 - np.abs(curve - _LEVELS).sum(axis=-1) / _LEVELS.sum()

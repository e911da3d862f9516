"""Two-sample test: how well a classifier tells synthetic rows from real ones (C2ST, Lopez-Paz and Oquab 2017)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthgan.evaluation.compared.compared_tables import ComparedTables, Floats
from synthgan.evaluation.compared.intervals import Z, roc_auc
from synthgan.evaluation.scores import Score

N_FOLDS = 3


IMPORTANCE_ROWS = 300_000
"""Rows scored per fold for the importances, all columns together: wide tables use fewer rows for each."""

_ROWS_PER_COLUMN = (200, 10_000)


@dataclass(frozen=True, kw_only=True, slots=True)
class Detection:
    """How well two tables were told apart.

    Attributes:
        auc: area under the ROC curve, averaged over the folds.
        standard_error: of the area (DeLong); it does not cover the choice of folds.
        importances: per column, in falling order, the drop of the area when the column's values are shuffled among
            the rows held out (Breiman 2001, section 10), averaged over the folds; near 0 for columns that tell nothing.
    """

    auc: float
    standard_error: float
    importances: dict[str, float]


def detection_auc(
    tables: ComparedTables, rng: np.random.Generator, *, synthetic: str = "synthetic"
) -> tuple[float, float]:
    """AUC of gradient boosting that separates a table from ``real``, mean over three folds, and its standard error."""
    found = detect(tables, rng, synthetic=synthetic, importances=False)
    return found.auc, found.standard_error


def detect(
    tables: ComparedTables,
    rng: np.random.Generator,
    *,
    synthetic: str = "synthetic",
    importances: bool = True,
) -> Detection:
    """Train gradient boosting to separate two tables, judge it on rows held out, and ask what gave them away.

    Args:
        tables: the compared tables.
        rng: of folds, models and shuffles.
        synthetic: name of the table to tell from ``real``.
        importances: whether to compute them.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    features = np.concatenate([tables.matrix("real"), tables.matrix(synthetic)])
    is_synthetic = np.repeat([False, True], [tables.n_rows["real"], tables.n_rows[synthetic]])
    fold = np.concatenate([_folds(tables.n_rows[name], rng) for name in ("real", synthetic)])
    categorical = [tables.roles[name] == "categorical" for name in tables.columns]
    areas, variances, models = [], [], []
    for held_out in range(N_FOLDS):
        test = fold == held_out
        model = HistGradientBoostingClassifier(
            categorical_features=categorical, early_stopping=False, random_state=int(rng.integers(2**31))
        )
        training = features[~test]
        training[:, np.isnan(training).all(axis=0)] = 0.0  # boosting has no bins for an empty column
        model.fit(training, is_synthetic[~test])
        area, error = roc_auc(is_synthetic[test], model.predict_proba(features[test])[:, 1])
        areas.append(area)
        variances.append(error**2)
        models.append(model)
    drops = np.zeros(len(tables.columns))
    if importances:
        drops = np.mean(
            [
                _drops(model, features[fold == held_out], is_synthetic[fold == held_out], rng)
                for held_out, model in enumerate(models)
            ],
            axis=0,
        )
    order = np.argsort(-drops, kind="stable").tolist() if importances else []
    return Detection(
        auc=float(np.mean(areas)),
        standard_error=math.sqrt(sum(variances)) / N_FOLDS,
        importances={tables.columns[place]: float(drops[place]) for place in order},
    )


def _drops(model: Any, features: Floats, is_synthetic: NDArray[np.bool_], rng: np.random.Generator) -> Floats:
    """Drop of the area when each column in turn is shuffled: ``(n_columns,)``."""
    n_columns = features.shape[1]
    fewest, most = _ROWS_PER_COLUMN
    n = min(len(features), max(fewest, min(most, IMPORTANCE_ROWS // n_columns)))
    # Half of each table: a chance draw of a few hundred rows need not hold both.
    sides = [rng.permutation(np.flatnonzero(is_synthetic == side))[: max(1, n // 2)] for side in (False, True)]
    rows = np.concatenate(sides)
    kept, truth = features[rows], is_synthetic[rows]
    whole, _ = roc_auc(truth, model.predict_proba(kept)[:, 1])
    drops = np.empty(n_columns)
    for place in range(n_columns):
        own = kept[:, place].copy()
        kept[:, place] = own[rng.permutation(len(own))]
        drops[place] = whole - roc_auc(truth, model.predict_proba(kept)[:, 1])[0]
        kept[:, place] = own
    return drops


def detection_scores(
    tables: ComparedTables,
    rng: np.random.Generator,
    *,
    reference: str | None = None,
    max_rows: int = 50_000,
) -> list[Score]:
    """C2ST: ``1 - (2 max(AUC, 0.5) - 1)``, so 1 means indistinguishable and 0 perfectly separable.

    Both tables take part with equally many rows, drawn at random, at most ``max_rows``. Too few rows for three folds
    give no score. The interval is DeLong's for the AUC; it does not cover the choice of folds.

    Args:
        tables: the compared tables.
        rng: of rows, folds and models.
        reference: name of a table of fresh real rows, scored the same way.
        max_rows: largest number of rows per table.
    """
    n = min(tables.n_rows["real"], tables.n_rows["synthetic"], max_rows)
    if n < 2 * N_FOLDS or not tables.columns:
        return []
    detection = detect(tables.at_most(n, ("real", "synthetic"), rng), rng)
    auc, error = detection.auc, detection.standard_error
    floor = None
    if reference is not None and tables.n_rows[reference] >= 2 * N_FOLDS:
        floor_rows = min(tables.n_rows["real"], tables.n_rows[reference], max_rows)
        fresh = tables.at_most(floor_rows, ("real", reference), rng)
        floor = _c2st(detection_auc(fresh, rng, synthetic=reference)[0])
    return [
        Score.of(
            "c2st",
            _c2st(auc),
            interval=(_c2st(auc + Z * error), _c2st(auc - Z * error)),
            reference=floor,
            note="1 when a classifier cannot tell synthetic rows from real ones, 0 when it always can",
            details={
                "auc": auc,
                "auc_standard_error": error,
                "n_rows_each": n,
                "importances": detection.importances,
            },
        )
    ]


def _c2st(auc: float) -> float:
    return 1.0 - (2.0 * min(max(auc, 0.5), 1.0) - 1.0)


def _folds(n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Fold of each row: balanced and shuffled."""
    return rng.permutation(np.arange(n) % N_FOLDS)

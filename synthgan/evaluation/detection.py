"""Two-sample test: how well a classifier tells synthetic rows from real ones (C2ST, Lopez-Paz and Oquab 2017)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from synthgan.evaluation.features import ComparedTables
from synthgan.evaluation.intervals import Z, roc_auc
from synthgan.evaluation.scores import Score

N_FOLDS = 3


def detection_auc(
    tables: ComparedTables, rng: np.random.Generator, *, real: str = "real", synthetic: str = "synthetic"
) -> tuple[float, float]:
    """AUC of gradient boosting told to separate two tables, averaged over three folds, and its standard error."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    features = np.concatenate([tables.matrix(real), tables.matrix(synthetic)])
    is_synthetic = np.repeat([False, True], [tables.n_rows[real], tables.n_rows[synthetic]])
    fold = np.concatenate([_folds(tables.n_rows[name], rng) for name in (real, synthetic)])
    categorical = [tables.roles[name] == "categorical" for name in tables.columns]
    areas, variances = [], []
    for held_out in range(N_FOLDS):
        test = fold == held_out
        model = HistGradientBoostingClassifier(
            categorical_features=categorical, early_stopping=False, random_state=int(rng.integers(2**31))
        )
        model.fit(features[~test], is_synthetic[~test])
        area, error = roc_auc(is_synthetic[test], model.predict_proba(features[test])[:, 1])
        areas.append(area)
        variances.append(error**2)
    return float(np.mean(areas)), math.sqrt(sum(variances)) / N_FOLDS


def detection_scores(
    tables: ComparedTables,
    rng: np.random.Generator,
    *,
    real: str = "real",
    synthetic: str = "synthetic",
    reference: str | None = None,
    max_rows: int = 50_000,
) -> list[Score]:
    """C2ST: ``1 - (2 max(AUC, 0.5) - 1)``, so 1 means indistinguishable and 0 perfectly separable.

    Both tables take part with equally many rows, drawn at random, at most ``max_rows``. Too few rows for three folds
    give no score. The interval is DeLong's for the AUC; it does not cover the choice of folds.

    Args:
        tables: the compared tables.
        rng: of rows, folds and models.
        real: name of the real table.
        synthetic: name of the table to score.
        reference: name of a table of fresh real rows, scored the same way.
        max_rows: largest number of rows per table.
    """
    n = min(tables.n_rows[real], tables.n_rows[synthetic], max_rows)
    if n < 2 * N_FOLDS or not tables.columns:
        return []
    auc, error = _equal_sized_auc(tables, rng, real, synthetic, n)
    floor = None
    if reference is not None and tables.n_rows[reference] >= 2 * N_FOLDS:
        floor_rows = min(tables.n_rows[real], tables.n_rows[reference], max_rows)
        floor = _c2st(_equal_sized_auc(tables, rng, real, reference, floor_rows)[0])
    return [
        Score(
            name="c2st",
            label="C2ST, gradient boosting",
            value=_c2st(auc),
            direction="higher",
            group="detection",
            interval=(_c2st(auc + Z * error), _c2st(auc - Z * error)),
            ideal=1.0,
            reference=floor,
            note="1 when a classifier cannot tell synthetic rows from real ones, 0 when it always can",
            details={"auc": auc, "auc_standard_error": error, "n_rows_each": n},
        )
    ]


def _equal_sized_auc(
    tables: ComparedTables, rng: np.random.Generator, real: str, synthetic: str, n: int
) -> tuple[float, float]:
    for name in (real, synthetic):
        if tables.n_rows[name] > n:
            tables = tables.select(name, np.sort(rng.choice(tables.n_rows[name], n, replace=False)))
    return detection_auc(tables, rng, real=real, synthetic=synthetic)


def _c2st(auc: float) -> float:
    return 1.0 - (2.0 * min(max(auc, 0.5), 1.0) - 1.0)


def _folds(n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Fold of each row: balanced and shuffled."""
    return rng.permutation(np.arange(n) % N_FOLDS)

"""The two XGBoost measures of the protocol: a two-sample test, and models trained on synthetic, tested on real rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import mean_squared_error, r2_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from xgboost import XGBClassifier, XGBRegressor

from synthgan.evaluation.compared.compared_tables import ComparedTables


def c2st(tables: ComparedTables, *, n_jobs: int = 1, seed: int = 0) -> dict[str, float]:
    """XGB-C2ST of ``synthetic`` against ``real`` and the AUC it comes from (mean over three folds)."""
    features = np.concatenate([tables.one_hot("real"), tables.one_hot("synthetic")])
    labels = np.repeat([1, 0], [tables.n_rows["real"], tables.n_rows["synthetic"]])
    folds = StratifiedKFold(3, shuffle=True, random_state=seed)
    aucs = []
    for fit, held_out in folds.split(features, labels):
        model = XGBClassifier(n_jobs=n_jobs, random_state=seed).fit(features[fit], labels[fit])
        aucs.append(roc_auc_score(labels[held_out], model.predict_proba(features[held_out])[:, 1]))
    auc = float(np.mean(aucs))
    return {"xgb_c2st": 1.0 - (2.0 * max(auc, 0.5) - 1.0), "xgb_c2st_auc": auc}


def utility(
    tables: ComparedTables, target: str, *, trained_on: str, n_jobs: int = 1, seed: int = 0
) -> dict[str, float]:
    """Train on one table, score on ``holdout``: AUC for a categorical target, RMSE and R2 for a numeric one.

    The keys are ``mle_auc`` and so on, with ``mle_real_`` in front for a model trained on the real table.
    """
    prefix = "mle_real_" if trained_on == "real" else "mle_"
    inputs = [name for name in tables.columns if name != target]
    train, test = tables.one_hot(trained_on, inputs), tables.one_hot("holdout", inputs)
    options = {"n_jobs": n_jobs, "random_state": seed}
    if tables.roles[target] == "numeric":
        y, truth = tables.numbers[trained_on][target], tables.numbers["holdout"][target]
        known, scored = np.isfinite(y), np.isfinite(truth)
        predicted = XGBRegressor(**options).fit(train[known], y[known]).predict(test[scored])
        return {
            f"{prefix}rmse": float(np.sqrt(mean_squared_error(truth[scored], predicted))),
            f"{prefix}r2": float(r2_score(truth[scored], predicted)),
        }
    labels, true_labels = tables.codes[trained_on][target], tables.codes["holdout"][target]
    known, scored = labels >= 0, true_labels >= 0
    classes, places = np.unique(labels[known], return_inverse=True)
    if len(classes) < 2:
        return {f"{prefix}auc": 0.5}
    model = XGBClassifier(**options).fit(train[known], places)
    probabilities = np.zeros((int(scored.sum()), tables.n_levels[target]))
    probabilities[:, classes] = model.predict_proba(test[scored])
    return {f"{prefix}auc": macro_auc(true_labels[scored], probabilities)}


def macro_auc(truth: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    """AUC of each class that occurs against the rest, averaged (of two classes both have the same)."""
    levels = np.unique(truth)
    return float(np.mean([roc_auc_score(truth == level, probabilities[:, level]) for level in levels]))

"""Downstream utility: a model trained on synthetic rows and tested on real ones, beside one trained on real rows.

Esteban, Hyland and Raetsch 2017 ("train on synthetic, test on real"). Models are scikit-learn's histogram gradient
boosting with their defaults.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from synthgan.evaluation.features import ComparedTables, Floats
from synthgan.evaluation.intervals import Z, bootstrap, roc_auc
from synthgan.evaluation.scores import Score

Task = Literal["binary", "multiclass", "regression"]

MAX_CLASSES = 50
_FEW_VALUES = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """A trained model's answers on the test rows.

    Attributes:
        truth: ``(n_test,)`` class numbers, or values.
        predicted: ``(n_test,)`` values, or ``(n_test, n_classes)`` probabilities.
    """

    truth: NDArray[Any]
    predicted: Floats


def task_of(tables: ComparedTables, target: str, *, real: str = "real") -> Task | None:
    """What predicting ``target`` means: categories and whole numbers of at most ten values are classes.

    None when there is nothing to predict (one class) or too much (more than 50 classes).
    """
    if tables.roles[target] == "numeric":
        values = tables.numbers[real][target]
        distinct = np.unique(values[np.isfinite(values)])
        whole = bool((distinct == np.floor(distinct)).all())
        if not (whole and len(distinct) <= _FEW_VALUES):
            return "regression"
        n_classes = len(distinct)
    else:
        n_classes = len(np.unique(tables.codes[real][target][tables.codes[real][target] >= 0]))
    if not 2 <= n_classes <= MAX_CLASSES:
        return None
    return "binary" if n_classes == 2 else "multiclass"


def utility_scores(
    tables: ComparedTables,
    target: str,
    rng: np.random.Generator,
    *,
    train: str = "real",
    synthetic: str = "synthetic",
    test: str = "holdout",
    max_rows: int = 100_000,
) -> list[Score]:
    """Scores of the model trained on synthetic rows; `Score.reference` is the same model trained on real rows.

    Classification gives ROC AUC (macro average of one against the rest when there are more than two classes) and
    balanced accuracy; regression gives R2 and RMSE. Rows without a target take no part.

    Args:
        tables: the compared tables.
        target: the column to predict.
        rng: of rows, models and resamples.
        train: name of the real table that the reference model learns from.
        synthetic: name of the table to score.
        test: name of the table of real test rows.
        max_rows: most rows to train on.

    Returns:
        The scores; empty when the target cannot be predicted (`task_of`), is missing throughout a table, or is the only
        column.
    """
    task = task_of(tables, target, real=train)
    if task is None or len(tables.columns) < 2:
        return []
    seed = int(rng.integers(2**31))
    trials = []
    for name in (synthetic, train):
        if tables.n_rows[name] > max_rows:
            tables = tables.select(name, np.sort(rng.choice(tables.n_rows[name], max_rows, replace=False)))
        trial = _trial(tables, target, task, train=name, test=test, seed=seed)
        if trial is None:
            return []
        trials.append(trial)
    measure = _regression if task == "regression" else _classification
    ours, real = (measure(trial, rng) for trial in trials)
    return [
        Score(
            name=f"utility_{name}",
            label=_LABELS[name],
            value=ours[name][0],
            direction="lower" if name == "rmse" else "higher",
            group="utility",
            interval=ours[name][1],
            reference=real[name][0],
            note="model trained on synthetic rows, tested on real ones; the reference is trained on real rows",
            details={"task": task, "n_test": len(trials[0].truth), "reference_interval": list(real[name][1])},
        )
        for name in ours
    ]


_LABELS = {"auc": "AUC", "balanced_accuracy": "Balanced accuracy", "r2": "R2", "rmse": "RMSE"}

Measured = dict[str, tuple[float, tuple[float, float]]]


def _trial(tables: ComparedTables, target: str, task: Task, *, train: str, test: str, seed: int) -> Trial | None:
    """Train on one table, answer for the test rows; None when either has no row with a target."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    inputs = [column for column in tables.columns if column != target]
    categorical = [tables.roles[column] == "categorical" for column in inputs]
    y, known = _target(tables, target, train)
    truth, scored = _target(tables, target, test)
    features, test_features = tables.matrix(train, inputs)[known], tables.matrix(test, inputs)[scored]
    if not len(features) or not len(test_features):
        return None
    options: dict[str, Any] = {"categorical_features": categorical, "early_stopping": False, "random_state": seed}
    if task == "regression":
        model = HistGradientBoostingRegressor(**options).fit(features, y)
        return Trial(truth=truth, predicted=model.predict(test_features))
    classes = np.unique(np.concatenate([y, truth]))
    places, test_places = np.searchsorted(classes, y), np.searchsorted(classes, truth)
    probabilities = np.zeros((len(test_features), len(classes)))
    occurring = np.unique(places)
    if len(occurring) == 1:
        probabilities[:, occurring[0]] = 1.0
    else:
        classifier = HistGradientBoostingClassifier(**options).fit(features, places)
        probabilities[:, occurring] = classifier.predict_proba(test_features)
    return Trial(truth=test_places, predicted=probabilities)


def _target(tables: ComparedTables, target: str, name: str) -> tuple[Floats, NDArray[np.bool_]]:
    """The known values of the target and where they are."""
    if tables.roles[target] == "numeric":
        values = tables.numbers[name][target]
        known = np.isfinite(values)
    else:
        values = tables.codes[name][target].astype(np.float64)
        known = values >= 0
    return values[known], known


def _classification(trial: Trial, rng: np.random.Generator) -> Measured:
    classes = np.unique(trial.truth)
    choice = trial.predicted.argmax(axis=1)

    def macro_auc(rows: NDArray[np.int64]) -> float:
        each = [
            roc_auc(trial.truth[rows] == level, trial.predicted[rows, level])[0]
            for level in classes
            if 0 < np.count_nonzero(trial.truth[rows] == level) < len(rows)
        ]
        return float(np.mean(each)) if each else float("nan")

    def balanced_accuracy(rows: NDArray[np.int64]) -> float:
        truth, chosen = trial.truth[rows], choice[rows]
        return float(np.mean([(chosen[truth == level] == level).mean() for level in np.unique(truth)]))

    everything = np.arange(len(trial.truth))
    if len(classes) == 2 and trial.predicted.shape[1] == 2:
        area, error = roc_auc(trial.truth == 1, trial.predicted[:, 1])
        auc = area, (max(0.0, area - Z * error), min(1.0, area + Z * error))
    else:
        auc = macro_auc(everything), bootstrap(macro_auc, len(everything), rng)
    return {
        "auc": auc,
        "balanced_accuracy": (balanced_accuracy(everything), bootstrap(balanced_accuracy, len(everything), rng)),
    }


def _regression(trial: Trial, rng: np.random.Generator) -> Measured:
    def rmse(rows: NDArray[np.int64]) -> float:
        return float(np.sqrt(np.mean((trial.truth[rows] - trial.predicted[rows]) ** 2)))

    def r2(rows: NDArray[np.int64]) -> float:
        spread = np.var(trial.truth[rows])
        return float(1.0 - rmse(rows) ** 2 / spread) if spread > 0 else float("nan")

    everything = np.arange(len(trial.truth))
    return {
        name: (measure(everything), bootstrap(measure, len(everything), rng))
        for name, measure in {"r2": r2, "rmse": rmse}.items()
    }

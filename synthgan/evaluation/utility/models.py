"""The models whose work shows what a table is good for: `MODELS`, trained on plain arrays.

All take the same features: numbers, and categories as codes that fall with frequency (`ComparedTables.matrix`), NaN
where missing. What a model needs beyond that (scaling, one-hot) it learns from its own training rows.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from synthgan.evaluation.compared.compared_tables import Codes, Floats

Task = Literal["binary", "multiclass", "regression"]

MOST_TREES = 300
"""Boosted trees over all classes together: 100 rounds up to three classes, fewer beyond."""

_ROUNDS = 100
_LEAST_ROUNDS = 10
_FOREST_TREES = 100
_ONE_HOT_LEVELS = 50
_FARTHEST = 10.0
_STEPS: dict[Task, int] = {"binary": 300, "multiclass": 100}


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What a model is built for.

    Attributes:
        task: what is predicted.
        n_classes: classes of the target; 0 in a regression.
        categorical: ``(n_columns,)`` whether a column holds codes.
        seed: of the model.
        n_jobs: as scikit-learn has it.
        column_share: share of the columns that boosting looks at in each split; below 1 its seeds differ.
    """

    task: Task
    n_classes: int
    categorical: tuple[bool, ...]
    seed: int
    n_jobs: int | None = None
    column_share: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class FittedModel:
    """A trained model.

    Attributes:
        predict: ``(n_rows, n_columns)`` features to ``(n_rows, n_classes)`` probabilities or ``(n_rows,)`` values.
        converged: False when its solver stopped early.
    """

    predict: Callable[[Floats], Floats]
    converged: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelFamily:
    """An entry of `MODELS`: its name for people, and what builds the scikit-learn estimator."""

    label: str
    build: Callable[[Setting], Any]


def fit(
    name: str, setting: Setting, features: Floats, target: NDArray[Any], *, weights: Floats | None = None
) -> FittedModel:
    """Train the model ``name`` of `MODELS`. Warnings of scikit-learn stay inside.

    Args:
        name: key of `MODELS`.
        setting: what it is built for.
        features: ``(n_rows, n_columns)``, at least one row.
        target: ``(n_rows,)`` class numbers from 0, or finite values.
        weights: ``(n_rows,)`` of the rows; None weighs all the same.

    Returns:
        The trained model. A target with a single value gives one that always predicts it; a class that does not occur
        gets no probability.
    """
    empty = np.isnan(features).all(axis=0)  # boosting has no bins for such a column
    if empty.any():
        emptied = fit(name, setting, np.where(empty, 0.0, features), target, weights=weights)
        return replace(emptied, predict=lambda rows: emptied.predict(np.where(empty, 0.0, rows)))
    if setting.task == "regression":
        return _fit_regressor(name, setting, features, np.asarray(target, dtype=np.float64), weights)
    occurring = np.unique(target)
    if len(occurring) == 1:
        return FittedModel(predict=lambda rows: _spread(np.ones((len(rows), 1)), occurring, setting.n_classes))
    estimator, converged = _trained(MODELS[name].build(setting), features, target, weights, setting.n_jobs)

    def probabilities(rows: Floats) -> Floats:
        with _quiet(setting.n_jobs):
            return _spread(estimator.predict_proba(rows), occurring, setting.n_classes)

    return FittedModel(predict=probabilities, converged=converged)


def _fit_regressor(
    name: str, setting: Setting, features: Floats, target: Floats, weights: Floats | None
) -> FittedModel:
    """On the standardised target: some solvers stop by absolute tolerance, and times in nanoseconds are large."""
    scale = _Scale.of(target)
    if not scale.spread:
        return FittedModel(predict=lambda rows: np.full(len(rows), target[0]))
    estimator, converged = _trained(MODELS[name].build(setting), features, scale.apply(target), weights, setting.n_jobs)

    def values(rows: Floats) -> Floats:
        with _quiet(setting.n_jobs):
            return scale.undo(estimator.predict(rows))

    return FittedModel(predict=values, converged=converged)


def _trained(
    estimator: Any, features: Floats, target: NDArray[Any], weights: Floats | None, n_jobs: int | None
) -> tuple[Any, bool]:
    from sklearn.exceptions import ConvergenceWarning

    with _quiet(n_jobs) as caught:
        estimator.fit(features, target, **({} if weights is None else {"sample_weight": weights}))
    return estimator, not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)


@contextmanager
def _quiet(n_jobs: int | None) -> Iterator[list[warnings.WarningMessage]]:
    """Warnings are collected instead of shown, and OpenMP keeps to ``n_jobs`` threads: boosting takes no argument."""
    from threadpoolctl import threadpool_limits

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with threadpool_limits(n_jobs if n_jobs is not None and n_jobs > 0 else None):
            yield caught


def _spread(probabilities: Floats, occurring: NDArray[Any], n_classes: int) -> Floats:
    """Probabilities of the classes that occurred, as columns of all classes."""
    full = np.zeros((len(probabilities), n_classes))
    full[:, occurring] = probabilities
    return full


# ------------------------------------------------------------------------------------------------------------ encoding


@dataclass(frozen=True, kw_only=True, slots=True)
class _Scale:
    """Mean and standard deviation, kept apart from the size of the numbers so that squares do not overflow."""

    size: float
    centre: float
    spread: float

    @staticmethod
    def of(values: Floats) -> _Scale:
        """The scale of the values that are not NaN; a spread of 0 says that they are all the same."""
        known = values[~np.isnan(values)]
        size = float(np.abs(known).max()) if len(known) else 0.0
        if not size:
            return _Scale(size=1.0, centre=0.0, spread=0.0)
        known = known / size
        varies = bool((known != known[0]).any())
        return _Scale(size=size, centre=float(known.mean()), spread=float(known.std()) if varies else 0.0)

    def apply(self, values: Floats) -> Floats:
        with np.errstate(over="ignore"):
            return (values / self.size - self.centre) / (self.spread or 1.0)

    def undo(self, values: Floats) -> Floats:
        return (values * self.spread + self.centre) * self.size


class _Encoded:
    """An estimator behind an encoding of its features that is learned from its training rows."""

    def __init__(self, estimator: Any, categorical: tuple[bool, ...], *, one_hot: bool) -> None:
        self.estimator = estimator
        self.categorical = np.array(categorical, dtype=bool)
        self.one_hot = one_hot
        self.scales: dict[int, _Scale] = {}

    def fit(self, features: Floats, target: NDArray[Any], **options: Any) -> _Encoded:
        self.scales = {int(place): _Scale.of(features[:, place]) for place in np.flatnonzero(~self.categorical)}
        self.estimator.fit(self._encode(features), target, **options)
        return self

    def predict(self, features: Floats) -> Floats:
        return self.estimator.predict(self._encode(features))

    def predict_proba(self, features: Floats) -> Floats:
        return self.estimator.predict_proba(self._encode(features))

    def _encode(self, features: Floats) -> Any:
        scaled = features.copy()
        for place, scale in self.scales.items():
            scaled[:, place] = np.clip(scale.apply(features[:, place]), *(_FARTHEST * np.array([-1, 1])))
        return _sparse(scaled, self.categorical) if self.one_hot else np.nan_to_num(scaled, nan=-2 * _FARTHEST)


def _sparse(scaled: Floats, categorical: NDArray[np.bool_]) -> Any:
    """One entry per row and column.

    A number in its place or, where missing, a one in the place beside it; a one in the place of a category, the last
    but one for all rare ones and the last for missing ones.
    """
    from scipy.sparse import csr_matrix

    widths = np.where(categorical, _ONE_HOT_LEVELS + 1, 2)
    starts: Codes = np.cumsum(widths) - widths
    missing = np.isnan(scaled)
    codes = np.where(missing, _ONE_HOT_LEVELS, np.minimum(scaled, _ONE_HOT_LEVELS - 1))
    places = starts + np.where(categorical, codes, missing).astype(np.int64)
    entries = np.where(categorical | missing, 1.0, scaled)
    n_rows, n_columns = scaled.shape
    ends = np.arange(n_rows + 1) * n_columns
    return csr_matrix((entries.ravel(), places.ravel(), ends), shape=(n_rows, int(widths.sum())))


# ------------------------------------------------------------------------------------------------------------ registry


def _boosting(setting: Setting) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    trees_each_round = setting.n_classes if setting.task == "multiclass" else 1
    options: dict[str, Any] = {
        "categorical_features": list(setting.categorical),
        "early_stopping": False,
        "max_features": setting.column_share,
        "max_iter": max(_LEAST_ROUNDS, min(_ROUNDS, MOST_TREES // trees_each_round)),
        "random_state": setting.seed,
    }
    regression = setting.task == "regression"
    return HistGradientBoostingRegressor(**options) if regression else HistGradientBoostingClassifier(**options)


def _forest(setting: Setting) -> Any:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    options: dict[str, Any] = {
        "n_estimators": _FOREST_TREES,
        "min_samples_leaf": 5,
        "random_state": setting.seed,
        "n_jobs": setting.n_jobs,
    }
    if setting.task == "regression":
        return _Encoded(RandomForestRegressor(max_features=1 / 3, **options), setting.categorical, one_hot=False)
    return _Encoded(RandomForestClassifier(**options), setting.categorical, one_hot=False)


def _linear(setting: Setting) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge

    if setting.task == "regression":
        return _Encoded(Ridge(), setting.categorical, one_hot=True)
    steps = _STEPS[setting.task]
    return _Encoded(LogisticRegression(max_iter=steps), setting.categorical, one_hot=True)


MODELS: dict[str, ModelFamily] = {
    "gradient_boosting": ModelFamily(label="Gradient boosting", build=_boosting),
    "random_forest": ModelFamily(label="Random forest", build=_forest),
    "linear": ModelFamily(label="Linear model", build=_linear),
}
"""Name -> model. The first gives the figures of the table; all are listed beside it."""

"""The registry of models: every one learns, whatever the columns hold, and none lets a warning out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from synthgan.evaluation.utility.models import MODELS, Setting, _boosting, _linear, fit

EVERY = pytest.mark.parametrize("name", MODELS)
BINARY = Setting(task="binary", n_classes=2, categorical=(False, True), seed=0)
REGRESSION = replace(BINARY, task="regression", n_classes=0)


def rows(n: int, seed: int, *, missing: bool = True) -> tuple[Any, Any]:
    """Numbers and codes that both decide a value together."""
    rng = np.random.default_rng(seed)
    number, code = rng.normal(size=n), rng.integers(3, size=n).astype(float)
    value = number + np.array([-2.0, 0.0, 2.0])[code.astype(int)] + 0.1 * rng.normal(size=n)
    features = np.column_stack([number, code])
    if missing:
        features[::10, 0], features[5::10, 1] = np.nan, np.nan
    return features, value


@EVERY
def test_every_model_learns_classes_and_values(name: str) -> None:
    (features, value), (test, truth) = rows(400, 0), rows(200, 1, missing=False)
    probabilities = fit(name, BINARY, features, (value > 0).astype(int)).predict(test)
    assert probabilities.shape == (200, 2)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    assert (probabilities.argmax(axis=1) == (truth > 0)).mean() > 0.9
    # Times in nanoseconds are as easy as numbers around 0.
    predicted = fit(name, REGRESSION, features, 1.7e18 + 1e13 * value).predict(test)
    assert np.corrcoef(predicted, truth)[0, 1] > 0.9
    assert abs(predicted.mean() - (1.7e18 + 1e13 * truth.mean())) < 1e13


@EVERY
def test_a_class_that_does_not_occur_gets_no_probability(name: str) -> None:
    features, value = rows(200, 0)
    three = replace(BINARY, task="multiclass", n_classes=4)
    probabilities = fit(name, three, features, np.where(value > 0, 3, 1)).predict(features)
    assert probabilities.shape == (200, 4)
    assert not probabilities[:, [0, 2]].any()
    assert probabilities[:, 3][value > 1].mean() > 0.8


@EVERY
def test_a_single_target_is_always_predicted(name: str) -> None:
    features, _ = rows(30, 0)
    assert (fit(name, BINARY, features, np.ones(30, dtype=int)).predict(features) == [0.0, 1.0]).all()
    assert (fit(name, REGRESSION, features, np.full(30, 7.5)).predict(features) == 7.5).all()


@EVERY
def test_odd_columns_are_taken(name: str) -> None:
    """All missing, constant, huge, and a code that the training rows lack."""
    rng = np.random.default_rng(0)
    target = rng.integers(2, size=80)
    features = np.column_stack([np.full(80, np.nan), np.full(80, np.nan), np.ones(80), rng.normal(size=80) * 1e300])
    setting = replace(BINARY, categorical=(False, True, False, False))
    test = np.column_stack([np.ones(5), np.full(5, 254.0), np.zeros(5), np.full(5, 1e305)])
    assert np.isfinite(fit(name, setting, features, target).predict(test)).all()
    few = fit(name, setting, features[:2], np.array([0, 1])).predict(test)
    assert np.isfinite(few).all()


@EVERY
def test_weights_move_the_decision(name: str) -> None:
    features, value = rows(300, 0)
    target = (value > 2.5).astype(int)
    plain = fit(name, BINARY, features, target).predict(features)[:, 1]
    weighted = fit(name, BINARY, features, target, weights=np.where(target == 1, 20.0, 1.0)).predict(features)[:, 1]
    assert weighted.mean() > plain.mean()


@EVERY
def test_the_same_seed_gives_the_same_answers_on_any_number_of_threads(name: str) -> None:
    features, value = rows(150, 0)
    target = (value > 0).astype(int)
    answers = [fit(name, replace(BINARY, n_jobs=n), features, target).predict(features) for n in (1, 2, None)]
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-12)
    np.testing.assert_allclose(answers[0], answers[2], atol=1e-12)


def test_an_unfinished_solver_is_told_but_not_shouted(monkeypatch: pytest.MonkeyPatch) -> None:
    features, value = rows(200, 0)
    target = (value > 0).astype(int)
    assert fit("linear", BINARY, features, target).converged

    def hurried(setting: Setting) -> Any:
        model = _linear(setting)
        model.estimator.max_iter = 1
        return model

    monkeypatch.setitem(MODELS, "linear", replace(MODELS["linear"], build=hurried))
    assert not fit("linear", BINARY, features, target).converged


@pytest.mark.parametrize(("n_classes", "rounds"), [(3, 100), (5, 60), (50, 10)])
def test_many_classes_are_boosted_in_fewer_rounds(n_classes: int, rounds: int) -> None:
    assert _boosting(replace(BINARY, task="multiclass", n_classes=n_classes)).max_iter == rounds


def test_the_linear_model_does_not_follow_outliers() -> None:
    """A value far outside the training rows counts as one ten standard deviations away."""
    features, value = rows(300, 0, missing=False)
    model = fit("linear", REGRESSION, features, value)
    far, farther = (model.predict(np.array([[x, 1.0]]))[0] for x in (1e4, 1e9))
    assert far == pytest.approx(farther)

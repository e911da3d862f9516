"""Downstream utility: models trained on synthetic rows and tested on real ones, beside models trained on real rows.

Esteban, Hyland and Raetsch 2017 ("train on synthetic, test on real"). The models are those of `models.MODELS`, with
scikit-learn's defaults where they are not named there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthgan.evaluation.compared.compared_tables import ComparedTables, Floats
from synthgan.evaluation.scores import Score
from synthgan.evaluation.utility.importances import importance_agreement_score
from synthgan.evaluation.utility.measures import (
    MEASURES,
    Counts,
    Measure,
    once,
    percentile_interval,
    resample_counts,
    row_of,
)
from synthgan.evaluation.utility.models import MODELS, FittedModel, fit
from synthgan.evaluation.utility.prediction import (
    MAX_TEST_ROWS,
    MAX_TRAINING_ROWS,
    Problem,
    prediction_problem,
    task_of,
)
from synthgan.evaluation.utility.subgroups import subgroup_gap_score

__all__ = ["task_of", "utility_scores"]

MAIN = next(iter(MODELS))
"""The model of the table's figures."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelTrial:
    """The models of one kind, trained on each set of rows, with their answers for the test rows.

    Attributes:
        fitted: ``real``, ``synthetic``, ``half_1``, ``half_2`` -> model; the halves are of the real rows.
        answers: the same names -> ``(n_test, n_classes)`` probabilities or ``(n_test,)`` values.
    """

    fitted: Mapping[str, FittedModel]
    answers: Mapping[str, Floats]


def utility_scores(
    tables: ComparedTables,
    target: str,
    rng: np.random.Generator,
    *,
    max_rows: int = MAX_TRAINING_ROWS,
    max_test_rows: int = MAX_TEST_ROWS,
    n_jobs: int | None = None,
) -> list[Score]:
    """Scores of models trained on synthetic rows; `Score.reference` is the same for real rows.

    Classification gives ROC AUC (macro average of one against the rest when there are more than two classes) and
    balanced accuracy of gradient boosting; regression gives R2 and RMSE. All models are in ``details["models"]``. Then
    ``utility_gap`` (AUC or R2 of the real-trained models less that of the synthetic-trained, mean over the models),
    ``subgroup_gap`` (the worst subgroup's, gradient boosting) and ``importance_agreement``. Intervals are of a
    bootstrap of the test rows, the same resamples for all models; they do not cover another draw of training rows.

    Args:
        tables: the reference models learn from ``real``, the others from ``synthetic``; ``holdout`` are the test rows.
        target: the column to predict.
        rng: of rows, models and resamples.
        max_rows: most rows to train on; fewer where there are more than ten classes.
        max_test_rows: most rows to test on; fewer where there are more than five classes.
        n_jobs: threads, as scikit-learn has it.

    Returns:
        The scores; empty when there is nothing to compute (`prediction.prediction_problem` says why). What could not be
        computed of the last two is in ``details["not_computed"]`` of ``utility_gap``, with the reason.
    """
    problem = prediction_problem(tables, target, rng, max_rows=max_rows, max_test_rows=max_test_rows)
    if isinstance(problem, str):
        return []
    trials = _trials(problem, rng, n_jobs)
    counts = np.concatenate([once(len(problem.test)), resample_counts(len(problem.test), rng)])
    figures = {
        name: {model: _figures(measure, problem.test.target, trial, counts) for model, trial in trials.items()}
        for name, measure in MEASURES[problem.task].items()
    }
    converged = {model: all(each.converged for each in trial.fitted.values()) for model, trial in trials.items()}
    scores = [_measured(problem, name, by_model, converged) for name, by_model in figures.items()]
    parts: dict[str, Score | str] = {
        "subgroup_gap": subgroup_gap_score(problem, tables, "holdout", trials[MAIN].answers, rng),
        "importance_agreement": importance_agreement_score(problem, trials[MAIN].fitted, rng),
    }
    not_computed = {name: part for name, part in parts.items() if isinstance(part, str)}
    name = next(iter(figures))
    halves = [_halves_apart(MEASURES[problem.task][name], problem, trial) for trial in trials.values()]
    scores.append(_gap(problem, name, figures[name], halves, not_computed))
    return scores + [part for part in parts.values() if isinstance(part, Score)]


def _trials(problem: Problem, rng: np.random.Generator, n_jobs: int | None) -> dict[str, ModelTrial]:
    """All models on all sets of rows; one seed, so that they differ by their rows alone."""
    setting = problem.setting(int(rng.integers(2**31)), n_jobs)
    order = rng.permutation(len(problem.real))
    middle = len(order) // 2
    sets: dict[str, tuple[Floats, NDArray[Any]]] = {
        "real": (problem.real.features, problem.real.target),
        "synthetic": (problem.synthetic.features, problem.synthetic.target),
        "half_1": problem.real.part(np.sort(order[:middle])),
        "half_2": problem.real.part(np.sort(order[middle:])),
    }
    trials = {}
    for model in MODELS:
        fitted = {name: fit(model, setting, features, answers) for name, (features, answers) in sets.items()}
        predictions = {name: each.predict(problem.test.features) for name, each in fitted.items()}
        trials[model] = ModelTrial(fitted=fitted, answers=predictions)
    return trials


Figures = Mapping[str, Floats]
"""``real`` and ``synthetic`` -> ``(1 + n_resamples,)``: on the test rows themselves, then on each resample."""


def _figures(measure: Measure, truth: NDArray[Any], trial: ModelTrial, counts: Counts) -> Figures:
    return {rows: measure(truth, trial.answers[rows], counts) for rows in ("real", "synthetic")}


def _halves_apart(measure: Measure, problem: Problem, trial: ModelTrial) -> float:
    first, second = (
        measure(problem.test.target, trial.answers[half], once(len(problem.test)))[0] for half in ("half_1", "half_2")
    )
    return abs(float(first - second))


def _measured(problem: Problem, name: str, figures: Mapping[str, Figures], converged: Mapping[str, bool]) -> Score:
    models = {
        model: {
            "label": MODELS[model].label,
            "value": float(each["synthetic"][0]),
            "interval": list(percentile_interval(each["synthetic"][1:])),
            "real": float(each["real"][0]),
            "real_interval": list(percentile_interval(each["real"][1:])),
            "converged": converged[model],
        }
        for model, each in figures.items()
    }
    ours, real = figures[MAIN]["synthetic"], figures[MAIN]["real"]
    return Score.of(
        f"utility_{name}",
        float(ours[0]),
        interval=percentile_interval(ours[1:]),
        reference=float(real[0]),
        note="gradient boosting trained on synthetic rows, tested on real ones; the reference is trained on real rows"
        + problem.caps(),
        details={
            **problem.facts(),
            "reference_interval": list(percentile_interval(real[1:])),
            "models": models,
        },
    )


def _gap(
    problem: Problem,
    name: str,
    figures: Mapping[str, Figures],
    halves: Sequence[float],
    not_computed: Mapping[str, str],
) -> Score:
    """AUC or R2 that is lost, mean over the models."""
    gaps = {model: each["real"] - each["synthetic"] for model, each in figures.items()}
    together = np.mean(list(gaps.values()), axis=0)
    return Score.of(
        "utility_gap",
        float(together[0]),
        interval=percentile_interval(together[1:]),
        reference=float(np.mean(halves)),
        note=f"{row_of(name).label} of real-trained less that of synthetic-trained models, mean over {len(gaps)}; the "
        "reference is the size of the gap between two halves of the real rows" + problem.caps(),
        details={
            **problem.facts(),
            "measure": name,
            "models": {
                model: {
                    "label": MODELS[model].label,
                    "value": float(gap[0]),
                    "interval": list(percentile_interval(gap[1:])),
                }
                for model, gap in gaps.items()
            },
            "not_computed": dict(not_computed),
        },
    )

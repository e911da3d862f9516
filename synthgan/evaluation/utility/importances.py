"""Whether models of synthetic and of real rows lean on the same columns (permutation importance; Breiman 2001)."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from scipy.stats import rankdata

from synthgan.evaluation.compared.compared_tables import Floats
from synthgan.evaluation.scores import Score
from synthgan.evaluation.utility.measures import MEASURES, once, percentile_interval
from synthgan.evaluation.utility.models import FittedModel
from synthgan.evaluation.utility.prediction import Problem

N_REPEATS = 5
MAX_ROWS = 1_200
MAX_COLUMNS = 100
MIN_COLUMNS = 3

_CELLS = 20_000
_LEAST_ROWS = 200
_N_RESAMPLES = 1_000


def permutation_importances(
    problem: Problem, models: Mapping[str, FittedModel], rng: np.random.Generator, columns: list[int]
) -> dict[str, Floats]:
    """How much of its AUC or R2 each model loses when a column of the test rows is shuffled.

    Each repeat draws its test rows anew, with replacement, and shuffles them in the same way for all models: the spread
    over the repeats has the chance of the rows in it, and differences between models are paired.

    Args:
        problem: the prediction problem.
        models: name -> trained model.
        rng: of rows and shuffles.
        columns: places of the columns to shuffle.

    Returns:
        Per model ``(n_repeats, n_columns)``; NaN where a repeat drew a single class.
    """
    measure = next(iter(MEASURES[problem.task].values()))
    n_rows = min(len(problem.test), MAX_ROWS, max(_LEAST_ROWS, _CELLS // len(columns)))
    drops = {name: np.empty((N_REPEATS, len(columns))) for name in models}
    for repeat in range(N_REPEATS):
        features, truth = problem.test.part(rng.integers(len(problem.test), size=n_rows))
        versions = np.repeat(features[None], len(columns) + 1, axis=0)
        for version, column in zip(versions[1:], columns, strict=True):
            version[:, column] = rng.permutation(features[:, column])
        for name, model in models.items():
            # All versions in one call: each call of a boosted model costs about as much as a thousand rows.
            answers = np.split(model.predict(versions.reshape(-1, features.shape[1])), len(versions))
            figures = np.array([measure(truth, answer, once(n_rows))[0] for answer in answers])
            drops[name][repeat] = figures[0] - figures[1:]
    return {name: drop[~np.isnan(drop).any(axis=1)] for name, drop in drops.items()}


def rank_correlation(first: Floats, second: Floats) -> float:
    """Spearman's, ``(n,)`` against ``(n,)``; NaN when either is constant."""
    ranks = [rankdata(values) - (len(values) + 1) / 2 for values in (first, second)]
    size = math.sqrt(float((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum()))
    return float((ranks[0] * ranks[1]).sum()) / size if size else math.nan


def importance_agreement_score(
    problem: Problem, models: Mapping[str, FittedModel], rng: np.random.Generator
) -> Score | str:
    """Rank correlation of the columns' importances, or a clause that says why there is none.

    Args:
        problem: the prediction problem.
        models: those of the ``real`` and ``synthetic`` rows, and of two halves of the real ones, ``half_1`` and
            ``half_2``.
        rng: of rows, shuffles and resamples.
    """
    n_columns = len(problem.inputs)
    if n_columns < MIN_COLUMNS:
        return f"fewer than {MIN_COLUMNS} columns predict the target"
    columns = list(range(n_columns))
    if n_columns > MAX_COLUMNS:
        columns = np.sort(rng.choice(n_columns, MAX_COLUMNS, replace=False)).tolist()
    drops = permutation_importances(problem, models, rng, columns)
    mean = {name: drop.mean(axis=0) if len(drop) else np.zeros(len(columns)) for name, drop in drops.items()}
    value = rank_correlation(mean["real"], mean["synthetic"])
    if math.isnan(value):
        return "a model's answers do not hang on any column"
    n_repeats = len(drops["real"])
    picks = rng.integers(n_repeats, size=(_N_RESAMPLES, n_repeats))
    resampled = np.array(
        [rank_correlation(drops["real"][pick].mean(axis=0), drops["synthetic"][pick].mean(axis=0)) for pick in picks]
    )
    floor = rank_correlation(mean["half_1"], mean["half_2"])
    return Score.of(
        "importance_agreement",
        value,
        interval=percentile_interval(resampled),
        reference=None if math.isnan(floor) else floor,
        note="rank correlation of the columns' permutation importances in the real- and the synthetic-trained model; "
        "the reference is that of two halves of the real rows",
        details={
            "importances": {
                problem.inputs[column]: {name: float(mean[name][place]) for name in ("real", "synthetic")}
                for place, column in enumerate(columns)
            },
            "n_repeats": n_repeats,
        },
    )

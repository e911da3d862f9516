"""Whether synthetic rows beside the real ones make a better model than the real ones alone.

The synthetic rows must come from a generator that saw no test row: the tests are on the holdout only. Beside them stand
the remedies that need no generator: class weights, and repeating rows of the small classes at random.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from synthgan.evaluation.compared.compared_tables import Codes, ComparedTables, Floats
from synthgan.evaluation.scores import Score
from synthgan.evaluation.utility.measures import (
    MEASURES,
    once,
    percentile_interval,
    resample_counts,
    row_of,
)
from synthgan.evaluation.utility.models import MODELS, fit
from synthgan.evaluation.utility.prediction import MAX_TEST_ROWS, MAX_TRAINING_ROWS, Problem, prediction_problem

N_REPEATS = 3

WORTHWHILE = 0.005
"""Least gain in AUC or R2 that counts as help."""

_COLUMN_SHARE = 0.7

TrainingSet = tuple[Codes, Codes, Floats | None]
"""Places of the real rows, places of the synthetic rows, and weights of both together."""


def augmentation_scores(
    tables: ComparedTables,
    target: str,
    rng: np.random.Generator,
    *,
    model: str = "gradient_boosting",
    n_repeats: int = N_REPEATS,
    max_rows: int = MAX_TRAINING_ROWS,
    max_test_rows: int = MAX_TEST_ROWS,
    n_jobs: int | None = None,
) -> list[Score]:
    """Gain in AUC or R2 on the test rows when as many synthetic rows join the real ones.

    The verdict, in ``details["verdict"]``, is "helps" when the whole interval is above 0, "does not help" when it stays
    below a gain of 0.005, else "unclear". A gain that is sure but smaller than that is no help. The interval is of a
    bootstrap of test rows and repeats; a repeat is another seed, which draws columns for the splits and, where there
    are more than needed, synthetic rows. `Score.reference` is the gain of the better of class weights and oversampling.

    Args:
        tables: ``real`` to train on, ``synthetic`` to add, ``holdout`` to test on, which the generator must not have
            seen.
        target: the column to predict.
        rng: of rows, models and resamples.
        model: key of `models.MODELS`.
        n_repeats: seeds per way of training.
        max_rows: most real rows to train on.
        max_test_rows: most rows to test on.
        n_jobs: threads, as scikit-learn has it.

    Returns:
        One score, ``augmentation_uplift``; none when there is nothing to compute (`prediction.prediction_problem`).
    """
    problem = prediction_problem(tables, target, rng, max_rows=max_rows, max_test_rows=max_test_rows)
    if isinstance(problem, str):
        return []
    ways = _ways(problem)
    figures, n_rows = _figures(problem, ways, model, rng, n_repeats=n_repeats, n_jobs=n_jobs)
    picks = rng.integers(n_repeats, size=(next(iter(figures["real"].values())).shape[1] - 1, n_repeats))
    arms: dict[str, dict[str, Any]] = {
        way: {"label": LABELS[way], "n_rows": n_rows[way]}
        | {name: _gained(name, figures["real"][name], figures[way][name], picks) for name in figures[way]}
        for way in ways
    }
    name = next(iter(MEASURES[problem.task]))
    gain = arms["real_and_synthetic"][name]
    verdict = _verdict(gain["uplift_interval"])
    others = [arms[way][name]["uplift"] for way in ("class_weights", "oversampling") if way in arms]
    return [
        Score.of(
            "augmentation_uplift",
            gain["uplift"],
            interval=(gain["uplift_interval"][0], gain["uplift_interval"][1]),
            reference=max(others) if others else None,
            note=f"{verdict}: {row_of(name).label} of real and synthetic rows less that of real rows alone"
            + ("; the reference is the better of class weights and oversampling" if others else "")
            + problem.caps()
            + (_BOUND if problem.real.n_available > len(problem.real) else ""),
            details={
                **problem.facts(),
                "verdict": verdict,
                "worthwhile": WORTHWHILE,
                "measure": name,
                "model": model,
                "n_repeats": n_repeats,
                "arms": arms,
            },
        )
    ]


LABELS = {
    "real": "Real rows",
    "real_and_synthetic": "Real and as many synthetic rows",
    "balanced_by_synthetic": "Synthetic rows of the small classes",
    "class_weights": "Class weights",
    "oversampling": "Random oversampling",
}
"""The ways of training. Those of classes are missing in a regression."""

_BOUND = "; the generator saw real rows that the models did not, so this is an upper bound"


def _verdict(interval: list[float]) -> str:
    if interval[1] < WORTHWHILE:
        return "does not help"
    return "helps" if interval[0] > 0 else "unclear"


def _ways(problem: Problem) -> dict[str, Callable[[np.random.Generator], TrainingSet]]:
    """Each way of training as what makes its training set; every repeat calls it anew."""
    everything = np.arange(len(problem.real))
    none = np.empty(0, dtype=np.int64)
    ways: dict[str, Callable[[np.random.Generator], TrainingSet]] = {
        "real": lambda _: (everything, none, None),
        "real_and_synthetic": lambda rng: (
            everything,
            _some(np.arange(len(problem.synthetic)), len(everything), rng),
            None,
        ),
    }
    if problem.task == "regression":
        return ways
    classes = problem.real.target.astype(np.int64)
    sizes = np.bincount(classes, minlength=problem.n_classes)
    missing = np.where(sizes > 0, sizes.max() - sizes, 0)  # a class without rows, after a cap, has nothing to repeat

    def by_class(target: Codes, rng: np.random.Generator, *, repeat: bool) -> Codes:
        picked = [
            rng.choice(rows, size, replace=True) if repeat else _some(rows, int(size), rng)
            for level, size in enumerate(missing)
            if len(rows := np.flatnonzero(target == level))
        ]
        return np.concatenate([none, *picked])

    weights = (len(classes) / (np.count_nonzero(sizes) * np.maximum(sizes, 1)))[classes]
    return ways | {
        "balanced_by_synthetic": lambda rng: (
            everything,
            by_class(problem.synthetic.target.astype(np.int64), rng, repeat=False),
            None,
        ),
        "class_weights": lambda _: (everything, none, weights),
        "oversampling": lambda rng: (
            np.concatenate([everything, by_class(classes, rng, repeat=True)]),
            none,
            None,
        ),
    }


def _some(rows: Codes, size: int, rng: np.random.Generator) -> Codes:
    """At most ``size`` of the rows, drawn at random."""
    return rows if len(rows) <= size else np.sort(rng.choice(rows, size, replace=False))


def _figures(
    problem: Problem,
    ways: dict[str, Callable[[np.random.Generator], TrainingSet]],
    model: str,
    rng: np.random.Generator,
    *,
    n_repeats: int,
    n_jobs: int | None,
) -> tuple[dict[str, dict[str, Floats]], dict[str, int]]:
    """Per way and measure ``(n_repeats, 1 + n_resamples)`` figures, the test rows themselves first; rows per way."""
    if model not in MODELS:
        raise KeyError(f"no model named {model!r}; there are {', '.join(MODELS)}")
    truth = problem.test.target
    counts = np.concatenate([once(len(truth)), resample_counts(len(truth), rng)])
    measures = MEASURES[problem.task]
    figures = {way: {name: np.empty((n_repeats, len(counts))) for name in measures} for way in ways}
    n_rows: dict[str, int] = {}
    for repeat in range(n_repeats):
        setting = replace(problem.setting(int(rng.integers(2**31)), n_jobs), column_share=_COLUMN_SHARE)
        for way, draw in ways.items():
            real, synthetic, weights = draw(rng)
            ours, theirs = problem.real.part(real), problem.synthetic.part(synthetic)
            features, target = np.concatenate([ours[0], theirs[0]]), np.concatenate([ours[1], theirs[1]])
            predicted = fit(model, setting, features, target, weights=weights).predict(problem.test.features)
            n_rows[way] = len(target)
            for name, measure in measures.items():
                figures[way][name][repeat] = measure(truth, predicted, counts)
    return figures, n_rows


def _gained(name: str, real: Floats, ours: Floats, picks: Codes) -> dict[str, Any]:
    """Mean over the repeats, and how much better than with real rows alone; intervals over test rows and repeats."""
    gains = (ours - real) * (1 if row_of(name).direction == "higher" else -1)
    resample = np.arange(len(picks))[:, None] + 1
    return {
        "value": float(ours[:, 0].mean()),
        "interval": list(percentile_interval(ours[picks, resample].mean(axis=1))),
        "uplift": float(gains[:, 0].mean()),
        "uplift_interval": list(percentile_interval(gains[picks, resample].mean(axis=1))),
    }

"""All measures of one synthetic sample, by the protocol: what a benchmark cell holds and what experiments call.

>>> table = load_table("adult", "../shared/data")
>>> score_sample(table.train, table.test, synthetic, table)["xgb_c2st"]
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd

from benchmarks import xgb
from benchmarks.tables import BenchmarkTable
from synthgan.evaluation.compared.compared_tables import ComparedTables, compare
from synthgan.evaluation.coverage.alpha_beta import alpha_precision_beta_recall
from synthgan.evaluation.coverage.coverage import coverage_scores
from synthgan.evaluation.disclosure.copies import closer_to_train_score, copy_score, real_neighbours
from synthgan.evaluation.fidelity.fidelity import fidelity_scores


def score_sample(
    train: pd.DataFrame,
    test: pd.DataFrame,
    synthetic: pd.DataFrame,
    table: BenchmarkTable,
    *,
    n_jobs: int = 1,
    seed: int = 0,
    full: bool = False,
) -> dict[str, float]:
    """Scores of a synthetic sample. Errors in percent, the others as fractions.

    Args:
        train: the rows the generator was fitted on.
        test: fresh real rows.
        synthetic: as many generated rows as ``train`` has, with its columns.
        table: names the numeric columns and the target.
        n_jobs: threads of XGBoost; more than one slows it down on a busy machine.
        seed: of the folds, models and row draws.
        full: also LR-C2ST, DCR share, exact copies, alpha-precision and beta-recall, mode coverage and the Frechet
            distance (both also of the test rows), which take longer; and the seconds that each part took.
    """
    tables = compare(
        {"real": train, "synthetic": synthetic, "holdout": test},
        numeric=table.numeric,
        keep=[str(name) for name in train.columns],
    )
    parts: dict[str, Callable[[], dict[str, float]]] = {
        "fidelity": lambda: _fidelity(tables, seed),
        "xgb_c2st": lambda: xgb.c2st(tables, n_jobs=n_jobs, seed=seed),
        "mle": lambda: xgb.utility(tables, table.target, trained_on="synthetic", n_jobs=n_jobs, seed=seed),
        "mle_real": lambda: xgb.utility(tables, table.target, trained_on="real", n_jobs=n_jobs, seed=seed),
    }
    if full:
        parts |= {
            "lr_c2st": lambda: {"lr_c2st": lr_c2st(tables, seed=seed)},
            "copies": lambda: _copies(tables),
            "dcr_share": lambda: _dcr(tables, seed),
            "coverage": lambda: _coverage(tables, seed),
            "modes": lambda: _modes(tables, seed),
        }
    scores: dict[str, float] = {}
    for name, measure in parts.items():
        began = time.perf_counter()
        scores |= measure()
        if full:
            scores[f"seconds_{name}"] = time.perf_counter() - began
    return scores


def lr_c2st(tables: ComparedTables, *, seed: int = 0) -> float:
    """``LogisticDetection`` of sdmetrics, on columns made one-hot beforehand: its transformer refuses new levels."""
    from sdmetrics.single_table import LogisticDetection

    frames = []
    for name in ("real", "synthetic"):
        features = tables.one_hot(name).astype(np.float64)
        frames.append(pd.DataFrame(features, columns=[f"feature_{i}" for i in range(features.shape[1])]))
    metadata = {"columns": {column: {"sdtype": "numerical"} for column in frames[0].columns}}
    state = np.random.get_state()  # noqa: NPY002  sdmetrics shuffles its folds with the global generator
    try:
        np.random.seed(seed)  # noqa: NPY002, TID251
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return float(LogisticDetection.compute(*frames, metadata=metadata))
    finally:
        np.random.set_state(state)  # noqa: NPY002


def _fidelity(tables: ComparedTables, seed: int) -> dict[str, float]:
    scores = fidelity_scores(tables, np.random.default_rng(seed), n_resamples=0)
    return {score.name: score.value for score in scores}


def _copies(tables: ComparedTables) -> dict[str, float]:
    details = copy_score(tables, holdout="holdout").details
    return {
        "exact_copies": details["copies"],
        "exact_copies_holdout": details["holdout_copies"],
        "exact_copies_expected": details["holdout_copies"] * details["n_rows"] / details["holdout_n_rows"],
    }


def _dcr(tables: ComparedTables, seed: int) -> dict[str, float]:
    neighbours = real_neighbours(tables, np.random.default_rng(seed), max_rows=None, max_real=None)
    return {"dcr_share": closer_to_train_score(neighbours).value}


def _coverage(tables: ComparedTables, seed: int) -> dict[str, float]:
    precision, recall = alpha_precision_beta_recall(tables, np.random.default_rng(seed))
    return {"alpha_precision": precision, "beta_recall": recall}


def _modes(tables: ComparedTables, seed: int) -> dict[str, float]:
    modes, frechet = coverage_scores(
        tables, np.random.default_rng(seed), reference="holdout", neighbour_rows=0, n_resamples=0
    )
    found = {
        "mode_coverage": modes.value,
        "level_coverage": modes.details["levels"],
        "mode_coverage_holdout": modes.reference,
        "frechet_distance": frechet.value,
        "frechet_distance_holdout": frechet.reference,
    }
    return {name: value for name, value in found.items() if value is not None}

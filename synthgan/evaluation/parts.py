"""The parts of an evaluation: what each computes, and what has to be said when it cannot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from synthgan.evaluation.catalogue import definition
from synthgan.evaluation.compared.compared_tables import ComparedTables
from synthgan.evaluation.coverage.coverage import coverage_scores
from synthgan.evaluation.disclosure.copies import copy_scores
from synthgan.evaluation.disclosure.disclosure import disclosure_scores
from synthgan.evaluation.fidelity.fidelity import fidelity_scores
from synthgan.evaluation.membership.membership import membership_scores
from synthgan.evaluation.scores import Score
from synthgan.evaluation.utility.augmentation_uplift import augmentation_scores
from synthgan.evaluation.utility.detection import detection_scores
from synthgan.evaluation.utility.prediction import prediction_problem
from synthgan.evaluation.utility.utility import utility_scores

Part = Literal["fidelity", "coverage", "detection", "utility", "membership", "disclosure", "copies", "augmentation"]

DETECTION_ROWS = 50_000
"""Most rows per table for the two-sample test."""

FRECHET_ROWS = 50_000
"""Most rows per table for the Frechet distance."""

TEST_SHARE = 1 / 3
"""Share of the real rows that utility is tested on when there is no holdout."""

Measured = tuple[list[Score], list[str]]
"""Scores, and what a reader must know besides."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationRequest:
    """What is to be evaluated.

    Attributes:
        tables: ``real``, ``synthetic`` and perhaps ``holdout``.
        target: column to predict; None for none.
        secrets: columns that attribute inference guesses; None lets it choose.
        n_jobs: threads of the models; None for scikit-learn's choice.
    """

    tables: ComparedTables
    target: str | None
    secrets: Sequence[str] | None
    n_jobs: int | None

    @property
    def fresh(self) -> str | None:
        """Name of the table of fresh real rows, where there is one."""
        return "holdout" if "holdout" in self.tables.n_rows else None


def _fidelity(request: EvaluationRequest, rng: np.random.Generator) -> Measured:
    return fidelity_scores(request.tables, rng, reference=request.fresh), []


def _coverage(request: EvaluationRequest, rng: np.random.Generator) -> Measured:
    notes = []
    if max(request.tables.n_rows.values()) > FRECHET_ROWS:
        notes.append(f"The Frechet distance used {FRECHET_ROWS:,} rows of a table, drawn at random.")
    return coverage_scores(request.tables, rng, reference=request.fresh, max_rows=FRECHET_ROWS), notes


def _detection(request: EvaluationRequest, rng: np.random.Generator) -> Measured:
    notes = []
    if min(request.tables.n_rows["real"], request.tables.n_rows["synthetic"]) > DETECTION_ROWS:
        notes.append(f"The two-sample test used {DETECTION_ROWS:,} rows of each table drawn at random.")
    return detection_scores(request.tables, rng, reference=request.fresh, max_rows=DETECTION_ROWS), notes


def _utility(request: EvaluationRequest, rng: np.random.Generator) -> Measured:
    """Tested on the holdout or, without one, on a third of the real rows."""
    tables, notes = request.tables, []
    if request.target is None:
        return [], []
    if request.fresh is None:
        order = rng.permutation(tables.n_rows["real"])
        n_test = max(1, round(TEST_SHARE * len(order)))
        if n_test == len(order):
            return [], ["Utility was not computed: a single real row cannot be learned from and tested on."]
        tables = tables.with_part("holdout", "real", np.sort(order[:n_test]))
        tables = tables.select("real", np.sort(order[n_test:]))
        notes.append(
            "Utility was tested on a third of the real rows, which the synthesizer may have seen; give a holdout for "
            "an honest figure."
        )
    scores = utility_scores(tables, request.target, rng, n_jobs=request.n_jobs)
    if not scores:
        why = prediction_problem(tables, request.target, rng)
        return [], [f"Utility was not computed: {why}."]
    if request.fresh is None:
        # Tested on rows that may have been seen: a figure to look at, and no evidence for a gate.
        scores = [replace(score, interval=None) if score.name == "utility_gap" else score for score in scores]
    missed = next(score for score in scores if score.name == "utility_gap").details["not_computed"]
    return scores, notes + [f"'{name}' was not computed: {why}." for name, why in missed.items()]


def _membership(request: EvaluationRequest, rng: np.random.Generator) -> Measured:
    if request.fresh is None:
        return [], []
    scores = membership_scores(request.tables, rng, reference=request.fresh)
    return scores, [] if scores else ["Membership attacks were left out: the holdout has too few rows."]


def _disclosure(request: EvaluationRequest, rng: np.random.Generator) -> Measured:
    found = disclosure_scores(
        request.tables, rng, target=request.target, secrets=request.secrets, holdout=request.fresh
    )
    return found, []


def _copies(request: EvaluationRequest, rng: np.random.Generator) -> Measured:
    return copy_scores(request.tables, rng, holdout=request.fresh), []


def _augmentation(request: EvaluationRequest, rng: np.random.Generator) -> Measured:
    if request.target is None or request.fresh is None:
        return [], ["Augmentation was not tried: it needs a target, and a holdout to be tested on."]
    return augmentation_scores(request.tables, request.target, rng, n_jobs=request.n_jobs), []


def measure(part: Part, request: EvaluationRequest, rng: np.random.Generator) -> Measured:
    """What a part computes.

    Raises:
        LookupError: the catalogue has no row for one of its scores; an error of the part.
    """
    scores, notes = PARTS[part](request, rng)
    for score in scores:
        definition(score.name)
    return scores, notes


PARTS: dict[Part, Callable[[EvaluationRequest, np.random.Generator], Measured]] = {
    "fidelity": _fidelity,
    "coverage": _coverage,
    "detection": _detection,
    "utility": _utility,
    "augmentation": _augmentation,
    "membership": _membership,
    "disclosure": _disclosure,
    "copies": _copies,
}
"""In the order in which scores are shown. Each has random numbers of its own, so no part's scores depend on which
others are computed."""

DEFAULT_PARTS = tuple(name for name in PARTS if name != "augmentation")

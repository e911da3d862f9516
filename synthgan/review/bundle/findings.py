"""Scores, gates and report of a release: the one place where a bundle calls on them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthgan.review.bundle.document import EVIDENCE, Findings, TierContent
from synthgan.review.bundle.real_rows import RealRows
from synthgan.review.file_names import INTERNAL
from synthgan.review.report.publication import EVALUATED, publication_of
from synthgan.version import __version__

if TYPE_CHECKING:
    from synthgan.evaluation import Scores
    from synthgan.review.gates import Verdicts
    from synthgan.review.policy import Policy
    from synthgan.tables.schema.schema import TableSchema

TITLES = {"internal": "Synthetic table: internal review", "shareable": "Synthetic table"}


EVALUATED_ONLY = (
    "The page is computed from real rows and tells about them. How the synthetic rows were made, and whether they have "
    "a guarantee, it does not know."
)


def policy_of(path: str | os.PathLike[str] | None) -> Policy:
    """The policy in a file, or the one that ships with synthgan: for None, and for the word "default"."""
    from synthgan.review.policy_file import default_policy, read_policy

    return default_policy() if path is None or os.fspath(path) == "default" else read_policy(path)


def findings(
    real: RealRows, synthetic: Path, *, schema: TableSchema, target: str | None, policy: Policy, **options: Any
) -> Findings:
    """Score synthetic rows against real ones, and judge the scores.

    Args:
        real: what to compare with.
        synthetic: the file of the synthetic rows.
        schema: the model's, which says what each column is.
        target: the column that utility is measured by.
        policy: the gates.
        **options: further arguments of `synthgan.evaluate`.
    """
    from synthgan.evaluation import evaluate

    scores = evaluate(real.training, synthetic, holdout=real.holdout, target=target, schema=schema, **options)
    return Findings(scores, verdicts_on(scores, policy), real.limits)


def verdicts_on(scores: Scores, policy: Policy) -> Verdicts:
    """Judge scores by a policy."""
    from synthgan.review.gates import apply

    return apply(policy, scores)


def scores_page(scores: Scores, verdicts: Verdicts | None) -> str:
    """The whole HTML page of scores alone, whoever made the rows."""
    from synthgan.review.report.page import render_report

    counts = ", ".join(f"{count:,} {name}" for name, count in scores.n_rows.items())
    return render_report(
        title="Synthetic rows beside real ones",
        scores=scores,
        verdicts=verdicts,
        ledger=None,
        provenance=(),
        facts={"Rows compared": counts, "Written by": f"synthgan {__version__}"},
        limits=[EVALUATED_ONLY, *([] if verdicts is None else [EVIDENCE])],
        publication=(EVALUATED,),
    )


def report(content: TierContent) -> str:
    """The whole HTML page of a tier."""
    from synthgan.review.report.page import render_report

    found = content.findings
    return render_report(
        title=TITLES[content.tier],
        scores=None if found is None else found.scores,
        verdicts=None if found is None else found.verdicts,
        ledger=content.release.ledger,
        provenance=content.release.provenance,
        facts=content.facts,
        limits=[*content.limits, *content.withheld],
        heading={
            "Table": content.table or "not named",
            "Purpose": content.occasion.purpose or "not stated",
            "Date of the review": content.occasion.date,
        },
        publication=publication_of(content),
        protection=content.release.value_protection,
        is_signed=content.tier == INTERNAL,
    )

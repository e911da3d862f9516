"""A model card in Markdown, under the headings of Mitchell et al. 2019, "Model Cards for Model Reporting"."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence

from synthgan.evaluation.scores import HEADINGS
from synthgan.privacy.account.entries import NEURAL
from synthgan.review.bundle.document import TierContent
from synthgan.review.bundle.release import Release
from synthgan.review.report.publication import publication_of

CARD_HEADINGS = (
    "Model Details",
    "Intended Use",
    "Factors",
    "Metrics",
    "Evaluation Data",
    "Training Data",
    "Quantitative Analyses",
    "Ethical Considerations",
    "Caveats and Recommendations",
)
"""The nine sections of the paper, in its order."""

_SPECIAL = re.compile(r"[\\`*_{}\[\]~$]")
_AS_NUMBER = re.compile(r"[<>&|@]|:(?=//)|(?<=www)\.|^(?:[-+#=]|\d+(?=[.)]))", re.IGNORECASE)
"""HTML, ends of cells, what becomes a link by itself, and what starts a list or a heading."""
_NOT_HERE = "Not in this tier: it would be computed from real rows, which the privacy budget did not pay for."


def model_card(content: TierContent) -> str:
    """The card of a tier. Of real rows it says what the tier's findings say, and nothing where there are none."""
    release = content.release
    sections = (
        _details(content),
        _use(content),
        _factors(release),
        _metrics(content),
        _evaluation_data(content),
        _training_data(release),
        _analyses(content),
        _ethics(release),
        _bullets(escaped(limit) for limit in content.limits),
    )
    parts = ["# Model card: synthetic table", *(f"**{escaped(text)}**" for text in publication_of(content)[:1])]
    for heading, section in zip(CARD_HEADINGS, sections, strict=True):
        parts += [f"## {heading}", section]
    return "\n\n".join(parts) + "\n"


def escaped(text: object) -> str:
    """Text that Markdown shows as it is, on one line: no markup, no HTML, no link, no table cell."""
    line = " ".join(str(text).split())
    numbered = _AS_NUMBER.sub(lambda found: "".join(f"&#{ord(sign)};" for sign in found[0]), line)
    return _SPECIAL.sub(lambda found: "\\" + found[0], numbered)


def _details(content: TierContent) -> str:
    teachers, ledger = "against a marginal critic and a neural discriminator", content.release.ledger
    if ledger is not None:
        neural = any(entry["door"] == NEURAL for entry in ledger["entries"])
        teachers = "on noisy marginals" + (" and against a neural discriminator of noisy steps" if neural else "")
    kind = f"Type: a conditional generator of rows of one table (synthgan), trained {teachers}."
    return "\n".join([_bullets(f"{name}: {escaped(value)}" for name, value in content.facts.items()), f"- {kind}"])


def _use(content: TierContent) -> str:
    release, purpose = content.release, content.occasion.purpose
    stated = "" if purpose is None else f"Stated purpose: {escaped(purpose)}\n\n"
    target = "" if release.target is None else f" The column {escaped(release.target)} got extra attention in the fit."
    return stated + (
        "Rows for developing and testing software and analyses where the real table may not go." + target + "\n\n"
        "Out of scope: decisions about persons, linking with other tables by person, final figures of a study, and "
        "anything that rests on rare groups or on the order of rows."
    )


def _factors(release: Release) -> str:
    counts = Counter(column["kind"] for column in release.columns)
    kinds = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
    rows = [(escaped(column["name"]), column["kind"], escaped(column["type"])) for column in release.columns]
    rare = (
        "Groups smaller than noise can hide are not learned."
        if release.is_private
        else f"Value protection: {release.value_protection}."
    )
    return f"{len(release.columns)} columns: {kinds}. {rare}\n\n" + _table(("Column", "Kind", "Type"), rows)


def _metrics(content: TierContent) -> str:
    if content.findings is None:
        return _NOT_HERE
    named = "\n".join(
        f"- {escaped(score.label)}: {escaped(score.note or 'see the report')}" for score in content.findings.scores
    )
    return f"Each score stands beside the same figure for real rows where there is one.\n\n{named}"


def _evaluation_data(content: TierContent) -> str:
    if content.findings is None:
        return _NOT_HERE
    counts = content.findings.scores.n_rows
    listed = ", ".join(f"{count:,} {escaped(name)} rows" for name, count in counts.items())
    return f"{listed}." + "".join(f" {escaped(limit)}" for limit in content.findings.limits)


def _training_data(release: Release) -> str:
    if release.is_private:
        return (
            f"About {release.n_rows:,} rows (a noisy count, paid for by the budget). Of the table nothing more is told "
            "than what was declared and released."
        )
    return f"{release.n_rows:,} rows of a table that stays with its owner."


def _analyses(content: TierContent) -> str:
    if content.findings is None:
        return _NOT_HERE
    findings = content.findings
    rows = [tuple(escaped(cell) for cell in row) for row in findings.scores.rows()]
    gates = [
        (escaped(verdict.gate.name), str(verdict.outcome.value), escaped(verdict.why))
        for verdict in findings.verdicts.verdicts
    ]
    notes = _bullets(escaped(note) for note in findings.scores.notes)
    parts = [
        _table(HEADINGS, rows),
        f"Gates, together: **{findings.verdicts.outcome.value}**.",
        _table(("Gate", "Outcome", "Why"), gates),
        notes,
    ]
    return "\n\n".join(part for part in parts if part)


def _ethics(release: Release) -> str:
    ledger = release.ledger
    if ledger is None:
        return f"Guarantee: {release.guarantee}. Before you share rows, look at membership, disclosure and copies."
    epsilon = ledger["guarantee"]["epsilon"]
    odds = f"{math.exp(epsilon):.3g}" if epsilon < 500 else "more than anybody could count"
    return (
        f"Guarantee: {escaped(release.guarantee)}. The odds of any conclusion about one unit change by a factor of at "
        f"most {odds}, up to a probability of {ledger['guarantee']['delta']:g}. Not protected:\n\n"
        + _bullets(escaped(quantity) for quantity in ledger["unprotected"])
    )


def _bullets(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    lines = [f"| {' | '.join(headings)} |", "|" + "---|" * len(headings)]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])

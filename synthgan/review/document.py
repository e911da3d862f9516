"""``review.json``: everything a tier says, for machines. Its form is `SCHEMA`, shipped as ``review.schema.json``."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from synthgan import __version__
from synthgan.review.deployment_record import deployment_record
from synthgan.review.layout import CSV, INTERNAL, PARQUET, SHAREABLE, Tier
from synthgan.review.release import Release

if TYPE_CHECKING:
    from synthgan.evaluation import Scores
    from synthgan.review.gates import Verdicts

FORMAT: Final = "synthgan-review"
VERSION: Final = 1

SCHEMA: Final[dict[str, Any]] = json.loads(
    files("synthgan.review").joinpath("review.schema.json").read_text(encoding="utf-8")
)
"""JSON Schema 2020-12 of ``review.json``."""

ALWAYS: Final = (
    "The rows are synthetic. None is the record of a person, and nothing about a person may be decided by them.",
    "Rows are independent of each other, and statistics of single columns and pairs come out best: check against real "
    "rows what matters to you.",
)
UNPROVED: Final = (
    "There is no formal guarantee: scores and gates can show that something went wrong, and cannot prove that nobody "
    "can learn something about a person in the table."
)
PROVED: Final = (
    "The guarantee protects units, not secrets: facts about everybody, names of columns and whatever was declared are "
    "not covered."
)
EVIDENCE: Final = "A passed gate is evidence and no proof; an attack that nobody tried is not among the scores."
INTERNAL_ONLY: Final = (
    "Scores were computed from real rows and tell about them: keep this folder with the table, and do not publish it."
)
WITHHELD_PRIVATE: Final = (
    "Scores, gates and everything else computed from real rows: the budget did not pay for them. They are in the "
    "internal tier, which stays with the table's owner."
)
WITHHELD_DETAILS: Final = (
    "Parts of the scores by column, pair, group and value, and all figures of distributions: they may name rare values "
    "of the table. They are in the internal tier."
)


@dataclass(frozen=True)
class Findings:
    """What was found out from real rows.

    Attributes:
        scores: of the synthetic rows.
        verdicts: of the gates on them.
        limits: sentences about how the real rows were come by.
    """

    scores: Scores
    verdicts: Verdicts
    limits: tuple[str, ...] = ()

    def without_details(self) -> Findings:
        """The figures alone, without the parts that name values of the table."""
        bare = tuple(dataclasses.replace(score, details={}) for score in self.scores)
        return dataclasses.replace(self, scores=dataclasses.replace(self.scores, scores=bare, evidence={}))


@dataclass(frozen=True)
class TierContent:
    """What one tier says.

    Attributes:
        tier: its name.
        release: what is under review.
        n_rows: number of synthetic rows.
        with_csv: whether there is a CSV file.
        findings: what was found out from real rows; None where it is withheld.
        internals: further fields of an internal ``review.json``.
    """

    tier: Tier
    release: Release
    n_rows: int
    with_csv: bool
    findings: Findings | None
    internals: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def limits(self) -> list[str]:
        """What a reader must know before using rows or figures."""
        sentences = [*ALWAYS, PROVED if self.release.is_private else UNPROVED]
        if self.findings is not None:
            sentences += [*self.findings.limits, EVIDENCE]
        return [INTERNAL_ONLY, *sentences] if self.tier == INTERNAL else sentences

    @property
    def withheld(self) -> list[str]:
        """What this tier does not hold."""
        if self.tier == INTERNAL:
            return []
        return [WITHHELD_PRIVATE if self.findings is None else WITHHELD_DETAILS]

    @property
    def facts(self) -> dict[str, str]:
        """The release in a few lines, for people."""
        files = f"{PARQUET}, {CSV}" if self.with_csv else PARQUET
        facts = {
            "Guarantee": self.release.guarantee,
            "Synthetic rows": f"{self.n_rows:,} rows, {len(self.release.columns)} columns ({files})",
            "Model": f"SHA-256 {self.release.sha256}, fitted by synthgan {self.release.written_by}",
            "Tier": f"{self.tier}, written by synthgan {__version__}",
        }
        if self.release.target is not None:
            facts["Target"] = self.release.target
        return facts


def document(content: TierContent) -> dict[str, Any]:
    """The content of ``review.json``."""
    release, findings = content.release, content.findings
    assert findings is None or content.tier == INTERNAL or not release.is_private
    assert not content.internals or content.tier != SHAREABLE
    return {
        "format": FORMAT,
        "version": VERSION,
        "tier": content.tier,
        "guarantee": "differential privacy" if release.is_private else "none",
        "generator": {"name": "synthgan", "version": __version__},
        "model": {
            "sha256": release.sha256,
            "written_by": release.written_by,
            "target": release.target,
            "guarantee": release.guarantee,
        },
        "synthetic": {
            "n_rows": content.n_rows,
            "columns": release.columns,
            "files": [PARQUET, CSV] if content.with_csv else [PARQUET],
        },
        "deployment": deployment_record(release) if release.is_private else None,
        "provenance": release.provenance,
        "evaluation": None if findings is None else findings.scores.to_dict(),
        "gates": None if findings is None else findings.verdicts.to_dict(),
        "limits": content.limits,
        "withheld": content.withheld,
        **content.internals,
    }

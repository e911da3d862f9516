"""``review.json``: everything a tier says, for machines. Its form is `SCHEMA`, shipped as ``review.schema.json``."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from synthgan.loose_json import finite
from synthgan.privacy.account.ledger import Ledger
from synthgan.review.bundle.deployment_record import deployment_record
from synthgan.review.bundle.environment import environment
from synthgan.review.bundle.occasion import Occasion
from synthgan.review.bundle.publication import publication_of
from synthgan.review.bundle.release import Release
from synthgan.review.file_names import CSV, INTERNAL, PARQUET, SHAREABLE, Tier
from synthgan.review.wording import figure

if TYPE_CHECKING:
    from synthgan.evaluation import Scores
    from synthgan.review.gates import Verdicts

INTERNALS: Final = ("random_state", "real", "shareable_manifest_sha256")
"""Fields of an internal ``review.json`` alone."""

FORMAT: Final = "synthgan-review"
VERSION: Final = 2

SCHEMA: Final[dict[str, Any]] = json.loads(
    files("synthgan.review.bundle").joinpath("review.schema.json").read_text(encoding="utf-8")
)
"""JSON Schema 2020-12 of ``review.json``."""

PUBLIC_DETAILS: Final = tuple(
    SCHEMA["allOf"][1]["then"]["properties"]["evaluation"]["properties"]["scores"]["items"]["properties"]["details"][
        "properties"
    ]
)
"""Parts of a score that may leave the building without a guarantee: how many rows it rests on, intervals of the
reference. Gates rest on them, so whoever gets the rows can judge again."""

ALWAYS: Final = (
    "Nothing about a person may be decided by synthetic rows.",
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


DRAWN: Final = (
    "The rows were drawn from a model, which holds no row of the table. A row may equal a real one all the same: "
)
COPIES_UNTOLD: Final = (
    "how many do is not told here, because counting them needs the real rows and the budget did not pay for it."
)
COPIES_UNKNOWN: Final = "how many do was not counted."
"""What is known of copies. A row drawn from a model is no evidence that it is nobody's."""


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
        """The figures alone, without the parts that name values of the table; counts that gates rest on stay."""
        bare = tuple(dataclasses.replace(score, details=_public(score.details)) for score in self.scores)
        return dataclasses.replace(self, scores=dataclasses.replace(self.scores, scores=bare, evidence=None))


def _public(details: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: details[key] for key in PUBLIC_DETAILS if key in details}
    return {key: value for key, value in found.items() if _is_public(value)}


def _is_public(value: Any) -> bool:
    """A count or an interval, and nothing that a column of such a name might have left there."""
    if isinstance(value, list | tuple):
        return len(value) == 2 and all(end is None or finite(end) is not None for end in value)
    return isinstance(value, int) and not isinstance(value, bool)


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
        occasion: which table, what for, and when.
        environment: the software that wrote the bundle: content of ``environment.json``.
    """

    tier: Tier
    release: Release
    n_rows: int
    with_csv: bool
    findings: Findings | None
    internals: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    occasion: Occasion = dataclasses.field(default_factory=Occasion.of)
    environment: Mapping[str, Any] = dataclasses.field(default_factory=environment)

    @property
    def publication(self) -> tuple[str, ...]:
        """What may be published, a sentence each, the most important first."""
        outcome = None if self.findings is None else self.findings.verdicts.outcome.value
        return publication_of(self.tier, is_private=self.release.is_private, outcome=outcome)

    @property
    def limits(self) -> list[str]:
        """What a reader must know before using rows or figures."""
        sentences = [DRAWN + self.copies, *ALWAYS, PROVED if self.release.is_private else UNPROVED]
        if self.findings is not None:
            sentences += [*self.findings.limits, EVIDENCE]
        return [INTERNAL_ONLY, *sentences] if self.tier == INTERNAL else sentences

    @property
    def copies(self) -> str:
        """How many rows equal a real one, as far as this tier knows."""
        if self.findings is None:
            return COPIES_UNTOLD
        score = next((score for score in self.findings.scores if score.name == "exact_copies"), None)
        share = None if score is None else finite(score.value)
        if score is None or share is None:
            return COPIES_UNKNOWN
        found = f"{figure(share, '%')} of them do" if share else "none of those that were compared does"
        fresh = finite(score.reference)
        beside = "" if fresh is None else f" (of fresh real rows, {figure(fresh, '%')})"
        return f"{found}{beside}, in all columns that took part."

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
        seed = self.internals.get("random_state")
        facts = {
            "Table": self.table or "not named",
            "Purpose": self.occasion.purpose or "not stated",
            "Date of the review": self.occasion.date,
            "Guarantee": self.release.guarantee,
            "Value protection": self.release.value_protection,
            "Fewest rows behind a value (min_count)": f"{self.release.min_count:,}",
            "Synthetic rows": f"{self.n_rows:,} rows, {len(self.release.columns)} columns ({files})",
            "Seed of the synthetic rows": "in the internal tier" if seed is None else str(seed),
            "Seed of the fit": "not stored in the model",
            "Model": f"SHA-256 {self.release.sha256}, fitted by synthgan {self.release.written_by}",
            "Tier": f"{self.tier}, written by synthgan {self.environment['synthgan']}",
        }
        if self.release.target is not None:
            facts["Target"] = self.release.target
        return facts

    @property
    def table(self) -> str | None:
        """The table's name: what the reviewer calls it, or inside the house its file; None where there is neither."""
        return self.occasion.title or self.internals.get("real", {}).get("table")


def document(content: TierContent) -> dict[str, Any]:
    """The content of ``review.json``. `content_of` reads it back."""
    release, findings = content.release, content.findings
    assert findings is None or content.tier == INTERNAL or not release.is_private
    assert not content.internals or content.tier != SHAREABLE
    return {
        "format": FORMAT,
        "version": VERSION,
        "tier": content.tier,
        "occasion": dataclasses.asdict(content.occasion),
        "guarantee": "differential privacy" if release.is_private else "none",
        "generator": {"name": "synthgan", "version": content.environment["synthgan"]},
        "model": {
            "sha256": release.sha256,
            "written_by": release.written_by,
            "target": release.target,
            "guarantee": release.guarantee,
            "n_fitted": release.n_fitted,
            "min_count": release.min_count,
            "protect_values": release.protect_values,
        },
        "synthetic": {
            "n_rows": content.n_rows,
            "columns": list(release.columns),
            "files": [PARQUET, CSV] if content.with_csv else [PARQUET],
        },
        "deployment": deployment_record(release, content.occasion) if release.is_private else None,
        "ledger": None if release.account is None else release.account.to_json(),
        "provenance": list(release.provenance),
        "evaluation": None if findings is None else findings.scores.to_dict(),
        "gates": None if findings is None else findings.verdicts.to_dict(),
        "comparison": None if findings is None else list(findings.limits),
        "limits": content.limits,
        "withheld": content.withheld,
        "environment": dict(content.environment),
        **content.internals,
    }


def content_of(review: Mapping[str, Any]) -> TierContent:
    """What a ``review.json`` says, from those of its fields that do not follow from others.

    Args:
        review: the file's content, which follows `SCHEMA`.

    Raises:
        ModelFileError: when the ledger is not consistent in itself.
        PolicyError: when the gates are malformed, or their outcome does not follow from them.
    """
    from synthgan.evaluation.scores import Scores
    from synthgan.review.gates import Verdicts

    findings = None
    if review["evaluation"] is not None and review["gates"] is not None:
        scores, verdicts = Scores.from_dict(review["evaluation"]), Verdicts.from_dict(review["gates"])
        findings = Findings(scores, verdicts, tuple(review["comparison"] or ()))
    model, ledger = review["model"], review["ledger"]
    release = Release(
        **{name: model[name] for name in ("sha256", "written_by", "target", "n_fitted", "min_count", "protect_values")},
        columns=review["synthetic"]["columns"],
        provenance=review["provenance"],
        account=None if ledger is None else Ledger.from_json(ledger),
    )
    return TierContent(
        review["tier"],
        release,
        review["synthetic"]["n_rows"],
        CSV in review["synthetic"]["files"],
        findings,
        {name: review[name] for name in INTERNALS if name in review},
        Occasion(**review["occasion"]),
        review["environment"],
    )

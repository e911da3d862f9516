"""The scores that there are: what each is called, which way is better, how bad it can be, and what it needs.

Whoever makes a score takes these facts from here (`synthgan.evaluation.scores.Score.of`), and so do the gates of a
policy, their verdicts and the report. A score without a row cannot be made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Direction = Literal["lower", "higher", "target", "none"]
Side = Literal["lower", "higher"]
Unit = Literal["", "%"]
Need = Literal["request", "holdout", "holdout rows", "target"]
Group = Literal["fidelity", "coverage", "detection", "utility", "membership", "disclosure", "copies"]

GROUPS: Final[Mapping[Group, str]] = {
    "fidelity": "Fidelity",
    "coverage": "Coverage",
    "detection": "Detection",
    "utility": "Utility",
    "membership": "Membership attacks",
    "disclosure": "Disclosure",
    "copies": "Copies",
}
"""Titles of the groups that scores are shown in."""

ATTACKING: Final[frozenset[Group]] = frozenset({"membership", "disclosure"})
"""Groups of attacks on people in the table."""


@dataclass(frozen=True, slots=True)
class Definition:
    """What holds of a score whatever the tables.

    Attributes:
        label: name for people.
        group: the group that it is shown in.
        direction: which way is better; "target" when ``ideal`` is best from both sides.
        unit: "%" or empty.
        ideal: what a perfect synthesizer would score; "reference" for what real rows score in its place.
        gated: the side that a gate takes for the better one, of a score that has a target; None for a diagnostic, which
            may warn and never clear: far from every training row is not the same as safe.
        worst: the worst that it can be, where there is such a value: a threshold there lets everything pass.
        is_excess: whether it is the plain difference of an attack's success and the control's, and no share of what
            the control leaves to be lost.
        needs: without which it is not computed: "target", "holdout", "holdout rows" (many of them), or "request" for
            what is computed only when asked for.
    """

    label: str
    group: Group
    direction: Literal["lower", "higher", "target"]
    unit: Unit = ""
    ideal: float | Literal["reference"] | None = None
    gated: Side | None = None
    worst: float | None = None
    is_excess: bool = False
    needs: tuple[Need, ...] = ()

    @property
    def better(self) -> Side | None:
        """Which way is better, of one that a gate may name; None for a diagnostic."""
        return self.gated if self.direction == "target" else self.direction


_HOLDOUT: Final = ("holdout",)
_MANY: Final = ("holdout", "holdout rows")
_TARGET: Final = ("target",)
_ALL: Final = ("request", "holdout", "target")

CATALOGUE: Final[Mapping[str, Definition]] = {
    "shape": Definition("Shape error", "fidelity", "lower", "%", ideal=0.0, worst=100.0),
    "trend_shared": Definition("Trend error, shared bins", "fidelity", "lower", "%", ideal=0.0, worst=100.0),
    "trend_own": Definition("Trend error, own bins", "fidelity", "lower", "%", ideal=0.0, worst=100.0),
    "strong_pairs": Definition("Strong-pair trend error", "fidelity", "lower", "%", ideal=0.0, worst=100.0),
    "missing": Definition("Missing shares", "fidelity", "lower", "%", ideal=0.0, worst=100.0),
    "missing_patterns": Definition("Missing patterns", "fidelity", "lower", "%", ideal=0.0, worst=100.0),
    "correlations": Definition("Correlation difference", "fidelity", "lower", ideal=0.0),
    "rare_slices": Definition("Rare slices", "fidelity", "lower", "%", ideal=0.0),
    "mode_coverage": Definition("Mode coverage", "coverage", "higher", ideal=1.0, worst=0.0),
    "frechet_distance": Definition("Frechet distance", "coverage", "lower", "%", ideal=0.0),
    "alpha_precision": Definition("Alpha-precision", "coverage", "higher", ideal=1.0, worst=0.0),
    "beta_recall": Definition("Beta-recall", "coverage", "higher", ideal=1.0, worst=0.0),
    "c2st": Definition("C2ST, gradient boosting", "detection", "higher", ideal=1.0, worst=0.0),
    "utility_auc": Definition("AUC", "utility", "higher", worst=0.0, needs=_TARGET),
    "utility_balanced_accuracy": Definition("Balanced accuracy", "utility", "higher", worst=0.0, needs=_TARGET),
    "utility_r2": Definition("R2", "utility", "higher", needs=_TARGET),
    "utility_rmse": Definition("RMSE", "utility", "lower", needs=_TARGET),
    "utility_gap": Definition("Utility gap", "utility", "lower", ideal=0.0, needs=_TARGET),
    "subgroup_gap": Definition("Utility gap, worst subgroup", "utility", "lower", ideal=0.0, needs=_TARGET),
    "importance_agreement": Definition("Agreement of importances", "utility", "higher", ideal=1.0, needs=_TARGET),
    "augmentation_uplift": Definition("Gain from added synthetic rows", "utility", "higher", needs=_ALL),
    "membership_auc": Definition(
        "Membership attack, AUC", "membership", "lower", ideal="reference", worst=1.0, needs=_MANY
    ),
    "membership_tpr_10": Definition(
        "Members found at 10% false alarms", "membership", "lower", ideal="reference", worst=1.0, needs=_MANY
    ),
    "membership_tpr_1": Definition(
        "Members found at 1% false alarms", "membership", "lower", ideal="reference", worst=1.0, needs=_MANY
    ),
    "membership_tpr_01": Definition(
        "Members found at 0.1% false alarms", "membership", "lower", ideal="reference", worst=1.0, needs=_MANY
    ),
    "membership_auc_worst": Definition(
        "Membership attack, AUC, worst cases", "membership", "lower", ideal="reference", worst=1.0, needs=_MANY
    ),
    "membership_tpr_10_worst": Definition(
        "Members found at 10% false alarms, worst cases",
        "membership",
        "lower",
        ideal="reference",
        worst=1.0,
        needs=_MANY,
    ),
    "membership_tpr_1_worst": Definition(
        "Members found at 1% false alarms, worst cases",
        "membership",
        "lower",
        ideal="reference",
        worst=1.0,
        needs=_MANY,
    ),
    "membership_tpr_01_worst": Definition(
        "Members found at 0.1% false alarms, worst cases",
        "membership",
        "lower",
        ideal="reference",
        worst=1.0,
        needs=_MANY,
    ),
    "attribute_inference": Definition(
        "Attribute inference", "disclosure", "lower", ideal=0.0, worst=1.0, is_excess=True, needs=_HOLDOUT
    ),
    "singling_out": Definition("Singling out", "disclosure", "lower", ideal=0.0, worst=1.0, needs=_HOLDOUT),
    "linkability": Definition("Linkability", "disclosure", "lower", ideal=0.0, worst=1.0, needs=_HOLDOUT),
    "rare_categories": Definition("Rare categories disclosed", "disclosure", "lower", "%", ideal=0.0, worst=100.0),
    "extreme_values": Definition("Extreme values disclosed", "disclosure", "lower", "%", ideal=0.0, worst=100.0),
    "exact_copies": Definition(
        "Exact copies of real rows", "copies", "target", "%", ideal="reference", gated="lower", worst=100.0
    ),
    "near_copies": Definition(
        "Near copies of real rows",
        "copies",
        "target",
        "%",
        ideal="reference",
        gated="lower",
        worst=100.0,
        needs=_HOLDOUT,
    ),
    "dcr_share": Definition("Closer to train than to holdout", "copies", "target", ideal=0.5, needs=_HOLDOUT),
    "nndr": Definition("Nearest to second nearest (NNDR)", "copies", "target", ideal="reference", needs=_HOLDOUT),
}
"""By name, in the order of the parts that compute them. A row is all that a new score needs here."""


def definition(name: str) -> Definition:
    """The row of a score.

    Raises:
        LookupError: it has none; an error of whoever computes it.
    """
    if name not in CATALOGUE:
        raise LookupError(f"the score {name!r} has no row in synthgan.evaluation.catalogue.CATALOGUE: write one there")
    return CATALOGUE[name]

"""The Markdown of the calibration, from its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.provenance import provenance

MEASURES: dict[str, tuple[str, str, float]] = {
    "shape": ("Shape error %", "sdmetrics, Column Shapes", 0.001),
    "trend_own": (
        "Trend error %, own bins",
        "sdmetrics, Column Pair Trends of all pairs (the papers' protocol)",
        0.001,
    ),
    "strong_pairs": ("Strong-pair trend error %", "sdmetrics, Column Pair Trends", 0.001),
    "dcr_share": ("DCR share", "definition: nearest rows by L1 on scaled numbers and one-hot categories", 0.001),
    "dcr_share_sdmetrics": ("DCR share, other scales", "sdmetrics, DCROverfittingProtection", 0.05),
    "alpha_precision": ("Alpha-precision", "definition of Alaa et al. 2022", 0.001),
    "beta_recall": ("Beta-recall", "definition of Alaa et al. 2022", 0.001),
}
"""Measure -> its name, what it is held to, and the largest difference that counts as agreement."""


def markdown(results: Mapping[str, Any]) -> str:
    """The whole page."""
    lines = [
        "# Calibration",
        "",
        "Written by `benchmarks/calibration.py` from its JSON; do not edit.",
        "",
        "Our scores beside the library, or the definition, that they follow, on the same tables. *Largest*: the "
        "largest difference of any single column or pair. sdmetrics is Column Shapes and Column Pair Trends of "
        "`QualityReport`; with its thresholds at zero the latter is the protocol of the TabSyn, TabDiff and TabPC "
        "papers. The measures of neighbours are computed on fewer rows, drawn at random, because the library crosses "
        "all of them; a tie counts for the holdout there. For its DCR share sdmetrics scales each table by its own "
        "range and lets a differing category count as much as the whole range of a number; the papers, and we, take "
        "the training table's range for both, and one-hot categories, where it counts twice that. So these two need "
        "not agree closely.",
        "",
        _agreement(results),
    ]
    groups: dict[str, dict[str, Mapping[str, Any]]] = {}
    for cell in results["cells"].values():
        groups.setdefault(cell["table"], {})[cell["sample"]] = cell
    for table, cells in groups.items():
        lines += ["", f"## {table}", ""]
        lines += ["| synthetic table | measure | ours | theirs | difference | largest | agree |", "|---" * 7 + "|"]
        for sample, cell in cells.items():
            lines += [_row(sample, name, found) for name, found in cell["measures"].items()]
        sizes = next(iter(cells.values()))
        lines += [
            "",
            f"{sizes['n_rows']['train']:,} training rows; of neighbours {sizes['n_near']['real']:,}, "
            f"{sizes['n_near']['synthetic']:,} and {sizes['n_near']['holdout']:,} (real, synthetic, holdout). Theirs: "
            + "; ".join(f"{label}: {theirs}" for label, theirs, _ in MEASURES.values())
            + ".",
            "",
            provenance({sample: [cell] for sample, cell in cells.items()}, versions=True),
        ]
    return "\n".join(lines).rstrip() + "\n"


def agrees(name: str, found: Mapping[str, Any]) -> bool | None:
    """Whether both figures, and those of every column or pair, are close enough; None: nothing to compare."""
    if found["theirs"] is None or found["ours"] is None:
        return None
    apart = [abs(found["ours"] - found["theirs"])]
    if found.get("largest_difference") is not None:
        apart.append(found["largest_difference"])
    return max(apart) <= MEASURES[name][2]


def _agreement(results: Mapping[str, Any]) -> str:
    verdicts = [agrees(name, found) for cell in results["cells"].values() for name, found in cell["measures"].items()]
    compared = [verdict for verdict in verdicts if verdict is not None]
    limits = ", ".join(f"{label} {limit:g}" for label, _, limit in MEASURES.values())
    return f"{sum(compared)} of {len(compared)} figures agree. Allowed differences: {limits}."


def _row(sample: str, name: str, found: Mapping[str, Any]) -> str:
    verdict = agrees(name, found)
    cells = [sample, MEASURES[name][0], _text(found["ours"]), _text(found["theirs"])]
    if verdict is None:
        return f"| {' | '.join([*cells, '', '', ''])} |"
    largest = found.get("largest_difference")
    cells += [f"{abs(found['ours'] - found['theirs']):.1e}", "" if largest is None else f"{largest:.1e}"]
    return f"| {' | '.join([*cells, 'yes' if verdict else '**no**'])} |"


def _text(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"

"""The Markdown of the benchmark of utility under privacy, from its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import fmean, stdev
from typing import Any

from benchmarks.provenance import provenance

COLUMNS = (
    ("mle_auc", "MLE AUC", 4),
    ("shape", "shape %", 2),
    ("trend_shared", "trend % (shared)", 2),
    ("strong_pairs", "strong pairs %", 2),
    ("xgb_c2st", "XGB-C2ST", 3),
    ("fit_seconds", "fit s", 0),
)

Cells = list[Mapping[str, Any]]


def markdown(results: Mapping[str, Any]) -> str:
    """The whole page."""
    lines = [
        "# Utility under differential privacy",
        "",
        "Written by `benchmarks/privacy_utility.py` from its JSON; do not edit. delta 1e-5, each row a person. Mean "
        "over seeds, standard deviation after the sign; errors in percent, lower is better; AUC and C2ST, higher is "
        "better. `-codes`: on the codes of our private codec, decoded by it, with what it left of the budget. Seconds "
        "are beside other work where the machine was shared.",
        "",
    ]
    groups: dict[tuple[str, float], dict[str, Cells]] = {}
    for cell in results["cells"].values():
        of_group = groups.setdefault((cell["table"], cell["epsilon"]), {})
        of_group.setdefault(cell["generator"], []).append(cell)
    for (table, epsilon), generators in sorted(groups.items()):
        lines += [f"## {table}, epsilon {epsilon:g}", ""]
        lines += ["| generator | seeds | " + " | ".join(head for _, head, _ in COLUMNS) + " |"]
        lines += ["|---" * (len(COLUMNS) + 2) + "|"]
        real = {cell["scores"].get("mle_real_auc") for cells in generators.values() for cell in cells} - {None}
        if real:
            lines += [f"| real rows | | {max(real):.4f} |" + " |" * (len(COLUMNS) - 1)]
        for generator, cells in generators.items():
            figures = [_figure([cell["scores"].get(name) for cell in cells], places) for name, _, places in COLUMNS]
            lines += [f"| {generator} | {len(cells)} | " + " | ".join(figures) + " |"]
        lines += ["", provenance(generators), ""]
    lines += [f"- {name}: skipped, {reason}" for name, reason in sorted(results.get("skipped", {}).items())]
    return "\n".join(lines).rstrip() + "\n"


def _figure(values: list[float | None], places: int) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return ""
    spread = f" ± {stdev(known):.{places}f}" if len(known) > 1 else ""
    return f"{fmean(known):.{places}f}{spread}"

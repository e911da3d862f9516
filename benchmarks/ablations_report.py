"""The Markdown of the ablations, from their JSON.

`scripts/generate_docs.py` imports this module to write the page, so it stays apart from the heavy imports of the fits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from benchmarks.provenance import provenance

BASELINE = "default"
"""The default recipe with a target, beside which all other variants stand."""

SCORES: dict[str, tuple[str, int]] = {
    "shape": ("shape %", 2),
    "trend_shared": ("trend %", 2),
    "strong_pairs": ("strong pairs %", 2),
    "xgb_c2st": ("XGB-C2ST", 3),
    "mle_auc": ("MLE AUC", 3),
    "mle_rmse": ("MLE RMSE", 3),
    "mle_r2": ("MLE R2", 3),
}
"""Score -> heading and decimals; scores that no cell has are dropped."""


def markdown(results: Mapping[str, Any]) -> list[str]:
    """The section's lines: one table of variants per real table, number of steps and seed."""
    lines = [
        "## One lever at a time",
        "",
        "`benchmarks/ablations.py`: the default recipe, and variants that differ from it in what their name says, at "
        "equal steps; in brackets the difference to the default recipe. Errors in percent, lower is better; XGB-C2ST "
        "and MLE AUC, higher is better. One seed each: differences in the last digit mean nothing. CPU seconds are of "
        "fits beside other work.",
    ]
    groups: dict[tuple[str, str, str], dict[str, Mapping[str, Any]]] = {}
    for key, cell in results["cells"].items():
        table, steps, seed, variant = key.split("/", 3)
        groups.setdefault((table, steps, seed), {})[variant] = cell
    for (table, steps, seed), cells in groups.items():
        lines += ["", f"### {table}, {int(steps):,} steps, seed {seed}", "", *_section(cells)]
    return lines


def _section(cells: Mapping[str, Mapping[str, Any]]) -> list[str]:
    shown = [name for name in SCORES if any(name in cell.get("scores", {}) for cell in cells.values())]
    base = cells.get(BASELINE)
    target = None if base is None else base.get("target")
    lines = [
        f"The default recipe is told the target, {target}." if target else "The default recipe is not told the target.",
        "",
        "| variant | " + " | ".join(SCORES[name][0] for name in shown) + " | CPU s |",
        "|---" * (len(shown) + 2) + "|",
    ]
    for variant, cell in cells.items():
        beside = None if base is None or base is cell else base.get("scores")
        figures = [_figure(cell["scores"], beside, name) if "scores" in cell else "diverged" for name in shown]
        seconds = f"{cell['fit_cpu_seconds']:.0f}" if "fit_cpu_seconds" in cell else ""
        lines.append(f"| {variant} | " + " | ".join(figures) + f" | {seconds} |")
    return [*lines, "", provenance({variant: [cell] for variant, cell in cells.items()})]


def _figure(scores: Mapping[str, float], base: Mapping[str, float] | None, name: str) -> str:
    """The score, and how it differs from the baseline's."""
    value, places = scores.get(name, math.nan), SCORES[name][1]
    if math.isnan(value):
        return ""
    difference = math.nan if base is None else value - base.get(name, math.nan)
    return f"{value:.{places}f}" + ("" if math.isnan(difference) else f" ({difference:+.{places}f})")

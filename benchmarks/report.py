"""The Markdown of the fidelity benchmark, from its JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from benchmarks.published import SOURCE, published

COLUMNS: tuple[tuple[str, str, int], ...] = (
    ("shape", "shape %", 2),
    ("trend_shared", "trend % (shared)", 2),
    ("trend_own", "trend % (own)", 2),
    ("strong_pairs", "strong pairs %", 2),
    ("xgb_c2st", "XGB-C2ST", 3),
    ("lr_c2st", "LR-C2ST", 3),
    ("mle_auc", "MLE AUC", 4),
    ("mle_rmse", "MLE RMSE", 3),
    ("mle_r2", "MLE R2", 3),
    ("alpha_precision", "alpha-precision", 3),
    ("beta_recall", "beta-recall", 3),
    ("mode_coverage", "mode coverage", 4),
    ("level_coverage", "level coverage", 4),
    ("frechet_distance", "Frechet %", 3),
    ("dcr_share", "DCR share", 3),
    ("exact_copies", "copies", 1),
    ("fit_seconds", "fit s", 1),
    ("sample_seconds", "sample s", 2),
    ("peak_rss_mib", "peak MiB", 0),
)
"""Score, heading and decimals of each column, in order; columns without any figure are dropped."""


def markdown(results: Mapping[str, Any]) -> str:
    """The document: one section per table, ours first, then the peers, then published figures."""
    run = results["run"]
    machine = run["machine"]
    lines = [
        "# Fidelity",
        "",
        f"Written by `benchmarks/fidelity.py` from its JSON; do not edit. {run['date'][:10]}, commit "
        f"`{(run['commit'] or 'none')[:12]}`{' with uncommitted changes' if run['uncommitted_changes'] else ''}, "
        f"{machine['cores']} cores of {machine['processor']}, {machine['memory_gib']} GiB, Python {run['python']}, "
        + ", ".join(f"{name} {version}" for name, version in run["versions"].items())
        + ".",
        "",
        "Mean and deviation over the seeds. Errors in percent, lower is better; C2ST, MLE AUC, alpha-precision, "
        "beta-recall and coverage, higher is better; DCR share, near 0.5; copies, near the count that as many fresh "
        f"rows would have. Rows in italics are published figures ({SOURCE}; their trend has own edges). `bootstrap` is "
        "the noise floor of a perfect sampler and copies rows by construction.",
    ]
    cells: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for cell in results["cells"].values():
        cells.setdefault(cell["table"], {}).setdefault(cell["generator"], []).append(cell)
    for table, generators in cells.items():
        lines += ["", f"## {table}", "", *_section(table, generators)]
    if results.get("peer_timing"):
        lines += ["", "## Peers' speed in paired short runs", "", *_timing(results["peer_timing"])]
    return "\n".join(lines) + "\n"


def _section(table: str, generators: Mapping[str, list[dict[str, Any]]]) -> list[str]:
    every = [cell for cells in generators.values() for cell in cells]
    quoted = published(table)
    shown = [column for column in COLUMNS if any(column[0] in cell["scores"] for cell in every)]
    lines = [
        "| generator | seeds | " + " | ".join(heading for _, heading, _ in shown) + " |",
        "|---" * (len(shown) + 2) + "|",
    ]
    for name, cells in sorted(generators.items(), key=lambda item: _rank(item[0])):
        figures = [_mean_and_deviation([cell["scores"].get(key) for cell in cells], places) for key, _, places in shown]
        note = " (cached)" if any(cell.get("cached") for cell in cells) else ""
        lines.append(f"| {name}{note} | {len(cells)} | " + " | ".join(figures) + " |")
    for name, quotes in quoted.items():
        texts = [f"*{quotes[key]:g}*" if key in quotes else "" for key, _, _ in shown]
        lines.append(f"| *{name}, published* | | " + " | ".join(texts) + " |")
    real = [cell["scores"] for cell in every]
    # The same in every cell: it depends on the real rows alone.
    beside = [
        f"{label} of the same model trained on the real rows: {real[0][key]:.4f}."
        for key, label in (("mle_real_auc", "MLE AUC"), ("mle_real_rmse", "MLE RMSE"))
        if key in real[0]
    ]
    beside += [
        f"{label} of the test rows in a synthetic table's place: {real[0][key]:.{places}f}."
        for key, label, places in (
            ("mode_coverage_holdout", "Mode coverage", 4),
            ("frechet_distance_holdout", "Frechet %", 3),
        )
        if key in real[0]
    ]
    copies = [s["exact_copies_expected"] for s in real if "exact_copies_expected" in s]
    if copies:
        beside.append(f"Copies that as many fresh rows would have: {copies[0]:.1f}.")
    rows = every[0]["n_rows"]
    beside.append(f"{rows['train']:,} training rows, {rows['test']:,} test rows, {rows['columns']} columns.")
    return [*lines, "", " ".join(beside)]


def _rank(generator: str) -> tuple[int, str]:
    order = ("synthgan", "ctgan", "tvae", "bootstrap", "independent")
    return next((i for i, start in enumerate(order) if generator.startswith(start)), len(order)), generator


def _mean_and_deviation(values: list[float | None], places: int) -> str:
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return ""
    mean = sum(known) / len(known)
    if len(known) == 1:
        return f"{mean:.{places}f}"
    deviation = math.sqrt(sum((value - mean) ** 2 for value in known) / (len(known) - 1))
    return f"{mean:.{places}f} ± {deviation:.{places}f}"


def _timing(timing: Mapping[str, Any]) -> list[str]:
    lines = ["| peer | table | seconds an epoch | 300 epochs, extrapolated |", "|---|---|---|---|"]
    for name, entry in timing.items():
        peer, table = name.split("/")
        per_epoch = entry["seconds_per_epoch"]
        lines.append(f"| {peer} | {table} | {per_epoch:.2f} | {entry['fixed_seconds'] + 300 * per_epoch:.0f} s |")
    return lines

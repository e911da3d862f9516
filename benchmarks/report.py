"""The Markdown of the fidelity benchmark, from its JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.provenance import provenance
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

CURVE = frozenset(
    (
        "shape",
        "trend_shared",
        "strong_pairs",
        "xgb_c2st",
        "mle_auc",
        "mle_rmse",
        "beta_recall",
        "dcr_share",
        "exact_copies",
    )
)
"""Scores of the table of quality against time."""


def markdown(results: Mapping[str, Any]) -> str:
    """The document: one section per table, ours first, then the peers, then published figures."""
    lines = [
        "# Fidelity",
        "",
        "Written by `benchmarks/fidelity.py` from its JSON; do not edit.",
        "",
        "Mean and deviation over the seeds. Errors in percent, lower is better; C2ST, MLE AUC, alpha-precision, "
        "beta-recall and coverage, higher is better; DCR share, near 0.5; copies, within the interval that is given "
        f"for as many fresh rows. Rows in italics are published figures ({SOURCE}; their trend has own edges). "
        "`bootstrap` is the noise floor of a perfect sampler and copies rows by construction.",
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
    counted = [cell for cell in every if "exact_copies_holdout" in cell["scores"]]
    if counted:
        expected, low, high = holdout_copies(counted[0])
        beside.append(
            f"Copies that as many fresh rows would have: {expected:.1f}, 95% interval {low:.1f} to {high:.1f} "
            f"(from {counted[0]['scores']['exact_copies_holdout']:.0f} among the test rows)."
        )
    rows = every[0]["n_rows"]
    beside.append(f"{rows['train']:,} training rows, {rows['test']:,} test rows, {rows['columns']} columns.")
    return [*lines, "", " ".join(beside), "", provenance(generators, versions=True), *_against_time(generators)]


def holdout_copies(cell: Mapping[str, Any]) -> tuple[float, float, float]:
    """Copies that as many fresh rows as synthetic ones would have: expected, and the ends of its 95% interval.

    The test rows that equal a training row, with their exact binomial interval (Clopper and Pearson 1934), scaled to
    the number of synthetic rows.
    """
    from scipy.stats import binomtest

    n_copies, n_rows = round(cell["scores"]["exact_copies_holdout"]), cell["n_rows"]
    share = binomtest(n_copies, n_rows["test"]).proportion_ci(0.95, method="exact")
    n_synthetic = n_rows["synthetic"]
    return n_copies / n_rows["test"] * n_synthetic, share.low * n_synthetic, share.high * n_synthetic


def _against_time(generators: Mapping[str, list[dict[str, Any]]]) -> list[str]:
    """What more steps buy: our efforts from the shortest fit to the longest; nothing where there is but one."""
    ours = {name: cells for name, cells in generators.items() if name.startswith("synthgan-")}
    ours = {name: cells for name, cells in ours.items() if all(cell.get("settings") for cell in cells)}
    efforts = {name: cells for name, cells in ours.items() if not name.endswith("-unprotected")}
    if len(efforts) < 2:
        return []
    shown = [column for column in COLUMNS if column[0] in CURVE]
    shown = [
        column for column in shown if any(column[0] in cell["scores"] for cells in efforts.values() for cell in cells)
    ]
    lines = [
        *("", "### Quality against time", ""),
        "| effort | steps | batch | fit s | " + " | ".join(heading for _, heading, _ in shown) + " |",
        "|---" * (len(shown) + 4) + "|",
    ]

    def seconds(cells: list[dict[str, Any]]) -> list[float]:
        return [cell["scores"]["fit_seconds"] for cell in cells]

    for name, cells in sorted(efforts.items(), key=lambda item: sum(seconds(item[1])) / len(item[1])):
        steps = " / ".join(f"{n:,}" for n in sorted({_steps(cell) for cell in cells}))
        batch = " / ".join(f"{n:,}" for n in sorted({cell["settings"]["batch_size"] for cell in cells}))
        figures = [_mean_and_deviation([cell["scores"].get(key) for cell in cells], places) for key, _, places in shown]
        lines.append(
            f"| {name.removeprefix('synthgan-')} | {steps} | {batch} | {_mean_and_deviation(seconds(cells), 1)} | "
            + " | ".join(figures)
            + " |"
        )
    return lines


def _steps(cell: Mapping[str, Any]) -> int:
    """Steps that were taken, which a time limit may have cut short."""
    history = cell["generator_facts"].get("last_history") or [{}]
    return int(history[-1].get("step", cell["settings"]["n_steps"]))


def _rank(generator: str) -> tuple[int, str]:
    order = ("synthgan", "ctgan", "tvae", "bootstrap", "independent")
    return next((i for i, start in enumerate(order) if generator.startswith(start)), len(order)), generator


def _mean_and_deviation(values: Sequence[float | None], places: int) -> str:
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

"""The Markdown of the speed benchmark, from its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

from benchmarks.provenance import provenance

TASKS = {
    "encode": "encode (from pandas, codec fitted)",
    "decode": "decode (to Arrow)",
    "forward": "generator's forward pass alone",
    "draw": "draw codes and positions",
    "sample_frame": "sample to a DataFrame",
    "sample_parquet": "sample to Parquet",
}
PEER_TASKS = {
    "encode": "encode_seconds",
    "decode": "decode_seconds",
    "sample_frame": "sample_seconds_each",
    "sample_parquet": "sample_seconds_each",
}
"""Our task -> what ctgan's script calls its own; ctgan writes no file, so that its sampling stands for both."""

QUALITY = {
    "shape": "lower",
    "trend_shared": "lower",
    "strong_pairs": "lower",
    "xgb_c2st": "higher",
    "mle_auc": "higher",
    "mle_rmse": "lower",
}
"""Measures that a fit to a fixed quality must meet, and which way is better; a table has one of the last two."""

SCORES = {
    "shape": ("shape %", 2),
    "trend_shared": ("trend %", 2),
    "strong_pairs": ("strong pairs %", 2),
    "xgb_c2st": ("XGB-C2ST", 3),
    "mle_auc": ("MLE AUC", 4),
    "mle_rmse": ("MLE RMSE", 3),
}
GROWTH = {"rows": "rows", "columns": "columns", "levels": "levels in one column"}


def markdown(results: Mapping[str, Any]) -> str:
    """The document: tasks, fit to a fixed quality, growth."""
    lines = ["# Speed", "", "Written by `benchmarks/speed.py` from its JSON; do not edit."]
    lines += [f"Left out: {name}, {why}." for name, why in results.get("skipped", {}).items()]
    cells = results["cells"]
    for key, cell in cells.items():
        if key.startswith("tasks/"):
            lines += ["", *_tasks(key.partition("/")[2], cell), "", provenance({key: [cell]})]
    for table in dict.fromkeys(key.split("/")[1] for key in cells if key.startswith("quality/")):
        measured = {key.split("/")[2]: [cell] for key, cell in cells.items() if key.startswith(f"quality/{table}/")}
        lines += ["", *_quality(table, cells), "", provenance(measured)]
    for part, heading in GROWTH.items():
        grown = {key.partition("/")[2]: cell for key, cell in cells.items() if key.startswith(f"{part}/")}
        if grown:
            measured = {label: [cell] for label, cell in grown.items()}
            lines += ["", *_growth(heading, grown), "", provenance(measured)]
    return "\n".join(lines) + "\n"


def unmet(scores: Mapping[str, float], wanted: Mapping[str, float]) -> list[str]:
    """Names of the measures in which ``scores`` are worse than ``wanted``."""
    return [
        name
        for name, better in QUALITY.items()
        if name in wanted and (scores[name] > wanted[name] if better == "lower" else scores[name] < wanted[name])
    ]


def rows_per_second(rounds: list[dict[str, Any]], task: str) -> float | None:
    """Median over all repetitions of all rounds."""
    seconds = [second for found in rounds if task in found["tasks"] for second in found["tasks"][task]["seconds"]]
    return rounds[0]["tasks"][task]["n_rows"] / median(seconds) if seconds else None


def peer_rows_per_second(rounds: list[dict[str, Any]], task: str, n_rows: int) -> float | None:
    """The same of ctgan; None for what it does not do."""
    name = PEER_TASKS.get(task)
    if name is None or not rounds:
        return None
    return n_rows / median([second for found in rounds for second in found[name]])


def _tasks(table: str, cell: Mapping[str, Any]) -> list[str]:
    ours, peers = cell["synthgan"], cell.get("ctgan", [])
    lines = [
        f"## Tasks: {table}",
        "",
        f"{cell['n_rows']:,} rows of {cell['n_columns']} columns; rows a second, median of "
        f"{cell['options']['repeats']} repetitions in each of {len(ours)} processes"
        + (
            ", which took turns with ctgan's. ctgan's sampling, which writes no file, stands beside both."
            if peers
            else "."
        ),
        "",
        "| task | synthgan | ctgan | ratio |",
        "|---|---|---|---|",
    ]
    for task, label in TASKS.items():
        own, other = rows_per_second(ours, task), peer_rows_per_second(peers, task, cell["n_rows"])
        if own is not None:
            shown = (f"{other:,.0f}", f"{own / other:.1f}") if other else ("", "")
            lines.append(f"| {label} | {own:,.0f} | {shown[0]} | {shown[1]} |")
    size = ours[0]["bytes_per_cell"]
    peak = f"{median([found['peak_rss_mib'] for found in ours]):,.0f}"
    lines += ["", f"Code table: {size['codes']:.2f} bytes a cell, positions {size['positions']:.2f} more. "]
    lines[-1] += f"Peak memory of the process: {peak} MiB" + (
        f" (ctgan: {median([found['peak_rss_mib'] for found in peers]):,.0f} MiB)." if peers else "."
    )
    return lines


def _quality(table: str, cells: Mapping[str, Any]) -> list[str]:
    peer = cells[f"quality/{table}/ctgan"]
    names = [name for name in SCORES if name in peer["scores"]]

    def line(label: str, cell: Mapping[str, Any]) -> str:
        scores = [f"{cell['scores'][name]:.{SCORES[name][1]}f}" for name in names]
        return f"| {label} | {cell['fit_seconds']:.1f} | " + " | ".join(scores) + " |"

    lines = [
        f"## Fit to a fixed quality: {table}",
        "",
        f"ctgan after its {peer['epochs']} epochs (seconds: {peer['seconds_from']}), and synthgan with growing "
        "budgets of steps, each a whole schedule, until every measure is at least as good.",
        "",
        "| fit | seconds | " + " | ".join(SCORES[name][0] for name in names) + " |",
        "|---" * (len(names) + 2) + "|",
        line("ctgan", peer),
    ]
    budgets = sorted(
        int(key.split("/")[2]) for key in cells if key.startswith(f"quality/{table}/") and key[-1].isdigit()
    )
    enough = None
    for budget in budgets:
        cell = cells[f"quality/{table}/{budget}"]
        lines.append(line(f"synthgan, {budget:,} steps", cell))
        if enough is None and not unmet(cell["scores"], peer["scores"]):
            enough = cell
    if enough is None:
        return [*lines, "", "No budget reached ctgan's figures in every measure."]
    ratio = peer["fit_seconds"] / enough["fit_seconds"]
    reached = f"Reached with {enough['options']['max_steps']:,} steps, in 1/{ratio:.0f} of ctgan's seconds."
    if enough["run"]["commit"] != peer["run"]["commit"]:
        reached += (
            " The two were not measured in one run, so the machine's other work may weigh on one more than the other."
        )
    return [*lines, "", reached]


def _growth(heading: str, cells: Mapping[str, Any]) -> list[str]:
    lines = [
        f"## Growth with {heading}",
        "",
        "*Codes*: length of the code axis, all columns together. *Kept levels*: values that the most varied column of "
        "levels can give; where they are more than 256, the rarer ones share codes.",
        "",
        f"| {heading} | codes | kept levels | encode us/row | step ms | draw us/row | decode us/row "
        "| sample to Parquet us/row | peak MiB, fit | peak MiB, all |",
        "|---" * 10 + "|",
    ]
    for label, cell in cells.items():
        micro = {}
        for name, task in cell["tasks"].items():
            micro[name] = 1e6 * median(task["seconds"]) / task["n_rows"]
        fit = cell["fit"]
        kept = f"{cell['kept_levels']:,}" if "kept_levels" in cell else ""
        lines.append(
            f"| {int(label):,} | {cell['n_levels']:,} | {kept} | {micro['encode']:.2f} "
            f"| {1e3 * fit['training_seconds'] / fit['steps']:.1f} | {micro['draw']:.2f} | {micro['decode']:.2f} "
            f"| {micro['sample_parquet']:.2f} | {fit['peak_rss_mib']:.0f} | {cell['peak_rss_mib']:.0f} |"
        )
    return lines

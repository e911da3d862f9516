"""The Markdown of the membership attacks, from their JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.provenance import provenance


def markdown(results: Mapping[str, Any]) -> str:
    """The page: one table of attacks per real table."""
    lines = [
        "# Membership attacks",
        "",
        "Written by `benchmarks/membership.py` from its JSON; do not edit.",
        "",
        "Random splits of the whole table: half the rows are members (a model is trained on them), a quarter "
        "non-members, a quarter reference rows for the attacker. As many members as non-members are judged. Attacks "
        "see the synthetic and the reference rows: the closest synthetic row (Chen et al. 2020), the number of "
        "synthetic rows near (Hilprecht et al. 2019), the ratio of two densities by neighbours and by kernels (van "
        "Breugel et al. 2023) and by a classifier, the excess in marginal counts (after Golob et al. 2024), equal "
        "rows. *Rows*: synthetic rows, as a multiple of the members.",
        "",
        "AUC: mean over the splits, 0.5 is guessing. *SE*: its standard error from the rows (DeLong) and from the "
        "differences between splits. The interval is made with the larger, at a level at which those of all attacks "
        "on a sample hold at once with 95%. A leak smaller than the interval's half width would not be seen, and "
        "attackers with the model itself are not covered. TPR: members found with at most 10%, 1% and 0.1% of a "
        "split's non-members let through; in brackets what fresh rows would give, which is more than that percentage "
        "where a split's non-members are few. *bootstrap*, members drawn with replacement, is the control that must "
        "be caught; *independent*, each column drawn by itself from the members, shows what the columns' own shares "
        "give away before a pair of columns is learned.",
    ]
    for table in dict.fromkeys(cell["table"] for cell in results["cells"].values()):
        groups = {key: group for key, group in results["pooled"].items() if key.split("/")[0] == table}
        sizes = next(cell["n_rows"] for cell in results["cells"].values() if cell["table"] == table)
        lines += [
            *("", f"## {table}", ""),
            f"{sizes['members']:,} members, {sizes['non_members']:,} non-members and as many members judged, "
            f"{sizes['reference']:,} reference rows in each split.",
            "",
            *(f"- {_verdict(key, group)}" for key, group in groups.items()),
            "",
            "| generator | rows | attack | AUC | interval | SE rows / splits | TPR at 10% | at 1% | at 0.1% |",
            "|---" * 9 + "|",
        ]
        for key, group in groups.items():
            _, generator, times = key.split("/")
            lines += [f"| {generator} | {times}x | {_row(attack)} |" for attack in group["attacks"].values()]
        rows: dict[str, list[Mapping[str, Any]]] = {}
        for cell in results["cells"].values():
            if cell["table"] == table:
                rows.setdefault(cell["generator"], []).append(cell)
        lines += ["", provenance(rows)]
    return "\n".join(lines) + "\n"


def _verdict(key: str, group: Mapping[str, Any]) -> str:
    """One sentence on one generator and size."""
    _, generator, times = key.split("/")
    outside = [name for name, attack in group["attacks"].items() if not _holds_half(attack["interval"])]
    strongest = group["attacks"][group["strongest"]]
    found = "every interval holds 0.5" if not outside else f"0.5 is outside the interval of {', '.join(outside)}"
    return (
        f"{generator}, {times}x, {group['n_splits']} splits: {found}; strongest attack {group['strongest']}, "
        f"AUC {strongest['auc']:.3f}."
    )


def _holds_half(interval: list[float] | tuple[float, float]) -> bool:
    return bool(interval[0] <= 0.5 <= interval[1])


def _row(attack: Mapping[str, Any]) -> str:
    low, high = attack["interval"]
    splits = "" if attack["split_error"] is None else f"{attack['split_error']:.4f}"
    rates = [f"{100 * found['rate']:.1f}% ({100 * found['chance']:.1f}%)" for found in attack["true_positives"]]
    return " | ".join(
        [
            attack["attack"],
            f"{attack['auc']:.3f}",
            f"{low:.3f} to {high:.3f}",
            f"{attack['row_error']:.4f} / {splits}",
            *rates,
        ]
    )

"""The Markdown of the table of generators, from its JSON: figures, gates, and whether every line is ordered rightly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from benchmarks.provenance import provenance

GENERATORS = ("synthgan", "private", "ctgan", "bootstrap", "independent", "leaky")

PRIVACY_GROUPS = frozenset({"membership", "disclosure", "copies"})
USE_GROUPS = frozenset({"fidelity", "coverage", "utility"})

ORDERINGS: dict[str, tuple[str, ...]] = {
    "shape": ("bootstrap < ctgan", "synthgan < ctgan", "independent < ctgan", "synthgan < private"),
    "trend_shared": ("bootstrap < synthgan", "synthgan < private", "private < independent", "synthgan < ctgan"),
    "trend_own": ("bootstrap < independent", "synthgan < independent", "synthgan < ctgan"),
    "strong_pairs": ("bootstrap < synthgan", "synthgan < private", "private < independent", "synthgan < ctgan"),
    "correlations": ("bootstrap < independent", "synthgan < independent"),
    "rare_slices": ("bootstrap < independent", "synthgan < independent"),
    "mode_coverage": ("bootstrap < ctgan", "synthgan < ctgan", "synthgan < private"),
    "frechet_distance": ("bootstrap < synthgan", "synthgan < independent", "synthgan < ctgan"),
    "alpha_precision": ("synthgan < ctgan",),
    "beta_recall": ("bootstrap < synthgan", "synthgan < independent", "synthgan < ctgan"),
    "c2st": ("bootstrap < synthgan", "synthgan < private", "synthgan < ctgan", "synthgan < independent"),
    "utility_auc": ("bootstrap < synthgan", "synthgan < private", "private < independent", "ctgan < independent"),
    "utility_gap": ("bootstrap < synthgan", "synthgan < private", "private < independent", "ctgan < independent"),
    "importance_agreement": ("synthgan < independent",),
    "membership_auc": ("synthgan < leaky", "private < leaky", "independent < bootstrap", "synthgan < bootstrap"),
    "membership_tpr_1": ("synthgan < leaky", "private < leaky", "independent < bootstrap", "synthgan < bootstrap"),
    "membership_auc_worst": ("synthgan < leaky", "private < leaky", "independent < leaky"),
    "membership_tpr_1_worst": ("synthgan < leaky", "private < leaky", "independent < leaky"),
    "singling_out": ("synthgan < leaky", "private < leaky", "synthgan < bootstrap", "synthgan < independent"),
    "linkability": ("synthgan < leaky", "private < leaky", "independent < leaky"),
    "attribute_inference": ("synthgan < leaky", "private < leaky", "independent < leaky"),
    "rare_categories": ("synthgan < bootstrap", "private < bootstrap"),
    "extreme_values": ("synthgan < bootstrap", "private < bootstrap"),
    "exact_copies": ("synthgan < bootstrap", "private < bootstrap", "independent < bootstrap"),
    "near_copies": ("synthgan < leaky", "private < leaky", "independent < leaky", "synthgan < bootstrap"),
    "dcr_share": ("synthgan < leaky", "private < leaky", "independent < leaky", "synthgan < bootstrap"),
}
"""Score -> what is known beforehand: ``a < b`` says that ``a`` is nearer to the best value than ``b``."""

GATES: tuple[tuple[str, frozenset[str], bool], ...] = (
    ("synthgan", PRIVACY_GROUPS | USE_GROUPS, False),
    ("private", PRIVACY_GROUPS, False),
    ("bootstrap", PRIVACY_GROUPS, True),
    ("leaky", PRIVACY_GROUPS, True),
    ("independent", frozenset({"utility"}), True),
)
"""Generator, groups of scores, and whether a gate on one of them must fail (or none may)."""

EXCESSES = frozenset({"rare_categories", "extreme_values"})
"""Scores that mean something only beside their reference."""

_MARKS = {"pass": "pass", "fail": "**fail**", "inconclusive": "?"}

Cells = Mapping[str, Sequence[Mapping[str, Any]]]
"""Generator -> its cells, one for each seed."""


@dataclass(frozen=True)
class Check:
    """One thing that is known beforehand: in words, what was found, and whether it holds (None: not measured)."""

    what: str
    expected: str
    found: str
    holds: bool | None


def markdown(results: Mapping[str, Any]) -> str:
    """The whole page."""
    lines = [
        "# Generators",
        "",
        "Written by `benchmarks/generators.py` from its JSON; do not edit.",
        "",
        "Generators of known worth, by all scores of `synthgan.evaluate` with the test rows as holdout, and by the "
        "gates of the default policy ([Policy](../policy.md)). *private*: synthgan at the epsilon that its options "
        "say. *bootstrap*: training rows drawn with replacement, perfect and without any privacy. *independent*: each "
        "column drawn by itself from its training values: useless, and not private either, for a number that only "
        "one person has stays in the table and singles that person out. *leaky*: every training row with a little "
        "noise. Means over the seeds. *Real rows*: the figure's own reference, such as the holdout in the synthetic "
        "table's place, or a model trained on real rows.",
    ]
    for table in dict.fromkeys(cell["table"] for cell in results["cells"].values()):
        cells: dict[str, list[Mapping[str, Any]]] = {}
        for cell in results["cells"].values():
            if cell["table"] == table:
                cells.setdefault(cell["generator"], []).append(cell)
        lines += ["", f"## {table}", "", *_figures(cells), "", "### Gates", "", *_gates(cells), "", "### Orderings", ""]
        lines += [*_checks(checks(cells)), "", _sizes(cells), "", provenance(cells)]
    lines += [f"- {name}: skipped, {reason}" for name, reason in sorted(results.get("skipped", {}).items())]
    return "\n".join(lines).rstrip() + "\n"


def checks(cells: Cells) -> list[Check]:
    """What is known beforehand, beside what was found: orderings of scores, then gates that must fail or may not."""
    found = [_ordered(cells, score, ordering) for score, orderings in ORDERINGS.items() for ordering in orderings]
    return found + [_gated(cells, *expectation) for expectation in GATES]


def _ordered(cells: Cells, score: str, ordering: str) -> Check:
    better, worse = ordering.split(" < ")
    first, second = (_mean(cells.get(name, ()), score) for name in (better, worse))
    expected = f"{better} better than {worse}"
    if first is None or second is None:
        return Check(score, expected, "", None)
    holds = _distance(cells[better], score) < _distance(cells[worse], score)
    return Check(score, expected, f"{_text(first)} and {_text(second)}", holds)


def _distance(cells: Sequence[Mapping[str, Any]], name: str) -> float:
    """How far from the best, mean over the cells: what is better is less."""
    distances = []
    for cell in cells:
        score = cell["scores"].get(name, {"value": None})
        value = score["value"]
        if value is None:
            continue
        if score["direction"] == "target" and score["ideal"] is not None:
            distances.append(abs(value - score["ideal"]))
        elif name in EXCESSES and score["reference"] is not None:
            distances.append(value - score["reference"])
        else:
            distances.append(-value if score["direction"] == "higher" else value)
    return fmean(distances)


def _gated(cells: Cells, generator: str, groups: frozenset[str], must_fail: bool) -> Check:
    of_groups = " or ".join(sorted(groups))
    expected = f"a gate on {of_groups} fails" if must_fail else f"no gate on {of_groups} fails"
    if not cells.get(generator):
        return Check(f"gates, {generator}", expected, "", None)
    failed = [_failed_in(cell, groups) for cell in cells[generator]]
    names = ", ".join(dict.fromkeys(name for names in failed for name in names)) or "none failed"
    return Check(f"gates, {generator}", expected, names, all(bool(names) is must_fail for names in failed))


def _failed_in(cell: Mapping[str, Any], groups: frozenset[str]) -> list[str]:
    return [
        verdict["gate"]["name"]
        for verdict in cell["verdicts"]["verdicts"]
        if verdict["outcome"] == "fail" and cell["scores"][verdict["gate"]["score"]]["group"] in groups
    ]


def _figures(cells: Cells) -> list[str]:
    names = [name for name in GENERATORS if name in cells]
    scores: dict[str, Mapping[str, Any]] = {}
    for generator in names:
        for cell in cells[generator]:
            for name, score in cell["scores"].items():
                scores.setdefault(name, score)
    lines = ["| score | best | real rows | " + " | ".join(names) + " |", "|---" * (len(names) + 3) + "|"]
    for name, score in scores.items():
        best = "ideal" if score["direction"] == "target" else score["direction"]
        floor = _mean([cell for generator in names for cell in cells[generator]], name, "reference")
        figures = [_mean(cells[generator], name) for generator in names]
        label = f"{score['label']}{' (' + score['unit'] + ')' if score['unit'] else ''}"
        lines.append(f"| {label} | {best} | " + " | ".join(_text(value) for value in (floor, *figures)) + " |")
    return lines


def _gates(cells: Cells) -> list[str]:
    names = [name for name in GENERATORS if name in cells]
    lines = ["| gate | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    gates = dict.fromkeys(
        verdict["gate"]["name"] for name in names for cell in cells[name] for verdict in cell["verdicts"]["verdicts"]
    )
    for gate in gates:
        lines.append(f"| {gate} | " + " | ".join(_outcomes(cells[name], gate) for name in names) + " |")
    overall = [" ".join(dict.fromkeys(_MARKS[cell["verdicts"]["outcome"]] for cell in cells[name])) for name in names]
    lines += ["| **all** | " + " | ".join(overall) + " |", "", "`?`: inconclusive."]
    return lines


def _outcomes(cells: Sequence[Mapping[str, Any]], gate: str) -> str:
    found = [
        _MARKS[verdict["outcome"]]
        for cell in cells
        for verdict in cell["verdicts"]["verdicts"]
        if verdict["gate"]["name"] == gate
    ]
    return " / ".join(dict.fromkeys(found))


def _checks(found: Sequence[Check]) -> list[str]:
    measured = [check for check in found if check.holds is not None]
    kept = sum(bool(check.holds) for check in measured)
    missing = sorted({check.what for check in found if check.holds is None})
    lines = [f"What is known beforehand holds in {kept} of {len(measured)} cases."]
    if missing:
        lines[0] += f" Not measured, in whole or in part: {', '.join(missing)}."
    lines += ["", "| line | expected | found | holds |", "|---|---|---|---|"]
    lines += [
        f"| {check.what} | {check.expected} | {check.found} | {'yes' if check.holds else '**no**'} |"
        for check in measured
    ]
    return lines


def _sizes(cells: Cells) -> str:
    first = next(iter(cells.values()))[0]
    options = [
        f"{name} {cells[name][0]['options']}" for name in GENERATORS if name in cells and cells[name][0]["options"]
    ]
    seconds = max(cell["evaluate_seconds"] for found in cells.values() for cell in found)
    sizes = ", ".join(f"{count:,} {name}" for name, count in first["n_rows"].items())
    asked = f" Options: {'; '.join(options)}." if options else ""
    return f"Rows: {sizes}. Longest evaluation: {seconds:.0f} s.{asked}"


def _mean(cells: Sequence[Mapping[str, Any]], score: str, key: str = "value") -> float | None:
    values = [cell["scores"].get(score, {}).get(key) for cell in cells]
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _text(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.1f}" if abs(value) >= 100 else f"{value:.3f}"

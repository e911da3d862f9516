"""Membership attacks on small tables: does a default model give away which rows it was trained on?

python benchmarks/membership.py --data ../shared/data --output docs/benchmarks/membership.json \
    --markdown docs/benchmarks/membership.md

For each split, the whole table (training and test rows of the other benchmarks together) is shuffled anew: half are
members, a quarter non-members, a quarter the reference rows that attackers may have. A model is fitted to the members;
as many of them as there are non-members are judged. Every attack sees as many synthetic rows as there are members
(what a user would release), and again ``--more`` times as many. Areas are pooled over the splits; with them stands
``bootstrap``, members drawn with replacement, which the attacks must catch.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402  (the path above makes our own modules importable)
import pandas as pd  # noqa: E402

from benchmarks.machine import describe_run  # noqa: E402
from benchmarks.tables import SPLIT_SEED, BenchmarkTable, load_table  # noqa: E402
from synthgan import Synthesizer  # noqa: E402
from synthgan.evaluation.membership import AttackResult, Trial, attack_trials, pooled_attacks  # noqa: E402

MEMBER_SHARE = 0.5

CONTROL = "bootstrap"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """One table, cut at random: who was trained on, who is judged, what the attacker has."""

    members: pd.DataFrame
    judged_members: pd.DataFrame
    non_members: pd.DataFrame
    reference: pd.DataFrame

    @property
    def n_rows(self) -> dict[str, int]:
        """Rows of each part."""
        return {field.name: len(getattr(self, field.name)) for field in dataclasses.fields(self)}


def main() -> None:
    """Run the cells that the output lacks, pool them and write the results."""
    arguments = _arguments()
    results = _read(arguments.output)
    results["run"] = describe_run()
    ours = f"synthgan-{arguments.effort}"
    if arguments.max_steps is not None:
        ours += f"-{arguments.max_steps}-steps"
    targets = dict(pair.split("=", 1) for pair in arguments.target)
    for name in arguments.tables:
        table = load_table(name, arguments.data, target=targets.get(name))
        for number in range(arguments.splits):
            for generator in (CONTROL, ours):
                key = f"{name}/{generator}/{number}"
                if key in results["cells"] and not arguments.again:
                    print(f"{key}: already there", flush=True)
                    continue
                cell = run_cell(table, generator, number, arguments)
                results["cells"][key] = {"table": name, "generator": generator, "split": number, **cell}
                results["pooled"] = pooled(results["cells"])
                _write(arguments.output, results)
                print(f"{key}: {_brief(cell)}", flush=True)
    # Also where nothing was run: what is pooled follows the code, not the cells.
    results["pooled"] = pooled(results["cells"])
    _write(arguments.output, results)
    if arguments.markdown:
        arguments.markdown.parent.mkdir(parents=True, exist_ok=True)
        arguments.markdown.write_text(markdown(results), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of Parquet tables")
    parser.add_argument("--tables", nargs="+", default=["german_credit", "insurance"])
    parser.add_argument("--target", nargs="+", default=[], metavar="TABLE=COLUMN", help="of tables that are not listed")
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--more", type=int, default=5, help="times as many synthetic rows in the second attack")
    parser.add_argument("--effort", default="default")
    parser.add_argument("--max-steps", type=int)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--again", action="store_true", help="run cells that the output already holds")
    parser.add_argument("--output", type=Path, default=Path("membership.json"))
    parser.add_argument("--markdown", type=Path)
    arguments = parser.parse_args()
    if arguments.more < 2:
        parser.error("--more must be at least 2: once as many rows are attacked in any case")
    return arguments


def split_rows(table: BenchmarkTable, number: int) -> Split:
    """The table's rows in an order of their own for each split, cut into the four parts."""
    rows = pd.concat([table.train, table.test], ignore_index=True)
    order = np.random.default_rng([SPLIT_SEED, number]).permutation(len(rows))
    n_members = int(MEMBER_SHARE * len(rows))
    n_judged = (len(rows) - n_members) // 2
    members = rows.iloc[order[:n_members]].reset_index(drop=True)
    return Split(
        members=members,
        judged_members=members.iloc[:n_judged],
        non_members=rows.iloc[order[n_members : n_members + n_judged]].reset_index(drop=True),
        reference=rows.iloc[order[n_members + n_judged :]].reset_index(drop=True),
    )


def run_cell(table: BenchmarkTable, generator: str, number: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Fit one split, sample it and attack the sample; figures as JSON values."""
    split = split_rows(table, number)
    n_members = len(split.members)
    facts: dict[str, Any] = {"n_rows": split.n_rows}
    if generator == CONTROL:
        # Each draw replaces what it took, so the first rows are a smaller bootstrap of their own.
        synthetic = split.members.sample(n_members * arguments.more, replace=True, random_state=number)
    else:
        began = time.perf_counter()
        model = Synthesizer(
            target=table.target,
            effort=arguments.effort,
            max_steps=arguments.max_steps,
            device=arguments.device,
            random_state=number,
            progress="off",
        ).fit(split.members)
        facts |= {"fit_seconds": time.perf_counter() - began, "n_steps": model.training_settings_.n_steps}
        facts["last_history"] = {key: value for key, value in model.history_[-1].items() if key != "seconds"}
        synthetic = model.sample(n_members * arguments.more, random_state=number)
    trials = {}
    for times in (1, arguments.more):
        outcome = attack_trials(
            split.judged_members,
            split.non_members,
            synthetic.iloc[: n_members * times],
            split.reference,
            numeric=table.numeric,
        )
        trials[str(times)] = {name: dataclasses.asdict(trial) for name, trial in outcome.items()}
    return facts | {"trials": trials}


def pooled(cells: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Pooled attacks by table, generator and synthetic rows per member, as JSON values.

    ``guessing`` says whether every attack's interval holds 0.5.
    """
    groups: dict[str, list[dict[str, Trial]]] = {}
    for cell in cells.values():
        for times, attacks in cell["trials"].items():
            trials = {name: Trial(**{**trial, "hits": tuple(trial["hits"])}) for name, trial in attacks.items()}
            groups.setdefault(f"{cell['table']}/{cell['generator']}/{times}", []).append(trials)
    return {key: _summary(pooled_attacks(trials)) for key, trials in groups.items()}


def _summary(results: tuple[AttackResult, ...]) -> dict[str, Any]:
    return {
        "n_splits": results[0].n_trials,
        "guessing": all(result.is_guessing for result in results),
        "strongest": max(results, key=lambda result: result.auc).attack,
        "attacks": {result.attack: dataclasses.asdict(result) for result in results},
    }


def _brief(cell: Mapping[str, Any]) -> str:
    shown = [
        f"x{times} " + " ".join(f"{name} {trial['auc']:.3f}" for name, trial in attacks.items())
        for times, attacks in cell["trials"].items()
    ]
    seconds = f"fit {cell['fit_seconds']:.0f} s, " if "fit_seconds" in cell else ""
    return seconds + "AUC " + "; ".join(shown)


def markdown(results: Mapping[str, Any]) -> str:
    """The page: one table of attacks per real table."""
    run = results["run"]
    lines = [
        "# Membership attacks",
        "",
        f"Written by `benchmarks/membership.py` from its JSON; do not edit. {run['date'][:10]}, commit "
        f"`{(run['commit'] or 'none')[:12]}`{' with uncommitted changes' if run['uncommitted_changes'] else ''}, "
        f"{run['machine']['cores']} cores of {run['machine']['processor']}.",
        "",
        "Random splits of the whole table: half the rows are members (a model is trained on them), a quarter "
        "non-members, a quarter reference rows for the attacker. As many members as non-members are judged. Attacks "
        "see the synthetic and the reference rows: the closest synthetic row (Chen et al. 2020), the number of "
        "synthetic rows near (Hilprecht et al. 2019), the ratio of two densities by neighbours and by kernels (van "
        "Breugel et al. 2023), equal rows. *Rows*: synthetic rows, as a multiple of the members.",
        "",
        "AUC: mean over the splits, 0.5 is guessing. *SE*: its standard error from the rows (DeLong) and from the "
        "differences between splits. The interval is made with the larger, at a level at which those of all attacks "
        "on a sample hold at once with 95%. A leak smaller than the interval's half width would not be seen, and "
        "attackers with the model itself are not covered. TPR: members found with at most 10%, 1% and 0.1% of a "
        "split's non-members let through; in brackets what fresh rows would give, which is more than that percentage "
        "where a split's non-members are few. *bootstrap*, members drawn with replacement, is the control that must "
        "be caught.",
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


def _read(path: Path) -> dict[str, Any]:
    empty: dict[str, Any] = {"benchmark": "membership", "run": {}, "cells": {}, "pooled": {}}
    return empty | (json.loads(path.read_text(encoding="utf-8")) if path.exists() else {})


def _write(path: Path, results: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".part")
    fresh.write_text(json.dumps(results, indent=2), encoding="utf-8")
    fresh.replace(path)


if __name__ == "__main__":
    main()

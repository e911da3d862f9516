"""Membership attacks on small tables: does a default model give away which rows it was trained on?

python benchmarks/membership.py --data ../shared/data --output docs/benchmarks/membership.json \
    --markdown docs/benchmarks/membership.md

For each split, the whole table (training and test rows of the other benchmarks together) is shuffled anew: half are
members, a quarter non-members, a quarter the reference rows that attackers may have. A model is fitted to the members;
as many of them as there are non-members are judged. Every attack sees as many synthetic rows as there are members
(what a user would release), and again ``--more`` times as many. Areas are pooled over the splits. With them stand two
controls: ``bootstrap``, members drawn with replacement, which the attacks must catch; and ``independent``, each column
drawn by itself from the members, which shows what the columns' own shares give away before a pair is learned.

Resumable: the JSON is written after each cell, and cells that it holds with the same options and of the package as it
is now are not run again. Several processes may share it, each with its own tables.
"""

from __future__ import annotations

import argparse
import dataclasses
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

from benchmarks.cells import CellStore  # noqa: E402
from benchmarks.generate import fit_bootstrap, fit_independent  # noqa: E402
from benchmarks.membership_report import markdown  # noqa: E402
from benchmarks.tables import SPLIT_SEED, BenchmarkTable, load_table  # noqa: E402
from synthgan import Synthesizer  # noqa: E402
from synthgan.config import to_dict  # noqa: E402
from synthgan.evaluation.membership.judging import AttackResult, AttackTrial, attack_trials, pooled_attacks  # noqa: E402

MEMBER_SHARE = 0.5

CONTROLS = ("bootstrap", "independent")


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
    store = CellStore(arguments.output, "membership")
    ours = f"synthgan-{arguments.effort}"
    if arguments.max_steps is not None:
        ours += f"-{arguments.max_steps}-steps"
    targets = dict(pair.split("=", 1) for pair in arguments.target)
    for name in arguments.tables:
        table = load_table(name, arguments.data, target=targets.get(name))
        for number in range(arguments.splits):
            for generator in (*CONTROLS, ours):
                # The attacks are part of the package, so the controls are measured anew with them: it takes seconds.
                store.measured(
                    f"{name}/{generator}/{number}",
                    _options(generator, arguments),
                    lambda table=table, generator=generator, number=number: (
                        {"table": table.name, "generator": generator, "split": number}
                        | run_cell(table, generator, number, arguments)
                    ),
                    again=arguments.again,
                    brief=_brief,
                )
    # Also where nothing was run: what is pooled follows the code, not the cells.
    with store.change() as results:
        results["pooled"] = pooled(results["cells"])
    if arguments.markdown:
        arguments.markdown.parent.mkdir(parents=True, exist_ok=True)
        arguments.markdown.write_text(markdown(store.read()), encoding="utf-8")


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


def _options(generator: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """What a cell was asked for."""
    options: dict[str, Any] = {"more": arguments.more}
    if generator not in CONTROLS:
        options |= {"effort": arguments.effort, "max_steps": arguments.max_steps, "device": arguments.device}
    return options


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
    if generator in CONTROLS:
        # Each draw replaces what it took, so the first rows are a smaller sample of the same kind.
        fit = fit_bootstrap if generator == "bootstrap" else fit_independent
        synthetic = fit(dataclasses.replace(table, train=split.members), number, {})[0](n_members * arguments.more)
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
        facts["settings"] = to_dict(model.training_settings_)
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
    groups: dict[str, list[dict[str, AttackTrial]]] = {}
    for cell in cells.values():
        for times, attacks in cell["trials"].items():
            trials = {name: AttackTrial(**{**trial, "hits": tuple(trial["hits"])}) for name, trial in attacks.items()}
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


if __name__ == "__main__":
    main()

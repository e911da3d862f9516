"""Generators from perfect to useless and from private to leaky, by all scores of `synthgan.evaluate` and its gates.

python benchmarks/generators.py --data ../shared/data --tables adult --seeds 0 --samples samples \
    --peer-python CTGAN/bin/python --output docs/benchmarks/generators.json --markdown docs/benchmarks/generators.md

A cell is one generator on one table with one seed: its rows are scored against the training rows, with the test rows as
holdout, and held to the default policy. Generators:

``synthgan``      at ``--effort``, without differential privacy
``private``       synthgan at ``--epsilon``, with the declared domain ``benchmarks/domains/TABLE.json`` if there is one
``ctgan``         of PyPI, in an environment of its own (``benchmarks/peers/requirements-ctgan.txt``)
``bootstrap``     training rows drawn with replacement: perfect, and gives everybody away
``independent``   each column drawn by itself from its training values: useless
``leaky``         every training row with a little noise: must not pass

Resumable: cells that the JSON holds with the same options and of the package as it is now are not run again. With
``--samples`` the rows are kept too, so that new scores do not need new fits of peers.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from benchmarks.cells import Cell, CellStore  # noqa: E402  (the path above makes our own modules importable)
from benchmarks.generators_report import GENERATORS, markdown  # noqa: E402
from benchmarks.machine import source_fingerprint  # noqa: E402
from benchmarks.tables import BenchmarkTable, load_table  # noqa: E402

DOMAINS = ROOT / "benchmarks" / "domains"
PEER_SCRIPT = ROOT / "benchmarks" / "peers" / "ctgan_peer.py"
OURS = ("synthgan", "private")
DELTA = 1e-5


@dataclass(frozen=True)
class Task:
    """One cell to be measured."""

    arguments: argparse.Namespace
    table: BenchmarkTable
    generator: str
    seed: int
    options: dict[str, Any]


def main() -> None:
    """Measure what is asked for and write the results."""
    arguments = _arguments()
    store = CellStore(arguments.output, "generators", rank=_rank)
    targets = dict(pair.split("=", 1) for pair in arguments.target)
    skipped: dict[str, str] = {}
    for name in arguments.tables:
        table = load_table(name, arguments.data, target=targets.get(name))
        for generator in arguments.generators:
            if generator == "ctgan" and (arguments.peer_python is None or not arguments.peer_python.exists()):
                skipped[f"{name}/ctgan"] = "no python of an environment with it was given"
                print(f"{name}/ctgan: skipped, {skipped[f'{name}/ctgan']}", flush=True)
                continue
            for seed in arguments.seeds:
                task = Task(arguments, table, generator, seed, _options(arguments, generator, table))
                store.measured(
                    f"{name}/{generator}/{seed}",
                    task.options,
                    lambda task=task: (
                        {"table": task.table.name, "generator": task.generator, "seed": task.seed} | _run_cell(task)
                    ),
                    again=arguments.again,
                    brief=_brief,
                )
    with store.change() as results:
        results["skipped"] = skipped
    if arguments.markdown:
        arguments.markdown.parent.mkdir(parents=True, exist_ok=True)
        arguments.markdown.write_text(markdown(store.read()), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of Parquet tables")
    parser.add_argument("--tables", nargs="+", default=["adult"])
    parser.add_argument("--target", action="append", default=[], metavar="TABLE=COLUMN", help="for tables not listed")
    parser.add_argument("--generators", nargs="+", choices=GENERATORS, default=list(GENERATORS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--effort", default="default", help="of synthgan")
    parser.add_argument("--epsilon", type=float, default=1.0, help="of the private synthgan")
    parser.add_argument("--max-steps", type=int, help="of our fits, to see that all works")
    parser.add_argument("--peer-python", type=Path, help="python of an environment with ctgan")
    parser.add_argument("--peer-epochs", type=int, default=300)
    parser.add_argument("--samples", type=Path, help="folder where the rows are kept and found again")
    parser.add_argument("--again", action="store_true", help="measure cells that the output already holds")
    parser.add_argument("--output", type=Path, default=Path("generators.json"))
    parser.add_argument("--markdown", type=Path)
    return parser.parse_args()


def _rank(cell: Cell) -> tuple[str, int, int]:
    return cell["table"], GENERATORS.index(cell["generator"]), cell["seed"]


def _options(arguments: argparse.Namespace, generator: str, table: BenchmarkTable) -> dict[str, Any]:
    """What the generator is asked for."""
    steps = {} if arguments.max_steps is None else {"max_steps": arguments.max_steps}
    if generator == "synthgan":
        return {"effort": arguments.effort, **steps}
    if generator == "private":
        declared = (DOMAINS / f"{table.name}.json").exists()
        return {"epsilon": arguments.epsilon, "delta": DELTA, "declared": declared, **steps}
    return {"epochs": arguments.peer_epochs} if generator == "ctgan" else {}


def _run_cell(task: Task) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="synthgan-bench-") as scratch:
        sample, cost = _sample(task, Path(scratch))
        return score(task.table, sample, seed=task.seed) | {"facts": cost}


def score(table: BenchmarkTable, sample: Path, *, seed: int = 0) -> dict[str, Any]:
    """All scores of a sample and the verdicts of the default policy on them, as JSON values."""
    import pandas as pd

    import synthgan
    from synthgan.review.gates import apply
    from synthgan.review.policy_file import default_policy

    synthetic = pd.read_parquet(sample)
    began = time.perf_counter()
    scores = synthgan.evaluate(
        table.train, synthetic, table.test, target=table.target, random_state=seed, numeric=table.numeric
    )
    seconds = time.perf_counter() - began
    shown = ("label", "group", "value", "interval", "ideal", "reference", "direction", "unit")
    return {
        "n_rows": dict(scores.n_rows),
        "scores": {found["name"]: {key: found[key] for key in shown} for found in scores.to_dict()["scores"]},
        "notes": list(scores.notes),
        "verdicts": apply(default_policy(), scores).to_dict(),
        "evaluate_seconds": seconds,
    }


def _sample(task: Task, scratch: Path) -> tuple[Path, dict[str, Any]]:
    """The generator's rows and what they cost, from the folder of samples where they are still true."""
    kept_in = task.arguments.samples
    folder = scratch if kept_in is None else kept_in.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{task.table.name}-{task.generator}-{task.seed}"
    sample, meta, origin = (folder / f"{stem}{end}" for end in (".parquet", ".cost.json", ".origin.json"))
    made_by = {"options": task.options, "source": source_fingerprint() if task.generator in OURS else None}
    found = json.loads(origin.read_text(encoding="utf-8")) if origin.exists() else None
    if found != made_by or not sample.exists():
        origin.unlink(missing_ok=True)
        command = _peer_command(task, scratch) if task.generator == "ctgan" else _command(task)
        # A peer runs away from the repository, so that nothing of it can be imported by accident.
        place = scratch if task.generator == "ctgan" else ROOT
        subprocess.run([*command, "--sample", str(sample), "--meta", str(meta)], cwd=place, check=True)
        origin.write_text(json.dumps(made_by), encoding="utf-8")
    return sample, json.loads(meta.read_text(encoding="utf-8"))


def _command(task: Task) -> list[str]:
    """Makes a sample of a generator of ours."""
    given = {name: value for name, value in task.options.items() if name != "declared"}
    if task.options.get("declared"):
        given["schema"] = str(DOMAINS / f"{task.table.name}.json")
    generator = "synthgan" if task.generator in OURS else task.generator
    return [
        *(sys.executable, "-m", "benchmarks.generate", "--generator", generator),
        *("--table", task.table.name, "--data", str(task.arguments.data.resolve()), "--target", task.table.target),
        *("--seed", str(task.seed), "--options", json.dumps(given)),
    ]


def _peer_command(task: Task, scratch: Path) -> list[str]:
    """Makes a sample of the peer."""
    train = scratch / "train.parquet"
    task.table.train.to_parquet(train)
    return [
        *(str(task.arguments.peer_python.absolute()), str(PEER_SCRIPT), "--train", str(train)),
        *("--numeric", *task.table.numeric, "--epochs", str(task.options["epochs"]), "--seed", str(task.seed)),
    ]


def _brief(cell: Cell) -> str:
    names = ("shape", "trend_shared", "c2st", "utility_gap", "membership_auc", "near_copies")
    figures = [f"{name} {cell['scores'][name]['value']:.3f}" for name in names if _known(cell, name)]
    return ", ".join(
        [*figures, f"gates {cell['verdicts']['outcome']}", f"evaluated in {cell['evaluate_seconds']:.0f} s"]
    )


def _known(cell: Cell, name: str) -> bool:
    return cell["scores"].get(name, {}).get("value") is not None


if __name__ == "__main__":
    main()

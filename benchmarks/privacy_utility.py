"""Utility under differential privacy, beside peers at the same epsilon: JSON and Markdown, resumable per cell.

python benchmarks/privacy_utility.py --data ../shared/data --tables adult --epsilons 1 --seeds 0 1 2 \
    --dpmm-python DPMM/bin/python --smartnoise-python SMARTNOISE/bin/python \
    --output docs/benchmarks/privacy_utility.json --markdown docs/benchmarks/privacy_utility.md

A cell is one fit of one generator on one table with one epsilon and seed (of what is not noise). All share the split
and the declared domain ``benchmarks/domains/TABLE.json``, which is written by hand from the table's documentation and
never computed from it; without such a file only ``synthgan-undeclared`` runs. Generators:

``synthgan``             the default private fit, declared domain
``synthgan-undeclared``  the same, with names and types alone
``synthgan-split``       a fifth of the budget for the neural critic, declared domain
``synthgan-neural``      DP-SGD alone (``neural=1.0``), declared domain
``aim``, ``mst``         PyPI's dpmm as shipped
``aim-codes``, ``mst-codes``   dpmm on the codes of our private codec, decoded by it; what the codec cost is taken off
                         their budget
``dpctgan``, ``patectgan``     PyPI's smartnoise-synth

Peers run in environments of their own (``benchmarks/peers/requirements-*.txt``); one that is not given is skipped, and
the output says so.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from benchmarks.cells import Cell, CellStore  # noqa: E402  (the path above makes our own modules importable)
from benchmarks.privacy_report import markdown  # noqa: E402
from benchmarks.tables import BenchmarkTable, load_table  # noqa: E402

PEERS = ROOT / "benchmarks" / "peers"
DOMAINS = ROOT / "benchmarks" / "domains"
OURS: dict[str, float | None] = {
    "synthgan": None,
    "synthgan-undeclared": None,
    "synthgan-split": 0.2,
    "synthgan-neural": 1.0,
}
"""Our fits and the share of the budget that their neural critic gets; None: the default."""
ON_CODES = ("aim-codes", "mst-codes")
DPMM = ("aim", "mst")
SMARTNOISE = ("dpctgan", "patectgan")
GENERATORS = (*OURS, *DPMM, *ON_CODES, *SMARTNOISE)
DELTA = 1e-5


@dataclass(frozen=True)
class Task:
    """One cell to be measured."""

    arguments: argparse.Namespace
    table: BenchmarkTable
    generator: str
    epsilon: float
    seed: int
    scratch: Path

    @property
    def domain_file(self) -> Path:
        """The declared domain."""
        return DOMAINS / f"{self.table.name}.json"


def main() -> None:
    """Measure what is asked for and write the results."""
    arguments = _arguments()
    store = CellStore(arguments.output, "privacy_utility", rank=_rank)
    skipped: dict[str, str] = {}
    for name in arguments.tables:
        table = load_table(name, arguments.data)
        for epsilon in arguments.epsilons:
            for generator in arguments.generators:
                reason = _why_not(arguments, table, generator)
                if reason:
                    skipped[f"{name}/{generator}"] = reason
                    print(f"{name}/{generator}: skipped, {reason}", flush=True)
                    continue
                for seed in arguments.seeds:
                    _measured(store, arguments, table, generator, epsilon=epsilon, seed=seed)
    with store.change() as results:
        results["skipped"] = skipped
    if arguments.markdown:
        arguments.markdown.write_text(markdown(store.read()), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of Parquet tables")
    parser.add_argument("--tables", nargs="+", default=["adult"])
    parser.add_argument("--epsilons", nargs="+", type=float, default=[1.0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--generators", nargs="+", choices=GENERATORS, default=list(GENERATORS))
    parser.add_argument("--max-steps", type=int, help="of our fits, to see that all works")
    parser.add_argument("--dpmm-python", type=Path, help="python of an environment with dpmm")
    parser.add_argument("--smartnoise-python", type=Path, help="python of an environment with smartnoise-synth")
    parser.add_argument("--jobs", type=int, default=1, help="threads of XGBoost and of dpmm")
    parser.add_argument("--again", action="store_true", help="measure cells that the output already holds")
    parser.add_argument("--output", type=Path, default=Path("privacy_utility.json"))
    parser.add_argument("--markdown", type=Path)
    return parser.parse_args()


def _rank(cell: Cell) -> tuple[str, float, int, int]:
    return cell["table"], cell["epsilon"], GENERATORS.index(cell["generator"]), cell["seed"]


def _why_not(arguments: argparse.Namespace, table: BenchmarkTable, generator: str) -> str:
    """Why a generator cannot run, empty when it can."""
    if generator != "synthgan-undeclared" and not (DOMAINS / f"{table.name}.json").exists():
        return f"there is no declared domain benchmarks/domains/{table.name}.json"
    python = arguments.dpmm_python if generator in (*DPMM, *ON_CODES) else arguments.smartnoise_python
    if generator not in OURS and (python is None or not python.exists()):
        return "no python of an environment with it was given"
    return ""


def _measured(
    store: CellStore, arguments: argparse.Namespace, table: BenchmarkTable, generator: str, *, epsilon: float, seed: int
) -> None:
    ours = generator in (*OURS, *ON_CODES)
    options = {"epsilon": epsilon, "delta": DELTA} | ({"max_steps": arguments.max_steps} if arguments.max_steps else {})

    def measure() -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="synthgan-bench-") as scratch:
            return _cell(Task(arguments, table, generator, epsilon, seed, Path(scratch)))

    key = f"{table.name}/{generator}/{epsilon:g}/{seed}"
    store.measured(key, options, measure, ours=ours, again=arguments.again, brief=_brief)


def _cell(task: Task) -> dict[str, Any]:
    """Make the sample and score it."""
    import pandas as pd

    from benchmarks.scoring import score_sample

    make: Callable[[Task], dict[str, Any]] = _fit_ours if task.generator in OURS else _fit_peer
    facts = (_fit_on_codes if task.generator in ON_CODES else make)(task)
    synthetic = pd.read_parquet(task.scratch / "sample.parquet")
    table = task.table
    scores = score_sample(table.train, table.test, synthetic, table, n_jobs=task.arguments.jobs, full=False)
    scores |= {name: facts.pop(name) for name in ("fit_seconds", "sample_seconds") if name in facts}
    return {
        "table": table.name,
        "generator": task.generator,
        "epsilon": task.epsilon,
        "seed": task.seed,
        "scores": scores,
        "facts": facts,
    }


def _fit_ours(task: Task) -> dict[str, Any]:
    import synthgan

    neural = OURS[task.generator]
    declared = {} if task.generator == "synthgan-undeclared" else {"schema": task.domain_file}
    began = time.perf_counter()
    synthesizer = synthgan.Synthesizer(
        privacy=synthgan.Privacy(task.epsilon, DELTA, neural=neural),
        target=task.table.target,
        random_state=task.seed,
        progress="off",
        max_steps=task.arguments.max_steps,
        **declared,
    ).fit(task.table.train)
    fitted = time.perf_counter()
    synthesizer.sample(len(task.table.train)).to_parquet(task.scratch / "sample.parquet")
    return {
        "fit_seconds": fitted - began,
        "sample_seconds": time.perf_counter() - fitted,
        "codes": synthesizer.codec_.layout.n_levels,
        "spent_epsilon": synthesizer.ledger_.spent_epsilon() if synthesizer.ledger_ else None,
    }


def _fit_peer(task: Task) -> dict[str, Any]:
    """A peer as shipped, on the table and its declared domain."""
    task.table.train.to_parquet(task.scratch / "train.parquet")
    (task.scratch / "domain.json").write_text(json.dumps(_domain(task.domain_file)), encoding="utf-8")
    return _run_peer(task, task.generator, task.epsilon)


def _fit_on_codes(task: Task) -> dict[str, Any]:
    """A peer on the codes of our private codec, with what the codec left of the budget."""
    import numpy as np
    import pandas as pd
    import torch

    from synthgan.fitting.private import PrivateFit
    from synthgan.fitting.private_settings import private_settings
    from synthgan.fitting.private_table import PrivateTable
    from synthgan.privacy.account.ledger import Ledger
    from synthgan.privacy.account.parameters import Privacy
    from synthgan.tables.frames.frames import to_frame
    from synthgan.tables.sources.open import open_source

    source = open_source(task.table.train)
    began = time.perf_counter()
    privacy = Privacy(task.epsilon, DELTA)
    rows = PrivateTable.of(source, privacy, declared=task.domain_file, target=task.table.target)
    settings = private_settings("default", privacy, device=torch.device("cpu"))
    fit = PrivateFit.begin(rows, settings, min_count=10)
    codec = fit.codec
    table = codec.encode(source, rng=np.random.default_rng(task.seed))
    ours = time.perf_counter() - began
    names = [span.name for span in codec.layout.spans]
    pd.DataFrame(table.codes.astype(np.int64), columns=names).to_parquet(task.scratch / "train.parquet")
    sizes = {span.name: span.n_levels for span in codec.layout.spans}
    (task.scratch / "domain.json").write_text(json.dumps(sizes), encoding="utf-8")
    left = _epsilon_of_rho(fit.ledger.remaining_rho, fit.ledger.remaining_delta + 0.9 * DELTA)
    facts = _run_peer(task, task.generator.partition("-")[0], left, "--codes")
    rows = pd.read_parquet(task.scratch / "sample.parquet")[names].to_numpy()
    rng = np.random.default_rng(task.seed)
    positions = rng.random((len(rows), codec.layout.n_positions), dtype=np.float32)
    to_frame(codec.decoder(rng).decode(rows, positions), codec.schema).to_parquet(task.scratch / "sample.parquet")
    assert isinstance(fit.ledger, Ledger)
    return facts | {"fit_seconds": facts["fit_seconds"] + ours, "peer_epsilon": left, "codes": codec.layout.n_levels}


def _epsilon_of_rho(rho: float, delta: float) -> float:
    """The epsilon that a peer is told, so that it may spend ``rho``: the largest that zCDP of rho implies."""
    from synthgan.privacy.account.events import budget_at, plan_order

    low, high = 1e-6, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        order = plan_order(middle, delta)
        low, high = (middle, high) if budget_at(middle, delta, order) / order < rho else (low, middle)
    return low


def _run_peer(task: Task, model: str, epsilon: float, *more: str) -> dict[str, Any]:
    is_dpmm = model in DPMM
    python = task.arguments.dpmm_python if is_dpmm else task.arguments.smartnoise_python
    command = [
        *(str(python.absolute()), str(PEERS / ("dpmm_peer.py" if is_dpmm else "smartnoise_peer.py"))),
        *("--model", model, "--epsilon", str(epsilon), "--delta", str(DELTA), "--seed", str(task.seed)),
        *("--train", "train.parquet", "--domain", "domain.json", "--sample", "sample.parquet", "--meta", "meta.json"),
        *more,
    ]
    # Away from the repository, so that nothing of it can be imported by accident.
    subprocess.run(command, cwd=task.scratch, check=True, stdout=subprocess.DEVNULL)
    facts: dict[str, Any] = json.loads((task.scratch / "meta.json").read_text(encoding="utf-8"))
    return facts


def _domain(path: Path) -> dict[str, Any]:
    """The schema file as peers read it."""
    columns = json.loads(path.read_text(encoding="utf-8"))["columns"]

    def as_peers_read_it(column: dict[str, Any]) -> dict[str, Any]:
        if column["kind"] == "boolean":
            return {"categories": [False, True]}
        if "levels" in column:
            return {"categories": column["levels"]["values"]}
        return {"lower": column["bounds"]["lower"], "upper": column["bounds"]["upper"]}

    return {column["name"]: as_peers_read_it(column) for column in columns}


def _brief(cell: Cell) -> str:
    names = ("shape", "trend_shared", "strong_pairs", "xgb_c2st", "mle_auc", "fit_seconds")
    return ", ".join(f"{name} {cell['scores'][name]:.3f}" for name in names if name in cell["scores"])


if __name__ == "__main__":
    main()

"""Audits of the private pipeline at several claims: lower bounds of epsilon beside what is claimed.

python benchmarks/audit.py --output docs/benchmarks/audit.json

A cell is one game at one claim (`synthgan.audit.pipeline`), the one-run audit of the neural critic, or the auditor on a
bare Gaussian mechanism, whose epsilon is known. Resumable: the JSON is written after each cell, and cells that it holds
with the same options and of the package as it is now are not run again.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402  (the path above makes our own modules importable)

from benchmarks.cells import CellStore  # noqa: E402
from synthgan.audit.bounds import epsilon_lower_bound, gaussian_mu  # noqa: E402
from synthgan.audit.canaries import one_run_audit  # noqa: E402
from synthgan.audit.games import play  # noqa: E402
from synthgan.audit.pipeline import games, pipeline_game  # noqa: E402

RUNS = {
    "column statistics": 6000,
    "column statistics, persons": 3000,
    "discovery": 600,
    "marginals": 1500,
    "selection": 4000,
    "three-way marginals": 1500,
    "DP-SGD critic": 500,
    "DP-SGD critic, persons": 500,
    "DP-SGD critic, sampled persons": 500,
    "pipeline": 700,
    "pipeline, persons": 400,
    "pipeline, number of persons": 200,
    "pipeline, nothing declared": 200,
    "pipeline, trained": 24,
}
"""Runs of each game: more where one takes little time."""

TRAINED_STEPS = 40

GAUSSIAN_RUNS = {"approximate": 2_500_000, "gaussian": 20_000}
"""Runs on each of two neighbours, by the notion of the bound."""


def main() -> None:
    """Run the cells that the output lacks."""
    arguments = _arguments()
    store = CellStore(arguments.output, "audit")
    delta = arguments.delta
    for epsilon in arguments.epsilons:
        for notion, n_runs in GAUSSIAN_RUNS.items():
            options: dict[str, Any] = {"epsilon": epsilon, "delta": delta, "n_runs": n_runs, "seed": 0}
            store.measured(
                f"{epsilon:g}/bare Gaussian, {notion}",
                options,
                lambda epsilon=epsilon, notion=notion, n_runs=n_runs: bare_gaussian(epsilon, delta, notion, n_runs),
                brief=_brief,
            )
        trained = pipeline_game(epsilon, delta, n_steps=TRAINED_STEPS)
        for game in (*games(epsilon, delta), trained):
            n_runs = max(8, round(arguments.share * RUNS[game.name]))
            options = {"epsilon": epsilon, "delta": delta, "n_runs": n_runs}
            measure: Callable[[], dict[str, Any]] = lambda game=game, n_runs=n_runs: _timed(  # noqa: E731
                lambda: dataclasses.asdict(play(game, n_runs))
            )
            store.measured(f"{epsilon:g}/{game.name}", options, measure, brief=_brief)
        options = {"epsilon": epsilon, "delta": delta, "n_canaries": arguments.canaries}
        store.measured(
            f"{epsilon:g}/one run",
            options,
            lambda epsilon=epsilon: _timed(
                lambda: dataclasses.asdict(one_run_audit(epsilon, delta, n_canaries=arguments.canaries))
            ),
            brief=_brief,
        )


def bare_gaussian(epsilon: float, delta: float, notion: Any, n_runs: int) -> dict[str, Any]:
    """The auditor on noise of known epsilon, by the analytic Gaussian mechanism."""
    rng, mu = np.random.default_rng(0), gaussian_mu(epsilon, delta)
    scores = rng.normal(0, 1, n_runs), rng.normal(mu, 1, n_runs)
    return _timed(lambda: dataclasses.asdict(epsilon_lower_bound(*scores, delta=delta, notion=notion)))


def _timed(measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    began = time.process_time()
    found = measure()
    return {"result": found, "cpu_seconds": round(time.process_time() - began, 2)}


def _brief(cell: Mapping[str, Any]) -> str:
    result = cell["result"]
    found = result.get("findings")
    if found is None:
        return f"epsilon >= {result['epsilon']:.3f}, {cell['cpu_seconds']} s"
    shown = [
        f"{each['evidence']}: " + ", ".join(f"{notion} {b['epsilon']:.3f}" for notion, b in each["bounds"].items())
        for each in found
    ]
    return f"{'; '.join(shown)}; {cell['cpu_seconds']} s"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epsilons", type=float, nargs="+", default=[1.0, 4.0])
    parser.add_argument("--delta", type=float, default=1e-5)
    parser.add_argument("--canaries", type=int, default=1000)
    parser.add_argument("--share", type=float, default=1.0, help="of the runs of each game")
    parser.add_argument("--output", type=Path, default=Path("audit.json"))
    return parser.parse_args()


if __name__ == "__main__":
    main()

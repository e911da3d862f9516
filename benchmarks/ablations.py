"""One lever of the recipe at a time: named variants of the training settings, equal steps, all scores.

python benchmarks/ablations.py --data ../shared/data --table adult --steps 1500 --output docs/benchmarks/ablations.json

Resumable: variants that the JSON already holds with the same steps are not run again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from benchmarks.machine import describe_run  # noqa: E402  (the path above makes it importable)
from benchmarks.scoring import score_sample  # noqa: E402
from benchmarks.tables import BenchmarkTable, load_table  # noqa: E402
from synthgan.config import TrainingSettings, to_dict  # noqa: E402

VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "marginal critic alone": {"adversarial_weight": 0.0},
    "neural critic alone": {"marginal_weight": 0.0},
    "told conditions in 20% of each batch": {"condition_fraction": 0.2},
    "penalty at every step": {"penalty_interval": 1},
    "penalty 0.1": {"penalty": 0.1},
    "learning rate 0.001": {"learning_rate": 1e-3},
    "averaged Gram, decay 0.9": {"gram_decay": 0.9},
    "float32": {"precision": "float32"},
    "without the position critic": {"position_weight": 0.0},
    "three-way slices of the target": {"target": True},
}


def main() -> None:
    """Run the variants asked for and write one JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--table", default="adult")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()

    results = json.loads(arguments.output.read_text()) if arguments.output.exists() else {"cells": {}}
    results["run"] = describe_run()
    table = load_table(arguments.table, arguments.data)
    for variant in arguments.variants:
        key = f"{arguments.table}/{arguments.steps}/{arguments.seed}/{variant}"
        if key not in results["cells"]:
            changes = dict(VARIANTS[variant])
            target = table.target if changes.pop("target", False) else None
            settings = TrainingSettings(n_steps=arguments.steps, **changes)
            results["cells"][key] = run(table, settings, arguments.seed, target=target)
            arguments.output.parent.mkdir(parents=True, exist_ok=True)
            arguments.output.write_text(json.dumps(results, indent=1) + "\n")
        print(key, results["cells"][key]["scores"], flush=True)


def run(table: BenchmarkTable, settings: TrainingSettings, seed: int, *, target: str | None) -> dict[str, Any]:
    """Fit and score one cell.

    Args:
        table: fitted on its training rows, scored on both halves.
        settings: of the fit.
        seed: of the fit and of the sample.
        target: column named to the fit, None for none.

    Returns:
        resolved settings, device, target, scores, the figures that training last recorded, and what the fit took.

    Raises:
        TrainingError: when training diverges.
    """
    import synthgan
    from synthgan.training.device import resolve_device

    synthesizer = synthgan.Synthesizer(settings=settings, target=target, random_state=seed, progress="off")
    wall, cpu = time.perf_counter(), time.process_time()
    synthesizer.fit(table.train)
    seconds = {"fit_seconds": time.perf_counter() - wall, "fit_cpu_seconds": time.process_time() - cpu}
    scores = score_sample(table.train, table.test, synthesizer.sample(len(table.train)), table)
    last = {name: value for name, value in synthesizer.history_[-1].items() if isinstance(value, float)}
    return {
        "settings": to_dict(synthesizer.training_settings_),
        "device": resolve_device(synthesizer.device).type,
        "target": target,
        "scores": {name: round(float(value), 4) for name, value in scores.items()},
        "last_history": {name: round(value, 5) for name, value in last.items() if name != "seconds"},
        **{name: round(value, 1) for name, value in seconds.items()},
    }


if __name__ == "__main__":
    main()

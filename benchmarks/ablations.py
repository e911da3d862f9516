"""One lever of the recipe at a time: named variants of the default recipe with a target, equal steps, all scores.

python benchmarks/ablations.py --data ../shared/data --tables adult --output docs/benchmarks/ablations.json
python scripts/generate_docs.py        # the table in docs/benchmarks.md

Resumable: the JSON is written after each cell, and cells that it holds with the same settings and of the package as it
is now are not run again. A fit that diverges is a result, and is kept with its message. Several processes may share the
JSON, each with its own variants:

    python benchmarks/ablations.py ... --variants default "batch 500" &
    python benchmarks/ablations.py ... --variants "float32" "packing of 2"
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from benchmarks.ablations_report import BASELINE  # noqa: E402  (the path above makes our own modules importable)
from benchmarks.cells import CellStore  # noqa: E402
from benchmarks.tables import BenchmarkTable, load_table  # noqa: E402
from synthgan import TrainingError  # noqa: E402
from synthgan.config import TrainingSettings, to_dict  # noqa: E402

NO_TARGET = "no target"

VARIANTS: dict[str, dict[str, Any]] = {
    BASELINE: {},
    "marginal critic alone": {"adversarial_weight": 0.0},
    "neural critic alone": {"marginal_weight": 0.0},
    "marginal critic weighs 2": {"marginal_weight": 2.0},
    "marginal critic weighs 4": {"marginal_weight": 4.0},
    "without the position critic": {"position_weight": 0.0},
    "ranks off in the discriminator": {"discriminator": {"ranks": False}},
    "ranks off in the generator": {"generator": {"ranks": False}},
    NO_TARGET: {},
    "target without twin classifiers": {"twin_weight": 0.0},
    "target without three-way marginals": {"target_weight": 0.0},
    "AC-GAN head": {"auxiliary_weight": 1.0},
    "told conditions in 20% of each batch": {"condition_fraction": 0.2},
    "batch 500": {"batch_size": 500},
    "batch 4,000": {"batch_size": 4000},
    "width 128": {"generator": {"width": 128}, "discriminator": {"width": 128}},
    "width 384": {"generator": {"width": 384}, "discriminator": {"width": 384}},
    "1 block in the discriminator": {"discriminator": {"n_blocks": 1}},
    "3 blocks in the discriminator": {"discriminator": {"n_blocks": 3}},
    "packing of 2": {"discriminator": {"packing": 2}},
    "temperature 0.4": {"temperature": 0.4},
    "temperature 1": {"temperature": 1.0},
    "average over 50 steps (EMA 0.98)": {"ema_decay": 0.98},
    "average over 500 steps (EMA 0.998)": {"ema_decay": 0.998},
    "Gram of the current batch alone": {"gram_horizon": (1.0, 1.0)},
    "averaged Gram, 2 to 20 steps": {"gram_horizon": (2.0, 20.0)},
    "averaged Gram, 1 to 100 steps": {"gram_horizon": (1.0, 100.0)},
    "penalty at every step": {"penalty_interval": 1},
    "penalty 0.1": {"penalty": 0.1},
    "learning rate 0.001": {"learning_rate": 1e-3},
    "float32": {"precision": "float32"},
}
"""What each variant changes of the recipe."""

MAX_STEPS = 700
"""Steps of each fit: about a minute on two cores for Adult."""


def main(words: Sequence[str] | None = None) -> None:
    """Run the variants asked for that the JSON does not hold yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of Parquet tables")
    parser.add_argument("--tables", nargs="+", default=["adult"])
    parser.add_argument("--target", action="append", default=[], metavar="TABLE=COLUMN", help="for tables not listed")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS), metavar="NAME")
    parser.add_argument("--max-steps", type=int, default=MAX_STEPS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", action="store_true", help="run cells that the output already holds")
    parser.add_argument("--output", type=Path, required=True, help="JSON to write, or to add to")
    arguments = parser.parse_args(words)

    store = CellStore(arguments.output, "ablations", rank=_rank)
    targets = dict(pair.split("=", 1) for pair in arguments.target)
    for name in arguments.tables:
        table = load_table(name, arguments.data, target=targets.get(name))
        recipe = default_recipe(len(table.train), arguments.max_steps)
        for variant in arguments.variants:
            settings = changed(recipe, VARIANTS[variant])
            target = None if variant == NO_TARGET else table.target
            facts = {"table": name, "n_steps": settings.n_steps, "seed": arguments.seed, "variant": variant}
            store.measured(
                f"{name}/{settings.n_steps}/{arguments.seed}/{variant}",
                {"settings": to_dict(settings), "target": target},
                partial(measure, table, settings, target, facts),
                again=arguments.again,
                brief=lambda cell: str(cell.get("diverged") or cell["scores"]),
            )


def default_recipe(n_rows: int, max_steps: int) -> TrainingSettings:
    """What ``effort="default"`` means on a CPU for ``n_rows`` rows, with its schedule cut to ``max_steps`` steps."""
    import torch

    from synthgan.training.effort import resolve

    return resolve("default", n_rows=n_rows, device=torch.device("cpu"), max_steps=max_steps)


def changed(settings: TrainingSettings, changes: Mapping[str, Any]) -> TrainingSettings:
    """The settings with some values changed, those of the networks within them."""
    values = {
        name: dataclasses.replace(getattr(settings, name), **value) if isinstance(value, dict) else value
        for name, value in changes.items()
    }
    return dataclasses.replace(settings, **values)


def measure(
    table: BenchmarkTable, settings: TrainingSettings, target: str | None, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """One cell, ``facts`` in front; a fit that diverges has its message in place of scores."""
    began = time.perf_counter()
    try:
        found = run(table, settings, facts["seed"], target=target)
    except TrainingError as error:
        seconds = round(time.perf_counter() - began, 1)
        found = {"settings": to_dict(settings), "target": target, "diverged": str(error), "fit_seconds": seconds}
    return {**facts, **found}


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
    from benchmarks.scoring import score_sample
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


def _rank(cell: Mapping[str, Any]) -> tuple[str, int, int, int]:
    place = list(VARIANTS).index(cell["variant"])
    return cell["table"], cell["n_steps"], cell["seed"], place


if __name__ == "__main__":
    main()

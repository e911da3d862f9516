"""The adversarial losses of the literature on one table, each with and without the marginal critic, equally tuned.

python benchmarks/losses.py --data ../shared/data --table adult --steps 600 --output docs/benchmarks/losses.json
python scripts/generate_docs.py        # docs/benchmarks/losses.md

Every variant gets the same steps and the same learning rates to choose from. A fit that diverges is a result, and is
kept with its message, as are the alarms that training raises. Resumable: the JSON is written after each cell, and cells
that it holds of the package as it is now are not run again. Several processes may write the same JSON, each with its
own part of the cells:

    python benchmarks/losses.py ... --only "with marginal critic" &
    python benchmarks/losses.py ... --only "without marginal critic"
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from benchmarks.ablations import run  # noqa: E402  (the path above makes our own modules importable)
from benchmarks.cells import CellStore  # noqa: E402
from benchmarks.tables import BenchmarkTable, load_table  # noqa: E402
from synthgan import SynthganWarning, TrainingError  # noqa: E402
from synthgan.config import LOSS_NAMES, TrainingSettings, from_dict, to_dict  # noqa: E402
from synthgan.critics.losses import LOSSES  # noqa: E402

VARIANTS: dict[str, dict[str, Any]] = {
    **{name: {"loss": name} for name in LOSS_NAMES},
    # In the penalty's place, as it is meant to.
    "relativistic, spectral normalisation": {
        "loss": "relativistic",
        "penalty": 0.0,
        "discriminator": {"spectral_norm": True},
    },
    "relativistic, AC-GAN head": {"loss": "relativistic", "auxiliary_weight": 1.0},
    "relativistic, packing of 8": {"loss": "relativistic", "discriminator": {"packing": 8}},
}
"""Settings of each variant, besides those that all share."""

SHARED: dict[str, Any] = {"twin_weight": 0.0}
"""The twin classifiers are off, so that losses are compared and nothing else."""

PARTNERS: dict[str, dict[str, Any]] = {
    "with marginal critic": {},
    "without marginal critic": {"marginal_weight": 0.0},
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One fit of the comparison."""

    table: str
    n_steps: int
    seed: int
    variant: str
    partner: str
    learning_rate: float

    @property
    def key(self) -> str:
        """Its name in the JSON, which ``--only`` looks in."""
        rate = f"{self.learning_rate:g}"
        return "/".join((self.table, str(self.n_steps), str(self.seed), self.variant, self.partner, rate))

    @property
    def settings(self) -> TrainingSettings:
        """Settings of the fit."""
        changes = SHARED | VARIANTS[self.variant] | PARTNERS[self.partner]
        changes |= {"n_steps": self.n_steps, "learning_rate": self.learning_rate}
        return from_dict(TrainingSettings, changes)


def main(words: Sequence[str] | None = None) -> None:
    """Run the cells asked for that the JSON does not hold yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of Parquet tables")
    parser.add_argument("--table", default="adult")
    parser.add_argument("--target", metavar="COLUMN", help="for a table that benchmarks/tables.py does not list")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--learning-rates", nargs="+", type=float, default=[2e-3, 5e-4], help="tried by every variant")
    parser.add_argument(
        "--only", nargs="+", metavar="SUBSTRING", default=[""], help="cells whose key holds one of them"
    )
    parser.add_argument("--output", type=Path, required=True, help="JSON to write, or to add to")
    arguments = parser.parse_args(words)

    every = [
        Cell(
            table=arguments.table,
            n_steps=arguments.steps,
            seed=arguments.seed,
            variant=variant,
            partner=partner,
            learning_rate=learning_rate,
        )
        for variant in VARIANTS
        for partner in PARTNERS
        for learning_rate in dict.fromkeys(arguments.learning_rates)
    ]
    cells = [cell for cell in every if any(part in cell.key for part in arguments.only)]
    if not cells:
        parser.error(f"no cell's key holds what --only names; keys are like {every[0].key}")
    store = CellStore(arguments.output, "losses", rank=_rank)
    table = load_table(arguments.table, arguments.data, target=arguments.target)
    for cell in cells:
        store.measured(
            cell.key,
            {"settings": to_dict(cell.settings)},
            lambda cell=cell: measure(table, cell),
            brief=lambda found: str(found.get("diverged") or found["scores"]),
        )


def measure(table: BenchmarkTable, cell: Cell) -> dict[str, Any]:
    """Fit and score one cell, with the alarms of training; a fit that diverges has its message in place of scores."""
    loss, settings = LOSSES[cell.settings.loss], cell.settings
    weight = loss.penalty_weight if settings.penalty is None else settings.penalty
    facts: dict[str, Any] = {
        "table": cell.table,
        "n_steps": cell.n_steps,
        "seed": cell.seed,
        "variant": cell.variant,
        "partner": cell.partner,
        "learning_rate": cell.learning_rate,
        "reference": loss.reference,
        "penalty": {"kind": loss.penalty if weight else "none", "weight": weight},
    }
    began = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SynthganWarning)
        try:
            facts |= run(table, settings, cell.seed, target=table.target)
        except TrainingError as error:
            seconds = round(time.perf_counter() - began, 1)
            facts |= {"settings": to_dict(settings), "diverged": str(error), "fit_seconds": seconds}
    facts["alarms"] = [str(found.message) for found in caught if issubclass(found.category, SynthganWarning)]
    for found in caught:
        if not issubclass(found.category, SynthganWarning):
            warnings.warn_explicit(found.message, found.category, found.filename, found.lineno)
    return facts


def _rank(cell: Mapping[str, Any]) -> tuple[str, int, int, int, int, float]:
    variant, partner = (list(names).index(cell[of]) for names, of in ((VARIANTS, "variant"), (PARTNERS, "partner")))
    return cell["table"], cell["n_steps"], cell["seed"], variant, partner, -cell["learning_rate"]


if __name__ == "__main__":
    main()

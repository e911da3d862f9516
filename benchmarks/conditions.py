"""Rows under conditions: are the conditions met, and are the other columns those of the real rows that meet them?

python benchmarks/conditions.py --data ../shared/data --tables adult hotel_bookings \
    --output conditions.json --markdown docs/benchmarks/conditions.md

Each table is fitted once (``--models FOLDER`` keeps the models, and uses those of the package as it is now). For each
condition, as many rows are drawn as the training table has rows that meet it; their other columns are compared with
those of these real rows, several times over where they are few. Beside it stand the same figures for other rows:

``floor``      a bootstrap of the real rows that meet the condition: what sampling noise alone costs
``ignored``    training rows drawn without regard to the condition: what there is to be learned
``selected``   rows drawn without a condition that happen to meet it, where there are enough: the model's own law
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402  (the path above makes our own modules importable)
import pandas as pd  # noqa: E402

from benchmarks.cells import CellStore  # noqa: E402
from benchmarks.machine import source_fingerprint  # noqa: E402
from benchmarks.provenance import provenance  # noqa: E402
from benchmarks.tables import BenchmarkTable, load_table  # noqa: E402
from synthgan import Synthesizer, SynthganWarning, load  # noqa: E402
from synthgan.config import to_dict  # noqa: E402
from synthgan.evaluation.compared.compared_tables import compare  # noqa: E402
from synthgan.evaluation.fidelity.shapes import shape_errors  # noqa: E402
from synthgan.evaluation.fidelity.trends import trend_errors  # noqa: E402

Conditions = dict[str, Any]
Draw = Callable[[int, int], pd.DataFrame]

CASES: dict[str, dict[str, Conditions]] = {
    "adult": {
        "one column": {"income": ">50K"},
        "two columns": {"sex": "Female", "education": ["Masters", "Doctorate"]},
        "four columns": {"income": ">50K", "sex": "Female", "marital-status": "Divorced", "age": (40, 60)},
        "range": {"age": (60, 80)},
        "range of a heavy tail": {"capital-gain": (10_000, None)},
        "range within bins": {"fnlwgt": (123_456, 150_000)},
        "missing": {"workclass": None},
        "missing or a value": {"occupation": ["Priv-house-serv", None]},
        "rare, one column": {"native-country": "Philippines"},
        "rare, two columns": {"relationship": "Wife", "occupation": "Machine-op-inspct"},
        "very rare": {"native-country": "Mexico", "education": "Bachelors"},
    },
    "hotel_bookings": {
        "one column": {"hotel": "Resort Hotel"},
        "two columns": {"is_canceled": 1, "deposit_type": "Non Refund"},
        "four columns": {"hotel": "City Hotel", "country": "PRT", "adults": 2, "lead_time": (30, 90)},
        "range": {"adr": (150, 200)},
        "range of dates": {"reservation_status_date": ("2016-03-01", "2016-03-31")},
        "missing": {"agent": None},
        "missing, two columns": {"agent": None, "company": None},
        "rare, one column": {"distribution_channel": "GDS"},
        "rare, two columns": {"assigned_room_type": "H", "children": 2},
        "very rare": {"meal": "FB", "country": "ESP"},
    },
}
"""Conditions by table and name; the rare ones are met by some 200 training rows, the very rare ones by some 50."""

MOST_ROWS = 20_000
COMPARED_ROWS = 4_000
MOST_REPEATS = 30
SELECTED_FROM = 200_000
FEWEST_SELECTED = 100


def main() -> None:
    """Fit the tables, measure every condition and write the results."""
    arguments = _arguments()
    store = CellStore(arguments.output, "conditions")
    options = {"effort": arguments.effort, "max_steps": arguments.max_steps, "time_limit": arguments.time_limit}
    options["device"] = arguments.device
    for name in arguments.tables:
        keys = {case: f"{name}/{case}/{arguments.seed}" for case in CASES[name]}
        todo = [case for case, key in keys.items() if arguments.again or store.find(key, options) is None]
        if not todo:
            print(f"{name}: already there", flush=True)
            continue
        table = load_table(name, arguments.data)
        model, fitted = _model(table, arguments)
        free = model.sample(SELECTED_FROM, random_state=arguments.seed)
        for case in todo:
            facts = {"table": name, "case": case, "seed": arguments.seed, **fitted}
            conditions = CASES[name][case]
            store.measured(
                keys[case],
                options,
                partial(_cell, facts, table, model, conditions, free, seed=arguments.seed),
                again=arguments.again,
                brief=_brief,
            )
    if arguments.markdown:
        arguments.markdown.parent.mkdir(parents=True, exist_ok=True)
        arguments.markdown.write_text(markdown(store.read()), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of Parquet tables")
    parser.add_argument("--tables", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--effort", default="default")
    parser.add_argument("--max-steps", type=int)
    parser.add_argument("--time-limit", type=float, help="seconds a fit")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--models", type=Path, help="folder to keep fitted models in and take them from")
    parser.add_argument("--again", action="store_true", help="measure conditions that the output already holds")
    parser.add_argument("--output", type=Path, default=Path("conditions.json"))
    parser.add_argument("--markdown", type=Path)
    return parser.parse_args()


def _model(table: BenchmarkTable, arguments: argparse.Namespace) -> tuple[Synthesizer, dict[str, Any]]:
    """The fitted model and what there is to say about the fit."""
    kept = None if arguments.models is None else arguments.models / _model_name(table.name, arguments)
    if kept is not None and kept.exists():
        print(f"{table.name}: {kept.name} is used", flush=True)
        model, seconds = load(kept, device=arguments.device), None
    else:
        began = time.perf_counter()
        model = Synthesizer(
            target=table.target,
            effort=arguments.effort,
            max_steps=arguments.max_steps,
            time_limit=arguments.time_limit,
            device=arguments.device,
            random_state=arguments.seed,
            progress="off",
        ).fit(table.train)
        seconds = time.perf_counter() - began
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            model.save(kept)
    history = {key: value for key, value in model.history_[-1].items() if key != "seconds"}
    settings = model.training_settings_
    facts = {
        "n_steps": settings.n_steps,
        "settings": to_dict(settings),
        "fit_seconds": seconds,
        "last_history": history,
    }
    return model, facts


def _model_name(table: str, arguments: argparse.Namespace) -> str:
    """File name of a kept model: one for each set of options and each state of the package."""
    options = (arguments.effort, arguments.max_steps, arguments.time_limit, arguments.seed, source_fingerprint())
    return "-".join([table, *(str(option) for option in options if option is not None)]) + ".synthgan"


def _cell(facts: dict[str, Any], *arguments: Any, seed: int) -> dict[str, Any]:
    """What there is to say about the fit, and the figures of one condition."""
    return facts | measure(*arguments, seed=seed)


def measure(
    table: BenchmarkTable, model: Synthesizer, conditions: Conditions, free: pd.DataFrame, *, seed: int
) -> dict[str, Any]:
    """All figures of one condition; errors in percent.

    Args:
        table: supplies the real rows.
        model: the fitted model.
        conditions: what every row is to meet.
        free: rows of the model drawn without conditions.
        seed: of all draws.
    """
    real = table.train[meets(table.train, conditions)]
    n_rows = min(len(real), MOST_ROWS)
    repeats = min(MOST_REPEATS, math.ceil(COMPARED_ROWS / n_rows))
    began = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SynthganWarning)
        drawn, effective = draw(model, conditions, n_rows * repeats, seed)
    seconds = time.perf_counter() - began
    rng = np.random.default_rng(seed)
    selected = free[meets(free, conditions)]
    sources: dict[str, Draw] = {
        "synthetic": lambda n, k: drawn.iloc[k * n : (k + 1) * n],
        "floor": lambda n, _: real.iloc[rng.integers(len(real), size=n)],
        "ignored": lambda n, _: table.train.iloc[rng.integers(len(table.train), size=n)],
    }
    if len(selected) >= FEWEST_SELECTED:
        sources["selected"] = lambda n, _: selected.iloc[rng.integers(len(selected), size=n)]
    others = [column for column in table.train.columns if column not in conditions]
    return {
        "conditions": conditions,
        "n_real_rows": len(real),
        "share_of_real_rows": len(real) / len(table.train),
        "share_of_free_rows": len(selected) / len(free),
        "n_rows": n_rows,
        "repeats": repeats,
        "satisfied": float(meets(drawn, conditions).mean()),
        "n_rows_drawn": len(drawn),
        "effective_sample_size": effective,
        "warned": any(issubclass(warning.category, SynthganWarning) for warning in caught),
        "sample_seconds": seconds,
        "scores": {
            source: _errors(real[others], [make(n_rows, k)[others] for k in range(repeats)], table)
            for source, make in sources.items()
        },
    }


def draw(model: Synthesizer, conditions: Conditions, n_rows: int, seed: int) -> tuple[pd.DataFrame, float]:
    """Rows under conditions and the effective sample size behind them."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="synthgan-bench-") as scratch:
        path = Path(scratch, "rows.parquet")
        summary = model.sample_to(path, n_rows, conditions=conditions, random_state=seed)
        return pd.read_parquet(path), float(summary.effective_sample_size or n_rows)


def meets(frame: pd.DataFrame, conditions: Mapping[str, Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which rows meet the conditions: pandas alone, so that the package is not its own judge. Shape: ``(n_rows,)``."""
    met = np.ones(len(frame), dtype=bool)
    for name, asked in conditions.items():
        column = frame[name]
        if asked is None:
            found = column.isna()
        elif isinstance(asked, list):
            found = column.isin([value for value in asked if value is not None])
            found |= column.isna() if None in asked else False
        elif isinstance(asked, tuple):
            low, high = asked
            found = pd.Series(True, index=frame.index)
            found &= True if low is None else column >= low
            found &= True if high is None else column <= high
            found &= column.notna()
        else:
            found = column == asked
        met &= found.fillna(False).to_numpy(dtype=bool)
    return met


def _errors(real: pd.DataFrame, samples: list[pd.DataFrame], table: BenchmarkTable) -> dict[str, float]:
    """Mean shape and trend error of the samples against the real rows."""
    numeric = [name for name in table.numeric if name in real.columns]
    shapes, trends = [], []
    for sample in samples:
        tables = compare({"real": real, "synthetic": sample}, numeric=numeric, leave_out_identifiers=False)
        shapes.append(np.nanmean(list(shape_errors(tables).values())))
        trends.append(trend_errors(tables, edges="shared").mean)
    return {"shape": float(np.mean(shapes)), "trend_shared": float(np.mean(trends))}


def _brief(cell: Mapping[str, Any]) -> str:
    scores = ", ".join(f"{name} {s['shape']:.2f}/{s['trend_shared']:.2f}" for name, s in cell["scores"].items())
    return (
        f"{cell['n_real_rows']} real rows, {100 * cell['satisfied']:.6g}% satisfied, effective "
        f"{cell['effective_sample_size']:.0f} of {cell['n_rows_drawn']}, shape/trend: {scores}"
    )


def markdown(results: Mapping[str, Any]) -> str:
    """The page: one table of conditions per real table."""
    lines = [
        "# Conditions",
        "",
        "Written by `benchmarks/conditions.py` from its JSON; do not edit.",
        "",
        "Shape and trend (shared bins) of the columns that are not conditioned, in percent, against the training rows "
        "that meet the condition; lower is better. *Floor*: a bootstrap of these real rows. *Ignored*: training rows "
        "drawn without regard to the condition. *Selected*: rows drawn without the condition that happen to meet it. "
        "*Effective*: the effective sample size behind the rows drawn.",
    ]
    names = ("synthetic", "floor", "ignored", "selected")
    for table in dict.fromkeys(cell["table"] for cell in results["cells"].values()):
        cells = [cell for cell in results["cells"].values() if cell["table"] == table]
        lines += [
            *("", f"## {table}", ""),
            "| condition | real rows | satisfied | effective / drawn | "
            + " | ".join(f"{name} shape / trend" for name in names)
            + " |",
            "|---" * (4 + len(names)) + "|",
        ]
        for cell in cells:
            figures = [
                f"{cell['scores'][name]['shape']:.2f} / {cell['scores'][name]['trend_shared']:.2f}"
                if name in cell["scores"]
                else ""
                for name in names
            ]
            lines.append(
                f"| {cell['case']}: `{json.dumps(cell['conditions'])}` | {cell['n_real_rows']:,} | "
                f"{100 * cell['satisfied']:.6g}% | {cell['effective_sample_size']:,.0f} / {cell['n_rows_drawn']:,} | "
                + " | ".join(figures)
                + " |"
            )
        rows: dict[str, list[Mapping[str, Any]]] = {}
        for cell in cells:
            rows.setdefault(cell["case"], []).append(cell)
        lines += ["", f"{cells[0]['n_steps']:,} steps, seed {cells[0]['seed']}. {provenance(rows)}"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

"""Fit one generator on one table, sample it, and write the rows and what they cost. Run as a process of its own.

python -m benchmarks.generate --generator synthgan --table adult --data DIR --sample rows.parquet --meta meta.json

A process for each fit makes its peak memory and its seconds its own. The built-in peers show the ends of the scale:
``bootstrap`` resamples the training rows (the noise floor), ``independent`` samples every column by itself, ``leaky``
publishes every training row with a little noise.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.tables import BenchmarkTable, load_table

Sampler = Callable[[int], pd.DataFrame]
Fit = Callable[[BenchmarkTable, int, dict[str, Any]], tuple[Sampler, dict[str, Any]]]


def fit_synthgan(table: BenchmarkTable, seed: int, options: dict[str, Any]) -> tuple[Sampler, dict[str, Any]]:
    """The public interface; ``options`` go to `synthgan.Synthesizer`, ``epsilon`` and ``delta`` to its privacy."""
    import synthgan

    if "epsilon" in options:
        budget = {name: options[name] for name in ("epsilon", "delta") if name in options}
        options = {name: value for name, value in options.items() if name not in budget}
        options["privacy"] = synthgan.Privacy(**budget)
    synthesizer = synthgan.Synthesizer(target=table.target, random_state=seed, progress="off", **options)
    synthesizer.fit(table.train)
    facts = {
        "training_settings": _jsonable(getattr(synthesizer, "training_settings_", None)),
        "last_history": _jsonable(list(synthesizer.history_)[-1:]),
    }
    return lambda n_rows: synthesizer.sample(n_rows, random_state=seed), facts


def fit_bootstrap(table: BenchmarkTable, seed: int, options: dict[str, Any]) -> tuple[Sampler, dict[str, Any]]:
    """Training rows drawn with replacement: what sampling noise alone costs."""
    del options
    return lambda n_rows: table.train.sample(n_rows, replace=True, random_state=seed, ignore_index=True), {}


def fit_independent(table: BenchmarkTable, seed: int, options: dict[str, Any]) -> tuple[Sampler, dict[str, Any]]:
    """Every column drawn by itself from its training values."""
    del options
    rng = np.random.default_rng(seed)

    def sample(n_rows: int) -> pd.DataFrame:
        columns = {name: table.train[name].iloc[rng.integers(len(table.train), size=n_rows)] for name in table.train}
        return pd.DataFrame({name: column.reset_index(drop=True) for name, column in columns.items()})

    return sample, {}


def fit_leaky(table: BenchmarkTable, seed: int, options: dict[str, Any]) -> tuple[Sampler, dict[str, Any]]:
    """Every training row once, each number moved a little, a few other values exchanged: the control to be caught.

    Options: ``noise``, standard deviation of the move as a share of the column's; ``exchanged``, share of the values of
    other columns that are drawn anew from their column.
    """
    noise, exchanged = options.get("noise", 0.01), options.get("exchanged", 0.01)
    rng = np.random.default_rng(seed)

    def sample(n_rows: int) -> pd.DataFrame:
        rows = np.concatenate([rng.permutation(len(table.train)) for _ in range(-(-n_rows // len(table.train)))])
        copies = table.train.iloc[rows[:n_rows]].reset_index(drop=True)
        for name in copies:
            column = copies[name]
            if name in table.numeric and pd.api.types.is_numeric_dtype(column.dtype):
                copies[name] = _moved(column, noise, rng)
            else:
                drawn = column.iloc[rng.permutation(n_rows)].reset_index(drop=True)
                copies[name] = column.where(rng.random(n_rows) >= exchanged, drawn)
        return copies

    return sample, {}


def _moved(column: pd.Series, noise: float, rng: np.random.Generator) -> pd.Series:
    """Numbers with Gaussian noise, within their range, whole ones still whole, missing ones still missing."""
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    known = values[np.isfinite(values)]
    if not len(known):
        return column
    moved = np.clip(values + noise * known.std() * rng.normal(size=len(values)), known.min(), known.max())
    if (known == np.round(known)).all():
        moved = np.round(moved)
    return pd.Series(moved).astype("Float64").where(~np.isnan(values), pd.NA).astype(column.dtype)


GENERATORS: dict[str, Fit] = {
    "synthgan": fit_synthgan,
    "bootstrap": fit_bootstrap,
    "independent": fit_independent,
    "leaky": fit_leaky,
}


def _jsonable(value: Any) -> Any:
    """The value as JSON holds it, settings as dicts."""

    def plain(item: Any) -> Any:
        return dataclasses.asdict(item) if dataclasses.is_dataclass(item) and not isinstance(item, type) else str(item)

    return json.loads(json.dumps(value, default=plain))


def peak_rss_mib() -> float:
    """Peak resident memory of this process. Not ``ru_maxrss``: that one starts at the parent's peak."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return float(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    """Fit, sample, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generator", choices=sorted(GENERATORS), required=True)
    parser.add_argument("--table", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--options", type=json.loads, default={}, help="JSON object, arguments of the generator")
    parser.add_argument("--sample", type=Path, required=True)
    parser.add_argument("--meta", type=Path, required=True)
    arguments = parser.parse_args()

    table = load_table(arguments.table, arguments.data, target=arguments.target)
    began = time.perf_counter()
    sampler, facts = GENERATORS[arguments.generator](table, arguments.seed, arguments.options)
    fitted = time.perf_counter()
    rows = sampler(len(table.train))
    sampled = time.perf_counter()
    rows.to_parquet(arguments.sample)
    cost = {
        "fit_seconds": fitted - began,
        "sample_seconds": sampled - fitted,
        "peak_rss_mib": peak_rss_mib(),
    }
    arguments.meta.write_text(json.dumps(cost | facts, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()

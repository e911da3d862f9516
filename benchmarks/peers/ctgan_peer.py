"""Fit CTGAN or TVAE of PyPI's ``ctgan`` with its defaults on one table. Run by the python of an environment of its own.

It imports nothing of this repository:

    python ctgan_peer.py --train train.parquet --numeric age fnlwgt --sample rows.parquet --meta meta.json
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

MISSING = "(missing)"


def peak_rss_mib() -> float:
    """Peak resident memory of this process. Not ``ru_maxrss``: that one starts at the parent's peak."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return float(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> None:
    """Fit, sample, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=("ctgan", "tvae"), default="ctgan")
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--numeric", nargs="*", default=[])
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=0, help="also time en-, decoding and sampling this often")
    parser.add_argument("--sample", type=Path, required=True)
    parser.add_argument("--meta", type=Path, required=True)
    arguments = parser.parse_args()

    train = pd.read_parquet(arguments.train)
    table, discrete = plain(train, arguments.numeric)
    # The peer reads the global generators; there is no other way to seed all of it.
    np.random.seed(arguments.seed)  # noqa: NPY002, TID251
    torch.manual_seed(arguments.seed)  # noqa: TID251

    from ctgan import CTGAN, TVAE

    began = time.perf_counter()
    model = {"ctgan": CTGAN, "tvae": TVAE}[arguments.model](epochs=arguments.epochs)
    model.fit(table, discrete)
    fitted = time.perf_counter()
    rows = model.sample(len(train))
    sampled = time.perf_counter()
    repeated = repeat(model, table, arguments.repeats) if arguments.repeats else {}

    restored(rows, train, discrete).to_parquet(arguments.sample)
    cost = {
        "fit_seconds": fitted - began,
        "sample_seconds": sampled - fitted,
        "peak_rss_mib": peak_rss_mib(),
        "epochs": arguments.epochs,
        "threads": torch.get_num_threads(),
        **repeated,
        "versions": {name: importlib.metadata.version(name) for name in ("ctgan", "rdt", "torch", "numpy", "pandas")},
    }
    arguments.meta.write_text(json.dumps(cost, indent=2), encoding="utf-8")


def repeat(model: Any, table: pd.DataFrame, n_times: int) -> dict[str, list[float]]:
    """Seconds of sampling as many rows as the table has, of the decoding in it, and of encoding the table."""
    transformer = model._transformer
    decode = transformer.inverse_transform
    decoding: list[float] = []

    def timed(*arguments: Any, **options: Any) -> Any:
        began = time.perf_counter()
        try:
            return decode(*arguments, **options)
        finally:
            decoding.append(time.perf_counter() - began)

    transformer.inverse_transform = timed
    try:
        sampling = [seconds(lambda: model.sample(len(table))) for _ in range(n_times)]
    finally:
        del transformer.inverse_transform
    encoding = [seconds(lambda: transformer.transform(table)) for _ in range(n_times)]
    return {"sample_seconds_each": sampling, "decode_seconds": decoding, "encode_seconds": encoding}


def seconds(task: Callable[[], object]) -> float:
    """Wall time of a task."""
    began = time.perf_counter()
    task()
    return time.perf_counter() - began


def plain(train: pd.DataFrame, numeric: list[str]) -> tuple[pd.DataFrame, list[str]]:
    """The table on the dtypes that the peer takes, and the names of its discrete columns."""
    columns: dict[str, Any] = {}
    discrete: list[str] = []
    for name in map(str, train.columns):
        if name in numeric:
            if train[name].isna().any():
                raise SystemExit(f"column {name} has missing numbers, which ctgan does not take")
            whole = pd.api.types.is_integer_dtype(train[name])
            columns[name] = train[name].to_numpy(dtype="int64" if whole else "float64")
        else:
            discrete.append(name)
            columns[name] = train[name].astype(object).where(train[name].notna(), MISSING).astype(str)
    return pd.DataFrame(columns), discrete


def restored(rows: pd.DataFrame, train: pd.DataFrame, discrete: list[str]) -> pd.DataFrame:
    """Discrete columns as the training table's own values again."""
    for name in discrete:
        values = {str(value): value for value in train[name].dropna().unique()} | {MISSING: None}
        rows[name] = pd.Series([values[text] for text in rows[name]], dtype=object).astype(train[name].dtype)
    return rows


if __name__ == "__main__":
    main()

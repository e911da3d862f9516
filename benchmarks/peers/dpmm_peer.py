"""Fit AIM or MST of PyPI's ``dpmm`` on one table. Run by the python of an environment of its own.

It imports nothing of this repository:

    python dpmm_peer.py --model aim --epsilon 1 --train train.parquet --domain domain.json --sample rows.parquet \
        --meta meta.json

The domain is ``{column: {"lower": .., "upper": ..} | {"categories": [..]}}``. With ``--codes`` the table holds whole
numbers from 0 and the domain is ``{column: number of codes}``: nothing is binned.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import time
from pathlib import Path
from typing import Any

import pandas as pd
from dpmm.pipelines import AIMPipeline, MSTPipeline


def main() -> None:
    """Fit, sample, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=("aim", "mst"), required=True)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--domain", type=Path, required=True)
    parser.add_argument("--codes", action="store_true")
    parser.add_argument("--epsilon", type=float, required=True)
    parser.add_argument("--delta", type=float, default=1e-5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument("--sample", type=Path, required=True)
    parser.add_argument("--meta", type=Path, required=True)
    arguments = parser.parse_args()

    train = pd.read_parquet(arguments.train)
    domain = json.loads(arguments.domain.read_text(encoding="utf-8"))
    written = train.dtypes
    listed = {} if arguments.codes else {n: domain[n]["categories"] for n in train.columns if "categories" in domain[n]}
    for name in train.columns:
        if name in listed:
            train[name] = _as_labels(train[name], listed[name])
            domain[name] = {"categories": _labels(listed[name])}
        elif not arguments.codes:
            train[name] = train[name].astype("int64" if train[name].dtype.kind in "iu" else "float64")
    began = time.perf_counter()
    pipeline = {"aim": AIMPipeline, "mst": MSTPipeline}[arguments.model](
        epsilon=arguments.epsilon,
        delta=arguments.delta,
        n_jobs=arguments.n_jobs,
        disable_processing=arguments.codes,
    )
    pipeline.fit(train, domain=domain, random_state=arguments.seed)
    fitted = time.perf_counter()
    rows = pipeline.generate(n_records=len(train), random_state=arguments.seed)
    sampled = time.perf_counter()
    rows = rows[list(train.columns)]
    for name, categories in listed.items():
        rows[name] = _as_categories(rows[name], categories).astype(written[name])
    rows.to_parquet(arguments.sample)
    cost = {
        "fit_seconds": fitted - began,
        "sample_seconds": sampled - fitted,
        "versions": {name: importlib.metadata.version(name) for name in ("dpmm", "pandas", "numpy", "opendp")},
    }
    arguments.meta.write_text(json.dumps(cost, indent=2), encoding="utf-8")


def _labels(categories: list[Any]) -> list[str]:
    """A text for each category and one for a missing cell: dpmm wants one type in a column, whatever the table has."""
    return [*(f"level {place}" for place in range(len(categories))), "missing"]


def _as_labels(column: pd.Series, categories: list[Any]) -> pd.Series:
    *present, missing = _labels(categories)
    texts = column.astype("object").map(dict(zip(categories, present, strict=True)))
    return texts.where(column.notna(), missing).astype("category")


def _as_categories(column: pd.Series, categories: list[Any]) -> pd.Series:
    values = dict(zip(_labels(categories), [*categories, None], strict=True))
    return column.astype("object").map(values).astype("object")


if __name__ == "__main__":
    main()

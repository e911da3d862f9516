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
    if not arguments.codes:
        for name in train.columns:
            if "categories" in domain[name]:
                train[name] = train[name].astype("object").fillna("(missing)").astype("category")
                domain[name]["categories"] = [*domain[name]["categories"], "(missing)"]
            else:
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
    if not arguments.codes:
        for name in rows.columns:
            if "categories" in domain[name]:
                text = rows[name].astype("object")
                rows[name] = text.where(text != "(missing)", None)
    rows.to_parquet(arguments.sample)
    cost = {
        "fit_seconds": fitted - began,
        "sample_seconds": sampled - fitted,
        "versions": {name: importlib.metadata.version(name) for name in ("dpmm", "pandas", "numpy", "opendp")},
    }
    arguments.meta.write_text(json.dumps(cost, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()

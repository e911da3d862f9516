"""Fit DPCTGAN or PATECTGAN of PyPI's ``smartnoise-synth`` on one table. Run by the python of an environment of its own.

It imports nothing of this repository:

    python smartnoise_peer.py --model dpctgan --epsilon 1 --train train.parquet --domain domain.json \
        --sample rows.parquet --meta meta.json

The domain is ``{column: {"lower": .., "upper": ..} | {"categories": [..]}}``. Bounds are handed to the transformer, so
that no budget goes to finding them; categories are read off the data, as the package does.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import time
from pathlib import Path

import pandas as pd
from snsynth import Synthesizer
from snsynth.transform import MinMaxTransformer
from snsynth.transform.table import TableTransformer


def main() -> None:
    """Fit, sample, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=("dpctgan", "patectgan"), required=True)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--domain", type=Path, required=True)
    parser.add_argument("--epsilon", type=float, required=True)
    parser.add_argument("--delta", type=float, default=1e-5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sample", type=Path, required=True)
    parser.add_argument("--meta", type=Path, required=True)
    arguments = parser.parse_args()

    train = pd.read_parquet(arguments.train)
    domain = json.loads(arguments.domain.read_text(encoding="utf-8"))
    numeric = [name for name in train.columns if "lower" in domain[name]]
    levels = [name for name in train.columns if name not in numeric]
    table = train.copy()
    for name in levels:
        table[name] = table[name].astype("object").fillna("(missing)").astype(str)
    table[numeric] = table[numeric].astype(float)
    began = time.perf_counter()
    transformer = TableTransformer.create(
        table,
        style="gan",
        categorical_columns=levels,
        continuous_columns=numeric,
        constraints={
            name: MinMaxTransformer(lower=domain[name]["lower"], upper=domain[name]["upper"], nullable=False)
            for name in numeric
        },
    )
    options = {"delta": arguments.delta} if arguments.model == "dpctgan" else {}
    model = Synthesizer.create(arguments.model, epsilon=arguments.epsilon, verbose=False, **options)
    model.fit(table, transformer=transformer, preprocessor_eps=0.0)
    fitted = time.perf_counter()
    rows = model.sample(len(train))
    sampled = time.perf_counter()
    restored = {}
    for name in train.columns:
        values = rows[name]
        if name in numeric:
            values = pd.to_numeric(values).clip(domain[name]["lower"], domain[name]["upper"])
            restored[name] = values.round().astype(train[name].dtype) if train[name].dtype.kind == "i" else values
        else:
            restored[name] = values.where(values != "(missing)", None)
    pd.DataFrame(restored).to_parquet(arguments.sample)
    cost = {
        "fit_seconds": fitted - began,
        "sample_seconds": sampled - fitted,
        "versions": {
            name: importlib.metadata.version(name) for name in ("smartnoise-synth", "opacus", "torch", "pandas")
        },
    }
    arguments.meta.write_text(json.dumps(cost, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()

"""Larger than memory: seconds a row and peak memory of fitting resampled Adult, from 100,000 to 10 million rows.

python benchmarks/scale.py --rows 100000 1000000 10000000 --output scale.json

The table is one Parquet file, written in batches to a temporary folder (about 11 MB a million rows) and deleted
afterwards. ``fnlwgt`` is shifted by up to 500 in each row, so that the number of distinct values grows with the table.
Each size is measured in fresh processes: one reads, fits the codec and encodes; another runs ``Synthesizer.fit`` for a
few steps. Peak memory is the process's own high-water mark of resident memory (VmHWM), libraries included.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from benchmarks.machine import describe_run  # noqa: E402  (the path above makes it importable)

SIZES = (100_000, 1_000_000, 10_000_000)
BATCH_ROWS = 250_000
LIMIT_MIB = 4096
MOST_SHIFT = 500


def main() -> None:
    """Measure every size in processes of their own and write one JSON."""
    arguments = _arguments()
    if arguments.measure is not None:
        print(json.dumps(MEASURES[arguments.measure](arguments)))
        return
    results: dict[str, Any] = {"benchmark": "scale", "run": describe_run(), "cells": {}}
    results["imports"] = _in_fresh_process("imports", Path(), arguments)
    print(f"imports alone: {results['imports']['peak_rss_mib']:.0f} MiB", flush=True)
    for n_rows in arguments.rows:
        with tempfile.TemporaryDirectory(prefix="synthgan-bench-", dir=arguments.folder) as scratch:
            path = Path(scratch, "adult.parquet")
            began = time.perf_counter()
            write_table(path, n_rows, arguments.seed)
            cell = {"n_rows": n_rows, "file_mib": path.stat().st_size / 2**20}
            print(f"{n_rows:,} rows: {cell['file_mib']:.0f} MiB in {time.perf_counter() - began:.0f} s", flush=True)
            for measure in ("codec", "fit"):
                cell[measure] = _in_fresh_process(measure, path, arguments)
                print(f"{n_rows:,} rows, {measure}: {cell[measure]}", flush=True)
        results["cells"][str(n_rows)] = cell
        results["within_limit"] = all(c["fit"]["peak_rss_mib"] < LIMIT_MIB for c in results["cells"].values())
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_text(json.dumps(results, indent=2), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="+", type=int, default=list(SIZES))
    parser.add_argument("--max-steps", type=int, default=50)
    parser.add_argument(
        "--checkpoint", action="store_true", help="fit with a checkpoint, which reads the file once more"
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where the temporary table is written; the system's own by default")
    parser.add_argument("--output", type=Path, default=Path("scale.json"))
    parser.add_argument("--measure", choices=MEASURES, help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def write_table(path: Path, n_rows: int, seed: int) -> None:
    """Adult's training rows drawn with replacement, a batch at a time."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from synthgan.datasets import load_adult

    rng = np.random.default_rng(seed)
    table = pa.Table.from_pandas(load_adult("train"), preserve_index=False)
    place = table.schema.get_field_index("fnlwgt")
    with pq.ParquetWriter(path, table.schema) as writer:
        for start in range(0, n_rows, BATCH_ROWS):
            n = min(BATCH_ROWS, n_rows - start)
            batch = table.take(pa.array(rng.integers(table.num_rows, size=n)))
            shifted = batch.column(place).to_numpy() + rng.integers(0, MOST_SHIFT + 1, size=n)
            field = table.schema.field(place)
            writer.write_table(batch.set_column(place, field, pa.array(shifted, field.type)))


def _in_fresh_process(measure: str, path: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    command = [
        *(sys.executable, str(Path(__file__).resolve()), "--measure", measure, "--path", str(path)),
        *("--max-steps", str(arguments.max_steps), "--seed", str(arguments.seed), "--device", arguments.device),
        *(["--checkpoint"] if arguments.checkpoint else []),
    ]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure_imports(_: argparse.Namespace) -> dict[str, Any]:
    """What the libraries alone take."""
    import torch  # noqa: F401

    import synthgan.synthesizer  # noqa: F401
    from benchmarks.generate import peak_rss_mib

    return {"peak_rss_mib": peak_rss_mib()}


def measure_codec(arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds of reading the schema, fitting the codec and encoding, in all and a million rows."""
    import numpy as np

    from benchmarks.generate import peak_rss_mib
    from synthgan.tables.codec import TableCodec
    from synthgan.tables.inference import infer_schema
    from synthgan.tables.sources.open import open_source

    began = time.perf_counter()
    source = open_source(arguments.path)
    schema = infer_schema(source)
    inferred = time.perf_counter()
    codec = TableCodec.fit(source, schema)
    fitted = time.perf_counter()
    encoded = codec.encode(source, rng=np.random.default_rng(arguments.seed))
    seconds = {
        "schema_seconds": inferred - began,
        "fit_seconds": fitted - inferred,
        "encode_seconds": time.perf_counter() - fitted,
    }
    millions = encoded.n_rows / 1e6
    return {
        **seconds,
        "fit_seconds_per_million_rows": seconds["fit_seconds"] / millions,
        "encode_seconds_per_million_rows": seconds["encode_seconds"] / millions,
        "code_table_mib": (encoded.codes.nbytes + encoded.positions.nbytes) / 2**20,
        "peak_rss_mib": peak_rss_mib(),
    }


def measure_fit(arguments: argparse.Namespace) -> dict[str, Any]:
    """Seconds and peak memory of a whole fit."""
    from benchmarks.generate import peak_rss_mib
    from synthgan import Synthesizer

    synthesizer = Synthesizer(
        target="income",
        max_steps=arguments.max_steps,
        random_state=arguments.seed,
        device=arguments.device,
        progress="off",
    )
    checkpoint = arguments.path.with_name("fit.checkpoint") if arguments.checkpoint else None
    began = time.perf_counter()
    synthesizer.fit(arguments.path, checkpoint=checkpoint)
    seconds = time.perf_counter() - began
    return {
        "n_rows": synthesizer.n_rows_,
        "n_steps": int(synthesizer.history_[-1]["step"]),
        "seconds": seconds,
        "training_seconds": synthesizer.history_[-1]["seconds"],
        "peak_rss_mib": peak_rss_mib(),
    }


MEASURES: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "imports": measure_imports,
    "codec": measure_codec,
    "fit": measure_fit,
}


if __name__ == "__main__":
    main()

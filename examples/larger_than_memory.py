"""From a folder of Parquet files to one synthetic file, in batches all the way.

The folder is made by drawing rows of Adult again and again, so that the example needs no download. Nothing below holds
the whole table: `fit` reads batches and keeps one or two bytes per cell, `sample_to` writes batches.

    python examples/larger_than_memory.py --rows 5000000
    python examples/larger_than_memory.py --rows 20000 --max-steps 20
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

import synthgan

ROWS_PER_FILE = 250_000


def main(n_rows: int, max_steps: int) -> None:
    """Run the example on ``n_rows`` rows with ``max_steps`` generator steps."""
    with tempfile.TemporaryDirectory() as folder:
        parts = Path(folder) / "parts"
        write_parts(parts, n_rows)
        print(f"{len(list(parts.iterdir()))} files, {n_rows:,} rows; peak memory so far {peak_memory():.2f} GB")

        synth = synthgan.Synthesizer(target="income", effort="quick", max_steps=max_steps, random_state=1)
        synth.fit(parts)
        print(f"fitted; peak memory {peak_memory():.2f} GB")

        output = Path(folder) / "synthetic.parquet"
        synth.sample_to(output, n_rows, random_state=1)
        print(f"wrote {pq.read_metadata(output).num_rows:,} rows; peak memory {peak_memory():.2f} GB")


def write_parts(folder: Path, n_rows: int) -> None:
    """Write ``n_rows`` rows, drawn with replacement from Adult, as several Parquet files."""
    folder.mkdir()
    adult = pq.read_table(synthgan.datasets.adult_path())
    rng = np.random.default_rng(0)
    for number, start in enumerate(range(0, n_rows, ROWS_PER_FILE)):
        drawn = rng.integers(len(adult), size=min(ROWS_PER_FILE, n_rows - start))
        pq.write_table(adult.take(drawn), folder / f"part-{number:04}.parquet")


def peak_memory() -> float:
    """Largest resident memory of this process so far, in GB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e9 if sys.platform == "darwin" else peak / 1e6


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows to learn and to draw")
    parser.add_argument("--max-steps", type=int, default=500, help="train for at most this many steps")
    arguments = parser.parse_args()
    main(arguments.rows, arguments.max_steps)

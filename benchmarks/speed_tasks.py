"""What `benchmarks/speed.py` measures of synthgan, in a process of its own: encode, fit, decode, sample.

python -m benchmarks.speed_tasks '{"path": "train.parquet", "steps": 50, "repeats": 5, "sampled_rows": 32561}'

Seconds are wall time, of repeated tasks those of each repetition. A first one warms up and is not counted, except for
streamed tables.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

DECODED_ROWS = 131_072


def main() -> None:
    """Measure and print one line of JSON."""
    print(json.dumps(measure(**json.loads(sys.argv[1]))))


def measure(
    *,
    path: str,
    steps: int,
    repeats: int,
    sampled_rows: int,
    target: str | None = None,
    stream: bool = False,
    seed: int = 0,
) -> dict[str, Any]:
    """Seconds and peak memory of each task, with the most levels that the codec kept of one column.

    Args:
        path: Parquet file of the table.
        steps: of the fit.
        repeats: of encoding, decoding and sampling.
        sampled_rows: how many rows are sampled.
        target: as in `synthgan.Synthesizer`.
        stream: read the file in batches and sample into a file only, as for tables beyond memory.
        seed: of the fit and the sample.
    """
    import numpy as np
    import pandas as pd
    import pyarrow.parquet as pq
    import torch

    from benchmarks.generate import peak_rss_mib
    from synthgan import Synthesizer
    from synthgan.config import to_dict
    from synthgan.networks.generator import Generator
    from synthgan.sampling.draws import CPU_CHUNK_ROWS, draw_rows
    from synthgan.sampling.pieces import on_all_cores
    from synthgan.sampling.random_streams import Streams
    from synthgan.tables.columns.levels import LevelEncoder
    from synthgan.tables.sources.open import open_source
    from synthgan.training.effort import resolve

    data: Any = Path(path) if stream else pd.read_parquet(path)
    # As settings, they keep what a step of the whole fit does; an effort's own short fits do less in each.
    whole = resolve("default", n_rows=pq.read_metadata(path).num_rows, device=torch.device("cpu"))
    model = Synthesizer(target=target, settings=whole, max_steps=steps, random_state=seed, device="cpu", progress="off")
    began = time.perf_counter()
    model.fit(data)
    fit_seconds = time.perf_counter() - began
    training_seconds = model.history_[-1]["seconds"]
    fit_peak = peak_rss_mib()
    codec, generator = model.codec_, model.generator_
    if generator is None:
        raise SystemExit("the table has no column to model, so there is nothing to measure")
    generator = generator.for_sampling(model.training_settings_.precision)

    found: dict[str, Any] = {}
    encoded = codec.encode(open_source(data), rng=np.random.default_rng(seed))
    warm = not stream

    def repeat(name: str, n_rows: int, task: Callable[[], object]) -> None:
        if warm:
            task()
        found[name] = {"n_rows": n_rows, "seconds": [_seconds(task) for _ in range(repeats)]}

    repeat("encode", encoded.n_rows, lambda: codec.encode(open_source(data), rng=np.random.default_rng(seed)))
    n_cells = encoded.codes.size
    bytes_per_cell = {"codes": encoded.codes.nbytes / n_cells, "positions": encoded.positions.nbytes / n_cells}
    n_decoded = min(sampled_rows, DECODED_ROWS)
    draw = draw_rows(generator, n_decoded, Streams(torch.Generator().manual_seed(seed)))
    decoder = codec.decoder(np.random.default_rng(seed))
    repeat("decode", n_decoded, lambda: decoder.decode(draw.codes, draw.positions))

    n_chunks = -(-n_decoded // CPU_CHUNK_ROWS)

    @torch.inference_mode()
    def chunk(rng: torch.Generator, network: Generator = generator) -> None:
        network(torch.randn(CPU_CHUNK_ROWS, network.settings.latent_dim, generator=rng))

    def forward() -> None:
        on_all_cores(chunk, Streams(torch.Generator().manual_seed(seed)).take(n_chunks))

    repeat("forward", n_chunks * CPU_CHUNK_ROWS, forward)
    repeat("draw", n_decoded, lambda: draw_rows(generator, n_decoded, Streams(torch.Generator().manual_seed(seed))))
    with tempfile.TemporaryDirectory(prefix="synthgan-bench-", dir=Path(path).parent) as folder:
        file = Path(folder, "sample.parquet")
        repeat(
            "sample_parquet", sampled_rows, lambda: model.sample_to(file, sampled_rows, random_state=seed, force=True)
        )
    if not stream:
        repeat("sample_frame", sampled_rows, lambda: model.sample(sampled_rows, random_state=seed))
    return {
        "fit": {
            "n_rows": model.n_rows_,
            "steps": int(model.history_[-1]["step"]),
            "seconds": fit_seconds,
            "training_seconds": training_seconds,
            "peak_rss_mib": fit_peak,
        },
        "tasks": found,
        "bytes_per_cell": bytes_per_cell,
        "n_levels": codec.layout.n_levels,
        "kept_levels": max((len(e.values) for e in codec.encoders if isinstance(e, LevelEncoder)), default=0),
        "settings": to_dict(model.training_settings_),
        "peak_rss_mib": peak_rss_mib(),
        "threads": torch.get_num_threads(),
    }


def _seconds(task: Callable[[], object]) -> float:
    began = time.perf_counter()
    task()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()

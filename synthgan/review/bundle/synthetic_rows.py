"""The synthetic rows of a bundle, as Parquet that says what it is, and as CSV."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa

from synthgan.model.model import Model
from synthgan.review.bundle.release import Release
from synthgan.review.file_names import CSV, PARQUET
from synthgan.sampling.sampler import Sampler
from synthgan.tables.files.writers import open_writer
from synthgan.tables.frames.frames import restore_types, stored_schema


def drawn_rows(model: Model, n_rows: int, *, seed: int) -> Iterator[pa.Table]:
    """The rows of a bundle, a batch at a time; the same seed gives the rows of `Synthesizer.sample_to` with it."""
    sampler = Sampler(model.codec, model.generator, seed, precision=model.settings.precision)
    for table in sampler.batches(n_rows, sampler.compile({})):
        yield restore_types(table, model.codec.schema)


def write_rows(model: Model, release: Release, folder: Path, n_rows: int, *, seed: int, with_csv: bool = True) -> None:
    """Draw rows into ``synthetic.parquet`` and ``synthetic.csv``, a batch at a time.

    Args:
        model: which draws.
        release: what is said of it.
        folder: where the files are to stand.
        n_rows: how many rows.
        seed: of the draw.
        with_csv: whether the CSV file is wanted.

    Raises:
        OutputError: when a file cannot be written.
    """
    schema = stored_schema(model.codec.schema, model.codec.arrow_schema.names)
    with ExitStack() as files:
        writers = [
            files.enter_context(open_writer(folder / name, schema, metadata=release.parquet_metadata))
            for name in ([PARQUET, CSV] if with_csv else [PARQUET])
        ]
        for table in drawn_rows(model, n_rows, seed=seed):
            for writer in writers:
                writer.write(table)

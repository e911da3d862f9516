"""The synthetic rows of a bundle, as Parquet that says what it is, and as CSV."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from synthgan.review.layout import CSV, PARQUET
from synthgan.review.release import Release
from synthgan.sampling.sampler import Sampler
from synthgan.tables.frames import restore_types, stored_schema
from synthgan.tables.writers import open_writer
from synthgan.tables.written_columns import csv_schema


def write_rows(release: Release, folder: Path, n_rows: int, *, seed: int, with_csv: bool = True) -> None:
    """Draw rows into ``synthetic.parquet`` and ``synthetic.csv``, a batch at a time.

    Args:
        release: whose model draws.
        folder: where the files are to stand.
        n_rows: how many rows.
        seed: of the draw; the same one gives the rows that `Synthesizer.sample_to` writes with it.
        with_csv: whether the CSV file is wanted.

    Raises:
        OutputError: when a file cannot be written.
    """
    model = release.model
    sampler = Sampler(model.codec, model.generator, seed, precision=model.settings.precision)
    schemas = {PARQUET: model.codec.schema}
    if with_csv:
        schemas[CSV] = csv_schema(model.codec.schema)
    names = model.codec.arrow_schema.names
    with ExitStack() as files:
        writers = {
            name: files.enter_context(
                open_writer(folder / name, stored_schema(schema, names), metadata=release.parquet_metadata)
            )
            for name, schema in schemas.items()
        }
        for table in sampler.batches(n_rows, sampler.compile({})):
            for name, writer in writers.items():
                writer.write(restore_types(table, schemas[name]))

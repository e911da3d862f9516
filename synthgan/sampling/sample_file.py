"""Generated rows written to a table file, a batch at a time."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import chain

import pyarrow as pa

from synthgan.tables.files.csv_format import CsvFormat
from synthgan.tables.files.writers import is_csv, open_writer
from synthgan.tables.frames.frames import restore_types, stored_schema
from synthgan.tables.schema.schema import TableSchema
from synthgan.tables.schema.written_columns import csv_schema


def write_sample(
    path: str | os.PathLike[str],
    tables: Iterable[pa.Table],
    schema: TableSchema,
    *,
    force: bool = False,
    csv_format: CsvFormat | None = None,
) -> None:
    """Write decoded tables, of which there is at least one, as the fitted table was stored.

    Args:
        path: the file; its suffix says the format. It appears whole or not at all.
        tables: rows of physical types.
        schema: the fitted table's.
        force: whether an existing file may be replaced.
        csv_format: how a CSV file is to be written.

    Raises:
        OutputError: when the file exists or cannot be written.
    """
    schema = csv_schema(schema) if is_csv(path) else schema
    batches = iter(tables)
    first = next(batches)
    stored = stored_schema(schema, first.column_names)
    with open_writer(path, stored, force=force, csv_format=csv_format) as writer:
        for table in chain([first], batches):
            writer.write(restore_types(table, schema))

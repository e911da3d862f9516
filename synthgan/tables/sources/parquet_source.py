"""Parquet files read row group by row group, so that memory never holds more than a few batches.

Folders named ``key=value`` below the one that was opened (Hive partitions) are columns, too.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from synthgan.errors import SourceError
from synthgan.tables.arrow_types import is_text, physical_type, to_physical, value_type
from synthgan.tables.reading.reading import Reading
from synthgan.tables.sources.batches import Source, batch_rows, hash_file, spread_sample
from synthgan.tables.sources.hive_keys import hive_keys

_SAMPLED_ROW_GROUPS = 48
_SAMPLED_ROWS_READ = 4_000_000


class ParquetSource(Source):
    """One or more Parquet files with the same columns."""

    def __init__(
        self, paths: Sequence[Path], reading: Reading, *, description: str, folder: Path | None = None
    ) -> None:
        """Read the footers of ``paths``; the parts of a path below ``folder`` may be partitions.

        Raises:
            SourceError: when a file is damaged or its columns differ from those of the first file, unless their types
                are declared.
        """
        self._paths, self._reading = tuple(paths), reading
        self._group_rows: list[list[int]] = []
        schema: pa.Schema | None = None
        dates: list[set[str]] = []
        for path in self._paths:
            with _open(path) as file:
                metadata = file.metadata
                self._group_rows.append([metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)])
                found = file.schema_arrow
                dates.append(_dates_in_milliseconds(metadata))
            _check_names(found, path)
            schema = found if schema is None else _common_schema(schema, found, self._paths[0], path, reading.types)
        if schema is None:
            raise SourceError(f"{description} holds no Parquet file")
        for name in set.intersection(*dates).intersection(schema.names):
            schema = schema.set(schema.get_field_index(name), pa.field(name, pa.date64()))
        self._stored = schema.remove_metadata()
        self._as_stored = dictionaries_of_text(schema) if reading.private else []
        self._partitions = hive_keys(self._paths, folder, self._stored.names)
        fields = [*self._stored, *(pa.field(key, values.type) for key, values in self._partitions.items())]
        n_rows = sum(map(sum, self._group_rows))
        super().__init__(pa.schema(fields, metadata=schema.metadata), description=description, n_rows=n_rows)
        self.untyped = frozenset(self._partitions)

    def fingerprint(self) -> str:
        """SHA-256 over the files (see `hash_file`) and the folders that are columns."""
        digest = hashlib.sha256(str(self.arrow_schema).encode())
        for index, path in enumerate(self._paths):
            digest.update(repr([values[index].as_py() for values in self._partitions.values()]).encode())
            hash_file(digest, path)
        return digest.hexdigest()

    def _read(self, columns: list[str], batch_size: int) -> Iterator[pa.RecordBatch]:
        for index in range(len(self._paths)):
            yield from self._read_groups(index, None, columns, batch_size)

    def _read_groups(
        self, index: int, groups: list[int] | None, columns: list[str], batch_size: int
    ) -> Iterator[pa.RecordBatch]:
        """Batches of some row groups (None: all) of one file."""
        inside = [name for name in columns if name not in self._partitions] or self._stored.names[:1]
        schema = pa.schema([self._stored.field(name) for name in inside])
        with _open(self._paths[index], self._as_stored) as file:
            for batch in file.iter_batches(batch_size, row_groups=groups, columns=inside):
                cast = pa.Table.from_batches([self._declared(batch.select(inside), schema)]).cast(schema)
                for name, values in self._partitions.items():
                    if name in columns:
                        cast = cast.append_column(name, pa.repeat(values[index], batch.num_rows))
                yield from cast.select(columns).to_batches()

    def _declared(self, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
        """The batch, with a declared column converted whose type is not the same in all files."""
        for place, field in enumerate(schema):
            held = batch.schema.field(place).type
            if field.name in self._reading.types and held != field.type:
                plain = to_physical(batch.column(place), physical_type(held, field.name))
                made = self._reading.converted(field.name, plain)
                batch = batch.set_column(place, field.name, made)
        return batch

    def sample(self, n_rows: int) -> pa.Table:
        """As `Source.sample`, from row groups spread over all files instead of from every row."""
        total = self.n_rows or 0
        groups = [(file, group) for file, rows in enumerate(self._group_rows) for group in range(len(rows))]
        wanted = max(1, min(_SAMPLED_ROW_GROUPS, _SAMPLED_ROWS_READ * len(groups) // max(total, 1)))
        if total <= n_rows or wanted >= len(groups):
            return super().sample(n_rows)
        chosen = [groups[i] for i in np.unique(np.linspace(0, len(groups) - 1, wanted).round().astype(int))]
        n_read = sum(self._group_rows[file][group] for file, group in chosen)

        def stored() -> Iterator[pa.RecordBatch]:
            for file, group in chosen:
                yield from self._read_groups(file, [group], list(self.names), batch_rows(len(self.names)))

        return spread_sample(self._physical(stored()), self.arrow_schema, n_rows, n_read)


def dictionaries_of_text(schema: pa.Schema) -> list[str]:
    """Columns that Arrow refuses to read when one word is no Unicode, unless dictionaries are taken as stored."""
    return [field.name for field in schema if pa.types.is_dictionary(field.type) and is_text(field.type.value_type)]


@contextmanager
def _open(path: Path, as_stored: Sequence[str] = ()) -> Iterator[pq.ParquetFile]:
    """A Parquet file, opened and read with every failure turned into one sentence.

    Args:
        path: the file.
        as_stored: columns whose dictionaries are taken as they are stored.
    """
    try:
        with pq.ParquetFile(
            path, pre_buffer=False, buffer_size=1 << 20, read_dictionary=list(as_stored) or None
        ) as file:
            yield file
    except pa.ArrowException:
        raise SourceError(
            f"{path} is not a readable Parquet file (damaged, cut short, or another format): write it again"
        ) from None
    except OSError as error:
        reason = error.strerror or "damaged or cut short"
        raise SourceError(f"{path} cannot be read ({reason}): check the file or write it again") from None


def _dates_in_milliseconds(metadata: pq.FileMetaData) -> set[str]:
    """Columns that were date64 when Arrow wrote the file. Parquet has one type of date, which is read as date32."""
    try:
        written = pa.ipc.read_schema(pa.py_buffer(base64.b64decode((metadata.metadata or {})[b"ARROW:schema"])))
    except (KeyError, ValueError, OSError, pa.ArrowException):  # no such note, or none that can be read
        return set()
    return {field.name for field in written if pa.types.is_date64(field.type)}


def _check_names(schema: pa.Schema, path: Path) -> None:
    names = schema.names
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise SourceError(f"two columns of {path} are called {twice!r}: names must differ, so rename one of them")


def _common_schema(
    first: pa.Schema, other: pa.Schema, first_path: Path, path: Path, declared: Mapping[str, pa.DataType]
) -> pa.Schema:
    """The schema both files can be read as: equal names; all-missing columns and forms of text are evened out."""
    missing = [name for name in first.names if name not in other.names]
    extra = [name for name in other.names if name not in first.names]
    if missing or extra:
        what = f"lacks the column {missing[0]!r}" if missing else f"has a column {extra[0]!r} more"
        raise SourceError(f"{path} {what} compared with {first_path}: all files of one table need the same columns")
    for position, field in enumerate(first):
        found = other.field(field.name).type
        if found == field.type or pa.types.is_null(found):
            continue
        if field.name in declared:
            first = first.set(position, field.with_type(physical_type(declared[field.name], field.name)))
            continue
        if is_text(value_type(found)) and is_text(value_type(field.type)):
            first = first.set(position, field.with_type(value_type(field.type)))
            continue
        if pa.types.is_null(field.type):
            first = first.set(position, field.with_type(found))
            continue
        raise SourceError(
            f"column {field.name!r} is {found} in {path} and {field.type} in {first_path}: "
            f"all files of one table need the same types, so convert one of them"
        )
    return first

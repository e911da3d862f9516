"""What every source of rows offers, and the source that lies in memory already."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from synthgan.errors import DataError
from synthgan.tables.arrow_types import (
    is_restorable,
    is_text,
    is_utf8,
    physical_type,
    stored_text,
    to_physical,
    value_type,
)
from synthgan.tables.frames.frames import ArrowFrame, to_frame
from synthgan.tables.frames.pandas_notes import noted_by_pandas
from synthgan.tables.kinds import Kind
from synthgan.tables.pandas_dtypes import dtype_text
from synthgan.tables.schema.schema import ColumnSchema, Levels, Provenance, TableSchema

if TYPE_CHECKING:
    import pandas as pd

BATCH_ROWS = 131_072
_BATCH_CELLS = 1 << 23


class Source(ABC):
    """Rows that can be read in batches, as often as needed, always in the same order.

    Attributes:
        arrow_schema: physical types by string name, dictionary types included.
        stored_types: string name -> the source's own Arrow type as text, where it is not the physical value type.
        labels: string name -> original label, where that is not a string.
        pandas_dtypes: string name -> dtype as text, where known.
        written: string name -> how a CSV file writes the column's values, where that is worth keeping.
        n_rows: number of rows, None when it takes a full read to know.
        description: the source in words, for messages.
        index: names of columns that are levels of a DataFrame's index.
        untyped: names of columns whose types were found out from what they hold, and are told by nobody.
        notices: sentences on what comes out of reading differently from what one might expect.
    """

    arrow_schema: pa.Schema
    stored_types: dict[str, str]
    labels: dict[str, Hashable]
    pandas_dtypes: dict[str, str]
    written: dict[str, str]
    n_rows: int | None
    description: str
    index: tuple[str, ...] = ()
    untyped: frozenset[str] = frozenset()
    notices: tuple[str, ...] = ()
    _takes_any_text: bool = False

    def __init__(self, stored_schema: pa.Schema, *, description: str, n_rows: int | None) -> None:
        """Derive the physical types from ``stored_schema``, the types as they lie in the source.

        Raises:
            DataError: for types that cannot be modelled, and notes by pandas that are damaged.
        """
        noted = noted_by_pandas(stored_schema)
        fields = []
        self.stored_types = {}
        for stored in stored_schema:
            if stored.name in noted.left_out:
                continue
            target = physical_type(stored.type, stored.name)
            fields.append(pa.field(stored.name, target))
            text = stored_text(stored.type, target)
            if text is not None and is_restorable(stored.type):
                self.stored_types[stored.name] = text
        self.arrow_schema = pa.schema(fields)
        self.pandas_dtypes, self.labels, self.index = noted.pandas_dtypes, noted.labels, noted.index
        self.notices, self.written = (*self.notices, *noted.notices), {}  # a reader may have said something already
        self.n_rows = n_rows
        self.description = description

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(self.arrow_schema.names)

    def fingerprint(self) -> str:
        """SHA-256 in hex over names, types and values; says whether a checkpoint belongs to this source."""
        digest = hashlib.sha256(str(self.arrow_schema).encode())
        for batch in self.batches():
            for column in batch.columns:
                hash_array(digest, column)
        return digest.hexdigest()

    @abstractmethod
    def _read(self, columns: list[str], batch_size: int) -> Iterator[pa.RecordBatch]:
        """Batches of the stored ``columns`` in that order."""

    def batches(self, columns: Sequence[str] | None = None, batch_size: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """All rows in order, in batches of physical types.

        Args:
            columns: names wanted, in the order wanted; None for all.
            batch_size: most rows a batch has.
        """
        return self._physical(self._read(list(self.names if columns is None else columns), batch_size))

    def _physical(self, stored: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Batches of stored types as batches of physical types."""
        for batch in stored:
            fields = [self.arrow_schema.field(name) for name in batch.schema.names]
            arrays = [to_physical(column, field.type) for column, field in zip(batch.columns, fields, strict=True)]
            if not self._takes_any_text:
                self._check_text(arrays, batch.schema.names)
            yield pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))

    def take_any_text(self) -> None:
        """Hand out text as it lies in the source, even bytes that are no UTF-8, for somebody who sees to them."""
        self._takes_any_text = True

    def _check_text(self, arrays: Sequence[pa.Array], names: Sequence[str]) -> None:
        """Refuse what says that it is text and is none: Arrow hands it out without a look, Python cannot read it."""
        for array, name in zip(arrays, names, strict=True):
            if is_text(value_type(array.type)) and not is_utf8(array):
                raise DataError(
                    f"column {name!r} of {self.description} holds text with bytes that are no UTF-8: convert it with "
                    "the encoding that it was written in, and write the table again"
                )

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows as one table: only for tables known to be small."""
        wanted = list(self.names if columns is None else columns)
        schema = pa.schema([self.arrow_schema.field(name) for name in wanted])
        return pa.Table.from_batches(self.batches(wanted), schema=schema)

    @cached_property
    def categories(self) -> dict[str, Levels]:
        """String name -> levels of each pandas categorical, unused ones included, in their order."""
        names = [name for name, dtype in self.pandas_dtypes.items() if dtype == "category"]
        found: dict[str, pa.Array] = {}
        for batch in self.batches(names) if names else ():
            for name, column in zip(names, batch.columns, strict=True):
                if not pa.types.is_dictionary(column.type):
                    continue
                known = found.setdefault(name, column.dictionary)
                if not column.dictionary.equals(known):
                    found[name] = pc.unique(pa.concat_arrays([known, column.dictionary]))
        return {
            name: Levels(
                values=tuple(levels.to_pylist()),
                ordered=self.arrow_schema.field(name).type.ordered,
                source="inferred-exact",
                pandas_dtype=dtype_text(levels.to_pandas().dtype),
            )
            for name, levels in found.items()
        }

    def to_frame(self) -> pd.DataFrame:
        """All rows as a DataFrame with the source's labels and dtypes: only for tables known to be small."""
        columns = tuple(self.column_schema(name, kind="constant") for name in self.names)
        return to_frame(self.read(), TableSchema(columns=columns))

    def column_schema(
        self, name: str, *, kind: Kind, reason: str = "", source: Provenance = "inferred-exact"
    ) -> ColumnSchema:
        """What the source knows of a column (label, types, categories), with the ``kind`` that was settled on."""
        plain = value_type(self.arrow_schema.field(name).type)
        return ColumnSchema(
            name=name,
            label=self.labels.get(name),
            kind=kind,
            source=source,
            reason=reason,
            arrow_type=str(plain),
            stored_type=self.stored_types.get(name),
            written=self.written.get(name),
            pandas_dtype=self.pandas_dtypes.get(name),
            levels=self.categories.get(name),
            time_zone=plain.tz if pa.types.is_timestamp(plain) else None,
            index=name in self.index,
        )

    def sample(self, n_rows: int) -> pa.Table:
        """At most ``n_rows`` rows spread over the source, in their order; the whole table when it is no larger.

        The choice is deterministic: the same source gives the same rows.
        """
        batches = self.batches(batch_size=batch_rows(len(self.names)))
        return spread_sample(batches, self.arrow_schema, n_rows, self.n_rows)


def batch_rows(n_columns: int) -> int:
    """Rows of a batch that is only passed through: fewer where there are many columns, so that it stays small."""
    return max(1_024, min(BATCH_ROWS, _BATCH_CELLS // max(n_columns, 1)))


def spread_sample(batches: Iterator[pa.RecordBatch], schema: pa.Schema, n_rows: int, total: int | None) -> pa.Table:
    """Rows drawn evenly from all ``batches``: of every batch the share ``n_rows / total``, at random places.

    Without ``total`` the rows drawn so far are thinned by half each time they outgrow twice ``n_rows``.
    """
    rng = np.random.default_rng(0)
    share = 1.0 if total is None else min(1.0, n_rows / max(total, 1))
    kept: list[pa.RecordBatch] = []
    n_kept = 0
    for batch in batches:
        drawn = _thin(batch, share, rng)
        kept.append(drawn)
        n_kept += drawn.num_rows
        while total is None and n_kept > 2 * n_rows:
            share /= 2
            kept = [_thin(part, 0.5, rng) for part in kept]
            n_kept = sum(part.num_rows for part in kept)
    table = pa.Table.from_batches(kept, schema=schema)
    if table.num_rows <= n_rows:
        return table
    places = np.sort(rng.choice(table.num_rows, n_rows, replace=False))
    return table.take(pa.array(places))


def _thin(batch: pa.RecordBatch, share: float, rng: np.random.Generator) -> pa.RecordBatch:
    if share >= 1.0:
        return batch
    return batch.take(pa.array(np.flatnonzero(rng.random(batch.num_rows) < share)))


class TableSource(Source):
    """An Arrow table in memory."""

    def __init__(self, table: pa.Table, *, description: str) -> None:
        """Wrap ``table``; its field names must differ."""
        super().__init__(table.schema, description=description, n_rows=table.num_rows)
        self._table = table

    def _read(self, columns: list[str], batch_size: int) -> Iterator[pa.RecordBatch]:
        yield from self._table.select(columns).to_batches(max_chunksize=batch_size)


class FrameSource(TableSource):
    """A pandas DataFrame, by way of Arrow."""

    def __init__(self, frame: ArrowFrame, *, description: str) -> None:
        """Wrap a converted ``frame``."""
        super().__init__(frame.table, description=description)
        self.labels = frame.labels
        self.pandas_dtypes = frame.pandas_dtypes
        self.stored_types = frame.stored_types
        self.index = frame.index
        self.notices = frame.notices
        self._categories = frame.categories

    @property
    def categories(self) -> dict[str, Levels]:
        """String name -> levels of each categorical, as the frame has them."""
        return self._categories


def hash_array(digest: hashlib._Hash, array: pa.Array) -> None:
    """Feed ``array`` into ``digest``: the same values give the same bytes, whatever lies under missing cells."""
    if pa.types.is_dictionary(array.type):
        hash_array(digest, array.dictionary)
        array = array.indices
    digest.update(len(array).to_bytes(8, "little"))
    if array.null_count == len(array):
        digest.update(b"all missing")
        return
    if array.null_count:
        digest.update(array.is_valid().cast(pa.uint8()).to_numpy())
        array = array.drop_null()
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        digest.update(pc.binary_length(array).to_numpy())
        text = array.cast(pa.large_string())
        _, offsets, letters = text.buffers()
        ends = np.frombuffer(offsets, np.int64)[text.offset : text.offset + len(text) + 1]
        digest.update(memoryview(letters)[ends[0] : ends[-1]] if letters is not None else b"")
    elif pa.types.is_decimal(array.type):
        hash_array(digest, array.cast(pa.string()))
    elif pa.types.is_boolean(array.type):
        digest.update(array.cast(pa.uint8()).to_numpy())
    else:
        digest.update(array.to_numpy(zero_copy_only=False).tobytes())


_WHOLE_FILE_BYTES = 1 << 26
_PROBE_BYTES = 1 << 20


def hash_file(digest: hashlib._Hash, path: Path) -> None:
    """Feed a file's name, size and content into ``digest``; of one above 64 MiB, 64 stretches of it from end to end."""
    size = path.stat().st_size
    digest.update(f"{path.name}\0{size}\0".encode())
    with path.open("rb") as file:
        if size <= _WHOLE_FILE_BYTES:
            digest.update(file.read())
            return
        for start in np.linspace(0, size - _PROBE_BYTES, _WHOLE_FILE_BYTES // _PROBE_BYTES).astype(int).tolist():
            file.seek(start)
            digest.update(file.read(_PROBE_BYTES))


def check_rows(source: Source, minimum_rows: int) -> None:
    """Refuse sources without columns or with fewer than ``minimum_rows`` rows.

    Raises:
        DataError: says how many there are and how many are needed.
    """
    if not source.names:
        raise DataError(f"{source.description} has no columns")
    n_rows = source.n_rows
    if n_rows is None:
        n_rows = 0
        for batch in source.batches(source.names[:1], batch_size=max(minimum_rows, 1)):
            n_rows += batch.num_rows
            if n_rows >= minimum_rows:
                return
    if n_rows < minimum_rows:
        has = "no rows" if n_rows == 0 else "1 row" if n_rows == 1 else f"{n_rows} rows"
        raise DataError(
            f"{source.description} has {has}: at least {minimum_rows} are needed, and a good fit takes hundreds"
        )

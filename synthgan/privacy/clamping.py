"""Rows brought into the declared bounds before constraints calculate with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from synthgan.tables.constraints.limits import clip_array, limits_of
from synthgan.tables.constraints.scales import plain
from synthgan.tables.schema.schema import Order, Sum, TableSchema, constraint_columns
from synthgan.tables.sources.batches import BATCH_ROWS, Source
from synthgan.tables.sources.derived_source import DerivedSource


class ClampedSource(DerivedSource):
    """A source in which columns of orders and sums lie within their declared bounds, row by row and without a word.

    Gaps and sums are then exact whatever the table holds, so that no error of a private fit depends on a row. Columns
    that no order or sum names are left as they are: their bounds are kept where they are counted and encoded.
    """

    def __init__(self, source: Source, schema: TableSchema) -> None:
        """Take the schema of a private fit."""
        super().__init__(source)
        ruled = {
            name for each in schema.constraints if isinstance(each, Order | Sum) for name in constraint_columns(each)
        }
        self._columns = {column.name: column for column in schema.columns if column.name in ruled}
        self._limits = {name: limits_of(column) for name, column in self._columns.items()}

    def batches(self, columns: Sequence[str] | None = None, batch_size: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """All rows, changed where they lie beyond bounds."""
        for batch in self._source.batches(columns, batch_size):
            for place, name in enumerate(batch.schema.names):
                if name in self._columns:
                    held = batch.schema.field(place)
                    clipped = clip_array(plain(batch.column(place)), self._limits[name], self._columns[name])
                    batch = batch.set_column(place, held, clipped.cast(held.type))  # noqa: PLW2901
            yield batch

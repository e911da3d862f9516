"""Sources whose texts are read as the numbers and times that are written in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa

from synthgan.errors import DataError
from synthgan.tables.schema.schema import TableSchema
from synthgan.tables.schema.written_columns import is_text_column
from synthgan.tables.sources.batches import BATCH_ROWS, Source
from synthgan.tables.sources.derived_source import DerivedSource
from synthgan.tables.written import parse_format


def as_modelled(source: Source, schema: TableSchema, *, strict: bool = True) -> Source:
    """The source with the values that its texts stand for, wherever the schema says how they are written.

    Args:
        source: the table as it is stored.
        schema: its columns.
        strict: whether a cell that is not written so is an error; else it is missing.
    """
    written = {
        column.name: column.written
        for column in schema.columns
        if column.written is not None and is_text_column(source.arrow_schema.field(column.name).type)
    }
    return WrittenSource(source, written, strict=strict) if written else source


class WrittenSource(DerivedSource):
    """The rows of another source, with some texts read as what is written in them."""

    def __init__(self, source: Source, written: Mapping[str, str], *, strict: bool) -> None:
        """Read the columns ``written``, name -> pattern."""
        super().__init__(source)
        self._forms = {name: parse_format(pattern) for name, pattern in written.items()}
        self._strict = strict
        self.stored_types = dict(source.stored_types)
        for name, form in self._forms.items():
            index = self.arrow_schema.get_field_index(name)
            self.stored_types.setdefault(name, str(self.arrow_schema.field(name).type))
            self.arrow_schema = self.arrow_schema.set(index, pa.field(name, form.value_type))

    def batches(self, columns: Sequence[str] | None = None, batch_size: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """All rows in order.

        Raises:
            DataError: when a cell is not written as the schema says, and must be.
        """
        for batch in self._source.batches(columns, batch_size):
            arrays = [self._values(name, batch.column(name)) for name in batch.schema.names]
            fields = [self.arrow_schema.field(name) for name in batch.schema.names]
            yield pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))

    def _values(self, name: str, cells: pa.Array) -> pa.Array:
        form = self._forms.get(name)
        if form is None:
            return cells
        values = form.to_values(cells)
        if self._strict and values.null_count > cells.null_count:
            raise DataError(
                f"column {name!r} is declared to be written as {form.pattern!r}, and some of its cells are not: "
                "leave 'written' out, or correct the format"
            )
        return values

"""A source whose rows are those of another one, fewer or changed one by one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence

import pyarrow as pa

from synthgan.tables.batches import BATCH_ROWS, Source
from synthgan.tables.schema import Levels


class DerivedSource(Source):
    """Everything but the rows is that of the source behind it."""

    def __init__(self, source: Source) -> None:
        """Wrap ``source``."""
        self._source = source
        self.arrow_schema = source.arrow_schema
        self.stored_types = source.stored_types
        self.labels = source.labels
        self.pandas_dtypes = source.pandas_dtypes
        self.n_rows = source.n_rows
        self.description = source.description

    @property
    def categories(self) -> dict[str, Levels]:
        """As the source behind it has them."""
        return self._source.categories

    @abstractmethod
    def batches(self, columns: Sequence[str] | None = None, batch_size: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """All rows in order, in batches of physical types; see `Source.batches`."""

    def _read(self, columns: list[str], batch_size: int) -> Iterator[pa.RecordBatch]:
        return self.batches(columns, batch_size)

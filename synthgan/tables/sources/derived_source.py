"""Sources whose rows are those of another one, fewer or changed one by one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from synthgan.errors import SourceError
from synthgan.tables.schema.schema import Levels
from synthgan.tables.sources.batches import BATCH_ROWS, Source


class DerivedSource(Source):
    """Everything but the rows is that of the source behind it."""

    def __init__(self, source: Source) -> None:
        """Wrap ``source``."""
        self._source = source
        self.arrow_schema = source.arrow_schema
        self.stored_types = source.stored_types
        self.labels = source.labels
        self.pandas_dtypes = source.pandas_dtypes
        self.written = source.written
        self.n_rows = source.n_rows
        self.description = source.description
        self.index = source.index
        self.untyped = source.untyped
        self.notices = source.notices

    def take_any_text(self) -> None:
        """See `Source.take_any_text`; the source behind it, too."""
        super().take_any_text()
        self._source.take_any_text()

    @property
    def categories(self) -> dict[str, Levels]:
        """As the source behind it has them."""
        return self._source.categories

    @abstractmethod
    def batches(self, columns: Sequence[str] | None = None, batch_size: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """All rows in order, in batches of physical types; see `Source.batches`."""

    def _read(self, columns: list[str], batch_size: int) -> Iterator[pa.RecordBatch]:
        return self.batches(columns, batch_size)


class ChosenRows(DerivedSource):
    """Some rows of another source, the same ones in every pass and in their order. Memory: a byte per row."""

    def __init__(self, source: Source, chosen: npt.NDArray[np.bool_]) -> None:
        """Take the rows of ``source`` where ``chosen``, ``(n_rows,)``, is true."""
        super().__init__(source)
        self._chosen = chosen
        self.n_rows = int(chosen.sum())

    def batches(self, columns: Sequence[str] | None = None, batch_size: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """The chosen rows, in order.

        Raises:
            SourceError: when the source has come to hold more or fewer rows meanwhile.
        """
        done = 0
        for batch in self._source.batches(columns, batch_size):
            chosen = self._chosen[done : done + batch.num_rows]
            done += batch.num_rows
            if len(chosen) < batch.num_rows:
                break
            yield batch if chosen.all() else batch.filter(pa.array(chosen))
        if done != len(self._chosen):
            raise SourceError(f"{self.description} has changed while it was read: start the fit anew")


class NoRows(DerivedSource):
    """The columns of another source, whose rows are never read."""

    def __init__(self, source: Source) -> None:
        """Take names and types of ``source``."""
        super().__init__(source)
        self.n_rows = 0

    def batches(self, columns: Sequence[str] | None = None, batch_size: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:  # noqa: ARG002  (as in `Source`)
        """Nothing."""
        yield from ()

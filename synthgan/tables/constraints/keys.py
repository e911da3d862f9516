"""Unique keys over several columns: the last one is numbered within each group of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from synthgan.errors import DataError
from synthgan.tables.arrow_types import parse_type
from synthgan.tables.constraints.counters import GroupCounter, hash_rows
from synthgan.tables.constraints.limits import limits_of
from synthgan.tables.constraints.scales import plain, whole_array
from synthgan.tables.constraints.steps import DecodingState, Step
from synthgan.tables.schema.schema import ColumnSchema


class NumberedKeyStep(Step):
    """The last key column counts 1, 2, 3, ... through the rows of its group, on from batch to batch.

    Nothing of it is learned: it has no internal column. With a declared lower bound the count starts there.
    """

    def __init__(self, columns: Sequence[ColumnSchema]) -> None:
        """Take the key's columns; the last holds whole numbers."""
        *groups, last = columns
        self._last = last
        self._start = 1 if last.bounds is None or last.bounds.lower is None else int(limits_of(last).lower)
        self._stop = int(limits_of(last).upper)
        self.makes = (last.name,)
        self.needs = tuple(column.name for column in groups)
        self.internal = ()

    def forward(self, columns: Mapping[str, pa.Array]) -> Sequence[pa.Array]:  # noqa: ARG002
        """See `Step.forward`."""
        return ()

    def backward(
        self,
        internal: Sequence[pa.Array | None],  # noqa: ARG002
        known: dict[str, pa.Array],
        state: DecodingState,
    ) -> None:
        """See `Step.backward`.

        Raises:
            DataError: when the column's type or bound ends before the largest group does.
        """
        counter = state.counters.setdefault(self._last.name, GroupCounter())
        numbers = counter.number(hash_rows([plain(known[name]) for name in self.needs])) + self._start
        if len(numbers) and numbers.max() > self._stop:
            raise DataError(
                f"key column '{self._last.name}' ({self._last.arrow_type}) cannot number that many rows of one group: "
                "ask for fewer rows, or fit with a wider type or without the unique key"
            )
        known[self._last.name] = whole_array(
            numbers, np.ones(len(numbers), dtype=bool), parse_type(self._last.arrow_type)
        )

"""At most k rows of each person: what a unit column means before any door is opened."""

from __future__ import annotations

import os

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as pat

from synthgan.tables.sources.batches import Source
from synthgan.tables.sources.derived_source import ChosenRows
from synthgan.tables.sources.holdout import check_unit_column


class UnitLimitedSource(ChosenRows):
    """A source with at most ``rows_per_unit`` rows of each value of the unit column, the same rows in every pass.

    Which rows stay is drawn uniformly with the operating system's entropy when the object is made; a later fit draws
    others. A row without a unit belongs to nobody whom the guarantee could protect, and is left out. Memory: 13 bytes a
    row while drawing and one after, and the distinct units once.

    Privacy:
        Two tables that differ by all rows of one person differ by at most ``rows_per_unit`` rows here, with the draws
        of all other persons coupled.
    """

    def __init__(self, source: Source, unit: str, rows_per_unit: int) -> None:
        """Draw the rows that stay.

        Raises:
            SchemaError: when the source has no column ``unit``, or it is one of floats.
        """
        check_unit_column(source, unit)
        super().__init__(source, _draw(persons_of(source, unit), rows_per_unit))
        self.unit = unit
        self.rows_per_unit = rows_per_unit


def persons_of(source: Source, unit: str) -> npt.NDArray[np.int32]:
    """Which person each row belongs to.

    Returns:
        ``(n_rows,)`` numbers from 0 in order of appearance; -1 for a row without a person.
    """
    parts = []
    for batch in source.batches([unit]):
        column = batch.column(0)
        if pat.is_dictionary(column.type):
            column = column.dictionary_decode()
        parts.append(column.dictionary_encode().cast(pa.dictionary(pa.int32(), column.type)))
    if not parts:
        return np.zeros(0, dtype=np.int32)
    unified = pa.chunked_array(parts).unify_dictionaries()
    indices = [chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False) for chunk in unified.chunks]
    return np.concatenate(indices).astype(np.int32)


def _draw(persons: npt.NDArray[np.int32], rows_per_unit: int) -> npt.NDArray[np.bool_]:
    """``(n_rows,)`` bool: each person's ``rows_per_unit`` rows with the smallest of independent random keys."""
    kept = persons >= 0
    rows = np.flatnonzero(persons >= 0)
    keys = np.frombuffer(os.urandom(8 * len(rows)), dtype=np.uint64)
    order = rows[np.lexsort((keys, persons[rows]))]
    of_person = persons[order]
    first = np.flatnonzero(np.concatenate(([True], of_person[1:] != of_person[:-1]))) if len(order) else order
    place = np.arange(len(order)) - np.repeat(first, np.diff(np.append(first, len(order))))
    kept[order[place >= rows_per_unit]] = False
    return kept

"""Rows counted by group, by the hash of the group's values: bounded memory per group, no Python per row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.types as pat

from synthgan.tables.axes.raw_numbers import read_whole
from synthgan.tables.axes.whole_axis import WholeAxis

Hashes = npt.NDArray[np.uint64]

_MISSING = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)


def hash_rows(columns: Sequence[pa.Array]) -> Hashes:
    """``(n_rows,)`` hashes, equal for equal rows; missing equals missing, as in `pandas.DataFrame.duplicated`."""
    mixed = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        encoded = column if pat.is_dictionary(column.type) else column.dictionary_encode()
        values = encoded.dictionary
        of_level = np.append(pd.util.hash_array(_comparable(values)), _MISSING)
        places = encoded.indices.cast(pa.int64()).fill_null(len(values)).to_numpy(zero_copy_only=False)
        mixed = (mixed ^ (mixed >> np.uint64(31))) * _MIX + of_level[places]
    return mixed


def _comparable(values: pa.Array) -> npt.NDArray[Any]:
    """Numpy values that are equal where the Arrow values are."""
    if pat.is_floating(values.type):
        floats: npt.NDArray[Any] = values.to_numpy(zero_copy_only=False).astype(np.float64) + 0.0  # -0.0 equals 0.0
        return floats
    if WholeAxis.has_axis(values.type) and not pat.is_decimal(values.type):
        return read_whole(values)[0]
    return np.asarray(values.cast(pa.string()).to_numpy(zero_copy_only=False), dtype=object)


class GroupCounter:
    """How many rows each group has had so far."""

    def __init__(self) -> None:
        """Start with no group."""
        self._groups: Hashes = np.zeros(0, dtype=np.uint64)
        self._counts: npt.NDArray[np.int64] = np.zeros(0, dtype=np.int64)

    def number(self, groups: Hashes) -> npt.NDArray[np.int64]:
        """``(n_rows,)`` place of each row in its group, from 0, counting on from earlier batches."""
        distinct, group_of_row, sizes = np.unique(groups, return_inverse=True, return_counts=True)
        order = np.argsort(group_of_row, kind="stable")
        first = np.cumsum(sizes) - sizes
        within = np.empty(len(groups), dtype=np.int64)
        within[order] = np.arange(len(groups)) - np.repeat(first, sizes)
        before = self._add(distinct, sizes)
        return within + before[group_of_row]

    def _add(self, groups: Hashes, sizes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Add sorted distinct groups; returns their counts from before."""
        place = np.searchsorted(self._groups, groups)
        known = np.zeros(len(groups), dtype=bool)
        inside = place < len(self._groups)
        known[inside] = self._groups[place[inside]] == groups[inside]
        before = np.zeros(len(groups), dtype=np.int64)
        before[known] = self._counts[place[known]]
        self._counts[place[known]] += sizes[known]
        self._groups = np.insert(self._groups, place[~known], groups[~known])
        self._counts = np.insert(self._counts, place[~known], sizes[~known])
        return before

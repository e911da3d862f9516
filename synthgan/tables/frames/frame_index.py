"""The index of a DataFrame: levels with a name are columns of the table, and come back as the index.

What decides is the index's type and its names, never what it holds, so that a frame and the Parquet file that pandas
wrote of it are the same table. Of a frame for a private fit, the names alone decide.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pandas as pd

_ADVICE = "is not part of the table: use reset_index() to have it modelled"


def index_levels(
    index: pd.Index[Any], *, private: bool = False
) -> tuple[list[tuple[Hashable, pd.Index[Any]]], str | None]:
    """Label and values of each level that is a column of the table, and a sentence about what is left out.

    Row numbers are no columns: a `RangeIndex`, or whole numbers without a name, which are what is left of one after
    rows were chosen. Nothing is said of these, unless they have a name.

    Whether row numbers are a `RangeIndex`, and of what dtype an index is, hangs on its rows: one row less makes whole
    numbers of the former. In a ``private`` fit the names alone decide.
    """
    if private and not isinstance(index, pd.MultiIndex):
        return [] if index.name is None else [(index.name, index)], None
    if isinstance(index, pd.RangeIndex):
        return [], numbered_notice(index.name)
    if all(name is not None for name in index.names):
        return [(name, index.get_level_values(level)) for level, name in enumerate(index.names)], None
    if isinstance(index, pd.MultiIndex):
        n_unnamed = sum(name is None for name in index.names)
        levels = "level has" if n_unnamed == 1 else "levels have"
        return [], (
            f"the index, of whose {index.nlevels} levels {n_unnamed} {levels} no name, is not part of the table: name "
            "all levels (rename_axis) to have them modelled"
        )
    if pd.api.types.is_integer_dtype(index.dtype):
        return [], None
    return [], f"the index, of the dtype {index.dtype} and without a name, {_ADVICE}, or give it a name (rename_axis)"


def numbered_notice(name: Hashable) -> str | None:
    """The sentence about row numbers that have a name; None for those without."""
    return None if name is None else f"the index {str(name)!r} only numbers the rows and {_ADVICE}"


def with_index(frame: pd.DataFrame, labels: list[Any]) -> pd.DataFrame:
    """``frame`` with its last columns as index levels called ``labels``."""
    n_columns = frame.shape[1] - len(labels)
    levels = [pd.Index(frame.iloc[:, n_columns + place]) for place in range(len(labels))]
    made = frame.iloc[:, :n_columns]
    made.index = levels[0].rename(labels[0]) if len(labels) == 1 else pd.MultiIndex.from_arrays(levels, names=labels)
    return made


def flat(frame: pd.DataFrame) -> pd.DataFrame:
    """``frame`` with the levels of its index that are columns of the table behind its own columns, rows numbered."""
    levels, _ = index_levels(frame.index)
    if not levels:
        return frame
    columns = [frame.iloc[:, place].array for place in range(frame.shape[1])] + [level.array for _, level in levels]
    made = pd.DataFrame(dict(enumerate(columns)))
    made.columns = pd.Index([*frame.columns, *(label for label, _ in levels)], tupleize_cols=False)
    return made

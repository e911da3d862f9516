"""scikit-learn's ``fit(X, y)``: the target given apart becomes the table's last column."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from synthgan.errors import DataError, SettingsError

UNNAMED = "target"
"""What a target without a name is called."""


def with_target(data: Any, y: Any, target: str | None, *, private: bool = False) -> tuple[Any, str | None]:
    """The table with ``y`` as its last column, and the name of the target column.

    Args:
        data: the table; a DataFrame where there is a ``y``.
        y: one value per row, in the order of the rows: a Series, an array, a list, or a frame or array of one column.
            None for a table that holds its target, or has none.
        target: the name asked for, which ``y`` must have then; None for the name of ``y``, or ``"target"``.
        private: whether to leave out of messages how many rows there are.

    Raises:
        SettingsError: when ``data`` is no DataFrame, or ``target`` names another column.
        DataError: when ``y`` does not fit the table.
    """
    if y is None:
        return data, target
    if not isinstance(data, pd.DataFrame):
        raise SettingsError(
            f"y goes with a DataFrame, and the table is a {type(data).__name__}: leave y out and name the column that "
            "is to be predicted with target=."
        )
    values = _one_column(y, private=private)
    if len(values) != len(data):
        counts = (
            "another length than the table" if private else f"{len(values):,} values and the table {len(data):,} rows"
        )
        raise DataError(f"y has {counts}: give one value per row")
    if not values.index.equals(data.index) and _same_labels(values.index, data.index):
        raise DataError(
            "y has the index of the table in another order, and values are taken by their places: sort one like the "
            "other, as with y.loc[X.index]"
        )
    name = values.name if values.name is not None else target if target is not None else UNNAMED
    if target is not None and str(name) != target:
        raise SettingsError(f"target names {target!r} and y is called {str(name)!r}: leave one of the two out.")
    if str(name) in {str(label) for label in (*data.columns, *data.index.names)}:
        raise DataError(f"y is called {str(name)!r}, as is a column of the table: rename one, or leave y out")
    table = data.copy(deep=False)
    table.columns = pd.Index([*data.columns], tupleize_cols=False)
    table[name] = values.array
    return table, str(name)


def _one_column(y: Any, *, private: bool) -> pd.Series[Any]:
    """``y`` as a series, whose name is None where it has none."""
    if isinstance(y, pd.Series):
        return y
    if isinstance(y, pd.DataFrame) and y.shape[1] == 1:
        return y.iloc[:, 0]
    if isinstance(y, pd.Index | pd.api.extensions.ExtensionArray):
        return pd.Series(y, index=pd.RangeIndex(len(y)))
    if not isinstance(y, pd.DataFrame | str) and np.ndim(y) == 1:
        return pd.Series(y)
    if np.ndim(y) == 2 and np.shape(y)[1] == 1:
        return pd.Series(np.asarray(y)[:, 0])
    shape = "of another shape" if private else "x".join(map(str, np.shape(y))) or "a single value"
    raise DataError(
        f"y must be one value per row, and is {shape}: name several targets as columns of the table instead"
    )


def _same_labels(index: pd.Index[Any], other: pd.Index[Any]) -> bool:
    numbered = isinstance(index, pd.RangeIndex)  # of an array, or made anew: the places are meant
    return bool(not numbered and index.is_unique and other.is_unique and index.isin(other).all())

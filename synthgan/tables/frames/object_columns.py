"""Columns of Python objects as text, cell by cell, so that no cell decides how another one is read."""

from __future__ import annotations

import math
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa

from synthgan.errors import DataError
from synthgan.tables.arrow_types import is_text
from synthgan.tables.reading.reading import Reading

_MOST_EXPONENT = 400
"""Of a decimal number that is written out; beyond it stands for nothing that a column can hold."""


def declared_series(series: pd.Series[Any], name: str, reading: Reading) -> pd.Series[Any]:
    """A column whose type no cell decides: objects as text, from which their declared type is read later.

    In a private fit that is every column of objects, besides all that Arrow or pandas might refuse because of a cell.
    Other columns are returned as they are.

    Raises:
        DataError: when the reading is not private and some cells are no plain values.
    """
    dtype: Any = series.dtype
    declared = reading.types.get(name)
    kind = reading.type_of_text(name)
    digits = bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))
    if dtype == np.dtype(object) and (reading.private or declared is not None):
        text = object_text(series, digits=digits)
        lost = text.null_count - int(series.isna().sum())
        if lost and not reading.private:
            raise DataError(
                f"column {name!r} holds {lost:,} objects that are no plain values, and is declared "
                f"{reading.types[name]}: convert the column, or drop it"
            )
        return _arrow_backed(text)
    if not reading.private:
        return series
    if isinstance(dtype, pd.CategoricalDtype):
        held: Any = dtype.categories.dtype
        plain = not isinstance(held, pd.IntervalDtype | pd.PeriodDtype)
        as_text = held == np.dtype(object) or isinstance(held, pd.StringDtype) or (declared is not None and plain)
        return _text_categories(series, digits=digits) if as_text else series
    series = _private_series(series)
    return _distinct_text(series) if declared is not None and is_text(declared) else series


def _private_series(series: pd.Series[Any]) -> pd.Series[Any]:
    dtype: Any = series.dtype
    if isinstance(dtype, pd.StringDtype):
        return _arrow_backed(object_text(series))
    if isinstance(dtype, pd.PeriodDtype):
        return _starts(series)
    if isinstance(dtype, pd.SparseDtype):
        dense = pd.Series(np.asarray(series))
        return _arrow_backed(object_text(dense)) if dense.dtype == np.dtype(object) else dense
    if isinstance(dtype, np.dtype) and dtype.kind == "f" and dtype.itemsize > np.dtype(np.float64).itemsize:
        with np.errstate(over="ignore"):
            return series.astype("float64")
    return series


def _arrow_backed(values: pa.Array) -> pd.Series[Any]:
    return pd.Series(pd.arrays.ArrowExtensionArray(values))


def _starts(series: pd.Series[Any]) -> pd.Series[Any]:
    """The start of each period; one that lies beyond what a timestamp holds is missing."""
    codes, periods = pd.factorize(series)
    starts: list[datetime | None] = []
    for period in periods:
        start = None
        with suppress(ValueError, OverflowError):
            start = period.start_time.as_unit("us").to_pydatetime()
        starts.append(start)
    return _arrow_backed(pa.array(starts, pa.timestamp("us")).take(pa.array(codes, mask=codes < 0)))


def _distinct_text(series: pd.Series[Any]) -> pd.Series[Any]:
    """A column of whatever dtype as text, as if it had been one of objects: which of both, an odd cell may decide."""
    codes, values = pd.factorize(series)
    text = object_text(pd.Series(values).astype(object))
    return _arrow_backed(text.take(pa.array(codes, mask=codes < 0)))


def _text_categories(series: pd.Series[Any], *, digits: bool) -> pd.Series[Any]:
    """A categorical with its categories as text."""
    texts = object_text(pd.Series(series.cat.categories, dtype=object), digits=digits).to_pylist()
    names = list(dict.fromkeys(text for text in texts if text is not None))
    place = {text: position for position, text in enumerate(names)} | {None: -1}
    places = np.array([*(place[text] for text in texts), -1])
    codes = places[series.cat.codes.to_numpy()]
    categories = pd.Index(names, dtype=pd.ArrowDtype(pa.string()))  # of objects, none of them would have no type
    return pd.Series(pd.Categorical.from_codes(codes, categories=categories, ordered=series.cat.ordered))


def object_text(series: pd.Series[Any], *, digits: bool = False) -> pa.Array:
    """How the cells of a column are written; an object that is no plain value is missing.

    Numbers are written in full, whole floats as whole numbers, times in ISO 8601, durations as pandas prints them. Half
    surrogate pairs, which no file can store, are written as escapes.

    Args:
        series: the column.
        digits: whether truth values are 1 and 0, as those of a column of truth values that is declared as numbers.
    """
    with suppress(pa.ArrowException, UnicodeError, ValueError, TypeError):
        plain = pa.array(series, pa.string(), from_pandas=True)  # text and missing cells only
        if isinstance(plain, pa.Array):
            return plain
    cells: Any = series.astype(object)
    if digits:
        cells = [int(cell) if isinstance(cell, bool | np.bool_) else cell for cell in cells]
    return pa.array([cell_text(cell) for cell in cells], pa.string())


def cell_text(cell: Any) -> str | None:
    """One cell as text, None for a missing one."""
    try:
        return None if _is_missing(cell) else _written(cell)
    except Exception:  # whatever an object does when it is asked, only its own cell is missing
        return None


def _is_missing(cell: Any) -> bool:
    return cell is None or (not isinstance(cell, str) and pd.api.types.is_scalar(cell) and bool(pd.isna(cell)))


def _written(cell: Any) -> str | None:
    if isinstance(cell, np.generic) and not isinstance(cell, np.datetime64 | np.timedelta64):
        cell = cell.item()
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "backslashreplace")
    if isinstance(cell, str):
        return str.encode(cell, "utf-8", "backslashreplace").decode("utf-8")  # an Enum's own value, not its name
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, int | float):
        return str(int(cell)) if isinstance(cell, int) or (math.isfinite(cell) and cell.is_integer()) else repr(cell)
    if isinstance(cell, Decimal):
        return f"{cell:f}" if cell.is_finite() and abs(cell.adjusted()) < _MOST_EXPONENT else None
    if isinstance(cell, np.datetime64):
        return str(np.datetime_as_string(cell))
    if isinstance(cell, date | datetime | time):
        return cell.isoformat()
    if isinstance(cell, timedelta | np.timedelta64):
        return str(pd.Timedelta(cell))
    return str(cell) if isinstance(cell, UUID | pd.Period | pd.Interval) else None

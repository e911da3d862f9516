"""Categories of pandas categoricals: out of a frame, and around coded values again."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from synthgan.tables.arrow_types import from_physical, parse_type, value_type
from synthgan.tables.pandas_dtypes import INTERVAL, PERIOD, parse_dtype
from synthgan.tables.schema.schema import ColumnSchema, Levels


def plain_categories(series: pd.Series[Any]) -> pd.Series[Any]:
    """Categories that Arrow has no type for (intervals, periods) become text."""
    categories = series.cat.categories
    if isinstance(categories.dtype, pd.IntervalDtype | pd.PeriodDtype):
        return series.cat.rename_categories([str(category) for category in categories])
    return series


def category_text(value: pd.Interval[Any] | pd.Period, text: str) -> str | None:
    """What stands for an interval or period among categories of the dtype ``text``; None when it is of another kind."""
    if isinstance(value, pd.Period):
        return str(value) if text == f"{PERIOD}{value.freqstr}]" else None
    if not text.startswith(INTERVAL):
        return None
    dtype: Any = pd.api.types.pandas_dtype(text)
    if value.closed != dtype.closed:
        return None
    return str(pd.arrays.IntervalArray.from_tuples([(value.left, value.right)], closed=value.closed, dtype=dtype)[0])


def against_levels(
    values: pa.ChunkedArray, levels: Levels | None
) -> tuple[npt.NDArray[np.int64], list[Any], list[Any]]:
    """Codes of ``values`` (-1 for missing), the levels with those that only the values have behind, and the latter."""
    plain = values.cast(values.type.value_type) if pa.types.is_dictionary(values.type) else values
    encoded = plain.combine_chunks().dictionary_encode()
    found = encoded.dictionary.to_pylist()
    categories = list(levels.values) if levels is not None else []
    known = set(categories)
    extra = [value for value in found if value not in known]
    categories += extra if levels is not None else sorted(extra)
    place = {value: position for position, value in enumerate(categories)}
    places = np.array([place[value] for value in found] + [-1])  # the last one is for missing cells
    codes = places[encoded.indices.fill_null(len(found)).to_numpy(zero_copy_only=False)]
    return codes.astype(np.int64), categories, extra


def categorical(values: pa.ChunkedArray, column: ColumnSchema) -> pd.Series[Any]:
    """A categorical of the schema's levels; values outside them (``<other>``) become categories only when used."""
    levels = column.levels
    codes, categories, extra = against_levels(values, levels)
    stored = None if column.stored_type is None else value_type(parse_type(column.stored_type))
    if stored is not None and stored != value_type(values.type):
        plain = pa.chunked_array([pa.array(categories, value_type(values.type))])
        categories = from_physical(plain, stored).to_pylist()
    if levels is not None and levels.pandas_dtype is not None and not extra:
        index = _category_index(categories, levels.pandas_dtype)
    else:
        index = pd.Index(categories)
    ordered = levels is not None and levels.ordered
    return pd.Series(pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(index, ordered=ordered)))


def _category_index(categories: list[Any], text: str) -> pd.Index[Any]:
    if text.startswith(INTERVAL):
        dtype: Any = pd.api.types.pandas_dtype(text)
        ends = [category.strip("[]()").split(", ") for category in categories]
        # Not astype: pandas before 2.2 leaves midnight out of the text, and would want one format of all.
        left, right = (pd.Index([end[side] for end in ends], dtype=dtype.subtype) for side in (0, 1))
        return pd.IntervalIndex.from_arrays(left, right, closed=dtype.closed)
    if text.startswith(PERIOD):
        return pd.PeriodIndex(categories, dtype=text)
    index: pd.Index[Any] = pd.Index(categories, dtype=parse_dtype(text))
    return index

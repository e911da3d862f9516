"""pandas dtypes as text and back.

The text is ``str(dtype)``, except that a string dtype names its storage (``string[python]``, ``string[pyarrow]``;
``str``, or ``str[python]`` where that is not the storage it would have by itself) and an Arrow-backed dtype is
``ArrowDtype(int64)``, because pandas prints an Arrow-backed string and a string stored by Arrow alike. A sparse dtype
names what it leaves out, and one with a time zone the library behind the zone, where pandas would not choose the same.
"""

from __future__ import annotations

import ast
import re
from typing import Any

import numpy as np
import pandas as pd

from synthgan.tables.arrow_types import parse_type
from synthgan.tables.pandas_zones import parse_zoned, zoned_text

INTERVAL, PERIOD, ARROW = "interval[", "period[", "ArrowDtype("
"""How the texts of some dtypes start."""

_SPARSE = re.compile(r"Sparse\[([^,]+), (.*)\]", re.DOTALL)


def dtype_text(dtype: Any) -> str:
    """A pandas dtype as the text that `parse_dtype` understands."""
    if isinstance(dtype, pd.ArrowDtype):
        return f"{ARROW}{dtype.pyarrow_dtype})"
    if isinstance(dtype, pd.StringDtype):
        if dtype.na_value is pd.NA:
            return f"string[{dtype.storage}]"
        return "str" if dtype.storage == parse_dtype("str").storage else f"str[{dtype.storage}]"
    if isinstance(dtype, pd.SparseDtype):
        return _sparse_text(dtype)
    return zoned_text(dtype) if isinstance(dtype, pd.DatetimeTZDtype) else str(dtype)


def parse_dtype(text: str) -> Any:
    """The dtype behind the text of `dtype_text`; object for ``str`` where this pandas has no such dtype."""
    if text.startswith(ARROW):
        return pd.ArrowDtype(parse_type(text.removeprefix(ARROW).removesuffix(")")))
    if text == "str" or text.startswith("str["):
        try:
            return pd.StringDtype(text[4:-1] or None, na_value=np.nan)
        except TypeError:  # pandas before 2.3
            return np.dtype(object)
    if text.startswith("string["):
        return pd.StringDtype(text.removeprefix("string[").removesuffix("]"))
    if match := _SPARSE.fullmatch(text):
        subtype = np.dtype(match[1])
        return pd.SparseDtype(subtype, _fill_value(match[2], subtype))
    return parse_zoned(text)


def _sparse_text(dtype: pd.SparseDtype) -> str:
    """As pandas prints it, whichever scalar stands for what is left out."""
    fill: Any = dtype.fill_value
    if pd.api.types.is_scalar(fill) and pd.isna(fill):
        return f"Sparse[{dtype.subtype}, {'NaT' if fill is pd.NaT else 'nan'}]"
    return f"Sparse[{dtype.subtype}, {fill.item() if isinstance(fill, np.generic) else fill!r}]"


def _fill_value(text: str, subtype: np.dtype[Any]) -> Any:
    """What a sparse column leaves out, from the text of its dtype."""
    if text in ("nan", "NaT"):
        return np.nan if text == "nan" else pd.NaT
    if subtype.kind in "mM":
        return subtype.type(text)
    return ast.literal_eval(text)

"""pandas dtypes as text and back.

The text is ``str(dtype)``, except that a string dtype names its storage (``string[python]``, ``string[pyarrow]``,
``str``) and an Arrow-backed dtype is ``ArrowDtype(int64)``, because pandas prints an Arrow-backed string and a string
stored by Arrow alike.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from synthgan.tables.arrow_types import parse_type

INTERVAL, PERIOD, ARROW = "interval[", "period[", "ArrowDtype("
"""How the texts of some dtypes start."""


def dtype_text(dtype: Any) -> str:
    """A pandas dtype as the text that `parse_dtype` understands."""
    if isinstance(dtype, pd.ArrowDtype):
        return f"{ARROW}{dtype.pyarrow_dtype})"
    if isinstance(dtype, pd.StringDtype):
        return f"string[{dtype.storage}]" if dtype.na_value is pd.NA else "str"
    return str(dtype)


def parse_dtype(text: str) -> Any:
    """The dtype behind the text of `dtype_text`; object for ``str`` where this pandas has no such dtype."""
    if text.startswith(ARROW):
        return pd.ArrowDtype(parse_type(text.removeprefix(ARROW).removesuffix(")")))
    if text == "str":
        try:
            return pd.StringDtype(na_value=np.nan)
        except TypeError:  # pandas before 2.3
            return np.dtype(object)
    if text.startswith("string["):
        return pd.StringDtype(text.removeprefix("string[").removesuffix("]"))
    return pd.api.types.pandas_dtype(text)

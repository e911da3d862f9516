"""pandas dtypes as text and back, and what pandas noted of them in an Arrow schema.

The text is ``str(dtype)``, except that a string dtype names its storage (``string[python]``, ``string[pyarrow]``;
``str``, or ``str[python]`` where that is not the storage it would have by itself) and an Arrow-backed dtype is
``ArrowDtype(int64)``, because pandas prints an Arrow-backed string and a string stored by Arrow alike. A sparse dtype
names what it leaves out, and one with a time zone the library behind the zone, where pandas would not choose the same.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from synthgan.errors import DataError
from synthgan.tables.arrow_types import parse_type
from synthgan.tables.frame_index import index_levels, numbered_notice
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Noted:
    """What pandas noted in an Arrow schema.

    Attributes:
        pandas_dtypes: field -> dtype as text.
        labels: field -> label, where that is not a string.
        index: fields that are levels of the index.
        left_out: fields that hold an index without a name, and are no columns of the table.
        notices: what to say about the index.
    """

    pandas_dtypes: dict[str, str] = field(default_factory=dict)
    labels: dict[str, Hashable] = field(default_factory=dict)
    index: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()


def noted_by_pandas(schema: pa.Schema, description: str) -> Noted:
    """Read pandas' notes.

    Args:
        schema: of the whole table.
        description: the source in words, for messages.

    Raises:
        DataError: when the notes contradict each other or the schema.
    """
    if b"pandas" not in (schema.metadata or {}):
        return Noted()
    try:
        return _read_notes(schema)
    except DataError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, pa.ArrowException):
        raise DataError(
            f"{description} carries notes by pandas on its columns that are damaged or belong to another table: write "
            "it again with pandas, or without these notes"
        ) from None


def _read_notes(schema: pa.Schema) -> Noted:
    empty = schema.empty_table().to_pandas()
    noted = [(str(label), label, dtype) for label, dtype in empty.dtypes.items() if str(label) in schema.names]
    stored = schema.pandas_metadata.get("index_columns", [])
    fields = [name for name in stored if isinstance(name, str) and name in schema.names]
    numbered = [level.get("name") for level in stored if isinstance(level, dict)]
    levels, notice = index_levels(empty.index) if fields else ([], numbered_notice(numbered[0]) if numbered else None)
    if levels:
        for name, (label, level) in zip(fields, levels, strict=True):
            # pandas renames the field, not the level, where a column has its name.
            noted.append((name, label, _level_dtype(schema.pandas_metadata, name, level.dtype)))
    labels = {name: label for name, label, _ in noted if not isinstance(label, str)}
    clashing = [str(label) for name, label, _ in noted if str(label) != name]
    if clashing:
        raise DataError(
            f"the index and a column are both called {clashing[0]!r}: names must differ, so rename one of them"
        )
    return Noted(
        pandas_dtypes={name: dtype_text(dtype) for name, _, dtype in noted},
        labels=labels,
        index=tuple(fields) if levels else (),
        left_out=() if levels else tuple(fields),
        notices=() if notice is None else (notice,),
    )


def _level_dtype(notes: dict[str, Any], name: str, dtype: Any) -> Any:
    """The dtype of an index level, which Arrow restores without heeding that it was a nullable one."""
    text = next((str(column.get("numpy_type")) for column in notes["columns"] if column.get("field_name") == name), "")
    is_nullable = re.fullmatch(r"U?Int\d+|Float\d+|boolean", text)
    return pd.api.types.pandas_dtype(text) if is_nullable else dtype

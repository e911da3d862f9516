"""What pandas writes into a file about the columns of a DataFrame: their dtypes, labels that are no text, the index."""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import pyarrow as pa

from synthgan.errors import DataError
from synthgan.tables.frames.frame_index import index_levels, numbered_notice
from synthgan.tables.pandas_dtypes import dtype_text
from synthgan.warned import warn


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


def noted_by_pandas(schema: pa.Schema) -> Noted:
    """Read pandas' notes in the schema of a whole table; damaged ones are left out, with a warning.

    Raises:
        DataError: when they say that the index and a column have one name.
    """
    if b"pandas" not in (schema.metadata or {}):
        return Noted()
    try:
        return _read_notes(schema)
    except DataError:
        raise
    except Exception:  # what another program wrote there may break pandas in any way
        warn(
            "what pandas noted in the file about its columns is damaged and was not used: rows come out with plain "
            "dtypes and the column names as text"
        )
        return Noted()


def _read_notes(schema: pa.Schema) -> Noted:
    empty = schema.empty_table().to_pandas()
    names = frozenset(schema.names)
    noted = [(str(label), label, dtype) for label, dtype in empty.dtypes.items() if str(label) in names]
    stored = schema.pandas_metadata.get("index_columns", [])
    fields = [name for name in stored if isinstance(name, str) and name in names]
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

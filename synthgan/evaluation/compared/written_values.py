"""Columns of text compared as the numbers and times that are written in them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import pandas as pd
import pyarrow as pa

from synthgan.tables.arrow_types import is_text
from synthgan.tables.kind_guesses import count_values, guess_kind
from synthgan.tables.schema.schema import TableSchema
from synthgan.tables.schema.schema_file import declaration_of
from synthgan.tables.written import parse_format


def read_written(
    frames: Mapping[str, pd.DataFrame],
    schema: TableSchema | Mapping[str, Any] | str | os.PathLike[str] | None,
) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """The frames with values in place of texts that have one written format.

    The format is the one that the schema states; where it says nothing of a column, the one that all cells of the real
    table have. Cells of other tables that are not written so are missing.

    Args:
        frames: tables with the same columns by what they are; the one called "real" decides.
        schema: what the columns are, None for nothing.

    Returns:
        The frames, and a note for each column and table with cells that are not written so.
    """
    facts = {} if schema is None else {name: each.facts for name, each in declaration_of(schema).columns.items()}
    read = {name: frame.copy(deep=False) for name, frame in frames.items()}
    notes: list[str] = []
    for label in frames["real"].columns:
        pattern = _pattern(frames["real"][label], str(label), facts.get(str(label), {}))
        if pattern is None:
            continue
        form = parse_format(pattern)
        for table, frame in read.items():
            texts = _texts(frame[label]) if label in frame.columns else None
            if texts is None:
                continue
            values = form.to_values(texts)
            if lost := values.null_count - texts.null_count:
                notes.append(
                    f"Column '{label}' of the {table} table has {lost:,} cells that are not written as '{pattern}'; "
                    "they count as missing."
                )
            frame[label] = pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([values])), index=frame.index)
    return read, notes


def _pattern(series: Any, name: str, facts: Mapping[str, Any]) -> str | None:
    if "written" in facts:
        return str(facts["written"])
    if "kind" in facts or "levels" in facts or not isinstance(series, pd.Series):
        return None
    texts = _texts(series)
    if texts is None or texts.null_count == len(texts):
        return None
    return guess_kind(count_values(name, pa.chunked_array([texts]))).written


def _texts(series: Any) -> pa.Array | None:
    """A column of text as Arrow has it, None for any other."""
    if not isinstance(series, pd.Series) or isinstance(series.dtype, pd.CategoricalDtype):
        return None
    if pd.api.types.is_object_dtype(series.dtype) and pd.api.types.infer_dtype(series, skipna=True) != "string":
        return None
    if not (pd.api.types.is_object_dtype(series.dtype) or pd.api.types.is_string_dtype(series.dtype)):
        return None
    try:
        array = pa.array(series, from_pandas=True)
    except (pa.ArrowException, ValueError, TypeError):
        return None
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    return array if is_text(array.type) else None

"""Several columns' values as one text per row, and back: how a combination of columns becomes a categorical.

The text is a JSON list with one string, or null, per column.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from synthgan.tables.arrow_types import is_text


def join_columns(columns: Sequence[pa.Array]) -> pa.DictionaryArray:
    """One text per row; work in Python is per distinct combination, not per row."""
    n_rows = len(columns[0])
    texts: list[list[str | None]] = []
    rows: npt.NDArray[np.int64] = np.zeros(n_rows, dtype=np.int64)
    combinations: npt.NDArray[np.int64] = np.zeros((min(1, n_rows), 0), dtype=np.int64)
    for column in columns:
        encoded = column.dictionary_encode(null_encoding="encode")
        texts.append(_texts(encoded.dictionary))
        codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        # Only combinations that occur are numbered, so that many columns do not overflow.
        pairs, first, rows = np.unique(rows * max(1, len(texts[-1])) + codes, return_index=True, return_inverse=True)
        parents = pairs // max(1, len(texts[-1]))
        combinations = np.column_stack([combinations[parents], codes[first]])
    joined = [
        json.dumps([texts[place][code] for place, code in enumerate(combination)], ensure_ascii=False)
        for combination in combinations.tolist()
    ]
    return pa.DictionaryArray.from_arrays(pa.array(rows.astype(np.int32)), pa.array(joined, pa.string()))


def split_texts(joined: pa.Array, types: Sequence[pa.DataType]) -> tuple[list[pa.Array], npt.NDArray[np.bool_]]:
    """The columns behind `join_columns`' texts.

    Returns:
        One array per column, null where the text is none of a combination; and ``(n_rows,)`` bool: it is one.
    """
    if not pat.is_dictionary(joined.type):
        joined = joined.dictionary_encode()
    read = [_read(text, len(types)) for text in joined.dictionary.to_pylist()]
    known = np.array([*(parts is not None for parts in read), False])
    places = pc.fill_null(joined.indices.cast(pa.int64()), len(read)).to_numpy(zero_copy_only=False)
    columns = []
    for place, held in enumerate(types):
        values = [None if parts is None else parts[place] for parts in read]
        columns.append(_values([*values, None], held).take(pa.array(places)))
    return columns, known[places]


def _texts(values: pa.Array) -> list[str | None]:
    held = values.type
    if is_text(held):
        plain: list[str | None] = values.to_pylist()
        return plain
    if pat.is_temporal(held) and not pat.is_date(held):
        values = values.cast(pa.int64())
    elif pat.is_date(held):
        values = values.cast(pa.int32())
    return [None if value is None else str(value) for value in values.to_pylist()]


def _read(text: str | None, n_columns: int) -> list[Any] | None:
    if text is None or not text.startswith("["):
        return None
    try:
        parts = json.loads(text)
    except ValueError:
        return None
    fits = isinstance(parts, list) and len(parts) == n_columns
    return parts if fits and all(part is None or isinstance(part, str) for part in parts) else None


def _values(texts: Sequence[str | None], held: pa.DataType) -> pa.Array:
    if is_text(held):
        return pa.array(texts, type=held)
    if pat.is_boolean(held):
        return pa.array([None if text is None else text == "True" for text in texts], type=held)
    if pat.is_floating(held):
        return pa.array([None if text is None else float(text) for text in texts], type=pa.float64()).cast(held)
    if pat.is_decimal(held):
        return pa.array([None if text is None else Decimal(text) for text in texts], type=held)
    whole = pa.int32() if pat.is_date(held) else pa.uint64() if pat.is_uint64(held) else pa.int64()
    return pa.array([None if text is None else int(text) for text in texts], type=whole).cast(held)

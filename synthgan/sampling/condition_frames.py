"""One synthetic row per row of a frame of conditions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from synthgan.errors import ConditionError
from synthgan.sampling.sampler import BATCH_ROWS, Sampler
from synthgan.tables.codec import CodeCondition
from synthgan.tables.conditions.predicates import parse_conditions
from synthgan.tables.schema.schema import TableSchema


def conditioned_rows(
    sampler: Sampler, frame: pd.DataFrame, schema: TableSchema, n_rows: int | None
) -> Iterator[pa.Table]:
    """Synthetic rows in the order of ``frame``, each equal to its row there in the frame's columns.

    Rows that ask for the same are drawn together. Memory is bounded by one batch of the frame at a time.

    Raises:
        ConditionError: when the frame is unusable or a row of it cannot be met.
    """
    if not isinstance(frame, pd.DataFrame):
        raise ConditionError(f"conditions must be a mapping or a DataFrame, got {type(frame).__name__}.")
    if n_rows is not None and n_rows != len(frame):
        raise ConditionError(
            f"a frame of conditions gives one row per row: it has {len(frame)} rows but n_rows is {n_rows}; "
            "leave n_rows out."
        )
    if frame.empty or not frame.columns.is_unique:
        raise ConditionError("the frame of conditions needs at least one row and one column, and unique column names.")
    groups, firsts = _distinct(frame)
    # All are checked before any row is drawn.
    rules = [_rule(sampler, frame, first, schema) for first in firsts]
    for start in range(0, len(frame), BATCH_ROWS):
        of_batch = groups[start : start + BATCH_ROWS]
        order = np.argsort(of_batch, kind="stable")
        present, counts = np.unique(of_batch, return_counts=True)
        parts = [
            table
            for group, count in zip(present, counts, strict=True)
            for table in sampler.batches(int(count), rules[group])
        ]
        back = np.empty(len(order), dtype=np.int64)
        back[order] = np.arange(len(order))
        yield pa.concat_tables(parts).take(pa.array(back))


def _rule(sampler: Sampler, frame: pd.DataFrame, position: int, schema: TableSchema) -> CodeCondition:
    try:
        return sampler.compile(parse_conditions(_row(frame, position), schema))
    except ConditionError as error:
        raise ConditionError(f"row {position} of the frame of conditions (counted from 0): {error}") from None


def _distinct(frame: pd.DataFrame) -> tuple[np.ndarray[Any, Any], list[int]]:
    """Group number of each row, and the first row of each group."""
    narrow = [label for label, dtype in frame.dtypes.items() if dtype == np.float16]
    frame = frame.astype(dict.fromkeys(narrow, np.float32)) if narrow else frame  # pandas groups by wider floats only
    try:
        groups = frame.groupby(list(frame.columns), dropna=False, sort=False, observed=True).ngroup().to_numpy()
    except TypeError:
        raise ConditionError(
            "a cell of the frame of conditions holds a list or a set; expected single values, (low, high) pairs or "
            "missing: give sets as a mapping instead"
        ) from None
    return groups, np.unique(groups, return_index=True)[1].tolist()


def _row(frame: pd.DataFrame, position: int) -> dict[Any, Any]:
    return {label: _scalar(frame[label].iloc[position]) for label in frame.columns}


def _scalar(value: Any) -> Any:
    """Anything missing as None."""
    return None if pd.api.types.is_scalar(value) and pd.isna(value) else value

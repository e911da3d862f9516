"""A holdout drawn unit by unit: each row, or each person with all rows, by a keyed hash of what it is.

Nobody without the key can tell which units were held out, and each unit's draw depends on that unit and the key alone:
of two tables that differ by a unit, all other units fall on the same side. Equal rows share their draw, so none of them
is in the training rows and in the holdout at once. Rows without a person, where persons are the units, are in neither.

What is hashed are values in Arrow's types. A number that one file holds as an integer and another as a float, or a date
that is text in a CSV file, is another value: the same table saved in another format may be split otherwise.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as pat
from pandas.util import hash_array

from synthgan.errors import SchemaError, did_you_mean
from synthgan.tables.arrow_types import is_text, value_type
from synthgan.tables.sources.batches import Source
from synthgan.tables.sources.derived_source import ChosenRows

KEY_BYTES = 16

_MISSING = np.uint64(0x9AE16A3B2F90404F)
_FACTOR = np.uint64(0x9E3779B97F4A7C15)

Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Division:
    """A table in two.

    Attributes:
        training: the rows to fit.
        holdout: those that are held out.
        content: keyed hash of column names and all rows in order, in hex.
        sides: keyed hash of the share, the unit, and which rows were held out, in hex.
        n_rows: number of all rows.
    """

    training: ChosenRows
    holdout: ChosenRows
    content: str
    sides: str
    n_rows: int


def divide(source: Source, share: float, *, key: bytes, unit: str | None = None) -> Division:
    """Hold out about ``share`` of the units, in one pass over all columns.

    Args:
        source: the table.
        share: each unit's probability of being held out, in [0, 1).
        key: `KEY_BYTES` bytes that decide, from the operating system's entropy; the same key gives the same rows.
        unit: the column whose values name persons, each with all rows on one side; None when each row is a unit.

    Raises:
        SchemaError: when the source has no column ``unit``, or it is one of floats.
    """
    if unit is not None:
        check_unit_column(source, unit)
    content = hashlib.blake2b(json.dumps(source.names).encode(), key=key, digest_size=32)
    limit, held_out, nobodys = np.uint64(int(share * 2**64)), [np.zeros(0, dtype=bool)], [np.zeros(0, dtype=bool)]
    for batch in source.batches():
        drawn = _keyed(_row_hashes(batch), key)
        content.update(drawn.astype("<u8").tobytes())
        if unit is not None:
            column = batch.column(source.names.index(unit))
            drawn = _keyed(_cell_hashes(column), key)
            nobodys.append(_is_missing(column))
        held_out.append(drawn < limit)
    chosen = np.concatenate(held_out)
    used = ~np.concatenate(nobodys) if unit is not None else np.ones(len(chosen), dtype=bool)
    training, holdout = used & ~chosen, used & chosen
    sides = hashlib.blake2b(json.dumps([float(share), unit, len(chosen)]).encode(), key=key, digest_size=32)
    sides.update(np.packbits(holdout).tobytes())
    return Division(
        training=ChosenRows(source, training),
        holdout=ChosenRows(source, holdout),
        content=content.hexdigest(),
        sides=sides.hexdigest(),
        n_rows=len(chosen),
    )


def check_unit_column(source: Source, unit: str) -> None:
    """Raise unless there is such a column, and its type can name persons.

    Raises:
        SchemaError: when the source has no column ``unit``, or it is one of floats.
    """
    if unit not in source.names:
        hint = did_you_mean(unit, source.names) or f"; it has {len(source.names)} columns"
        raise SchemaError(f"the unit column {unit!r} is not in {source.description}{hint}")
    held = value_type(source.arrow_schema.field(unit).type)
    if pat.is_floating(held):
        raise SchemaError(
            f"the unit column {unit!r} is of the type {held}, and floats cannot name persons: large numbers that "
            "differ become one, and pandas makes floats of whole numbers as soon as one is missing; convert the column "
            'to whole numbers or text (in pandas when it is read, by dtype={...: "Int64"} or str)'
        )


def _keyed(hashes: Hashes, key: bytes) -> Hashes:
    """SipHash of each 64-bit word; pandas takes the key as text."""
    words = hashes.astype("<u8").view("S8").astype(object)
    return hash_array(words, encoding="latin-1", hash_key=key.decode("latin-1"), categorize=False)


def _row_hashes(batch: pa.RecordBatch) -> Hashes:
    rows = np.zeros(batch.num_rows, dtype=np.uint64)
    for column in batch.columns:
        rows ^= _cell_hashes(column)
        rows *= _FACTOR
        rows ^= rows >> np.uint64(32)
    return rows


def _cell_hashes(column: pa.Array) -> Hashes:
    """Equal values of one type have equal hashes, whatever lies under missing cells."""
    if pat.is_dictionary(column.type):
        column = column.dictionary_decode()
    missing = _is_missing(column)
    hashes = np.full(len(column), _MISSING)
    if not missing.all():
        hashes[~missing] = _value_hashes(column.drop_null())
    return hashes


def _is_missing(column: pa.Array) -> npt.NDArray[np.bool_]:
    """Which cells have no value, in a dictionary by index or by entry."""
    missing: npt.NDArray[np.bool_] = column.is_null().to_numpy(zero_copy_only=False)
    return missing


def _value_hashes(values: pa.Array) -> Hashes:
    held = values.type
    if pat.is_decimal(held):
        values = values.cast(pa.string())
    if is_text(values.type):
        encoded = values.dictionary_encode()
        known = hash_array(encoded.dictionary.to_numpy(zero_copy_only=False), categorize=False)
        return known[encoded.indices.to_numpy(zero_copy_only=False)]
    if pat.is_floating(held):
        numbers = values.cast(pa.float64()).to_numpy(zero_copy_only=False) + 0.0  # -0.0 is 0.0
        return hash_array(np.where(np.isnan(numbers), np.nan, numbers), categorize=False)
    if pat.is_boolean(held):
        values = values.cast(pa.uint8())
    elif pat.is_temporal(held):
        values = values.cast(pa.int32() if held.bit_width == 32 else pa.int64())
    if not pat.is_uint64(held):
        values = values.cast(pa.int64())
    return hash_array(values.to_numpy(zero_copy_only=False).view(np.uint64), categorize=False)

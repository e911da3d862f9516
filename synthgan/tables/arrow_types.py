"""Which Arrow types synthgan works on, how others become those, and their names as text.

A column has two types. The *physical* type is the plain one that the codec and the rules see: booleans, integers,
floats, decimals, strings, dates, timestamps, durations, or a dictionary of these. The *stored* type is what the file
or frame held (half floats, times of day, UUIDs, string views); `restore_types` in `synthgan.tables.frames.frames`
goes back to it.
"""

from __future__ import annotations

import re
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from synthgan.errors import DataError, SchemaError
from synthgan.visible_text import shown

NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
"""Length of each Arrow time unit."""

DAY = 86_400 * NANOSECONDS["s"]
"""Nanoseconds of a day of the calendar."""

EXACT_FLOATS = 2**53
"""Whole numbers up to this size are exact as floats."""

DECIMAL256_DIGITS = 76
"""The most digits of a decimal type."""

_TIMESTAMP = re.compile(r"timestamp\[(s|ms|us|ns)(?:, tz=(.+))?\]")
_DECIMAL = re.compile(r"decimal(32|64|128|256)\((\d+), (-?\d+)\)")
_DICTIONARY = re.compile(r"dictionary<values=(.+), indices=(u?int\d+), ordered=([01])>")
_DECIMALS = {"32": "decimal32", "64": "decimal64", "128": "decimal128", "256": "decimal256"}
_DECIMAL128_DIGITS = 38
_ALIASES = {
    "halffloat": pa.float16(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string_view": pa.string_view(),
    "date32[day]": pa.date32(),
    "date64[ms]": pa.date64(),
}


def parse_type(text: str) -> pa.DataType:
    """The Arrow type whose ``str`` is ``text``.

    Raises:
        SchemaError: when ``text`` names no type that synthgan can read.
    """
    if text in _ALIASES:
        return _ALIASES[text]
    if text == "extension<arrow.uuid>":
        return pa.uuid()
    try:
        if match := _TIMESTAMP.fullmatch(text):
            if not is_known_zone(match[2]):
                raise SchemaError(f"the time zone {shown(match[2])} of the Arrow type {shown(text)} is not known here")
            return pa.timestamp(match[1], tz=match[2])
        if match := _DECIMAL.fullmatch(text):
            return getattr(pa, _DECIMALS[match[1]])(int(match[2]), int(match[3]))
        if match := _DICTIONARY.fullmatch(text):
            return pa.dictionary(parse_type(match[2]), parse_type(match[1]), ordered=match[3] == "1")
        return pa.type_for_alias(text)
    except SchemaError:
        raise
    except (ValueError, AttributeError, OverflowError, RecursionError, pa.ArrowException):
        raise SchemaError(
            f"unknown Arrow type {shown(text)}: write it as pyarrow prints it, like 'int64' or 'timestamp[us]'"
        ) from None


def is_restorable(data_type: pa.DataType) -> bool:
    """Whether the type can be remembered as text."""
    try:
        return bool(parse_type(str(data_type)) == data_type)
    except SchemaError:
        return False


def is_known_zone(name: str | None) -> bool:
    """Whether local times can be told in the time zone, both by Arrow and by pandas; None stands for no zone."""
    if name is None:
        return True
    try:
        pc.hour(pa.array([0], pa.timestamp("s", tz=name)))
        pd.Timestamp(0, tz=name)
    except Exception:  # each library has its own errors, some of them of no common kind
        return False
    return True


def is_text(data_type: pa.DataType) -> bool:
    """Whether the type is a plain string type."""
    return bool(
        pa.types.is_string(data_type) or pa.types.is_large_string(data_type) or pa.types.is_string_view(data_type)
    )


def value_type(data_type: pa.DataType) -> pa.DataType:
    """The type of the values: a dictionary's value type, else the type itself."""
    return data_type.value_type if pa.types.is_dictionary(data_type) else data_type


def stored_text(stored: pa.DataType, physical: pa.DataType) -> str | None:
    """The type that a file or frame holds as a schema notes it; None where the values are of the physical type.

    How wide a dictionary's index is would tell how many values there are, so it is 32 bits always.
    """
    if pa.types.is_dictionary(stored):
        return str(pa.dictionary(pa.int32(), stored.value_type, ordered=stored.ordered))
    return None if stored == value_type(physical) else str(stored)


def physical_type(data_type: pa.DataType, column: str) -> pa.DataType:
    """The plain type that a column of ``data_type`` is worked on as.

    Raises:
        DataError: for types that cannot be modelled (nested, binary, intervals of months); names the column.
    """
    types = pa.types
    if types.is_dictionary(data_type):
        return pa.dictionary(pa.int32(), physical_type(data_type.value_type, column), ordered=data_type.ordered)
    if types.is_run_end_encoded(data_type):
        return physical_type(data_type.value_type, column)
    if types.is_string_view(data_type) or data_type == pa.uuid():
        return pa.string()
    if types.is_float16(data_type):
        return pa.float32()
    if types.is_date64(data_type):
        return pa.date32()
    if types.is_time(data_type):
        return pa.duration(data_type.unit)
    if types.is_decimal(data_type):
        fits = data_type.precision <= _DECIMAL128_DIGITS
        return pa.decimal128(data_type.precision, data_type.scale) if fits else data_type
    if isinstance(data_type, pa.BaseExtensionType):
        return physical_type(data_type.storage_type, column)
    plain = (
        types.is_boolean, types.is_integer, types.is_floating, types.is_string, types.is_large_string,
        types.is_date, types.is_timestamp, types.is_duration, types.is_null,
    )  # fmt: skip
    if any(check(data_type) for check in plain):
        if types.is_timestamp(data_type) and not is_known_zone(data_type.tz):
            raise DataError(
                f"column {column!r} has the time zone {shown(data_type.tz)}, which is not known here: convert the "
                "column to UTC, or install the time zones of your system (the package tzdata)"
            )
        return data_type
    if types.is_nested(data_type):
        raise DataError(
            f"column {column!r} holds nested values ({_short(data_type)}): synthgan needs one plain value per cell; "
            f"flatten it into columns of its own or drop it"
        )
    raise DataError(
        f"column {column!r} has the type {_short(data_type)}, which synthgan cannot model: "
        f"convert it to text or numbers, or drop it"
    )


def is_utf8(text: pa.Array) -> bool:
    """Whether text, or a dictionary of it, can be read: Arrow takes the bytes of a file without a look at them."""
    plain = text.dictionary if pa.types.is_dictionary(text.type) else text
    try:
        plain.cast(pa.large_binary()).cast(pa.large_string())
    except pa.ArrowInvalid:
        return False
    return True


def _short(data_type: pa.DataType) -> str:
    text = str(data_type)
    return text.split("<", maxsplit=1)[0]


def to_physical(array: pa.Array, target: pa.DataType) -> pa.Array:
    """``array`` as its physical type ``target``; NaN becomes missing, as in every DataFrame."""
    if isinstance(array, pa.ExtensionArray):
        array = _uuid_text(array.storage) if array.type == pa.uuid() else array.storage
    if pa.types.is_run_end_encoded(array.type):
        array = pc.run_end_decode(array)
    if array.type != target:
        array = _convert(array, target)
    if pa.types.is_floating(target) and pc.any(pc.is_nan(array)).as_py():
        array = pc.if_else(pc.is_nan(array), pa.scalar(None, target), array)
    return array


def _convert(array: pa.Array, target: pa.DataType) -> pa.Array:
    if pa.types.is_dictionary(target) and not pa.types.is_dictionary(array.type):
        return _convert(array, target.value_type).dictionary_encode().cast(target)
    if pa.types.is_dictionary(target):
        values = to_physical(array.dictionary, target.value_type)
        if values.null_count:
            return values.take(array.indices).dictionary_encode().cast(target)
        return pa.DictionaryArray.from_arrays(array.indices.cast(pa.int32()), values, ordered=target.ordered)
    if pa.types.is_dictionary(array.type):
        return to_physical(array.dictionary_decode(), target)
    if pa.types.is_date64(array.type):
        return _days(array).cast(target)
    if pa.types.is_time(array.type):
        whole = array.cast(pa.int32() if pa.types.is_time32(array.type) else pa.int64())
        return whole.cast(pa.int64()).cast(target)
    return array.cast(target)


def _days(array: pa.Array) -> pa.Array:
    """The days of a date64, which may hold a time of day although it should not; missing where 32 bits do not do."""
    days = np.floor_divide(array.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False), 86_400_000)
    lost = array.is_null().to_numpy(zero_copy_only=False) | (np.abs(days) >= 2**31)
    return pa.array(np.where(lost, 0, days).astype(np.int32), mask=lost).cast(pa.date32())


def _uuid_text(storage: pa.Array) -> pa.Array:
    """Sixteen-byte values as text in the usual 8-4-4-4-12 form."""
    return pa.array([None if value is None else str(UUID(bytes=value)) for value in storage.to_pylist()], pa.string())


def roomy(array: pa.Array) -> pa.Array:
    """The array; decimals, whose type Arrow chose by the largest of them, with as many digits as their width holds.

    So the type, which stands in the schema, does not tell how long the longest value is.
    """
    if pa.types.is_decimal128(array.type):
        return array.cast(pa.decimal128(_DECIMAL128_DIGITS, array.type.scale))
    if pa.types.is_decimal256(array.type):
        return array.cast(pa.decimal256(DECIMAL256_DIGITS, array.type.scale))
    return array


def uuid_array(text: pa.Array) -> pa.Array:
    """Text in the usual form as Arrow UUIDs; the inverse of reading one as its physical type."""
    stored = [None if value is None else UUID(value).bytes for value in text.to_pylist()]
    return pa.ExtensionArray.from_storage(pa.uuid(), pa.array(stored, pa.binary(16)))


def from_physical(values: pa.ChunkedArray, target: pa.DataType) -> pa.ChunkedArray:
    """Plain values as the stored type that they were read from; the inverse of `to_physical`."""
    if values.type == target:
        return values
    if target == pa.uuid():
        return pa.chunked_array([uuid_array(chunk) for chunk in values.chunks], type=target)
    if pa.types.is_time(target) and not pa.types.is_time(values.type):
        whole = values.cast(pa.int64())
        return (whole.cast(pa.int32()) if pa.types.is_time32(target) else whole).cast(target)
    return values.cast(target)

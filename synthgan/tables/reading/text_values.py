"""Cells that are text, read as a declared type one by one: a cell that does not read as one is missing.

What becomes of a cell depends on that cell and the type alone, never on the cells beside it. Nothing raises: a private
fit must not say of any row that it cannot be read, and an exact one finds out by the cells that went missing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from synthgan.tables.arrow_types import NANOSECONDS, is_text, is_utf8, physical_type

_WHOLE = r"^[+-]?\d+(?:\.0*)?$"
_FLOAT = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$|^[+-]?(?i:inf|infinity)$"
_DECIMAL = r"^[+-]?(?:\d+\.?\d*|\.\d+)$"
_MOMENT = (
    r"^(?P<day>\d{4}-\d{2}-\d{2})(?:[T ](?P<clock>\d{1,2}:\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d+))?)?)?"
    r" ?(?P<zone>[Zz]|[+-]\d{2}(?::?\d{2})?)?$"
)
_CLOCK = r"^(?P<clock>\d{1,2}:\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d+))?)?$"
_SPAN = (
    r"^(?:(?P<days>[+-]?\d{1,9}) days?,? ?)?"
    r"(?:(?P<sign>[+-]?)(?P<hours>\d{1,9}):(?P<minutes>\d{2}):(?P<seconds>\d{2})(?:\.(?P<fraction>\d{1,9}))?)?$"
)
_MOST_DIGITS = 20
"""Of a number of 64 bits."""


def read_text(cells: pa.Array, kind: pa.DataType, *, decimal: str = ".", cut: bool = False) -> pa.Array:
    """``cells`` as the physical type of ``kind``.

    Args:
        cells: text, missing cells among it.
        kind: any type that synthgan can model, as a file would store it (times of day and UUIDs included).
        decimal: what stands before the decimals of a number.
        cut: whether digits beyond the unit of a time, and the time of day of a date, are left away; else such a cell
            is missing.
    """
    target = physical_type(kind, "read")
    if is_text(target):
        return cells.cast(target)
    if pat.is_null(target):
        return pa.nulls(len(cells))
    cells = pc.utf8_trim_whitespace(cells.cast(pa.string()))
    if pat.is_boolean(target):
        return _truth(cells)
    if pat.is_integer(target) or pat.is_floating(target) or pat.is_decimal(target):
        return _number(_with_points(cells, decimal), target)
    if pat.is_time(kind):
        return _time_of_day(cells, target, cut=cut)
    if pat.is_duration(target):
        return _span(cells, target, cut=cut)
    return _day(cells, cut=cut) if pat.is_date(target) else _moment(cells, target, cut=cut)


def each(convert: Callable[[pa.Array], pa.Array], values: pa.Array, target: pa.DataType) -> pa.Array:
    """``convert(values)``, in which the values that make it fail are missing; found by halving."""
    try:
        return convert(values)
    except pa.ArrowException:
        if len(values) <= 1:
            return pa.nulls(len(values), target)
        half = len(values) // 2
        return pa.concat_arrays([each(convert, values[:half], target), each(convert, values[half:], target)])


def cast_each(values: pa.Array, target: pa.DataType) -> pa.Array:
    """``values`` as ``target``; those that the type cannot hold are missing."""
    return each(lambda some: some.cast(target), values, target)


def valid_text(values: pa.Array) -> pa.Array:
    """Text, or a dictionary of it, with escapes for bytes that are no UTF-8: files are read without a look at them."""
    if pat.is_dictionary(values.type):
        words = values.dictionary
        made = valid_text(words)
        return values if made is words else made.take(values.indices).dictionary_encode().cast(values.type)
    if is_utf8(values):
        return values
    whole = values.cast(pa.large_binary()).to_pylist()
    return pa.array([None if cell is None else cell.decode("utf-8", "backslashreplace") for cell in whole], values.type)


def only(values: pa.Array, mask: pa.Array) -> pa.Array:
    """``values`` where ``mask`` is true, and missing elsewhere."""
    return pc.if_else(mask, values, pa.scalar(None, values.type))


def _matching(cells: pa.Array, pattern: str) -> pa.Array:
    return only(cells, pc.match_substring_regex(cells, pattern))


def _with_points(cells: pa.Array, decimal: str) -> pa.Array:
    if decimal == ".":
        return cells
    return pc.replace_substring(_matching(cells, r"^[^.]*$"), decimal, ".")


def _truth(cells: pa.Array) -> pa.Array:
    lower = pc.utf8_lower(_matching(cells, r"^(?i:true|false|1|0)$"))
    return only(pc.is_in(lower, pa.array(["true", "1"])), lower.is_valid())


def _number(cells: pa.Array, target: pa.DataType) -> pa.Array:
    if pat.is_floating(target):
        return cast_each(pc.replace_substring_regex(_matching(cells, _FLOAT), r"^\+", ""), target)
    if pat.is_decimal(target):
        plain = pc.replace_substring_regex(_matching(cells, _DECIMAL), r"^\+", "")
        return cast_each(pc.replace_substring_regex(plain, r"(\.\d*?)0+$", r"\1"), target)
    plain = pc.replace_substring_regex(_matching(cells, _WHOLE), r"^\+|\.0*$", "")
    plain = pc.replace_substring_regex(plain, r"^(-?)0+(\d)", r"\1\2")
    plain = pc.replace_substring_regex(plain, r"^-0$", "0")
    return cast_each(_matching(plain, rf"^-?\d{{1,{_MOST_DIGITS}}}$"), target)


def _parts(cells: pa.Array, pattern: str) -> dict[str, pa.Array]:
    """The named groups of ``pattern`` in each cell; all missing where it does not match, empty where one is absent."""
    found = pc.extract_regex(cells, pattern)
    return {field.name: pc.struct_field(found, field.name) for field in found.type}


def _fraction(digits: pa.Array, unit: str, *, cut: bool) -> pa.Array:
    """As many digits as the unit has; missing where that would lose some."""
    n_digits = 9 - len(str(NANOSECONDS[unit])) + 1
    kept = pc.utf8_slice_codeunits(digits, 0, n_digits)
    if not cut:
        lost = pc.match_substring_regex(pc.utf8_slice_codeunits(digits, n_digits), "[1-9]")
        kept = only(kept, pc.invert(lost))
    return pc.utf8_rpad(kept, n_digits, "0")


def _joined(day: pa.Array, parts: dict[str, pa.Array], unit: str, *, cut: bool) -> pa.Array:
    """A moment as Arrow reads it in this unit."""
    clock = _padded(parts["clock"], "00:00", 5)
    second = _padded(parts["second"], "00", 2)
    moment = pc.binary_join_element_wise(day, clock, " ")
    moment = pc.binary_join_element_wise(moment, second, ":")
    fraction = _fraction(parts["fraction"], unit, cut=cut)
    if unit != "s":
        return pc.binary_join_element_wise(moment, fraction, ".")
    return only(moment, fraction.is_valid())


def _padded(text: pa.Array, absent: str, width: int) -> pa.Array:
    return pc.utf8_lpad(pc.if_else(pc.equal(text, ""), pa.scalar(absent), text), width, "0")


def _moment(cells: pa.Array, target: pa.DataType, *, cut: bool) -> pa.Array:
    """ISO dates and times. Without an offset they are local time of the type's zone; a type without one ignores it."""
    parts = _parts(cells, _MOMENT)
    local = _joined(parts["day"], parts, target.unit, cut=cut)
    if target.tz is None:
        return cast_each(local, target)
    zone = pc.replace_substring_regex(parts["zone"], "^[zZ]$", "+00:00")
    zone = pc.replace_substring_regex(zone, r"^([+-]\d{2})$", r"\1:00")
    zone = pc.replace_substring_regex(zone, r"^([+-]\d{2})(\d{2})$", r"\1:\2")
    told = pc.not_equal(zone, "")
    absolute = cast_each(only(pc.binary_join_element_wise(local, zone, ""), told), target)
    return pc.coalesce(absolute, in_zone(cast_each(only(local, pc.invert(told)), pa.timestamp(target.unit)), target))


def in_zone(local: pa.Array, target: pa.DataType) -> pa.Array:
    """Local times without a zone as moments of ``target``; of a repeated hour the first, of a skipped one the next."""

    def assume(some: pa.Array) -> pa.Array:
        return pc.assume_timezone(some, target.tz, ambiguous="earliest", nonexistent="latest")

    return each(assume, local, target)


def _day(cells: pa.Array, *, cut: bool) -> pa.Array:
    parts = _parts(cells, _MOMENT)
    if not cut:
        midnight = pc.match_substring_regex(
            pc.binary_join_element_wise(parts["clock"], parts["second"], parts["fraction"], ""), "^[0:]*$"
        )
        parts["day"] = only(parts["day"], midnight)
    return cast_each(parts["day"], pa.date32())


def _time_of_day(cells: pa.Array, target: pa.DataType, *, cut: bool) -> pa.Array:
    parts = _parts(cells, _CLOCK)
    day = only(pa.repeat("1970-01-01", len(cells)), parts["clock"].is_valid())
    moments = cast_each(_joined(day, parts, target.unit, cut=cut), pa.timestamp(target.unit))
    return moments.cast(pa.int64()).cast(target)


def _span(cells: pa.Array, target: pa.DataType, *, cut: bool) -> pa.Array:
    """Durations as pandas prints them: ``1 days 02:03:04.5``, ``-1 days +22:00:00``, ``02:03:04``, ``3 days``."""
    parts = _parts(_matching(cells, r"\d"), _SPAN)

    def whole(name: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        text = pc.replace_substring(parts[name], "+", "")
        text = pc.fill_null(pc.if_else(pc.equal(text, ""), "0", text), "0")
        numbers: np.ndarray[tuple[int], np.dtype[np.int64]] = text.cast(pa.int64()).to_numpy(zero_copy_only=False)
        return numbers

    per_second = 10**9 // NANOSECONDS[target.unit]
    parts["fraction"] = _fraction(parts["fraction"], target.unit, cut=cut)
    valid = np.logical_and.reduce([part.is_valid().to_numpy(zero_copy_only=False) for part in parts.values()])
    clock = whole("hours") * 3600 + whole("minutes") * 60 + whole("seconds")
    sign = np.where(pc.fill_null(pc.equal(parts["sign"], "-"), False).to_numpy(zero_copy_only=False), -1, 1)
    seconds = whole("days") * 86_400 + sign * clock
    valid &= np.abs(seconds) < 2**63 // per_second - 1
    ticks = np.where(valid, seconds, 0) * per_second + np.where(valid, sign * whole("fraction"), 0)
    return pa.array(ticks, pa.int64(), mask=~valid).cast(target)

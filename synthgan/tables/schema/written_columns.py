"""Columns of text that hold numbers or times: modelled as what is written, and stored as it was written.

A column with ``ColumnSchema.written`` has the values' type as its physical one, and mostly text as its stored one.
Where another type is stored, as of a CSV file's columns that were read as numbers or times, only CSV files write it so.
Sources are brought onto the values by `synthgan.tables.sources.written_source`, and tables back onto text by
`as_stored`.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta, timezone
from typing import Any

import pyarrow as pa

from synthgan.errors import SchemaError
from synthgan.tables.arrow_types import is_text, parse_type
from synthgan.tables.kinds import natural_kind
from synthgan.tables.schema.schema import ColumnSchema, Provenance, TableSchema
from synthgan.tables.written import TimeFormat, WrittenFormat, parse_format


def with_format(column: ColumnSchema, pattern: str, *, source: Provenance, reason: str = "declared") -> ColumnSchema:
    """A column of text as one of what is written in it; a column of values as one that CSV files write so.

    Args:
        column: holds text, or values that the format can write.
        pattern: the format.
        source: who says so.
        reason: why the kind was chosen.

    Raises:
        SchemaError: when the column holds something else, or the pattern is none.
    """
    try:
        form = parse_format(pattern)
    except SchemaError as error:
        raise SchemaError(f"column {column.name!r}: {error}") from None
    if column.written == form.pattern:
        return column
    if column.arrow_type in _TEXT_TYPES:
        return dataclasses.replace(
            column,
            kind=natural_kind(form.value_type),
            source=source,
            reason=reason,
            arrow_type=str(form.value_type),
            stored_type=column.stored_type or column.arrow_type,
            written=form.pattern,
            levels=None,
        )
    if not stored_as_text(column) and _can_write(form, parse_type(column.arrow_type)):
        return dataclasses.replace(column, written=form.pattern)
    raise SchemaError(
        f"column {column.name!r} is declared to be written as {pattern!r}, which does not go with its type "
        f"{column.arrow_type}: leave 'written' out"
    )


_TEXT_TYPES = ("string", "large_string")


def _can_write(form: WrittenFormat, held: pa.DataType) -> bool:
    """Whether the format is one of such values; its own type may be another one."""
    types, own = pa.types, form.value_type
    if types.is_boolean(own):
        return bool(types.is_boolean(held))
    if types.is_duration(own):
        return bool(types.is_duration(held))
    if types.is_date(own) or types.is_timestamp(own):
        return bool(types.is_date(held) or types.is_timestamp(held))
    return bool(types.is_integer(held) or types.is_floating(held) or types.is_decimal(held))


def stored_as_text(column: ColumnSchema) -> bool:
    """Whether the table holds the texts of a written column, and not only CSV files do."""
    return column.written is not None and column.stored_type is not None and "string" in column.stored_type


def as_stored(table: pa.Table, schema: TableSchema) -> tuple[pa.Table, TableSchema]:
    """The table with texts for the values of written columns, and the schema of it; what is text already stays."""
    for column in schema.columns:
        index = table.schema.get_field_index(column.name)
        if stored_as_text(column) and index >= 0 and not is_text_column(table.schema.field(index).type):
            texts = parse_format(str(column.written)).to_texts(table.column(index).combine_chunks())
            table = table.set_column(index, column.name, texts)
    return table, plain_schema(schema)


def plain_schema(schema: TableSchema) -> TableSchema:
    """The schema with columns of mere text in place of those that are stored as texts."""
    if not any(map(stored_as_text, schema.columns)):
        return schema
    plain = tuple(_plain(column) if stored_as_text(column) else column for column in schema.columns)
    return dataclasses.replace(schema, columns=plain, constraints=())


def _plain(column: ColumnSchema) -> ColumnSchema:
    is_plain = column.stored_type in (None, "string")
    return dataclasses.replace(
        column,
        kind="categorical",
        arrow_type="string",
        stored_type=None if is_plain else column.stored_type,
        written=None,
        bounds=None,
        granularity=None,
        levels=None,
        time_zone=None,
    )


def csv_schema(schema: TableSchema) -> TableSchema:
    """The schema of the table in a CSV file: whatever has a written format is stored as text there."""
    if all(column.written is None for column in schema.columns):
        return schema
    texts = tuple(
        column
        if column.written is None or stored_as_text(column)
        else dataclasses.replace(column, stored_type="string", pandas_dtype=None)
        for column in schema.columns
    )
    return dataclasses.replace(schema, columns=texts)


def is_text_column(held: pa.DataType) -> bool:
    """Whether the type is text, in a dictionary or plain."""
    return is_text(held.value_type) if pa.types.is_dictionary(held) else is_text(held)


def value_of_text(value: Any, column: ColumnSchema) -> Any:
    """What a text in the column's own format stands for; anything else as it is."""
    if column.written is None or not isinstance(value, str):
        return value
    form = parse_format(column.written)
    read = form.to_values(pa.array([value.strip()], pa.string()))[0].as_py()
    if read is None:
        return value
    if isinstance(form, TimeFormat) and isinstance(read, datetime) and "tz=" in column.arrow_type:
        return (
            read
            if form.offset_minutes is None
            else read.replace(tzinfo=timezone(timedelta(minutes=form.offset_minutes)))
        )
    return read

"""Columns of text that hold numbers or times: modelled as what is written, and stored as it was written.

A column with ``ColumnSchema.written`` has the values' type as its physical one, and text as its stored one. Sources are
brought onto the values by `synthgan.tables.written_source`, and tables back onto text by `as_stored`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from synthgan.errors import SchemaError
from synthgan.tables.arrow_types import is_text
from synthgan.tables.schema import ColumnSchema, Kind, Provenance, TableSchema
from synthgan.tables.written import WrittenFormat, parse_format


def with_format(column: ColumnSchema, pattern: str, *, source: Provenance, reason: str = "declared") -> ColumnSchema:
    """A column of text as one of what is written in it.

    Args:
        column: holds text, or is written in this format already.
        pattern: the format.
        source: who says so.
        reason: why the kind was chosen.

    Raises:
        SchemaError: when the column holds no text, or the pattern is none.
    """
    try:
        form = parse_format(pattern)
    except SchemaError as error:
        raise SchemaError(f"column {column.name!r}: {error}") from None
    if column.written == form.pattern:
        return column
    if column.written is None and column.arrow_type not in _TEXT_TYPES:
        raise SchemaError(
            f"column {column.name!r} is declared to be written as {pattern!r} but holds {column.arrow_type}, not text: "
            "leave 'written' out"
        )
    return dataclasses.replace(
        column,
        kind=kind_of_format(form),
        source=source,
        reason=reason,
        arrow_type=str(form.value_type),
        stored_type=column.stored_type or column.arrow_type,
        written=form.pattern,
        levels=None,
    )


_TEXT_TYPES = ("string", "large_string")
_KINDS: Mapping[str, Kind] = {"int64": "integer", "date32[day]": "date"}


def kind_of_format(form: WrittenFormat) -> Kind:
    """How what is written is modelled."""
    held = form.value_type
    if pa.types.is_decimal(held):
        return "decimal"
    if pa.types.is_duration(held):
        return "timedelta"
    return _KINDS.get(str(held), "datetime")


def as_stored(table: pa.Table, schema: TableSchema) -> tuple[pa.Table, TableSchema]:
    """The table with texts for the values of written columns, and the schema of it; what is text already stays."""
    for column in schema.columns:
        index = table.schema.get_field_index(column.name)
        if column.written is not None and index >= 0 and not is_text_column(table.schema.field(index).type):
            texts = parse_format(column.written).to_texts(table.column(index).combine_chunks())
            table = table.set_column(index, column.name, texts)
    return table, stored_as_text(schema)


def stored_as_text(schema: TableSchema) -> TableSchema:
    """The schema with columns of mere text in place of written ones."""
    if all(column.written is None for column in schema.columns):
        return schema
    plain = tuple(column if column.written is None else _plain(column) for column in schema.columns)
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


def is_text_column(held: pa.DataType) -> bool:
    """Whether the type is text, in a dictionary or plain."""
    return is_text(held.value_type) if pa.types.is_dictionary(held) else is_text(held)


def value_of_text(value: Any, column: ColumnSchema) -> Any:
    """What a text in the column's own format stands for; anything else as it is."""
    if column.written is None or not isinstance(value, str):
        return value
    read = parse_format(column.written).to_values(pa.array([value.strip()], pa.string()))
    return value if read.null_count else read[0].as_py()

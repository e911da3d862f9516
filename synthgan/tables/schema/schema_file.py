"""The schema as a JSON file that a person can edit.

The form is described in ``table.schema.json`` beside this module (JSON Schema 2020-12), which is `JSON_SCHEMA` here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from synthgan.errors import SchemaError
from synthgan.strict_json import JsonError, RepeatedKeyError, read_json
from synthgan.tables.files.outputs import atomic_path
from synthgan.tables.schema.declarations import (
    FORMAT,
    VERSION,
    Declaration,
    constraint_to_json,
    parse_declaration,
)
from synthgan.tables.schema.declared_columns import declared_table
from synthgan.tables.schema.schema import Bounds, ColumnSchema, Levels, TableSchema
from synthgan.tables.schema.schema_values import label_to_json, value_to_json
from synthgan.visible_text import shown

JSON_SCHEMA: Final[dict[str, Any]] = json.loads(
    files("synthgan.tables.schema").joinpath("table.schema.json").read_text(encoding="utf-8")
)
"""Describes the file format to editors and validators."""

_FIRST_VERSION: Final = 1
"""Older versions of synthgan read it, so it is written where nothing asks for more."""

_MOST_BYTES: Final = 64 * 2**20


def schema_to_json(schema: TableSchema) -> dict[str, Any]:
    """``schema`` as JSON content; facts that are not known are left out."""
    return {
        "format": FORMAT,
        "version": VERSION if any(_is_newer(column) for column in schema.columns) else _FIRST_VERSION,
        "columns": [_column_to_json(column) for column in schema.columns],
        "constraints": [constraint_to_json(constraint) for constraint in schema.constraints],
    }


def _is_newer(column: ColumnSchema) -> bool:
    """Whether a column has a fact that the first version of the format does not know."""
    return column.written is not None or column.offset is not None or column.calendar is not None


def _column_to_json(column: ColumnSchema) -> dict[str, Any]:
    facts = {
        "name": column.name,
        "kind": column.kind,
        "source": column.source,
        "reason": column.reason or None,
        "bounds": _bounds_to_json(column.bounds),
        "levels": _levels_to_json(column.levels),
        "granularity": column.granularity,
        "offset": column.offset,
        "calendar": column.calendar,
        "time_zone": column.time_zone,
        "text": column.text if column.traits.has_text else None,
        "arrow_type": column.arrow_type or None,
        "stored_type": column.stored_type,
        "written": column.written,
        "pandas_dtype": column.pandas_dtype,
        "label": label_to_json(column.label),
        "index": True if column.index else None,
    }
    return {key: value for key, value in facts.items() if value is not None}


def _bounds_to_json(bounds: Bounds | None) -> dict[str, Any] | None:
    if bounds is None:
        return None
    return {"lower": value_to_json(bounds.lower), "upper": value_to_json(bounds.upper), "source": bounds.source}


def _levels_to_json(levels: Levels | None) -> dict[str, Any] | None:
    if levels is None:
        return None
    content = {
        "values": [value_to_json(value) for value in levels.values],
        "ordered": levels.ordered,
        "source": levels.source,
        "pandas_dtype": levels.pandas_dtype,
    }
    return {key: value for key, value in content.items() if value is not None}


def schema_from_json(content: Mapping[str, Any]) -> TableSchema:
    """The schema that `schema_to_json` wrote.

    Raises:
        SchemaError: when the content is malformed, or a column lacks its kind or type.
    """
    return declared_table(parse_declaration(content))


def write_schema(schema: TableSchema, path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Write ``schema`` to ``path`` as JSON.

    Raises:
        OutputError: when the file exists already and ``force`` is off, or cannot be written.

    Example:
        >>> from synthgan import ColumnSchema, TableSchema, read_schema, write_schema
        >>> schema = TableSchema(columns=(ColumnSchema(name="age", kind="integer", arrow_type="int64"),))
        >>> write_schema(schema, "schema.json")
        >>> read_schema("schema.json") == schema
        True
    """
    text = json.dumps(schema_to_json(schema), indent=2, ensure_ascii=False, allow_nan=False)
    with atomic_path(path, force=force) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_schema(path: str | os.PathLike[str]) -> TableSchema:
    """The whole schema in the file ``path``.

    Raises:
        SchemaError: when the file cannot be read, is malformed or describes its columns only in part.

    Example:
        >>> from synthgan import ColumnSchema, TableSchema, read_schema, write_schema
        >>> schema = TableSchema(columns=(ColumnSchema(name="age", kind="integer", arrow_type="int64"),))
        >>> write_schema(schema, "schema.json")
        >>> read_schema("schema.json")["age"].kind
        'integer'
    """
    return declared_table(_read(path))


def declaration_of(declared: TableSchema | Mapping[str, Any] | str | os.PathLike[str]) -> Declaration:
    """What a user passes as ``schema``: a schema, its JSON content, or the path of its file, whole or in part.

    Raises:
        SchemaError: when it is malformed.
    """
    if isinstance(declared, TableSchema):
        return parse_declaration(schema_to_json(declared))
    if isinstance(declared, Mapping):
        return parse_declaration(declared)
    if isinstance(declared, str | os.PathLike):
        return _read(declared)
    raise SchemaError(
        f"a schema cannot be read from a {type(declared).__name__}: "
        f"give a TableSchema, a dict or the path of a JSON file"
    )


def _read(path: str | os.PathLike[str]) -> Declaration:
    path = Path(path)
    where = f"the schema file {path}"
    try:
        content = read_json(path, most_bytes=_MOST_BYTES)
    except FileNotFoundError:
        raise SchemaError(f"{where} does not exist: check the path") from None
    except OSError as error:
        raise SchemaError(f"{where} cannot be read ({error.strerror})") from None
    except RepeatedKeyError as error:
        raise SchemaError(f"{where} names the key {shown(error.key)} twice in one object: leave one out") from None
    except JsonError as error:
        raise SchemaError(f"{where} {error}") from None
    return parse_declaration(content, where)

"""Declared facts brought onto columns: what a type can carry, and a declaration in place of a guess.

Facts that belong together stay unchecked in `declarations.py` next door, until the column's type is known here.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from synthgan.errors import SchemaError
from synthgan.tables.arrow_types import is_text, parse_type
from synthgan.tables.kinds import LEVELLED, TRAITS, Kind, natural_kind
from synthgan.tables.schema.declarations import GRID_FACTS, ColumnDeclaration, Declaration
from synthgan.tables.schema.schema import (
    Bounds,
    ColumnSchema,
    Levels,
    Provenance,
    TableSchema,
)
from synthgan.tables.schema.schema_values import INFINITIES, offset_from_json, value_from_json
from synthgan.tables.schema.written_columns import with_format


def overrule(column: ColumnSchema, declared: ColumnDeclaration) -> ColumnSchema:
    """``column`` with the declared facts in place of the guessed ones.

    A fact that is marked as inferred keeps that mark as long as it is what was inferred; anything else counts as
    declared, so that an edited file needs no edited marks.

    Raises:
        SchemaError: when a fact does not go with the column's type or kind.
    """
    facts = declared.facts
    if "written" in facts:
        reason = facts.get("reason") or "declared"
        column = with_format(column, facts["written"], source=facts.get("source", "declared"), reason=reason)
    data_type = parse_type(column.arrow_type)
    kind, source, reason = _declared_kind(column, facts, data_type)
    traits = TRAITS[kind]
    changed = dataclasses.replace(
        column,
        kind=kind,
        source=source,
        reason=reason,
        levels=_declared_levels(column, facts.get("levels"), data_type) if traits.has_levels else None,
        bounds=_declared_bounds(column, facts.get("bounds"), data_type),
        **_declared_grid(column, facts, data_type),
        text=facts.get("text", column.text),
    )
    if "text" in facts and not traits.has_text and facts["text"] != "empty":
        raise SchemaError(f"column {column.name!r} is {kind} and cannot have the option 'text': declare it as text")
    if "levels" in facts and not traits.has_levels:
        raise SchemaError(f"column {column.name!r} is {kind} and cannot have levels: declare it as categorical")
    zone = facts.get("time_zone")
    if zone is not None and zone != column.time_zone:
        has = f"the time zone {column.time_zone}" if column.time_zone else "no time zone"
        raise SchemaError(
            f"column {column.name!r} is declared in the time zone {zone!r} and has {has} in the table: "
            f"convert the column first"
        )
    return changed


def _declared_kind(
    column: ColumnSchema, facts: Mapping[str, Any], data_type: pa.DataType
) -> tuple[Kind, Provenance, str]:
    kind: Kind | None = facts.get("kind")
    if kind is None:
        implied = _implied_kind(column, facts, data_type)
        return (column.kind, column.source, column.reason) if implied is None else (implied, "declared", "declared")
    written: Provenance = facts.get("source", "declared")
    if written == "inferred-exact" and kind == column.kind:
        return kind, column.source, column.reason
    if not TRAITS[kind].carries(data_type):
        possible = ", ".join(kind for kind, traits in TRAITS.items() if traits.carries(data_type))
        advice = "convert the column first, or declare another kind"
        if kind == "integer" and pa.types.is_floating(data_type):
            advice = "declare float with a granularity of 1, or convert the column first"
        elif is_text(data_type) and (how := TRAITS[kind].conversion):
            advice = f"declare its arrow_type, or convert it to a {kind} type (in pandas: {how})"
        raise SchemaError(
            f"column {column.name!r} is declared {kind}, which its type {data_type} cannot carry "
            f"(it can be {possible}): {advice}"
        )
    return kind, "released" if written == "released" else "declared", facts.get("reason", "") or "declared"


def _implied_kind(column: ColumnSchema, facts: Mapping[str, Any], data_type: pa.DataType) -> Kind | None:
    """The kind that declared facts stand for when no kind is declared and the guess does not go with them."""
    numeric = "bounds" in facts or any(fact in facts for fact in GRID_FACTS)
    natural = natural_kind(data_type)
    if numeric and not column.traits.is_number and TRAITS[natural].is_number:
        return natural
    if "levels" in facts and not column.traits.has_levels:
        return LEVELLED
    if facts.get("text", "empty") != "empty" and not column.traits.has_text and is_text(data_type):
        return "text"
    return None


def _declared_grid(column: ColumnSchema, facts: Mapping[str, Any], data_type: pa.DataType) -> dict[str, Any]:
    """The facts of a grid belong together: those of the column stay only where none is declared."""
    if not any(fact in facts for fact in GRID_FACTS) and TRAITS[facts.get("kind", column.kind)].is_number:
        return {fact: getattr(column, fact) for fact in GRID_FACTS}
    offset = offset_from_json(facts.get("offset"), data_type, f"the offset of column {column.name!r}")
    return {"granularity": facts.get("granularity"), "offset": offset, "calendar": facts.get("calendar")}


def _declared_bounds(column: ColumnSchema, bounds: Mapping[str, Any] | None, data_type: pa.DataType) -> Bounds | None:
    if bounds is None:
        return column.bounds
    where = f"a bound of column {column.name!r}"
    lower, upper = (
        None if bounds.get(side) is None else value_from_json(bounds[side], data_type, where)
        for side in ("lower", "upper")
    )
    return Bounds(lower=lower, upper=upper, source=bounds.get("source", "declared"))


def _declared_levels(column: ColumnSchema, levels: Mapping[str, Any] | None, data_type: pa.DataType) -> Levels | None:
    if levels is None:
        return column.levels
    where = f"a level of column {column.name!r}"
    declared = Levels(
        values=tuple(_level(value, data_type, where) for value in levels["values"]),
        ordered=levels.get("ordered", False),
        source=levels.get("source", "declared"),
        pandas_dtype=levels.get("pandas_dtype"),
    )
    if declared.source == "inferred-exact" and column.levels is not None and declared != column.levels:
        return dataclasses.replace(declared, source="declared")
    return declared


def _level(raw: Any, data_type: pa.DataType, where: str) -> Any:
    """A level, which may be infinite, unlike a bound."""
    if pa.types.is_floating(data_type):
        if isinstance(raw, str) and raw in INFINITIES:
            return INFINITIES[raw]
        if isinstance(raw, float) and math.isinf(raw):
            return raw
    return value_from_json(raw, data_type, where)


def declared_table(declaration: Declaration) -> TableSchema:
    """A complete declaration as a schema of its own.

    Raises:
        SchemaError: when a column lacks its kind or type.
    """
    columns = []
    for name, declared in declaration.columns.items():
        facts = declared.facts
        if "kind" not in facts or "arrow_type" not in facts:
            raise SchemaError(
                f"column {name!r} of the schema lacks its kind or its arrow_type: "
                f"a schema in part can be declared for a fit, but does not stand for a table by itself"
            )
        data_type = parse_type(facts["arrow_type"])
        if "stored_type" in facts:
            parse_type(facts["stored_type"])
        bare = ColumnSchema(
            name=name,
            label=declared.label,
            kind=facts["kind"],
            source=facts.get("source", "declared"),
            reason=facts.get("reason", ""),
            arrow_type=facts["arrow_type"],
            stored_type=facts.get("stored_type"),
            written=facts.get("written"),
            pandas_dtype=facts.get("pandas_dtype"),
            time_zone=facts.get("time_zone"),
            text=facts.get("text", "empty"),
            index=facts.get("index", False),
        )
        columns.append(
            dataclasses.replace(
                bare,
                bounds=_declared_bounds(bare, facts.get("bounds"), data_type),
                levels=_declared_levels(bare, facts.get("levels"), data_type),
                **_declared_grid(bare, facts, data_type),
            )
        )
    return TableSchema(columns=tuple(columns), constraints=declaration.constraints or ())

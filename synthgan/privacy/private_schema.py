"""The schema of a private fit: column names, physical types and what the user declares, never a row.

Names and types are not protected; the report says so. What a schema file says it *inferred* was read off the table and
would be an unaccounted release, so it is refused by name until somebody declares it public. Its reasons are not taken
over either way.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.types as pat

from synthgan.errors import SchemaError, did_you_mean
from synthgan.tables.arrow_types import parse_type, value_type
from synthgan.tables.axes.whole_axis import WholeAxis
from synthgan.tables.constraints.limits import LARGEST_TICK, LARGEST_UNSCALED, largest_in_floats, natural_tick
from synthgan.tables.constraints.steps import describe
from synthgan.tables.kinds import LEVELLED, natural_kind
from synthgan.tables.schema.declarations import ColumnDeclaration, Declaration
from synthgan.tables.schema.declared_columns import overrule
from synthgan.tables.schema.schema import ColumnSchema, Constraint, Order, Sum, TableSchema, constraint_columns
from synthgan.tables.schema.schema_file import declaration_of
from synthgan.tables.sources.batches import Source


def private_schema(
    source: Source,
    declared: TableSchema | Mapping[str, Any] | str | os.PathLike[str] | None = None,
    *,
    unit: str | None = None,
    target: str | None = None,
) -> TableSchema:
    """The schema of a private fit of ``source``, without reading a row of it.

    A declared fact wins. An undeclared column's kind follows from its physical type: text and dictionaries are
    categorical, their levels to be discovered; numbers, times and truth values what they are. Identifiers and free text
    are told only by declaration, and the categories of a pandas categorical are no declaration.

    Args:
        source: the table; its names and types are looked at.
        declared: a schema, its JSON content or its file; columns and facts may be left out.
        unit: the column whose values name persons, which becomes an identifier.
        target: the column to predict.

    Raises:
        SchemaError: when the declaration names an unknown column, holds facts that were inferred from a table, does not
            fit a column's type, or asks for a constraint that would let an error depend on a row.
    """
    declaration = Declaration(columns={}, constraints=None) if declared is None else declaration_of(declared)
    _check_names(source, declaration, unit, target)
    _refuse_inferred(declaration)
    columns = tuple(_column(source, name, declaration.columns.get(name), unit) for name in source.names)
    schema = TableSchema(columns=columns, constraints=declaration.constraints or ())
    for constraint in schema.constraints:
        _check_constraint(constraint, schema, unit)
    return schema


def _check_names(source: Source, declaration: Declaration, unit: str | None, target: str | None) -> None:
    mentioned = [(name, "the schema") for name in declaration.columns]
    mentioned += [] if unit is None else [(unit, "the privacy unit")]
    mentioned += [] if target is None else [(target, "the target")]
    for name, what in mentioned:
        if name not in source.names:
            hint = did_you_mean(name, source.names) or f"; it has {len(source.names)} columns"
            raise SchemaError(f"{what} names the column {name!r}, which {source.description} lacks{hint}")


def _refuse_inferred(declaration: Declaration) -> None:
    """Refuse facts that were read off a table, naming all of them."""
    found = [
        f"'{name}' ({', '.join(facts)})"
        for name, column in declaration.columns.items()
        if (facts := list(_inferred(column)))
    ]
    if found:
        raise SchemaError(
            f"a private fit cannot use facts that were inferred from the table, of which the schema holds some for "
            f"{len(found)} {'column' if len(found) == 1 else 'columns'}: {', '.join(found)}; declare them public "
            f'(set their source to "declared") if they are known without looking at the table, or leave them out'
        )


def _inferred(column: ColumnDeclaration) -> Iterator[str]:
    """Which facts of a column were inferred; its own source speaks for its kind and grid."""
    if column.facts.get("source") == "inferred-exact":
        yield "kind"
        yield from (fact for fact in ("granularity", "offset", "calendar", "written") if fact in column.facts)
    for fact in ("bounds", "levels"):
        if column.facts.get(fact, {}).get("source") == "inferred-exact":
            yield fact


def _column(source: Source, name: str, declared: ColumnDeclaration | None, unit: str | None) -> ColumnSchema:
    held = source.arrow_schema.field(name).type
    plain = value_type(held)
    by_type = natural_kind(plain)
    column = ColumnSchema(
        name=name,
        label=source.labels.get(name),
        kind=LEVELLED if pat.is_dictionary(held) else by_type,
        source="declared",
        reason=f"follows from the type {plain}",
        arrow_type=str(plain),
        stored_type=source.stored_types.get(name),
        pandas_dtype=source.pandas_dtypes.get(name),
        index=name in source.index,
        time_zone=plain.tz if pat.is_timestamp(plain) else None,
    )
    if name == unit:
        column = overrule(column, ColumnDeclaration(name=name, facts={"kind": "identifier", "source": "declared"}))
        return dataclasses.replace(column, reason="names the persons whom the fit protects")
    if declared is None:
        return column
    return dataclasses.replace(overrule(column, declared), reason=_reason(declared, column))


def _reason(declared: ColumnDeclaration, by_type: ColumnSchema) -> str:
    """Why the column has its kind, in words of our own: a declaration's may have been written with an eye on rows."""
    if declared.facts.get("source") == "released":
        return "released by an earlier private fit"
    return "declared" if declared.facts.keys() - {"arrow_type", "stored_type", "pandas_dtype"} else by_type.reason


def _check_constraint(constraint: Constraint, schema: TableSchema, unit: str | None) -> None:
    """Refuse a constraint whose arithmetic could fail on some row, or that speaks of the unit column."""
    names = constraint_columns(constraint)
    if unit in names:
        raise SchemaError(
            f"{describe(constraint)} names the unit column '{unit}', whose values are made afresh: leave it out"
        )
    if not isinstance(constraint, Order | Sum):
        return
    columns = [schema[name] for name in names]
    types = [parse_type(column.arrow_type) for column in columns]
    if not all(WholeAxis.has_axis(held) or pat.is_floating(held) for held in types):
        return  # other kinds are refused when the constraints are planned
    whole = [(column, held) for column, held in zip(columns, types, strict=True) if not pat.is_floating(held)]
    beside_floats = len(whole) < len(columns)
    if beside_floats and isinstance(constraint, Sum):
        return  # floats never overflow
    tick = min((natural_tick(held) for _, held in whole), default=1)
    for column, held in whole:
        most = (LARGEST_UNSCALED if pat.is_decimal(held) else LARGEST_TICK) // int(natural_tick(held) / tick)
        most = min(most, largest_in_floats(held)) if beside_floats else most
        if not all(-most <= end <= most for end in _ends(column, held)):
            raise SchemaError(
                f"{describe(constraint)} needs bounds on both sides of '{column.name}' in a private fit, within "
                "which its values are calculated exactly: declare them, or leave the constraint out"
            )


def _ends(column: ColumnSchema, held: pa.DataType) -> list[int]:
    """First and last tick that the column can hold once it is clamped to its bounds."""
    ends = list(WholeAxis(held).limits)
    bounds = (None, None) if column.bounds is None else (column.bounds.lower, column.bounds.upper)
    for place, bound in enumerate(bounds):
        if bound is not None:
            value = bound
            if pat.is_timestamp(held) and held.tz is not None and getattr(value, "tzinfo", None) is None:
                held = pa.timestamp(held.unit)
            ends[place] = int(WholeAxis(held).ticks(value))
    return ends

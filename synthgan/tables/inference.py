"""The schema of a table: each column's kind guessed from a sample of rows; what the user declared wins over a guess."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from synthgan.errors import SchemaError, did_you_mean
from synthgan.tables.arrow_types import is_text, value_type
from synthgan.tables.kind_guesses import Guess, count_values, guess_kind
from synthgan.tables.kinds import TRAITS, natural_kind
from synthgan.tables.schema.declared_columns import overrule
from synthgan.tables.schema.schema import TableSchema
from synthgan.tables.schema.schema_file import declaration_of
from synthgan.tables.schema.written_columns import with_format
from synthgan.tables.sources.batches import Source
from synthgan.tables.written.recognition import FormatSearch, find_format

SAMPLE_ROWS: Final = 200_000
SAMPLE_CELLS: Final = 20_000_000
"""Of tables with more than 100 columns fewer rows are sampled, so that the sample fits into memory."""


def infer_schema(
    source: Source,
    *,
    declared: TableSchema | Mapping[str, Any] | str | os.PathLike[str] | None = None,
    target: str | None = None,
) -> TableSchema:
    """The schema of ``source``: guessed from rows spread over it (`sample_rows`), overruled by what is declared.

    Args:
        source: the table.
        declared: a schema, its JSON content or its file; columns and facts may be left out.
        target: the column to predict, which is never taken for an identifier or free text.

    Raises:
        SchemaError: when a declaration or ``target`` names an unknown column, or a declared fact does not go with the
            column's type.
    """
    declaration = None if declared is None else declaration_of(declared)
    names = frozenset(source.names)
    mentioned = [] if target is None else [(target, "the target")]
    mentioned += [] if declaration is None else [(name, "the schema") for name in declaration.columns]
    for name, what in mentioned:
        if name not in names:
            hint = did_you_mean(name, source.names) or f"; it has {len(source.names)} columns"
            raise SchemaError(f"{what} names the column {name!r}, which {source.description} lacks{hint}")
    facts = {} if declaration is None else {name: column.facts for name, column in declaration.columns.items()}
    guesses = _guesses(source, target, {name for name in facts if _stays_text(facts[name])})
    columns = []
    for name in source.names:
        guess = guesses[name]
        column = source.column_schema(name, kind=guess.kind, reason=guess.reason)
        if guess.written is not None:
            column = with_format(column, guess.written, source="inferred-exact", reason=guess.reason)
        if declaration is not None and name in declaration.columns:
            column = overrule(column, declaration.columns[name])
            if column.kind == "constant" and guess.kind != "constant":
                raise SchemaError(f"column {name!r} is declared constant, but not all of its values are the same")
        columns.append(column)
    constraints = declaration.constraints if declaration is not None and declaration.constraints is not None else ()
    return TableSchema(columns=tuple(columns), constraints=constraints)


def sample_rows(n_columns: int) -> int:
    """Most rows of a table that are looked at to guess what it is."""
    return min(SAMPLE_ROWS, max(1_000, SAMPLE_CELLS // max(n_columns, 1)))


def _stays_text(facts: Mapping[str, Any]) -> bool:
    """Whether what is declared of a column of text leaves no room for a format to be found."""
    numeric = "kind" not in facts or TRAITS[facts["kind"]].is_number
    return not numeric or any(fact in facts for fact in ("written", "levels")) or facts.get("text", "empty") != "empty"


def _guesses(source: Source, target: str | None, stay_text: set[str]) -> dict[str, Guess]:
    sample = source.sample(sample_rows(len(source.names)))
    share = 1.0 if source.n_rows is None else sample.num_rows / source.n_rows
    guesses = {}
    unread = set(stay_text)
    if sample.num_rows != source.n_rows:
        unread |= _without_format(source, sample, unread)
    for field in source.arrow_schema:
        counted = count_values(field.name, sample.column(field.name), share=share)
        guess = guess_kind(
            counted, from_categorical=field.name in source.categories, may_be_written=field.name not in unread
        )
        if field.name == target and not TRAITS[guess.kind].is_learned:
            guess = Guess(kind=natural_kind(value_type(field.type)), reason="the target column")
        guesses[field.name] = guess
    if sample.num_rows != source.n_rows:
        for name in _varying(source, [name for name, guess in guesses.items() if guess.kind == "constant"]):
            kind = natural_kind(value_type(source.arrow_schema.field(name).type))
            guesses[name] = Guess(kind=kind, reason="one value in every row that was sampled, but not in all others")
    return guesses


def _without_format(source: Source, sample: pa.Table, unread: set[str]) -> set[str]:
    """Columns of text whose sample has a format that some other row has not; reads all rows of those."""
    searches = {}
    for field in sample.schema:
        may_be_written = is_text(value_type(field.type)) and field.name not in unread
        if may_be_written and find_format(_distinct(sample.column(field.name))) is not None:
            searches[field.name] = FormatSearch()
    names = list(searches)
    for batch in source.batches(names) if names else ():
        for name, column in zip(names, batch.columns, strict=True):
            searches[name].update(_distinct(column))
    return {name for name, search in searches.items() if search.found() is None}


def _distinct(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    plain = values.cast(values.type.value_type) if pa.types.is_dictionary(values.type) else values
    found = pc.unique(plain).drop_null()
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def _varying(source: Source, names: list[str]) -> set[str]:
    """Those of the columns that are not constant over the whole source; reads until it is sure."""
    first: dict[str, Any] = {}
    varying: set[str] = set()
    while names:
        for batch in source.batches(names):
            for name, column in zip(names, batch.columns, strict=True):
                values = column.dictionary_decode() if pa.types.is_dictionary(column.type) else column
                distinct = pc.unique(values)
                first.setdefault(name, distinct[:1])
                if len(distinct) > 1 or not distinct.equals(first[name]):
                    varying.add(name)
            if varying.intersection(names):
                break
        else:
            return varying
        names = [name for name in names if name not in varying]
    return varying

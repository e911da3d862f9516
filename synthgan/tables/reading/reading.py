"""How a table is read: as which declared types, and whether a row may be refused or has to be taken as it comes.

Without a declaration, readers find out types from the rows (CSV cells, Python objects) or take those of the file. A
private fit must not find out anything, so there such columns are text unless a type is declared.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from synthgan.errors import DataError, SchemaError
from synthgan.tables.arrow_types import is_text, parse_type, physical_type, value_type
from synthgan.tables.kinds import TRAITS
from synthgan.tables.reading.conversion import convert
from synthgan.tables.schema.schema import TableSchema
from synthgan.tables.schema.schema_file import declaration_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What is said beforehand of the columns' types.

    Attributes:
        types: column -> declared Arrow type (``arrow_type``, or the ``stored_type`` behind it); every reader obeys it.
        dtypes: column with a declared type -> declared dtype of pandas.
        text_types: column -> type that follows from a declared kind, from bounds or levels. Only a private fit needs
            it, for columns that come as text or objects and have no type of their own.
        private: whether types, refusals and messages must not depend on a row. What does not read as its type is then
            missing, without a word.
        unit: in a private fit, the column whose values name persons; None when each row is one.
    """

    types: Mapping[str, pa.DataType] = field(default_factory=dict)
    dtypes: Mapping[str, str] = field(default_factory=dict)
    text_types: Mapping[str, pa.DataType] = field(default_factory=dict)
    private: bool = False
    unit: str | None = None

    @classmethod
    def of(
        cls,
        declared: TableSchema | Mapping[str, Any] | str | os.PathLike[str] | None,
        *,
        private: bool = False,
        unit: str | None = None,
    ) -> Reading:
        """The reading that a declaration asks for.

        Args:
            declared: a schema, its JSON content or its file; whole or in part.
            private: whether the rows are for a private fit.
            unit: the column that names persons.

        Raises:
            SchemaError: when the declaration is malformed or names a type that synthgan does not know.
        """
        if declared is None:
            return cls(private=private, unit=unit)
        columns = declaration_of(declared).columns
        types = {name: kind for name, column in columns.items() if (kind := _declared_type(name, column.facts))}
        implied = {name: kind for name, column in columns.items() if (kind := _implied_type(name, column.facts))}
        implied.pop(unit or "", None)  # persons are told apart as they are written
        dtypes = {name: dtype for name in types if (dtype := columns[name].facts.get("pandas_dtype"))}
        texts = implied if private else {}
        return cls(types=types, dtypes=dtypes, text_types=texts, private=private, unit=unit)

    def type_of_text(self, name: str) -> pa.DataType:
        """As what a private fit reads a column of text or objects."""
        return self.types.get(name) or self.text_types.get(name) or pa.string()

    def converted(
        self, name: str, values: pa.Array, kind: pa.DataType | None = None, *, decimal: str = "."
    ) -> pa.Array:
        """``values`` of a column as its declared type, a dictionary of them where they lie in one.

        Args:
            name: the column.
            values: of physical types.
            kind: the type; None for the declared one.
            decimal: what stands before the decimals of numbers that are text.

        Raises:
            DataError: when some do not convert, unless the reading is private: those are missing then.
        """
        kind = self.types[name] if kind is None else kind
        made = convert(values, kind, decimal=decimal, cut=self.private)
        lost = made.null_count - values.null_count
        if lost > 0 and not self.private:
            raise DataError(
                f"column {name!r} holds {lost:,} {'cell that does' if lost == 1 else 'cells that do'} not read as "
                f"{kind}, the type that the schema declares: mend the column, or declare another arrow_type"
            )
        if pa.types.is_dictionary(values.type):
            target = pa.dictionary(pa.int32(), physical_type(kind, name), ordered=values.type.ordered)
            return made.dictionary_encode().cast(target)
        return made

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "private": self.private,
            "types": {name: str(kind) for name, kind in self.types.items()},
            "text_types": {name: str(kind) for name, kind in self.text_types.items()},
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any], *, unit: str | None) -> Reading:
        """What `to_json` wrote.

        Raises:
            ValueError: when it is something else.
        """
        try:
            types, texts = (
                {name: parse_type(kind) for name, kind in content[key].items()} for key in ("types", "text_types")
            )
            return cls(types=types, text_types=texts, private=bool(content["private"]), unit=unit)
        except (KeyError, TypeError, AttributeError, SchemaError) as error:
            raise ValueError("no reading") from error


def _declared_type(name: str, facts: Mapping[str, Any]) -> pa.DataType | None:
    """The type declared for a column; None where none is, or where it only says that every cell was missing.

    A column of text whose format is declared (``written``) stays text: it is read later, and by that format.
    """
    if "written" in facts:
        named = [value_type(parse_type(facts[key])) for key in ("stored_type", "arrow_type") if key in facts]
        return next((kind for kind in named if is_text(kind)), pa.string())
    if "arrow_type" not in facts:
        return None
    kind = value_type(parse_type(facts["arrow_type"]))
    physical_type(kind, name)
    if "stored_type" in facts:
        stored = value_type(parse_type(facts["stored_type"]))
        if physical_type(stored, name) == kind:
            kind = stored
    _check_zone(name, kind)
    return None if pa.types.is_null(kind) else kind


def _check_zone(name: str, kind: pa.DataType) -> None:
    if not pa.types.is_timestamp(kind) or kind.tz is None:
        return
    try:
        pc.assume_timezone(pa.array([0], pa.timestamp("s")), kind.tz)
    except pa.ArrowInvalid:
        raise SchemaError(
            f"column {name!r} is declared in a time zone that is not known: write it like 'Europe/Berlin' or '+02:00'"
        ) from None


def _implied_type(name: str, facts: Mapping[str, Any]) -> pa.DataType | None:
    """The type that the kind stands for, or else the values of bounds and levels."""
    if "written" in facts:
        return pa.string()
    kind, zone = facts.get("kind"), facts.get("time_zone")
    made: pa.DataType | None = None
    if kind is not None:
        made = TRAITS[kind].read_as
        if made is not None and pa.types.is_timestamp(made):
            made = pa.timestamp(made.unit, zone)
        elif made is None and not TRAITS[kind].is_number:
            made = _type_of_values(facts.get("levels", {}).get("values", [])) or pa.string()
    else:
        bounds = facts.get("bounds", {})
        ends = [bounds[side] for side in ("lower", "upper") if bounds.get(side) is not None]
        levels = facts.get("levels", {}).get("values", [])
        made = _type_of_moments(ends, zone) if ends and not levels else None
        made = made or _type_of_values([*levels, *ends, *([facts["granularity"]] if "granularity" in facts else [])])
        made = made or (pa.string() if levels else None)
    if made is not None:
        _check_zone(name, made)
    return made


def _type_of_values(values: list[Any]) -> pa.DataType | None:
    """The type that holds all of the levels or bounds; None for text, or none at all."""
    found = {type(value) for value in values if value is not None}
    if not found or not found <= {bool, int, float} or (bool in found and len(found) > 1):
        return None
    return pa.bool_() if bool in found else pa.float64() if float in found else pa.int64()


def _type_of_moments(bounds: list[Any], zone: str | None) -> pa.DataType | None:
    """The type of bounds in ISO 8601; None where they are something else."""
    try:
        for bound in bounds:
            date.fromisoformat(bound[:10])
    except (ValueError, TypeError):
        return None
    return pa.date32() if zone is None and all(len(bound) == 10 for bound in bounds) else pa.timestamp("us", zone)

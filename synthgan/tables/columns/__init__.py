"""One encoder per family of columns."""

from __future__ import annotations

from synthgan.tables.columns.identifiers import IdentifierEncoder
from synthgan.tables.columns.levels import LevelEncoder
from synthgan.tables.columns.numeric import NumericEncoder
from synthgan.tables.columns.protocol import ColumnEncoder
from synthgan.tables.columns.text import TextEncoder
from synthgan.tables.schema.schema import ColumnSchema

ENCODERS: dict[str, type[ColumnEncoder]] = {
    "levels": LevelEncoder,
    "numbers": NumericEncoder,
    "identifiers": IdentifierEncoder,
    "text": TextEncoder,
}
"""Family of `synthgan.tables.kinds.TRAITS` -> the class that fits a column of it and reads it out of a model file."""


def encoder_class(column: ColumnSchema) -> type[ColumnEncoder]:
    """The encoder class of a column's kind."""
    return ENCODERS[column.traits.family]

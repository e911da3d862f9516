"""One encoder per modelling family, found by the column's kind."""

from __future__ import annotations

from typing import Any

from synthgan.tables.columns.identifiers import IdentifierEncoder
from synthgan.tables.columns.levels import LevelEncoder
from synthgan.tables.columns.numeric import NumericEncoder
from synthgan.tables.columns.text import TextEncoder
from synthgan.tables.schema.schema import Kind

ENCODERS: dict[Kind, Any] = {
    "categorical": LevelEncoder,
    "boolean": LevelEncoder,
    "constant": LevelEncoder,
    "integer": NumericEncoder,
    "float": NumericEncoder,
    "decimal": NumericEncoder,
    "datetime": NumericEncoder,
    "date": NumericEncoder,
    "timedelta": NumericEncoder,
    "identifier": IdentifierEncoder,
    "text": TextEncoder,
}
"""The encoder class of each kind."""

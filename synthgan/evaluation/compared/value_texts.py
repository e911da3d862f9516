"""Values of compared columns as texts for people: levels, numbers, instants."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from synthgan.evaluation.compared.compared_tables import ComparedTables
from synthgan.tables.arrow_types import NANOSECONDS

MISSING = "(missing)"
OTHER = "(other)"

_LONGEST = 80
_SECOND = NANOSECONDS["s"]


def level_texts(tables: ComparedTables, column: str, codes: Iterable[int]) -> list[str]:
    """Levels of a categorical column by their codes, cut after 80 characters; -1 is missing."""
    texts = (MISSING if code < 0 else str(tables.levels[column][code]) for code in codes)
    return [text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…" for text in texts]


def number_text(tables: ComparedTables, column: str, value: float) -> str:
    """One value of a numeric column: four digits, or an instant by ISO 8601, or a duration in seconds."""
    clock = tables.clocks.get(column)
    if math.isnan(value):
        return MISSING
    if clock == "instant" and math.isfinite(value):
        return instant_text(value)
    return f"{value / _SECOND:.4g} s" if clock == "duration" else f"{value:.4g}"


def instant_text(nanoseconds: float) -> str:
    """An instant by ISO 8601, to the second: years beyond nanosecond timestamps too."""
    return str(np.datetime_as_string(np.datetime64(math.floor(nanoseconds / _SECOND), "s")))

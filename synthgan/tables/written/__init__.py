"""What a table holds as text, such as numbers and times: in which format, and how it goes to values and back."""

from __future__ import annotations

import re
from functools import lru_cache

from synthgan.errors import SchemaError
from synthgan.tables.written.number_format import NumberFormat
from synthgan.tables.written.protocol import WrittenFormat
from synthgan.tables.written.time_format import TimeFormat
from synthgan.tables.written.truth_format import TruthFormat

__all__ = ["NumberFormat", "TimeFormat", "TruthFormat", "WrittenFormat", "parse_format"]

_OF_TIMES = re.compile(r"%-?[YyHI]")


@lru_cache(maxsize=1024)
def parse_format(pattern: str) -> WrittenFormat:
    """The format that a pattern stands for.

    Args:
        pattern: for times literal text with tokens as of ``strftime`` (``%d.%m.%Y``, ``%H:%M``); for numbers digits as
            0 and # with the signs around them (``#.##0,00 €``; a second pattern after ``;`` for negative ones);
            for truth values ``TRUE/FALSE`` or ``True/False``.

    Raises:
        SchemaError: when it stands for none.
    """
    form: WrittenFormat | None = TruthFormat.parse(pattern)
    if form is None:
        form = TimeFormat.parse(pattern) if _OF_TIMES.search(pattern) else NumberFormat.parse(pattern)
    if form is None:
        raise SchemaError(
            f"{pattern!r} is no written format: times look like %d.%m.%Y or %H:%M, numbers like 0,00 or #,##0.00 $"
        )
    return form

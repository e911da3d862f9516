"""How a CSV file writes the values of a column, where a plain writer would write them otherwise."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from synthgan.tables.written import NumberFormat, TruthFormat
from synthgan.tables.written.recognition import FormatSearch
from synthgan.tables.written.truth_format import SPELLINGS

_WHOLE = r"^-?\d+$"
_OFFSET = r":.*(?P<offset>Z|[+-]\d{2}:?\d{2}|[+-]\d{2})\s*$"


class CsvNotation:
    """Follows the cells of one column, batch by batch."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._search = FormatSearch()
        self._whole: pa.Array | None = None
        self._offsets: set[str] = set()
        self._truths: tuple[TruthFormat, ...] = SPELLINGS

    @property
    def has_several_offsets(self) -> bool:
        """Whether times ahead of UTC by different hours stand in the column."""
        return len(self._offsets) > 1

    def update(self, cells: pa.Array) -> None:
        """Take distinct texts, none missing."""
        if pc.match_substring_regex(cells[:1], _OFFSET)[0].as_py():
            found = pc.extract_regex(cells, _OFFSET).field("offset")
            self._offsets.update(offset or "Z" for offset in pc.unique(found).to_pylist())
        if self._truths:
            self._truths = tuple(form for form in self._truths if not form.to_values(cells).null_count)
        if self._search.is_over:
            return
        if pc.all(pc.match_substring_regex(cells, _WHOLE)).as_py():
            # Most columns of a file are whole numbers, which need no search: one of them stands for all.
            self._whole = cells[:1]
        else:
            self._search.update(cells)

    def found(self, held: pa.DataType) -> str | None:
        """The format that keeps what a column read as the type ``held`` looks like; None where that needs none."""
        if pa.types.is_boolean(held):
            # A plain writer spells them in small letters; cells of several spellings come out so, too.
            return self._truths[0].pattern if self._truths and self._truths[0] != SPELLINGS[-1] else None
        form = self._search.found()
        if form is None or (self._whole is not None and form.to_values(self._whole).null_count):
            return None
        if isinstance(form, NumberFormat):
            plain = form.decimal == "." and not form.fewest_places
            return form.pattern if pa.types.is_floating(held) and not plain else None
        is_time = pa.types.is_time(held) or pa.types.is_timestamp(held)
        return form.pattern if is_time else None

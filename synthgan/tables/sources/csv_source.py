"""CSV files read in blocks, with one type per column that holds for every row of every file.

A first pass reads all cells as text and strikes out each type that some cell does not fit; what is left is the type.
A column keeps being text when a number would lose something: a plus sign, leading zeros, or more digits than a number
holds. `CsvFormat` says how the files are written. Folders named ``key=value`` below the one that was opened are
columns, as of Parquet files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from synthgan.errors import SourceError
from synthgan.tables.arrow_types import EXACT_FLOATS
from synthgan.tables.files.csv_format import CsvFormat, explained
from synthgan.tables.reading.reading import Reading
from synthgan.tables.sources.batches import Source
from synthgan.tables.sources.csv_notation import CsvNotation
from synthgan.tables.sources.hive_keys import fingerprint_of, hive_keys

_BLOCK_BYTES = 1 << 23
_UNITS = ("s", "ms", "us", "ns")
_CANDIDATES: tuple[pa.DataType, ...] = (
    pa.int64(),
    pa.float64(),
    pa.bool_(),
    pa.date32(),
    *(pa.timestamp(unit) for unit in _UNITS),
    *(pa.timestamp(unit, tz="UTC") for unit in _UNITS),
    pa.time64("us"),
)
_BOOLEAN = r"^(?:[tT]rue|TRUE|[fF]alse|FALSE)$"
_TIME = r"^\s*\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?\s*$"
_WHOLE = r"^\s*(?:0|-?[1-9]\d*)\s*$"
_CHANGED_AS_NUMBER = r"^\s*(?:\+|-?0\d)"
_LONG_NUMBER = r"^\s*-?\d{16}"
_MAY_HAVE_A_TYPE = re.compile(r"\s*(?:[-+.]|\d|inf|nan|true|false)", re.IGNORECASE)
"""How a cell begins that is more than text: one that does not spares its column all trials."""


class CsvSource(Source):
    """One or more CSV files with the same header, compressed with gzip or not."""

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        description: str,
        reading: Reading,
        csv_format: CsvFormat | None = None,
        folder: Path | None = None,
    ) -> None:
        """Read ``paths`` once to settle the types that ``reading`` does not declare, and count the rows.

        The parts of a path below ``folder`` may be keys.

        Raises:
            SourceError: when a file is no CSV, in another encoding, ragged, or its header differs from the first one's.
        """
        self._paths = tuple(paths)
        self._asked = csv_format or CsvFormat()
        self._formats = [self._asked.settled(path) for path in self._paths]
        self._header: list[str] = []
        for index, path in enumerate(self._paths):
            header = self._read_header(index)
            if not self._header:
                self._header = header
            if header != self._header:
                raise SourceError(
                    f"the header of {path} differs from that of {self._paths[0]}: "
                    f"all files of one table need the same columns in the same order"
                )
        self._keys = hive_keys(self._paths, folder, self._header)
        self._reading = reading
        types, notations, n_rows = self._settle_types()
        found = dict(zip(self._header, types, strict=True))
        self._types = found | {name: kind for name, kind in reading.types.items() if name in found}
        fields = [*self._types.items(), *((key, values.type) for key, values in self._keys.items())]
        super().__init__(pa.schema(fields), description=description, n_rows=n_rows)
        self.untyped = frozenset(self.names) - (frozenset(reading.types) - frozenset(self._keys))
        self.written = {}
        for name, held, notation in zip(self._header, types, notations, strict=True):
            if pattern := notation.found(held):
                self.written[name] = pattern
            if pa.types.is_timestamp(held) and notation.has_several_offsets:
                self.notices += (
                    f"column {name!r} has times of several UTC offsets: they are read as UTC, and come out so",
                )

    def _open(self, index: int, columns: list[str] | None = None) -> csv.CSVStreamingReader:
        """A reader of one file, whose cells are text."""
        form = self._formats[index]
        return csv.open_csv(
            self._paths[index],
            read_options=csv.ReadOptions(block_size=_BLOCK_BYTES, encoding=form.encoding),
            parse_options=csv.ParseOptions(delimiter=form.separator, newlines_in_values=True),
            convert_options=None
            if columns is None
            else csv.ConvertOptions(
                include_columns=columns,
                column_types=dict.fromkeys(columns, pa.string()),
                null_values=list(form.missing_spellings),
                strings_can_be_null=True,
            ),
        )

    def _read_header(self, index: int) -> list[str]:
        path = self._paths[index]
        with explained(path, self._asked.encoding), self._open(index) as reader:
            names: list[str] = reader.schema.names
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise SourceError(f"two columns of {path} are called {twice!r}: names must differ, so rename one of them")
        return names

    def _settle_types(self) -> tuple[list[pa.DataType], list[CsvNotation], int]:
        """Per column the first candidate type that every cell fits and how it is written; and the number of rows."""
        possible: list[list[pa.DataType] | None] = [None] * len(self._header)
        notations = [CsvNotation() for _ in self._header]
        n_rows, decimal = 0, self._asked.decimal
        for batch in self._text_batches(self._header):
            n_rows += batch.num_rows
            for position, column in enumerate(batch.columns):
                known = self._header[position] in self._reading.types
                if known or column.null_count == len(column) or possible[position] == []:
                    continue
                cells = pc.unique(column).drop_null()
                left = possible[position]
                if not _MAY_HAVE_A_TYPE.match(cells[0].as_py()):
                    left = []
                left = [kind for kind in (_CANDIDATES if left is None else left) if _fits(cells, kind, decimal)]
                possible[position] = left
                if left:
                    notations[position].update(cells)
        types = [pa.null() if left is None else left[0] if left else pa.string() for left in possible]
        return types, notations, n_rows

    def _text_batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """Columns of the header and of the folders' keys, all cells but those of the keys as text."""
        inside = [name for name in columns if name not in self._keys] or self._header[:1]
        for index, path in enumerate(self._paths):
            with explained(path, self._asked.encoding), self._open(index, inside) as reader:
                for batch in reader:
                    arrays = {name: batch.column(place) for place, name in enumerate(inside)}
                    arrays |= {key: pa.repeat(values[index], len(batch)) for key, values in self._keys.items()}
                    yield pa.RecordBatch.from_arrays([arrays[name] for name in columns], names=columns)

    def _read(self, columns: list[str], batch_size: int) -> Iterator[pa.RecordBatch]:
        for batch in self._text_batches(columns):
            for start in range(0, batch.num_rows, batch_size):
                part = batch.slice(start, batch_size)
                arrays = [self._cells(column, name) for column, name in zip(part.columns, columns, strict=True)]
                yield pa.RecordBatch.from_arrays(arrays, names=columns)

    def _cells(self, column: pa.Array, name: str) -> pa.Array:
        if name in self._keys:
            return column
        if name in self._reading.types:
            return self._reading.converted(name, column, decimal=self._asked.decimal)
        return _typed(column, self._types[name], self._asked.decimal)

    def fingerprint(self) -> str:
        """SHA-256 over the files (see `hash_file`) and the folders that are columns."""
        return fingerprint_of(self.arrow_schema, self._paths, self._keys)


def _fits(cells: pa.Array, kind: pa.DataType, decimal: str) -> bool:
    """Whether all ``cells`` (text, none missing) mean the same as a ``kind``, and would say as much."""
    if pa.types.is_boolean(kind):
        return _all(cells, _BOOLEAN)
    if pa.types.is_integer(kind) and not _all(cells, _WHOLE):
        return False
    if pa.types.is_time(kind) and not _all(cells, _TIME):
        return False
    if pa.types.is_floating(kind) and (_any(cells, _CHANGED_AS_NUMBER) or (decimal == "," and _any(cells, r"\."))):
        return False
    try:
        typed = _typed(cells, kind, decimal)
    except pa.ArrowInvalid:
        return False
    if pa.types.is_floating(kind):
        long = typed.filter(pc.match_substring_regex(cells, _LONG_NUMBER))
        return not pc.any(pc.greater_equal(pc.abs(long), float(EXACT_FLOATS))).as_py()
    return True


def _all(cells: pa.Array, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(cells, pattern)).as_py())


def _any(cells: pa.Array, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(cells, pattern)).as_py())


def _typed(cells: pa.Array, kind: pa.DataType, decimal: str = ".") -> pa.Array:
    if pa.types.is_string(kind):
        return cells
    if pa.types.is_null(kind):
        return pa.nulls(len(cells))
    trimmed = pc.utf8_trim_whitespace(cells)
    if pa.types.is_time(kind):  # Arrow reads no times of day, but times on a day
        padded = pc.replace_substring_regex(trimmed, r"^(\d):", r"0\1:")
        return pc.binary_join_element_wise("1970-01-01", padded, " ").cast(pa.timestamp("us")).cast(kind)
    if pa.types.is_floating(kind) and decimal != ".":
        trimmed = pc.replace_substring(trimmed, decimal, ".")
    return trimmed.cast(kind)

"""CSV files read in blocks, with one type per column that holds for every row of every file.

A first pass reads all cells as text and strikes out each type that some cell does not fit; what is left is the type.
A column keeps being text when a number would lose something: leading zeros, or more digits than 64 bits hold. Missing
cells are spelled as `pandas.read_csv` takes them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from synthgan.errors import SourceError
from synthgan.tables.batches import Source, hash_file
from synthgan.tables.reading import Reading

MISSING_SPELLINGS = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
)  # fmt: skip
_BLOCK_BYTES = 1 << 23
_SNIFFED_BYTES = 1 << 16
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
_LOSES_ZEROS = r"^\s*[-+]?0[0-9]"
_LOSES_DIGITS = r"^\s*[-+]?[0-9]{19,}\s*$"
_SEPARATORS = (",", ";", "\t", "|")


class CsvSource(Source):
    """One or more CSV files with the same header; UTF-8, compressed with gzip or not."""

    def __init__(self, paths: Sequence[Path], *, description: str, reading: Reading) -> None:
        """Read ``paths`` once to settle the types that ``reading`` does not declare, and count the rows.

        Raises:
            SourceError: when a file is no CSV, not UTF-8, ragged, or its header differs from that of the first file.
        """
        self._paths = tuple(paths)
        self._separators = [_separator(path) for path in self._paths]
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
        self._reading = reading
        types, n_rows = self._settle_types()
        found = dict(zip(self._header, types, strict=True))
        self._types = found | {name: kind for name, kind in reading.types.items() if name in found}
        super().__init__(pa.schema(list(self._types.items())), description=description, n_rows=n_rows)
        self.untyped = frozenset(self._types) - frozenset(reading.types)

    def _read_header(self, index: int) -> list[str]:
        path = self._paths[index]
        with _explained(path):
            parsing = csv.ParseOptions(delimiter=self._separators[index], newlines_in_values=True)
            reading = csv.ReadOptions(block_size=_BLOCK_BYTES)
            with csv.open_csv(path, parse_options=parsing, read_options=reading) as reader:
                names: list[str] = reader.schema.names
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise SourceError(f"two columns of {path} are called {twice!r}: names must differ, so rename one of them")
        return names

    def _settle_types(self) -> tuple[list[pa.DataType], int]:
        """The first candidate type that every cell of a column fits, and the number of rows."""
        possible: list[list[pa.DataType] | None] = [None] * len(self._header)
        n_rows = 0
        for batch in self._text_batches(self._header):
            n_rows += batch.num_rows
            for position, column in enumerate(batch.columns):
                known = self._header[position] in self._reading.types
                if known or column.null_count == len(column) or possible[position] == []:
                    continue
                cells = pc.unique(column).drop_null()
                left = possible[position]
                possible[position] = [kind for kind in (_CANDIDATES if left is None else left) if _fits(cells, kind)]
        types = [pa.null() if left is None else left[0] if left else pa.string() for left in possible]
        return types, n_rows

    def _text_batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        for path, separator in zip(self._paths, self._separators, strict=True):
            with _explained(path):
                reader = csv.open_csv(
                    path,
                    read_options=csv.ReadOptions(block_size=_BLOCK_BYTES),
                    parse_options=csv.ParseOptions(delimiter=separator, newlines_in_values=True),
                    convert_options=csv.ConvertOptions(
                        include_columns=columns,
                        column_types=dict.fromkeys(columns, pa.string()),
                        null_values=list(MISSING_SPELLINGS),
                        strings_can_be_null=True,
                    ),
                )
                with reader:
                    yield from reader

    def _read(self, columns: list[str], batch_size: int) -> Iterator[pa.RecordBatch]:
        for batch in self._text_batches(columns):
            for start in range(0, batch.num_rows, batch_size):
                part = batch.slice(start, batch_size)
                arrays = [self._cells(column, name) for column, name in zip(part.columns, columns, strict=True)]
                yield pa.RecordBatch.from_arrays(arrays, names=columns)

    def _cells(self, column: pa.Array, name: str) -> pa.Array:
        if name in self._reading.types:
            return self._reading.converted(name, column)
        return _typed(column, self._types[name])

    def fingerprint(self) -> str:
        """SHA-256 over the files; see `hash_file`."""
        digest = hashlib.sha256(str(self.arrow_schema).encode())
        for path in self._paths:
            hash_file(digest, path)
        return digest.hexdigest()


def _fits(cells: pa.Array, kind: pa.DataType) -> bool:
    """Whether all ``cells`` (text, none missing) mean the same as a ``kind``."""
    if pa.types.is_boolean(kind):
        return _all(cells, _BOOLEAN)
    if pa.types.is_time(kind) and not _all(cells, _TIME):
        return False
    try:
        _typed(cells, kind)
    except pa.ArrowInvalid:
        return False
    if pa.types.is_integer(kind):
        return not _any(cells, _LOSES_ZEROS)
    if pa.types.is_floating(kind):
        return not _any(cells, _LOSES_ZEROS) and not _any(cells, _LOSES_DIGITS)
    return True


def _all(cells: pa.Array, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(cells, pattern)).as_py())


def _any(cells: pa.Array, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(cells, pattern)).as_py())


def _typed(cells: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_string(kind):
        return cells
    if pa.types.is_null(kind):
        return pa.nulls(len(cells))
    trimmed = pc.utf8_trim_whitespace(cells)
    if pa.types.is_time(kind):  # Arrow reads no times of day, but times on a day
        padded = pc.replace_substring_regex(trimmed, r"^(\d):", r"0\1:")
        return pc.binary_join_element_wise("1970-01-01", padded, " ").cast(pa.timestamp("us")).cast(kind)
    return trimmed.cast(kind)


def _separator(path: Path) -> str:
    """The separator of the header line: a comma unless it has none and another common one instead."""
    with _explained(path), pa.input_stream(str(path), compression="detect") as stream:
        head = stream.read(_SNIFFED_BYTES).decode("utf-8", errors="replace")
    if not head.strip():
        raise SourceError(f"{path} is empty: a header line with column names and rows below it are expected")
    if "\0" in head:
        raise SourceError(f"{path} is not a text file: save it as CSV (UTF-8), or give it the suffix of its format")
    header = re.sub(r'"[^"]*"', "", head.splitlines()[0])
    return next((separator for separator in _SEPARATORS if separator in header), ",")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turns a failure to read ``path`` into one sentence; Arrow's own texts quote cells."""
    try:
        yield
    except pa.ArrowException as error:
        text = str(error)
        if ragged := re.search(r"Expected (\d+) columns, got (\d+)", text):
            row = re.search(r"Row #(\d+)", text)
            where = f"row {row[1]}" if row else "a row"
            raise SourceError(
                f"{where} of {path} has {ragged[2]} cells where the header has {ragged[1]}: mend the file"
            ) from None
        if "UTF8" in text or "utf-8" in text.lower():
            raise SourceError(f"{path} is not UTF-8 text: save it as UTF-8 and try again") from None
        raise SourceError(
            f"{path} is not a readable CSV file: check its separators and quotes, or write it again"
        ) from None
    except OSError as error:
        reason = error.strerror or "damaged or cut short"
        raise SourceError(f"{path} cannot be read ({reason}): check the file or write it again") from None

"""CSV files read as declared types: for private fits, which must not find out types, or say anything, by the rows.

Only the header line is looked at beforehand. Columns are read as `Reading.type_of_text` says, a cell that does not read
as its type is missing, and so is an empty one; other spellings of a missing cell have to be declared. See
`synthgan.tables.sources.csv_lines` for what a row is.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, product
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from synthgan.errors import SettingsError, SourceError
from synthgan.tables.files.csv_format import CsvFormat
from synthgan.tables.reading.reading import Reading
from synthgan.tables.reading.text_values import only, read_text
from synthgan.tables.sources.batches import Source
from synthgan.tables.sources.csv_lines import blocks, decoded, rows
from synthgan.tables.sources.hive_keys import fingerprint_of, hive_keys
from synthgan.tables.sources.holdout import check_unit_column

_HEADER_BYTES: Final = 1 << 20
_SWITCHES: Final = b"\x1b$B!!\n\x1b(J~\n~{!!\n\x0e!!\n+AAo-\n\\u000a\\x0a\\\n"
"""How encodings with several alphabets, or with escapes, switch between them (ISO 2022, HZ, UTF-7, Python's own)."""


@dataclass(frozen=True)
class _Head:
    """What the first line of a file says."""

    names: list[str]
    separator: str
    ending: bytes
    n_bytes: int


class DeclaredCsvSource(Source):
    """One or more CSV files with the same header, compressed with gzip or not, read as a private fit has to.

    Attributes:
        notices: what may come out differently from what one might expect; it depends on headers and declarations only.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        *,
        description: str,
        reading: Reading,
        csv_format: CsvFormat | None = None,
        folder: Path | None = None,
    ) -> None:
        """Read the headers.

        Args:
            paths: the files.
            description: the table in words.
            reading: the declared types, and the column of persons, in which no text stands for a missing cell.
            csv_format: how the files are written; without spellings of a missing cell, only the empty one is.
            folder: the parts of a path below it may be keys, which are columns.

        Raises:
            SourceError: when a file cannot be read, or its header is malformed or another than the first one's.
            SchemaError: when persons are declared to be floats.
            SettingsError: when lines could not be told apart in the encoding.
        """
        form = csv_format or CsvFormat()
        self._encoding = _line_by_line(form.encoding or "utf-8")
        self._paths, self._reading, self._decimal = tuple(paths), reading, form.decimal
        self._missing = pa.array(form.missing or (), pa.string())
        self._heads = [_head(path, self._encoding, form) for path in self._paths]
        header = self._heads[0].names
        for path, head in zip(self._paths, self._heads, strict=True):
            if head.names != header:
                raise SourceError(
                    f"the header of {path} differs from that of {self._paths[0]}: "
                    f"all files of one table need the same columns in the same order"
                )
        self._keys = {key: values.cast(pa.string()) for key, values in hive_keys(self._paths, folder, header).items()}
        header = [*header, *self._keys]
        self._types = {name: reading.type_of_text(name) for name in header}
        super().__init__(pa.schema(list(self._types.items())), description=description, n_rows=None)
        if reading.unit in self.names:
            check_unit_column(self, reading.unit)
        undeclared = [name for name in header if name not in reading.types and name not in reading.text_types]
        self.notices = _notices([name for name in undeclared if name != reading.unit])

    def _read(self, columns: list[str], batch_size: int) -> Iterator[pa.RecordBatch]:
        for index, (path, head) in enumerate(zip(self._paths, self._heads, strict=True)):
            inside = [name for name in columns if name not in self._keys] or head.names[:1]
            for block in _blocks(path, head):
                text = decoded(block, self._encoding)
                batch = rows(text, head.names, head.separator, inside, ending=head.ending.decode())
                for start in range(0, batch.num_rows, batch_size):
                    part = batch.slice(start, batch_size)
                    texts = dict(zip(inside, part.columns, strict=True))
                    texts |= {key: pa.repeat(values[index], part.num_rows) for key, values in self._keys.items()}
                    yield pa.RecordBatch.from_arrays(
                        [self._typed(name, texts[name]) for name in columns], names=columns
                    )

    def _typed(self, name: str, cells: pa.Array) -> pa.Array:
        if len(self._missing) and name != self._reading.unit:
            cells = only(cells, pc.invert(pc.is_in(cells, self._missing)))
        return read_text(cells, self._types[name], decimal=self._decimal, cut=True)

    def _physical(self, stored: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return stored  # read as the physical types already

    def fingerprint(self) -> str:
        """SHA-256 over the files (see `hash_file`) and the folders that are columns."""
        return fingerprint_of(self.arrow_schema, self._paths, self._keys)


def _notices(undeclared: list[str]) -> tuple[str, ...]:
    """What a reader of types would not expect."""
    if not undeclared:
        return ()
    listed = ", ".join(f"'{name}'" for name in undeclared[:8]) + (", ..." if len(undeclared) > 8 else "")
    which = "1 column" if len(undeclared) == 1 else f"{len(undeclared)} columns"
    return (
        f"a private fit reads a CSV file as declared, and text where nothing is declared: {which} ({listed}); declare "
        "the kind of those that are numbers or times",
    )


def _line_by_line(encoding: str) -> str:
    """The encoding, if a damaged line leaves all other lines as they are in it.

    Raises:
        SettingsError: when it does not: what a byte means hangs on those before it, other than in UTF-8.
    """
    name = codecs.lookup(encoding).name
    if name in ("utf-8", "utf-8-sig", "ascii"):
        return "utf-8"
    alone = [bytes([byte]).decode(name, "backslashreplace") for byte in range(256)]
    if any(alone[ord(sign)] != sign for sign in '\n"\\') or _is_joint(name, alone):
        raise SettingsError(
            "a private fit reads CSV files in UTF-8 or an encoding of one byte per character (such as latin-1), not in "
            f"{encoding}, in which one damaged row could change those below it: save the file as UTF-8"
        )
    return name


def _is_joint(encoding: str, alone: list[str]) -> bool:
    """Whether some bytes mean something else together than ``alone``; escape sequences switch the meaning of more."""
    together = bytes(chain.from_iterable(product(range(256), repeat=2))) + _SWITCHES
    return together.decode(encoding, "backslashreplace") != "".join(alone[byte] for byte in together)


def _head(path: Path, encoding: str, form: CsvFormat) -> _Head:
    """The header line; what ends it ends all others: a line feed, or a carriage return without one."""
    with _explained(path), pa.input_stream(str(path), compression="detect") as stream:
        start = stream.read(_HEADER_BYTES)
    ending = b"\r" if re.match(rb"[^\r\n]*\r(?!\n)", start) else b"\n"
    line, found, _ = start.partition(ending)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        _line_by_line("utf-16")
    try:
        text = line.decode(encoding).removeprefix("\ufeff").removesuffix("\r")
    except UnicodeError:
        raise SourceError(
            f"the header of {path} is not {encoding} text: save the file as UTF-8, or name its encoding"
        ) from None
    if not text.strip():
        raise SourceError(f"{path} is empty: a header line with column names and rows below it are expected")
    if "\0" in text:
        raise SourceError(f"{path} is not a text file: save it as CSV (UTF-8), or give it the suffix of its format")
    separator = form.separator_in(text, path)
    try:
        names = next(csv.reader([text], delimiter=separator, strict=True))
    except csv.Error:
        raise SourceError(
            f"the header line of {path} has a quote that is not closed, or a line break inside a name: mend it"
        ) from None
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise SourceError(f"two columns of {path} are called {twice!r}: names must differ, so rename one of them")
    return _Head(names, separator, ending, len(line) + len(found))


def _blocks(path: Path, head: _Head) -> Iterator[bytes]:
    """All lines below the header, some megabytes at a time."""
    with _explained(path), pa.input_stream(str(path), compression="detect") as stream:
        stream.read(head.n_bytes)
        yield from blocks(stream, head.ending)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turns a failure of the disk, or of decompression, into one sentence."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        reason = getattr(error, "strerror", None) or "damaged or cut short"
        raise SourceError(f"{path} cannot be read ({reason}): check the file or write it again") from None

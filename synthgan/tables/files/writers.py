"""Table files, written in pieces: Parquet and CSV that appear whole or not at all."""

from __future__ import annotations

import codecs
import io
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from synthgan.errors import OutputError
from synthgan.tables.arrow_types import physical_type, to_physical
from synthgan.tables.files.csv_format import CsvFormat
from synthgan.tables.files.outputs import atomic_path, check_output, explained, is_text_path, real_path

GROUP_ROWS = 65_536
"""Rows of a Parquet row group, at least; the last one of a file may hold fewer."""


class TableWriter:
    """Writes one table in pieces; use it as a context manager, which finishes or removes the file."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        schema: pa.Schema,
        *,
        force: bool,
        metadata: Mapping[str, str] | None,
        csv_format: CsvFormat | None = None,
    ) -> None:
        """See `open_writer`."""
        self._path = Path(path)
        self._schema = schema
        self._force = force
        self._metadata = {"synthgan": "synthetic", **(metadata or {})}
        self._csv_format = csv_format or CsvFormat()
        self._open = _format(self._path)
        self.n_rows = 0

    def __enter__(self) -> TableWriter:
        self._atomic = atomic_path(self._path, force=self._force)
        temporary = self._atomic.__enter__()
        try:
            with explained(self._path):
                self._sink = self._open(temporary, self._schema, self._metadata, self._csv_format)
        except BaseException as error:
            self._atomic.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def write(self, table: pa.Table | pa.RecordBatch) -> None:
        """Append rows; columns are those of the schema, in order.

        Raises:
            OutputError: when the disk is full or the file cannot be written.
        """
        if isinstance(table, pa.RecordBatch):
            table = pa.Table.from_batches([table])
        if not table.schema.equals(self._schema):
            table = table.select(self._schema.names).cast(self._schema)
        with explained(self._path):
            self._sink.write(table)
        self.n_rows += table.num_rows

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            with suppress(Exception):  # the first error is the one to tell
                self._sink.close()
            self._atomic.__exit__(kind, error, traceback)
            return
        try:
            with explained(self._path):
                self._sink.close()
        except BaseException as closing:
            self._atomic.__exit__(type(closing), closing, closing.__traceback__)
            raise
        self._atomic.__exit__(None, None, None)


def open_writer(
    path: str | os.PathLike[str],
    schema: pa.Schema,
    *,
    force: bool = False,
    metadata: Mapping[str, str] | None = None,
    csv_format: CsvFormat | None = None,
) -> TableWriter:
    """Open a table file for writing; its suffix says the format: .parquet, .pq, .csv(.gz) or .tsv(.gz).

    Args:
        path: where the file is to stand; it appears when the ``with`` block ends well.
        schema: Arrow schema of the rows; its own metadata (pandas dtypes, say) is kept in Parquet.
        force: replace a file that is already there.
        metadata: further key-value metadata for Parquet, beside ``{"synthgan": "synthetic"}``.
        csv_format: encoding, separator and decimal sign of a CSV file; None for UTF-8, commas (.tsv: tabs) and points.

    Raises:
        OutputError: for an unknown suffix now; on entering for an existing file or a place that cannot be written.
    """
    return TableWriter(path, schema, force=force, metadata=metadata, csv_format=csv_format)


def is_csv(path: str | os.PathLike[str]) -> bool:
    """Whether `open_writer` would write text there."""
    return _format(Path(path)) is not _ParquetSink


def check_table_output(path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Like `check_output`, and the suffix must be one that `open_writer` knows.

    Raises:
        OutputError: as `check_output`, and for an unknown suffix.
    """
    _format(Path(path))
    check_output(path, force=force)


class _ParquetSink:
    """Gathers pieces until they fill a row group: small groups make large files that are slow to read."""

    def __init__(self, path: Path, schema: pa.Schema, metadata: Mapping[str, str], _: CsvFormat) -> None:
        own = {key.encode(): text.encode() for key, text in metadata.items()}
        self._metadata = {**(schema.metadata or {}), **own}
        self._writer = pq.ParquetWriter(path, schema.with_metadata(self._metadata), compression="zstd")
        self._waiting: list[pa.Table] = []

    def write(self, table: pa.Table) -> None:
        self._waiting.append(table.replace_schema_metadata(self._metadata))
        if sum(piece.num_rows for piece in self._waiting) >= GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        group = pa.concat_tables(self._waiting)
        self._waiting = []
        self._writer.write_table(group)

    def close(self) -> None:
        try:
            if self._waiting:
                self._flush()
        finally:
            self._writer.close()


class _CsvSink:
    """CSV as pandas and pyarrow read it back: a missing cell is empty, empty text is quoted."""

    _separator = ","

    def __init__(self, path: Path, schema: pa.Schema, _: Mapping[str, str], form: CsvFormat) -> None:
        self._decimal = form.decimal
        # A lone missing cell would make a blank line, which readers skip; as quoted empty text it stays a row.
        self._alone = len(schema) == 1
        columns = self._columns(schema.empty_table())
        self._schema = pa.schema(
            [pa.field(name, column.type) for name, column in zip(schema.names, columns, strict=True)]
        )
        self._stream = self._open(path)
        if form.encoding not in (None, "utf-8"):
            self._stream = pa.PythonFile(_Transcoded(self._stream, path, str(form.encoding)), mode="w")
        options = pa_csv.WriteOptions(delimiter=form.separator or self._separator)
        self._writer = pa_csv.CSVWriter(self._stream, self._schema, write_options=options)

    @staticmethod
    def _open(path: Path) -> Any:
        return pa.OSFile(str(path), "wb")

    def _columns(self, table: pa.Table) -> list[pa.ChunkedArray]:
        columns = [_as_csv(column, self._decimal) for column in table.columns]
        return [pc.fill_null(columns[0].cast(pa.string()), "")] if self._alone else columns

    def write(self, table: pa.Table) -> None:
        self._writer.write_table(pa.table(self._columns(table), schema=self._schema))

    def close(self) -> None:
        try:
            self._writer.close()
        finally:
            self._stream.close()


class _GzipCsvSink(_CsvSink):
    @staticmethod
    def _open(path: Path) -> Any:
        return pa.CompressedOutputStream(pa.OSFile(str(path), "wb"), "gzip")


class _TsvSink(_CsvSink):
    _separator = "\t"


class _GzipTsvSink(_GzipCsvSink):
    _separator = "\t"


class _Transcoded(io.RawIOBase):
    """Takes UTF-8 and passes it on in another encoding."""

    def __init__(self, stream: Any, path: Path, encoding: str) -> None:
        self._stream, self._path, self._encoding = stream, path, encoding
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._encoder = codecs.getincrementalencoder(encoding)()

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        try:
            self._stream.write(self._encoder.encode(self._decoder.decode(bytes(content))))
        except UnicodeEncodeError:
            raise OutputError(
                f"the rows hold characters that the encoding {self._encoding} does not have: leave the encoding out, "
                "for UTF-8"
            ) from None
        return len(content)

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


_Sink = Callable[[Path, pa.Schema, Mapping[str, str], CsvFormat], _ParquetSink | _CsvSink]
_FORMATS: dict[str, _Sink] = {
    ".parquet": _ParquetSink,
    ".pq": _ParquetSink,
    ".csv": _CsvSink,
    ".csv.gz": _GzipCsvSink,
    ".tsv": _TsvSink,
    ".tsv.gz": _GzipTsvSink,
}


def _format(path: Path) -> _Sink:
    if not is_text_path(real_path(path)):
        raise OutputError(f"the path '{path}' is not valid UTF-8, and Arrow cannot write there; choose another name")
    for suffix, sink in _FORMATS.items():
        if path.name.lower().endswith(suffix):
            return sink
    known = ", ".join(_FORMATS)
    raise OutputError(f"cannot tell the table format of '{path}' from its suffix; end the name in one of {known}")


def _as_csv(column: pa.ChunkedArray, decimal: str) -> pa.ChunkedArray:
    """The column in a type that the CSV writer prints in a readable way."""
    held = column.type
    if pa.types.is_duration(held):
        # The CSV writer would print bare counts whose unit the file does not tell: "1 days 02:03:04", as pandas prints.
        series = column.cast(pa.duration("ns")).to_pandas()
        return pa.chunked_array([pa.array(series.astype("string"), pa.string())])
    if isinstance(held, pa.BaseExtensionType) or pa.types.is_string_view(held):
        target = physical_type(held, "written")
        return pa.chunked_array([to_physical(chunk, target) for chunk in column.chunks], type=target)
    if decimal != "." and (pa.types.is_floating(held) or pa.types.is_decimal(held)):
        plain = column.cast(pa.float64()) if pa.types.is_float16(held) else column
        return pc.replace_substring(plain.cast(pa.string()), ".", decimal)
    return column

"""Files that appear whole or not at all: every output is written beside its place and moved there when finished."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from synthgan.errors import OutputError
from synthgan.tables.arrow_types import physical_type, to_physical

GROUP_ROWS = 65_536
"""Rows of a Parquet row group, at least; the last one of a file may hold fewer."""

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_LINKS_UNSUPPORTED = {
    errno.EPERM,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.ENOSYS,
    errno.EXDEV,
    errno.EMLINK,
    errno.EACCES,
}


def check_output(path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Fail early, before hours of work, when nothing could be written at ``path``.

    Raises:
        OutputError: when the file exists and ``force`` is off, or its folder is missing or not writable.
    """
    path = Path(path)
    if not path.name:
        raise OutputError("the output path is empty; name a file")
    with _explained(path):
        if path.is_dir():
            raise OutputError(f"'{path}' is a folder; name a file inside it")
        if path.exists():
            if not path.is_file():
                raise OutputError(f"'{path}' is a device or a pipe; name an ordinary file")
            if not force:
                raise _exists(path)
        _check_place(path)


def make_folder(path: str | os.PathLike[str]) -> None:
    """Create a folder with its parents; an existing one is fine.

    Raises:
        OutputError: when something else stands there or it cannot be created.
    """
    path = Path(path)
    with _explained(path):
        if path.exists() and not path.is_dir():
            raise OutputError(f"'{path}' exists and is not a folder; choose another name")
        path.mkdir(parents=True, exist_ok=True)


@contextmanager
def atomic_path(path: str | os.PathLike[str], *, force: bool = False) -> Iterator[Path]:
    """A temporary path to write to, which becomes ``path`` when the block ends well and vanishes when it does not.

    Args:
        path: where the file is to stand.
        force: replace a file that is already there.

    Yields:
        A path in the same folder, not yet existing.

    Raises:
        OutputError: when the file exists and ``force`` is off, or cannot be written (no folder, no permission, disk
            full); any `OSError` inside the block is taken to be about the output.
    """
    path = Path(path)
    check_output(path, force=force)
    target = path.resolve()  # a link keeps pointing at the file that is replaced
    temporary = target.with_name(f".synthgan-{secrets.token_hex(8)}.partial")
    try:
        with _explained(path):
            # An empty file first: problems show now, and it takes the permissions that the user's umask asks for.
            os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            if force and target.exists():
                shutil.copymode(target, temporary)
            yield temporary
            _to_disk(temporary)
            _move(temporary, target, path, force=force)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def check_folder_output(
    path: str | os.PathLike[str], *, force: bool = False, replaceable: Callable[[Path], bool] = lambda _: False
) -> None:
    """Like `check_output`, for a folder that `atomic_folder` is to write. An empty one may stand there already.

    Args:
        path: where the folder is to stand.
        force: replace a folder that is already there, if it is ``replaceable``.
        replaceable: whether a folder is one that may be deleted.

    Raises:
        OutputError: when something stands there that may not be replaced, or the place is not writable.
    """
    path, target = Path(path), Path(path).resolve()
    with _explained(path):
        if not target.name:
            raise OutputError("the output is the root of the file system; name a folder")
        if target.exists():
            if not target.is_dir():
                raise OutputError(f"'{path}' exists and is not a folder; choose another name")
            if any(target.iterdir()) and not force:
                raise _exists(path)
            if any(target.iterdir()) and not replaceable(target):
                raise OutputError(f"'{path}' holds other files, which are not overwritten; choose another name")
        _check_place(path)


@contextmanager
def atomic_folder(
    path: str | os.PathLike[str], *, force: bool = False, replaceable: Callable[[Path], bool] = lambda _: False
) -> Iterator[Path]:
    """A temporary folder to fill, which becomes ``path`` when the block ends well and vanishes when it does not.

    Yields:
        An empty folder beside ``path``. Its files are best written by `atomic_path` or `open_writer`, which explain
        what goes wrong and wait for the disk.

    Raises:
        OutputError: as `check_folder_output`, and when the folder cannot be created or moved.
    """
    path = Path(path)
    check_folder_output(path, force=force, replaceable=replaceable)
    target = path.resolve()
    temporary = target.with_name(f".synthgan-{secrets.token_hex(8)}.partial")
    try:
        with _explained(path):
            temporary.mkdir()
        yield temporary
        with _explained(path):
            check_folder_output(path, force=force, replaceable=replaceable)  # it may have come to be meanwhile
            _move_folder(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


class TableWriter:
    """Writes one table in pieces; use it as a context manager, which finishes or removes the file."""

    def __init__(
        self, path: str | os.PathLike[str], schema: pa.Schema, *, force: bool, metadata: Mapping[str, str] | None
    ) -> None:
        """See `open_writer`."""
        self._path = Path(path)
        self._schema = schema
        self._force = force
        self._metadata = {"synthgan": "synthetic", **(metadata or {})}
        self._open = _format(self._path)
        self.n_rows = 0

    def __enter__(self) -> TableWriter:
        self._atomic = atomic_path(self._path, force=self._force)
        temporary = self._atomic.__enter__()
        try:
            with _explained(self._path):
                self._sink = self._open(temporary, self._schema, self._metadata)
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
        with _explained(self._path):
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
            with _explained(self._path):
                self._sink.close()
        except BaseException as closing:
            self._atomic.__exit__(type(closing), closing, closing.__traceback__)
            raise
        self._atomic.__exit__(None, None, None)


def open_writer(
    path: str | os.PathLike[str], schema: pa.Schema, *, force: bool = False, metadata: Mapping[str, str] | None = None
) -> TableWriter:
    """Open a table file for writing; its suffix says the format: .parquet, .pq, .csv or .csv.gz.

    Args:
        path: where the file is to stand; it appears when the ``with`` block ends well.
        schema: Arrow schema of the rows; its own metadata (pandas dtypes, say) is kept in Parquet.
        force: replace a file that is already there.
        metadata: further key-value metadata for Parquet, beside ``{"synthgan": "synthetic"}``.

    Raises:
        OutputError: for an unknown suffix now; on entering for an existing file or a place that cannot be written.
    """
    return TableWriter(path, schema, force=force, metadata=metadata)


def check_table_output(path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Like `check_output`, and the suffix must be one that `open_writer` knows.

    Raises:
        OutputError: as `check_output`, and for an unknown suffix.
    """
    _format(Path(path))
    check_output(path, force=force)


class _ParquetSink:
    """Gathers pieces until they fill a row group: small groups make large files that are slow to read."""

    def __init__(self, path: Path, schema: pa.Schema, metadata: Mapping[str, str]) -> None:
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

    def __init__(self, path: Path, schema: pa.Schema, _: Mapping[str, str]) -> None:
        # A lone missing cell would make a blank line, which readers skip; as quoted empty text it stays a row.
        self._alone = len(schema) == 1
        columns = self._columns(schema.empty_table())
        self._schema = pa.schema(
            [pa.field(name, column.type) for name, column in zip(schema.names, columns, strict=True)]
        )
        self._stream = self._open(path)
        self._writer = pa_csv.CSVWriter(self._stream, self._schema)

    @staticmethod
    def _open(path: Path) -> Any:
        return pa.OSFile(str(path), "wb")

    def _columns(self, table: pa.Table) -> list[pa.ChunkedArray]:
        columns = [_as_csv(column) for column in table.columns]
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


_Sink = Callable[[Path, pa.Schema, Mapping[str, str]], _ParquetSink | _CsvSink]
_FORMATS: dict[str, _Sink] = {
    ".parquet": _ParquetSink,
    ".pq": _ParquetSink,
    ".csv": _CsvSink,
    ".csv.gz": _GzipCsvSink,
}


def _format(path: Path) -> _Sink:
    for suffix, sink in _FORMATS.items():
        if path.name.lower().endswith(suffix):
            return sink
    known = ", ".join(_FORMATS)
    raise OutputError(f"cannot tell the table format of '{path}' from its suffix; end the name in one of {known}")


def _as_csv(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column in a type that the CSV writer prints in a readable way."""
    held = column.type
    if pa.types.is_duration(held):
        # The CSV writer would print bare counts whose unit the file does not tell: "1 days 02:03:04", as pandas prints.
        series = column.cast(pa.duration("ns")).to_pandas()
        return pa.chunked_array([pa.array(series.astype("string"), pa.string())])
    if isinstance(held, pa.BaseExtensionType) or pa.types.is_string_view(held):
        target = physical_type(held, "written")
        return pa.chunked_array([to_physical(chunk, target) for chunk in column.chunks], type=target)
    return column


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what the operating system says about an output into one helpful sentence."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        if error.errno in _FULL:
            reason = "the disk or quota is full; free some space or choose another place"
        elif error.errno in _FORBIDDEN:
            reason = "no permission to write there; choose another place"
        elif error.errno == errno.ENAMETOOLONG:
            reason = "the name is too long; choose a shorter one"
        else:
            reason = os.strerror(error.errno).lower() if error.errno else "the operating system refused"
        raise OutputError(f"cannot write '{path}': {reason}") from None


def _check_place(path: Path) -> None:
    folder = path.resolve().parent
    if not folder.is_dir():
        raise OutputError(f"cannot write '{path}': its folder does not exist; create it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"cannot write '{path}': no permission to create files in its folder; choose another place")


def _exists(path: Path) -> OutputError:
    return OutputError(
        f"'{path}' exists already; choose another name or overwrite it with force (--force in the shell)"
    )


def _to_disk(path: Path) -> None:
    """Make the operating system keep its promise now: a full disk may show only here."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _move(temporary: Path, target: Path, path: Path, *, force: bool) -> None:
    if not force:
        try:
            os.link(temporary, target)  # fails when another process has put a file there in the meantime
        except FileExistsError:
            raise _exists(path) from None
        except OSError as error:
            if error.errno not in _LINKS_UNSUPPORTED:
                raise
            if target.exists():
                raise _exists(path) from None
        else:
            return
    temporary.replace(target)


def _move_folder(temporary: Path, target: Path) -> None:
    """Put a folder in the place of another, which comes back when that fails."""
    if not target.exists():
        temporary.rename(target)
        return
    aside = temporary.with_suffix(".replaced")
    target.rename(aside)
    try:
        temporary.rename(target)
    except BaseException:
        aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)

"""From whatever a user calls "the data" to a `Source` that reads it in batches."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds

from synthgan.errors import DataError, SchemaError, SettingsError, SourceError
from synthgan.tables.files.csv_format import CsvFormat
from synthgan.tables.files.outputs import is_text_path
from synthgan.tables.frames.frames import from_frame
from synthgan.tables.reading.reading import Reading
from synthgan.tables.sources.batches import BATCH_ROWS, FrameSource, Source, TableSource, check_rows
from synthgan.tables.sources.csv_source import CsvSource
from synthgan.tables.sources.declared_csv import DeclaredCsvSource
from synthgan.tables.sources.declared_source import DeclaredSource
from synthgan.tables.sources.parquet_source import ParquetSource, dictionaries_of_text

__all__ = ["BATCH_ROWS", "Data", "Source", "names_csv", "open_source"]

PathText: TypeAlias = "str | os.PathLike[str]"
Data: TypeAlias = "pd.DataFrame | pa.Table | ds.Dataset | PathText | Sequence[PathText]"
"""What `open_source` takes."""

_CSV_SOURCES = (CsvSource, DeclaredCsvSource)


@dataclass(frozen=True, kw_only=True, slots=True)
class _FileFormat:
    """A format that tables are stored in, told by the suffix.

    Attributes:
        name: for people.
        suffixes: in lower case.
        exact: opens files as what their reader finds.
        private: opens them for a private fit, whose reader may go by declarations alone.
        has_csv_format: whether encoding, separator and the like can be given.
    """

    name: str
    suffixes: tuple[str, ...]
    exact: Callable[..., Source]
    private: Callable[..., Source]
    has_csv_format: bool = False


_FORMATS = (
    _FileFormat(name="Parquet", suffixes=(".parquet", ".pq"), exact=ParquetSource, private=ParquetSource),
    _FileFormat(
        name="CSV",
        suffixes=(".csv", ".csv.gz", ".tsv", ".tsv.gz"),
        exact=CsvSource,
        private=DeclaredCsvSource,
        has_csv_format=True,
    ),
)
"""Another format is a row here, a `Source` of its own, and a word in the two texts below."""

_EXPECTED = "a .parquet, .pq, .csv or .tsv file (the last two also with .gz behind)"
_EXPECTED_BELOW = "no .parquet or .csv file"


def _format_of(path: Path) -> _FileFormat | None:
    name = path.name.lower()
    return next((form for form in _FORMATS if name.endswith(form.suffixes)), None)


def open_source(
    data: Data, *, minimum_rows: int = 2, reading: Reading | None = None, csv_format: CsvFormat | None = None
) -> Source:
    """Open ``data`` for reading in batches.

    Args:
        data: a DataFrame (of pandas, or any that offers Arrow's stream interface), a pyarrow Table or Dataset, or
            files: a path, a glob pattern, a directory, or several paths.
        minimum_rows: fewer rows than this are refused.
        reading: which types are declared, and whether the rows are for a private fit; None where nothing is declared.
        csv_format: how CSV files are written; None to tell it from their first line.

    Raises:
        SourceError: when files are missing, damaged, or do not belong together.
        DataError: when the table itself cannot be used; names the column.
        SchemaError: when a private fit cannot have it, whatever its rows are.
        SettingsError: when a CSV format is given for what is no CSV file.
    """
    try:
        source = _open(data, reading or Reading(), csv_format)
    except OSError as error:  # of a path itself: a name that is too long, a folder that may not be entered
        reason = error.strerror or "the operating system refused"
        raise SourceError(f"the path of the table cannot be used ({reason.lower()}): check it") from None
    if csv_format is not None and not isinstance(data, Source):
        _check_csv(source)
    if reading is not None and (reading.private or reading.types) and not isinstance(source, DeclaredCsvSource):
        _check_untyped(source, data, reading)
        source = DeclaredSource(source, reading)
    if minimum_rows:
        check_rows(source, minimum_rows)
    return source


def _check_csv(source: Source) -> None:
    if not isinstance(source, _CSV_SOURCES):
        raise SettingsError(
            f"{source.description} is no CSV file, so encoding, separator and the like cannot be given."
        )


def names_csv(data: Any) -> bool:
    """Whether ``data`` names a CSV file, or several files with one among them.

    Raises:
        SourceError: when there is no such file.
    """
    if isinstance(data, str | os.PathLike):
        forms = [_format_of(path) for path in _find_files(os.fspath(data))]
        return any(form is not None and form.has_csv_format for form in forms)
    return isinstance(data, list | tuple) and any(names_csv(item) for item in data)


def _check_untyped(source: Source, data: Any, reading: Reading) -> None:
    """Refuse sources for a private fit that were opened without it, or whose reader goes by the rows."""
    by_rows = isinstance(data, ds.Dataset) and _goes_by_rows(data)
    if reading.private and (by_rows or (isinstance(data, Source) and source.untyped)):
        raise SchemaError(
            f"{source.description} has types that its reader found out from the rows, which a private fit may not "
            "know: give the files themselves, or the DataFrame"
        )


def _goes_by_rows(dataset: ds.Dataset) -> bool:
    """Whether a dataset is, or holds, one of CSV or JSON files."""
    if isinstance(dataset, ds.UnionDataset):
        return any(_goes_by_rows(child) for child in dataset.children)
    typed = (ds.ParquetFileFormat, ds.IpcFileFormat, ds.FeatherFileFormat)
    return isinstance(dataset, ds.FileSystemDataset) and not isinstance(dataset.format, typed)


def _open(data: Any, reading: Reading, csv_format: CsvFormat | None = None) -> Source:
    if isinstance(data, Source):
        return data
    if isinstance(data, pd.DataFrame):
        return FrameSource(from_frame(data, reading), description="the DataFrame")
    if isinstance(data, pa.Table):
        _check_names(data.schema.names, "the table")
        return TableSource(data, description="the Arrow table")
    if isinstance(data, ds.Dataset):
        _check_names(data.schema.names, "the dataset")
        return DatasetSource(_as_stored(data) if reading.private else data)
    if hasattr(data, "__arrow_c_stream__"):  # other data frame libraries speak Arrow
        return _open(pa.table(data), reading)
    if isinstance(data, str | os.PathLike):
        text = os.fspath(data)
        folder = Path(text) if Path(text).is_dir() else None
        return _file_source(_find_files(text), reading, description=text, folder=folder, csv_format=csv_format)
    if isinstance(data, Sequence) and data and all(isinstance(item, str | os.PathLike) for item in data):
        paths = [path for item in data for path in _find_files(os.fspath(item))]
        return _file_source(paths, reading, description=f"{len(paths)} files", csv_format=csv_format)
    raise DataError(
        f"a table cannot be read from a {type(data).__name__}: "
        f"give a DataFrame, a path, a list of paths, or a pyarrow Table or Dataset"
    )


def _check_names(names: Sequence[str], what: str) -> None:
    if len(set(names)) < len(names):
        twice = next(name for name in names if list(names).count(name) > 1)
        raise DataError(f"two columns of {what} are called {twice!r}: names must differ, so rename one of them")


def _find_files(text: str) -> list[Path]:
    """The files that a path, directory or glob pattern stands for, sorted by name."""
    path = Path(text)
    if path.is_dir():
        return _files_below(path)
    if path.exists():
        return [path]
    if any(sign in text for sign in "*?["):
        found = sorted(Path(match) for match in glob.glob(text, recursive=True))  # noqa: PTH207 -- takes absolute patterns, too
        files = [file for match in found for file in (_files_below(match) if match.is_dir() else [match])]
        if not files:
            raise SourceError(f"no file matches {text}: check the pattern and the folder it starts from")
        return files
    raise SourceError(
        f"{text} does not exist: check the path ({_EXPECTED}, a folder of them, or a pattern is expected)"
    )


def _files_below(folder: Path) -> list[Path]:
    """All table files under ``folder``; names that start with ``.`` or ``_`` are bookkeeping of other tools."""
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and _format_of(path) is not None
        and not any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
    ]
    if not files:
        raise SourceError(f"the folder {folder} holds {_EXPECTED_BELOW}")
    return files


def _file_source(
    paths: list[Path],
    reading: Reading,
    *,
    description: str,
    folder: Path | None = None,
    csv_format: CsvFormat | None = None,
) -> Source:
    counts: dict[_FileFormat, int] = {}
    for path in paths:
        if not is_text_path(path):
            raise SourceError(f"the name of {path} is not valid UTF-8, and Arrow cannot open it: rename it")
        form = _format_of(path)
        if form is None:
            raise SourceError(f"{path} has a suffix that is not known: {_EXPECTED} is expected")
        if not path.is_file():
            raise SourceError(f"{path} is not a file")
        if path.stat().st_size == 0:
            raise SourceError(f"{path} is empty (0 bytes): write it again")
        counts[form] = counts.get(form, 0) + 1
    if len(counts) > 1:
        kinds = " and ".join(f"{counts[form]} {form.name}" for form in _FORMATS if form in counts)
        raise SourceError(
            f"{description} holds {kinds} files: one table needs one format, so name the files or a pattern"
        )
    (form,) = counts
    options = {"csv_format": csv_format} if form.has_csv_format else {}
    opened = form.private if reading.private else form.exact
    return opened(paths, description=description, reading=reading, folder=folder, **options)


def _as_stored(dataset: ds.Dataset) -> ds.Dataset:
    """The dataset with dictionaries of text taken as they are stored, see `dictionaries_of_text`."""
    names = dictionaries_of_text(dataset.schema)
    parquet = isinstance(dataset, ds.FileSystemDataset) and isinstance(dataset.format, ds.ParquetFileFormat)
    if not names or not parquet or dataset._scan_options:  # a filter would be lost
        return dataset
    held = ds.ParquetFileFormat(read_options=ds.ParquetReadOptions(dictionary_columns=names))
    parts = [
        held.make_fragment(part.path, filesystem=dataset.filesystem, partition_expression=part.partition_expression)
        for part in dataset.get_fragments()
    ]
    return ds.FileSystemDataset(parts, dataset.schema, held, dataset.filesystem)


class DatasetSource(Source):
    """A pyarrow Dataset, whatever its format."""

    def __init__(self, dataset: ds.Dataset) -> None:
        """Wrap ``dataset``; rows are counted only where that needs no full read."""
        cheap = isinstance(dataset, ds.InMemoryDataset) or (
            isinstance(dataset, ds.FileSystemDataset) and isinstance(dataset.format, ds.ParquetFileFormat)
        )
        super().__init__(dataset.schema, description="the dataset", n_rows=dataset.count_rows() if cheap else None)
        self._dataset = dataset

    def _read(self, columns: list[str], batch_size: int) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._dataset.to_batches(
                columns=columns, batch_size=batch_size, batch_readahead=1, fragment_readahead=1
            )
        except (pa.ArrowException, OSError):
            raise SourceError(
                "the dataset cannot be read to its end: check that its files are whole and have the same columns"
            ) from None

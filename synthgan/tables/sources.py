"""From whatever a user calls "the data" to a `Source` that reads it in batches."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds

from synthgan.errors import DataError, SourceError
from synthgan.tables.batches import BATCH_ROWS, FrameSource, Source, TableSource, check_rows
from synthgan.tables.csv_source import CsvSource
from synthgan.tables.frames import from_frame
from synthgan.tables.outputs import is_text_path
from synthgan.tables.parquet_source import ParquetSource

__all__ = ["BATCH_ROWS", "Data", "Source", "open_source"]

PathText: TypeAlias = "str | os.PathLike[str]"
Data: TypeAlias = "pd.DataFrame | pa.Table | ds.Dataset | PathText | Sequence[PathText]"
"""What `open_source` takes."""

_PARQUET = (".parquet", ".pq")
_CSV = (".csv", ".csv.gz")
_EXPECTED = "a .parquet, .pq, .csv or .csv.gz file"


def open_source(data: Data, *, minimum_rows: int = 2) -> Source:
    """Open ``data`` for reading in batches.

    Args:
        data: a DataFrame (of pandas, or any that offers Arrow's stream interface), a pyarrow Table or Dataset, or
            files: a path, a glob pattern, a directory, or several paths.
        minimum_rows: fewer rows than this are refused.

    Raises:
        SourceError: when files are missing, damaged, or do not belong together.
        DataError: when the table itself cannot be used; names the column.
    """
    try:
        source = _open(data)
    except OSError as error:  # of a path itself: a name that is too long, a folder that may not be entered
        reason = error.strerror or "the operating system refused"
        raise SourceError(f"the path of the table cannot be used ({reason.lower()}): check it") from None
    check_rows(source, minimum_rows)
    return source


def _open(data: Any) -> Source:
    if isinstance(data, Source):
        return data
    if isinstance(data, pd.DataFrame):
        return FrameSource(from_frame(data), description="the DataFrame")
    if isinstance(data, pa.Table):
        _check_names(data.schema.names, "the table")
        return TableSource(data, description="the Arrow table")
    if isinstance(data, ds.Dataset):
        _check_names(data.schema.names, "the dataset")
        return DatasetSource(data)
    if hasattr(data, "__arrow_c_stream__"):  # other data frame libraries speak Arrow
        return _open(pa.table(data))
    if isinstance(data, str | os.PathLike):
        text = os.fspath(data)
        folder = Path(text) if Path(text).is_dir() else None
        return _file_source(_find_files(text), description=text, folder=folder)
    if isinstance(data, Sequence) and data and all(isinstance(item, str | os.PathLike) for item in data):
        paths = [path for item in data for path in _find_files(os.fspath(item))]
        return _file_source(paths, description=f"{len(paths)} files")
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
        and path.name.lower().endswith(_PARQUET + _CSV)
        and not any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
    ]
    if not files:
        raise SourceError(f"the folder {folder} holds no .parquet or .csv file")
    return files


def _file_source(paths: list[Path], *, description: str, folder: Path | None = None) -> Source:
    for path in paths:
        if not is_text_path(path):
            raise SourceError(f"the name of {path} is not valid UTF-8, and Arrow cannot open it: rename it")
        if not path.name.lower().endswith(_PARQUET + _CSV):
            raise SourceError(f"{path} has a suffix that is not known: {_EXPECTED} is expected")
        if not path.is_file():
            raise SourceError(f"{path} is not a file")
        if path.stat().st_size == 0:
            raise SourceError(f"{path} is empty (0 bytes): write it again")
    parquet = [path for path in paths if path.name.lower().endswith(_PARQUET)]
    if not parquet:
        return CsvSource(paths, description=description)
    if len(parquet) < len(paths):
        raise SourceError(
            f"{description} holds {len(parquet)} Parquet and {len(paths) - len(parquet)} CSV files: "
            f"one table needs one format, so name the files or a pattern"
        )
    return ParquetSource(paths, description=description, folder=folder)


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

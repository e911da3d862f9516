"""A source whose columns have the types that were declared, whatever they are in the file, frame or dataset."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from synthgan.tables.arrow_types import is_text, physical_type, value_type
from synthgan.tables.pandas_dtypes import parse_dtype
from synthgan.tables.reading.conversion import convert
from synthgan.tables.reading.reading import Reading
from synthgan.tables.reading.text_values import valid_text
from synthgan.tables.schema.schema import Levels
from synthgan.tables.sources.batches import BATCH_ROWS, Source
from synthgan.tables.sources.derived_source import DerivedSource
from synthgan.tables.sources.holdout import check_unit_column

_CHOSEN_BY_PANDAS: Final = re.compile(
    r"(?i:u?int\d+|float\d+|bool(ean)?)|datetime64\[.+\]|timedelta64\[.+\]|object|str(ing)?(\[.+\])?|ArrowDtype\(.+\)|Sparse\[.+\]"
)
"""Dtypes that pandas may have given a column by itself, by what its cells are: in `read_csv`, whatever its backend, in
`convert_dtypes`, or where a table is put together."""


class DeclaredSource(DerivedSource):
    """The rows of another source, converted as a `Reading` says.

    In a private reading no cell stops it: what does not convert is missing, and text that is no Unicode is written with
    escapes.
    """

    def __init__(self, source: Source, reading: Reading) -> None:
        """Settle the types.

        Raises:
            SchemaError: when the persons of a private fit are named by floats.
        """
        super().__init__(source)
        self._reading = reading
        if reading.private:
            self.take_any_text()
        self._wanted = {name: kind for name, kind in reading.types.items() if name in source.names}
        if reading.private:
            self._wanted |= {name: reading.type_of_text(name) for name in source.untyped | _objects(source)}
            if reading.unit in source.names:
                check_unit_column(source, reading.unit)
        self.untyped = frozenset()
        self.stored_types, self.pandas_dtypes = dict(source.stored_types), dict(source.pandas_dtypes)
        self.written = {name: pattern for name, pattern in source.written.items() if name not in self._wanted}
        for name, kind in self._wanted.items():
            self._settle(name, kind)

    def _settle(self, name: str, kind: pa.DataType) -> None:
        place = self.arrow_schema.get_field_index(name)
        held, plain = self.arrow_schema.field(place).type, physical_type(kind, name)
        target = pa.dictionary(pa.int32(), plain, ordered=held.ordered) if pat.is_dictionary(held) else plain
        self.arrow_schema = self.arrow_schema.set(place, pa.field(name, target))
        noted = self.pandas_dtypes.get(name)
        chosen_by_pandas = noted is not None and _CHOSEN_BY_PANDAS.fullmatch(noted)
        if target != held or (self._reading.private and chosen_by_pandas):
            self.stored_types.pop(name, None)
            if kind != plain:
                self.stored_types[name] = str(kind)
            elif pat.is_dictionary(target):
                self.stored_types[name] = str(target)
            if noted is not None and noted != "category":
                self.pandas_dtypes.pop(name)
                if dtype := _declared_dtype(self._reading.dtypes.get(name), plain) or _numpy_dtype(plain):
                    self.pandas_dtypes[name] = dtype

    def batches(self, columns: Sequence[str] | None = None, batch_size: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """All rows in order, of the declared types.

        Raises:
            DataError: when a cell does not convert, unless the reading is private.
        """
        yield from map(self._converted, self._source.batches(columns, batch_size))

    def sample(self, n_rows: int) -> pa.Table:
        """As `Source.sample`, the way of the source behind it."""
        return pa.Table.from_batches(map(self._converted, self._source.sample(n_rows).to_batches()), self.arrow_schema)

    def fingerprint(self) -> str:
        """SHA-256 over the source behind it, and the types."""
        return hashlib.sha256(f"{self._source.fingerprint()}{self.arrow_schema}".encode()).hexdigest()

    @property
    def categories(self) -> dict[str, Levels]:
        """Levels of the source's categoricals, converted as their columns are."""
        found = dict(self._source.categories)
        for name in found.keys() & self._wanted.keys():
            held = value_type(self._source.arrow_schema.field(name).type)
            values = pa.array(found[name].values, held, from_pandas=True)
            kept = pc.unique(convert(values, self._wanted[name], cut=self._reading.private)).drop_null()
            if kept.type != held:
                found[name] = replace(found[name], values=tuple(kept.to_pylist()), pandas_dtype=None)
        return found

    def _converted(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        arrays = [self._settled(name, column) for name, column in zip(batch.schema.names, batch.columns, strict=True)]
        fields = [self.arrow_schema.field(name) for name in batch.schema.names]
        return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))

    def _settled(self, name: str, column: pa.Array) -> pa.Array:
        if self._reading.private and is_text(value_type(column.type)):
            column = valid_text(column)
        if column.type == self.arrow_schema.field(name).type:
            return column
        return self._reading.converted(name, column, self._wanted[name])


def _objects(source: Source) -> set[str]:
    """Columns of a DataFrame that came as objects: pandas or a reader of text made them."""
    return {
        name
        for name, dtype in source.pandas_dtypes.items()
        if dtype in ("object", "str")
        and name in source.names
        and is_text(value_type(source.arrow_schema.field(name).type))
    }


def _declared_dtype(text: str | None, plain: pa.DataType) -> str | None:
    """The declared dtype of pandas, if it is one of the declared type."""
    if text is None:
        return None
    with suppress(pa.ArrowException, TypeError, ValueError):
        held = pa.array(pd.Series([], dtype=parse_dtype(text)), from_pandas=True).type
        return text if held == plain or (is_text(held) and is_text(plain)) else None
    return None


def _numpy_dtype(plain: pa.DataType) -> str | None:
    """The dtype of pandas for a type, whether or not cells are missing; None to leave it to pandas."""
    if pat.is_timestamp(plain):
        return f"datetime64[{plain.unit}]" if plain.tz is None else f"datetime64[{plain.unit}, {plain.tz}]"
    if pat.is_duration(plain):
        return f"timedelta64[{plain.unit}]"
    if pat.is_integer(plain):
        return str(plain)
    return {pa.float32(): "float32", pa.float64(): "float64", pa.bool_(): "bool"}.get(plain)

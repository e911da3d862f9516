"""Mixed data frames as plain arrays: one shared coding for every table that takes part in a comparison."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from synthgan.errors import DataError
from synthgan.evaluation.compared.column_roles import TimeRole, clock_of, role_of
from synthgan.tables.arrow_types import NANOSECONDS
from synthgan.tables.kinds import TRAITS, Kind, Role

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

_IDENTIFIER_SHARE = 0.5
_IDENTIFIER_MIN_LEVELS = 50


T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparedTables:
    """Several tables with the same columns, as arrays.

    Attributes:
        roles: each compared column's role, in table order.
        left_out: columns that take no part, with the reason.
        n_rows: rows per table.
        numbers: per table and numeric column, ``(n_rows,)`` floats, NaN where missing.
        codes: per table and categorical column, ``(n_rows,)`` codes into levels shared by all tables; -1 where missing.
        n_levels: levels per categorical column over all tables, missing not counted.
        levels: per categorical column, the value behind each code.
        clocks: the numeric columns whose numbers are nanoseconds: instants since 1970, or durations.
    """

    roles: dict[str, Role]
    left_out: dict[str, str]
    n_rows: dict[str, int]
    numbers: dict[str, dict[str, Floats]]
    codes: dict[str, dict[str, Codes]]
    n_levels: dict[str, int]
    levels: dict[str, NDArray[np.object_]] = field(default_factory=dict)
    clocks: dict[str, TimeRole] = field(default_factory=dict)
    _measured: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def once(self, measure: Callable[..., T], *args: Hashable) -> T:
        """``measure(self, *args)``, computed when it is first asked for: scores and what a report draws share some."""
        key = (measure, *args)
        if key not in self._measured:
            self._measured[key] = measure(self, *args)
        measured: T = self._measured[key]
        return measured

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the compared columns in table order."""
        return tuple(self.roles)

    @property
    def numeric(self) -> tuple[str, ...]:
        """Names of the numeric columns in table order."""
        return tuple(name for name, role in self.roles.items() if role == "numeric")

    @property
    def categorical(self) -> tuple[str, ...]:
        """Names of the categorical columns in table order."""
        return tuple(name for name, role in self.roles.items() if role == "categorical")

    def select(self, table: str, rows: NDArray[np.int64]) -> ComparedTables:
        """The same comparison with only ``rows`` of one table."""
        return self.with_part(table, table, rows)

    def at_most(self, max_rows: int | None, names: Sequence[str], rng: np.random.Generator) -> ComparedTables:
        """The same comparison with no more than so many rows of each of these tables, drawn at random; None for all."""
        tables = self
        for name in names:
            if max_rows is not None and self.n_rows[name] > max_rows:
                tables = tables.select(name, np.sort(rng.choice(self.n_rows[name], max_rows, replace=False)))
        return tables

    def with_part(self, name: str, table: str, rows: NDArray[np.int64]) -> ComparedTables:
        """The same comparison with ``rows`` of ``table`` as the table ``name``."""
        return replace(
            self,
            n_rows={**self.n_rows, name: len(rows)},
            numbers={**self.numbers, name: {column: values[rows] for column, values in self.numbers[table].items()}},
            codes={**self.codes, name: {column: codes[rows] for column, codes in self.codes[table].items()}},
        )

    def parts(self, parts: Mapping[str, tuple[str, NDArray[np.int64]]]) -> ComparedTables:
        """Other tables made of rows of these: new name -> the table they come from and their numbers."""
        return replace(
            self,
            n_rows={name: len(rows) for name, (_, rows) in parts.items()},
            numbers={
                name: {column: values[rows] for column, values in self.numbers[table].items()}
                for name, (table, rows) in parts.items()
            },
            codes={
                name: {column: codes[rows] for column, codes in self.codes[table].items()}
                for name, (table, rows) in parts.items()
            },
        )

    def only(self, columns: Collection[str]) -> ComparedTables:
        """The same tables with only some of the columns, in table order."""
        return replace(self, roles={name: role for name, role in self.roles.items() if name in columns})

    def joined(self, name: str, tables: Sequence[str]) -> ComparedTables:
        """The same comparison with the rows of ``tables``, one table after another, as the table ``name``."""
        return replace(
            self,
            n_rows={**self.n_rows, name: sum(self.n_rows[table] for table in tables)},
            numbers={
                **self.numbers,
                name: {
                    column: np.concatenate([self.numbers[table][column] for table in tables]) for column in self.numeric
                },
            },
            codes={
                **self.codes,
                name: {
                    column: np.concatenate([self.codes[table][column] for table in tables])
                    for column in self.categorical
                },
            },
        )

    def matrix(self, table: str, columns: Sequence[str] | None = None, *, max_levels: int = 255) -> Floats:
        """Columns side by side, categoricals as codes: ``(n_rows, n_columns)``, NaN where missing.

        Categorical levels beyond the ``max_levels - 1`` most frequent (over all tables together) share the last code,
        as histogram gradient boosting takes at most 255 levels.
        """
        parts = []
        for name in self.columns if columns is None else columns:
            if self.roles[name] == "numeric":
                parts.append(self._finite(table, name))
                continue
            codes = self.codes[table][name]
            ranks = self._ranks(name)[codes]
            parts.append(np.where(codes < 0, np.nan, np.minimum(ranks, max_levels - 1)))
        return np.column_stack(parts) if parts else np.empty((self.n_rows[table], 0))

    def one_hot(
        self, table: str, columns: Sequence[str] | None = None, *, max_levels: int = 1000
    ) -> NDArray[np.float32]:
        """Numerics and one-hot categoricals, missing as a level where it occurs: ``(n_rows, n_features)``.

        Numbers are counted from the first table's smallest, so that float32 keeps apart what a long epoch would not;
        infinite ones are NaN, like missing ones. Levels beyond the ``max_levels - 1`` most frequent share one feature.
        """
        parts: list[NDArray[np.float32]] = []
        for name in self.columns if columns is None else columns:
            if self.roles[name] == "numeric":
                first = self._finite(next(iter(self.numbers)), name)
                start = 0.0 if np.isnan(first).all() else np.nanmin(first)
                parts.append((self._finite(table, name) - start).astype(np.float32)[:, None])
                continue
            has_missing = any(bool((codes[name] < 0).any()) for codes in self.codes.values())
            width = min(self.n_levels[name], max_levels)
            codes = self.codes[table][name]
            place = np.where(codes < 0, width, np.minimum(self._ranks(name)[codes], width - 1))
            block = np.zeros((len(codes), width + has_missing), dtype=np.float32)
            block[np.arange(len(codes)), place] = 1.0
            parts.append(block)
        return np.concatenate(parts, axis=1) if parts else np.empty((self.n_rows[table], 0), dtype=np.float32)

    def _finite(self, table: str, column: str) -> Floats:
        values = self.numbers[table][column]
        return np.where(np.isfinite(values), values, np.nan)

    def _ranks(self, column: str) -> Codes:
        """Rank of each level by falling frequency over all tables, one spare entry at the end for code -1."""
        counts = np.zeros(self.n_levels[column] + 1, dtype=np.int64)
        for codes in self.codes.values():
            counts += np.bincount(codes[column] + 1, minlength=len(counts))
        ranks = np.empty(self.n_levels[column] + 1, dtype=np.int64)
        ranks[np.argsort(-counts[1:], kind="stable")] = np.arange(self.n_levels[column])
        ranks[-1] = -1
        return ranks


def compare(
    tables: Mapping[str, pd.DataFrame],
    *,
    numeric: Collection[str] | None = None,
    kinds: Mapping[str, Kind] | None = None,
    keep: Collection[str] = (),
    leave_out_identifiers: bool = True,
) -> ComparedTables:
    """Bring tables with the same columns onto one coding. The first table decides the columns and their roles.

    Args:
        tables: name -> frame; all have the columns of the first, in any order.
        numeric: names of the numeric columns; None takes them from ``kinds``.
        kinds: the kinds of columns in a schema. Where it says nothing, the first table's dtypes do: numbers, datetimes
            and timedeltas are numeric; booleans and everything else are categorical.
        keep: columns that are never left out.
        leave_out_identifiers: leave out columns that hold identifiers or free text (see ``left_out``), which no
            synthesizer should reproduce.

    Raises:
        DataError: a table has no rows or not the same columns, or a numeric column holds something else in one of them.
    """
    names = list(tables)
    labels = _checked_labels(tables)
    roles: dict[str, Role] = {}
    left_out: dict[str, str] = {}
    numbers: dict[str, dict[str, Floats]] = {name: {} for name in names}
    codes: dict[str, dict[str, Codes]] = {name: {} for name in names}
    levels: dict[str, NDArray[np.object_]] = {}
    clocks: dict[str, TimeRole] = {}
    for column in labels[names[0]]:
        series = {name: tables[name][labels[name][column]] for name in names}
        first = series[names[0]]
        kind = (kinds or {}).get(column)
        role = (None if kind is None else TRAITS[kind].compared_as) or role_of(first)
        if numeric is not None:
            role = "numeric" if column in numeric else "categorical"
        leave_out = leave_out_identifiers and column not in keep and column not in (numeric or ())
        reason = None if column in keep else _empty_reason(series)
        if reason is None and leave_out and kind is not None:
            reason = TRAITS[kind].not_compared
        if reason is None:
            arrays, levels_here = _arrays(series, role, column)
            if leave_out:
                reason = _counter_reason(first, arrays[0]) if role == "numeric" else _text_reason(arrays[0])
        if reason is not None:
            left_out[column] = reason
            continue
        roles[column] = role
        if role == "categorical":
            levels[column] = levels_here
        elif (clock := clock_of(first)) is not None:
            clocks[column] = clock
        for name, array in zip(names, arrays, strict=True):
            (numbers if role == "numeric" else codes)[name][column] = array
    return ComparedTables(
        roles=roles,
        left_out=left_out,
        n_rows={name: len(tables[name]) for name in names},
        numbers=numbers,
        codes=codes,
        n_levels={column: len(values) for column, values in levels.items()},
        levels=levels,
        clocks=clocks,
    )


def _checked_labels(tables: Mapping[str, pd.DataFrame]) -> dict[str, dict[str, Hashable]]:
    """Each table's column labels by their names, after checking that all tables have the same."""
    found: dict[str, dict[str, Hashable]] = {}
    for name, frame in tables.items():
        if not len(frame):
            raise DataError(f"The {name} table has no rows; give a table with at least one row.")
        by_name: dict[str, Hashable] = {}
        for label in frame.columns:
            if str(label) in by_name:
                raise DataError(f"The {name} table has several columns named '{label}'; rename them.")
            by_name[str(label)] = label
        found[name] = by_name
    first_name, first = next(iter(found.items()))
    for name, by_name in found.items():
        missing = [column for column in first if column not in by_name]
        if missing:
            raise DataError(
                f"The {name} table lacks {len(missing)} column(s) of the {first_name} table: {_listed(missing)}; "
                "compare tables with the same columns."
            )
        extra = [column for column in by_name if column not in first]
        if extra:
            raise DataError(
                f"The {name} table has {len(extra)} column(s) that the {first_name} table lacks: {_listed(extra)}; "
                "drop them first."
            )
    return found


def _listed(names: Sequence[str], limit: int = 8) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:limit])
    return shown + (f" and {len(names) - limit} more" if len(names) > limit else "")


def _arrays(series: Mapping[str, pd.Series], role: Role, column: str) -> tuple[list[NDArray[Any]], NDArray[np.object_]]:
    """One array per table, and the levels of a categorical column."""
    if role == "numeric":
        return [_as_floats(part, column, table) for table, part in series.items()], np.empty(0, dtype=object)
    codes, levels = _as_codes(list(series.values()), column)
    return [*codes], levels


def _as_floats(series: pd.Series, column: str, table: str) -> Floats:
    """A numeric column as floats; datetimes and timedeltas in nanoseconds, local wall time where there is a zone."""
    try:
        return _to_floats(series)
    except (TypeError, ValueError, OverflowError, pa.ArrowInvalid):
        # The cause's text would quote the value that did not convert.
        raise DataError(
            f"Column '{column}' is compared as numbers but has dtype {series.dtype} in the {table} table and does not "
            "convert; bring all tables to the same dtypes, or say in a schema that the column is categorical."
        ) from None


def _to_floats(series: pd.Series) -> Floats:
    if isinstance(series.dtype, pd.ArrowDtype):
        series = _from_arrow(series, series.dtype.pyarrow_dtype)
    elif pd.api.types.is_object_dtype(series.dtype):
        kind = pd.api.types.infer_dtype(series, skipna=True)
        if kind == "date":  # pandas would refuse days beyond 2262
            days = pa.chunked_array([pa.array(series, type=pa.date32(), from_pandas=True)])
            series = pd.Series(days.cast(pa.timestamp("s")).to_pandas())
        elif kind in {"datetime", "datetime64"}:
            series = pd.to_datetime(series)
        elif kind in {"timedelta", "timedelta64"}:
            series = pd.to_timedelta(series)
        elif kind == "decimal":
            series = series.map(float, na_action="ignore")
    if isinstance(series.dtype, pd.DatetimeTZDtype):
        series = series.dt.tz_localize(None)
    if pd.api.types.is_datetime64_any_dtype(series.dtype) or pd.api.types.is_timedelta64_dtype(series.dtype):
        raw = series.to_numpy()
        unit, step = np.datetime_data(raw.dtype)
        # Scaled as floats: in whole nanoseconds a year like 9999 would wrap around.
        return np.where(np.isnat(raw), np.nan, raw.astype(np.int64) * (step * float(NANOSECONDS[unit])))
    return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)


def _from_arrow(series: pd.Series, arrow: pa.DataType) -> pd.Series:
    """An Arrow-backed column on numpy's dtypes."""
    types = pa.types
    if types.is_timestamp(arrow) or types.is_date(arrow) or types.is_duration(arrow):
        chunked = pa.chunked_array(series.array.__arrow_array__())
        if types.is_date(arrow):
            chunked = chunked.cast(pa.timestamp("s"))
        return pd.Series(chunked.to_pandas())
    if types.is_decimal(arrow):
        return pd.Series(pa.chunked_array(series.array.__arrow_array__()).cast(pa.float64()).to_pandas())
    return series


def _as_codes(columns: Sequence[pd.Series], column: str) -> tuple[list[Codes], NDArray[np.object_]]:
    """Codes of several columns into one list of levels, -1 where missing; and the levels."""
    plain = [_as_objects(series) for series in columns]
    try:
        codes, levels = pd.factorize(np.concatenate(plain), use_na_sentinel=True)
    except TypeError:
        raise DataError(
            f"Column '{column}' holds nested values, which have no score; leave it out of both tables."
        ) from None
    stops = np.cumsum([len(part) for part in plain])[:-1]
    return [part.astype(np.int64) for part in np.split(codes, stops)], np.asarray(levels, dtype=object)


def _as_objects(series: pd.Series) -> NDArray[np.object_]:
    values = series.astype(object).to_numpy(dtype=object, copy=True)
    values[series.isna().to_numpy(dtype=bool)] = None
    return values


def _empty_reason(series: Mapping[str, pd.Series]) -> str | None:
    empty = [name for name, part in series.items() if bool(part.isna().all())]
    if not empty:
        return None
    return "entirely missing" if len(empty) == len(series) else f"entirely missing in the {' and '.join(empty)} table"


def _counter_reason(series: pd.Series, values: Floats) -> str | None:
    """Why a numeric column looks like a row number, or None."""
    if (
        len(values) < _IDENTIFIER_MIN_LEVELS
        or not pd.api.types.is_integer_dtype(series.dtype)
        or np.isnan(values).any()
    ):
        return None
    counter = values.max() - values.min() + 1 == len(values) == len(np.unique(values))
    return "looks like a row counter" if counter else None


def _text_reason(codes: Codes) -> str | None:
    """Why a categorical column looks like an identifier or free text, or None."""
    n_present = int((codes >= 0).sum())
    n_levels = len(np.unique(codes[codes >= 0]))
    if n_levels > _IDENTIFIER_MIN_LEVELS and n_levels > _IDENTIFIER_SHARE * n_present:
        return f"looks like an identifier or text: {n_levels} distinct values in {n_present}"
    return None

"""What synthgan knows about a table's columns and rules: kinds, bounds, levels, and where each fact came from."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from numbers import Real
from typing import Any, Literal

from synthgan.errors import SchemaError, did_you_mean
from synthgan.tables.axes.calendars import parse_calendar
from synthgan.tables.kinds import TRAITS, Kind, KindTraits

Provenance = Literal["declared", "inferred-exact", "released"]
"""Where a fact came from: the user said it, it was read off the data exactly, or a private mechanism released it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """Smallest and largest value of a column on its own scale; None leaves a side open; ``source``: provenance.

    Example:
        >>> from synthgan import Bounds
        >>> Bounds(lower=0, upper=120).source
        'declared'
    """

    lower: Any = None
    upper: Any = None
    source: Provenance = "declared"


@dataclass(frozen=True, kw_only=True, slots=True)
class Levels:
    """The allowed categories of a column, in order.

    Attributes:
        values: the categories, in order.
        ordered: whether the order has a meaning.
        source: their provenance.
        pandas_dtype: dtype of a pandas Categorical's categories as text, None when they are to be guessed.

    Example:
        >>> from synthgan import Levels
        >>> Levels(values=("low", "middle", "high"), ordered=True).values
        ('low', 'middle', 'high')
    """

    values: tuple[Any, ...]
    ordered: bool = False
    source: Provenance = "declared"
    pandas_dtype: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnSchema:
    """One column.

    Attributes:
        name: the column's name as a string, unique in the table.
        label: the original label when it is not a string (an int, say), else None.
        kind: how the column is modelled.
        source: provenance of ``kind``.
        reason: one clause that says why the kind was chosen, without quoting a value.
        arrow_type: physical type, as `str(pyarrow.DataType)` (dictionary types: of the values). Empty only in what a
            user declares before the table was seen.
        stored_type: the source's own Arrow type where synthgan works on a plainer one (``arrow_type``), else None.
        written: how the values are written as text, as `synthgan.tables.written.parse_format` reads it; None for cells
            that are what they are. Where ``stored_type`` is text, the table holds these texts and ``arrow_type`` is the
            type behind them; elsewhere only CSV files write them.
        pandas_dtype: the dtype to restore in a DataFrame, as text (see `synthgan.tables.frames`); None when unknown.
        bounds: bounds of a numeric kind, None when unknown.
        levels: categories of a categorical column, None when they are to be found in the data.
        granularity: spacing of the grid a numeric kind lives on, in the column's own unit (an integer step; 0.01 for
            cents; for datetimes and timedeltas a number of nanoseconds; days for dates), None for "detect it".
        offset: where that grid starts, in the same unit (times: from 1970, on the clock of the wall); None is 0.
        calendar: the days that a date or datetime is on (see `synthgan.tables.axes.calendars.parse_calendar`), None for
            every day. The granularity is one day then, unless another one is given.
        time_zone: IANA name for datetimes with a time zone.
        index: whether the column is a level of a DataFrame's index.
        text: for kind ``text``: ``"empty"``, ``"drop"``, or ``"faker:PROVIDER"``.

    Raises:
        SchemaError: when a fact is out of range or does not go with the kind.

    Example:
        >>> from synthgan import Bounds, ColumnSchema
        >>> ColumnSchema(name="age", kind="integer", bounds=Bounds(lower=0)).bounds.lower
        0
    """

    name: str
    label: Hashable = None
    kind: Kind
    source: Provenance = "inferred-exact"
    reason: str = ""
    arrow_type: str = ""
    stored_type: str | None = None
    written: str | None = None
    pandas_dtype: str | None = None
    bounds: Bounds | None = None
    levels: Levels | None = None
    granularity: float | int | None = None
    offset: float | int | None = None
    calendar: str | None = None
    time_zone: str | None = None
    text: str = "empty"
    index: bool = False

    def __post_init__(self) -> None:
        """Check each fact by itself and against the kind."""
        if self.kind not in tuple(TRAITS):  # a list is no kind either, and has no hash
            hint = did_you_mean(self.kind, TRAITS) or f"; the kinds are {', '.join(TRAITS)}"
            raise SchemaError(f"column {self.name!r} has an unknown kind {self.kind!r}{hint}")
        if self.bounds is not None:
            self._check_bounds(self.bounds)
        if self.granularity is not None and not (_is_finite(self.granularity) and self.granularity > 0):
            raise SchemaError(f"the granularity of column {self.name!r} must be a positive, finite number")
        self._check_grid()
        for fact, value in (("bounds", self.bounds), ("granularity", self.granularity)):
            if value is not None and not self.traits.is_number:
                raise SchemaError(
                    f"column {self.name!r} is {self.kind} and cannot have {fact}: drop them or declare a numeric kind"
                )
        if self.levels is not None and len(set(self.levels.values)) < len(self.levels.values):
            raise SchemaError(f"the levels of column {self.name!r} name a value twice: list each once")
        if not re.fullmatch(r"empty|drop|faker:[a-zA-Z_][\w.]*", self.text):
            raise SchemaError(
                f"column {self.name!r} has an unknown text option: "
                f"'empty', 'drop' or 'faker:PROVIDER' (like faker:name) are expected"
            )

    @property
    def traits(self) -> KindTraits:
        """What holds for every column of the kind."""
        return TRAITS[self.kind]

    @property
    def is_dropped(self) -> bool:
        """Whether the column is left out of what is generated."""
        return self.traits.has_text and self.text == "drop"

    def _check_grid(self) -> None:
        if self.offset is not None and not _is_finite(self.offset):
            raise SchemaError(f"the offset of column {self.name!r} must be a finite number")
        if self.offset is not None and self.granularity is None and self.calendar is None:
            raise SchemaError(f"the offset of column {self.name!r} needs a granularity or a calendar beside it")
        if self.calendar is None:
            return
        if not self.traits.has_calendar:
            raise SchemaError(
                f"column {self.name!r} is {self.kind} and cannot have a calendar: drop it or declare date or datetime"
            )
        if parse_calendar(self.calendar) is None:
            raise SchemaError(
                f"the calendar of column {self.name!r} is none that synthgan knows: use one like 'business-days', "
                "'mon+thu', 'month-start', 'month-15', 'quarter-end' or 'year-start+3' (docs/schema.md)"
            )

    def _check_bounds(self, bounds: Bounds) -> None:
        for side, bound in (("lower", bounds.lower), ("upper", bounds.upper)):
            if bound is None:
                continue
            finite = _is_finite(bound) if _is_number(bound) else bound == bound  # noqa: PLR0124 -- False for NaT
            if not finite:
                raise SchemaError(f"the {side} bound of column {self.name!r} must be finite: leave it out for none")
        try:
            reversed_ = bounds.lower is not None and bounds.upper is not None and bounds.lower > bounds.upper
        except TypeError:
            raise SchemaError(f"the bounds of column {self.name!r} are of two types that have no order") from None
        if reversed_:
            raise SchemaError(f"the bounds of column {self.name!r} are reversed: lower is above upper")


def _is_number(value: Any) -> bool:
    return isinstance(value, Real | Decimal) and not isinstance(value, bool)


def _is_finite(value: Any) -> bool:
    try:
        return _is_number(value) and math.isfinite(value)
    except OverflowError:  # a whole number beyond double precision
        return False


def _names(rule: object, names: object) -> tuple[str, ...]:
    """Column names as a tuple, so that rules can be compared and counted.

    Raises:
        SchemaError: when they are no sequence of texts; one text alone is none.
    """
    if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names):
        return tuple(names)
    raise SchemaError(f"a constraint of the kind {type(rule).__name__} needs a tuple of column names, as text")


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """``low <= high`` wherever both are present.

    Example:
        >>> from synthgan import Order
        >>> Order(low="admitted", high="discharged")
        Order(low='admitted', high='discharged')
    """

    low: str
    high: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Sum:
    """``total`` equals the sum of ``parts`` wherever all are present.

    Example:
        >>> from synthgan import Sum
        >>> Sum(total="gross", parts=("net", "tax")).parts
        ('net', 'tax')
    """

    total: str
    parts: tuple[str, ...]

    def __post_init__(self) -> None:
        """Take a list for what it is."""
        object.__setattr__(self, "parts", _names(self, self.parts))


@dataclass(frozen=True, kw_only=True, slots=True)
class Combinations:
    """The columns take only the combinations that occur in the data (or that meet ``min_count``, when protected).

    Example:
        >>> from synthgan import Combinations
        >>> Combinations(columns=("city", "country")).columns
        ('city', 'country')
    """

    columns: tuple[str, ...]

    def __post_init__(self) -> None:
        """Take a list for what it is."""
        object.__setattr__(self, "columns", _names(self, self.columns))


@dataclass(frozen=True, kw_only=True, slots=True)
class UniqueKey:
    """No two rows agree on all of ``columns``. The last one is numbered afresh within each group of the others.

    Example:
        >>> from synthgan import UniqueKey
        >>> UniqueKey(columns=("order", "line")).columns
        ('order', 'line')
    """

    columns: tuple[str, ...]

    def __post_init__(self) -> None:
        """Take a list for what it is."""
        object.__setattr__(self, "columns", _names(self, self.columns))


Constraint = Order | Sum | Combinations | UniqueKey


def constraint_columns(constraint: Constraint) -> tuple[str, ...]:
    """The columns a rule speaks of."""
    if isinstance(constraint, Order):
        return (constraint.low, constraint.high)
    if isinstance(constraint, Sum):
        return (constraint.total, *constraint.parts)
    return constraint.columns


def check_constraint(constraint: Constraint, names: tuple[str, ...]) -> None:
    """Refuse a rule over unknown or repeated columns.

    Raises:
        SchemaError: names the rule's kind and the column.
    """
    rule = type(constraint).__name__
    columns = constraint_columns(constraint)
    fewest = {Order: 2, Sum: 2, Combinations: 2, UniqueKey: 1}[type(constraint)]
    if len(columns) < fewest:
        raise SchemaError(f"a constraint of the kind {rule} needs at least {fewest} columns and has {len(columns)}")
    for column in columns:
        if column not in names:
            raise SchemaError(
                f"a constraint of the kind {rule} names the unknown column {column!r}{did_you_mean(column, names)}"
            )
        if columns.count(column) > 1:
            raise SchemaError(f"a constraint of the kind {rule} names column {column!r} twice")


@dataclass(frozen=True, kw_only=True)
class TableSchema:
    """All columns in their order, and the rules between them.

    Raises:
        SchemaError: when two columns share a name, or a rule names a column that is not there or names one twice.

    Example:
        >>> from synthgan import ColumnSchema, Order, TableSchema
        >>> columns = tuple(ColumnSchema(name=name, kind="date") for name in ("admitted", "discharged"))
        >>> schema = TableSchema(columns=columns, constraints=(Order(low="admitted", high="discharged"),))
        >>> schema.names, schema["admitted"].kind
        (('admitted', 'discharged'), 'date')
    """

    columns: tuple[ColumnSchema, ...]
    constraints: tuple[Constraint, ...] = field(default=())

    def __post_init__(self) -> None:
        """Check names."""
        names = self.names
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise SchemaError(f"the schema has two columns called {twice!r}: names must differ")
        for constraint in self.constraints:
            check_constraint(constraint, names)

    def __getitem__(self, name: str) -> ColumnSchema:
        return self._by_name[name]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def _by_name(self) -> dict[str, ColumnSchema]:
        return {column.name: column for column in self.columns}

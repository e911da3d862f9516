"""What a sampling condition asks of one column, and which rows meet it.

`parse_conditions` reads the Python notation, `parse_where` the shell's. Both end in the same four predicates, settled
on the column's own type: after parsing, every value in a predicate converts exactly to the column's Arrow type, and
the bounds of whole-number types (integers, decimals, times) are inclusive and rounded inwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from synthgan.errors import ConditionError, did_you_mean
from synthgan.tables.arrow_types import parse_type, physical_type, to_physical, value_type
from synthgan.tables.conditions.composites import split_texts
from synthgan.tables.conditions.settling import (
    has_order,
    is_missing,
    levels_between,
    settle_bounds,
    settle_value,
    wrong_type,
)
from synthgan.tables.schema.schema import ColumnSchema, TableSchema
from synthgan.tables.schema.written_columns import value_of_text

Inclusive = Literal["both", "left", "right", "neither"]
_INCLUSIVE: dict[tuple[bool, bool], Inclusive] = {
    (True, True): "both",
    (True, False): "left",
    (False, True): "right",
    (False, False): "neither",
}


@dataclass(frozen=True, slots=True)
class Equals:
    """The column has exactly this value."""

    value: Any


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The column has one of these values, or is missing where ``missing`` allows it."""

    values: tuple[Any, ...]
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Between:
    """The column is present and lies between two bounds; None leaves a side open."""

    low: Any = None
    high: Any = None
    inclusive: Inclusive = "both"

    @property
    def includes_low(self) -> bool:
        """Whether ``low`` itself is in the range."""
        return self.inclusive in ("both", "left")

    @property
    def includes_high(self) -> bool:
        """Whether ``high`` itself is in the range."""
        return self.inclusive in ("both", "right")


@dataclass(frozen=True, slots=True)
class Missing:
    """The column is missing."""


ColumnPredicate = Equals | AnyOf | Between | Missing
"""What can be asked of one of the user's columns."""


@dataclass(frozen=True, slots=True)
class Members:
    """Some members of a combination meet predicates of their own; asked of a composite column (see `composites`).

    Attributes:
        types: Arrow types of all members, in order.
        parts: (place in the combination, predicate) of those that matter.
    """

    types: tuple[pa.DataType, ...]
    parts: tuple[tuple[int, ColumnPredicate], ...]


Predicate = ColumnPredicate | Members
"""What an encoder compiles; level columns by testing `matches` on their level values."""

_NO_VALUE_ASKED = "ask only for missing values or leave the column out of the conditions"


def parse_conditions(conditions: Mapping[Any, Any], schema: TableSchema) -> dict[str, ColumnPredicate]:
    """Read conditions given from Python, by column name or label.

    A scalar means "equals", a list, set or array "any of" (None in it: or missing), a pair ``(low, high)`` "between,
    both included" (None: no bound on that side), and None, NaN, NaT or ``pandas.NA`` "missing". Dates and times may be
    ISO strings; a time without a zone is local time in the column's zone; a date alone stands for its midnight.

    Returns:
        A settled predicate per column name, in the order given.

    Raises:
        ConditionError: for an unknown column, a value the column's type cannot hold, or a range without values.
    """
    if not isinstance(conditions, Mapping):
        raise ConditionError(
            f"conditions are a mapping from column name to value, set, range or None; got {type(conditions).__name__}"
        )
    parsed: dict[str, ColumnPredicate] = {}
    for label, asked in conditions.items():
        column = _find_column(label, schema)
        if column.name in parsed:
            raise ConditionError(f"column '{column.name}' has two conditions; give one set or range instead")
        parsed[column.name] = settle(_read(asked, column.name), column)
    return parsed


def parse_where(texts: Sequence[str], schema: TableSchema) -> dict[str, ColumnPredicate]:
    r"""Read conditions given in the shell, one text each.

    ``income=>50K`` takes the text after the first ``=`` as the value, ``sex=Male|Female`` any of several (write ``\|``
    for a bar that belongs to the value), ``age=60..80``, ``age=60..`` and ``age=..80`` a range of a column that has an
    order, ``workclass=missing()`` a missing value (alone or as one of several).

    Returns:
        A settled predicate per column name, in the order given.

    Raises:
        ConditionError: for a malformed text, an unknown column, or anything `parse_conditions` refuses.
    """
    parsed: dict[str, ColumnPredicate] = {}
    for number, text in enumerate(texts, start=1):
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise ConditionError(f"condition number {number} holds half of a surrogate pair, which no column can hold")
        column, asked = _split_where(text, number, schema)
        if column.name in parsed:
            raise ConditionError(f"column '{column.name}' has two conditions; join values with '|' or give one range")
        parsed[column.name] = settle(_read_where(asked, column), column)
    return parsed


def settle(predicate: ColumnPredicate, column: ColumnSchema) -> ColumnPredicate:
    """Bring a predicate's values onto the column's physical Arrow type, as this module's first lines promise.

    Raises:
        ConditionError: when the column has no values to ask for, a value does not fit its type, or the range is empty.
    """
    if column.is_dropped:
        raise ConditionError(f"column '{column.name}' is dropped by the schema, so it cannot have a condition")
    if predicate in (Missing(), AnyOf((), missing=True)):
        return Missing()
    if not column.traits.is_learned:
        raise ConditionError(
            f"column '{column.name}' is of kind {column.kind}, which is never learned; {_NO_VALUE_ASKED}"
        )
    arrow_type = _plain_type(column)
    predicate = _read_as_written(predicate, column)
    if isinstance(predicate, Between):
        includes = (predicate.includes_low, predicate.includes_high)
        if column.levels is not None and column.levels.ordered:
            return AnyOf(levels_between(predicate.low, predicate.high, includes, column, arrow_type))
        low, high, includes = settle_bounds(predicate.low, predicate.high, includes, column, arrow_type)
        return Between(low, high, _INCLUSIVE[includes])
    values = _wanted(predicate)
    if not values:
        raise ConditionError(f"the condition on column '{column.name}' is an empty set; list at least one value")
    settled = tuple(dict.fromkeys(settle_value(value, column, arrow_type) for value in values))
    if len(settled) == 1 and not (isinstance(predicate, AnyOf) and predicate.missing):
        return Equals(settled[0])
    return AnyOf(settled, missing=isinstance(predicate, AnyOf) and predicate.missing)


def matches(predicate: Predicate, values: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    """Which entries meet the predicate.

    Args:
        predicate: a settled predicate.
        values: a column of the type that the predicate was settled on, stored or physical, dictionary-encoded or plain.

    Returns:
        ``(n_rows,)`` bool. A missing entry (null or NaN) meets only `Missing` and an `AnyOf` that allows it.
    """
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    values = to_physical(values, physical_type(values.type, "asked for"))
    if pat.is_dictionary(values.type):
        # Testing the dictionary once is cheaper than testing every row, and the last slot answers for nulls.
        of_levels: npt.NDArray[np.bool_] = np.append(matches(predicate, values.dictionary), _allows_missing(predicate))
        found_levels: npt.NDArray[np.bool_] = of_levels[
            _to_numpy(pc.fill_null(values.indices.cast(pa.int64()), len(values.dictionary)))
        ]
        return found_levels
    if isinstance(predicate, Members):
        columns, held = split_texts(values, predicate.types)
        for place, part in predicate.parts:
            held = held & matches(part, columns[place])
        return held
    absent = _to_numpy(pc.is_null(values, nan_is_null=True))
    if isinstance(predicate, Missing):
        return absent
    if isinstance(predicate, Between):
        found = _in_range(predicate, values)
    else:
        found = pc.is_in(values, value_set=pa.array(_wanted(predicate), type=values.type, from_pandas=True))
    present: npt.NDArray[np.bool_] = _to_numpy(pc.fill_null(found, False)) & ~absent
    return present | absent if _allows_missing(predicate) else present


# --- Reading the two notations ---------------------------------------------------------------------------------------


def _plain_type(column: ColumnSchema) -> pa.DataType:
    return value_type(physical_type(parse_type(column.arrow_type), column.name))


def _read_as_written(predicate: ColumnPredicate, column: ColumnSchema) -> ColumnPredicate:
    """Texts in the column's own format as the values that they stand for."""
    match predicate:
        case Equals(value=value):
            return Equals(value_of_text(value, column))
        case AnyOf(values=values, missing=missing):
            return AnyOf(tuple(value_of_text(value, column) for value in values), missing)
        case Between(low=low, high=high, inclusive=inclusive):
            return Between(value_of_text(low, column), value_of_text(high, column), inclusive)
    return predicate


def _find_column(label: Any, schema: TableSchema) -> ColumnSchema:
    for column in schema.columns:
        if label == (column.name if column.label is None else column.label):
            return column
    for column in schema.columns:
        if label == column.name:
            return column
    raise ConditionError(
        f"the conditions name a column '{label}' that the table does not have" + did_you_mean(label, schema.names)
    )


def _read(asked: Any, name: str) -> ColumnPredicate:
    if isinstance(asked, Members):
        raise ConditionError(f"the condition on column '{name}' is one for a combination of columns; give each its own")
    if isinstance(asked, Equals | AnyOf | Between | Missing):
        if isinstance(asked, Equals) and is_missing(asked.value):
            return Missing()
        return _any_of(asked.values, asked.missing) if isinstance(asked, AnyOf) else asked
    if isinstance(asked, tuple):
        if len(asked) != 2:
            raise ConditionError(
                f"the condition on column '{name}' is a tuple of {len(asked)}; a range is a pair (low, high), "
                "a choice of values a list or a set"
            )
        low, high = (None if bound is pd.NA or bound is pd.NaT else bound for bound in asked)
        return Between(low, high)
    if isinstance(
        asked, list | set | frozenset | range | np.ndarray | pd.Series | pd.Index | pd.api.extensions.ExtensionArray
    ):
        return _any_of(asked, missing=False)
    if isinstance(asked, Mapping | slice):
        raise ConditionError(
            f"the condition on column '{name}' is a {type(asked).__name__}; "
            "give a value, a list, a pair (low, high) or None"
        )
    return Missing() if is_missing(asked) else Equals(asked)


def _any_of(values: Iterable[Any], missing: bool) -> AnyOf:
    values = list(values)
    present = tuple(value for value in values if not is_missing(value))
    return AnyOf(present, missing=missing or len(present) < len(values))


def _split_where(text: str, number: int, schema: TableSchema) -> tuple[ColumnSchema, str]:
    # A column's own name may hold "=": the longest known name wins over the first sign.
    known = [column for column in schema.columns if text.startswith(column.name + "=")]
    if known:
        column = max(known, key=lambda candidate: len(candidate.name))
        return column, text[len(column.name) + 1 :]
    name, sign, asked = text.partition("=")
    if not sign:
        raise ConditionError(
            f"condition number {number} has no '='; write it as COLUMN=VALUE, COLUMN=LOW..HIGH or COLUMN=missing()"
        )
    return _find_column(name.strip(), schema), asked


def _read_where(asked: str, column: ColumnSchema) -> ColumnPredicate:
    alternatives = [part.replace("\\|", "|") for part in re.split(r"(?<!\\)\|", asked)]
    present = [part for part in alternatives if part != "missing()"]
    missing = len(present) < len(alternatives)
    if not present:
        return Missing()
    arrow_type = _plain_type(column)
    if has_order(column, arrow_type) and any(".." in part for part in present):
        if len(alternatives) > 1:
            raise ConditionError(
                f"the condition on column '{column.name}' mixes a range with alternatives; give one range"
            )
        low, _, high = present[0].partition("..")
        ends = [_from_text(bound, column, arrow_type) if bound.strip() else None for bound in (low, high)]
        return Between(ends[0], ends[1])
    values = tuple(_from_text(part, column, arrow_type) for part in present)
    return AnyOf(values, missing=missing)


_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def _from_text(text: str, column: ColumnSchema, arrow_type: pa.DataType) -> Any:
    """The value behind a shell text; what is not a number or truth value stays text for `settle_value` to read."""
    if text.strip().lower() == "nan" and has_order(column, arrow_type) and column.levels is None:
        raise ConditionError(
            f"the condition on column '{column.name}' asks for NaN; write missing() for missing values"
        )
    if not isinstance(value := value_of_text(text, column), str):
        return value
    try:
        if pat.is_boolean(arrow_type):
            return _TRUTH[text.strip().lower()]
        if pat.is_integer(arrow_type) or pat.is_decimal(arrow_type):
            return Decimal(text.strip())
        if pat.is_floating(arrow_type):
            return float(text)
        if pat.is_binary(arrow_type) or pat.is_large_binary(arrow_type):
            return text.encode()
    except (KeyError, ValueError, InvalidOperation):
        raise wrong_type(column, "a text that does not read as one") from None
    return text


# --- Testing rows ----------------------------------------------------------------------------------------------------


def _allows_missing(predicate: Predicate) -> bool:
    return isinstance(predicate, Missing) or (isinstance(predicate, AnyOf) and predicate.missing)


def _wanted(predicate: ColumnPredicate) -> tuple[Any, ...]:
    match predicate:
        case Equals(value=value):
            return (value,)
        case AnyOf(values=values):
            return values
    return ()


def _in_range(predicate: Between, values: pa.Array) -> pa.Array:
    found = pc.is_valid(values)
    if predicate.low is not None:
        compare = pc.greater_equal if predicate.includes_low else pc.greater
        found = pc.and_(found, compare(values, pa.scalar(predicate.low, type=values.type)))
    if predicate.high is not None:
        compare = pc.less_equal if predicate.includes_high else pc.less
        found = pc.and_(found, compare(values, pa.scalar(predicate.high, type=values.type)))
    return found


def _to_numpy(mask: pa.Array) -> npt.NDArray[Any]:
    dense: npt.NDArray[Any] = mask.to_numpy(zero_copy_only=False)
    return dense

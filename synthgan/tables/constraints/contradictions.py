"""Conditions that no row can meet because a rule stands against them: refused at once, by the rule's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pyarrow.types as pat

from synthgan.errors import ConditionError
from synthgan.tables.arrow_types import parse_type
from synthgan.tables.conditions.predicates import AnyOf, Between, ColumnPredicate, Equals
from synthgan.tables.constraints.limits import limits_of, natural_value
from synthgan.tables.constraints.planning import implied_orders
from synthgan.tables.constraints.steps import describe
from synthgan.tables.schema.schema import ColumnSchema, Constraint, Order, Sum, TableSchema

_SLACK = {True: 1e-6, False: 1e-12}
"""Relative difference within which floats (of single precision or not) may still print alike."""


@dataclass(frozen=True, slots=True)
class _Span:
    """First and last value that a condition leaves, in natural units; the value behind each, None when open."""

    low: Fraction | float
    high: Fraction | float
    low_value: Any = None
    high_value: Any = None


def check_conditions(
    schema: TableSchema, predicates: Mapping[str, ColumnPredicate], can_hold: Callable[[str, ColumnPredicate], bool]
) -> None:
    """Refuse settled conditions that contradict an order or a sum.

    Args:
        schema: the user's columns and constraints.
        predicates: by column; a column that may be missing under its condition is left out, as no rule binds it then.
        can_hold: whether a column without a condition, which is never missing, could meet a range; True when unknown.

    Raises:
        ConditionError: names the rule.
    """
    spans = {
        name: span
        for rule in schema.constraints
        if isinstance(rule, Order | Sum)
        for name in _columns(rule)
        if name in predicates and (span := _span(predicates[name], schema[name])) is not None
    }
    if not spans:
        return
    orders = [rule for rule in schema.constraints if isinstance(rule, Order)]
    for order in (*orders, *implied_orders(orders)):
        low, high = spans.get(order.low), spans.get(order.high)
        if low is not None and high is not None:
            possible = not _above(low.low, high.high, [schema[order.low], schema[order.high]])
        elif high is not None:
            possible = high.high_value is None or can_hold(order.low, Between(None, high.high_value))
        else:
            possible = low is None or low.low_value is None or can_hold(order.high, Between(low.low_value, None))
        _refuse_unless(possible, order)
    for rule in schema.constraints:
        if isinstance(rule, Sum) and spans.keys() >= set(_columns(rule)):
            total, parts = spans[rule.total], [spans[part] for part in rule.parts]
            columns = [schema[name] for name in _columns(rule)]
            least, most = sum(part.low for part in parts), sum(part.high for part in parts)
            _refuse_unless(not (_above(least, total.high, columns) or _above(total.low, most, columns)), rule)


def _columns(rule: Order | Sum) -> tuple[str, ...]:
    return (rule.low, rule.high) if isinstance(rule, Order) else (rule.total, *rule.parts)


def _refuse_unless(possible: bool, rule: Constraint) -> None:
    if not possible:
        raise ConditionError(
            f"the conditions contradict the rule {describe(rule)}, so no row can meet them: widen one of them, or "
            "leave it out"
        )


def _above(low: Fraction | float, high: Fraction | float, columns: list[ColumnSchema]) -> bool:
    """Whether ``low`` is surely above ``high``."""
    floats = [held for held in (parse_type(column.arrow_type) for column in columns) if pat.is_floating(held)]
    slack: Fraction | float = 0
    if floats and abs(float(low)) < float("inf") and abs(float(high)) < float("inf"):
        narrow = any(held.bit_width < 64 for held in floats)
        slack = Fraction(_SLACK[narrow] * max(abs(float(low)), abs(float(high))))
    return low - slack > high if slack else low > high


def _span(predicate: ColumnPredicate, column: ColumnSchema) -> _Span | None:
    """What a condition leaves of an ordered column; None where it says nothing, or lets the column be missing."""
    limits = limits_of(column)
    if isinstance(predicate, Between):
        low, high = predicate.low, predicate.high
    elif isinstance(predicate, Equals):
        low = high = predicate.value
    elif isinstance(predicate, AnyOf) and not predicate.missing:
        low, high = min(predicate.values), max(predicate.values)
    else:
        return None
    held = parse_type(column.arrow_type)
    return _Span(
        limits.lower if low is None else max(limits.lower, natural_value(low, column, held)),
        limits.upper if high is None else min(limits.upper, natural_value(high, column, held)),
        low,
        high,
    )

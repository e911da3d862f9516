"""From declared constraints to steps in an order that works, or an error that names the ones that do not go together.

Every column is derived by at most one rule: as a sum's total, as a member of a combination, as a numbered key, or by
the orders it takes part in. Columns that no rule derives are modelled as they are, and every derived column may in
turn be an anchor, a part or a key of others, as long as nothing goes in a circle.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from graphlib import CycleError, TopologicalSorter

import pyarrow.types as pat

from synthgan.errors import SchemaError
from synthgan.tables.arrow_types import is_text, parse_type
from synthgan.tables.constraints.combinations import CombinationStep
from synthgan.tables.constraints.keys import NumberedKeyStep
from synthgan.tables.constraints.limits import (
    Limits,
    exact_together,
    float_limits,
    is_narrow,
    limits_of,
    natural_tick,
    scale_of,
)
from synthgan.tables.constraints.order import OrderStep
from synthgan.tables.constraints.steps import Step, describe
from synthgan.tables.constraints.sums import SumStep, sum_type_problem
from synthgan.tables.schema.schema import (
    Combinations,
    Constraint,
    Order,
    Sum,
    TableSchema,
    UniqueKey,
    constraint_columns,
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a schema's constraints come to.

    Attributes:
        steps: in the order in which `Step.backward` must run.
        limits: tightened limits of columns that are modelled as they are and have something above or below them.
        keys: columns that must become identifiers.
        movable: columns that a step may change after they were decoded.
    """

    steps: tuple[Step, ...] = ()
    limits: dict[str, Limits] = field(default_factory=dict)
    keys: frozenset[str] = frozenset()
    movable: frozenset[str] = frozenset()


def make_plan(schema: TableSchema) -> Plan:
    """Check the constraints against the columns and each other, and plan the steps.

    Raises:
        SchemaError: for an unsuitable column, or constraints that cannot be kept together.
    """
    for constraint in schema.constraints:
        _check(constraint, schema)
    return _Planner(schema).plan()


class _Planner:
    def __init__(self, schema: TableSchema) -> None:
        self._schema = schema
        self._orders = [each for each in dict.fromkeys(schema.constraints) if isinstance(each, Order)]
        self._owner: dict[str, Constraint] = {}  # column -> the sum, combination or key that derives it
        self._above: dict[str, list[str]] = {}  # column -> columns it is derived upwards from
        self._below: dict[str, list[str]] = {}  # column -> columns it is derived downwards from
        self._names = set(schema.names)

    def plan(self) -> Plan:
        for constraint in dict.fromkeys(self._schema.constraints):
            for name in _derived_by(constraint):
                self._claim(name, constraint)
        self._direct_orders()
        sequence = self._sequence()
        limits = self._limits()
        movable = self._movable()
        steps: list[Step] = []
        done: set[str] = set()
        for name in sequence:
            if name not in done and (step := self._step(name, limits, movable)) is not None:
                steps.append(step)
                done.update(step.makes)
        ordered: set[str] = {end for order in self._orders for end in constraint_columns(order)}
        made = {name for step in steps for name in step.makes}
        tightened = {
            name: limits[name] for name in sorted(ordered - made) if limits[name] != limits_of(self._schema[name])
        }
        narrow_sums = [each for each in self._sums() if is_narrow(self._schema[each.total])]
        moved = movable & {part for each in narrow_sums for part in each.parts}
        single = [each for each in self._schema.constraints if isinstance(each, UniqueKey) and len(each.columns) == 1]
        return Plan(
            steps=tuple(steps),
            limits=tightened,
            keys=frozenset(each.columns[0] for each in single),
            movable=frozenset(moved | set(tightened)),
        )

    def _sums(self) -> list[Sum]:
        return [each for each in dict.fromkeys(self._schema.constraints) if isinstance(each, Sum)]

    def _claim(self, name: str, constraint: Constraint) -> None:
        if name in self._owner:
            raise _clash([self._owner[name], constraint], f"both decide column '{name}'")
        self._owner[name] = constraint

    def _direct_orders(self) -> None:
        """Orders derive their high end, or the low end where the high end is decided by another rule."""
        for order in self._orders:
            if order.high not in self._owner:
                self._above.setdefault(order.high, []).append(order.low)
        for order in self._orders:
            if order.high not in self._owner:
                continue
            if order.low in self._owner:
                other = self._owner[order.low]
                rivals = [order, self._owner[order.high], *([other] if other != self._owner[order.high] else [])]
                raise _clash(rivals, "decide the same columns")
            if order.low in self._above:
                first = next(each for each in self._orders if each.high == order.low)
                raise _clash([first, order, self._owner[order.high]], f"leave no freedom for column '{order.low}'")
            self._below.setdefault(order.low, []).append(order.high)

    def _sequence(self) -> list[str]:
        # Lists, not sets: the order of the steps must be the same in every process.
        needs: dict[str, list[str]] = {**self._above, **self._below}
        for name, constraint in self._owner.items():
            needs[name] = [other for other in constraint_columns(constraint) if other not in _derived_by(constraint)]
        try:
            TopologicalSorter(needs).prepare()
        except CycleError as error:
            circle = set(error.args[1])
            constraints = dict.fromkeys(self._schema.constraints)
            involved = [each for each in constraints if len(circle & set(constraint_columns(each))) > 1]
            raise _clash(involved, "go in a circle") from None
        for name, anchors in self._implied().items():
            needs[name] = [*needs[name], *anchors]
        return list(TopologicalSorter(needs).static_order())

    def _implied(self) -> dict[str, list[str]]:
        """Column derived upwards -> anchors of its anchors; they bind it where those between are missing."""
        found: dict[str, list[str]] = {}
        for order in implied_orders(self._schema.constraints):
            if order.high in self._above:
                found.setdefault(order.high, []).append(order.low)
        return found

    def _limits(self) -> dict[str, Limits]:
        """What each column may hold so that there is always room above it and below it."""
        ruled: list[Constraint] = [*self._orders, *self._sums()]
        limits = {name: limits_of(self._schema[name]) for each in ruled for name in constraint_columns(each)}
        for names in _compared(self._orders):
            exact = exact_together([self._schema[name] for name in names])
            limits |= {name: self._aligned(name, limits[name].narrowed(exact[name])) for name in names}
        for _ in self._orders:
            for order in self._orders:
                low, high = limits[order.low], limits[order.high]
                limits[order.low] = self._aligned(order.low, low.narrowed(Limits(upper=high.upper)))
                limits[order.high] = self._aligned(order.high, high.narrowed(Limits(lower=low.lower)))
        for order in self._orders:
            for name in constraint_columns(order):
                if limits[name].lower > limits[name].upper:
                    raise SchemaError(f"the bounds of the columns leave no room for {describe(order)}: widen them")
        for each in self._sums():
            parts = [limits[part] for part in each.parts]
            total = limits[each.total]
            if sum(part.lower for part in parts) > total.upper or sum(part.upper for part in parts) < total.lower:
                raise SchemaError(f"the bounds of the columns leave no room for {describe(each)}: widen them")
        return limits

    def _aligned(self, name: str, limits: Limits) -> Limits:
        held = parse_type(self._schema[name].arrow_type)
        if pat.is_floating(held):
            return limits if held.bit_width == 64 else float_limits(limits, held)
        tick = natural_tick(held)
        return Limits(_round_to(limits.lower, tick, math.ceil), _round_to(limits.upper, tick, math.floor))

    def _movable(self) -> frozenset[str]:
        """Parts of sums that no other rule looks at."""
        used: list[str] = [
            name for each in dict.fromkeys(self._schema.constraints) for name in constraint_columns(each)
        ]
        return frozenset(part for each in self._sums() for part in each.parts if used.count(part) == 1)

    def _step(self, name: str, limits: dict[str, Limits], movable: frozenset[str]) -> Step | None:
        schema, owner, implied = self._schema, self._owner.get(name), self._implied()
        if isinstance(owner, Sum):
            parts = [schema[part] for part in owner.parts]
            return SumStep(schema[name], parts, limits=limits, movable=movable, new_name=self._new_name)
        if isinstance(owner, Combinations):
            return CombinationStep([schema[each] for each in owner.columns], new_name=self._new_name)
        if isinstance(owner, UniqueKey):
            return NumberedKeyStep([schema[each] for each in owner.columns]) if len(owner.columns) > 1 else None
        for anchors, direction in ((self._above, 1), (self._below, -1)):
            if name in anchors:
                return OrderStep(
                    schema[name],
                    [schema[anchor] for anchor in anchors[name]],
                    implied=[schema[anchor] for anchor in implied.get(name, ()) if direction > 0],
                    direction=direction,
                    limits=limits[name],
                    new_name=self._new_name,
                )
        return None

    def _new_name(self, wanted: str) -> str:
        while wanted in self._names:
            wanted += "'"
        self._names.add(wanted)
        return wanted


def implied_orders(constraints: Iterable[Constraint]) -> tuple[Order, ...]:
    """Orders that follow from several declared ones and are not declared themselves."""
    declared = [each for each in dict.fromkeys(constraints) if isinstance(each, Order)]
    found: dict[Order, None] = {}
    for first in declared:
        reached, left = {first.high}, [first.high]
        while left:
            at = left.pop(0)
            further = [each.high for each in declared if each.low == at and each.high not in reached]
            reached.update(further)
            left += further
            found |= dict.fromkeys(Order(low=first.low, high=name) for name in further)
    return tuple(order for order in found if order not in declared and order.low != order.high)


def _compared(orders: Iterable[Order]) -> list[list[str]]:
    """Columns that orders compare with each other, directly or by way of others."""
    groups: list[list[str]] = []
    for order in orders:
        ends = list(constraint_columns(order))
        joined = [group for group in groups if set(group) & set(ends)]
        groups = [group for group in groups if group not in joined]
        groups.append(list(dict.fromkeys([*(name for group in joined for name in group), *ends])))
    return groups


def _round_to(end: Fraction | float, tick: Fraction, rounding: Callable[[Fraction], int]) -> Fraction | float:
    return end if isinstance(end, float) and math.isinf(end) else rounding(Fraction(end) / tick) * tick


def _derived_by(constraint: Constraint) -> tuple[str, ...]:
    """Columns that a sum, combination or key decides; orders are fitted in around them."""
    if isinstance(constraint, Sum):
        return (constraint.total,)
    if isinstance(constraint, Combinations):
        return constraint.columns
    return constraint.columns[-1:] if isinstance(constraint, UniqueKey) else ()


def _clash(constraints: Iterable[Constraint], why: str) -> SchemaError:
    named = " and ".join(describe(each) for each in constraints)
    return SchemaError(f"{named} cannot be kept together, because they {why}: leave one of them out")


def _check(constraint: Constraint, schema: TableSchema) -> None:
    """Refuse what could not work even alone."""
    columns = [schema[name] for name in constraint_columns(constraint)]
    if isinstance(constraint, Order | Sum):
        scales = {scale_of(column) for column in columns}
        zones = {pat.is_timestamp(held) and held.tz is not None for held in (parse_type(c.arrow_type) for c in columns)}
        alike = None not in scales and len(scales) == len(zones) == 1
        if isinstance(constraint, Order) and not alike:
            raise SchemaError(
                f"{describe(constraint)} needs two columns that can be compared: numbers, dates and times (with a time "
                f"zone both or neither; a date has none), or durations; {_kinds(constraint, schema)}"
            )
        if isinstance(constraint, Sum):
            if scales not in ({"amount"}, {"duration"}):
                raise SchemaError(f"{describe(constraint)} needs numbers or timedeltas; {_kinds(constraint, schema)}")
            if problem := sum_type_problem(columns[0], columns[1:]):
                raise SchemaError(f"{describe(constraint)} cannot be kept exactly: {problem}")
        return
    for column in columns:
        numbered = isinstance(constraint, UniqueKey) and column is columns[-1]
        if not column.traits.is_read or (not column.traits.is_learned and isinstance(constraint, Combinations)):
            raise SchemaError(
                f"{describe(constraint)} needs columns whose values are learned; '{column.name}' is of kind "
                f"{column.kind}: leave it out or declare another kind"
            )
        held = parse_type(column.arrow_type)
        suits = pat.is_integer(held) or (is_text(held) and len(columns) == 1)
        if numbered and not suits:
            wanted = (
                "whole numbers or text" if len(columns) == 1 else "whole numbers, since its last column is numbered"
            )
            raise SchemaError(
                f"{describe(constraint)} needs {wanted}; '{column.name}' holds {column.arrow_type} values"
            )


def _kinds(constraint: Constraint, schema: TableSchema) -> str:
    """Such as "'a' is integer, 'b' is text"."""
    return ", ".join(
        f"'{name}' is {schema[name].kind} ({schema[name].arrow_type})" for name in constraint_columns(constraint)
    )

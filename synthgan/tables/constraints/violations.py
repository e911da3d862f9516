"""How many training rows break each declared constraint."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from synthgan.errors import DataError
from synthgan.tables.constraints.counters import GroupCounter, hash_rows
from synthgan.tables.constraints.limits import number_kind
from synthgan.tables.constraints.planning import implied_orders
from synthgan.tables.constraints.scales import DecimalScale, Numbers, make_scale, plain, sum_as_printed
from synthgan.tables.constraints.steps import describe
from synthgan.tables.schema.schema import Constraint, Order, Sum, TableSchema, UniqueKey, constraint_columns

Batch: TypeAlias = pa.RecordBatch | pa.Table


class ViolationCounter:
    """Counts over all batches of a table; call `update` for each and `check` at the end."""

    def __init__(self, schema: TableSchema) -> None:
        """Take the schema with its constraints."""
        self._schema = schema
        self._keys = {
            place: GroupCounter() for place, each in enumerate(schema.constraints) if isinstance(each, UniqueKey)
        }
        self._missing = dict.fromkeys(self._keys, 0)
        self._implied = dict.fromkeys(implied_orders(schema.constraints), 0)
        self.counts = dict.fromkeys(range(len(schema.constraints)), 0)
        """Rows that break each constraint so far, by its place in the schema."""

    def update(self, batch: Batch) -> None:
        """Count another batch."""
        for place, constraint in enumerate(self._schema.constraints):
            if isinstance(constraint, Order):
                self.counts[place] += _broken_orders(constraint, self._schema, batch)
            elif isinstance(constraint, Sum):
                self.counts[place] += _broken_sums(constraint, self._schema, batch)
            elif isinstance(constraint, UniqueKey):
                columns = [plain(batch.column(name)) for name in constraint.columns]
                repeated = int((self._keys[place].number(hash_rows(columns)) > 0).sum())
                self.counts[place] += repeated
                # What a key decides is never empty in the synthetic rows, so it may not be empty here.
                self._missing[place] += columns[-1].null_count
        for order in self._implied:
            self._implied[order] += _broken_orders(order, self._schema, batch)

    def check(self) -> None:
        """Accept the table or refuse it.

        Raises:
            DataError: when any row breaks a constraint; names the constraint and the number of rows.
        """
        for place, constraint in enumerate(self._schema.constraints):
            if self.counts[place]:
                rows = "row breaks" if self.counts[place] == 1 else "rows break"
                raise DataError(
                    f"{self.counts[place]} {rows} the declared constraint {describe(constraint)}: "
                    f"correct the table or leave the constraint out{self._hint(constraint)}"
                )
            if self._missing.get(place):
                raise DataError(
                    f"{self._missing[place]} rows have no value in the last column of {describe(constraint)}: "
                    "fill it or leave the constraint out"
                )
        for order, count in self._implied.items():
            if count:
                rows = "row breaks" if count == 1 else "rows break"
                raise DataError(
                    f"{count} {rows} {describe(order)}, which follows from the declared orders where the columns "
                    "between are missing: correct the table or leave one of the orders out"
                )

    def _hint(self, constraint: Constraint) -> str:
        kinds = {number_kind(self._schema[name]) for name in constraint_columns(constraint)}
        return " (a date counts as its midnight)" if kinds == {"date", "datetime"} else ""


def _readers(result: str, others: tuple[str, ...], schema: TableSchema) -> tuple[Callable[[pa.Array], Numbers], bool]:
    # Without its granularity a zoned column is compared as instants, whatever its days look like on the wall.
    column = dataclasses.replace(schema[result], granularity=None, offset=None, calendar=None)
    scale = make_scale(column, [schema[name] for name in others])
    return scale.read, isinstance(scale, DecimalScale)


def _broken_orders(order: Order, schema: TableSchema, batch: Batch) -> int:
    read, _ = _readers(order.high, (order.low,), schema)
    low, high = (read(plain(batch.column(name))) for name in (order.low, order.high))
    return int((low.valid & high.valid & (low.exact > high.exact)).sum())


def _broken_sums(constraint: Sum, schema: TableSchema, batch: Batch) -> int:
    read, is_decimal = _readers(constraint.total, constraint.parts, schema)
    total = read(plain(batch.column(constraint.total)))
    parts = [read(plain(batch.column(name))) for name in constraint.parts]
    ruled = np.logical_and.reduce([total.valid, *(part.valid for part in parts)])
    terms = [part.ticks for part in parts]
    if is_decimal:
        holds = np.isclose(sum_as_printed(terms), total.ticks)
    else:
        # Python integers where int64 might wrap around.
        large = np.sum([np.abs(term.astype(np.float64)) for term in terms], axis=0) >= 2.0**62
        holds = np.sum(terms, axis=0) == total.ticks
        for row in np.flatnonzero(large & ruled):
            holds[row] = sum(int(term[row]) for term in terms) == int(total.ticks[row])
    return int((ruled & ~holds).sum())

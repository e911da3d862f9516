"""The table as the codec models it, so that declared constraints hold whatever the generator draws."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from synthgan.errors import ConditionError
from synthgan.tables.arrow_types import parse_type
from synthgan.tables.conditions.predicates import ColumnPredicate, Members, Predicate
from synthgan.tables.constraints.combinations import CombinationStep
from synthgan.tables.constraints.keys import NumberedKeyStep
from synthgan.tables.constraints.limits import clip_array, declared_bounds
from synthgan.tables.constraints.planning import make_plan
from synthgan.tables.constraints.scales import plain
from synthgan.tables.constraints.steps import DecodingState
from synthgan.tables.schema.schema import ColumnSchema, TableSchema

BatchT = TypeVar("BatchT", pa.RecordBatch, pa.Table)


class Reparametrisation:
    """Between the user's columns and the internal ones that stand for them.

    Attributes:
        schema: the user's columns and constraints.
        internal: what the codec models, without constraints. Some internal columns may be entirely missing (a value
            *alone* where nothing else is missing, say): they have a kind all the same, and one level.
        derived: the user's columns that are not modelled under their own name -> the internal ones that stand for them.
        composites: internal columns whose levels are combinations (see `start`).
    """

    def __init__(self, schema: TableSchema, known: Collection[str] | None = None) -> None:
        """See `reparametrise`."""
        plan = make_plan(schema)
        self.schema = schema
        self._steps = plan.steps
        self._limits = plan.limits
        self._keys = plan.keys
        self._movable = plan.movable
        self.derived: dict[str, tuple[str, ...]] = {
            name: tuple(column.name for column in step.internal) for step in plan.steps for name in step.makes
        }
        self._combined = {step.composite: step for step in plan.steps if isinstance(step, CombinationStep)}
        self.composites: tuple[str, ...] = tuple(self._combined)
        absent = {name for step in plan.steps for name in step.later if known is not None and name not in known}
        columns = self._internal_columns()
        self.internal = TableSchema(columns=tuple(each for each in columns if each.name not in absent))

    def _internal_columns(self) -> tuple[ColumnSchema, ...]:
        """Every step's columns stand where the first of its made columns stood."""
        columns: list[ColumnSchema] = []
        placed: set[int] = set()
        owner = {name: place for place, step in enumerate(self._steps) for name in step.makes}
        for column in self.schema.columns:
            if column.name not in owner:
                columns.append(self._as_modelled(column))
            elif owner[column.name] not in placed:
                placed.add(owner[column.name])
                columns += self._steps[owner[column.name]].internal
        return tuple(columns)

    def _as_modelled(self, column: ColumnSchema) -> ColumnSchema:
        if column.name in self._keys:
            return dataclasses.replace(
                column,
                kind="identifier",
                source="declared",
                reason="declared as a unique key",
                bounds=None,
                granularity=None,
                offset=None,
                calendar=None,
            )
        if column.name in self._limits:
            return dataclasses.replace(column, bounds=declared_bounds(self._limits[column.name], column))
        return column

    def forward(self, batch: BatchT) -> BatchT:
        """The internal columns of a batch of the user's columns; rows that break a rule are bent to it.

        Raises:
            DataError: when a constrained column holds values too large for exact arithmetic.
        """
        if not self._steps:
            return batch
        columns: dict[str, Any] = {}
        by_name = {name: batch.column(name) for name in batch.schema.names}
        for step in self._steps:
            columns.update(zip((column.name for column in step.internal), step.forward(by_name), strict=True))
        columns = {
            column.name: columns[column.name] if column.name in columns else by_name[column.name]
            for column in self.internal.columns
            if column.name in columns or column.name in by_name
        }
        made: BatchT = type(batch).from_arrays(list(columns.values()), names=list(columns))
        return made

    def start(
        self,
        rng: np.random.Generator,
        *,
        combinations: Mapping[str, tuple[pa.Array, npt.NDArray[Any]]] | None = None,
        values: Mapping[str, Callable[[int], pa.Array]] | None = None,
    ) -> DecodingState:
        """What `backward` remembers through one sampling session.

        Args:
            rng: draws stand-ins for protected combinations.
            combinations: for each of `composites` the levels that the codec kept and their shares; without it
                stand-ins come from the batch at hand.
            values: for internal columns of derived ones, what draws values of the codec's law (see `DecodingState`);
                without it they come from the batch at hand.
        """
        return DecodingState(rng=rng, combinations=combinations or {}, values=values or {})

    def backward(self, table: pa.Table, state: DecodingState) -> pa.Table:
        """The user's columns, in their order, of a decoded batch; every row keeps every constraint.

        Columns that the codec did not decode (dropped text) are left out.
        """
        if not self._steps and not self._limits:
            return table.select([name for name in self.schema.names if name in table.column_names])
        known: dict[str, Any] = {
            name: table.column(name)
            for name in self.schema.names
            if name not in self.derived and name in table.column_names
        }
        for name, limits in self._limits.items():
            column = self.schema[name]
            known[name] = clip_array(plain(known[name]).cast(parse_type(column.arrow_type)), limits, column)
        for step in self._steps:
            inside = [
                _one_chunk(table.column(column.name)) if column.name in table.column_names else None
                for column in step.internal
            ]
            step.backward(inside, known, state)
        return pa.table({name: known[name] for name in self.schema.names if name in known})

    def conditions(
        self, predicates: Mapping[str, ColumnPredicate]
    ) -> tuple[dict[str, Predicate], dict[str, Predicate]]:
        """Split conditions on the user's columns into those for internal columns and the rest.

        Returns:
            Predicates by internal column (members of a combination become one `Members` predicate on its composite,
            tested on level values like any other); and predicates by user column that only the decoded rows can
            answer: those on derived columns, and on columns that a step may still change.

        Raises:
            ConditionError: for a key column, whose values are made up anew.
        """
        direct: dict[str, Predicate] = {}
        residual: dict[str, Predicate] = {}
        makers = {name: step for step in self._steps for name in step.makes}
        members: dict[str, list[tuple[int, ColumnPredicate]]] = {}
        for name, predicate in predicates.items():
            step = makers.get(name)
            if name in self._keys or isinstance(step, NumberedKeyStep):
                raise ConditionError(
                    f"column '{name}' is part of a unique key, whose values are made up anew: "
                    "leave it out of the conditions"
                )
            if isinstance(step, CombinationStep):
                members.setdefault(step.composite, []).append((step.makes.index(name), predicate))
            elif step is not None:
                residual[name] = predicate
            else:
                direct[name] = predicate
                if name in self._movable:
                    residual[name] = predicate
        for composite, parts in members.items():
            direct[composite] = Members(self._combined[composite].types, tuple(parts))
        return direct, residual


def reparametrise(schema: TableSchema, known: Collection[str] | None = None) -> Reparametrisation:
    """Plan how the schema's constraints are kept by construction.

    For orders between times, ``granularity`` in the schema (see `grid_columns`) decides what grid a derived column is
    put back on.

    Args:
        schema: the user's columns and constraints.
        known: the internal columns that an older model was fitted with; those that came later are left out.

    Raises:
        SchemaError: for constraints that do not fit their columns or each other.
    """
    return Reparametrisation(schema, known)


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks()

"""The grids that derived columns are put back on: a day stays a day, however fine the gap's own steps are."""

from __future__ import annotations

import dataclasses

import pyarrow.types as pat

from synthgan.tables.arrow_types import parse_type
from synthgan.tables.constraints.order import OrderStep
from synthgan.tables.constraints.planning import make_plan
from synthgan.tables.schema import TableSchema
from synthgan.tables.statistics import ColumnStatistics


def grid_columns(schema: TableSchema) -> tuple[str, ...]:
    """Columns that an order derives and whose granularity is not declared; empty when there is nothing to find.

    Raises:
        SchemaError: as `reparametrise`.
    """
    if not schema.constraints:
        return ()
    derived = {name for step in make_plan(schema).steps if isinstance(step, OrderStep) for name in step.makes}
    return tuple(
        column.name
        for column in schema.columns
        if column.name in derived
        and column.granularity is None
        and column.kind != "constant"
        and not pat.is_floating(parse_type(column.arrow_type))
    )


def with_grids(schema: TableSchema, statistics: ColumnStatistics) -> TableSchema:
    """The schema with the granularity of `grid_columns` filled in.

    Args:
        schema: the user's schema.
        statistics: column statistics of the user's own (not the internal) `grid_columns`.
    """
    wanted = set(grid_columns(schema))
    return dataclasses.replace(
        schema,
        columns=tuple(
            dataclasses.replace(column, granularity=statistics.histogram(column.name).axis.granularity)
            if column.name in wanted
            else column
            for column in schema.columns
        ),
    )

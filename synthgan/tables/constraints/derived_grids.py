"""The grids that derived columns are put back on: a day stays a day, however fine the gap's own steps are."""

from __future__ import annotations

import dataclasses

import pyarrow.types as pat

from synthgan.tables.arrow_types import parse_type
from synthgan.tables.axes.axis import Axis
from synthgan.tables.axes.raw_numbers import has_zone
from synthgan.tables.constraints.order import OrderStep
from synthgan.tables.constraints.planning import make_plan
from synthgan.tables.schema.schema import ColumnSchema, TableSchema
from synthgan.tables.statistics.declared_grids import declared_axis, has_declared_grid
from synthgan.tables.statistics.statistics import ColumnStatistics


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
        and not has_declared_grid(column)
        and column.traits.is_number
        and not pat.is_floating(parse_type(column.arrow_type))
    )


def with_grids(schema: TableSchema, statistics: ColumnStatistics) -> TableSchema:
    """The schema with the grids of `grid_columns` filled in.

    Args:
        schema: the user's schema.
        statistics: column statistics of the user's own (not the internal) `grid_columns`.
    """
    wanted = set(grid_columns(schema))
    return dataclasses.replace(
        schema,
        columns=tuple(
            _on_grid(column, statistics.histogram(column.name).axis) if column.name in wanted else column
            for column in schema.columns
        ),
    )


def _on_grid(column: ColumnSchema, axis: Axis) -> ColumnSchema:
    """The column with its grid as a declaration; exceptions have no place in one, so it is fine enough for them."""
    if axis.grid is None or (has_zone(axis.arrow_type) and not axis.has_clock_changes):
        return column  # derived on the clock of the wall, which knows nothing of steps in UTC
    even = dataclasses.replace(axis, grid=axis.grid.without_exceptions())
    declared = dataclasses.replace(
        column, granularity=even.granularity, **{"offset": None, "calendar": None, **even.describe_grid()}
    )
    # A grid of decimals may need more digits than the numbers of a schema have.
    return declared if declared_axis(declared, axis.arrow_type).grid == even.grid else column

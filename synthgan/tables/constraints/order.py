"""``low <= high``: one column stays, the other becomes the gap above (or below) it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from synthgan.tables.arrow_types import parse_type
from synthgan.tables.constraints.limits import Limits, clip_array, declared_bounds
from synthgan.tables.constraints.scales import Mask, Ticks, make_scale, plain
from synthgan.tables.constraints.steps import DecodingState, Step
from synthgan.tables.schema import ColumnSchema


class OrderStep(Step):
    """A column derived from all columns that it may not fall below (or, downwards, exceed).

    It becomes two internal columns: the *gap* to the highest of its anchors, missing when the column is missing or all
    anchors are; and its value *alone*, where all anchors are missing. So missing values on either side stay where
    they are, and in a table without any the second column is empty and costs nothing.
    """

    def __init__(
        self,
        column: ColumnSchema,
        anchors: Sequence[ColumnSchema],
        *,
        direction: int,
        limits: Limits,
        new_name: Callable[[str], str],
    ) -> None:
        """Derive ``column`` upwards (``direction`` 1) or downwards (-1) from its anchors."""
        self._column = column
        self._limits = limits
        self._scale = make_scale(column, anchors, direction)
        self.makes = (column.name,)
        self.needs = tuple(anchor.name for anchor in anchors)
        best = self.needs[0]
        if len(anchors) > 1:
            best = f"{'max' if direction > 0 else 'min'}({', '.join(self.needs)})"
        gap = f"{column.name} - {best}" if direction > 0 else f"{best} - {column.name}"
        alone = dataclasses.replace(
            column,
            name=new_name(f"{column.name} without {' and '.join(self.needs)}"),
            label=None,
            reason=f"values of '{column.name}' in rows that have nothing to compare it with",
            bounds=declared_bounds(limits, column),
        )
        self.internal = (alone, self._scale.gap_schema(new_name(gap), f"keeps '{column.name}' in its order"))

    def forward(self, columns: Mapping[str, pa.Array]) -> Sequence[pa.Array]:
        """See `Step.forward`."""
        values = plain(columns[self._column.name])
        own = self._scale.read(values)
        best, _, anchored = self._best(columns, len(values))
        gap = self._scale.subtract(own.ticks, np.where(anchored, best, own.ticks))
        alone = pc.if_else(pa.array(anchored), pa.scalar(None, type=values.type), values)
        return alone, self._scale.write_gap(gap, own.valid & anchored)

    def backward(
        self,
        internal: Sequence[pa.Array],
        known: dict[str, pa.Array],
        state: DecodingState,  # noqa: ARG002
    ) -> None:
        """See `Step.backward`."""
        held = parse_type(self._column.arrow_type)
        alone = clip_array(plain(internal[0]).cast(held), self._limits, self._column)
        gap = self._scale.read_gap(plain(internal[1]))
        best, exact, anchored = self._best(known, len(alone))
        ticks = self._scale.add(
            np.where(anchored, best, np.zeros_like(best)), np.where(gap.valid, gap.ticks, 0), self._limits
        )
        made = self._scale.write(ticks, anchored & gap.valid, exact)
        known[self._column.name] = pc.if_else(pa.array(anchored), made, alone)

    def _best(self, columns: Mapping[str, pa.Array], n_rows: int) -> tuple[Ticks, Ticks, Mask]:
        """The highest anchor per row, the same exactly, and whether there is one."""
        lowest = self._scale.lowest(n_rows)
        best = exact = lowest
        for name in self.needs:
            anchor = self._scale.read(plain(columns[name]))
            best = np.where(anchor.valid, np.maximum(best, anchor.ticks), best)
            exact = np.where(anchor.valid, np.maximum(exact, anchor.exact), exact)
        return best, exact, best > lowest

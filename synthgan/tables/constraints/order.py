"""``low <= high``: one column stays, the other becomes the gap above (or below) it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from synthgan.tables.arrow_types import parse_type
from synthgan.tables.constraints.limits import Limits, clip_array, declared_bounds
from synthgan.tables.constraints.scales import DecimalScale, Mask, Ticks, check_exact_in_floats, make_scale, plain
from synthgan.tables.constraints.steps import DecodingState, Step, given_schema, read_given
from synthgan.tables.schema.schema import ColumnSchema


class OrderStep(Step):
    """A column derived from all columns that it may not fall below (or, downwards, exceed).

    It becomes three internal columns: the *gap* to the highest of its anchors, missing when the column is missing or
    all anchors are; its value *alone*, where all anchors are missing; and whether it is *given*, which by itself
    decides where it is missing. So missing values on either side stay where they are, and in a table without any the
    columns besides the gap have one level and cost nothing.
    """

    def __init__(
        self,
        column: ColumnSchema,
        anchors: Sequence[ColumnSchema],
        *,
        implied: Sequence[ColumnSchema] = (),
        direction: int,
        limits: Limits,
        new_name: Callable[[str], str],
    ) -> None:
        """Derive ``column`` upwards (``direction`` 1) or downwards (-1) from its anchors.

        ``implied`` are anchors of anchors: they matter where those between are missing.
        """
        self._column = column
        self._limits = limits
        self._scale = make_scale(column, [*anchors, *implied], direction)
        self._mixes_floats = isinstance(self._scale, DecimalScale)
        self.makes = (column.name,)
        self.needs = tuple(anchor.name for anchor in (*anchors, *implied))
        named = self.needs[: len(anchors)]
        best = named[0]
        if len(anchors) > 1:
            best = f"{'max' if direction > 0 else 'min'}({', '.join(named)})"
        gap = f"{column.name} - {best}" if direction > 0 else f"{best} - {column.name}"
        alone = dataclasses.replace(
            column,
            name=new_name(f"{column.name} without {' and '.join(named)}"),
            label=None,
            reason=f"values of '{column.name}' in rows that have nothing to compare it with",
            bounds=declared_bounds(limits, column),
        )
        self.internal = (
            alone,
            self._scale.gap_schema(new_name(gap), f"keeps '{column.name}' in its order"),
            given_schema(column, new_name(f"{column.name} is given")),
        )
        self.later = (self.internal[2].name,)

    def forward(self, columns: Mapping[str, pa.Array]) -> Sequence[pa.Array]:
        """See `Step.forward`.

        Raises:
            DataError: when values are too large to be compared exactly.
        """
        values = plain(columns[self._column.name])
        if self._mixes_floats:
            for name in (self._column.name, *self.needs):
                check_exact_in_floats(plain(columns[name]), name, self._column.name)
        own = self._scale.read(values)
        best, _, anchored = self._best(columns, len(values))
        gap = self._scale.subtract(own.ticks, np.where(anchored, best, own.ticks))
        alone = pc.if_else(pa.array(anchored), pa.scalar(None, type=values.type), values)
        return alone, self._scale.write_gap(gap, own.valid & anchored), pa.array(own.valid)

    def backward(self, internal: Sequence[pa.Array | None], known: dict[str, pa.Array], state: DecodingState) -> None:
        """See `Step.backward`."""
        alone, gaps, given = internal
        assert alone is not None
        assert gaps is not None
        held = parse_type(self._column.arrow_type)
        alone, gaps = plain(alone).cast(held), plain(gaps)
        best, exact, anchored = self._best(known, len(alone))
        own = self._scale.read(alone).valid
        wanted = read_given(given, np.where(anchored, own | self._scale.read_gap(gaps).valid, own))
        # A value drawn alone is as good as a gap where there is something to compare it with.
        gap = self._scale.read_gap(state.filled(self.internal[1].name, gaps, wanted & anchored & ~own))
        alone = clip_array(state.filled(self.internal[0].name, alone, wanted & ~anchored), self._limits, self._column)
        base = np.where(anchored, best, np.zeros_like(best))
        apart = np.where(gap.valid, gap.ticks, self._scale.subtract(self._scale.read(alone).ticks, base))
        ticks = self._scale.add(base, np.where(gap.valid | own, apart, 0), self._limits)
        made = clip_array(self._scale.write(ticks, anchored & wanted, exact), self._limits, self._column)
        values = pc.if_else(pa.array(anchored), made, pc.if_else(pa.array(wanted), alone, pa.scalar(None, type=held)))
        # Where even the model knows no value alone, one of the batch will do: there is nothing to compare it with.
        known[self._column.name] = state.filled(self._column.name, values, wanted & ~anchored)

    def _best(self, columns: Mapping[str, pa.Array], n_rows: int) -> tuple[Ticks, Ticks, Mask]:
        """The highest anchor per row, the same exactly, and whether there is one."""
        lowest = self._scale.lowest(n_rows)
        best = exact = lowest
        for name in self.needs:
            anchor = self._scale.read(plain(columns[name]))
            best = np.where(anchor.valid, np.maximum(best, anchor.ticks), best)
            exact = np.where(anchor.valid, np.maximum(exact, anchor.exact), exact)
        return best, exact, best > lowest

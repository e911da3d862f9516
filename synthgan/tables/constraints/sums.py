"""``total = part + part``: the parts stay, the total is added up anew."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from synthgan.tables.arrow_types import parse_type
from synthgan.tables.constraints.limits import Limits, clip_array, declared_step, natural_tick
from synthgan.tables.constraints.scales import DecimalScale, Mask, Ticks, make_scale, plain, sum_as_printed
from synthgan.tables.constraints.steps import DecodingState, Step, given_schema, read_given
from synthgan.tables.schema.schema import ColumnSchema

_LARGEST_SUM = 2.0**62


class SumStep(Step):
    """A total recomputed from its parts, exactly for whole-number types and as printed for floats.

    It becomes two internal columns: whether the total is *given*, which by itself decides where it is missing, and its
    value *alone*, where a part is missing and the rule says nothing. A sum outside the total's bounds or type is
    brought back by changing parts that no other constraint touches; if there are none, the total of that row is left
    empty.
    """

    def __init__(
        self,
        total: ColumnSchema,
        parts: Sequence[ColumnSchema],
        *,
        limits: Mapping[str, Limits],
        movable: frozenset[str],
        new_name: Callable[[str], str],
    ) -> None:
        """Take the columns, what each may hold, and the parts that may be changed."""
        self._total = total
        self._parts = parts
        self._limits = limits
        self._movable = {part.name for part in parts if part.name in movable and self._can_move(part, total, parts)}
        self._scales = {part.name: make_scale(part, [total, *parts]) for part in parts}
        self._scale = make_scale(total, parts)
        self.makes = (total.name,)
        self.needs = tuple(part.name for part in parts)
        alone = dataclasses.replace(
            total,
            name=new_name(f"{total.name} without all parts"),
            label=None,
            reason=f"values of '{total.name}' in rows where one of its parts is missing",
        )
        self.internal = (alone, given_schema(total, new_name(f"{total.name} is given")))

    @staticmethod
    def _can_move(part: ColumnSchema, total: ColumnSchema, parts: Sequence[ColumnSchema]) -> bool:
        """Whether the part can take up any difference: whole numbers among floats cannot."""
        floats = [pat.is_floating(parse_type(column.arrow_type)) for column in (total, *parts)]
        return not any(floats) or pat.is_floating(parse_type(part.arrow_type))

    def forward(self, columns: Mapping[str, pa.Array]) -> Sequence[pa.Array]:
        """See `Step.forward`."""
        total = plain(columns[self._total.name])
        complete = np.ones(len(total), dtype=bool)
        for name in self.needs:
            complete &= self._scale.read(plain(columns[name])).valid
        given = self._scale.read(total).valid
        alone = pc.if_else(pa.array(complete), pa.scalar(None, type=total.type), total)
        return alone, pa.array(given)

    def backward(self, internal: Sequence[pa.Array | None], known: dict[str, pa.Array], state: DecodingState) -> None:
        """See `Step.backward`."""
        alone, given = internal
        assert alone is not None
        alone = plain(alone).cast(parse_type(self._total.arrow_type))
        parts = {name: self._scale.read(plain(known[name])) for name in self.needs}
        complete = np.logical_and.reduce([part.valid for part in parts.values()])
        wanted = read_given(given, np.zeros(len(alone), dtype=bool))
        ticks = {name: np.where(complete, part.ticks, 0) for name, part in parts.items()}
        total, off = self._add_up(ticks)
        summed = complete & wanted
        for name in self.needs:
            if name in self._movable and (off & summed).any():
                self._move(name, ticks, total, off & summed, known)
                total, off = self._add_up(ticks)
        made = self._scale.write(total, summed & ~off)
        alone = self._clipped(state.filled(self.internal[0].name, alone, wanted & ~complete))
        alone = pc.if_else(pa.array(wanted), alone, pa.scalar(None, type=alone.type))
        values = pc.if_else(pa.array(complete), made, alone)
        # Where even the model knows no value alone, one of the batch will do, or what the parts add up to, as far
        # as the total can hold it.
        values = state.filled(self._total.name, values, wanted & ~complete)
        if (wanted & ~complete).any() and values.null_count:
            present = {name: np.where(part.valid, part.ticks, 0) for name, part in parts.items()}
            total, off = self._add_up(present)
            first, last = self._scale.in_ticks(self._limits[self._total.name])
            # Whole numbers beyond 64 bits have wrapped around; their sum as floats has not.
            whole = not isinstance(self._scale, DecimalScale)
            size = np.sum([part.astype(np.float64) for part in present.values()], axis=0) if whole else total
            nearest = np.where(off, np.where(size >= last, last, first), total)
            values = pc.coalesce(values, self._scale.write(nearest, wanted & ~complete))
        known[self._total.name] = values

    def _clipped(self, values: pa.Array) -> pa.Array:
        return clip_array(values, self._limits[self._total.name], self._total)

    def _add_up(self, ticks: Mapping[str, Ticks]) -> tuple[Ticks, Mask]:
        """Sums, and where they cannot be the total."""
        terms = list(ticks.values())
        first, last = self._scale.in_ticks(self._limits[self._total.name])
        if isinstance(self._scale, DecimalScale):
            total = sum_as_printed(terms)
            return np.nan_to_num(total, nan=0.0, posinf=np.inf, neginf=-np.inf), ~((total >= first) & (total <= last))
        rough = np.sum([term.astype(np.float64) for term in terms], axis=0)
        total = np.sum(terms, axis=0)
        return total, (np.abs(rough) >= _LARGEST_SUM) | (total < first) | (total > last)

    def _move(self, name: str, ticks: dict[str, Ticks], total: Ticks, off: Mask, known: dict[str, pa.Array]) -> None:
        """Change one part so that the total comes inside its limits, or as near as the part's own limits allow."""
        first, last = self._scale.in_ticks(self._limits[self._total.name])
        low, high = self._scales[name].in_ticks(self._limits[name])
        step, part = self._step(name), ticks[name][off]
        excess = total[off] - np.clip(total[off], first, last)
        # Whole steps of the part's own grid, enough to bring the total inside.
        change = -np.sign(excess) * (-(-np.abs(excess) // step) * step if step else np.abs(excess))
        ticks[name] = ticks[name].copy()
        ticks[name][off] = np.clip(part + change if step else sum_as_printed([part, change]), low, high)
        known[name] = pc.if_else(pa.array(off), self._scales[name].write(ticks[name], off), plain(known[name]))

    def _step(self, name: str) -> int:
        if isinstance(self._scale, DecimalScale):
            return 0
        part = next(part for part in self._parts if part.name == name)
        held = parse_type(part.arrow_type)
        own = natural_tick(held)
        tick = min(natural_tick(parse_type(column.arrow_type)) for column in (self._total, *self._parts))
        return int(max(own, declared_step(part) or own) / tick)


def sum_type_problem(total: ColumnSchema, parts: Sequence[ColumnSchema]) -> str | None:
    """Why the total's type could not hold the sum of the parts' types exactly; None when it can."""
    held = parse_type(total.arrow_type)
    types = [parse_type(part.arrow_type) for part in parts]
    if pat.is_floating(held):
        return None
    if any(pat.is_floating(each) for each in types):
        return f"'{total.name}' ({total.arrow_type}) cannot hold sums of floats"
    if any(natural_tick(each) < natural_tick(held) for each in types):
        return f"'{total.name}' ({total.arrow_type}) has a coarser step than one of its parts"
    return None

"""Which written format the texts of a column have: the one that fits every cell, if there is exactly one reading."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from synthgan.tables.written.number_format import DECIMALS, NumberFormat
from synthgan.tables.written.number_proposals import number_proposals, widened
from synthgan.tables.written.protocol import WrittenFormat
from synthgan.tables.written.time_format import TimeFormat
from synthgan.tables.written.time_proposals import time_proposals

_FIRST_CELLS = 64


class FormatSearch:
    """Strikes out formats as cells come in; memory does not grow with their number."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._left: list[WrittenFormat] | None = None
        self._signs: set[str] = set()

    @property
    def is_over(self) -> bool:
        """Whether no format is left."""
        return self._left == []

    def update(self, cells: pa.Array) -> None:
        """Take distinct texts, none missing."""
        if self.is_over or not len(cells):
            return
        first = cells.slice(0, _FIRST_CELLS)
        if self._left is None:
            self._left = list(_fitting(_proposals(cells, first), first))
        self._left = list(_fitting(self._left, cells))
        for sign in DECIMALS:
            if sign not in self._signs and pc.any(pc.match_substring(cells, sign)).as_py():
                self._signs.add(sign)

    def found(self) -> WrittenFormat | None:
        """The format, None where none fits every cell or where two of them read a cell differently."""
        if not self._left:
            return None
        times = [form for form in self._left if isinstance(form, TimeFormat)]
        if times:
            return times[0] if len({form.order for form in times}) == 1 else None
        numbers = [form for form in self._left if isinstance(form, NumberFormat)]
        groups = {form.group for form in numbers} & self._signs
        return None if groups & {form.decimal for form in numbers} else numbers[0]


def find_format(cells: pa.Array) -> WrittenFormat | None:
    """The format of distinct texts, none missing; None where there is none, or more than one reading."""
    search = FormatSearch()
    search.update(cells)
    return search.found()


def _proposals(cells: pa.Array, first: pa.Array) -> Iterator[WrittenFormat]:
    known = first.to_pylist()
    return itertools.chain(time_proposals(known[0]), number_proposals(known, cells))


def _fitting(forms: Iterable[WrittenFormat], cells: pa.Array) -> Iterator[WrittenFormat]:
    for form in forms:
        if not form.to_values(cells).null_count:
            yield form
            continue
        wider = widened(form, cells) if isinstance(form, NumberFormat) else None
        if wider is not None and not wider.to_values(cells).null_count:
            yield wider

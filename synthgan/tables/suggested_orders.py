"""Pairs of columns of which one is never above the other: found on a few rows, confirmed on all.

The number of pairs grows with the square of the number of columns. So pairs are first tried on a handful of rows, all
at once, and only what is left is looked at row by row.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from synthgan.tables.kinds import Kind
from synthgan.tables.schema.schema import Constraint, Order, TableSchema
from synthgan.warned import warn

Numbers = npt.NDArray[np.float64]
Pairs = npt.NDArray[np.int64]

FEWEST_ROWS: Final = 30
_LOW_WORDS: Final = frozenset(("min", "minimum", "low", "lower", "start", "begin", "from", "first", "net", "used"))
_HIGH_WORDS: Final = frozenset(("max", "maximum", "high", "upper", "end", "to", "last", "gross", "limit", "capacity"))
_PROBED_ROWS: Final = (24, 512)
_MOST_PAIRS: Final = 1_000_000
_MOST_CONFIRMED: Final = 10_000
_MOST_CELLS: Final = 200_000_000
"""Cells that are read to confirm pairs on all rows of the sample."""


def find_orders(schema: TableSchema, numbers: dict[str, Numbers]) -> list[Order]:
    """Orders that hold in all rows although shuffled rows would often break them, in the order of the columns.

    Args:
        schema: the table.
        numbers: column -> its values, missing ones as NaN; of numeric kinds.

    Warns:
        SynthganWarning: when so many pairs are left after the first rows that not all can be confirmed.
    """
    names = [name for name, values in numbers.items() if np.isfinite(values).sum() >= FEWEST_ROWS]
    if len(names) < 2:
        return []
    columns = [numbers[name] for name in names]
    probes = [_probe(columns, n_rows) for n_rows in _PROBED_ROWS]
    pairs = _likely(_allowed(schema, names), probes[0])
    pairs = pairs[_unbroken(pairs, probes[1])]
    most = min(_MOST_CONFIRMED, max(1, _MOST_CELLS // (2 * len(columns[0]))))
    if len(pairs) > most:
        warn(f"too many pairs of columns may have an order between them; the first {most:,} were looked at")
        pairs = pairs[:most]
    ascending: dict[int, Numbers] = {}
    orders: list[Order] = []
    for low, high in pairs.tolist():
        if high not in ascending:
            ascending[high] = np.sort(columns[high][~np.isnan(columns[high])])
        if _is_ordered(columns[low], columns[high], ascending[high]):
            orders.append(Order(low=names[low], high=names[high]))
    return orders


def without_shortcuts(found: list[tuple[Constraint, str]]) -> list[tuple[Constraint, str]]:
    """``found`` less each order that follows from two others: with a <= b and b <= c, a <= c says nothing new."""
    above: dict[str, set[str]] = {}
    for rule, _ in found:
        if isinstance(rule, Order):
            above.setdefault(rule.low, set()).add(rule.high)

    def is_shortcut(rule: Constraint) -> bool:
        return isinstance(rule, Order) and any(
            rule.high in above.get(between, ()) for between in above[rule.low] if between != rule.high
        )

    return [(rule, text) for rule, text in found if not is_shortcut(rule)]


def _probe(columns: list[Numbers], n_rows: int) -> Numbers:
    """``(n_rows, n_columns)`` values of rows spread over the table."""
    places = np.unique(np.linspace(0, len(columns[0]) - 1, n_rows).round().astype(np.int64))
    return np.column_stack([values[places] for values in columns])


def _allowed(schema: TableSchema, names: list[str]) -> Iterator[tuple[int, Pairs]]:
    """For each column, the columns that may be above it: times of its kind and zone, amounts whose names say so."""
    groups: dict[tuple[Kind, str | None], list[int]] = {}
    amounts = []
    for place, name in enumerate(names):
        column = schema[name]
        if column.traits.scale == "amount":
            amounts.append(place)
        elif column.traits.is_number:
            groups.setdefault((column.kind, column.time_zone), []).append(place)
    for group in groups.values():
        members = np.array(group)
        yield from ((place, members[members != place]) for place in group)
    words = {place: _words(names[place]) for place in amounts}
    is_low = {place: bool(words[place] & _LOW_WORDS) for place in amounts}
    is_high = {place: bool(words[place] & _HIGH_WORDS) for place in amounts}
    not_low = np.array([place for place in amounts if not is_low[place]], dtype=np.int64)
    high = np.array([place for place in amounts if is_high[place] and not is_low[place]], dtype=np.int64)
    for place in amounts:
        if not is_high[place]:
            above = not_low if is_low[place] else high
            yield place, above[above != place]


def _words(name: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}


def _likely(allowed: Iterable[tuple[int, Pairs]], probe: Numbers) -> Pairs:
    """``(n_pairs, 2)`` low and high column of the allowed pairs that no probed row breaks, sorted by their places."""
    found: list[Pairs] = [np.empty((0, 2), dtype=np.int64)]
    n_found = 0
    for low, above in allowed:
        if n_found > _MOST_PAIRS:
            break
        broken = (probe[:, [low]] > probe[:, above]).any(axis=0)  # never true beside a missing value
        left = above[~broken]
        found.append(np.column_stack([np.full(len(left), low), left]))
        n_found += len(left)
    pairs = np.concatenate(found)
    order = np.lexsort((pairs[:, 0], pairs.max(axis=1), pairs.min(axis=1)))
    return pairs[order]


def _unbroken(pairs: Pairs, probe: Numbers, chunk: int = 4_096) -> npt.NDArray[np.bool_]:
    """Which pairs no row of a larger probe breaks."""
    kept = [
        ~(probe[:, part[:, 0]] > probe[:, part[:, 1]]).any(axis=0)
        for part in (pairs[start : start + chunk] for start in range(0, len(pairs), chunk))
    ]
    return np.concatenate(kept) if kept else np.empty(0, dtype=bool)


def _is_ordered(low: Numbers, high: Numbers, ascending: Numbers) -> bool:
    """Whether ``low <= high`` in every row, although shuffled rows would often break that.

    Args:
        low: values of the one column.
        high: values of the other.
        ascending: ``high`` sorted, without its missing values.
    """
    present = ~(np.isnan(low) | np.isnan(high))
    n_present = int(present.sum())
    if n_present < FEWEST_ROWS or (low > high).any() or not (low < high).any():
        return False
    if n_present < len(ascending):
        ascending = np.sort(high[present])
    shuffled = np.searchsorted(ascending, low[present], side="left") / n_present  # share of highs below each low
    return bool(shuffled.mean() >= 0.02 and shuffled.sum() >= 10)

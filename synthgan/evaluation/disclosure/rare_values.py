"""Rare categories and extreme numbers of the training table that recur in the synthetic one and give persons away.

A category that three patients have, or the highest income, names somebody as soon as it is published. Some rare values
recur by chance: the holdout tells how many, drawn to the size of the synthetic table and put in its place.

Only names of columns and counts are kept, never a value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthgan.comparison import MODE_ROWS
from synthgan.evaluation.compared.compared_tables import Codes, ComparedTables
from synthgan.evaluation.compared.contingency import DENSE_CELLS
from synthgan.evaluation.compared.intervals import wilson
from synthgan.evaluation.disclosure.risk import paired_excess
from synthgan.evaluation.scores import Score

RARE_ROWS = MODE_ROWS
"""A value is rare that fewer training rows carry; the threshold is that of value protection."""

MOST_CARRIERS = 10

N_SWAPS = 200
"""Random swaps of rows that the error of a difference is computed from."""

N_EXTREMES = 5
"""Distinct values at either end of a numeric column that count as its extremes."""

MAX_PAIRS = 100
"""Most pairs of columns whose combinations are looked at, drawn at random."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Carriers:
    """Which of the drawn rows carry which rare value, at most ten rows of each value.

    Attributes:
        values: ``(n_found,)`` numbers of the values.
        rows: ``(n_found,)`` numbers of the rows.
    """

    values: NDArray[np.int64]
    rows: NDArray[np.int64]

    def present(self, n_values: int) -> NDArray[np.bool_]:
        """Whether each value is carried by any row: ``(n_values,)``."""
        found = np.zeros(n_values, dtype=bool)
        found[self.values] = True
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Recurrence:
    """Where the rare values of one column, or of a pair, recur. Values are numbered; which they are is not kept.

    Attributes:
        n_values: how many there are.
        whole: how many of them occur anywhere in the synthetic table.
        synthetic: the drawn synthetic rows that carry them.
        holdout: the drawn holdout rows that do; None without a holdout.
    """

    n_values: int
    whole: int
    synthetic: Carriers
    holdout: Carriers | None

    def counts(self) -> dict[str, int]:
        """Rare values, how many of them recur anywhere in the synthetic table, and on which side only."""
        found = {"rare": self.n_values, "recurring": self.whole}
        if self.holdout is not None:
            synthetic, holdout = self.synthetic.present(self.n_values), self.holdout.present(self.n_values)
            found |= {
                "only_synthetic": int((synthetic & ~holdout).sum()),
                "only_holdout": int((holdout & ~synthetic).sum()),
            }
        return found


def rare_value_scores(
    tables: ComparedTables,
    rng: np.random.Generator,
    *,
    real: str = "real",
    synthetic: str = "synthetic",
    holdout: str | None = "holdout",
    max_pairs: int = MAX_PAIRS,
) -> list[Score]:
    """Shares of the rare categories, and of the extreme numbers, that recur in the synthetic table.

    Equally many synthetic and holdout rows take part, drawn at random. The score is the share of the rare values that
    recur among the synthetic rows and not among the holdout's, the reference that of the reverse; fresh rows would make
    the two equal. The interval is that of the difference (`paired_excess`, widened as random swaps of rows say), put at
    the reference. Work grows with the rows only as counting them does.

    Args:
        tables: the compared tables.
        rng: of rows and pairs of columns.
        real: name of the training table, of which all rows are counted.
        synthetic: name of the table to score.
        holdout: name of the table of fresh real rows; without one the score is the share that recurs, for which there
            is no reference.
        max_pairs: most pairs of categorical columns.

    Returns:
        `rare_categories` where there is a categorical column, `extreme_values` where there is a numeric one.
    """
    parts = {"train": (real, np.arange(tables.n_rows[real])), "whole": (synthetic, np.arange(tables.n_rows[synthetic]))}
    if holdout is None:
        parts["synthetic"] = parts["whole"]
    else:
        n = min(tables.n_rows[synthetic], tables.n_rows[holdout])
        for name, table in (("synthetic", synthetic), ("holdout", holdout)):
            parts[name] = (table, np.sort(rng.choice(tables.n_rows[table], n, replace=False)))
    drawn = tables.parts(parts)
    scores = []
    if drawn.categorical:
        levels = {column: rare_levels(drawn, column) for column in drawn.categorical}
        pairs = list(combinations(drawn.categorical, 2))
        if len(pairs) > max_pairs:
            pairs = [pairs[place] for place in np.sort(rng.choice(len(pairs), max_pairs, replace=False))]
        scores.append(_rare_categories(drawn, levels, {pair: rare_combinations(drawn, *pair) for pair in pairs}, rng))
    if drawn.numeric:
        scores.append(_extreme_values(drawn, {column: extreme_numbers(drawn, column) for column in drawn.numeric}, rng))
    return scores


# ---------------------------------------------------------------------------------------------------------- rare values


def rare_levels(tables: ComparedTables, column: str) -> Recurrence:
    """Recurrence of the levels that one to nine training rows carry."""
    counts = _counts(tables.codes["train"][column], tables.n_levels[column])
    rare = np.flatnonzero((counts > 0) & (counts < RARE_ROWS))
    return _recurrence(rare, {name: tables.codes[name][column] for name in tables.n_rows})


def rare_combinations(tables: ComparedTables, first: str, second: str) -> Recurrence:
    """Recurrence of the combinations of two levels, neither of them rare, that one to nine training rows carry."""
    codes, others = _common(tables, first), _common(tables, second)
    width = tables.n_levels[second]
    keys = {
        name: np.where((codes[name] < 0) | (others[name] < 0), -1, codes[name] * width + others[name]) for name in codes
    }
    own = keys["train"][keys["train"] >= 0]
    if tables.n_levels[first] * width <= DENSE_CELLS:
        counts = np.bincount(own)
        rare = np.flatnonzero((counts > 0) & (counts < RARE_ROWS))
    else:
        found, counts = np.unique(own, return_counts=True)
        rare = found[counts < RARE_ROWS]
    return _recurrence(rare, keys)


def extreme_numbers(tables: ComparedTables, column: str) -> Recurrence:
    """Recurrence of those of the five lowest and five highest training values that one to nine training rows carry."""
    own = tables.numbers["train"][column]
    values, counts = np.unique(own[~np.isnan(own)], return_counts=True)
    at_end = np.zeros(len(values), dtype=bool)
    at_end[:N_EXTREMES] = at_end[-N_EXTREMES:] = True
    rare = values[at_end & (counts < RARE_ROWS)]
    return _recurrence(rare, {name: tables.numbers[name][column] for name in tables.n_rows})


def _counts(codes: Codes, n_levels: int) -> NDArray[np.int64]:
    return np.bincount(codes[codes >= 0], minlength=n_levels)


def _common(tables: ComparedTables, column: str) -> dict[str, Codes]:
    """Each table's codes, -1 where the level is missing or carried by fewer than ten training rows."""
    is_common = np.append(_counts(tables.codes["train"][column], tables.n_levels[column]) >= RARE_ROWS, False)
    return {name: np.where(is_common[codes[column]], codes[column], -1) for name, codes in tables.codes.items()}


def _recurrence(rare: NDArray[Any], carried: Mapping[str, NDArray[Any]]) -> Recurrence:
    """Where each of the sorted ``rare`` values is carried."""
    found = {name: _carriers(rare, carried[name]) for name in carried if name != "train"}
    return Recurrence(
        n_values=len(rare),
        whole=int(found["whole"].present(len(rare)).sum()),
        synthetic=found["synthetic"],
        holdout=found.get("holdout"),
    )


def _carriers(rare: NDArray[Any], carried: NDArray[Any]) -> Carriers:
    if not len(rare):
        return Carriers(values=np.empty(0, dtype=np.int64), rows=np.empty(0, dtype=np.int64))
    places = np.minimum(np.searchsorted(rare, carried), len(rare) - 1)
    rows = np.flatnonzero(rare[places] == carried)
    rows = rows[np.argsort(places[rows], kind="stable")]
    values = places[rows]
    # More than ten carriers are as good as ten: a value that ten rows carry is in either half of any split.
    few = np.arange(len(values)) - np.searchsorted(values, values) < MOST_CARRIERS
    return Carriers(values=values[few].astype(np.int64), rows=rows[few])


# --------------------------------------------------------------------------------------------------------------- scores


def _rare_categories(
    tables: ComparedTables,
    levels: Mapping[str, Recurrence],
    pairs: Mapping[tuple[str, str], Recurrence],
    rng: np.random.Generator,
) -> Score:
    return _score(
        tables,
        [*levels.values(), *pairs.values()],
        rng,
        name="rare_categories",
        what="levels, and combinations of two, that fewer than ten training rows carry",
        details={
            "levels": _total(levels.values()),
            "pairs": _total(pairs.values()),
            "columns": {column: found.counts() for column, found in levels.items()},
            "column_pairs": {" | ".join(pair): found.counts() for pair, found in pairs.items()},
        },
    )


def _extreme_values(tables: ComparedTables, columns: Mapping[str, Recurrence], rng: np.random.Generator) -> Score:
    return _score(
        tables,
        list(columns.values()),
        rng,
        name="extreme_values",
        what="values among the five lowest or highest of their column that fewer than ten training rows carry",
        details={"columns": {column: found.counts() for column, found in columns.items()}},
    )


def _total(found: Iterable[Recurrence]) -> dict[str, int]:
    total: dict[str, int] = {}
    for one in found:
        total = {name: total.get(name, 0) + count for name, count in one.counts().items()}
    return total


def _swap_effect(found: Sequence[Recurrence], n_rows: int, rng: np.random.Generator) -> float:
    """How many times larger the variance of the difference is than of independent values: at least 1.

    An odd person brings many rare combinations at once. Fresh synthetic rows could change places with holdout rows, so
    the difference is counted again after random swaps of one row with another.
    """
    sides: list[NDArray[np.bool_]] = []
    values: list[NDArray[np.int64]] = []
    rows: list[NDArray[np.int64]] = []
    start = 0
    for one in found:
        for is_holdout, carriers in ((False, one.synthetic), (True, one.holdout)):
            if carriers is not None:
                sides.append(np.full(len(carriers.rows), is_holdout))
                values.append(start + carriers.values)
                rows.append(carriers.rows)
        start += one.n_values
    side, value, row = np.concatenate(sides), np.concatenate(values), np.concatenate(rows)
    squares = discordant = 0.0
    for _ in range(N_SWAPS):
        swapped = side ^ (rng.random(n_rows) < 0.5)[row]
        first, second = np.zeros(start, dtype=bool), np.zeros(start, dtype=bool)
        first[value[~swapped]] = True
        second[value[swapped]] = True
        squares += float(int(first.sum()) - int(second.sum())) ** 2
        discordant += float((first ^ second).sum())
    return max(1.0, squares / discordant) if discordant else 1.0


def _score(
    tables: ComparedTables,
    found: Sequence[Recurrence],
    rng: np.random.Generator,
    *,
    name: str,
    what: str,
    details: dict[str, Any],
) -> Score:
    counts = _total(found)
    rare, n_rows = counts["rare"], tables.n_rows["synthetic"]
    reference: float | None = None
    if "holdout" not in tables.n_rows:
        value = counts["recurring"] / rare if rare else 0.0
        interval = wilson(counts["recurring"], rare) if rare else (0.0, 0.0)
        note = f"share of the {what} and that recur in the synthetic table; give a holdout to see how many do by chance"
    else:
        only, reverse = counts["only_synthetic"], counts["only_holdout"]
        value, reference, interval = 0.0, 0.0, (0.0, 0.0)
        if rare:
            excess, (lower, upper) = paired_excess(only, reverse, rare, effect=_swap_effect(found, n_rows, rng))
            value, reference = only / rare, reverse / rare
            interval = (max(0.0, reference + lower), min(1.0, reference + upper))
            details = {**details, "excess": 100.0 * excess, "excess_interval": [100.0 * lower, 100.0 * upper]}
        note = f"share of the {what}, and that recur in {n_rows:,} synthetic rows and not in as many of the holdout"
    return Score.of(
        name,
        100.0 * value,
        interval=(100.0 * interval[0], 100.0 * interval[1]),
        reference=None if reference is None else 100.0 * reference,
        note=note,
        details={**counts, "n_rows_each": n_rows, "fewer_than_rows": RARE_ROWS, **details},
    )

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
from synthgan.evaluation.features import Codes, ComparedTables
from synthgan.evaluation.intervals import wilson
from synthgan.evaluation.risk import clumping, paired_excess
from synthgan.evaluation.scores import Score

RARE_ROWS = MODE_ROWS
"""A value is rare that fewer training rows carry; the threshold is that of value protection."""

N_EXTREMES = 5
"""Distinct values at either end of a numeric column that count as its extremes."""

MAX_PAIRS = 100
"""Most pairs of columns whose combinations are looked at, drawn at random."""

_DENSE_CELLS = 4_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Recurrence:
    """Where the rare values of one column, or of a pair, recur. Values are numbered; which they are is not kept.

    Attributes:
        whole: ``(n_values,)`` whether each occurs anywhere in the synthetic table.
        synthetic: ``(n_values,)`` the first of the drawn synthetic rows that carries it, -1 if none does.
        holdout: ``(n_values,)`` the same among the drawn holdout rows; None without a holdout.
    """

    whole: NDArray[np.bool_]
    synthetic: NDArray[np.int64]
    holdout: NDArray[np.int64] | None

    @property
    def only_synthetic(self) -> NDArray[np.bool_]:
        """Which recur among the drawn synthetic rows and not among the holdout's."""
        occurs = self.synthetic >= 0
        return occurs if self.holdout is None else occurs & (self.holdout < 0)

    @property
    def only_holdout(self) -> NDArray[np.bool_]:
        """The reverse; none without a holdout."""
        return (
            np.zeros(len(self.synthetic), dtype=bool)
            if self.holdout is None
            else ~((self.holdout < 0) | (self.synthetic >= 0))
        )

    def counts(self) -> dict[str, int]:
        """Rare values, how many of them recur anywhere in the synthetic table, and on which side only."""
        found = {"rare": len(self.whole), "recurring": int(self.whole.sum())}
        if self.holdout is not None:
            found |= {
                "only_synthetic": int(self.only_synthetic.sum()),
                "only_holdout": int(self.only_holdout.sum()),
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
    the two equal. The interval is that of the difference (`paired_excess`, widened where one row carries many), put at
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
        scores.append(_rare_categories(drawn, levels, {pair: rare_combinations(drawn, *pair) for pair in pairs}))
    if drawn.numeric:
        scores.append(_extreme_values(drawn, {column: extreme_numbers(drawn, column) for column in drawn.numeric}))
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
    if tables.n_levels[first] * width <= _DENSE_CELLS:
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
    """Where each of the sorted ``rare`` values is first carried."""
    holdout = carried.get("holdout")
    return Recurrence(
        whole=_first_rows(rare, carried["whole"]) >= 0,
        synthetic=_first_rows(rare, carried["synthetic"]),
        holdout=None if holdout is None else _first_rows(rare, holdout),
    )


def _first_rows(rare: NDArray[Any], carried: NDArray[Any]) -> NDArray[np.int64]:
    first = np.full(len(rare), -1, dtype=np.int64)
    if len(rare):
        places = np.minimum(np.searchsorted(rare, carried), len(rare) - 1)
        rows = np.flatnonzero(rare[places] == carried)[::-1]
        first[places[rows]] = rows
    return first


# --------------------------------------------------------------------------------------------------------------- scores


def _rare_categories(
    tables: ComparedTables, levels: Mapping[str, Recurrence], pairs: Mapping[tuple[str, str], Recurrence]
) -> Score:
    return _score(
        tables,
        [*levels.values(), *pairs.values()],
        name="rare_categories",
        label="Rare categories disclosed",
        what="levels, and combinations of two, that fewer than ten training rows carry",
        details={
            "levels": _total(levels.values()),
            "pairs": _total(pairs.values()),
            "columns": {column: found.counts() for column, found in levels.items()},
            "column_pairs": {" | ".join(pair): found.counts() for pair, found in pairs.items()},
        },
    )


def _extreme_values(tables: ComparedTables, columns: Mapping[str, Recurrence]) -> Score:
    return _score(
        tables,
        list(columns.values()),
        name="extreme_values",
        label="Extreme values disclosed",
        what="values among the five lowest or highest of their column that fewer than ten training rows carry",
        details={"columns": {column: found.counts() for column, found in columns.items()}},
    )


def _total(found: Iterable[Recurrence]) -> dict[str, int]:
    total: dict[str, int] = {}
    for one in found:
        total = {name: total.get(name, 0) + count for name, count in one.counts().items()}
    return total


def _score(
    tables: ComparedTables,
    found: Sequence[Recurrence],
    *,
    name: str,
    label: str,
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
            owners = [one.synthetic[one.only_synthetic] for one in found]
            owners += [-1 - one.holdout[one.only_holdout] for one in found if one.holdout is not None]
            excess, (lower, upper) = paired_excess(only, reverse, rare, effect=clumping(np.concatenate(owners)))
            value, reference = only / rare, reverse / rare
            interval = (max(0.0, reference + lower), min(1.0, reference + upper))
            details = {**details, "excess": 100.0 * excess, "excess_interval": [100.0 * lower, 100.0 * upper]}
        note = f"share of the {what}, and that recur in {n_rows:,} synthetic rows and not in as many of the holdout"
    return Score(
        name=name,
        label=label,
        value=100.0 * value,
        direction="lower",
        group="disclosure",
        interval=(100.0 * interval[0], 100.0 * interval[1]),
        ideal=0.0,
        reference=None if reference is None else 100.0 * reference,
        unit="%",
        note=note,
        details={**counts, "n_rows_each": n_rows, "fewer_than_rows": RARE_ROWS, **details},
    )

"""Singling out: do predicates read off the synthetic table pick exactly one person out of the training table?

One of the three risks of the Article 29 Working Party (opinion 05/2014, "singling out"), measured against control rows
as in Giomi et al. 2023 ("A unified framework for quantifying privacy risk in synthetic data"). A predicate that a share
``w`` of the population satisfies, its weight, holds for exactly one of ``n`` rows by mere chance with probability
``n w (1 - w)**(n - 1)``, up to 37% at ``w = 1 / n``, whatever was published (Cohen and Nissim 2020, "Towards
formalizing the GDPR's notion of singling out", section 2). The share of predicates that single out a control row
estimates just that, averaged over the predicates' weights, and only what exceeds it counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthgan.evaluation.compared.compared_tables import ComparedTables
from synthgan.evaluation.disclosure.risk import (
    Risk,
    attack_tables,
    clumping,
    family_z,
    interval_of_worst,
    paired_excess,
    worst,
)
from synthgan.evaluation.scores import Score

Ranks = NDArray[np.int32]

WIDTH = 0.05
"""Window around a number, to both sides, as a share of the range between the 5% and the 95% synthetic quantile."""

MOST_COLUMNS = 10
"""Most columns in one predicate."""

ROUNDS = 3
"""How many times the wanted number of predicates is tried to find those that single out a synthetic row."""

FEWEST_PREDICATES = 100
"""Predicates from which on a kind that is not the worst widens the score's interval."""

_BLOCK_CELLS = 4_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class RankedRows:
    """The rows of the tables with every column as ranks, so that any predicate is a range of whole numbers.

    Attributes:
        rows: per table, ``(n_rows, n_columns)`` ranks among all tables' distinct values; -1 where missing.
        values: per column, the distinct values by rank: numbers, or codes of categories.
        is_number: per column.
    """

    rows: dict[str, Ranks]
    values: list[NDArray[np.float64]]
    is_number: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class Predicates:
    """Conjunctions of ranges, one per row.

    Attributes:
        uses: ``(n_predicates, n_columns)`` whether the predicate looks at the column.
        lower: ``(n_predicates, n_columns)`` smallest rank that satisfies it.
        upper: ``(n_predicates, n_columns)`` largest rank that satisfies it.
    """

    uses: NDArray[np.bool_]
    lower: Ranks
    upper: Ranks

    def __len__(self) -> int:
        return len(self.uses)

    def __getitem__(self, places: NDArray[np.int64] | NDArray[np.bool_] | slice) -> Predicates:
        return Predicates(uses=self.uses[places], lower=self.lower[places], upper=self.upper[places])


Maker = Callable[[RankedRows, Ranks, int, np.random.Generator], Predicates]
"""Makes at most so many predicates from distinct synthetic rows."""


def singling_out_score(
    tables: ComparedTables,
    rng: np.random.Generator,
    *,
    real: str = "real",
    synthetic: str = "synthetic",
    holdout: str = "holdout",
    max_predicates: int = 2_000,
    max_rows: int = 20_000,
) -> Score | None:
    """Risk of the kind of predicate (`MAKERS`) that most surely singles out training rows.

    Predicates are kept that hold for exactly one distinct synthetic row: their weight is then around one row in the
    table, as an attacker wants it. They are tried on equally many training and holdout rows.

    Args:
        tables: the compared tables.
        rng: of rows and predicates.
        real: name of the training table.
        synthetic: name of the table the attacker sees.
        holdout: name of the table of control rows.
        max_predicates: most predicates of each kind.
        max_rows: most rows of each table.

    Returns:
        The score; None when no predicate holds for exactly one distinct synthetic row.
    """
    drawn = attack_tables(
        tables, rng, real=real, synthetic=synthetic, holdout=holdout, max_targets=max_rows, max_rows=max_rows
    )
    ranked = ranked_rows(drawn)
    distinct = np.unique(ranked.rows["synthetic"], axis=0)
    found: dict[str, Risk] = {}
    details = {}
    z = family_z(len(MAKERS))
    for name, make in MAKERS.items():
        predicates = make(ranked, distinct, ROUNDS * max_predicates, rng)
        predicates = predicates[matches(predicates, distinct)[0] == 1][:max_predicates]
        if len(predicates):
            found[name], rows_met = predicate_risk(predicates, ranked, z=z)
            details[name] = {**found[name].to_dict(), "control_rows_met": rows_met}
    if not found:
        return None
    kind = worst(found)
    risk = found[kind]
    # A kind that yields few predicates singles out few people, whatever its rate: it may raise an alarm, not a doubt.
    counted = {name: each for name, each in found.items() if name == kind or each.n_attacks >= FEWEST_PREDICATES}
    n_rows, n_synthetic = drawn.n_rows["control"], drawn.n_rows["synthetic"]
    return Score.of(
        "singling_out",
        risk.value,
        interval=interval_of_worst(counted),
        reference=0.0,
        note="of the predicates that do not pick out exactly one control row, the share that pick out one training "
        f"row; {risk.n_attacks:,} predicates on {n_rows:,} rows of each, from {n_synthetic:,} synthetic rows",
        details={
            "attack": kind,
            "attack_rate": risk.attack,
            "control_rate": risk.control,
            "n_attacks": risk.n_attacks,
            "n_rows_each": n_rows,
            "n_synthetic": n_synthetic,
            "attacks": details,
        },
    )


def predicate_risk(predicates: Predicates, ranked: RankedRows, *, z: float) -> tuple[Risk, float]:
    """Risk of some predicates, and how many control rows one meets on average.

    The same predicates are tried on both tables, so the difference is paired, and several may single out the same row,
    which widens the interval (`clumping`).
    """
    counts, rows = matches(predicates, ranked.rows["attacked"])
    control_counts, control_rows = matches(predicates, ranked.rows["control"])
    only_attack, only_control = (counts == 1) & (control_counts != 1), (control_counts == 1) & (counts != 1)
    effect = clumping(np.concatenate([rows[only_attack], -1 - control_rows[only_control]]))
    n = len(predicates)
    excess, (lower, upper) = paired_excess(int(only_attack.sum()), int(only_control.sum()), n, effect=effect, z=z)
    control = float((control_counts == 1).mean())
    left = 1.0 - control
    risk = Risk(
        attack=float((counts == 1).mean()),
        control=control,
        value=excess / left if left else float("nan"),
        interval=(lower / left, min(1.0, upper / left)) if left else (float("nan"), float("nan")),
        n_attacks=n,
    )
    return risk, float(control_counts.mean())


# ----------------------------------------------------------------------------------------------------------- predicates


def single_values(ranked: RankedRows, distinct: Ranks, n: int, rng: np.random.Generator) -> Predicates:
    """One column: equal to a value that one synthetic row has, or at or beyond the smallest or largest number.

    Equally many of every column, as far as there are.
    """
    n_columns = distinct.shape[1]
    places, lower, upper = [], [], []
    for column in range(n_columns):
        values, counts = np.unique(distinct[:, column], return_counts=True)
        once = values[counts == 1]
        once = rng.permutation(once)[: max(1, n // n_columns)]
        ranges = [(rank, rank) for rank in once]
        known = values[values >= 0]
        if ranked.is_number[column] and len(known):
            ranges += [(0, known[0]), (known[-1], len(ranked.values[column]))]
        places += [column] * len(ranges)
        lower += [low for low, _ in ranges]
        upper += [high for _, high in ranges]
    order = rng.permutation(len(places))[:n]
    shape = (len(order), n_columns)
    made = Predicates(
        uses=np.zeros(shape, dtype=bool), lower=np.zeros(shape, dtype=np.int32), upper=np.zeros(shape, dtype=np.int32)
    )
    where = (np.arange(len(order)), np.array(places, dtype=np.int64)[order])
    made.uses[where] = True
    made.lower[where] = np.array(lower, dtype=np.int32)[order]
    made.upper[where] = np.array(upper, dtype=np.int32)[order]
    return made


def tails(ranked: RankedRows, distinct: Ranks, n: int, rng: np.random.Generator) -> Predicates:
    """Several columns of one synthetic row: the same category, a number at or beyond its own, away from the median."""
    rows, uses = _rows_and_columns(distinct, n, rng)
    lower, upper = rows.copy(), rows.copy()
    for column in np.flatnonzero(ranked.is_number):
        known = distinct[:, column][distinct[:, column] >= 0]
        if len(known):
            own = rows[:, column]
            is_high = own >= np.median(known)
            upper[:, column] = np.where(is_high & (own >= 0), len(ranked.values[column]), own)
            lower[:, column] = np.where(~is_high & (own >= 0), 0, own)
    return Predicates(uses=uses, lower=lower, upper=upper)


def windows(ranked: RankedRows, distinct: Ranks, n: int, rng: np.random.Generator) -> Predicates:
    """Several columns of one synthetic row: the same category, a number in a narrow window around its own."""
    rows, uses = _rows_and_columns(distinct, n, rng)
    lower, upper = rows.copy(), rows.copy()
    for column in np.flatnonzero(ranked.is_number):
        values = ranked.values[column]
        known = distinct[:, column][distinct[:, column] >= 0]
        finite = values[known][np.isfinite(values[known])] if len(known) else np.empty(0)
        if len(finite):
            low, high = np.quantile(finite, [0.05, 0.95])
            own = values[np.maximum(rows[:, column], 0)]
            is_known = rows[:, column] >= 0
            first = np.searchsorted(values, own - WIDTH * (high - low), side="left")
            last = np.searchsorted(values, own + WIDTH * (high - low), side="right") - 1
            lower[:, column] = np.where(is_known, first, MISSING_RANK)
            upper[:, column] = np.where(is_known, last, MISSING_RANK)
    return Predicates(uses=uses, lower=lower, upper=upper)


MAKERS: dict[str, Maker] = {"univariate": single_values, "multivariate_tails": tails, "multivariate_windows": windows}

MISSING_RANK = -1


def matches(predicates: Predicates, rows: Ranks) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many rows satisfy each predicate, and the first that does (0 if none): ``(n_predicates,)`` each."""
    counts = np.empty(len(predicates), dtype=np.int64)
    first = np.empty(len(predicates), dtype=np.int64)
    columns = np.ascontiguousarray(rows.T)
    block = max(1, _BLOCK_CELLS // max(len(rows), 1))
    for start in range(0, len(predicates), block):
        some = predicates[slice(start, start + block)]
        holds = np.ones((len(some), len(rows)), dtype=bool)
        for column in np.flatnonzero(some.uses.any(axis=0)):
            at = np.flatnonzero(some.uses[:, column])
            ranks = columns[column]
            holds[at] &= (ranks >= some.lower[at, column, None]) & (ranks <= some.upper[at, column, None])
        counts[start : start + block] = holds.sum(axis=1)
        first[start : start + block] = holds.argmax(axis=1)
    return counts, first


def ranked_rows(tables: ComparedTables) -> RankedRows:
    """Every column of every table as ranks among the distinct values of all tables together."""
    names = list(tables.n_rows)
    stops = np.cumsum([tables.n_rows[name] for name in names])[:-1]
    ranks, values = [], []
    for column, role in tables.roles.items():
        source = tables.numbers if role == "numeric" else tables.codes
        joined = np.concatenate([source[name][column] for name in names]).astype(np.float64)
        missing = np.isnan(joined) if role == "numeric" else joined < 0
        distinct = np.unique(joined[~missing])
        values.append(distinct)
        ranks.append(np.where(missing, MISSING_RANK, np.searchsorted(distinct, joined)).astype(np.int32))
    split = np.split(np.column_stack(ranks), stops)
    return RankedRows(
        rows=dict(zip(names, split, strict=True)),
        values=values,
        is_number=np.array([role == "numeric" for role in tables.roles.values()]),
    )


def _rows_and_columns(distinct: Ranks, n: int, rng: np.random.Generator) -> tuple[Ranks, NDArray[np.bool_]]:
    """Random distinct synthetic rows and, for each, two to ten of its columns (or all, if there are fewer)."""
    n_columns = distinct.shape[1]
    most = min(n_columns, MOST_COLUMNS)
    rows = distinct[rng.choice(len(distinct), n, replace=len(distinct) < n)]
    sizes = rng.integers(min(2, most), most + 1, size=n)
    places = rng.random((n, n_columns)).argsort(axis=1).argsort(axis=1)
    return rows, places < sizes[:, None]

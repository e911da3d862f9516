"""Copies: synthetic rows equal to real ones, and synthetic rows closer to the training rows than to fresh real rows.

Both catch memorising generators. Neither is evidence of privacy: rows that are no copies can still give a person away.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthgan.evaluation.compared.compared_tables import Codes, ComparedTables, Floats
from synthgan.evaluation.compared.intervals import Z, wilson
from synthgan.evaluation.compared.neighbours import as_points, nearest_two
from synthgan.evaluation.disclosure.risk import clumping, paired_excess
from synthgan.evaluation.scores import Score

NEAR_QUANTILE = 0.05
"""Share of the training rows that have another one as near as what counts as a near copy."""

THRESHOLD_ROWS = 2_000
"""Training rows that this distance is estimated from."""

MOSTLY_COPIES = 0.5
"""Share of the rows that need not be copies from which on a table is called one of copies."""

_SLACK = 1e-9


def exact_copies(tables: ComparedTables, *, real: str = "real", of: str = "synthetic") -> NDArray[np.bool_]:
    """Which rows of a table equal some real row in every compared column: ``(n_rows,)``. Missing equals missing."""
    keys = _row_keys(tables, (real, of))
    split = tables.n_rows[real]
    return np.isin(keys[split:], keys[:split])


def repeated_rows(tables: ComparedTables, *, table: str = "real") -> NDArray[np.bool_]:
    """Which rows of a table equal another row of it in every compared column: ``(n_rows,)``."""
    keys = _row_keys(tables, (table,))
    return np.asarray(np.bincount(keys)[keys] > 1)


def copy_score(
    tables: ComparedTables, *, real: str = "real", synthetic: str = "synthetic", holdout: str | None = None
) -> Score:
    """Share of synthetic rows that repeat a real row, beside the share of holdout rows that do.

    In a table with few columns or levels honest rows coincide too; the holdout tells how often. So does, roughly, the
    share of real rows that repeat another real row, which the details count.
    """
    copies = int(exact_copies(tables, real=real, of=synthetic).sum())
    n = tables.n_rows[synthetic]
    details: dict[str, object] = {
        "copies": copies,
        "n_rows": n,
        "real_repeats": int(repeated_rows(tables, table=real).sum()),
        "real_n_rows": tables.n_rows[real],
    }
    reference = None
    if holdout is not None:
        expected = int(exact_copies(tables, real=real, of=holdout).sum())
        n_holdout = tables.n_rows[holdout]
        reference = 100.0 * expected / n_holdout
        details |= {
            "holdout_copies": expected,
            "holdout_n_rows": n_holdout,
            "holdout_interval": [100.0 * end for end in wilson(expected, n_holdout)],
        }
    lower, upper = wilson(copies, n)
    return Score.of(
        "exact_copies",
        100.0 * copies / n,
        interval=(100.0 * lower, 100.0 * upper),
        reference=reference,
        note="synthetic rows equal to a real row in every compared column; fresh real rows are the yardstick",
        details=details,
    )


def copies_warning(score: Score) -> str | None:
    """A sentence when most synthetic rows are copies that chance does not explain; None when they are not.

    How many honest rows would coincide is taken from the holdout and from the real rows that repeat each other, each
    at the upper end of its interval, and the smaller figure counts: a holdout may hold the real rows by mistake, and a
    table may have each row twice. Of the rows beyond that figure, at least `MOSTLY_COPIES` must be copies, at the lower
    end of the interval.

    Args:
        score: from `copy_score`.
    """
    found = score.details
    copies, n_rows = found["copies"], found["n_rows"]
    by_chance = [wilson(found["real_repeats"], found["real_n_rows"])[1]]
    if "holdout_copies" in found:
        by_chance.append(wilson(found["holdout_copies"], found["holdout_n_rows"])[1])
    expected = min(by_chance)
    if expected == 1.0 or wilson(copies, n_rows)[0] < expected + MOSTLY_COPIES * (1.0 - expected):
        return None
    how_many = f"All {n_rows:,}" if copies == n_rows else f"{copies:,} of {n_rows:,}"
    return (
        f"{how_many} rows of the synthetic table are exact copies of real rows in every compared column (at most "
        f"{expected:.1%} of honest rows would be): do not share it as synthetic, and see whether it is the real table "
        "by mistake, or its generator repeats rows."
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class RealNeighbours:
    """Synthetic rows and their nearest training and holdout rows, of equally many of either.

    Distances are L1 on numbers scaled by the training ranges and one-hot categories, so another category counts 2.

    Attributes:
        to_train: ``(n_rows, 2)`` distances to the nearest and the second nearest training row.
        to_holdout: the same to holdout rows.
        train_rows: ``(n_rows,)`` which training row is the nearest.
        holdout_rows: ``(n_rows,)`` which holdout row is the nearest.
        among_train: ``(n,)`` distances of training rows to their nearest other training row.
        n_real_each: training rows, and holdout rows.
    """

    to_train: Floats
    to_holdout: Floats
    train_rows: NDArray[np.int64]
    holdout_rows: NDArray[np.int64]
    among_train: Floats
    n_real_each: int


def real_neighbours(
    tables: ComparedTables,
    rng: np.random.Generator,
    *,
    real: str = "real",
    synthetic: str = "synthetic",
    holdout: str = "holdout",
    max_rows: int | None = 10_000,
    max_real: int | None = 20_000,
) -> RealNeighbours:
    """Search the nearest real rows of synthetic ones.

    Args:
        tables: the compared tables.
        rng: draws rows.
        real: name of the training table.
        synthetic: name of the table whose rows are looked at.
        holdout: name of the table of fresh real rows.
        max_rows: most synthetic rows, None for all.
        max_real: most training and most holdout rows, None for all. There are never more of one than of the other.
    """
    size = min(tables.n_rows[real], tables.n_rows[holdout], *(() if max_real is None else (max_real,)))
    n = tables.n_rows[synthetic] if max_rows is None else min(tables.n_rows[synthetic], max_rows)
    drawn = tables
    for name, size_drawn in ((real, size), (holdout, size), (synthetic, n)):
        drawn = drawn.with_part(f"drawn {name}", name, _draw(tables.n_rows[name], size_drawn, rng))
    train, fresh, queries = (as_points(drawn, f"drawn {name}", real=real) for name in (real, holdout, synthetic))
    to_train, train_rows = nearest_two(queries, train, norm="l1")
    to_holdout, holdout_rows = nearest_two(queries, fresh, norm="l1")
    # Each sampled training row meets itself among the others, so its nearest other row comes second.
    some = train[_draw(size, min(size, THRESHOLD_ROWS), rng)]
    return RealNeighbours(
        to_train=to_train,
        to_holdout=to_holdout,
        train_rows=train_rows,
        holdout_rows=holdout_rows,
        among_train=nearest_two(some, train, norm="l1")[0][:, 1],
        n_real_each=size,
    )


def copy_scores(tables: ComparedTables, rng: np.random.Generator, *, holdout: str | None = None) -> list[Score]:
    """All scores of copies: exact ones, and with a holdout near ones, the DCR share and the NNDR.

    Without ``holdout``, the name of a table of fresh real rows, there are only exact copies.
    """
    scores = [copy_score(tables, holdout=holdout)]
    if holdout is None:
        return scores
    neighbours = real_neighbours(tables, rng, holdout=holdout)
    scores.append(near_copies_score(neighbours))
    scores.append(closer_to_train_score(neighbours))
    ratio = nndr_score(neighbours)
    return scores if ratio is None else [*scores, ratio]


def near_copies_score(found: RealNeighbours) -> Score:
    """Share of synthetic rows with a training row very near, beside the share with a holdout row as near.

    Near is a distance that only 5% of the training rows have to their nearest other training row. Fresh rows would come
    as near to training rows as to holdout rows. The interval is that of the difference (`paired_excess`, widened where
    many rows are near the same one), put at the reference.
    """
    finite = found.among_train[np.isfinite(found.among_train)]
    # The slack lets distances count as equal that only the order of summation keeps apart.
    threshold = float(np.quantile(finite, NEAR_QUANTILE, method="lower")) + _SLACK if len(finite) else _SLACK
    near_train, near_holdout = found.to_train[:, 0] <= threshold, found.to_holdout[:, 0] <= threshold
    only_train, only_holdout = near_train & ~near_holdout, near_holdout & ~near_train
    n = len(near_train)
    effect = clumping(np.concatenate([found.train_rows[only_train], -1 - found.holdout_rows[only_holdout]]))
    excess, (lower, upper) = paired_excess(int(only_train.sum()), int(only_holdout.sum()), n, effect=effect)
    reference = float(near_holdout.mean())
    return Score.of(
        "near_copies",
        100.0 * float(near_train.mean()),
        interval=(100.0 * max(0.0, reference + lower), 100.0 * min(1.0, reference + upper)),
        reference=100.0 * reference,
        note="synthetic rows nearer to a training row than 95% of training rows are to each other; holdout rows, "
        f"equally many, are the yardstick; {n:,} synthetic rows, {found.n_real_each:,} real rows of each",
        details={
            "near_train": int(near_train.sum()),
            "near_holdout": int(near_holdout.sum()),
            "excess": 100.0 * excess,
            "excess_interval": [100.0 * lower, 100.0 * upper],
            "n_rows": n,
            "n_real_each": found.n_real_each,
            "quantile": NEAR_QUANTILE,
        },
    )


def closer_to_train_score(found: RealNeighbours) -> Score:
    """DCR share: synthetic rows whose nearest real row is a training row and not a holdout row; 0.5 is ideal.

    A tie counts half. A diagnostic: it can show that something went wrong, never that nothing did. 10,000 rows give the
    share to within 0.01.
    """
    to_train, to_holdout = found.to_train[:, 0], found.to_holdout[:, 0]
    ties = to_train == to_holdout
    n = len(ties)
    closer = float((to_train < to_holdout).sum() + 0.5 * ties.sum())
    return Score.of(
        "dcr_share",
        closer / n,
        interval=wilson(closer, n),
        note="synthetic rows nearer to a training row than to a holdout row; a copy check, never proof of privacy",
        details={
            "diagnostic": True,
            "n_rows": n,
            "n_train": found.n_real_each,
            "n_holdout": found.n_real_each,
            "ties": int(ties.sum()),
        },
    )


def nndr_score(found: RealNeighbours) -> Score | None:
    """Nearest neighbour distance ratio: distance to the nearest over that to the second nearest row, the median.

    Near 0 a synthetic row belongs to one real row, near 1 to nobody in particular; 1 where both distances are 0. The
    ratio is taken to training rows and, as the reference, to holdout rows. The interval is that of the difference of
    the two medians (by order statistics), put at the reference. A diagnostic, as the DCR share is; None where there is
    but one real row.
    """
    if found.n_real_each < 2:
        return None
    ratios, fresh = _ratios(found.to_train), _ratios(found.to_holdout)
    n = len(ratios)
    half = Z * 0.5 / math.sqrt(n)
    ends = [max(0.0, 0.5 - half), 0.5, min(1.0, 0.5 + half)]
    (lower, value, upper), (fresh_lower, reference, fresh_upper) = np.quantile([ratios, fresh], ends, axis=1).T
    below, above = np.hypot(value - lower, fresh_upper - reference), np.hypot(upper - value, reference - fresh_lower)
    return Score.of(
        "nndr",
        float(value),
        interval=(max(0.0, float(value - below)), min(1.0, float(value + above))),
        reference=float(reference),
        note="distance to the nearest over that to the second nearest training row, median; holdout rows are the "
        "yardstick; a copy check, never proof of privacy",
        details={"diagnostic": True, "n_rows": n, "n_train": found.n_real_each, "n_holdout": found.n_real_each},
    )


def _ratios(distances: Floats) -> Floats:
    first, second = distances[:, 0], distances[:, 1]
    return np.divide(first, second, out=np.ones(len(first)), where=second > 0)


def _draw(n: int, size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return np.arange(n) if size >= n else np.sort(rng.choice(n, size, replace=False))


def _row_keys(tables: ComparedTables, names: tuple[str, ...]) -> Codes:
    """One number per row over the tables one after another; equal numbers, equal rows."""
    keys = np.zeros(sum(tables.n_rows[name] for name in names), dtype=np.int64)
    for column, role in tables.roles.items():
        source = tables.numbers if role == "numeric" else tables.codes
        # Hashed, not sorted; a missing number is -1, as missing codes are.
        codes = pd.factorize(np.concatenate([source[name][column] for name in names]))[0]
        # Numbering the pairs anew keeps the product of the two numbers far below 2**63.
        keys = pd.factorize(keys * (int(codes.max()) + 2) + codes + 1)[0].astype(np.int64)
    return keys

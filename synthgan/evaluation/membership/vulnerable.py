"""Which records are most at risk: those far from all others, which a generator can only have from themselves.

The rule is that of Meeus et al. (2023, *Achilles' heels: vulnerable record identification in synthetic data
publishing*), the mean distance to the five closest records, here L1 on scaled numbers and one-hot categories. It looks
at real rows only: never at the synthetic ones, nor at who was trained on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from synthgan.evaluation.compared.compared_tables import ComparedTables, Floats
from synthgan.evaluation.compared.neighbours import RowPoints, as_points, smallest_distances

N_NEIGHBOURS = 5

WORST_SHARE = 0.05
WORST_ROWS = 1000
LARGEST_WORST_SHARE = 0.25


def isolation(rows: RowPoints, among: RowPoints) -> Floats:
    """Mean L1 distance of each row to its five closest among others: ``(n_rows,)``."""
    return np.asarray(smallest_distances(rows, among, N_NEIGHBOURS).mean(axis=1))


def n_worst_cases(n: int) -> int:
    """How many of ``n`` rows are judged as worst cases, at least.

    The farthest twentieth; of smaller tables more, up to a quarter, so that 1,000 non-members allow a true positive
    rate at 1%.
    """
    return max(round(WORST_SHARE * n), min(WORST_ROWS, round(LARGEST_WORST_SHARE * n)))


def farthest(isolations: Sequence[Floats], n: int) -> list[NDArray[np.bool_]]:
    """The rows of several groups that are at least so far that each group has ``n`` of them: one mask for each.

    One threshold for all: with one for each, the groups would differ by the chance in their thresholds, more than the
    spread within them tells.
    """
    threshold = min(np.sort(own)[max(len(own) - n, 0)] for own in isolations)
    return [own >= threshold for own in isolations]


def vulnerable_rows(
    tables: ComparedTables, n: int, rng: np.random.Generator, *, table: str = "real", max_rows: int = 20_000
) -> NDArray[np.int64]:
    """Places of a table's ``n`` rows that are farthest from their neighbours in it, farthest first.

    Args:
        tables: the compared tables.
        n: how many rows.
        rng: draws the rows that are looked at.
        table: name of the table.
        max_rows: rows looked at; of more, so many are drawn at random.
    """
    looked_at = rng.permutation(tables.n_rows[table])[:max_rows]
    points = as_points(tables, table, real=table)[looked_at]
    # The closest is the row itself, at no distance.
    distances = smallest_distances(points, points, N_NEIGHBOURS + 1)[:, 1:]
    far = distances.mean(axis=1) if distances.shape[1] else np.zeros(len(points))
    return np.asarray(looked_at[np.argsort(-far, kind="stable")[:n]])

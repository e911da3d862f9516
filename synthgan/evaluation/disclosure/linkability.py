"""Linkability: does the synthetic table show that two halves of a record belong to the same person?

One of the three risks of the Article 29 Working Party (opinion 05/2014, "linkability"), measured against control rows
as in Giomi et al. 2023 ("A unified framework for quantifying privacy risk in synthetic data"). The attacker holds one
table with some columns and another with the others, and asks which rows of the two belong together: those that have a
synthetic row near them in common.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from synthgan.evaluation.compared.compared_tables import ComparedTables
from synthgan.evaluation.compared.neighbours import as_points, distance_blocks
from synthgan.evaluation.disclosure.risk import attack_tables, unpaired_risk
from synthgan.evaluation.scores import Score

N_NEIGHBOURS = 5
"""Nearest synthetic rows of each half of which one must be shared."""


def linkability_score(
    tables: ComparedTables,
    rng: np.random.Generator,
    *,
    parts: tuple[Sequence[str], Sequence[str]] | None = None,
    real: str = "real",
    synthetic: str = "synthetic",
    holdout: str = "holdout",
    max_targets: int = 2_000,
    max_rows: int = 20_000,
) -> Score | None:
    """Risk that the two halves of a training row are linked beyond what links those of a holdout row.

    A row is linked when its five nearest synthetic rows by the columns of one part and its five nearest by those of the
    other have a row in common. Equally near rows come in random order.

    Args:
        tables: the compared tables.
        rng: of rows.
        parts: the columns of either half; None deals them out by `dealt_columns`.
        real: name of the training table.
        synthetic: name of the table the attacker sees.
        holdout: name of the table of control rows.
        max_targets: most rows attacked in either table.
        max_rows: most synthetic rows the attacker uses.

    Returns:
        The score; None when there are fewer than two columns or too few synthetic rows to have any that are not near.
    """
    drawn = attack_tables(
        tables, rng, real=real, synthetic=synthetic, holdout=holdout, max_targets=max_targets, max_rows=max_rows
    )
    first, second = dealt_columns(drawn) if parts is None else parts
    n_synthetic = drawn.n_rows["synthetic"]
    if not first or not second or n_synthetic <= N_NEIGHBOURS:
        return None
    attack, control = (int(linked(drawn, name, first, second).sum()) for name in ("attacked", "control"))
    risk = unpaired_risk(attack, control, drawn.n_rows["attacked"])
    return Score.of(
        "linkability",
        risk.value,
        interval=risk.interval,
        reference=0.0,
        note="of the rows whose halves are not linked for a control, the share that are linked; "
        f"{risk.n_attacks:,} training and as many control rows, {n_synthetic:,} synthetic rows",
        details={
            "attack_rate": risk.attack,
            "control_rate": risk.control,
            "baseline": 1.0 - (1.0 - N_NEIGHBOURS / n_synthetic) ** N_NEIGHBOURS,
            "parts": [list(first), list(second)],
            "n_neighbours": N_NEIGHBOURS,
            "n_attacks": risk.n_attacks,
            "n_synthetic": n_synthetic,
        },
    )


def dealt_columns(tables: ComparedTables, *, table: str = "synthetic") -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Two parts that tell about equally much: the columns in falling order of distinct values, dealt out in turn."""

    def n_distinct(column: str) -> int:
        source = tables.numbers if tables.roles[column] == "numeric" else tables.codes
        return len(np.unique(source[table][column]))

    order = sorted(tables.columns, key=n_distinct, reverse=True)
    return tuple(order[::2]), tuple(order[1::2])


def linked(tables: ComparedTables, table: str, first: Sequence[str], second: Sequence[str]) -> NDArray[np.bool_]:
    """Which rows of a table have a synthetic row that is among the nearest of both halves: ``(n_rows,)``."""
    one, other = (_nearest_rows(tables.only(columns), table) for columns in (first, second))
    shared: NDArray[np.bool_] = (one[:, :, None] == other[:, None, :]).any(axis=(1, 2))
    return shared


def _nearest_rows(tables: ComparedTables, table: str) -> NDArray[np.int64]:
    """Numbers of the nearest synthetic rows (L1): ``(n_rows, n_neighbours)``."""
    points = as_points(tables, "synthetic", real="synthetic")
    targets = as_points(tables, table, real="synthetic")
    found = np.empty((len(targets), N_NEIGHBOURS), dtype=np.int64)
    for rows, distances in distance_blocks(targets, points, norm="l1"):
        for place in range(N_NEIGHBOURS):
            found[rows, place] = distances.argmin(axis=1)
            distances[np.arange(len(distances)), found[rows, place]] = np.inf
    return found

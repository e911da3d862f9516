"""Copies: synthetic rows equal to real ones, and synthetic rows closer to the training rows than to fresh real rows.

Both catch memorising generators. Neither is evidence of privacy: rows that are no copies can still give a person away.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synthgan.evaluation.features import Codes, ComparedTables
from synthgan.evaluation.intervals import wilson
from synthgan.evaluation.neighbours import as_points, nearest
from synthgan.evaluation.scores import Score


def exact_copies(tables: ComparedTables, *, real: str = "real", of: str = "synthetic") -> NDArray[np.bool_]:
    """Which rows of a table equal some real row in every compared column: ``(n_rows,)``. Missing equals missing."""
    keys = _row_keys(tables, (real, of))
    split = tables.n_rows[real]
    return np.isin(keys[split:], keys[:split])


def copy_score(
    tables: ComparedTables, *, real: str = "real", synthetic: str = "synthetic", holdout: str | None = None
) -> Score:
    """Share of synthetic rows that repeat a real row, beside the share of holdout rows that do.

    In a table with few columns or levels honest rows coincide too; the holdout tells how often.
    """
    copies = int(exact_copies(tables, real=real, of=synthetic).sum())
    n = tables.n_rows[synthetic]
    details: dict[str, object] = {"copies": copies, "n_rows": n}
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
    return Score(
        name="exact_copies",
        label="Exact copies of real rows",
        value=100.0 * copies / n,
        direction="lower" if reference is None else "target",
        group="copies",
        interval=(100.0 * lower, 100.0 * upper),
        ideal=reference,
        reference=reference,
        unit="%",
        note="synthetic rows equal to a real row in every compared column; fresh real rows are the yardstick",
        details=details,
    )


def closer_to_train_score(
    tables: ComparedTables,
    rng: np.random.Generator,
    *,
    real: str = "real",
    synthetic: str = "synthetic",
    holdout: str = "holdout",
    max_rows: int | None = 10_000,
) -> Score:
    """DCR share: synthetic rows whose nearest real row is a training row and not a holdout row; 0.5 is ideal.

    Equally many training and holdout rows take part, drawn at random. Distances are L1 on numbers scaled by the
    training ranges and one-hot categories; a tie counts half.

    Args:
        tables: the compared tables.
        rng: draws rows.
        real: name of the training table.
        synthetic: name of the table to score.
        holdout: name of the table of fresh real rows.
        max_rows: most synthetic rows to use, None for all; 10,000 give the share to within 0.01.
    """
    size = min(tables.n_rows[real], tables.n_rows[holdout])
    train_points = as_points(tables, real, real=real)[_draw(tables.n_rows[real], size, rng)]
    holdout_points = as_points(tables, holdout, real=real)[_draw(tables.n_rows[holdout], size, rng)]
    n = tables.n_rows[synthetic] if max_rows is None else min(tables.n_rows[synthetic], max_rows)
    queries = as_points(tables, synthetic, real=real)[_draw(tables.n_rows[synthetic], n, rng)]
    to_train, _ = nearest(queries, train_points, norm="l1")
    to_holdout, _ = nearest(queries, holdout_points, norm="l1")
    ties = to_train == to_holdout
    closer = float((to_train < to_holdout).sum() + 0.5 * ties.sum())
    return Score(
        name="dcr_share",
        label="Closer to train than to holdout",
        value=closer / n,
        direction="target",
        group="copies",
        interval=wilson(closer, n),
        ideal=0.5,
        note="synthetic rows nearer to a training row than to a holdout row; a copy check, never proof of privacy",
        details={"n_rows": n, "n_train": size, "n_holdout": size, "ties": int(ties.sum())},
    )


def _draw(n: int, size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    return np.arange(n) if size >= n else np.sort(rng.choice(n, size, replace=False))


def _row_keys(tables: ComparedTables, names: tuple[str, ...]) -> Codes:
    """One number per row over the tables one after another; equal numbers, equal rows."""
    keys = np.zeros(sum(tables.n_rows[name] for name in names), dtype=np.int64)
    for column, role in tables.roles.items():
        source = tables.numbers if role == "numeric" else tables.codes
        values = np.concatenate([source[name][column] for name in names])
        _, codes = np.unique(values, return_inverse=True)
        # Numbering the pairs anew keeps the product of the two numbers far below 2**63.
        _, keys = np.unique(keys * (int(codes.max()) + 1) + codes, return_inverse=True)
    return keys.astype(np.int64)

"""Missing values: how many there are in each column, and which columns are missing together."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthgan.evaluation.compared.compared_tables import Codes, ComparedTables, Floats
from synthgan.evaluation.compared.resampling import Resamples, centred_interval
from synthgan.evaluation.scores import Score

N_SHOWN = 20
"""Patterns that the details list."""

_BITS = 40
_MOST_PATTERNS = 1000


def missingness_scores(
    tables: ComparedTables,
    resamples: Resamples | None,
    *,
    real: str = "real",
    synthetic: str = "synthetic",
    reference: str | None = None,
) -> list[Score]:
    """The largest difference of a column's missing share, and the total variation of the joint patterns; in percent.

    A pattern is the set of columns that a row lacks. Shares per column may be right while the columns are missing
    together in the one table and independently in the other.

    Args:
        tables: the compared tables.
        resamples: of the synthetic rows, for the intervals; None for none.
        real: name of the real table.
        synthetic: name of the table to score.
        reference: name of a table of fresh real rows, scored the same way.
    """
    shares = missing_errors(tables, real=real, synthetic=synthetic)
    floor = None if reference is None else missing_errors(tables, real=real, synthetic=reference)
    largest = max(shares.values(), default=float("nan"))
    distance, patterns, codes, n_patterns = _patterns(tables, real, synthetic)
    resampled_shares = resampled_patterns = None
    if resamples is not None:
        missing = _missing(tables, synthetic)
        drawn = resamples.sums(missing.astype(np.float64)) / resamples.n_rows[:, None]
        resampled_shares = 100.0 * np.abs(drawn - _missing(tables, real).mean(axis=0)).max(axis=1, initial=0.0)
        resampled_patterns = _resampled_distance(codes, n_patterns, resamples)
    return [
        Score.of(
            "missing",
            largest,
            interval=centred_interval(largest, resampled_shares, lowest=0.0, highest=100.0),
            reference=None if floor is None else max(floor.values(), default=float("nan")),
            note="largest difference of a column's share of missing values",
            details=shares,
        ),
        Score.of(
            "missing_patterns",
            distance,
            interval=centred_interval(distance, resampled_patterns, lowest=0.0, highest=100.0),
            reference=None if reference is None else missing_pattern_error(tables, real=real, synthetic=reference),
            note="rows whose set of missing columns would have to change",
            details={"n_patterns": n_patterns, "patterns": patterns},
        ),
    ]


def missing_errors(tables: ComparedTables, *, real: str = "real", synthetic: str = "synthetic") -> dict[str, float]:
    """Difference of each column's share of missing values, in percentage points."""
    shares = [_missing(tables, name).mean(axis=0) for name in (real, synthetic)]
    return dict(zip(tables.columns, (100.0 * np.abs(shares[0] - shares[1])).tolist(), strict=True))


def missing_pattern_error(tables: ComparedTables, *, real: str = "real", synthetic: str = "synthetic") -> float:
    """Total variation of the rows' sets of missing columns, in percent."""
    return _patterns(tables, real, synthetic)[0]


def _missing(tables: ComparedTables, table: str) -> NDArray[np.bool_]:
    """Which values are missing: ``(n_rows, n_columns)``."""
    missing = np.empty((tables.n_rows[table], len(tables.columns)), dtype=bool, order="F")
    for place, (column, role) in enumerate(tables.roles.items()):
        values = tables.numbers if role == "numeric" else tables.codes
        array = values[table][column]
        missing[:, place] = np.isnan(array) if role == "numeric" else array < 0
    return missing


def _patterns(
    tables: ComparedTables, real: str, synthetic: str
) -> tuple[float, list[dict[str, Any]], tuple[Codes, Codes], int]:
    """Their distance in percent, the most frequent ones with their shares, both tables' codes, and their number."""
    missing = np.concatenate([_missing(tables, name) for name in (real, synthetic)])
    codes, first_row = _row_codes(missing)
    own = codes[: tables.n_rows[real]], codes[tables.n_rows[real] :]
    shares = [np.bincount(part, minlength=len(first_row)) / len(part) for part in own]
    distance = 50.0 * float(np.abs(shares[0] - shares[1]).sum())
    largest = np.argsort(-np.maximum(*shares), kind="stable")[:N_SHOWN]
    listed = [
        {
            "columns": [name for name, gone in zip(tables.columns, missing[first_row[code]], strict=True) if gone],
            "real": float(shares[0][code]),
            "synthetic": float(shares[1][code]),
        }
        for code in largest
    ]
    return distance, listed, own, len(first_row)


def _row_codes(missing: NDArray[np.bool_]) -> tuple[Codes, Codes]:
    """A number for each row, equal where the rows are; and a row of each number."""
    codes = np.zeros(len(missing), dtype=np.int64)
    first_row = np.zeros(1, dtype=np.int64)
    gaps = np.flatnonzero(missing.any(axis=0))
    # A few columns at a time, so that keys stay in 64 bits: at most _BITS of them and the number so far.
    for start in range(0, len(gaps), _BITS):
        for column in gaps[start : start + _BITS]:
            codes = 2 * codes + missing[:, column]
        _, first_row, inverse = np.unique(codes, return_index=True, return_inverse=True)
        codes = inverse.reshape(-1).astype(np.int64)
    return codes, first_row


def _resampled_distance(codes: tuple[Codes, Codes], n_patterns: int, resamples: Resamples) -> Floats:
    """The distance in percent in each resample of the second table's rows: ``(n_resamples,)``."""
    shares = np.bincount(codes[0], minlength=n_patterns) / len(codes[0])
    order = np.argsort(-np.bincount(codes[1], minlength=n_patterns), kind="stable")
    folded = np.empty(n_patterns, dtype=np.int64)
    # Patterns beyond the 1,000 most frequent synthetic ones count as one.
    folded[order] = np.minimum(np.arange(n_patterns), _MOST_PATTERNS)
    size = min(n_patterns, _MOST_PATTERNS + 1)
    drawn = resamples.counts(folded[codes[1]], size)
    drawn /= drawn.sum(axis=1, keepdims=True)
    distances: Floats = 50.0 * np.abs(drawn - np.bincount(folded, weights=shares, minlength=size)).sum(axis=1)
    return distances

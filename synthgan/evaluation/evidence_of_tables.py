"""Every column's distribution and every pair's association, counted for a report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np

from synthgan.evaluation.compared.column_roles import TimeRole
from synthgan.evaluation.compared.compared_tables import Codes, ComparedTables, Floats
from synthgan.evaluation.compared.contingency import ContingencyTables
from synthgan.evaluation.compared.value_texts import OTHER, instant_text, level_texts
from synthgan.evaluation.evidence import ColumnEvidence, Evidence, Matrix, PairEvidence, instant_of
from synthgan.evaluation.fidelity.correlations import correlation_matrix
from synthgan.evaluation.fidelity.shapes import shape_errors
from synthgan.evaluation.fidelity.trends import trend_errors
from synthgan.tables.arrow_types import DAY, NANOSECONDS

N_BINS = 30
"""Most bins of a number."""

N_LEVELS = 20
"""Most levels that are named; the others are counted together."""

MOST_COLUMNS = 60
"""Most columns of the pair matrices."""

_TRIMMED = 0.005
_MOST_STEPS = 1e12


def evidence_of(tables: ComparedTables) -> Evidence:
    """Distributions of all columns and associations of pairs, of ``real`` and ``synthetic``.

    Values beyond the edges of a number's bins count in the outermost bins. Of more than `MOST_COLUMNS` columns those
    with the largest mean error of their pairs take part in the matrices.
    """
    errors = shape_errors(tables)
    columns = (
        (_numeric if role == "numeric" else _categorical)(tables, column, _finite(errors[column]))
        for column, role in tables.roles.items()
    )
    return Evidence(columns=tuple(columns), pairs=_pairs(tables))


def _numeric(tables: ComparedTables, column: str, shape_error: float | None) -> ColumnEvidence:
    clock = tables.clocks.get(column)
    bounds = _edges(tables.numbers["real"][column], clock)
    shares, missing = {}, {}
    for name in tables.n_rows:
        values = tables.numbers[name][column]
        present = values[~np.isnan(values)]
        counts = np.bincount(np.digitize(present, bounds[1:-1]), minlength=len(bounds) - 1)
        shares[name] = tuple((counts / max(len(present), 1)).tolist())
        missing[name] = 1.0 - len(present) / len(values)
    edges: list[float] = (bounds / NANOSECONDS["s"] if clock == "duration" else bounds).tolist()
    if clock == "instant":  # to the second, as they are written
        edges = [instant for edge in edges if (instant := instant_of(instant_text(edge))) is not None]
    return ColumnEvidence(
        name=column,
        kind="time" if clock == "instant" else "numeric",
        edges=tuple(edges),
        levels=(),
        shares=shares,
        missing={name: missing[name] for name in ("real", "synthetic")},
        shape_error=shape_error,
    )


def _edges(values: Floats, clock: TimeRole | None) -> Floats:
    """Bins of equal width over the middle 99% of the real values; whole numbers keep whole bins, days whole days."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return np.array([0.0, 1.0])
    low, high = np.quantile(finite, [_TRIMMED, 1 - _TRIMMED], method="nearest")
    if low == high:
        low, high = finite.min(), finite.max()
    step = 1.0 if clock is None else float(DAY)
    if bool((np.mod(finite, step) == 0).all()) and (high - low) / step < _MOST_STEPS:
        n_steps = (high - low) / step + 1
        width = math.ceil(n_steps / N_BINS)
        start = low - 0.5 if clock is None else low
        edges: Floats = start + width * step * np.arange(math.ceil(n_steps / width) + 1)
        return edges
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, N_BINS + 1)


def _categorical(tables: ComparedTables, column: str, shape_error: float | None) -> ColumnEvidence:
    n_levels = tables.n_levels[column]
    counts = {name: _level_counts(tables.codes[name][column], n_levels) for name in tables.n_rows}
    present = {name: part / max(int(part.sum()), 1) for name, part in counts.items()}
    largest = np.argsort(-np.maximum(present["real"], present["synthetic"]), kind="stable")[:N_LEVELS]
    shown = largest[np.argsort(-present["real"][largest], kind="stable")]
    others = n_levels > len(shown)
    return ColumnEvidence(
        name=column,
        kind="categorical",
        edges=(),
        levels=(*level_texts(tables, column, shown.tolist()), *[OTHER] * others),
        shares={
            name: (*part[shown].tolist(), *[max(0.0, 1.0 - float(part[shown].sum()))] * others)
            for name, part in present.items()
        },
        missing={name: 1.0 - float(counts[name].sum()) / tables.n_rows[name] for name in ("real", "synthetic")},
        shape_error=shape_error,
    )


def _level_counts(codes: Codes, n_levels: int) -> Codes:
    return np.bincount(codes[codes >= 0], minlength=n_levels)


def _pairs(tables: ComparedTables) -> PairEvidence:
    trend = trend_errors(tables)
    place = {column: index for index, column in enumerate(tables.columns)}
    error = np.full((len(place), len(place)), np.nan)
    for (left, right), value in zip(trend.pairs, trend.errors, strict=True):
        error[place[left], place[right]] = error[place[right], place[left]] = value
    means = np.nan_to_num(error).sum(axis=1)
    kept = np.sort(np.argsort(-means, kind="stable")[:MOST_COLUMNS])
    columns = tuple(tables.columns[index] for index in kept)
    shown = set(columns)
    real, synthetic = _associations(tables, columns)
    return PairEvidence(
        columns=columns,
        real=_matrix(real),
        synthetic=_matrix(synthetic),
        error=_matrix(error[np.ix_(kept, kept)]),
        left_out=tuple(column for column in tables.columns if column not in shown),
    )


def _associations(tables: ComparedTables, columns: Sequence[str]) -> tuple[Floats, Floats]:
    """Association of each pair in both tables: twice ``(n_columns, n_columns)``, 1 on the diagonal."""
    cells = ContingencyTables(tables, "real", "synthetic", "shared")
    numeric = {column: index for index, column in enumerate(tables.numeric)}
    matrices = np.eye(len(columns)), np.eye(len(columns))
    for which, (name, matrix) in enumerate(zip(("real", "synthetic"), matrices, strict=True)):
        correlations = np.abs(tables.once(correlation_matrix, name))
        for i, j in combinations(range(len(columns)), 2):
            left, right = columns[i], columns[j]
            if left in numeric and right in numeric:
                value = correlations[numeric[left], numeric[right]]
            elif left in numeric or right in numeric:
                number, category = (left, right) if left in numeric else (right, left)
                levels = tables.codes[name][category] + 1
                value = correlation_ratio(tables.numbers[name][number], levels)
            else:
                value = cells.association(left, right, which=0 if which == 0 else 1)
            matrix[i, j] = matrix[j, i] = min(value, 1.0) if not np.isnan(value) else np.nan
    return matrices


def correlation_ratio(numbers: Floats, levels: Codes) -> float:
    """Root of the share of a number's variance that lies between levels (Pearson's eta); NaN where it has no variance.

    Args:
        numbers: ``(n_rows,)``; rows where it is missing are left aside.
        levels: ``(n_rows,)`` from 0.
    """
    present = np.isfinite(numbers)
    values, groups = numbers[present], levels[present]
    if len(values) < 2:
        return float("nan")
    values = values / (np.abs(values).max() or 1.0)
    values = values - values.mean()
    total = float(values @ values)
    if total <= 0 or groups.min() == groups.max():
        return float("nan")
    counts, sums = np.bincount(groups), np.bincount(groups, weights=values)
    return math.sqrt(min(float((sums**2 / np.maximum(counts, 1)).sum()) / total, 1.0))


def _matrix(values: Floats) -> Matrix:
    return tuple(tuple(_finite(value) for value in row) for row in values.tolist())


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None

"""What a report draws besides the figures: every column's distribution and every pair's association, as JSON values."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np

from synthgan.evaluation.compared.column_roles import Clock
from synthgan.evaluation.compared.contingency import Cells
from synthgan.evaluation.compared.tables import Codes, ComparedTables, Floats
from synthgan.evaluation.compared.value_texts import OTHER, instant_text, level_texts
from synthgan.evaluation.fidelity.correlations import correlation_matrix
from synthgan.evaluation.fidelity.shapes import shape_errors
from synthgan.evaluation.fidelity.trends import trend_errors

N_BINS = 30
"""Most bins of a number."""

N_LEVELS = 20
"""Most levels that are named; the others are counted together."""

MOST_COLUMNS = 60
"""Most columns of the pair matrices."""

_TRIMMED = 0.005
_SECOND = 1e9
_DAY = 86_400 * _SECOND
_MOST_STEPS = 1e12


def evidence(tables: ComparedTables, *, real: str = "real", synthetic: str = "synthetic") -> dict[str, Any]:
    """Distributions of all columns and associations of pairs, as JSON values.

    ``columns``: per column its ``kind`` ("numeric", "time" or "categorical"), ``edges`` of the bins that all tables
    share (ISO 8601 texts for instants, seconds for durations; values beyond count in the outermost bins) or ``levels``
    as texts (the most frequent in either table, then "(other)"), ``shares`` of the present values per table (the
    holdout too where there is one), shares that are ``missing``, and the ``shape_error`` in percent.

    ``pairs``: ``columns``, and square matrices in their order: association in the ``real`` and in the ``synthetic``
    table, between 0 and 1 (absolute Pearson correlation of two numbers, Cramer's V of two categories, correlation
    ratio of a number and a category), and the trend ``error`` with shared bins in percent; None where undefined. Of
    more than 60 columns those with the largest mean error take part; ``left_out`` names the others.
    """
    errors = shape_errors(tables, real=real, synthetic=synthetic)
    return {
        "columns": {
            column: (_numeric if role == "numeric" else _categorical)(tables, column, real, synthetic)
            | {"shape_error": _finite(errors[column])}
            for column, role in tables.roles.items()
        },
        "pairs": _pairs(tables, real, synthetic),
    }


def _numeric(tables: ComparedTables, column: str, real: str, synthetic: str) -> dict[str, Any]:
    clock = tables.clocks.get(column)
    edges = _edges(tables.numbers[real][column], clock)
    shares, missing = {}, {}
    for name in tables.n_rows:
        values = tables.numbers[name][column]
        present = values[~np.isnan(values)]
        counts = np.bincount(np.digitize(present, edges[1:-1]), minlength=len(edges) - 1)
        shares[name] = (counts / max(len(present), 1)).tolist()
        missing[name] = 1.0 - len(present) / len(values)
    texts: list[Any] = (edges / _SECOND if clock == "duration" else edges).tolist()
    if clock == "instant":
        texts = [instant_text(edge) for edge in edges]
    return {
        "kind": "time" if clock == "instant" else "numeric",
        "edges": texts,
        "levels": None,
        "shares": shares,
        "missing": {"real": missing[real], "synthetic": missing[synthetic]},
    }


def _edges(values: Floats, clock: Clock | None) -> Floats:
    """Bins of equal width over the middle 99% of the real values; whole numbers keep whole bins, days whole days."""
    own = values[np.isfinite(values)]
    if not len(own):
        return np.array([0.0, 1.0])
    low, high = np.quantile(own, [_TRIMMED, 1 - _TRIMMED], method="nearest")
    if low == high:
        low, high = own.min(), own.max()
    step = 1.0 if clock is None else _DAY
    if bool((np.mod(own, step) == 0).all()) and (high - low) / step < _MOST_STEPS:
        n_steps = (high - low) / step + 1
        width = math.ceil(n_steps / N_BINS)
        start = low - 0.5 if clock is None else low
        edges: Floats = start + width * step * np.arange(math.ceil(n_steps / width) + 1)
        return edges
    if low == high:
        low, high = low - 0.5, high + 0.5
    return np.linspace(low, high, N_BINS + 1)


def _categorical(tables: ComparedTables, column: str, real: str, synthetic: str) -> dict[str, Any]:
    n_levels = tables.n_levels[column]
    counts = {name: _level_counts(tables.codes[name][column], n_levels) for name in tables.n_rows}
    present = {name: part / max(int(part.sum()), 1) for name, part in counts.items()}
    largest = np.argsort(-np.maximum(present[real], present[synthetic]), kind="stable")[:N_LEVELS]
    shown = largest[np.argsort(-present[real][largest], kind="stable")]
    others = n_levels > len(shown)
    return {
        "kind": "categorical",
        "edges": None,
        "levels": level_texts(tables, column, shown.tolist()) + [OTHER] * others,
        "shares": {
            name: part[shown].tolist() + [max(0.0, 1.0 - float(part[shown].sum()))] * others
            for name, part in present.items()
        },
        "missing": {
            "real": 1.0 - float(counts[real].sum()) / tables.n_rows[real],
            "synthetic": 1.0 - float(counts[synthetic].sum()) / tables.n_rows[synthetic],
        },
    }


def _level_counts(codes: Codes, n_levels: int) -> Codes:
    return np.bincount(codes[codes >= 0], minlength=n_levels)


def _pairs(tables: ComparedTables, real: str, synthetic: str) -> dict[str, Any]:
    trend = trend_errors(tables, real=real, synthetic=synthetic)
    place = {column: index for index, column in enumerate(tables.columns)}
    error = np.full((len(place), len(place)), np.nan)
    for (left, right), value in zip(trend.pairs, trend.errors, strict=True):
        error[place[left], place[right]] = error[place[right], place[left]] = value
    means = np.nan_to_num(error).sum(axis=1)
    kept = np.sort(np.argsort(-means, kind="stable")[:MOST_COLUMNS])
    columns = [tables.columns[index] for index in kept]
    shown = set(columns)
    associations = _associations(tables, columns, real, synthetic)
    return {
        "columns": columns,
        "real": _matrix(associations[0]),
        "synthetic": _matrix(associations[1]),
        "error": _matrix(error[np.ix_(kept, kept)]),
        "left_out": [column for column in tables.columns if column not in shown],
    }


def _associations(tables: ComparedTables, columns: list[str], real: str, synthetic: str) -> tuple[Floats, Floats]:
    """Association of each pair in both tables: twice ``(n_columns, n_columns)``, 1 on the diagonal."""
    cells = Cells(tables, real, synthetic, "shared")
    numeric = {column: index for index, column in enumerate(tables.numeric)}
    found = np.eye(len(columns)), np.eye(len(columns))
    for which, (name, matrix) in enumerate(zip((real, synthetic), found, strict=True)):
        correlations = np.abs(correlation_matrix(tables, name))
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
    return found


def correlation_ratio(numbers: Floats, levels: Codes) -> float:
    """Root of the share of a number's variance that lies between levels (Pearson's eta); NaN where it has no variance.

    Args:
        numbers: ``(n_rows,)``; rows where it is missing are left aside.
        levels: ``(n_rows,)`` from 0.
    """
    known = np.isfinite(numbers)
    values, groups = numbers[known], levels[known]
    if len(values) < 2:
        return float("nan")
    values = values / (np.abs(values).max() or 1.0)
    values = values - values.mean()
    total = float(values @ values)
    if total <= 0 or groups.min() == groups.max():
        return float("nan")
    counts, sums = np.bincount(groups), np.bincount(groups, weights=values)
    return math.sqrt(min(float((sums**2 / np.maximum(counts, 1)).sum()) / total, 1.0))


def _matrix(values: Floats) -> list[list[float | None]]:
    return [[_finite(value) for value in row] for row in values.tolist()]


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None

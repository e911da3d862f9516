"""Shape and trend: how closely the synthetic table's columns, and pairs of columns, follow the real ones.

Shape and strong-pair trend are those of sdmetrics 0.32 (``QualityReport``: Column Shapes, Column Pair Trends with its
default thresholds), computed on shared codes at once instead of pair by pair; ``tests/test_fidelity.py`` holds them to
the library's figures. Trend over all pairs is the measure of the TabSyn, TabDiff and TabPC papers (sdmetrics 0.11.1).
All are errors in percent: 0 is perfect.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from synthgan.evaluation.features import Codes, ComparedTables, Floats
from synthgan.evaluation.scores import Score

Edges = Literal["own", "shared"]

CORRELATION_THRESHOLD = 0.5
ASSOCIATION_THRESHOLD = 0.3
N_BINS = 10
_KS_DECIMALS = 14
_DENSE_CELLS = 4_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class PairErrors:
    """Error of each pair of columns, in percent.

    Attributes:
        pairs: the two column names.
        errors: ``(n_pairs,)``, NaN where undefined or not counted.
    """

    pairs: tuple[tuple[str, str], ...]
    errors: Floats

    @property
    def mean(self) -> float:
        """Mean over the pairs that count; NaN when none does."""
        counted = self.errors[~np.isnan(self.errors)]
        return float(counted.mean()) if len(counted) else float("nan")


def shape_errors(tables: ComparedTables, *, real: str = "real", synthetic: str = "synthetic") -> dict[str, float]:
    """Distance of each column's distribution, in percent: Kolmogorov-Smirnov for numbers, total variation for others.

    Missing values are left aside, as sdmetrics does (see `missing_errors`).
    """
    errors = {}
    for column, role in tables.roles.items():
        if role == "numeric":
            distance = _kolmogorov_smirnov(tables.numbers[real][column], tables.numbers[synthetic][column])
        else:
            distance = _total_variation_1d(
                tables.codes[real][column], tables.codes[synthetic][column], tables.n_levels[column]
            )
        errors[column] = 100.0 * distance
    return errors


def missing_errors(tables: ComparedTables, *, real: str = "real", synthetic: str = "synthetic") -> dict[str, float]:
    """Difference of each column's share of missing values, in percentage points."""
    return {
        column: 100.0 * abs(_missing_share(tables, real, column) - _missing_share(tables, synthetic, column))
        for column in tables.columns
    }


def trend_errors(
    tables: ComparedTables, *, edges: Edges = "shared", real: str = "real", synthetic: str = "synthetic"
) -> PairErrors:
    """Distance of every column pair: half the difference of Pearson correlations, or total variation of the cells.

    Numerics beside a categorical are cut into ten bins of equal width. With ``edges="own"`` each table's own range is
    cut, as sdmetrics does; with ``"shared"`` the real table's bins serve both, and missing numbers are a cell of their
    own; values beyond the real range belong to the outermost bins. A numeric column that is constant in one of the two
    tables counts as uncorrelated there, so that collapse costs.
    """
    cells = _Cells(tables, real, synthetic, edges)
    correlations = _correlations(tables, real), _correlations(tables, synthetic)
    pairs = tuple(combinations(tables.columns, 2))
    place = {column: index for index, column in enumerate(tables.numeric)}
    errors = np.empty(len(pairs))
    for index, (left, right) in enumerate(pairs):
        if left in place and right in place:
            first, second = (np.nan_to_num(matrix[place[left], place[right]]) for matrix in correlations)
            errors[index] = 50.0 * abs(first - second)
        else:
            errors[index] = 100.0 * cells.total_variation(left, right)
    return PairErrors(pairs=pairs, errors=errors)


def strong_pair_errors(tables: ComparedTables, *, real: str = "real", synthetic: str = "synthetic") -> PairErrors:
    """Trend of the pairs that are strongly related in the real table, as sdmetrics 0.32 reports it.

    Counted are numeric pairs with a real correlation beyond 0.5 and other pairs with a real Cramer's V above 0.3; bins
    have own edges; pairs with a constant numeric column are left out, as in the library.
    """
    cells = _Cells(tables, real, synthetic, "own")
    correlations = _correlations(tables, real), _correlations(tables, synthetic)
    pairs = tuple(combinations(tables.columns, 2))
    place = {column: index for index, column in enumerate(tables.numeric)}
    errors = np.full(len(pairs), np.nan)
    for index, (left, right) in enumerate(pairs):
        if left in place and right in place:
            first, second = (matrix[place[left], place[right]] for matrix in correlations)
            if abs(first) > CORRELATION_THRESHOLD:
                errors[index] = 50.0 * abs(first - second)
        elif cells.association(left, right) > ASSOCIATION_THRESHOLD:
            errors[index] = 100.0 * cells.total_variation(left, right)
    return PairErrors(pairs=pairs, errors=errors)


def fidelity_scores(
    tables: ComparedTables, *, real: str = "real", synthetic: str = "synthetic", reference: str | None = None
) -> list[Score]:
    """Shape, both trends, strong-pair trend and missing shares.

    Args:
        tables: the compared tables.
        real: name of the real table.
        synthetic: name of the table to score.
        reference: name of a table of fresh real rows, scored the same way as the noise floor.
    """
    scored = [_fidelity(tables, real, name) for name in ((synthetic,) if reference is None else (synthetic, reference))]
    floors: dict[str, float] = {name: value for name, (value, _) in scored[1].items()} if reference is not None else {}
    labels = {
        "shape": ("Shape error", "mean distance of the columns' distributions"),
        "trend_shared": ("Trend error, shared bins", "mean distance over all pairs of columns"),
        "trend_own": ("Trend error, own bins", "the papers' convention; hangs on each column's extremes"),
        "strong_pairs": ("Strong-pair trend error", "only pairs that are strongly related in the real table"),
        "missing": ("Missing shares", "largest difference of a column's share of missing values"),
    }
    return [
        Score(
            name=name,
            label=labels[name][0],
            value=value,
            direction="lower",
            ideal=0.0,
            unit="%",
            group="fidelity",
            reference=floors.get(name),
            note=labels[name][1],
            details=details,
        )
        for name, (value, details) in scored[0].items()
    ]


def _fidelity(tables: ComparedTables, real: str, synthetic: str) -> dict[str, tuple[float, dict[str, float]]]:
    shapes = shape_errors(tables, real=real, synthetic=synthetic)
    missing = missing_errors(tables, real=real, synthetic=synthetic)
    found = {"shape": (_mean(list(shapes.values())), shapes)}
    trends = {
        "trend_shared": trend_errors(tables, edges="shared", real=real, synthetic=synthetic),
        "trend_own": trend_errors(tables, edges="own", real=real, synthetic=synthetic),
        "strong_pairs": strong_pair_errors(tables, real=real, synthetic=synthetic),
    }
    for name, pairs in trends.items():
        named = {f"{left} | {right}": float(e) for (left, right), e in zip(pairs.pairs, pairs.errors, strict=True)}
        found[name] = pairs.mean, {pair: error for pair, error in named.items() if not np.isnan(error)}
    found["missing"] = max(missing.values(), default=float("nan")), missing
    return found


def _mean(values: list[float]) -> float:
    counted = [value for value in values if not np.isnan(value)]
    return float(np.mean(counted)) if counted else float("nan")


def _missing_share(tables: ComparedTables, table: str, column: str) -> float:
    if tables.roles[column] == "numeric":
        return float(np.isnan(tables.numbers[table][column]).mean())
    return float((tables.codes[table][column] < 0).mean())


def _kolmogorov_smirnov(real: Floats, synthetic: Floats) -> float:
    """Largest distance of the two empirical distribution functions."""
    # sdmetrics rounds likewise, so that noise in the last digit does not split ties.
    first = np.sort(np.round(real[~np.isnan(real)], _KS_DECIMALS))
    second = np.sort(np.round(synthetic[~np.isnan(synthetic)], _KS_DECIMALS))
    if not len(first) or not len(second):
        return float("nan")
    points = np.concatenate([first, second])
    below_first = np.searchsorted(first, points, side="right") / len(first)
    below_second = np.searchsorted(second, points, side="right") / len(second)
    return float(np.abs(below_first - below_second).max())


def _total_variation_1d(real: Codes, synthetic: Codes, n_levels: int) -> float:
    first = np.bincount(real[real >= 0], minlength=n_levels)
    second = np.bincount(synthetic[synthetic >= 0], minlength=n_levels)
    if not first.sum() or not second.sum():
        return float("nan")
    return float(0.5 * np.abs(first / first.sum() - second / second.sum()).sum())


def _correlations(tables: ComparedTables, table: str) -> NDArray[np.float64]:
    """Pearson correlations of the numeric columns over the rows where both are present: ``(n_numeric, n_numeric)``."""
    names = tables.numeric
    values = np.array([tables.numbers[table][name] for name in names]).reshape(len(names), tables.n_rows[table])
    present = np.isfinite(values)
    matrix = np.full((len(names), len(names)), np.nan)
    if present.all():
        values = _scaled(values)
        spread = values.max(axis=1) > values.min(axis=1)
        centred = values[spread] - values[spread].mean(axis=1, keepdims=True)
        centred /= np.sqrt((centred**2).sum(axis=1, keepdims=True))
        matrix[np.ix_(spread, spread)] = centred @ centred.T
        return matrix
    for left in range(len(names)):
        for right in range(left, len(names)):
            both = present[left] & present[right]
            matrix[left, right] = matrix[right, left] = _pearson(values[left, both], values[right, both])
    return matrix


def _pearson(left: Floats, right: Floats) -> float:
    left, right = _scaled(left), _scaled(right)
    if len(left) < 2 or left.min() == left.max() or right.min() == right.max():
        return float("nan")
    first, second = left - left.mean(), right - right.mean()
    return float((first @ second) / np.sqrt((first @ first) * (second @ second)))


def _scaled(values: Floats) -> Floats:
    """Rows as shares of their largest absolute value, so that squares neither overflow nor vanish."""
    largest = np.abs(values).max(axis=-1, keepdims=True, initial=0.0)
    shares: Floats = np.divide(values, largest, out=np.zeros_like(values), where=largest > 0)
    return shares


class _Cells:
    """Every column of two tables as codes from 0, and contingency tables of their pairs."""

    def __init__(self, tables: ComparedTables, real: str, synthetic: str, edges: Edges) -> None:
        self.codes: dict[str, tuple[Codes, Codes]] = {}
        self.sizes: dict[str, int] = {}
        for column, role in tables.roles.items():
            if role == "numeric":
                first, second = tables.numbers[real][column], tables.numbers[synthetic][column]
                if edges == "shared":
                    shared = _bin_edges(first)
                    self.codes[column] = _clipped_bins(first, shared), _clipped_bins(second, shared)
                else:
                    self.codes[column] = _library_bins(first), _library_bins(second)
                self.sizes[column] = N_BINS + 2
            else:
                self.codes[column] = tables.codes[real][column] + 1, tables.codes[synthetic][column] + 1
                self.sizes[column] = tables.n_levels[column] + 1

    def _counts(self, left: str, right: str, which: Literal[0, 1]) -> tuple[Codes, NDArray[np.float64]]:
        """Keys of the cells that occur and their counts."""
        keys = self.codes[left][which] * self.sizes[right] + self.codes[right][which]
        if self.sizes[left] * self.sizes[right] <= _DENSE_CELLS:
            counts = np.bincount(keys)
            occupied = np.flatnonzero(counts)
            return occupied, counts[occupied].astype(np.float64)
        occupied, sparse = np.unique(keys, return_counts=True)
        return occupied, sparse.astype(np.float64)

    def total_variation(self, left: str, right: str) -> float:
        """Half the L1 distance of the two tables' cell shares."""
        (first_keys, first), (second_keys, second) = self._counts(left, right, 0), self._counts(left, right, 1)
        keys, place = np.unique(np.concatenate([first_keys, second_keys]), return_inverse=True)
        difference = np.bincount(
            place, weights=np.concatenate([first / first.sum(), -second / second.sum()]), minlength=len(keys)
        )
        return float(0.5 * np.abs(difference).sum())

    def association(self, left: str, right: str) -> float:
        """Cramer's V of the real table's cells; NaN when one of the two columns has a single level."""
        keys, counts = self._counts(left, right, 0)
        rows, columns = np.divmod(keys, self.sizes[right])
        row_sums = np.bincount(rows, weights=counts)
        column_sums = np.bincount(columns, weights=counts)
        smaller = min(np.count_nonzero(row_sums), np.count_nonzero(column_sums))
        if smaller < 2:
            return float("nan")
        # Pearson's chi-square over n: sum of observed squared over expected, less one; empty cells add nothing.
        phi_squared = (counts**2 / (row_sums[rows] * column_sums[columns])).sum() - 1.0
        return float(np.sqrt(max(phi_squared, 0.0) / (smaller - 1)))


def _bin_edges(values: Floats) -> Floats:
    finite = values[np.isfinite(values)]
    return np.histogram_bin_edges(finite, bins=N_BINS) if len(finite) else np.array([0.0, 1.0])


def _library_bins(values: Floats) -> Codes:
    """Bins as sdmetrics cuts them: the largest value has a bin of its own, which missing values share."""
    return np.digitize(values, _bin_edges(values)).astype(np.int64)


def _clipped_bins(values: Floats, edges: Floats) -> Codes:
    """Bins 0 to 9, values beyond the range in the outermost ones; bin 10 for missing values."""
    bins = np.digitize(values, edges[1:-1]).astype(np.int64)
    bins[np.isnan(values)] = N_BINS
    return bins

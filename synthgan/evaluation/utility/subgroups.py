"""Parts of a table in which synthetic rows may teach something else: levels of categories, quarters of numbers.

The worst of many noisy gaps is large by chance. Its interval therefore holds for all subgroups at once: it is as wide
as the largest standardised deviation over the subgroups in a bootstrap of the test rows (max-t; Westfall and Young
1993).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthgan.evaluation.compared.compared_tables import Codes, ComparedTables, Floats
from synthgan.evaluation.scores import Score
from synthgan.evaluation.utility.measures import Counts, Measure, auc, explained, once, resample_counts
from synthgan.evaluation.utility.prediction import Problem

Answers = Mapping[str, Floats]
"""Predictions for the test rows of the models trained on ``real``, ``synthetic``, ``half_1`` and ``half_2``."""

MIN_ROWS = 100
"""Fewest test rows of a subgroup."""

MIN_CLASS_ROWS = 20
"""Fewest test rows of a class in a subgroup; classes that have fewer there are left out of its figure."""

MAX_CELLS = 500_000
"""Test rows times columns that are split times areas under curves; beyond, fewer test rows take part."""

MAX_COLUMNS = 50

_FEW_VALUES = 10
_FEWEST = 5_000
_LISTED = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Subgroup:
    """Some of the test rows: those with one level of a column, or in one quarter of its values.

    Attributes:
        column: name of the column.
        group: what its rows share.
        rows: ``(n,)`` places among the test rows.
    """

    column: str
    group: str
    rows: Codes


@dataclass(frozen=True, kw_only=True, slots=True)
class SubgroupGaps:
    """How much better one model is than another in each subgroup.

    Attributes:
        subgroups: the parts of the table.
        real: ``(n_subgroups,)`` figures of the real-trained model.
        synthetic: ``(n_subgroups,)`` figures of the synthetic-trained one.
        intervals: ``(n_subgroups, 2)`` intervals of real minus synthetic, which hold for all subgroups at once.
    """

    subgroups: tuple[Subgroup, ...]
    real: Floats
    synthetic: Floats
    intervals: Floats

    @property
    def gaps(self) -> Floats:
        """``(n_subgroups,)`` real minus synthetic."""
        return self.real - self.synthetic

    @property
    def interval(self) -> tuple[float, float]:
        """95% interval of the largest true gap."""
        return float(self.intervals[:, 0].max()), float(self.intervals[:, 1].max())

    def listed(self) -> list[dict[str, Any]]:
        """The subgroups with the largest gaps as JSON values, largest first."""
        return [
            {
                "column": self.subgroups[place].column,
                "group": self.subgroups[place].group,
                "n_test": len(self.subgroups[place].rows),
                "real": float(self.real[place]),
                "synthetic": float(self.synthetic[place]),
                "gap": float(self.gaps[place]),
                "interval": [float(end) for end in self.intervals[place]],
            }
            for place in np.argsort(-self.gaps, kind="stable")[:_LISTED]
        ]


def subgroups_of(problem: Problem, tables: ComparedTables, test: str, places: Codes) -> list[Subgroup]:
    """Subgroups of the test rows with at least 100 rows and, of classes, at least 20 rows of two of them.

    Each level of a categorical column, each value of a numeric one of at most ten, each quarter of another, and the
    missing values of either. At most 50 columns are split, categorical ones first.

    Args:
        problem: the prediction problem.
        tables: where the test rows come from.
        test: name of their table.
        places: ``(n,)`` the test rows of the problem that take part.
    """
    found = []
    for column in _split_columns(problem, tables):
        for group, member in _parts(tables, test, column, problem.test.numbers[places]).items():
            rows = np.flatnonzero(member)
            if len(rows) >= MIN_ROWS and _predictable(problem, places[rows]):
                found.append(Subgroup(column=column, group=group, rows=rows))
    return found


def _split_columns(problem: Problem, tables: ComparedTables) -> list[str]:
    return sorted(problem.inputs, key=lambda column: tables.roles[column] == "numeric")[:MAX_COLUMNS]


def _parts(tables: ComparedTables, test: str, column: str, numbers: Codes) -> Mapping[str, NDArray[np.bool_]]:
    if tables.roles[column] == "categorical":
        codes = tables.codes[test][column][numbers]
        levels, sizes = np.unique(codes, return_counts=True)
        return {
            "(missing)" if level < 0 else str(tables.levels[column][level]): codes == level
            for level in levels[sizes >= MIN_ROWS]
        }
    values = tables.numbers[test][column][numbers]
    known = np.isfinite(values)
    parts = {"(missing)": ~known}
    distinct = np.unique(values[known])
    if len(distinct) <= _FEW_VALUES and column not in tables.clocks:
        return parts | {f"{value:g}": values == value for value in distinct}
    edges = np.quantile(values[known], [0.25, 0.5, 0.75])
    quarter = np.where(known, np.searchsorted(edges, values, side="left"), -1)
    return parts | {f"quarter {place + 1} of 4": quarter == place for place in range(4)}


def _predictable(problem: Problem, rows: Codes) -> bool:
    if problem.task == "regression":
        return True
    return int((np.bincount(problem.test.target[rows].astype(np.int64)) >= MIN_CLASS_ROWS).sum()) >= 2


def subgroup_gaps(
    subgroups: Sequence[Subgroup],
    truth: NDArray[np.generic],
    real: Floats,
    synthetic: Floats,
    *,
    measure: Measure,
    counts: Counts,
) -> SubgroupGaps:
    """Figures of two models in each subgroup, and simultaneous intervals of their differences.

    Args:
        subgroups: at least one.
        truth: ``(n_test,)``.
        real: predictions of the real-trained model.
        synthetic: predictions of the synthetic-trained model.
        measure: higher is better.
        counts: ``(n_resamples, n_test)`` resamples of the test rows, the same for all subgroups.
    """
    figures = np.empty((2, len(subgroups)))
    resampled = np.empty((len(counts), len(subgroups)))
    for place, subgroup in enumerate(subgroups):
        drawn = counts[:, subgroup.rows]
        parts = [_figures(measure, truth[subgroup.rows], each[subgroup.rows], drawn) for each in (real, synthetic)]
        figures[:, place] = [part[0] for part in parts]
        resampled[:, place] = parts[0][1:] - parts[1][1:]
    gaps = figures[0] - figures[1]
    deviations = np.abs(np.where(np.isnan(resampled), gaps, resampled) - gaps)
    errors = np.sqrt((deviations**2).mean(axis=0))
    farthest = (deviations / np.where(errors > 0, errors, 1.0)).max(axis=1)
    half = float(np.quantile(farthest, 0.95)) * errors
    return SubgroupGaps(
        subgroups=tuple(subgroups),
        real=figures[0],
        synthetic=figures[1],
        intervals=np.column_stack([gaps - half, gaps + half]),
    )


def _figures(measure: Measure, truth: NDArray[np.generic], predicted: Floats, drawn: Counts) -> Floats:
    """The figure on the rows themselves, then on each resample; rare classes of the subgroup take no part."""
    if predicted.ndim == 2 and predicted.shape[1] > 2:
        classes = np.flatnonzero(np.bincount(truth.astype(np.int64)) >= MIN_CLASS_ROWS)
        member = np.isin(truth, classes)
        truth, predicted = np.searchsorted(classes, truth[member]), predicted[np.ix_(member, classes)]
        drawn = drawn[:, member]
    return measure(truth, predicted, np.concatenate([once(len(truth)), drawn]))


def worst_by_chance(
    subgroups: Sequence[Subgroup], truth: NDArray[np.generic], first: Floats, second: Floats, measure: Measure
) -> float:
    """The largest gap between two models of equal standing, averaged over which of them plays the real-trained one."""
    none = np.empty((0, len(truth)), dtype=np.uint16)
    figures = np.array(
        [
            [
                _figures(measure, truth[subgroup.rows], model[subgroup.rows], none[:, subgroup.rows])[0]
                for subgroup in subgroups
            ]
            for model in (first, second)
        ]
    )
    gaps = figures[0] - figures[1]
    return float((gaps.max() - gaps.min()) / 2)


def subgroup_gap_score(
    problem: Problem, tables: ComparedTables, test: str, answers: Answers, rng: np.random.Generator
) -> Score | str:
    """The gap of the worst subgroup, or a clause that says why there is none.

    Classification takes the AUC within the subgroup; regression the explained share of the whole test set's variance,
    as a subgroup's own may be tiny.
    """
    n_columns = min(len(problem.inputs), MAX_COLUMNS)
    n_test = len(problem.test)
    places = np.arange(n_test)
    n_areas = problem.n_classes if problem.task == "multiclass" else 1
    n_taken = max(_FEWEST, MAX_CELLS // (n_columns * n_areas))
    if n_test > n_taken:
        places = np.sort(rng.choice(n_test, n_taken, replace=False))
    subgroups = subgroups_of(problem, tables, test, places)
    if not subgroups:
        return f"no subgroup has {MIN_ROWS} test rows" + (
            "" if problem.task == "regression" else f" and {MIN_CLASS_ROWS} of two classes"
        )
    truth = problem.test.target[places]
    measure = explained(truth) if problem.task == "regression" else auc
    taken = {name: predicted[places] for name, predicted in answers.items()}
    counts = resample_counts(len(places), rng)
    gaps = subgroup_gaps(subgroups, truth, taken["real"], taken["synthetic"], measure=measure, counts=counts)
    listed = gaps.listed()
    return Score.of(
        "subgroup_gap",
        float(gaps.gaps.max()),
        interval=gaps.interval,
        reference=worst_by_chance(subgroups, truth, taken["half_1"], taken["half_2"], measure),
        note=f"real-trained less synthetic-trained boosting in the worst of {len(subgroups)} subgroups; the reference "
        "is the worst gap between models of two halves of the real rows",
        details={
            "worst": listed[0],
            "subgroups": listed,
            "n_subgroups": len(subgroups),
            "n_clear": int((gaps.intervals[:, 0] > 0).sum()),
            "n_test": len(places),
            "n_columns_not_split": len(problem.inputs) - n_columns,
        },
    )

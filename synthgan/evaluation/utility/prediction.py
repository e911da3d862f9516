"""A prediction problem as arrays: which rows learn, which are tested, and what is predicted from what."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from synthgan.evaluation.compared.compared_tables import Codes, ComparedTables, Floats
from synthgan.evaluation.utility.models import Setting, Task

MAX_CLASSES = 50
MAX_TRAINING_ROWS = 50_000
MAX_TEST_ROWS = 50_000

_FEW_VALUES = 10
_TRAINING_CELLS = 500_000
_TEST_CELLS = 150_000
_FEWEST_CAPPED = 5_000
_LEAST_TEST_ROWS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """The rows of one table that take part.

    Attributes:
        numbers: ``(n_rows,)`` their places in the table.
        features: ``(n_rows, n_columns)`` numbers and codes, NaN where missing.
        target: ``(n_rows,)`` class numbers, or values.
        n_available: rows with a usable target, before the cap.
        n_foreign: rows left aside because the real training rows lack their class.
    """

    numbers: Codes
    features: Floats
    target: NDArray[np.generic]
    n_available: int
    n_foreign: int

    def __len__(self) -> int:
        return len(self.numbers)

    def part(self, rows: NDArray[np.int64]) -> tuple[Floats, NDArray[np.generic]]:
        """Features and target of some of the rows."""
        return self.features[rows], self.target[rows]


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """What is predicted from what.

    Attributes:
        task: binary, multiclass or regression.
        n_classes: classes among the real training rows; 0 in a regression.
        inputs: names of the columns of the features.
        categorical: ``(n_columns,)`` whether a column holds codes.
        real: real rows to learn from.
        synthetic: synthetic rows to learn from.
        test: real rows to be tested on.
    """

    task: Task
    n_classes: int
    inputs: tuple[str, ...]
    categorical: tuple[bool, ...]
    real: Rows
    synthetic: Rows
    test: Rows

    def setting(self, seed: int, n_jobs: int | None) -> Setting:
        """What a model of this problem is built for."""
        return Setting(task=self.task, n_classes=self.n_classes, categorical=self.categorical, seed=seed, n_jobs=n_jobs)

    def facts(self) -> dict[str, int | str]:
        """Task and row counts, as details of a score."""
        facts: dict[str, int | str] = {"task": self.task, "n_test": len(self.test)}
        facts |= {"n_real": len(self.real), "n_synthetic": len(self.synthetic)}
        for name, rows in (("real", self.real), ("synthetic", self.synthetic), ("test", self.test)):
            if rows.n_available > len(rows):
                facts[f"n_{name}_available"] = rows.n_available
            if rows.n_foreign:
                facts[f"n_{name}_of_other_classes"] = rows.n_foreign
        return facts

    def caps(self) -> str:
        """A clause that says which rows were drawn, empty when all take part."""
        drawn = [
            f"{len(rows):,} of {rows.n_available:,} {name} rows"
            for name, rows in (("real", self.real), ("synthetic", self.synthetic), ("test", self.test))
            if rows.n_available > len(rows)
        ]
        return f"; drawn at random: {', '.join(drawn)}" if drawn else ""


def task_of(tables: ComparedTables, target: str, *, real: str = "real") -> Task | None:
    """What predicting ``target`` means: categories and whole numbers of at most ten values are classes.

    None when there is nothing to predict (one class) or too much (more than 50 classes).
    """
    if tables.roles[target] == "numeric":
        values = tables.numbers[real][target]
        distinct = np.unique(values[np.isfinite(values)])
        whole = bool((distinct == np.floor(distinct)).all())
        if not (whole and len(distinct) <= _FEW_VALUES):
            return "regression"
        n_classes = len(distinct)
    else:
        n_classes = len(np.unique(tables.codes[real][target][tables.codes[real][target] >= 0]))
    if not 2 <= n_classes <= MAX_CLASSES:
        return None
    return "binary" if n_classes == 2 else "multiclass"


def prediction_problem(
    tables: ComparedTables,
    target: str,
    rng: np.random.Generator,
    *,
    max_rows: int = MAX_TRAINING_ROWS,
    max_test_rows: int = MAX_TEST_ROWS,
) -> Problem | str:
    """The arrays to learn (``real``, ``synthetic``) and to test with (``holdout``), or a clause: why there are none.

    Rows without a target, or with a class that no real training row has, take no part. Beyond the caps rows are drawn
    at random. As time grows with the classes, so do the caps shrink: to 500,000 / classes rows to learn from, and to
    150,000 / classes rows to test on, though not below 5,000.
    """
    task = task_of(tables, target, real="real")
    if task is None:
        return f"'{target}' has a single value, more than {MAX_CLASSES} classes, or no known value"
    inputs = tuple(column for column in tables.columns if column != target)
    if not inputs:
        return f"there is no column to predict '{target}' from"
    classes = None if task == "regression" else np.unique(_target(tables, target, "real")[1])
    n_classes = 0 if classes is None else len(classes)
    learning = min(max_rows, _TRAINING_CELLS // max(1, n_classes))
    testing = min(max_test_rows, max(_FEWEST_CAPPED, _TEST_CELLS // max(1, n_classes)))
    drawn = {
        name: _drawn(*_target(tables, target, name), classes, cap, rng)
        for name, cap in (("real", learning), ("synthetic", learning), ("holdout", testing))
    }
    for name, chosen in drawn.items():
        tables = tables.select(name, chosen.numbers)
    # After all have been drawn: the codes of a category hang on its frequency over all tables.
    rows = {name: replace(chosen, features=tables.matrix(name, inputs)) for name, chosen in drawn.items()}
    if not len(rows["synthetic"]):
        return f"no synthetic row has a known '{target}'"
    if len(rows["holdout"]) < _LEAST_TEST_ROWS:
        return f"fewer than {_LEAST_TEST_ROWS} test rows have a known '{target}'"
    if len(np.unique(rows["holdout"].target)) < 2 or len(np.unique(rows["real"].target)) < 2:
        return f"'{target}' has a single value in the rows to learn from or to test on"
    return Problem(
        task=task,
        n_classes=n_classes,
        inputs=inputs,
        categorical=tuple(tables.roles[column] == "categorical" for column in inputs),
        real=rows["real"],
        synthetic=rows["synthetic"],
        test=rows["holdout"],
    )


def _drawn(numbers: Codes, values: Floats, classes: Floats | None, cap: int, rng: np.random.Generator) -> Rows:
    """Rows with a target, or with one of the classes, at most ``cap``; without their features."""
    n_known = len(numbers)
    if classes is not None:
        native = np.isin(values, classes)
        numbers, values = numbers[native], values[native]
    n_available = len(numbers)
    if n_available > cap:
        chosen = np.sort(rng.choice(n_available, cap, replace=False))
        numbers, values = numbers[chosen], values[chosen]
    return Rows(
        numbers=numbers,
        features=np.empty((len(numbers), 0)),
        target=values if classes is None else np.searchsorted(classes, values),
        n_available=n_available,
        n_foreign=n_known - n_available,
    )


def _target(tables: ComparedTables, target: str, name: str) -> tuple[Codes, Floats]:
    """Where the target is known, and its values there."""
    if tables.roles[target] == "numeric":
        values = tables.numbers[name][target]
        known = np.isfinite(values)
    else:
        values = tables.codes[name][target].astype(np.float64)
        known = values >= 0
    return np.flatnonzero(known), values[known]

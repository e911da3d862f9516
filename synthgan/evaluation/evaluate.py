"""The whole evaluation of one synthetic table in one call."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from os import PathLike
from typing import Any

import numpy as np
import pandas as pd

from synthgan.errors import DataError, SettingsError
from synthgan.evaluation.copies import closer_to_train_score, copy_score
from synthgan.evaluation.coverage import coverage_scores
from synthgan.evaluation.detection import detection_scores
from synthgan.evaluation.features import ComparedTables, compare
from synthgan.evaluation.fidelity import fidelity_scores
from synthgan.evaluation.scores import Score, Scores
from synthgan.evaluation.utility import utility_scores

DETECTION_ROWS = 50_000
"""Most rows per table for the two-sample test."""

FRECHET_ROWS = 50_000
"""Most rows per table for the Frechet distance."""

NEIGHBOUR_ROWS = 10_000
"""Most synthetic rows whose nearest real row is searched."""

TEST_SHARE = 1 / 3
"""Share of the real rows that utility is tested on when there is no holdout."""


def evaluate(
    real: pd.DataFrame | str | PathLike[str] | Any,
    synthetic: pd.DataFrame | str | PathLike[str] | Any,
    holdout: pd.DataFrame | str | PathLike[str] | Any | None = None,
    target: str | None = None,
    random_state: int | None = 0,
    *,
    numeric: Collection[str] | None = None,
) -> Scores:
    """Score a synthetic table against the real one it stands for.

    Shape, trend and missing shares (fidelity); the modes of the table that are reached, and how far the encoded rows'
    moments are apart (coverage); a classifier that tries to tell the tables apart (detection); with a
    ``target``, a model trained on synthetic rows (utility); repeated rows, and with a ``holdout`` rows closer to the
    training rows than to fresh ones (copies). It does not matter how the synthetic rows were made. The figures are
    computed from the real rows: treat them as private too.

    Args:
        real: the rows the synthetic table was made from: a DataFrame, or anything `synthgan.Synthesizer.fit` reads.
        synthetic: the synthetic rows, with the same columns.
        holdout: real rows that were not used to make the synthetic ones. Scored in their place, they show what a
            perfect synthesizer would get.
        target: column to predict from the others.
        random_state: seed of folds, models and row draws; None for a fresh one.
        numeric: names of the numeric columns; None reads them off the real table's dtypes.

    Returns:
        The scores; print them, or see `Scores`.

    Raises:
        DataError: a table is empty, or the tables have different columns or dtypes that do not convert.
        SettingsError: the target is not a column.
    """
    frames = {"real": as_frame(real), "synthetic": as_frame(synthetic)}
    if holdout is not None:
        frames["holdout"] = as_frame(holdout)
    if target is not None:
        _check_column(target, "target", frames["real"])
    for name in numeric or ():
        _check_column(name, "numeric", frames["real"])
    tables = compare(frames, numeric=numeric, keep=() if target is None else (target,))
    if not tables.columns:
        raise DataError("No column is left to compare: all are empty, identifiers or free text.")
    rng = np.random.default_rng(random_state)
    fresh = None if holdout is None else "holdout"
    scores = fidelity_scores(tables, rng, reference=fresh)
    scores += coverage_scores(tables, rng, reference=fresh, max_rows=FRECHET_ROWS)
    scores += detection_scores(tables, rng, reference=fresh, max_rows=DETECTION_ROWS)
    notes = _notes(tables)
    if target is not None:
        found, note = _utility(tables, target, rng)
        scores += found
        notes += note
    scores.append(copy_score(tables, holdout=fresh))
    if fresh is None:
        notes.append("Without a holdout there is no noise floor and no check for rows close to training rows.")
    else:
        scores.append(closer_to_train_score(tables, rng, max_rows=NEIGHBOUR_ROWS))
    return Scores(
        scores=tuple(scores),
        n_rows=tables.n_rows,
        settings={
            "target": target,
            "random_state": random_state,
            "numeric": list(tables.numeric),
            "categorical": list(tables.categorical),
            "left_out": tables.left_out,
            "frechet_rows": FRECHET_ROWS,
            "detection_rows": DETECTION_ROWS,
            "neighbour_rows": NEIGHBOUR_ROWS,
        },
        notes=tuple(notes),
    )


def as_frame(data: pd.DataFrame | str | PathLike[str] | Any) -> pd.DataFrame:
    """A DataFrame as it is; files and Arrow tables read whole, with Arrow-backed dtypes."""
    if isinstance(data, pd.DataFrame):
        return data
    import pyarrow as pa

    from synthgan.tables.sources import open_source

    source = open_source(data, minimum_rows=1)
    table = pa.Table.from_batches(list(source.batches()), schema=source.arrow_schema)
    return pd.DataFrame(table.to_pandas(types_mapper=pd.ArrowDtype))


def _check_column(name: str, setting: str, frame: pd.DataFrame) -> None:
    columns = [str(label) for label in frame.columns]
    if str(name) not in columns:
        near = difflib.get_close_matches(str(name), columns, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else f"; the table has {len(columns)} other columns."
        raise SettingsError(f"{setting} names '{name}', which is not a column of the real table{hint}")


def _notes(tables: ComparedTables) -> list[str]:
    notes = [f"Column '{column}' takes no part: {reason}." for column, reason in tables.left_out.items()]
    if tables.n_rows["synthetic"] > NEIGHBOUR_ROWS and "holdout" in tables.n_rows:
        notes.append(f"Closeness to training rows was measured on {NEIGHBOUR_ROWS:,} synthetic rows drawn at random.")
    if min(tables.n_rows["real"], tables.n_rows["synthetic"]) > DETECTION_ROWS:
        notes.append(f"The two-sample test used {DETECTION_ROWS:,} rows of each table drawn at random.")
    if max(tables.n_rows.values()) > FRECHET_ROWS:
        notes.append(f"The Frechet distance used {FRECHET_ROWS:,} rows of a table, drawn at random.")
    return notes


def _utility(tables: ComparedTables, target: str, rng: np.random.Generator) -> tuple[list[Score], list[str]]:
    """Utility scores, tested on the holdout or, without one, on a third of the real rows; and what to note."""
    if "holdout" in tables.n_rows:
        scores = utility_scores(tables, target, rng)
        notes = []
    else:
        order = rng.permutation(tables.n_rows["real"])
        n_test = max(1, round(TEST_SHARE * len(order)))
        split = tables.with_part("holdout", "real", np.sort(order[:n_test])).select("real", np.sort(order[n_test:]))
        scores = utility_scores(split, target, rng) if n_test < len(order) else []
        notes = [
            "Utility was tested on a third of the real rows, which the synthesizer may have seen; give a holdout for "
            "an honest figure."
        ]
    if not scores:
        return [], [
            f"Utility was not computed: '{target}' has a single value, more than 50 classes, or no known value."
        ]
    return scores, notes

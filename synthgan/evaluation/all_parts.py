"""The whole evaluation of one synthetic table in one call."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from synthgan.errors import DataError, SettingsError, SourceError
from synthgan.evaluation.compared.column_roles import kinds_of
from synthgan.evaluation.compared.compared_tables import compare
from synthgan.evaluation.compared.written_values import read_written
from synthgan.evaluation.disclosure.copies import copies_warning
from synthgan.evaluation.evidence_of_tables import evidence_of
from synthgan.evaluation.part_progress import ProgressMode, each_part
from synthgan.evaluation.parts import (
    DEFAULT_PARTS,
    DETECTION_ROWS,
    FRECHET_ROWS,
    PARTS,
    EvaluationRequest,
    Part,
    measure,
)
from synthgan.evaluation.scores import Score, Scores
from synthgan.tables.files.csv_format import CsvFormat
from synthgan.tables.schema.schema import TableSchema
from synthgan.tables.sources.open import names_csv, open_source
from synthgan.warned import warn


def evaluate(
    real: pd.DataFrame | str | PathLike[str] | Any,
    synthetic: pd.DataFrame | str | PathLike[str] | Any,
    holdout: pd.DataFrame | str | PathLike[str] | Any | None = None,
    target: str | None = None,
    random_state: int | None = 0,
    *,
    numeric: Collection[str] | None = None,
    schema: TableSchema | Mapping[str, Any] | str | PathLike[str] | None = None,
    parts: Collection[Part] | None = None,
    secrets: Sequence[str] | None = None,
    n_jobs: int | None = None,
    progress: ProgressMode = "auto",
    evidence: bool = False,
    csv_format: CsvFormat | None = None,
) -> Scores:
    """Score a synthetic table against the real one it stands for.

    Distributions of columns and pairs (fidelity); whether parts of the table are left out (coverage); a classifier
    that tries to tell the tables apart (detection); with a ``target``, models trained on synthetic rows (utility);
    attacks on the training rows (membership, disclosure) and repeated rows (copies). It does not matter how the
    synthetic rows were made. The figures are computed from the real rows: treat them as private too.

    Numbers and times that are written as text, all in one format, are compared as what they are.

    Large tables are not scored whole where that would take long: rows are drawn at random, up to a cap that the score's
    ``note`` or ``details`` state.

    Args:
        real: the rows the synthetic table was made from: a DataFrame, or anything `synthgan.Synthesizer.fit` reads.
        synthetic: the synthetic rows, with the same columns.
        holdout: real rows that were not used to make the synthetic ones. Scored in their place, they show what a
            perfect synthesizer would get; attacks need them to compare with.
        target: column to predict from the others.
        random_state: seed of folds, models and row draws; None for a fresh one.
        numeric: names of the numeric columns; None takes them from the schema or, where it says nothing, reads them off
            the real table's dtypes.
        schema: what the columns are: `Synthesizer.schema_`, or anything that `synthgan.Synthesizer` takes as its
            schema. Identifiers and free text take no part, and numbers that it calls categorical are levels.
        parts: which parts to compute, of `synthgan.evaluation.parts.PARTS`; None for all but "augmentation", which
            measures what synthetic rows add to real ones when a model is trained.
        secrets: columns that attribute inference tries to guess; None lets it choose.
        n_jobs: most threads; None or -1 for all cores. Scores do not depend on it, but for the last digits of sums.
        progress: "on", "off", or "auto" for a line on a terminal and silence elsewhere.
        evidence: whether to count what a report draws, each column's distribution and each pair's association
            (`Scores.evidence`).
        csv_format: how those of the tables are written that are CSV files. The synthetic one is taken for UTF-8, which
            synthgan writes, where it can be.

    Returns:
        The scores; print them, or see `Scores`.

    Raises:
        DataError: a table is empty, or the tables have different columns or dtypes that do not convert.
        SchemaError: the schema is malformed or names a column that the real table lacks, or its file cannot be read.
        SettingsError: the target or a secret is not a column, there is no such part, ``n_jobs`` is below 1, or a CSV
            format is given and no CSV file.

    Warns:
        SynthganWarning: most synthetic rows are exact copies of real ones, and not by chance; a note says so too.

    Example:
        >>> from synthgan import evaluate
        >>> from synthgan.datasets import load_adult
        >>> real, synthetic = load_adult("train").head(200), load_adult("test").head(200)
        >>> scores = evaluate(real, synthetic, parts=["fidelity"])
        >>> scores["shape"].unit, scores["shape"].direction
        ('%', 'lower')
    """
    if n_jobs is not None and n_jobs < 1:
        raise SettingsError("n_jobs must be at least 1; leave it out for all cores.")
    if csv_format is not None and not any(names_csv(data) for data in (real, synthetic, holdout)):
        raise SettingsError("none of the tables is a CSV file, so encoding, separator and the like cannot be given.")
    frames = {"real": as_frame(real, csv_format), "synthetic": _synthetic_frame(synthetic, csv_format)}
    if holdout is not None:
        frames["holdout"] = as_frame(holdout, csv_format)
    # Labels that are not texts, as of a frame made from an array, are known by their texts from here on.
    target = None if target is None else str(target)
    numeric, secrets = (None if names is None else [str(name) for name in names] for names in (numeric, secrets))
    named = {"target": [] if target is None else [target], "numeric": numeric or [], "secrets": secrets or []}
    for setting, columns in named.items():
        for column in columns:
            _check_column(column, setting, frames["real"])
    chosen = _checked_parts(parts)
    frames, unread = read_written(frames, schema)
    kinds = None if schema is None else kinds_of(schema, [str(label) for label in frames["real"].columns])
    tables = compare(frames, numeric=numeric, kinds=kinds, keep=() if target is None else (target,))
    if not tables.columns:
        raise DataError("No column is left to compare: all are empty, identifiers or free text.")
    request = EvaluationRequest(tables=tables, target=target, secrets=secrets, n_jobs=n_jobs)
    seeds = dict(zip(PARTS, np.random.SeedSequence(random_state).spawn(len(PARTS)), strict=True))
    scores: list[Score] = []
    notes = [f"Column '{column}' takes no part: {reason}." for column, reason in tables.left_out.items()] + unread
    # A limit of -1, which means all cores in scikit-learn, is none.
    with threadpool_limits(n_jobs if n_jobs is not None and n_jobs > 0 else None):
        for name in each_part(chosen, progress):
            found, said = measure(name, request, np.random.default_rng(seeds[name]))
            scores += found
            notes += said
        drawn = evidence_of(tables) if evidence else None
    copied = next((copies_warning(score) for score in scores if score.name == "exact_copies"), None)
    if copied is not None:
        notes.insert(0, copied)
        warn(copied)
    if holdout is None:
        notes.append(
            "Without a holdout there is no noise floor, no check for rows close to training rows, and no attack: "
            "nothing is known about privacy."
        )
    return Scores(
        scores=tuple(scores),
        n_rows=tables.n_rows,
        settings={
            "target": target,
            "random_state": random_state,
            "parts": list(chosen),
            "secrets": None if secrets is None else list(secrets),
            "numeric": list(tables.numeric),
            "categorical": list(tables.categorical),
            "left_out": tables.left_out,
            "frechet_rows": FRECHET_ROWS,
            "detection_rows": DETECTION_ROWS,
        },
        notes=tuple(notes),
        evidence=drawn,
    )


def as_frame(data: pd.DataFrame | str | PathLike[str] | Any, csv_format: CsvFormat | None = None) -> pd.DataFrame:
    """A DataFrame, with its index as columns where it has names; other tables read whole, with Arrow-backed dtypes."""
    from synthgan.tables.frames.frame_index import flat

    if isinstance(data, pd.DataFrame):
        return flat(data)
    import pyarrow as pa

    source = open_source(data, minimum_rows=1, csv_format=csv_format if names_csv(data) else None)
    table = pa.Table.from_batches(list(source.batches()), schema=source.arrow_schema)
    return pd.DataFrame(table.to_pandas(types_mapper=pd.ArrowDtype))


def _synthetic_frame(data: Any, csv_format: CsvFormat | None) -> pd.DataFrame:
    """Like `as_frame`; a CSV file may be UTF-8, as synthgan writes it, when the real one is not."""
    if csv_format is None or csv_format.encoding is None:
        return as_frame(data, csv_format)
    try:
        return as_frame(data, replace(csv_format, encoding=None))
    except SourceError:
        return as_frame(data, csv_format)


def _checked_parts(parts: Collection[Part] | None) -> tuple[Part, ...]:
    """The parts asked for, in the order of `PARTS`."""
    if parts is None:
        return DEFAULT_PARTS
    for name in parts:
        if name not in PARTS:
            near = difflib.get_close_matches(str(name), PARTS, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(PARTS)}."
            raise SettingsError(f"parts names '{name}', which is no part of an evaluation; {hint}")
    return tuple(name for name in PARTS if name in parts)


def _check_column(name: str, setting: str, frame: pd.DataFrame) -> None:
    columns = [str(label) for label in frame.columns]
    if str(name) not in columns:
        near = difflib.get_close_matches(str(name), columns, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else f"; the table has {len(columns)} other columns."
        raise SettingsError(f"{setting} names '{name}', which is not a column of the real table{hint}")

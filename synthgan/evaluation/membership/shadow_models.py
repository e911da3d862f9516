"""Shadow models: is a chosen record's part in the training rows seen in what the generator makes of them?

The strongest of the attacks here, and the slowest. It owns the generator: it fits it again and again, to rows with the
record and to rows without, and learns to tell the synthetic tables apart (Stadler et al. 2022, *Synthetic data -
anonymisation groundhog day*; Houssiau et al. 2022, *TAPAS*). What it finds is said of a record and a way of generating,
not of one synthetic table. Use it on records that are at risk (`synthgan.evaluation.membership.vulnerable`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthgan.errors import DataError, SettingsError
from synthgan.evaluation.compared.compared_tables import Floats, compare
from synthgan.evaluation.membership.judging import FAMILY_ERROR, AttackResult, AttackTrial, pool, score_trial
from synthgan.evaluation.membership.shadow_features import RecordQueries, summary

FitAndSample = Callable[[pd.DataFrame, int], pd.DataFrame]
"""Training rows and a seed to synthetic rows."""

FEWEST_FITS = 32
"""For fewer fits no interval is to be had."""

N_TREES = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class ShadowAttack:
    """What shadow models tell of some records.

    Attributes:
        records: one result for each record, ``attack`` being its place (``"record 0"``); their intervals hold at once
            with 95%. Members are fits with the record, non-members fits without it.
        overall: the mean over the records, with its own 95% interval.
        n_fits: generators fitted.
        n_rows: training rows of each.
    """

    records: tuple[AttackResult, ...]
    overall: AttackResult
    n_fits: int
    n_rows: int


def shadow_attack(
    fit_and_sample: FitAndSample,
    records: pd.DataFrame,
    population: pd.DataFrame,
    rng: np.random.Generator,
    *,
    n_rows: int,
    n_fits: int = 64,
    n_queries: int = 100,
    same_background: bool = False,
    numeric: Collection[str] | None = None,
) -> ShadowAttack:
    """Fit a generator many times, with each record in a random half of the fits, and tell from the outcome which.

    All records share the fits, each with a coin of its own: that takes no more fits for ten records than for one, and
    the others are noise of the size of a few rows. A random forest learns on half of the fits and is judged on the
    other half (not the other way round as well: the two areas would rise and fall together).

    Args:
        fit_and_sample: makes synthetic rows from training rows and a seed; about as many for each call.
        records: the rows under attack, at least one.
        population: other rows of the same columns, from which the rest of each training table is drawn; without the
            records.
        rng: draws training rows, coins, seeds and queries.
        n_rows: training rows of each fit.
        n_fits: fits in all, a multiple of four. The standard error of a record's area is about 0.8 / sqrt(n_fits) where
            nothing leaks.
        n_queries: counts of rows that agree with the record on random sets of columns.
        same_background: give all fits the same other rows: the attacker who knows everybody else, against whom
            differential privacy is defined. Otherwise they are drawn anew for each.
        numeric: names of the numeric columns; None reads them off the population's dtypes.

    Raises:
        SettingsError: too few fits, no multiple of four, or no room for the records among the training rows.
        DataError: there is no record, too small a population, or a table has other columns.
    """
    _check(len(records), len(population), n_rows, n_fits)
    everybody = pd.concat([population, records], ignore_index=True)
    own = np.arange(len(population), len(everybody))
    half = np.arange(n_fits) < n_fits // 2
    is_in = np.column_stack([rng.permutation(half) for _ in range(len(records))])
    fixed = rng.permutation(len(population))
    frames = {"population": everybody}
    for fit in range(n_fits):
        background = fixed if same_background else rng.permutation(len(population))
        taken = np.concatenate([own[is_in[fit]], background[: n_rows - int(is_in[fit].sum())]])
        training = everybody.iloc[rng.permutation(taken)].reset_index(drop=True)
        frames[f"shadow {fit}"] = fit_and_sample(training, int(rng.integers(2**31)))
    features = _features(frames, own, n_queries, numeric, rng)
    trials = [_trial(features[:, record], is_in[:, record], rng) for record in range(len(records))]
    level = 1.0 - FAMILY_ERROR / len(records)
    return ShadowAttack(
        records=tuple(pool(f"record {place}", [trial], level=level) for place, trial in enumerate(trials)),
        overall=pool("all records", trials, level=1.0 - FAMILY_ERROR),
        n_fits=n_fits,
        n_rows=n_rows,
    )


def _check(n_records: int, n_population: int, n_rows: int, n_fits: int) -> None:
    if n_fits < FEWEST_FITS or n_fits % 4:
        raise SettingsError(f"n_fits is {n_fits}; shadow models need a multiple of four, at least {FEWEST_FITS}.")
    if not n_records:
        raise DataError("The records table has no rows; give at least one record to attack.")
    if n_rows <= n_records:
        raise SettingsError(
            f"n_rows is {n_rows}, no more than the {n_records} record(s); raise it, or attack fewer records."
        )
    if n_population < n_rows:
        raise DataError(f"The population table has {n_population} row(s), fewer than n_rows = {n_rows}; lower n_rows.")


def _features(
    frames: dict[str, pd.DataFrame],
    records: NDArray[np.int64],
    n_queries: int,
    numeric: Collection[str] | None,
    rng: np.random.Generator,
) -> Floats:
    """Of each shadow table about each record: ``(n_fits, n_records, n_features)``."""
    tables = compare(frames, numeric=numeric)
    if not tables.columns:
        raise DataError("No column is left to attack: all are empty, identifiers or free text.")
    queries = RecordQueries(tables, "population", records, n_queries, rng)
    found = []
    for name in list(frames)[1:]:
        about = queries.about(name)
        whole = summary(tables, name)
        found.append(np.concatenate([about, np.tile(whole, (len(about), 1))], axis=1))
    return np.array(found)


def _trial(features: Floats, is_in: NDArray[np.bool_], rng: np.random.Generator) -> AttackTrial:
    """What a forest grown on half of the fits says of the others."""
    from sklearn.ensemble import RandomForestClassifier

    is_judged = np.empty(len(is_in), dtype=bool)
    for side in (True, False):
        n = int((is_in == side).sum())
        is_judged[is_in == side] = rng.permutation(n) < n // 2
    forest = RandomForestClassifier(N_TREES, min_samples_leaf=2, random_state=int(rng.integers(2**31)))
    forest.fit(features[~is_judged], is_in[~is_judged])
    return score_trial(is_in[is_judged], forest.predict_proba(features[is_judged])[:, 1])

"""Attribute inference: does the synthetic table help to guess a person's secret from what else is known of the person?

One of the three risks of the Article 29 Working Party (opinion 05/2014 on anonymisation techniques, "inference"),
measured against control rows as in Giomi et al. 2023 ("A unified framework for quantifying privacy risk in synthetic
data"): that a column follows from the others is a fact about the population, which the synthetic table is meant to
tell. A risk is only what is guessed better for training rows than for rows that the synthesizer never saw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from synthgan.evaluation.compared.compared_tables import ComparedTables, Floats
from synthgan.evaluation.compared.neighbours import as_points, nearest
from synthgan.evaluation.disclosure.risk import (
    Risk,
    attack_tables,
    excess,
    family_z,
    interval_of_worst,
    unpaired_risk,
    worst,
)
from synthgan.evaluation.scores import Score

Guesser = Callable[[ComparedTables, str, np.random.Generator], tuple[Floats, Floats] | None]
"""Guesses a column of the tables "attacked" and "control" from "synthetic"; None where it has no way to."""

TOLERANCE = 0.05
"""A guessed number is right within this share of the range between the 5% and the 95% quantile of the real ones."""

CHOSEN_PER_ROLE = 2
"""Secrets of each role that are chosen besides the target when none are named."""

MAX_CLASSES = 50
"""Most levels of a secret that a model is trained to guess."""

N_TREES = 20

MISSING = -1.0
"""Class of a missing category."""

_LARGEST = 1e25


def attribute_inference_score(
    tables: ComparedTables,
    rng: np.random.Generator,
    *,
    target: str | None = None,
    secrets: Sequence[str] | None = None,
    real: str = "real",
    synthetic: str = "synthetic",
    holdout: str = "holdout",
    max_targets: int = 2_000,
    max_rows: int = 20_000,
) -> Score | None:
    """How much more often the secret that is most surely at risk is guessed of training rows than of control rows.

    Each secret is attacked with every guesser of `GUESSERS`, on equally many training and holdout rows. The attacker
    knows all other compared columns. Missing is a value to be guessed like others. The intervals of all secrets and
    guessers hold together with 95%; the score's is that of the largest excess (`risk.interval_of_worst`). The details
    have the risk in the sense of Giomi et al. (`risk.Risk`) as well.

    Args:
        tables: the compared tables.
        rng: of rows and models.
        target: a column that is a secret in any case where ``secrets`` is None.
        secrets: the columns to guess, all of them compared; None takes those of `default_secrets`.
        real: name of the training table.
        synthetic: name of the table the attacker sees.
        holdout: name of the table of control rows.
        max_targets: most rows attacked in either table.
        max_rows: most synthetic rows the attacker uses.

    Returns:
        The score; None when there is no secret or no other column to guess from.
    """
    drawn = attack_tables(
        tables, rng, real=real, synthetic=synthetic, holdout=holdout, max_targets=max_targets, max_rows=max_rows
    )
    chosen = default_secrets(drawn, target, real="attacked") if secrets is None else tuple(secrets)
    if len(tables.columns) < 2 or not chosen:
        return None
    z = family_z(len(chosen) * len(GUESSERS))
    tolerances = {secret: _tolerance(tables, secret, real) for secret in chosen}
    risks: dict[tuple[str, str], Risk] = {}
    for secret in chosen:
        for name, guesser in GUESSERS.items():
            guesses = guesser(drawn, secret, rng)
            if guesses is not None:
                risks[secret, name] = _risk(drawn, secret, guesses, tolerances[secret], z=z)
    details = {
        secret: {
            "role": tables.roles[secret],
            "baseline": _baseline(drawn, secret, tolerances[secret]),
            "attacks": {name: risk.to_dict() for (of, name), risk in risks.items() if of == secret},
        }
        for secret in chosen
    }
    excesses = {key: excess(risk, z=z) for key, risk in risks.items()}
    secret, guesser_name = worst(excesses)
    risk = excesses[secret, guesser_name]
    n_synthetic = drawn.n_rows["synthetic"]
    return Score.of(
        "attribute_inference",
        risk.value,
        interval=interval_of_worst(excesses),
        reference=0.0,
        note=f"share of right guesses on training rows less that on control rows; worst of {len(chosen)} "
        f"{'column' if len(chosen) == 1 else 'columns'}, {risk.n_attacks:,} training and as many control rows, "
        f"{n_synthetic:,} synthetic rows",
        details={
            "secret": secret,
            "attack": guesser_name,
            "attack_rate": risk.attack,
            "control_rate": risk.control,
            "n_attacks": risk.n_attacks,
            "n_synthetic": n_synthetic,
            "secrets": details,
        },
    )


def default_secrets(tables: ComparedTables, target: str | None, *, real: str = "real") -> tuple[str, ...]:
    """The target, and of numbers and categories the two columns that a constant guess hits least, in table order.

    What hardly varies is guessed without any table, and there a leak would not show.
    """
    chosen = {target} & set(tables.columns)
    for role in ("numeric", "categorical"):
        hits = {}
        for column in tables.columns:
            if tables.roles[column] == role and column != target:
                values, tolerance = column_values(tables, real, column), _tolerance(tables, column, real)
                constant = constant_guess(values, tolerance)
                hits[column] = float(is_right(np.full(len(values), constant), values, tolerance).mean())
        chosen |= set(sorted(hits, key=lambda column: hits[column])[:CHOSEN_PER_ROLE])
    return tuple(column for column in tables.columns if column in chosen)


# ------------------------------------------------------------------------------------------------------------- guessing


def nearest_guess(tables: ComparedTables, secret: str, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """The secret of the synthetic row that is nearest in all other columns (L1)."""
    del rng
    others = tables.only([column for column in tables.columns if column != secret])
    points = {name: as_points(others, name, real="synthetic") for name in tables.n_rows}
    values = column_values(tables, "synthetic", secret)
    attacked, control = (nearest(points[name], points["synthetic"], norm="l1")[1] for name in ("attacked", "control"))
    return values[attacked], values[control]


def model_guess(tables: ComparedTables, secret: str, rng: np.random.Generator) -> tuple[Floats, Floats] | None:
    """The answer of extremely randomised trees (Geurts et al. 2006) that were grown on the synthetic rows to the end.

    Such trees know every row they have seen and still weigh the columns by what they tell. None for a secret of more
    than 50 levels.
    """
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    others = [column for column in tables.columns if column != secret]
    known = column_values(tables, "synthetic", secret)
    is_number = tables.roles[secret] == "numeric"
    if is_number:
        usable = np.isfinite(known)
    else:
        known, usable = np.where(np.isnan(known), MISSING, known), np.ones(len(known), dtype=bool)
    if not usable.any() or (not is_number and len(np.unique(known)) > MAX_CLASSES):
        return None
    kind = ExtraTreesRegressor if is_number else ExtraTreesClassifier
    model = kind(n_estimators=N_TREES, random_state=int(rng.integers(2**31)))
    features = _filled({name: tables.matrix(name, others) for name in tables.n_rows})
    model.fit(features["synthetic"][usable], known[usable])
    attacked, control = (model.predict(features[name]) for name in ("attacked", "control"))
    if is_number:
        return attacked, control
    return np.where(attacked == MISSING, np.nan, attacked), np.where(control == MISSING, np.nan, control)


def _filled(features: dict[str, Floats]) -> dict[str, Floats]:
    """Features as trees take them: missing is a number below all others; what a float32 sum cannot hold is cut off."""
    known = features["synthetic"]
    lowest = np.where(np.isnan(known), 0.0, known).min(axis=0) - 1.0
    return {
        name: np.clip(np.where(np.isnan(block), lowest, block), -_LARGEST, _LARGEST) for name, block in features.items()
    }


GUESSERS: dict[str, Guesser] = {"nearest": nearest_guess, "model": model_guess}


def constant_guess(values: Floats, tolerance: float) -> float:
    """The value that is right for most of ``values``; NaN, which stands for missing, if most are missing."""
    known, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    if not len(known):
        return float("nan")
    total = np.concatenate([[0], np.cumsum(counts)])
    first = np.searchsorted(known, known - tolerance, side="left")
    last = np.searchsorted(known, known + tolerance, side="right")
    hits = total[last] - total[first]
    return float(known[hits.argmax()]) if hits.max() >= np.isnan(values).sum() else float("nan")


def is_right(guesses: Floats, truth: Floats, tolerance: float) -> NDArray[np.bool_]:
    """Whether each guess is right, ``(n_rows,)``: equal, or within the tolerance; NaN for NaN."""
    with np.errstate(invalid="ignore"):
        near = np.abs(guesses - truth) <= tolerance
    right: NDArray[np.bool_] = near | (guesses == truth) | (np.isnan(guesses) & np.isnan(truth))
    return right


def column_values(tables: ComparedTables, table: str, column: str) -> Floats:
    """A column as floats: numbers, or codes of categories; NaN where missing."""
    if tables.roles[column] == "numeric":
        return tables.numbers[table][column]
    codes = tables.codes[table][column]
    return np.where(codes < 0, np.nan, codes)


def _tolerance(tables: ComparedTables, column: str, real: str) -> float:
    if tables.roles[column] == "categorical":
        return 0.0
    values = tables.numbers[real][column]
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0
    low, high = np.quantile(values, [0.05, 0.95])
    return TOLERANCE * float(high - low)


def _risk(tables: ComparedTables, secret: str, guesses: tuple[Floats, Floats], tolerance: float, *, z: float) -> Risk:
    attack, control = (
        int(is_right(guess, column_values(tables, name, secret), tolerance).sum())
        for guess, name in zip(guesses, ("attacked", "control"), strict=True)
    )
    return unpaired_risk(attack, control, tables.n_rows["attacked"], z=z)


def _baseline(tables: ComparedTables, secret: str, tolerance: float) -> float:
    """Share of the attacked rows that the best constant guess from the synthetic table hits."""
    constant = constant_guess(column_values(tables, "synthetic", secret), tolerance)
    truth = column_values(tables, "attacked", secret)
    return float(is_right(np.full(len(truth), constant), truth, tolerance).mean())

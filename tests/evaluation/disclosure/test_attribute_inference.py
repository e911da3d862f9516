"""Attribute inference: guesses by hand, memorised secrets are caught, what the population tells is not."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from synthgan.evaluation.compared.compared_tables import ComparedTables, compare
from synthgan.evaluation.disclosure.attribute_inference import (
    GUESSERS,
    attribute_inference_score,
    constant_guess,
    default_secrets,
    is_right,
    model_guess,
    nearest_guess,
)
from synthgan.evaluation.scores import Score

NAN = float("nan")


def people(n: int, seed: int) -> pd.DataFrame:
    """Two measures that name a person, a secret that is a coin, and a group that follows from a measure."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(2, n))
    return pd.DataFrame(
        {"x": x, "y": y, "secret": rng.choice([*"abcd"], n), "group": np.where(x > 0, "high", "low"), "z": x + y}
    )


def memorised(train: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The training rows with noise on the measures and the secret as it was."""
    noise = 0.01 * np.random.default_rng(seed).normal(size=(2, len(train)))
    return train.assign(x=train["x"] + noise[0], y=train["y"] + noise[1])


def score(synthetic: pd.DataFrame, seed: int = 0, **settings: object) -> Score:
    tables = compare({"real": people(400, 1), "synthetic": synthetic, "holdout": people(400, 2)})
    found = attribute_inference_score(tables, np.random.default_rng(seed), **settings)  # type: ignore[arg-type]
    assert found is not None
    assert found.interval is not None
    return found


def attacked(train: pd.DataFrame, synthetic: pd.DataFrame) -> ComparedTables:
    return compare({"synthetic": synthetic, "attacked": train, "control": train})


# -------------------------------------------------------------------------------------------------------------- guesses


def test_constant_guess_by_hand() -> None:
    assert constant_guess(np.array([1.0, 1.0, 2.0, NAN]), 0.0) == 1.0
    # Within 0.5 of 3.4 lie four values, of 1 two.
    assert constant_guess(np.array([1.0, 1.0, 3.0, 3.2, 3.4, 3.8]), 0.5) == 3.4
    assert math.isnan(constant_guess(np.array([NAN, NAN, 2.0]), 0.0))
    assert math.isnan(constant_guess(np.array([NAN]), 0.0))


def test_right_guesses_by_hand() -> None:
    guesses = np.array([1.0, 1.2, NAN, NAN, 4.0, np.inf])
    truth = np.array([1.0, 1.0, NAN, 3.0, NAN, np.inf])
    assert is_right(guesses, truth, 0.0).tolist() == [True, False, True, False, False, True]
    assert is_right(guesses, truth, 0.25).tolist() == [True, True, True, False, False, True]


def test_nearest_guess_by_hand() -> None:
    train = pd.DataFrame({"x": [0.0, 10.0], "c": [*"ab"], "secret": ["p", "q"]})
    synthetic = pd.DataFrame({"x": [9.0, 1.0, 0.0], "c": [*"bab"], "secret": ["q", "p", None]})
    guesses, _ = nearest_guess(attacked(train, synthetic), "secret", np.random.default_rng(0))
    codes = attacked(train, synthetic).codes["attacked"]["secret"]
    assert guesses.tolist() == codes.tolist()


def test_the_secret_itself_is_not_looked_at() -> None:
    """Rows alike in the other columns: only the secret could tell them apart."""
    train = pd.DataFrame({"x": [1.0, 1.0, 5.0], "secret": [1.0, 2.0, 3.0]})
    synthetic = pd.DataFrame({"x": [1.0, 5.0], "secret": [7.0, 8.0]})
    tables = attacked(train, synthetic)
    assert nearest_guess(tables, "secret", np.random.default_rng(0))[0].tolist() == [7.0, 7.0, 8.0]
    found = model_guess(tables, "secret", np.random.default_rng(0))
    assert found is not None
    assert found[0].tolist() == [7.0, 7.0, 8.0]


def test_models_know_the_rows_they_have_seen() -> None:
    train = people(60, 0).assign(y=lambda frame: frame["y"].where(frame["x"] > -1), rare=None)
    train["rare"] = pd.Series("seen", index=train.index, dtype=object).where(train["x"] > 0.5)
    tables = attacked(train, train)
    for secret in ("secret", "rare"):
        found = model_guess(tables, secret, np.random.default_rng(0))
        assert found is not None
        codes = tables.codes["attacked"][secret]
        assert np.array_equal(found[0], np.where(codes < 0, np.nan, codes), equal_nan=True)


def test_models_do_not_guess_secrets_of_many_levels() -> None:
    many = pd.DataFrame({"x": np.arange(120) % 7, "secret": [f"level {i % 55}" for i in range(120)]})
    assert model_guess(attacked(many, many), "secret", np.random.default_rng(0)) is None


# --------------------------------------------------------------------------------------------------------------- scores


def test_models_take_huge_numbers() -> None:
    """Their sum has to fit a float32, or scikit-learn warns, and warnings are errors here."""
    huge = 1e300 * np.random.default_rng(0).normal(size=200)
    train = pd.DataFrame({"x": huge, "secret": np.where(huge > 0, "p", "q")})
    guesses = model_guess(attacked(train, train), "secret", np.random.default_rng(0))
    assert guesses is not None
    assert guesses[0].tolist() == attacked(train, train).codes["attacked"]["secret"].tolist()


def test_a_secret_that_everybody_guesses_can_be_judged() -> None:
    """One secret that nobody guesses, another that nearly everybody does: little of it is left, and enough known."""
    rng = np.random.default_rng(0)

    def table(n: int) -> pd.DataFrame:
        return pd.DataFrame({"id": rng.normal(size=n), "known": np.where(rng.random(n) < 0.97, "p", "q")})

    tables = compare({"real": table(120), "synthetic": table(120), "holdout": table(120)})
    found = attribute_inference_score(tables, rng, secrets=["id", "known"])
    assert found is not None
    assert found.interval is not None
    assert max(attack["interval"][1] for attack in found.details["secrets"]["known"]["attacks"].values()) > 0.5
    assert found.interval[1] < 0.2


def test_memorised_secrets_are_caught() -> None:
    found = score(memorised(people(400, 1), 3), secrets=["secret"])
    assert found.interval[0] > 0.5  # type: ignore[index]
    assert (found.ideal, found.reference, found.direction) == (0.0, 0.0, "lower")
    details = found.details["secrets"]["secret"]
    assert list(details["attacks"]) == list(GUESSERS)
    assert details["baseline"] < 0.35
    assert found.details["control_rate"] < 0.35


def test_a_bootstrap_is_caught_whatever_the_secret() -> None:
    sample = people(400, 1).sample(400, replace=True, random_state=0)
    for secret in ("x", "secret"):
        assert score(sample, secrets=[secret]).interval[0] > 0.2  # type: ignore[index]


def test_fresh_rows_are_not_accused() -> None:
    found = [score(people(400, 10 + seed), seed, secrets=["x", "secret"]) for seed in range(5)]
    assert sum(one.interval[0] > 0 for one in found) <= 1  # type: ignore[index]


def test_what_the_population_tells_is_no_risk() -> None:
    """The group follows from a measure: guessed right nearly always, for training and control rows alike."""
    found = score(people(400, 5), secrets=["group"])
    assert found.details["secrets"]["group"]["attacks"]["model"]["attack"] > 0.95
    assert found.interval[0] <= 0  # type: ignore[index]


def test_chosen_secrets_are_the_target_and_those_hard_to_guess() -> None:
    order = np.arange(100)
    frame = pd.DataFrame(
        {
            "flat": 1.0,
            "spread": order**2,
            "half": np.where(order < 50, 0, order),
            "few": np.where(order < 80, 0, order),
            "one": "same",
            "ten": [f"level {i % 10}" for i in order],
            "three": [f"level {i % 3}" for i in order],
            "two": [f"level {i % 2}" for i in order],
        }
    )
    tables = compare({"real": frame, "synthetic": frame})
    assert default_secrets(tables, "one") == ("spread", "half", "one", "ten", "three")
    assert default_secrets(tables, None) == ("spread", "half", "ten", "three")


def test_equally_many_rows_and_caps() -> None:
    found = score(people(300, 4), secrets=["secret"], max_targets=50, max_rows=120)
    assert (found.details["n_attacks"], found.details["n_synthetic"]) == (50, 120)
    assert "50 training" in found.note
    assert "120 synthetic" in found.note


def test_one_column_has_nothing_to_guess_from() -> None:
    tables = compare({name: pd.DataFrame({"x": [1.0, 2.0]}) for name in ("real", "synthetic", "holdout")})
    assert attribute_inference_score(tables, np.random.default_rng(0)) is None


def test_the_same_seed_gives_the_same_score() -> None:
    assert score(people(200, 4), 7).to_dict() == score(people(200, 4), 7).to_dict()


def test_numbers_are_guessed_within_a_tolerance() -> None:
    train = people(400, 1)
    tables = compare({"real": train, "synthetic": train.assign(z=train["z"] + 0.05), "holdout": people(400, 2)})
    found = attribute_inference_score(tables, np.random.default_rng(0), secrets=["z"])
    assert found is not None
    assert found.details["secrets"]["z"]["attacks"]["nearest"]["attack"] == pytest.approx(1.0)

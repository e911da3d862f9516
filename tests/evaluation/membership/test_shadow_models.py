"""Shadow models: a generator that leaks is caught for chosen records, one that cannot know them is not accused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthgan.errors import DataError, SettingsError
from synthgan.evaluation.compared.compared_tables import compare
from synthgan.evaluation.membership.shadow_features import N_LEVELS, RecordQueries, summary
from synthgan.evaluation.membership.shadow_models import ShadowAttack, shadow_attack
from synthgan.evaluation.membership.vulnerable import vulnerable_rows


def mixed(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"x": rng.normal(size=n), "y": rng.normal(size=n), "c": rng.choice([*"abcd"], n)})
    frame.loc[rng.random(n) < 0.1, "y"] = np.nan
    frame["b"] = pd.array(rng.random(n) < 0.3, dtype="boolean")
    return frame


def bootstrap(training: pd.DataFrame, seed: int) -> pd.DataFrame:
    return training.sample(len(training), replace=True, random_state=seed)


def same_rows_whatever_the_training(training: pd.DataFrame, seed: int) -> pd.DataFrame:
    return mixed(len(training), seed)


def attack(generator: object, seed: int, **options: object) -> ShadowAttack:
    everybody = mixed(400, 0)
    places = vulnerable_rows(compare({"real": everybody}), 3, np.random.default_rng(0))
    return shadow_attack(
        generator,
        everybody.iloc[places],
        everybody.drop(index=everybody.index[places]),
        np.random.default_rng(seed),
        **{"n_rows": 60, "n_fits": 64, "n_queries": 30, **options},
    )


@pytest.mark.parametrize("same_background", [False, True])
def test_a_bootstrap_gives_its_records_away(same_background: bool) -> None:
    found = attack(bootstrap, 1, same_background=same_background)
    # A record is drawn at least once in 63 of 100 bootstraps: the best that can be done is 0.82.
    assert 0.6 < found.overall.interval[0] < found.overall.auc < 0.95
    assert [result.attack for result in found.records] == ["record 0", "record 1", "record 2"]
    assert all(result.n_members == result.n_non_members == 16 for result in found.records)
    assert all(result.level == pytest.approx(1 - 0.05 / 3) for result in found.records)
    assert found.overall.level == pytest.approx(0.95)
    assert (found.n_fits, found.n_rows) == (64, 60)


def test_a_generator_that_does_not_look_is_not_accused() -> None:
    found = [attack(same_rows_whatever_the_training, seed) for seed in (1, 2)]
    assert all(one.overall.is_guessing for one in found)
    assert all(result.is_guessing for one in found for result in one.records)
    assert abs(np.mean([one.overall.auc for one in found]) - 0.5) < 0.1


@pytest.mark.slow
def test_the_innocent_are_accused_no_more_often_than_stated() -> None:
    """Each overall interval misses with 5%: of 40 more than 6 would happen once in 250 times."""
    found = [attack(same_rows_whatever_the_training, seed) for seed in range(40)]
    assert sum(not one.overall.is_guessing for one in found) <= 6
    assert sum(any(not result.is_guessing for result in one.records) for one in found) <= 6


def test_every_record_is_in_half_of_the_fits_and_no_order_tells() -> None:
    seen: list[pd.DataFrame] = []

    def keep(training: pd.DataFrame, seed: int) -> pd.DataFrame:
        seen.append(training)
        return training

    records = pd.DataFrame({"x": [1000.0, 2000.0], "c": ["a", "b"]})
    population = pd.DataFrame({"x": np.arange(50.0), "c": ["a", "b"] * 25})
    shadow_attack(keep, records, population, np.random.default_rng(0), n_rows=20, n_fits=32, n_queries=5)
    assert len(seen) == 32
    assert all(len(training) == 20 and training["x"].is_unique for training in seen)
    assert all(training.index.tolist() == list(range(20)) for training in seen)
    for record in (1000.0, 2000.0):
        places = [training.index[training["x"] == record].tolist() for training in seen]
        assert sum(len(place) for place in places) == 16
        assert len({place[0] for place in places if place}) > 3
    together = sum(bool((training["x"] >= 1000.0).sum() == 2) for training in seen)
    assert 0 < together < 16


def test_the_same_background_differs_by_the_records_alone() -> None:
    seen: list[set[float]] = []

    def keep(training: pd.DataFrame, seed: int) -> pd.DataFrame:
        seen.append(set(training["x"]) - {1000.0})
        return training

    population = pd.DataFrame({"x": np.arange(50.0)})
    shadow_attack(
        keep,
        pd.DataFrame({"x": [1000.0]}),
        population,
        np.random.default_rng(0),
        n_rows=20,
        n_fits=32,
        same_background=True,
        numeric=["x"],
    )
    assert len(set.union(*seen)) == 20
    assert sorted({len(one) for one in seen}) == [19, 20]


def test_a_shadow_attack_is_repeatable() -> None:
    assert attack(bootstrap, 5, n_fits=32) == attack(bootstrap, 5, n_fits=32)


# ------------------------------------------------------------------------------------------------------------- features


def test_queries_by_hand() -> None:
    population = pd.DataFrame({"x": np.arange(100.0), "c": ["a", "b"] * 50})
    shadow = pd.DataFrame({"x": [50.0, 54.0, 56.0, np.nan], "c": ["a", "a", "a", "a"]})
    tables = compare({"population": population, "shadow": shadow}, numeric=["x"])
    queries = RecordQueries(tables, "population", np.array([50]), 40, np.random.default_rng(0))
    (shares,) = queries.about("shadow")
    # 54 is four hundredths of the population away, 56 six: only the level agrees there. All columns come last.
    assert set(shares[:41]) == {0.5, 1.0}
    assert shares[40] == 0.5
    assert shares[41] == 0.0
    # Distances in parts of the range 99; a missing number stands in the middle with its indicator at distance one.
    assert shares[42] == pytest.approx((0.0 + 4 / 99 + 6 / 99 + abs(50 / 99 - 0.5) + 1.0) / 4)


def test_a_missing_value_agrees_with_a_missing_value_alone() -> None:
    population = pd.DataFrame({"x": [1.0, np.nan, 3.0, 4.0]})
    tables = compare({"population": population, "shadow": pd.DataFrame({"x": [np.nan, 1.0, np.nan, np.nan]})})
    queries = RecordQueries(tables, "population", np.array([0, 1]), 1, np.random.default_rng(0))
    assert queries.about("shadow")[:, 0].tolist() == [0.25, 0.75]


def test_the_summary_by_hand() -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0, 3.0, np.nan], "c": ["a", "a", "a", "b"]})
    found = summary(compare({"t": frame}), "t")
    shares = np.zeros(N_LEVELS + 1)
    shares[:2] = [0.75, 0.25]
    numbers = [0.75, 2.0, np.sqrt(2 / 3), 1.0, 1.5, 2.0, 2.5, 3.0]
    # The missing number counts as the mean, so the lone "b" goes with no deviation.
    assert found == pytest.approx([*numbers, 1.0, *shares, 0.0])


# --------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"n_fits": 28}, SettingsError, "n_fits is 28; shadow models need a multiple of four, at least 32"),
        ({"n_fits": 34}, SettingsError, "n_fits is 34"),
        ({"n_rows": 3}, SettingsError, r"n_rows is 3, no more than the 3 record\(s\)"),
        ({"n_rows": 398}, DataError, r"population table has 397 row\(s\), fewer than n_rows = 398"),
    ],
)
def test_what_cannot_be_attacked_is_refused(options: dict[str, int], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        attack(bootstrap, 0, **options)


def test_no_record_is_refused() -> None:
    frame = mixed(50, 0)
    with pytest.raises(DataError, match="records table has no rows"):
        shadow_attack(bootstrap, frame.head(0), frame, np.random.default_rng(0), n_rows=20)


def test_nothing_to_compare_is_refused() -> None:
    frame = pd.DataFrame({"x": [None] * 30})
    with pytest.raises(DataError, match="No column is left to attack"):
        shadow_attack(bootstrap, frame.head(1), frame, np.random.default_rng(0), n_rows=20, n_fits=32)

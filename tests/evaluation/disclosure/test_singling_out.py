"""Singling out: predicates by hand, unique rows that recur are caught, fresh rows are not accused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthgan.evaluation.compared.compared_tables import compare
from synthgan.evaluation.disclosure.risk import Risk
from synthgan.evaluation.disclosure.singling_out import (
    MAKERS,
    Predicates,
    RankedRows,
    matches,
    predicate_risk,
    ranked_rows,
    single_values,
    singling_out_score,
    tails,
    windows,
)
from synthgan.evaluation.scores import Score


def people(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "x": rng.normal(size=n).round(3),
            "age": rng.integers(18, 90, n),
            "town": rng.zipf(1.6, n).clip(max=60).astype(str),
            "sex": rng.choice(["f", "m"], n),
            "income": np.where(rng.random(n) < 0.2, np.nan, rng.lognormal(size=n).round(2)),
        }
    )


def score(synthetic: pd.DataFrame, seed: int = 0, n: int = 400, **settings: int) -> Score:
    tables = compare({"real": people(n, 1), "synthetic": synthetic, "holdout": people(n, 2)})
    found = singling_out_score(tables, np.random.default_rng(seed), **settings)  # type: ignore[arg-type]
    assert found is not None
    assert found.interval is not None
    return found


def ranked(**tables: dict[str, list[object]]) -> RankedRows:
    return ranked_rows(compare({name: pd.DataFrame(columns) for name, columns in tables.items()}))


def ranges(*conditions: dict[int, tuple[int, int]], n_columns: int) -> Predicates:
    shape = (len(conditions), n_columns)
    made = Predicates(
        uses=np.zeros(shape, dtype=bool), lower=np.zeros(shape, dtype=np.int32), upper=np.zeros(shape, dtype=np.int32)
    )
    for place, condition in enumerate(conditions):
        for column, (lower, upper) in condition.items():
            made.uses[place, column], made.lower[place, column], made.upper[place, column] = True, lower, upper
    return made


# ----------------------------------------------------------------------------------------------------------- predicates


def test_ranks_are_shared_and_missing_is_minus_one() -> None:
    found = ranked(
        synthetic={"x": [2.0, None], "c": ["a", "b"]},
        attacked={"x": [1.0, 3.0], "c": [None, "b"]},
        control={"x": [2.0, 2.0], "c": ["a", "c"]},
    )
    assert found.rows["synthetic"].tolist() == [[1, 0], [-1, 1]]
    assert found.rows["attacked"].tolist() == [[0, -1], [2, 1]]
    assert found.rows["control"].tolist() == [[1, 0], [1, 2]]
    assert found.is_number.tolist() == [True, False]


def test_matches_by_hand() -> None:
    rows = np.array([[0, 5], [1, 5], [2, 6], [-1, 5]], dtype=np.int32)
    predicates = ranges({0: (1, 2)}, {0: (1, 2), 1: (5, 5)}, {0: (-1, -1)}, {0: (9, 9)}, {}, n_columns=2)
    counts, first = matches(predicates, rows)
    assert counts.tolist() == [2, 1, 1, 0, 4]
    assert first.tolist() == [1, 1, 3, 0, 0]


def test_single_values_by_hand() -> None:
    """Twos are there twice; one and nine once, and they are the ends; of the categories only b is there once."""
    found = ranked(synthetic={"x": [2, 2, 1, 9], "c": ["a", "a", "a", "b"]})
    made = single_values(found, found.rows["synthetic"], 100, np.random.default_rng(0))
    got = {
        (int(column), int(made.lower[place, column]), int(made.upper[place, column]))
        for place, column in zip(*np.nonzero(made.uses), strict=True)
    }
    assert got == {(0, 0, 0), (0, 2, 2), (0, 2, 3), (1, 1, 1)}
    assert matches(made, found.rows["synthetic"])[0].tolist() == [1] * len(made)


@pytest.mark.parametrize("make", [tails, windows])
def test_predicates_hold_for_the_rows_they_are_made_from(make: object) -> None:
    found = ranked_rows(compare({"synthetic": people(200, 0)}))
    distinct = np.unique(found.rows["synthetic"], axis=0)
    made = make(found, distinct, 200, np.random.default_rng(0))  # type: ignore[operator]
    sizes = made.uses.sum(axis=1)
    assert (sizes.min(), sizes.max()) == (2, 5)
    assert (matches(made, found.rows["synthetic"])[0] >= 1).all()


def test_tails_point_away_from_the_median_and_windows_are_narrow() -> None:
    found = ranked(synthetic={"x": [float(i) for i in range(101)]})
    rows = found.rows["synthetic"]
    wide = matches(tails(found, rows, 101, np.random.default_rng(0)), rows)[0]
    assert wide.max() == 51
    assert sorted(wide)[:2] == [1, 1]
    # A twentieth of the 90 between the quantiles to either side: 4 below, 4 above.
    assert matches(windows(found, rows, 101, np.random.default_rng(0)), rows)[0].max() == 9


def test_risk_of_predicates_by_hand() -> None:
    """Of four predicates three single out a training row, and two of them a control row as well."""
    found = ranked(synthetic={"x": [0]}, attacked={"x": [1, 2, 3, 3]}, control={"x": [1, 5, 5, 5]})
    # Ranks: 0, 1, 2, 3, 5 are 0 to 4.
    risk, met = predicate_risk(
        ranges(
            {0: (1, 1)},
            {0: (2, 2)},
            {
                0: (1, 1),
            },
            {0: (4, 4)},
            n_columns=1,
        ),
        found,
        z=1.96,
    )
    assert isinstance(risk, Risk)
    assert (risk.attack, risk.control) == (0.75, 0.5)
    assert risk.value == pytest.approx(0.5)
    assert met == pytest.approx(5 / 4)
    assert risk.interval[0] < 0.5 <= risk.interval[1]


# --------------------------------------------------------------------------------------------------------------- scores


def test_a_bootstrap_is_caught() -> None:
    found = score(people(400, 1).sample(400, replace=True, random_state=0))
    assert found.interval[0] > 0.3  # type: ignore[index]
    assert list(found.details["attacks"]) == list(MAKERS)
    assert all(attack["interval"][0] > 0 for attack in found.details["attacks"].values())


def test_rows_repeated_do_not_hide() -> None:
    train = people(400, 1)
    assert score(pd.concat([train, train])).interval[0] > 0.5  # type: ignore[index]


def test_a_copy_with_noise_is_caught() -> None:
    train = people(400, 1)
    noise = 0.02 * np.random.default_rng(5).normal(size=(2, 400))
    leaky = train.assign(x=train["x"] + noise[0], income=train["income"] * np.exp(noise[1]))
    found = score(leaky)
    assert found.interval[0] > 0.2  # type: ignore[index]
    assert found.details["attack"] == "multivariate_windows"


def test_fresh_rows_are_not_accused() -> None:
    found = [score(people(400, 10 + seed), seed) for seed in range(10)]
    assert sum(one.interval[0] > 0 for one in found) <= 1  # type: ignore[index]
    # Chance alone singles out some control rows, and no more than a share of 1/e on average.
    assert all(0 < attack["control"] < 0.37 for one in found for attack in one.details["attacks"].values())


def test_the_interval_covers_every_kind_of_many_predicates() -> None:
    """One value that stands alone: the kind of single columns has few predicates, whose interval is left aside."""
    found = score(people(400, 20))
    kinds = found.details["attacks"]
    assert found.interval is not None
    assert all(kind["n_attacks"] >= 100 for kind in kinds.values())
    assert found.interval[0] == max(kind["interval"][0] for kind in kinds.values())
    assert found.interval[1] == max(kind["interval"][1] for kind in kinds.values())

    def levels(seed: int) -> pd.DataFrame:
        return pd.DataFrame(np.random.default_rng(seed).integers(0, 6, (400, 6)).astype(str), columns=[*"abcdef"])

    real, synthetic = levels(1), levels(2)
    real.loc[0, "a"] = synthetic.loc[0, "a"] = "alone"
    tables = compare({"real": real, "synthetic": synthetic, "holdout": levels(3)})
    few = singling_out_score(tables, np.random.default_rng(0))
    assert few is not None
    assert few.interval is not None
    single = few.details["attacks"]["univariate"]
    assert single["n_attacks"] < 100
    assert few.details["attack"] != "univariate"
    assert few.interval[1] < single["interval"][1]


def test_caps_hold() -> None:
    found = score(people(400, 1), max_predicates=40, max_rows=100)
    assert found.details["n_rows_each"] == found.details["n_synthetic"] == 100
    assert all(attack["n_attacks"] <= 40 for attack in found.details["attacks"].values())


def test_nothing_to_single_out() -> None:
    """Two distinct rows that everybody shares: predicates are found, and single out nobody."""
    frame = pd.DataFrame({"c": [*"ab"] * 20, "d": [*"ab"] * 20})
    tables = compare({"real": frame, "synthetic": frame.assign(c="a", d=[*"ab"] * 20), "holdout": frame})
    found = singling_out_score(tables, np.random.default_rng(0))
    assert found is not None
    assert found.value == 0.0


def test_the_same_seed_gives_the_same_score() -> None:
    assert score(people(200, 4), 7).to_dict() == score(people(200, 4), 7).to_dict()

"""Rare categories and extreme numbers: counts by hand, recurring ones are caught, fresh rows are not accused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pytest

from synthgan.evaluation.compared.compared_tables import ComparedTables, compare
from synthgan.evaluation.disclosure.rare_values import (
    Carriers,
    Recurrence,
    extreme_numbers,
    rare_combinations,
    rare_levels,
    rare_value_scores,
)
from synthgan.evaluation.scores import Score

Columns = Mapping[str, Sequence[object]]


def people(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "town": rng.zipf(1.7, n).clip(max=500).astype(str),
            "job": rng.zipf(2.2, n).clip(max=300).astype(str),
            "income": rng.lognormal(sigma=2.0, size=n).round(1),
            "wealth": rng.normal(size=n),
        }
    )


def scores(synthetic: pd.DataFrame, *, holdout: bool = True, n: int = 1000) -> dict[str, Score]:
    frames = {"real": people(n, 1), "synthetic": synthetic} | ({"holdout": people(n, 2)} if holdout else {})
    found = rare_value_scores(compare(frames), np.random.default_rng(0), holdout="holdout" if holdout else None)
    return {score.name: score for score in found}


def lowest_excess(score: Score) -> float:
    assert score.interval is not None
    assert score.reference is not None
    return score.interval[0] - score.reference


def drawn(train: Columns, synthetic: Columns, holdout: Columns) -> ComparedTables:
    frames = {"train": train, "whole": synthetic, "synthetic": synthetic, "holdout": holdout}
    return compare({name: pd.DataFrame(columns) for name, columns in frames.items()})


# --------------------------------------------------------------------------------------------------------------- counts


def test_rare_levels_by_hand() -> None:
    tables = drawn(
        {"c": ["common"] * 10 + ["nine"] * 9 + ["one", "two", "two", None]},
        {"c": ["two", "nine", "two", "new"]},
        {"c": ["one", "nine", None, "common"]},
    )
    found = rare_levels(tables, "c")
    assert found.counts() == {"rare": 3, "recurring": 2, "only_synthetic": 1, "only_holdout": 1}
    # Nine at row 1, two at rows 0 and 2.
    assert sorted(found.synthetic.rows.tolist()) == [0, 1, 2]
    assert len(set(found.synthetic.values.tolist())) == 2


def test_rare_combinations_by_hand() -> None:
    """a and b, p and q are common each; (a, q) is rare; what has a rare or a missing level does not count."""
    train: Columns = {
        "c": ["a"] * 12 + ["b"] * 10 + ["z"] * 2 + [None],
        "d": ["p"] * 10 + ["q"] * 2 + ["q"] * 10 + ["p"] * 2 + ["p"],
    }
    tables = drawn(train, {"c": ["a", "b", "z"], "d": ["q", "p", "p"]}, {"c": ["a", "a", "z"], "d": ["p", "p", "p"]})
    assert rare_combinations(tables, "c", "d").counts() == {
        "rare": 1,
        "recurring": 1,
        "only_synthetic": 1,
        "only_holdout": 0,
    }


def test_many_cells_count_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = compare({name: people(800, 1) for name in ("train", "whole", "synthetic", "holdout")})
    dense = rare_combinations(tables, "town", "job")
    monkeypatch.setattr("synthgan.evaluation.disclosure.rare_values.DENSE_CELLS", 0)
    assert rare_combinations(tables, "town", "job").counts() == dense.counts()
    assert dense.counts()["rare"] > 10


def test_extreme_numbers_by_hand() -> None:
    """Lowest five: 1 to 5, of which 1 is common; highest five: 8 to 12."""
    tables = drawn(
        {"x": [1.0] * 10 + [2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, None]},
        {"x": [12.0, 1.0, 6.0, 11.0, 13.0]},
        {"x": [11.0, 2.0, None, 7.5, 12.1]},
    )
    assert extreme_numbers(tables, "x").counts() == {
        "rare": 9,
        "recurring": 2,
        "only_synthetic": 1,
        "only_holdout": 1,
    }


def test_without_a_holdout_all_that_recur_count() -> None:
    carriers = Carriers(values=np.array([0]), rows=np.array([4]))
    found = Recurrence(n_values=2, whole=1, synthetic=carriers, holdout=None)
    assert found.counts() == {"rare": 2, "recurring": 1}
    assert carriers.present(2).tolist() == [True, False]


def test_ten_carriers_are_enough() -> None:
    many: Columns = {"x": [7.0] * 30 + [8.0] * 2}
    found = extreme_numbers(drawn({"x": [7.0, 8.0]}, many, many), "x")
    assert found.synthetic.rows.tolist() == [*range(10), 30, 31]
    assert found.counts() == {"rare": 2, "recurring": 2, "only_synthetic": 0, "only_holdout": 0}


def test_values_that_come_together_widen_the_interval() -> None:
    """Six rare values in six rows, or all in the same one."""
    columns = [f"x{place}" for place in range(6)]
    real = pd.DataFrame({name: [0.0] * 30 + [1.0] for name in columns})
    none = pd.DataFrame(dict.fromkeys(columns, [0.0] * 30))
    together, apart = none.copy(), none.copy()
    together.loc[0] = 1.0
    apart.loc[range(6)] = np.eye(6)
    found = [
        rare_value_scores(compare({"real": real, "synthetic": synthetic, "holdout": none}), np.random.default_rng(0))[0]
        for synthetic in (together, apart)
    ]
    assert [score.value for score in found] == [100.0, 100.0]
    assert found[0].details["excess_interval"][0] < 0 < found[1].details["excess_interval"][0]


# --------------------------------------------------------------------------------------------------------------- scores


def test_score_by_hand() -> None:
    real = pd.DataFrame({"c": ["a"] * 10 + [*"uvwxyz"]})
    synthetic = pd.DataFrame({"c": [*"uvwaa"]})
    holdout = pd.DataFrame({"c": [*"wxaaa"]})
    (score,) = rare_value_scores(
        compare({"real": real, "synthetic": synthetic, "holdout": holdout}), np.random.default_rng(0)
    )
    # Of six rare levels u and v recur and are not in the holdout; x the other way round.
    assert score.value == pytest.approx(100 * 2 / 6)
    assert score.reference == pytest.approx(100 / 6)
    assert (score.direction, score.ideal, score.group) == ("lower", 0.0, "disclosure")
    assert score.details["columns"] == {"c": {"rare": 6, "recurring": 3, "only_synthetic": 2, "only_holdout": 1}}
    assert score.details["excess"] == pytest.approx(100 / 6)


def test_a_bootstrap_is_caught() -> None:
    found = scores(people(1000, 1).sample(1000, replace=True, random_state=0))
    assert lowest_excess(found["rare_categories"]) > 5
    assert lowest_excess(found["extreme_values"]) > 5


def test_shuffled_columns_disclose_levels_and_extremes() -> None:
    """Columns drawn independently of each other hold no row of the real table, and all of its rare values."""
    rng = np.random.default_rng(0)
    train = people(1000, 1)
    found = scores(pd.DataFrame({name: rng.permutation(train[name].to_numpy()) for name in train}))
    levels = found["rare_categories"].details["levels"]
    assert levels["recurring"] == levels["rare"]
    assert lowest_excess(found["extreme_values"]) > 50


def test_fresh_rows_are_not_accused() -> None:
    accused = {"rare_categories": 0, "extreme_values": 0}
    for seed in range(10):
        for name, score in scores(people(1000, 10 + seed)).items():
            accused[name] += lowest_excess(score) > 0
    assert max(accused.values()) <= 1


def test_merged_levels_and_capped_numbers_disclose_nothing() -> None:
    train = people(1000, 1)
    common = train["town"].map(train["town"].value_counts()) >= 10
    low, high = train["income"].quantile([0.05, 0.95])
    safe = train.assign(
        town=train["town"].where(common, "1"), job="1", income=train["income"].clip(low, high), wealth=0.0
    )
    found = scores(safe)
    assert found["rare_categories"].details["levels"]["recurring"] == 0
    assert found["extreme_values"].details["recurring"] == 0
    assert found["extreme_values"].value == 0.0


def test_no_rare_value_is_no_disclosure() -> None:
    frame = pd.DataFrame({"c": [*"ab"] * 20})
    (score,) = rare_value_scores(
        compare({"real": frame, "synthetic": frame, "holdout": frame}), np.random.default_rng(0)
    )
    assert (score.value, score.interval, score.reference, score.details["rare"]) == (0.0, (0.0, 0.0), 0.0, 0)


def test_without_a_holdout_there_is_no_reference() -> None:
    found = scores(people(1000, 1), holdout=False)
    assert [score.value for score in found.values()] == [100.0, 100.0]
    assert [score.reference for score in found.values()] == [None, None]
    assert "holdout" in found["rare_categories"].note


def test_pairs_are_capped() -> None:
    tables = compare({"real": people(300, 1), "synthetic": people(300, 2)})
    wide = rare_value_scores(tables, np.random.default_rng(0), holdout=None, max_pairs=0)
    assert wide[0].details["column_pairs"] == {}


def test_details_hold_no_values() -> None:
    frame = people(400, 1)
    frame["town"] = "secret-" + frame["town"]
    frame["wealth"] = frame["wealth"] * 1e6
    tables = compare({"real": frame, "synthetic": frame, "holdout": frame})
    for score in rare_value_scores(tables, np.random.default_rng(0)):
        text = json.dumps(score.to_dict())
        assert "secret-" not in text
        assert str(frame["wealth"].max()) not in text

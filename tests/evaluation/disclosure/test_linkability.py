"""Linkability: links by hand, halves of memorised rows are linked, fresh rows are not accused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthgan.evaluation.compared.compared_tables import compare
from synthgan.evaluation.disclosure.linkability import N_NEIGHBOURS, dealt_columns, linkability_score, linked
from synthgan.evaluation.scores import Score


def people(n: int, seed: int) -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(seed).normal(size=(n, 4)), columns=[*"abcd"]).assign(
        e=np.random.default_rng(seed + 1000).choice([*"uvw"], n)
    )


def score(synthetic: pd.DataFrame, seed: int = 0, **settings: int) -> Score:
    tables = compare({"real": people(400, 1), "synthetic": synthetic, "holdout": people(400, 2)})
    found = linkability_score(tables, np.random.default_rng(seed), **settings)  # type: ignore[arg-type]
    assert found is not None
    assert found.interval is not None
    return found


def test_links_by_hand() -> None:
    """By x the first five rows are near both targets; by y the last five are near the first, the first the second."""
    synthetic = pd.DataFrame({"x": [*range(5), *range(100, 105)], "y": [*range(100, 105), *range(5)]}, dtype=float)
    targets = pd.DataFrame({"x": [2.0, 2.0], "y": [2.0, 102.0]})
    tables = compare({"synthetic": synthetic, "attacked": targets})
    assert linked(tables, "attacked", ["x"], ["y"]).tolist() == [False, True]


def test_columns_are_dealt_by_distinct_values() -> None:
    frame = pd.DataFrame({"two": [0, 1, 0, 1], "four": [1, 2, 3, 4], "three": [*"abca"], "one": 1})
    assert dealt_columns(compare({"synthetic": frame})) == (("four", "two"), ("three", "one"))


def test_copies_are_linked() -> None:
    train = people(400, 1)
    noise = 0.02 * np.random.default_rng(5).normal(size=(400, 4))
    leaky = train.assign(**{name: train[name] + noise[:, place] for place, name in enumerate("abcd")})
    for synthetic in (leaky, train.sample(400, replace=True, random_state=0)):
        found = score(synthetic)
        assert found.interval[0] > 0.3  # type: ignore[index]
        assert found.details["control_rate"] < 0.3
        assert (found.ideal, found.reference, found.direction) == (0.0, 0.0, "lower")


def test_fresh_rows_are_not_accused() -> None:
    found = [score(people(400, 10 + seed), seed) for seed in range(10)]
    assert sum(one.interval[0] > 0 for one in found) <= 1  # type: ignore[index]


def test_chance_links_as_often_as_the_baseline_says() -> None:
    """Columns that have nothing to do with each other."""
    found = score(people(200, 7))
    assert found.details["baseline"] == pytest.approx(1 - (1 - 5 / 200) ** 5)
    assert found.details["control_rate"] == pytest.approx(found.details["baseline"], abs=0.05)


def test_named_parts_and_caps() -> None:
    tables = compare({name: people(100, place) for place, name in enumerate(("real", "synthetic", "holdout"))})
    found = linkability_score(tables, np.random.default_rng(0), parts=(["a"], ["b", "e"]), max_targets=30, max_rows=60)
    assert found is not None
    assert found.details["parts"] == [["a"], ["b", "e"]]
    assert (found.details["n_attacks"], found.details["n_synthetic"]) == (30, 60)


def test_too_little_to_link() -> None:
    one_column = compare({name: people(50, 1)[["a"]] for name in ("real", "synthetic", "holdout")})
    assert linkability_score(one_column, np.random.default_rng(0)) is None
    few = compare({name: people(N_NEIGHBOURS, 1) for name in ("real", "synthetic", "holdout")})
    assert linkability_score(few, np.random.default_rng(0)) is None

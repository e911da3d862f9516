"""The records most at risk: those far from all others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthgan.evaluation.compared.compared_tables import compare
from synthgan.evaluation.compared.neighbours import as_points
from synthgan.evaluation.membership.vulnerable import farthest, isolation, n_worst_cases, vulnerable_rows


def test_isolation_by_hand() -> None:
    tables = compare({"real": pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0, 4.0, 10.0]}), "new": pd.DataFrame({"x": [5.0]})})
    points = {name: as_points(tables, name) for name in ("real", "new")}
    # The five nearest to 5 are 4, 3, 2, 1 and, at the same distance as 0, the 10; a tenth of the range each.
    assert isolation(points["new"], points["real"]) == pytest.approx([(0.1 + 0.2 + 0.3 + 0.4 + 0.5) / 5])


def test_the_farthest_by_hand() -> None:
    first, second = farthest([np.array([0.5, 3.0, 0.1, 2.0]), np.array([5.0, 2.5, 4.0, 2.9])], 2)
    # The second of the first group is at 2.0, of the other at 4.0: the lower is everybody's threshold.
    assert first.tolist() == [False, True, False, True]
    assert second.tolist() == [True] * 4
    assert farthest([np.array([1.0])], 5)[0].tolist() == [True]


@pytest.mark.parametrize(("n", "worst"), [(40, 10), (1000, 250), (4000, 1000), (8000, 1000), (40_000, 2000)])
def test_a_twentieth_is_judged_or_of_small_tables_more(n: int, worst: int) -> None:
    assert n_worst_cases(n) == worst


def test_vulnerable_rows_are_the_odd_ones() -> None:
    rng = np.random.default_rng(0)
    real = pd.DataFrame({"x": rng.normal(size=300), "c": rng.choice([*"ab"], 300)})
    real.loc[17, ["x", "c"]] = [9.0, "odd"]
    real.loc[200, "x"] = -6.0
    tables = compare({"real": real})
    assert vulnerable_rows(tables, 2, np.random.default_rng(1)).tolist() == [17, 200]
    assert len(vulnerable_rows(tables, 500, np.random.default_rng(1))) == 300


def test_only_so_many_rows_are_looked_at() -> None:
    tables = compare({"real": pd.DataFrame({"x": np.arange(100.0) ** 2})})
    found = vulnerable_rows(tables, 100, np.random.default_rng(2), max_rows=30)
    assert len(found) == len(set(found.tolist())) == 30
    assert set(found.tolist()) <= set(range(100))


def test_the_row_of_a_table_of_one_row() -> None:
    tables = compare({"real": pd.DataFrame({"x": [1.0]})})
    assert vulnerable_rows(tables, 1, np.random.default_rng(3)).tolist() == [0]

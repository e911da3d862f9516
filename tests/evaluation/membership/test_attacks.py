"""Membership attacks one by one: figures by hand, brute force, and what each must see or must not."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from synthgan.evaluation.compared.compared_tables import ComparedTables, compare
from synthgan.evaluation.compared.neighbours import RowPoints
from synthgan.evaluation.membership.attacks import (
    MAX_COLUMNS,
    AttackerView,
    attacker_view,
    classifier,
    closest,
    domias_kernel,
    domias_neighbours,
    exact_match,
    marginals,
    monte_carlo,
)
from tests.membership_tables import rows


def line(*values: float) -> RowPoints:
    """Rows of one number."""
    numbers = np.array(values)[:, None]
    return RowPoints(numbers=numbers, levels=np.empty((len(values), 0), dtype=np.float32), values=numbers)


def seen(targets: RowPoints, synthetic: RowPoints, reference: RowPoints) -> AttackerView:
    return AttackerView(
        targets=targets,
        synthetic=synthetic,
        reference=reference,
        features=(targets.values, synthetic.values, reference.values),
        is_categorical=(False,),
        is_published=np.zeros(len(targets), dtype=bool),
    )


def tables_of(targets: pd.DataFrame, synthetic: pd.DataFrame, reference: pd.DataFrame) -> ComparedTables:
    return compare({"reference": reference, "synthetic": synthetic, "targets": targets})


# ------------------------------------------------------------------------------------------------------------ distances


def test_nearness_by_hand() -> None:
    scores = closest(seen(line(0.0, 0.5), line(0.1, 0.4, 0.45), line(9.0)))
    assert scores == pytest.approx([-0.1, -0.05])


def test_rows_within_the_median_radius_by_hand() -> None:
    # Closest distances 0.1 and 0.05: the radius is 0.075, and only 0.45 lies so near to 0.5.
    scores = monte_carlo(seen(line(0.0, 0.5), line(0.1, 0.4, 0.45), line(9.0)))
    assert scores == pytest.approx([0.0, 1 / 3])


def test_the_neighbours_density_ratio_by_hand() -> None:
    # Fewer rows than neighbours: all count. From 0: log 0.3 against the mean of log 0.1 and log 0.4.
    scores = domias_neighbours(seen(line(0.0, 0.1), line(0.1, 0.4), line(0.3, -0.3)))
    floor = 1e-3 * np.median([0.1, 0.4, 0.3, 0.3, 0.3, 0.2, 0.4])  # all distances but the zero from 0.1 to itself
    expected = [
        math.log(0.3) - (math.log(0.1) + math.log(0.4)) / 2,
        (math.log(0.2) + math.log(0.4)) / 2 - (math.log(floor) + math.log(0.3)) / 2,
    ]
    assert scores == pytest.approx(expected)


def test_only_the_nearest_five_count() -> None:
    near, far = [0.1, 0.2, 0.3, 0.4, 0.5], [5.0, 6.0, 7.0]
    reference = line(1.0, 1.1, 1.2, 1.3, 1.4)
    with_far, without = (domias_neighbours(seen(line(0.0), line(*group), reference)) for group in (near + far, near))
    assert with_far == pytest.approx(without)


def test_the_kernel_density_ratio_by_hand() -> None:
    targets, synthetic, reference = [0.0, 0.7], [0.1, 0.4, 0.5], [0.9, 0.2]
    pooled = np.array(synthetic + reference)

    def density(x: float, points: list[float]) -> float:
        bandwidth = len(points) ** (-1 / 5)
        gaps = (x - np.array(points)) / pooled.std(ddof=1)
        return float(np.exp(-(gaps**2) / (2 * bandwidth**2)).sum())

    expected = [math.log(density(x, synthetic) / density(x, reference)) for x in targets]
    assert domias_kernel(seen(line(*targets), line(*synthetic), line(*reference))) == pytest.approx(expected)


def test_the_kernel_says_nothing_where_nothing_varies() -> None:
    assert domias_kernel(seen(line(0.0, 1.0), line(2.0, 2.0), line(2.0))).tolist() == [0.0, 0.0]


# ----------------------------------------------------------------------------------------------------------- equal rows


def test_equal_rows_by_hand() -> None:
    targets = pd.DataFrame({"x": [0.0, 0.5, np.nan, 0.5], "c": ["a", "a", None, "b"]})
    synthetic = pd.DataFrame({"x": [-0.0, 0.5, np.nan], "c": ["a", "c", None]})
    found = exact_match(attacker_view(tables_of(targets, synthetic, targets)))
    assert found.tolist() == [1.0, 0.0, 1.0, 0.0]


def test_different_extremes_are_no_match() -> None:
    """Both lie beyond one range outside the reference's, where distances are cut off."""
    frames = {"reference": [0.0, 1.0], "synthetic": [1000.0, np.inf, 1.0], "targets": [5000.0, 1000.0, np.inf, -np.inf]}
    tables = compare({name: pd.DataFrame({"x": x, "c": "a"}) for name, x in frames.items()}, numeric=["x"])
    assert exact_match(attacker_view(tables)).tolist() == [0.0, 1.0, 1.0, 0.0]


def test_equal_rows_are_sought_beyond_the_synthetic_rows_that_are_compared_with() -> None:
    targets = pd.DataFrame({"x": [0.0, 7.0]})
    tables = tables_of(targets, pd.DataFrame({"x": [1.0, 2.0, 7.0]}), pd.DataFrame({"x": [0.0, 10.0]}))
    view = attacker_view(tables, max_synthetic=2)
    assert exact_match(view).tolist() == [0.0, 1.0]
    assert closest(view) == pytest.approx([-0.1, -0.5])
    assert closest(attacker_view(tables)) == pytest.approx([-0.1, 0.0])


# ----------------------------------------------------------------------------------------------------------- classifier


def test_the_classifier_scores_by_where_synthetic_rows_are_in_excess() -> None:
    rng = np.random.default_rng(0)
    reference = pd.DataFrame({"x": rng.uniform(0, 1, 200), "c": rng.choice([*"ab"], 200)})
    synthetic = pd.DataFrame({"x": rng.uniform(0.5, 1.5, 200), "c": rng.choice([*"ab"], 200)})
    targets = pd.DataFrame({"x": [0.2, 0.75, 1.3, 0.2], "c": ["a", "a", "a", "a"]})
    low, middle, high, again = classifier(attacker_view(tables_of(targets, synthetic, reference)))
    assert low < middle < high
    assert low == again


def test_the_classifier_learns_single_rows_by_heart() -> None:
    rng = np.random.default_rng(1)
    members, others, reference = (rows(100, rng) for _ in range(3))
    scores = classifier(attacker_view(tables_of(pd.concat([members, others]), members, reference)))
    assert np.median(scores[:100]) > np.quantile(scores[100:], 0.8)


# ------------------------------------------------------------------------------------------------------------ marginals


def test_the_classifier_leaves_out_columns_without_a_value() -> None:
    """All missing, all infinite, and known in targets only: boosting has no bins for such a column."""
    x = np.repeat([0.0, 1.0], 40)
    full = pd.DataFrame({"x": x, "m": 1.0, "i": np.inf, "c": "a"})
    bare = full.assign(m=np.nan, c=None)
    tables = compare({"reference": bare, "synthetic": bare, "targets": full}, keep=("m", "i", "c"))
    assert classifier(attacker_view(tables)).shape == (80,)
    nothing = tables.only(["m", "c"])
    assert classifier(attacker_view(nothing)).tolist() == [0.0] * 80


def test_marginals_by_brute_force() -> None:
    rng = np.random.default_rng(2)

    def table(n: int) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "c": rng.choice([*"abc", None], n),
                "d": rng.choice([*"xyz"], n, p=[0.9, 0.05, 0.05]),
                "number": np.where(rng.random(n) < 0.5, 0.0, np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n))),
            }
        )

    targets, synthetic, reference = table(9), table(30), table(40)
    edges = np.unique(np.quantile(reference["number"].dropna(), np.arange(1, 10) / 10, method="lower"))

    def cells(frame: pd.DataFrame) -> list[tuple[object, ...]]:
        cut = [
            "missing" if np.isnan(x) else (int((edges < x).sum()), bool((edges == x).any())) for x in frame["number"]
        ]
        return [*zip(frame["c"], frame["d"], cut, strict=True)]

    def counted(frame: pd.DataFrame) -> Counter[tuple[object, ...]]:
        found: Counter[tuple[object, ...]] = Counter()
        for row in cells(frame):
            found.update((one, row[one]) for one in range(3))
            found.update((one, row[one], two, row[two]) for one, two in combinations(range(3), 2))
        return found

    ours, theirs = counted(synthetic), counted(reference)

    def excess(key: tuple[object, ...]) -> float:
        share = (ours[key] + theirs[key]) / 70
        if not share:
            return 0.0
        return math.log((ours[key] + 2 * share) / 32) - math.log((theirs[key] + 2 * share) / 42)

    expected = [
        sum(excess((one, row[one])) for one in range(3))
        + 2 * sum(excess((one, row[one], two, row[two])) for one, two in combinations(range(3), 2))
        for row in cells(targets)
    ]
    found = marginals(attacker_view(tables_of(targets, synthetic, reference)))
    assert found == pytest.approx(expected, abs=1e-4)
    assert np.std(found) > 0.5


def test_a_cell_that_both_tables_lack_says_nothing() -> None:
    targets = pd.DataFrame({"c": ["a", "new"], "d": ["x", "other"]})
    both = pd.DataFrame({"c": ["a", "b"], "d": ["x", "y"]})
    assert marginals(attacker_view(tables_of(targets, both, both))).tolist() == [0.0, 0.0]
    more = pd.concat([both, both.head(1)])
    first, second = marginals(attacker_view(tables_of(targets, more, both)))
    assert first > 0.0 == second


def test_marginals_look_at_some_of_very_many_columns() -> None:
    rng = np.random.default_rng(3)
    wide = pd.DataFrame(rng.integers(2, size=(20, 2 * MAX_COLUMNS)), columns=[f"x{k}" for k in range(2 * MAX_COLUMNS)])
    wide = wide.astype(str)
    found = marginals(attacker_view(tables_of(wide.head(5), wide.iloc[5:12], wide.iloc[12:])))
    half = wide.iloc[:, ::2]
    assert found == pytest.approx(
        marginals(attacker_view(tables_of(half.head(5), half.iloc[5:12], half.iloc[12:]))), abs=0.5, rel=1e-4
    )


def test_independent_columns_of_few_rows_are_caught_by_their_counts_alone() -> None:
    """Nothing joins the columns of a synthetic row, so no row is near to its model; the counts still tell."""
    rng = np.random.default_rng(4)
    areas = {marginals: [], closest: []}
    for _ in range(10):
        members, others, reference = (
            pd.DataFrame(rng.choice(40, size=(n, 25)), columns=[f"x{k}" for k in range(25)]).astype(str)
            for n in (40, 40, 200)
        )
        synthetic = pd.DataFrame({name: rng.permutation(members[name]) for name in members})
        view = attacker_view(tables_of(pd.concat([members, others]), synthetic, reference))
        for attack, found in areas.items():
            scores = attack(view)
            found.append((scores[:40, None] > scores[None, 40:]).mean())
    assert np.mean(areas[marginals]) > 0.8
    assert np.mean(areas[marginals]) > np.mean(areas[closest]) + 0.05

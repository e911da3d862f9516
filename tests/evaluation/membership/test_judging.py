"""Membership trials: a copying generator is caught by every attack, fresh rows are not accused, figures by hand."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

from synthgan.errors import DataError
from synthgan.evaluation.membership.attacks import ATTACKS
from synthgan.evaluation.membership.judging import (
    FALSE_POSITIVE_RATES,
    AttackTrial,
    allowed_false_positives,
    attack_trials,
    membership_attacks,
    pool,
    pooled_attacks,
    score_trial,
    true_positives,
)
from tests.membership_tables import rows

# ------------------------------------------------------------------------------------------------------------- outcomes


def test_four_scores_by_hand() -> None:
    trial = score_trial(np.array([True, False, True, False]), np.array([0.9, 0.5, 0.4, 0.1]))
    # Three of four pairs in order; both placements are 1 and 1/2. No non-member may pass: 0.9 alone is above 0.5.
    assert trial == AttackTrial(
        auc=0.75,
        standard_error=pytest.approx(math.sqrt(0.125)),
        n_members=2,
        n_non_members=2,
        hits=(1, 1, 1),
        slopes=(1.0, 1.0, 1.0),
        guessing_error=pytest.approx(math.sqrt(5 / (12 * 2 * 2))),
    )


def test_the_variance_is_delongs_by_brute_force() -> None:
    rng = np.random.default_rng(0)
    is_member = np.repeat([True, False], [30, 20])
    scores = rng.integers(8, size=50) + 2.0 * is_member
    wins = [[(a > b) + 0.5 * (a == b) for b in scores[~is_member]] for a in scores[is_member]]
    by_member, by_other = np.mean(wins, axis=1), np.mean(wins, axis=0)
    trial = score_trial(is_member, scores)
    assert trial.auc == pytest.approx(np.mean(wins))
    assert trial.standard_error**2 == pytest.approx(by_member.var(ddof=1) / 30 + by_other.var(ddof=1) / 20)


def test_true_positives_at_false_positive_rates_by_hand() -> None:
    members, others = [899.5, 989.5, 998.5, 5.0], list(range(1000))
    trial = score_trial(np.repeat([True, False], [4, 1000]), np.array(members + others, dtype=float))
    # 100, 10 and 1 non-members may pass: the thresholds are 899, 989 and 998.
    assert FALSE_POSITIVE_RATES == (0.1, 0.01, 0.001)
    assert trial.hits == (3, 2, 1)
    # Between 50 and 200 passing the members rise from 2 to 3 of 4, between 5 and 20 from 1 to 2; at 0.1%, between none
    # and 2 passing (above 999, above 997), from 0 to 1.
    assert trial.slopes == pytest.approx((0.25 / 0.15, 0.25 / 0.015, 0.25 / 0.002))


def test_the_curve_by_hand() -> None:
    is_member, scores = np.repeat([True, False], [4, 3]), np.array([3.0, 2.0, 2.0, 0.0, 2.0, 1.0, -1.0])
    assert true_positives(is_member, scores, np.array([0, 1, 2])).tolist() == [0.25, 0.75, 1.0]


def test_members_tied_with_a_non_member_that_may_not_pass_do_not_pass() -> None:
    trial = score_trial(np.repeat([True, False], [3, 20]), np.array([1.0, 1.0, 2.0, *[1.0] * 20]))
    assert trial.hits == (1, 1, 1)


@pytest.mark.parametrize(
    ("rate", "n", "allowed"), [(0.1, 250, 25), (0.01, 250, 2), (0.001, 999, 0), (0.001, 1000, 1), (0.1, 30, 3)]
)
def test_allowed_false_positives(rate: float, n: int, allowed: int) -> None:
    assert allowed_false_positives(rate, n) == allowed


# -------------------------------------------------------------------------------------------------------------- pooling


def trial(auc: float, error: float, n_members: int, hits: tuple[int, int, int] = (0, 0, 0)) -> AttackTrial:
    return AttackTrial(auc=auc, standard_error=error, n_members=n_members, n_non_members=10, hits=hits)


def test_pooling_by_hand_where_splits_differ_more_than_rows_explain() -> None:
    result = pool("closest", [trial(0.5, 0.01, 10), trial(0.54, 0.01, 10), trial(0.58, 0.01, 10)], level=0.95)
    assert result.auc == pytest.approx(0.54)
    assert result.row_error == pytest.approx(0.01 / math.sqrt(3))
    assert result.split_error == pytest.approx(0.04 / math.sqrt(3))
    half = 1.9599640 * 0.04 / math.sqrt(3)
    assert result.interval == pytest.approx((0.54 - half, 0.54 + half), abs=1e-6)
    assert result.is_guessing
    assert not pool("closest", [trial(auc, 0.01, 10) for auc in (0.53, 0.54, 0.55)], level=0.95).is_guessing
    assert (result.n_trials, result.n_members, result.n_non_members) == (3, 30, 30)


def test_pooling_by_hand_where_the_rows_say_more_and_pairs_weigh() -> None:
    result = pool("closest", [trial(0.6, 0.02, 10), trial(0.6, 0.04, 30)], level=0.99)
    assert result.split_error == pytest.approx(0.0, abs=1e-12)
    error = math.hypot(0.25 * 0.02, 0.75 * 0.04)
    assert result.row_error == pytest.approx(error)
    assert result.interval == pytest.approx((0.6 - 2.5758293 * error, 0.6 + 2.5758293 * error), abs=1e-6)
    assert not result.is_guessing
    assert pool("closest", [trial(0.6, 0.02, 10), trial(0.8, 0.02, 30)], level=0.95).auc == pytest.approx(0.75)


def test_a_single_trial_has_delongs_interval() -> None:
    result = pool("closest", [trial(0.5, 0.1, 10)], level=0.95)
    assert result.split_error is None
    assert result.interval == pytest.approx((0.5 - 0.1959964, 0.5 + 0.1959964), abs=1e-6)


def test_pooled_true_positives_by_hand() -> None:
    found = pool("closest", [trial(0.5, 0.1, 10, (5, 2, 2)), trial(0.5, 0.1, 10, (3, 0, 0))], level=0.95).true_positives
    assert [entry.rate for entry in found] == [0.4, 0.1, 0.1]
    # One of ten non-members may pass at 10%, none below: of 11 exchangeable rows, two or one.
    assert [entry.chance for entry in found] == pytest.approx([2 / 11, 1 / 11, 1 / 11])
    # Twice 10 * 10 / 20 effective rows: Wilson's interval of 4 in 10.
    assert found[0].interval == pytest.approx((0.1682, 0.6873), abs=1e-4)


def test_a_steep_curve_makes_the_rate_less_certain() -> None:
    even = trial(0.5, 0.1, 10, (4, 0, 0))
    steep = dataclasses.replace(even, slopes=(3.0, 1.0, 1.0))
    (low, high), (wide_low, wide_high) = (
        pool("closest", [one], level=0.95).true_positives[0].interval for one in (even, steep)
    )
    # The threshold adds (9 - 1) * 0.1 * 0.9 / 10 to the variance.
    more = 1.9599640**2 * 0.072
    assert wide_low == pytest.approx(max(0.0, 0.4 - math.hypot(0.4 - low, math.sqrt(more))))
    assert wide_high == pytest.approx(min(1.0, 0.4 + math.hypot(high - 0.4, math.sqrt(more))))
    assert wide_low < low < high < wide_high


def test_perfect_separation_of_few_rows_is_not_certain() -> None:
    result = pool("closest", [trial(1.0, 0.0, 30)], level=0.95)
    # Ten rows of the smaller kind, none out of place: Wilson's lower end is 10 / (10 + z^2).
    assert result.interval == pytest.approx((10 / (10 + 1.9599640**2), 1.0))


def test_no_interval_excludes_guessing_where_the_exact_test_does_not() -> None:
    sure = dataclasses.replace(trial(0.6, 0.01, 10), guessing_error=0.0)
    unsure = dataclasses.replace(sure, guessing_error=0.1 / 1.95)
    assert pool("closest", [sure], level=0.95).interval == pytest.approx((0.58040036, 0.61959964))
    assert pool("closest", [unsure], level=0.95).interval == pytest.approx((0.5, 0.61959964))
    assert pool("closest", [dataclasses.replace(unsure, auc=0.61)], level=0.95).interval[0] > 0.59


def test_the_error_of_guessing_knows_ties() -> None:
    none, all_alike = np.arange(30.0), np.zeros(30)
    is_member = np.arange(30) < 10
    assert score_trial(is_member, none).guessing_error == pytest.approx(math.sqrt(31 / (12 * 10 * 20)))
    assert score_trial(is_member, all_alike).guessing_error == 0.0
    # Two groups of 15: of 30^3 - 30, 2 * (15^3 - 15) are tied.
    found = score_trial(is_member, np.repeat([0.0, 1.0], 15)).guessing_error
    assert found == pytest.approx(math.sqrt(31 / 2400 * (1 - 2 * (15**3 - 15) / (30**3 - 30))))


@pytest.mark.parametrize(("hits", "holds_chance"), [(6, True), (7, False)])
def test_hits_of_fresh_rows_by_hand(hits: int, holds_chance: bool) -> None:
    """Ten members and ten non-members, one of whom may pass: how many members does the second non-member leave above?

    Exactly h with probability C(h + 1, 1) C(18 - h, 8) / C(20, 10): of the 20 rows by rank, one of the h + 1 above the
    second non-member is a non-member, and eight of the rows below.
    """
    ways = [math.comb(h + 1, 1) * math.comb(18 - h, 8) for h in range(11)]
    assert sum(ways) == math.comb(20, 10)
    at_least = sum(ways[hits:]) / math.comb(20, 10)
    rate = pool("closest", [trial(0.5, 0.1, 10, (hits, 0, 0))], level=0.95).true_positives[0]
    assert (at_least > 0.025) == holds_chance
    assert (rate.interval[0] <= rate.chance) == holds_chance


def test_the_level_is_shared_by_the_attacks() -> None:
    single = {"closest": trial(0.5, 0.1, 10)}
    assert pooled_attacks([single])[0].level == pytest.approx(0.95)
    both = pooled_attacks([single | {"exact_match": trial(0.5, 0.1, 10)}] * 2)
    assert [(result.attack, result.level) for result in both] == [("closest", 0.975), ("exact_match", 0.975)]


def test_nothing_to_pool_is_refused() -> None:
    with pytest.raises(ValueError, match="no trial to pool"):
        pooled_attacks([])


def test_the_pooled_interval_covers_when_splits_of_one_table_share_their_rows() -> None:
    """One fixed score for each row, members drawn anew for each split: 0.5 is the truth, given the table."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(200):
        scores = rng.standard_exponential(120)
        trials = []
        for _ in range(8):
            judged = rng.permutation(120)[:60]
            trials.append(score_trial(np.arange(60) < 30, scores[judged]))
        held += pool("closest", trials, level=0.95).is_guessing
    assert held >= 186  # 190 expected at the least


# -------------------------------------------------------------------------------------------------------- whole attack


def test_every_attack_catches_a_generator_that_copies() -> None:
    rng = np.random.default_rng(0)
    members, others, reference = rows(150, rng), rows(150, rng), rows(150, rng)
    copies = members.sample(150, random_state=0, ignore_index=True)
    results = membership_attacks(members, others, copies, reference)
    assert [result.attack for result in results] == [*ATTACKS]
    # Scott's bandwidth is wide at 150 rows in ten dimensions; counts of pairs of cells say little of one row.
    blurred = {"domias_kernel", "marginals"}
    for result in results:
        assert result.interval[0] > (0.75 if result.attack in blurred else 0.95), result.attack
        assert result.true_positives[0].rate > (0.4 if result.attack in blurred else 0.95), result.attack


def test_a_generator_that_jitters_its_training_rows_is_caught() -> None:
    rng = np.random.default_rng(1)
    members, others, reference = rows(150, rng), rows(150, rng), rows(150, rng)
    near = members.copy()
    numbers = [f"x{k}" for k in range(8)]
    near[numbers] += 0.1 * rng.normal(size=(150, 8))
    results = {result.attack: result for result in membership_attacks(members, others, near, reference)}
    for name in ("closest", "domias_neighbours", "domias_kernel"):
        assert results[name].interval[0] > 0.8, name
    assert results["exact_match"].auc == 0.5


def test_fresh_rows_are_not_accused() -> None:
    rng = np.random.default_rng(2)
    trials = [attack_trials(*(rows(n, rng) for n in (80, 80, 160, 80))) for _ in range(6)]
    for result in pooled_attacks(trials):
        assert result.is_guessing, result.attack
        assert result.interval[1] - result.interval[0] < 0.3
        assert result.true_positives[0].rate < 0.2


def test_an_attack_is_repeatable_and_knows_no_order_of_synthetic_rows() -> None:
    rng = np.random.default_rng(3)
    members, others, synthetic, reference = (rows(60, rng) for _ in range(4))
    first = membership_attacks(members, others, synthetic, reference)
    assert first == membership_attacks(members, others, synthetic, reference)
    shuffled = membership_attacks(members, others, synthetic.sample(frac=1.0, random_state=0), reference)
    assert [result.auc for result in shuffled] == pytest.approx([result.auc for result in first], abs=1e-9)


def test_too_little_to_judge_is_refused() -> None:
    rng = np.random.default_rng(4)
    frame = rows(10, rng)
    with pytest.raises(DataError, match=r"non_members table has 1 row\(s\); membership attacks need at least two"):
        membership_attacks(frame, frame.head(1), frame, frame)
    with pytest.raises(DataError, match="synthetic table has no rows"):
        membership_attacks(frame, frame, frame.head(0), frame)
    with pytest.raises(DataError, match="lacks 1 column"):
        membership_attacks(frame.drop(columns="c"), frame, frame, frame)
    with pytest.raises(DataError, match="No column is left to attack"):
        membership_attacks(*[pd.DataFrame({"x": [None, None]})] * 4)

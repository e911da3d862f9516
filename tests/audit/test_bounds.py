"""The auditor audited: intervals by hand, mechanisms of known epsilon, and bounds that hold as often as they say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom, norm

from synthgan.audit.bounds import (
    Notion,
    clopper_pearson,
    epsilon_lower_bound,
    gaussian_epsilon,
    gaussian_mu,
    sampled_epsilon,
)
from synthgan.errors import SettingsError
from synthgan.privacy.account.events import budget_at, plan_order, zcdp_epsilon

DELTA = 1e-5


def gaussian_scores(mu: float, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 1, n), rng.normal(mu, 1, n)


def test_clopper_pearson_by_hand() -> None:
    low, high = clopper_pearson(0, 10, 0.05)
    assert low == 0
    assert high == pytest.approx(1 - 0.05**0.1)
    low, high = clopper_pearson(10, 10, 0.05)
    assert low == pytest.approx(0.05**0.1)
    assert high == 1
    low, high = clopper_pearson(3, 20, 0.025)
    assert binom.sf(2, 20, low) == pytest.approx(0.025)
    assert binom.cdf(3, 20, high) == pytest.approx(0.025)


@pytest.mark.parametrize("wrong", [(-1, 5, 0.1), (6, 5, 0.1), (0, 0, 0.1), (1, 5, 0.0), (1, 5, 1.0)])
def test_impossible_counts_are_refused(wrong: tuple[int, int, float]) -> None:
    with pytest.raises(SettingsError, match="limits of a probability"):
        clopper_pearson(*wrong)


def test_a_perfect_attack_by_hand() -> None:
    """20 judged runs of each kind, all told apart: the two limits are 0.025 ** (1 / 20) and its complement."""
    bound = epsilon_lower_bound([0.0] * 40, [1.0] * 40, delta=DELTA)
    limit = 0.025 ** (1 / 20)
    assert (bound.false_positives, bound.true_positives) == ((0, 20), (20, 20))
    assert bound.epsilon == pytest.approx(math.log((limit - DELTA) / (1 - limit)))
    assert not bound.below


def test_low_scores_may_tell_of_the_canary_too() -> None:
    bound = epsilon_lower_bound([1.0] * 40, [0.0] * 40, delta=DELTA)
    assert bound.below
    assert bound.epsilon == epsilon_lower_bound([0.0] * 40, [1.0] * 40, delta=DELTA).epsilon


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_what_a_gap_keeps_apart_is_told_apart(sign: float) -> None:
    """The cut is in the middle of the gap: runs that are judged may score a little less than those it was chosen by."""
    chosen, judged = [5.0, 6.0] * 10, [4.0, 9.0] * 10
    bound = epsilon_lower_bound([0.0, 1.0] * 20, [sign * score for score in (*chosen, *judged)], delta=DELTA)
    assert bound.true_positives == (20, 20)
    assert bound.threshold == pytest.approx(3.0 if sign > 0 else -2.5)


@pytest.mark.parametrize("neighbours", [(-math.inf, math.inf), (1.0, math.nextafter(1.0, 2.0)), (-1.7e308, 1.7e308)])
def test_scores_without_a_number_midway_are_told_apart(neighbours: tuple[float, float]) -> None:
    bound = epsilon_lower_bound([neighbours[0]] * 40, [neighbours[1]] * 40, delta=DELTA)
    assert (bound.false_positives, bound.true_positives) == ((0, 20), (20, 20))


def test_a_rare_miss_counts_as_much_as_a_rare_alarm() -> None:
    """Of the neighbours' runs none scores 0, of the others half do: TNR / FNR, where TPR / FPR is only 2."""
    zeros_and_ones = [0.0, 1.0] * 200
    bound = epsilon_lower_bound(zeros_and_ones, [1.0] * 400, delta=0.0)
    alarms, miss = clopper_pearson(100, 200, 0.025)[1], 0.025 ** (1 / 200)
    assert bound.epsilon == pytest.approx(math.log((1 - alarms) / (1 - miss)))


@pytest.mark.parametrize("notion", ["approximate", "zcdp", "gaussian"])
def test_scores_that_say_nothing_prove_nothing(notion: Notion) -> None:
    scores = np.random.default_rng(0).normal(0, 1, 2000)
    assert epsilon_lower_bound(scores[:1000], scores[1000:], delta=DELTA, notion=notion).epsilon < 0.05
    assert epsilon_lower_bound([1.0] * 50, [1.0] * 50, delta=DELTA, notion=notion).epsilon == 0


@pytest.mark.parametrize("epsilon", [1.0, 4.0])
@pytest.mark.parametrize(
    ("notion", "n_runs"), [("approximate", 2_500_000), ("gaussian", 20_000)], ids=["approximate", "gaussian"]
)
def test_most_of_epsilon_is_recovered_from_a_bare_gaussian(epsilon: float, notion: Notion, n_runs: int) -> None:
    """At least 70%: without assumptions from millions of runs, by the Gaussian trade-off from ten thousands."""
    mu = gaussian_mu(epsilon, DELTA)
    bound = epsilon_lower_bound(*gaussian_scores(mu, n_runs, seed=3), delta=DELTA, notion=notion)
    assert 0.7 * epsilon <= bound.epsilon <= epsilon


@pytest.mark.parametrize("epsilon", [1.0, 4.0])
def test_most_of_epsilon_is_recovered_from_a_zcdp_gaussian(epsilon: float) -> None:
    """As the ledger accounts for it: rho from epsilon, and epsilon from the bound of rho."""
    order = plan_order(epsilon, DELTA)
    rho = budget_at(epsilon, DELTA, order) / order
    assert zcdp_epsilon(rho, DELTA) == pytest.approx(epsilon, rel=1e-4)
    bound = epsilon_lower_bound(*gaussian_scores(math.sqrt(2 * rho), 60_000, seed=4), delta=DELTA, notion="zcdp")
    assert 0.7 * epsilon <= bound.epsilon <= epsilon


def test_bounds_hold_as_often_as_they_say() -> None:
    """At 80% confidence no more than 20% of audits may exceed the truth; each of the two limits takes half of that."""
    mu, n_audits = gaussian_mu(1.0, DELTA), 200
    for notion, truth in (("approximate", 1.0), ("gaussian", 1.0), ("zcdp", zcdp_epsilon(mu**2 / 2, DELTA))):
        wrong = [
            epsilon_lower_bound(*gaussian_scores(mu, 200, seed), delta=DELTA, confidence=0.8, notion=notion).epsilon  # type: ignore[arg-type]
            > truth
            for seed in range(n_audits)
        ]
        assert np.mean(wrong) <= 0.2 + 2 * math.sqrt(0.2 * 0.8 / n_audits)


def test_randomised_response_is_told_exactly() -> None:
    """It has epsilon 1, is no Gaussian, and no bound that needs no Gaussian may exceed it."""
    rng, truth = np.random.default_rng(0), math.e / (1 + math.e)
    without, with_ = rng.random(40_000) > truth, rng.random(40_000) < truth
    bound = epsilon_lower_bound(without, with_, delta=0.0)
    assert 0.95 < bound.epsilon < 1.0
    as_gaussian = epsilon_lower_bound(without, with_, delta=DELTA, notion="gaussian")
    assert as_gaussian.epsilon > 4, "what is assumed matters"


@pytest.mark.parametrize("rate", [1.0, 0.25])
def test_a_sampled_gaussian_is_told_and_never_overstated(rate: float) -> None:
    """The canary is given with a probability: the notion that knows it recovers most, and no honest run passes it."""
    rng, mu, n = np.random.default_rng(5), 3.0, 20_000
    truth = sampled_epsilon(mu, DELTA, rate)
    without, with_ = rng.normal(0, 1, n), rng.normal(0, 1, n) + mu * (rng.random(n) < rate)
    bound = epsilon_lower_bound(without, with_, delta=DELTA, notion="sampled", sampling_rate=rate)
    assert 0.7 * truth < bound.epsilon < truth
    twice = rng.normal(0, 1, n) + mu * (rng.random(n) < min(1.0, 2 * rate))
    beyond = epsilon_lower_bound(without, twice, delta=DELTA, notion="sampled", sampling_rate=rate).epsilon
    assert beyond > 3 * truth or rate == 1


def test_sampled_epsilon_by_hand() -> None:
    """Delta straight from the tails: the mixture's less ``exp(epsilon)`` times that of noise, at the best threshold."""
    for mu, rate, epsilon in ((1.0, 0.5, 1.0), (3.0, 0.25, 6.0), (0.5, 0.1, 0.1)):
        own = math.log1p(math.expm1(epsilon) / rate)
        cut = own / mu + mu / 2
        mixture = (1 - rate) * norm.sf(cut) + rate * norm.sf(cut - mu)
        delta = mixture - math.exp(epsilon) * norm.sf(cut)
        assert sampled_epsilon(mu, delta, rate) == pytest.approx(epsilon, rel=1e-5)
    assert sampled_epsilon(2.0, DELTA, 1.0) == pytest.approx(gaussian_epsilon(2.0, DELTA))
    assert sampled_epsilon(2.0, 0.3, 0.25) == 0, "with probability 0.25 nothing at all is promised"


def test_sampling_bounds_hold_as_often_as_they_say() -> None:
    rng, truth = np.random.default_rng(6), sampled_epsilon(2.0, DELTA, 0.25)
    wrong = []
    for _ in range(200):
        without, with_ = rng.normal(0, 1, 200), rng.normal(0, 1, 200) + 2.0 * (rng.random(200) < 0.25)
        found = epsilon_lower_bound(
            without, with_, delta=DELTA, confidence=0.8, notion="sampled", sampling_rate=0.25
        ).epsilon
        wrong.append(found > truth)
    assert np.mean(wrong) <= 0.2 + 2 * math.sqrt(0.2 * 0.8 / 200)


def test_gaussian_epsilon_by_hand() -> None:
    """Delta of a Gaussian, straight from the two error functions."""
    for mu, epsilon in ((0.3, 1.0), (1.0, 4.0), (3.0, 12.0)):
        delta = norm.cdf(mu / 2 - epsilon / mu) - math.exp(epsilon) * norm.cdf(-mu / 2 - epsilon / mu)
        assert gaussian_epsilon(mu, delta) == pytest.approx(epsilon, rel=1e-5)
        assert gaussian_mu(epsilon, delta) == pytest.approx(mu, rel=1e-5)
    assert gaussian_epsilon(0.0, DELTA) == gaussian_epsilon(1e-9, DELTA) == 0
    assert gaussian_epsilon(1.0, 0.0) == math.inf
    assert zcdp_epsilon(0.0, DELTA) == 0
    assert zcdp_epsilon(0.1, 0.0) == math.inf


@pytest.mark.parametrize(
    ("without", "with_", "options", "text"),
    [
        ([1.0] * 3, [1.0] * 9, {}, "at least four runs"),
        ([1.0, 2.0, 3.0, math.nan], [1.0] * 9, {}, "not a number"),
        ([1.0] * 9, [1.0] * 9, {"delta": 1.0}, "delta must be"),
        ([1.0] * 9, [1.0] * 9, {"confidence": 1.0}, "delta must be"),
        ([1.0] * 9, [1.0] * 9, {"notion": "pure"}, "delta must be"),
        ([1.0] * 9, [1.0] * 9, {"notion": "sampled", "sampling_rate": 0.0}, "sampling_rate must be"),
    ],
)
def test_what_cannot_be_judged_is_refused(without, with_, options, text) -> None:
    with pytest.raises(SettingsError, match=text):
        epsilon_lower_bound(without, with_, **{"delta": DELTA, **options})


def test_a_gaussian_of_no_epsilon_is_refused() -> None:
    for epsilon, delta in ((0.0, DELTA), (1.0, 0.0), (1.0, 1.0)):
        with pytest.raises(SettingsError, match="epsilon above 0"):
            gaussian_mu(epsilon, delta)

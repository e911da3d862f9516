"""Auditing with one run: the paper's own figures, binomials by hand, randomised response and Gaussian noise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from synthgan.audit.bounds import gaussian_mu
from synthgan.audit.canaries import one_run_audit
from synthgan.audit.one_run import one_run_bound, one_run_epsilon, one_run_p_value
from synthgan.errors import SettingsError


@pytest.mark.parametrize(
    ("counts", "delta", "published"), [((1000, 100, 75), 1e-4, 0.673), ((100_000, 1510, 1439), 1e-5, 2.675)]
)
def test_the_figures_that_the_paper_prints(counts: tuple[int, int, int], delta: float, published: float) -> None:
    """Appendix D and section 7 of arXiv 2305.08846, 95% confidence; one is rounded there, the other cut off."""
    assert one_run_epsilon(*counts, delta=delta) == pytest.approx(published, abs=1e-3)


def test_without_delta_it_is_a_binomial_tail() -> None:
    p_value = one_run_p_value(10, 3, 3, epsilon=math.log(3), delta=0.0)
    assert p_value == pytest.approx(0.75**3)
    assert one_run_epsilon(10, 3, 3, delta=0.0, confidence=1 - 0.75**3) == pytest.approx(math.log(3), abs=1e-6)


def test_the_term_of_delta_by_hand() -> None:
    """Two guesses, both right: P[W = 1] / 1 = 3/8 against P[W >= 0, W < 2] / 2 = 7/32; so 2 m delta 3/8 is added."""
    p_value = one_run_p_value(4, 2, 2, epsilon=math.log(3), delta=0.01)
    assert p_value == pytest.approx(9 / 16 + 2 * 4 * 0.01 * 3 / 8)
    assert one_run_p_value(4, 2, 0, epsilon=1.0, delta=0.01) == 1


def test_p_values_rise_with_epsilon_and_delta() -> None:
    values = [one_run_p_value(500, 80, 66, epsilon=e, delta=1e-5) for e in np.linspace(0, 4, 30)]
    assert (np.diff(values) > 0).all()
    assert one_run_epsilon(500, 80, 66, delta=1e-3) < one_run_epsilon(500, 80, 66, delta=1e-5)
    assert one_run_epsilon(500, 80, 66, delta=1e-5) < one_run_epsilon(500, 80, 66, delta=0.0)


def test_guesses_are_made_where_scores_are_most_telling() -> None:
    included = np.array([True, False, True, False, False, True])
    scores = np.array([3.0, -1.0, 0.2, 0.1, 2.0, 0.0])
    bound = one_run_bound(included, scores, n_guesses=4, delta=0.0)
    assert (bound.n_canaries, bound.n_guesses, bound.n_correct) == (6, 4, 2)


@pytest.mark.parametrize("epsilon", [1.0, 4.0])
def test_randomised_response_is_recovered(epsilon: float) -> None:
    rng = np.random.default_rng(1)
    coins = rng.random(4000) < 0.5
    told = np.where(rng.random(4000) < 1 / (1 + math.exp(-epsilon)), coins, ~coins)
    scores = told + 0.01 * rng.random(4000)
    bound = one_run_bound(coins, scores, n_guesses=2 * int(min(told.sum(), (~told).sum())), delta=0.0)
    assert 0.8 * epsilon < bound.epsilon <= epsilon


def test_bounds_hold_as_often_as_they_say() -> None:
    """Randomised response is the worst case: at 80% confidence a fifth of its audits may exceed the truth, no more."""
    rng = np.random.default_rng(2)
    right = rng.binomial(200, 1 / (1 + math.exp(-1.0)), 300)
    wrong = [one_run_epsilon(200, 200, int(v), delta=0.0, confidence=0.8) > 1.0 for v in right]
    assert np.mean(wrong) <= 0.2


def test_gaussian_noise_is_never_overrated_and_told_in_part() -> None:
    rng = np.random.default_rng(3)
    mu = gaussian_mu(4.0, 1e-5)
    coins = rng.random(2000) < 0.5
    bound = one_run_bound(coins, mu * coins + rng.normal(0, 1, 2000), n_guesses=200, delta=1e-5)
    assert 1.0 < bound.epsilon < 4.0


def test_the_critic_gives_its_canaries_away_only_so_far() -> None:
    """Scores of the attacker, through the real DP-SGD critic: telling at epsilon 8, and no more than claimed at 0.5.

    Noise of epsilon 8 proves more than 0.5, so too little of it at a claim of 0.5 would be found out.
    """
    assert one_run_audit(8.0, 1e-5, n_canaries=400, n_updates=2, confidence=0.99).epsilon > 0.5
    assert one_run_audit(0.5, 1e-5, n_canaries=400, n_updates=2, confidence=0.999).epsilon <= 0.5


def test_what_makes_no_sense_is_refused() -> None:
    coins, scores = np.array([True, False]), np.array([1.0, 2.0])
    with pytest.raises(SettingsError, match="a coin and a score"):
        one_run_bound(coins, np.array([1.0, math.nan]), n_guesses=2, delta=0.0)
    with pytest.raises(SettingsError, match="even number"):
        one_run_bound(coins, scores, n_guesses=1, delta=0.0)
    with pytest.raises(SettingsError, match="even number"):
        one_run_bound(coins, scores, n_guesses=4, delta=0.0)
    with pytest.raises(SettingsError, match="counts must obey"):
        one_run_p_value(4, 5, 2, epsilon=1.0, delta=0.0)
    with pytest.raises(SettingsError, match="epsilon must be"):
        one_run_p_value(4, 3, 2, epsilon=-1.0, delta=0.0)
    with pytest.raises(SettingsError, match="confidence"):
        one_run_epsilon(4, 3, 2, delta=0.0, confidence=1.0)

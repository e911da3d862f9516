"""Auditing with one run: many canaries at once, each included by a fair coin, and guesses which of them were.

Steinke, Nasr and Jagielski 2023, "Privacy Auditing with One (1) Training Run". A private mechanism lets nobody guess
many independent coins much better than randomised response would.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from synthgan.audit.bounds import CONFIDENCE
from synthgan.errors import SettingsError

_LARGEST_EPSILON = 64.0


@dataclass(frozen=True, kw_only=True, slots=True)
class OneRunBound:
    """What guesses about canaries prove.

    Attributes:
        epsilon: the mechanism's epsilon at ``delta`` is at least this.
        delta: see ``epsilon``.
        confidence: probability, over the coins, with which the bound holds.
        n_canaries: coins.
        n_guesses: coins that were guessed at; the attacker abstained from the others.
        n_correct: guesses that were right.
    """

    epsilon: float
    delta: float
    confidence: float
    n_canaries: int
    n_guesses: int
    n_correct: int


def one_run_bound(
    included: npt.NDArray[np.bool_],
    scores: npt.NDArray[np.float64],
    *,
    n_guesses: int,
    delta: float,
    confidence: float = CONFIDENCE,
) -> OneRunBound:
    """Guess the canaries with the most telling scores, and bound epsilon by how often that was right.

    Args:
        included: ``(n_canaries,)``, the coins.
        scores: ``(n_canaries,)``, large where the attacker believes that the canary was included. Must not be made
            with the coins in sight.
        n_guesses: even number of guesses: half of them "included", on the highest scores, the other half "left out",
            on the lowest. To be fixed before the scores are known.
        delta: at which epsilon is bounded.
        confidence: of the bound.

    Raises:
        SettingsError: when shapes differ, scores are not numbers, or a number is out of range.
    """
    coins, marks = np.asarray(included, dtype=bool), np.asarray(scores, dtype=np.float64)
    if coins.ndim != 1 or coins.shape != marks.shape or np.isnan(marks).any():
        raise SettingsError("each canary needs a coin and a score that is a number.")
    if isinstance(n_guesses, bool) or n_guesses % 2 or not 0 < n_guesses <= len(coins):
        raise SettingsError("n_guesses must be an even number above 0, of at most the number of canaries.")
    order = np.argsort(marks, kind="stable")
    half = n_guesses // 2
    n_correct = int(coins[order[len(order) - half :]].sum() + (~coins[order[:half]]).sum())
    return OneRunBound(
        epsilon=one_run_epsilon(len(coins), n_guesses, n_correct, delta=delta, confidence=confidence),
        delta=delta,
        confidence=confidence,
        n_canaries=len(coins),
        n_guesses=n_guesses,
        n_correct=n_correct,
    )


def one_run_p_value(n_canaries: int, n_guesses: int, n_correct: int, *, epsilon: float, delta: float) -> float:
    """Largest probability with which an (epsilon, delta)-private mechanism lets so many guesses be right.

    With ``W`` binomial of ``n_guesses`` trials at ``exp(epsilon) / (1 + exp(epsilon))``, it is
    ``P[W >= n_correct] + 2 m delta max_i P[n_correct > W >= n_correct - i] / i`` (Theorem 5.2 and Corollary 5.4 of the
    paper; ``m`` is ``n_canaries``, ``i`` runs from 1).

    Raises:
        SettingsError: when the numbers are no such counts, epsilon is negative or delta outside [0, 1].
    """
    if not 0 <= n_correct <= n_guesses <= n_canaries or n_canaries < 1:
        raise SettingsError("the counts must obey 0 <= n_correct <= n_guesses <= n_canaries, and n_canaries >= 1.")
    if not epsilon >= 0 or not 0 <= delta <= 1:
        raise SettingsError("epsilon must be at least 0 and delta in [0, 1].")
    accuracy = 1 / (1 + math.exp(-epsilon))
    p_value = float(binom.sf(n_correct - 1, n_guesses, accuracy))
    if delta > 0 and n_correct > 0:
        below = np.cumsum(binom.pmf(np.arange(n_correct - 1, -1, -1), n_guesses, accuracy))
        p_value += 2 * n_canaries * delta * float((below / np.arange(1, n_correct + 1)).max())
    return min(p_value, 1.0)


def one_run_epsilon(
    n_canaries: int, n_guesses: int, n_correct: int, *, delta: float, confidence: float = CONFIDENCE
) -> float:
    """The largest epsilon that so many right guesses rule out; 0 when they rule out none.

    Raises:
        SettingsError: when a number is out of range.
    """
    if not 0 < confidence < 1:
        raise SettingsError("confidence must be in (0, 1).")

    def ruled_out(epsilon: float) -> bool:
        p_value = one_run_p_value(n_canaries, n_guesses, n_correct, epsilon=epsilon, delta=delta)
        return p_value < 1 - confidence

    if not ruled_out(0.0):
        return 0.0
    low, high = 0.0, 1.0
    while ruled_out(high) and high < _LARGEST_EPSILON:
        low, high = high, 2 * high
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if ruled_out(middle) else (low, middle)
    return low

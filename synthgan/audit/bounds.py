"""Lower bounds of epsilon from what an attacker found out: the statistics of an audit, which knows no mechanism.

A distinguishing game is played many times: a mechanism runs on a table or on its neighbour, and an attacker scores what
it released. Thresholds on the scores are tests; a private mechanism bounds how good any test can be, so a good test
bounds epsilon from below (Jagielski, Ullman and Oprea 2020, "Auditing Differentially Private Machine Learning"; Nasr et
al. 2021, "Adversary Instantiation"). Rates are bounded by Clopper and Pearson's exact intervals, and the threshold is
chosen on other runs than those it is judged by.

Four notions, which differ in what is assumed of the mechanism:

- ``approximate``: nothing but (epsilon, delta). Always valid; with few runs it stays far below the truth, because the
  promise is about rare events.
- ``zcdp``: the mechanism is rho-zCDP, as discrete Gaussians and their compositions are. The two rates are a mechanism's
  output like any other, so their Renyi divergence is at most ``alpha * rho`` at every order (data processing); the
  bound of rho is converted to epsilon as the ledger converts it. This refutes a claim that was made by zCDP.
- ``gaussian``: the mechanism is as hard to see through as a Gaussian of some mu (Nasr et al. 2023, "Tight Auditing of
  Differentially Private Machine Learning"). The tightest; true of Gaussian noise, at odds with other mechanisms.
- ``sampled``: the mechanism is as hard to see through as such a Gaussian that is given the canary with a known
  probability only, once, as DP-SGD's event says of an update. What is beyond that probability refutes the event,
  whatever the noise.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import betaincinv, log_ndtr, ndtr, ndtri

from synthgan.errors import SettingsError
from synthgan.privacy.account.events import zcdp_epsilon

Notion: TypeAlias = Literal["approximate", "zcdp", "gaussian", "sampled"]

CONFIDENCE = 0.95
"""Confidence of a lower bound, unless asked for another."""

MOST_THRESHOLDS = 400
"""Thresholds tried at most, evenly spread over the ranks of the scores and, more closely, over both tails."""

MOST_MU = 40.0
"""What a bound says where no Gaussian could have told the canary so often; its epsilon is beyond 800."""

_OFFSETS = np.geomspace(0.02, 1e6, 4000)
"""Renyi orders less 1, at which two rates are compared."""

_Rates: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class LowerBound:
    """What a distinguishing attack proves of a mechanism.

    Attributes:
        epsilon: the mechanism's epsilon at ``delta`` is at least this.
        notion: what is assumed of the mechanism, see the module's text.
        delta: see ``epsilon``.
        confidence: probability, over the runs, with which the bound holds.
        threshold: scores of at least this (at most, where ``below``) were called "with the canary"; midway between
            neighbouring scores of the runs that chose it, or one of these scores.
        below: whether low scores tell of the canary.
        false_positives: of the judged runs without the canary, how many were called "with", and how many there were.
        true_positives: of the judged runs with the canary, likewise.
    """

    epsilon: float
    notion: Notion
    delta: float
    confidence: float
    threshold: float
    below: bool
    false_positives: tuple[int, int]
    true_positives: tuple[int, int]


def clopper_pearson(successes: int, n_trials: int, error: float) -> tuple[float, float]:
    """Exact one-sided limits of a probability, lower and upper, each wrong with probability ``error`` at most.

    Raises:
        SettingsError: when the numbers are no counts, or ``error`` lies outside (0, 1).
    """
    if not 0 <= successes <= n_trials or n_trials < 1 or not 0 < error < 1:
        raise SettingsError("limits of a probability need 0 <= successes <= n_trials, n_trials >= 1 and 0 < error < 1.")
    counts = np.array([float(successes)])
    return float(_lowest(counts, n_trials, error)[0]), float(_highest(counts, n_trials, error)[0])


def epsilon_lower_bound(
    without: Sequence[float] | npt.NDArray[np.float64],
    with_: Sequence[float] | npt.NDArray[np.float64],
    *,
    delta: float,
    confidence: float = CONFIDENCE,
    notion: Notion = "approximate",
    sampling_rate: float = 1.0,
) -> LowerBound:
    """The lower bound of epsilon that two samples of scores prove.

    Args:
        without: ``(n,)`` scores of runs on a table, in the order of the runs.
        with_: ``(m,)`` scores of runs on its neighbour.
        delta: at which epsilon is bounded.
        confidence: of the bound.
        notion: what is assumed of the mechanism, see the module's text.
        sampling_rate: of the notion ``sampled``.

    The first half of the runs chooses threshold and direction, the second half is judged. All runs of either table
    must be independent of each other. The rate of false alarms is bounded from above and that of hits from below, each
    with half of the error; both of ``log((hits - delta) / false alarms)`` and the same of the complementary events then
    hold at once, and the larger counts.

    Raises:
        SettingsError: with fewer than four runs of either table, scores that are not numbers, or numbers out of range.
    """
    samples = [np.asarray(scores, dtype=np.float64) for scores in (without, with_)]
    if any(scores.ndim != 1 or len(scores) < 4 for scores in samples):
        raise SettingsError("a lower bound needs the scores of at least four runs on each of the two tables.")
    if any(np.isnan(scores).any() for scores in samples):
        raise SettingsError("a score is not a number; an attacker has to say something about every run.")
    if not 0 <= delta < 1 or not 0 < confidence < 1 or notion not in get_args(Notion):
        raise SettingsError(
            f"delta must be in [0, 1), confidence in (0, 1) and notion one of {', '.join(get_args(Notion))}."
        )
    if not 0 < sampling_rate <= 1:
        raise SettingsError(f"sampling_rate must be in (0, 1], got {sampling_rate!r}.")
    judge = functools.partial(_bounds, delta=delta, notion=notion, sampling_rate=sampling_rate)
    chosen = [scores[: len(scores) // 2] for scores in samples]
    judged = [scores[len(scores) // 2 :] for scores in samples]
    error = (1 - confidence) / 2
    best, threshold, below = -1.0, 0.0, False
    for turned in (False, True):
        sign = -1.0 if turned else 1.0
        places = _thresholds(sign * np.concatenate(chosen))
        counts = [_at_least(sign * part, places) for part in chosen]
        # Of many thresholds the luckiest would win, far out where counts are small, if all limits did not hold at once.
        limits = error / (2 * len(places))
        found = judge(counts[0], counts[1], _sizes(chosen), error=limits)
        # Where half the runs prove nothing, or as much at many thresholds, what tells most of them apart is best.
        found = found + 1e-9 * (counts[1] / len(chosen[1]) - counts[0] / len(chosen[0]))
        if found.max() > best:
            best, threshold, below = float(found.max()), sign * float(places[found.argmax()]), turned
    sign = -1.0 if below else 1.0
    hits = [_at_least(sign * part, np.array([sign * threshold])) for part in judged]
    epsilon = float(judge(hits[0], hits[1], _sizes(judged), error=error)[0])
    false, true = ((int(hit[0]), len(part)) for hit, part in zip(hits, judged, strict=True))
    return LowerBound(
        epsilon=epsilon,
        notion=notion,
        delta=delta,
        confidence=confidence,
        threshold=threshold,
        below=below,
        false_positives=false,
        true_positives=true,
    )


def gaussian_epsilon(mu: float, delta: float) -> float:
    """The epsilon, at ``delta``, of a Gaussian whose two means lie ``mu`` standard deviations apart.

    Balle and Wang 2018, "Improving the Gaussian Mechanism for Differential Privacy", Theorem 8; Dong, Roth and Su 2022,
    "Gaussian Differential Privacy", Corollary 1.
    """
    if mu <= 0:
        return 0.0
    if delta <= 0:
        return math.inf

    def excess(epsilon: float) -> float:
        tail = math.exp(min(epsilon + float(log_ndtr(-mu / 2 - epsilon / mu)), 0.0))
        return float(ndtr(mu / 2 - epsilon / mu)) - tail - delta

    if excess(0.0) <= 0:
        return 0.0
    high = 1.0
    while excess(high) > 0:
        high *= 2
    return float(brentq(excess, 0.0, high, xtol=1e-9))


def sampled_epsilon(mu: float, delta: float, sampling_rate: float) -> float:
    """The epsilon, at ``delta``, of a Gaussian of `mu` that is given the canary with probability ``sampling_rate``.

    Of the two directions, that in which a hit tells of the canary: ``log(1 + rate * (exp(e) - 1))`` with ``e`` the
    Gaussian's own epsilon at ``delta / rate`` (Balle, Barthe and Gaboardi 2018, "Privacy Amplification by
    Subsampling", Theorem 8).
    """
    if delta >= sampling_rate:
        return 0.0
    own = gaussian_epsilon(mu, delta / sampling_rate)
    return own + math.log(sampling_rate - (sampling_rate - 1) * math.exp(-own))


def gaussian_mu(epsilon: float, delta: float) -> float:
    """The largest mu with which a Gaussian is (epsilon, delta)-private; inverse of `gaussian_epsilon`.

    Raises:
        SettingsError: when epsilon or delta is not above 0.
    """
    if not epsilon > 0 or not 0 < delta < 1:
        raise SettingsError("a Gaussian mechanism needs an epsilon above 0 and a delta in (0, 1).")
    high = 1.0
    while gaussian_epsilon(high, delta) < epsilon:
        high *= 2
    return float(brentq(lambda mu: gaussian_epsilon(mu, delta) - epsilon, 1e-9, high, xtol=1e-12))


def _sizes(samples: Sequence[_Rates]) -> tuple[int, int]:
    return len(samples[0]), len(samples[1])


def _thresholds(scores: _Rates) -> _Rates:
    """Values to cut at: the least that occurs, and midway between neighbours, all or those at well-spread ranks.

    A cut at a score itself would call new ones just below it the other side's, however far that is.
    """
    found = np.unique(scores)
    with np.errstate(invalid="ignore"):
        middle = found[:-1] / 2 + found[1:] / 2
    cuts = np.concatenate((found[:1], np.where(np.isfinite(middle) & (middle > found[:-1]), middle, found[1:])))
    if len(cuts) <= MOST_THRESHOLDS:
        return cuts
    last = len(cuts) - 1
    steps = np.unique(np.geomspace(1, last, MOST_THRESHOLDS // 4).astype(np.int64))
    even = np.linspace(0, last, MOST_THRESHOLDS // 2).astype(np.int64)
    return cuts[np.unique(np.concatenate((even, steps, last - steps)))]


def _at_least(scores: _Rates, places: _Rates) -> _Rates:
    """How many scores reach each place."""
    return (len(scores) - np.searchsorted(np.sort(scores), places, side="left")).astype(np.float64)


def _lowest(successes: _Rates, n_trials: int, error: float) -> _Rates:
    inner = betaincinv(np.maximum(successes, 1), n_trials - successes + 1, error)
    limits: _Rates = np.where(successes > 0, inner, 0.0)
    return limits


def _highest(successes: _Rates, n_trials: int, error: float) -> _Rates:
    inner = betaincinv(successes + 1, np.maximum(n_trials - successes, 1), 1 - error)
    limits: _Rates = np.where(successes < n_trials, inner, 1.0)
    return limits


def _bounds(
    false: _Rates,
    true: _Rates,
    n_runs: tuple[int, int],
    *,
    error: float,
    delta: float,
    notion: Notion,
    sampling_rate: float,
) -> _Rates:
    """Lower bound of epsilon for each threshold; ``n_runs`` without the canary and with it."""
    high, low = _highest(false, n_runs[0], error), _lowest(true, n_runs[1], error)
    if notion == "approximate":
        return np.maximum(_log_ratio(low - delta, high), _log_ratio(1 - high - delta, 1 - low))
    if notion == "gaussian":
        return np.array([gaussian_epsilon(float(mu), delta) for mu in ndtri(low) - ndtri(high)])
    if notion == "sampled":
        # Without the canary nothing but noise gives an alarm; with it, hits beyond those are for when it was given.
        given = (low - (1 - sampling_rate) * high) / sampling_rate
        mus = np.where(given < 1, ndtri(np.clip(given, 0, 1)) - ndtri(high), MOST_MU)
        return np.array([sampled_epsilon(min(float(mu), MOST_MU), delta, sampling_rate) for mu in mus])
    return np.array([zcdp_epsilon(_least_rho(p, q), delta) for p, q in zip(low, high, strict=True)])


def _log_ratio(above: _Rates, below: _Rates) -> _Rates:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(np.maximum(above, 0.0) / below)
    bounded: _Rates = np.where((above > 0) & (ratio > 0), ratio, 0.0)
    return bounded


def _least_rho(p: float, q: float) -> float:
    """The least rho of a mechanism with an event of probability ``p`` on a table, and ``q < p`` on its neighbour."""
    if not p > q:
        return 0.0
    pairs = ((p, q), (q, p))
    return max(_most_per_order(np.array([a, 1 - a]), np.array([b, 1 - b])) for a, b in pairs)


def _most_per_order(first: _Rates, second: _Rates) -> float:
    """``max over alpha > 1`` of the Renyi divergence of two laws of two values, over alpha."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(first) - np.log(second)
        weight = np.log(first)[:, None] + _OFFSETS * ratio[:, None]
    weight[first == 0] = -np.inf
    highest = weight.max(0)
    divergence = (highest + np.log(np.exp(weight - highest).sum(0))) / _OFFSETS
    return float((divergence / (1 + _OFFSETS)).max())

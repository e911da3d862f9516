"""Membership inference: can an attacker tell from synthetic rows which real rows they were made from?

The attacks are those of the literature on generated data. Each sees the synthetic rows, reference rows of the same
population that the generator never saw, and the rows to be judged; never the generator. They are run against rows whose
answer is known: members (training rows) and non-members (fresh rows). An area of 0.5 is guessing.

That these attacks fail is no proof of privacy: it bounds them, on these rows, and no other attack. An attacker with the
model, with many draws from it or with shadow models of his own may do better.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.signal import fftconvolve
from scipy.stats import betabinom, norm

from synthgan.errors import DataError
from synthgan.evaluation.compared.compared_tables import Floats, compare
from synthgan.evaluation.compared.intervals import roc_auc, wilson
from synthgan.evaluation.membership.attacks import ATTACKS, attacker_view

FALSE_POSITIVE_RATES = (0.1, 0.01, 0.001)
"""At which the true positive rate is read."""

FAMILY_ERROR = 0.05
"""Chance that any one of the attacks' intervals misses, at most."""

FALSE_POSITIVES_NEEDED = 10
"""A true positive rate is worth showing where the non-members let through are at least so many."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AttackTrial:
    """One attack on one synthetic table.

    Attributes:
        auc: area under the ROC curve, members against non-members; ties count half.
        standard_error: of the area (DeLong et al. 1988).
        n_members: members judged.
        n_non_members: non-members judged.
        hits: per entry of `FALSE_POSITIVE_RATES`, members found at a threshold that at most this share of the
            non-members passes.
        slopes: per entry of `FALSE_POSITIVE_RATES`, of the ROC curve between half and twice that rate.
        guessing_error: standard error that the area has where nothing leaks (Mann and Whitney 1947, with ties).
    """

    auc: float
    standard_error: float
    n_members: int
    n_non_members: int
    hits: tuple[int, ...]
    slopes: tuple[float, ...] = (1.0,) * len(FALSE_POSITIVE_RATES)
    guessing_error: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class TruePositives:
    """Members found at one false positive rate.

    Attributes:
        false_positive_rate: the largest share of the non-members allowed through, of each trial's.
        rate: share of the members found.
        interval: of the rate.
        chance: the rate an attack would have if members were fresh rows. Above ``false_positive_rate`` where the
            non-members are few: even a threshold that none of n passes lets 1 in n + 1 fresh rows through.
    """

    false_positive_rate: float
    rate: float
    interval: tuple[float, float]
    chance: float


@dataclass(frozen=True, kw_only=True, slots=True)
class AttackResult:
    """One attack over one or more trials.

    Attributes:
        attack: key in `ATTACKS`.
        auc: area under the ROC curve; over several trials the mean, weighted by pairs compared.
        interval: of the area, at ``level``.
        level: of each interval; 1 - 0.05 / (number of attacks), so that those of all attacks hold at once with 95%.
        row_error: standard error of the area from the rows of each trial.
        split_error: standard error from how the trials differ; None for a single trial.
        n_trials: synthetic tables attacked.
        n_members: members judged, over all trials.
        n_non_members: non-members judged, over all trials.
        true_positives: one entry for each of `FALSE_POSITIVE_RATES`.
    """

    attack: str
    auc: float
    interval: tuple[float, float]
    level: float
    row_error: float
    split_error: float | None
    n_trials: int
    n_members: int
    n_non_members: int
    true_positives: tuple[TruePositives, ...]

    @property
    def is_guessing(self) -> bool:
        """Whether the interval of the area holds 0.5."""
        return self.interval[0] <= 0.5 <= self.interval[1]


def membership_attacks(
    members: pd.DataFrame,
    non_members: pd.DataFrame,
    synthetic: pd.DataFrame,
    reference: pd.DataFrame,
    *,
    numeric: Collection[str] | None = None,
) -> tuple[AttackResult, ...]:
    """Run every attack of `ATTACKS` on one synthetic table.

    Args:
        members: rows that the synthetic table was made from, or some of them.
        non_members: fresh rows of the same population.
        synthetic: what the attacker sees.
        reference: other fresh rows, which the attacker has; none of them among the non-members.
        numeric: names of the numeric columns; None reads them off the reference rows' dtypes.

    Returns:
        One result for each attack. The intervals of the areas hold together with 95%; so do those at each false
        positive rate.

    Raises:
        DataError: a table is empty, has a single row to judge, or other columns than the reference rows.
    """
    trials = attack_trials(members, non_members, synthetic, reference, numeric=numeric)
    return pooled_attacks([trials])


def attack_trials(
    members: pd.DataFrame,
    non_members: pd.DataFrame,
    synthetic: pd.DataFrame,
    reference: pd.DataFrame,
    *,
    numeric: Collection[str] | None = None,
) -> dict[str, AttackTrial]:
    """Each attack's outcome on one synthetic table, to be pooled; arguments and errors as of `membership_attacks`."""
    for name, frame in (("members", members), ("non_members", non_members)):
        if len(frame) < 2:
            raise DataError(f"The {name} table has {len(frame)} row(s); membership attacks need at least two.")
    # The attacker's own rows come first: they decide columns and scales, as the judged rows are not his to choose from.
    tables = compare(
        {"reference": reference, "synthetic": synthetic, "members": members, "non_members": non_members},
        numeric=numeric,
    )
    if not tables.columns:
        raise DataError("No column is left to attack: all are empty, identifiers or free text.")
    view = attacker_view(tables.joined("targets", ("members", "non_members")))
    is_member = np.arange(len(members) + len(non_members)) < len(members)
    return {name: score_trial(is_member, attack(view)) for name, attack in ATTACKS.items()}


def score_trial(is_member: NDArray[np.bool_], scores: Floats) -> AttackTrial:
    """What the scores of one trial are worth.

    Args:
        is_member: ``(n_targets,)`` truth, at least two of each kind.
        scores: ``(n_targets,)`` higher for members.
    """
    auc, error = roc_auc(is_member, scores)
    n = int((~is_member).sum())
    slopes = []
    for rate in FALSE_POSITIVE_RATES:
        half, twice = (allowed_false_positives(factor * rate, n) for factor in (0.5, 2.0))
        low, high = true_positives(is_member, scores, np.array([half, twice]))
        slopes.append((high - low) / ((twice - half) / n) if twice > half else 1.0)
    allowed = np.array([allowed_false_positives(rate, n) for rate in FALSE_POSITIVE_RATES])
    n_members = int(is_member.sum())
    return AttackTrial(
        auc=auc,
        standard_error=error,
        n_members=n_members,
        n_non_members=n,
        hits=tuple(round(rate * n_members) for rate in true_positives(is_member, scores, allowed).tolist()),
        slopes=tuple(slopes),
        guessing_error=_guessing_error(scores, n_members),
    )


def true_positives(is_member: NDArray[np.bool_], scores: Floats, allowed: NDArray[np.int64]) -> Floats:
    """Share of the members found where so many non-members may pass, fewer than there are: ``(len(allowed),)``."""
    others = np.sort(scores[~is_member])[::-1]
    found = np.sort(scores[is_member])
    # Strictly above: rows tied with the first non-member that may not pass do not pass either.
    return np.asarray(1.0 - np.searchsorted(found, others[allowed], side="right") / len(found))


def allowed_false_positives(rate: float, n_non_members: int) -> int:
    """Largest number of non-members that is no more than ``rate`` of them."""
    return math.floor(rate * n_non_members + 1e-9)


def pooled_attacks(trials: Sequence[Mapping[str, AttackTrial]]) -> tuple[AttackResult, ...]:
    """Each attack over several trials, one for each synthetic table; all with the same attacks.

    Args:
        trials: what `attack_trials` returned for each; at least one.

    Returns:
        One result for each attack, at the level 1 - 0.05 / (number of attacks) (Bonferroni).

    Raises:
        ValueError: there is no trial.
    """
    if not trials:
        raise ValueError("there is no trial to pool; run attack_trials first")
    level = 1.0 - FAMILY_ERROR / len(trials[0])
    return tuple(pool(name, [trial[name] for trial in trials], level=level) for name in trials[0])


def pool(attack: str, trials: Sequence[AttackTrial], *, level: float) -> AttackResult:
    """One attack over several trials, scores ranked within each trial only.

    Two standard errors of the mean area are computed; the interval is the normal one with the larger. That of the rows
    adds up DeLong's variances. It is right where nothing leaks: then membership is a fresh coin for each split, so
    random splits of one table are independent given that table although they share rows. That of the splits is the
    empirical one between trials. It also sees models that leak unequally, but few trials make it coarse: wrong by a
    quarter with ten. Both speak for the table at hand, not for others of its population.

    Intervals of true positive rates are Wilson's. As the threshold is estimated too, a trial with m members and n
    non-members counts as mn / (m + n) rows: the exact variance where the ROC curve has slope one, which is where
    nothing leaks. Where it has slope s > 1 at a false positive rate a, the threshold adds (s^2 - 1) a (1 - a) / n more
    (Hsieh and Turnbull 1996).

    With few rows or many ties these intervals are too short on the side of guessing. So one is widened to hold the
    value of guessing unless a test that is exact for it rejects that at the same level: for the area the normal one of
    Mann and Whitney, for a true positive rate the count of fresh rows above a threshold set by others (beta-binomial).
    """
    pairs = np.array([trial.n_members * trial.n_non_members for trial in trials], dtype=np.float64)
    weights = pairs / pairs.sum()
    areas = np.array([trial.auc for trial in trials])
    auc = float(weights @ areas)
    z = float(norm.ppf((1.0 + level) / 2.0))
    row_error = math.sqrt(sum((w * trial.standard_error) ** 2 for w, trial in zip(weights, trials, strict=True)))
    split_error = None
    n = len(trials)
    if n > 1:
        split_error = math.sqrt(n / (n - 1) * float(((weights * (areas - auc)) ** 2).sum()))
    half = z * max(row_error, split_error or 0.0)
    low, high = auc - half, auc + half
    if auc in (0.0, 1.0):
        # No error shows where nothing overlaps; that no one of n rows is out of place bounds the share that may be.
        fewest = sum(min(trial.n_members, trial.n_non_members) for trial in trials)
        low, high = wilson(auc * fewest, fewest, z=z)
    guessing_error = math.sqrt(sum((w * trial.guessing_error) ** 2 for w, trial in zip(weights, trials, strict=True)))
    if abs(auc - 0.5) <= z * guessing_error:
        low, high = min(low, 0.5), max(high, 0.5)
    n_members = sum(trial.n_members for trial in trials)
    found = []
    for place, allowed in enumerate(FALSE_POSITIVE_RATES):
        hits = sum(trial.hits[place] for trial in trials)
        chances = [
            trial.n_members * (allowed_false_positives(allowed, trial.n_non_members) + 1) / (trial.n_non_members + 1)
            for trial in trials
        ]
        chance = sum(chances) / n_members
        fewest_found, most_found = _rate_interval(trials, place, hits / n_members, z)
        if fewest_found > chance and _chance_of_hits(trials, allowed, hits) > (1.0 - level) / 2.0:
            fewest_found = chance
        found.append(
            TruePositives(
                false_positive_rate=allowed, rate=hits / n_members, interval=(fewest_found, most_found), chance=chance
            )
        )
    return AttackResult(
        attack=attack,
        auc=auc,
        interval=(max(0.0, low), min(1.0, high)),
        level=level,
        row_error=row_error,
        split_error=split_error,
        n_trials=n,
        n_members=n_members,
        n_non_members=sum(trial.n_non_members for trial in trials),
        true_positives=tuple(found),
    )


def _rate_interval(trials: Sequence[AttackTrial], place: int, rate: float, z: float) -> tuple[float, float]:
    """Interval of the pooled true positive rate at the false positive rate in this place."""
    n_members = sum(trial.n_members for trial in trials)
    allowed = FALSE_POSITIVE_RATES[place]
    rows, more = 0.0, 0.0
    for trial in trials:
        rows += trial.n_members * trial.n_non_members / (trial.n_members + trial.n_non_members)
        steeper = max(trial.slopes[place] ** 2 - 1.0, 0.0)
        more += (trial.n_members / n_members) ** 2 * steeper * allowed * (1.0 - allowed) / trial.n_non_members
    low, high = wilson(rate * rows, rows, z=z)
    half = z * math.sqrt(more)
    return max(0.0, rate - math.hypot(rate - low, half)), min(1.0, rate + math.hypot(high - rate, half))


def _chance_of_hits(trials: Sequence[AttackTrial], allowed: float, hits: int) -> float:
    """Probability that fresh rows in the members' place give so many hits or more, over all trials."""
    counts = np.ones(1)
    for trial in trials:
        passing = allowed_false_positives(allowed, trial.n_non_members)
        own = betabinom(trial.n_members, passing + 1, trial.n_non_members - passing)
        counts = fftconvolve(counts, own.pmf(np.arange(trial.n_members + 1)))
    return float(counts[hits:].sum())


def _guessing_error(scores: Floats, n_members: int) -> float:
    n = len(scores)
    _, ties = np.unique(scores, return_counts=True)
    tied = float((ties.astype(np.float64) ** 3 - ties).sum()) / (n**3 - n)
    return math.sqrt((n + 1) * (1.0 - tied) / (12.0 * n_members * (n - n_members)))

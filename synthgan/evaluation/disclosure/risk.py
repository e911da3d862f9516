"""The risk that a table adds: how much better an attack does on training rows than on fresh rows.

Whatever an attacker can guess about people who are not in the table, he did not learn from their being in it. So every
attack is run twice, on training rows and on control rows that the synthesizer never saw, and only the excess counts
(Giomi et al. 2023, "A unified framework for quantifying privacy risk in synthetic data", section 3).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from synthgan.evaluation.compared.compared_tables import ComparedTables
from synthgan.evaluation.compared.intervals import Z, difference, wilson

Key = TypeVar("Key")


@dataclass(frozen=True, kw_only=True, slots=True)
class Risk:
    """One attack's success and what of it exceeds the control's.

    Attributes:
        attack: share of the attacks on training rows that succeed.
        control: share of the attacks on control rows that succeed.
        value: ``(attack - control) / (1 - control)``: of what the control leaves to be lost, the share that is lost
            (`excess` has the difference alone). Below 0 where chance favoured the control; NaN where the control
            always succeeds.
        interval: of ``value``.
        n_attacks: attacks on training rows, and as many on control rows.
    """

    attack: float
    control: float
    value: float
    interval: tuple[float, float]
    n_attacks: int

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return {
            "attack": self.attack,
            "control": self.control,
            "risk": self.value,
            "interval": list(self.interval),
            "n_attacks": self.n_attacks,
        }


def attack_tables(
    tables: ComparedTables,
    rng: np.random.Generator,
    *,
    real: str,
    synthetic: str,
    holdout: str,
    max_targets: int,
    max_rows: int,
) -> ComparedTables:
    """What an attack sees, rows drawn at random: the tables "synthetic", "attacked" (training rows) and "control".

    Equally many training and control rows. The order of the synthetic rows is random, so that the first of several
    equally near ones is any of them.
    """
    n = min(tables.n_rows[real], tables.n_rows[holdout], max_targets)
    return tables.parts(
        {
            "synthetic": (synthetic, rng.permutation(tables.n_rows[synthetic])[:max_rows]),
            "attacked": (real, rng.choice(tables.n_rows[real], n, replace=False)),
            "control": (holdout, rng.choice(tables.n_rows[holdout], n, replace=False)),
        }
    )


def family_z(n_intervals: int) -> float:
    """Normal quantile with which so many intervals hold together with 95% (Bonferroni)."""
    return float(norm.ppf(1.0 - 0.025 / n_intervals))


def worst(risks: Mapping[Key, Risk]) -> Key:
    """Key of the risk that is most surely there: the one whose interval starts highest; undefined ones come last."""
    return max(risks, key=lambda key: -math.inf if math.isnan(risks[key].value) else risks[key].interval[0])


def excess(risk: Risk, *, z: float = Z) -> Risk:
    """The same attack with ``attack - control`` for its risk: points in which it succeeds more often.

    It stays sure where the control nearly always succeeds, when next to nothing is left for the other risk to be a
    share of.
    """
    n = risk.n_attacks
    attack, control = (wilson(share * n, n, z=z) for share in (risk.attack, risk.control))
    interval = difference(risk.attack, attack, risk.control, control)
    return replace(risk, value=risk.attack - risk.control, interval=interval)


def interval_of_worst(risks: Mapping[Key, Risk]) -> tuple[float, float]:
    """Interval of the largest true risk: from the highest lower to the highest upper end of intervals that all hold.

    The upper end need not be that of `worst`: an attack on whose success little is known may be the most successful.
    Undefined risks are left aside; NaN where all are.
    """
    known = [risk.interval for risk in risks.values() if not math.isnan(risk.value)]
    if not known:
        return math.nan, math.nan
    return max(low for low, _ in known), max(high for _, high in known)


def unpaired_risk(attack_hits: int, control_hits: int, n_attacks: int, *, z: float = Z) -> Risk:
    """Risk of equally many independent attacks on training and on control rows.

    ``1 - value`` is the ratio of two shares of failures. Its interval is made of the Wilson limits of the two shares by
    the method of variance estimates recovery (MOVER-R: Newcombe 2016, "MOVER-R confidence intervals for ratios and
    products of two independently estimated quantities", section 2).

    Args:
        attack_hits: successes on training rows.
        control_hits: successes on control rows.
        n_attacks: attacks on either.
        z: normal quantile of the interval's level.
    """
    attack, control = attack_hits / n_attacks, control_hits / n_attacks
    if control_hits == n_attacks:
        return Risk(attack=attack, control=control, value=math.nan, interval=(math.nan, math.nan), n_attacks=n_attacks)
    fails, low, high = _failures(attack_hits, n_attacks, z)
    control_fails, control_low, control_high = _failures(control_hits, n_attacks, z)
    product = fails * control_fails
    below, over = low * (2 * fails - low), control_high * (2 * control_fails - control_high)
    ratio_low = below / (product + math.sqrt(max(product**2 - below * over, 0.0))) if below > 0 else 0.0
    above, under = high * (2 * fails - high), control_low * (2 * control_fails - control_low)
    ratio_high = (product + math.sqrt(max(product**2 - above * under, 0.0))) / under
    return Risk(
        attack=attack,
        control=control,
        value=(attack - control) / (1 - control),
        interval=(1.0 - ratio_high, 1.0 - ratio_low),
        n_attacks=n_attacks,
    )


def paired_excess(
    only_attack: int, only_control: int, n: int, *, effect: float = 1.0, z: float = Z
) -> tuple[float, tuple[float, float]]:
    """Difference of two shares that were counted on the same ``n`` things, and its interval.

    The interval is that of Bonett and Price 2012 ("Adjusted Wald confidence interval for a difference of binomial
    proportions based on paired data"), which keeps its level for few counts and for none.

    Args:
        only_attack: things that succeed on training rows and not on control rows.
        only_control: the reverse.
        n: things tried; at least one.
        effect: how many times larger than of independent counts the variance is (`clumping`).
        z: normal quantile of the interval's level.
    """
    size = n / effect + 2
    first, second = (only_attack / effect + 1) / size, (only_control / effect + 1) / size
    centre = first - second
    half = z * math.sqrt((first + second - centre**2) / size)
    return (only_attack - only_control) / n, (max(-1.0, centre - half), min(1.0, centre + half))


def clumping(owners: NDArray[np.int64]) -> float:
    """How far counts that come in clumps vary more than independent ones: at least 1.

    One row can bring several hits at once: an outlier is singled out by many predicates, a row in a dense spot has many
    neighbours. If row ``r`` brings ``m_r`` of them, the variance of their number is about the sum of ``m_r**2`` and not
    the sum of ``m_r``; this is the ratio of the two (the design effect of cluster samples, Kish 1965).

    Args:
        owners: ``(n_hits,)`` the row that each hit belongs to.
    """
    if not len(owners):
        return 1.0
    counts = np.unique(owners, return_counts=True)[1]
    return float((counts.astype(np.float64) ** 2).sum() / counts.sum())


def _failures(hits: int, n: int, z: float) -> tuple[float, float, float]:
    low, high = wilson(n - hits, n, z=z)
    return (n - hits) / n, low, high

"""What a run of DP-SGD will cost: fixed before the first update, so that it can be reserved as one entry."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from synthgan.config import DpSgdSettings
from synthgan.errors import PrivacyError, SettingsError
from synthgan.privacy.poisson_units import PoissonUnits

if TYPE_CHECKING:
    from dp_accounting import DpEvent

NOTE = (
    "Gaussian noise in floating point from an ordinary torch generator, started from the operating system's entropy: "
    "neither cryptographic nor an exact mechanism"
)
"""What the ledger should say of this door's noise."""

SMALLEST_NOISE = 0.1
LARGEST_NOISE = 1e5
PRECISION = 1e-4
"""Relative precision of a calibrated noise multiplier."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DpSgdPlan:
    """DP-SGD (Abadi et al. 2016) with Poisson batches: how often, on how many, with how much noise.

    Attributes:
        sampling_rate: probability of each unit (a row or a person) to enter a batch.
        noise_multiplier: standard deviation of the noise on the summed clipped gradients, in units of `max_grad_norm`.
        max_grad_norm: Euclidean norm that each unit's gradient is clipped to.
        n_updates: noised updates, empty batches included.
    """

    sampling_rate: float
    noise_multiplier: float
    max_grad_norm: float
    n_updates: int

    def __post_init__(self) -> None:
        """Check ranges."""
        if not 0 < self.sampling_rate <= 1:
            raise SettingsError(f"sampling_rate must be in (0, 1], got {self.sampling_rate}.")
        if not 0 <= self.noise_multiplier < math.inf:
            raise SettingsError(f"noise_multiplier must be a finite number of at least 0, got {self.noise_multiplier}.")
        if not 0 < self.max_grad_norm < math.inf:
            raise SettingsError(f"max_grad_norm must be a positive finite number, got {self.max_grad_norm}.")
        if isinstance(self.n_updates, bool) or not isinstance(self.n_updates, int) or self.n_updates < 1:
            raise SettingsError(f"n_updates must be a whole number of at least 1, got {self.n_updates!r}.")

    def event(self) -> DpEvent:
        """What the whole run is to the ledger.

        Privacy:
            Adjacency: a unit added or removed. Sensitivity of a sum of clipped gradients: `max_grad_norm`, in L2. A
            Gaussian on it, amplified by Poisson sampling (Mironov, Talwar, Zhang 2019), composed over all updates.
        """
        from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent, SelfComposedDpEvent

        one = PoissonSampledDpEvent(self.sampling_rate, GaussianDpEvent(self.noise_multiplier))
        return SelfComposedDpEvent(one, self.n_updates)


@dataclass(frozen=True, kw_only=True, slots=True)
class CriticPlan:
    """All that the guarantee of a private critic hangs on, in one place: clip, batches, noise, event and adjacency.

    Neighbouring tables differ by one unit with at most `rows_per_unit` rows. After the execution plans of jax_privacy.

    Attributes:
        dp_sgd: how often, on how many, with how much noise: what the ledger is asked for.
        settings: of the critic.
        n_rows: released (noisy) number of rows, never the exact one; sums over a batch are divided by what it makes
            the expected number of rows of one.
        rows_per_unit: most rows of one unit that are used.
    """

    dp_sgd: DpSgdPlan
    settings: DpSgdSettings
    n_rows: float
    rows_per_unit: int = 1

    def __post_init__(self) -> None:
        """Check ranges."""
        if not 0 < self.n_rows < math.inf:
            raise SettingsError("n_rows must be a positive finite number.")

    @property
    def rows_per_batch(self) -> float:
        """What sums over a batch are divided by."""
        return self.dp_sgd.sampling_rate * self.n_rows

    def event(self) -> DpEvent:
        """See `DpSgdPlan.event`."""
        return self.dp_sgd.event()

    def batches(self, n_rows: int, units: npt.NDArray[np.int64] | None) -> PoissonUnits:
        """The Poisson batches of a table of exactly ``n_rows`` rows; ``units`` are each row's person, if not itself."""
        return PoissonUnits(n_rows, units, rows_per_unit=self.rows_per_unit, sampling_rate=self.dp_sgd.sampling_rate)


def sampling_rate(expected_batch_size: int, n_units: float) -> float:
    """The probability that makes batches of ``n_units`` as large as wanted on average; at most 1.

    Args:
        expected_batch_size: units wanted.
        n_units: released (noisy) number of units, never the exact one.
    """
    return min(1.0, expected_batch_size / max(n_units, 1.0))


def calibrate(
    fits: Callable[[DpEvent], bool], *, sampling_rate: float, max_grad_norm: float, n_updates: int
) -> DpSgdPlan:
    """The plan with the least noise that fits into what is left of a budget.

    Args:
        fits: whether an event fits; `Ledger.fits`, or a share of it. More noise must never fit less.
        sampling_rate: see `DpSgdPlan`.
        max_grad_norm: see `DpSgdPlan`.
        n_updates: see `DpSgdPlan`.

    Raises:
        PrivacyError: when no amount of noise makes it fit.
        SettingsError: when an argument is out of range.
    """

    def plan(noise: float) -> DpSgdPlan:
        return DpSgdPlan(
            sampling_rate=sampling_rate, noise_multiplier=noise, max_grad_norm=max_grad_norm, n_updates=n_updates
        )

    if fits(plan(SMALLEST_NOISE).event()):
        return plan(SMALLEST_NOISE)
    low, high = SMALLEST_NOISE, 1.0
    while not fits(plan(high).event()):
        low, high = high, 2 * high
        if high > LARGEST_NOISE:
            raise PrivacyError(
                f"{n_updates} updates of the neural critic do not fit into what is left of the privacy budget, "
                "whatever the noise; raise epsilon or the neural share, or set fewer updates."
            )
    while high > low * (1 + PRECISION):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if fits(plan(middle).event()) else (middle, high)
    return plan(high)

"""The private mechanisms: each reserves its cost, draws from OpenDP's exact samplers, and settles.

There is no ``random_state`` here: OpenDP draws on the operating system's entropy. Before anything is reserved, a
mechanism's own privacy map is asked whether it costs what the ledger is told, and refused when it costs more. How long
a draw takes may depend on the data by microseconds; who can measure that is not defended against.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from opendp.domains import atom_domain, map_domain, vector_domain
from opendp.measurements import make_gaussian, make_gaussian_threshold, make_noisy_max
from opendp.measures import zero_concentrated_divergence
from opendp.metrics import absolute_distance, l02inf_distance, l2_distance, linf_distance
from opendp.mod import Measurement, OpenDPException, enable_features

from synthgan.errors import PrivacyError, SettingsError
from synthgan.privacy.account.ledger import Ledger

DISCRETE_GAUSSIAN = "discrete Gaussian"
THRESHOLDED_GAUSSIAN = "discrete Gaussian with a threshold"
NOISY_MAX = "exponential mechanism"

_GRID_BITS = 20
_FARTHEST = 2.0**62


class Mechanisms:
    """Noisy counts, discovery of keys and private selection, paid from one ledger.

    Args:
        ledger: the account.
        rows_per_unit: k, the most rows of one unit (person) in any of the tables that counts are taken of.

    Raises:
        PrivacyError: when the ledger was told of another number of rows per unit.
    """

    def __init__(self, ledger: Ledger, *, rows_per_unit: int = 1) -> None:
        enable_features("contrib")  # OpenDP asks for this word before it offers any mechanism
        ledger.declare(rows_per_unit=rows_per_unit)
        self.ledger = ledger
        self.rows_per_unit = int(rows_per_unit)

    def standard_deviation(self, rho: float) -> float:
        """Standard deviation of the noise in `counts` and `discover`; that of discrete noise is never larger."""
        return self.rows_per_unit / math.sqrt(2 * _checked_rho(rho))

    def counts(self, counts: NDArray[np.int64], *, rho: float, door: int, what: str) -> NDArray[np.int64]:
        """Counts of rows in disjoint cells, with discrete Gaussian noise (Canonne, Kamath and Steinke 2020).

        Args:
            counts: whole numbers of any shape; each row is counted in one cell at most. The cells are public.
            rho: zCDP cost of the whole array.
            door: 1, 2 or 3.
            what: what is counted.

        Returns:
            Noisy counts of the same shape, some of them negative.

        Privacy:
            Adding or removing a unit changes the counts by k in L2 norm at most: its k rows may share a cell. The
            event is ``ZCDpEvent(rho)``.

        Raises:
            BudgetError: when the ledger refuses; nothing was drawn.
        """
        values = _whole(counts)
        space = vector_domain(atom_domain(T="i64")), l2_distance(T="f64")
        gaussian = _scaled(
            lambda scale: make_gaussian(*space, scale=scale),
            lambda made: made.map(float(self.rows_per_unit)),
            rho,
            self.standard_deviation(rho),
        )
        noisy = self._paid(
            gaussian, values.ravel().tolist(), rho=rho, door=door, mechanism=DISCRETE_GAUSSIAN, what=what
        )
        return np.array(noisy, dtype=np.int64).reshape(values.shape)

    def discover(
        self, counts: NDArray[np.int64], *, rho: float, delta: float, door: int, what: str
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Those keys that many rows carry, and their noisy counts, when the possible keys are not public.

        Args:
            counts: ``(n_keys,)``, how many rows carry each key that occurs in the data; each row carries one key at
                most.
            rho: zCDP cost.
            delta: largest probability of showing any key that a single unit brought; taken from the ledger's
                discovery delta.
            door: 1, 2 or 3.
            what: what the keys are of.

        Returns:
            Positions in ``counts`` of the keys that are shown, ascending, and their noisy counts. The positions are
            for looking keys up and must not be published: they tell how many keys were left out. Keys must be listed
            in an order that does not depend on rows (sorted, say), and so must what is made of them.

        Privacy:
            A key is shown when its count with discrete Gaussian noise reaches `threshold`. Of two tables that differ
            by a unit, one may have keys that the other has not; with probability ``1 - delta`` none of them is
            shown, and then the rest differs by k in L2 norm at most. So the event is ``ZCDpEvent(rho)`` with
            ``delta`` beside it: approximate zCDP (Bun and Steinke 2016, section 8; Rogers 2023).

        Raises:
            BudgetError: when the ledger refuses; nothing was drawn.
        """
        values = _whole(counts)
        if values.ndim != 1:
            raise SettingsError("counts of keys must be a vector, one count per key.")
        space = (
            map_domain(atom_domain(T="i64"), atom_domain(T="i64")),
            l02inf_distance(absolute_distance(T="i64")),
        )
        k = self.rows_per_unit
        threshold = self.threshold(rho, delta)
        thresholded = _scaled(
            lambda scale: make_gaussian_threshold(*space, scale=scale, threshold=threshold),
            lambda made: made.map((k, k, k))[0],
            rho,
            self.standard_deviation(rho),
        )
        occurring = dict(enumerate(values.tolist()))
        shown = self._paid(
            thresholded, occurring, rho=rho, delta=delta, door=door, mechanism=THRESHOLDED_GAUSSIAN, what=what
        )
        kept = sorted(position for position, count in shown.items() if count >= threshold)
        return np.array(kept, dtype=np.int64), np.array([shown[position] for position in kept], dtype=np.int64)

    def threshold(self, rho: float, delta: float) -> int:
        """The least noisy count with which `discover` shows a key.

        A unit can bring up to k keys that nobody else carries, ``c_1 + ... + c_m <= k`` rows of them. One of them is
        shown with probability ``sum_i P[Z >= T - c_i]`` at most, where Z is the noise, and
        ``P[Z >= z] <= Q((z - 1) / sigma)`` with Q the tail of the normal distribution (Canonne, Kamath and Steinke
        2020, Proposition 25). Q is convex above 0, so the sum is largest for one key with all k rows, or for k keys
        with one row each; the threshold is the smallest for which neither exceeds ``delta``.

        OpenDP's own map is not used for this delta: up to version 0.16 it leaves out the probability of meeting the
        threshold exactly, with which a key is shown (opendp issue 2922).

        Raises:
            SettingsError: when ``delta`` does not lie in (0, 0.5).
        """
        if not 0 < delta < 0.5:
            raise SettingsError(f"the delta of a discovery must lie strictly between 0 and 0.5, got {delta!r}.")
        sigma, low = self.standard_deviation(rho), self.rows_per_unit + 1
        reach = 1
        while _chance_of_showing(low + reach, sigma, self.rows_per_unit) > delta:
            reach *= 2
        high = low + reach
        while low < high:
            middle = (low + high) // 2
            if _chance_of_showing(middle, sigma, self.rows_per_unit) > delta:
                low = middle + 1
            else:
                high = middle
        return low

    def select(self, scores: NDArray[np.float64], *, rho: float, sensitivity: float, door: int, what: str) -> int:
        """The position of a large score, drawn by the exponential mechanism.

        Position i is drawn with probability proportional to ``exp(scores[i] / scale)``, where
        ``scale = k * sensitivity / sqrt(2 * rho)``.

        Args:
            scores: ``(n_candidates,)``, finite. The candidates are public.
            rho: zCDP cost.
            sensitivity: the most that one row, added or removed, changes any score.
            door: 1, 2 or 3.
            what: what is selected.

        Returns:
            A position in ``scores``.

        Privacy:
            Scores change by ``k * sensitivity`` at most, so log-odds between candidates change by a range of
            ``eta = 2 * k * sensitivity / scale``: bounded range, which is zCDP of ``eta ** 2 / 8`` (Cesar and Rogers
            2021); OpenDP's map says the same and is what is checked. Scores are first rounded to a public grid of
            about a millionth of the sensitivity; two grid cells are added to the sensitivity, one for that rounding
            and one for rounding errors in the caller's arithmetic. The event is ``ZCDpEvent(rho)``.

        Raises:
            BudgetError: when the ledger refuses; nothing was drawn.
            PrivacyError: when a score is not finite: it has no sensitivity then.
        """
        if not 0 < sensitivity < math.inf:
            raise SettingsError(f"sensitivity must be a finite number above 0, got {sensitivity!r}.")
        values = np.asarray(scores, dtype=np.float64)
        if values.ndim != 1 or not values.size or not np.isfinite(values).all():
            raise PrivacyError("a selection needs a vector of finite scores, one per candidate")
        # A power of two scales floats exactly. What lies beyond 2 ** 62 cells is clipped, which no sensitivity minds.
        exponent = math.frexp(sensitivity)[1] - 1 - _GRID_BITS
        with np.errstate(over="ignore", under="ignore"):
            scaled = np.rint(np.ldexp(values, -exponent))
        cells = np.clip(scaled, -_FARTHEST, _FARTHEST).astype(np.int64)
        reach = math.ceil(Fraction(sensitivity) * self.rows_per_unit / Fraction(2) ** exponent) + 2
        space = vector_domain(atom_domain(T="i64")), linf_distance(T="i64")
        noisy_max = _scaled(
            lambda scale: make_noisy_max(*space, zero_concentrated_divergence(), scale=scale),
            lambda made: made.map(reach),
            rho,
            reach / math.sqrt(2 * _checked_rho(rho)),
        )
        return int(self._paid(noisy_max, cells.tolist(), rho=rho, door=door, mechanism=NOISY_MAX, what=what))

    def _paid(
        self, measurement: Measurement, data: Any, *, rho: float, door: int, mechanism: str, what: str, delta: float = 0
    ) -> Any:
        """Reserve, run, settle. When the run fails, the reservation stays and counts."""
        from dp_accounting import ZCDpEvent

        entry = self.ledger.reserve(ZCDpEvent(float(rho)), door=door, mechanism=mechanism, what=what, delta=delta)
        try:
            released = measurement(data)
        except OpenDPException:
            # OpenDP's texts may quote the data.
            raise PrivacyError(f"OpenDP could not run the {mechanism} of {what}; its cost counts as spent") from None
        self.ledger.settle(entry)
        return released


def _scaled(
    make: Callable[[float], Measurement], cost: Callable[[Measurement], float], rho: float, scale: float
) -> Measurement:
    """A measurement that costs ``rho`` by its own map.

    Maps round upwards, so the scale that the formula gives may have to grow by a few last digits.

    Raises:
        PrivacyError: when the map disagrees with the formula.
    """
    for _ in range(64):
        measurement = make(scale)
        stated = cost(measurement)
        if stated <= rho:
            if stated < rho * (1 - 1e-9):
                break
            return measurement
        scale = math.nextafter(scale, math.inf)
    raise PrivacyError(
        "OpenDP's own privacy map disagrees with the cost to be recorded, so nothing was released; "
        "use the version of opendp that synthgan was tested with"
    )


def _chance_of_showing(threshold: int, sigma: float, rows_per_unit: int) -> float:
    """An upper bound of the probability that `Mechanisms.discover` shows any key that one unit brought alone."""
    from scipy.special import ndtr

    together = ndtr(-(threshold - 1 - rows_per_unit) / sigma)
    apart = rows_per_unit * ndtr(-(threshold - 2) / sigma)
    return float(max(together, apart)) * (1 + 1e-9)  # for rounding in ndtr and in sigma


def _checked_rho(rho: float) -> float:
    if isinstance(rho, bool) or not isinstance(rho, int | float) or not 0 < rho < math.inf:
        raise SettingsError(f"rho must be a finite number above 0, got {rho!r}.")
    return float(rho)


def _whole(counts: Any) -> NDArray[np.int64]:
    values = np.asarray(counts)
    if not np.issubdtype(values.dtype, np.integer):
        raise SettingsError(f"counts must be whole numbers, got {values.dtype}.")
    return values.astype(np.int64)

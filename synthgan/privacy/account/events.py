"""The questions put to dp-accounting: which events there are, what they cost at one Renyi order, what epsilon that is.

Orders and costs: an event with Renyi divergence r at order a costs r there, whatever was released before it; costs at
one order add up. A zCDP event of rho costs ``a * rho`` (Bun and Steinke 2016).
"""

from __future__ import annotations

import functools
import math
import numbers
from typing import TYPE_CHECKING, Any

from synthgan.errors import BudgetError, PrivacyError, SettingsError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from dp_accounting import DpEvent

LEAST_ORDER = 1.02
"""dp-accounting converts no order of 1.01 and below: its bound is not stable there."""

NOMINAL_SAMPLING_RATE = 0.02
NOMINAL_UPDATES = 2000

_FIELDS: dict[str, tuple[str, ...]] = {
    "ZCDpEvent": ("rho", "xi"),
    "GaussianDpEvent": ("noise_multiplier",),
    "PoissonSampledDpEvent": ("sampling_probability", "event"),
    "SelfComposedDpEvent": ("event", "count"),
    "ComposedDpEvent": ("events",),
}
_DEEPEST = 8
_LARGEST = 1e100


def renyi_cost(event: DpEvent, order: float) -> float:
    """Renyi divergence of an event at one order, neighbours differing by one unit added or removed.

    Raises:
        PrivacyError: for an event that is not among those the ledger knows.
        BudgetError: for one that has no finite cost at this order, and so fits into no budget.
    """
    from dp_accounting import NeighboringRelation, UnsupportedEventError
    from dp_accounting.rdp import RdpAccountant

    event_to_json(event)
    try:
        accountant = RdpAccountant([order], NeighboringRelation.ADD_OR_REMOVE_ONE).compose(event)
    except (UnsupportedEventError, ValueError, OverflowError):
        raise PrivacyError(f"a {type(event).__name__} of this form cannot be composed by dp-accounting") from None
    cost = float(accountant.rdp[0])
    if not 0 <= cost < math.inf:
        raise BudgetError(f"a {type(event).__name__} has no finite cost at order {order:g}; add more noise")
    return cost


def epsilon_of(cost: float, order: float, delta: float) -> float:
    """The epsilon that a Renyi divergence implies at ``delta`` (Canonne, Kamath and Steinke 2020, Proposition 12)."""
    from dp_accounting.rdp import compute_epsilon

    return float(compute_epsilon([order], [cost], delta)[0])


def budget_at(epsilon: float, delta: float, order: float) -> float:
    """The largest Renyi divergence at ``order`` that implies ``epsilon`` at ``delta`` and no more; 0 when none does."""
    offset = math.log1p(-1 / order) - math.log(delta * order) / (order - 1)
    budget = epsilon - offset
    for _ in range(100):
        if budget <= 0 or epsilon_of(budget, order, delta) <= epsilon:
            return max(budget, 0.0)
        budget -= 1e-14 * (epsilon + abs(offset))  # the two sums are rounded differently
    return 0.0


def zcdp_epsilon(rho: float, delta: float) -> float:
    """The epsilon of a rho-zCDP mechanism at ``delta``: the best order of the conversion that the ledger uses."""
    import numpy as np

    if rho <= 0 or delta <= 0:
        return 0.0 if rho <= 0 else math.inf
    offsets = np.geomspace(LEAST_ORDER - 1, 1e6, 4000)
    return max(0.0, float(((1 + offsets) * rho + _conversion(offsets, delta)).min()))


def _conversion(offsets: npt.NDArray[np.float64], delta: float) -> npt.NDArray[np.float64]:
    """What epsilon lies above the Renyi divergence at orders of 1 and an offset (Proposition 12, see `epsilon_of`)."""
    import numpy as np

    orders = 1 + offsets
    above: npt.NDArray[np.float64] = np.log1p(-1 / orders) - np.log(delta * orders) / offsets
    return above


@functools.lru_cache(maxsize=256)
def plan_order(
    epsilon: float,
    delta: float,
    neural: float = 0.0,
    *,
    sampling_rate: float = NOMINAL_SAMPLING_RATE,
    n_updates: int = NOMINAL_UPDATES,
) -> float:
    """The Renyi order to keep a filter at: where a budget buys the least noise.

    Args:
        epsilon: the budget.
        delta: the delta at which it is converted (the target less what discovery may spend).
        neural: share of the budget for DP-SGD; the rest goes to zCDP mechanisms.
        sampling_rate: sampling rate of a nominal DP-SGD run; public, as the data is not to be looked at.
        n_updates: number of its updates.

    Returns:
        The order: that which leaves most rho when ``neural`` is 0, that of the smallest noise multiplier when it
        is 1, and the best compromise between the two logarithms of noise in between.
    """
    import numpy as np
    from scipy.optimize import minimize_scalar

    offsets = np.geomspace(LEAST_ORDER - 1, 1e8, 200_000)
    orders = 1 + offsets
    rho = (epsilon - _conversion(offsets, delta)) / orders
    best = float(orders[rho.argmax()])
    if neural <= 0:
        return _rounded(best)

    def noise(log_offset: float) -> float:
        order = _rounded(1 + math.exp(log_offset))
        budget = budget_at(epsilon, delta, order)
        if budget <= 0:
            return 1e6 - log_offset  # no such filter: look at larger orders
        multiplier = _least_noise(neural * budget, order, sampling_rate, n_updates)
        return neural * math.log(multiplier) - (1 - neural) / 2 * math.log(budget / order)

    found = minimize_scalar(
        noise, bounds=(math.log(LEAST_ORDER - 1), math.log(2 * (best - 1))), method="bounded", options={"xatol": 0.02}
    )
    return _rounded(1 + math.exp(float(found.x)))


def event_to_json(event: DpEvent) -> dict[str, Any]:
    """An event as JSON values.

    Raises:
        PrivacyError: for a kind of event, or a number in it, that the ledger does not accept. An unknown event must
            not vanish, so it is refused.
    """
    return _to_json(event, 0)


def event_from_json(values: Any) -> DpEvent:
    """The event that `event_to_json` wrote.

    Raises:
        PrivacyError: when the values are no event.
    """
    event = _from_json(values, 0)
    event_to_json(event)
    return event


def _to_json(event: Any, depth: int) -> dict[str, Any]:
    kind = type(event).__name__
    if depth > _DEEPEST or kind not in _FIELDS or type(event).__module__ != "dp_accounting.dp_event":
        raise PrivacyError(f"the ledger keeps {', '.join(_FIELDS)}, not {kind}")
    values: dict[str, Any] = {"type": kind}
    for name in _FIELDS[kind]:
        value = getattr(event, name)
        if name == "event":
            values[name] = _to_json(value, depth + 1)
        elif name == "events":
            values[name] = [_to_json(part, depth + 1) for part in value]
        else:
            values[name] = _checked(kind, name, value)
    return values


def _from_json(values: Any, depth: int) -> Any:
    import dp_accounting

    kind = values.get("type") if isinstance(values, dict) else None
    if depth > _DEEPEST or not isinstance(kind, str) or kind not in _FIELDS or set(values) != {"type", *_FIELDS[kind]}:
        raise PrivacyError("this is no event of a ledger: it is damaged, or of another version of synthgan")
    arguments = {name: values[name] for name in _FIELDS[kind]}
    if "event" in arguments:
        arguments["event"] = _from_json(arguments["event"], depth + 1)
    if "events" in arguments:
        if not isinstance(arguments["events"], list):
            raise PrivacyError("this is no event of a ledger: it is damaged, or of another version of synthgan")
        arguments["events"] = [_from_json(part, depth + 1) for part in arguments["events"]]
    return getattr(dp_accounting, kind)(**arguments)


def _checked(kind: str, name: str, value: Any) -> float | int:
    """A number of an event, refused where it could make a cost negative, infinite or nothing."""
    if not isinstance(value, bool) and isinstance(value, numbers.Real):
        number = float(value)
        if name == "count":
            if isinstance(value, numbers.Integral) and number >= 1:
                return int(value)
        elif 0 < number <= (1 if name == "sampling_probability" else _LARGEST) or (
            name in ("rho", "xi") and not number
        ):
            return number
    raise PrivacyError(f"{name} of a {kind} is out of range")


def _least_noise(cost: float, order: float, sampling_rate: float, n_updates: int) -> float:
    """The noise multiplier with which the nominal DP-SGD run costs ``cost``, between 0.1 and 100,000."""
    from dp_accounting import GaussianDpEvent, PoissonSampledDpEvent
    from dp_accounting.rdp import RdpAccountant
    from scipy.optimize import brentq

    def excess(log_multiplier: float) -> float:
        update = PoissonSampledDpEvent(sampling_rate, GaussianDpEvent(math.exp(log_multiplier)))
        total = float(RdpAccountant([order]).compose(update, n_updates).rdp[0])
        return math.log(max(total, 1e-300)) - math.log(cost) if total < math.inf else 1e6

    low, high = math.log(0.1), math.log(1e5)
    if excess(low) <= 0 or excess(high) >= 0:
        return math.exp(low if excess(low) <= 0 else high)
    return math.exp(float(brentq(excess, low, high, xtol=1e-3)))


def _rounded(order: float) -> float:
    """Whole above 50: there dp-accounting has a closed form for subsampled Gaussians, and nothing is lost."""
    return max(LEAST_ORDER, round(order, 2) if order < 50 else float(round(order)))


def check_order(order: float) -> float:
    """``order`` as a float.

    Raises:
        SettingsError: when it is too small to be converted, or not finite.
    """
    if isinstance(order, bool) or not isinstance(order, int | float) or not LEAST_ORDER <= order < math.inf:
        raise SettingsError(f"order must be a finite number of at least {LEAST_ORDER}, got {order!r}.")
    return float(order)

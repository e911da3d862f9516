"""What each mechanism draws, what it costs, and that nothing is drawn before it is paid for."""

from __future__ import annotations

import itertools
import json
import math
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dp_accounting import ZCDpEvent
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from opendp.mod import Measurement, OpenDPException

from synthgan import BudgetError, PrivacyError, SettingsError
from synthgan.privacy import mechanisms as module
from synthgan.privacy.account.ledger import Ledger
from synthgan.privacy.mechanisms import Mechanisms


def rich(rows_per_unit: int = 1, **terms: Any) -> Mechanisms:
    """Mechanisms on a budget that no test uses up."""
    ledger = Ledger(**({"epsilon": 1e6, "delta": 0.9, "discovery_delta": 0.8, "order": 2.0} | terms))
    return Mechanisms(ledger, rows_per_unit=rows_per_unit)


def tail(sigma: float, least: int) -> float:
    """P[Z >= least] for the discrete Gaussian, summed up."""
    reach = int(60 * sigma) + 60
    values = np.arange(-reach, reach + 1, dtype=float)
    mass = np.exp(-((values / sigma) ** 2) / 2)
    return float(mass[values >= least].sum() / mass.sum())


def partitions(total: int, largest: int) -> Iterator[tuple[int, ...]]:
    """All ways to hand out at most ``total`` rows in parts of at most ``largest``."""
    yield ()
    for part in range(1, min(total, largest) + 1):
        for rest in partitions(total - part, part):
            yield (part, *rest)


# --------------------------------------------------------------------------------------------------------------- counts


@pytest.mark.parametrize(("rho", "k"), [(0.5, 1), (0.005, 1), (0.02, 3)])
def test_counts_carry_noise_of_the_stated_size(rho: float, k: int) -> None:
    mechanisms = rich(k)
    assert mechanisms.standard_deviation(rho) == pytest.approx(k / math.sqrt(2 * rho))
    n = 20_000
    noise = mechanisms.counts(np.full(n, 7), rho=rho, door=1, what="cells") - 7
    sigma = mechanisms.standard_deviation(rho)
    assert abs(noise.mean()) < 5 * sigma / math.sqrt(n)
    assert abs(noise.std() / sigma - 1) < 5 / math.sqrt(2 * n)


def test_counts_keep_their_shape_and_are_new_each_time() -> None:
    mechanisms = rich()
    table = np.arange(12).reshape(3, 4)
    first, second = (mechanisms.counts(table, rho=0.01, door=2, what="table") for _ in range(2))
    assert first.shape == (3, 4)
    assert first.dtype == np.int64
    assert (first != second).any()
    assert mechanisms.counts(np.zeros(0, dtype=np.int32), rho=0.01, door=2, what="nothing").shape == (0,)


@pytest.mark.parametrize(("rho", "k"), [(0.01, 1), (0.5, 1), (0.01, 4), (0.125, 2)])
def test_noise_of_that_size_costs_no_more_than_rho(rho: float, k: int) -> None:
    """Renyi divergence of the discrete Gaussian from itself moved by k, summed up, is at most order * rho."""
    sigma = rich(k).standard_deviation(rho)
    values = np.arange(-int(80 * sigma) - 80, int(80 * sigma) + 81, dtype=float)
    log_here, log_there = (-(((values - shift) / sigma) ** 2) / 2 for shift in (0, k))
    log_total = np.log(np.exp(log_here).sum())
    for order in (1.5, 2.0, 8.0, 20.0):
        power = order * log_here + (1 - order) * log_there
        divergence = (np.log(np.exp(power - power.max()).sum()) + power.max() - log_total) / (order - 1)
        assert divergence <= order * rho * (1 + 1e-9)
        assert divergence >= order * rho * 0.9 or sigma < 1.5


def test_a_release_enters_the_ledger_once() -> None:
    mechanisms = rich()
    mechanisms.counts(np.arange(3), rho=0.25, door=2, what="age x income")
    (entry,) = mechanisms.ledger.entries
    assert (entry.event, entry.door, entry.what, entry.delta, entry.state) == (
        ZCDpEvent(0.25),
        2,
        "age x income",
        0.0,
        "spent",
    )


@pytest.mark.parametrize("counts", [np.array([1.0, 2.0]), np.array(["1"]), np.array([True])], ids=str)
def test_counts_are_whole_numbers(counts: NDArray[Any]) -> None:
    mechanisms = rich()
    with pytest.raises(SettingsError, match="counts must be whole numbers"):
        mechanisms.counts(counts, rho=0.1, door=1, what="cells")
    assert mechanisms.ledger.entries == ()


@pytest.mark.parametrize("rho", [0, -1.0, math.nan, math.inf, True, "0.1"])
def test_rho_is_a_positive_number(rho: Any) -> None:
    mechanisms = rich()
    for release in (
        lambda: mechanisms.counts(np.arange(3), rho=rho, door=1, what="w"),
        lambda: mechanisms.discover(np.arange(3), rho=rho, delta=0.01, door=1, what="w"),
        lambda: mechanisms.select(np.arange(3.0), rho=rho, sensitivity=1.0, door=1, what="w"),
        lambda: mechanisms.standard_deviation(rho),
    ):
        with pytest.raises(SettingsError, match="rho must be"):
            release()
    assert mechanisms.ledger.entries == ()


def test_thousands_of_cells_take_a_fraction_of_a_second() -> None:
    mechanisms, seconds = rich(), []
    for _ in range(3):
        start = time.process_time()
        mechanisms.counts(np.arange(5000), rho=0.001, door=2, what="table")
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.8


# ------------------------------------------------------------------------------------------------- paid for, then drawn


def releases(mechanisms: Mechanisms, rho: float) -> dict[str, Any]:
    return {
        "counts": lambda: mechanisms.counts(np.arange(3), rho=rho, door=1, what="w"),
        "discover": lambda: mechanisms.discover(np.arange(3), rho=rho, delta=1e-7, door=1, what="w"),
        "select": lambda: mechanisms.select(np.arange(3.0), rho=rho, sensitivity=1.0, door=1, what="w"),
    }


@pytest.mark.parametrize("name", ["counts", "discover", "select"])
def test_an_overshoot_is_refused_before_the_mechanism_runs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mechanisms = Mechanisms(Ledger(1.0, 1e-5, discovery_delta=1e-6))
    ran: list[object] = []
    draw = Measurement.__call__
    monkeypatch.setattr(Measurement, "__call__", lambda self, data: ran.append(self) or draw(self, data))
    rho = mechanisms.ledger.remaining_rho
    with pytest.raises(BudgetError):
        releases(mechanisms, rho * 1.01)[name]()
    assert ran == []
    releases(mechanisms, rho)[name]()
    assert len(ran) == 1
    with pytest.raises(BudgetError):
        releases(mechanisms, rho * 0.01)[name]()
    assert len(ran) == 1


@pytest.mark.parametrize("name", ["counts", "discover", "select"])
def test_the_reservation_is_on_the_disk_when_the_mechanism_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = tmp_path / "fit.journal"
    mechanisms = Mechanisms(Ledger(1.0, 1e-5, discovery_delta=1e-6, journal=journal))
    seen: list[str] = []
    draw = Measurement.__call__

    def watched(self: Measurement, data: object) -> object:
        seen.append(journal.read_text().splitlines()[-1])
        return draw(self, data)

    monkeypatch.setattr(Measurement, "__call__", watched)
    releases(mechanisms, 0.001)[name]()
    assert json.loads(seen[0])["reserve"]["event"] == {"type": "ZCDpEvent", "rho": 0.001, "xi": 0.0}
    assert json.loads(journal.read_text().splitlines()[-1]) == {"settle": 0}


@pytest.mark.parametrize("name", ["counts", "discover", "select"])
def test_a_mechanism_that_fails_is_paid_for_and_tells_no_value(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mechanisms = rich()

    def fails(self: Measurement, data: object) -> object:
        raise OpenDPException("FailedFunction", f"cannot handle {data}")

    monkeypatch.setattr(Measurement, "__call__", fails)
    with pytest.raises(PrivacyError, match="its cost counts as spent") as caught:
        releases(mechanisms, 0.001)[name]()
    assert "cannot handle" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert [entry.state for entry in mechanisms.ledger.entries] == ["reserved"]


@pytest.mark.parametrize("factor", [0.5, 0.999, 1.001, 2.0])
@pytest.mark.parametrize(
    ("name", "maker"),
    [("counts", "make_gaussian"), ("discover", "make_gaussian_threshold"), ("select", "make_noisy_max")],
)
def test_noise_of_another_size_than_paid_for_is_refused(
    name: str, maker: str, factor: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mechanism's own privacy map is what is believed: half the noise costs four times as much."""
    real = getattr(module, maker)
    monkeypatch.setattr(module, maker, lambda *space, scale, **rest: real(*space, scale=scale * factor, **rest))
    mechanisms = rich()
    with pytest.raises(PrivacyError, match="privacy map disagrees"):
        releases(mechanisms, 0.01)[name]()
    assert mechanisms.ledger.entries == ()


@given(st.floats(1e-8, 1e3), st.integers(1, 10**6), st.floats(1e-9, 1e9))
def test_opendp_agrees_on_the_cost_of_every_size(rho: float, k: int, sensitivity: float) -> None:
    mechanisms = rich(k, epsilon=1e9)
    mechanisms.counts(np.arange(2), rho=rho, door=1, what="w")
    mechanisms.discover(np.arange(2), rho=rho, delta=1e-3, door=1, what="w")
    mechanisms.select(np.arange(2.0), rho=rho, sensitivity=sensitivity, door=1, what="w")
    assert [entry.event for entry in mechanisms.ledger.entries] == [ZCDpEvent(rho)] * 3


def test_all_mechanisms_of_a_ledger_count_on_the_same_rows_per_unit() -> None:
    ledger = Ledger(1.0, 1e-5)
    Mechanisms(ledger, rows_per_unit=2).counts(np.arange(3), rho=0.001, door=1, what="w")
    with pytest.raises(PrivacyError, match="another unit"):
        Mechanisms(ledger, rows_per_unit=1)
    with pytest.raises(SettingsError, match="rows_per_unit"):
        Mechanisms(Ledger(1.0, 1e-5), rows_per_unit=0)


# ------------------------------------------------------------------------------------------------------------ discovery


@pytest.mark.parametrize("k", [1, 2, 3, 5, 8])
@pytest.mark.parametrize(("rho", "delta"), [(0.5, 1e-5), (0.005, 1e-6), (0.02, 0.01), (0.1, 0.3), (8.0, 1e-9)])
def test_the_chance_of_showing_what_one_unit_brought_is_at_most_delta(rho: float, delta: float, k: int) -> None:
    """Exact, for every way in which a unit's k rows can lie on keys that nobody else has."""
    mechanisms = rich(k)
    sigma, threshold = mechanisms.standard_deviation(rho), mechanisms.threshold(rho, delta)
    worst = max(sum(tail(sigma, threshold - rows) for rows in brought) for brought in partitions(k, k))
    assert 0 < worst <= delta or (worst == 0 and sigma < 1)
    if sigma > 2:  # and no count more than the bound's one is given away
        two_less = max(sum(tail(sigma, threshold - 2 - rows) for rows in brought) for brought in partitions(k, k))
        assert two_less > delta


def test_hand_computed_threshold() -> None:
    # sigma 10, delta 1e-3: Q(3.0902) = 1e-3, so (T - 1 - 1) / 10 >= 3.0902 and T = 33.
    assert rich().threshold(0.005, 1e-3) == 33
    # Two rows, sigma 20: one key with both gives (T - 3) / 20 >= 3.0902, T = 65; two keys with one each give
    # 2 Q((T - 2) / 20) <= 1e-3, Q(3.2905) = 5e-4, T = 68, which is more.
    assert rich(2).threshold(0.005, 1e-3) == 68


@pytest.mark.parametrize("brought", [(3,), (1, 1, 1), (2, 1)])
def test_neighbouring_tables_are_told_apart_by_a_key_with_a_chance_of_delta(brought: tuple[int, ...]) -> None:
    """Keys 0 and 1 are shared; the neighbour has the keys of one more unit, of 3 rows."""
    rho, delta, n = 0.5, 0.25, 2000
    counts = np.array([40, 12, *brought])
    threshold, sigma = rich(3).threshold(rho, delta), rich(3).standard_deviation(rho)
    shown = 0
    for _ in range(n):
        kept, _noisy = rich(3).discover(counts, rho=rho, delta=delta, door=1, what="keys")
        shown += bool((kept >= 2).any())
    exact = 1 - math.prod(1 - tail(sigma, threshold - rows) for rows in brought)
    error = math.sqrt(exact * (1 - exact) / n)
    assert exact <= delta
    assert abs(shown / n - exact) < 5 * error


def test_a_key_that_one_row_carries_is_rarely_shown() -> None:
    mechanisms, n = rich(), 20_000
    delta = 0.05
    kept, noisy = mechanisms.discover(np.ones(n, dtype=np.int64), rho=0.125, delta=delta, door=1, what="keys")
    threshold = mechanisms.threshold(0.125, delta)
    exact = tail(2.0, threshold - 1)
    assert exact <= delta
    assert abs(len(kept) / n - exact) < 5 * math.sqrt(exact / n)
    assert noisy.min() == threshold


def test_what_many_rows_carry_is_shown_in_order_with_noisy_counts() -> None:
    mechanisms = rich()
    counts = np.array([500, 1, 900, 0, 700])
    kept, noisy = mechanisms.discover(counts, rho=0.02, delta=1e-6, door=1, what="keys")
    assert kept.tolist() == [0, 2, 4]
    assert (kept.dtype, noisy.dtype) == (np.int64, np.int64)
    assert np.abs(noisy - counts[kept]).max() < 40
    (entry,) = mechanisms.ledger.entries
    assert (entry.event, entry.delta) == (ZCDpEvent(0.02), 1e-6)


def test_discovery_without_keys_is_paid_for_all_the_same() -> None:
    mechanisms = rich()
    kept, noisy = mechanisms.discover(np.zeros(0, dtype=np.int64), rho=0.02, delta=1e-6, door=1, what="keys")
    assert kept.size == noisy.size == 0
    assert len(mechanisms.ledger.entries) == 1


def test_large_negative_counts_are_not_shown() -> None:
    kept, _ = rich().discover(np.array([-10_000]), rho=0.02, delta=1e-6, door=1, what="keys")
    assert kept.size == 0


@pytest.mark.parametrize("delta", [0.0, -1e-9, 0.5, 1.0, math.nan])
def test_discovery_needs_a_small_delta(delta: float) -> None:
    mechanisms = rich()
    with pytest.raises(SettingsError, match="delta of a discovery"):
        mechanisms.discover(np.arange(3), rho=0.1, delta=delta, door=1, what="keys")


def test_keys_are_listed_in_a_vector() -> None:
    with pytest.raises(SettingsError, match="vector"):
        rich().discover(np.zeros((2, 2), dtype=np.int64), rho=0.1, delta=0.01, door=1, what="keys")


# ------------------------------------------------------------------------------------------------------------ selection


def drawn(k: int, scores: list[float], n: int, rho: float, sensitivity: float) -> NDArray[np.float64]:
    tally: Counter[int] = Counter()
    for _ in range(n):
        tally[rich(k).select(np.array(scores), rho=rho, sensitivity=sensitivity, door=2, what="pair")] += 1
    return np.array([tally[position] / n for position in range(len(scores))])


@pytest.mark.parametrize(("k", "sensitivity"), [(1, 1.0), (1, 0.3), (4, 1.0)])
def test_select_draws_by_the_exponential_mechanism(k: int, sensitivity: float) -> None:
    rho, n, scores = 0.125, 3000, [0.0, 1.0, 3.0, -2.5]
    scale = k * sensitivity / math.sqrt(2 * rho)
    weights = np.exp(np.array(scores) / scale)
    expected = weights / weights.sum()
    shares = drawn(k, scores, n, rho, sensitivity)
    assert (np.abs(shares - expected) < 5 * np.sqrt(expected * (1 - expected) / n) + 1 / n).all()


def test_select_finds_what_stands_out() -> None:
    scores = np.zeros(2000)
    scores[1234] = 500.0
    mechanisms = rich()
    assert mechanisms.select(scores, rho=0.02, sensitivity=1.0, door=2, what="pair") == 1234
    (entry,) = mechanisms.ledger.entries
    assert (entry.event, entry.state) == (ZCDpEvent(0.02), "spent")


@given(
    st.lists(st.tuples(st.floats(-20, 20), st.floats(-1, 1)), min_size=2, max_size=5),
    st.sampled_from([0.01, 0.125, 0.5]),
    st.integers(1, 3),
)
def test_selection_on_neighbours_costs_no_more_than_rho(candidates, rho: float, k: int) -> None:
    """Renyi divergence of the two laws, summed up; scores move by at most k times the sensitivity (0.5)."""
    here = np.array([score for score, _ in candidates])
    there = here + np.array([move * k * 0.5 for _, move in candidates])
    scale = k * 0.5 / math.sqrt(2 * rho)
    log_p, log_q = (scores / scale - np.logaddexp.reduce(scores / scale) for scores in (here, there))
    for order, (left, right) in itertools.product((1.5, 2.0, 10.0), ((log_p, log_q), (log_q, log_p))):
        assert np.logaddexp.reduce(order * left + (1 - order) * right) / (order - 1) <= order * rho + 1e-9


def test_the_grid_of_scores_is_paid_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worst that rounding can do to two scores is within the distance that the map is asked about."""
    asked: list[int] = []
    real = Measurement.map
    monkeypatch.setattr(Measurement, "map", lambda self, distance: asked.append(distance) or real(self, distance))
    for sensitivity, k in ((1.0, 1), (0.3, 3), (1e-7, 1), (math.pi, 7)):
        asked.clear()
        rich(k).select(np.zeros(2), rho=0.1, sensitivity=sensitivity, door=2, what="pair")
        cell = 2.0 ** (math.floor(math.log2(sensitivity)) - 20)
        assert asked[-1] * cell >= k * sensitivity + 2 * cell - 1e-9 * cell
        assert asked[-1] * cell <= k * sensitivity * (1 + 4e-6)


@pytest.mark.parametrize(
    ("scores", "sensitivity", "expected"),
    [([-1e300, 1e300, 0.0], 1.0, 1), ([0.0, 1e-300], 1e-305, 1), ([5e300, 1e290], 1e295, 0)],
)
def test_scores_of_any_size_are_drawn_without_a_warning(scores, sensitivity: float, expected: int) -> None:
    assert rich().select(np.array(scores), rho=0.5, sensitivity=sensitivity, door=2, what="pair") == expected


def test_equal_scores_are_drawn_alike() -> None:
    shares = drawn(1, [2.0, 2.0], 2000, 0.5, 1.0)
    assert abs(shares[0] - 0.5) < 5 * 0.5 / math.sqrt(2000)


@pytest.mark.parametrize("scores", [[], [1.0, math.nan], [math.inf, 0.0], [[1.0], [2.0]]], ids=str)
def test_scores_that_have_no_sensitivity_are_refused(scores: Any) -> None:
    mechanisms = rich()
    with pytest.raises(PrivacyError, match="vector of finite scores"):
        mechanisms.select(np.array(scores), rho=0.1, sensitivity=1.0, door=2, what="pair")
    assert mechanisms.ledger.entries == ()


@pytest.mark.parametrize("sensitivity", [0.0, -1.0, math.nan, math.inf])
def test_the_sensitivity_is_a_positive_number(sensitivity: float) -> None:
    with pytest.raises(SettingsError, match="sensitivity"):
        rich().select(np.zeros(2), rho=0.1, sensitivity=sensitivity, door=2, what="pair")

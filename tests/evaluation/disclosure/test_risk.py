"""Risks above a control: formulas by hand, and intervals that keep their level."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthgan.evaluation.compared.intervals import difference, wilson
from synthgan.evaluation.disclosure.risk import (
    clumping,
    excess,
    family_z,
    interval_of_worst,
    paired_excess,
    unpaired_risk,
    worst,
)


def test_risk_by_hand() -> None:
    risk = unpaired_risk(60, 20, 100)
    assert (risk.attack, risk.control, risk.n_attacks) == (0.6, 0.2, 100)
    assert risk.value == pytest.approx(0.5)
    # Failures 0.4 in (0.3094, 0.4980) over 0.8 in (0.7112, 0.8666), put together by MOVER-R.
    low, high = wilson(40, 100)
    control_low, control_high = wilson(80, 100)
    for end, mine, other in ((risk.interval[1], low, control_high), (risk.interval[0], high, control_low)):
        ratio = 1 - end
        # The limit of a ratio solves (p1 - r p2)^2 = (p1 - l1)^2 + r^2 (p2 - u2)^2.
        assert (0.4 - ratio * 0.8) ** 2 == pytest.approx((0.4 - mine) ** 2 + (ratio * (0.8 - other)) ** 2)


def test_a_control_that_always_succeeds_leaves_no_risk_to_measure() -> None:
    risk = unpaired_risk(10, 10, 10)
    assert math.isnan(risk.value)
    assert risk.to_dict()["n_attacks"] == 10


def test_an_attack_that_always_succeeds_is_a_risk_of_one() -> None:
    risk = unpaired_risk(50, 0, 50)
    assert risk.value == 1.0
    assert risk.interval[1] == 1.0
    assert 0.85 < risk.interval[0] < 1.0


@given(st.data())
def test_intervals_hold_the_risk_and_shrink(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 300))
    attack, control = data.draw(st.integers(0, n)), data.draw(st.integers(0, n - 1))
    risk = unpaired_risk(attack, control, n)
    assert risk.interval[0] <= risk.value + 1e-12
    assert risk.value <= risk.interval[1] + 1e-12
    assert risk.interval[1] <= 1.0
    wide = unpaired_risk(attack, control, n, z=3.0).interval
    assert wide[0] <= risk.interval[0]
    assert risk.interval[1] <= wide[1] + 1e-12


def test_intervals_hold_their_level() -> None:
    rng = np.random.default_rng(0)
    for p in (0.02, 0.3, 0.9):
        hits = rng.binomial(200, p, size=(1500, 2))
        ends = np.array([unpaired_risk(int(a), int(c), 200).interval for a, c in hits if c < 200])
        assert 0.93 < ((ends[:, 0] <= 0) & (ends[:, 1] >= 0)).mean() < 0.99


def test_paired_excess_by_hand() -> None:
    excess, (lower, upper) = paired_excess(30, 10, 98)
    # Of 100: 31 and 11, so 0.2 +- 1.96 sqrt((0.42 - 0.04) / 100).
    assert excess == pytest.approx(20 / 98)
    assert lower == pytest.approx(0.2 - 1.96 * math.sqrt(0.0038), abs=1e-4)
    assert upper == pytest.approx(0.2 + 1.96 * math.sqrt(0.0038), abs=1e-4)


def test_clumps_widen_the_paired_interval() -> None:
    narrow, wide = paired_excess(30, 10, 98)[1], paired_excess(30, 10, 98, effect=4.0)[1]
    assert wide[0] < narrow[0] < narrow[1] < wide[1]
    # Nothing found in few tries is not certain.
    assert paired_excess(0, 0, 5)[1][1] > 0.3


def test_clumping_by_hand() -> None:
    assert clumping(np.array([3, 1, 2])) == 1.0
    assert clumping(np.array([], dtype=np.int64)) == 1.0
    # Counts 3 and 1: (9 + 1) / 4.
    assert clumping(np.array([7, 7, 7, -1])) == 2.5


def test_clumped_counts_keep_the_level() -> None:
    """Hits that come by sixes, on either side alike."""
    rng = np.random.default_rng(1)
    missed = {"with": 0, "without": 0}
    for _ in range(400):
        clumps = rng.poisson(8, size=2)
        owners = np.repeat(np.arange(clumps.sum()), 6)
        hits = [int(6 * count) for count in clumps]
        for name, effect in (("with", clumping(owners)), ("without", 1.0)):
            lower, upper = paired_excess(hits[0], hits[1], 2000, effect=effect)[1]
            missed[name] += not lower <= 0 <= upper
    assert missed["with"] <= 0.08 * 400
    assert missed["without"] > 0.3 * 400


def test_the_worst_risk_is_the_surest() -> None:
    risks = {"wide": unpaired_risk(3, 1, 4), "sure": unpaired_risk(50, 10, 100), "undefined": unpaired_risk(5, 5, 5)}
    assert risks["wide"].value > risks["sure"].value
    assert worst(risks) == "sure"
    assert worst({"undefined": risks["undefined"]}) == "undefined"


def test_the_interval_of_the_worst_is_as_wide_as_what_is_unknown() -> None:
    risks = {"wide": unpaired_risk(3, 1, 4), "sure": unpaired_risk(50, 10, 100), "undefined": unpaired_risk(5, 5, 5)}
    lower, upper = interval_of_worst(risks)
    assert (lower, upper) == (risks["sure"].interval[0], risks["wide"].interval[1])
    assert interval_of_worst({"sure": risks["sure"]}) == risks["sure"].interval
    assert all(math.isnan(end) for end in interval_of_worst({"undefined": risks["undefined"]}))


def test_quantile_of_a_family() -> None:
    assert family_z(1) == pytest.approx(1.959964, abs=1e-6)
    assert family_z(5) == pytest.approx(2.575829, abs=1e-6)


def test_excess_by_hand() -> None:
    """Of Newcombe's table of method 10: 56 of 70 against 48 of 80, and 9 against 3 of 10."""
    found = excess(unpaired_risk(9, 3, 10))
    assert found.value == pytest.approx(0.6)
    assert found.interval == pytest.approx((0.1705, 0.8090), abs=1e-3)
    assert difference(56 / 70, wilson(56, 70), 48 / 80, wilson(48, 80)) == pytest.approx((0.0524, 0.3339), abs=1e-4)

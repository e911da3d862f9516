"""One fit's account: what it refuses, what it composes to, what survives a kill, and its JSON."""

from __future__ import annotations

import copy
import errno
import json
import math
import os
import signal
import stat
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dp_accounting import (
    ComposedDpEvent,
    DpEvent,
    GaussianDpEvent,
    LaplaceDpEvent,
    NonPrivateDpEvent,
    NoOpDpEvent,
    PoissonSampledDpEvent,
    SelfComposedDpEvent,
    UnsupportedDpEvent,
    ZCDpEvent,
)
from dp_accounting.rdp import RdpAccountant
from hypothesis import given
from hypothesis import strategies as st

from synthgan import BudgetError, ModelFileError, OutputError, PrivacyError, SettingsError
from synthgan.privacy.account.entries import Entry
from synthgan.privacy.account.events import (
    budget_at,
    epsilon_of,
    event_from_json,
    event_to_json,
    plan_order,
    renyi_cost,
)
from synthgan.privacy.account.ledger import Ledger

UPDATES = SelfComposedDpEvent(PoissonSampledDpEvent(0.02, GaussianDpEvent(2.0)), 300)


def spend(ledger: Ledger, event: DpEvent, *, door: int = 1, what: str = "a count", delta: float = 0.0) -> Entry:
    entry = ledger.reserve(event, door=door, mechanism="test", what=what, delta=delta)
    ledger.settle(entry)
    return entry


# ---------------------------------------------------------------------------------------------------------- composition


def test_hand_computed_epsilon_of_zcdp_at_one_order() -> None:
    # Order 16, rho 0.01 in two parts, delta 1e-5 (Canonne, Kamath and Steinke 2020, Proposition 12):
    # 16 * 0.01 + ln(15 / 16) - (ln(1e-5) + ln 16) / 15 = 0.16 - 0.0645385 + 0.5826891
    ledger = Ledger(1.0, 1e-5, order=16)
    spend(ledger, ZCDpEvent(0.004))
    spend(ledger, ZCDpEvent(0.006))
    assert ledger.spent == pytest.approx(0.16)
    assert ledger.spent_epsilon() == pytest.approx(0.6781506, abs=2e-6)


def test_hand_computed_budget_and_remaining_rho() -> None:
    ledger = Ledger(1.0, 1e-5, order=16)
    assert ledger.budget == pytest.approx(1.0 + 0.0645385 - 0.5826891, abs=2e-6)
    assert ledger.remaining_rho == pytest.approx(ledger.budget / 16, rel=1e-8)
    spend(ledger, ZCDpEvent(0.01))
    assert ledger.remaining == pytest.approx(ledger.budget - 0.16, rel=1e-8)


@given(st.floats(1e-3, 1e4), st.floats(1e-12, 0.5), st.floats(1.02, 5000))
def test_a_budget_implies_its_epsilon_and_no_more(epsilon: float, delta: float, order: float) -> None:
    budget = budget_at(epsilon, delta, order)
    exact = epsilon - math.log1p(-1 / order) + math.log(delta * order) / (order - 1)
    assert budget == pytest.approx(max(exact, 0), rel=1e-9, abs=1e-9)
    assert budget == 0 or epsilon_of(budget, order, delta) <= epsilon


def test_nothing_spent_is_epsilon_zero() -> None:
    assert Ledger(1.0, 1e-5).spent_epsilon() == 0


def test_all_of_the_budget_can_be_spent_and_nothing_beyond() -> None:
    ledger = Ledger(1.0, 1e-5)
    rest = ledger.remaining_rho
    for _ in range(10):
        spend(ledger, ZCDpEvent(rest / 10))  # ten tenths make more than one in floats
    assert ledger.spent_epsilon() == pytest.approx(1.0, abs=1e-8)
    assert ledger.spent_epsilon() <= 1.0
    assert ledger.remaining_rho < rest * 1e-12
    with pytest.raises(BudgetError, match="refused before any data was read"):
        spend(ledger, ZCDpEvent(rest * 1e-6))


def test_the_default_order_leaves_most_rho() -> None:
    for epsilon, delta in ((0.01, 1e-5), (1.0, 1e-5), (1.0, 1e-9), (10.0, 1e-5), (100.0, 1e-5)):
        best = budget_at(epsilon, delta, plan_order(epsilon, delta)) / plan_order(epsilon, delta)
        others = (1 + 10 ** (step / 50) for step in range(-80, 300))
        assert best >= 0.999 * max(budget_at(epsilon, delta, order) / order for order in others)


def test_the_order_of_a_neural_plan_needs_least_noise() -> None:
    chosen = plan_order(3.0, 1e-5, 1.0, sampling_rate=0.01, n_updates=1000)

    def cost_left(order: float) -> float:
        run = SelfComposedDpEvent(PoissonSampledDpEvent(0.01, GaussianDpEvent(0.9)), 1000)
        return budget_at(3.0, 1e-5, order) - renyi_cost(run, order)

    # With the multiplier that just fits at the chosen order (about 0.9), no order elsewhere leaves more by much.
    assert cost_left(chosen) >= max(cost_left(order) for order in (2.0, 3.0, 4.0, 5.0, 8.0, 12.0, 20.0)) - 0.1
    assert plan_order(3.0, 1e-5, 0.0) == plan_order(3.0, 1e-5)


@pytest.mark.parametrize(("rate", "multiplier", "updates"), [(0.01, 1.1, 500), (0.05, 4.0, 2000), (1.0, 30.0, 50)])
def test_opacus_accounts_for_dp_sgd_as_the_ledger_does(rate: float, multiplier: float, updates: int) -> None:
    from opacus.accountants import RDPAccountant

    event = SelfComposedDpEvent(PoissonSampledDpEvent(rate, GaussianDpEvent(multiplier)), updates)
    for order in (2.0, 4.5, 8.0, 16.0, 32.0):
        ledger = Ledger(1e6, 1e-5, order=order)
        spend(ledger, event, door=3)
        opacus = RDPAccountant()
        opacus.history = [(multiplier, rate, updates)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # Opacus: the best of one order is the largest
            expected = opacus.get_epsilon(1e-5, alphas=[order])
        # At orders that are not whole, Opacus ends its series a little earlier.
        assert ledger.spent_epsilon() == pytest.approx(expected, rel=1e-6 if order % 1 else 1e-9)


EVENTS = st.one_of(
    st.floats(1e-6, 0.5).map(ZCDpEvent),
    st.floats(0.5, 50).map(GaussianDpEvent),
    st.builds(
        lambda rate, noise, count: SelfComposedDpEvent(PoissonSampledDpEvent(rate, GaussianDpEvent(noise)), count),
        st.floats(0.001, 0.5),
        st.floats(0.7, 10),
        st.integers(1, 500),
    ),
)


@given(
    st.floats(0.1, 8),
    st.floats(1e-9, 1e-2),
    st.floats(0, 0.9),
    st.lists(st.tuples(EVENTS, st.sampled_from([0.0, 0.0, 0.1, 0.5])), max_size=12),
)
def test_no_sequence_of_accepted_spends_passes_the_budget(epsilon, delta, share, asked) -> None:
    ledger = Ledger(epsilon, delta, discovery_delta=share * delta)
    accountant = RdpAccountant([ledger.order])
    deltas = 0.0
    for event, part in asked:
        own = part * ledger.discovery_delta
        fits = ledger.fits(event, delta=own)
        before = ledger.entries
        try:
            ledger.reserve(event, door=2, mechanism="any", what="any", delta=own)
        except BudgetError:
            assert not fits
            assert ledger.entries == before
        else:
            assert fits
            accountant.compose(event)
            deltas += own
        assert accountant.get_epsilon(delta - share * delta) <= epsilon
        assert deltas <= share * delta * (1 + 1e-8)
        assert epsilon_of(ledger.spent, ledger.order, ledger.conversion_delta) <= epsilon
        assert ledger.conversion_delta + ledger.spent_delta <= delta
    assert ledger.guarantee() == (epsilon, delta)
    assert ledger.spent == pytest.approx(float(accountant.rdp[0]))


# ------------------------------------------------------------------------------------------------------------- refusals


def test_an_overshoot_leaves_no_trace() -> None:
    ledger = Ledger(1.0, 1e-5)
    with pytest.raises(BudgetError, match=r"test of a count would take \d+\.\d% of the privacy budget, of which 100"):
        spend(ledger, ZCDpEvent(1.0))
    assert ledger.entries == ()
    assert not ledger.fits(ZCDpEvent(1.0))
    assert ledger.fits(ZCDpEvent(ledger.remaining_rho))


def test_reservations_count_before_they_are_settled() -> None:
    ledger = Ledger(1.0, 1e-5)
    ledger.reserve(ZCDpEvent(ledger.remaining_rho), door=1, mechanism="m", what="w")
    with pytest.raises(BudgetError):
        spend(ledger, ZCDpEvent(1e-4))


def test_deltas_of_discovery_come_off_the_target_first() -> None:
    plain, ledger = Ledger(1.0, 1e-5), Ledger(1.0, 1e-5, discovery_delta=4e-6)
    assert ledger.conversion_delta == pytest.approx(6e-6)
    assert ledger.remaining_rho < plain.remaining_rho
    spend(ledger, ZCDpEvent(0.001), delta=3e-6)
    assert ledger.remaining_delta == pytest.approx(1e-6)
    with pytest.raises(BudgetError, match="would take a delta of 2e-06, but 1e-06 of the 4e-06"):
        spend(ledger, ZCDpEvent(0.001), delta=2e-6)
    spend(ledger, ZCDpEvent(0.001), delta=1e-6)
    with pytest.raises(BudgetError):
        spend(plain, ZCDpEvent(0.001), delta=1e-12)


@pytest.mark.parametrize("delta", [-1e-9, math.nan])
def test_a_delta_cannot_be_earned(delta: float) -> None:
    with pytest.raises(BudgetError):
        spend(Ledger(1.0, 1e-5, discovery_delta=1e-6), ZCDpEvent(0.001), delta=delta)


@pytest.mark.parametrize(
    "event",
    [
        NonPrivateDpEvent(),
        UnsupportedDpEvent(),
        NoOpDpEvent(),
        LaplaceDpEvent(1.0),
        ZCDpEvent(-0.1),
        ZCDpEvent(math.nan),
        ZCDpEvent(math.inf),
        ZCDpEvent(0.1, xi=-1.0),
        GaussianDpEvent(0.0),
        GaussianDpEvent(-1.0),
        SelfComposedDpEvent(ZCDpEvent(0.1), -1),
        SelfComposedDpEvent(ZCDpEvent(0.1), 0),
        SelfComposedDpEvent(ZCDpEvent(0.1), True),
        PoissonSampledDpEvent(0.0, GaussianDpEvent(1.0)),
        PoissonSampledDpEvent(1.5, GaussianDpEvent(1.0)),
        PoissonSampledDpEvent(0.1, ZCDpEvent(0.1)),
        ComposedDpEvent([ZCDpEvent(0.1), NonPrivateDpEvent()]),
        "ZCDpEvent",
        None,
    ],
    ids=str,
)
def test_what_the_ledger_cannot_compose_is_refused(event: Any) -> None:
    ledger = Ledger(100.0, 1e-5)
    with pytest.raises(PrivacyError):
        spend(ledger, event)
    assert ledger.entries == ()


@pytest.mark.parametrize("door", [0, 4])
def test_there_are_three_doors(door: int) -> None:
    with pytest.raises(ValueError, match="door"):
        spend(Ledger(1.0, 1e-5), ZCDpEvent(0.001), door=door)


def test_a_release_is_settled_once() -> None:
    ledger, other = Ledger(1.0, 1e-5), Ledger(1.0, 1e-5)
    entry = spend(ledger, ZCDpEvent(0.001))
    assert (entry.state, ledger.entries[0].state) == ("reserved", "spent")
    for foreign in (entry, ledger.entries[0], other.reserve(ZCDpEvent(0.001), door=1, mechanism="m", what="w")):
        with pytest.raises(PrivacyError, match="only a release that is reserved"):
            ledger.settle(foreign)


@pytest.mark.parametrize(
    "wrong",
    [
        {"epsilon": 0},
        {"epsilon": math.nan},
        {"delta": 1.0},
        {"discovery_delta": -1e-9},
        {"discovery_delta": 1e-5},
        {"discovery_delta": math.nan},
        {"discovery_delta": "1e-6"},
        {"order": 1.0},
        {"order": math.inf},
        {"order": math.nan},
        {"order": 1.5},
    ],
    ids=str,
)
def test_terms_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        Ledger(**({"epsilon": 1.0, "delta": 1e-5} | wrong))


def test_all_releases_protect_the_same_unit() -> None:
    ledger = Ledger(1.0, 1e-5)
    ledger.declare(rows_per_unit=3)
    with pytest.raises(PrivacyError, match="declare the column"):
        ledger.to_json()
    with pytest.raises(SettingsError, match="the unit is a row"):
        ledger.declare(unit="row")
    ledger.declare(unit="person", unprotected=["column names"])
    spend(ledger, ZCDpEvent(0.001))
    ledger.declare(unit="person", rows_per_unit=3, unprotected=["column names", "declared levels"])
    for change in ({"unit": "household"}, {"rows_per_unit": 2}):
        with pytest.raises(PrivacyError, match="another unit"):
            ledger.declare(**change)
    assert ledger.unprotected == ("column names", "declared levels")


# --------------------------------------------------------------------------------------------------------------- events


@given(EVENTS)
def test_events_survive_json(event: DpEvent) -> None:
    assert event_from_json(json.loads(json.dumps(event_to_json(event)))) == event
    both = ComposedDpEvent([event, ZCDpEvent(0.1)])
    assert event_from_json(json.loads(json.dumps(event_to_json(both)))) == both


@pytest.mark.parametrize(
    "values",
    [
        None,
        [],
        {},
        {"type": "ZCDpEvent", "rho": 0.1},
        {"type": "ZCDpEvent", "rho": "0.1", "xi": 0},
        {"type": "ZCDpEvent", "rho": 0.1, "xi": 0, "more": 1},
        {"type": "NonPrivateDpEvent"},
        {"type": "Path", "rho": 1},
        {"type": ["ZCDpEvent"], "rho": 1, "xi": 0},
        {"type": "ComposedDpEvent", "events": {"type": "ZCDpEvent"}},
    ],
    ids=str,
)
def test_json_that_is_no_event_is_refused(values: Any) -> None:
    with pytest.raises(PrivacyError):
        event_from_json(values)


def test_events_are_not_nested_without_end() -> None:
    event: DpEvent = ZCDpEvent(1e-9)
    for _ in range(20):
        event = SelfComposedDpEvent(event, 1)
    with pytest.raises(PrivacyError):
        event_to_json(event)


# -------------------------------------------------------------------------------------------------------------- journal


def test_a_journal_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "fit.journal"
    ledger = Ledger(2.0, 1e-5, order=12, discovery_delta=1e-6, journal=path)
    ledger.declare(unit="person", rows_per_unit=2, unprotected=["column names"])
    spend(ledger, ZCDpEvent(0.01), delta=5e-7)
    spend(ledger, UPDATES, door=3, what="updates")
    resumed = Ledger.resume(path)
    assert resumed.to_json() == ledger.to_json()
    assert resumed.entries == ledger.entries
    spend(resumed, ZCDpEvent(0.02), door=2)
    assert Ledger.resume(path).entries == resumed.entries


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_release_that_was_killed_counts_as_spent(tmp_path: Path) -> None:
    path = tmp_path / "fit.journal"
    code = f"""
import time
from dp_accounting import ZCDpEvent
from synthgan.privacy.account.ledger import Ledger
ledger = Ledger(1.0, 1e-5, journal={str(path)!r})
ledger.settle(ledger.reserve(ZCDpEvent(0.005), door=1, mechanism="m", what="first"))
ledger.reserve(ZCDpEvent(0.02), door=2, mechanism="m", what="second")
print("reserved", flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "reserved\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    ledger = Ledger.resume(path)
    assert [(entry.what, entry.state) for entry in ledger.entries] == [("first", "spent"), ("second", "reserved")]
    assert ledger.spent == pytest.approx(0.025 * ledger.order)
    with pytest.raises(BudgetError):
        spend(ledger, ZCDpEvent(0.02))
    ledger.settle(ledger.entries[1])
    assert Ledger.resume(path).entries[1].state == "spent"


def test_a_line_cut_off_by_a_kill_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "fit.journal"
    ledger = Ledger(1.0, 1e-5, journal=path)
    spend(ledger, ZCDpEvent(0.001))
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"reserve":{"id":1,"door":1')
    resumed = Ledger.resume(path)
    assert path.read_bytes() == whole
    spend(resumed, ZCDpEvent(0.001))
    assert len(Ledger.resume(path).entries) == 2


def test_reserve_returns_when_the_disk_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "fit.journal"
    ledger = Ledger(1.0, 1e-5, journal=path)
    synced: list[bytes] = []
    monkeypatch.setattr(os, "fsync", lambda _descriptor: synced.append(path.read_bytes()))
    ledger.reserve(ZCDpEvent(0.001), door=1, mechanism="m", what="w")
    assert json.loads(synced[-1].splitlines()[-1])["reserve"]["what"] == "w"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_a_journal_is_for_its_owner_only(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        Ledger(1.0, 1e-5, journal=tmp_path / "fit.journal")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "fit.journal").stat().st_mode) == 0o600


def test_an_old_journal_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "fit.journal"
    spend(Ledger(1.0, 1e-5, journal=path), ZCDpEvent(0.001))
    before = path.read_bytes()
    with pytest.raises(PrivacyError, match="resume that fit"):
        Ledger(1.0, 1e-5, journal=path)
    assert path.read_bytes() == before


def test_two_fits_cannot_go_on_with_one_journal(tmp_path: Path) -> None:
    path = tmp_path / "fit.journal"
    Ledger(1.0, 1e-5, journal=path)
    first, second = Ledger.resume(path), Ledger.resume(path)
    spend(first, ZCDpEvent(0.001))
    with pytest.raises(PrivacyError, match="another process has changed"):
        spend(second, ZCDpEvent(0.001))
    assert second.entries == ()


def test_what_the_disk_refuses_is_not_spent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(1.0, 1e-5, journal=tmp_path / "fit.journal")

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(OutputError, match="no space left"):
            spend(ledger, ZCDpEvent(0.001))
    assert ledger.entries == ()
    with pytest.raises(PrivacyError, match="resume the fit"):
        spend(ledger, ZCDpEvent(0.001))
    spend(Ledger.resume(tmp_path / "fit.journal"), ZCDpEvent(0.001))


def test_a_journal_needs_a_folder(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write the journal"):
        Ledger(1.0, 1e-5, journal=tmp_path / "nowhere" / "fit.journal")


DAMAGED_JOURNALS = [
    pytest.param(lambda lines: [], id="empty"),
    pytest.param(lambda lines: lines[1:], id="no header"),
    pytest.param(lambda lines: [lines[0], *lines[2:]], id="a reservation missing"),
    pytest.param(lambda lines: [lines[0], "{", *lines[1:]], id="no JSON"),
    pytest.param(lambda lines: [lines[0], "[1]", *lines[1:]], id="no object"),
    pytest.param(lambda lines: [lines[0], '{"cancel": 0}', *lines[1:]], id="unknown line"),
    pytest.param(lambda lines: [*lines, '{"settle": 7}'], id="settles what is not there"),
    pytest.param(lambda lines: [*lines, '{"settle": 0}'], id="settles twice"),
    pytest.param(lambda lines: [lines[0].replace("1.0", "0.0001"), *lines[1:]], id="overspent"),
    pytest.param(lambda lines: [lines[0].replace('"ledger":1', '"ledger":2'), *lines[1:]], id="version"),
    pytest.param(lambda lines: [*lines[:-1], lines[-1].replace("settle", "reserve")], id="wrong values"),
]


@pytest.mark.parametrize("damage", DAMAGED_JOURNALS)
def test_a_damaged_journal_is_refused(tmp_path: Path, damage: Any) -> None:
    path = tmp_path / "fit.journal"
    ledger = Ledger(1.0, 1e-5, journal=path)
    spend(ledger, ZCDpEvent(0.004))
    spend(ledger, ZCDpEvent(0.004))
    path.write_text("".join(f"{line}\n" for line in damage(path.read_text().splitlines())))
    with pytest.raises(PrivacyError, match=r"damaged|no whole journal"):
        Ledger.resume(path)


def test_a_missing_journal_is_no_empty_one(tmp_path: Path) -> None:
    with pytest.raises(PrivacyError, match="nobody knows what was spent"):
        Ledger.resume(tmp_path / "fit.journal")


# ------------------------------------------------------------------------------------------------------ model file JSON


def full_ledger(n_rounds: int = 14) -> Ledger:
    ledger = Ledger(4.0, 1e-5, discovery_delta=1e-6)
    ledger.declare(unit="row", rows_per_unit=1, unprotected=["column names", "declared levels"])
    spend(ledger, ZCDpEvent(0.001), what="number of rows")
    spend(ledger, ZCDpEvent(0.001), what="levels of city", delta=1e-7)
    for number in range(n_rounds):
        spend(ledger, ZCDpEvent(0.0002), door=2, what=f"pair {number % 7}")
    spend(ledger, UPDATES, door=3, what="updates of the critic")
    ledger.reserve(ZCDpEvent(0.0002), door=2, mechanism="test", what="pair 1")
    return ledger


def test_the_document_says_what_a_reviewer_asks() -> None:
    ledger = full_ledger()
    document = ledger.to_json()
    assert document["guarantee"] == {"epsilon": 4.0, "delta": 1e-5}
    assert document["composition"]["order"] == ledger.order
    assert "Feldman and Zrnic 2021" in document["composition"]["source"]
    assert "add or remove" in document["adjacency"]
    assert (document["unit"], document["rows_per_unit"]) == ("row", 1)
    assert document["unprotected"] == ["column names", "declared levels"]
    assert {door: total["releases"] for door, total in document["doors"].items()} == {"1": 2, "2": 15, "3": 1}
    assert sum(total["renyi_divergence"] for total in document["doors"].values()) == pytest.approx(ledger.spent)
    assert document["doors"]["1"]["discovery_delta"] == 1e-7
    assert document["spent"]["epsilon"] == ledger.spent_epsilon()
    words = json.dumps(document["randomness"])
    assert "operating system's entropy" in words
    assert "neither cryptographic nor exact" in words


def test_hundreds_of_rounds_do_not_bloat_the_document() -> None:
    document = full_ledger(300).to_json()
    rounds = [entry for entry in document["entries"] if entry["door"] == 2]
    assert [(entry["state"], entry["count"]) for entry in rounds] == [("spent", 300), ("reserved", 1)]
    assert rounds[0]["what"] == {f"pair {number}": 43 if number < 6 else 42 for number in range(7)}
    assert len(json.dumps(document)) < 5000


def test_the_document_is_read_back_as_a_record() -> None:
    ledger = full_ledger()
    document = ledger.to_json()
    record = Ledger.from_json(json.loads(json.dumps(document)))
    assert record.to_json() == document
    assert record.guarantee() == (4.0, 1e-5)
    assert len(record.entries) == len(ledger.entries)
    assert not record.fits(ZCDpEvent(1e-9))
    with pytest.raises(PrivacyError, match="record of a finished fit"):
        spend(record, ZCDpEvent(1e-9))


def test_an_empty_ledger_is_read_back() -> None:
    document = Ledger(1.0, 1e-5).to_json()
    assert Ledger.from_json(document).to_json() == document


def test_prose_may_be_worded_otherwise() -> None:
    document = full_ledger().to_json()
    document["composition"]["method"] = "another wording of a later version"
    Ledger.from_json(document)
    document["composition"]["method"] = 3
    with pytest.raises(ModelFileError):
        Ledger.from_json(document)


def _places(values: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    parts = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    for key, part in parts:
        yield (*place, key)
        yield from _places(part, (*place, key))


def test_damage_anywhere_is_noticed() -> None:
    document = full_ledger().to_json()
    n_tried = 0
    for place in _places(document):
        *path, last = place
        for change in ("drop", "other", "number"):
            damaged = copy.deepcopy(document)
            inner: Any = damaged
            for key in path:
                inner = inner[key]
            if change == "drop":
                if path[-1:] == ["unprotected"]:
                    continue  # a list of phrases that nothing else repeats
                del inner[last]
            elif change == "other":
                inner[last] = [] if inner[last] != [] else None
            elif isinstance(inner[last], int | float):
                inner[last] = inner[last] * 2 + 1
            else:
                continue
            if change == "other" and place == ("unprotected",):
                continue
            n_tried += 1
            with pytest.raises(ModelFileError, match="do not rely on its guarantee"):
                Ledger.from_json(damaged)
    assert n_tried > 150


@pytest.mark.parametrize("values", [None, [], 3, "ledger", {}, {"version": 1}], ids=str)
def test_what_is_no_document_is_refused(values: Any) -> None:
    with pytest.raises(ModelFileError):
        Ledger.from_json(values)


def test_a_document_cannot_ask_for_endless_work() -> None:
    document = Ledger(1.0, 1e-5).to_json()
    document["entries"] = [
        {
            "door": 1,
            "mechanism": "m",
            "event": event_to_json(ZCDpEvent(0.0)),
            "delta": 0.0,
            "state": "spent",
            "count": 10**12,
            "what": {"w": 10**12},
        }
    ]
    with pytest.raises(ModelFileError):
        Ledger.from_json(document)


def test_progress_outlives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    ledger = Ledger(1.0, 1e-5, journal=path)
    entry = ledger.reserve(ZCDpEvent(0.001), door=3, mechanism="many parts", what="something")
    assert ledger.progress_of(entry) == 0
    for done in (50, 50, 100):
        ledger.progress(entry, done)
    again = Ledger.resume(path)
    (found,) = again.entries
    assert again.progress_of(found) == 100
    with pytest.raises(PrivacyError, match="never falls"):
        again.progress(found, 99)
    again.settle(found)
    with pytest.raises(PrivacyError, match="only a release that is reserved"):
        again.progress(again.entries[0], 150)
    assert Ledger.resume(path).progress_of(found) == 100
    assert Ledger.from_json(again.to_json()).to_json() == again.to_json()

"""Door 2 under privacy: sensitivity, budget, nothing exact behind it, and targets that are right."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from synthgan.critics.marginal import expected_marginals
from synthgan.critics.marginal_door import ExactMarginals
from synthgan.networks.layers import LevelAxis
from synthgan.privacy.account.ledger import Ledger
from synthgan.privacy.marginals import UNMEASURED, PrivateMarginals, RoundSettings
from synthgan.privacy.mechanisms import Mechanisms
from tests.small_tables import small_layout, small_table
from tests.stand_in_mechanisms import SecondDoor

LAYOUT = small_layout()
AXIS = LevelAxis(LAYOUT)
N_ROWS = 40.0
SLICES = [[0], [1, 2]]
QUICK = RoundSettings(n_rounds=3, per_round=2)
ALL = RoundSettings(n_rounds=3, per_round=4)
ROW = st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(0, 2))


def codes_of(rows: Sequence[Sequence[int]]) -> Tensor:
    return torch.tensor(rows, dtype=torch.uint8).reshape(-1, 3)


def door(codes: Tensor, mechanisms: Any, *, rho: float = 1.0, target: int | None = 2, **options: Any) -> Any:
    options = {"slices": SLICES, "n_rows": N_ROWS, "one_way_variance": 4.0, "settings": QUICK, **options}
    return PrivateMarginals(codes, options.pop("layout", LAYOUT), mechanisms, rho=rho, target=target, **options)


def generated(seed: int = 0, slices: Sequence[Sequence[int]] = SLICES) -> list[Tensor]:
    """Marginals of random generated rows."""
    logits = 2 * torch.randn(64, 8, generator=torch.Generator().manual_seed(seed))
    return expected_marginals(AXIS.softmax(logits), AXIS, 2, slices)


def run_all(made: PrivateMarginals, slices: Sequence[Sequence[int]] = SLICES) -> PrivateMarginals:
    rounds = 0
    while not made.is_spent:
        made.measure_worst(generated(rounds, slices))
        rounds += 1
    return made


# ------------------------------------------------------------------------------------------------------- sensitivity


@settings(max_examples=40)
@given(
    rows=st.lists(ROW, min_size=1, max_size=12),
    place=st.integers(0, 11),
    weight=st.sampled_from([0.25, 1.0, 3.0]),
    seed=st.integers(0, 50),
)
def test_one_row_changes_counts_by_one_and_scores_by_the_stated_sensitivity(
    rows: list[Any], place: int, weight: float, seed: int
) -> None:
    place %= len(rows)
    asked = []
    for kept in (rows, rows[:place] + rows[place + 1 :]):
        asked.append(SecondDoor(answers=seed))
        wanted = RoundSettings(n_rounds=2, per_round=2, target_weight=weight)
        run_all(door(codes_of(kept), asked[-1], settings=wanted))
    one, other = asked
    assert len(one.counted) == len(other.counted) == 6  # two pairs with the target, then two in each of two rounds
    assert len(one.scored) == len(other.scored) == 4
    for before, after in zip(one.counted, other.counted, strict=True):
        assert before.shape == after.shape
        assert np.abs(before - after).sum() == 1  # each row is in one cell of each marginal
    for before, after, sensitivity in zip(one.scored, other.scored, one.sensitivities, strict=True):
        assert np.abs(before - after).max() <= sensitivity * (1 + 1e-12) + 1e-9
    assert one.sensitivities == other.sensitivities == [max(1.0, weight)] * 4


def test_the_sensitivity_is_reached() -> None:
    """Otherwise the test above would also pass with scores that are far too small."""
    asked = [SecondDoor(answers=0), SecondDoor(answers=0)]
    for mechanisms, rows in zip(asked, ([[0, 0, 0]] * 60, [[0, 0, 0]] * 59), strict=True):
        door(codes_of(rows), mechanisms).measure_worst(generated())
    np.testing.assert_allclose(np.abs(asked[0].scored[0] - asked[1].scored[0]), 1.0)


# ------------------------------------------------------------------------------------------- candidates and rounds


def test_candidates_are_pairs_and_pairs_within_slices() -> None:
    codes = torch.from_numpy(small_table(200).codes)
    for options, n_candidates, n_first in (
        ({}, 4, 2),  # three pairs, and (flag, amount) by slices of colour
        ({"slices": [[0, 1, 2]]}, 3, 2),  # one slice splits nothing
        ({"target": None}, 3, 0),
        ({"settings": RoundSettings(n_rounds=3, per_round=2, max_cells=8)}, 2, 1),  # amount and colour have nine cells
    ):
        mechanisms = SecondDoor()
        made = door(codes, mechanisms, **options)
        assert len(mechanisms.counted) == n_first
        n_slices = 0 if options.get("target", 2) is None or "slices" in options else 2
        made.measure_worst(generated(slices=SLICES[:n_slices]))
        assert [len(scores) for scores in mechanisms.scored] == [n_candidates, n_candidates - 1]


def test_the_worst_is_selected_and_nothing_twice_in_a_round() -> None:
    """Rows that are right but for flag and amount, which depend on each other and are generated independently."""
    codes = codes_of([[0, 0, 0]] * 20 + [[1, 1, 0]] * 20)
    mechanisms = SecondDoor(deviation=1e-6)
    made = door(codes, mechanisms)
    one_way = torch.tensor([[0.5, 0.5, 0.5, 0.5, 0, 1.0, 0, 0]])
    made.measure_worst(expected_marginals(one_way, AXIS, 2, SLICES))
    # In the order of the candidates: (flag, amount) is off by a quarter in each of four cells, so it is by slices.
    np.testing.assert_allclose(mechanisms.scored[0], [40, 0, 0, 40], atol=1e-3)
    assert mechanisms.counted[2].tolist() == [20, 0, 0, 0, 20, 0]
    assert mechanisms.counted[3].tolist() == [20, 0, 0, 0, 20, 0] + [0] * 6


def test_rounds_come_to_an_end() -> None:
    mechanisms = SecondDoor()
    made = run_all(door(torch.from_numpy(small_table(100).codes), mechanisms))
    assert made.rounds_done == 3
    asked = len(mechanisms.spent)
    made.measure_worst(generated())
    assert len(mechanisms.spent) == asked


# ----------------------------------------------------------------------------------------------------------- budget


@pytest.mark.parametrize("per_round", [1, 2, 4, 9])
@pytest.mark.parametrize("target", [None, 2])
def test_the_whole_budget_is_spent_and_never_more(per_round: int, target: int | None) -> None:
    mechanisms = SecondDoor()
    slices = SLICES if target is not None else []
    wanted = RoundSettings(n_rounds=3, per_round=per_round)
    made = door(torch.from_numpy(small_table(100).codes), mechanisms, rho=0.3, target=target, settings=wanted)
    run_all(made, slices)
    assert math.fsum(rho for _, rho in mechanisms.spent) == pytest.approx(0.3, rel=1e-9)
    assert math.fsum(rho for _, rho in mechanisms.spent) <= 0.3 * (1 + 1e-12)
    selecting = math.fsum(rho for kind, rho in mechanisms.spent if kind == "select")
    assert selecting == pytest.approx(0.1 * 0.3 * (1 if target is None else 0.8))


def test_a_real_ledger_lets_the_last_round_pass() -> None:
    ledger = Ledger(1.0, 1e-5)
    made = door(
        torch.from_numpy(small_table(100).codes),
        Mechanisms(ledger),
        rho=ledger.remaining_rho,
        settings=RoundSettings(n_rounds=2, per_round=3),
    )
    run_all(made)
    assert ledger.spent_epsilon() <= 1.0
    assert ledger.spent_epsilon() == pytest.approx(1.0, rel=1e-6)
    assert {(entry.door, entry.state) for entry in ledger.entries} == {(2, "spent")}


def test_without_a_budget_only_columns_are_known() -> None:
    mechanisms = SecondDoor()
    made = door(torch.from_numpy(small_table(100).codes), mechanisms, rho=0.0)
    known = made.pairs()
    assert known.weight.tolist() == torch.eye(3).tolist()
    np.testing.assert_allclose(known.share.diagonal(), LAYOUT.marginal, rtol=1e-6)
    np.testing.assert_allclose(known.tolerance.diagonal(), 2.0 / N_ROWS, rtol=1e-6)
    assert not made.slice(2, SLICES[0]).weight.any()
    assert made.is_spent
    assert not any(candidate.is_split for candidate in made.measurements)
    made.measure_worst(generated())
    assert mechanisms.spent == []


# -------------------------------------------------------------------------------------------- nothing exact leaves


@settings(max_examples=20)
@given(
    tables=st.tuples(*[st.lists(ROW, max_size=10)] * 2),
    seed=st.integers(0, 1000),
)
def test_with_the_same_answers_all_tables_look_alike(tables: Any, seed: int) -> None:
    told = []
    for rows in tables:
        made = run_all(door(codes_of(rows), SecondDoor(answers=seed)))
        targets = [made.pairs(), *(made.slice(2, levels) for levels in SLICES)]
        told.append([(t.share.tolist(), t.weight.tolist(), t.tolerance.tolist(), t.n_rows) for t in targets])
    assert told[0] == told[1]


# ---------------------------------------------------------------------------------------------------------- targets


def test_with_tiny_noise_targets_are_the_exact_ones() -> None:
    table = small_table(500)
    codes = torch.from_numpy(table.codes)
    made = door(
        codes, SecondDoor(deviation=1e-6), layout=table.layout, n_rows=500.0, one_way_variance=1e-9, settings=ALL
    )
    run_all(made)
    exact = ExactMarginals(codes, table.layout)
    known = made.pairs()
    assert known.weight.min() == 1
    assert known.n_rows == 500
    off_diagonal = AXIS.column_of_level[:, None] != AXIS.column_of_level
    places = off_diagonal | torch.eye(8, dtype=torch.bool)
    torch.testing.assert_close(known.share[places], exact.pairs().share[places], atol=1e-5, rtol=0)
    assert torch.equal(known.share, known.share.T)
    assert any(candidate.is_split for candidate in made.measurements)
    for levels in SLICES:
        part, want = made.slice(2, levels), exact.slice(2, levels)
        assert part.weight.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
        torch.testing.assert_close(part.share[:2, 2:5], want.share[:2, 2:5], atol=1e-5, rtol=0)


def test_what_nobody_measured_has_no_weight_and_pulls_at_nothing() -> None:
    made = door(torch.from_numpy(small_table(100).codes), SecondDoor())
    known = made.pairs()
    assert known.weight.tolist() == [[1, 0, 1], [0, 1, 1], [1, 1, 1]]
    assert (known.tolerance[:2, 2:5] == UNMEASURED).all()
    assert (known.tolerance[:2, 5:] < 1).all()


def test_measuring_again_narrows_what_is_known() -> None:
    codes = codes_of([[0, 0, 0]] * 20 + [[1, 1, 0]] * 20)
    made = door(codes, SecondDoor(deviation=3.0), target=None, slices=[], settings=RoundSettings(per_round=1))
    expected = expected_marginals(torch.tensor([[0.5, 0.5, 0.5, 0.5, 0, 1.0, 0, 0]]), AXIS)
    for times in range(1, 4):
        made.measure_worst(expected)
        deviation = made.pairs().tolerance[0, 2].item() * N_ROWS
        assert deviation == pytest.approx(3.0 / times**0.5, rel=1e-5)


def test_slices_add_up_to_their_pair() -> None:
    codes = torch.from_numpy(small_table(300).codes)
    made = run_all(door(codes, SecondDoor(deviation=5.0, noise=5.0), n_rows=290.0, settings=ALL))
    total = sum(made.slice(2, levels).share[:2, 2:5] for levels in SLICES)
    torch.testing.assert_close(total, made.pairs().share[:2, 2:5], atol=1e-6, rtol=0)


def test_other_slices_are_refused() -> None:
    made = door(torch.from_numpy(small_table(50).codes), SecondDoor())
    for column, levels in ((2, [1]), (0, [0]), (2, [0, 1, 2])):
        with pytest.raises(ValueError, match="measures the slices that it was made for"):
            made.slice(column, levels)


def test_fewer_rows_than_one_are_one() -> None:
    """A noisy count may be 0 or below: shares are finite all the same."""
    made = run_all(door(codes_of([]), SecondDoor(), n_rows=-7.0))
    assert made.pairs().share.isfinite().all()
    assert made.pairs().n_rows == 1


def test_a_door_goes_on_from_its_state() -> None:
    codes = torch.from_numpy(small_table(300).codes)
    first, second = SecondDoor(noise=3.0), SecondDoor(noise=3.0)
    made = door(codes, first, rho=0.3)
    made.measure_worst(generated())
    state = made.state()
    again = door(codes_of([]), second, rho=0.3, earlier=state)
    assert second.spent == [], "what is known is not measured again"
    assert again.rounds_done == 1
    for one, other in ((made.pairs(), again.pairs()), *((made.slice(2, s), again.slice(2, s)) for s in SLICES)):
        assert torch.equal(one.share, other.share)
        assert torch.equal(one.tolerance, other.tolerance)
        assert torch.equal(one.weight, other.weight)
    run_all(again)
    spent = math.fsum(rho for _, rho in first.spent + second.spent)
    assert spent == pytest.approx(0.3, rel=1e-9)


def test_a_door_that_lost_what_it_paid_for_has_so_much_less() -> None:
    codes = torch.from_numpy(small_table(300).codes)
    state = door(codes, SecondDoor(), rho=0.3).state()
    mechanisms = SecondDoor()
    run_all(door(codes, mechanisms, rho=0.1, earlier=state))  # the ledger says that only this much is left
    assert math.fsum(rho for _, rho in mechanisms.spent) == pytest.approx(0.1, rel=1e-9)
    mechanisms = SecondDoor()
    made = door(codes, mechanisms, rho=0.0, earlier=state)
    made.measure_worst(generated())
    assert made.is_spent
    assert mechanisms.spent == []
    assert made.pairs().weight[0, 2] == 1

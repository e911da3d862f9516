from __future__ import annotations

import contextlib
import itertools

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from synthgan.critics.marginal import MarginalCritic, SliceTarget, expected_marginals
from synthgan.critics.marginal_door import ExactMarginals, GramTarget
from synthgan.networks.layers import LevelAxis
from synthgan.tables.layout import Layout, Span
from tests.small_tables import small_layout, small_table

LAYOUT = small_layout()
AXIS = LevelAxis(LAYOUT)
LAYOUT_UNIFORM = AXIS.normalise(torch.ones(1, 8))
CODES = torch.tensor([[0, 0, 0], [0, 1, 0], [1, 2, 1], [1, 2, 2]], dtype=torch.uint8)


def test_pairs_by_hand() -> None:
    target = ExactMarginals(CODES, LAYOUT).pairs()
    share = target.share
    assert share[0, 2].item() == 0.25, "flag 0 with amount 0: one row of four"
    assert share[1, 4].item() == 0.5, "flag 1 with missing amount: two rows"
    assert share[4, 6].item() == 0.25
    assert share[2, 6].item() == 0
    assert share.diagonal().tolist() == [0.5, 0.5, 0.25, 0.25, 0.5, 0.5, 0.25, 0.25]
    tolerance = target.tolerance_at(slice(1, 3), slice(4, 8))
    assert tolerance[0, 0].item() == pytest.approx((0.5 * 0.5 / 4) ** 0.5)
    assert tolerance[1, 2].item() == pytest.approx(1e-6), "never 0"


def test_a_door_may_say_its_own_tolerance() -> None:
    target = ExactMarginals(CODES, LAYOUT).pairs()
    noisy = GramTarget(target.share, target.weight, target.n_rows, tolerance=torch.full((8, 8), 0.5))
    assert noisy.tolerance_at(slice(0, 8), slice(0, 8)).unique().tolist() == [0.5]
    rows = LAYOUT_UNIFORM
    loose, tight = (MarginalCritic(t, AXIS).loss(rows)[0].item() for t in (noisy, target))
    assert 0 < loose < 0.5 * tight


def test_a_slice_counts_only_its_rows_and_leaves_its_own_column_out() -> None:
    target = ExactMarginals(CODES, LAYOUT).slice(0, [1])
    assert target.share[4, 6].item() == 0.25
    assert target.share[2, 5].item() == 0, "that row has flag 0"
    assert target.weight.tolist() == [[0, 0, 0], [0, 1, 1], [0, 1, 1]]


def test_slices_add_up_to_the_pairs() -> None:
    codes = torch.from_numpy(small_table().codes)
    marginals = ExactMarginals(codes, LAYOUT)
    total = marginals.slice(2, [0]).share + marginals.slice(2, [1, 2]).share
    torch.testing.assert_close(total, marginals.pairs().share)


@pytest.mark.parametrize(("limit", "size"), [("CHUNK", 7), ("CHUNK_CELLS", 60), ("CHUNK_CELLS", 1)])
def test_chunks_do_not_change_the_counts(monkeypatch: pytest.MonkeyPatch, limit: str, size: int) -> None:
    codes = torch.from_numpy(small_table().codes)
    whole = ExactMarginals(codes, LAYOUT).pairs().share
    monkeypatch.setattr(ExactMarginals, limit, size)
    assert torch.equal(ExactMarginals(codes, LAYOUT).pairs().share, whole)


def test_the_gram_of_one_hot_rows_is_the_data_s() -> None:
    critic = MarginalCritic(ExactMarginals(CODES, LAYOUT).pairs(), AXIS)
    loss, error = critic.loss(AXIS.one_hot(CODES.long()))
    assert error.item() == pytest.approx(0, abs=1e-7)
    assert loss.item() == pytest.approx(0, abs=1e-7)


def test_error_is_the_mean_total_variation_over_pairs() -> None:
    critic = MarginalCritic(ExactMarginals(CODES, LAYOUT).pairs(), AXIS)
    independent = torch.tensor([[0.5, 0.5, 0.25, 0.25, 0.5, 0.5, 0.25, 0.25]])
    share = ExactMarginals(CODES, LAYOUT).pairs().share.numpy()
    flat = independent[0].numpy()
    slices = [slice(0, 2), slice(2, 5), slice(5, 8)]
    distances = [
        0.5 * np.abs(np.outer(flat[a], flat[b]) - share[a, b]).sum() for i, a in enumerate(slices) for b in slices[:i]
    ]
    assert critic.loss(independent)[1].item() == pytest.approx(np.mean(distances), abs=1e-6)
    assert critic.distance(independent)[0].item() == pytest.approx(np.mean(distances), abs=1e-6)


def test_gradient_lowers_the_error() -> None:
    critic = MarginalCritic(ExactMarginals(CODES, LAYOUT).pairs(), AXIS)
    logits = torch.randn(256, 8, generator=torch.Generator().manual_seed(0), requires_grad=True)
    errors = []
    for _ in range(200):
        loss, error = critic.loss(AXIS.softmax(logits))
        (gradient,) = torch.autograd.grad(loss, logits)
        logits = (logits - 200 * gradient).detach().requires_grad_(True)
        errors.append(error.item())
    assert errors[-1] < 0.1 * errors[0]


def test_the_distance_from_several_targets_at_once() -> None:
    first, second = (ExactMarginals(codes, LAYOUT).pairs() for codes in (CODES, CODES[:2]))
    rows = AXIS.one_hot(CODES[:2].long())
    apart, same = MarginalCritic(first, AXIS).distance(rows, second)
    assert apart.item() == pytest.approx(MarginalCritic(first, AXIS).loss(rows)[1].item())
    assert apart.item() > 0.2
    assert same.item() == pytest.approx(0, abs=1e-7)


def slices_of(codes: Tensor, layout: Layout, column: int, *groups: list[int]) -> list[SliceTarget]:
    marginals = ExactMarginals(codes, layout)
    return [SliceTarget(levels, marginals.slice(column, levels)) for levels in groups]


def plain_loss(probabilities: Tensor, critic: MarginalCritic, slices: list[SliceTarget], column: int) -> Tensor:
    """The critic's formula as it stands in its docstring, for autograd to differentiate; slices weigh 0.5."""
    column_of_level, start = AXIS.column_of_level, int(AXIS.starts[column])
    total = probabilities.new_zeros(())
    for factor, part in [(1.0, None), *((0.5, part) for part in slices)]:
        target = critic.pairs if part is None else part.released
        weighted = probabilities
        if part is not None:
            member = probabilities[:, [start + level for level in part.levels]].sum(1, keepdim=True)
            weighted = probabilities * member
        gram = weighted.T @ probabilities / len(probabilities)
        weight = target.weight * (1 - torch.eye(AXIS.n_columns))
        weight = (weight / weight.sum())[column_of_level][:, column_of_level]
        tolerance = target.tolerance_at(slice(0, AXIS.n_levels), slice(0, AXIS.n_levels))
        pull = torch.tanh((gram.detach() - target.share) / tolerance) * weight
        total = total + factor * (pull * gram).sum()
    return total


GROUPS: list[list[list[int]]] = [[], [[0], [1, 2]], [[0], [1], [2]], [[1]]]


@pytest.mark.parametrize("groups", GROUPS, ids=["pairs", "two slices", "three slices", "one slice and the rest"])
def test_the_gradient_is_that_of_the_plain_formula(groups: list[list[int]]) -> None:
    codes = torch.from_numpy(small_table().codes)
    slices = slices_of(codes, LAYOUT, 2, *groups)
    critic = MarginalCritic(ExactMarginals(codes, LAYOUT).pairs(), AXIS, column=2, slices=slices, slice_weight=0.5)
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn(300, 8, generator=rng, dtype=torch.float64, requires_grad=True)
    loss, plain = critic.loss(AXIS.softmax(logits))[0], plain_loss(AXIS.softmax(logits), critic, slices, 2)
    assert loss.item() == pytest.approx(plain.item(), rel=1e-9)
    (gradient,), (expected,) = (torch.autograd.grad(3 * value, logits) for value in (loss, plain))
    assert expected.abs().max() > 1e-5
    torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-10)


@pytest.mark.parametrize("groups", [[], [[0], [1, 2]]], ids=["pairs", "two slices"])
def test_the_gradient_of_the_columns_own_marginals_is_that_of_the_plain_formula(groups: list[list[int]]) -> None:
    codes = torch.from_numpy(small_table().codes)
    pairs = ExactMarginals(codes, LAYOUT).pairs()
    deviations = torch.linspace(0.1, 0.5, 8)[:, None] * torch.linspace(0.1, 0.5, 8)
    logits = torch.randn(300, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    for tolerance, on_diagonal in (
        (None, (pairs.share.diagonal() * (1 - pairs.share.diagonal()) / 2000).sqrt()),
        (deviations, deviations.diagonal()),
    ):
        target = GramTarget(pairs.share, pairs.weight, 2000, tolerance)
        slices = slices_of(codes, LAYOUT, 2, *groups)
        critic = MarginalCritic(target, AXIS, column=2, slices=slices, slice_weight=0.5, one_way_weight=0.6)
        plain = plain_loss(AXIS.softmax(logits), critic, slices, 2)
        mean = AXIS.softmax(logits).mean(0)
        pull = torch.tanh((mean.detach() - pairs.share.diagonal()) / on_diagonal)
        plain = plain + 0.6 / 3 * (pull * mean).sum()
        loss = critic.loss(AXIS.softmax(logits))[0]
        assert loss.item() == pytest.approx(plain.item(), rel=1e-6)
        (gradient,), (expected,) = (torch.autograd.grad(value, logits) for value in (loss, plain))
        torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-10)


def test_where_no_pair_is_known_columns_are_fitted_all_the_same() -> None:
    pairs = ExactMarginals(torch.from_numpy(small_table().codes), LAYOUT).pairs()
    unknown = GramTarget(pairs.share, torch.eye(3), pairs.n_rows, torch.full((8, 8), 0.01))
    logits = torch.zeros(1, 8, requires_grad=True)
    for weight, moves in ((0.0, False), (0.5, True)):
        critic = MarginalCritic(unknown, AXIS, one_way_weight=weight)
        (gradient,) = torch.autograd.grad(critic.loss(AXIS.softmax(logits))[0], logits)
        assert bool(gradient.abs().max() > 1e-3) is moves
    assert gradient[0, 5] < 0 < gradient[0, 7], "colour 0 is more frequent than a third, colour 2 less"


def test_the_gradient_is_that_of_finite_differences() -> None:
    codes = torch.from_numpy(small_table().codes)
    slices = slices_of(codes, LAYOUT, 2, [0], [1, 2])
    pairs = ExactMarginals(codes, LAYOUT).pairs()
    # With so wide tolerances tanh is linear: half the derivative of the squared error over the tolerance.
    wide = [GramTarget(t.share, t.weight, 1, torch.full((8, 8), 1e3)) for t in (pairs, *(s.released for s in slices))]
    slices = [SliceTarget(part.levels, target) for part, target in zip(slices, wide[1:], strict=True)]
    critic = MarginalCritic(wide[0], AXIS, column=2, slices=slices, slice_weight=0.5)
    logits = torch.randn(50, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)

    def half_square(at: Tensor) -> float:
        rows = AXIS.softmax(at)
        total = 0.0
        for target, weight, members in [
            (wide[0], 1.0, rows[:, 5:8]),
            *zip(wide[1:], (0.5, 0.5), (rows[:, 5:6], rows[:, 6:8]), strict=True),
        ]:
            error = (rows * members.sum(1, keepdim=True)).T @ rows / len(rows) - target.share
            blocks = target.weight * (1 - torch.eye(3))
            cells = (blocks / blocks.sum())[AXIS.column_of_level][:, AXIS.column_of_level]
            total += 0.5 * weight * (error.square() * cells).sum().item() / 1e3
        return total

    (gradient,) = torch.autograd.grad(critic.loss(AXIS.softmax(logits))[0], logits)
    direction = torch.randn(50, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    at = logits.detach()
    slope = (half_square(at + 1e-4 * direction) - half_square(at - 1e-4 * direction)) / 2e-4
    assert (gradient * direction).sum().item() == pytest.approx(slope, rel=1e-5)


def test_products_in_bfloat16_leave_shares_exact() -> None:
    """What all rows have in common is not rounded, and the rest hardly."""
    codes = torch.from_numpy(small_table().codes)
    critic = MarginalCritic(ExactMarginals(codes, LAYOUT).pairs(), AXIS)
    rows = AXIS.softmax(0.5 * torch.randn(2000, 8, generator=torch.Generator().manual_seed(0)))
    exact = critic.loss(rows)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = critic.loss(rows)
    assert rounded[1].item() == pytest.approx(exact[1].item(), rel=1e-4)
    assert rounded[1].dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        assert critic.loss(rows.bfloat16())[1].item() == pytest.approx(exact[1].item(), rel=1e-2)


def test_slices_must_be_disjoint_levels_of_their_column() -> None:
    pairs = ExactMarginals(CODES, LAYOUT).pairs()
    for levels, message in [([0, 1], "disjoint"), ([3], "codes from 0 to 2"), ([], "must name levels")]:
        with pytest.raises(ValueError, match=message):
            MarginalCritic(pairs, AXIS, column=2, slices=[SliceTarget([0], pairs), SliceTarget(levels, pairs)])


@pytest.mark.parametrize("groups", GROUPS[:2], ids=["pairs", "two slices"])
def test_the_running_average_remembers(groups: list[list[int]]) -> None:
    """The second of two batches is judged by their mix, and pulled at by itself."""
    codes = torch.from_numpy(small_table().codes)
    slices = slices_of(codes, LAYOUT, 2, *groups)
    pairs = ExactMarginals(codes, LAYOUT).pairs()

    def critic(steps: float) -> MarginalCritic:
        return MarginalCritic(pairs, AXIS, column=2, slices=slices, horizon=(steps, steps))

    first, second = AXIS.one_hot(CODES[:2].long()), AXIS.one_hot(CODES[2:].long())
    averaging = critic(4)
    averaging.loss(first)
    resumed = critic(4)
    resumed.load_state({name: value.clone() for name, value in averaging.state().items()})
    loss, error = averaging.loss(second)
    mixed = critic(1).loss(torch.cat([first, first, first, second]))
    assert error.item() == pytest.approx(mixed[1].item(), rel=1e-5)
    assert error.item() != pytest.approx(critic(1).loss(second)[1].item(), rel=0.01)
    assert [value.item() for value in resumed.loss(second)] == [loss.item(), error.item()]


@pytest.mark.parametrize(
    ("pace", "horizon"), [(1.0, 4.0), (0.5, 8.0), (0.1, 20.0), (0.0, 20.0), (2.0, 2.0), (8.0, 1.0)]
)
def test_the_running_average_looks_back_further_at_a_slower_pace(pace: float, horizon: float) -> None:
    pairs = ExactMarginals(CODES, LAYOUT).pairs()
    critic = MarginalCritic(pairs, AXIS, horizon=(4.0, 20.0))
    first, second = AXIS.one_hot(CODES[:2].long()), AXIS.one_hot(CODES[2:].long())
    critic.loss(first)
    _, error = critic.loss(second, critic.plan(pace))
    grams = [expected_marginals(rows, AXIS)[0] for rows in (first, second)]
    off = grams[0] + (grams[1] - grams[0]) / horizon - pairs.share
    blocks = [off[a.start : a.stop, b.start : b.stop] for a, b in itertools.permutations(LAYOUT.spans, 2)]
    assert error.item() == pytest.approx(np.mean([0.5 * float(block.abs().sum()) for block in blocks]), rel=1e-5)


# ------------------------------------------------------------------------------------------------------- wide tables


def wide_layout(n_columns: int, n_levels: int) -> Layout:
    """Equal columns, but for a last one of two levels."""
    edges = [*range(0, n_columns * n_levels, n_levels), (n_columns - 1) * n_levels + 2]
    spans = [Span(name=str(i), start=a, stop=b, position=None) for i, (a, b) in enumerate(itertools.pairwise(edges))]
    zeros = np.zeros(edges[-1], dtype=np.float32)
    shares = np.concatenate([np.full(span.n_levels, 1 / span.n_levels, dtype=np.float32) for span in spans])
    return Layout(tuple(spans), zeros.astype(bool), zeros, zeros, zeros.astype(bool), shares)


@pytest.mark.parametrize("steps", [1.0, 8.0])
@pytest.mark.parametrize("sliced", [False, True])
def test_packs_in_turns_add_up_to_all_pairs(sliced: bool, steps: float) -> None:
    layout = wide_layout(9, 7)
    axis = LevelAxis(layout)
    rng = np.random.default_rng(0)
    codes = torch.from_numpy(np.stack([rng.integers(0, span.n_levels, 500) for span in layout.spans], 1))
    slices = slices_of(codes, layout, 8, [0], [1]) if sliced else []
    pairs = ExactMarginals(codes, layout).pairs()

    def critic(max_levels: int) -> MarginalCritic:
        return MarginalCritic(
            pairs, axis, column=8, slices=slices, slice_weight=0.5, horizon=(steps, steps), max_levels=max_levels
        )

    logits = torch.randn(200, layout.n_levels, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    logits.requires_grad_(True)

    def step(judge: MarginalCritic) -> tuple[float, float, Tensor]:
        loss, error = judge.loss(axis.softmax(logits))
        (gradient,) = torch.autograd.grad(loss, logits)
        return loss.item(), error.item(), gradient

    whole, turns = critic(1000), critic(30)
    assert (whole.n_packs, turns.n_packs) == (1, 4)
    loss, error, gradient = step(whole)
    for _ in range(2):
        steps = [step(turns) for _ in range(turns.n_packs)]
        assert np.mean([s[0] for s in steps]) == pytest.approx(loss, rel=1e-9)
        assert np.mean([s[1] for s in steps]) == pytest.approx(error, rel=1e-9)
        torch.testing.assert_close(sum(s[2] for s in steps) / turns.n_packs, gradient, rtol=1e-7, atol=1e-15)
        assert not torch.allclose(steps[0][2], gradient)
    torch.testing.assert_close(turns.distance(axis.softmax(logits))[0], whole.distance(axis.softmax(logits))[0])


@pytest.mark.parametrize(("steps", "turns"), [(3.0, 1), (8.0, 2)])
def test_packs_in_turns_are_averaged_over_the_turns_that_the_horizon_holds(steps: float, turns: int) -> None:
    axis = LevelAxis(wide_layout(9, 7))
    uniform = torch.rand(3, 200, axis.n_levels, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    codes, first, second = (axis.normalise(rows) for rows in uniform)
    pairs = GramTarget(expected_marginals(codes, axis)[0], torch.ones(9, 9), n_rows=200)
    critic = MarginalCritic(pairs, axis, horizon=(steps, steps), max_levels=30)
    for _ in range(critic.n_packs):
        critic.loss(first)
    error = np.mean([critic.loss(second)[1].item() for _ in range(critic.n_packs)])
    judged = second if turns == 1 else torch.cat([first, second])
    assert critic.n_packs == 4
    assert error == pytest.approx(MarginalCritic(pairs, axis).loss(judged)[1].item(), rel=1e-9)
    assert len(critic.state()) == (1 if turns == 1 else 11)  # nothing is kept that is not needed


class _Largest(TorchDispatchMode):
    """Notes the most elements that one operation gave memory to."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else [result]:
            if isinstance(tensor, Tensor):
                self.elements = max(self.elements, tensor.untyped_storage().nbytes() // tensor.element_size())
        return result


@pytest.mark.parametrize("sliced", [False, True])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_step_on_a_wide_table_is_bounded(sliced: bool, precision: torch.dtype) -> None:
    """Counted, not timed: 200 columns and 9,952 levels cost what 2,048 levels cost, in products and in blocks."""
    layout = wide_layout(200, 50)
    axis, n_levels, n_rows = LevelAxis(layout), layout.n_levels, 16
    assert n_levels == 9952
    # Views of one number: the shares of a real table would fill 400 MB, and are not what is measured.
    share = torch.full((1, 1), 1 / 2500).expand(n_levels, n_levels)
    target = GramTarget(share, torch.ones(200, 200), 100_000)
    slices = [SliceTarget([level], target) for level in range(2)] if sliced else []
    critic = MarginalCritic(target, axis, column=199, slices=slices)
    probabilities = axis.softmax(torch.randn(n_rows, n_levels, generator=torch.Generator().manual_seed(0)))
    probabilities.requires_grad_(True)
    rounded = torch.autocast("cpu", precision) if precision == torch.bfloat16 else contextlib.nullcontext()
    with FlopCounterMode(display=False) as flops, _Largest() as largest:
        with rounded:
            loss = critic.loss(probabilities)[0]
        loss.backward()
    full = 2 * n_rows * 2048**2  # operations of one product at 2,048 levels
    assert flops.get_total_flops() < 3.2 * full * (2 if sliced else 1)
    assert largest.elements < 3 * 450**2 + 2 * n_rows * n_levels
    assert probabilities.grad is not None
    assert (axis.parts(probabilities.grad)[0] != 0).any()
    assert all((part != 0).any() for part in axis.parts(probabilities.grad)), "every column has its turn in every step"

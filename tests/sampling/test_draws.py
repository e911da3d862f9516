from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
import torch

from synthgan.config import GeneratorSettings, Precision
from synthgan.errors import ModelFileError
from synthgan.networks.generator import Generator
from synthgan.sampling import draws
from synthgan.sampling.draws import DeviceCondition, Draw, draw_conditioned, draw_rows
from synthgan.sampling.random_streams import Streams
from synthgan.sampling.sampler import BATCH_ROWS, FREE_BATCH_ROWS, free_batch_rows
from synthgan.tables.columns.protocol import LevelCondition
from tests.small_tables import small_layout
from tests.torch_threads import torch_threads


def generator(*, conditional: bool = False) -> Generator:
    rng = torch.Generator().manual_seed(0)
    network = Generator(
        small_layout(), GeneratorSettings(width=16, n_blocks=1, latent_dim=4), rng, conditional=conditional
    )
    with torch.no_grad():
        network.logits.weight.normal_(0, 0.7, generator=rng)
        network.position_head.loadings.normal_(0, 0.5, generator=rng)
    return network


def rule(allowed: list[int], lower: list[float] | None = None, upper: list[float] | None = None) -> LevelCondition:
    n = len(allowed)
    return LevelCondition(
        allowed=np.array(allowed, dtype=bool),
        lower=np.array(lower or [0.0] * n, dtype=np.float32),
        upper=np.array(upper or [1.0] * n, dtype=np.float32),
    )


AMOUNT = rule([0, 1, 0], [0, 0.25, 0], [1, 0.5, 1])  # the second bin, between a quarter and a half
COLOUR = rule([0, 1, 1])


def seeded(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def streams(seed: int = 1) -> Streams:
    return Streams(seeded(seed))


@pytest.mark.parametrize("conditional", [False, True])
def test_every_row_meets_a_condition_on_levels_and_positions(conditional: bool) -> None:
    network = generator(conditional=conditional)
    draw = draw_conditioned(network, DeviceCondition({1: AMOUNT, 2: COLOUR}, network), 3000, streams())
    assert (draw.codes[:, 1] == 1).all()
    assert (draw.codes[:, 2] != 0).all()
    assert ((draw.positions >= 0.25) & (draw.positions < 0.5)).all()
    assert 100 <= draw.effective_sample_size <= 3000


def test_conditioned_rows_follow_the_generator_s_own_law() -> None:
    network = generator()
    free = draw_rows(network, 1_000_000, streams(2))
    met = (
        (free.codes[:, 1] == 1)
        & (free.positions[:, 0] >= 0.25)
        & (free.positions[:, 0] < 0.5)
        & (free.codes[:, 2] != 0)
    )
    draw = draw_conditioned(network, DeviceCondition({1: AMOUNT, 2: COLOUR}, network), 20_000, streams(3))
    for column, size in ((0, 2), (2, 3)):
        wanted = np.bincount(free.codes[met, column], minlength=size) / met.sum()
        got = np.bincount(draw.codes[:, column], minlength=size) / len(draw.codes)
        np.testing.assert_allclose(got, wanted, atol=0.02)
    assert draw.positions.mean() == pytest.approx(free.positions[met].mean(), abs=0.01)


def test_draws_repeat_with_the_seed() -> None:
    network = generator()
    first, second = (draw_rows(network, 10, streams(7)) for _ in range(2))
    assert (first.codes == second.codes).all()
    assert (first.positions == second.positions).all()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("conditioned", [False, True])
def test_the_same_rows_are_drawn_by_any_number_of_threads(
    monkeypatch: pytest.MonkeyPatch, conditioned: bool, precision: Precision
) -> None:
    monkeypatch.setattr("synthgan.networks.generator.multiplies_bfloat16", lambda _: True)
    network = generator().for_sampling(precision)
    condition = DeviceCondition({1: AMOUNT}, network)
    n_rows = 3 * draws.CPU_CHUNK_ROWS + 5

    def draw() -> Draw:
        if conditioned:
            return draw_conditioned(network, condition, n_rows, streams(7))
        return draw_rows(network, n_rows, streams(7))

    with torch_threads(1):
        alone = draw()
    with torch_threads(3):
        together = draw()
    np.testing.assert_array_equal(alone.codes, together.codes)
    np.testing.assert_array_equal(alone.positions, together.positions)


@pytest.mark.parametrize("n_threads", [1, 3])
def test_rows_do_not_depend_on_the_caller_s_autocast(n_threads: int) -> None:
    with torch_threads(n_threads):
        plain = draw_rows(generator(), 3000, streams())
        with torch.autocast("cpu", dtype=torch.bfloat16):
            within = draw_rows(generator(), 3000, streams())
    np.testing.assert_array_equal(plain.positions, within.positions)


def test_no_chunk_repeats_another_in_a_session() -> None:
    size = draws.CPU_CHUNK_ROWS
    session = streams()
    batches = [draw_rows(generator(), 2 * size, session).positions for _ in range(2)]
    chunks = [batch[start : start + size] for batch in batches for start in (0, size)]
    assert not any(np.array_equal(one, other) for one, other in combinations(chunks, 2))


def test_the_pool_grows_for_a_rare_condition_up_to_its_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    network = generator()
    with torch.no_grad():
        network.logits.weight[7] = 0
        network.logits.weight[7, 0] = 30  # the last colour: next to impossible but for few latents
        network.logits.bias[7] = -400
    calls: list[int] = []
    forward = network.forward
    monkeypatch.setattr(network, "forward", lambda z, c=None: (calls.append(len(z)), forward(z, c))[1])
    monkeypatch.setattr(draws, "POOL_CAP", 4 * draws.LATENTS)
    draw = draw_conditioned(network, DeviceCondition({2: rule([0, 0, 1])}, network), 50, streams())
    assert (draw.codes[:, 2] == 2).all()
    assert sum(calls) - 50 == 4 * draws.LATENTS
    assert draw.effective_sample_size < 100


@pytest.mark.parametrize("shift", [0.0, 500.0, -500.0], ids=str)
def test_codes_follow_the_softmax_however_large_the_logits(shift: float) -> None:
    axis = generator().axis
    row = torch.tensor([0.0, 1.0, 2.0, -1.0, -float("inf"), -float("inf"), 0.0, 1.0])
    shifted = row + torch.tensor([shift] * 2 + [0.0] * 6)
    codes = draws.draw_codes(axis, shifted.expand(400_000, -1), seeded())
    for column, part in enumerate(axis.parts(row.unsqueeze(0))):
        share = torch.bincount(codes[:, column], minlength=part.shape[1]) / len(codes)
        torch.testing.assert_close(share, part.softmax(1)[0], atol=0.004, rtol=0)


def test_no_level_without_probability_is_drawn_at_either_end_of_the_uniform(monkeypatch: pytest.MonkeyPatch) -> None:
    axis = generator().axis
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(0, 3, (5000, axis.n_levels)).astype(np.float32))
    possible = torch.from_numpy(rng.random((5000, axis.n_levels)) < 0.5)
    possible[:, [0, 3, 7]] = True  # at least one level of every column
    logits[~possible] = -float("inf")
    for end in (0.0, 1 - 2**-24):
        monkeypatch.setattr(torch, "rand", lambda *shape, generator, end=end: torch.full(shape, end))
        codes = draws.draw_codes(axis, logits, seeded())
        assert possible.gather(1, codes + axis.starts).all()


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf")], ids=str)
def test_numbers_beyond_all_bounds_are_an_error(wrong: float) -> None:
    axis = generator().axis
    logits = torch.zeros(20, axis.n_levels)
    logits[7, axis.starts[1] : axis.starts[2]] = wrong
    with pytest.raises(ModelFileError, match="no row can be drawn"):
        draws.draw_codes(axis, logits, seeded())


def test_effective_sample_size_and_resampling_by_hand() -> None:
    log_weights = torch.tensor([0.5, 0.25, 0.25, 0.0]).log()
    assert draws._effective_sample_size(log_weights) == pytest.approx(1 / (0.25 + 0.0625 * 2))
    counts = np.bincount(draws._resample(log_weights, 400, seeded()).numpy(), minlength=4)
    assert counts.tolist() == [200, 100, 100, 0]


def test_no_more_rows_than_asked_for() -> None:
    for n_rows in (1, draws.CPU_CHUNK_ROWS, 2 * draws.CPU_CHUNK_ROWS + 3):
        draw = draw_rows(generator(), n_rows, streams())
        assert draw.codes.shape == (n_rows, 3)
        assert draw.positions.shape == (n_rows, 1)
        assert draw.codes.dtype == np.uint8


def test_an_accelerator_draws_large_batches_in_few_chunks_and_a_cpu_small_ones() -> None:
    assert free_batch_rows(torch.device("cuda")) == BATCH_ROWS > FREE_BATCH_ROWS
    assert free_batch_rows(torch.device("cpu")) == FREE_BATCH_ROWS
    axis = generator().axis
    assert draws._chunk_rows(axis) == draws.CPU_CHUNK_ROWS
    assert draws._chunk_rows(axis.to("meta")) >= BATCH_ROWS

from __future__ import annotations

import dataclasses
import gc
import logging
import warnings
from collections.abc import Callable, Iterator
from functools import partial

import pytest
import torch
from torch import Tensor

from synthgan.config import DiscriminatorSettings, GeneratorSettings, TrainingSettings
from synthgan.critics.losses import LOSSES
from synthgan.critics.marginal import MAX_LEVELS, MarginalCritic
from synthgan.errors import SynthganWarning
from synthgan.training import critic_balance as balance
from synthgan.training import loop, setup
from synthgan.training.capture import MAX_KINDS, WARM_UP_RUNS, StepRunner, graphs_for
from synthgan.training.loop import Trainer
from tests.small_tables import small_table
from tests.step_tape import OnDeviceOnly, Tape, TapeGraphs
from tests.trainers import build_trainer

CPU = torch.device("cpu")
SETTINGS = TrainingSettings(
    n_steps=24,
    batch_size=32,
    warmup_steps=0,
    evaluate_every=8,
    penalty_interval=3,
    precision="float32",
    generator=GeneratorSettings(width=16, n_blocks=1, latent_dim=4),
    discriminator=DiscriminatorSettings(width=16, n_blocks=1),
)


def discriminator(**options: object) -> dict[str, object]:
    return {"discriminator": dataclasses.replace(SETTINGS.discriminator, **options)}  # type: ignore[arg-type]


OPTIONS: dict[str, dict[str, object]] = {
    **{name: {"loss": name} for name in sorted(LOSSES)},
    "spectral": discriminator(spectral_norm=True),
    "packed": discriminator(packing=4),
    "classifier": {"auxiliary_weight": 1.0},
    "conditions": {"condition_fraction": 0.3},
    "current-gram": {"gram_horizon": (1.0, 1.0)},
    "three-updates": {"discriminator_steps": 3, "penalty_interval": 4},
    "no-critic": {"adversarial_weight": 0.0},
    "no-marginals": {"marginal_weight": 0.0, "position_weight": 0.0},
    "early-stopping": {"early_stopping": True, "patience": 1, "learning_rate": 3e-2},
    "bfloat16": {"precision": "bfloat16", "discriminator_steps": 2, "n_steps": 48},
    "given-weight": {"marginal_weight": 2.0},
    "wide": {"max_levels": 5, "marginal_weight": 2.0},
    "wide-measured": {"max_levels": 5, "n_steps": 48},
}
"""Changes to the settings. With ``max_levels``, the small table is a wide one: its packs take three turns."""


@pytest.fixture(autouse=True)
def balance_is_measured_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """So often that steps which measure it are recorded, too, and the weight is not held at its least."""
    monkeypatch.setattr(balance, "INTERVAL", 2)
    monkeypatch.setattr(balance, "LEAST_WEIGHT", 0.01)


each_option = pytest.mark.parametrize("changes", OPTIONS.values(), ids=OPTIONS.keys())


def trainer(changes: dict[str, object], seed: int = 0) -> Trainer:
    changes = dict(changes)
    critic = partial(MarginalCritic, max_levels=changes.pop("max_levels", MAX_LEVELS))  # type: ignore[arg-type]
    settings = dataclasses.replace(SETTINGS, **changes)  # type: ignore[arg-type]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setup, "MarginalCritic", critic)
        return build_trainer(small_table(500), settings, CPU, seed, target=2)


def outcome(run: Trainer) -> tuple[dict[str, Tensor], list[dict[str, float]]]:
    """All tensors of the state, and the history without its times."""
    return run.state()[0], [{k: v for k, v in record.items() if k != "seconds"} for record in run.history]


def assert_same(first: Trainer, second: Trainer) -> None:
    (tensors, history), (others, other_history) = outcome(first), outcome(second)
    assert history == other_history
    assert tensors.keys() == others.keys()
    for name, tensor in tensors.items():
        assert torch.equal(tensor, others[name]), name


@pytest.fixture
def tapes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[TapeGraphs]]:
    """Trainers record their steps on tapes; yields the recorders that they used."""
    used: list[TapeGraphs] = []

    def recorder(device: torch.device, generators: list[torch.Generator], capture: str) -> TapeGraphs:
        used.append(TapeGraphs(generators))
        return used[-1]

    monkeypatch.setattr(loop, "graphs_for", recorder)
    yield used
    assert all(recorder.closed for recorder in used)


@each_option
def test_a_step_never_waits_for_the_device(changes: dict[str, object]) -> None:
    run = trainer(changes)
    kinds = set()
    for _ in range(4):
        kind = run._prepare(1e-3)
        run.step += 1
        if kind in kinds:
            run._step(kind)
            continue
        kinds.add(kind)
        with torch.device("meta"), OnDeviceOnly():
            losses = run._step(kind)
        assert all(value.ndim == 0 and value.grad_fn is None for value in losses.values())
    assert len(kinds) > 1


@pytest.mark.parametrize(
    "function",
    [
        lambda x: float(x.sum()),
        lambda x: x if x.sum() > 0 else -x,
        lambda x: x[x > 0],
        lambda x: x.nonzero(),
        lambda x: x + torch.tensor([1.0, 2.0], device=x.device),
        lambda x: x + torch.zeros(2),
    ],
    ids=["value", "branch", "mask", "shape", "constant", "no-device"],
)
def test_the_guard_sees_what_makes_the_host_wait(function: Callable[[Tensor], object]) -> None:
    x = torch.ones(2)
    with torch.device("meta"), OnDeviceOnly(), pytest.raises((AssertionError, RuntimeError)):
        function(x)


@each_option
def test_recorded_steps_train_exactly_as_steps_do(changes: dict[str, object], tapes: list[TapeGraphs]) -> None:
    recorded = trainer(changes)
    steps = []
    step = recorded._step
    recorded._step = lambda kind: steps.append(kind) or step(kind)  # type: ignore[func-returns-value, method-assign]
    recorded.run()
    plain = trainer(changes)
    with StepRunner(plain._step, None) as run_step:
        while plain.step < recorded.step:
            losses = run_step(plain._prepare(plain._learning_rate(plain.step / plain.settings.n_steps)))
            plain.step += 1
            if plain.step % 8 == 0:
                plain._record(losses, evaluate=True)
        plain._conclude(losses, lambda _: None)
    assert_same(plain, recorded)
    (recorder,) = tapes
    kinds = set(steps)
    assert recorder.n_recorded >= 1
    assert recorder.n_replayed == recorded.step - sum(min(steps.count(kind), WARM_UP_RUNS) for kind in kinds)
    assert recorder.n_replayed >= recorded.step / 3
    weights = {record["marginal_weight"] for record in recorded.history if "marginal_weight" in record}
    assert (len(weights) > 1) == (not changes.keys() & {"marginal_weight", "adversarial_weight"})


def test_the_wide_table_takes_turns() -> None:
    run = trainer(OPTIONS["wide"])
    assert [run._prepare(1e-3)[1] for _ in range(7)] == [0, 1, 2, 0, 1, 2, 0]


@pytest.mark.parametrize("n_kinds", [MAX_KINDS, MAX_KINDS + 1])
def test_many_kinds_of_steps_are_not_recorded(n_kinds: int, caplog: pytest.LogCaptureFixture) -> None:
    graphs, done = TapeGraphs([]), torch.zeros(n_kinds)

    def step(kind: tuple[int, ...]) -> dict[str, Tensor]:
        return {"done": done[kind[0]].add_(1) * 1}

    with caplog.at_level(logging.DEBUG, "synthgan"), StepRunner(step, graphs) as run_step:
        for turn in range(5):
            assert [float(run_step((kind,))["done"]) for kind in range(n_kinds)] == [turn + 1.0] * n_kinds
        assert graphs.closed == (n_kinds > MAX_KINDS)
    assert graphs.n_recorded == (MAX_KINDS if n_kinds == MAX_KINDS else 0)
    assert (f"more than {MAX_KINDS} kinds" in caplog.text) == (n_kinds > MAX_KINDS)


def test_a_number_of_python_is_frozen_in_a_recording_and_a_tensor_is_not() -> None:
    told, total, rng = torch.zeros(()), torch.zeros(()), torch.Generator().manual_seed(0)
    number = 0.0

    def add() -> dict[str, Tensor]:
        total.add_(told).add_(number).add_(torch.rand((), generator=rng))
        return {"total": total * 1}

    replay = TapeGraphs([rng]).record(add)
    assert total == 0, "recording does nothing"
    expected, again = 0.0, torch.Generator().manual_seed(0)
    for told_now in (1.0, 2.0):
        number = 100.0
        told.fill_(told_now)
        expected += told_now + float(torch.rand((), generator=again))
        assert float(replay()["total"]) == pytest.approx(expected)


def test_a_tape_keeps_no_memory_that_was_swapped_for_other() -> None:
    average = torch.zeros(())

    def swap() -> dict[str, Tensor]:
        nonlocal average
        average = average + 1
        return {"average": average}

    with Tape() as tape:
        swap()
    tape.replay()
    tape.replay()
    assert average == 1, "what is not kept in place does not add up, here as in a CUDA graph"


@each_option
def test_state_stays_where_it_is(changes: dict[str, object]) -> None:
    def places(run: Trainer) -> dict[str, int]:
        # Random states are copies, counts of Python become tensors when they are asked for, and the best weights are
        # a snapshot that no step uses.
        skipped = ("rng", "n_updates", "ready", "best.", "marginal.step")
        return {k: v.data_ptr() for k, v in run.state()[0].items() if not any(part in k for part in skipped)}

    run, other = trainer(changes), trainer(changes)
    other.run()
    for _ in range(3):  # the first step has no conditions, and packs take three turns
        run._step(run._prepare(1e-3))
    before = places(run)
    for _ in range(3):
        run.step += 1
        run._step(run._prepare(1e-3))
    assert places(run) == before
    tensors, values = other.state()
    for each in (run, other):  # the best weights have taken the place of the other's running average
        each.load_state({name: tensor.clone() for name, tensor in tensors.items()}, values)
    assert places(run) == before
    assert_same(run, other)
    run._step(run._prepare(1e-3))
    other._step(other._prepare(1e-3))
    assert places(run) == before
    assert_same(run, other)


@pytest.mark.parametrize("changes", [{}, *(OPTIONS[name] for name in ("conditions", "current-gram", "wide-measured"))])
def test_a_recorded_run_resumes_to_the_same_result(changes: dict[str, object], tapes: list[TapeGraphs]) -> None:
    whole, halted, resumed = trainer(changes), trainer(changes), trainer(changes, seed=5)
    whole.run()
    kept = {}

    def keep(run: Trainer) -> None:
        if run.step == 13:
            tensors, values = run.state()
            kept.update(tensors={name: tensor.clone() for name, tensor in tensors.items()}, values=values)

    halted.run(on_step=keep)
    resumed.load_state(kept["tensors"], {**kept["values"], "history": halted.history[:1]})
    resumed.run()
    assert_same(halted, whole)
    assert_same(resumed, whole)


def test_a_state_loaded_between_replays_is_what_the_next_replay_goes_on_from(tapes: list[TapeGraphs]) -> None:
    run, other = trainer({}), trainer({}, seed=1)
    other.run(on_step=lambda t: None)
    tensors, values = other.state()
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}

    def load(at: Trainer) -> None:
        if at.step == 15 and not loaded:
            loaded.append(True)
            at.load_state(tensors, {**values, "step": 15})

    loaded: list[bool] = []
    run.run(on_step=load)
    replayed = tapes[-1].n_replayed
    fresh = trainer({}, seed=2)
    fresh.load_state({k: v.clone() for k, v in tensors.items()}, {**values, "step": 15})
    fresh.run()
    assert tapes[-1].n_replayed != replayed, "the fresh one warms up anew"
    assert_same(run, fresh)


def test_no_step_leaves_gradients_or_a_graph_behind() -> None:
    def graphs() -> int:
        gc.collect()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some of torch's lazy objects warn when they are looked at
            return sum(isinstance(o, Tensor) and o.grad_fn is not None for o in gc.get_objects())

    before = graphs()
    run = trainer({})
    losses = [run._step(run._prepare(1e-3)) for _ in range(2)]  # of the kind that measures the balance
    assert graphs() == before
    assert losses
    assert run.neural is not None
    critic = run.neural.discriminator  # type: ignore[attr-defined]
    assert all(p.grad is None for p in (*run.generator.parameters(), *critic.parameters()))


def test_every_random_source_of_a_step_is_named() -> None:
    run = trainer({"condition_fraction": 0.3})
    for _ in range(2):
        run._step(run._prepare(1e-3))
    before = [rng.get_state() for rng in run._generators()]
    global_state = torch.get_rng_state()
    run._step(run._prepare(1e-3))
    assert len(before) == 3
    assert all(not torch.equal(state, rng.get_state()) for state, rng in zip(before, run._generators(), strict=True))
    assert torch.equal(global_state, torch.get_rng_state())


class BrokenGraphs(TapeGraphs):
    """Cannot record."""

    def record(self, function: Callable[[], dict[str, Tensor]]) -> Callable[[], dict[str, Tensor]]:
        raise RuntimeError("operation not permitted when stream is capturing\nand a trace")


def test_what_cannot_be_recorded_goes_on_with_one_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = BrokenGraphs([])
    run, plain = trainer({}), trainer({})
    plain.run()
    monkeypatch.setattr(loop, "graphs_for", lambda *_: broken)
    with pytest.warns(SynthganWarning, match=r"not permitted when stream is capturing\).*capture='off'") as told:
        run.run()
    assert len(told) == 1
    assert broken.closed
    assert_same(run, plain)


def test_an_error_of_the_step_itself_is_no_failure_to_record(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(kind: tuple[bool, ...]) -> dict[str, Tensor]:
        raise TypeError("a mistake in the step")

    with StepRunner(wrong, TapeGraphs([])) as run_step, pytest.raises(TypeError, match="a mistake"):
        run_step((False,))


def test_the_cpu_runs_its_steps_as_they_are() -> None:
    assert graphs_for(CPU, [], "auto") is None
    assert graphs_for(torch.device("cuda"), [], "off") is None

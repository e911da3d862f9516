"""Training steps replayed as CUDA graphs, against the same steps launched one by one."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from synthgan.config import DiscriminatorSettings, TrainingSettings
from synthgan.critics.losses import LOSSES
from synthgan.errors import SynthganWarning
from synthgan.training import loop
from synthgan.training.capture import CudaGraphs, StepRunner, graphs_for
from synthgan.training.loop import Trainer
from tests.small_tables import small_table
from tests.trainers import build_trainer

pytestmark = pytest.mark.gpu

SETTINGS = TrainingSettings(n_steps=60, batch_size=1024, warmup_steps=20, evaluate_every=20, precision="float32")

OPTIONS: dict[str, dict[str, object]] = {
    **{name: {"loss": name} for name in sorted(LOSSES)},
    "spectral": {"discriminator": DiscriminatorSettings(spectral_norm=True)},
    "packed": {"discriminator": DiscriminatorSettings(packing=4)},
    "classifier": {"auxiliary_weight": 1.0},
    "conditions": {"condition_fraction": 0.3},
    "current-gram": {"gram_horizon": (1.0, 1.0)},
    "three-updates": {"discriminator_steps": 3},
    "no-critic": {"adversarial_weight": 0.0},
    "early-stopping": {"early_stopping": True},
    "tf32": {"precision": "tf32"},
    "bfloat16": {"precision": "bfloat16"},
}


def trainer(seed: int = 0, **changes: object) -> Trainer:
    settings = dataclasses.replace(SETTINGS, **changes)  # type: ignore[arg-type]
    return build_trainer(small_table(), settings, torch.device("cuda"), seed, target=2)


@pytest.fixture
def recorders(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[CudaGraphs]]:
    """The recorders that trainers used."""
    used: list[CudaGraphs] = []

    def remembered(*arguments: object) -> CudaGraphs | None:
        made = graphs_for(*arguments)  # type: ignore[arg-type]
        if made is not None:
            assert isinstance(made, CudaGraphs)
            used.append(made)
        return made

    monkeypatch.setattr(loop, "graphs_for", remembered)
    yield used


@pytest.mark.parametrize("changes", OPTIONS.values(), ids=OPTIONS.keys())
def test_replays_train_as_launched_steps_do(changes: dict[str, object], recorders: list[CudaGraphs]) -> None:
    captured, launched = trainer(**changes), trainer(capture="off", **changes)
    counts = []
    captured.run(on_step=lambda run: counts.append(len(recorders[0]._graphs)))
    assert counts[-1] >= 1, "nothing was recorded"
    launched.run()
    assert len(recorders) == 1, "capture='off' records nothing"
    # The same kernels on the same random numbers: what differs is at most the order of a few sums.
    tolerance = 5e-2 if changes.get("precision") == "bfloat16" else 1e-2
    for first, second in zip(captured.history, launched.history, strict=True):
        assert first.keys() == second.keys()
        for name in first.keys() - {"seconds"}:
            assert first[name] == pytest.approx(second[name], rel=tolerance, abs=tolerance), name
    for ours, theirs in zip(captured._generators(), launched._generators(), strict=True):
        assert torch.equal(ours.get_state(), theirs.get_state()), "replays move random sources on as launches do"


def test_the_first_replay_of_a_kind_is_the_step_that_would_have_been_launched() -> None:
    """One step from one state: exact up to rounding, before small differences can grow."""
    captured, launched = trainer(capture="auto"), trainer(capture="off")
    graphs = graphs_for(captured.device, captured._generators(), "auto")
    with StepRunner(captured._step, graphs) as run_step:
        for _ in range(24):
            tensors, values = captured.state()
            kept = {name: tensor.clone() for name, tensor in tensors.items()}
            launched.load_state(kept, values)
            losses = run_step(captured._prepare(1e-3))
            expected = launched._step(launched._prepare(1e-3))
            for name, value in expected.items():
                torch.testing.assert_close(losses[name], value, rtol=1e-4, atol=1e-5)
            captured.step += 1
        assert isinstance(graphs, CudaGraphs)
        assert len(graphs._graphs) == 2, "with the penalty and without"


def test_a_resumed_run_goes_on_from_its_state() -> None:
    whole, halted, resumed = trainer(), trainer(), trainer(seed=3)
    whole.run()
    kept = {}

    def keep(run: Trainer) -> None:
        if run.step == 31:
            tensors, values = run.state()
            kept.update({name: tensor.clone() for name, tensor in tensors.items()})
            numbers.update({**values, "history": list(values["history"])})

    numbers: dict[str, object] = {}
    halted.run(on_step=keep)
    resumed.load_state(kept, numbers)
    resumed.run()
    for first, second in zip(whole.history, resumed.history, strict=True):
        assert first["generator"] == pytest.approx(second["generator"], rel=1e-2)


def test_a_step_that_reads_a_value_is_told_about_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    step = Trainer._step

    def reading(self: Trainer, kind: tuple[bool, ...]) -> dict[str, Tensor]:
        losses = step(self, kind)
        losses["generator"].item()
        return losses

    plain = trainer(capture="off")
    plain.run()
    monkeypatch.setattr(Trainer, "_step", reading)
    run = trainer()
    with pytest.warns(SynthganWarning, match="could not be recorded"):
        run.run()
    assert run.step == SETTINGS.n_steps
    for first, second in zip(run.history, plain.history, strict=True):
        assert first["generator"] == pytest.approx(second["generator"], rel=1e-2)
    torch.rand(2, device="cuda")  # torch's own random source is usable again
    again = trainer(seed=1)
    with monkeypatch.context() as undone:
        undone.setattr(Trainer, "_step", step)
        again.run()
    assert again.step == SETTINGS.n_steps


def test_replays_are_faster_than_launches() -> None:
    def seconds_per_step(capture: str) -> float:
        run, n_steps = trainer(capture=capture, batch_size=4000, precision="bfloat16"), 200
        graphs = graphs_for(run.device, run._generators(), run.settings.capture)
        with StepRunner(run._step, graphs) as run_step:
            for _ in range(40):
                run_step(run._prepare(1e-3))
            torch.cuda.synchronize()
            started = time.perf_counter()
            for _ in range(n_steps):
                run_step(run._prepare(1e-3))
            torch.cuda.synchronize()
        return (time.perf_counter() - started) / n_steps

    replayed, launched = seconds_per_step("auto"), seconds_per_step("off")
    assert replayed < 0.7 * launched, f"{1e3 * replayed:.2f} ms replayed, {1e3 * launched:.2f} ms launched"

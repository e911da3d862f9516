"""Training steps recorded once as CUDA graphs and replayed, so that the host does not launch each kernel again.

A step of synthgan is a few hundred kernels of some microseconds each; a GPU finishes them sooner than Python can ask
for them. A recorded step is asked for in one call.

What a recorded step must not do, `Trainer` keeps out of `Trainer._step`: read a tensor's value, take a number or a
choice from Python that differs from step to step, or move its state in memory. Numbers come in tensors; choices (does
this step take the gradient penalty, does it measure the balance of the critics?) make the *kind* of a step, and each
kind has a recording. Every option of `TrainingSettings` can be recorded. Wide tables have a kind for each turn of the
marginal critic; where there are more than `MAX_KINDS`, each would come too rarely to repay its recording, and none is
made.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol

import torch
from torch import Tensor

from synthgan.config import Capture
from synthgan.warned import warn

logger = logging.getLogger("synthgan")

StepKind = tuple[int, ...]
"""The choices that a step is made of, whole numbers. Steps of one kind run the same operations on the same memory."""

Losses = dict[str, Tensor]
StepFunction = Callable[[StepKind], Losses]

WARM_UP_RUNS = 3
"""Steps of a kind that run before it is recorded: libraries and optimiser states are set up in them. They do train."""

MAX_KINDS = 12
"""With more kinds of steps than this, steps are launched one by one."""


class Graphs(Protocol):
    """Records functions and replays them."""

    def run(self, function: Callable[[], Losses]) -> Losses:
        """Run the function in such a way that it can be recorded later."""
        ...

    def record(self, function: Callable[[], Losses]) -> Callable[[], Losses]:
        """Record the function without doing its work; calling what is returned does the work."""
        ...

    def close(self) -> None:
        """Let go of all recordings and their memory."""
        ...


class StepRunner:
    """Runs steps: recorded where a recorder is given, kinds are few and this one is warmed up, else as they are.

    What fails to be recorded runs on as it is, after one `SynthganWarning`: a recording changes no state before it is
    replayed, so nothing is lost but speed.

    Args:
        step: does one step of a kind; its losses are scalars without graphs.
        graphs: the recorder, None to run every step as it is.
    """

    def __init__(self, step: StepFunction, graphs: Graphs | None) -> None:
        self._step = step
        self._graphs = graphs
        self._runs: Counter[StepKind] = Counter()
        self._recorded: dict[StepKind, Callable[[], Losses]] = {}

    def __enter__(self) -> StepRunner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._graphs is not None:
            self._recorded.clear()
            self._graphs.close()

    def __call__(self, kind: StepKind) -> Losses:
        """Do one step. The losses hold their values until the next call."""
        if self._graphs is None:
            return self._step(kind)
        if kind not in self._recorded:
            if kind not in self._runs and len(self._runs) == MAX_KINDS:
                logger.debug("steps are of more than %d kinds: they are launched one by one, not recorded", MAX_KINDS)
                self._let_go()
                return self._step(kind)
            if self._runs[kind] < WARM_UP_RUNS:
                self._runs[kind] += 1
                return self._graphs.run(lambda: self._step(kind))
            try:
                self._recorded[kind] = self._graphs.record(lambda: self._step(kind))
            except RuntimeError as error:
                self._give_up(error)
                return self._step(kind)
        return self._recorded[kind]()

    def _let_go(self) -> None:
        """Close the recorder and run every further step as it is."""
        assert self._graphs is not None
        self._recorded.clear()
        self._graphs.close()
        self._graphs = None

    def _give_up(self, error: RuntimeError) -> None:
        self._let_go()
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        warn(
            f"a training step could not be recorded as a CUDA graph ({reason}), so training goes on without: with the "
            "same result, but slower. Set capture='off' in TrainingSettings to do so from the start."
        )


class CudaGraphs:
    """CUDA graphs in one memory pool.

    All recordings may share the pool because nothing in it outlives a step: gradients are dropped within the step,
    state lies outside, and losses are read before the next step.

    Args:
        device: the GPU.
        generators: every random source that recorded functions draw from. A replay moves them on as a run would.
    """

    def __init__(self, device: torch.device, generators: Sequence[torch.Generator]) -> None:
        self._device = device
        self._generators = generators
        # Warm-up and recording share a stream: autograd binds parameters to the stream that they were first used on.
        self._stream = torch.cuda.Stream(device)
        self._pool = torch.cuda.graph_pool_handle()
        self._graphs: list[torch.cuda.CUDAGraph] = []

    def run(self, function: Callable[[], Losses]) -> Losses:
        """See `Graphs.run`."""
        outside = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(outside)
        with torch.cuda.stream(self._stream):
            losses = function()
        outside.wait_stream(self._stream)
        return losses

    def record(self, function: Callable[[], Losses]) -> Callable[[], Losses]:
        """See `Graphs.record`.

        Raises:
            RuntimeError: when the function does what a graph cannot hold, or memory is short. Random sources and the
                current stream are as before.
        """
        outside = torch.cuda.current_stream(self._device)
        # A failed capture leaves the generators in it waiting for its end, the global one of torch too.
        default = torch.cuda.default_generators[self._stream.device_index]
        before = [(rng, rng.get_state()) for rng in (default, *self._generators)]
        graph = torch.cuda.CUDAGraph()
        for rng in self._generators:
            graph.register_generator_state(rng)
        try:
            # Other threads of the process may use the GPU meanwhile.
            with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
                losses = function()
        except BaseException:
            torch.cuda.set_stream(outside)
            for rng, state in before:
                fresh = torch.Generator(rng.device)
                fresh.set_state(state)
                rng.graphsafe_set_state(fresh)
            raise
        self._graphs.append(graph)

        def replay() -> Losses:
            graph.replay()
            return losses

        return replay

    def close(self) -> None:
        """See `Graphs.close`."""
        torch.cuda.synchronize(self._device)
        for graph in self._graphs:
            graph.reset()
        self._graphs.clear()


def graphs_for(device: torch.device, generators: Sequence[torch.Generator], capture: Capture) -> Graphs | None:
    """CUDA graphs on a GPU unless ``capture`` is off; None on the CPU."""
    return CudaGraphs(device, generators) if device.type == "cuda" and capture == "auto" else None

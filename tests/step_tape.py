"""CUDA graphs imitated on the CPU, and a guard against what they forbid.

A tape holds the operations that a function asked for, with the memory that they read and wrote, and runs them again
without the function. As in a CUDA graph, numbers from Python are frozen, random sources move on, and the recording
itself executes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only

Losses = dict[str, Tensor]

# What waits for the device, or yields a shape that only the device knows.
SYNCHRONISING = {
    "_local_scalar_dense",
    "item",
    "equal",
    "is_nonzero",
    "nonzero",
    "nonzero_static",
    "masked_select",
    "_unique",
    "_unique2",
    "unique_dim",
    "unique_consecutive",
    "repeat_interleave",
    "bincount",
    "lift_fresh",  # torch.tensor(...): copies from the host
    "_pin_memory",
}


def name_of(operation: Any) -> str:
    return operation._schema.name.removeprefix("aten::")


def tensors_in(values: Any) -> list[Tensor]:
    return [value for value in tree_flatten(values)[0] if isinstance(value, Tensor)]


def storage_of(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


class OnDeviceOnly(TorchDispatchMode):
    """Fails where a step would make the host wait for a GPU, or bring memory of the host into it.

    Enter ``torch.device("meta")`` besides: then a tensor made without a device does not fit the others.
    """

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = name_of(operation)
        assert name not in SYNCHRONISING, f"{name} waits for the device or copies from the host"
        if name in {"index", "index_put", "index_put_", "_index_put_impl_"}:
            assert all(i.dtype != torch.bool for i in tensors_in(args[1])), f"{name} by a mask waits for the device"
        results = operation(*args, **kwargs or {})
        devices = {tensor.device.type for tensor in tensors_in((args, kwargs, results))}
        assert len(devices) <= 1, f"{name} mixes tensors of {sorted(devices)}"
        return results


class Tape(TorchDispatchMode):
    """Records operations while they run."""

    def __init__(self) -> None:
        super().__init__()
        self._entries: list[tuple[Any, Any, Any, list[tuple[int, Tensor]]]] = []
        self._made: set[int] = set()
        self._before: dict[int, tuple[Any, Any]] = {}

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        for argument, value in [
            *zip(operation._schema.arguments, args, strict=False),
            *((a, kwargs[a.name]) for a in operation._schema.arguments if a.name in kwargs),
        ]:
            if argument.alias_info is not None and argument.alias_info.is_write:
                for tensor in tensors_in(value):
                    storage = tensor.untyped_storage()
                    if storage._cdata not in self._made | self._before.keys():
                        self._before[storage._cdata] = (storage, storage.clone())
        results = operation(*args, **kwargs)
        given = {storage_of(tensor) for tensor in tensors_in((args, kwargs))}
        flat = tree_flatten(results)[0]
        fresh = [(i, t) for i, t in enumerate(flat) if isinstance(t, Tensor) and storage_of(t) not in given]
        self._made |= {storage_of(tensor) for _, tensor in fresh}
        # Aliases without gradients: the tape holds memory, not autograd's graph.
        bare_args, bare_kwargs = tree_map_only(Tensor, lambda t: t.detach(), (args, kwargs))
        self._entries.append((operation, bare_args, bare_kwargs, [(i, t.detach()) for i, t in fresh]))
        return results

    def undo(self) -> None:
        """Put back what the recorded operations changed in memory that was there before."""
        for storage, content in self._before.values():
            storage.copy_(content)

    @torch.no_grad()
    def replay(self) -> None:
        for operation, args, kwargs, outputs in self._entries:
            results = tree_flatten(operation(*args, **kwargs))[0]
            for i, output in outputs:
                output.copy_(results[i])


class TapeGraphs:
    """A recorder for `StepRunner` that needs no GPU."""

    def __init__(self, generators: Sequence[torch.Generator]) -> None:
        self._generators = generators
        self.n_recorded = self.n_replayed = 0
        self.closed = False

    def run(self, function: Callable[[], Losses]) -> Losses:
        return function()

    def record(self, function: Callable[[], Losses]) -> Callable[[], Losses]:
        states = [rng.get_state() for rng in self._generators]
        with Tape() as tape:
            losses = function()
        tape.undo()
        for rng, state in zip(self._generators, states, strict=True):
            rng.set_state(state)
        self.n_recorded += 1

        def replay() -> Losses:
            tape.replay()
            self.n_replayed += 1
            return losses

        return replay

    def close(self) -> None:
        self.closed = True

"""Trains and draws on the processor path that the environment asks for; prints the figures as JSON.

Run as ``python -m tests.processor_path`` with ``ATEN_CPU_CAPABILITY`` and ``ONEDNN_MAX_CPU_ISA`` set: both are read
when torch is imported.
"""

from __future__ import annotations

import json
from typing import Any

import torch

from synthgan.networks.products import dense, multiplies_bfloat16
from tests.torch_threads import torch_threads
from tests.training.test_loop import trainer


def figures(precision: str, n_threads: int) -> dict[str, Any]:
    """What a short run learned: its first losses, its last error, and how far positions follow the flag."""
    with torch_threads(n_threads):
        begun = trainer(n_steps=5, evaluate_every=1, precision=precision)
        begun.run()
        run = trainer(n_steps=250, evaluate_every=250, precision=precision)
        run.run()
        rng = torch.Generator().manual_seed(5)
        z = torch.randn(4000, 8, generator=rng)
        rows = run.averaged.draw(z, None, torch.zeros(4000, 3), temperature=1, rng=rng)
    in_bin = rows.codes[:, 1] < 2
    agree = (rows.positions[:, 0] > 0.5) == (rows.codes[:, 0] == 1)
    return {
        "precision": precision,
        "threads": n_threads,
        "first": [(record["generator"], record["discriminator"]) for record in begun.history],
        "error": run.history[-1]["averaged_marginal_error"],
        "discriminator": run.history[-1]["discriminator"],
        "agreement": agree[in_bin].float().mean().item(),
    }


def product_error() -> float:
    """The largest difference of `dense` from the product in float64."""
    rng = torch.Generator().manual_seed(0)
    rows, weight = torch.randn(512, 64, generator=rng), torch.randn(48, 64, generator=rng)
    exact = rows.double() @ weight.double().T
    return (dense(rows, weight, torch.zeros(48)).double() - exact).abs().max().item()


if __name__ == "__main__":
    runs = [figures(precision, n) for precision, n in (("float32", 1), ("float32", 2), ("bfloat16", 1))]
    native = multiplies_bfloat16(torch.device("cpu"))
    print(json.dumps({"runs": runs, "product_error": product_error(), "bfloat16": native}))  # noqa: T201

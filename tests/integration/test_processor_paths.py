"""Every kind of vector instructions, precision and number of threads learns the same, as far as seeds do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from synthgan.networks import products
from tests.training.test_loop import FIRST_LOSSES

ROOT = Path(__file__).resolve().parents[2]
PATHS = {
    "plain instructions": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"},
    "AVX2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "AVX-512 without bfloat16": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"},
    "whatever the processor has": {},
}
CAPS = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")


def run_on(path: dict[str, str]) -> dict[str, Any]:
    free = {name: value for name, value in os.environ.items() if name not in CAPS}
    command = [sys.executable, "-m", "tests.processor_path"]
    done = subprocess.run(command, cwd=ROOT, env=free | path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_each_path_of_the_processor_learns_what_any_seed_learns(path: dict[str, str]) -> None:
    told = run_on(path)
    assert told["product_error"] < 1e-4
    assert not (path and told["bfloat16"]), "a capped processor does without bfloat16"
    assert [(run["precision"], run["threads"]) for run in told["runs"]] == [
        ("float32", 1),
        ("float32", 2),
        ("bfloat16", 1),
    ]
    for run in told["runs"]:
        tolerance = 1e-3 if run["precision"] == "float32" else 1e-2
        assert np.array(run["first"]) == pytest.approx(np.array(FIRST_LOSSES), rel=tolerance), run
        assert 0.005 < run["error"] < 0.06, run
        assert 0.45 < run["discriminator"] < 0.75, run
        assert run["agreement"] > 0.75, run


@pytest.mark.parametrize("cap", products.WITHOUT_BFLOAT16)
def test_a_processor_capped_below_bfloat16_counts_as_one_without(monkeypatch: pytest.MonkeyPatch, cap: str) -> None:
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: True)
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    assert products.multiplies_bfloat16(torch.device("cpu"))
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", cap.lower())
    assert not products.multiplies_bfloat16(torch.device("cpu"))
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_AMX")
    assert products.multiplies_bfloat16(torch.device("cpu"))

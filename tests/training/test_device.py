from __future__ import annotations

import pytest
import torch

from synthgan.errors import SettingsError
from synthgan.training.device import resolve_precision, tensor_float

CPU, GPU = torch.device("cpu"), torch.device("cuda")
MATMUL = torch.backends.cuda.matmul


def allowed() -> bool:
    return bool(MATMUL.fp32_precision == "tf32" if hasattr(MATMUL, "fp32_precision") else MATMUL.allow_tf32)


@pytest.mark.parametrize(
    ("precision", "device", "expected"),
    [("tf32", GPU, True), ("bfloat16", GPU, True), ("float32", GPU, False), ("bfloat16", CPU, False)],
)
def test_tf32_is_allowed_within_the_block_where_the_precision_says_so(
    precision: str, device: torch.device, expected: bool
) -> None:
    with pytest.raises(ZeroDivisionError), tensor_float(precision, device):  # type: ignore[arg-type]
        assert allowed() == expected
        raise ZeroDivisionError
    assert not allowed()


@pytest.mark.parametrize("setting", ["high", "highest"])
def test_the_setting_of_the_process_comes_back(setting: str) -> None:
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision(setting)
        with tensor_float("tf32", GPU):
            assert allowed()
        assert torch.get_float32_matmul_precision() == setting
    finally:
        torch.set_float32_matmul_precision(before)


def test_tf32_is_refused_where_it_does_not_exist() -> None:
    with pytest.raises(SettingsError, match=r"'tf32' needs a GPU .*training runs on cpu"):
        resolve_precision("tf32", CPU)

"""Products of matrices: the one that inference spends its time on, and how precise products are where."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

ROW_BLOCK = 16
"""Torch hands a convolution to oneDNN, whatever the number of threads, from this batch size on."""

FEWEST_ROWS = 128
"""Below this the weights' change of layout costs more than the product saves."""

WITHOUT_BFLOAT16 = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI")
"""What ``ONEDNN_MAX_CPU_ISA`` may hold oneDNN to, of what does not multiply in bfloat16."""


def dense(rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``rows @ weight.T + bias`` without gradients; with float32 weights, as `torch.nn.functional.linear` has it.

    On a CPU torch computes matrix products with MKL, which uses half of what a processor of another maker can do, and
    convolutions with oneDNN, which uses all of it. A convolution over single pixels is the same product: the rows,
    as they lie in memory, are an image of one channel per input in the channels-last layout. Only the order of
    summation differs. Numbers of rows that are not whole blocks take the usual way.

    With weights in bfloat16, the rows and the product are rounded to it; sums and the bias are in float32.

    Args:
        rows: ``(n_rows, n_inputs)`` float32.
        weight: ``(n_outputs, n_inputs)``.
        bias: ``(n_outputs,)`` float32.

    Returns:
        ``(n_rows, n_outputs)`` float32, in C order.
    """
    if weight.dtype == torch.bfloat16:
        return F.linear(rows.bfloat16(), weight).float().add_(bias)
    n_rows, n_inputs = rows.shape
    if not _suits_convolution(rows, n_rows, n_inputs, len(bias)):
        return F.linear(rows, weight, bias)
    image = rows.view(ROW_BLOCK, n_rows // ROW_BLOCK, 1, n_inputs).permute(0, 3, 1, 2)
    product = F.conv2d(image, weight[:, :, None, None], bias)
    return product.permute(0, 2, 3, 1).reshape(n_rows, len(bias))


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the hardware multiplies matrices in bfloat16 faster than in float32, and oneDNN is free to use it."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() in WITHOUT_BFLOAT16:
        return False
    native = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return device.type == "cpu" and native is not None and bool(native())


@contextlib.contextmanager
def products_on_gpu(*, in_tf32: bool) -> Iterator[None]:
    """A GPU's products of float32 matrices in TF32 (10 bits of mantissa) within the block, or in full float32.

    The switch belongs to the process, so it is put back at the end of the block.
    """
    matmul = torch.backends.cuda.matmul
    # torch 2.9 replaced the switch, and refuses to mix the new one with the old.
    is_new = hasattr(matmul, "fp32_precision")
    name = "fp32_precision" if is_new else "allow_tf32"
    value = ("tf32" if in_tf32 else "ieee") if is_new else in_tf32
    before = getattr(matmul, name)
    setattr(matmul, name, value)
    try:
        yield
    finally:
        setattr(matmul, name, before)


def _suits_convolution(rows: Tensor, n_rows: int, n_inputs: int, n_outputs: int) -> bool:
    return (
        rows.device.type == "cpu"
        and rows.dtype == torch.float32
        and torch.backends.mkldnn.is_available()
        and rows.is_contiguous()
        and n_rows >= FEWEST_ROWS
        and n_rows % ROW_BLOCK == 0
        and min(n_inputs, n_outputs) >= ROW_BLOCK
    )

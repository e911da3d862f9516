"""Where training runs and in which precision."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager

import torch

from synthgan.config import PRECISIONS, Precision
from synthgan.errors import SettingsError
from synthgan.networks.products import multiplies_bfloat16, products_on_gpu


def resolve_device(name: str) -> torch.device:
    """The device called ``name``; ``"auto"`` is the first GPU when there is one, else the CPU.

    Raises:
        SettingsError: when the device does not exist here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
        usable = device.type in ("cpu", "cuda")
    except (RuntimeError, AssertionError, NotImplementedError):
        usable = False
    if not usable:
        raise SettingsError(
            f"device {name!r} is not available here; expected 'auto', 'cpu', or 'cuda' on a machine with a GPU."
        )
    return device


def resolve_precision(precision: Precision, device: torch.device) -> Precision:
    """``"auto"`` becomes bfloat16 where the hardware multiplies it faster than float32, else float32.

    Raises:
        SettingsError: for an unknown precision, or TF32 on a device that does not have it.
    """
    if precision not in PRECISIONS:
        raise SettingsError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}.")
    if precision == "tf32" and not (device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)):
        raise SettingsError(
            f"precision 'tf32' needs a GPU of compute capability 8.0 or more, and training runs on {device}; choose "
            "'float32', or 'auto' for what the device does best."
        )
    if precision != "auto":
        return precision
    return "bfloat16" if multiplies_bfloat16(device) else "float32"


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[object]:
    """Matrix products in ``precision`` within the block; weights stay float32."""
    if precision == "bfloat16":
        # Without the cache of converted weights: it would keep a weight's old value after a step within the block, and
        # its tensors would outlive a captured step.
        return torch.autocast(device.type, torch.bfloat16, cache_enabled=False)
    return contextlib.nullcontext()


def tensor_float(precision: Precision, device: torch.device) -> AbstractContextManager[None]:
    """Products of float32 matrices in TF32 within the block (10 bits of mantissa), unless ``precision`` is float32."""
    if device.type != "cuda" or precision == "float32":
        return contextlib.nullcontext()
    return products_on_gpu(in_tf32=True)

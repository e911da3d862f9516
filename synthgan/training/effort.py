"""From an effort and a table's size to concrete training settings."""

from __future__ import annotations

import dataclasses

import torch

from synthgan.config import EFFORTS, Effort, TrainingSettings
from synthgan.errors import SettingsError
from synthgan.training.device import resolve_precision


def resolve(
    settings: Effort | TrainingSettings, *, n_rows: float, device: torch.device, max_steps: int | None = None
) -> TrainingSettings:
    """Concrete settings: what an effort means for this table on this device, or given settings with "auto" filled in.

    Raises:
        SettingsError: for an unknown effort or a step limit below 1.
    """
    if not isinstance(settings, TrainingSettings):
        settings = _of_effort(settings, n_rows, device)
    if max_steps is not None:
        if isinstance(max_steps, bool) or not isinstance(max_steps, int) or max_steps < 1:
            raise SettingsError(f"max_steps must be a whole number of at least 1, got {max_steps!r}.")
        settings = dataclasses.replace(settings, n_steps=min(settings.n_steps, max_steps))
    return dataclasses.replace(settings, precision=resolve_precision(settings.precision, device))


def _of_effort(effort: str, n_rows: float, device: torch.device) -> TrainingSettings:
    if effort not in EFFORTS:
        raise SettingsError(f"effort must be one of {', '.join(EFFORTS)}, got {effort!r}.")
    on_gpu = device.type == "cuda"
    n_steps = {"quick": 600, "default": 3000, "high": 10_000}[effort]
    # A small table is learned in fewer passes; more only teach the critic the rows themselves.
    n_steps = max(200, min(n_steps, round(n_rows * n_steps / 10_000)))
    return TrainingSettings(
        n_steps=n_steps,
        batch_size=4000 if on_gpu else 1000,
        warmup_steps=min(100, n_steps // 5),
    )

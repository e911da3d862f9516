"""From an effort and a table's size to concrete training settings."""

from __future__ import annotations

import dataclasses

import torch

from synthgan.config import EFFORTS, WARM_UP_SHARE, Effort, TrainingSettings
from synthgan.critics.losses import LOSSES
from synthgan.errors import SettingsError
from synthgan.training.critic_balance import LEAST_WEIGHT
from synthgan.training.device import resolve_precision

SCHEDULES: dict[str, tuple[int, int, int]] = {
    "quick": (600, 1000, 4000),
    "default": (3000, 1000, 4000),
    "high": (4000, 4000, 8000),
}
"""Generator steps, and rows per step on a CPU and on a GPU. Larger batches pay more than many more steps: the critics'
gradients are less noisy, while each further step also shows the discriminator the same rows once more."""

SMALL_TABLE = 5000
"""Tables with fewer rows are fitted more cautiously, by degrees but for the balance and the averaging."""

MOST_SHRINKAGE = 2.0

MOST_HORIZON, STEPS_PER_HORIZON = 20.0, 150
"""The Gram matrix is averaged over at most `MOST_HORIZON` steps, and over one for every `STEPS_PER_HORIZON` steps of a
shorter fit: there the generator moves fast to the very end, and an average lags behind."""


def resolve(
    settings: Effort | TrainingSettings, *, n_rows: float, device: torch.device, max_steps: int | None = None
) -> TrainingSettings:
    """Concrete settings: what an effort means for this table on this device, or given settings with "auto" filled in.

    Where `max_steps` cuts the steps, the warm-up is cut to a fifth of them at most; with an effort, the average of the
    Gram matrix is shortened too.

    Raises:
        SettingsError: for an unknown effort or a step limit below 1.
    """
    if max_steps is not None and (isinstance(max_steps, bool) or not isinstance(max_steps, int) or max_steps < 1):
        raise SettingsError(f"max_steps must be a whole number of at least 1, got {max_steps!r}.")
    if not isinstance(settings, TrainingSettings):
        settings = _of_effort(settings, n_rows, device, max_steps)
    elif max_steps is not None and max_steps < settings.n_steps:
        warmup_steps = min(settings.warmup_steps, int(WARM_UP_SHARE * max_steps))
        settings = dataclasses.replace(settings, n_steps=max_steps, warmup_steps=warmup_steps)
    return dataclasses.replace(settings, precision=resolve_precision(settings.precision, device))


def check_effort(effort: str) -> None:
    """Refuse what is no effort.

    Raises:
        SettingsError: names those there are.
    """
    if effort not in EFFORTS:
        raise SettingsError(f"effort must be one of {', '.join(EFFORTS)}, got {effort!r}.")


def _of_effort(effort: str, n_rows: float, device: torch.device, max_steps: int | None) -> TrainingSettings:
    check_effort(effort)
    n_steps, on_cpu, on_gpu = SCHEDULES[effort]
    batch_size = on_gpu if device.type == "cuda" else on_cpu
    # A small table is learned in fewer passes; more only teach the critics the rows themselves.
    n_steps = max(100, min(n_steps, round(n_rows * n_steps / 10_000)))
    n_steps = n_steps if max_steps is None else min(n_steps, max_steps)
    settings = TrainingSettings(
        n_steps=n_steps,
        batch_size=batch_size,
        warmup_steps=min(100, int(WARM_UP_SHARE * n_steps)),
        gram_horizon=(1.0, min(MOST_HORIZON, max(1.0, n_steps / STEPS_PER_HORIZON))),
    )
    share = n_rows / SMALL_TABLE
    return settings if share >= 1 else _for_small_table(settings, max(share, 0.02))


def _for_small_table(settings: TrainingSettings, share: float) -> TrainingSettings:
    """Hold the critics that see rows back, and fit no noise: a few hundred rows are soon known by heart.

    Args:
        settings: those of a table of `SMALL_TABLE` rows.
        share: rows as a share of `SMALL_TABLE`.
    """
    return dataclasses.replace(
        settings,
        adversarial_weight=share * settings.adversarial_weight,
        marginal_weight=LEAST_WEIGHT,
        gram_horizon=(1.0, 1.0),  # the table's own noise is as large as a batch's
        target_weight=share * settings.target_weight,
        penalty=LOSSES[settings.loss].penalty_weight / share,
        shrinkage=MOST_SHRINKAGE * (1 - share),
    )

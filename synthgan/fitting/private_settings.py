"""Settings of a private fit; they depend on nothing that the table says."""

from __future__ import annotations

import dataclasses

import torch

from synthgan.config import DpSgdSettings, Effort, TrainingSettings
from synthgan.errors import PrivacyError
from synthgan.privacy.account.parameters import Privacy
from synthgan.privacy.dp_sgd import refuse_what_cannot_be_private
from synthgan.training.effort import check_effort, resolve

DEFAULT_NEURAL = 0.0
"""Share of the third door where nobody says otherwise."""

SCHEDULES: dict[str, tuple[int, int]] = {"quick": (1000, 500), "default": (5000, 500), "high": (10_000, 1000)}
"""Effort -> generator steps and rows per step."""

MARGINAL_WEIGHT, GRAM_HORIZON = 4.0, (3.0, 20.0)
"""Small batches with averaged Gram matrices, so that a cell's error does not have the sign of a batch's own noise. A
horizon of 10 steps from the first step made fits of wide tables swing, and one in two diverge."""


def private_settings(
    settings: Effort | TrainingSettings,
    privacy: Privacy,
    *,
    device: torch.device,
    max_steps: int | None = None,
    early_stopping: bool = False,
) -> TrainingSettings:
    """Settings of a private fit; they depend on nothing that the table says.

    Args:
        settings: an effort, or settings whose critics are then replaced by private ones.
        privacy: says how much the neural critic does.
        device: where training happens.
        max_steps: most generator steps.
        early_stopping: whether it was asked for apart from the settings.

    Raises:
        PrivacyError: for a setting that cannot be kept private.
        SettingsError: for an unknown effort or a step limit below 1.
    """
    given = isinstance(settings, TrainingSettings)
    if isinstance(settings, TrainingSettings):
        base = settings
    else:
        check_effort(settings)
        n_steps, batch_size = SCHEDULES[settings]
        base = TrainingSettings(
            n_steps=n_steps, batch_size=batch_size, marginal_weight=MARGINAL_WEIGHT, gram_horizon=GRAM_HORIZON
        )
    if early_stopping or base.early_stopping:
        raise PrivacyError(
            "early stopping judges held-out rows, which no budget was paid for; leave it out of a private fit."
        )
    base = resolve(base, n_rows=1.0, device=device, max_steps=max_steps)
    neural = neural_share(privacy)
    if not neural:
        return dataclasses.replace(base, adversarial_weight=0.0, twin_weight=0.0, shrinkage=0.0, capture="off")
    private = critic_settings(privacy)
    settled = private.alone(base) if neural == 1 and not given else private.training(base)
    resolved = resolve(dataclasses.replace(settled, shrinkage=0.0), n_rows=1.0, device=device, max_steps=max_steps)
    if resolved.adversarial_weight > 0:
        refuse_what_cannot_be_private(resolved, private, device)  # now, and not when doors are open already
    return resolved


def neural_share(privacy: Privacy) -> float:
    """Share of the budget for the neural critic."""
    return DEFAULT_NEURAL if privacy.neural is None else privacy.neural


def critic_settings(privacy: Privacy) -> DpSgdSettings:
    """Settings of the neural critic."""
    if privacy.neural_settings is not None:
        return privacy.neural_settings
    return DpSgdSettings.at(privacy.epsilon) if neural_share(privacy) == 1 else DpSgdSettings()

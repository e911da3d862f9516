"""What a fit is asked for, and what of it is refused before the table is read."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import torch

from synthgan.config import Effort, TrainingSettings
from synthgan.errors import PrivacyError, SettingsError
from synthgan.fitting.resume import journal_path
from synthgan.privacy.account.parameters import Privacy
from synthgan.tables.files.outputs import real_path
from synthgan.tables.schema.schema import TableSchema
from synthgan.training.effort import resolve
from synthgan.training.progress import ProgressMode


@dataclass(frozen=True, kw_only=True)
class FitRequest:
    """What a fit is asked for; `synthgan.synthesizer.Synthesizer` explains each.

    Attributes:
        privacy: the guarantee to be kept; None for an exact fit.
        seed: of everything but private noise and the holdout; None for the checkpoint's, or a fresh one.
        device: where to train.
        checkpoint: file to save progress to, and to go on from.
        started: when, in seconds of `time.monotonic`.
    """

    privacy: Privacy | None
    target: str | None
    schema: TableSchema | Mapping[str, Any] | str | os.PathLike[str] | None
    settings: Effort | TrainingSettings
    min_count: int
    protect_values: bool
    time_limit: float | None
    max_steps: int | None
    early_stopping: bool
    holdout: float
    progress: ProgressMode
    device: torch.device
    seed: int | None
    checkpoint: str | os.PathLike[str] | None
    started: float = field(default_factory=time.monotonic)

    def check(self) -> None:
        """Refuse now what would otherwise come to light only after the table was read.

        Raises:
            SettingsError: when a setting is out of range.
            PrivacyError: when a private fit cannot have it.
        """
        privacy = self.privacy
        if privacy is not None and not isinstance(privacy, Privacy):
            raise SettingsError(f"privacy must be a Privacy or None, got {type(privacy).__name__}.")
        self.resolved(1.0)
        if self.progress not in get_args(ProgressMode):
            raise SettingsError(f"progress must be one of {', '.join(get_args(ProgressMode))}, got {self.progress!r}.")
        limit, share = self.time_limit, self.holdout
        if limit is not None and (not _is_number(limit) or not limit > 0):
            raise SettingsError(f"time_limit must be a positive number of seconds or None, got {limit!r}.")
        if not _is_number(share) or not 0 <= share < 1:
            raise SettingsError(f"holdout must be a share of the rows in [0, 1), got {share!r}.")
        if privacy is not None and not self.protect_values:
            raise PrivacyError(
                "protect_values=False (--no-protection) would store rare values and true extremes, which no budget "
                "was paid for; leave it out of a private fit."
            )
        if privacy is not None and limit is not None:
            raise PrivacyError(
                "time_limit (--time-limit) lets the clock say how many steps a fit takes and how often it measures, "
                "and how fast they are hangs on the table; leave it out of a private fit, and set max_steps "
                "(--max-steps) or effort (--effort) instead."
            )
        if privacy is not None and privacy.ledger is not None and self.checkpoint is not None:
            progress = (Path(self.checkpoint), journal_path(self.checkpoint))
            if real_path(Path(privacy.ledger)) in [real_path(path) for path in progress]:
                raise SettingsError(
                    "the ledger (--ledger) and the checkpoint (--checkpoint) name the same file; give each its own."
                )

    def resolved(self, n_rows: float) -> TrainingSettings:
        """Concrete settings of an exact fit."""
        settings = resolve(self.settings, n_rows=n_rows, device=self.device, max_steps=self.max_steps)
        return dataclasses.replace(settings, early_stopping=True) if self.early_stopping else settings


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

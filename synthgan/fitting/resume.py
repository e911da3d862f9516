"""Where a fit goes on: what an earlier run of it left in the checkpoint, read once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthgan.tables.files.outputs import check_output
from synthgan.tables.sources.holdout import KEY_BYTES
from synthgan.training.checkpoint import SavedRun, read_checkpoint, unreadable
from synthgan.training.loop import Trainer

HOLDOUT_KEY, ACCOUNT_FIT = "holdout_key", "fit"
"""Names of what a checkpoint keeps of the two."""


@dataclass(frozen=True)
class Resume:
    """What a fit knows of its earlier run; of a fit that begins, nothing.

    Attributes:
        path: the checkpoint; None for a fit without one.
        seed: of the earlier run.
        holdout_key: decided which units were held out; None where nothing tells.
        account_fit: what the fit is called in the account of its table.
        run: the whole checkpoint; None where there is no file yet. Check it before relying on it.
    """

    path: Path | None = None
    seed: int | None = None
    holdout_key: bytes | None = None
    account_fit: str | None = None
    run: SavedRun | None = None

    @classmethod
    def read(cls, path: str | os.PathLike[str] | None) -> Resume:
        """Read a checkpoint, where there is one.

        Raises:
            OutputError: when it could not be written.
            ModelFileError: when it is damaged.
        """
        if path is None:
            return cls()
        check_output(path, force=True)
        run = read_checkpoint(path)
        if run is None:
            return cls(Path(path))
        try:
            key = run.values_besides.get(HOLDOUT_KEY)
            holdout_key = None if key is None else bytes.fromhex(key)
            fit = run.values_besides.get(ACCOUNT_FIT)
            if not isinstance(fit, str | None) or (holdout_key is not None and len(holdout_key) != KEY_BYTES):
                raise ValueError
        except (TypeError, ValueError):
            raise unreadable(Path(path)) from None
        return cls(Path(path), run.seed, holdout_key, fit, run)

    def check(self, identity: Mapping[str, Any]) -> None:
        """Refuse the checkpoint of another fit. To be called before anything is reserved or released.

        Args:
            identity: what this fit is about.

        Raises:
            ModelFileError: when the earlier run was about something else.
        """
        if self.run is not None:
            self.run.check(identity)

    def restore(self, trainer: Trainer) -> None:
        """Bring a trainer to where the earlier run was, if there was one.

        Raises:
            ModelFileError: when the checkpoint is damaged.
        """
        if self.run is not None:
            self.run.restore(trainer)


def journal_path(checkpoint: str | os.PathLike[str]) -> Path:
    """Where the journal of a private fit's ledger lies: beside its checkpoint."""
    path = Path(checkpoint)
    return path.with_name(f"{path.name}.journal")

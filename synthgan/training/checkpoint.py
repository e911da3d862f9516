"""Checkpoints: a training run on disk, from which a killed fit goes on to the same result.

A checkpoint is one safetensors file, written atomically, whose metadata holds the rest as JSON. It is a private
artefact: the critics in it have seen the table. Keep it where the table is kept. A private fit's is one, too: it holds
the key of the holdout.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from torch import Tensor

from synthgan.errors import ModelFileError
from synthgan.strict_json import parse_json
from synthgan.tables.files.outputs import atomic_path
from synthgan.training.loop import Trainer

FORMAT = "synthgan-checkpoint-1"
FIRST_SECONDS = 5.0

Besides: TypeAlias = "tuple[dict[str, Tensor], dict[str, Any]]"

_BESIDES = "besides."


class Checkpoint:
    """Saves a trainer now and then; `read_checkpoint` reads what it wrote.

    Args:
        path: the file.
        identity: what the run is about (table fingerprint, settings, seed); see `SavedRun.check`.
        interval_seconds: time between saves.
        besides: tells what the run needs besides the trainer to go on: tensors, and plain JSON values.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        identity: Mapping[str, Any],
        *,
        interval_seconds: float = 30.0,
        besides: Callable[[], Besides] = lambda: ({}, {}),
    ) -> None:
        self.path = Path(path)
        self._identity = identity_digest(identity)
        self._seed = identity["seed"]
        self._besides = besides
        self._interval = interval_seconds
        # The first save comes early, so that little is lost when a fit is stopped soon.
        self._last = time.monotonic() - max(0.0, interval_seconds - FIRST_SECONDS)

    def save(self, trainer: Trainer | None) -> None:
        """Write the trainer's state, replacing an older checkpoint in one move; None where there is nothing to train.

        Raises:
            OutputError: when it cannot be written; the older one is as it was.
        """
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        tensors, values = ({}, {}) if trainer is None else trainer.state()
        more, private = self._besides()
        tensors |= {f"{_BESIDES}{name}": tensor for name, tensor in more.items()}
        header = {
            "format": FORMAT,
            "identity": self._identity,
            "seed": self._seed,
            "private": private,
            "values": values,
        }
        contiguous = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
        with atomic_path(self.path, force=True) as temporary:
            temporary.chmod(0o600)  # before a byte of it is written
            try:
                save_file(contiguous, temporary, {"synthgan": json.dumps(header)})
            except SafetensorError as error:
                raise _told_by(error) from None
            temporary.chmod(0o600)  # in case the file was made anew
        self._last = time.monotonic()

    def save_if_due(self, trainer: Trainer) -> None:
        """`save`, when the interval has passed."""
        if time.monotonic() - self._last >= self._interval:
            self.save(trainer)


@dataclass(frozen=True, kw_only=True)
class SavedRun:
    """A checkpoint as it was read; whose run it is says `check`.

    Attributes:
        path: the file.
        identity: digest of what the run was about.
        seed: of the run.
        tensors: the trainer's.
        values: the trainer's, as plain JSON.
        tensors_besides: what the run needed besides the trainer.
        values_besides: the same, as plain JSON.
    """

    path: Path
    identity: str
    seed: int
    tensors: dict[str, Tensor] = field(repr=False)
    values: Mapping[str, Any] = field(repr=False)
    tensors_besides: Mapping[str, Tensor] = field(repr=False)
    values_besides: Mapping[str, Any] = field(repr=False)

    def check(self, identity: Mapping[str, Any]) -> None:
        """Refuse a run that was about something else.

        Raises:
            ModelFileError: when it was.
        """
        if self.identity != identity_digest(identity):
            raise ModelFileError(
                f"checkpoint {self.path} belongs to another fit (other table, settings, device or random_state); "
                "delete it to start afresh, or name another file."
            )

    def restore(self, trainer: Trainer) -> None:
        """Load the run into a trainer, and let go of the tensors: once is all they are needed, and they are large.

        Raises:
            ModelFileError: when a part is missing or damaged.
        """
        try:
            trainer.load_state(self.tensors, dict(self.values))
        except (KeyError, TypeError, ValueError, IndexError, RuntimeError):
            raise unreadable(self.path) from None
        self.tensors.clear()


def identity_digest(identity: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical JSON of what a run is about."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()


def read_checkpoint(path: str | os.PathLike[str]) -> SavedRun | None:
    """What a checkpoint holds, None when there is no file.

    Raises:
        ModelFileError: when the file is damaged.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as file:
            header = parse_json((file.metadata() or {})["synthgan"].encode("utf-8"), finite=False)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
        if header["format"] != FORMAT:
            raise KeyError
        return SavedRun(
            path=path,
            identity=header["identity"],
            seed=int(header["seed"]),
            tensors={name: tensor for name, tensor in tensors.items() if not name.startswith(_BESIDES)},
            values=header["values"],
            tensors_besides={
                name.removeprefix(_BESIDES): tensor for name, tensor in tensors.items() if name.startswith(_BESIDES)
            },
            values_besides=dict(header.get("private", {})),
        )
    except PermissionError:
        raise ModelFileError(f"no permission to read checkpoint {path}; run as the user who wrote it") from None
    except (SafetensorError, KeyError, TypeError, ValueError, OSError):
        raise unreadable(path) from None


def _told_by(error: Exception) -> OSError:
    """What the operating system said, which safetensors hands on as text, for `atomic_path` to explain."""
    code = re.search(r"os error (\d+)", str(error))
    return OSError(int(code[1]) if code else errno.EIO, "")


def unreadable(path: Path) -> ModelFileError:
    """What is said of a file of which nothing can be relied on."""
    return ModelFileError(
        f"{path} is not a readable checkpoint of this version of synthgan; delete it to start afresh."
    )

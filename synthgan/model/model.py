"""What a fit leaves behind, and its way into a model file and back."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from synthgan.config import TrainingSettings, from_dict, to_dict
from synthgan.errors import SettingsError
from synthgan.model.file import GENERATOR, NOTHING, ModelFile, consistent, load_model, save_model, stated
from synthgan.networks.generator import Generator
from synthgan.privacy.account.ledger import Ledger
from synthgan.tables.codec import TableCodec
from synthgan.tables.frames.frames import restore_types, to_frame
from synthgan.tables.schema.schema_file import schema_to_json
from synthgan.training.device import resolve_device
from synthgan.training.loop import Record

_TRIED_ROWS = 512
MOST_BLOCKS = 1_000
"""A blank network takes no memory per weight, but some time per block."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """A fitted model.

    Attributes:
        codec: how the table is encoded and decoded.
        generator: the averaged generator, None when the table has no column to model.
        settings: the resolved training settings.
        history: the training records.
        stopped_by: why training ended.
        target: the column that got extra attention, None without one.
        ledger: what a private fit spent and on what; None without a guarantee.
    """

    codec: TableCodec
    generator: Generator | None
    settings: TrainingSettings
    history: list[Record]
    stopped_by: str
    target: str | None
    ledger: Ledger | None = None


def write_model(model: Model, path: str | os.PathLike[str], *, force: bool = False) -> Path:
    """Write a model file. The same fit gives the same bytes, so the history goes without its seconds.

    Raises:
        OutputError: when the file exists and ``force`` is off, or it cannot be written.
    """
    generator = model.generator
    return save_model(
        path,
        architecture=NOTHING if generator is None else GENERATOR,
        architecture_settings={} if generator is None else {"conditional": generator.conditional},
        schema=schema_to_json(model.codec.schema),
        codec=model.codec.to_json(),
        tensors={} if generator is None else {k: v.detach().cpu() for k, v in generator.state_dict().items()},
        history=[{k: v for k, v in record.items() if k != "seconds"} for record in model.history],
        ledger=None if model.ledger is None else model.ledger.to_json(),
        details={"training": to_dict(model.settings), "stopped_by": model.stopped_by, "target": model.target},
        force=force,
    )


def read_model(path: str | os.PathLike[str], *, device: str = "auto") -> Model:
    """Read what `write_model` wrote.

    Raises:
        ModelFileError: when the file is damaged, altered, too new, or no model at all.
        SettingsError: when the device is not available.
    """
    on = resolve_device(device)
    file = load_model(path)
    with consistent(path):
        codec, ledger = stated(file)
        settings, details = _training(file)
        generator = _generator(file, codec, settings)
        _try_decoding(codec)
    return Model(
        codec=codec,
        generator=None if generator is None else generator.to(on),
        settings=settings,
        history=list(file.history or []),
        stopped_by=str(details["stopped_by"]),
        target=details["target"],
        ledger=ledger,
    )


def _try_decoding(codec: TableCodec) -> None:
    """Decode some of the codes, and both ends of the bins: numbers that make no sense fail now, not while sampling."""
    spans = codec.layout.spans
    n_rows = max([2, *(min(len(encoder.facts.marginal), _TRIED_ROWS) for encoder in codec.encoders)])
    codes = np.empty((n_rows, len(spans)), dtype=np.int64)
    for index, span in enumerate(spans):
        codes[:, index] = np.linspace(0, span.n_levels - 1, n_rows).round()
    inside = np.resize(np.array([0.0, 0.5, np.nextafter(np.float32(1), np.float32(0))], dtype=np.float32), n_rows)
    positions = np.repeat(inside[:, None], codec.layout.n_positions, axis=1)
    with np.errstate(all="ignore"):
        table = codec.decoder(np.random.default_rng(0)).decode(codes, positions)
        restore_types(table, codec.schema)
        to_frame(table, codec.schema)


def _training(file: ModelFile) -> tuple[TrainingSettings, Mapping[str, Any]]:
    details = file.details
    if not {"training", "stopped_by", "target"} <= details.keys():
        raise KeyError
    if not isinstance(details["target"], str | None):
        raise TypeError
    return from_dict(TrainingSettings, details["training"]), details


def _generator(file: ModelFile, codec: TableCodec, settings: TrainingSettings) -> Generator | None:
    if (file.architecture == NOTHING) != (codec.layout.n_columns == 0):
        raise SettingsError("the architecture does not fit the codec.")
    if file.architecture == NOTHING:
        return None
    if settings.generator.n_blocks > MOST_BLOCKS:
        raise SettingsError("the network has more blocks than any that synthgan fits.")
    conditional = bool(file.architecture_settings["conditional"])
    # A blank network has shapes but no memory: the file's sizes are checked before anything is allocated.
    generator = Generator(codec.layout, settings.generator, None, conditional=conditional)
    tensors = file.tensors({name: (tuple(t.shape), t.dtype) for name, t in generator.state_dict().items()})
    generator.load_state_dict(tensors, assign=True)
    return generator.eval().requires_grad_(False)

"""An exact fit: a table read as it is, and the doors that tell what is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from synthgan.config import TrainingSettings, to_dict
from synthgan.critics.adversarial import AdversarialCritic, EncodedRows, NeuralCritic
from synthgan.critics.marginal_door import ExactMarginals
from synthgan.fitting.receipt import Receipt, new_key
from synthgan.fitting.request import FitRequest
from synthgan.fitting.resume import HOLDOUT_KEY, Resume
from synthgan.privacy.account.parameters import ROW
from synthgan.privacy.columns.released_columns import ReleasedColumn
from synthgan.tables.codec import TableCodec
from synthgan.tables.codec_settings import CodecSettings
from synthgan.tables.inference import infer_schema
from synthgan.tables.layout import EncodedTable
from synthgan.tables.schema.schema_file import schema_to_json
from synthgan.tables.sources.batches import check_rows
from synthgan.tables.sources.holdout import divide
from synthgan.tables.sources.open import Source
from synthgan.tables.sources.written_source import as_modelled
from synthgan.training.checkpoint import Besides
from synthgan.training.setup import Doors, Seeds

MINIMUM_ROWS = 2
"""Of an exact fit. A private one takes any number: a refusal would tell it."""


@dataclass(frozen=True, kw_only=True)
class ExactFit:
    """The doors of one exact fit; a `synthgan.fitting.fit.DoorMaker`.

    Attributes:
        rows: those to be fitted.
        codec: fitted from them.
        settings: resolved by their number.
        receipt: which they are; None without a holdout.
        identity: what a checkpoint must agree with; empty where none is asked for.
        seed: of codes and training.
        target: the column that downstream models will predict.
        released: nothing; see `ledger`.
        notices: none besides the codec's.
        ledger: None: nothing was promised.
        n_releases: 0: a run that is lost costs time, and nothing else.
        account_fit: None; see `ledger`.
        tells_seconds: whether its model may say how long steps took.
    """

    rows: Source
    codec: TableCodec
    settings: TrainingSettings
    receipt: Receipt | None
    identity: Mapping[str, Any]
    seed: int
    target: str | None
    released: tuple[ReleasedColumn, ...] = ()
    notices: tuple[str, ...] = ()
    ledger: None = None
    n_releases: int = 0
    account_fit: None = None
    tells_seconds: bool = True

    @classmethod
    def of(cls, source: Source, request: FitRequest, resume: Resume, *, seed: int) -> ExactFit:
        """Hold out what is asked for, and fit the codec to the rest.

        Raises:
            DataError: when the table cannot be used.
            ModelFileError: when the checkpoint belongs to another fit.
        """
        key, rows, receipt = resume.holdout_key or new_key(), source, None
        if request.holdout:
            division = divide(source, request.holdout, key=key)
            rows, receipt = division.training, Receipt.of(division, key=key, holdout=request.holdout, unit=ROW)
            check_rows(rows, MINIMUM_ROWS)
        schema = infer_schema(rows, declared=request.schema, target=request.target)
        rows = as_modelled(rows, schema)
        codec_settings = CodecSettings(min_count=request.min_count, protect_values=request.protect_values)
        codec = TableCodec.fit(rows, schema, codec_settings)
        settings, identity = request.resolved(codec.n_rows), dict[str, Any]()
        if resume.path is not None:
            identity = {
                "seed": seed,
                "device": request.device.type,
                "table": source.fingerprint(),
                "schema": schema_to_json(codec.schema),
                # How steps are launched changes no result: a run may go on without recordings.
                "settings": {name: value for name, value in to_dict(settings).items() if name != "capture"},
                "codec": codec.settings.to_json(),
                "target": request.target,
                **({} if receipt is None else {"holdout": request.holdout, HOLDOUT_KEY: key.hex()}),
            }
            resume.check(identity)
        return cls(
            rows=rows,
            codec=codec,
            settings=settings,
            receipt=receipt,
            identity=identity,
            seed=seed,
            target=request.target,
        )

    def open(self, device: torch.device) -> Doors:
        """Encode the rows, and open all three doors onto the codes."""
        rng = np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(1,)))
        table = self.codec.encode(self.rows, rng=rng)
        target = self.codec.layout.place(self.target)
        return exact_doors(table, self.settings, device, Seeds.spawn(self.seed), target=target)

    def kept(self) -> Besides:
        """What a checkpoint keeps besides the trainer: the key of the holdout, which no seed gives again."""
        return {}, {} if self.receipt is None else {HOLDOUT_KEY: self.receipt.key.hex()}

    def close(self) -> None:
        """Nothing was reserved."""


def exact_doors(
    table: EncodedTable, settings: TrainingSettings, device: torch.device, seeds: Seeds, *, target: int | None
) -> Doors:
    """Doors that tell what is.

    Args:
        table: the encoded training rows.
        settings: resolved settings.
        device: where everything lives from here on.
        seeds: make training repeatable.
        target: index of the modelled column that matters most, None for no such column.
    """
    layout = table.layout
    codes, positions = torch.from_numpy(table.codes).to(device), torch.from_numpy(table.positions).to(device)
    holdout = None
    if settings.early_stopping:
        held_out = torch.from_numpy(
            np.random.default_rng(seeds.holdout).random(table.n_rows) < settings.holdout_fraction
        )
        held_out[0], held_out[1] = True, False  # never an empty side
        held_out = held_out.to(device)
        holdout = ExactMarginals(codes[held_out], layout).pairs()
        codes, positions = codes[~held_out], positions[~held_out]

    def neural(initial: torch.Generator) -> NeuralCritic:
        rng = torch.Generator(device).manual_seed(seeds.critic)
        rows = EncodedRows(codes, positions)
        return AdversarialCritic(rows, layout, settings, rng=rng, initial=initial, target=target)

    return Doors(ExactMarginals(codes, layout), neural if settings.adversarial_weight else None, holdout=holdout)

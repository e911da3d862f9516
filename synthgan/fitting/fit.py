"""The way of a fit: from a table to a model, through exact doors or through private ones."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import torch

from synthgan.config import Effort, TrainingSettings, to_dict
from synthgan.errors import PrivacyError, SettingsError
from synthgan.fitting.receipt import Receipt, new_key
from synthgan.model.model import Model
from synthgan.networks.generator import Generator
from synthgan.privacy.account.parameters import ROW, Privacy
from synthgan.privacy.columns.released_columns import ReleasedColumn
from synthgan.random_state import fresh_seed
from synthgan.tables.codec import TableCodec
from synthgan.tables.codec_settings import CodecSettings
from synthgan.tables.files.outputs import check_output, real_path
from synthgan.tables.inference import infer_schema
from synthgan.tables.reading.reading import Reading
from synthgan.tables.schema.schema import TableSchema
from synthgan.tables.schema.schema_file import schema_to_json
from synthgan.tables.sources.batches import check_rows
from synthgan.tables.sources.holdout import divide
from synthgan.tables.sources.open import Data, Source, open_source
from synthgan.tables.sources.written_source import as_modelled
from synthgan.tables.target_notices import target_notices
from synthgan.training.checkpoint import Checkpoint, stored_private, stored_seed
from synthgan.training.effort import resolve
from synthgan.training.loop import Trainer
from synthgan.training.progress import ProgressMode, training_progress
from synthgan.training.setup import Seeds, build_trainer, trainer_before

if TYPE_CHECKING:
    from synthgan.fitting.private import PrivateFit, State
    from synthgan.tables.files.csv_format import CsvFormat

MINIMUM_ROWS = 2
"""Of an exact fit. A private one takes any number: a refusal would tell it."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a fit is asked for; `synthgan.synthesizer.Synthesizer` explains each.

    Attributes:
        seed: of everything but private noise and the holdout; None for the checkpoint's, or a fresh one.
        device: where to train.
        checkpoint: file to save progress to, and to go on from.
        started: when, in seconds of `time.monotonic`.
    """

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

    def check(self, privacy: Privacy | None) -> None:
        """Refuse now what would otherwise come to light only after the table was read.

        Raises:
            SettingsError: when a setting is out of range.
            PrivacyError: when a private fit cannot have it.
        """
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


@dataclass(frozen=True)
class Fitted:
    """What a fit hands over.

    Attributes:
        model: the model.
        notices: sentences about what came out differently from what one might expect.
        released: what a private fit counted of each column; nothing without a guarantee.
        receipt: which rows were fitted, for the table's owner alone; None where neither privacy nor a holdout was asked
            for.
    """

    model: Model
    notices: tuple[str, ...]
    receipt: Receipt | None
    released: tuple[ReleasedColumn, ...] = ()


def fit_table(data: Data, privacy: Privacy | None, request: Request, *, csv_format: CsvFormat | None = None) -> Fitted:
    """Read a table as its declaration says, and fit it.

    Raises:
        DataError: when the table cannot be used.
        SettingsError: when it cannot be told what a row of it means for the guarantee.
        TrainingError: when training diverges.
    """
    unit = None if privacy is None or privacy.unit == ROW else privacy.unit
    reading = Reading.of(request.schema, private=privacy is not None, unit=unit)
    source = open_source(
        data, minimum_rows=MINIMUM_ROWS if privacy is None else 0, reading=reading, csv_format=csv_format
    )
    if privacy is None:
        fitted = fit_exactly(source, request)
    else:
        privacy.check_columns(source.names)
        fitted = fit_privately(source, privacy, request)
    receipt = None if fitted.receipt is None else dataclasses.replace(fitted.receipt, reading=reading.to_json())
    return dataclasses.replace(fitted, notices=source.notices + fitted.notices, receipt=receipt)


def fit_exactly(source: Source, request: Request) -> Fitted:
    """Fit without a guarantee.

    Raises:
        DataError: when the table cannot be used.
        TrainingError: when training diverges.
        ModelFileError: when the checkpoint is damaged or belongs to another fit.
    """
    seed, key = request.seed, new_key()
    if request.checkpoint is not None:
        check_output(request.checkpoint, force=True)
        seed = stored_seed(request.checkpoint) if seed is None else seed
        key = bytes.fromhex(stored_private(request.checkpoint).get("holdout_key", key.hex()))
    seed = fresh_seed() if seed is None else seed
    rows, receipt = source, None
    if request.holdout:
        division = divide(source, request.holdout, key=key)
        rows, receipt = division.training, Receipt.of(division, key=key, holdout=request.holdout, unit=ROW)
        check_rows(rows, MINIMUM_ROWS)
    schema = infer_schema(rows, declared=request.schema, target=request.target)
    rows = as_modelled(rows, schema)
    settings = CodecSettings(min_count=request.min_count, protect_values=request.protect_values)
    codec = TableCodec.fit(rows, schema, settings)
    resolved, trainer, reason = request.resolved(codec.n_rows), None, "steps"
    if codec.layout.n_columns:
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
        table = codec.encode(rows, rng=rng)
        trainer = build_trainer(table, resolved, request.device, seed, target=_place(request.target, codec))
        saver = None
        if request.checkpoint is not None:
            identity = _identity(source, codec, resolved, request, seed=seed)
            private = {"holdout_key": key.hex()} if request.holdout else {}
            saver = Checkpoint(request.checkpoint, identity | private, besides=lambda: ({}, private))
            saver.restore(trainer)
        reason = _train(trainer, request, saver, on_step=_no_op if saver is None else saver.save_if_due)
    model = _model(codec, trainer, resolved, reason, request)
    return Fitted(model, codec.notices + _expectations(model), receipt)


def fit_privately(source: Source, privacy: Privacy, request: Request) -> Fitted:
    """Fit behind private doors. Nothing said, warned of or raised from here on depends on an exact value.

    With a checkpoint, the ledger's journal lies beside it (``.journal``). A fit that was killed goes on from the two:
    what was released is not asked for again, and what was reserved and is lost counts as spent. The noise still to come
    is drawn afresh, so the result is not the one that an undisturbed fit would have had.

    The file that composes several fits on the table is entered when nothing is left that could be refused without a
    release: settings, schema, the files to be written, and whether the checkpoint is of this fit.

    Raises:
        PrivacyError: when what is asked for cannot be kept private, or a ledger refuses.
        SchemaError: when the declaration does not fit the table's columns, or holds inferred facts.
        TrainingError: when training diverges.
        ModelFileError: when the checkpoint is damaged or belongs to another fit.
    """
    from synthgan.fitting.private import PrivateFit, private_settings
    from synthgan.privacy.account.reservation import reservation

    seed, before, saver, journal = request.seed, dict[str, Any](), None, None
    if request.checkpoint is not None:
        check_output(request.checkpoint, force=True)
        before = stored_private(request.checkpoint)
        seed = stored_seed(request.checkpoint) if seed is None else seed
        journal = journal_path(request.checkpoint)
    seed = fresh_seed() if seed is None else seed
    key = bytes.fromhex(before["holdout_key"]) if before else new_key()
    settings = private_settings(
        request.settings,
        privacy,
        device=request.device,
        max_steps=request.max_steps,
        early_stopping=request.early_stopping,
    )

    def saved(fit: PrivateFit) -> State | None:
        nonlocal saver
        if request.checkpoint is None:
            return None

        def besides() -> State:
            tensors, values = fit.state()
            return tensors, values | {"holdout_key": key.hex(), "fit": account.fit}

        identity = _private_identity(fit, settings, request, seed=seed)
        saver = Checkpoint(request.checkpoint, identity, besides=besides)
        return saver.stored()

    trainer, reason = None, "steps"
    with reservation(privacy, before.get("fit")) as account:
        private = PrivateFit(
            source,
            privacy,
            declared=request.schema,
            target=request.target,
            min_count=request.min_count,
            holdout=request.holdout,
            key=key,
            journal=journal,
            saved=saved,
            reserve=None if privacy.ledger is None else account.enter,
        )
        codec = private.codec
        if codec.layout.n_columns:
            doors, target = private.open(settings, request.device), _place(request.target, codec)
            trainer = trainer_before(doors, codec.layout, settings, request.device, Seeds.spawn(seed), target=target)
            if saver is not None and not saver.restore(trainer):
                saver.save(trainer)  # the first releases are not to be paid for twice
            n_released = len(private.ledger.entries)

            def save(now: Trainer) -> None:
                nonlocal n_released
                assert saver is not None
                if len(private.ledger.entries) > n_released:
                    saver.save(now)
                    n_released = len(private.ledger.entries)
                else:
                    saver.save_if_due(now)

            reason = _train(trainer, request, saver, on_step=_no_op if saver is None else save)
        elif saver is not None:
            saver.save(None)  # noise left no column: what was released is not to be paid for twice all the same
        private.close()
    model = _model(codec, trainer, settings, reason, request)
    # How long steps take hangs on the rows behind the doors; whoever watches a fit knows it, its results do not tell.
    history = [{name: value for name, value in record.items() if name != "seconds"} for record in model.history]
    model = dataclasses.replace(model, history=history, ledger=private.ledger)
    notices = private.notices + codec.notices + _expectations(model)
    return Fitted(model, notices, private.receipt, private.released)


def journal_path(checkpoint: str | os.PathLike[str]) -> Path:
    """Where the journal of a private fit's ledger lies: beside its checkpoint."""
    path = Path(checkpoint)
    return path.with_name(f"{path.name}.journal")


def _private_identity(fit: PrivateFit, settings: TrainingSettings, request: Request, *, seed: int) -> dict[str, Any]:
    """What a private fit's checkpoint must agree with."""
    promise = dataclasses.asdict(fit.privacy)
    return {
        "seed": seed,
        "device": request.device.type,
        "table": fit.receipt.content,
        "schema": schema_to_json(fit.schema),
        "settings": to_dict(settings),
        "privacy": {name: value for name, value in promise.items() if name != "ledger"},
        "min_count": request.min_count,
        "holdout": request.holdout,
        "target": request.target,
    }


def _train(trainer: Trainer, request: Request, saver: Checkpoint | None, *, on_step: Callable[[Trainer], None]) -> str:
    used, limit = time.monotonic() - request.started, None
    if request.time_limit is not None:
        limit = max(request.time_limit - used, 1e-3)
    with training_progress(trainer.settings.n_steps, request.progress, n_done=trainer.step) as show:
        reason = trainer.run(time_limit=limit, on_record=show, on_step=on_step)
    # Not in a `finally`: Ctrl-C stops within a step, and half a step is no state to go on from.
    if saver is not None:
        saver.save(trainer)
    return reason


def _model(
    codec: TableCodec, trainer: Trainer | None, settings: TrainingSettings, reason: str, request: Request
) -> Model:
    generator: Generator | None = None if trainer is None else trainer.averaged.eval().requires_grad_(False)
    history = [] if trainer is None else trainer.history
    return Model(
        codec=codec,
        generator=generator,
        settings=settings,
        history=history,
        stopped_by=reason,
        target=request.target,
    )


def _expectations(model: Model) -> tuple[str, ...]:
    """What came out differently from what one might expect, besides the columns."""
    notices = [] if model.target is None else target_notices(model.target, model.codec)
    n_done = int(model.history[-1]["step"]) if model.history else 0
    n_steps = model.settings.n_steps
    if model.stopped_by == "time" and n_done < n_steps // 5:
        notices.append(
            f"the time limit ended training after {n_done} of {n_steps} steps: expect rough rows, or allow more time"
        )
    return tuple(notices)


def _identity(
    source: Source, codec: TableCodec, settings: TrainingSettings, request: Request, *, seed: int
) -> dict[str, Any]:
    """What a checkpoint must agree with."""
    return {
        "seed": seed,
        "device": request.device.type,
        "table": source.fingerprint(),
        "schema": schema_to_json(codec.schema),
        # How steps are launched changes no result: a run may go on without recordings.
        "settings": {name: value for name, value in to_dict(settings).items() if name != "capture"},
        "codec": codec.settings.to_json(),
        "target": request.target,
        **({"holdout": request.holdout} if request.holdout else {}),
    }


def _place(target: str | None, codec: TableCodec) -> int | None:
    """Index of the target among the modelled columns."""
    names = [span.name for span in codec.layout.spans]
    return names.index(target) if target in names else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _no_op(_: object) -> None:
    """Do nothing."""

"""The way of a fit: from a table to a model, through doors of which training cannot tell whether they are private."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch

from synthgan.config import TrainingSettings
from synthgan.fitting.exact import MINIMUM_ROWS, ExactFit
from synthgan.fitting.receipt import Receipt
from synthgan.fitting.request import FitRequest
from synthgan.fitting.resume import Resume
from synthgan.model.model import Model
from synthgan.privacy.account.ledger import Ledger
from synthgan.privacy.account.parameters import ROW
from synthgan.privacy.columns.released_columns import ReleasedColumn
from synthgan.random_state import fresh_seed
from synthgan.tables.codec import TableCodec
from synthgan.tables.reading.reading import Reading
from synthgan.tables.sources.open import Data, Source, open_source
from synthgan.tables.target_notices import target_notices
from synthgan.training.checkpoint import Besides, Checkpoint
from synthgan.training.loop import Trainer
from synthgan.training.progress import training_progress
from synthgan.training.setup import Doors, Seeds, trainer_before

if TYPE_CHECKING:
    from synthgan.tables.files.csv_format import CsvFormat


class DoorMaker(Protocol):
    """What is known of a table before training, and the doors to the rest of it: exact or private.

    Whoever makes one has compared the checkpoint's identity with the fit's, before anything was reserved or released.
    """

    @property
    def identity(self) -> Mapping[str, Any]:
        """What a checkpoint must agree with."""

    @property
    def settings(self) -> TrainingSettings:
        """Resolved settings."""

    @property
    def codec(self) -> TableCodec:
        """Fitted to what passed through the first door."""

    @property
    def receipt(self) -> Receipt | None:
        """Which rows are fitted, for the table's owner alone."""

    @property
    def notices(self) -> tuple[str, ...]:
        """What needs a look, besides what the codec says."""

    @property
    def released(self) -> tuple[ReleasedColumn, ...]:
        """What was counted of each column; nothing without a guarantee."""

    @property
    def ledger(self) -> Ledger | None:
        """What was spent; None without a guarantee."""

    @property
    def n_releases(self) -> int:
        """How many releases were paid for so far; those that a checkpoint lacks are lost with the run."""

    @property
    def account_fit(self) -> str | None:
        """What the fit is called in the account of its table; None without one."""

    @property
    def tells_seconds(self) -> bool:
        """Whether the model may say how long steps took."""

    def open(self, device: torch.device) -> Doors:
        """All doors onto the columns that are modelled. At most once, and only where there are any."""

    def kept(self) -> Besides:
        """What another run needs to go on, besides the trainer."""

    def close(self) -> None:
        """Settle what was reserved: the fit ended well."""


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


def fit(data: Data, request: FitRequest, *, csv_format: CsvFormat | None = None) -> Fitted:
    """Read a table as its declaration says, and fit it.

    With a checkpoint, a fit that was killed goes on from there. Whatever is said, warned of or raised after the table
    of a private fit was opened depends on no exact value.

    Raises:
        DataError: when the table cannot be used.
        SchemaError: when the declaration does not fit the table's columns.
        SettingsError: when a setting is out of range, or it cannot be told what a row means for the guarantee.
        PrivacyError: when what is asked for cannot be kept private, or a ledger refuses.
        TrainingError: when training diverges.
        ModelFileError: when the checkpoint is damaged or belongs to another fit.
    """
    request.check()
    privacy = request.privacy
    unit = None if privacy is None or privacy.unit == ROW else privacy.unit
    reading = Reading.of(request.schema, private=privacy is not None, unit=unit)
    source = open_source(
        data, minimum_rows=MINIMUM_ROWS if privacy is None else 0, reading=reading, csv_format=csv_format
    )
    if privacy is not None:
        privacy.check_columns(source.names)
    resume = Resume.read(request.checkpoint)
    seed = request.seed if request.seed is not None else resume.seed if resume.seed is not None else fresh_seed()
    maker = _maker(source, request, resume, seed=seed)
    model = _trained(maker, request, resume, seed=seed)
    receipt = None if maker.receipt is None else dataclasses.replace(maker.receipt, reading=reading.to_json())
    notices = source.notices + maker.notices + maker.codec.notices + _expectations(model)
    return Fitted(model, notices, receipt, maker.released)


def _maker(source: Source, request: FitRequest, resume: Resume, *, seed: int) -> DoorMaker:
    if request.privacy is None:
        return ExactFit.of(source, request, resume, seed=seed)
    from synthgan.fitting.private import PrivateFit  # imports Opacus and OpenDP

    return PrivateFit.of(source, request.privacy, request, resume, seed=seed)


def _trained(maker: DoorMaker, request: FitRequest, resume: Resume, *, seed: int) -> Model:
    """Train a generator before the doors, where the codec has any column for it."""
    codec, settings = maker.codec, maker.settings
    # A file that lacks the fit's place in the account is as bad as one that lacks its releases: both were paid for.
    is_current = resume.run is not None and resume.account_fit == maker.account_fit
    n_saved = maker.n_releases if is_current else 0
    trainer = None
    if codec.layout.n_columns:
        doors, target = maker.open(request.device), codec.layout.place(request.target)
        trainer = trainer_before(doors, codec.layout, settings, request.device, Seeds.spawn(seed), target=target)
        resume.restore(trainer)
    progress = None if resume.path is None else _Progress(maker, resume.path, n_saved=n_saved)
    if progress is not None:
        progress.save_releases(trainer)  # those of the first door, too: none is to be paid for twice
    reason = "steps" if trainer is None else _run(trainer, request, progress)
    maker.close()
    history = [] if trainer is None else trainer.history
    if not maker.tells_seconds:
        history = [{name: value for name, value in record.items() if name != "seconds"} for record in history]
    return Model(
        codec=codec,
        generator=None if trainer is None else trainer.averaged.eval().requires_grad_(False),
        settings=settings,
        history=history,
        stopped_by=reason,
        target=request.target,
        ledger=maker.ledger,
    )


def _run(trainer: Trainer, request: FitRequest, progress: _Progress | None) -> str:
    """Train to the end, and say why it ended."""
    used, limit = time.monotonic() - request.started, None
    if request.time_limit is not None:
        limit = max(request.time_limit - used, 1e-3)
    on_step = _no_op if progress is None else progress.on_step
    with training_progress(trainer.settings.n_steps, request.progress, n_done=trainer.step) as show:
        reason = trainer.run(time_limit=limit, on_record=show, on_step=on_step)
    # Not in a `finally`: Ctrl-C stops within a step, and half a step is no state to go on from.
    if progress is not None:
        progress.checkpoint.save(trainer)
    return reason


class _Progress:
    """Saves a fit now and then, and at once when something was released: it is not to be paid for twice."""

    def __init__(self, maker: DoorMaker, path: Path, *, n_saved: int) -> None:
        self.checkpoint = Checkpoint(path, maker.identity, besides=maker.kept)
        self._maker = maker
        self._n_saved = n_saved

    def on_step(self, trainer: Trainer) -> None:
        if not self.save_releases(trainer):
            self.checkpoint.save_if_due(trainer)

    def save_releases(self, trainer: Trainer | None) -> bool:
        """Save if the file lacks a release; whether it did."""
        n_releases = self._maker.n_releases
        if n_releases <= self._n_saved:
            return False
        self.checkpoint.save(trainer)
        self._n_saved = n_releases
        return True


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


def _no_op(_: object) -> None:
    """Do nothing."""

"""A private fit: one ledger, and the three private doors that it pays for, opened one after another.

Only this module and `synthgan.fitting.private_table` hold the rows of a private fit, and only until the doors are open.
What comes after (codec, training, sampling) is given doors, and cannot tell private ones from exact ones.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from synthgan.config import DpSgdSettings, TrainingSettings, to_dict
from synthgan.critics.adversarial import EncodedRows, NeuralCritic
from synthgan.errors import PrivacyError
from synthgan.fitting.private_settings import critic_settings, neural_share, private_settings
from synthgan.fitting.private_table import FirstRelease, PrivateTable
from synthgan.fitting.request import FitRequest
from synthgan.fitting.resume import ACCOUNT_FIT, HOLDOUT_KEY, Resume, journal_path
from synthgan.privacy.account.entries import STATISTICS
from synthgan.privacy.account.events import plan_order
from synthgan.privacy.account.journal import check_unused
from synthgan.privacy.account.ledger import Ledger
from synthgan.privacy.account.parameters import DISCOVERY_SHARE, Privacy
from synthgan.privacy.account.reservation import Reservation
from synthgan.privacy.account.updates import LedgerUpdates
from synthgan.privacy.dp_sgd import PrivateCritic
from synthgan.privacy.dp_sgd_plan import CriticPlan, DpSgdPlan, calibrate, sampling_rate
from synthgan.privacy.entropy import system_rng
from synthgan.privacy.marginals import PrivateMarginals
from synthgan.privacy.mechanisms import Mechanisms
from synthgan.privacy.units import persons_of
from synthgan.tables.schema.schema_file import schema_to_json
from synthgan.tables.sources.batches import Source
from synthgan.tables.sources.derived_source import NoRows
from synthgan.training.checkpoint import Besides, SavedRun, unreadable
from synthgan.training.setup import Doors, target_slices

COUNT_SHARE = 0.01
"""Of the third door's part: counts persons, where the neural critic samples them."""

UNPROTECTED = (
    "names, order and types of the columns, as the file, the DataFrame's dtypes or the schema declare them",
    "whether the files could be opened and have the columns asked for (headers, footers and metadata, no row)",
    "whatever the schema declares: kinds, bounds, levels, granularity, constraints",
    "the settings of the fit, this guarantee and how its budget was split",
    "how long the fit took",
)
"""What every private fit publishes as it is."""


@dataclass(frozen=True, kw_only=True)
class EarlierRun:
    """What a private fit goes on from. All of it was released, and is in the ledger of the journal.

    Attributes:
        first: what came through the first door.
        dp_sgd: what was agreed for the third; None without it.
        tensors: the second door's measurements.
    """

    first: FirstRelease
    dp_sgd: DpSgdPlan | None
    tensors: Mapping[str, torch.Tensor]

    @classmethod
    def of(cls, run: SavedRun) -> EarlierRun:
        """Take it from a checkpoint that was checked.

        Raises:
            ModelFileError: when a part is missing or damaged.
        """
        values = run.values_besides
        try:
            dp_sgd = None if values["plan"] is None else DpSgdPlan(**values["plan"])
            return cls(first=FirstRelease.from_json(values), dp_sgd=dp_sgd, tensors=run.tensors_besides)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise unreadable(run.path) from None


class PrivateFit:
    """The doors of one private fit, of which the first is open; a `synthgan.fitting.fit.DoorMaker`.

    Args:
        table: its rows are let go of once all doors are open.
        settings: resolved settings, from `private_settings`.
        mechanisms: noise for a reservation in the ledger.
        first: what came through the first door.
        account: the fit's place in the account of its table.
        earlier: the run that this one goes on from.
        identity: what a checkpoint must agree with; empty where none is asked for.

    Attributes:
        settings: the resolved settings.
        receipt: which rows were fitted; for the table's owner alone.
        ledger: the account of the fit.
        codec: fitted from released statistics.
        released: what was counted of each column.
        notices: warnings about the guarantee.
        identity: what a checkpoint must agree with.
        tells_seconds: whether its model may say how long steps took. That hangs on the rows behind the doors: whoever
            watches a fit knows it, its results do not tell.
    """

    tells_seconds = False

    def __init__(
        self,
        table: PrivateTable,
        settings: TrainingSettings,
        mechanisms: Mechanisms,
        first: FirstRelease,
        account: Reservation,
        *,
        earlier: EarlierRun | None = None,
        identity: Mapping[str, Any],
    ) -> None:
        self.settings, self.receipt, self.ledger = settings, table.receipt, mechanisms.ledger
        self.codec, self.released, self.notices = first.codec, first.columns, first.notices
        self.identity = identity
        self._table, self._privacy, self._account = table, table.privacy, account
        self._mechanisms, self._first, self._earlier = mechanisms, first, earlier
        self._updates = LedgerUpdates(self.ledger)
        self._dp_sgd = None if earlier is None else earlier.dp_sgd
        self._marginals: PrivateMarginals | None = None

    @classmethod
    def of(cls, source: Source, privacy: Privacy, request: FitRequest, resume: Resume, *, seed: int) -> PrivateFit:
        """Begin a fit or go on with one. Nothing said, warned of or raised from here on depends on an exact value.

        With a checkpoint, the ledger's journal lies beside it (``.journal``). A fit that was killed goes on from the
        two: what was released is not asked for again, and what was reserved and is lost counts as spent. The noise
        still to come is drawn afresh, so the result is not the one that an undisturbed fit would have had.

        The file that composes several fits on the table is entered when nothing is left that could be refused without
        a release: settings, schema, the files to be written, and whether the checkpoint is of this fit.

        Raises:
            PrivacyError: when what is asked for cannot be kept private, or a ledger refuses.
            SchemaError: when the declaration does not fit the table's columns, or holds inferred facts.
            ModelFileError: when the checkpoint is damaged or belongs to another fit.
        """
        settings = private_settings(
            request.settings,
            privacy,
            device=request.device,
            max_steps=request.max_steps,
            early_stopping=request.early_stopping,
        )
        account = Reservation(privacy, resume.account_fit)
        table = PrivateTable.of(
            source,
            privacy,
            declared=request.schema,
            target=request.target,
            holdout=request.holdout,
            key=resume.holdout_key,
        )
        identity = _identity(table, settings, request, seed=seed)
        resume.check(identity)
        journal = None if resume.path is None else journal_path(resume.path)
        if journal is not None and resume.run is not None:
            earlier = EarlierRun.of(resume.run)
            return cls.go_on(table, settings, earlier, journal=journal, account=account, identity=identity)
        return cls.begin(
            table, settings, min_count=request.min_count, journal=journal, account=account, identity=identity
        )

    @classmethod
    def begin(
        cls,
        table: PrivateTable,
        settings: TrainingSettings,
        *,
        min_count: int,
        journal: Path | None = None,
        account: Reservation | None = None,
        identity: Mapping[str, Any] = MappingProxyType({}),
    ) -> PrivateFit:
        """Open a ledger and the first door.

        Args:
            table: of which nothing was released.
            settings: resolved settings, from `private_settings`.
            min_count: least number of released rows behind a level, as far as noise lets it be known.
            journal: a new file for the ledger's journal; None for a ledger in memory.
            account: see `PrivateFit`; entered here. None for the one that the guarantee names, if it does.
            identity: see `PrivateFit`.

        Raises:
            PrivacyError: when the journal exists already, or the account refuses.
        """
        privacy = table.privacy
        account = Reservation(privacy) if account is None else account
        if journal is not None:
            check_unused(journal)
        if privacy.ledger is not None:
            # What a schema asks of statistics and codec in vain shows on a table without rows, too.
            rehearsal = Mechanisms(new_ledger(privacy), rows_per_unit=privacy.rows_per_unit)
            FirstRelease.measure(table, NoRows(table.rows), rehearsal, min_count=min_count)
            account.enter()
        mechanisms = Mechanisms(new_ledger(privacy, journal), rows_per_unit=privacy.rows_per_unit)
        first = FirstRelease.measure(table, table.rows, mechanisms, min_count=min_count)
        return cls(table, settings, mechanisms, first, account, identity=identity)

    @classmethod
    def go_on(
        cls,
        table: PrivateTable,
        settings: TrainingSettings,
        earlier: EarlierRun,
        *,
        journal: Path,
        account: Reservation,
        identity: Mapping[str, Any],
    ) -> PrivateFit:
        """Take up an earlier run: what it released is not asked for again, what it lost since counts as spent.

        Raises:
            PrivacyError: when the journal is missing, damaged or another fit's, or the account refuses.
        """
        privacy, ledger = table.privacy, Ledger.resume(journal)
        if ledger.guarantee() != (privacy.epsilon, privacy.delta):
            raise PrivacyError(f"the journal '{journal}' belongs to another fit than the checkpoint beside it")
        if earlier.dp_sgd is not None:
            LedgerUpdates(ledger).check(earlier.dp_sgd.event())
        account.enter()
        mechanisms = Mechanisms(ledger, rows_per_unit=privacy.rows_per_unit)
        return cls(table, settings, mechanisms, earlier.first, account, earlier=earlier, identity=identity)

    @property
    def n_releases(self) -> int:
        """How many releases were reserved so far, in all runs."""
        return len(self.ledger.entries)

    @property
    def account_fit(self) -> str | None:
        """What the fit is called in the account of its table."""
        return self._account.fit

    def kept(self) -> Besides:
        """What another run needs to go on, besides the trainer and the journal. All of it was released, or is a key."""
        values = self._first.to_json() | {
            "plan": None if self._dp_sgd is None else dataclasses.asdict(self._dp_sgd),
            HOLDOUT_KEY: self.receipt.key.hex(),
            ACCOUNT_FIT: self.account_fit,
        }
        return {} if self._marginals is None else self._marginals.state(), values

    def open(self, device: torch.device) -> Doors:
        """The second and the third door; the rows are let go of.

        Args:
            device: where training happens.
        """
        layout, codec, settings, neural = self.codec.layout, self.codec, self.settings, neural_share(self._privacy)
        table = codec.encode(self._table.rows, rng=system_rng())
        codes, positions = torch.from_numpy(table.codes).to(device), torch.from_numpy(table.positions).to(device)
        target = layout.place(self._table.target)
        # In an earlier run's ledger, the third door's share is reserved already.
        rho = (1 - neural if self._earlier is None else 1.0) * self.ledger.remaining_rho
        critic = None
        if neural > 0 and settings.adversarial_weight > 0:
            critic = self._critic(EncodedRows(codes, positions), marginals_rho=rho)
        marginals = PrivateMarginals(
            codes,
            layout,
            self._mechanisms,
            rho=rho,
            n_rows=codec.n_rows,
            one_way_variance=self._first.one_way_variance,
            target=target,
            slices=[] if target is None else target_slices(layout, target),
            earlier=None if self._earlier is None else self._earlier.tensors,
        )
        self._marginals = marginals
        del self._table  # from here on rows are behind doors
        return Doors(marginals, critic, rounds=marginals, n_rounds=marginals.settings.n_rounds)

    def _critic(self, rows: EncodedRows, *, marginals_rho: float) -> Callable[[torch.Generator], NeuralCritic]:
        """Makes a critic that reserves the third door's whole budget, and leaves ``marginals_rho`` to the second."""
        table, settings = self._table, critic_settings(self._privacy)
        persons = None if table.unit is None else persons_of(table.rows, table.unit).astype(np.int64)
        if self._dp_sgd is None:
            self._dp_sgd = self._agreed(settings, persons, marginals_rho=marginals_rho)
        plan = CriticPlan(
            dp_sgd=self._dp_sgd,
            settings=settings,
            n_rows=self.codec.n_rows,
            rows_per_unit=self._privacy.rows_per_unit,
        )
        layout, training, updates = self.codec.layout, self.settings, self._updates

        def critic(initial: torch.Generator) -> NeuralCritic:
            return PrivateCritic(rows, layout, training, plan, updates, initial=initial, units=persons)

        return critic

    def _agreed(
        self, settings: DpSgdSettings, persons: npt.NDArray[np.int64] | None, *, marginals_rho: float
    ) -> DpSgdPlan:
        """The plan with the least noise that leaves ``marginals_rho``; persons are counted for its sampling rate."""
        from dp_accounting import ComposedDpEvent, ZCDpEvent

        kept_back = [ZCDpEvent(marginals_rho)] if marginals_rho > 0 else []
        n_units = (
            self.codec.n_rows
            if persons is None
            else self._count_persons(persons, rho=COUNT_SHARE * (self.ledger.remaining_rho - marginals_rho))
        )
        return calibrate(
            lambda event: self.ledger.fits(ComposedDpEvent([event, *kept_back])),
            sampling_rate=sampling_rate(settings.expected_batch_size, n_units),
            max_grad_norm=settings.max_grad_norm,
            n_updates=settings.n_updates,
        )

    def _count_persons(self, persons: npt.NDArray[np.int64], *, rho: float) -> float:
        n_persons = np.array([len(np.unique(persons))], dtype=np.int64)
        return max(
            1.0, float(self._mechanisms.counts(n_persons, rho=rho, door=STATISTICS, what="number of persons")[0])
        )

    def close(self) -> None:
        """Settle what was reserved for the whole fit: the critic's updates, and its place in the table's account."""
        self._updates.settle()
        self._account.settle()


def new_ledger(privacy: Privacy, journal: Path | None = None) -> Ledger:
    """The ledger of a fit in which nothing was released yet."""
    discovery = DISCOVERY_SHARE * privacy.delta
    order = plan_order(privacy.epsilon, privacy.delta - discovery, neural_share(privacy))
    ledger = Ledger(privacy.epsilon, privacy.delta, order=order, discovery_delta=discovery, journal=journal)
    ledger.declare(unit=privacy.unit, rows_per_unit=privacy.rows_per_unit, unprotected=UNPROTECTED)
    return ledger


def _identity(table: PrivateTable, settings: TrainingSettings, request: FitRequest, *, seed: int) -> dict[str, Any]:
    """What a private fit's checkpoint must agree with."""
    promise = dataclasses.asdict(table.privacy)
    return {
        "seed": seed,
        "device": request.device.type,
        "table": table.receipt.content,
        "schema": schema_to_json(table.schema),
        "settings": to_dict(settings),
        "privacy": {name: value for name, value in promise.items() if name != "ledger"},
        "min_count": request.min_count,
        "holdout": request.holdout,
        "target": request.target,
    }

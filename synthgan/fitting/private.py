"""A private fit: one ledger, and the three private doors that it pays for, opened one after another.

Only this module holds the table of a private fit, and only until the doors are open. What comes after (codec, training,
sampling) is given doors, and cannot tell private ones from exact ones.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from synthgan.config import DpSgdSettings, Effort, TrainingSettings
from synthgan.critics.adversarial import NeuralCritic, RealRows
from synthgan.errors import PrivacyError
from synthgan.fitting.receipt import Receipt, new_key
from synthgan.privacy.account.entries import NEURAL, STATISTICS, Entry
from synthgan.privacy.account.events import plan_order
from synthgan.privacy.account.journal import check_unused
from synthgan.privacy.account.ledger import Ledger
from synthgan.privacy.account.parameters import DISCOVERY_SHARE, ROW, Privacy
from synthgan.privacy.clamping import ClampedSource
from synthgan.privacy.columns.private_statistics import PrivateStatistics
from synthgan.privacy.columns.released_columns import ReleasedColumn
from synthgan.privacy.dp_sgd import PrivateCritic, refuse_what_cannot_be_private
from synthgan.privacy.dp_sgd_plan import DpSgdPlan, calibrate, sampling_rate
from synthgan.privacy.entropy import system_rng
from synthgan.privacy.marginals import PrivateMarginals
from synthgan.privacy.mechanisms import Mechanisms
from synthgan.privacy.private_schema import private_schema
from synthgan.privacy.units import UnitLimitedSource, persons_of
from synthgan.tables.codec import TableCodec
from synthgan.tables.codec_settings import CodecSettings
from synthgan.tables.schema.schema import TableSchema
from synthgan.tables.schema.schema_file import schema_from_json, schema_to_json
from synthgan.tables.sources.batches import Source
from synthgan.tables.sources.derived_source import NoRows
from synthgan.tables.sources.holdout import divide
from synthgan.tables.sources.written_source import as_modelled
from synthgan.training.effort import check_effort, resolve
from synthgan.training.setup import Doors, target_slices

STATISTICS_SHARE = 0.15
"""Of the budget: column statistics, what the codec is fitted from. The rest is for the other two doors."""

COUNT_SHARE = 0.01
"""Of the third door's part: counts persons, where the neural critic samples them."""

DEFAULT_NEURAL = 0.0
"""Share of the third door where nobody says otherwise."""

DP_SGD = "DP-SGD"

SCHEDULES: dict[str, tuple[int, int]] = {"quick": (1000, 500), "default": (5000, 500), "high": (10_000, 1000)}
"""Effort -> generator steps and rows per step."""

MARGINAL_WEIGHT, GRAM_HORIZON = 4.0, (3.0, 20.0)
"""Small batches with averaged Gram matrices, so that a cell's error does not have the sign of a batch's own noise. A
horizon of 10 steps from the first step made fits of wide tables swing, and one in two diverge."""

CELL_ROWS = 40.0
"""Rows, in units of ``1 / sqrt(rho)``, that a cell of two binned columns should hold on average, above the noise."""

BINS = (4, 50)
"""Fewest and most bins of a numeric column."""

UNPROTECTED = (
    "names, order and types of the columns, as the file, the DataFrame's dtypes or the schema declare them",
    "whether the files could be opened and have the columns asked for (headers, footers and metadata, no row)",
    "whatever the schema declares: kinds, bounds, levels, granularity, constraints",
    "the settings of the fit, this guarantee and how its budget was split",
    "how long the fit took",
)
"""What every private fit publishes as it is."""


State: TypeAlias = "tuple[dict[str, torch.Tensor], dict[str, Any]]"


class PrivateFit:
    """The doors of one private fit.

    Args:
        source: the table.
        privacy: the guarantee asked for.
        declared: what the user knows about the columns.
        target: the column that downstream models will predict, None without one.
        min_count: least number of released rows behind a level, as far as noise lets it be known.
        holdout: share of the units that no door sees.
        key: of the holdout, from an earlier run of this fit; None for a new one.
        journal: a file for the ledger's journal; None for a ledger in memory.
        saved: given this object before anything is released, finds the `state` of an earlier run to go on from; None
            for a new fit.
        reserve: enters the fit in the account of its table. Called once, when nothing is left that can be refused
            without releasing anything; refuses by raising. None where there is no account.

    Attributes:
        receipt: which rows were fitted; for the table's owner alone.
        ledger: the account.
        schema: the schema, of which nothing was read off a row.
        codec: fitted from released statistics.
        released: what was counted of each column.
        notices: warnings about the guarantee.

    Raises:
        PrivacyError: when what is asked for cannot be kept private.
        SchemaError: when the declaration does not fit the table's columns, or holds inferred facts.
    """

    def __init__(
        self,
        source: Source,
        privacy: Privacy,
        *,
        declared: TableSchema | Mapping[str, Any] | str | os.PathLike[str] | None,
        target: str | None,
        min_count: int,
        holdout: float = 0.0,
        key: bytes | None = None,
        journal: Path | None = None,
        saved: Callable[[PrivateFit], State | None] = lambda _: None,
        reserve: Callable[[], object] | None = None,
    ) -> None:
        unit = None if privacy.unit == ROW else privacy.unit
        self.privacy = privacy
        self._neural = _neural(privacy)
        self.schema = private_schema(source, declared, unit=unit, target=target)
        key = key or new_key()
        division = divide(source, holdout, key=key, unit=unit)
        self.receipt = Receipt.of(division, key=key, holdout=holdout, unit=privacy.unit)
        training = as_modelled(division.training, self.schema, strict=False)
        limited = training if unit is None else UnitLimitedSource(training, unit, privacy.rows_per_unit)
        self._rows: Source = ClampedSource(limited, self.schema)
        self._target, self._unit, self._min_count = target, unit, min_count
        self._neural_entry: Entry | None = None
        self._plan: DpSgdPlan | None = None
        self._marginals: PrivateMarginals | None = None
        self._earlier: Mapping[str, torch.Tensor] | None = None
        self.released: tuple[ReleasedColumn, ...] = ()
        self.notices: tuple[str, ...] = ()
        earlier = saved(self)
        if earlier is None:
            self._begin(journal, reserve)
        else:
            assert journal is not None
            self._go_on(journal, *earlier, reserve=reserve)

    def _begin(self, journal: Path | None, reserve: Callable[[], object] | None) -> None:
        """Open a ledger and the first door, and fit the codec."""
        if journal is not None:
            check_unused(journal)
        if reserve is not None:
            # What a schema asks of statistics and codec in vain shows on a table without rows, too.
            self._first_door(NoRows(self._rows), self._new_ledger(None))
            reserve()
        self.ledger = self._new_ledger(journal)
        self._mechanisms, statistics, self.codec, rho = self._first_door(self._rows, self.ledger)
        n_columns = max(1, self.codec.layout.n_columns)
        self._one_way_variance = self._mechanisms.standard_deviation(rho / n_columns) ** 2
        self.released = statistics.released
        self.notices = self.privacy.warnings_for(statistics.n_rows())

    def _new_ledger(self, journal: Path | None) -> Ledger:
        privacy, discovery = self.privacy, DISCOVERY_SHARE * self.privacy.delta
        order = plan_order(privacy.epsilon, privacy.delta - discovery, self._neural)
        ledger = Ledger(privacy.epsilon, privacy.delta, order=order, discovery_delta=discovery, journal=journal)
        ledger.declare(unit=privacy.unit, rows_per_unit=privacy.rows_per_unit, unprotected=UNPROTECTED)
        return ledger

    def _first_door(self, rows: Source, ledger: Ledger) -> tuple[Mechanisms, PrivateStatistics, TableCodec, float]:
        """Mechanisms, the statistics released by them, the codec fitted from these, and the rho that they took."""
        mechanisms = Mechanisms(ledger, rows_per_unit=self.privacy.rows_per_unit)
        rho = STATISTICS_SHARE * ledger.remaining_rho
        statistics = PrivateStatistics.release(
            rows, self.schema, mechanisms, rho=rho, delta=ledger.discovery_delta, unit=self._unit
        )
        left = ledger.remaining_rho / self.privacy.rows_per_unit**2
        settings = codec_settings(statistics.n_rows(), left, self._min_count)
        return mechanisms, statistics, TableCodec.fit(rows, self.schema, settings, statistics=statistics), rho

    def _go_on(
        self,
        journal: Path,
        tensors: Mapping[str, torch.Tensor],
        values: Mapping[str, Any],
        *,
        reserve: Callable[[], object] | None,
    ) -> None:
        """Take up an earlier run: what it released is not asked for again, what it lost since counts as spent."""
        self.ledger = Ledger.resume(journal)
        if self.ledger.guarantee() != (self.privacy.epsilon, self.privacy.delta):
            raise PrivacyError(f"the journal '{journal}' belongs to another fit than the checkpoint beside it")
        if reserve is not None:
            reserve()
        self._mechanisms = Mechanisms(self.ledger, rows_per_unit=self.privacy.rows_per_unit)
        self.codec = TableCodec.from_json(values["codec"], schema_from_json(values["schema"]))
        self._one_way_variance = float(values["one_way_variance"])
        self.released = tuple(ReleasedColumn(**each) for each in values.get("released", ()))
        self.notices = tuple(values["notices"])
        self._plan = None if values["plan"] is None else DpSgdPlan(**values["plan"])
        self._earlier = tensors

    def state(self) -> State:
        """What another run needs to go on, besides the journal and the key of the holdout. All of it was released."""
        values = {
            "codec": self.codec.to_json(),
            "schema": schema_to_json(self.codec.schema),
            "one_way_variance": self._one_way_variance,
            "released": [dataclasses.asdict(each) for each in self.released],
            "notices": list(self.notices),
            "plan": None if self._plan is None else dataclasses.asdict(self._plan),
        }
        return {} if self._marginals is None else self._marginals.state(), values

    def open(self, settings: TrainingSettings, device: torch.device) -> Doors:
        """The second and the third door; the table is let go of.

        Args:
            settings: resolved settings, from `private_settings`.
            device: where training happens.
        """
        layout, codec = self.codec.layout, self.codec
        table = codec.encode(self._rows, rng=system_rng())
        codes, positions = torch.from_numpy(table.codes).to(device), torch.from_numpy(table.positions).to(device)
        names = [span.name for span in layout.spans]
        target = names.index(self._target) if self._target in names else None
        # In an earlier run's ledger, the third door's share is reserved already.
        rho = (1 - self._neural if self._earlier is None else 1.0) * self.ledger.remaining_rho
        critic = None
        if self._neural > 0 and settings.adversarial_weight > 0:
            critic = self._critic(RealRows(codes, positions), settings, marginals_rho=rho)
        marginals = PrivateMarginals(
            codes,
            layout,
            self._mechanisms,
            rho=rho,
            n_rows=codec.n_rows,
            one_way_variance=self._one_way_variance,
            target=target,
            slices=[] if target is None else target_slices(layout, target),
            earlier=self._earlier,
        )
        self._marginals = marginals
        del self._rows  # from here on rows are behind doors
        return Doors(marginals, critic, rounds=marginals, n_rounds=marginals.settings.n_rounds)

    def _critic(
        self, rows: RealRows, settings: TrainingSettings, *, marginals_rho: float
    ) -> Callable[[torch.Generator], NeuralCritic]:
        """Reserve the third door's whole budget now, and leave ``marginals_rho`` to the second."""
        from dp_accounting import ComposedDpEvent, DpEvent, ZCDpEvent

        private = _critic_settings(self.privacy)
        kept_back = [ZCDpEvent(marginals_rho)] if marginals_rho > 0 else []
        persons = None if self._unit is None else persons_of(self._rows, self._unit).astype(np.int64)
        found = next((entry for entry in self.ledger.entries if entry.mechanism == DP_SGD), None)
        if self._plan is None:
            n_units = (
                self.codec.n_rows
                if persons is None
                else self._count_persons(persons, rho=COUNT_SHARE * (self.ledger.remaining_rho - marginals_rho))
            )
            self._plan = calibrate(
                lambda event: self.ledger.fits(ComposedDpEvent([event, *kept_back])),
                sampling_rate=sampling_rate(private.expected_batch_size, n_units),
                max_grad_norm=private.max_grad_norm,
                n_updates=private.n_updates,
            )
        plan = self._plan

        def reserve(event: DpEvent) -> None:
            self._neural_entry = found
            if found is None:
                what = "gradients of the critic"
                self._neural_entry = self.ledger.reserve(event, door=NEURAL, mechanism=DP_SGD, what=what)
            elif found.event != event:
                raise PrivacyError("the ledger's journal belongs to another fit than the checkpoint beside it")

        def journal(n_updates: int) -> None:
            assert self._neural_entry is not None
            self.ledger.progress(self._neural_entry, n_updates)

        def critic(initial: torch.Generator) -> NeuralCritic:
            return PrivateCritic(
                rows,
                self.codec.layout,
                settings,
                private,
                plan,
                n_rows=self.codec.n_rows,
                initial=initial,
                reserve=reserve,
                units=persons,
                rows_per_unit=self.privacy.rows_per_unit,
                journal=journal,
                journalled=0 if found is None else self.ledger.progress_of(found),
            )

        return critic

    def _count_persons(self, persons: npt.NDArray[np.int64], *, rho: float) -> float:
        n_persons = np.array([len(np.unique(persons))], dtype=np.int64)
        return max(
            1.0, float(self._mechanisms.counts(n_persons, rho=rho, door=STATISTICS, what="number of persons")[0])
        )

    def close(self) -> None:
        """Settle what was reserved for the whole fit."""
        if self._neural_entry is not None and self._neural_entry.state == "reserved":
            self.ledger.settle(self._neural_entry)
            self._neural_entry = None


def codec_settings(n_rows: float, rho: float, min_count: int) -> CodecSettings:
    """As many bins as keep the cells of two columns above the noise that ``rho`` will leave.

    Args:
        n_rows: released number of rows.
        rho: zCDP budget left for marginals, per row.
        min_count: see `CodecSettings`.
    """
    n_bins = int(np.clip(math.sqrt(n_rows * math.sqrt(rho) / CELL_ROWS), *BINS))
    return CodecSettings(n_bins=n_bins, max_single_values=round(1.7 * n_bins), min_count=min_count)


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
    neural = _neural(privacy)
    if not neural:
        return dataclasses.replace(base, adversarial_weight=0.0, twin_weight=0.0, shrinkage=0.0, capture="off")
    private = _critic_settings(privacy)
    settled = private.alone(base) if neural == 1 and not given else private.training(base)
    resolved = resolve(dataclasses.replace(settled, shrinkage=0.0), n_rows=1.0, device=device, max_steps=max_steps)
    if resolved.adversarial_weight > 0:
        refuse_what_cannot_be_private(resolved, private, device)  # now, and not when doors are open already
    return resolved


def _neural(privacy: Privacy) -> float:
    return DEFAULT_NEURAL if privacy.neural is None else privacy.neural


def _critic_settings(privacy: Privacy) -> DpSgdSettings:
    if privacy.neural_settings is not None:
        return privacy.neural_settings
    return DpSgdSettings.at(privacy.epsilon) if _neural(privacy) == 1 else DpSgdSettings()

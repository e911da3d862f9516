"""The synthesizer: fit a table, sample rows like it, save and load the model."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from synthgan.estimator import Estimator
from synthgan.fitting.receipt import receipt_path, without_receipt, write_receipt
from synthgan.random_state import RandomState, seed_from
from synthgan.sampling.summary import SampleSummary
from synthgan.tables.files.outputs import check_output
from synthgan.tables.frames.target_column import with_target
from synthgan.tables.schema.schema import TableSchema
from synthgan.tables.sources.open import Data

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from synthgan.config import Effort, TrainingSettings
    from synthgan.model.model import Model
    from synthgan.privacy.account.parameters import Privacy
    from synthgan.privacy.columns.released_columns import ReleasedColumn
    from synthgan.sampling.sampler import SamplingReport
    from synthgan.tables.files.csv_format import CsvFormat
    from synthgan.training.progress import ProgressMode

__all__ = ["RandomState", "Synthesizer", "load"]

logger = logging.getLogger("synthgan")


class Synthesizer(Estimator):
    """A conditional GAN for one table, with scikit-learn's conventions.

    Args:
        target: name of the column that downstream models will predict. Its three-way marginals are fitted besides, and
            twin classifiers hold its law given the other columns to that of the real rows.
        schema: what you know about the columns: a `TableSchema`, a mapping as in the schema file, or a path to one.
            Whatever it leaves out is inferred.
        privacy: a differential-privacy guarantee for the fit, as in ``Privacy(epsilon=1.0)``; None for none.
        effort: ``"quick"``, ``"default"`` or ``"high"``; the one knob most people touch.
        min_count: fewest rows behind anything the model may reproduce: a category, a cap, a step of a distribution.
        protect_values: whether rarer categories merge and extremes are capped.
        holdout: share of the rows (with a unit of privacy, of the persons) that the fit never sees, in [0, 1). They are
            drawn by a secret key that `save` writes to the receipt beside the model, from which
            `synthgan.fitting.receipt.split` tells them again.
        settings: concrete training settings, in place of ``effort``.
        time_limit: seconds after which training ends; the learning rate's schedule is shortened to fit. None for no
            limit. Refused with ``privacy``: what a private fit releases must not hang on a clock.
        max_steps: most training steps; None for the effort's own number. The warm-up is cut with it, to a fifth of the
            steps at most. For a fit known to be short it serves better than ``time_limit``.
        early_stopping: stop when the error of the two-way marginals on held-out rows no longer falls.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
        random_state: an int makes fit and sample repeatable on processors of one kind; a numpy Generator or RandomState
            supplies the seed; None for fresh randomness each time.
        progress: ``"auto"`` shows a progress line on a terminal only; ``"on"``, ``"off"``.

    Attributes:
        schema_: the full schema the fit used, a `TableSchema`.
        target_: name of the target column: the constructor's, or the one of ``y``; None without a target.
        codec_: the fitted `TableCodec`.
        generator_: the trained network, None when the table has no column to model.
        training_settings_: the resolved settings, a `TrainingSettings`.
        history_: one dict per 50 steps: losses, marginal error, seconds; at each evaluation also what the averaged
            generator reaches (``mode_coverage``, ``frechet_distance`` and others, see docs/architecture.md). The last
            one has these figures for the weights that stay. A private fit's leaves the seconds out.
        stopped_by_: why training ended: ``"steps"``, ``"time"`` or ``"early stopping"``.
        n_rows_: number of rows fitted; of a private fit, a noisy one.
        receipt_: which rows were fitted, a `synthgan.fitting.receipt.Receipt` for the table's owner alone; None without
            privacy and holdout, and in copies and pickles.
        ledger_: what a private fit spent and on what, a `synthgan.privacy.account.ledger.Ledger`; None without privacy.
        n_features_in_: number of columns fitted.
        feature_names_in_: their names, in order.
        notices_: sentences about what needs a look: columns that come out differently from what one might expect, a
            guarantee that protects little, a fit cut short. The command line prints them as warnings.
        released_: what a private fit counted of each column, a tuple of
            `synthgan.privacy.columns.released_columns.ReleasedColumn`; empty without privacy, and after `load`.

    Example:
        >>> from synthgan import Synthesizer
        >>> from synthgan.datasets import load_adult
        >>> synthesizer = Synthesizer(target="income", max_steps=2).fit(load_adult("train").head(200))
        >>> synthesizer.sample(3).shape
        (3, 15)
    """

    def __init__(
        self,
        *,
        target: str | None = None,
        schema: TableSchema | Mapping[str, Any] | str | os.PathLike[str] | None = None,
        privacy: Privacy | None = None,
        effort: Effort = "default",
        min_count: int = 10,
        protect_values: bool = True,
        holdout: float = 0.0,
        settings: TrainingSettings | None = None,
        time_limit: float | None = None,
        max_steps: int | None = None,
        early_stopping: bool = False,
        device: str = "auto",
        random_state: RandomState = None,
        progress: ProgressMode = "auto",
    ) -> None:
        self.target = target
        self.schema = schema
        self.privacy = privacy
        self.effort = effort
        self.min_count = min_count
        self.protect_values = protect_values
        self.holdout = holdout
        self.settings = settings
        self.time_limit = time_limit
        self.max_steps = max_steps
        self.early_stopping = early_stopping
        self.device = device
        self.random_state = random_state
        self.progress = progress

    def __getstate__(self) -> dict[str, Any]:
        """What copies and pickles get: all but the receipt."""
        return without_receipt(self.__dict__)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take a state; pickles of earlier versions have a receipt in it."""
        self.__dict__ |= without_receipt(state)

    def fit(
        self,
        data: Data,
        y: Any = None,
        *,
        checkpoint: str | os.PathLike[str] | None = None,
        csv_format: CsvFormat | None = None,
    ) -> Synthesizer:
        """Learn a table.

        Args:
            data: a DataFrame, a pyarrow Table or Dataset, or files: a path, a glob of Parquet or CSV files, a
                directory.
            y: the target, one value per row of a DataFrame, as scikit-learn hands it over: it becomes the last column,
                by its own name or ``"target"``. None when the table holds its target, or has none.
            checkpoint: file to save progress to. When it exists already, the fit goes on from it, to the same result.
                It is a private artefact: delete it once the model is saved.
            csv_format: how CSV files are written, where their first line does not tell.

        Raises:
            DataError: when the table cannot be used.
            SettingsError: when a parameter is out of range.
            TrainingError: when training diverges.

        Warns:
            SynthganWarning: when training gets far worse, the generator collapses or the discriminator wins.

        Example:
            >>> from synthgan import CsvFormat, Synthesizer
            >>> from synthgan.datasets import load_adult
            >>> load_adult("train").head(200).to_csv("adult.csv", sep=";", index=False)
            >>> synthesizer = Synthesizer(max_steps=2).fit("adult.csv", csv_format=CsvFormat(separator=";"))
            >>> synthesizer.n_rows_, synthesizer.stopped_by_
            (200, 'steps')
        """
        from synthgan.fitting.fit import fit
        from synthgan.fitting.request import FitRequest
        from synthgan.training.device import resolve_device

        data, target = with_target(data, y, self.target, private=self.privacy is not None)
        request = FitRequest(
            privacy=self.privacy,
            target=target,
            schema=self.schema,
            settings=self.settings or self.effort,
            min_count=self.min_count,
            protect_values=self.protect_values,
            time_limit=self.time_limit,
            max_steps=self.max_steps,
            early_stopping=self.early_stopping,
            holdout=self.holdout,
            progress=self.progress,
            device=resolve_device(self.device),
            seed=None if self.random_state is None else seed_from(self.random_state),
            checkpoint=checkpoint,
        )
        fitted = fit(data, request, csv_format=csv_format)
        self._set_fitted(fitted.model, fitted.notices, fitted.released)
        self.receipt_ = fitted.receipt
        for sentence in (*self.notices_, *map(str, self.released_)):
            logger.info(sentence)
        return self

    def _set_fitted(self, model: Model, notices: tuple[str, ...], released: tuple[ReleasedColumn, ...] = ()) -> None:
        """Set the fitted attributes."""
        self.receipt_ = None
        self.target_ = model.target
        self.ledger_ = model.ledger
        self.codec_ = model.codec
        self.schema_ = model.codec.schema
        self.generator_ = model.generator
        self.training_settings_ = model.settings
        self.history_ = model.history
        self.stopped_by_ = model.stopped_by
        self.n_rows_ = round(model.codec.n_rows)
        self.n_features_in_ = len(model.codec.schema.columns)
        self.feature_names_in_ = np.array(model.codec.schema.names, dtype=object)
        self.notices_ = notices
        self.released_ = released

    def sample(
        self,
        n_rows: int | None = None,
        *,
        conditions: Mapping[Any, Any] | pd.DataFrame | None = None,
        random_state: RandomState = None,
    ) -> pd.DataFrame:
        """Draw synthetic rows.

        Args:
            n_rows: how many; left out only with a frame of conditions, which gives one row per row of the frame.
            conditions: what every row must meet: a mapping such as
                ``{"income": ">50K", "age": (60, 80), "sex": ["Male"], "workclass": None}`` (a value, a range, a set,
                missing), or a DataFrame with one row per wanted row.
            random_state: as in the constructor, whose value it defaults to.

        Returns:
            ``(n_rows, n_columns)`` frame with the columns, order and dtypes of the fitted table.

        Raises:
            ConditionError: when no row can meet the conditions.
            SettingsError: when ``n_rows`` is not a positive whole number, or that many rows do not fit into memory.

        Example:
            >>> from synthgan import Synthesizer
            >>> from synthgan.datasets import load_adult
            >>> synthesizer = Synthesizer(max_steps=2, random_state=0).fit(load_adult("train").head(200))
            >>> adults = synthesizer.sample(4, conditions={"age": (20, 60)})
            >>> len(adults), bool(adults["age"].between(20, 60).all())
            (4, True)
        """
        import pyarrow as pa

        from synthgan.sampling.requests import check_memory
        from synthgan.tables.frames.frames import to_frame

        tables, _ = self._batches(n_rows, conditions, random_state)
        first = next(tables)
        check_memory(first, n_rows)
        return to_frame(pa.concat_tables([first, *tables]), self.schema_)

    def sample_to(
        self,
        path: str | os.PathLike[str],
        n_rows: int | None = None,
        *,
        conditions: Mapping[Any, Any] | pd.DataFrame | None = None,
        random_state: RandomState = None,
        force: bool = False,
        csv_format: CsvFormat | None = None,
    ) -> SampleSummary:
        """Draw synthetic rows into a Parquet or CSV file, a batch at a time, for any number of rows.

        Args:
            path: the file; its suffix says the format. It appears whole or not at all.
            n_rows: as in `sample`.
            conditions: as in `sample`.
            random_state: as in `sample`.
            force: whether an existing file may be replaced.
            csv_format: how a CSV file is to be written: encoding, separator, decimal sign.

        Raises:
            OutputError: when the file exists or cannot be written.
            ConditionError: when no row can meet the conditions.

        Example:
            >>> from synthgan import Synthesizer
            >>> from synthgan.datasets import load_adult
            >>> Synthesizer(max_steps=2).fit(load_adult("train").head(200)).sample_to("synthetic.csv", 50).n_rows
            50
        """
        from synthgan.sampling.sample_file import write_sample
        from synthgan.tables.files.writers import check_table_output

        check_table_output(path, force=force)
        tables, report = self._batches(n_rows, conditions, random_state)
        write_sample(path, tables, self.schema_, force=force, csv_format=csv_format)
        return SampleSummary(path=Path(path), n_rows=report.n_rows, effective_sample_size=report.effective_sample_size)

    def _batches(
        self,
        n_rows: int | None,
        conditions: Mapping[Any, Any] | pd.DataFrame | None,
        random_state: RandomState,
    ) -> tuple[Iterator[pa.Table], SamplingReport]:
        self._check_fitted()
        from synthgan.sampling.requests import requested_rows
        from synthgan.sampling.sampler import Sampler

        seed = seed_from(self.random_state if random_state is None else random_state)
        sampler = Sampler(self.codec_, self.generator_, seed, precision=self.training_settings_.precision)
        return requested_rows(sampler, self.schema_, n_rows, conditions), sampler.report

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> Path:
        """Write the model to one ``.synthgan`` file: no rows, no pickle, no critic.

        After a fit with privacy or a holdout a receipt is written beside it (``model.receipt.json``, readable by its
        owner only). It says which rows were fitted: never publish it.

        Raises:
            OutputError: when the file exists and ``force`` is off, or it cannot be written.

        Example:
            >>> from synthgan import Synthesizer
            >>> from synthgan.datasets import load_adult
            >>> Synthesizer(max_steps=2).fit(load_adult("train").head(200)).save("adult.synthgan").name
            'adult.synthgan'
        """
        self._check_fitted()
        from synthgan.model.model import Model, write_model

        if self.receipt_ is not None:
            check_output(receipt_path(path), force=force)
        model = Model(
            codec=self.codec_,
            generator=self.generator_,
            settings=self.training_settings_,
            history=self.history_,
            stopped_by=self.stopped_by_,
            target=self.target_,
            ledger=self.ledger_,
        )
        written = write_model(model, path, force=force)
        if self.receipt_ is not None:
            write_receipt(self.receipt_, written, force=force)
        return written

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, device: str = "auto") -> Synthesizer:
        """Read a model that `save` wrote.

        Raises:
            ModelFileError: when the file is damaged, altered, too new, or no model at all.

        Example:
            >>> from synthgan import Synthesizer
            >>> from synthgan.datasets import load_adult
            >>> path = Synthesizer(max_steps=2).fit(load_adult("train").head(200)).save("adult.synthgan")
            >>> Synthesizer.load(path).n_features_in_
            15
        """
        from synthgan.model.model import read_model

        model = read_model(path, device=device)
        codec_settings = model.codec.settings
        synthesizer = cls(
            target=model.target,
            min_count=codec_settings.min_count,
            protect_values=codec_settings.protect_values,
            settings=model.settings,
            device=device,
        )
        synthesizer._set_fitted(model, model.codec.notices)
        return synthesizer

    def augment(
        self, data: pd.DataFrame, target: str | None = None, *, random_state: RandomState = None
    ) -> pd.DataFrame:
        """Real rows followed by synthetic ones that bring every class of ``target`` to the size of the largest.

        Args:
            data: the real rows, with the columns of the fitted table.
            target: a categorical, boolean or integer column; the target of the fit by default.
            random_state: as in `sample`.

        Returns:
            the rows of ``data`` in their order, then the synthetic rows, with a fresh index and the dtypes of ``data``
            (nullable twins where synthetic rows have missing values that those dtypes cannot hold). A level that a
            categorical of ``data`` lacks, such as ``<other>``, becomes missing.

        Example:
            >>> from synthgan import Synthesizer
            >>> from synthgan.datasets import load_adult
            >>> rows = load_adult("train").head(200)
            >>> balanced = Synthesizer(target="income", max_steps=2, random_state=0).fit(rows).augment(rows)
            >>> rows["income"].value_counts().nunique(), balanced["income"].value_counts().nunique()
            (2, 1)
        """
        self._check_fitted()
        from synthgan.sampling.balance import balance

        wanted = self.target_ if target is None else target
        return balance(data, wanted, self.codec_, self.sample, random_state=random_state)


load = Synthesizer.load

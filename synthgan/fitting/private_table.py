"""The table of a private fit: what of it is read without a release, and what comes through the first door.

Only this module and `synthgan.fitting.private` hold the rows of a private fit, and only until the doors are open. What
comes after (codec, training, sampling) is given doors, and cannot tell private ones from exact ones.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from synthgan.fitting.receipt import Receipt, new_key
from synthgan.privacy.account.parameters import ROW, Privacy
from synthgan.privacy.clamping import ClampedSource
from synthgan.privacy.columns.private_statistics import PrivateStatistics
from synthgan.privacy.columns.released_columns import ReleasedColumn
from synthgan.privacy.mechanisms import Mechanisms
from synthgan.privacy.private_schema import private_schema
from synthgan.privacy.units import UnitLimitedSource
from synthgan.tables.codec import TableCodec
from synthgan.tables.codec_settings import CodecSettings
from synthgan.tables.schema.schema import TableSchema
from synthgan.tables.schema.schema_file import schema_from_json, schema_to_json
from synthgan.tables.sources.batches import Source
from synthgan.tables.sources.holdout import divide
from synthgan.tables.sources.written_source import as_modelled

STATISTICS_SHARE = 0.15
"""Of the budget: column statistics, what the codec is fitted from. The rest is for the other two doors."""

CELL_ROWS = 40.0
"""Rows, in units of ``1 / sqrt(rho)``, that a cell of two binned columns should hold on average, above the noise."""

BINS = (4, 50)
"""Fewest and most bins of a numeric column."""


@dataclass(frozen=True, kw_only=True)
class PrivateTable:
    """A table as a private fit sees it, before any release: divided, limited to some rows a person, and clamped.

    Attributes:
        privacy: the guarantee asked for.
        schema: the schema, of which nothing was read off a row.
        rows: the rows that the doors may see.
        receipt: which they are; for the table's owner alone.
        target: the column that downstream models will predict, None without one.
        unit: the column whose values name the persons, None where each row is a person.
    """

    privacy: Privacy
    schema: TableSchema
    rows: Source
    receipt: Receipt
    target: str | None
    unit: str | None

    @classmethod
    def of(
        cls,
        source: Source,
        privacy: Privacy,
        *,
        declared: TableSchema | Mapping[str, Any] | str | os.PathLike[str] | None,
        target: str | None,
        holdout: float = 0.0,
        key: bytes | None = None,
    ) -> PrivateTable:
        """Read what may be read without a release.

        Args:
            source: the table.
            privacy: the guarantee asked for.
            declared: what the user knows about the columns.
            target: see `PrivateTable`.
            holdout: share of the units that no door sees.
            key: of the holdout, from an earlier run of this fit; None for a new one.

        Raises:
            SchemaError: when the declaration does not fit the table's columns, or holds inferred facts.
        """
        unit = None if privacy.unit == ROW else privacy.unit
        schema = private_schema(source, declared, unit=unit, target=target)
        key = key or new_key()
        division = divide(source, holdout, key=key, unit=unit)
        receipt = Receipt.of(division, key=key, holdout=holdout, unit=privacy.unit)
        training = as_modelled(division.training, schema, strict=False)
        limited = training if unit is None else UnitLimitedSource(training, unit, privacy.rows_per_unit)
        rows = ClampedSource(limited, schema)
        return cls(privacy=privacy, schema=schema, rows=rows, receipt=receipt, target=target, unit=unit)


@dataclass(frozen=True, kw_only=True)
class FirstRelease:
    """What came through the first door; all of it was paid for.

    Attributes:
        codec: fitted from released statistics.
        one_way_variance: of the noise in a cell of a column's own marginal.
        columns: what was counted of each column.
        notices: warnings about the guarantee.
    """

    codec: TableCodec
    one_way_variance: float
    columns: tuple[ReleasedColumn, ...]
    notices: tuple[str, ...]

    @classmethod
    def measure(cls, table: PrivateTable, rows: Source, mechanisms: Mechanisms, *, min_count: int) -> FirstRelease:
        """Release the column statistics of ``rows``, and fit the codec to them."""
        ledger, privacy = mechanisms.ledger, table.privacy
        rho = STATISTICS_SHARE * ledger.remaining_rho
        statistics = PrivateStatistics.release(
            rows, table.schema, mechanisms, rho=rho, delta=ledger.discovery_delta, unit=table.unit
        )
        left = ledger.remaining_rho / privacy.rows_per_unit**2
        settings = codec_settings(statistics.n_rows(), left, min_count)
        codec = TableCodec.fit(rows, table.schema, settings, statistics=statistics)
        n_columns = max(1, codec.layout.n_columns)
        return cls(
            codec=codec,
            one_way_variance=mechanisms.standard_deviation(rho / n_columns) ** 2,
            columns=statistics.released,
            notices=privacy.warnings_for(statistics.n_rows()),
        )

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> FirstRelease:
        """What `to_json` wrote."""
        return cls(
            codec=TableCodec.from_json(values["codec"], schema_from_json(values["schema"])),
            one_way_variance=float(values["one_way_variance"]),
            columns=tuple(ReleasedColumn(**each) for each in values.get("released", ())),
            notices=tuple(values["notices"]),
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, for a checkpoint."""
        return {
            "codec": self.codec.to_json(),
            "schema": schema_to_json(self.codec.schema),
            "one_way_variance": self.one_way_variance,
            "released": [dataclasses.asdict(each) for each in self.columns],
            "notices": list(self.notices),
        }


def codec_settings(n_rows: float, rho: float, min_count: int) -> CodecSettings:
    """As many bins as keep the cells of two columns above the noise that ``rho`` will leave.

    Args:
        n_rows: released number of rows.
        rho: zCDP budget left for marginals, per row.
        min_count: see `CodecSettings`.
    """
    n_bins = int(np.clip(math.sqrt(n_rows * math.sqrt(rho) / CELL_ROWS), *BINS))
    return CodecSettings(n_bins=n_bins, max_single_values=round(1.7 * n_bins), min_count=min_count)

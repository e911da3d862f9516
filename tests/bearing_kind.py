"""A kind of column that the package does not have: bearings in whole degrees, learned as eight sectors of the compass.

Everything that a new kind needs: a row of the table of kinds, an encoder, a private release.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from synthgan.errors import ConditionError
from synthgan.privacy.columns.estimates import norm_sub
from synthgan.privacy.columns.protocol import Budget, ColumnRelease, Counts, PendingRelease
from synthgan.privacy.columns.released_columns import ReleasedColumn
from synthgan.tables.columns.protocol import Codes, FitRules, LevelCondition, LevelFacts, Losses, Positions
from synthgan.tables.conditions.predicates import Predicate, matches
from synthgan.tables.kinds import KindTraits
from synthgan.tables.schema.schema import ColumnSchema
from synthgan.tables.statistics.level_counts import LevelCounts
from synthgan.tables.statistics.statistics import ColumnStatistics

DEGREES = 360
WIDTH = 45
N_SECTORS = DEGREES // WIDTH

TRAITS = KindTraits(
    family="bearings",
    carries=pa.types.is_integer,
    read_as=pa.int64(),
    conversion="pd.to_numeric",
    counted_as="levels",
    compared_as="categorical",
)


def sectors_of(values: pa.Array) -> Codes:
    """The sector of each bearing; what is missing points north."""
    degrees = values.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    return degrees % DEGREES // WIDTH


@dataclass(frozen=True)
class BearingEncoder:
    """Shares of the sectors; inside a sector every degree is as likely."""

    name: str
    shares: npt.NDArray[np.float64]

    @classmethod
    def fit(cls, column: ColumnSchema, statistics: ColumnStatistics, rules: FitRules) -> BearingEncoder:
        counted = statistics.levels(column.name)
        rows = np.bincount(sectors_of(counted.values), weights=counted.counts, minlength=N_SECTORS)
        return cls(name=column.name, shares=rows / rows.sum())

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> BearingEncoder:
        return cls(name=content["name"], shares=np.array(content["shares"]))

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "shares": self.shares.tolist()}

    @cached_property
    def facts(self) -> LevelFacts:
        zeros = np.zeros(N_SECTORS)
        return LevelFacts(
            is_bin=np.ones(N_SECTORS, dtype=bool),
            value_start=zeros,
            value_stop=zeros,
            is_ordered=np.zeros(N_SECTORS, dtype=bool),
            marginal=self.shares,
        )

    def encode(self, array: pa.Array, rng: np.random.Generator) -> tuple[Codes, Positions]:
        codes = sectors_of(array)
        degrees = array.fill_null(0).to_numpy(zero_copy_only=False) % DEGREES
        return codes, ((degrees - codes * WIDTH + rng.random(len(array))) / WIDTH).astype(np.float32)

    def decoder(self, rng: np.random.Generator) -> BearingEncoder:
        return self

    def decode(self, codes: Codes, positions: Positions | None) -> pa.Array:
        inside = np.zeros(len(codes)) if positions is None else np.floor(positions * WIDTH)
        return pa.array(codes * WIDTH + np.minimum(inside, WIDTH - 1).astype(np.int64), pa.int64())

    def compile(self, predicate: Predicate) -> LevelCondition:
        asked = matches(predicate, pa.array(np.arange(DEGREES), pa.int64())).reshape(N_SECTORS, WIDTH)
        if not asked.any():
            raise ConditionError(f"no bearing of column '{self.name}' meets its condition")
        return LevelCondition(
            allowed=asked.any(axis=1),
            lower=np.zeros(N_SECTORS, dtype=np.float32),
            upper=np.ones(N_SECTORS, dtype=np.float32),
            is_exact=bool((asked.any(axis=1) == asked.all(axis=1)).all()),
        )

    @property
    def listed(self) -> None:
        return None

    @property
    def losses(self) -> Losses:
        return Losses()

    def describe(self) -> dict[str, Any]:
        return {"sectors": N_SECTORS}

    def notices(self) -> tuple[str, ...]:
        return ()


class SectorCounter:
    """Rows per sector."""

    def __init__(self) -> None:
        self.counts: Counts = np.zeros(N_SECTORS, dtype=np.int64)

    def add(self, array: pa.Array) -> None:
        self.counts += np.bincount(sectors_of(array), minlength=N_SECTORS)


def release_bearings(column: ColumnSchema, budget: Budget) -> PendingRelease[LevelCounts]:
    """Noisy rows per sector, brought to the noisy number of rows."""
    counter = SectorCounter()
    yield counter
    noisy, deviation = budget.counts(counter.counts, 1.0, "sectors")
    starts = pa.array(np.arange(N_SECTORS) * WIDTH, pa.int64())
    return LevelCounts(values=starts, counts=norm_sub(noisy, budget.n_rows), standard_error=deviation)


def _n_cells(column: ColumnSchema) -> float:
    return float(N_SECTORS)


def _in_words(column: ColumnSchema, released: LevelCounts) -> ReleasedColumn:
    words = f"counted in {len(released.values)} sectors of the compass"
    return ReleasedColumn(column=column.name, basis="ranges", words=words)


RELEASE = ColumnRelease(release=release_bearings, in_words=_in_words, n_cells=_n_cells)

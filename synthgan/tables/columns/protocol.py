"""What the table codec asks of a column encoder, whatever the column's kind."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from synthgan.tables.conditions.predicates import Predicate
from synthgan.tables.schema.schema import ColumnSchema
from synthgan.tables.statistics.statistics import ColumnStatistics

Codes: TypeAlias = npt.NDArray[np.int64]
Positions: TypeAlias = npt.NDArray[np.floating[Any]]

Snap: TypeAlias = Callable[[pa.Array], pa.Array]

LARGEST_POSITION = float(np.nextafter(np.float32(1), np.float32(0)))
"""Positions stay below 1, also after rounding to float32."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FitRules:
    """Resolved codec settings, the same for all columns of a table.

    Attributes:
        n_bins: number of bins for a column without heavy values.
        max_levels: most levels of a categorical column, tail buckets included.
        min_count: fewest rows behind anything that the model file holds.
        protect_values: whether rare levels merge and extremes are capped.
        counts_are_public: the counts came out of a private mechanism, so that showing a rare value tells nothing more;
            extremes are not capped then, and every value of a column with few values has a level.
        max_single_values: most distinct values of a numeric column that has a level for each (with enough rows).
    """

    n_bins: int
    max_levels: int
    min_count: int
    protect_values: bool
    max_single_values: int = 100
    counts_are_public: bool = False

    @property
    def level_floor(self) -> int:
        """Fewest rows a level of its own needs."""
        return self.min_count if self.protect_values else 1


@dataclass(frozen=True, kw_only=True, slots=True)
class LevelFacts:
    """What the networks know of a column's levels.

    Attributes:
        is_bin: ``(n_levels,)`` bool: a cell with this code also has a position.
        value_start: ``(n_levels,)`` standardised value at position 0, 0 without a number.
        value_stop: ``(n_levels,)`` standardised value at position 1.
        is_ordered: ``(n_levels,)`` bool: the level has a place in the column's order, and codes ascend with it.
        marginal: ``(n_levels,)`` share of rows, summing to 1.
    """

    is_bin: npt.NDArray[np.bool_]
    value_start: npt.NDArray[np.float64]
    value_stop: npt.NDArray[np.float64]
    is_ordered: npt.NDArray[np.bool_]
    marginal: npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class LevelCondition:
    """Which cells of a column meet a condition.

    Attributes:
        allowed: ``(n_levels,)`` bool.
        lower: ``(n_levels,)`` float32, first allowed position of a bin (0 when the whole level is meant).
        upper: ``(n_levels,)`` float32, end of the allowed positions, exclusive (1 when the whole level is meant).
        is_exact: whether every allowed cell meets the condition; else decoded values have to be moved or tested.
        snap: moves decoded values onto the nearest that meet the condition; None where a column's values have no
            nearest one, so that rows have to be tested and drawn again.
        is_exact_when_snapped: whether all values meet the condition after ``snap``; else rows are tested as well.
    """

    allowed: npt.NDArray[np.bool_]
    lower: npt.NDArray[np.float32]
    upper: npt.NDArray[np.float32]
    is_exact: bool = True
    snap: Snap | None = None
    is_exact_when_snapped: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedValues:
    """The values of a column of levels, and how the rows are spread over them.

    Attributes:
        values: ``(n_values,)`` in the column's Arrow type, none of them missing.
        shares: ``(n_values,)`` of the rows.
        share_unlisted: share of the rows with a value that is not listed, and not missing either.
        is_closed: whether a dtype says that no other value may occur.
    """

    values: pa.Array
    shares: npt.NDArray[np.float64]
    share_unlisted: float = 0.0
    is_closed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Losses:
    """What of the table a fit could not keep; a loaded model knows the first two only.

    Attributes:
        n_classes: how many values were too rare to be levels, in a column that has levels only.
        classes_become: what these come out as, in words.
        has_far_rows: whether too few rows to be kept lie far from all others.
        has_infinities: whether infinite values were too few to be kept.
        fullness: how many times ``min_count`` rows have a number, where value protection draws them in from the ends;
            infinite elsewhere.
    """

    n_classes: int = 0
    classes_become: str = ""
    has_far_rows: bool = False
    has_infinities: bool = False
    fullness: float = math.inf


class ColumnDecoder(Protocol):
    """Decodes one column through a sampling session; may count what it has given out."""

    def decode(self, codes: Codes, positions: Positions | None) -> pa.Array:
        """Values of a batch: ``codes`` ``(n_rows,)``, ``positions`` ``(n_rows,)`` in [0, 1) or None without bins."""


class ColumnEncoder(Protocol):
    """A fitted column: everything needed to encode and decode it, without a row of the table."""

    @property
    def name(self) -> str:
        """The column."""

    @classmethod
    def fit(cls, column: ColumnSchema, statistics: ColumnStatistics, rules: FitRules) -> ColumnEncoder:
        """The encoder that the column's statistics call for.

        Raises:
            SchemaError: when the column's kind does not fit its type.
        """

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> ColumnEncoder:
        """The encoder that `to_json` wrote.

        Raises:
            ValueError: when the parts do not fit together.
        """

    @property
    def facts(self) -> LevelFacts:
        """The levels, in code order. A column with fewer than two is not modelled."""

    def encode(self, array: pa.Array, rng: np.random.Generator) -> tuple[Codes, Positions | None]:
        """Codes of a batch and, when the column has bins, positions in [0, 1)."""

    def decoder(self, rng: np.random.Generator) -> ColumnDecoder:
        """A decoder for one sampling session."""

    def compile(self, predicate: Predicate) -> LevelCondition:
        """Which codes and positions decode to values that meet the predicate.

        Raises:
            ConditionError: when none does.
        """

    @property
    def listed(self) -> ListedValues | None:
        """The values that can come out, as far as the model file lists them one by one; None where it does not."""

    @property
    def losses(self) -> Losses:
        """What of the table the fit could not keep."""

    def describe(self) -> dict[str, Any]:
        """What the model file holds about the column, in counts."""

    def notices(self) -> tuple[str, ...]:
        """What the user should know about the column without asking."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""

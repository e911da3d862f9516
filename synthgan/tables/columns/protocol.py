"""What the table codec asks of a column encoder, whatever the column's kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from synthgan.tables.conditions.predicates import Predicate

Codes: TypeAlias = npt.NDArray[np.int64]
Positions: TypeAlias = npt.NDArray[np.floating[Any]]

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
class Facts:
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
    """

    allowed: npt.NDArray[np.bool_]
    lower: npt.NDArray[np.float32]
    upper: npt.NDArray[np.float32]
    is_exact: bool = True


class ColumnDecoder(Protocol):
    """Decodes one column through a sampling session; may count what it has given out."""

    def decode(self, codes: Codes, positions: Positions | None) -> pa.Array:
        """Values of a batch: ``codes`` ``(n_rows,)``, ``positions`` ``(n_rows,)`` in [0, 1) or None without bins."""


class ColumnEncoder(Protocol):
    """A fitted column: everything needed to encode and decode it, without a row of the table."""

    name: str

    @property
    def facts(self) -> Facts:
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

    def describe(self) -> dict[str, Any]:
        """What the model file holds about the column, in counts."""

    def notices(self) -> tuple[str, ...]:
        """What the user should know about the column without asking."""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""

"""What every constraint does to a table: some of the user's columns out, internal ones in, and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from synthgan.tables.constraints.counters import GroupCounter
from synthgan.tables.schema.schema import ColumnSchema, Combinations, Constraint, Order, Sum


@dataclass
class DecodingState:
    """What one sampling session remembers between batches.

    Attributes:
        rng: draws replacements for protected combinations.
        combinations: composite column -> its combinations and their shares, to draw replacements from.
        values: internal column -> draws that many of its values, none of them missing, as they are spread over the
            rows; an empty array when the column has none.
        counters: numbered key column -> how many rows each group has so far.
    """

    rng: np.random.Generator
    combinations: Mapping[str, tuple[pa.Array, npt.NDArray[Any]]]
    values: Mapping[str, Callable[[int], pa.Array]] = field(default_factory=dict)
    counters: dict[str, GroupCounter] = field(default_factory=dict)

    def filled(self, name: str, values: pa.Array, wanted: npt.NDArray[np.bool_]) -> pa.Array:
        """The internal column ``name`` with a value in every wanted row: the model's own law fills in, else the batch.

        A generator draws whether one column is missing and what another holds there apart, so that they need not agree.
        Where neither the model nor the batch knows a value, the row stays missing.
        """
        lacking = wanted & values.is_null().to_numpy(zero_copy_only=False)
        if not lacking.any():
            return values
        n_rows = int(lacking.sum())
        drawn = self.values[name](n_rows) if name in self.values else values.slice(0, 0)
        if len(drawn) < n_rows:
            seen = values.drop_null()
            if not len(seen):
                return values
            drawn = seen.take(pa.array(self.rng.integers(len(seen), size=n_rows)))
        places = np.arange(len(values))
        places[lacking] = len(values) + np.arange(n_rows)
        return pa.concat_arrays([values, drawn.cast(values.type)]).take(pa.array(places))


class Step(ABC):
    """Derives some of the user's columns from internal ones and from columns that are known already."""

    makes: tuple[str, ...]
    """The user's columns that `backward` makes."""

    needs: tuple[str, ...]
    """The user's columns that must be made before."""

    internal: tuple[ColumnSchema, ...]
    """What stands for the made columns in the internal table."""

    later: tuple[str, ...] = ()
    """Internal columns that models fitted by earlier versions lack."""

    @abstractmethod
    def forward(self, columns: Mapping[str, pa.Array]) -> Sequence[pa.Array]:
        """The internal columns of a batch of the user's columns."""

    @abstractmethod
    def backward(self, internal: Sequence[pa.Array | None], known: dict[str, pa.Array], state: DecodingState) -> None:
        """Put the made columns of a batch into ``known``, whatever the internal columns hold.

        An internal column is None where the model was fitted before there was such a column.
        """


def given_schema(column: ColumnSchema, name: str) -> ColumnSchema:
    """The internal column that says where a derived column has a value. One level, and no cost, where it always has."""
    return ColumnSchema(
        name=name,
        kind="boolean",
        source="declared",
        reason=f"where '{column.name}' is missing",
        arrow_type="bool",
    )


def read_given(array: pa.Array | None, otherwise: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Where the derived column has a value; ``otherwise`` where its model was fitted without that column."""
    if array is None or array.null_count == len(array):
        return otherwise
    given: npt.NDArray[np.bool_] = array.fill_null(False).to_numpy(zero_copy_only=False)
    return given


def describe(constraint: Constraint) -> str:
    """The constraint as messages name it."""
    if isinstance(constraint, Order):
        return f"order '{constraint.low}' <= '{constraint.high}'"
    if isinstance(constraint, Sum):
        parts = " + ".join(f"'{part}'" for part in constraint.parts)
        return f"sum '{constraint.total}' = {parts}"
    names = ", ".join(f"'{name}'" for name in constraint.columns)
    return f"combinations of {names}" if isinstance(constraint, Combinations) else f"unique key {names}"

"""What every constraint does to a table: some of the user's columns out, internal ones in, and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from synthgan.tables.constraints.counters import GroupCounter
from synthgan.tables.schema import ColumnSchema, Combinations, Constraint, Order, Sum


@dataclass
class DecodingState:
    """What one sampling session remembers between batches.

    Attributes:
        rng: draws replacements for protected combinations.
        combinations: composite column -> its combinations and their shares, to draw replacements from.
        counters: numbered key column -> how many rows each group has so far.
    """

    rng: np.random.Generator
    combinations: Mapping[str, tuple[pa.Array, npt.NDArray[Any]]]
    counters: dict[str, GroupCounter] = field(default_factory=dict)


class Step(ABC):
    """Derives some of the user's columns from internal ones and from columns that are known already."""

    makes: tuple[str, ...]
    """The user's columns that `backward` makes."""

    needs: tuple[str, ...]
    """The user's columns that must be made before."""

    internal: tuple[ColumnSchema, ...]
    """What stands for the made columns in the internal table."""

    @abstractmethod
    def forward(self, columns: Mapping[str, pa.Array]) -> Sequence[pa.Array]:
        """The internal columns of a batch of the user's columns."""

    @abstractmethod
    def backward(self, internal: Sequence[pa.Array], known: dict[str, pa.Array], state: DecodingState) -> None:
        """Put the made columns of a batch into ``known``, whatever the internal columns hold."""


def describe(constraint: Constraint) -> str:
    """The constraint as messages name it."""
    if isinstance(constraint, Order):
        return f"order '{constraint.low}' <= '{constraint.high}'"
    if isinstance(constraint, Sum):
        parts = " + ".join(f"'{part}'" for part in constraint.parts)
        return f"sum '{constraint.total}' = {parts}"
    names = ", ".join(f"'{name}'" for name in constraint.columns)
    return f"combinations of {names}" if isinstance(constraint, Combinations) else f"unique key {names}"

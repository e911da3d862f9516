"""How a table is encoded, as settings."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from synthgan.errors import SettingsError
from synthgan.tables.columns.islands import outer_rank
from synthgan.tables.columns.protocol import FitRules


@dataclass(frozen=True, kw_only=True, slots=True)
class CodecSettings:
    """How a table is encoded.

    Attributes:
        n_bins: bins of a numeric column without heavy values; None chooses by the number of rows (8 to 50).
        max_levels: most levels of a categorical column; rarer ones share buckets.
        min_count: fewest rows behind a level, a knot of a quantile function, or a cap.
        protect_values: merge rarer levels and cap extremes. Off, every level and the true extremes are kept.
        max_single_values: a numeric column with at most this many distinct values has a level for each, else bins.
    """

    n_bins: int | None = None
    max_levels: int = 256
    min_count: int = 10
    protect_values: bool = True
    max_single_values: int = 100

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, low, high in (
            ("n_bins", 2, 1000),
            ("max_levels", 4, 10_000),
            ("min_count", 1, 1_000_000),
            ("max_single_values", 0, 10_000),
        ):
            value = getattr(self, name)
            if value is None and name == "n_bins":
                continue
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise SettingsError(f"{name} must be a whole number from {low} to {high}, not {value!r}")
        if not isinstance(self.protect_values, bool):
            raise SettingsError(f"protect_values must be True or False, not {self.protect_values!r}")

    @property
    def outer_rows(self) -> int:
        """Rows at each end of a column's numbers whose size decides nothing."""
        return outer_rank(self.min_count) if self.protect_values else 0

    def resolve(self, n_rows: float, *, counts_are_public: bool = False) -> FitRules:
        """The rules for a table of ``n_rows`` rows, whose counts were released by a private mechanism or not."""
        n_bins = self.n_bins if self.n_bins is not None else int(np.clip(n_rows / 40, 8, 50))
        return FitRules(
            n_bins=n_bins,
            max_levels=self.max_levels,
            min_count=self.min_count,
            protect_values=self.protect_values,
            max_single_values=self.max_single_values,
            counts_are_public=counts_are_public,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> CodecSettings:
        """Settings from JSON values.

        Raises:
            SettingsError: for an unknown key or a value out of range.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        for key in content:
            if key not in known:
                raise SettingsError(f"'{key}' is not a codec setting; known ones are {', '.join(sorted(known))}")
        return cls(**content)

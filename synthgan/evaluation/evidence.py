"""What a report draws besides the figures: every column's distribution and every pair's association.

Made by `synthgan.evaluation.evidence_of_tables`, kept in `Scores`, written as JSON and read back by whoever draws it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Literal

import numpy as np

from synthgan.evaluation.compared.value_texts import instant_text
from synthgan.loose_json import finite, mapping, numbers, sequence
from synthgan.tables.arrow_types import NANOSECONDS

Matrix = tuple[tuple[float | None, ...], ...]
"""Square; None where undefined."""

_TABLES: Final = ("real", "synthetic", "holdout")


@dataclass(frozen=True, kw_only=True, slots=True)
class ColumnEvidence:
    """The distribution of one column in each table.

    Attributes:
        name: of the column.
        kind: "numeric", "time" or "categorical".
        edges: of the bins that all tables share, one more than bins: numbers, seconds of a duration, or for instants
            nanoseconds since 1970; empty for a categorical column.
        levels: as texts, the most frequent in either table, then "(other)"; empty for a numeric column.
        shares: of the present values in each bin or at each level, per table; "real" and "synthetic" are always there.
        missing: share of missing values of "real" and of "synthetic", as far as known.
        shape_error: in percent; None where undefined.
    """

    name: str
    kind: Literal["numeric", "time", "categorical"]
    edges: tuple[float, ...]
    levels: tuple[str, ...]
    shares: Mapping[str, tuple[float, ...]]
    missing: Mapping[str, float]
    shape_error: float | None

    @property
    def n_parts(self) -> int:
        """Number of bins or levels."""
        return len(self.shares["real"])

    def to_json(self) -> dict[str, Any]:
        """JSON values; instants are ISO 8601 texts."""
        edges = [instant_text(edge) for edge in self.edges] if self.kind == "time" else list(self.edges)
        return {
            "kind": self.kind,
            "edges": None if self.kind == "categorical" else edges,
            "levels": list(self.levels) if self.kind == "categorical" else None,
            "shares": {table: list(shares) for table, shares in self.shares.items()},
            "missing": dict(self.missing),
            "shape_error": self.shape_error,
        }

    @classmethod
    def from_json(cls, name: str, content: Any) -> ColumnEvidence | None:
        """The column that `to_json` wrote; None where its distribution cannot be made out."""
        values = mapping(content)
        edges, levels = _edges(values.get("edges")), tuple(str(level) for level in sequence(values.get("levels")))
        n_parts = len(edges) - 1 if edges else len(levels)
        shares = {}
        for table in _TABLES:
            parts = tuple(min(max(s or 0.0, 0.0), 1.0) for s in numbers(mapping(values.get("shares")).get(table)))
            if len(parts) == n_parts:
                shares[table] = parts
        if not {"real", "synthetic"} <= shares.keys():
            return None
        missing = {table: finite(mapping(values.get("missing")).get(table)) for table in ("real", "synthetic")}
        return cls(
            name=name,
            kind="categorical" if not edges else "time" if values.get("kind") == "time" else "numeric",
            edges=edges,
            levels=() if edges else levels,
            shares=shares,
            missing={table: share for table, share in missing.items() if share is not None},
            shape_error=finite(values.get("shape_error")),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class PairEvidence:
    """The associations of pairs of columns.

    Attributes:
        columns: the columns of the matrices, in their order.
        real: association in the real table, between 0 and 1: absolute Pearson correlation of two numbers, Cramer's V of
            two categories, correlation ratio of a number and a category.
        synthetic: the same in the synthetic table.
        error: trend error with shared bins, in percent.
        left_out: columns beyond `synthgan.evaluation.evidence_of_tables.MOST_COLUMNS`, those with the smallest errors.
    """

    columns: tuple[str, ...]
    real: Matrix
    synthetic: Matrix
    error: Matrix
    left_out: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "columns": list(self.columns),
            "real": [list(row) for row in self.real],
            "synthetic": [list(row) for row in self.synthetic],
            "error": [list(row) for row in self.error],
            "left_out": list(self.left_out),
        }

    @classmethod
    def from_json(cls, content: Any) -> PairEvidence:
        """The pairs that `to_json` wrote; what is odd in a matrix is undefined."""
        values = mapping(content)
        columns = tuple(str(name) for name in sequence(values.get("columns")))
        real, synthetic, error = (_matrix(values.get(part), len(columns)) for part in ("real", "synthetic", "error"))
        left_out = tuple(str(name) for name in sequence(values.get("left_out")))
        return cls(columns=columns, real=real, synthetic=synthetic, error=error, left_out=left_out)


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """Distributions of all columns, in the table's order, and associations of pairs."""

    columns: tuple[ColumnEvidence, ...]
    pairs: PairEvidence

    def to_json(self) -> dict[str, Any]:
        """JSON values: ``columns`` by name, and ``pairs``."""
        return {"columns": {column.name: column.to_json() for column in self.columns}, "pairs": self.pairs.to_json()}

    @classmethod
    def from_json(cls, content: Any) -> Evidence | None:
        """The evidence that `to_json` wrote; None for an empty object. What cannot be made out is left out."""
        values = mapping(content)
        if not values:
            return None
        columns = [ColumnEvidence.from_json(str(name), each) for name, each in mapping(values.get("columns")).items()]
        return cls(
            columns=tuple(column for column in columns if column is not None),
            pairs=PairEvidence.from_json(values.get("pairs")),
        )


def _edges(content: Any) -> tuple[float, ...]:
    """Rising edges; texts are read as instants."""
    values = sequence(content)
    edges = [instant_of(value) if isinstance(value, str) else finite(value) for value in values]
    read = tuple(edge for edge in edges if edge is not None)
    rising = all(left < right for left, right in pairwise(read))
    return read if len(read) == len(values) > 1 and rising else ()


def instant_of(text: str) -> float | None:
    """An ISO 8601 text, of any year, as nanoseconds since 1970; None for another text."""
    try:
        seconds = np.datetime64(text.removesuffix("Z"), "s")
    except (ValueError, TypeError, OverflowError):
        return None
    return None if np.isnat(seconds) else float(NANOSECONDS["s"]) * float(seconds.astype(np.int64))


def _matrix(content: Any, size: int) -> Matrix:
    rows = [(*numbers(row), *[None] * size)[:size] for row in sequence(content)[:size]]
    return (*rows, *[(None,) * size] * (size - len(rows)))

"""Door 1 under differential privacy: the noisy twin of `synthgan.tables.statistics.statistics.ExactStatistics`.

How the budget is split: a fiftieth counts the rows, for everything is brought to that total. The rest goes to columns
by the number of their cells to the power of two thirds. That split minimises the sum of all cells' errors: a column of
m cells released with rho has an error in proportion to m / sqrt(rho). Columns that are not counted get nothing.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pat

from synthgan.errors import SettingsError
from synthgan.privacy.account.entries import STATISTICS
from synthgan.privacy.columns import RELEASES
from synthgan.privacy.columns.identifier_release import generic_templates
from synthgan.privacy.columns.protocol import EXACT_KEYS, Budget, ColumnRelease, Counter, CountMechanisms
from synthgan.privacy.columns.released_columns import ReleasedColumn
from synthgan.tables.arrow_types import parse_type
from synthgan.tables.constraints import Reparametrisation, reparametrise
from synthgan.tables.schema.schema import ColumnSchema, Provenance, TableSchema
from synthgan.tables.sources.batches import Source
from synthgan.tables.statistics.formats import Templates
from synthgan.tables.statistics.histogram import Histogram
from synthgan.tables.statistics.level_counts import LevelCounts
from synthgan.tables.statistics.statistics import ColumnStatistics

COUNT_SHARE = 0.02
"""Of the budget: counts the rows."""


class PrivateStatistics(ColumnStatistics):
    """Column statistics released by mechanisms; every number in it may be published under the ledger's guarantee."""

    provenance: Provenance = "released"

    def __init__(
        self,
        n_rows: float,
        levels: Mapping[str, LevelCounts],
        histograms: Mapping[str, Histogram],
        templates: Mapping[str, Templates],
        released: tuple[ReleasedColumn, ...] = (),
    ) -> None:
        """Take finished releases; use `release` to make them."""
        super().__init__(n_rows, levels, histograms, templates)
        self.released = released

    @classmethod
    def release(
        cls,
        source: Source,
        schema: TableSchema,
        mechanisms: CountMechanisms,
        *,
        rho: float,
        delta: float,
        unit: str | None = None,
    ) -> PrivateStatistics:
        """Release statistics of the internal columns of ``schema``, in a few passes over the rows.

        Args:
            source: the rows that may be used: limited to so many per person (`UnitLimitedSource`), and clamped where
                constraints calculate with them (`ClampedSource`).
            schema: from `private_schema`.
            mechanisms: spends the budget and knows how many rows a unit has.
            rho: zCDP budget of the whole door.
            delta: of all discoveries together; with 0 nothing is discovered.
            unit: the column that names persons, of which nothing is counted.

        Raises:
            SettingsError: when ``rho`` is not positive, or levels are to be discovered without a ``delta``.
            SchemaError: when the schema contradicts itself.

        Privacy:
            Add or remove one unit of k rows: all mechanisms get counts of disjoint cells in which the unit changes k at
            most (L1 and L2). They compose to ``rho`` in zCDP, and the discoveries' deltas to ``delta``. Which rows are
            counted next depends on released counts only, so the composition is adaptive. Nothing is sampled.
        """
        rules = reparametrise(schema)
        counted = [column for column in rules.internal.columns if column.traits.is_read and column.name != unit]
        weights = {column.name: _weight(column) for column in counted}
        _check_budget(rho, delta, counted)
        first = rho * (COUNT_SHARE if any(weights.values()) else 1.0)
        exact = np.array([_count_rows(source)], dtype=np.int64)
        n_rows = max(1.0, float(mechanisms.counts(exact, rho=first, door=STATISTICS, what="number of rows")[0]))
        of_weight = (rho - first) / max(sum(weights.values()), 1e-300)
        n_discoveries = max(1, sum(_discoveries(column, n_rows) for column in counted))
        running = {}
        for column in counted:
            budget = Budget(
                mechanisms=mechanisms,
                column=column.name,
                rho=of_weight * weights[column.name],
                delta=delta / n_discoveries,
                n_rows=n_rows,
            )
            running[column.name] = _release_of(column).release(column, budget)
        released = _run(running, source, schema, rules)
        if unit is not None:
            released[unit] = generic_templates(rules.internal[unit], n_rows)
        return cls(
            n_rows,
            {name: made for name, made in released.items() if isinstance(made, LevelCounts)},
            {name: made for name, made in released.items() if isinstance(made, Histogram)},
            {name: made for name, made in released.items() if isinstance(made, Templates)},
            tuple(
                _release_of(column).in_words(column, released[column.name])
                for column in rules.internal.columns
                if column.name in weights
            ),
        )


def _weight(column: ColumnSchema) -> float:
    if pat.is_null(parse_type(column.arrow_type)):
        return 0.0  # its type says all of it
    return float(_release_of(column).n_cells(column) ** (2 / 3))


def _discoveries(column: ColumnSchema, n_rows: float) -> int:
    """How many discoveries the column's release makes at most."""
    return 0 if not _release_of(column).discovers(column) else 2 if n_rows > EXACT_KEYS else 1


def _release_of(column: ColumnSchema) -> ColumnRelease:
    return RELEASES[column.traits.family]


def _check_budget(rho: float, delta: float, counted: Sequence[ColumnSchema]) -> None:
    if not (rho > 0 and math.isfinite(rho)):
        raise SettingsError(f"column statistics need a positive budget, not rho = {rho!r}")
    unknown = [f"'{column.name}'" for column in counted if _release_of(column).needs_discovery(column)]
    if delta <= 0 and unknown:
        raise SettingsError(
            f"levels cannot be discovered without a delta above 0: declare those of {', '.join(unknown)}, or allow one"
        )


def _count_rows(source: Source) -> int:
    if source.n_rows is not None:
        return source.n_rows
    return sum(batch.num_rows for batch in source.batches(source.names[:1]))


def _run(
    running: Mapping[str, Generator[Counter, None, Any]], source: Source, schema: TableSchema, rules: Reparametrisation
) -> dict[str, Any]:
    """Drive all columns' releases side by side, a pass over the rows at a time."""
    released: dict[str, Any] = {}
    counters: dict[str, Counter] = {}

    def resume(name: str) -> None:
        try:
            counters[name] = next(running[name])
        except StopIteration as finished:
            released[name] = finished.value
            counters.pop(name, None)

    for name in running:
        resume(name)
    while counters:
        wanted = _users_columns(counters, schema, rules)
        for batch in _internal_batches(source, wanted, rules):
            for name, counter in counters.items():
                counter.add(batch.column(name))
        for name in list(counters):
            resume(name)
    return released


def _users_columns(counters: Mapping[str, Counter], schema: TableSchema, rules: Reparametrisation) -> list[str]:
    """The user's columns behind the counted ones; all learned ones where a constraint is at work."""
    if any(name not in schema.names for name in counters) or rules.derived:
        return [column.name for column in schema.columns if column.traits.is_read]
    return [name for name in schema.names if name in counters]


def _internal_batches(source: Source, wanted: list[str], rules: Reparametrisation) -> Iterator[pa.RecordBatch]:
    for batch in source.batches(wanted):
        yield rules.forward(batch) if rules.derived else batch

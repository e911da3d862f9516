"""What a user asks a sampler for: checked, started, and warned of where the model knows too little."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from synthgan.errors import SettingsError
from synthgan.sampling.condition_frames import conditioned_rows
from synthgan.sampling.sampler import Sampler, SamplingReport
from synthgan.tables.conditions.predicates import parse_conditions
from synthgan.tables.schema.schema import TableSchema
from synthgan.warned import warn


def requested_rows(
    sampler: Sampler,
    schema: TableSchema,
    n_rows: int | None,
    conditions: Mapping[Any, Any] | pd.DataFrame | None,
) -> Iterator[pa.Table]:
    """Batches of the rows asked for.

    Args:
        sampler: draws them.
        schema: of the user's table.
        n_rows: how many; None only with a frame of conditions, which gives one row per row of the frame.
        conditions: what every row must meet, or a frame with one row per wanted row.

    Raises:
        ConditionError: when no row can meet the conditions.
        SettingsError: when ``n_rows`` is not a positive whole number.

    Warns:
        SynthganWarning: at the end, when too few latents stood behind the conditions.
    """
    if conditions is None or isinstance(conditions, Mapping):
        _check_count(n_rows)
        compiled = sampler.compile(parse_conditions(conditions or {}, schema))
        tables = sampler.batches(int(n_rows or 0), compiled)
    else:
        tables = conditioned_rows(sampler, conditions, schema, n_rows)
    return _warn_at_end(tables, sampler.report)


def _check_count(n_rows: int | None) -> None:
    if n_rows is None:
        raise SettingsError("say how many rows to sample: n_rows may be left out only with a frame of conditions.")
    if isinstance(n_rows, bool) or not isinstance(n_rows, int | np.integer) or n_rows < 1:
        raise SettingsError(f"n_rows must be a whole number of at least 1, got {n_rows!r}.")


def check_memory(first: pa.Table, n_rows: int | None) -> None:
    """Refuse a frame that cannot fit into the machine's memory, judged by its first batch.

    Raises:
        SettingsError: when it cannot.
    """
    if n_rows is None or n_rows <= first.num_rows or not hasattr(os, "sysconf"):
        return
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    # The frame and the Arrow table that it is made from exist side by side for a moment.
    needed = 2 * first.nbytes / first.num_rows * n_rows
    if needed > memory:
        raise SettingsError(
            f"{n_rows} rows would take about {needed / 2**30:.0f} GiB of memory and this machine has "
            f"{memory / 2**30:.0f}: write them to a file with sample_to (in the shell: synthgan sample), or ask for "
            "fewer"
        )


def _warn_at_end(tables: Iterator[pa.Table], report: SamplingReport) -> Iterator[pa.Table]:
    """Pass batches on, then warn when too few latents stood behind a condition."""
    yield from tables
    effective = report.effective_sample_size
    if effective is not None and effective < report.n_wanted_effective:
        warn(
            f"the conditions are rare for this model: {report.n_rows} rows rest on an effective sample of only "
            f"{effective:.0f} (at least {report.n_wanted_effective:.0f} wanted); they meet the conditions exactly, "
            "but vary too little."
        )

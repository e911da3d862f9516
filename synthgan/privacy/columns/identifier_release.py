"""Identifiers: noisy counts of the present and the missing ones; how they are written is never looked at."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from synthgan.privacy.columns.estimates import norm_sub, without_noise
from synthgan.privacy.columns.protocol import Budget, ColumnRelease, Counts, PendingRelease
from synthgan.privacy.columns.released_columns import ReleasedColumn
from synthgan.tables.arrow_types import is_text, parse_type
from synthgan.tables.schema.schema import ColumnSchema
from synthgan.tables.statistics.formats import VARIES, Format, Templates

_UUID = "-".join("h" * length for length in (8, 4, 4, 4, 12))


def release_identifiers(column: ColumnSchema, budget: Budget) -> PendingRelease[Templates]:
    """How many identifiers are missing; how they are written is never looked at."""
    counter = MissingCounter()
    yield counter
    noisy, deviation = budget.counts(counter.counts, 1.0, "missing identifiers")
    present, missing = norm_sub(without_noise(noisy, deviation, n_last=1), budget.n_rows)
    return generic_templates(column, float(present), float(missing))


def generic_templates(column: ColumnSchema, n_present: float, n_missing: float = 0.0) -> Templates:
    """The format of identifiers that nothing is known of: UUIDs where the column holds text, else running numbers."""
    text = is_text(parse_type(column.arrow_type))
    formats = (Format(pattern=_UUID, fixed=VARIES * len(_UUID), n_rows=n_present),) if text and n_present > 0 else ()
    return Templates(formats=formats, n_present=n_present, n_missing=n_missing)


def _n_cells(column: ColumnSchema) -> float:  # noqa: ARG001 -- present and missing, whatever the column
    return 2.0


def _in_words(column: ColumnSchema, released: Templates) -> ReleasedColumn:  # noqa: ARG001 -- the same for all
    words = "identifiers, written afresh; only the missing ones were counted"
    return ReleasedColumn(column=column.name, basis="missing only", words=words)


IDENTIFIER_RELEASE = ColumnRelease(release=release_identifiers, in_words=_in_words, n_cells=_n_cells)


class MissingCounter:
    """Rows with a value, and without."""

    def __init__(self) -> None:
        self.counts: Counts = np.zeros(2, dtype=np.int64)

    def add(self, array: pa.Array) -> None:
        """Take a batch."""
        n_missing = int(pc.sum(pc.is_null(array, nan_is_null=True)).as_py() or 0)
        self.counts += (len(array) - n_missing, n_missing)

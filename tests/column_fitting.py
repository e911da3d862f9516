"""What the tests of column encoders share: fit one column, and the law of its round trip."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa

from synthgan.tables.columns import encoder_class
from synthgan.tables.columns.protocol import FitRules
from synthgan.tables.schema.schema import ColumnSchema, TableSchema
from synthgan.tables.statistics.statistics import ExactStatistics

EDGES = np.array([0.0, 0.25, 0.5, 0.75, np.nextafter(np.float32(1), np.float32(0))], dtype=np.float32)


def statistics_of(array: pa.Array, column: ColumnSchema) -> ExactStatistics:
    """Exact statistics of one column, collected over several batches."""
    batches = pa.table({column.name: array}).to_batches(max_chunksize=max(97, len(array) // 4))
    return ExactStatistics.collect(batches, TableSchema(columns=(column,)))


def fit_column(
    array: pa.Array,
    kind: Any,
    *,
    n_bins: int = 10,
    max_levels: int = 256,
    min_count: int = 10,
    protect_values: bool = True,
    **facts: Any,
) -> Any:
    """An encoder for a column called x."""
    values = array.type.value_type if isinstance(array.type, pa.DictionaryType) else array.type
    column = ColumnSchema(name="x", kind=kind, arrow_type=str(values), **facts)
    rules = FitRules(n_bins=n_bins, max_levels=max_levels, min_count=min_count, protect_values=protect_values)
    return encoder_class(column).fit(column, statistics_of(array, column), rules)


def check_round_trip(encoder: Any, array: pa.Array) -> pa.Array:
    """The law of the round trip; returns the decoded column.

    Codes are in range and decode to values of the column's type with the same codes; this holds for the table's own
    rows and for every code at any position. Writing the encoder to JSON and back changes nothing.
    """
    rng = np.random.default_rng(0)
    n_levels = len(encoder.facts.marginal)
    assert abs(encoder.facts.marginal.sum() - 1) < 1e-9
    codes, positions = encoder.encode(array, rng)
    assert ((codes >= 0) & (codes < n_levels)).all()
    assert (positions is not None) == bool(encoder.facts.is_bin.any())
    decoded = encoder.decoder(rng).decode(codes, positions)
    assert decoded.type == (array.type.value_type if isinstance(array.type, pa.DictionaryType) else array.type)
    np.testing.assert_array_equal(encoder.encode(decoded, rng)[0], codes)

    every_code = np.repeat(np.arange(n_levels), len(EDGES) + 5)
    anywhere = np.concatenate([np.concatenate((EDGES, rng.random(5))) for _ in range(n_levels)])
    generated = encoder.decoder(rng).decode(every_code, anywhere if positions is not None else None)
    np.testing.assert_array_equal(encoder.encode(generated, rng)[0], every_code)

    content = json.loads(json.dumps(encoder.to_json(), allow_nan=False))
    again = type(encoder).from_json(content)
    assert again.to_json() == encoder.to_json()
    repeated = again.decoder(rng).decode(every_code, anywhere if positions is not None else None)
    assert repeated.equals(generated)
    assert str(repeated.type) == str(decoded.type)
    return decoded

"""Door 1: exact counts from batches, in bounded memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthgan.errors import DataError
from synthgan.tables.schema.schema import ColumnSchema, TableSchema
from synthgan.tables.statistics import formats, histogram, level_counts
from synthgan.tables.statistics.statistics import ColumnStatistics, ExactStatistics


def collect(array: pa.Array, kind: Any, batch_rows: int = 7) -> ExactStatistics:
    values = array.type.value_type if isinstance(array.type, pa.DictionaryType) else array.type
    schema = TableSchema(columns=(ColumnSchema(name="x", kind=kind, arrow_type=str(values)),))
    return ExactStatistics.collect(pa.table({"x": array}).to_batches(max_chunksize=batch_rows), schema)


def test_levels_are_counted_and_ordered() -> None:
    counts = collect(pa.array(["b", None, "a", "b", "c", "a", "b", None, None]), "categorical", 4).levels("x")
    assert counts.values.to_pylist() == ["b", "a", "c"]
    assert counts.counts.tolist() == [3, 2, 1]
    assert (counts.n_missing, counts.n_unlisted) == (3, 0)


def test_dictionary_encoded_batches_with_different_dictionaries() -> None:
    parts = [pa.array(["a", "b"]).dictionary_encode(), pa.array(["b", None, "c"]).dictionary_encode()]
    batches = [pa.record_batch({"x": part}) for part in parts]
    schema = TableSchema(columns=(ColumnSchema(name="x", kind="categorical", arrow_type="string"),))
    counts = ExactStatistics.collect(batches, schema).levels("x")
    assert dict(zip(counts.values.to_pylist(), counts.counts.tolist(), strict=True)) == {"b": 2, "a": 1, "c": 1}
    assert counts.n_missing == 1


def test_nan_counts_as_missing() -> None:
    assert collect(pa.array([1.0, float("nan"), None]), "categorical").levels("x").n_missing == 2
    assert collect(pa.array([1.0, float("nan"), None]), "float").histogram("x").n_missing == 2


@settings(max_examples=100, deadline=None)
@given(
    values=st.lists(st.one_of(st.none(), st.integers(-30, 30)), min_size=1, max_size=60),
    batch_rows=st.integers(1, 70),
)
def test_histogram_counts_every_value_once(values: list[int | None], batch_rows: int) -> None:
    found = collect(pa.array(values, type=pa.int64()), "integer", batch_rows).histogram("x")
    present = [value for value in values if value is not None]
    assert found.axis.write(found.lower, None).to_pylist() == sorted(set(present))
    assert found.counts.tolist() == [present.count(value) for value in sorted(set(present))]
    assert found.n_missing == values.count(None)
    assert found.rows_per_observation == 1
    np.testing.assert_array_equal(found.lower, found.upper)


def test_rounding_noise_of_a_grid_is_one_value() -> None:
    found = collect(pa.array([0.3, 0.1 + 0.2, 0.3, 0.5]), "float").histogram("x")
    assert found.lower.tolist() == [3, 5]
    assert found.counts.tolist() == [3, 1]


def test_a_later_batch_can_refine_the_grid() -> None:
    found = collect(pa.array([10.0, 20.0, 30.0, 2.5, 0.25]), "float", 2).histogram("x")
    assert found.axis.granularity == 0.25
    assert found.lower.tolist() == [1, 10, 40, 80, 120]


def test_infinities_are_counted_apart() -> None:
    found = collect(pa.array([1.0, np.inf, -np.inf, np.inf, None]), "float").histogram("x")
    assert (found.n_positive_infinite, found.n_negative_infinite, found.n_missing) == (2, 1, 1)
    assert found.lower.tolist() == [1]


def test_many_distinct_values_become_a_uniform_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histogram, "MAX_DISTINCT", 200)
    monkeypatch.setattr(histogram, "SAMPLE_ROWS", 5000)
    rng = np.random.default_rng(0)
    # In rising order, so that a sample that favours early or late batches shows.
    values = np.sort(np.append(rng.normal(size=60_000), np.full(40_000, 0.125)))
    array = pa.array(np.append(values, [np.nan] * 10))
    found = collect(array, "float", 1000).histogram("x")
    assert found.n_missing == 10
    assert found.counts.sum() == pytest.approx(100_000)
    assert found.rows_per_observation == pytest.approx(20)
    assert len(found.lower) <= 5000
    heavy = found.counts[found.lower == 0.125]
    assert heavy[0] == pytest.approx(40_000, rel=0.1)
    share_below = np.cumsum(found.counts) / found.counts.sum()
    real = np.searchsorted(values, found.lower, side="right") / 100_000
    assert np.abs(share_below - real).max() < 0.03
    again = collect(array, "float", 1000).histogram("x")
    np.testing.assert_array_equal(found.lower, again.lower)


def test_the_sample_keeps_exact_grids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histogram, "MAX_DISTINCT", 50)
    monkeypatch.setattr(histogram, "SAMPLE_ROWS", 100)
    values = np.arange(0, 40_000, 4)
    values[-1] += 2  # one value off the grid of the others, in the last batch
    assert collect(pa.array(values), "integer", 500).histogram("x").axis.step == 2


def test_many_levels_are_listed_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(level_counts, "MAX_LISTED_LEVELS", 20)
    values = [f"v{i}" for i in range(100)] + ["heavy"] * 50
    counts = collect(pa.array(values), "categorical", 10).levels("x")
    assert counts.values[0].as_py() == "heavy"
    assert counts.counts[0] == 50
    assert len(counts.values) <= 20
    assert counts.counts.sum() + counts.n_unlisted == 150


def test_formats_are_counted_in_full_first_and_then_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "ROWS_IN_FULL", 100)
    monkeypatch.setattr(formats, "ROWS_PER_BATCH", 5)
    values = [f"A{i:03}" if i % 2 else f"{i}-{i}" for i in range(100, 300)] + [None] * 10
    found = collect(pa.array(values), "identifier", 50).templates("x")
    assert (found.n_present, found.n_missing) == (200, 10)
    # 50 of each among the first 100 rows; then rows 0, 12, 24, 36 (even) and 49 (odd) of two batches of 50.
    assert [(form.pattern, form.n_rows) for form in found.formats] == [("999-999", 58), ("A999", 52)]
    assert found.formats[1].fixed == "A\0\0\0"


def test_the_exact_twin_satisfies_the_door() -> None:
    door: ColumnStatistics = collect(pa.array([1, 2]), "integer")
    assert door.provenance == "inferred-exact"
    assert door.n_rows() == 2


def test_no_rows_and_missing_columns_are_refused() -> None:
    schema = TableSchema(columns=(ColumnSchema(name="x", kind="integer", arrow_type="int64"),))
    with pytest.raises(DataError, match="no rows"):
        ExactStatistics.collect([], schema)
    with pytest.raises(DataError, match="no column 'x'"):
        ExactStatistics.collect([pa.record_batch({"y": pa.array([1])})], schema)


def test_a_batch_of_another_type_is_refused_without_its_values() -> None:
    schema = TableSchema(columns=(ColumnSchema(name="x", kind="integer", arrow_type="int64"),))
    with pytest.raises(DataError, match="column 'x' holds string") as caught:
        ExactStatistics.collect([pa.record_batch({"x": pa.array(["secret"])})], schema)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_text_is_never_read() -> None:
    schema = TableSchema(
        columns=(
            ColumnSchema(name="x", kind="integer", arrow_type="int64"),
            ColumnSchema(name="note", kind="text", arrow_type="string"),
        )
    )
    assert ExactStatistics.collect([pa.record_batch({"x": pa.array([1])})], schema).n_rows() == 1

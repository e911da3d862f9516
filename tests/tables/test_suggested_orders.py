"""Orders between columns: the same ones as by looking at each pair, also where there are millions of pairs."""

from __future__ import annotations

import time
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthgan.errors import SynthganWarning
from synthgan.tables import suggested_orders
from synthgan.tables.inference import SAMPLE_ROWS, sample_rows
from synthgan.tables.kinds import Kind
from synthgan.tables.schema.schema import ColumnSchema, Order, TableSchema
from synthgan.tables.suggested_orders import find_orders, without_shortcuts


def schema_of(names: list[str], kind: Kind) -> TableSchema:
    types = {"date": "date32[day]", "integer": "int64"}
    return TableSchema(columns=tuple(ColumnSchema(name=name, kind=kind, arrow_type=types[kind]) for name in names))


def one_by_one(numbers: dict[str, np.ndarray]) -> set[Order]:
    found = set()
    for low, high in permutations(numbers, 2):
        pairs = np.array(
            [(a, b) for a, b in zip(numbers[low], numbers[high], strict=True) if not np.isnan([a, b]).any()]
        )
        if len(pairs) < 30 or (pairs[:, 0] > pairs[:, 1]).any() or not (pairs[:, 0] < pairs[:, 1]).any():
            continue
        shuffled = np.array([(pairs[:, 1] < a).mean() for a in pairs[:, 0]])
        if shuffled.mean() >= 0.02 and shuffled.sum() >= 10:
            found.add(Order(low=low, high=high))
    return found


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(2, 7), st.sampled_from([40, 700]))
def test_the_same_orders_as_one_by_one(seed: int, n_columns: int, n_rows: int) -> None:
    rng = np.random.default_rng(seed)
    steps = rng.integers(-1, 6, (n_rows, n_columns)).clip(rng.integers(-1, 1, n_columns), None)
    values = (rng.integers(0, 30, (n_rows, 1)) + steps.cumsum(axis=1)).astype(float)
    values[rng.random(values.shape) < rng.choice([0, 0.1, 0.9])] = np.nan
    numbers = {f"c{i}": values[:, i] for i in rng.permutation(n_columns)}
    assert set(find_orders(schema_of(list(numbers), "date"), numbers)) == one_by_one(numbers)


def test_amounts_need_names_that_say_so() -> None:
    rng = np.random.default_rng(0)
    base = rng.integers(0, 50, 200).astype(float)
    numbers = {"price_max": base + 3, "price_min": base, "other": base + 1, "from_to": base + 2}
    found = set(find_orders(schema_of(list(numbers), "integer"), numbers))
    assert found == {
        Order(low="price_min", high="price_max"),
        Order(low="price_min", high="other"),
        Order(low="other", high="price_max"),
    }


def test_thousands_of_columns_take_seconds() -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 500, (60, 3_000)).astype(float)
    values[:, 17] = values[:, 5] + rng.integers(0, 40, 60)
    numbers = {f"c{i}": values[:, i] for i in range(3_000)}
    began = time.process_time()
    found = find_orders(schema_of(list(numbers), "date"), numbers)
    assert time.process_time() - began < 10
    assert Order(low="c5", high="c17") in found


def test_more_pairs_than_can_be_confirmed_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suggested_orders, "_MOST_CONFIRMED", 5)
    base = np.random.default_rng(0).integers(0, 50, 100).astype(float)
    numbers = {f"c{i}": base + i for i in range(6)}
    with pytest.warns(SynthganWarning, match="the first 5 were looked at"):
        found = find_orders(schema_of(list(numbers), "date"), numbers)
    assert len(found) == 5


def test_shortcuts_go() -> None:
    orders = [Order(low=low, high=high) for low, high in ("ab", "ac", "bc", "ad", "bd", "cd")]
    kept = [rule for rule, _ in without_shortcuts([(order, "") for order in orders])]
    assert kept == [Order(low=low, high=high) for low, high in ("ab", "bc", "cd")]


def test_a_sample_of_a_wide_table_fits_into_memory() -> None:
    assert sample_rows(1) == sample_rows(100) == SAMPLE_ROWS
    assert sample_rows(10_000) == 2_000
    assert sample_rows(10**9) == 1_000

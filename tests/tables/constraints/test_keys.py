"""Unique keys: made up anew, unique through a whole sampling session."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthgan.errors import ConditionError, DataError
from synthgan.tables.conditions.predicates import Between, Equals
from synthgan.tables.constraints import (
    reparametrise,
)
from synthgan.tables.constraints.counters import GroupCounter, hash_rows
from synthgan.tables.schema.schema import Bounds, UniqueKey
from tests.constraint_tables import column, rng, schema, table


def test_a_single_key_becomes_an_identifier():
    of = schema([UniqueKey(columns=("id",))], id="int64", x="int64")
    rules = reparametrise(of)
    assert [each.kind for each in rules.internal.columns] == ["identifier", "integer"]
    rows = table(of, id=[7, 8], x=[1, 1])
    assert rules.forward(rows).equals(rows)
    assert rules.backward(rows, rules.start(rng())).equals(rows)
    with pytest.raises(ConditionError, match="'id' is part of a unique key"):
        rules.conditions({"id": Equals(7)})


def test_the_last_column_of_a_key_is_numbered_in_its_group():
    of = schema([UniqueKey(columns=("order", "shop", "line"))], line="int8", order="int64", shop="string", x="int64")
    rules = reparametrise(of)
    assert rules.internal.names == ("order", "shop", "x")
    assert rules.derived == {"line": ()}
    state = rules.start(rng())
    first = pa.table({"order": [1, 1, 2, None, 1, None], "shop": ["a", "a", "a", "b", None, "b"], "x": range(6)})
    assert rules.backward(first, state).column("line").to_pylist() == [1, 2, 1, 1, 1, 2]
    second = pa.table({"order": [3, 2, 1], "shop": ["a", "a", "a"], "x": range(3)})
    back = rules.backward(second, state)
    assert back.column("line").to_pylist() == [1, 2, 3]
    assert str(back.column("line").type) == "int8"
    assert rules.backward(second, rules.start(rng())).column("line").to_pylist() == [1, 1, 1]
    with pytest.raises(ConditionError, match="'line' is part of a unique key"):
        rules.conditions({"line": Between(1, 2)})
    with pytest.raises(DataError, match=r"'line' \(int8\) cannot number"):
        rules.backward(pa.table({"order": [1] * 126, "shop": ["a"] * 126, "x": range(126)}), state)


def test_numbers_start_at_the_declared_bound():
    of = schema(
        [UniqueKey(columns=("order", "line"))], order="int64", line=column("line", "int64", bounds=Bounds(lower=0))
    )
    rules = reparametrise(of)
    assert rules.backward(pa.table({"order": [5, 5]}), rules.start(rng())).column("line").to_pylist() == [0, 1]


@settings(deadline=None)
@given(
    st.lists(
        st.lists(
            st.tuples(st.one_of(st.none(), st.integers(0, 3)), st.sampled_from([0.0, -0.0, 1.5, None])), max_size=20
        ),
        max_size=4,
    )
)
def test_keys_are_unique_over_all_batches(batches):
    of = schema([UniqueKey(columns=("a", "b", "n"))], a="int64", b="double", n="int64")
    rules = reparametrise(of)
    state = rules.start(rng())
    made = [
        rules.backward(
            pa.table(
                {
                    "a": pa.array([row[0] for row in rows], pa.int64()),
                    "b": pa.array([row[1] for row in rows], pa.float64()),
                }
            ),
            state,
        ).to_pandas()
        for rows in batches
    ]
    frame = pd.concat(made) if made else pd.DataFrame({"a": []})
    assert not frame.duplicated().any()
    if len(frame):
        assert (
            frame.groupby(["a", "b"], dropna=False)["n"].agg(["min", "size", "max"]).eval("min == 1 and size == max")
        ).all()


def test_hashes_tell_rows_apart():
    ints = pa.array(range(20_000))
    both = hash_rows([ints, pa.array(range(20_000, 0, -1))])
    assert len(np.unique(both)) == 20_000
    assert hash_rows([pa.array([1, 2]), pa.array([2, 1])])[0] != hash_rows([pa.array([2, 1]), pa.array([1, 2])])[0]
    assert (
        hash_rows([pa.array(["x", None])]).tolist() == hash_rows([pa.array(["x", None]).dictionary_encode()]).tolist()
    )
    counter = GroupCounter()
    assert counter.number(np.array([3, 1, 3], dtype=np.uint64)).tolist() == [0, 0, 1]
    assert counter.number(np.array([2, 3, 2, 2**64 - 1], dtype=np.uint64)).tolist() == [0, 2, 1, 0]
    assert counter.number(np.array([], dtype=np.uint64)).tolist() == []

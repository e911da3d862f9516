"""Constraints together: what is refused, tables that break them, and a real table that keeps them."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from synthgan.errors import DataError, SchemaError
from synthgan.tables.conditions.predicates import Equals, Missing, parse_conditions
from synthgan.tables.constraints import (
    ViolationCounter,
    describe,
    grid_columns,
    reparametrise,
)
from synthgan.tables.schema.schema import Bounds, Combinations, Order, Sum, TableSchema, UniqueKey
from tests.constraint_tables import broken, column, mixed_rows, random_internal, rng, schema, table, there_and_back


def test_all_kinds_together():
    of = schema(
        [
            Order(low="start", high="stop"),
            Sum(total="total", parts=("x", "y")),
            Combinations(columns=("p", "q")),
            UniqueKey(columns=("p", "n")),
            Order(low="x", high="z"),
            Order(low="total", high="cap"),
        ],
        start="timestamp[us]",
        stop="timestamp[us]",
        x="double",
        y="double",
        total="double",
        z="double",
        cap="double",
        p="string",
        q="string",
        n="int64",
    )
    rows = table(
        of,
        start=[1, 2, None],
        stop=[1, 5, 3],
        x=[0.1, 0.2, None],
        y=[0.2, 0.3, 1.0],
        total=[0.3, 0.5, 9.0],
        z=[0.1, 7.0, None],
        cap=[0.3, None, 9.5],
        p=["a", "a", "b"],
        q=["u", "v", None],
        n=[1, 2, 1],
    )
    assert broken(of, rows) == 0
    assert there_and_back(of, rows).equals(rows)
    rules = reparametrise(of)
    for seed in range(20):
        state = rules.start(rng())
        back = rules.backward(random_internal(rules, 100, seed), state)
        assert broken(of, back) == 0
        assert not back.to_pandas().duplicated(["p", "n"]).any()


def test_without_constraints_nothing_changes():
    of = schema([], a="int64", b=column("b", "string", kind="text", text="drop"))
    rules = reparametrise(of)
    rows = table(of, a=[1], b=["x"])
    assert rules.internal == TableSchema(columns=of.columns)
    assert rules.forward(rows) is rows
    assert rules.backward(rows.drop(["b"]), rules.start(rng())).column_names == ["a"]
    assert rules.conditions({"a": Equals(1)}) == ({"a": Equals(1)}, {})
    assert grid_columns(of) == ()


def test_no_rows():
    of, rows = mixed_rows()
    of = dataclasses.replace(
        of,
        columns=(*of.columns, column("lo", "int64"), column("hi", "int64"), column("n", "int64")),
        constraints=(*of.constraints, Order(low="lo", high="hi"), UniqueKey(columns=("a", "n"))),
    )
    empty = rows.slice(0, 0)
    for name in ("lo", "hi", "n"):
        empty = empty.append_column(name, pa.array([], pa.int64()))
    assert there_and_back(of, empty).equals(empty)


def test_internal_names_never_collide():
    of = schema([Order(low="a", high="b")], **{"a": "int64", "b": "int64", "b - a": "int64", "b - a'": "int64"})
    assert reparametrise(of).internal.names == ("a", "b without a", "b - a''", "b is given", "b - a", "b - a'")


def test_what_only_decoded_rows_can_answer():
    of = schema(
        [Order(low="a", high="b"), Sum(total="t", parts=("a", "c"))], a="int64", b="int64", t="int64", c="int64"
    )
    asked = parse_conditions({"a": (0, 5), "b": 3, "t": None}, of)
    assert reparametrise(of).conditions(asked) == ({"a": asked["a"]}, {"b": Equals(3), "t": Missing()})


A, B = Order(low="a", high="b"), Order(low="b", high="a")


@pytest.mark.parametrize(
    ("constraints", "says"),
    [
        ([Order(low="a", high="day")], r"order 'a' <= 'day' needs two columns that can be compared.*'day' is date"),
        ([Order(low="a", high="s")], "'s' is categorical"),
        ([Order(low="when", high="zoned")], "time zone"),
        ([Order(low="zoned", high="day")], "time zone.*'day' is date"),
        ([Order(low="flag", high="flag2")], "boolean"),
        ([Order(low="nothing", high="nothing2")], "constant"),
        ([A, B], "order 'a' <= 'b' and order 'b' <= 'a' cannot be kept together, because they go in a circle"),
        ([A, Order(low="b", high="c"), Order(low="c", high="a")], "go in a circle"),
        ([Sum(total="a", parts=("f", "b"))], "cannot hold sums of floats"),
        ([Sum(total="money", parts=("fine", "a"))], "coarser step"),
        ([Sum(total="when", parts=("a", "b"))], "needs numbers or timedeltas"),
        ([Sum(total="s", parts=("a", "b"))], "needs numbers or timedeltas"),
        (
            [Sum(total="a", parts=("b",)), Sum(total="a", parts=("c",))],
            r"sum 'a' = 'b' and sum 'a' = 'c' .* both decide column 'a'",
        ),
        ([Sum(total="a", parts=("b",)), Sum(total="b", parts=("a",))], "circle"),
        ([Sum(total="a", parts=("b", "c")), Order(low="b", high="a")], r"order 'b' <= 'a'.*circle"),
        (
            [Sum(total="a", parts=("b",)), Sum(total="c", parts=("d",)), Order(low="a", high="c")],
            "decide the same columns",
        ),
        (
            [Sum(total="a", parts=("b",)), Order(low="d", high="c"), Order(low="c", high="a")],
            "no freedom for column 'c'",
        ),
        ([Combinations(columns=("s", "id"))], "of kind identifier"),
        ([Combinations(columns=("s", "note"))], "of kind text"),
        ([Combinations(columns=("s", "a")), Combinations(columns=("a", "b"))], "both decide column 'a'"),
        ([Combinations(columns=("s", "a")), Sum(total="a", parts=("b",))], "both decide column 'a'"),
        ([Combinations(columns=("a", "b")), A], "decide the same columns"),
        ([UniqueKey(columns=("f",))], "needs whole numbers or text"),
        ([UniqueKey(columns=("a", "s"))], "its last column is numbered"),
        ([UniqueKey(columns=("note", "a"))], "of kind text"),
        ([UniqueKey(columns=("a", "b")), UniqueKey(columns=("c", "b"))], "both decide column 'b'"),
        ([UniqueKey(columns=("a", "b")), UniqueKey(columns=("b", "a"))], "circle"),
        ([UniqueKey(columns=("a", "b")), Combinations(columns=("b", "s"))], "both decide column 'b'"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(constraints, says):
    of = schema(
        constraints,
        a="int64",
        b="int64",
        c="int64",
        d="int64",
        f="double",
        s="string",
        when="timestamp[us]",
        zoned="timestamp[us, tz=Europe/Berlin]",
        day="date32[day]",
        flag="bool",
        flag2="bool",
        nothing="null",
        nothing2="null",
        money="decimal128(10, 2)",
        fine="decimal128(20, 4)",
        id=column("id", "string", kind="identifier"),
        note=column("note", "string", kind="text"),
    )
    with pytest.raises(SchemaError, match=says):
        reparametrise(of)
    with pytest.raises(SchemaError, match=says):
        grid_columns(of)


def test_bounds_that_are_no_values():
    of = schema([A], a="int64", b=column("b", "int64", bounds=Bounds(lower="98765xyz")))
    with pytest.raises(SchemaError, match="a bound of column 'b' is not a value of its type int64") as caught:
        reparametrise(of)
    assert "98765" not in str(caught.value)


def test_a_constant_takes_part_by_its_type():
    of = schema(
        [Sum(total="a", parts=("b", "tolls"))], a="int64", b="int64", tolls=column("tolls", "int64", kind="constant")
    )
    rows = table(of, a=[3, 4], b=[3, 4], tolls=[0, 0])
    assert there_and_back(of, rows).equals(rows)


def test_the_same_constraint_twice_is_one():
    of = schema(
        [A, A, Sum(total="c", parts=("a", "b")), Sum(total="c", parts=("a", "b"))], a="int64", b="int64", c="int64"
    )
    rows = table(of, a=[1], b=[2], c=[3])
    assert there_and_back(of, rows).equals(rows)


# --- Tables that break their constraints ---


@pytest.mark.parametrize(
    ("constraint", "values", "says"),
    [
        (A, {"a": [1, 5, 9, None], "b": [1, 4, 8, 3]}, "2 rows break the declared constraint order 'a' <= 'b'"),
        (A, {"a": [2.5], "b": [2.25]}, "1 row breaks"),
        (Sum(total="a", parts=("b", "c")), {"a": [3, 4, None], "b": [1, 1, 1], "c": [2, 2, 2]}, "1 row breaks"),
        (Sum(total="a", parts=("b", "c")), {"a": [0.3, 0.31], "b": [0.1] * 2, "c": [0.2] * 2}, "1 row breaks"),
        (Sum(total="a", parts=("b", "c")), {"a": [-(2**61)], "b": [2**62], "c": [2**62]}, "1 row breaks"),
        (UniqueKey(columns=("a",)), {"a": [7, 8, 7, 7]}, "2 rows break the declared constraint unique key 'a'"),
        (UniqueKey(columns=("a", "b")), {"a": [7, 8, 7], "b": [1, 1, 1]}, "1 row breaks"),
        (
            UniqueKey(columns=("b", "a")),
            {"a": [7, None, None], "b": [1, 1, 2]},
            "2 rows have no value in the last column",
        ),
    ],
)
def test_rows_that_break_a_constraint_are_counted(constraint, values, says):
    arrays = {name: pa.array(held) for name, held in values.items()}
    of = schema([constraint], **{name: str(held.type) for name, held in arrays.items()})
    counter = ViolationCounter(of)
    for batch in pa.table(arrays).to_batches(max_chunksize=2):
        counter.update(batch)
    with pytest.raises(DataError, match=says) as caught:
        counter.check()
    assert caught.value.exit_code == 3
    assert not any(str(cell) in str(caught.value).split(" constraint")[1] for cell in (7, 8, 9, 0.31, 2.25))


def test_rows_that_break_a_rule_are_bent_to_it():
    of = schema([A], a="int64", b="int64")
    rows = table(of, a=[5], b=[3])
    assert there_and_back(of, rows).to_pydict() == {"a": [5], "b": [5]}


@pytest.mark.parametrize("arrow_type", ["uint64", "decimal128(38, 2)"])
def test_values_beyond_exact_arithmetic_are_refused(arrow_type):
    of = schema([A], a=arrow_type, b=arrow_type)
    rows = table(of, a=[2**63 + 5 if arrow_type == "uint64" else Decimal(10) ** 30], b=[0])
    with pytest.raises(DataError, match="too large for exact arithmetic"):
        reparametrise(of).forward(rows)


def test_names_in_messages():
    assert describe(Sum(total="t", parts=("x", "y"))) == "sum 't' = 'x' + 'y'"
    assert describe(Combinations(columns=("x", "y"))) == "combinations of 'x', 'y'"


ORDER_OF_STEPS = """
from tests.tables.constraints.test_constraints import *
of = schema([Sum(total="t", parts=("x", "y")), Order(low="x", high="z"), Order(low="q", high="z"),
             Combinations(columns=("k", "l")), Combinations(columns=("m", "n")), Order(low="z", high="w")],
            **dict.fromkeys("txyzqw", "int64"), **dict.fromkeys("klmn", "string"))
rules = reparametrise(of)
print([step.makes for step in rules._steps], rules.internal.names)
"""


@pytest.mark.slow
def test_steps_are_the_same_in_every_process():
    runs = {
        subprocess.run(
            [sys.executable, "-c", ORDER_OF_STEPS],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[3],
            env={"PYTHONHASHSEED": str(seed), "PYTHONPATH": "."},
        ).stdout
        for seed in (1, 2, 3)
    }
    assert len(runs) == 1


# --- A real table ---


@pytest.fixture(scope="module")
def taxis(shared_data):
    import pyarrow.parquet as pq

    rows = pq.read_table(shared_data / "nyc_taxis.parquet")
    fees = np.round(
        rows["total"].to_numpy() - rows["fare"].to_numpy() - rows["tip"].to_numpy() - rows["tolls"].to_numpy(), 2
    )
    rows = rows.append_column("fees", pa.array(fees)).replace_schema_metadata(None)
    constraints = [
        Order(low="pickup", high="dropoff"),
        Combinations(columns=("pickup_borough", "pickup_zone")),
        Combinations(columns=("dropoff_borough", "dropoff_zone")),
        Sum(total="total", parts=("fare", "tip", "tolls", "fees")),
    ]
    of = schema(constraints, **{field.name: str(field.type) for field in rows.schema})
    return of, rows


def test_taxis_come_back(taxis):
    of, rows = taxis
    counter = ViolationCounter(of)
    counter.update(rows)
    counter.check()
    back = there_and_back(of, rows)
    for name in rows.column_names:
        if name != "total":
            assert back[name].combine_chunks().equals(rows[name].combine_chunks()), name
    assert np.allclose(back["total"].to_numpy(), rows["total"].to_numpy(), rtol=0, atol=1e-9)
    assert (np.round(back["total"].to_numpy(), 2) == back["total"].to_numpy()).all()


def test_shuffled_taxis_keep_every_rule(taxis):
    """Each internal column shuffled on its own: nothing of the rows is left, the rules are."""
    of, rows = taxis
    rules = reparametrise(of)
    inside = rules.forward(rows)
    draw = np.random.default_rng(1)
    shuffled = pa.table({name: inside[name].take(draw.permutation(len(rows))) for name in inside.column_names})
    frame = rules.backward(shuffled, rules.start(rng())).to_pandas()
    assert (frame["pickup"] <= frame["dropoff"]).all()
    assert frame["dropoff"].notna().all()
    parts = frame[["fare", "tip", "tolls", "fees"]]
    assert np.isclose(parts.sum(axis=1), frame["total"]).all()
    assert (parts.sum(axis=1).round(2) == frame["total"]).all()
    real = rows.to_pandas()
    for end in ("pickup", "dropoff"):
        pair = [f"{end}_borough", f"{end}_zone"]
        allowed = set(
            map(tuple, real[pair].astype(object).where(real[pair].notna(), None).itertuples(index=False, name=None))
        )
        made = set(
            map(tuple, frame[pair].astype(object).where(frame[pair].notna(), None).itertuples(index=False, name=None))
        )
        assert made <= allowed
    plain = [name for name in rows.column_names if name not in ("dropoff", "total")]
    assert frame[plain].isna().sum().tolist() == real[plain].isna().sum().tolist()


def test_taxis_without_the_fees_break_the_sum(taxis):
    of, rows = taxis
    of = dataclasses.replace(of, constraints=(Sum(total="total", parts=("fare", "tip", "tolls")),))
    counter = ViolationCounter(of)
    counter.update(rows)
    with pytest.raises(DataError, match=r"rows break .* sum 'total' = 'fare' \+ 'tip' \+ 'tolls'"):
        counter.check()

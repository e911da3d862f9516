"""Sums: the total is recomputed exactly, whatever the parts are."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from synthgan.errors import SchemaError
from synthgan.tables.arrow_types import parse_type
from synthgan.tables.conditions.predicates import parse_conditions
from synthgan.tables.constraints import (
    reparametrise,
)
from synthgan.tables.schema.schema import Bounds, Order, Sum
from tests.constraint_tables import array, broken, cells, column, random_internal, rng, schema, table, there_and_back


def test_a_sum_by_hand():
    of = schema([Sum(total="t", parts=("x", "y"))], x="double", t="double", y="double")
    rows = table(of, x=[0.1, 1.0, None, None], t=[0.3, None, 7.5, None], y=[0.2, 2.0, 1.0, None])
    rules = reparametrise(of)
    assert rules.internal.names == ("x", "t without all parts", "t is given", "y")
    assert rules.internal["t is given"].kind == "boolean"
    inside = rules.forward(rows)
    assert inside.to_pydict() == {
        "x": [0.1, 1.0, None, None],
        "t without all parts": [None, None, 7.5, None],
        "t is given": [True, False, True, False],
        "y": [0.2, 2.0, 1.0, None],
    }
    assert rules.backward(inside, rules.start(rng())).equals(rows)
    assert (rules.derived, rules.composites) == ({"t": ("t without all parts", "t is given")}, ())


@pytest.mark.parametrize(
    ("total", "x", "y"),
    [
        ("int64", "int64", "int8"),
        ("double", "double", "int64"),
        ("float", "float", "double"),
        ("double", "float", "float"),
        ("decimal128(20, 4)", "decimal128(10, 2)", "int64"),
        ("double", "decimal128(10, 2)", "double"),
        ("duration[ns]", "duration[s]", "duration[ns]"),
        ("uint64", "uint8", "uint64"),
    ],
)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_sums_hold_and_come_back(total, x, y, data):
    of = schema([Sum(total="t", parts=("x", "y"))], t=total, x=x, y=y)
    row = st.tuples(cells(x, infinite=False), cells(y, infinite=False), st.booleans())
    rows = data.draw(st.lists(row, min_size=1, max_size=6))
    xs, ys = array([row[0] for row in rows], x), array([row[1] for row in rows], y)
    rules = reparametrise(of)
    inside = pa.table(
        {
            "t without all parts": pa.nulls(len(rows), parse_type(total)),
            "t is given": [row[2] for row in rows],
            "x": xs,
            "y": ys,
        }
    )
    back = rules.backward(inside, rules.start(rng()))
    assert back.column("t").is_valid().to_pylist() == [row[2] for row in rows]
    for (left, right, given_total), found in zip(rows, back.column("t").to_pylist(), strict=True):
        if None in (left, right) or not given_total:
            continue
        if "double" in (total, x) or "float" in (total, x):
            assert np.isclose(float(left) + float(right), found)
            # The nearest number to the exact decimal sum, not to the sum of two nearest numbers.
            printed = float(round(Decimal(str(left)) + Decimal(str(right)), 9))
            assert found == (np.float32(printed) if total == "float" else printed)
    if "double" not in (total, x) and "float" not in (total, x):
        complete = pc.and_(pc.is_valid(back["t"]), pc.and_(pc.is_valid(back["x"]), pc.is_valid(back["y"])))
        present = back.filter(complete).to_pydict()
        assert [left + right for left, right in zip(present["x"], present["y"], strict=True)] == present["t"]
    assert broken(of, back) == 0
    assert there_and_back(of, back).equals(back)


@pytest.mark.parametrize(
    ("total", "part", "present", "nearest"),
    [
        ("int8", "int16", [[32_767, -32_768, 5], [0, 0, 0]], [127, -128, 5]),
        ("int64", "int64", [[2**62, -(2**62)], [2**62 + 7, -(2**62) - 7]], [2**63 - 1, -(2**63)]),
    ],
)
def test_a_total_without_all_parts_is_given_although_no_part_fits_it(total, part, present, nearest):
    of = schema([Sum(total="t", parts=("x", "y", "z"))], t=total, x=total, y=part, z=part)
    rules = reparametrise(of)
    n = len(present[0])
    inside = pa.table(
        {
            "t without all parts": pa.nulls(n, parse_type(total)),
            "t is given": [True] * n,
            "x": pa.nulls(n, parse_type(total)),
            "y": pa.array(present[0], parse_type(part)),
            "z": pa.array(present[1], parse_type(part)),
        }
    )
    made = rules.backward(inside, rules.start(rng())).column("t").to_pylist()
    assert made == pytest.approx(nearest, rel=2e-3)  # near the ends of 64 bits a scale keeps some distance


@settings(deadline=None)
@example(["int8", "int8", "int16"], 181_208)
@given(
    st.sampled_from(
        [
            ["int8", "int8", "int16"],
            ["uint8", "int8", "uint8"],
            ["int64"] * 3,
            ["float", "double", "double"],
            ["decimal128(10, 2)"] * 3,
            ["duration[s]"] * 3,
        ]
    ),
    st.integers(0, 2**32 - 1),
)
def test_sums_hold_whatever_is_drawn(types, seed):
    of = schema([Sum(total="t", parts=("x", "y"))], t=types[0], x=types[1], y=types[2])
    rules = reparametrise(of)
    inside = random_internal(rules, 50, seed)
    with np.errstate(all="raise"):
        back = rules.backward(inside, rules.start(rng()))
    frame = back.to_pandas()
    ruled = frame.notna().all(axis=1)
    given_total = pd.Series(pc.fill_null(inside["t is given"], False).to_pylist())
    complete = frame[["x", "y"]].notna().all(axis=1)
    if "float" in types:  # infinity minus infinity has no sum
        assert np.isclose(frame["x"] + frame["y"], frame["t"])[ruled].all()
    else:
        assert ruled.tolist() == (complete & given_total).tolist()
        assert frame["t"].notna().tolist() == given_total.tolist()
        wide = frame if "decimal" in types[0] or "duration" in types[0] else frame.astype("Int64")
        assert (wide["x"] + wide["y"] == wide["t"])[ruled].all()


def test_bounds_of_a_total_are_kept_by_its_parts():
    of = schema(
        [Sum(total="t", parts=("x", "y")), Order(low="y", high="z")],
        t=column("t", "double", bounds=Bounds(lower=0, upper=10)),
        x="double",
        y="double",
        z="double",
    )
    rules = reparametrise(of)
    inside = pa.table(
        {
            "t without all parts": pa.nulls(3, pa.float64()),
            "t is given": [True] * 3,
            "x": [8.37, 1.0, -5.0],
            "y": [4.0, 2.0, 4.5],
            "z without y": pa.nulls(3, pa.float64()),
            "z - y": [0.0] * 3,
        }
    )
    back = rules.backward(inside, rules.start(rng())).to_pydict()
    assert back["y"] == [4.0, 2.0, 4.5]
    assert back["t"] == [10.0, 3.0, 0.0]
    assert back["x"] == [6.0, 1.0, -4.5]
    asked = parse_conditions({"x": (0, 9), "y": (0, 9)}, of)
    assert rules.conditions(asked) == (asked, {"x": asked["x"]})
    with pytest.raises(SchemaError, match="no room for sum"):
        reparametrise(
            schema(
                [Sum(total="t", parts=("x",))],
                t=column("t", "int64", bounds=Bounds(upper=1)),
                x=column("x", "int64", bounds=Bounds(lower=2)),
            )
        )


def test_parts_move_in_their_own_steps():
    of = schema(
        [Sum(total="t", parts=("x", "y"))],
        t=column("t", "int64", bounds=Bounds(upper=100)),
        x=column("x", "int64", granularity=25),
        y="int64",
    )
    inside = pa.table({"t without all parts": pa.nulls(1, pa.int64()), "t is given": [True], "x": [75], "y": [30]})
    rules = reparametrise(of)
    assert rules.backward(inside, rules.start(rng())).to_pydict() == {"t": [80], "x": [50], "y": [30]}


def test_without_a_free_part_an_impossible_total_is_empty():
    of = schema(
        [Sum(total="t", parts=("x",)), Order(low="x", high="y")],
        t=column("t", "int64", bounds=Bounds(upper=100)),
        x="int64",
        y="int64",
    )
    inside = pa.table(
        {
            "t without all parts": pa.nulls(2, pa.int64()),
            "t is given": [True] * 2,
            "x": [101, 100],
            "y without x": pa.nulls(2, pa.int64()),
            "y - x": [0, 0],
        }
    )
    rules = reparametrise(of)
    assert rules.backward(inside, rules.start(rng())).to_pydict() == {
        "t": [None, 100],
        "x": [101, 100],
        "y": [101, 100],
    }


def test_totals_of_totals():
    of = schema(
        [Sum(total="a", parts=("b", "c")), Sum(total="c", parts=("d", "e"))],
        a="int64",
        b="int64",
        c="int64",
        d="int64",
        e="int64",
    )
    rows = table(of, a=[6, None], b=[1, 1], c=[5, 5], d=[2, 2], e=[3, 3])
    assert there_and_back(of, rows).equals(rows)
    assert reparametrise(of).internal.names == (
        "a without all parts",
        "a is given",
        "b",
        "c without all parts",
        "c is given",
        "d",
        "e",
    )

"""Combinations: columns joined, split again, and protected ones replaced."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from synthgan.tables.conditions.composites import join_columns, split_texts
from synthgan.tables.conditions.predicates import AnyOf, Equals, Members, Missing, matches, parse_conditions
from synthgan.tables.constraints import (
    reparametrise,
)
from synthgan.tables.schema.schema import Combinations
from tests.constraint_tables import mixed_rows, rng, schema, there_and_back


def test_every_type_combines_and_comes_back():
    of, rows = mixed_rows()
    inside = reparametrise(of).forward(rows)
    assert inside.column_names == ["a & b & c & d & e & f & g & h & i"]
    assert inside.column(0).to_pylist()[1] == "[" + ", ".join(["null"] * 9) + "]"
    assert there_and_back(of, rows).equals(rows)


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.one_of(st.none(), st.text(max_size=3))] * 3), max_size=8))
def test_text_combinations_come_back(rows):
    columns = [pa.array([row[place] for row in rows], pa.string()) for place in range(3)]
    joined = join_columns(columns)
    back, known = split_texts(joined, [pa.string()] * 3)
    assert back == columns
    assert known.all()
    assert len(joined.dictionary) == len(set(rows))


def borough_rules():
    of = schema([Combinations(columns=("borough", "zone"))], borough="string", zone="string", fare="int64")
    return of, reparametrise(of)


QUEENS, BRONX = '["Queens", "Astoria"]', '["Bronx", null]'


def test_protected_combinations_become_common_ones():
    _, rules = borough_rules()
    assert rules.composites == ("borough & zone",)
    inside = pa.table(
        {"borough & zone": ["<other>"] * 1000 + [None, "[]", "[1, 2]", "[broken", QUEENS], "fare": [1] * 1005}
    )
    kept = {"borough & zone": (pa.array([QUEENS, BRONX, "<other>"]), np.array([0.3, 0.1, 0.6]))}
    back = rules.backward(inside, rules.start(rng(), combinations=kept)).to_pydict()
    pairs = list(zip(back["borough"], back["zone"], strict=True))
    assert set(pairs) == {("Queens", "Astoria"), ("Bronx", None)}
    assert pairs[-1] == ("Queens", "Astoria")
    assert 700 < pairs.count(("Queens", "Astoria")) < 800  # three in four
    again = rules.backward(inside, rules.start(rng(), combinations=kept)).to_pydict()
    assert back == again


def test_stand_ins_from_the_batch_or_none_at_all():
    _, rules = borough_rules()
    inside = pa.table({"borough & zone": ["<other>", QUEENS, None], "fare": [1, 2, 3]})
    assert rules.backward(inside, rules.start(rng())).column("borough").to_pylist() == ["Queens"] * 3
    alone = pa.table({"borough & zone": ["<other>"], "fare": [1]})
    nothing = {"borough & zone": (pa.array(["<other>"]), np.array([1.0]))}
    for combinations in (None, nothing):
        back = rules.backward(alone, rules.start(rng(), combinations=combinations))
        assert back.to_pydict() == {"borough": ["<other>"], "zone": ["<other>"], "fare": [1]}


def test_conditions_on_members_of_a_combination():
    of, rules = borough_rules()
    asked = parse_conditions({"borough": ["Queens", "Bronx"], "zone": None, "fare": 3}, of)
    direct, residual = rules.conditions(asked)
    assert residual == {}
    assert direct["fare"] == Equals(3)
    composite = direct["borough & zone"]
    assert composite == Members((pa.string(), pa.string()), ((0, AnyOf(("Queens", "Bronx"))), (1, Missing())))
    levels = pa.array([QUEENS, BRONX, '["Bronx", "Riverdale"]', "<other>", None])
    assert matches(composite, levels).tolist() == [False, True, False, False, False]
    assert matches(composite, levels.dictionary_encode()).tolist() == [False, True, False, False, False]

"""Conditions against rules: what no row can meet is refused at once."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import numpy as np
import pandas as pd
import pytest

from synthgan.errors import ConditionError
from synthgan.tables.codec import TableCodec
from synthgan.tables.conditions.predicates import parse_conditions
from synthgan.tables.inference import infer_schema
from synthgan.tables.sources.open import open_source

RULES = [
    {"rule": "order", "low": "low", "high": "middle"},
    {"rule": "order", "low": "middle", "high": "high"},
    {"rule": "sum", "total": "total", "parts": ["fare", "tip"]},
    {"rule": "order", "low": "day", "high": "stamp"},
]


@pytest.fixture(scope="module")
def codec() -> TableCodec:
    rng = np.random.default_rng(0)
    low = rng.integers(10, 60, 400)
    middle = pd.Series(low + rng.integers(0, 9, 400), dtype="float64")
    middle[::7] = np.nan
    fare, tip = rng.integers(100, 900, 400) / 100, rng.integers(0, 300, 400) / 100
    day = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, 400), unit="D")
    frame = pd.DataFrame(
        {
            "low": low,
            "middle": middle,
            "high": low + rng.integers(9, 30, 400),
            "fare": fare,
            "tip": tip,
            "total": np.round(fare + tip, 2),
            "day": day.date,
            "stamp": day + pd.to_timedelta(rng.integers(0, 80, 400), unit="h"),
        }
    )
    source = open_source(frame)
    return TableCodec.fit(source, infer_schema(source, declared={"constraints": RULES}))


@pytest.mark.parametrize(
    ("asked", "rule"),
    [
        ({"low": 40, "high": 30}, "order 'low' <= 'high'"),  # it follows from two, and the middle may be missing
        ({"low": (50, None), "middle": (None, 20)}, "order 'low' <= 'middle'"),
        ({"middle": [30.5, 40], "high": [12, 30]}, "order 'middle' <= 'high'"),
        ({"high": (None, 5)}, "order 'low' <= 'high'"),  # all lows are above
        ({"fare": 5.1, "tip": 0.2, "total": 5.4}, "sum 'total' = 'fare' + 'tip'"),
        ({"fare": (5, 6), "tip": (1, 2), "total": (9, None)}, "sum 'total' = 'fare' + 'tip'"),
        ({"day": dt.date(2024, 6, 2), "stamp": (None, "2024-06-01T23:59")}, "order 'day' <= 'stamp'"),
    ],
)
def test_a_condition_against_a_rule_is_refused_by_its_name(codec: TableCodec, asked: dict[str, Any], rule: str) -> None:
    started = time.process_time()
    with pytest.raises(ConditionError) as error:
        codec.compile_conditions(parse_conditions(asked, codec.schema))
    assert time.process_time() - started < 5
    assert f"contradict the rule {rule}, so no row can meet them" in str(error.value)


@pytest.mark.parametrize(
    "asked",
    [
        {"low": 30, "high": 39},
        {"low": 40, "middle": None, "high": 60},
        {"middle": [12.0, None], "low": 40},
        {"fare": 5.1, "tip": 0.2, "total": 5.3},
        {"fare": (5, 6), "tip": (1, 2), "total": (6, None)},
        {"day": dt.date(2024, 6, 2), "stamp": "2024-06-02T00:00"},
        {"total": (None, 99)},
    ],
)
def test_a_condition_that_a_row_can_meet_is_taken(codec: TableCodec, asked: dict[str, Any]) -> None:
    codec.compile_conditions(parse_conditions(asked, codec.schema))

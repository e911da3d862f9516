"""Conditions on real tables: one column, several, ranges, missing values, rare ones; every row meets them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from synthgan import Synthesizer, SynthganWarning
from synthgan.datasets import load_adult

pytestmark = pytest.mark.slow

N_ROWS = 3000

Conditions = dict[str, Any]
Check = Callable[[pd.DataFrame], "pd.Series[bool]"]


def fit(table: pd.DataFrame, target: str, n_steps: int) -> Synthesizer:
    return Synthesizer(target=target, max_steps=n_steps, device="cpu", random_state=0, progress="off").fit(table)


@pytest.fixture(scope="module")
def adult_model() -> Synthesizer:
    return fit(load_adult("train"), "income", 200)


@pytest.fixture(scope="module")
def hotel_model(shared_data: Path) -> Synthesizer:
    return fit(pd.read_parquet(shared_data / "hotel_bookings.parquet"), "is_canceled", 40)


@pytest.fixture(scope="module")
def taxi_model(shared_data: Path) -> Synthesizer:
    rules = [
        {"rule": "order", "low": "pickup", "high": "dropoff"},
        {"rule": "combinations", "columns": ["pickup_borough", "pickup_zone"]},
    ]
    table = pd.read_parquet(shared_data / "nyc_taxis.parquet")
    return Synthesizer(schema={"constraints": rules}, max_steps=20, device="cpu", random_state=0, progress="off").fit(
        table
    )


def check(model: Synthesizer, conditions: Conditions, is_met: Check) -> None:
    """Sample under the conditions and look at every row."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SynthganWarning)  # a barely trained model says so of rare conditions
        rows = model.sample(N_ROWS, conditions=conditions, random_state=1)
    assert len(rows) == N_ROWS
    assert is_met(rows).all()
    assert list(rows.columns) == list(model.feature_names_in_)
    free = [name for name in rows.columns if name not in conditions]
    assert (rows[free].nunique() > 1).any()


ADULT: dict[str, tuple[Conditions, Check]] = {
    "one column": ({"income": ">50K"}, lambda t: t["income"] == ">50K"),
    "two columns": (
        {"sex": "Female", "education": ["Masters", "Doctorate"]},
        lambda t: (t["sex"] == "Female") & t["education"].isin(["Masters", "Doctorate"]),
    ),
    "four columns": (
        {"income": ">50K", "sex": "Female", "marital-status": "Divorced", "age": (40, 60)},
        lambda t: (
            (t["income"] == ">50K")
            & (t["sex"] == "Female")
            & (t["marital-status"] == "Divorced")
            & t["age"].between(40, 60)
        ),
    ),
    "range": ({"age": (25, 34)}, lambda t: t["age"].between(25, 34)),
    "range inside bins": ({"fnlwgt": (123_456, 123_999)}, lambda t: t["fnlwgt"].between(123_456, 123_999)),
    "open range": ({"capital-gain": (1, None)}, lambda t: t["capital-gain"] >= 1),
    "one number": ({"fnlwgt": 150_001}, lambda t: t["fnlwgt"] == 150_001),
    "missing": ({"workclass": None}, lambda t: t["workclass"].isna()),
    "missing or a value": (
        {"occupation": ["Sales", None]},
        lambda t: t["occupation"].isna() | (t["occupation"] == "Sales"),
    ),
    "rare": (
        {"native-country": "Cuba", "education": "Doctorate", "hours-per-week": (60, None)},
        lambda t: (t["native-country"] == "Cuba") & (t["education"] == "Doctorate") & (t["hours-per-week"] >= 60),
    ),
    "against the data": (
        {"relationship": "Husband", "sex": "Female"},
        lambda t: (t["relationship"] == "Husband") & (t["sex"] == "Female"),
    ),
}

HOTEL: dict[str, tuple[Conditions, Check]] = {
    "one column": ({"hotel": "Resort Hotel"}, lambda t: t["hotel"] == "Resort Hotel"),
    "two columns": (
        {"is_canceled": 1, "deposit_type": "Non Refund"},
        lambda t: (t["is_canceled"] == 1) & (t["deposit_type"] == "Non Refund"),
    ),
    "four columns": (
        {"hotel": "City Hotel", "country": ["PRT", "ESP"], "adults": 2, "lead_time": (30, 90)},
        lambda t: (
            (t["hotel"] == "City Hotel")
            & t["country"].isin(["PRT", "ESP"])
            & (t["adults"] == 2)
            & t["lead_time"].between(30, 90)
        ),
    ),
    "range": ({"adr": (100.5, 120.25)}, lambda t: t["adr"].between(100.5, 120.25)),
    "dates": (
        {"reservation_status_date": ("2016-02-29", "2016-03-31")},
        lambda t: t["reservation_status_date"].between("2016-02-29", "2016-03-31"),
    ),
    "missing": ({"company": None, "agent": None}, lambda t: t["company"].isna() & t["agent"].isna()),
    "rare": (
        {"assigned_room_type": "H", "meal": "FB"},
        lambda t: (t["assigned_room_type"] == "H") & (t["meal"] == "FB"),
    ),
}


TAXIS: dict[str, tuple[Conditions, Check]] = {
    "kept side of an order": (
        {"pickup": ("2019-03-05", "2019-03-07")},
        lambda t: t["pickup"].between("2019-03-05", "2019-03-07"),
    ),
    "derived side of an order": (
        {"dropoff": ("2019-03-05", "2019-03-15")},
        lambda t: t["dropoff"].between("2019-03-05", "2019-03-15"),
    ),
    "both sides of an order": (
        {"pickup": (None, "2019-03-10"), "dropoff": ("2019-03-05T12:00", None)},
        lambda t: (t["pickup"] <= "2019-03-10") & (t["dropoff"] >= "2019-03-05T12:00"),
    ),
    "one side of a combination": ({"pickup_borough": "Queens"}, lambda t: t["pickup_borough"] == "Queens"),
    "the other, missing": ({"pickup_zone": None}, lambda t: t["pickup_zone"].isna()),
}


@pytest.mark.parametrize("name", ADULT)
def test_adult(adult_model: Synthesizer, name: str) -> None:
    check(adult_model, *ADULT[name])


@pytest.mark.parametrize("name", HOTEL)
def test_hotel_bookings(hotel_model: Synthesizer, name: str) -> None:
    check(hotel_model, *HOTEL[name])


@pytest.mark.parametrize("name", TAXIS)
def test_nyc_taxis_with_declared_constraints(taxi_model: Synthesizer, name: str) -> None:
    check(taxi_model, *TAXIS[name])
    rows = taxi_model.sample(500, conditions=TAXIS[name][0], random_state=2)
    assert (rows["pickup"] <= rows["dropoff"]).all()


def test_a_frame_of_real_combinations(adult_model: Synthesizer) -> None:
    wanted = load_adult("test")[["workclass", "sex", "income"]].head(400)
    assert wanted["workclass"].isna().any()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SynthganWarning)
        rows = adult_model.sample(conditions=wanted, random_state=1)
    assert rows[["workclass", "sex", "income"]].equals(wanted)


def test_the_condition_changes_the_other_columns(adult_model: Synthesizer) -> None:
    """Even a short fit has an idea that husbands are men and that postgraduates studied for long."""
    husbands = adult_model.sample(N_ROWS, conditions={"relationship": "Husband"}, random_state=1)
    wives = adult_model.sample(N_ROWS, conditions={"relationship": "Wife"}, random_state=1)
    assert (husbands["sex"] == "Male").mean() > (wives["sex"] == "Male").mean() + 0.1
    degrees = adult_model.sample(N_ROWS, conditions={"education": ["Masters", "Doctorate"]}, random_state=1)
    assert degrees["education-num"].mean() > adult_model.sample(N_ROWS)["education-num"].mean() + 0.5

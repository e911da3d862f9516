from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import synthgan
from synthgan import Privacy, SettingsError


def test_defaults() -> None:
    asked = Privacy(1)
    assert (asked.epsilon, asked.delta, asked.unit, asked.rows_per_unit) == (1.0, 1e-5, "row", 1)
    assert asked.neural is None
    assert asked.ledger is None
    assert synthgan.Privacy is Privacy


@pytest.mark.parametrize("epsilon", [0, 0.0, -1, math.nan, math.inf, -math.inf, True, "1", None])
def test_an_epsilon_that_promises_nothing_is_refused(epsilon) -> None:
    with pytest.raises(SettingsError, match="epsilon must be a finite number above 0"):
        Privacy(epsilon)


@pytest.mark.parametrize("delta", [0, 1, -1e-5, 1.5, math.nan, math.inf, True, "1e-5", None])
def test_a_delta_outside_the_open_interval_is_refused(delta) -> None:
    with pytest.raises(SettingsError, match="delta must be a number strictly between 0 and 1"):
        Privacy(1, delta)


@pytest.mark.parametrize("rows", [0, -1, 1.0, 2.5, math.nan, True, "3", None])
def test_rows_per_unit_must_be_a_whole_number_from_1(rows) -> None:
    with pytest.raises(SettingsError, match="rows_per_unit must be a whole number"):
        Privacy(1, unit="person", rows_per_unit=rows)


def test_a_row_is_one_row() -> None:
    assert Privacy(1, unit="person", rows_per_unit=4).rows_per_unit == 4
    with pytest.raises(SettingsError, match="rows_per_unit is 4 but the unit is a row"):
        Privacy(1, rows_per_unit=4)


@pytest.mark.parametrize("unit", ["", None, 3])
def test_the_unit_is_a_name(unit) -> None:
    with pytest.raises(SettingsError, match="unit must be"):
        Privacy(1, unit=unit)


@pytest.mark.parametrize("neural", [-0.1, 1.1, math.nan, True, "0.5"])
def test_the_neural_share_lies_in_the_unit_interval(neural) -> None:
    with pytest.raises(SettingsError, match="neural must be a share"):
        Privacy(1, neural=neural)


def test_numbers_of_any_real_type_are_taken_as_floats() -> None:
    asked = Privacy(np.float32(2), delta=np.float64(1e-6), neural=1, unit="person", rows_per_unit=np.int64(2))
    assert asked == Privacy(2.0, 1e-6, "person", 2, 1.0)
    assert {type(asked.epsilon), type(asked.delta), type(asked.neural)} == {float}


def test_the_ledger_is_a_path() -> None:
    assert Privacy(1, ledger=Path("fits.json")).ledger == Path("fits.json")
    with pytest.raises(SettingsError, match="ledger must be the path"):
        Privacy(1, ledger=3)


def test_warnings_come_in_plain_words() -> None:
    assert Privacy(10, delta=1e-5).warnings_for(99_000) == ()
    (large,) = Privacy(10.5).warnings_for(50_000)
    assert "epsilon 10.5 is above 10" in large
    (outright,) = Privacy(1, delta=1e-5).warnings_for(100_000)
    assert "delta 1e-05 is not below 1 divided by the (noisy) number of rows, about 100000" in outright
    (persons,) = Privacy(1, delta=1e-3, unit="person").warnings_for(2000.4)
    assert "number of persons, about 2000" in persons
    assert len(Privacy(11, delta=0.5).warnings_for(3)) == 2


def test_a_noisy_number_of_rows_may_be_negative() -> None:
    assert Privacy(1, delta=0.5).warnings_for(-4.0) == ()


def test_asking_costs_no_heavy_import() -> None:
    code = "import sys, synthgan; synthgan.Privacy(1); print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "numpy", "opendp", "opacus", "dp_accounting", "scipy"} & set(loaded)

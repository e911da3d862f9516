"""Seeds from whatever scikit-learn accepts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from synthgan import SettingsError
from synthgan.random_state import seed_from


def test_whole_numbers_are_themselves() -> None:
    assert [seed_from(0), seed_from(7)] == [0, 7]
    assert type(seed_from(np.int32(5))) is int  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [np.random.default_rng, np.random.RandomState])
def test_a_generator_supplies_a_seed_and_moves_on(kind: Any) -> None:
    one, other = kind(3), kind(3)
    first = seed_from(one)
    assert first == seed_from(other)
    assert seed_from(one) != first


def test_none_is_fresh_each_time() -> None:
    assert seed_from(None) != seed_from(None)


@pytest.mark.parametrize("value", [-1, True, 1.5, "1"])
def test_anything_else_is_refused(value: Any) -> None:
    with pytest.raises(SettingsError, match="random_state must be a whole number from 0 up"):
        seed_from(value)

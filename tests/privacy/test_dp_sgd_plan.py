"""One plan holds clip, batches, noise, event and adjacency of the private critic."""

from __future__ import annotations

import math

import numpy as np
import pytest

from synthgan.config import DpSgdSettings
from synthgan.errors import SettingsError
from synthgan.privacy.dp_sgd_plan import CriticPlan, DpSgdPlan

DP_SGD = DpSgdPlan(sampling_rate=0.25, noise_multiplier=2.0, max_grad_norm=0.5, n_updates=3)


def test_sums_are_divided_by_what_was_released_alone() -> None:
    plan = CriticPlan(dp_sgd=DP_SGD, settings=DpSgdSettings(), n_rows=80.0)
    assert plan.rows_per_batch == 20.0
    assert plan.event() == DP_SGD.event()
    for n_rows in (3, 5000):
        plan.batches(n_rows, None)
        assert plan.rows_per_batch == 20.0


def test_batches_keep_to_the_rows_of_a_unit() -> None:
    everyone = DpSgdPlan(sampling_rate=1.0, noise_multiplier=2.0, max_grad_norm=0.5, n_updates=3)
    plan = CriticPlan(dp_sgd=everyone, settings=DpSgdSettings(), n_rows=80.0, rows_per_unit=2)
    batch = plan.batches(7, np.array([0, 0, 0, 0, 1, 2, 2])).draw()
    assert batch.shape == (3, 2)
    assert sorted((batch >= 0).sum(1)) == [1, 2, 2]


@pytest.mark.parametrize("n_rows", [0.0, -1.0, math.inf, math.nan])
def test_a_number_of_rows_that_is_none_is_refused(n_rows: float) -> None:
    with pytest.raises(SettingsError, match="n_rows must be a positive finite number"):
        CriticPlan(dp_sgd=DP_SGD, settings=DpSgdSettings(), n_rows=n_rows)

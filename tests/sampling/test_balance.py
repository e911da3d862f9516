"""Augmented tables keep identifiers unique together with the real rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthgan import Synthesizer
from synthgan.errors import ConditionError


@pytest.mark.parametrize("form", ["text", "number"])
def test_fresh_identifiers_differ_from_the_real_ones(form: str) -> None:
    # Two-digit formats leave few identifiers, so that fresh ones coincide with real ones all the time.
    rng = np.random.default_rng(0)
    numbers = np.arange(100, 160)
    table = pd.DataFrame(
        {
            "id": [f"K{n}" for n in numbers] if form == "text" else numbers,
            "status": np.where(np.arange(60) < 40, "open", "shut"),
            "value": rng.normal(size=60).round(2),
        }
    )
    schema = {"columns": {"id": "identifier"}}
    fitted = Synthesizer(max_steps=5, random_state=0, schema=schema, device="cpu", progress="off").fit(table)
    balanced = fitted.augment(table, "status")
    assert balanced["status"].value_counts().tolist() == [40, 40]
    assert balanced["id"].is_unique
    assert balanced["id"].dtype == table["id"].dtype
    pd.testing.assert_frame_equal(balanced.head(60), table)


@pytest.mark.parametrize("ordered", [False, True])
def test_what_a_categorical_of_the_frame_lacks_becomes_missing(ordered: bool) -> None:
    table = pd.DataFrame({"shop": ["north", "south", "south"] * 40, "paid": [True, False, True, True] * 30})
    fitted = Synthesizer(max_steps=20, random_state=0, device="cpu", progress="off").fit(table)
    narrow = pd.CategoricalDtype(["north", "nowhere"], ordered=ordered)
    given = pd.DataFrame({"shop": pd.Categorical(["north"] * 60, dtype=narrow), "paid": [True] * 50 + [False] * 10})
    balanced = fitted.augment(given, "paid", random_state=0)
    assert balanced["shop"].dtype == narrow
    assert balanced["paid"].value_counts().tolist() == [50, 50]
    assert set(balanced["shop"].iloc[60:].dropna()) == {"north"}
    assert balanced["shop"].iloc[60:].isna().any()


RARE = np.arange(200) < 4
TARGETS = {
    "text": (np.where(RARE, "yes", "no"), "'<other>'"),
    "boolean": (RARE, "the commonest"),
    "integer": (RARE.astype(np.int64), "the nearest that is kept"),
}


@pytest.mark.parametrize("kind", TARGETS)
def test_a_target_class_that_is_too_rare_is_told_and_not_balanced(kind: str) -> None:
    classes, become = TARGETS[kind]
    table = pd.DataFrame({"value": np.random.default_rng(0).normal(size=200), "bought": classes})
    fitted = Synthesizer(target="bought", max_steps=2, random_state=0, device="cpu", progress="off").fit(table)
    told = [notice for notice in fitted.notices_ if "'bought'" in notice]
    assert len(told) == 1
    assert told[0].startswith("the target 'bought' has a class in fewer rows than min_count (now 10)")
    assert f"these rows become {become}" in told[0]
    assert "lower min_count" in told[0]
    with pytest.raises(ConditionError, match=r"augment cannot bring 1 of the 1 smaller classes of 'bought'") as raised:
        fitted.augment(table)
    assert "frame of conditions" not in str(raised.value)
    kept = Synthesizer(target="bought", min_count=4, max_steps=2, random_state=0, device="cpu", progress="off").fit(
        table
    )
    assert not [notice for notice in kept.notices_ if "'bought'" in notice]
    assert kept.augment(table)["bought"].value_counts().tolist() == [196, 196]

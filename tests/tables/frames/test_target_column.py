"""``fit(X, y)``: the target given apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import synthgan
from synthgan.errors import DataError, SettingsError
from synthgan.tables.frames.target_column import with_target

X = pd.DataFrame({"a": [1, 2, 3], "b": list("xyz")}, index=[10, 11, 12])


@pytest.mark.parametrize(
    ("y", "name"),
    [
        (pd.Series([0, 1, 0], index=X.index, name="label"), "label"),
        (pd.Series([0, 1, 0], index=[5, 6, 7]), "target"),
        (np.array([0, 1, 0]), "target"),
        (np.array([[0], [1], [0]]), "target"),
        ([0, 1, 0], "target"),
        (pd.array([0, 1, 0], dtype="Int8"), "target"),
        (pd.Index([0, 1, 0]), "target"),
        (pd.Series([0, 1, 0], index=X.index).to_frame("label"), "label"),
        (pd.Series([0, 1, 0], name=7), "7"),
        (pd.Series(pd.Categorical([0, 1, 0], categories=[1, 0, 2])), "target"),
    ],
)
def test_it_becomes_the_last_column_and_the_target(y: Any, name: str) -> None:
    table, target = with_target(X, y, None)
    assert target == name
    assert [str(label) for label in table.columns] == ["a", "b", name]
    assert table.iloc[:, -1].tolist() == [0, 1, 0]
    assert table.index.equals(X.index)
    assert list(X.columns) == ["a", "b"]
    if isinstance(y, pd.Series):
        assert table.iloc[:, -1].dtype == y.dtype


def test_the_name_asked_for() -> None:
    assert with_target(X, [0, 1, 0], "label")[1] == "label"
    assert with_target(X, None, "b") == (X, "b")
    with pytest.raises(SettingsError, match="target names 'b' and y is called 'label'"):
        with_target(X, pd.Series([0, 1, 0], name="label"), "b")


@pytest.mark.parametrize(
    ("y", "says"),
    [
        ([0, 1], "y has 2 values and the table 3 rows"),
        (pd.Series([0, 1, 0], name="a"), "y is called 'a', as is a column of the table"),
        (pd.Series([0, 1, 0], index=[12, 10, 11]), "the index of the table in another order"),
        (np.zeros((3, 2)), "y must be one value per row, and is 3x2"),
        (pd.DataFrame({"p": [0, 1, 0], "q": [0, 1, 0]}), "3x2"),
        ("b", "y must be one value per row"),
    ],
)
def test_what_does_not_fit_the_table_is_refused(y: Any, says: str) -> None:
    with pytest.raises(DataError, match=says):
        with_target(X, y, None)


def test_a_file_has_its_target_inside() -> None:
    with pytest.raises(SettingsError, match="name the column that is to be predicted with target="):
        with_target("table.parquet", [0, 1], None)


@pytest.mark.parametrize("n_rows", [3, 4])
def test_a_private_fit_does_not_say_how_many_rows_there_are(n_rows: int) -> None:
    table = pd.DataFrame({"a": range(n_rows)})
    for y, says in (([0], "y has another length than the table"), (np.zeros((n_rows, 2)), "is of another shape")):
        with pytest.raises(DataError, match=says) as refused:
            synthgan.Synthesizer(privacy=synthgan.Privacy(1.0)).fit(table, y)
        assert not set("0123456789") & set(str(refused.value))

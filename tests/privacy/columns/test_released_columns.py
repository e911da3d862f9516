"""What a private fit counted of a column, in words."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from synthgan.privacy.columns import RELEASES
from synthgan.tables.axes.axis import Axis
from synthgan.tables.axes.grids import Grid
from synthgan.tables.kinds import Kind
from synthgan.tables.schema.schema import ColumnSchema, Levels
from synthgan.tables.statistics.formats import Templates
from synthgan.tables.statistics.histogram import Histogram
from synthgan.tables.statistics.level_counts import LevelCounts


def histogram(axis: Axis, lower: list[int], upper: list[int]) -> Histogram:
    return Histogram(
        axis=axis,
        lower=np.array(lower, dtype=axis.dtype),
        upper=np.array(upper, dtype=axis.dtype),
        counts=np.ones(len(lower)),
    )


def levels(*values: str, n_unlisted: float = 0.0) -> LevelCounts:
    return LevelCounts(values=pa.array(values), counts=np.ones(len(values)), n_missing=0.0, n_unlisted=n_unlisted)


def column(kind: Kind, arrow_type: str = "int64", declared: tuple[str, ...] = ()) -> ColumnSchema:
    known = Levels(values=declared) if declared else None
    return ColumnSchema(name="it", kind=kind, arrow_type=arrow_type, levels=known)


@pytest.mark.parametrize(
    ("axis", "kind", "lower", "upper", "words"),
    [
        (
            Axis(arrow_type=pa.int64(), grid=Grid(step=1)),
            "integer",
            [0, 10],
            [9, 10],
            "counted in 1 range and 1 single value, in steps of 1",
        ),
        (
            Axis(arrow_type=pa.int64(), grid=Grid(step=5)),
            "integer",
            [0, 5],
            [0, 5],
            "counted in 2 single values, in steps of 5",
        ),
        (
            Axis(arrow_type=pa.float64(), grid=None),
            "float",
            [0, 1],
            [1, 2],
            "counted in 2 ranges, with any number of decimals",
        ),
        (
            Axis(arrow_type=pa.float64(), grid=Grid(step=1), decimals=2),
            "float",
            [0],
            [0],
            "counted in 1 single value, in steps of 0.01",
        ),
        (
            Axis(arrow_type=pa.int64(), grid=Grid(step=1234567)),
            "integer",
            [0],
            [9],
            "counted in 1 range, in steps of 1234567",
        ),
        (Axis(arrow_type=pa.timestamp("s"), grid=Grid(step=60)), "datetime", [0, 9], [8, 99], "counted in 2 ranges"),
        (Axis(arrow_type=pa.int64(), grid=Grid(step=1)), "integer", [], [], "counted in 0 ranges, in steps of 1"),
    ],
)
def test_numbers_and_times(axis: Axis, kind: Kind, lower: list[int], upper: list[int], words: str) -> None:
    of = column(kind, str(axis.arrow_type))
    made = RELEASES[of.traits.family].in_words(of, histogram(axis, lower, upper))
    assert (made.basis, made.words) == ("ranges", words)
    assert str(made) == f"column 'it': {words}"


@pytest.mark.parametrize(
    ("of", "released", "basis", "words"),
    [
        (column("categorical", "string", ("a", "b")), levels("a", "b"), "known values", "2 values declared"),
        (
            column("categorical", "string"),
            levels("secret", n_unlisted=3.0),
            "found values",
            "1 value found that enough rows share; all others are learned as one",
        ),
        (column("boolean", "bool"), levels("x", "y"), "known values", "2 values its type allows"),
        (
            column("constant", "null"),
            levels(),
            "missing only",
            "always missing, as its type says; nothing was counted",
        ),
        (
            column("identifier", "string"),
            Templates(formats=(), n_present=9.0, n_missing=1.0),
            "missing only",
            "identifiers, written afresh; only the missing ones were counted",
        ),
    ],
)
def test_levels_and_identifiers_without_a_value(
    of: ColumnSchema, released: LevelCounts | Templates, basis: str, words: str
) -> None:
    made = RELEASES[of.traits.family].in_words(of, released)
    assert (made.basis, made.words) == (basis, words)

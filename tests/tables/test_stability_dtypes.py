"""Which dtype pandas gives a column, or an index, hangs on its cells; what a private fit takes from it does not."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from synthgan.tables.reading.conversion import convert
from synthgan.tables.reading.reading import Reading
from synthgan.tables.sources.open import open_source
from tests.tables.test_stability import check

TYPES = [
    "int64", "uint64", "int8", "double", "float", "bool", "date32[day]", "timestamp[us]", "timestamp[ns]",
    "timestamp[us, tz=Europe/Berlin]", "duration[us]", "duration[ns]", "decimal128(20, 2)", "string", "large_string",
]  # fmt: skip
COLUMNS: dict[str, pd.Series[Any]] = {
    "whole": pd.Series([1, 0, -5, 2**62]),
    "real": pd.Series([1.0, 1.5, 1e20, 1e-7, 0.1, float("inf"), None, 2.0**53]),
    "truth": pd.Series([True, False]),
    "moment": pd.Series(np.array(["2024-01-01", "2024-01-01T12:00:00.000000001", "NaT"], "M8[ns]")),
    "far": pd.Series(np.array(["2024-01-01", "0001-01-01T00:00:05"], "M8[s]")),
    "zoned": pd.Series(pd.DatetimeIndex(["2024-01-01", "2024-07-01 12:00"], tz="Europe/Berlin")),
    "span": pd.Series(pd.to_timedelta(["1 days", "-1s", "1us", "1ns", None])),
    "nullable": pd.Series([1, None], dtype="Int64"),
    "nullable truth": pd.Series([True, None], dtype="boolean"),
    "of Arrow": pd.Series([1, None], dtype="int64[pyarrow]"),
}


def read(series: pd.Series[Any], held: str) -> pa.Array:
    declared = {"columns": {"x": {"arrow_type": held}}}
    source = open_source(pd.DataFrame({"x": series}), minimum_rows=0, reading=Reading.of(declared, private=True))
    values = source.read().column("x").combine_chunks()
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values


@pytest.mark.parametrize("held", TYPES)
@pytest.mark.parametrize("name", COLUMNS)
def test_a_declared_type_reads_a_cell_alike_whatever_the_dtype(name: str, held: str) -> None:
    """One odd cell makes objects of a column, so objects have to come out as the typed column does."""
    series = COLUMNS[name]
    usual = read(series, held)
    assert read(series.astype(object), held).equals(usual)
    assert read(series.astype("category"), held).equals(usual)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_durations_are_written_each_by_itself(unit: str) -> None:
    """pandas leaves out the time of day of a column of whole days."""
    texts = ["1 days 00:00:00", "-1 days +23:59:59", "0 days 00:00:00"]
    spans = pa.array([86_400, -1, 0, None], pa.int64()).cast(pa.duration("s")).cast(pa.duration(unit))
    assert convert(spans, pa.string()).to_pylist() == [*texts, None]
    assert convert(spans.slice(0, 1), pa.string()).to_pylist() == texts[:1]


@pytest.mark.parametrize("nanos", [1, 1_000, 999_999_999, -1, 86_400 * 10**9 - 1, 2**63 - 1, -(2**63) + 1])
def test_durations_are_written_as_pandas_prints_them(nanos: int) -> None:
    span = pa.array([nanos], pa.int64()).cast(pa.duration("ns"))
    assert convert(span, pa.string()).to_pylist() == [str(pd.Timedelta(nanos))]


CELLS: list[tuple[str, list[str], str]] = [
    ("int64", ["1", "2"], "1.5"),
    ("int64", ["1", "2"], "x"),
    ("int64", ["1", "2"], "9" * 20),
    ("double", ["1.5", "2"], "x"),
    ("bool", ["True", "False"], "7"),
    ("string", ["a", "b"], ""),
    ("string", ["1", "2"], "x"),
]


@pytest.mark.parametrize("backend", [None, "numpy_nullable", "pyarrow", "convert_dtypes"])
@pytest.mark.parametrize(("held", "usual", "more"), CELLS)
def test_no_reader_of_pandas_has_a_say_in_a_declared_column(
    backend: str | None, held: str, usual: list[str], more: str
) -> None:
    def frame(cells: list[str]) -> pd.DataFrame:
        text = io.StringIO("x,y\n" + "".join(f"{cell},1\n" for cell in cells))
        if backend in ("numpy_nullable", "pyarrow"):
            try:
                return pd.read_csv(text, dtype_backend=backend)  # type: ignore[call-overload, no-any-return]
            except (OverflowError, pa.ArrowException):
                pytest.skip("this pandas cannot read such cells into such dtypes")
        made = pd.read_csv(text)
        return made.convert_dtypes() if backend else made

    declared = {"columns": {"x": {"arrow_type": held}}}
    check([lambda: frame(usual), lambda: frame([*usual, more])], declared, unit=None, k=1)


def test_a_declared_dtype_comes_back() -> None:
    frame = pd.DataFrame({"x": pd.array([1, None], dtype="Int64")})
    for dtype, expected in (
        ("Int64", "Int64"),
        ("ArrowDtype(int64)", "ArrowDtype(int64)"),
        ("string[python]", "int64"),
    ):
        declared = {"columns": {"x": {"arrow_type": "int64", "pandas_dtype": dtype}}}
        source = open_source(frame, minimum_rows=0, reading=Reading.of(declared, private=True))
        assert source.pandas_dtypes == {"x": expected}


def indexed(index: pd.Index[Any]) -> pd.DataFrame:
    cells = ["a", "b", "a", "b"][: len(index)]
    return pd.DataFrame({"x": cells, "y": [1.0, 2.0, 3.0, 4.0][: len(index)]}, index=index)


@pytest.mark.parametrize(
    ("usual", "more"),
    [
        (pd.RangeIndex(3), pd.Index([0, 1, 3, 4])),
        (pd.RangeIndex(3), pd.Index([0, 1, 2, "x"])),
        (pd.Index([0, 1, 3]), pd.Index([0, 1, 3, 1.5])),
        (pd.DatetimeIndex(["2024-01-01"] * 3), pd.Index([*pd.DatetimeIndex(["2024-01-01"] * 3), "x"], dtype=object)),
        (pd.RangeIndex(3, name="i"), pd.Index([0, 1, 2, 7], name="i")),
    ],
)
def test_the_dtype_of_an_index_says_nothing(usual: pd.Index[Any], more: pd.Index[Any]) -> None:
    check([lambda: indexed(usual), lambda: indexed(more)], None, unit=None, k=1)

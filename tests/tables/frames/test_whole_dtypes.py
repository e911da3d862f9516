"""Dtypes, categories and the index of a frame come back whole, so that real and synthetic rows go together."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from dateutil import tz

import synthgan
from synthgan.synthesizer import Synthesizer
from tests.orders_table import TINY

N_ROWS = 80
CODE = np.arange(N_ROWS) % 4
TEXT = pd.Series([f"v{code}" for code in CODE])
GONE = np.arange(N_ROWS) % 5 == 0
DAYS = pd.Series(pd.Timestamp("2024-03-29") + pd.to_timedelta(CODE, unit="D"))
HOURS = pd.Series(pd.to_timedelta(CODE, unit="h"))
MOMENTS = DAYS.dt.tz_localize("UTC")
RARE = [*TEXT[:-1], "rare"]


def arrow(values: Any, held: pa.DataType) -> pd.Series[Any]:
    return pd.Series(pd.arrays.ArrowExtensionArray(pa.array(list(values), held)))


COLUMNS: dict[str, Any] = {
    "int8": CODE.astype("int8"),
    "float16": CODE.astype("float16"),
    "bool": CODE % 2 == 0,
    "boolean": pd.array(np.where(GONE, None, CODE > 1), "boolean"),
    "UInt16": pd.array(np.where(GONE, None, CODE), "UInt16"),
    "object true": pd.Series(np.where(GONE, None, CODE > 1), dtype=object),
    "string[python]": TEXT.astype("string[python]"),
    "string[pyarrow]": TEXT.astype("string[pyarrow]"),
    "str of objects": TEXT.astype(pd.StringDtype("python", na_value=np.nan)),
    "datetime64[s]": DAYS.astype("datetime64[s]"),
    "datetime64[ns]": DAYS.astype("datetime64[ns]"),
    "timedelta64[ms]": HOURS.astype("timedelta64[ms]"),
    "zone": MOMENTS.dt.tz_convert("Asia/Tokyo"),
    "offset": MOMENTS.dt.tz_convert(dt.timezone(dt.timedelta(hours=5, minutes=30))),
    "offset of dateutil": MOMENTS.dt.tz_convert(tz.tzoffset("X", -5400)),
    "period": DAYS.dt.to_period("Q-NOV"),
    "sparse": pd.arrays.SparseArray(np.where(CODE == 1, 1.0, 0.0), fill_value=0.0),
    "sparse text": TEXT.astype(pd.SparseDtype(object, "v0")),
    "arrow": arrow(CODE, pa.int32()),
    "arrow time": arrow([dt.time(int(code)) for code in CODE], pa.time32("s")),
    "arrow decimal": arrow([Decimal(int(code)) / 4 for code in CODE], pa.decimal128(10, 2)),
    "category": pd.Categorical(TEXT, categories=["v3", "unused", "v0", "v1", "v2"]),
    "category ordered": pd.Categorical(TEXT.where(~GONE), categories=["v3", "a", "v0", "v1", "v2"], ordered=True),
    "category rare": pd.Categorical(RARE),
    "category of numbers": pd.Categorical([*CODE[:-1], 77]),
    "category of times": pd.Categorical([dt.time(int(code)) for code in CODE]),
    "category of ids": pd.Categorical([UUID(int=int(code)) for code in CODE]),
    "category of zoned": pd.Categorical(MOMENTS.dt.tz_convert("Europe/Rome")),
    "category interval": pd.cut(CODE, [-1, 0, 1, 5, 9]),
    "category interval of days": pd.cut(DAYS, 2),
    "category period": pd.Categorical(pd.period_range("2024-01", periods=4, freq="M")[CODE]),
    "category without rows": pd.Categorical([None] * N_ROWS, categories=["a", "b"]),
    "category of one": pd.Categorical(["a"] * N_ROWS, categories=["b", "a"]),
}


@pytest.fixture(scope="module")
def real() -> pd.DataFrame:
    return pd.DataFrame(COLUMNS)


@pytest.fixture(scope="module")
def fitted(real: pd.DataFrame) -> Synthesizer:
    return Synthesizer(settings=TINY, device="cpu", progress="off", random_state=0).fit(real)


@pytest.fixture(scope="module")
def rows(fitted: Synthesizer) -> pd.DataFrame:
    return fitted.sample(60)


def test_dtypes_are_those_of_the_table(real: pd.DataFrame, rows: pd.DataFrame) -> None:
    pd.testing.assert_series_equal(rows.dtypes, real.dtypes)
    for name in real:
        assert pd.concat([real[name], rows[name]]).dtype == real[name].dtype, name
        assert rows[name].isna().any() <= real[name].isna().any(), name
    assert "rare" not in set(rows["category rare"])


def test_a_loaded_model_gives_the_same_dtypes(fitted: Synthesizer, rows: pd.DataFrame, tmp_path: Path) -> None:
    loaded = synthgan.load(fitted.save(tmp_path / "model.synthgan"), device="cpu")
    pd.testing.assert_frame_equal(loaded.sample(60, random_state=0), rows)
    fitted.sample_to(tmp_path / "rows.parquet", 60)
    assert len(pd.read_parquet(tmp_path / "rows.parquet")) == 60


@pytest.mark.parametrize("name", COLUMNS)
def test_the_models_own_rows_are_conditions(fitted: Synthesizer, rows: pd.DataFrame, name: str) -> None:
    asked = rows[[name]].head(3)
    found = fitted.sample(conditions=asked)
    assert found[name].astype(object).where(found[name].notna(), None).tolist() == (
        asked[name].astype(object).where(asked[name].notna(), None).tolist()
    )


@pytest.mark.parametrize("name", ["category", "category interval", "category period", "boolean"])
def test_classes_of_all_dtypes_are_balanced(fitted: Synthesizer, real: pd.DataFrame, name: str) -> None:
    unequal = real[(real[name] != real[name].iloc[1]).fillna(False) | (np.arange(N_ROWS) % 8 == 1)]
    balanced = fitted.augment(unequal, name)
    counts = balanced[name].value_counts()
    assert balanced[name].dtype == real[name].dtype
    assert counts[counts > 0].nunique() == 1


def test_an_interval_of_another_kind_is_no_category(fitted: Synthesizer) -> None:
    for name in ("category interval", "category period"):
        for value in (pd.Interval(0, 1, closed="both"), pd.Period("2024", "Y")):
            with pytest.raises(synthgan.ConditionError, match=f"column '{name}' has categories of the dtype"):
                fitted.sample(2, conditions={name: value})


def test_index_and_target_come_back() -> None:
    table = pd.DataFrame({"a": CODE, "b": TEXT}, index=pd.Index(np.arange(N_ROWS) + 100, name="customer"))
    fitted = Synthesizer(settings=TINY, device="cpu", progress="off", random_state=0).fit(table, CODE % 2 == 0)
    found = fitted.sample(20)
    assert fitted.target_ == "target"
    assert found.index.name == "customer"
    assert found.index.dtype == table.index.dtype
    assert found.index.is_unique
    assert found.columns.tolist() == ["a", "b", "target"]
    whole = table.assign(target=CODE % 3 == 0)
    more = fitted.augment(whole)
    pd.testing.assert_frame_equal(more.iloc[:N_ROWS], whole)
    assert more.index.is_unique
    assert more["target"].value_counts().nunique() == 1

"""The bundled table is the official Adult, with names and missing values as UCI has them."""

from __future__ import annotations

import pandas as pd
import pyarrow.parquet as pq
import pytest

from synthgan.datasets import adult_path, load_adult
from synthgan.errors import SettingsError


def test_shape_names_and_types() -> None:
    frame = load_adult()
    assert frame.shape == (48_842, 15)
    names = (
        "age workclass fnlwgt education education-num marital-status occupation relationship race sex capital-gain "
        "capital-loss hours-per-week native-country income"
    )
    assert list(frame.columns) == names.split()
    integers = {"age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"}
    assert {name for name in frame.columns if frame[name].dtype == "int64"} == integers
    assert all(pd.api.types.is_string_dtype(frame[name].dropna()) for name in set(frame.columns) - integers)


def test_missing_values_are_missing() -> None:
    frame = load_adult()
    missing = frame.isna().sum()
    assert missing[missing > 0].to_dict() == {"workclass": 2799, "occupation": 2809, "native-country": 857}
    assert not frame.eq("?").to_numpy().any()


def test_the_parts_are_the_official_ones() -> None:
    train, test = load_adult("train"), load_adult("test")
    assert (len(train), len(test)) == (32_561, 16_281)
    # Positives of the official parts, from UCI's description of the data.
    assert (train["income"].eq(">50K").sum(), test["income"].eq(">50K").sum()) == (7_841, 3_846)
    assert train.iloc[0][["age", "fnlwgt", "workclass"]].tolist() == [39, 77516, "State-gov"]
    assert test.index[0] == 0
    pd.testing.assert_frame_equal(pd.concat([train, test], ignore_index=True), load_adult())


def test_the_parts_equal_the_development_tables(shared_data) -> None:
    for part in ("train", "test"):
        ours, theirs = load_adult(part), pd.read_parquet(shared_data / f"adult_{part}.parquet")
        assert list(ours.columns) == list(theirs.columns)
        for name in ours.columns:
            assert ours[name].astype("string").equals(theirs[name].astype("string")), name


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(SettingsError, match="'all', 'train' or 'test'"):
        load_adult("validation")  # type: ignore[arg-type]


def test_the_file_is_small_and_names_its_columns() -> None:
    assert adult_path().stat().st_size < 450_000
    assert pq.read_schema(adult_path()).metadata is None

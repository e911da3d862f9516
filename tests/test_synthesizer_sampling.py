"""Sampling through the facade: how many rows, under which conditions, into which file, and augmentation."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

import synthgan
from synthgan import ConditionError, OutputError, SchemaError, SettingsError, Synthesizer, SynthganWarning
from synthgan.config import Precision
from tests.orders_table import TINY, orders


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return orders()


@pytest.fixture(scope="module")
def model(table: pd.DataFrame) -> Synthesizer:
    return Synthesizer(target="paid", settings=TINY, device="cpu", progress="off", random_state=0).fit(table)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> int:
    """Batches of 64 rows instead of 65,536."""
    for module in ("sampler", "condition_frames"):
        monkeypatch.setattr(f"synthgan.sampling.{module}.BATCH_ROWS", 64)
    monkeypatch.setattr("synthgan.tables.files.writers.GROUP_ROWS", 64)
    return 64


# ----------------------------------------------------------------------------------------------------------------- rows


def test_rows_have_the_columns_order_and_dtypes_of_the_table(model: Synthesizer, table: pd.DataFrame) -> None:
    rows = model.sample(400)
    assert rows.dtypes.astype(str).tolist() == table.dtypes.astype(str).tolist()
    pd.testing.assert_index_equal(rows.index, pd.RangeIndex(400))
    assert rows["order"].str.fullmatch(r"ORD-\d{5}").all()
    assert rows["order"].is_unique
    assert rows["note"].isna().all()
    assert set(rows["city"].dropna()) == {"Oslo", "Rome", "Lima"}
    assert rows["size"].cat.ordered
    assert rows["size"].cat.categories.tolist() == ["S", "M", "L", "XL"]
    assert "XL" not in set(rows["size"]), "a category that no row has is in the dtype alone"
    assert rows["items"].between(1, 5).all()
    assert np.allclose(rows["amount"].dropna() * 100, (rows["amount"].dropna() * 100).round())
    assert (rows["day"] == rows["day"].dt.normalize()).all()
    assert (rows["shop"] == "north").all()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_rows_are_drawn_in_the_precision_of_the_fit(
    monkeypatch: pytest.MonkeyPatch, table: pd.DataFrame, precision: Precision
) -> None:
    monkeypatch.setattr("synthgan.networks.generator.multiplies_bfloat16", lambda _: True)
    settings = dataclasses.replace(TINY, n_steps=20, precision=precision)
    made = Synthesizer(settings=settings, device="cpu", progress="off", random_state=0).fit(table)
    drawn = made.sample(3000)
    exact = dataclasses.replace(made.training_settings_, precision="float32")
    monkeypatch.setattr(made, "training_settings_", exact)
    numbers = np.isclose(drawn["amount"], made.sample(3000)["amount"], rtol=0, atol=0, equal_nan=True)
    assert numbers.all() == (precision == "float32")
    assert numbers.mean() > 0.5, "rounded a little, from the same random numbers"


def test_missing_values_are_as_frequent_as_in_the_table(model: Synthesizer, table: pd.DataFrame) -> None:
    shares = model.sample(5000).isna().mean()
    for name in ("city", "amount"):
        assert shares[name] == pytest.approx(table[name].isna().mean(), abs=0.03)


@pytest.mark.parametrize("n_rows", [1, 2, 63, 64, 65, np.int64(5)])
def test_any_number_of_rows(model: Synthesizer, small_batches: int, n_rows: int) -> None:
    assert len(model.sample(n_rows)) == n_rows


@pytest.mark.parametrize("n_rows", [0, -1, True, 2.0, 2.5, "10", float("nan")])
def test_numbers_of_rows_that_are_none(model: Synthesizer, n_rows: Any) -> None:
    with pytest.raises(SettingsError, match="n_rows must be a whole number of at least 1"):
        model.sample(n_rows)


def test_more_rows_than_memory_holds_are_refused_after_the_first_batch(model: Synthesizer, small_batches: int) -> None:
    with pytest.raises(SettingsError, match=r"1000000000000 rows would take about \d+ GiB.*sample_to"):
        model.sample(10**12)


def test_the_number_of_rows_is_needed_without_a_frame(model: Synthesizer) -> None:
    with pytest.raises(SettingsError, match="frame of conditions"):
        model.sample()
    with pytest.raises(SettingsError, match="frame of conditions"):
        model.sample(conditions={"city": "Oslo"})


def test_identifiers_stay_unique_over_batches(model: Synthesizer, small_batches: int) -> None:
    assert model.sample(20 * small_batches)["order"].is_unique


# ----------------------------------------------------------------------------------------------------------- conditions


@pytest.mark.parametrize(
    ("conditions", "is_met"),
    [
        ({"city": "Oslo"}, lambda t: t["city"] == "Oslo"),
        ({"city": ["Oslo", "Lima"]}, lambda t: t["city"].isin(["Oslo", "Lima"])),
        ({"city": {"Rome"}}, lambda t: t["city"] == "Rome"),
        ({"city": ["Oslo", None]}, lambda t: t["city"].isna() | (t["city"] == "Oslo")),
        ({"city": None}, lambda t: t["city"].isna()),
        ({"amount": float("nan")}, lambda t: t["amount"].isna()),
        ({"amount": (5, 20)}, lambda t: t["amount"].between(5, 20)),
        ({"amount": (None, 20)}, lambda t: t["amount"] <= 20),
        ({"amount": (20.005, None)}, lambda t: t["amount"] > 20),
        ({"amount": 12.34}, lambda t: t["amount"] == 12.34),
        ({"items": 3}, lambda t: t["items"] == 3),
        ({"items": (2, 4)}, lambda t: t["items"].between(2, 4)),
        ({"items": (1.5, 2.5)}, lambda t: t["items"] == 2),
        ({"items": np.array([1, 5])}, lambda t: t["items"].isin([1, 5])),
        ({"size": ("M", "L")}, lambda t: t["size"].isin(["M", "L"])),
        ({"size": ["S"]}, lambda t: t["size"] == "S"),
        ({"day": "2024-02-29"}, lambda t: t["day"] == "2024-02-29"),
        ({"day": (pd.Timestamp("2024-03-05"), "2024-04-01")}, lambda t: t["day"].between("2024-03-05", "2024-04-01")),
        ({"paid": False}, lambda t: ~t["paid"]),
        ({"shop": "north", "note": None}, lambda t: t["shop"] == "north"),
        (
            {"paid": False, "items": (4, None), "city": ["Rome", None], "amount": (10, 40), "size": "M"},
            lambda t: (
                ~t["paid"]
                & (t["items"] >= 4)
                & (t["city"].isna() | (t["city"] == "Rome"))
                & t["amount"].between(10, 40)
                & (t["size"] == "M")
            ),
        ),
    ],
    ids=str,
)
def test_every_row_meets_the_conditions(model: Synthesizer, conditions: dict[str, Any], is_met) -> None:
    rows = model.sample(300, conditions=conditions)
    assert len(rows) == 300
    assert is_met(rows).all()
    pd.testing.assert_series_equal(rows.dtypes, model.sample(5).dtypes)
    free = [name for name in ("city", "items", "size", "day") if name not in conditions]
    assert (rows[free].nunique() > 1).all(), "the other columns still vary"


def test_no_conditions_are_no_conditions(model: Synthesizer) -> None:
    pd.testing.assert_frame_equal(model.sample(20, conditions={}), model.sample(20))


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"town": "Oslo"}, "'town' that the table does not have"),
        ({"Items": 3}, "did you mean 'items'"),
        ({"city": "Atlantis"}, "'city'.*3 levels"),
        ({"city": 5}, "'city' holds"),
        ({"city": []}, "'city' is an empty set"),
        ({"city": ("Lima", "Oslo")}, "'city'.*has no order"),
        ({"items": "three"}, "'items' holds int64"),
        ({"items": 2.5}, "'items'.*cannot hold"),
        ({"items": (4, 2)}, "'items' holds no value"),
        ({"items": (40, 50)}, "column 'items' meets"),
        ({"items": (1, 2, 3)}, "'items' is a tuple of 3"),
        ({"items": (float("nan"), 3)}, "NaN as a bound"),
        ({"items": None}, "'items'"),
        ({"amount": float("inf")}, "'amount'"),
        ({"amount": (10**9, None)}, "'amount'"),
        ({"amount": {"low": 3}}, "'amount' is a dict"),
        ({"size": "XL"}, "'size'"),
        ({"size": ("S", "huge")}, "'size'"),
        ({"day": "someday"}, "'day'"),
        ({"day": (pd.Timestamp("2024-01-01", tz="UTC"), None)}, "time zone"),
        ({"paid": None}, "'paid'"),
        ({"order": "ORD-00001"}, "'order' is of kind identifier"),
        ({"note": "gift"}, "'note' is of kind text"),
        ({"shop": "south"}, "'shop'"),
        ([("city", "Oslo")], "mapping or a DataFrame"),
    ],
    ids=str,
)
def test_conditions_that_cannot_be_met_are_refused_by_name(model: Synthesizer, conditions: Any, message: str) -> None:
    with pytest.raises(ConditionError, match=message) as caught:
        model.sample(10, conditions=conditions)
    for value in ("Atlantis", "ORD-00001", "someday", "south", "Rome"):
        assert value not in str(caught.value)


# ------------------------------------------------------------------------------------------------- frames of conditions


def test_a_frame_asks_for_one_row_each_in_order(model: Synthesizer, table: pd.DataFrame, small_batches: int) -> None:
    wanted = table[["paid", "city"]].sample(150, random_state=1)
    assert wanted["city"].isna().any()
    assert wanted.duplicated().any()
    rows = model.sample(conditions=wanted)
    pd.testing.assert_index_equal(rows.index, pd.RangeIndex(150))
    pd.testing.assert_frame_equal(rows[["paid", "city"]], wanted.reset_index(drop=True))
    assert list(rows.columns) == list(table.columns)
    assert rows["order"].is_unique
    pd.testing.assert_frame_equal(rows, model.sample(150, conditions=wanted))


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([3, 1, 3, 5], name="items", dtype="int8"),
        pd.Series([2, 4], name="items", dtype="Int64"),
        pd.Series(["L", "S", "L"], name="size", dtype="category"),
        pd.Series(["Rome", None, "Rome"], name="city", dtype="category"),
        pd.Series(["Oslo", pd.NA], name="city", dtype="string"),
        pd.Series([12.5, np.nan, 99.0], name="amount"),
        pd.Series(pd.to_datetime(["2024-05-01", "2024-02-29"]), name="day"),
        pd.Series([True, False], name="paid", dtype="boolean"),
        pd.Series(["north"], name="shop"),
    ],
    ids=lambda column: f"{column.name}-{column.dtype}",
)
def test_frames_of_every_dtype(model: Synthesizer, column: pd.Series) -> None:
    rows = model.sample(conditions=column.to_frame())
    got = [None if pd.isna(value) else value for value in rows[column.name]]
    assert got == [None if pd.isna(value) else value for value in column]


def test_a_list_in_a_frame_is_refused(model: Synthesizer) -> None:
    with pytest.raises(ConditionError, match="a list or a set"):
        model.sample(conditions=pd.DataFrame({"city": [["Oslo", "Rome"], ["Lima"]]}))


def test_frames_that_make_no_sense(model: Synthesizer) -> None:
    two = pd.DataFrame({"city": ["Oslo", "Rome"]})
    with pytest.raises(ConditionError, match="2 rows but n_rows is 3"):
        model.sample(3, conditions=two)
    with pytest.raises(ConditionError, match="at least one row"):
        model.sample(conditions=two.head(0))
    with pytest.raises(ConditionError, match="one column"):
        model.sample(conditions=pd.DataFrame(index=range(3)))
    with pytest.raises(ConditionError, match="unique"):
        model.sample(conditions=two.assign(town="x").set_axis(["city", "city"], axis=1))
    with pytest.raises(ConditionError, match="'town'"):
        model.sample(conditions=two.rename(columns={"city": "town"}))
    with pytest.raises(ConditionError, match="'city'"):
        model.sample(conditions=pd.DataFrame({"city": ["Oslo", "Atlantis"]}))


# ------------------------------------------------------------------------------------------------------ rare conditions


def test_conditions_that_few_latents_meet_bring_a_warning(
    model: Synthesizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synthgan.sampling.draws.POOL_CAP", 16_384)
    peaked = synthgan.load(model.save(tmp_path / "orders.synthgan"), device="cpu")
    assert peaked.generator_ is not None
    with torch.no_grad():  # now each latent nearly decides its row
        peaked.generator_.logits.weight.mul_(60)
    rare = {"city": "Rome", "items": 2, "size": "L", "day": "2024-02-29"}
    with pytest.warns(
        SynthganWarning, match=r"500 rows rest on an effective sample of only \d+ \(at least 100"
    ) as caught:
        rows = peaked.sample(500, conditions=rare, random_state=0)
    assert Path(caught[0].filename).samefile(__file__), "the warning points at the caller"
    assert (rows[["city", "items", "size"]] == ["Rome", 2, "L"]).all(axis=None)
    with pytest.warns(SynthganWarning):
        summary = peaked.sample_to(tmp_path / "rare.parquet", 500, conditions=rare, random_state=0)
    assert summary.effective_sample_size is not None
    assert summary.effective_sample_size < 100
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(peaked.sample(500, random_state=0)) == 500


def test_common_conditions_bring_none(model: Synthesizer, tmp_path: Path) -> None:
    summary = model.sample_to(tmp_path / "rows.parquet", 200, conditions={"paid": True})
    assert summary.effective_sample_size == 200


# ---------------------------------------------------------------------------------------------------------------- files


def test_a_parquet_file_holds_the_rows_that_sample_gives(
    model: Synthesizer, tmp_path: Path, small_batches: int
) -> None:
    path = tmp_path / "rows.parquet"
    summary = model.sample_to(path, 200, random_state=3)
    assert (summary.path, summary.n_rows, summary.effective_sample_size) == (path, 200, None)
    assert pq.ParquetFile(path).num_row_groups == 4
    pd.testing.assert_frame_equal(pd.read_parquet(path), model.sample(200, random_state=3))


def test_a_csv_file_holds_the_rows_that_sample_gives(model: Synthesizer, tmp_path: Path, small_batches: int) -> None:
    path = tmp_path / "rows.csv"
    assert model.sample_to(path, 150, conditions={"city": ["Oslo", None]}, random_state=3).n_rows == 150
    expected = model.sample(150, conditions={"city": ["Oslo", None]}, random_state=3)
    found = pd.read_csv(path, parse_dates=["day"])
    assert list(found.columns) == list(expected.columns)
    for name in ("order", "city", "items", "amount", "day", "paid", "shop"):
        read, drawn = ([None if pd.isna(cell) else cell for cell in frame[name]] for frame in (found, expected))
        assert read == drawn


def test_a_frame_of_conditions_reaches_the_file(model: Synthesizer, tmp_path: Path, small_batches: int) -> None:
    wanted = pd.DataFrame({"items": [1, 5, 2] * 50})
    summary = model.sample_to(tmp_path / "rows.pq", conditions=wanted)
    assert summary.n_rows == 150
    assert pd.read_parquet(tmp_path / "rows.pq")["items"].tolist() == wanted["items"].tolist()


def test_an_existing_file_is_kept_without_force(model: Synthesizer, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    path.write_text("precious")
    with pytest.raises(OutputError, match="force"):
        model.sample_to(path, 10)
    assert path.read_text() == "precious"
    assert model.sample_to(path, 10, force=True).n_rows == 10
    assert len(pd.read_parquet(path)) == 10


@pytest.mark.parametrize(
    ("name", "arguments", "error"),
    [
        ("rows.xlsx", {"n_rows": 5}, OutputError),
        ("no/rows.csv", {"n_rows": 5}, OutputError),
        ("rows.csv", {"n_rows": 0}, SettingsError),
        ("rows.csv", {"n_rows": 5, "conditions": {"city": "Atlantis"}}, ConditionError),
        ("rows.csv", {"n_rows": 5, "random_state": -3}, SettingsError),
    ],
    ids=["suffix", "folder", "none", "condition", "seed"],
)
def test_nothing_is_written_when_sampling_fails(
    model: Synthesizer, tmp_path: Path, name: str, arguments: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        model.sample_to(tmp_path / name, **arguments)
    assert not list(tmp_path.iterdir())


def test_a_batch_that_fails_leaves_no_file(
    model: Synthesizer, tmp_path: Path, small_batches: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from synthgan.tables.codec import Decoder

    decode, calls = Decoder.decode, []

    def failing(self: Decoder, codes: Any, positions: Any) -> Any:
        calls.append(len(codes))
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        return decode(self, codes, positions)

    monkeypatch.setattr(Decoder, "decode", failing)
    with pytest.raises(OSError, match="full"):
        model.sample_to(tmp_path / "rows.parquet", 1000)
    assert calls == [64, 64, 64]
    assert not list(tmp_path.iterdir())


# -------------------------------------------------------------------------------------------------------------- augment


def test_augment_balances_a_boolean_target(model: Synthesizer, table: pd.DataFrame) -> None:
    balanced = model.augment(table)
    counts = balanced["paid"].value_counts()
    assert counts[True] == counts[False] == table["paid"].sum()
    pd.testing.assert_frame_equal(balanced.head(600), table)
    pd.testing.assert_series_equal(balanced.dtypes, table.dtypes)
    pd.testing.assert_index_equal(balanced.index, pd.RangeIndex(len(balanced)))
    pd.testing.assert_frame_equal(model.augment(table), balanced)


@pytest.mark.parametrize("target", ["size", "items", "city"])
def test_augment_balances_other_kinds(model: Synthesizer, table: pd.DataFrame, target: str) -> None:
    balanced = model.augment(table, target)
    counts = balanced[target].value_counts()
    assert counts[counts > 0].nunique() == 1
    assert balanced[target].isna().sum() == table[target].isna().sum()
    assert balanced[target].dtype == table[target].dtype


def test_augment_works_on_other_rows_and_dtypes_of_the_same_table(model: Synthesizer, table: pd.DataFrame) -> None:
    nullable = table.tail(100).convert_dtypes()
    balanced = model.augment(nullable, random_state=5)
    assert balanced["paid"].value_counts().nunique() == 1
    pd.testing.assert_series_equal(balanced.dtypes, nullable.dtypes)
    even = pd.concat([table[table["paid"]].head(5), table[~table["paid"]].head(5)])
    pd.testing.assert_frame_equal(model.augment(even), even.reset_index(drop=True))


def test_augment_refuses_what_cannot_be_balanced(model: Synthesizer, table: pd.DataFrame) -> None:
    with pytest.raises(SchemaError, match="'amount' is of kind float"):
        model.augment(table, "amount")
    with pytest.raises(SchemaError, match="no column 'payed'"):
        model.augment(table, "payed")
    with pytest.raises(SchemaError, match="9 columns"):
        model.augment(table.drop(columns="day"))
    fresh = Synthesizer(settings=TINY, device="cpu", progress="off").fit(table[["city", "items"]])
    with pytest.raises(SettingsError, match="target"):
        fresh.augment(table[["city", "items"]])
    rare = table.assign(items=np.where(np.arange(600) < 3, 99, table["items"]))
    with pytest.raises(ConditionError, match="'items'") as caught:
        Synthesizer(settings=TINY, device="cpu", progress="off").fit(rare).augment(rare, "items")
    assert "99" not in str(caught.value)

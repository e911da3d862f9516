"""The facade: parameters, fitting, fitted attributes, seeds, files, and tables at the edge of what can be fitted."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Hashable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError as SklearnNotFittedError
from sklearn.utils.validation import check_is_fitted

import synthgan
from synthgan import DataError, NotFittedError, SettingsError, Synthesizer
from synthgan.config import TrainingSettings
from synthgan.tables.codec import TableCodec
from synthgan.tables.schema.schema import TableSchema
from tests.orders_table import TINY, orders


def tiny(**parameters: object) -> Synthesizer:
    """A synthesizer that fits in no time."""
    given: dict[str, object] = {"settings": TINY, "device": "cpu", "progress": "off", "random_state": 0}
    return Synthesizer(**(given | parameters))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return orders()


@pytest.fixture(scope="module")
def model(table: pd.DataFrame) -> Synthesizer:
    return tiny(target="paid").fit(table)


# ----------------------------------------------------------------------------------------------------------- parameters


def test_parameters_are_those_of_the_constructor() -> None:
    synthesizer = Synthesizer(target="paid", min_count=5, random_state=3)
    params = synthesizer.get_params()
    assert {"target": "paid", "min_count": 5, "random_state": 3, "effort": "default"}.items() <= params.items()
    assert Synthesizer(**params).get_params() == params
    assert synthesizer.set_params(min_count=7, effort="high") is synthesizer
    assert (synthesizer.min_count, synthesizer.effort) == (7, "high")


def test_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"no parameter 'epochs'.*max_steps"):
        Synthesizer().set_params(epochs=300)
    with pytest.raises(TypeError):
        Synthesizer("paid")  # type: ignore[misc]


def test_a_clone_has_the_parameters_and_not_the_fit(model: Synthesizer) -> None:
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "codec_")
    check_is_fitted(model)
    with pytest.raises(SklearnNotFittedError):
        check_is_fitted(copy)


def test_the_repr_names_what_differs_from_the_defaults() -> None:
    assert repr(Synthesizer()) == "Synthesizer()"
    assert repr(Synthesizer(target="paid", max_steps=5)) == "Synthesizer(target='paid', max_steps=5)"


@pytest.mark.parametrize(
    "use",
    [
        lambda s, _: s.sample(5),
        lambda s, folder: s.sample_to(folder / "rows.parquet", 5),
        lambda s, folder: s.save(folder / "model.synthgan"),
        lambda s, _: s.augment(orders(20), "paid"),
    ],
    ids=["sample", "sample_to", "save", "augment"],
)
def test_nothing_but_fit_works_before_fit(use, tmp_path: Path) -> None:
    with pytest.raises(NotFittedError, match="call fit"):
        use(tiny(), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"time_limit": 0}, "time_limit must be a positive number of seconds"),
        ({"time_limit": True}, "time_limit"),
        ({"time_limit": "1h"}, "time_limit"),
        ({"time_limit": float("nan")}, "time_limit"),
        ({"max_steps": 0}, "max_steps must be a whole number of at least 1"),
        ({"max_steps": 2.5}, "max_steps"),
        ({"min_count": 0}, "min_count"),
        ({"protect_values": "yes"}, "protect_values"),
        ({"effort": "enormous", "settings": None}, "effort must be one of quick, default, high"),
        ({"device": "abacus"}, "device 'abacus' is not available"),
        ({"random_state": -1}, "random_state"),
        ({"random_state": True}, "random_state"),
        ({"random_state": 1.5}, "random_state"),
        ({"random_state": "seed"}, "random_state"),
    ],
    ids=str,
)
def test_parameters_out_of_range_are_refused_by_fit(
    table: pd.DataFrame, parameters: dict[str, object], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        tiny(**parameters).fit(table)


# ------------------------------------------------------------------------------------------------------------------ fit


def test_fit_returns_itself_with_the_fitted_attributes(model: Synthesizer, table: pd.DataFrame) -> None:
    assert isinstance(model.schema_, TableSchema)
    assert isinstance(model.codec_, TableCodec)
    assert isinstance(model.training_settings_, TrainingSettings)
    assert model.training_settings_.n_steps == 30
    assert model.n_rows_ == 600
    assert model.n_features_in_ == 9
    assert model.feature_names_in_.tolist() == list(table.columns)
    assert model.stopped_by_ == "steps"
    assert model.generator_ is not None
    assert not any(parameter.requires_grad for parameter in model.generator_.parameters())
    assert {column.name: column.kind for column in model.schema_.columns} == {
        "order": "identifier",
        "note": "text",
        "city": "categorical",
        "size": "categorical",
        "items": "integer",
        "amount": "float",
        "day": "datetime",
        "paid": "boolean",
        "shop": "constant",
    }


def test_the_history_tells_losses_and_errors(model: Synthesizer) -> None:
    assert [record["step"] for record in model.history_] == [10, 20, 30]
    last = model.history_[-1]
    assert {"seconds", "generator", "discriminator", "marginal_error", "averaged_marginal_error"} <= last.keys()
    assert all(np.isfinite(value) for value in last.values())


def test_notices_name_the_columns_that_come_out_differently(model: Synthesizer) -> None:
    (notice,) = model.notices_
    assert "'note'" in notice
    assert "empty" in notice
    assert "faker" in notice


def test_fit_leaves_the_table_as_it_was(table: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(table, orders())


def test_y_is_ignored_as_in_scikit_learn(table: pd.DataFrame, model: Synthesizer) -> None:
    again = tiny(target="paid").fit(table, None)
    pd.testing.assert_frame_equal(again.sample(20), model.sample(20))


@pytest.mark.parametrize("form", ["arrow", "parquet", "folder", "csv"])
def test_every_form_of_the_table_fits(table: pd.DataFrame, tmp_path: Path, form: str) -> None:
    plain = table.drop(columns="size")
    data: object = pa.Table.from_pandas(plain)
    if form == "csv":
        plain.to_csv(tmp_path / "orders.csv", index=False)
        data = tmp_path / "orders.csv"
    elif form != "arrow":
        plain.to_parquet(tmp_path / "orders.parquet")
        data = tmp_path / "orders.parquet" if form == "parquet" else str(tmp_path)
    rows = tiny().fit(data).sample(30)  # type: ignore[arg-type]
    assert list(rows.columns) == list(plain.columns)
    assert set(rows["city"].dropna()) <= {"Oslo", "Rome", "Lima"}
    assert rows["items"].isin(range(1, 6)).all()


def test_max_steps_and_effort_are_resolved_into_settings(table: pd.DataFrame) -> None:
    fitted = tiny(settings=None, effort="quick", max_steps=3).fit(table)
    assert fitted.training_settings_.n_steps == 3
    assert fitted.training_settings_.precision in {"float32", "bfloat16"}
    assert fitted.settings is None, "parameters stay as they were given"


def test_the_time_limit_ends_the_fit(table: pd.DataFrame) -> None:
    fitted = tiny(settings=dataclasses.replace(TINY, n_steps=10**7), time_limit=1.0).fit(table)
    assert fitted.stopped_by_ == "time"
    assert len(fitted.sample(5)) == 5
    assert any("the time limit ended training after" in notice for notice in fitted.notices_)


def test_early_stopping_keeps_rows_aside_and_stops(table: pd.DataFrame) -> None:
    settings = dataclasses.replace(TINY, n_steps=20_000, learning_rate=0.05, patience=1, evaluate_every=50)
    fitted = tiny(settings=settings, early_stopping=True).fit(table)
    assert fitted.training_settings_.early_stopping
    assert fitted.stopped_by_ == "early stopping"
    assert "holdout_error" in fitted.history_[0]
    assert settings.early_stopping is False, "the given settings stay as they were"


def test_a_target_gets_its_slices_and_an_unknown_one_is_guessed_at(table: pd.DataFrame) -> None:
    with pytest.raises(DataError, match=r"'payed'.*did you mean 'paid'"):
        tiny(target="payed").fit(table)


def test_a_second_fit_replaces_the_first(table: pd.DataFrame) -> None:
    synthesizer = tiny().fit(table)
    synthesizer.fit(table[["city", "items"]])
    assert synthesizer.n_features_in_ == 2
    assert list(synthesizer.sample(3).columns) == ["city", "items"]


# ---------------------------------------------------------------------------------------------------------------- seeds


def test_the_same_seed_gives_the_same_rows_twice(table: pd.DataFrame, model: Synthesizer) -> None:
    pd.testing.assert_frame_equal(model.sample(50), model.sample(50))
    pd.testing.assert_frame_equal(model.sample(50), model.sample(50, random_state=0))
    again = tiny(target="paid").fit(table)
    pd.testing.assert_frame_equal(model.sample(50, random_state=7), again.sample(50, random_state=7))
    conditions = {"city": "Oslo", "amount": (5, 50)}
    pd.testing.assert_frame_equal(model.sample(50, conditions=conditions), again.sample(50, conditions=conditions))
    assert not model.sample(50).equals(model.sample(50, random_state=1))


def test_another_seed_gives_another_fit(table: pd.DataFrame, model: Synthesizer) -> None:
    other = tiny(target="paid", random_state=1).fit(table)
    assert not model.sample(50, random_state=7).equals(other.sample(50, random_state=7))


@pytest.mark.parametrize("make", [np.random.default_rng, np.random.RandomState])
def test_numpy_generators_are_repeatable_and_move_on(model: Synthesizer, make) -> None:
    first, second = make(5), make(5)
    one = model.sample(30, random_state=first)
    pd.testing.assert_frame_equal(one, model.sample(30, random_state=second))
    assert not one.equals(model.sample(30, random_state=first))


def test_without_a_seed_every_sample_is_fresh(table: pd.DataFrame) -> None:
    fitted = tiny(random_state=None).fit(table)
    assert not fitted.sample(30).equals(fitted.sample(30))


def test_no_global_random_state_is_touched(table: pd.DataFrame) -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    tiny().fit(table).sample(10)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


# ---------------------------------------------------------------------------------------------------------------- files


def test_a_loaded_model_gives_the_same_rows_here_and_in_a_fresh_process(model: Synthesizer, tmp_path: Path) -> None:
    path = model.save(tmp_path / "orders.synthgan")
    expected = model.sample(200, random_state=11)
    loaded = synthgan.load(path, device="cpu")
    pd.testing.assert_frame_equal(loaded.sample(200, random_state=11), expected)
    assert (loaded.target, loaded.min_count, loaded.settings) == ("paid", 10, model.training_settings_)
    assert loaded.notices_ == model.notices_
    assert loaded.n_rows_ == 600
    assert loaded.save(tmp_path / "again.synthgan").read_bytes() == path.read_bytes()

    expected_conditioned = model.sample(40, conditions={"paid": False, "amount": (None, 30)}, random_state=12)
    script = (
        "import sys, synthgan\n"
        "model = synthgan.load(sys.argv[1], device='cpu')\n"
        "model.sample(200, random_state=11).to_pickle(sys.argv[2])\n"
        "asked = {'paid': False, 'amount': (None, 30)}\n"
        "model.sample(40, conditions=asked, random_state=12).to_pickle(sys.argv[3])\n"
    )
    files = [tmp_path / "rows.pkl", tmp_path / "conditioned.pkl"]
    subprocess.run([sys.executable, "-W", "error", "-c", script, path, *files], check=True)
    pd.testing.assert_frame_equal(pd.read_pickle(files[0]), expected)
    pd.testing.assert_frame_equal(pd.read_pickle(files[1]), expected_conditioned)


def test_the_same_fit_gives_the_same_bytes(table: pd.DataFrame, model: Synthesizer, tmp_path: Path) -> None:
    first = model.save(tmp_path / "first.synthgan")
    second = tiny(target="paid").fit(table).save(tmp_path / "second.synthgan")
    assert first.read_bytes() == second.read_bytes()


def test_an_existing_model_is_kept_without_force(model: Synthesizer, tmp_path: Path) -> None:
    path = tmp_path / "orders.synthgan"
    path.write_text("precious")
    with pytest.raises(synthgan.OutputError, match="force"):
        model.save(path)
    assert path.read_text() == "precious"
    model.save(path, force=True)
    assert synthgan.load(path).n_rows_ == 600


# --------------------------------------------------------------------------------------------------------- odd tables


def test_a_table_with_nothing_to_model(tmp_path: Path) -> None:
    table = pd.DataFrame({"shop": ["north"] * 20, "year": [2024] * 20, "note": [None] * 20})
    fitted = tiny().fit(table)
    assert fitted.generator_ is None
    assert fitted.history_ == []
    rows = fitted.sample(7)
    pd.testing.assert_frame_equal(rows, table.head(7))
    pd.testing.assert_frame_equal(fitted.sample(3, conditions={"year": 2024, "note": None}), table.head(3))
    with pytest.raises(synthgan.ConditionError, match="'year'"):
        fitted.sample(3, conditions={"year": 2025})
    loaded = synthgan.load(fitted.save(tmp_path / "constant.synthgan"))
    pd.testing.assert_frame_equal(loaded.sample(7), rows)
    with_checkpoint = tiny().fit(table, checkpoint=tmp_path / "fit.checkpoint")
    pd.testing.assert_frame_equal(with_checkpoint.sample(7), rows)


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(["a", "b", "b"] * 40),
        pd.Series([True, False, False] * 40),
        pd.Series(np.linspace(0, 1, 120) ** 2),
        pd.Series(range(120)).mod(50),
        pd.Series(["a", None] * 60),
        pd.Series([f"{number:08x}-e" for number in range(119)] + [None]),
    ],
    ids=["levels", "boolean", "float", "integer", "missing", "identifier"],
)
def test_a_single_modelled_column(column: pd.Series, tmp_path: Path) -> None:
    fitted = tiny().fit(pd.DataFrame({"x": column, "same": 1}))
    rows = fitted.sample(500)
    loaded = synthgan.load(fitted.save(tmp_path / "x.synthgan"), device="cpu")
    pd.testing.assert_frame_equal(loaded.sample(500, random_state=0), rows)
    assert rows["x"].dtype == column.dtype
    assert (rows["same"] == 1).all()
    assert column.isna().any() or not rows["x"].isna().any()


def test_a_column_that_is_missing_throughout_stays_so(table: pd.DataFrame) -> None:
    empty = table[["city"]].assign(gone=np.full(600, np.nan), never=pd.Series([None] * 600, dtype="string"))
    rows = tiny().fit(empty).sample(50)
    assert rows[["gone", "never"]].isna().all(axis=None)
    assert rows.dtypes.tolist() == empty.dtypes.tolist()


def test_two_rows_are_enough_and_fewer_are_not() -> None:
    two = pd.DataFrame({"city": ["Oslo", "Rome"], "items": [1, 5], "paid": [True, False]})
    rows = tiny().fit(two).sample(20)
    assert len(rows) == 20
    assert list(rows.columns) == list(two.columns)
    for n_rows in (0, 1):
        with pytest.raises(DataError, match="row"):
            tiny().fit(two.head(n_rows))
    with pytest.raises(DataError, match="no columns"):
        tiny().fit(pd.DataFrame(index=range(5)))


@pytest.mark.parametrize(
    "labels", [[0, 1, 2], ["a", 1, 2.5], [("x", "a"), ("x", "b"), ("y", "a")]], ids=["int", "mixed", "tuple"]
)
def test_names_that_are_not_strings_come_back(table: pd.DataFrame, labels: list[Hashable]) -> None:
    named = table[["city", "items", "paid"]].copy()
    named.columns = pd.Index(labels)
    fitted = tiny().fit(named)
    rows = fitted.sample(40, conditions={labels[1]: 3})
    assert list(rows.columns) == labels
    assert (rows[labels[1]] == 3).all()
    frame = named[[labels[0]]].head(10)
    assert fitted.sample(conditions=frame)[labels[0]].tolist() == frame[labels[0]].tolist()
    for target in labels:
        balanced = fitted.augment(named, target)  # type: ignore[arg-type]
        assert balanced[target].value_counts().nunique() == 1


def test_duplicate_names_are_refused(table: pd.DataFrame) -> None:
    twice = table[["city", "items"]].set_axis(["city", "city"], axis=1)
    with pytest.raises(DataError, match="'city'"):
        tiny().fit(twice)


def test_columns_of_mixed_types_are_refused_by_name() -> None:
    mixed = pd.DataFrame({"fine": [1, 2, 3] * 10, "odd": [1, "secret", 2.5] * 10})
    with pytest.raises(DataError, match="'odd'") as caught:
        tiny().fit(mixed)
    assert "secret" not in str(caught.value)


def test_declared_facts_win_over_guesses(table: pd.DataFrame) -> None:
    schema = {"columns": [{"name": "items", "kind": "categorical"}, {"name": "note", "kind": "text", "text": "drop"}]}
    fitted = tiny(schema=schema).fit(table)
    assert (fitted.schema_["items"].kind, fitted.schema_["items"].source) == ("categorical", "declared")
    assert "note" not in fitted.sample(3).columns
    assert fitted.notices_ == ()


def test_every_dtype_comes_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n_rows = 400
    whole, real = rng.integers(0, 30, n_rows), rng.normal(size=n_rows)
    absent = rng.random(n_rows) < 0.2
    days = pd.Timestamp("2024-03-01") + pd.to_timedelta(rng.integers(0, 90, n_rows), unit="D")
    cents = [None if gone else Decimal(int(value)) / 4 for gone, value in zip(absent, whole, strict=True)]
    table = pd.DataFrame(
        {
            "uint8": whole.astype("uint8"),
            "float32": real.astype("float32"),
            "infinite": np.where(whole < 3, np.inf, np.where(absent, np.nan, real)),
            "Int16": pd.array(np.where(absent, None, whole), dtype="Int16"),
            "Float64": pd.array(np.where(absent, None, real.round(1)), dtype="Float64"),
            "boolean": pd.array(np.where(absent, None, whole > 9), dtype="boolean"),
            "string": pd.array(np.where(absent, None, "s" + (whole % 5).astype(str).astype(object)), dtype="string"),
            "category": pd.Categorical((whole % 3).astype(str)),
            "decimal": pd.array(cents, dtype=pd.ArrowDtype(pa.decimal128(8, 2))),
            "arrow": pd.array(whole % 7, dtype="int32[pyarrow]"),
            "seconds": pd.Series(days, dtype="datetime64[s]"),
            "zoned": pd.Series(days).dt.tz_localize("Europe/Rome"),
            "date": pd.array([day.date() for day in days], dtype=pd.ArrowDtype(pa.date32())),
            "duration": pd.to_timedelta(whole * 15, unit="min"),
        }
    )
    fitted = tiny().fit(table)
    rows = fitted.sample(300)
    pd.testing.assert_series_equal(rows.dtypes, table.dtypes)
    assert np.isinf(rows["infinite"]).any()
    assert {value.as_tuple().exponent for value in rows["decimal"].dropna()} == {-2}
    assert (rows["zoned"] == rows["zoned"].dt.normalize()).all()
    assert (rows["duration"] % pd.Timedelta(minutes=15) == pd.Timedelta(0)).all()
    for name in table.columns:
        assert rows[name].isna().any() == table[name].isna().any(), name
    fitted.sample_to(tmp_path / "rows.parquet", 300)
    found = pd.read_parquet(tmp_path / "rows.parquet")
    # Parquet has no whole seconds, and pandas itself does not read the other two back.
    assert {name for name in table if found[name].dtype != rows[name].dtype} <= {"seconds", "decimal", "date"}
    pd.testing.assert_frame_equal(found.astype(rows.dtypes), rows)
    loaded = synthgan.load(fitted.save(tmp_path / "model.synthgan"), device="cpu")
    pd.testing.assert_frame_equal(loaded.sample(300, random_state=0), rows)


@pytest.mark.slow
def test_ten_thousand_categories(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = np.array([f"name {number}" for number in range(10_000)])
    drawn = (10_000 * rng.random(40_000) ** 3).astype(int)
    table = pd.DataFrame({"name": pd.Categorical(names[drawn], categories=names), "rank": drawn // 2500})
    fitted = tiny().fit(table)
    assert max(span.n_levels for span in fitted.codec_.layout.spans) <= 260
    rows = fitted.sample(2000)
    counts = table["name"].value_counts()
    assert set(rows["name"]) <= set(counts[counts >= 10].index) | {"<other>"}
    assert rows["name"].nunique() > 300
    common = counts.index[:3].tolist()
    assert set(fitted.sample(50, conditions={"name": common})["name"]) <= set(common)


def test_values_outside_declared_levels_and_bounds_bring_a_notice_that_counts_them() -> None:
    rows = pd.DataFrame({"city": ["Oslo"] * 60 + ["Rome"] * 30 + ["Lima"] * 10, "age": list(range(20, 70)) * 2})
    schema = {"columns": {"city": {"levels": ["Oslo", "Rome"]}, "age": {"bounds": [30, 60]}}}
    notices = tiny(schema=schema).fit(rows).notices_
    assert any("'city' holds levels that are not declared in 10 rows" in notice for notice in notices)
    assert any("'age' lies beyond its declared bounds in 38 rows" in notice for notice in notices)
    assert not any("Lima" in notice for notice in notices)

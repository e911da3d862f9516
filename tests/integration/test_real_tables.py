"""Every development table, fitted and sampled with no settings at all (but fewer steps)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import synthgan
from synthgan import Synthesizer
from synthgan.tables.columns.levels import OTHER

pytestmark = pytest.mark.slow

N_STEPS = 100
N_SAMPLED = 10_000
MIN_COUNT = 10
TABLES = (
    "adult_train",
    "default",
    "german_credit",
    "hotel_bookings",
    "insurance",
    "nyc_taxis",
    "penguins_raw",
    "shoppers",
    "titanic",
)
FREE_TEXT = {"penguins_raw": {"Comments"}, "titanic": {"name", "home.dest"}}
IDENTIFIERS = {"default": {"ID"}, "titanic": {"body"}}


@dataclass(frozen=True)
class Case:
    """A real table, what was fitted on it and what came out."""

    name: str
    real: pd.DataFrame
    model: Synthesizer
    synthetic: pd.DataFrame

    def columns(self, *kinds: str) -> Iterator[tuple[str, pd.Series, pd.Series]]:
        """Name, real and synthetic values (present ones) of the columns of these kinds."""
        for column in self.model.schema_.columns:
            if column.kind in kinds:
                yield column.name, self.real[column.name].dropna(), self.synthetic[column.name].dropna()


@pytest.fixture(scope="module", params=TABLES)
def case(request: pytest.FixtureRequest, shared_data: Path) -> Case:
    """One table after another; each is fitted once."""
    real = pd.read_parquet(shared_data / f"{request.param}.parquet")
    model = Synthesizer(max_steps=N_STEPS, device="cpu", random_state=0, progress="off").fit(real)
    return Case(request.param, real, model, model.sample(N_SAMPLED))


def test_columns_order_and_dtypes(case: Case) -> None:
    assert len(case.synthetic) == N_SAMPLED
    pd.testing.assert_series_equal(case.synthetic.dtypes, case.real.dtypes)


def test_kinds_that_matter(case: Case) -> None:
    kinds = {column.name: column.kind for column in case.model.schema_.columns}
    assert {name for name, kind in kinds.items() if kind == "text"} == FREE_TEXT.get(case.name, set())
    assert {name for name, kind in kinds.items() if kind == "identifier"} == IDENTIFIERS.get(case.name, set())


def test_levels_are_the_protected_ones(case: Case) -> None:
    encoders = {encoder.name: encoder for encoder in case.model.codec_.encoders}
    for name, real, synthetic in case.columns("categorical", "boolean"):
        counts = real.value_counts()
        common, rare = set(counts[counts >= MIN_COUNT].index), set(counts[counts < MIN_COUNT].index)
        kept = set(encoders[name].listed.values.to_pylist())
        assert kept == common, f"{name}: the model holds {len(kept)} levels, {len(common)} are common enough"
        found = set(synthetic)
        assert not found & rare, f"{name}: {len(found & rare)} protected levels came out"
        assert found <= common | ({OTHER} if rare else set()), name


def test_numbers_lie_on_the_real_grid_and_within_the_real_range(case: Case) -> None:
    for name, real, synthetic in case.columns("integer", "float"):
        numbers, drawn = real.to_numpy(np.float64), synthetic.to_numpy(np.float64)
        assert real.min() <= drawn.min() <= drawn.max() <= real.max(), name
        assert drawn.std() > 0, name
        for decimals in range(7):
            if np.array_equal(np.round(numbers, decimals), numbers):
                whole = np.rint(numbers * 10**decimals).astype(np.int64)
                step = int(np.gcd.reduce(whole))
                on_grid = np.rint(drawn * 10**decimals).astype(np.int64)
                assert np.array_equal(np.round(drawn, decimals), drawn), f"{name}: more than {decimals} decimals"
                assert (on_grid % max(step, 1) == 0).all(), f"{name}: not in steps of {step}"
                break


def test_times_lie_on_the_real_grid_and_within_the_real_range(case: Case) -> None:
    for name, real, synthetic in case.columns("datetime", "date"):
        assert real.min() <= synthetic.min() <= synthetic.max() <= real.max(), name
        for unit in ("D", "h", "min", "s"):
            if (real == real.dt.floor(unit)).all():
                assert (synthetic == synthetic.dt.floor(unit)).all(), f"{name}: not whole units of {unit}"
                break


def test_missing_shares(case: Case) -> None:
    text = FREE_TEXT.get(case.name, set())
    for name in case.real.columns:
        real, synthetic = case.real[name].isna().mean(), case.synthetic[name].isna().mean()
        if name in text:
            assert synthetic == 1.0
        else:
            assert synthetic == pytest.approx(real, abs=0.02), name
        assert real > 0 or name in text or synthetic == 0, f"{name} has no missing values and must not get any"


def test_free_text_is_emptied_with_a_notice(case: Case) -> None:
    text = FREE_TEXT.get(case.name, set())
    assert sum("will be emitted empty" in notice for notice in case.model.notices_) == len(text)
    for name in text:
        assert any(f"'{name}'" in notice and "empty" in notice for notice in case.model.notices_)


def test_identifiers_are_fresh_and_written_alike(case: Case) -> None:
    for name, real, synthetic in case.columns("identifier"):
        assert synthetic.is_unique, name
        if real.is_unique and real.dtype == "string":
            assert synthetic.str.len().max() <= real.str.len().max() + 4, name


def test_the_model_file_gives_the_same_rows(case: Case, tmp_path: Path) -> None:
    loaded = synthgan.load(case.model.save(tmp_path / "model.synthgan"), device="cpu")
    pd.testing.assert_frame_equal(loaded.sample(N_SAMPLED, random_state=0), case.synthetic)


def test_declared_constraints_hold_in_every_row(shared_data: Path) -> None:
    real = pd.read_parquet(shared_data / "nyc_taxis.parquet")
    pairs = [("pickup_borough", "pickup_zone"), ("dropoff_borough", "dropoff_zone")]
    rules = [{"rule": "order", "low": "pickup", "high": "dropoff"}]
    rules += [{"rule": "combinations", "columns": list(pair)} for pair in pairs]
    model = Synthesizer(
        schema={"constraints": rules}, max_steps=N_STEPS, device="cpu", random_state=0, progress="off"
    ).fit(real)
    synthetic = model.sample(N_SAMPLED)
    pd.testing.assert_series_equal(synthetic.dtypes, real.dtypes)
    assert (synthetic["pickup"] <= synthetic["dropoff"]).all()
    for pair in map(list, pairs):
        known = set(real[pair].astype(object).where(real[pair].notna(), None).itertuples(index=False, name=None))
        drawn = synthetic[pair].astype(object).where(synthetic[pair].notna(), None)
        assert set(drawn.itertuples(index=False, name=None)) <= known
    trip = (real["dropoff"] - real["pickup"]).dt.total_seconds()
    drawn_trip = (synthetic["dropoff"] - synthetic["pickup"]).dt.total_seconds()
    assert drawn_trip.median() == pytest.approx(trip.median(), rel=0.25)
    missing = synthetic.isna().mean() - real.isna().mean()
    assert missing.abs().max() < 0.02

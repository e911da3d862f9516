"""A private fit end to end: what it spends, what it says, and that nothing exact gets past its doors."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import synthgan
from synthgan import BudgetError, Privacy, PrivacyError, SchemaError, SettingsError, Synthesizer
from synthgan.config import DpSgdSettings, GeneratorSettings, TrainingSettings
from synthgan.errors import TrainingError
from synthgan.fitting import private as private_fit
from synthgan.fitting.private import PrivateFit
from synthgan.fitting.private_settings import SCHEDULES, private_settings
from synthgan.fitting.private_table import BINS, codec_settings
from synthgan.privacy.account.shared_file import LedgerFile
from synthgan.privacy.dp_sgd import PrivateCritic
from synthgan.tables.inference import infer_schema
from synthgan.tables.sources.batches import TableSource
from synthgan.tables.sources.open import open_source
from tests.stand_in_mechanisms import ScriptedMechanisms

SMALL = TrainingSettings(
    n_steps=10, batch_size=32, generator=GeneratorSettings(width=8, n_blocks=1, latent_dim=4), evaluate_every=5
)
CRITIC = DpSgdSettings(expected_batch_size=16, n_updates=8, width=8)
DECLARED = {
    "columns": {
        "colour": {"levels": ["red", "blue", "green"]},
        "age": {"bounds": [0, 99]},
        "weight": {"bounds": [0, 200]},
        "smokes": "boolean",
        "note": "text",
    }
}


def people(n_rows: int = 400, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    colour = rng.choice(["red", "blue", "green"], n_rows, p=[0.5, 0.3, 0.2])
    age = rng.integers(18, 90, n_rows)
    return pd.DataFrame(
        {
            "colour": colour,
            "age": age,
            "weight": rng.normal(50, 9, n_rows) + 20 * (colour == "red"),
            "smokes": rng.random(n_rows) < np.where(age > 50, 0.6, 0.2),
            "note": [f"row {i}" for i in range(n_rows)],
        }
    )


def synthesizer(privacy: Privacy, **options: Any) -> Synthesizer:
    options = {"settings": SMALL, "random_state": 0, "device": "cpu", "progress": "off", "schema": DECLARED, **options}
    return Synthesizer(privacy=privacy, **options)


def private(epsilon: float = 1.0, **options: Any) -> Privacy:
    return Privacy(epsilon, **{"neural_settings": CRITIC, **options})


class Watched(TableSource):
    """A table that can be taken away."""

    def __init__(self, table: pa.Table) -> None:
        super().__init__(table, description="the table")
        self.is_gone = False

    def _read(self, columns: list[str], batch_size: int) -> Iterator[pa.RecordBatch]:
        assert not self.is_gone, "a row was read outside the doors"
        yield from super()._read(columns, batch_size)


def watched(frame: pd.DataFrame) -> Watched:
    return Watched(pa.Table.from_pandas(frame, preserve_index=False))


# ------------------------------------------------------------------------------------------------------- end to end


@pytest.mark.parametrize("neural", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("declared", [True, False])
def test_a_fit_keeps_its_promise_and_samples(neural: float, declared: bool, tmp_path: Path) -> None:
    frame = people().drop(columns=[] if declared else ["note"])
    schema = DECLARED if declared else None
    made = synthesizer(private(2.0, neural=neural), schema=schema, target="smokes").fit(frame)

    ledger = made.ledger_
    assert ledger is not None
    assert ledger.guarantee() == (2.0, 1e-5)
    assert 0.5 < ledger.spent_epsilon() <= 2.0
    assert ledger.spent_delta <= ledger.discovery_delta * (1 + 1e-9)
    assert {entry.state for entry in ledger.entries} == {"spent"}
    assert {entry.door for entry in ledger.entries} == ({1, 2} if neural == 0 else {1, 3} if neural == 1 else {1, 2, 3})
    assert (ledger.unit, ledger.rows_per_unit) == ("row", 1)
    assert ledger.unprotected == private_fit.UNPROTECTED

    rows = made.sample(50)
    assert list(rows.columns) == list(frame.columns)
    assert rows.dtypes.drop("note", errors="ignore").equals(frame.dtypes.drop("note", errors="ignore"))
    if declared:
        assert rows["age"].dropna().between(0, 99).all()
        assert set(rows["colour"].dropna()) <= {"red", "blue", "green"}
    assert [each.column for each in made.released_] == [name for name in frame.columns if name != "note"]
    assert not any(name in notice for name in rows.columns.drop("note", errors="ignore") for notice in made.notices_)

    path = made.save(tmp_path / "model.synthgan")
    again = synthgan.load(path)
    assert again.ledger_ is not None
    assert again.ledger_.to_json() == ledger.to_json()
    assert again.n_rows_ == made.n_rows_
    assert again.released_ == ()
    pd.testing.assert_frame_equal(again.sample(20, random_state=1), made.sample(20, random_state=1))


def test_every_share_on_an_unknown_grid_has_a_discovery_of_its_own() -> None:
    """Whole numbers between 0 and 1 would be two, but nobody said that these are whole."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({name: np.where(rng.random(2000) < 0.4, 0.0, rng.random(2000)) for name in ("a", "b", "c")})
    columns = {name: {"kind": "float", "bounds": [0, 1]} for name in frame}
    made = synthesizer(private(), schema={"columns": columns}).fit(frame)
    assert made.sample(20).to_numpy().min() >= 0


def test_persons_of_several_rows() -> None:
    frame = people(300)
    frame["who"] = [None if i % 50 == 0 else f"person {i % 97}" for i in range(300)]
    privacy = private(50.0, unit="who", rows_per_unit=2, neural=0.5)  # so that the noisy count is near the count
    made = synthesizer(privacy, target="smokes").fit(frame)
    ledger = made.ledger_
    assert ledger is not None
    assert (ledger.unit, ledger.rows_per_unit) == ("who", 2)
    assert ledger.in_words() == (
        "differential privacy, epsilon 50, delta 1e-05, for each person in 'who', of whom at most 2 rows were used"
    )
    assert "number of persons" in {entry.what for entry in ledger.entries}
    # 97 persons with two of their three rows each, and six rows without a person.
    assert made.n_rows_ == pytest.approx(200, abs=40)
    rows = made.sample(60)
    assert rows["who"].is_unique
    assert not set(rows["who"]) & set(frame["who"])


def test_the_guarantee_in_words() -> None:
    made = synthesizer(private(0.5, delta=1e-6)).fit(people())
    assert made.ledger_ is not None
    assert made.ledger_.in_words() == "differential privacy, epsilon 0.5, delta 1e-06, for each row"


def test_nothing_to_model_is_fine() -> None:
    made = synthesizer(private(), schema={"columns": {"note": "text"}}).fit(people()[["note"]])
    assert made.generator_ is None
    assert made.sample(3)["note"].isna().all()


def test_unsafe_guarantees_are_named() -> None:
    made = synthesizer(private(20.0, delta=0.1)).fit(people())
    assert sum("epsilon 20 is above 10" in notice for notice in made.notices_) == 1
    assert sum("delta 0.1 is not below 1 divided by" in notice for notice in made.notices_) == 1
    assert "epsilon 20" in made.notices_[0], "the guarantee comes first"


# ------------------------------------------------------------------------------------------------------ the ledger file


def test_a_ledger_file_adds_fits_up_and_refuses_at_its_cap(tmp_path: Path) -> None:
    path = tmp_path / "fits.json"
    LedgerFile.create(path, cap_epsilon=2.5)
    privacy = private(ledger=path)
    for _ in range(2):
        synthesizer(privacy).fit(people(100))
    assert LedgerFile(path).guarantee() == (2.0, 2e-5)
    assert [fit.state for fit in LedgerFile(path).read().fits] == ["spent", "spent"]
    source = watched(people(100))
    source.is_gone = True
    with pytest.raises(BudgetError, match="before it read any data"):
        synthesizer(privacy).fit(source)
    assert len(LedgerFile(path).read().fits) == 2


def test_a_fit_that_fails_stays_reserved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise TrainingError("training diverged")

    monkeypatch.setattr("synthgan.training.loop.Trainer.run", fail)
    path = tmp_path / "fits.json"
    with pytest.raises(TrainingError):
        synthesizer(private(8.0, ledger=path)).fit(people())
    assert [fit.state for fit in LedgerFile(path).read().fits] == ["reserved"]
    assert LedgerFile(path).guarantee() == (8.0, 1e-5)


# --------------------------------------------------------------------------------------------- nothing exact leaves


def told(frame: pd.DataFrame, folder: Path, **options: Any) -> tuple[Any, ...]:
    """All that a fit lets anybody know: the model file, the history, notices, logs, warnings and attributes."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        made = synthesizer(options.pop("privacy"), target="smokes", **options).fit(watched(frame))
    path = made.save(folder / "model", force=True)
    history = [{k: v for k, v in record.items() if k != "seconds"} for record in made.history_]
    said = [str(each.message) for each in warned]
    about = (made.notices_, made.released_, made.n_rows_, made.stopped_by_, made.training_settings_)
    return path.read_bytes(), history, said, *about


def hostile() -> dict[str, pd.DataFrame]:
    """Tables with the same columns and types, and nothing else in common."""
    usual = people(30)
    empty = usual.head(0)
    return {
        "usual": usual,
        "one row less": usual.drop(index=11),
        "one row": usual.head(1),
        "no row": empty,
        "missing": usual.assign(colour=None, weight=np.nan, note=None).astype({"colour": object, "note": object}),
        "out of bounds": usual.assign(age=2**62, weight=1e300, colour="mauve"),
        "infinite": usual.assign(weight=[np.inf, -np.inf, np.nan] * 10, age=-(2**63)),
        "one value": usual.assign(age=1, weight=1.0, colour="red", smokes=True),
    }


@pytest.mark.parametrize("neural", [0.0, 1.0])
def test_with_the_same_answers_all_tables_look_alike(
    neural: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neighbouring tables, and tables that are as different as can be: whatever is told, came through a mechanism."""
    monkeypatch.setattr(private_fit, "Mechanisms", ScriptedMechanisms)

    def no_gradient(critic: PrivateCritic) -> None:
        for parameter in critic.discriminator.parameters():
            parameter.grad = parameter.new_zeros(parameter.shape)

    monkeypatch.setattr(PrivateCritic, "_noised_real_half", no_gradient)
    first: tuple[Any, ...] = ()
    for name, frame in hostile().items():
        frame = frame.astype({"colour": "string", "note": "string", "smokes": bool, "age": "int64"})  # noqa: PLW2901
        found = told(frame, tmp_path, privacy=private(neural=neural))
        first = first or found
        assert found == first, name


@pytest.mark.parametrize("name", ["no row", "one row", "missing", "out of bounds", "infinite"])
def test_hostile_rows_raise_no_error_and_no_warning(name: str) -> None:
    frame = hostile()[name].astype({"colour": "string", "note": "string", "age": "int64"})
    made = synthesizer(private(neural=0.3), target="smokes", schema=DECLARED).fit(frame)
    assert made.sample(5)["age"].dropna().between(0, 99).all()


def test_no_row_is_read_once_the_doors_are_open(monkeypatch: pytest.MonkeyPatch) -> None:
    source = watched(people(100))
    opened = PrivateFit.open

    def open_and_take_away(self: PrivateFit, *arguments: Any) -> Any:
        doors = opened(self, *arguments)
        source.is_gone = True
        assert source not in vars(self).values()
        assert not any(isinstance(value, TableSource) for value in vars(self).values())
        return doors

    monkeypatch.setattr(PrivateFit, "open", open_and_take_away)
    made = synthesizer(private(8.0, neural=0.5)).fit(source)
    assert source.is_gone
    assert len(made.sample(5)) == 5


def test_the_model_file_holds_no_exact_count(tmp_path: Path) -> None:
    import zipfile

    made = synthesizer(private(0.2)).fit(people(397))
    path = made.save(tmp_path / "model")
    with zipfile.ZipFile(path) as file:
        manifest = json.loads(file.read("manifest.json"))
        codec = json.loads(file.read("codec.json"))
    assert manifest["guarantee"] != "none"
    assert codec["n_rows"] == made.codec_.n_rows
    assert made.n_rows_ == round(made.codec_.n_rows)


def test_one_seed_gives_two_different_private_fits() -> None:
    """`random_state` has no part in the noise: who knows it could subtract what it draws."""
    frame = people(300)
    one, other = (synthesizer(private(4.0), random_state=3).fit(frame) for _ in range(2))
    noisy = [made.codec_.layout.marginal.tolist() for made in (one, other)]
    assert noisy[0] != noisy[1]


# ----------------------------------------------------------------------------------------------------- what is refused


def test_an_inferred_schema_is_refused_before_anything_is_spent(tmp_path: Path) -> None:
    frame, path = people(100), tmp_path / "fits.json"
    schema = infer_schema(open_source(frame))
    with pytest.raises(SchemaError, match="facts that were inferred from the table"):
        synthesizer(private(ledger=path), schema=schema).fit(frame)
    with pytest.raises(SchemaError, match=r"the target names the column 'smoke', .*did you mean 'smokes'"):
        synthesizer(private(), target="smoke").fit(frame)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"early_stopping": True}, "early stopping judges held-out rows"),
        ({"settings": TrainingSettings(early_stopping=True)}, "early stopping judges held-out rows"),
        ({"protect_values": False}, "protect_values"),
        (
            {"time_limit": 3600.0},
            r"time_limit \(--time-limit\) lets the clock say .* set max_steps \(--max-steps\) or eff",
        ),
    ],
)
def test_what_cannot_be_private_is_refused_by_name(options: dict[str, Any], text: str) -> None:
    source = watched(people(50))
    source.is_gone = True
    with pytest.raises(PrivacyError, match=text):
        synthesizer(private(), **options).fit(source)


def test_nothing_that_a_clock_says_is_in_a_private_fit() -> None:
    """How fast steps are taken hangs on the rows behind the third door; an exact fit's history tells it."""
    made = synthesizer(private(8.0, neural=0.5)).fit(people(100))
    assert made.history_
    assert not [record for record in made.history_ if "seconds" in record]
    exact = Synthesizer(settings=SMALL, device="cpu", progress="off").fit(people(100))
    assert all("seconds" in record for record in exact.history_)


def test_a_loss_that_ties_rows_together_is_refused() -> None:
    with pytest.raises(PrivacyError, match="relativistic"):
        synthesizer(private(8.0, neural=1.0, neural_settings=DpSgdSettings(loss="relativistic"))).fit(people())


def test_a_privacy_that_is_none() -> None:
    with pytest.raises(SettingsError, match="privacy must be a Privacy or None, got float"):
        Synthesizer(privacy=1.0).fit(people(50))  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------------------ settings


def test_settings_depend_on_nothing_of_the_table() -> None:
    import torch

    cpu = torch.device("cpu")
    marginals = private_settings("quick", private(neural=0.0), device=cpu)
    assert (marginals.adversarial_weight, marginals.twin_weight, marginals.shrinkage) == (0, 0, 0)
    assert marginals.n_steps == SCHEDULES["quick"][0]
    both = private_settings("default", private(neural=0.5), device=cpu, max_steps=7)
    assert (both.n_steps, both.loss, both.penalty) == (7, "non-saturating", 0.0)
    assert both.marginal_weight > 0 < both.adversarial_weight
    alone = private_settings(SMALL, private(neural=1.0), device=cpu)
    assert (alone.n_steps, alone.shrinkage, alone.capture) == (10, 0, "off")


@pytest.mark.parametrize("neural", [0.0, 0.5, 1.0])
def test_short_private_fits_warm_up_for_a_fifth_of_their_steps(neural: float) -> None:
    import torch

    settings = private_settings("default", Privacy(1.0, neural=neural), device=torch.device("cpu"), max_steps=50)
    assert (settings.n_steps, settings.warmup_steps) == (50, 10)


def test_more_rows_and_more_budget_allow_more_bins() -> None:
    bins = [codec_settings(n, rho, 10).n_bins for n, rho in ((10, 1e-3), (2e4, 0.03), (2e4, 0.3), (1e9, 10))]
    assert bins == sorted(bins)
    assert (bins[0], bins[-1]) == BINS
    # sqrt(20,000 * sqrt(0.03) / 40) = 9.3
    assert bins[1] == 9

"""The table of kinds: everything that looks a kind up finds it, and a new kind is a row, an encoder and a release."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import synthgan
from synthgan import Privacy, SchemaError, Synthesizer, evaluate
from synthgan.config import DpSgdSettings, GeneratorSettings, TrainingSettings
from synthgan.privacy.columns import RELEASES
from synthgan.tables.columns import ENCODERS
from synthgan.tables.columns.protocol import ColumnEncoder
from synthgan.tables.kinds import LEVELLED, TRAITS, Kind, natural_kind
from synthgan.tables.schema.schema import ColumnSchema
from synthgan.tables.schema.schema_file import JSON_SCHEMA
from tests import bearing_kind

SMALL = TrainingSettings(
    n_steps=6, batch_size=32, generator=GeneratorSettings(width=8, n_blocks=1, latent_dim=4), evaluate_every=3
)
CRITIC = DpSgdSettings(expected_batch_size=16, n_updates=6, width=8)


def test_every_list_of_kinds_is_that_of_the_table() -> None:
    assert list(TRAITS) == list(get_args(Kind)) == JSON_SCHEMA["$defs"]["kind"]["enum"]
    documented = (Path(__file__).parents[2] / "docs" / "schema.md").read_text(encoding="utf-8")
    rows = [
        line.split("|")[1] for line in documented.split("\n## Kinds\n")[1].split("\n### ")[0].splitlines()[3:] if line
    ]
    assert {name.strip(" `") for row in rows for name in row.split(",")} == set(TRAITS)


def test_every_family_has_its_encoder_and_its_release() -> None:
    assert set(ENCODERS) == {traits.family for traits in TRAITS.values()}
    assert set(RELEASES) == {traits.family for traits in TRAITS.values() if traits.is_read}
    for traits in TRAITS.values():
        alike = [other for other in TRAITS.values() if other.family == traits.family]
        assert {other.counted_as for other in alike} == {traits.counted_as}


@pytest.mark.parametrize("family", ENCODERS)
def test_an_encoder_has_all_that_the_protocol_asks(family: str) -> None:
    asked = {name for name in vars(ColumnEncoder) if not name.startswith("_")}
    fields = {field.name for field in dataclasses.fields(ENCODERS[family])}  # type: ignore[arg-type]
    assert {"name", "fit", "from_json", "facts", "listed"} <= asked
    assert asked <= {*dir(ENCODERS[family]), *fields}


def test_each_type_is_natural_for_one_kind_that_can_carry_it() -> None:
    types = (
        pa.bool_(), pa.int8(), pa.uint64(), pa.float32(), pa.float64(), pa.decimal128(9, 2), pa.decimal128(9, 0),
        pa.string(), pa.large_string(), pa.date32(), pa.timestamp("s"), pa.timestamp("us", "UTC"), pa.duration("ns"),
        pa.null(),
    )  # fmt: skip
    for held in types:
        claims = [
            kind for kind, traits in TRAITS.items() if traits.natural_for is not None and traits.natural_for(held)
        ]
        assert claims == [natural_kind(held)] or (not claims and natural_kind(held) == LEVELLED)
        assert TRAITS[natural_kind(held)].carries(held)
    for traits in TRAITS.values():
        assert traits.read_as is None or traits.carries(traits.read_as)


def test_only_numbers_have_bounds_and_what_is_unread_is_unlearned() -> None:
    for kind, traits in TRAITS.items():
        assert traits.is_number == (traits.counted_as == "histogram")
        assert not traits.has_calendar or traits.scale == "moment"
        assert traits.is_read or not traits.is_learned
        assert (traits.stated_fact == "bounds") <= traits.is_number
        assert (traits.stated_fact == "levels") <= traits.has_levels
        if not traits.is_number:
            with pytest.raises(SchemaError, match="cannot have granularity"):
                ColumnSchema(name="x", kind=kind, granularity=1)


@pytest.fixture
def bearings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kind ``bearing``, added in three places and nowhere else."""
    monkeypatch.setitem(TRAITS, "bearing", bearing_kind.TRAITS)  # type: ignore[misc]
    monkeypatch.setitem(ENCODERS, "bearings", bearing_kind.BearingEncoder)
    monkeypatch.setitem(RELEASES, "bearings", bearing_kind.RELEASE)


def winds(n_rows: int = 300) -> pd.DataFrame:
    """It blows from the north-east, where the seventh and eighth sectors never see wind."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"heading": 15 * rng.integers(0, 18, n_rows), "strength": rng.choice(["calm", "fresh", "gale"], n_rows)}
    )


DECLARED = {"columns": {"heading": "bearing", "strength": {"levels": ["calm", "fresh", "gale"]}}}


def fit(table: pd.DataFrame, **options: Any) -> Synthesizer:
    options = {"schema": DECLARED, "settings": SMALL, "random_state": 0, "device": "cpu", "progress": "off", **options}
    return Synthesizer(**options).fit(table)


@pytest.mark.usefixtures("bearings")
def test_a_new_kind_is_fitted_sampled_saved_and_evaluated(tmp_path: Path) -> None:
    table = winds()
    synthesizer = fit(table)
    assert synthesizer.schema_["heading"].kind == "bearing"
    encoder = synthesizer.codec_.encoders[0]
    shares = np.bincount(table["heading"] // 45, minlength=8) / len(table)
    np.testing.assert_allclose(encoder.facts.marginal, shares)
    assert encoder.facts.marginal[6:].sum() == 0

    synthesizer.save(tmp_path / "winds.synthgan")
    again = synthgan.load(tmp_path / "winds.synthgan")
    rows = again.sample(100, random_state=1)
    pd.testing.assert_frame_equal(rows, synthesizer.sample(100, random_state=1))
    assert rows["heading"].between(0, 359).all()
    assert rows["heading"].nunique() > 8
    assert again.sample(20, conditions={"heading": (45, 89)}, random_state=1)["heading"].between(45, 89).all()
    assert again.sample(20, conditions={"heading": (50, 60)}, random_state=1)["heading"].between(50, 60).all()

    scores = evaluate(table, rows, schema=DECLARED, parts=["fidelity"], progress="off")
    assert scores.settings["categorical"] == ["heading", "strength"]
    by_dtype = evaluate(table, rows, parts=["fidelity"], progress="off")
    assert by_dtype.settings["categorical"] == ["strength"]


@pytest.mark.usefixtures("bearings")
def test_a_new_kind_is_fitted_privately() -> None:
    """The noise is of a standard deviation below 3, so that 200 rows in one sector stand out by far."""
    table = pd.DataFrame({"heading": [100] * 250 + [200] * 50, "strength": ["calm", "gale"] * 150})
    synthesizer = fit(table, privacy=Privacy(50.0, neural_settings=CRITIC))
    assert synthesizer.released_[0].words == "counted in 8 sectors of the compass"
    encoder = synthesizer.codec_.encoders[0]
    assert isinstance(encoder, bearing_kind.BearingEncoder)
    assert np.argmax(encoder.facts.marginal) == 2
    assert encoder.facts.marginal[2] == pytest.approx(250 / 300, abs=0.1)
    assert synthesizer.sample(50)["heading"].between(0, 359).all()


@pytest.mark.usefixtures("bearings")
def test_a_new_kind_is_refused_where_its_row_says_so() -> None:
    table = winds(40)
    for facts, refusal in (
        ({"kind": "bearing", "bounds": [0, 9]}, "'heading' is bearing and cannot have bounds"),
        ({"kind": "bearing", "levels": [1, 2]}, "'heading' is bearing and cannot have levels"),
    ):
        with pytest.raises(SchemaError, match=refusal):
            fit(table, schema={"columns": {"heading": facts}})
    with pytest.raises(
        SchemaError, match=r"declared bearing, which its type (large_)?string cannot carry.*pd\.to_numeric"
    ):
        fit(table.astype({"heading": str}), schema={"columns": {"heading": "bearing"}})
    with pytest.raises(SchemaError, match=r"categorical, boolean, .* text, bearing"):
        fit(table, schema={"columns": {"heading": "azimuth"}})

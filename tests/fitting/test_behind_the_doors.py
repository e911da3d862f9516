"""Who may touch the rows of a private fit, and when: the fit while it opens its doors, and nobody afterwards."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from synthgan.fitting import private as private_fit
from synthgan.fitting.private import PrivateFit
from synthgan.fitting.private_settings import private_settings
from synthgan.fitting.private_table import PrivateTable
from synthgan.model.model import Model
from synthgan.privacy.account.parameters import Privacy
from synthgan.synthesizer import Synthesizer
from synthgan.tables.sources.batches import TableSource
from synthgan.tables.sources.open import open_source
from synthgan.training.setup import Seeds, trainer_before
from tests.detectors import (
    DELTA,
    DIFFERENT,
    DIFFERENT_DECLARED,
    FEW_UPDATES,
    BlindMechanisms,
    check_only_mechanisms_tell,
    check_rows_are_read_in_the_fit_alone,
    fit_of,
)
from tests.private_critics import BASE, CPU


class PoisonedSource(TableSource):
    """A table that can be read until it is gone."""

    gone = False

    def _read(self, columns: list[str], batch_size: int) -> Iterator[pa.RecordBatch]:
        assert not self.gone, "a row was read behind the doors"
        return super()._read(columns, batch_size)


def test_every_read_happens_while_the_doors_are_opened() -> None:
    check_rows_are_read_in_the_fit_alone()


def test_nothing_but_the_mechanisms_answers_reaches_the_model() -> None:
    check_only_mechanisms_tell()


@pytest.mark.parametrize("kind", ["frame", "csv", "parquet"])
def test_frames_and_files_of_persons_tell_no_more(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As from tables in memory: one with more persons, of more rows each, and the other give the same model."""
    monkeypatch.setattr(private_fit, "Mechanisms", BlindMechanisms)
    declared = {"columns": {**DIFFERENT_DECLARED["columns"], "who": "identifier"}}
    made = []
    for number, (columns, rows_each) in enumerate(zip(DIFFERENT, (1, 5), strict=True)):
        frame = pd.DataFrame({**columns, "who": [f"p{row // rows_each}" for row in range(len(columns["flag"]))]})
        data: Any = frame
        if kind != "frame":
            data = tmp_path / f"{number}.{kind}"
            frame.to_csv(data, index=False) if kind == "csv" else frame.to_parquet(data)
        source = open_source(data, minimum_rows=0)
        source.description = "the table"
        made.append(fit_of(source, declared, unit="who"))
    for one, other in zip(*made, strict=True):
        assert one == other


@pytest.mark.parametrize("unit", ["row", "who"])
@pytest.mark.parametrize("neural", [0.0, 0.5, 1.0])
def test_all_code_behind_the_doors_runs_with_the_rows_freed(tmp_path: Path, neural: float, unit: str) -> None:
    columns: dict[str, list[Any]] = {
        "flag": [True, False] * 300,
        "size": list(range(20)) * 30,
        "who": [f"person {number}" for number in range(300) for _ in range(2)],
    }
    source = PoisonedSource(pa.table(columns), description="the table")
    privacy = Privacy(
        2.0, DELTA, neural=neural, unit=unit, rows_per_unit=2 if unit == "who" else 1, neural_settings=FEW_UPDATES
    )
    declared = {"columns": {"who": "identifier"}}
    settings = private_settings(BASE, privacy, device=CPU, max_steps=5)
    table = PrivateTable.of(source, privacy, declared=declared, target="flag")
    private = PrivateFit.begin(table, settings, min_count=1)
    doors = private.open(CPU)
    source.gone, freed = True, weakref.ref(source)
    del source, table
    gc.collect()
    assert freed() is None, "the fit still holds the table"
    codec = private.codec
    trainer = trainer_before(doors, codec.layout, settings, CPU, Seeds.spawn(0), target=codec.layout.index("flag"))
    reason = trainer.run()
    private.close()
    model = Synthesizer(target="flag", privacy=privacy)
    fitted = Model(
        codec=codec,
        generator=trainer.averaged.eval().requires_grad_(False),
        settings=settings,
        history=trainer.history,
        stopped_by=reason,
        target="flag",
        ledger=private.ledger,
    )
    model._set_fitted(fitted, ())
    model.sample(20, conditions={"flag": True})
    loaded = Synthesizer.load(model.save(tmp_path / "model.synthgan"))
    assert loaded.ledger_ is not None
    assert loaded.ledger_.guarantee() == (2.0, DELTA)

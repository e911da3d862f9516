"""Who may touch the rows of a private fit, and when: the fit while it opens its doors, and nobody afterwards."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from synthgan.model import Model
from synthgan.privacy.parameters import Privacy
from synthgan.private_fit import PrivateFit, private_settings
from synthgan.synthesizer import Synthesizer
from synthgan.tables.batches import TableSource
from synthgan.training.setup import Seeds, trainer_before
from tests.detectors import (
    DELTA,
    FEW_UPDATES,
    check_only_mechanisms_tell,
    check_rows_are_read_in_the_fit_alone,
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
    private = PrivateFit(source, privacy, declared=declared, target="flag", min_count=1)
    settings = private_settings(BASE, privacy, device=CPU, max_steps=5)
    doors = private.open(settings, CPU)
    source.gone, freed = True, weakref.ref(source)
    del source
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

"""An exact fit: what its checkpoint is of, and the doors that tell what is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from synthgan import ModelFileError, Privacy, Synthesizer
from synthgan.config import TrainingSettings
from synthgan.fitting.exact import exact_doors
from synthgan.fitting.resume import Resume
from synthgan.training.setup import Seeds
from tests.fitting.test_private import DECLARED, SMALL, people
from tests.small_tables import small_table

CPU = torch.device("cpu")


def fit(data: pd.DataFrame, checkpoint: Path, **options: Any) -> Synthesizer:
    options = {"settings": SMALL, "schema": DECLARED, "random_state": 0, **options}
    return Synthesizer(device="cpu", progress="off", **options).fit(data, checkpoint=checkpoint)


@pytest.mark.parametrize("holdout", [0.0, 0.2])
def test_the_checkpoint_of_a_private_fit_is_refused_and_kept(holdout: float, tmp_path: Path) -> None:
    checkpoint = tmp_path / "fit.checkpoint"
    fit(people(100), checkpoint, privacy=Privacy(4.0), holdout=holdout)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ModelFileError, match="belongs to another fit"):
        fit(people(100), checkpoint, holdout=holdout)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_who_was_held_out_stays_so(tmp_path: Path) -> None:
    checkpoint = tmp_path / "fit.checkpoint"
    first, again = (fit(people(100), checkpoint, holdout=0.3) for _ in range(2))
    assert first.receipt_ == again.receipt_
    assert Resume.read(checkpoint).holdout_key == first.receipt_.key
    for other in (0.0, 0.2):
        with pytest.raises(ModelFileError, match="belongs to another fit"):
            fit(people(100), checkpoint, holdout=other)
    fit(people(100), tmp_path / "whole.checkpoint")
    assert Resume.read(tmp_path / "whole.checkpoint").holdout_key is None


def test_a_table_without_a_column_to_model_needs_no_checkpoint(tmp_path: Path) -> None:
    notes = pd.DataFrame({"note": ["a word", "two words"] * 20})
    nothing = {"schema": {"columns": {"note": "text"}}}
    made = fit(notes, tmp_path / "fit.checkpoint", **nothing)
    assert made.codec_.layout.n_columns == 0
    assert not list(tmp_path.iterdir())
    fit(people(100), tmp_path / "fit.checkpoint")
    with pytest.raises(ModelFileError, match="belongs to another fit"):
        fit(notes, tmp_path / "fit.checkpoint", **nothing)


def test_exact_doors_tell_what_is() -> None:
    table = small_table(200)
    doors = exact_doors(table, TrainingSettings(), CPU, Seeds.spawn(0), target=None)
    share = doors.marginals.pairs().share.numpy()
    start = table.layout.spans[0].start
    ones = np.bincount(table.codes[:, 0], minlength=table.layout.spans[0].n_levels)
    np.testing.assert_allclose(np.diag(share)[start : start + len(ones)], ones / 200, atol=1e-6)
    assert doors.rounds is None
    assert doors.holdout is None
    assert exact_doors(table, TrainingSettings(adversarial_weight=0.0), CPU, Seeds.spawn(0), target=None).neural is None

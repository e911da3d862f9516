"""The same training and sampling on a CUDA device; skipped by name where there is none."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import synthgan
from synthgan import Synthesizer
from synthgan.critics.marginal_door import ExactMarginals
from synthgan.sampling.draws import DeviceCondition, draw_conditioned, draw_rows
from synthgan.sampling.random_streams import Streams
from tests.orders_table import TINY, orders
from tests.small_tables import small_layout, small_table

pytestmark = pytest.mark.gpu

SETTINGS = dataclasses.replace(TINY, n_steps=200, batch_size=256, learning_rate=5e-3, precision="auto")


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return orders(2000)


@pytest.fixture(scope="module")
def model(table: pd.DataFrame) -> Synthesizer:
    return Synthesizer(target="paid", settings=SETTINGS, device="cuda", progress="off", random_state=0).fit(table)


def test_auto_is_the_gpu(table: pd.DataFrame) -> None:
    fitted = Synthesizer(max_steps=3, progress="off").fit(table)
    assert fitted.generator_ is not None
    assert fitted.generator_.axis.starts.device.type == "cuda"
    assert fitted.training_settings_.batch_size == 4000
    assert fitted.training_settings_.precision in {"bfloat16", "float32"}


def test_training_on_the_gpu_learns(model: Synthesizer, table: pd.DataFrame) -> None:
    assert model.generator_ is not None
    assert {parameter.device.type for parameter in model.generator_.parameters()} == {"cuda"}
    errors = [r["averaged_marginal_error"] for r in model.history_ if "averaged_marginal_error" in r]
    assert np.isfinite(errors).all()
    rows = model.sample(5000)
    assert rows["paid"].mean() == pytest.approx(table["paid"].mean(), abs=0.05)
    assert rows["items"].mean() == pytest.approx(table["items"].mean(), abs=0.3)


def test_the_gpu_counts_what_the_cpu_counts() -> None:
    codes = torch.from_numpy(small_table().codes)
    on_cpu = ExactMarginals(codes, small_layout())
    on_gpu = ExactMarginals(codes.cuda(), small_layout())
    assert torch.equal(on_gpu.pairs().share.cpu(), on_cpu.pairs().share)
    assert torch.equal(on_gpu.slice(0, [1]).share.cpu(), on_cpu.slice(0, [1]).share)


def test_codes_keep_their_contract(model: Synthesizer) -> None:
    assert model.generator_ is not None
    sizes = np.array([span.n_levels for span in model.codec_.layout.spans])
    streams = Streams(torch.Generator("cuda").manual_seed(0))
    rule = model.codec_.compile_conditions(synthgan_conditions(model, {"amount": (5, 20), "city": "Oslo"}))
    condition = DeviceCondition(rule.columns, model.generator_)
    for draw in (
        draw_rows(model.generator_, 3000, streams),
        draw_conditioned(model.generator_, condition, 3000, streams),
    ):
        assert (draw.codes.shape, draw.codes.dtype) == ((3000, len(sizes)), np.int64)
        assert ((draw.codes >= 0) & (draw.codes < sizes)).all()
        assert (draw.positions.shape[0], draw.positions.dtype) == (3000, np.float32)
        assert ((draw.positions >= 0) & (draw.positions < 1)).all()


def synthgan_conditions(model: Synthesizer, conditions: dict[str, object]) -> dict[str, object]:
    from synthgan.tables.conditions.predicates import parse_conditions

    return dict(parse_conditions(conditions, model.schema_))


def test_every_row_meets_the_conditions(model: Synthesizer) -> None:
    rows = model.sample(2000, conditions={"amount": (5, 20), "city": ["Oslo", None], "size": ("S", "M"), "items": 2})
    assert rows["amount"].between(5, 20).all()
    assert (rows["city"].isna() | (rows["city"] == "Oslo")).all()
    assert rows["size"].isin(["S", "M"]).all()
    assert (rows["items"] == 2).all()
    assert len(model.augment(orders(100))) > 100


def test_the_same_seed_gives_the_same_rows_on_the_same_device(model: Synthesizer, table: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(model.sample(500, random_state=4), model.sample(500, random_state=4))
    asked = {"amount": (5, 20)}
    first = model.sample(500, conditions=asked, random_state=4)
    pd.testing.assert_frame_equal(first, model.sample(500, conditions=asked, random_state=4))
    assert not first.equals(model.sample(500, conditions=asked, random_state=5))


def test_a_model_moves_between_devices(model: Synthesizer, tmp_path: Path) -> None:
    path = model.save(tmp_path / "cuda.synthgan")
    on_cpu, on_gpu = synthgan.load(path, device="cpu"), synthgan.load(path, device="cuda")
    assert on_cpu.generator_ is not None
    assert {parameter.device.type for parameter in on_cpu.generator_.parameters()} == {"cpu"}
    pd.testing.assert_frame_equal(on_gpu.sample(300, random_state=2), model.sample(300, random_state=2))
    rows = on_cpu.sample(3000, random_state=2)
    pd.testing.assert_series_equal(rows.dtypes, model.sample(5).dtypes)
    assert rows["paid"].mean() == pytest.approx(model.sample(3000)["paid"].mean(), abs=0.05)
    assert on_cpu.save(tmp_path / "cpu.synthgan").read_bytes() == path.read_bytes()


def test_an_interrupted_fit_goes_on_from_its_checkpoint(
    table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from synthgan.training.checkpoint import Checkpoint
    from synthgan.training.loop import Trainer

    def interrupted(self: Checkpoint, trainer: Trainer) -> None:
        if trainer.step == 60:
            self.save(trainer)
        if trainer.step == 70:
            raise KeyboardInterrupt

    def fit(device: str) -> Synthesizer:
        synthesizer = Synthesizer(settings=SETTINGS, device=device, progress="off", random_state=0)
        return synthesizer.fit(table, checkpoint=tmp_path / "fit.checkpoint")

    with monkeypatch.context() as patched:
        patched.setattr(Checkpoint, "save_if_due", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fit("cuda")
    with pytest.raises(synthgan.ModelFileError, match="another fit"):
        fit("cpu")
    assert fit("cuda").history_[-1]["step"] == SETTINGS.n_steps

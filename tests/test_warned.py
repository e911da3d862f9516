"""`synthgan.warned`: a warning names the line of the user's code, from whatever depth of the package."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import synthgan
from synthgan import Synthesizer, SynthganWarning
from synthgan.training import loop
from synthgan.warned import PACKAGE, warn


def line_here() -> int:
    frame = inspect.currentframe()
    assert frame is not None and frame.f_back is not None
    return frame.f_back.f_lineno


def check(caught: pytest.WarningsRecorder, line: int) -> None:
    assert caught.list
    for warning in caught:
        assert Path(warning.filename).samefile(__file__)
        assert warning.lineno == line


@pytest.mark.parametrize("depth", [0, 1, 7])
def test_the_line_is_the_caller_s_from_any_depth(depth: int) -> None:
    inside: dict[str, Any] = {"warn": warn}
    source = "def deep(n):\n    return warn('few rows') if n == 0 else deep(n - 1)"
    exec(compile(source, PACKAGE + "made_up.py", "exec"), inside)
    with pytest.warns(SynthganWarning, match="few rows") as caught:
        start = line_here()
        inside["deep"](depth)
    check(caught, start + 1)


def test_a_module_that_is_called_like_the_package_is_outside() -> None:
    outside: dict[str, Any] = {"warn": warn}
    exec(compile("def call():\n    warn('few rows')", PACKAGE[:-1] + "_plugin.py", "exec"), outside)
    with pytest.warns(SynthganWarning, match="few rows") as caught:
        outside["call"]()
    assert caught[0].filename == PACKAGE[:-1] + "_plugin.py"


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"id": [f"N{i % 10}" for i in range(200)], "a": rng.integers(0, 5, 200)})


def test_fit_sample_and_a_loaded_model_warn_at_their_call(
    table: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "alarms", lambda *_, **__: {"collapse": "the generator has collapsed"})
    file = tmp_path / "table.parquet"
    notes = pa.Table.from_pandas(table).replace_schema_metadata({b"pandas": b"{"})
    pq.write_table(notes, file)
    model = Synthesizer(schema={"columns": {"id": "identifier"}}, max_steps=2, device="cpu", random_state=0)
    with pytest.warns(SynthganWarning) as caught:
        start = line_here()
        model.fit(file)
    texts = sorted(str(warning.message)[:20] for warning in caught)
    assert texts == ["the generator has co", "what pandas noted in"]
    check(caught, start + 1)
    loaded = synthgan.load(model.save(tmp_path / "m.synthgan"), device="cpu")
    for made in (model, loaded):
        with pytest.warns(SynthganWarning, match="has run out of different ones") as caught:
            start = line_here()
            made.sample(500)
        check(caught, start + 1)


def test_evaluate_warns_at_its_call() -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"a": rng.normal(size=200), "b": rng.normal(size=200)})
    with pytest.warns(SynthganWarning, match="exact copies") as caught:
        start = line_here()
        synthgan.evaluate(frame, frame, parts=["copies"])
    check(caught, start + 1)

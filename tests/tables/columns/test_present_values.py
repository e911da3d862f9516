"""Values that stand in: what is never missing in the table stays so, whatever codes are drawn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from synthgan.tables.codec import TableCodec
from synthgan.tables.inference import infer_schema
from synthgan.tables.sources.open import open_source

N_ROWS = 400


def drawn(frame: pd.DataFrame, rules: list[dict[str, object]], n_rows: int = 2_000) -> pd.DataFrame:
    """Rows decoded from codes that know nothing of each other: a generator at its worst."""
    source = open_source(frame)
    codec = TableCodec.fit(source, infer_schema(source, declared={"constraints": rules}))
    codec = TableCodec.from_json(codec.to_json(), codec.schema)
    rng = np.random.default_rng(3)
    codes = np.column_stack([rng.integers(0, span.stop - span.start, n_rows) for span in codec.layout.spans])
    decoded: pa.Table = codec.decoder(rng).decode(codes, rng.random((n_rows, codec.layout.n_positions)))
    return decoded.to_pandas()


def table(missing: float, dtype: str) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    a, b = rng.integers(1, 50, N_ROWS), rng.integers(1, 50, N_ROWS)
    frame = pd.DataFrame({"a": a, "b": b, "total": a + b, "more": a + b + rng.integers(0, 9, N_ROWS)}).astype(dtype)
    frame["b"] = frame["b"].mask(rng.random(N_ROWS) < missing)
    return frame


SUM = {"rule": "sum", "total": "total", "parts": ["a", "b"]}


@pytest.mark.parametrize("dtype", ["Int64", "float64"])
@pytest.mark.parametrize("n_missing", [N_ROWS // 3, 5])
def test_a_total_that_is_never_missing_stays_so(dtype: str, n_missing: int) -> None:
    frame = table(n_missing / N_ROWS, dtype)
    synthetic = drawn(frame, [SUM])
    assert synthetic["b"].isna().any()
    assert synthetic["total"].notna().all()
    whole = synthetic.dropna()
    np.testing.assert_allclose(whole["a"] + whole["b"], whole["total"])
    assert synthetic["total"].between(frame["total"].min(), frame["total"].max()).mean() > 0.9


@pytest.mark.parametrize("dtype", ["Int64", "float64"])
def test_what_is_compared_with_a_missing_cell_stays_present(dtype: str) -> None:
    rules = [{"rule": "order", "low": low, "high": high} for low, high in (("a", "b2"), ("b2", "more"))]
    frame = table(0.0, dtype).drop(columns=["b", "total"])
    frame["b2"] = (frame["a"] + 1).mask(np.arange(N_ROWS) % 3 == 0)
    frame["more"] = frame["a"] + 2
    synthetic = drawn(frame, rules)
    assert synthetic["b2"].isna().any()
    assert synthetic["more"].notna().all()
    assert (synthetic["a"] <= synthetic["more"]).all()
    both = synthetic.dropna()
    assert ((both["a"] <= both["b2"]) & (both["b2"] <= both["more"])).all()


def test_a_total_that_is_missing_at_times_is_missing_where_the_model_says_so() -> None:
    frame = table(0.3, "float64")
    frame["total"] = frame["total"].mask(np.arange(N_ROWS) % 4 == 0)
    synthetic = drawn(frame, [SUM], n_rows=8_000)
    # Codes were drawn evenly: of "is given", true and false as often as each other.
    assert abs(synthetic["total"].isna().mean() - 0.5) < 0.05

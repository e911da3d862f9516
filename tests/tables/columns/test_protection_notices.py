"""Tables of few rows: what value protection leaves of their numbers, and what is said of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from synthgan.tables.codec import TableCodec
from synthgan.tables.codec_settings import CodecSettings
from synthgan.tables.inference import infer_schema
from synthgan.tables.sources.open import open_source


def small_table(n_rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(n_rows)
    return pd.DataFrame(
        {
            "age": rng.integers(18, 80, n_rows),
            "amount": rng.normal(3_000, 800, n_rows).round(2),
            "opened": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 10**6, n_rows), unit="s"),
        }
    )


def fit(table: pd.DataFrame, **settings: Any) -> TableCodec:
    source = open_source(table)
    return TableCodec.fit(source, infer_schema(source), CodecSettings(**settings))


def drawn(codec: TableCodec, n_rows: int = 2_000) -> pd.DataFrame:
    """Rows whose columns follow their shares, independently."""
    rng = np.random.default_rng(0)
    codes = np.zeros((n_rows, codec.layout.n_columns), dtype=np.int64)
    for index, span in enumerate(codec.layout.spans):
        shares = codec.layout.marginal[span.start : span.stop].astype(np.float64)
        codes[:, index] = rng.choice(span.n_levels, size=n_rows, p=shares / shares.sum())
    return codec.decoder(rng).decode(codes, rng.random((n_rows, codec.layout.n_positions))).to_pandas()


def spread(values: pd.Series[Any]) -> float:
    return float(np.std(values.to_numpy().astype(np.float64)))


@pytest.mark.parametrize("n_rows", [25, 40])
def test_a_small_table_keeps_a_distribution_and_says_that_it_is_narrower(n_rows: int) -> None:
    table = small_table(n_rows)
    codec = fit(table)
    made = drawn(codec)
    for name in table:
        assert made[name].nunique() > 10
        assert 0.35 * spread(table[name]) < spread(made[name]) < 1.1 * spread(table[name])
        assert np.quantile(table[name].to_numpy().astype(np.float64), 0.3) < made[name].to_numpy().astype(float).mean()
    (notice,) = codec.notices
    assert notice.startswith("columns 'age', 'amount' and 'opened' have few rows with a value")
    assert "lower min_count (now 10)" in notice


def test_a_table_of_fewer_rows_than_a_distribution_needs_says_so() -> None:
    codec = fit(small_table(12))
    (notice,) = codec.notices
    assert "too few rows with a value for a distribution" in notice
    assert "protect_values=False" in notice
    assert drawn(codec)["amount"].nunique() > 1  # a single bin is no constant


@pytest.mark.parametrize("settings", [{"min_count": 2}, {"protect_values": False}])
def test_what_the_notice_advises_helps(settings: dict[str, Any]) -> None:
    table = small_table(12)
    codec = fit(table, **settings)
    assert not codec.notices
    assert spread(drawn(codec)["age"]) > 0.7 * spread(table["age"])


def test_a_table_of_a_thousand_rows_says_nothing() -> None:
    assert not fit(small_table(1_000)).notices


def test_a_few_values_far_away_are_told_of_all_columns_at_once() -> None:
    table = small_table(300)
    table.loc[3, "age"] = 999
    table.loc[4, "amount"] = 1e9
    (notice,) = fit(table).notices
    assert notice.startswith("columns 'age' and 'amount' have a few values far away from all others")
    assert "999" not in notice
    assert not fit(table, protect_values=False).notices


def test_a_few_infinite_values_are_told() -> None:
    table = small_table(300)
    table.loc[3, "amount"] = np.inf
    (notice,) = fit(table).notices
    assert notice.startswith("column 'amount' has infinite values in fewer rows than min_count (now 10)")
    table.loc[:12, "amount"] = np.inf
    assert not fit(table).notices

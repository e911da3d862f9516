"""The made-up table behind the files of an earlier version, and what was asked of the fits."""

from __future__ import annotations

import datetime
import os
from typing import Any

import pyarrow as pa

from synthgan import Privacy
from synthgan.config import DiscriminatorSettings, DpSgdSettings, GeneratorSettings, TrainingSettings

N_ROWS = 400

SMALL = TrainingSettings(
    n_steps=12,
    batch_size=32,
    evaluate_every=6,
    precision="float32",
    capture="off",
    twin_weight=0.0,
    generator=GeneratorSettings(width=8, n_blocks=1, latent_dim=4),
    discriminator=DiscriminatorSettings(width=8, n_blocks=1),
)
"""Small enough for the repository, and the same numbers on every kind of processor."""

CRITIC = DpSgdSettings(expected_batch_size=16, n_updates=12, width=8)

RULES = [{"rule": "order", "low": "opened", "high": "closed"}]
EXACT_SCHEMA: dict[str, Any] = {
    "columns": {"price": {"written": "#.##0,00 €"}, "remark": {"kind": "text", "text": "empty"}},
    "constraints": RULES,
}
PRIVATE_SCHEMA: dict[str, Any] = {
    "columns": {
        "code": "identifier",
        "colour": {"levels": ["red", "blue", "green"]},
        "age": {"bounds": [0, 99]},
        "weight": {"bounds": [0, 200], "granularity": 0.25},
        "born": {"bounds": ["1930-01-01", "2010-12-31"]},
        "seen": {"bounds": ["2024-01-01", "2024-12-31"]},
        "smokes": "boolean",
        "price": {"kind": "decimal", "written": "#.##0,00 €", "bounds": [0, 5000]},
        "opened": {"bounds": [0, 100]},
        "closed": {"bounds": [0, 200]},
        "remark": {"kind": "text", "text": "empty"},
    },
    "constraints": RULES,
}

EXACT: dict[str, Any] = {
    "target": "colour",
    "schema": EXACT_SCHEMA,
    "settings": SMALL,
    "holdout": 0.2,
    "random_state": 7,
    "device": "cpu",
    "progress": "off",
}
PRIVATE: dict[str, Any] = {**EXACT, "target": "smokes", "schema": PRIVATE_SCHEMA}


def private(account: str | os.PathLike[str]) -> Privacy:
    """The guarantee of the private fit that was interrupted."""
    return Privacy(4.0, neural=0.5, neural_settings=CRITIC, ledger=account)


def table() -> pa.Table:
    """All kinds of columns, by arithmetic alone: neither a random stream nor a type of pandas has a say."""
    rows = range(N_ROWS)
    mixed = [(i * 7919 + i * i * 31) % 1009 for i in rows]
    opened = [m % 90 for m in mixed]
    cents = [m * 397 + 5 for m in mixed]
    return pa.table(
        {
            "code": pa.array([f"P{100_000 + 37 * i}" for i in rows], pa.string()),
            "colour": pa.array([None if m % 17 == 0 else ("red", "blue", "green")[m % 3] for m in mixed], pa.string()),
            "age": pa.array([18 + m % 70 for m in mixed], pa.int64()),
            "weight": pa.array([50 + (m % 160) / 4 + 20 * (m % 3 == 0) for m in mixed], pa.float64()),
            "born": pa.array([datetime.date(1940, 1, 1) + datetime.timedelta(21 * m) for m in mixed], pa.date32()),
            "seen": pa.array(
                [datetime.datetime(2024, 1, 1) + datetime.timedelta(hours=8 * m) for m in mixed], pa.timestamp("us")
            ),
            "smokes": pa.array([m % 5 < (3 if m % 70 > 30 else 1) for m in mixed], pa.bool_()),
            "price": pa.array([f"{c // 100:,}".replace(",", ".") + f",{c % 100:02} €" for c in cents], pa.string()),
            "opened": pa.array(opened, pa.int64()),
            "closed": pa.array([low + m % 13 for low, m in zip(opened, mixed, strict=True)], pa.int64()),
            "remark": pa.array([f"a remark, number {m} of {i}" for i, m in enumerate(mixed)], pa.string()),
        }
    )

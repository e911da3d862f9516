"""A small table with a column of nearly every kind, and settings that fit it in a second."""

from __future__ import annotations

import numpy as np
import pandas as pd

from synthgan.config import DiscriminatorSettings, GeneratorSettings, TrainingSettings

TINY = TrainingSettings(
    n_steps=30,
    batch_size=64,
    warmup_steps=5,
    evaluate_every=10,
    precision="float32",
    generator=GeneratorSettings(width=16, n_blocks=1, latent_dim=8),
    discriminator=DiscriminatorSettings(width=16, n_blocks=1),
)


def orders(n_rows: int = 600, seed: int = 0) -> pd.DataFrame:
    """Orders of a shop: an identifier, free text, a constant, categories, an order, numbers, days and a rare False."""
    rng = np.random.default_rng(seed)
    amount = np.round(rng.lognormal(3, 1, n_rows), 2)
    amount[rng.random(n_rows) < 0.1] = np.nan
    words = np.array(["soon", "gift", "blue", "call", "ring", "left", "door", "late"])
    return pd.DataFrame(
        {
            "order": [f"ORD-{number:05d}" for number in rng.permutation(n_rows)],
            "note": [f"{' '.join(rng.choice(words, 5))} before the {number}th" for number in range(n_rows)],
            "city": np.where(rng.random(n_rows) < 0.1, None, rng.choice(["Oslo", "Rome", "Lima"], n_rows)),
            "size": pd.Categorical(rng.choice(["S", "M", "L"], n_rows), categories=["S", "M", "L", "XL"], ordered=True),
            "items": rng.integers(1, 6, n_rows),
            "amount": amount,
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 366, n_rows), unit="D"),
            "paid": rng.random(n_rows) < 0.8,
            "shop": "north",
        }
    )

"""Tables that membership attacks are tried on, and generators of known leaks."""

from __future__ import annotations

import numpy as np
import pandas as pd


def rows(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Mixed rows with missing values; no two alike, as their numbers are continuous."""
    frame = pd.DataFrame(rng.normal(size=(n, 8)), columns=[f"x{k}" for k in range(8)])
    frame.loc[rng.random(n) < 0.2, "x0"] = np.nan
    frame["c"] = pd.array(np.where(rng.random(n) < 0.1, None, rng.choice([*"abc"], n)), dtype="string")
    frame["b"] = pd.array(rng.random(n) < 0.3, dtype="boolean")
    frame["day"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(365, size=n), unit="D")
    return frame


def overfitted(members: pd.DataFrame, n: int, seed: int, *, redrawn: float = 0.2) -> pd.DataFrame:
    """Members drawn with replacement, in which each cell is drawn anew from its column with chance ``redrawn``."""
    rng = np.random.default_rng(seed)
    copies = members.iloc[rng.integers(len(members), size=n)].reset_index(drop=True)
    for column in copies.columns:
        again = rng.random(n) < redrawn
        others = members[column].iloc[rng.integers(len(members), size=n)].reset_index(drop=True)
        copies[column] = copies[column].where(~again, others)
    return copies

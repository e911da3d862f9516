"""Small encoded tables with known answers, for tests of networks, critics and training."""

from __future__ import annotations

import dataclasses

import numpy as np

from synthgan.tables.layout import EncodedTable, Layout, Span


def small_layout() -> Layout:
    """Three columns: two levels; two bins with positions and a missing level; three levels."""
    return Layout(
        spans=(
            Span(name="flag", start=0, stop=2, position=None),
            Span(name="amount", start=2, stop=5, position=0),
            Span(name="colour", start=5, stop=8, position=None),
        ),
        is_bin=np.array([False, False, True, True, False, False, False, False]),
        value_start=np.array([0, 0, -1.5, 0, 0, 0, 0, 0], dtype=np.float32),
        value_stop=np.array([0, 0, 0, 1.5, 0, 0, 0, 0], dtype=np.float32),
        is_ordered=np.array([False, False, True, True, False, False, False, False]),
        marginal=np.array([0.5, 0.5, 0.4, 0.4, 0.2, 0.6, 0.3, 0.1], dtype=np.float32),
    )


def small_table(n_rows: int = 2000, seed: int = 0) -> EncodedTable:
    """Rows in which ``colour`` depends on ``flag``, ``amount`` on ``colour``, and the position on ``flag``."""
    rng = np.random.default_rng(seed)
    flag = rng.integers(0, 2, n_rows)
    colour = np.where(rng.random(n_rows) < 0.8, flag, 2)
    amount = np.where(colour == 2, 2, np.where(rng.random(n_rows) < 0.9, colour, 1 - colour))
    position = np.where(flag == 1, rng.integers(128, 256, n_rows), rng.integers(0, 128, n_rows))
    codes = np.stack([flag, amount, colour], axis=1).astype(np.uint8)
    layout = small_layout()
    shares = np.concatenate(
        [np.bincount(codes[:, i], minlength=s.n_levels) / n_rows for i, s in enumerate(layout.spans)]
    )
    layout = dataclasses.replace(layout, marginal=shares.astype(np.float32))
    return EncodedTable(layout=layout, codes=codes, positions=position.astype(np.uint8)[:, None])

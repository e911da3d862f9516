"""Values of a column by its own law, none of them missing: what stands in where a row needs one and has none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from synthgan.tables.columns.protocol import ColumnDecoder, ColumnEncoder


def present_values(
    encoder: ColumnEncoder, decoder: ColumnDecoder, rng: np.random.Generator
) -> Callable[[int], pa.Array]:
    """A function from a number of rows to as many values, none when the column is always missing.

    Args:
        encoder: the fitted column; its shares of rows decide.
        decoder: of the same column, in the session at hand.
        rng: draws levels and positions.
    """
    shares = encoder.facts.marginal.astype(np.float64)
    of_levels = decoder.decode(np.arange(len(shares)), np.zeros(len(shares)))
    shares[of_levels.is_null().to_numpy(zero_copy_only=False)] = 0.0

    def draw(n_rows: int) -> pa.Array:
        total = shares.sum()
        if total <= 0:
            return decoder.decode(np.zeros(0, dtype=np.int64), None)
        codes = rng.choice(len(shares), size=n_rows, p=shares / total).astype(np.int64)
        return decoder.decode(codes, rng.random(n_rows)).drop_null()

    return draw

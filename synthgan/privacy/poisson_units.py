"""Who is protected, row by row, and the Poisson batches that are drawn of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from synthgan.errors import SettingsError
from synthgan.privacy.entropy import system_rng


class PoissonUnits:
    """The units of a table (rows, or persons with up to ``k`` rows), and batches that each enters by its own coin.

    Args:
        n_rows: number of rows.
        units: ``(n_rows,)`` index of each row's person, from 0; None when each row is a unit of its own.
        rows_per_unit: most rows of one person that are used, ``k``; of persons with more, ``k`` are kept at random.
        sampling_rate: probability of each unit to enter a batch.

    Attributes:
        n_units: number of units, exactly: private.

    Raises:
        SettingsError: when the units do not fit the rows.

    Privacy:
        Coins and the choice of rows come from the operating system. Batches are independent of each other, and a
        unit's membership is independent of everybody else's: what amplification by Poisson sampling asks for.
    """

    def __init__(
        self, n_rows: int, units: npt.NDArray[np.int64] | None, *, rows_per_unit: int = 1, sampling_rate: float
    ) -> None:
        self._rng = system_rng()
        self._rate = sampling_rate
        if units is None:
            self._rows, self.n_units = np.arange(n_rows, dtype=np.int64)[:, None], n_rows
            return
        if units.shape != (n_rows,) or (n_rows and int(units.min()) < 0):
            raise SettingsError("units must hold one index of at least 0 for each row.")
        if rows_per_unit < 1:
            raise SettingsError("rows_per_unit must be at least 1.")
        shuffled = self._rng.permutation(n_rows)
        order = shuffled[np.argsort(units[shuffled], kind="stable")]
        persons, first, counts = np.unique(units[order], return_index=True, return_counts=True)
        place = np.arange(n_rows) - np.repeat(first, counts)
        kept = place < rows_per_unit
        self.n_units = len(persons)
        self._rows = np.full((len(persons), rows_per_unit), -1, dtype=np.int64)
        self._rows[np.repeat(np.arange(len(persons)), counts)[kept], place[kept]] = order[kept]

    def draw(self) -> npt.NDArray[np.int64]:
        """Row indices of a batch, -1 where a person has fewer rows than others. Shape: ``(n_drawn, k)``."""
        # A binomial number of units, all sets of that size equally likely: the same law as a coin for each unit.
        n_drawn = self._rng.binomial(self.n_units, self._rate)
        drawn: npt.NDArray[np.int64] = self._rows[self._rng.choice(self.n_units, n_drawn, replace=False, shuffle=False)]
        return drawn

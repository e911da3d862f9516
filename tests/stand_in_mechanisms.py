"""Stand-ins for the mechanisms: they add noise, or record what they are asked, or give answers that ignore the data."""

from __future__ import annotations

import math
import os

import numpy as np
import numpy.typing as npt
from dp_accounting import ZCDpEvent

from synthgan.privacy.account.ledger import Ledger

Counts = npt.NDArray[np.int64]


class NoisyCounts:
    """Rounded Gaussian noise of the right size, from the operating system's entropy unless a seed is given."""

    def __init__(self, seed: int | None = None, rows_per_unit: int = 1) -> None:
        entropy = int.from_bytes(os.urandom(16), "little") if seed is None else seed
        self._rng = np.random.default_rng(entropy)
        self._k = rows_per_unit
        self.spent: list[tuple[str, float]] = []
        self.deltas: list[float] = []

    def standard_deviation(self, rho: float) -> float:
        return self._k * math.sqrt(1 / (2 * rho))

    def counts(self, counts: Counts, *, rho: float, door: int, what: str) -> Counts:
        assert counts.dtype == np.int64 and counts.ndim == 1 and door == 1 and rho > 0
        self.spent.append((what, rho))
        noise = np.rint(self._rng.normal(0, self.standard_deviation(rho), len(counts)))
        return counts + noise.astype(np.int64)

    def discover(self, counts: Counts, *, rho: float, delta: float, door: int, what: str) -> tuple[Counts, Counts]:
        assert delta > 0
        self.deltas.append(delta)
        noisy = self.counts(counts, rho=rho, door=door, what=what)
        deviation = self.standard_deviation(rho)
        threshold = self._k + deviation * math.sqrt(2 * math.log(self._k / delta))
        kept = np.flatnonzero(noisy >= threshold)
        return kept, noisy[kept]


class RecordedCounts(NoisyCounts):
    """Exact answers up to a threshold for discovery; keeps what it was given."""

    def __init__(self, threshold: int = 5, deviation: float = 1.0, rows_per_unit: int = 1) -> None:
        super().__init__(0, rows_per_unit)
        self._threshold = threshold
        self._deviation = deviation
        self.inputs: list[tuple[str, Counts]] = []

    def standard_deviation(self, rho: float) -> float:
        return self._deviation

    def counts(self, counts: Counts, *, rho: float, door: int, what: str) -> Counts:
        self.spent.append((what, rho))
        self.inputs.append((what, counts.copy()))
        return counts.copy()

    def discover(self, counts: Counts, *, rho: float, delta: float, door: int, what: str) -> tuple[Counts, Counts]:
        self.deltas.append(delta)
        self.counts(counts, rho=rho, door=door, what=what)
        kept = np.flatnonzero(counts >= self._threshold)
        return kept, counts[kept]


class ScriptedCounts(RecordedCounts):
    """The same answers whatever the data are: what is asked in which order decides, and nothing else."""

    def __init__(self, seed: int) -> None:
        super().__init__(deviation=5.0)
        self._answers = np.random.default_rng(seed)

    def counts(self, counts: Counts, *, rho: float, door: int, what: str) -> Counts:
        super().counts(counts, rho=rho, door=door, what=what)
        if what == "number of rows":
            return np.array([1000], dtype=np.int64)
        return self._answers.choice([0, 1, -4, 30, 200], len(counts), p=[0.5, 0.2, 0.2, 0.07, 0.03])

    def discover(self, counts: Counts, *, rho: float, delta: float, door: int, what: str) -> tuple[Counts, Counts]:
        self.deltas.append(delta)
        self.spent.append((what, rho))
        self.inputs.append((what, counts.copy()))
        none = np.zeros(0, dtype=np.int64)
        return none, none


class SecondDoor:
    """Stand-in for the second door's mechanisms: exact counts, the best candidate; keeps what it was asked.

    Args:
        deviation: what it says of its noise.
        noise: standard deviation of noise that it does add.
        answers: seed of answers that ignore the data, None for true ones.
    """

    def __init__(self, deviation: float = 1.0, noise: float = 0.0, answers: int | None = None) -> None:
        self._deviation, self._noise = deviation, noise
        self._scripted = answers is not None
        self._rng = np.random.default_rng(answers or 0)
        self.counted: list[npt.NDArray[np.int64]] = []
        self.scored: list[npt.NDArray[np.float64]] = []
        self.sensitivities: list[float] = []
        self.chosen: list[int] = []
        self.spent: list[tuple[str, float]] = []

    def standard_deviation(self, rho: float) -> float:
        return self._deviation

    def counts(self, counts: Counts, *, rho: float, door: int, what: str) -> Counts:
        assert counts.dtype == np.int64 and door == 2 and rho > 0
        self.counted.append(counts.copy())
        self.spent.append(("measure", rho))
        if self._scripted:
            return self._rng.integers(-5, 50, counts.shape)
        return counts + np.rint(self._rng.normal(0, self._noise, counts.shape)).astype(np.int64)

    def select(self, scores: npt.NDArray[np.float64], *, rho: float, sensitivity: float, door: int, what: str) -> int:
        assert np.isfinite(scores).all() and door == 2 and rho > 0
        self.scored.append(scores.copy())
        self.sensitivities.append(sensitivity)
        self.spent.append(("select", rho))
        self.chosen.append(int(self._rng.integers(len(scores)) if self._scripted else scores.argmax()))
        return self.chosen[-1]


class ScriptedMechanisms:
    """Stand-in for `Mechanisms`, paid from a real ledger: the same answers in the same order, whatever the data are."""

    def __init__(self, ledger: Ledger, *, rows_per_unit: int = 1) -> None:
        ledger.declare(rows_per_unit=rows_per_unit)
        self.ledger = ledger
        self._k = rows_per_unit
        self._answers = np.random.default_rng(7)

    def standard_deviation(self, rho: float) -> float:
        return self._k / math.sqrt(2 * rho)

    def counts(self, counts: Counts, *, rho: float, door: int, what: str) -> Counts:
        self._pay(rho, door=door, what=what)
        if what.startswith("number of"):
            return np.array([1000], dtype=np.int64)
        return self._answers.choice([0, -4, 30, 200, 400], counts.shape)

    def discover(self, counts: Counts, *, rho: float, delta: float, door: int, what: str) -> tuple[Counts, Counts]:
        self._pay(rho, door=door, what=what, delta=delta)
        none = np.zeros(0, dtype=np.int64)
        return none, none

    def select(self, scores: npt.NDArray[np.float64], *, rho: float, sensitivity: float, door: int, what: str) -> int:
        self._pay(rho, door=door, what=what)
        return int(self._answers.integers(len(scores)))

    def _pay(self, rho: float, *, door: int, what: str, delta: float = 0.0) -> None:
        event = ZCDpEvent(rho)
        self.ledger.settle(self.ledger.reserve(event, door=door, mechanism="script", what=what, delta=delta))

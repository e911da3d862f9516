"""Discovery of values that many rows share, in bounded memory and without a public list of candidates.

Values are counted one by one as long as there can be only `EXACT_KEYS` of them. Beyond that, rows are first counted in
as many buckets of a fixed public hash, heavy buckets are discovered, and only what lies in these is counted by value.
No value is ever dropped for being rare in the exact counts: that would be a reading of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from synthgan.privacy.columns.protocol import EXACT_KEYS, Budget, Counter, Counts

Keys: TypeAlias = Callable[[pa.Array], npt.NDArray[Any]]
"""The numbers of a batch whose heavy values are wanted; rows that count nowhere are left out."""


def heavy_numbers(
    budget: Budget, keys: Keys, share: float, *, n_possible: float
) -> Generator[Counter, None, tuple[npt.NDArray[Any], npt.NDArray[np.float64], float]]:
    """Release numbers that many rows share.

    Args:
        budget: of the column.
        keys: numbers of a batch.
        share: of the budget.
        n_possible: how many different numbers there can be, as far as the public knows.

    Returns:
        Values, ascending, their noisy counts, and the counts' standard deviation.
    """
    buckets: npt.NDArray[np.bool_] | None = None
    if min(n_possible, budget.n_rows) > EXACT_KEYS:
        share /= 2
        counter = BucketCounter(keys)
        yield counter
        occurring = np.flatnonzero(counter.counts)
        kept, _ = budget.discover(counter.counts[occurring], share, "buckets of single values")
        buckets = np.zeros(EXACT_KEYS, dtype=bool)
        buckets[occurring[kept]] = True
    values = NumberKeyCounter(keys, buckets)
    yield values
    distinct, counts = values.finish()
    kept, noisy = budget.discover(counts, share, "single values")
    return distinct[kept], noisy, budget.deviation(share)


class BucketCounter:
    """Rows per bucket of a public hash."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self.counts: Counts = np.zeros(EXACT_KEYS, dtype=np.int64)

    def add(self, array: pa.Array) -> None:
        """Take a batch."""
        self.counts += np.bincount(bucket_of(self._keys(array)), minlength=EXACT_KEYS)


class NumberKeyCounter:
    """Rows per distinct number, in the chosen buckets only."""

    def __init__(self, keys: Keys, buckets: npt.NDArray[np.bool_] | None) -> None:
        self._keys = keys
        self._buckets = buckets
        self._parts: list[tuple[npt.NDArray[Any], Counts]] = []
        self._n_pending = 0

    def add(self, array: pa.Array) -> None:
        """Take a batch."""
        keys = self._keys(array)
        if self._buckets is not None:
            keys = keys[self._buckets[bucket_of(keys)]]
        distinct, counts = np.unique(keys, return_counts=True)
        self._parts.append((distinct, counts.astype(np.int64)))
        self._n_pending += len(distinct)
        if self._n_pending > 2 * EXACT_KEYS:
            self._parts = [self.finish()]
            self._n_pending = len(self._parts[0][0])

    def finish(self) -> tuple[npt.NDArray[Any], Counts]:
        """Distinct numbers, ascending, and their rows."""
        if not self._parts:
            return np.zeros(0), np.zeros(0, dtype=np.int64)
        distinct, place = np.unique(np.concatenate([keys for keys, _ in self._parts]), return_inverse=True)
        counts = np.bincount(place, weights=np.concatenate([rows for _, rows in self._parts]), minlength=len(distinct))
        return distinct, counts.astype(np.int64)


def bucket_of(keys: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """``(n_keys,)`` bucket of each number, or of each 64-bit hash; the same in every fit."""
    if keys.dtype.kind == "f":
        keys = keys.astype(np.float64) + 0.0  # -0.0 is 0.0
    mixed = np.ascontiguousarray(keys).view(np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):  # splitmix64
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return ((mixed ^ (mixed >> np.uint64(31))) & np.uint64(EXACT_KEYS - 1)).astype(np.int64)

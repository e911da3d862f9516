"""The tail of a column of many levels: levels that share a code and are told apart by the position inside it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from synthgan.tables.columns.binning import share_before
from synthgan.tables.columns.protocol import LARGEST_POSITION, Codes, Positions


@dataclass(frozen=True, slots=True)
class Window:
    """Positions of a bucket that mean wanted levels: ``[lower, upper)``; exact where they mean no other level."""

    lower: np.float32
    upper: np.float32
    is_exact: bool


@dataclass(frozen=True)
class TailBuckets:
    """Levels side by side in buckets, each as wide as its share of the bucket's rows.

    Attributes:
        bucket: ``(n_levels,)`` bucket of each level, ascending.
        share: ``(n_levels,)`` its share of the bucket's rows.
    """

    bucket: npt.NDArray[np.int64]
    share: npt.NDArray[np.float64]

    @property
    def n_buckets(self) -> int:
        """Number of buckets."""
        return int(self.bucket[-1]) + 1 if len(self.bucket) else 0

    @cached_property
    def first_levels(self) -> npt.NDArray[np.int64]:
        """``(n_buckets,)`` the level at the start of each bucket."""
        return np.searchsorted(self.bucket, np.arange(self.n_buckets)).astype(np.int64)

    @cached_property
    def _place(self) -> npt.NDArray[np.float64]:
        """``(n_levels,)`` bucket plus position at which each level starts."""
        return self.bucket + share_before(self.bucket, self.share)

    def positions(self, levels: npt.NDArray[np.int64], rng: np.random.Generator) -> Positions:
        """A position in its bucket for each of ``(n_rows,)`` levels, drawn from those that mean the level."""
        start = self._place[levels] - self.bucket[levels]
        inside = start + rng.random(len(levels), dtype=np.float32) * self.share[levels]
        return np.clip(inside, 0.0, LARGEST_POSITION)

    def levels(self, buckets: Codes, positions: Positions) -> npt.NDArray[np.int64]:
        """The level at each of ``(n_rows,)`` positions."""
        inside = np.clip(positions, 0.0, LARGEST_POSITION).astype(np.float64)
        return np.searchsorted(self._place, buckets + inside, side="right") - 1

    def window(self, bucket: int, wanted: npt.NDArray[np.bool_]) -> Window | None:
        """The narrowest window of a bucket with all its wanted levels; None where it has none.

        Args:
            bucket: the bucket.
            wanted: ``(n_levels,)`` of all buckets.
        """
        members = np.flatnonzero(self.bucket == bucket)
        chosen = members[wanted[members]]
        lower, upper = np.float32(0), np.float32(1)
        if len(chosen) == 0:
            return None
        if len(chosen) == len(members):
            return Window(lower, upper, is_exact=True)
        first, last = chosen[0], chosen[-1]
        is_exact = len(chosen) == last - first + 1
        lower = np.nextafter(np.float32(self._place[first] - bucket), np.float32(1))
        if last != members[-1]:
            upper = np.nextafter(np.float32(self._place[last + 1] - bucket), np.float32(0))
        if upper <= lower:
            is_exact, upper = False, np.nextafter(lower, np.float32(2))
        return Window(lower, upper, is_exact=bool(is_exact))

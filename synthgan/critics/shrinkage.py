"""Shrinkage of two-way marginals towards independence: what a small table cannot tell from noise is not fitted.

The association that a pair of columns shows in ``n`` rows is the population's plus sampling noise. In a small table
most pairs show little else, and a generator that fits it learns the rows themselves. A Stein estimate keeps the part
of each pair that is beyond its noise (James and Stein 1961; towards a structured target as in Ledoit and Wolf 2004, for
covariances).
"""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from synthgan.critics.marginal_door import GramTarget
from synthgan.networks.layers import LevelAxis


def shrunk(target: GramTarget, axis: LevelAxis, strength: float) -> GramTarget:
    """Each pair's marginal moved towards the product of its columns' by the share that is noise.

    The share is ``strength`` times the expected squared sampling error of the pair's cells over their squared distance
    from independence, at most 1. One-way marginals stay as they are.

    Args:
        target: two-way marginals of all rows.
        axis: the layout on the device.
        strength: 0 changes nothing, 1 is the estimate with the least expected squared error, more shrinks more.
    """
    if not strength:
        return target
    one_way = target.share.diagonal()
    product = torch.outer(one_way, one_way)
    noise = _per_pair(target.tolerance_at(slice(None), slice(None)).square(), axis)
    distance = _per_pair((target.share - product).square(), axis)
    part = (strength * noise / distance.clamp_min(1e-12)).clamp_max(1.0).fill_diagonal_(0.0)
    column = axis.column_of_level
    return dataclasses.replace(target, share=torch.lerp(target.share, product, part[column][:, column]))


def _per_pair(cells: Tensor, axis: LevelAxis) -> Tensor:
    """Sums over each pair of columns. Shape: ``(n_levels, n_levels)`` to ``(n_columns, n_columns)``."""
    member = cells.new_zeros(axis.n_levels, axis.n_columns)
    member.scatter_(1, axis.column_of_level[:, None], 1.0)
    return member.T @ cells @ member

"""Shrinkage of marginals towards independence: what a small table cannot tell from noise is not fitted.

The association that a pair of columns shows in ``n`` rows is the population's plus sampling noise. In a small table
most pairs show little else, and a generator that fits it learns the rows themselves. A Stein estimate keeps the part
of each pair that is beyond its noise (James and Stein 1961; towards a structured target as in Ledoit and Wolf 2004, for
covariances).

Marginals of a slice of a column (of the rows with some of its levels) are three-way marginals. Their rows are fewer, so
more of what two columns show within the slice is noise, and is taken out. What each column shows with the slicing
column is a matter of the pairs: raw, it would ask anew for the noise that was taken out of them. So a slice is what
the *shrunken* pairs say of it, plus what is left of the association within it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor

from synthgan.critics.marginal_door import GramTarget, per_pair
from synthgan.networks.layers import LevelAxis


def shrunk(target: GramTarget, axis: LevelAxis, strength: float) -> GramTarget:
    """Each pair's marginal moved towards the product of its columns' by the share that is noise.

    The share is ``strength`` times the expected squared sampling error of the pair's cells over their squared distance
    from independence, at most 1. Of a slice, both are those among the slice's own rows. One-way marginals stay as they
    are.

    Args:
        target: two-way marginals of all rows, or of a slice.
        axis: the layout on the device.
        strength: 0 changes nothing, 1 is the estimate with the least expected squared error, more shrinks more.
    """
    if not strength:
        return target
    one_way = target.share.diagonal()
    mass = _mass(one_way, axis)
    product = torch.outer(one_way, one_way / mass)
    if target.tolerance is None:
        variance = target.share * (1 - target.share / mass) / target.n_rows
    else:
        variance = target.tolerance.square()
    noise = per_pair(variance, axis)
    distance = per_pair((target.share - product).square(), axis)
    part = (strength * noise / distance.clamp_min(1e-12)).clamp(0.0, 1.0).fill_diagonal_(0.0)
    column = axis.column_of_level
    return dataclasses.replace(target, share=torch.lerp(target.share, product, part[column][:, column]))


def shrunk_slice(
    target: GramTarget, pairs: GramTarget, levels: Sequence[int], axis: LevelAxis, strength: float
) -> GramTarget:
    """A slice's marginals, as they go with shrunken pairs.

    The slices of a column sum to the shrunken pairs where nothing or everything is noise, and nearly so between.

    Args:
        target: two-way marginals of the slice.
        pairs: shrunken two-way marginals of all rows.
        levels: those that make the slice, as places on the level axis.
        axis: the layout on the device.
        strength: as of `shrunk`.
    """
    if not strength:
        return target
    own, told = target.share.diagonal(), pairs.share[list(levels)].sum(0)
    mass = _mass(own, axis)
    share = shrunk(target, axis, strength).share + torch.outer(told, told / mass) - torch.outer(own, own / mass)
    column = axis.column_of_level
    share = torch.where(column[:, None] == column, told.diag(), share.clamp_min(0.0))
    return dataclasses.replace(target, share=share)


def _mass(one_way: Tensor, axis: LevelAxis) -> Tensor:
    """The share of all rows that marginals are of: the same sum in each column, 1 but for slices."""
    return one_way[: axis.sizes[0]].sum().clamp_min(1e-12)

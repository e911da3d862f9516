"""The marginal critic: every two-way marginal of the generated rows against the data's, by matrix products.

With ``P`` the ``(n_rows, n_levels)`` matrix of per-column softmaxes, a batch is a mixture of product distributions, so
the off-diagonal blocks of its Gram matrix ``G = P'P / n_rows`` are its exact expected two-way marginals. The critic
never sees a row: it holds what the second door handed out.

The loss is ``sum(pull * G)`` with ``pull`` a constant, and ``G`` is quadratic in ``P``: its gradient is
``2 P pull / n_rows``, one product more. No product has to be recorded for a backward pass.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from synthgan.critics.marginal_blocks import Batch, OneWay, Tile
from synthgan.critics.marginal_door import GramTarget
from synthgan.networks.layers import LevelAxis

MAX_LEVELS = 2048
"""Up to so many levels a step compares all pairs of columns; beyond, a part of them that costs no more."""

TILE_LEVELS = {"cpu": 256, "cuda": MAX_LEVELS}
"""Side of the blocks the Gram matrix is worked through in: a core's cache holds them, a GPU wants them large."""


@dataclass(frozen=True)
class SliceTarget:
    """Two-way marginals of the rows in which one column has one of some levels.

    Attributes:
        levels: codes of the column.
        released: what the door released of these rows; the column's own blocks have weight 0.
    """

    levels: Sequence[int]
    released: GramTarget


class MarginalCritic:
    """Smoothed L1 distance between generated and released two-way marginals, averaged over column pairs.

    A cell that is off by less than its standard error pulls little: the gradient's size is ``tanh(error / tolerance)``.
    The L1 distance of one batch is biased upwards by about ``1 / sqrt(n_rows)`` because noise takes the place of error,
    so the sign of each cell's error is read off a running average of the Gram matrix, and the current batch supplies
    the gradient. An average lags behind a generator that moves, and large steps towards what was wrong some steps ago
    overshoot: the average looks back over few steps while steps are large, over more as they shrink (``horizon``).

    **Slices.** Marginals of the rows in a slice of one column are three-way marginals. A generated row belongs to a
    slice with the probability it gives to the slice's levels; these probabilities sum to 1, so the slices' Gram
    matrices sum to the one of all rows, and each slice costs two products and the pairs nothing beyond.

    **Wide tables.** The level axis is cut into ``n_packs`` packs, and in step ``t`` pack ``i`` is compared with pack
    ``j`` for ``i + j = t (mod n_packs)``: every pack once in each step, every pair of packs (and each pack with itself)
    once in ``n_packs`` steps, so the pull of each is multiplied by ``n_packs``. Up to `MAX_LEVELS` levels each
    step compares all pairs. The number of packs grows with the square of the number of levels, which leaves the time
    of the products and the size of all blocks of a step constant.

    Args:
        pairs: what the door released of all rows.
        axis: the layout on the device.
        column: the column that the slices are cut from.
        slices: disjoint slices of that column.
        slice_weight: weight of each slice's loss beside the pairs'.
        horizon: steps that the running average looks back over, at full pace and at most (see `plan`); (1, 1) for the
            current batch alone.
        one_way_weight: weight of the columns' own marginals, averaged over columns, beside the pairs'. Where all pairs
            are known they say it all; where few are measured, the columns in none of them need it.
        max_levels: see `MAX_LEVELS`.

    Raises:
        ValueError: when slices overlap or name levels that their column does not have.
    """

    def __init__(
        self,
        pairs: GramTarget,
        axis: LevelAxis,
        *,
        column: int = 0,
        slices: Sequence[SliceTarget] = (),
        slice_weight: float = 1.0,
        horizon: tuple[float, float] = (1.0, 1.0),
        one_way_weight: float = 0.0,
        max_levels: int = MAX_LEVELS,
    ) -> None:
        self.pairs = pairs
        self._one_way = OneWay(pairs, one_way_weight / axis.n_columns) if one_way_weight else None
        self._targets = [pairs, *(part.released for part in slices)]
        self._column_of_level = axis.column_of_level
        self._horizon = horizon
        # A tensor, so that a captured step reads it anew each time.
        self._newness = torch.ones((), device=pairs.share.device)
        self._members = _members(slices, axis.sizes[column], pairs.share.device) if slices else None
        self._span = slice(int(axis.starts[column]), int(axis.starts[column]) + axis.sizes[column])
        if self._members is not None and len(self._members) > len(slices):
            # Rows in no slice count in the pairs alone.
            self._targets.append(replace(pairs, weight=torch.zeros_like(pairs.weight)))
        weights = [_block_weights(target) for target in self._targets]
        self._weights = torch.stack([weights[0], *(slice_weight * weight for weight in weights[1:])])
        self._complete = axis.n_levels <= max_levels
        tile = TILE_LEVELS[pairs.share.device.type]
        n_packs = math.ceil(axis.n_levels / tile if self._complete else (axis.n_levels / max_levels) ** 2)
        edges = [axis.n_levels * i // n_packs for i in range(n_packs + 1)]
        self._packs = [slice(start, stop) for start, stop in itertools.pairwise(edges)]
        self._step = 0
        self._tiles: dict[tuple[int, int], Tile] = {}
        self._averages: dict[tuple[int, int], Tensor] = {}

    @property
    def n_packs(self) -> int:
        """Number of packs the level axis is cut into."""
        return len(self._packs)

    @property
    def n_turns(self) -> int:
        """Steps in which every pair of packs has its turn once."""
        return 1 if self._complete else self.n_packs

    @property
    def _averages_at_all(self) -> bool:
        return self._horizon[1] > self.n_turns

    def plan(self, pace: float = 1.0) -> int:
        """Count the coming step; which packs' turn it is, for `loss`. Always 0 where every step compares all pairs.

        Args:
            pace: the learning rate as a share of its peak. The running average's horizon is in inverse proportion to
                it. Where packs take turns, a block is averaged over as many of its own turns as the horizon holds.
        """
        if self._averages_at_all:
            least, most = self._horizon
            steps = min(least / pace, most) if pace > 0 else most
            self._newness.fill_(min(1.0, self.n_turns / steps))
        turn = 0 if self._complete else self._step % self.n_packs
        self._step += 1
        return turn

    def loss(self, probabilities: Tensor, turn: int | None = None) -> tuple[Tensor, Tensor]:
        """Loss with gradients, and the mean total variation distance of the (averaged) marginals, detached.

        Where the packs take turns, both are estimates from the packs whose turn it is.

        Args:
            probabilities: ``(n_rows, n_levels)``: each column's slice sums to 1. The gradient is that along such rows:
                within the slices' column it is known up to a constant per row, which a softmax ignores.
            turn: what `plan` returned, which is called here by default. With equal turns, the work is the same
                operations on the same memory, so that it can be captured.
        """
        turn = self.plan() if turn is None else turn
        device = probabilities.device.type
        products = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else probabilities.dtype
        # Half precision is for the factors of products alone: not for sums, nor for what is subtracted.
        rows = probabilities.to(torch.promote_types(probabilities.dtype, torch.float32))
        with torch.no_grad(), torch.autocast(device, enabled=False):
            value, error, gradient = self._judge(rows, products, turn)
            if self._one_way is not None:
                value = value + self._one_way.pull_on(rows, gradient)
        surrogate = (rows * gradient).sum()  # has this gradient, and the loss its value
        return surrogate + (value - surrogate.detach()), error

    @torch.no_grad()
    def distance(self, probabilities: Tensor, *others: GramTarget) -> list[Tensor]:
        """Mean total variation distance over all column pairs, between a batch and targets: this critic's own, others.

        Args:
            probabilities: ``(n_rows, n_levels)``.
            *others: targets of the same layout.
        """
        batch = Batch(probabilities, None, probabilities.dtype)
        shares = [target.share for target in (self.pairs, *others)]
        totals = [probabilities.new_zeros(()) for _ in shares]
        for i, j in self._pairs_of_packs():
            tile, times = self._tile(i, j), 1 if i == j else 2
            gram = batch.grams(tile.a, tile.b)[0]
            for k, share in enumerate(shares):
                totals[k] += 0.5 * times * ((gram - share[tile.a, tile.b]).abs_() * tile.weight[0]).sum()
        return totals

    def state(self) -> dict[str, Tensor]:
        """What the next step depends on."""
        averages = {f"average.{i}.{j}": average for (i, j), average in self._averages.items()}
        return averages | {"step": torch.tensor(self._step)}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state`."""
        self._step = int(state["step"])
        for name, average in state.items():
            if name != "step":
                _, i, j = name.split(".")
                place = self._averages.get((int(i), int(j)))
                restored = average.to(self.pairs.share.device) if place is None else place.copy_(average)
                self._averages[int(i), int(j)] = restored

    def _judge(self, probabilities: Tensor, products: torch.dtype, turn: int) -> tuple[Tensor, Tensor, Tensor]:
        """Loss, mean total variation distance, and the gradient of the loss: ``(n_rows, n_levels)``."""
        batch = Batch(probabilities, self._members_of(probabilities), products)
        value, error = probabilities.new_zeros(()), probabilities.new_zeros(())
        inclusion = 1 if self._complete else 1 / self.n_packs
        blocks: list[tuple[slice, slice, Tensor]] = []
        for i, j in self._pairs_of_packs() if self._complete else self._turn(turn):
            tile = self._tile(i, j)
            times = (1 if i == j else 2) / inclusion
            grams = batch.grams(tile.a, tile.b)
            pull, distance = tile.pull(self._averaged((i, j), grams))
            error += times * distance
            # The Gram matrix of all rows is the sum of the slices', so the pairs pull on each of them.
            pull = pull if self._members is None else pull[0] + pull[1:]
            value += times * torch.dot(pull.flatten(), grams.flatten())
            blocks.append((tile.a, tile.b, pull.mul_(2 / (inclusion * len(probabilities))).to(products)))
        gradient, rows = torch.zeros_like(probabilities), probabilities.to(products)
        for s in range(batch.n_slices):
            part = self._pulled(rows, blocks, s).to(probabilities.dtype)
            if self._members is None or batch.weights is None:
                return value, error, part
            gradient.addcmul_(part, batch.weights[s])
            # How likely the row is in the slice depends on its probabilities, too.
            row_loss = part.mul_(probabilities).sum(1, keepdim=True) / 2
            gradient[:, self._span] += row_loss * self._members[s]
        return value, error, gradient

    def _pulled(self, rows: Tensor, blocks: Sequence[tuple[slice, slice, Tensor]], s: int) -> Tensor:
        """Rows times the symmetric matrix of a slice's pulls, given in blocks. Shape: the rows'."""
        if self._complete:
            whole = rows.new_empty(rows.shape[1], rows.shape[1])
            for a, b, pull in blocks:
                whole[a, b] = pull[s]
                whole[b, a] = pull[s].T
            return rows @ whole
        pulled = torch.empty_like(rows)
        for a, b, pull in blocks:
            pulled[:, a] = rows[:, b] @ pull[s].T
            pulled[:, b] = rows[:, a] @ pull[s]
        return pulled

    def _members_of(self, probabilities: Tensor) -> Tensor | None:
        """Each row's probability of each slice. Shape: ``(n_slices, n_rows, 1)``."""
        if self._members is None:
            return None
        members = self._members.to(probabilities.dtype) @ probabilities[:, self._span].T
        return (members / members.sum(0)).unsqueeze(2)  # sums of 1 also where the probabilities came rounded

    def _averaged(self, key: tuple[int, int], grams: Tensor) -> Tensor:
        """The running average of the targets' Gram blocks. Shape: ``(n_slices, ...)`` to ``(n_targets, ...)``."""
        if self._averages_at_all:
            past = self._averages.get(key)
            newness = self._newness.to(grams.dtype)
            grams = self._averages[key] = grams.clone() if past is None else past.lerp_(grams, newness)
        return grams if self._members is None else torch.cat([grams.sum(0, keepdim=True), grams])

    def _tile(self, i: int, j: int) -> Tile:
        if (i, j) in self._tiles:
            return self._tiles[i, j]
        a, b = self._packs[i], self._packs[j]
        columns = self._column_of_level
        tile = Tile(
            a=a,
            b=b,
            shares=[target.share[a, b] for target in self._targets],
            precision=torch.stack([1 / target.tolerance_at(a, b) for target in self._targets]),
            weight=self._weights[:, columns[a]][:, :, columns[b]],
        )
        if self._complete:
            self._tiles[i, j] = tile
        return tile

    def _pairs_of_packs(self) -> Iterator[tuple[int, int]]:
        return ((i, j) for i in range(self.n_packs) for j in range(i, self.n_packs))

    def _turn(self, turn: int) -> Iterator[tuple[int, int]]:
        partners = ((i, (turn - i) % self.n_packs) for i in range(self.n_packs))
        return ((i, j) for i, j in partners if i <= j)


@torch.no_grad()
def expected_marginals(
    probabilities: Tensor, axis: LevelAxis, column: int = 0, slices: Sequence[Sequence[int]] = ()
) -> list[Tensor]:
    """Two-way marginals that a batch stands for, of all rows and of each slice of a column.

    Args:
        probabilities: ``(n_rows, n_levels)``.
        axis: the layout on the device.
        column: the column that the slices are cut from.
        slices: codes of that column.

    Returns:
        ``1 + len(slices)`` matrices ``(n_levels, n_levels)``, as shares of all rows.
    """
    start = int(axis.starts[column])
    members = [probabilities[:, [start + level for level in levels]].sum(1, keepdim=True) for levels in slices]
    whole = probabilities.new_ones(len(probabilities), 1)
    return [(part * probabilities).T @ probabilities / len(probabilities) for part in (whole, *members)]


def _block_weights(target: GramTarget) -> Tensor:
    """Weights of the blocks off the diagonal, with sum 1. Shape: ``(n_columns, n_columns)``."""
    off_diagonal = target.weight * (1 - torch.eye(len(target.weight), device=target.weight.device))
    return off_diagonal / off_diagonal.sum().clamp_min(1)


def _members(slices: Sequence[SliceTarget], n_levels: int, device: torch.device) -> Tensor:
    """Which level is in which slice, and one slice more of the levels that are in none, if there are any.

    Shape: ``(n_slices, n_levels)``, each column's sum is 1.
    """
    members = torch.zeros(len(slices) + 1, n_levels)
    for s, part in enumerate(slices):
        if not part.levels or not all(0 <= level < n_levels for level in part.levels):
            raise ValueError(f"slice {s} must name levels of its column, codes from 0 to {n_levels - 1}.")
        members[s, list(part.levels)] = 1
    members[-1] = 1 - members.sum(0)
    if (members[-1] < 0).any():
        raise ValueError("slices of a column must be disjoint: give each level to one slice at most.")
    return (members if members[-1].any() else members[:-1]).to(device)

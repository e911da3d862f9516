"""From latents to codes and positions, exactly within a condition.

Given the latent, the generator's columns are independent and each position has an explicit CDF, so the probability that
a row meets a condition is a product of sums in closed form. Latents are drawn in proportion to it from a pool, and the
conditioned columns are then drawn from what the condition leaves of their own distributions: every row meets the
condition, and no row is drawn and thrown away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from synthgan.errors import ModelFileError
from synthgan.networks.generator import Generator
from synthgan.networks.layers import LevelAxis, gumbel_like
from synthgan.networks.products import ROW_BLOCK
from synthgan.sampling.pieces import on_all_cores
from synthgan.sampling.random_streams import Streams
from synthgan.tables.columns.protocol import LevelCondition

LATENTS = 8_192
"""Latents weighed at a time under a condition."""
CPU_CHUNK_ROWS = 1_024
"""Rows drawn at a time by a core: few enough for its caches."""
ACCELERATOR_CHUNK_CELLS = 2**26
"""Logits at a time on an accelerator: 256 MiB, so that starting kernels costs nothing."""
FEW_ROWS = 1_024
"""Draws of at most this many rows may share latents with other draws of the session."""
POOL_CAP = 524_288
MIN_EFFECTIVE = 100.0


@dataclass(frozen=True)
class Draw:
    """Generated rows in code space.

    Attributes:
        codes: ``(n_rows, n_columns)`` uint8 or int16, in Fortran order: decoding goes column by column.
        positions: ``(n_rows, n_positions)`` float32 in [0, 1), in Fortran order.
        effective_sample_size: of the latents behind the rows (Kish 1965); ``n_rows`` without a condition.
    """

    codes: npt.NDArray[np.uint8] | npt.NDArray[np.int16]
    positions: npt.NDArray[np.float32]
    effective_sample_size: float


class DeviceCondition:
    """A condition on the device, in the terms of the level axis.

    Args:
        columns: per modelled column index, its allowed levels and the positions allowed within them.
        generator: the network that is to meet it.
    """

    def __init__(self, columns: Mapping[int, LevelCondition], generator: Generator) -> None:
        axis = generator.axis
        device = axis.starts.device
        starts = axis.starts.tolist()
        allowed, lower, upper = torch.ones(axis.n_levels), torch.zeros(axis.n_levels), torch.ones(axis.n_levels)
        mask = torch.zeros(axis.n_columns)
        for index, rule in columns.items():
            place = slice(starts[index], starts[index] + axis.sizes[index])
            allowed[place] = torch.from_numpy(rule.allowed.astype(np.float32))
            lower[place] = torch.from_numpy(rule.lower.astype(np.float32))
            upper[place] = torch.from_numpy(rule.upper.astype(np.float32))
            mask[index] = 1
        self.allowed, self.lower, self.upper = allowed.to(device), lower.to(device), upper.to(device)
        self.columns = sorted(columns)
        self.mask = mask.to(device)
        partial = (self.allowed > 0) & ((self.lower > 0) | (self.upper < 1))
        self.partial = partial.nonzero().squeeze(1)
        position_of_column = {int(column): i for i, column in enumerate(axis.positioned_columns)}
        owners = axis.column_of_level[self.partial].tolist()
        self.partial_positions = torch.tensor([position_of_column[o] for o in owners], dtype=torch.long, device=device)

    def as_input(self, generator: Generator) -> Tensor:
        """What the generator is told. Shape: ``(1, n_levels)``."""
        axis = generator.axis
        weights = (self.allowed * generator.marginal).unsqueeze(0)
        return axis.normalise(weights) * self.mask[axis.column_of_level]

    def log_shares(self, generator: Generator, hidden: Tensor) -> Tensor:
        """Log of the share of each level that the condition leaves.

        Shape: ``(n_rows, n_levels)``, or ``(1, n_levels)`` when no position is restricted.
        """
        log_allowed = self.allowed.log().unsqueeze(0)
        if len(self.partial) == 0:
            return log_allowed
        head = generator.position_head
        location, scale = generator.position_law_at(hidden, self.partial_positions, self.partial)
        share = head.cdf(self.upper[self.partial], location, scale) - head.cdf(
            self.lower[self.partial], location, scale
        )
        return log_allowed.repeat(len(hidden), 1).index_copy(1, self.partial, share.clamp_min(1e-30).log())


class _Rows:
    """Room for drawn rows on the device, a line per column, so that they go to the host in one copy."""

    def __init__(self, generator: Generator, n_rows: int) -> None:
        axis = generator.axis
        device = axis.starts.device
        code = torch.uint8 if max(axis.sizes) <= 256 else torch.int16
        self._codes = torch.empty(axis.n_columns, n_rows, dtype=code, device=device)
        self._positions = torch.empty(axis.n_positions, n_rows, device=device)

    def put(self, place: slice, codes: Tensor, positions: Tensor) -> None:
        """Rows to their place; those beyond it are dropped. Shape: ``(n, n_columns)``, ``(n, n_positions)``."""
        room = self._codes[:, place].shape[1]
        self._codes[:, place] = codes[:room].T
        self._positions[:, place] = positions[:room].T

    def draw(self, effective_sample_size: float) -> Draw:
        """All rows, on the host."""
        return Draw(self._codes.cpu().numpy().T, self._positions.cpu().numpy().T, effective_sample_size)


@torch.inference_mode()
def draw_rows(generator: Generator, n_rows: int, streams: Streams) -> Draw:
    """Rows without a condition."""
    rows = _Rows(generator, n_rows)

    def draw(place: slice, rng: torch.Generator) -> None:
        # Whole blocks of rows: see `products.dense`.
        n = -(-(place.stop - place.start) // ROW_BLOCK) * ROW_BLOCK
        z = torch.randn(n, generator.settings.latent_dim, generator=rng, device=rng.device)
        hidden = generator.hidden(z)
        law = generator.rank_head(hidden)
        codes = draw_codes(generator.axis, generator.with_peaks(generator.logits(hidden), law), rng)
        rows.put(place, codes, generator.draw_positions(hidden, codes, rng, law))

    _chunk_by_chunk(draw, n_rows, _chunk_rows(generator.axis), streams)
    return rows.draw(float(n_rows))


def _chunk_by_chunk(
    draw: Callable[[slice, torch.Generator], None], n_rows: int, n_at_a_time: int, streams: Streams
) -> None:
    """Draw the rows of each chunk: on a CPU several chunks at a time."""
    places = [slice(start, min(start + n_at_a_time, n_rows)) for start in range(0, n_rows, n_at_a_time)]

    def work(piece: tuple[slice, torch.Generator]) -> None:
        # Both are matters of the thread, and autocast one of the caller's.
        with torch.inference_mode(), torch.autocast(streams.device.type, enabled=False):
            draw(*piece)

    pieces = list(zip(places, streams.take(len(places)), strict=True))
    if streams.device.type == "cpu":
        on_all_cores(work, pieces)
    else:
        for piece in pieces:
            work(piece)


def draw_codes(axis: LevelAxis, logits: Tensor, rng: torch.Generator) -> Tensor:
    """Exact categorical draws in every column. Minus infinity is never drawn.

    On a CPU one uniform number per cell is looked up in the cumulative softmax: a sum from left to right does not
    decrease and stays where a level has no probability, and ``uniform * total`` is below the total, so that neither
    such a level nor one past the last is ever found. A parallel sum promises none of this; on accelerators, where
    noise costs little, the Gumbel-max trick does.

    Shape: ``(n_rows, n_levels)`` to ``(n_rows, n_columns)`` int64.

    Raises:
        ModelFileError: when the weights of a model file are such that a row has no probabilities (on a CPU only).
    """
    if logits.device.type != "cpu":
        return axis.argmax(logits + gumbel_like(logits, rng))
    uniform = torch.rand(axis.n_columns, len(logits), generator=rng)
    codes = torch.empty(axis.n_columns, len(logits), dtype=torch.long)
    for column, part in enumerate(axis.parts(logits)):
        below = (part - part.amax(1, keepdim=True)).exp_().cumsum(1)
        ticks = uniform[column].unsqueeze(1) * below[:, -1:]
        torch.searchsorted(below, ticks, right=True, out=codes[column].unsqueeze(1))
    if any(int(part.max()) >= size for part, size in zip(codes, axis.sizes, strict=True)):
        raise ModelFileError(
            "the model's weights make numbers beyond what a computer holds, so no row can be drawn from it; fit the "
            "model again, or take an unaltered copy of its file."
        )
    return codes.T


@dataclass(frozen=True)
class LatentChunk:
    """`LATENTS` latents and what the generator makes of them.

    Attributes:
        z: ``(LATENTS, latent_dim)``.
        hidden: ``(LATENTS, width)``.
        logits: ``(LATENTS, n_levels)``.
    """

    z: Tensor
    hidden: Tensor
    logits: Tensor


class LatentPool:
    """Latents to choose from. The first chunk is kept, for the many small draws of a frame of conditions.

    Args:
        generator: the averaged generator.
        streams: random sources of the session.
    """

    def __init__(self, generator: Generator, streams: Streams) -> None:
        self._generator = generator
        self._streams = streams
        self._first: LatentChunk | None = None

    def chunks(self, told: Tensor | None, *, reuse: bool) -> Iterator[LatentChunk]:
        """Chunks without end, the kept one first where ``reuse`` allows it and the network is told nothing."""
        if reuse and told is None:
            self._first = self._first or self._draw(None)
            yield self._first
        while True:
            yield self._draw(told)

    def _draw(self, told: Tensor | None) -> LatentChunk:
        settings, axis, device = self._generator.settings, self._generator.axis, self._streams.device
        sizes = (settings.latent_dim, settings.width, axis.n_levels)
        z, hidden, logits = (torch.empty(LATENTS, size, device=device) for size in sizes)

        def draw(place: slice, rng: torch.Generator) -> None:
            z[place].normal_(generator=rng)
            hidden[place], logits[place] = self._generator(z[place], told)

        _chunk_by_chunk(draw, LATENTS, _chunk_rows(axis), self._streams)
        return LatentChunk(z, hidden, logits)


def wanted_effective_size(n_rows: int) -> float:
    """Effective sample size that ``n_rows`` rows under a condition should rest on: a tenth of them, and at least 100.

    Fewer than ten rows ask for ten latents each: more would only slow down frames of many different conditions.
    """
    return max(min(MIN_EFFECTIVE, 10.0 * n_rows), n_rows / 10)


@torch.inference_mode()
def draw_conditioned(
    generator: Generator,
    condition: DeviceCondition,
    n_rows: int,
    streams: Streams,
    *,
    pool: LatentPool | None = None,
) -> Draw:
    """Rows that all meet ``condition``.

    Latents come from a pool in proportion to the probability that their row meets the condition: the rows follow the
    generator's own law given the condition. A generator that was trained with conditions is told this one, which makes
    a small pool go far and the law approximate. The pool grows until its effective sample size is half the rows and at
    least `wanted_effective_size`, up to `POOL_CAP` latents: repeated latents would cost fidelity.

    Args:
        generator: the averaged generator.
        condition: what to meet.
        n_rows: rows wanted.
        streams: random sources of the session.
        pool: shared between the draws of one session; None for one of its own.
    """
    told = condition.as_input(generator) if generator.conditional else None
    wanted = max(wanted_effective_size(n_rows), n_rows / 2)
    latents: list[Tensor] = []
    weights: list[Tensor] = []
    effective = 0.0
    for chunk in (pool or LatentPool(generator, streams)).chunks(told, reuse=n_rows <= FEW_ROWS):
        latents.append(chunk.z)
        weights.append(_log_probability(generator, condition, chunk.hidden, chunk.logits))
        size = len(latents) * LATENTS
        if size < n_rows:
            continue
        effective = _effective_sample_size(torch.cat(weights))
        if effective >= wanted or size >= POOL_CAP:
            break
    chosen = torch.cat(latents)[_resample(torch.cat(weights), n_rows, streams.own)]
    rows = _Rows(generator, n_rows)

    def draw(place: slice, rng: torch.Generator) -> None:
        hidden, logits = generator(chosen[place], told)
        codes = draw_codes(generator.axis, logits + condition.log_shares(generator, hidden), rng)
        rows.put(place, codes, _draw_truncated(generator, condition, hidden, codes, rng))

    _chunk_by_chunk(draw, n_rows, min(_chunk_rows(generator.axis), LATENTS), streams)
    return rows.draw(min(effective, float(n_rows)))


def _log_probability(generator: Generator, condition: DeviceCondition, hidden: Tensor, logits: Tensor) -> Tensor:
    """Log probability of meeting the condition, given each latent. Shape: ``(n_rows,)``."""
    axis = generator.axis
    shares = condition.log_shares(generator, hidden)
    total = torch.zeros(len(logits), device=logits.device)
    starts = axis.starts.tolist()
    for column in condition.columns:
        place = slice(starts[column], starts[column] + axis.sizes[column])
        total += (logits[:, place] + shares[:, place]).logsumexp(1) - logits[:, place].logsumexp(1)
    return total


def _draw_truncated(
    generator: Generator, condition: DeviceCondition, hidden: Tensor, codes: Tensor, rng: torch.Generator
) -> Tensor:
    """Positions within what the condition leaves of each drawn level. Shape: ``(n_rows, n_positions)``."""
    head = generator.position_head
    levels = generator.axis.position_levels(codes)
    location, scale = generator.position_law(hidden, levels)
    lower, upper = condition.lower[levels], condition.upper[levels]
    low, high = head.cdf(lower, location, scale), head.cdf(upper, location, scale)
    uniform = low + (high - low) * torch.rand(levels.shape, generator=rng, device=hidden.device)
    below_upper = torch.nextafter(upper, torch.zeros_like(upper))
    return torch.minimum(torch.maximum(head.inverse_cdf(uniform, location, scale), lower), below_upper)


def _effective_sample_size(log_weights: Tensor) -> float:
    weights = (log_weights - log_weights.max()).double().exp()
    return float(weights.sum() ** 2 / weights.square().sum())


def _resample(log_weights: Tensor, n_rows: int, rng: torch.Generator) -> Tensor:
    """Indices drawn in proportion to the weights by systematic resampling (Kitagawa 1996), in random order."""
    weights = (log_weights - log_weights.max()).double().exp()
    cumulative = weights.cumsum(0)
    offset = torch.rand(1, generator=rng, device=rng.device, dtype=torch.float64)
    ticks = (torch.arange(n_rows, device=rng.device) + offset) / n_rows * cumulative[-1]
    index = torch.searchsorted(cumulative, ticks).clamp_max(len(weights) - 1)
    return index[torch.randperm(n_rows, generator=rng, device=rng.device)]


def _chunk_rows(axis: LevelAxis) -> int:
    if axis.starts.device.type == "cpu":
        return CPU_CHUNK_ROWS
    return max(CPU_CHUNK_ROWS, ACCELERATOR_CHUNK_CELLS // axis.n_levels)

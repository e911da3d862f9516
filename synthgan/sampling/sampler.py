"""From a fitted model to tables: batches of decoded rows, conditions met exactly."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch

from synthgan.config import Precision
from synthgan.errors import ConditionError
from synthgan.networks.generator import Generator
from synthgan.sampling.ahead import ahead
from synthgan.sampling.draws import (
    DeviceCondition,
    Draw,
    LatentPool,
    draw_conditioned,
    draw_rows,
    wanted_effective_size,
)
from synthgan.sampling.random_streams import Streams
from synthgan.tables.codec import CodeCondition, Decoder, TableCodec
from synthgan.tables.conditions.predicates import ColumnPredicate

BATCH_ROWS = 65_536
"""Most rows of a batch."""
FREE_BATCH_ROWS = 16_384
"""Most rows of a batch without a condition on a CPU: its rows share nothing, and small ones are decoded sooner."""
SELECTION_ROWS = 4_096
SELECTION_TRIES = 64


@dataclass
class SamplingReport:
    """What a sampling session has to say for itself.

    Attributes:
        n_rows: rows drawn.
        effective_sample_size: of the latents behind conditioned rows, summed over batches; None without a condition.
        n_wanted_effective: what it should at least be.
    """

    n_rows: int = 0
    effective_sample_size: float | None = None
    n_wanted_effective: float = 0.0

    def add(self, draw: Draw, n_rows: int) -> None:
        """Account for one conditioned draw."""
        self.effective_sample_size = (self.effective_sample_size or 0.0) + draw.effective_sample_size
        self.n_wanted_effective += min(float(n_rows), wanted_effective_size(n_rows))


class Sampler:
    """One sampling session: repeatable from its seed, identifiers unique throughout.

    Args:
        codec: the fitted codec.
        generator: the averaged generator; None when no column is modelled.
        seed: of every random choice in the session.
        precision: that the generator was trained in.
    """

    def __init__(self, codec: TableCodec, generator: Generator | None, seed: int, *, precision: Precision) -> None:
        self._codec = codec
        self._generator = None if generator is None else generator.for_sampling(precision)
        torch_seed, decode_seed = np.random.SeedSequence(seed).generate_state(2, np.uint64)
        self._decoder: Decoder = codec.decoder(np.random.default_rng(decode_seed))
        device = torch.device("cpu") if generator is None else generator.axis.starts.device
        self._streams = Streams(torch.Generator(device).manual_seed(int(torch_seed) >> 1))
        self._pool = None if generator is None else LatentPool(generator, self._streams)
        self.report = SamplingReport()

    def compile(self, conditions: Mapping[str, ColumnPredicate]) -> CodeCondition:
        """What `batches` is to meet.

        Raises:
            ConditionError: when no row can meet the conditions.
        """
        return self._codec.compile_conditions(conditions)

    def batches(self, n_rows: int, rule: CodeCondition) -> Iterator[pa.Table]:
        """Decoded rows in batches of at most `BATCH_ROWS`; the next ones are drawn while a batch is decoded and used.

        Raises:
            ConditionError: when rows have to be selected after decoding and none meets the conditions.
        """
        codes = DeviceCondition(rule.columns, self._generator) if rule.columns and self._generator is not None else None
        if rule.residual:
            yield from self._selected(n_rows, rule, codes)
            return
        size = BATCH_ROWS if codes is not None else free_batch_rows(self._streams.device)
        draws = (self._draw(codes, min(size, n_rows - done)) for done in range(0, n_rows, size))
        for draw in ahead(draws) if n_rows > size else draws:
            table = rule.settle(self._decode(draw))
            self.report.n_rows += table.num_rows
            yield table

    def _selected(self, n_rows: int, rule: CodeCondition, codes: DeviceCondition | None) -> Iterator[pa.Table]:
        """Batches of which only the rows that meet the conditions after decoding are left."""
        done = barren = 0
        while done < n_rows:
            wanted = min(BATCH_ROWS, n_rows - done)
            # A handful at a time would take for ever.
            drawn = max(wanted, SELECTION_ROWS)
            table = rule.settle(self._decode(self._draw(codes, drawn))).slice(0, wanted)
            if table.num_rows:
                barren = 0
                done += table.num_rows
                self.report.n_rows += table.num_rows
                yield table
                continue
            barren += 1
            if barren == SELECTION_TRIES:
                raise ConditionError(
                    f"no generated row met the conditions on {_names(rule.residual)} in {barren * drawn} tries: a "
                    "constraint derives these columns from others, so rows are selected after decoding; "
                    "widen the conditions"
                )

    def _draw(self, condition: DeviceCondition | None, n_rows: int) -> Draw:
        if self._generator is None:
            return Draw(np.zeros((n_rows, 0), dtype=np.uint8), np.zeros((n_rows, 0), dtype=np.float32), float(n_rows))
        if condition is None:
            return draw_rows(self._generator, n_rows, self._streams)
        draw = draw_conditioned(self._generator, condition, n_rows, self._streams, pool=self._pool)
        self.report.add(draw, n_rows)
        return draw

    def _decode(self, draw: Draw) -> pa.Table:
        return self._decoder.decode(draw.codes, draw.positions)


def free_batch_rows(device: torch.device) -> int:
    """Most rows of a batch without a condition. An accelerator draws many as fast as few."""
    return min(BATCH_ROWS, FREE_BATCH_ROWS) if device.type == "cpu" else BATCH_ROWS


def _names(predicates: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in predicates)

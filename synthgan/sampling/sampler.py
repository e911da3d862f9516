"""From a fitted model to tables: batches of decoded rows, conditions met exactly."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from synthgan.errors import ConditionError
from synthgan.networks.generator import Generator
from synthgan.sampling.draws import CodeCondition, Draw, draw_conditioned, draw_rows
from synthgan.tables.codec import Decoder, TableCodec
from synthgan.tables.predicates import ColumnPredicate, Equals, Predicate, matches

BATCH_ROWS = 65_536
RESIDUAL_TRIES = 64


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
        self.n_wanted_effective += min(n_rows, max(100.0, n_rows / 10))


class Sampler:
    """One sampling session: repeatable from its seed, identifiers unique throughout.

    Args:
        codec: the fitted codec.
        generator: the averaged generator; None when no column is modelled.
        seed: of every random choice in the session.
    """

    def __init__(self, codec: TableCodec, generator: Generator | None, seed: int) -> None:
        self._codec = codec
        self._generator = generator
        torch_seed, decode_seed = np.random.SeedSequence(seed).generate_state(2, np.uint64)
        self._decoder: Decoder = codec.decoder(np.random.default_rng(decode_seed))
        device = torch.device("cpu") if generator is None else generator.axis.starts.device
        self._rng = torch.Generator(device).manual_seed(int(torch_seed >> 1))
        self.report = SamplingReport()

    def batches(self, n_rows: int, conditions: Mapping[str, ColumnPredicate] | None = None) -> Iterator[pa.Table]:
        """Decoded rows in batches of at most `BATCH_ROWS`.

        Raises:
            ConditionError: when no row can meet the conditions.
        """
        rule = self._codec.compile_conditions(conditions) if conditions else None
        codes = self._compile(rule.columns) if rule is not None and rule.columns else None
        residual = {} if rule is None else dict(rule.residual)
        done = barren = 0
        while done < n_rows:
            wanted = min(BATCH_ROWS, n_rows - done)
            table = self._decode(self._draw(codes, wanted))
            if residual:
                table = table.filter(pa.array(_all_match(residual, table))).slice(0, wanted)
                barren = 0 if table.num_rows else barren + 1
                if barren == RESIDUAL_TRIES:
                    raise ConditionError(
                        f"no generated row met the conditions on {_names(residual)} in {barren * wanted} tries: "
                        "a constraint derives these columns from others, so rows are selected after decoding; "
                        "widen the conditions."
                    )
            if table.num_rows:
                done += table.num_rows
                self.report.n_rows += table.num_rows
                yield _fix_equal(table, conditions or {}, residual)

    def _compile(self, columns: Mapping[int, Any]) -> CodeCondition | None:
        return None if self._generator is None else CodeCondition(columns, self._generator)

    def _draw(self, condition: CodeCondition | None, n_rows: int) -> Draw:
        if self._generator is None:
            return Draw(np.zeros((n_rows, 0), dtype=np.int64), np.zeros((n_rows, 0), dtype=np.float32), float(n_rows))
        if condition is None:
            return draw_rows(self._generator, n_rows, self._rng)
        draw = draw_conditioned(self._generator, condition, n_rows, self._rng)
        self.report.add(draw, n_rows)
        return draw

    def _decode(self, draw: Draw) -> pa.Table:
        return self._decoder.decode(draw.codes, draw.positions)


def _all_match(predicates: Mapping[str, Predicate], table: pa.Table) -> npt.NDArray[np.bool_]:
    met = np.ones(table.num_rows, dtype=bool)
    for name, predicate in predicates.items():
        met &= matches(predicate, table.column(name))
    return met


def _fix_equal(table: pa.Table, conditions: Mapping[str, ColumnPredicate], residual: Collection[str]) -> pa.Table:
    """Write a wanted number as given: a bin's position reaches it only up to rounding."""
    for name, predicate in conditions.items():
        if isinstance(predicate, Equals) and name not in residual:
            index = table.schema.get_field_index(name)
            field = table.schema.field(index)
            if not pa.types.is_dictionary(field.type):
                fixed = pa.repeat(pa.scalar(predicate.value, field.type), table.num_rows)
                table = table.set_column(index, field, fixed)
    return table


def _names(predicates: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in predicates)

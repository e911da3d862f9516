"""Columns that take only combinations seen together: one categorical whose levels are the combinations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from synthgan.tables.arrow_types import is_text, parse_type
from synthgan.tables.columns.level_choice import OTHER
from synthgan.tables.conditions.composites import join_columns, split_texts
from synthgan.tables.constraints.scales import plain
from synthgan.tables.constraints.steps import DecodingState, Step
from synthgan.tables.schema.schema import ColumnSchema


class CombinationStep(Step):
    """The columns as one categorical of `join_columns` texts; missing is a value like any other.

    A combination that value protection has merged with other rare ones decodes to one of the combinations that were
    kept, drawn in proportion to their shares: a row never holds a combination that the table does not have. Only when
    none was kept, every text column reads ``<other>`` and the rest is missing.
    """

    def __init__(self, columns: Sequence[ColumnSchema], *, new_name: Callable[[str], str]) -> None:
        """Take the columns."""
        self.makes = tuple(column.name for column in columns)
        self.needs = ()
        self.types = tuple(parse_type(column.arrow_type) for column in columns)
        self.composite = new_name(" & ".join(self.makes))
        composite = ColumnSchema(
            name=self.composite,
            kind="categorical",
            source="declared",
            reason="combinations of columns, as declared",
            arrow_type="string",
        )
        self.internal = (composite,)

    def forward(self, columns: Mapping[str, pa.Array]) -> Sequence[pa.Array]:
        """See `Step.forward`."""
        return (join_columns([plain(columns[name]) for name in self.makes]),)

    def backward(self, internal: Sequence[pa.Array | None], known: dict[str, pa.Array], state: DecodingState) -> None:
        """See `Step.backward`."""
        composite = internal[0]
        assert composite is not None
        columns, allowed = split_texts(composite, self.types)
        if not allowed.all():
            drawn = self._draw(int((~allowed).sum()), composite.filter(pa.array(allowed)), state)
            places = np.arange(len(composite))
            places[~allowed] = len(composite) + np.arange(int((~allowed).sum()))
            columns = [
                pa.concat_arrays([column, replaced]).take(pa.array(places))
                for column, replaced in zip(columns, drawn, strict=True)
            ]
        known.update(zip(self.makes, columns, strict=True))

    def _draw(self, n_rows: int, seen: pa.Array, state: DecodingState) -> list[pa.Array]:
        texts, weights = self._kept(seen, state)
        if not len(texts):
            return [
                pa.array([OTHER] * n_rows, type=held) if is_text(held) else pa.nulls(n_rows, held)
                for held in self.types
            ]
        return split_texts(texts.take(pa.array(state.rng.choice(len(texts), size=n_rows, p=weights))), self.types)[0]

    def _kept(self, seen: pa.Array, state: DecodingState) -> tuple[pa.Array, np.ndarray]:
        """Combinations that may stand in, with their shares: the model's, else those of the batch."""
        if self.composite in state.combinations:
            texts, shares = state.combinations[self.composite]
            weights = np.asarray(shares, dtype=np.float64)
        else:
            counted = pc.value_counts(plain(seen))
            texts, weights = counted.field("values"), counted.field("counts").to_numpy().astype(np.float64)
        allowed = split_texts(texts, self.types)[1] & (weights > 0)
        weights = weights[allowed]
        return texts.filter(pa.array(allowed)), weights / max(weights.sum(), 1e-300)

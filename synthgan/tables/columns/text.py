"""Free text: never read, never learned; emitted empty, dropped, or written by a Faker provider."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from synthgan.errors import ConditionError, SchemaError
from synthgan.tables.arrow_types import is_text, parse_type
from synthgan.tables.columns.protocol import Codes, FitRules, LevelCondition, LevelFacts, Losses, Positions
from synthgan.tables.conditions.predicates import AnyOf, Missing, Predicate
from synthgan.tables.schema.schema import ColumnSchema
from synthgan.tables.statistics.statistics import ColumnStatistics

FAKER = "faker:"

POOL_SIZE = 10_000
"""A session draws its texts from at most this many, because Faker writes them one by one."""


@dataclass(frozen=True)
class TextEncoder:
    """A column that is not modelled at all.

    Attributes:
        name: the column.
        arrow_type: its type.
        text: ``"empty"``, ``"drop"`` or ``"faker:PROVIDER"``.
    """

    name: str
    arrow_type: pa.DataType
    text: str

    @classmethod
    def fit(cls, column: ColumnSchema, statistics: ColumnStatistics, rules: FitRules) -> TextEncoder:  # noqa: ARG003
        """Take what the schema asks for; the values are not looked at.

        Raises:
            SchemaError: for an unknown wish, or a Faker provider that is not there.
        """
        arrow_type = parse_type(column.arrow_type)
        if column.text.startswith(FAKER):
            if not is_text(arrow_type):
                raise SchemaError(f"column '{column.name}' is to be filled by Faker but holds {arrow_type}, not text")
            _provider(column.name, column.text, seed=0)
        elif column.text not in ("empty", "drop"):
            raise SchemaError(
                f"column '{column.name}' asks for the text '{column.text}'; "
                "known are 'empty', 'drop' and 'faker:PROVIDER'"
            )
        return cls(name=column.name, arrow_type=arrow_type, text=column.text)

    @cached_property
    def facts(self) -> LevelFacts:
        """One level: the column carries no information."""
        zero = np.zeros(1)
        none = zero.astype(bool)
        return LevelFacts(is_bin=none, value_start=zero, value_stop=zero, is_ordered=none, marginal=np.ones(1))

    def encode(self, array: pa.Array, rng: np.random.Generator) -> tuple[Codes, Positions | None]:  # noqa: ARG002
        """Nothing but zeros."""
        return np.zeros(len(array), dtype=np.int64), None

    def decoder(self, rng: np.random.Generator) -> TextDecoder:
        """A decoder for one sampling session."""
        return TextDecoder(self, rng)

    def compile(self, predicate: Predicate) -> LevelCondition:
        """Whether the column meets the predicate, which it does only when missing is asked and all is empty."""
        asked = isinstance(predicate, Missing) or (isinstance(predicate, AnyOf) and predicate.missing)
        if not asked or self.text.startswith(FAKER):
            raise ConditionError(
                f"column '{self.name}' holds free text, which is not learned; it cannot have a condition"
            )
        one = np.ones(1, dtype=np.float32)
        return LevelCondition(allowed=np.ones(1, dtype=bool), lower=0 * one, upper=one)

    @property
    def listed(self) -> None:
        """No value is learned."""

    @property
    def losses(self) -> Losses:
        """Nothing was read that could be lost."""
        return Losses()

    def describe(self) -> dict[str, Any]:
        """What the model file holds about the column."""
        return {"text": self.text}

    def notices(self) -> tuple[str, ...]:
        """Says that the column comes out empty."""
        if self.text != "empty":
            return ()
        return (
            f"column '{self.name}' looks like free text and will be emitted empty; declare it categorical to learn it "
            "as levels, or set its text to 'drop' or 'faker:PROVIDER'",
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"name": self.name, "arrow_type": str(self.arrow_type), "text": self.text}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> TextEncoder:
        """The encoder that `to_json` wrote."""
        return cls(name=content["name"], arrow_type=parse_type(content["arrow_type"]), text=content["text"])


class TextDecoder:
    """Nulls, or texts drawn from a pool that a Faker provider wrote."""

    def __init__(self, encoder: TextEncoder, rng: np.random.Generator) -> None:
        """Start a session."""
        self._encoder = encoder
        self._rng = rng
        self._write: Callable[[], Any] | None = None
        self._pool: list[str] = []
        if encoder.text.startswith(FAKER):
            self._write = _provider(encoder.name, encoder.text, seed=int(rng.integers(2**63)))

    def decode(self, codes: Codes, positions: Positions | None) -> pa.Array:  # noqa: ARG002 -- the column has no levels
        """Texts of a batch."""
        arrow_type = self._encoder.arrow_type
        if self._write is None:
            return pa.nulls(len(codes), type=arrow_type)
        while len(self._pool) < min(POOL_SIZE, len(codes)):
            self._pool.append(str(self._write()))
        drawn = self._rng.integers(0, max(1, len(self._pool)), size=len(codes))
        return pa.array(self._pool, type=arrow_type).take(pa.array(drawn))


def _provider(column: str, text: str, *, seed: int) -> Callable[[], Any]:
    """The Faker method that ``faker:PROVIDER`` names, seeded."""
    try:
        from faker import Faker
    except ImportError:
        raise SchemaError(
            f"column '{column}' is to be filled by Faker, which is not installed: pip install 'synthgan[faker]'"
        ) from None
    faker = Faker()
    faker.seed_instance(seed)
    name = text.removeprefix(FAKER)
    known = not name.startswith("_") and any(hasattr(provider, name) for provider in faker.get_providers())
    if not known or not callable(method := getattr(faker, name, None)):
        raise SchemaError(f"column '{column}' asks for the Faker provider '{name}', which Faker does not have")
    return method

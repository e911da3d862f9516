"""Truth values written as text: `TRUE` and `FALSE` as spreadsheets write them, `True` and `False` as pandas does."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from synthgan.tables.written.protocol import by_distinct, only_exact


@dataclass(frozen=True)
class TruthFormat:
    """One spelling of true and false.

    Attributes:
        true: how true is spelled.
        false: how false is spelled.
    """

    true: str
    false: str

    @classmethod
    def parse(cls, pattern: str) -> TruthFormat | None:
        """The format of a pattern such as ``TRUE/FALSE``; None where it is none."""
        return next((form for form in SPELLINGS if form.pattern == pattern), None)

    @property
    def pattern(self) -> str:
        """The format as a schema file has it."""
        return f"{self.true}/{self.false}"

    @property
    def value_type(self) -> pa.DataType:
        """Truth values."""
        return pa.bool_()

    def to_values(self, texts: pa.Array) -> pa.Array:
        """The value of each text; null where the text is not exactly what `to_texts` writes for a value."""
        return by_distinct(texts, self._values)

    def _values(self, texts: pa.Array) -> pa.Array:
        values = pc.equal(texts, self.true)
        return only_exact(texts, values, self.to_texts(values))

    def to_texts(self, values: pa.Array) -> pa.Array:
        """The text of each value; null stays null."""
        return pc.if_else(values, pa.scalar(self.true), pa.scalar(self.false))


SPELLINGS = (TruthFormat("TRUE", "FALSE"), TruthFormat("True", "False"), TruthFormat("true", "false"))
"""What a CSV file may have where truth values are read."""

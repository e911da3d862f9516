"""Identifiers: only presence is modelled; values are made afresh in the learned format."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from synthgan.errors import ConditionError, SchemaError
from synthgan.tables.arrow_types import is_text, parse_type
from synthgan.tables.axes.raw_numbers import Mask
from synthgan.tables.columns.fresh_values import FormatWriter, NumberWriter
from synthgan.tables.columns.protocol import Codes, FitRules, LevelCondition, LevelFacts, Losses, Positions
from synthgan.tables.conditions.predicates import AnyOf, Missing, Predicate
from synthgan.tables.schema.schema import ColumnSchema
from synthgan.tables.statistics.formats import VARIES, Format, in_order, merge_coarsely, narrowed, with_room
from synthgan.tables.statistics.statistics import ColumnStatistics
from synthgan.warned import warn

COVERED = 0.9
"""Formats are told apart as finely as leaves at least this share of rows in formats with enough rows."""

_MEASURED = re.compile(
    r"[-+]?(?:9+[.,]9+|9+(?:[.,]9+)?[eE][-+]?9+|9{1,3}(?:,9{3})+(?:\.9+)?)|9{1,2}([/.-])9{1,2}\1(?:9{4}|(?<!-)9{2})"
)
"""Digits of numbers and dates; groups of two joined by dashes are codes, such as those of banks."""


@dataclass(frozen=True)
class IdentifierEncoder:
    """Present or missing, and how identifiers are written.

    Attributes:
        name: the column.
        arrow_type: its type.
        formats: formats that enough rows share, commonest first; ``n_rows`` is a share here.
        share_missing: share of rows without an identifier.
        n_merged: how many formats were too rare to keep.
        n_fitted: rows with an identifier; known to a fit, not to a loaded model.
        is_guessed: whether nobody said that these are identifiers; known to a fit, not to a loaded model.
    """

    name: str
    arrow_type: pa.DataType
    formats: tuple[Format, ...]
    share_missing: float
    n_merged: int = 0
    n_fitted: float = 0.0
    is_guessed: bool = False

    @classmethod
    def fit(cls, column: ColumnSchema, statistics: ColumnStatistics, rules: FitRules) -> IdentifierEncoder:
        """Keep the formats that enough rows share.

        Raises:
            SchemaError: when the column holds neither text nor numbers.
        """
        arrow_type = parse_type(column.arrow_type)
        if not (
            is_text(arrow_type)
            or pat.is_integer(arrow_type)
            or pat.is_floating(arrow_type)
            or pat.is_decimal(arrow_type)
        ):
            raise SchemaError(
                f"column '{column.name}' is declared identifier but holds {arrow_type}; identifiers are text or numbers"
            )
        templates = statistics.templates(column.name)
        looked_at = sum(form.n_rows for form in templates.formats) + templates.n_unlisted
        kept, n_merged = _frequent(templates.formats, rules.min_count)
        if sum(form.n_rows for form in kept) < COVERED * looked_at:
            kept, n_merged = _frequent(merge_coarsely(templates.formats), rules.min_count)
        if is_text(arrow_type):
            zero_first, beyond_f = (n >= rules.min_count for n in (templates.n_zero_first, templates.n_beyond_f))
            kept = tuple(narrowed(form, zero_first=zero_first, beyond_f=beyond_f) for form in kept)
        total = sum(form.n_rows for form in kept)
        roomy = (with_room(form, form.n_rows / looked_at * templates.n_present) for form in kept)
        return cls(
            name=column.name,
            arrow_type=arrow_type,
            formats=tuple(dataclasses.replace(form, n_rows=form.n_rows / total) for form in roomy),
            share_missing=templates.n_missing / max(templates.n_present + templates.n_missing, 1e-300),
            n_merged=n_merged,
            n_fitted=templates.n_present,
            is_guessed=column.source != "declared",
        )

    @cached_property
    def facts(self) -> LevelFacts:
        """Present, then missing, as far as they occur."""
        marginal = np.array([share for share in (1 - self.share_missing, self.share_missing) if share > 0])
        zeros = np.zeros(len(marginal))
        none = zeros.astype(bool)
        return LevelFacts(is_bin=none, value_start=zeros, value_stop=zeros, is_ordered=none, marginal=marginal)

    @property
    def _missing(self) -> int | None:
        return None if self.share_missing <= 0 else len(self.facts.marginal) - 1

    def encode(self, array: pa.Array, rng: np.random.Generator) -> tuple[Codes, Positions | None]:  # noqa: ARG002
        """Whether each identifier is missing."""
        if len(self.facts.marginal) == 1:
            return np.zeros(len(array), dtype=np.int64), None
        absent = pc.is_null(array, nan_is_null=True)
        return absent.to_numpy(zero_copy_only=False).astype(np.int64), None

    def decoder(self, rng: np.random.Generator) -> IdentifierDecoder:
        """A decoder whose identifiers are unique through a sampling session."""
        return IdentifierDecoder(self, rng)

    def missing_rows(self, codes: Codes) -> Mask:
        """``(n_rows,)`` bool: which codes mean missing."""
        absent: Mask = codes == (-1 if self._missing is None else self._missing)
        return absent

    def compile(self, predicate: Predicate) -> LevelCondition:
        """Whether presence meets the predicate; only missing can be asked of identifiers."""
        asked = isinstance(predicate, Missing) or (isinstance(predicate, AnyOf) and predicate.missing)
        if not asked or self._missing is None:
            raise ConditionError(
                f"column '{self.name}' holds identifiers, which are made afresh"
                + ("; only missing can be asked of it" if self._missing is not None else " and are never missing")
            )
        size = len(self.facts.marginal)
        return LevelCondition(
            allowed=np.arange(size) == self._missing,
            lower=np.zeros(size, dtype=np.float32),
            upper=np.ones(size, dtype=np.float32),
        )

    @property
    def listed(self) -> None:
        """Identifiers are made afresh."""

    @property
    def losses(self) -> Losses:
        """No class or number is looked for among identifiers."""
        return Losses()

    def describe(self) -> dict[str, Any]:
        """What the model file holds about the column."""
        return {
            "formats": len(self.formats),
            "missing": self.share_missing > 0,
            "merged": self.n_merged,
            "patterns": [form.pattern for form in self.formats[:5]],
        }

    def notices(self) -> tuple[str, ...]:
        """Says when there is no format to keep, or one with fewer possibilities than rows."""
        if is_text(self.arrow_type) and not self.formats and self.share_missing < 1:
            return (
                f"column '{self.name}' has no format that enough rows share: its identifiers will be plain numbers",
            )
        if is_text(self.arrow_type) and any(form.n_possible < form.n_rows * self.n_fitted for form in self.formats):
            return (
                f"column '{self.name}' has identifiers in a format that cannot write as many different ones as the "
                "table has rows: some will end with a sign and a number; declare it categorical, or lower min_count",
            )
        if (
            self.is_guessed
            and is_text(self.arrow_type)
            and self.formats
            and all(_looks_measured(form) for form in self.formats)
        ):
            return (
                f"column '{self.name}' holds text that may be numbers or dates, in no single format: it is taken for "
                "an identifier, so that digits without a meaning come out; convert the column, or declare how it is "
                "written",
            )
        return ()

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "name": self.name,
            "arrow_type": str(self.arrow_type),
            "formats": [
                {
                    "pattern": form.pattern,
                    "fixed": [None if c == VARIES else c for c in form.fixed],
                    "share": form.n_rows,
                }
                for form in self.formats
            ],
            "share_missing": self.share_missing,
            "n_merged": self.n_merged,
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> IdentifierEncoder:
        """The encoder that `to_json` wrote."""
        return cls(
            name=content["name"],
            arrow_type=parse_type(content["arrow_type"]),
            formats=tuple(
                Format(
                    pattern=form["pattern"],
                    fixed="".join(VARIES if character is None else character for character in form["fixed"]),
                    n_rows=float(form["share"]),
                )
                for form in content["formats"]
            ),
            share_missing=float(content["share_missing"]),
            n_merged=int(content["n_merged"]),
        )


class IdentifierDecoder:
    """Makes identifiers, each once in a session."""

    def __init__(self, encoder: IdentifierEncoder, rng: np.random.Generator) -> None:
        """Start a session."""
        self._encoder = encoder
        self._rng = rng
        self._shares = np.cumsum([form.n_rows for form in encoder.formats])
        self._numbers = NumberWriter(encoder.name, encoder.arrow_type, encoder.formats, rng)
        # A text that outgrows its format is marked with a sign that no format uses.
        sign = "~"
        while any(sign in form.pattern for form in encoder.formats):
            sign += "~"
        self._sign, self._warned = sign, False
        self._writers = [FormatWriter(form, rng, overflow_sign=sign) for form in encoder.formats]

    def decode(self, codes: Codes, positions: Positions | None) -> pa.Array:  # noqa: ARG002
        """Fresh identifiers where present."""
        missing = self._encoder.missing_rows(codes)
        place = np.cumsum(~missing) - 1
        fresh = self._fresh(int((~missing).sum()))
        return fresh.take(pa.array(place, mask=missing))

    def _fresh(self, n_rows: int) -> pa.Array:
        if not is_text(self._encoder.arrow_type):
            return self._numbers.write(n_rows)
        if not self._writers:
            return self._numbers.write(n_rows)
        chosen = np.searchsorted(self._shares[:-1], self._rng.random(n_rows), side="right")
        parts = [writer.write(int((chosen == index).sum())) for index, writer in enumerate(self._writers)]
        if not self._warned and any(writer.has_run_out for writer in self._writers):
            self._warned = True
            warn(
                f"column '{self._encoder.name}': a format of its identifiers has run out of different ones; those that "
                f"follow end with '{self._sign}' and a number"
            )
        order = np.argsort(chosen, kind="stable")
        place = np.empty(n_rows, dtype=np.int64)
        place[order] = np.arange(n_rows)
        return pa.concat_arrays(parts).take(pa.array(place)).cast(self._encoder.arrow_type)


def _looks_measured(form: Format) -> bool:
    """Whether texts of the format may be numbers with a point or an exponent, or dates."""
    shown = ("9" if c in "19" else c if f == VARIES else f for c, f in zip(form.pattern, form.fixed, strict=True))
    return _MEASURED.fullmatch("".join(shown)) is not None


def _frequent(formats: tuple[Format, ...], min_count: int) -> tuple[tuple[Format, ...], int]:
    kept = in_order(
        form for form in formats if form.n_rows >= min_count and form.pattern and form.pattern.isprintable()
    )
    return kept, len(formats) - len(kept)

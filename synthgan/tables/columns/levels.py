"""Categories, truth values and constants: a code per level, a tail of many levels in buckets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from synthgan.errors import ConditionError
from synthgan.tables.arrow_types import is_text, parse_type
from synthgan.tables.axes.raw_numbers import conform
from synthgan.tables.columns.level_choice import (
    OTHER,
    SURE,
    buckets,
    is_closed,
    kept_levels,
    split_levels,
    words_among_numbers,
)
from synthgan.tables.columns.protocol import (
    Codes,
    FitRules,
    LevelCondition,
    LevelFacts,
    ListedValues,
    Losses,
    Positions,
)
from synthgan.tables.columns.tail_buckets import TailBuckets
from synthgan.tables.conditions.predicates import Predicate, matches
from synthgan.tables.schema.schema import ColumnSchema
from synthgan.tables.schema.schema_values import values_from_json, values_to_json
from synthgan.tables.statistics.statistics import ColumnStatistics

_MOSTLY_OTHER = 0.5
"""A larger share of rows than this without a level of their own is worth a notice."""


@dataclass(frozen=True)
class LevelEncoder:
    """A column of levels: kept ones first, then tail buckets, then the rare level, missing last.

    Attributes:
        name: the column.
        values: ``(n_values,)`` the kept levels followed by those in buckets, in the column's Arrow type.
        n_single: how many of ``values`` have a code of their own.
        bucket: ``(n_values - n_single,)`` bucket of each of the others, ascending.
        share: ``(n_values - n_single,)`` its share of the bucket's rows.
        other: code of the rare level, None when it has none.
        missing: code of missing, None when nothing is missing.
        marginal: ``(n_levels,)`` share of rows.
        n_merged: how many levels were too rare to keep.
        closed: whether the levels are those of a pandas dtype, so that no other value may come out.
        spread: whether rows of levels that were not kept are spread over those that were.
        undeclared_rows: rows whose level is not among the declared ones; known to a fit, not to a loaded model.
        n_words: levels that are words where all others are numbers or times; known to a fit, not to a loaded model.
    """

    name: str
    values: pa.Array
    n_single: int
    bucket: npt.NDArray[np.int64]
    share: npt.NDArray[np.float64]
    other: int | None
    missing: int | None
    marginal: npt.NDArray[np.float64]
    n_merged: int = 0
    closed: bool = False
    spread: bool = False
    undeclared_rows: float = 0.0
    n_words: int = 0

    @classmethod
    def fit(cls, column: ColumnSchema, statistics: ColumnStatistics, rules: FitRules) -> LevelEncoder:
        """Choose levels from the column's value counts."""
        counted = statistics.levels(column.name)
        arrow_type = parse_type(column.arrow_type)
        values = counted.values.cast(arrow_type) if counted.values.type != arrow_type else counted.values
        all_values = values
        values, counts, rare_rows, n_merged = kept_levels(column, values, counted.counts, rules)
        rare_rows += counted.n_unlisted
        closed = is_closed(column, counted.counts)
        # Drawn levels must not hang on the rows before, or released counts would be of more than one unit.
        spread = closed and len(values) > 0 and not rules.counts_are_public
        n_not_kept, rare_rows = rare_rows, 0.0 if spread else rare_rows
        counts = counts * (1 + n_not_kept / counts.sum()) if spread else counts
        missing_rows = counted.n_missing
        n_single, n_buckets = split_levels(column, counts, rules, SURE * counted.standard_error)
        tail = counts[n_single:]
        bucket = buckets(tail, n_buckets)
        bucket_rows = np.bincount(bucket, weights=tail, minlength=n_buckets)
        rows = [*counts[:n_single], *bucket_rows]
        other = None
        if rare_rows > 0 and is_text(arrow_type) and not closed:
            other = len(rows)
            rows.append(rare_rows)
        elif rare_rows > 0 and n_single and missing_rows == 0:
            rows[int(np.argmax(rows[:n_single]))] += rare_rows
        elif rare_rows > 0:
            missing_rows += rare_rows
        missing = len(rows) if missing_rows > 0 or not rows else None
        if missing is not None:
            rows.append(missing_rows)
        marginal = np.array(rows, dtype=np.float64)
        mostly_other = other is not None and marginal[other] > _MOSTLY_OTHER * marginal.sum()
        return cls(
            name=column.name,
            values=values,
            n_single=n_single,
            bucket=bucket,
            share=tail / bucket_rows[bucket] if len(tail) else np.zeros(0),
            other=other,
            missing=missing,
            marginal=marginal / marginal.sum() if marginal.sum() > 0 else np.full(len(marginal), 1 / len(marginal)),
            n_merged=n_merged,
            closed=closed,
            spread=spread,
            undeclared_rows=n_not_kept if column.levels is not None and column.levels.source == "declared" else 0.0,
            n_words=words_among_numbers(all_values) if mostly_other and column.source != "declared" else 0,
        )

    @property
    def n_levels(self) -> int:
        """Number of codes."""
        return len(self.marginal)

    @property
    def n_buckets(self) -> int:
        """Number of tail buckets."""
        return self._tail.n_buckets

    @cached_property
    def facts(self) -> LevelFacts:
        """The levels, in code order; they have no number."""
        is_bin = np.zeros(self.n_levels, dtype=bool)
        is_bin[self.n_single : self.n_single + self.n_buckets] = True
        zeros = np.zeros(self.n_levels)
        none = zeros.astype(bool)
        return LevelFacts(is_bin=is_bin, value_start=zeros, value_stop=zeros, is_ordered=none, marginal=self.marginal)

    @cached_property
    def _code_of_value(self) -> Codes:
        """Code of each value, then the code of an unknown value, then that of a missing one.

        An unknown value is a rare one; without a rare level it goes to missing, else to the commonest level. A missing
        value where the fit saw none goes to the commonest level.
        """
        single = self.marginal[: self.n_single]
        commonest = int(np.argmax(single)) if len(single) else 0
        missing = commonest if self.missing is None else self.missing
        unknown = self.other if self.other is not None else missing
        single_codes = np.arange(self.n_single)
        return np.concatenate((single_codes, self.n_single + self.bucket, [unknown, missing])).astype(np.int64)

    @cached_property
    def _value_shares(self) -> npt.NDArray[np.float64]:
        """``(n_values,)`` share of each value among them all."""
        shares = self.listed.shares
        return shares / shares.sum()

    @cached_property
    def _tail(self) -> TailBuckets:
        return TailBuckets(self.bucket, self.share)

    def encode(self, array: pa.Array, rng: np.random.Generator) -> tuple[Codes, Positions | None]:
        """Codes of a batch and, with buckets, positions."""
        index = self._index(array)
        if self.spread and (unknown := index == len(self.values)).any():
            index[unknown] = rng.choice(len(self.values), size=int(unknown.sum()), p=self._value_shares)
        codes = self._code_of_value[index]
        if not len(self.bucket):
            return codes, None
        tail = index - self.n_single
        in_bucket = (tail >= 0) & (tail < len(self.bucket))
        positions = np.zeros(len(codes), dtype=np.float32)
        positions[in_bucket] = self._tail.positions(tail[in_bucket], rng)
        return codes, positions

    def _index(self, array: pa.Array) -> npt.NDArray[np.int64]:
        """Index of each entry in ``values``, len(values) when unknown, len(values) + 1 when missing."""
        if pat.is_dictionary(array.type):
            of_entry = np.append(self._index(array.dictionary), len(self.values) + 1)
            entries: Codes = of_entry[_numpy(array.indices.cast(pa.int64()).fill_null(len(array.dictionary)))]
            return entries
        array = conform(array, self.values.type, self.name)
        place = pc.index_in(array, value_set=self.values)
        index = _numpy(place.fill_null(len(self.values))).astype(np.int64)
        if array.null_count or pat.is_floating(array.type):
            index[_numpy(pc.is_null(array, nan_is_null=True))] = len(self.values) + 1
        return index

    def decoder(self, rng: np.random.Generator) -> LevelEncoder:  # noqa: ARG002
        """The encoder itself: decoding levels needs neither state nor chance."""
        return self

    def decode(self, codes: Codes, positions: Positions | None) -> pa.Array:
        """Values at the codes and positions."""
        index = self._value_of_code[codes]
        if len(self.bucket) and positions is not None:
            rows = np.flatnonzero((codes >= self.n_single) & (codes < self.n_single + self.n_buckets))
            index[rows] = self.n_single + self._tail.levels(codes[rows] - self.n_single, positions[rows])
        return self._dictionary.take(pa.array(index))

    @cached_property
    def _value_of_code(self) -> npt.NDArray[np.int64]:
        """Index in ``_dictionary`` of each code (of a bucket: of its first level)."""
        index = np.arange(self.n_levels)
        first = self._tail.first_levels + self.n_single
        index[self.n_single : self.n_single + self.n_buckets] = first
        if self.other is not None:
            index[self.other] = len(self.values)
        if self.missing is not None:
            index[self.missing] = len(self._dictionary) - 1
        return index

    @cached_property
    def _dictionary(self) -> pa.Array:
        """All values that decoding can give, the rare level's and null last."""
        arrow_type = self.values.type
        parts = [self.values]
        if self.other is not None:
            parts.append(pa.array([OTHER], type=arrow_type))
        return pa.concat_arrays([*parts, pa.nulls(1, type=arrow_type)])

    def compile(self, predicate: Predicate) -> LevelCondition:
        """Which codes, and which positions in tail buckets, decode to values that meet the predicate.

        Raises:
            ConditionError: when none does.
        """
        met = matches(predicate, self._dictionary)
        lower, upper = np.zeros(self.n_levels, dtype=np.float32), np.ones(self.n_levels, dtype=np.float32)
        allowed = met[self._value_of_code]
        exact = True
        met_in_tail = met[self.n_single : len(self.values)]
        for bucket in range(self.n_buckets):
            code = self.n_single + bucket
            window = self._tail.window(bucket, met_in_tail)
            allowed[code] = window is not None
            if window is not None:
                lower[code], upper[code] = window.lower, window.upper
                exact &= window.is_exact
        if not allowed.any():
            raise ConditionError(
                f"no value that the model can generate for column '{self.name}' meets its condition; it knows "
                f"{len(self.values)} levels, and levels that are rare or not in the table are not among them"
            )
        return LevelCondition(allowed=allowed, lower=lower, upper=upper, is_exact=exact)

    @cached_property
    def listed(self) -> ListedValues:
        """All kept values and their shares of the rows."""
        shares = self.marginal[self._code_of_value[: len(self.values)]].copy()
        shares[self.n_single :] *= self.share
        share_unlisted = 0.0 if self.other is None else float(self.marginal[self.other])
        return ListedValues(values=self.values, shares=shares, share_unlisted=share_unlisted, is_closed=self.closed)

    @property
    def losses(self) -> Losses:
        """The levels that were too rare to keep."""
        return Losses(n_classes=self.n_merged, classes_become=self.rare_become)

    def describe(self) -> dict[str, Any]:
        """What the model file holds about the column."""
        return {
            "levels": len(self.values),
            "buckets": self.n_buckets,
            "missing": self.missing is not None,
            "merged": self.n_merged,
        }

    @property
    def rare_become(self) -> str:
        """What levels that are too rare to keep come out as, in words."""
        if self.spread:
            return "others of them"
        return f"{OTHER!r}" if self.other is not None else "missing" if self.missing is not None else "the commonest"

    @property
    def _advice(self) -> str:
        if self.n_words:
            words = "one text that is none" if self.n_words == 1 else f"{self.n_words} texts that are none"
            return f"they are numbers or times but for {words}, which should be missing (for CSV files: --missing)"
        return "declare it an identifier or text, or lower min_count"

    def notices(self) -> tuple[str, ...]:
        """Says when no level is left or few rows have one, and what declared levels left out."""
        if self.undeclared_rows >= 1:
            return (
                f"column '{self.name}' holds levels that are not declared in {self.undeclared_rows:.0f} rows, which "
                f"become {self.rare_become}; add the levels to the schema if that is not meant",
            )
        if self.other is not None and len(self.values) and self.marginal[self.other] > _MOSTLY_OTHER:
            return (
                f"column '{self.name}' has {self.n_merged} levels with too few rows to be stored, and in "
                f"{self.marginal[self.other]:.0%} of the rows they become {OTHER!r}; {self._advice}",
            )
        if self.spread and self.n_merged:
            n = "1 category that has" if self.n_merged == 1 else f"{self.n_merged} categories that have"
            return (
                f"column '{self.name}' is a categorical with {n} fewer rows than min_count: the dtype keeps the names, "
                "so that the model file holds them, and the rows get others of its categories; remove categories "
                "whose very names are private, or convert the column to text",
            )
        if len(self.values) or not self.n_merged:
            return ()
        return (
            f"column '{self.name}' has no level with enough rows: all its values become {self.rare_become}; "
            f"{self._advice}",
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "name": self.name,
            "arrow_type": str(self.values.type),
            "values": values_to_json(self.values),
            "n_single": self.n_single,
            "bucket": self.bucket.tolist(),
            "share": self.share.tolist(),
            "other": self.other,
            "missing": self.missing,
            "marginal": self.marginal.tolist(),
            "n_merged": self.n_merged,
            "closed": self.closed,
            "spread": self.spread,
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> LevelEncoder:
        """The encoder that `to_json` wrote.

        Raises:
            ValueError: when the parts do not fit together.
        """
        encoder = cls(
            name=content["name"],
            values=values_from_json(content["values"], parse_type(content["arrow_type"])),
            n_single=int(content["n_single"]),
            bucket=np.array(content["bucket"], dtype=np.int64),
            share=np.array(content["share"], dtype=np.float64),
            other=content["other"],
            missing=content["missing"],
            marginal=np.array(content["marginal"], dtype=np.float64),
            n_merged=int(content["n_merged"]),
            closed=bool(content.get("closed", False)),
            spread=bool(content.get("spread", False)),
        )
        encoder._check()
        return encoder

    def _check(self) -> None:
        """See to it that a damaged file cannot decode to nonsense."""
        n_own = self.n_single + self.n_buckets
        last = [code for code in (self.other, self.missing) if code is not None]
        fits = (
            0 <= self.n_single <= len(self.values)
            and len(self.bucket) == len(self.share) == len(self.values) - self.n_single
            and np.array_equal(np.unique(self.bucket), np.arange(self.n_buckets))
            and (np.diff(self.bucket) >= 0).all()
            and (self.share >= 0).all()
            and last == list(range(n_own, self.n_levels))
            and not self.values.null_count
            and (self.marginal >= 0).all()
            and math.isclose(self.marginal.sum(), 1, abs_tol=1e-6)
        )
        if not fits:
            raise ValueError(f"the levels of column '{self.name}' do not fit together")


def _numpy(array: pa.Array) -> npt.NDArray[Any]:
    plain: npt.NDArray[Any] = array.to_numpy(zero_copy_only=False)
    return plain

"""Numbers written as text: with a decimal sign, groups of thousands, a unit, and a way to write negative ones."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from synthgan.tables.written.protocol import Ticks, by_distinct, joined, only_exact, padded

GROUPS = (",", ".", " ", "'", "\u2019", "\u00a0", "\u202f")
"""Signs between thousands."""

DECIMALS = (".", ",")
MOST_DIGITS = 18
"""Numbers of more digits are no numbers, because 64 bits do not hold all of them."""

_CORE = re.compile(
    r"(?P<before>[^#0]*?)(?:#(?P<group>[,. '\u2019\u00a0\u202f])##)?0(?:(?P<decimal>[.,])(?P<places>0*#*))?"
    r"(?P<after>[^#0]*)"
)


@dataclass(frozen=True, kw_only=True)
class NumberFormat:
    """One way to write numbers.

    Attributes:
        group: sign between groups of three digits, empty for none.
        decimal: decimal sign, empty for whole numbers.
        fewest_places: digits behind the decimal sign that are always written.
        most_places: digits behind it at most; those beyond the fewest are written unless they are zeros at the end.
        before: what stands before a number that is not negative.
        after: what stands behind it.
        before_negative: what stands before the digits of a negative number.
        after_negative: what stands behind them.
    """

    group: str = ""
    decimal: str = ""
    fewest_places: int = 0
    most_places: int = 0
    before: str = ""
    after: str = ""
    before_negative: str = "-"
    after_negative: str = ""

    @classmethod
    def parse(cls, pattern: str) -> NumberFormat | None:
        """The format that a pattern such as ``#.##0,00 €`` or ``0.0##;(0.0##)`` stands for, None for no pattern."""
        positive, _, negative = pattern.partition(";")
        read = _CORE.fullmatch(positive)
        if read is None or (read["decimal"] and not read["places"]) or read["group"] == (read["decimal"] or ""):
            return None
        before_negative, after_negative = "-" + read["before"], read["after"]
        if negative:
            other = _CORE.fullmatch(negative)
            if other is None or any(other[part] != read[part] for part in ("group", "decimal", "places")):
                return None
            before_negative, after_negative = other["before"], other["after"]
        places = read["places"] or ""
        form = cls(
            group=read["group"] or "",
            decimal=read["decimal"] or "",
            fewest_places=places.count("0"),
            most_places=len(places),
            before=read["before"],
            after=read["after"],
            before_negative=before_negative,
            after_negative=after_negative,
        )
        return form if form.most_places < MOST_DIGITS and form._is_sound else None

    @property
    def _is_sound(self) -> bool:
        """Whether no digit stands outside the number, and negative numbers look different."""
        around = self.before + self.after + self.before_negative + self.after_negative
        signs = (self.before, self.after), (self.before_negative, self.after_negative)
        return not any(sign.isdigit() for sign in around) and signs[0] != signs[1]

    @property
    def core(self) -> str:
        """The pattern of the number itself."""
        places = "0" * self.fewest_places + "#" * (self.most_places - self.fewest_places)
        return (f"#{self.group}##0" if self.group else "0") + (self.decimal + places if self.decimal else "")

    @property
    def pattern(self) -> str:
        """The format as a schema file has it."""
        negative = f"{self.before_negative}{self.core}{self.after_negative}"
        positive = f"{self.before}{self.core}{self.after}"
        return positive if negative == "-" + positive else f"{positive};{negative}"

    @property
    def is_bare(self) -> bool:
        """Whether nothing but digits is written, and a minus sign."""
        return self.pattern == "0"

    @property
    def value_type(self) -> pa.DataType:
        """Whole numbers, or decimals of as many places as are written at most."""
        return pa.decimal128(MOST_DIGITS, self.most_places) if self.most_places else pa.int64()

    @cached_property
    def _expressions(self) -> tuple[str, str]:
        """For numbers that are not negative, and for negative ones."""
        whole = rf"(?P<whole>\d[\d{re.escape(self.group)}]*)"
        places = rf"\d{{{max(1, self.fewest_places)},{self.most_places}}}"
        rest = (
            rf"(?P<places>{places})" if self.fewest_places else rf"(?:{re.escape(self.decimal)}(?P<places>{places}))?"
        )
        if not self.decimal:
            rest = "(?P<places>)"
        elif self.fewest_places:
            rest = re.escape(self.decimal) + rest
        return (
            f"^{re.escape(self.before)}{whole}{rest}{re.escape(self.after)}$",
            f"^{re.escape(self.before_negative)}{whole}{rest}{re.escape(self.after_negative)}$",
        )

    def to_values(self, texts: pa.Array) -> pa.Array:
        """The value of each text; null where the text is not exactly what `to_texts` writes for a value."""
        return by_distinct(texts, self._values)

    def _values(self, texts: pa.Array) -> pa.Array:
        positive, negative = (self._unsigned(texts, expression) for expression in self._expressions)
        ticks = pc.coalesce(positive, pc.negate(negative))
        values = _scaled(ticks, self.value_type)
        return only_exact(texts, values, self.to_texts(values))

    def _unsigned(self, texts: pa.Array, expression: str) -> pa.Array:
        parts = pc.extract_regex(texts, expression)
        whole = pc.replace_substring(parts.field("whole"), self.group, "") if self.group else parts.field("whole")
        places = pc.utf8_rpad(parts.field("places"), width=self.most_places, padding="0")
        digits = pc.if_else(pc.is_valid(parts), joined([whole, places], len(texts)), pa.scalar(None, pa.string()))
        fits = pc.less_equal(pc.utf8_length(digits), MOST_DIGITS)
        return pc.if_else(fits, digits, pa.scalar(None, pa.string())).cast(pa.int64())

    def to_texts(self, values: pa.Array) -> pa.Array:
        """The text of each value; null stays null. Values of other number types are rounded to the places written."""
        return by_distinct(values, self._texts)

    def _texts(self, values: pa.Array) -> pa.Array:
        ticks = _unscaled(_rounded(values, self.value_type))
        n_rows, size = len(ticks), np.abs(ticks)
        whole, rest = np.divmod(size, 10**self.most_places)
        parts: list[pa.Array | str] = [self._grouped(pa.array(whole).cast(pa.string()))]
        if self.decimal:
            places = pc.utf8_rpad(
                pc.utf8_rtrim(padded(rest, self.most_places), characters="0"), width=self.fewest_places, padding="0"
            )
            sign = pc.if_else(pc.equal(places, ""), "", self.decimal)
            parts += [sign, places]
        negative = pa.array(ticks < 0)
        before = pc.if_else(negative, self.before_negative, self.before)
        after = pc.if_else(negative, self.after_negative, self.after)
        text = joined([before, *parts, after], n_rows)
        return pc.if_else(pc.is_valid(values), text, pa.scalar(None, pa.string()))

    def _grouped(self, whole: pa.Array) -> pa.Array:
        if not self.group:
            return whole
        for _ in range((MOST_DIGITS - 1) // 3):
            whole = pc.replace_substring_regex(whole, r"^(\d+)(\d{3})(\D|$)", rf"\1{self.group}\2\3")
        return whole


def _scaled(ticks: pa.Array, value_type: pa.DataType) -> pa.Array:
    """Whole ticks as values of the type: decimals without a detour through text or floats."""
    if not pa.types.is_decimal(value_type):
        return ticks
    plain = np.asarray(pc.fill_null(ticks, 0).to_numpy(zero_copy_only=False), dtype=np.int64)
    words = np.column_stack([plain, plain >> 63])
    exact = pa.Array.from_buffers(value_type, len(plain), [None, pa.py_buffer(np.ascontiguousarray(words))])
    return pc.if_else(pc.is_valid(ticks), exact, pa.scalar(None, value_type))


def _unscaled(values: pa.Array) -> Ticks:
    """The ticks of values, 0 where missing."""
    if not pa.types.is_decimal(values.type):
        return np.asarray(pc.fill_null(values, 0).to_numpy(zero_copy_only=False), dtype=np.int64)
    words = np.frombuffer(values.buffers()[1], dtype=np.int64)[::2]
    ticks: Ticks = words[values.offset : values.offset + len(values)].copy()
    ticks[~np.asarray(values.is_valid().to_numpy(zero_copy_only=False), dtype=bool)] = 0
    return ticks


def _rounded(values: pa.Array, value_type: pa.DataType) -> pa.Array:
    if values.type == value_type:
        return values
    if pa.types.is_floating(values.type):
        return pc.round(values.cast(pa.float64()), ndigits=getattr(value_type, "scale", 0)).cast(value_type, safe=False)
    return values.cast(value_type)

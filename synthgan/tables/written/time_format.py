"""Dates, times of day and datetimes written as text, in patterns as of ``strftime``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from synthgan.tables.written.protocol import Ticks, by_distinct, joined, only_exact, padded

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
HALVES = ("AM", "PM")
_NAMES: Mapping[str, tuple[str, ...]] = {
    "b": tuple(name[:3] for name in MONTHS),
    "B": MONTHS,
    "a": tuple(name[:3] for name in DAYS),
    "A": DAYS,
    "p": HALVES,
    "P": tuple(half.lower() for half in HALVES),
}
_WIDTHS = {"Y": 4, "y": 2, "m": 2, "d": 2, "H": 2, "I": 2, "M": 2, "S": 2}
_FIELDS = {"b": "m", "B": "m", "y": "Y", "I": "H", "A": "a", "P": "p"}
"""Tokens that say the same as another one."""

_TOKEN = re.compile(r"%(?:(?P<plain>-?)(?P<token>[YymdHIMSbBaApP])|(?P<places>[1-6]?)f)")
_OFFSET = re.compile(r"(?:Z|([+-])(\d{2}):?(\d{2})?)$")
_DAY_SECONDS = 86_400
_CENTURY_TURN = 69
"""Two-digit years from here on belong to the 20th century, as in POSIX."""


@dataclass(frozen=True)
class Token:
    """A part of a pattern that stands for a part of the time.

    Attributes:
        letter: as in ``strftime``; ``f`` for the fraction of a second.
        width: digits, leading zeros included; 1 for no leading zeros, 0 for names.
    """

    letter: str
    width: int

    @property
    def field(self) -> str:
        """What is told, however it is written."""
        return _FIELDS.get(self.letter, self.letter)

    @property
    def expression(self) -> str:
        """What texts of it look like."""
        if self.letter in _NAMES:
            return "|".join(_NAMES[self.letter])
        if self.width == 1 and self.letter != "f":
            return r"\d{1,2}"
        return rf"\d{{{self.width}}}"


@dataclass(frozen=True)
class TimeFormat:
    """One way to write times: a date, a time of day, or both.

    Attributes:
        pattern: literal text with tokens: ``%Y %y %m %d %H %I %M %S %f %p %b %B %a %A`` as in ``strftime``, ``%-d``
            and the like without leading zeros, ``%3f`` for three digits of a second, ``%P`` for am and pm.
    """

    pattern: str

    @classmethod
    def parse(cls, pattern: str) -> TimeFormat | None:
        """The format of a pattern; None where it says neither a month of a year nor a time of day."""
        form = cls(pattern)
        fields = [token.field for token in form.tokens]
        if len(set(fields)) < len(fields) or "%" in "".join(form._literals):
            return None
        asked = set(fields)
        date, clock = {"Y", "m"} <= asked, {"H", "M"} <= asked
        parts = asked - ({"Y", "m", "d", "a"} if date else set()) - ({"H", "M", "S", "f", "p"} if clock else set())
        halves = any(token.letter == "I" for token in form.tokens) == ("p" in asked)
        sound = (date or clock) and not parts and halves and ("f" not in asked or "S" in asked)
        return form if sound and ("d" in asked or not clock or not date) else None

    @cached_property
    def _pieces(self) -> tuple[str | Token, ...]:
        """Literal texts and tokens, by turns, beginning and ending with a literal."""
        pieces: list[str | Token] = []
        end = 0
        for found in _TOKEN.finditer(self.pattern):
            letter = found["token"] or "f"
            width = int(found["places"] or 6) if letter == "f" else 1 if found["plain"] else _WIDTHS.get(letter, 0)
            pieces += [self.pattern[end : found.start()], Token(letter, width)]
            end = found.end()
        return (*pieces, self.pattern[end:])

    @property
    def tokens(self) -> tuple[Token, ...]:
        """The parts that stand for something."""
        return tuple(piece for piece in self._pieces if isinstance(piece, Token))

    @property
    def _literals(self) -> tuple[str, ...]:
        return tuple(piece for piece in self._pieces if isinstance(piece, str))

    @property
    def order(self) -> tuple[str, ...]:
        """Day, month and year in the order written."""
        return tuple(token.field for token in self.tokens if token.field in "Ymd")

    @property
    def _has_date(self) -> bool:
        return any(token.field == "Y" for token in self.tokens)

    @property
    def _has_clock(self) -> bool:
        return any(token.field == "H" for token in self.tokens)

    @property
    def _unit(self) -> str:
        places = next((token.width for token in self.tokens if token.letter == "f"), 0)
        return "s" if not places else "ms" if places <= 3 else "us"

    @property
    def value_type(self) -> pa.DataType:
        """A date, a datetime without a time zone, or the time since midnight as a duration."""
        if not self._has_clock:
            return pa.date32()
        return pa.timestamp(self._unit) if self._has_date else pa.duration(self._unit)

    @property
    def offset_minutes(self) -> int | None:
        """Minutes ahead of UTC that the last literal says, None where it says nothing."""
        found = _OFFSET.search(self._literals[-1]) if self._has_clock else None
        if found is None:
            return None
        minutes = 60 * int(found[2] or 0) + int(found[3] or 0)
        return -minutes if found[1] == "-" else minutes

    @cached_property
    def expression(self) -> str:
        """Regular expression of all texts of the format, without anchors."""
        return "".join(
            re.escape(piece) if isinstance(piece, str) else f"(?P<{piece.field}>{piece.expression})"
            for piece in self._pieces
        )

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        """`expression`, ready to be used in Python."""
        return re.compile(self.expression, re.ASCII)

    @property
    def _ticks_per_day(self) -> int:
        return _DAY_SECONDS * {"s": 1, "ms": 10**3, "us": 10**6}[self._unit] if self._has_clock else 1

    # ------------------------------------------------------------------ texts to values

    def to_values(self, texts: pa.Array) -> pa.Array:
        """The value of each text; null where the text is not exactly what `to_texts` writes for a value."""
        return by_distinct(texts, self._values)

    def _values(self, texts: pa.Array) -> pa.Array:
        parts = pc.extract_regex(texts, f"^{self.expression}$")
        read = {token.field: self._numbers(parts.field(token.field), token) for token in self.tokens}
        ticks = np.zeros(len(texts), dtype=np.int64)
        if self._has_date:
            ticks += self._days(read) * self._ticks_per_day
        if self._has_clock:
            ticks += self._clock(read)
        wrong = ~np.asarray(parts.is_valid().to_numpy(zero_copy_only=False), dtype=bool)
        whole = pa.array(ticks, mask=wrong)
        values = whole.cast(pa.int32()).cast(pa.date32()) if not self._has_clock else whole.cast(self.value_type)
        return only_exact(texts, values, self.to_texts(values))

    def _numbers(self, texts: pa.Array, token: Token) -> Ticks:
        if token.letter in _NAMES:
            numbers = pc.index_in(texts, value_set=pa.array(_NAMES[token.letter], texts.type)).cast(pa.int64())
            numbers = pc.add(numbers, 1) if token.field == "m" else numbers
        else:
            empty = pc.or_kleene(pc.is_null(texts), pc.equal(texts, ""))
            numbers = pc.if_else(empty, pa.scalar("0", texts.type), texts).cast(pa.int64())
        return np.asarray(pc.fill_null(numbers, 0).to_numpy(zero_copy_only=False), dtype=np.int64)

    def _days(self, read: Mapping[str, Ticks]) -> Ticks:
        year = read["Y"]
        if any(token.letter == "y" for token in self.tokens):
            year = year + np.where(year >= _CENTURY_TURN, 1900, 2000)
        month = (12 * (year - 1970) + read["m"] - 1).astype("datetime64[M]")
        first: Ticks = month.astype("datetime64[D]").astype(np.int64)
        return first + read.get("d", np.ones(len(year), dtype=np.int64)) - 1

    def _clock(self, read: Mapping[str, Ticks]) -> Ticks:
        hours = read["H"]
        if "p" in read:
            hours = hours % 12 + 12 * read["p"]
        seconds = 3600 * hours + 60 * read["M"] + read.get("S", 0)
        per_second = self._ticks_per_day // _DAY_SECONDS
        fraction = read.get("f")
        ticks: Ticks = seconds * per_second
        if fraction is not None:
            places = next(token.width for token in self.tokens if token.letter == "f")
            ticks = ticks + fraction * per_second // 10**places
        return ticks

    # ------------------------------------------------------------------ values to texts

    def to_texts(self, values: pa.Array) -> pa.Array:
        """The text of each value; null stays null. Instants are written at the offset that the format names."""
        return by_distinct(values, self._texts)

    def _texts(self, values: pa.Array) -> pa.Array:
        ticks = self._local_ticks(values)
        days, inside = np.divmod(ticks, self._ticks_per_day)
        numbers = dict(self._told_of_day(days)) | dict(self._told_of_clock(inside))
        parts: list[pa.Array | str] = []
        for piece in self._pieces:
            if isinstance(piece, str):
                parts += [piece] if piece else []
            elif piece.letter in _NAMES:
                names = pa.array(_NAMES[piece.letter])
                parts.append(names.take(pa.array(numbers[piece.field] - (piece.field == "m"))))
            else:
                parts.append(padded(self._shown(piece, numbers), piece.width))
        text = joined(parts, len(ticks))
        return pc.if_else(pc.is_valid(values), text, pa.scalar(None, pa.string()))

    def _local_ticks(self, values: pa.Array) -> Ticks:
        held = self.value_type
        if pa.types.is_timestamp(values.type) and values.type.tz is not None:
            shift = 60 * (self.offset_minutes or 0)
            utc = values.cast(pa.timestamp(values.type.unit, "UTC")).cast(pa.timestamp(values.type.unit))
            values = pc.add(utc, pa.scalar(shift, pa.duration("s")))
        if values.type != held:
            values = values.cast(held, safe=False)
        whole = values.cast(pa.int32()).cast(pa.int64()) if pa.types.is_date(held) else values.cast(pa.int64())
        return np.asarray(pc.fill_null(whole, 0).to_numpy(zero_copy_only=False), dtype=np.int64)

    @staticmethod
    def _told_of_day(days: Ticks) -> Iterator[tuple[str, Ticks]]:
        dates = days.astype("datetime64[D]")
        months: npt.NDArray[np.datetime64] = dates.astype("datetime64[M]")
        counted = months.astype(np.int64)
        yield "Y", counted // 12 + 1970
        yield "m", counted % 12 + 1
        yield "d", (dates - months.astype("datetime64[D]")).astype(np.int64) + 1
        yield "a", (days + 3) % 7  # the first day of 1970 was a Thursday

    def _told_of_clock(self, inside: Ticks) -> Iterator[tuple[str, Ticks]]:
        per_second = max(1, self._ticks_per_day // _DAY_SECONDS)
        seconds, fraction = np.divmod(inside, per_second)
        yield "H", seconds // 3600
        yield "M", seconds // 60 % 60
        yield "S", seconds % 60
        yield "p", seconds // 3600 // 12
        yield "f", fraction * 10**6 // per_second

    @staticmethod
    def _shown(token: Token, numbers: Mapping[str, Ticks]) -> Ticks:
        number = numbers[token.field]
        if token.letter == "y":
            return number % 100
        if token.letter == "I":
            return (number - 1) % 12 + 1
        return number // 10 ** (6 - token.width) if token.letter == "f" else number

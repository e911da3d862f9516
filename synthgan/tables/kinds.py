"""Every kind of column, said once: what each place of the toolkit needs to know of it.

A new kind is a row of `TRAITS`, an encoder in `synthgan.tables.columns.ENCODERS` and a private release in
`synthgan.privacy.columns.RELEASES`, the last two found by the row's ``family``. A kind of a family that is there is a
row alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import pyarrow as pa

from synthgan.tables.arrow_types import is_text

Kind = Literal[
    "categorical",
    "boolean",
    "integer",
    "float",
    "decimal",
    "datetime",
    "date",
    "timedelta",
    "identifier",
    "constant",
    "text",
]

Scale = Literal["amount", "moment", "duration"]
"""What numbers measure; those on one scale can be compared: amounts, instants and days, lengths of time."""

Count = Literal["levels", "histogram", "templates"]
"""What door 1 counts: values, numbers on an axis, or formats (`synthgan.tables.statistics.statistics`)."""

Role = Literal["numeric", "categorical"]
"""What the evaluation compares a column as."""

KeyPart = Literal["row", "group", "counter"]
"""What a column may be in a key that is suggested: name each row, name a group of rows, count a group's rows."""

_Check = Callable[[pa.DataType], bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class KindTraits:
    """What holds for every column of a kind.

    Attributes:
        family: of encoders and private releases.
        carries: which Arrow types a column of the kind may have.
        natural_for: which Arrow types stand for this kind when nothing else is known; None for none.
        read_as: type of a column of text or objects whose kind alone is declared (datetimes: without their zone); None
            where the cells stay text, or become what the declared levels are.
        conversion: how pandas makes such a column out of text, for advice; None where there is no short way.
        scale: what its numbers measure, None for kinds that are no numbers. A number has bounds and a granularity.
        has_levels: whether levels may be declared.
        has_calendar: whether a calendar may be declared.
        has_text: whether the option ``text`` may be declared, which says what takes the place of the cells.
        counted_as: what door 1 counts of it; None for kinds of which no cell is ever read.
        is_learned: whether its values are learned, so that a condition may ask for one and a rule may combine them.
        type_decides: whether the column's type tells if it holds numbers, and not the kind.
        compared_as: its role in the evaluation, None where the dtype says it.
        not_compared: why no synthesizer should reproduce it, None where it takes part in the evaluation.
        stated_fact: the fact beside its kind of which a release says where it came from, None for none.
        has_classes: whether its values may be classes: brought to one size, or found to settle those of other columns.
        key_parts: what it may be in a suggested key.
        written_as: what text in a format of the kind writes, in the plural.
    """

    family: str
    carries: _Check
    natural_for: _Check | None = None
    read_as: pa.DataType | None = None
    conversion: str | None = "astype"
    scale: Scale | None = None
    has_levels: bool = False
    has_calendar: bool = False
    has_text: bool = False
    counted_as: Count | None
    is_learned: bool = True
    type_decides: bool = False
    compared_as: Role | None
    not_compared: str | None = None
    stated_fact: Literal["levels", "bounds"] | None = None
    has_classes: bool = False
    key_parts: frozenset[KeyPart] = frozenset()
    written_as: str = "numbers"

    @property
    def is_number(self) -> bool:
        """Whether it is a number or a time, which may have bounds and a granularity."""
        return self.scale is not None

    @property
    def is_read(self) -> bool:
        """Whether its cells are read at all."""
        return self.counted_as is not None


def _is_whole(data_type: pa.DataType) -> bool:
    return bool(pa.types.is_integer(data_type) or (pa.types.is_decimal(data_type) and data_type.scale == 0))


def _names_rows(data_type: pa.DataType) -> bool:
    return is_text(data_type) or _is_whole(data_type) or bool(pa.types.is_floating(data_type))


def _anything(_: pa.DataType) -> bool:
    return True


def _levels(**traits: Any) -> KindTraits:
    return KindTraits(family="levels", has_levels=True, counted_as="levels", **traits)


def _number(natural_for: _Check, scale: Scale, *, carries: _Check | None = None, **traits: Any) -> KindTraits:
    return KindTraits(
        family="numbers",
        carries=carries or natural_for,
        natural_for=natural_for,
        scale=scale,
        counted_as="histogram",
        compared_as="numeric",
        stated_fact="bounds",
        **traits,
    )


TRAITS: Final[dict[Kind, KindTraits]] = {
    "categorical": _levels(
        carries=_anything,
        compared_as="categorical",
        stated_fact="levels",
        has_classes=True,
        key_parts=frozenset({"group"}),
    ),
    "boolean": _levels(
        carries=pa.types.is_boolean,
        natural_for=pa.types.is_boolean,
        read_as=pa.bool_(),
        conversion=None,
        compared_as="categorical",
        has_classes=True,
    ),
    "integer": _number(
        pa.types.is_integer,
        "amount",
        carries=_is_whole,
        read_as=pa.int64(),
        conversion="pd.to_numeric",
        has_classes=True,
        key_parts=frozenset({"group", "counter"}),
    ),
    "float": _number(pa.types.is_floating, "amount", read_as=pa.float64(), conversion="pd.to_numeric"),
    "decimal": _number(pa.types.is_decimal, "amount"),
    "datetime": _number(
        pa.types.is_timestamp,
        "moment",
        read_as=pa.timestamp("us"),
        conversion="pd.to_datetime",
        has_calendar=True,
        written_as="dates and times",
    ),
    "date": _number(
        pa.types.is_date,
        "moment",
        read_as=pa.date32(),
        conversion="pd.to_datetime",
        has_calendar=True,
        written_as="dates",
    ),
    "timedelta": _number(
        pa.types.is_duration,
        "duration",
        read_as=pa.duration("us"),
        conversion="pd.to_timedelta",
        written_as="times of day",
    ),
    "identifier": KindTraits(
        family="identifiers",
        carries=_names_rows,
        counted_as="templates",
        is_learned=False,
        compared_as=None,
        not_compared="an identifier, as the schema has it",
        key_parts=frozenset({"row", "group"}),
    ),
    "constant": _levels(carries=_anything, type_decides=True, compared_as=None, stated_fact="levels"),
    "text": KindTraits(
        family="text",
        carries=is_text,
        has_text=True,
        counted_as=None,
        is_learned=False,
        compared_as=None,
        not_compared="free text, as the schema has it",
    ),
}
"""The traits of each kind, in the order in which kinds are listed."""

LEVELLED: Final[Kind] = "categorical"
"""What a type without a kind of its own stands for, and a column whose levels alone are declared."""


def natural_kind(data_type: pa.DataType) -> Kind:
    """The kind that a physical type stands for when nothing else is known."""
    for kind, traits in TRAITS.items():
        if traits.natural_for is not None and traits.natural_for(data_type):
            return kind
    return LEVELLED

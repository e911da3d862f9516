"""Formats of numbers that some texts may have."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from synthgan.tables.written.number_format import DECIMALS, GROUPS, MOST_DIGITS, NumberFormat

_MINUS = "-\u2212"
_PARTS = re.compile(r"(?P<before>[^\d]*)(?P<number>\d(?:[\d.,'\u2019 \u00a0\u202f]*\d)?)(?P<after>[^\d]*)", re.DOTALL)
_SPACES = " \u00a0\u202f"
_CODES = (
    "AED|ARS|AUD|BRL|CAD|CHF|CLP|CNY|COP|CZK|DKK|EGP|EUR|GBP|HKD|HUF|IDR|ILS|INR|JPY|KRW|MXN|MYR|NGN|NOK|NZD|PEN|PHP|"
    "PLN|RMB|RON|RUB|SAR|SEK|SGD|THB|TRY|TWD|UAH|USD|VND|ZAR"
)
_CURRENCY = rf"(?:\p{{Sc}}|{_CODES}|[A-Z]{{1,3}}\$|kr\.?|Fr\.?|SFr\.?|Rs\.?|zł|Kč|Ft|lei|TL|R|RM|Rp)"
_BEFORE = rf"^(?:[+~≈±]|ca\. ?)?(?:{_CURRENCY}[{_SPACES}]?)?$"
_UNIT = r"(?:[\p{Ll}µ²³°/]+|°[CFKR]|[kMGTmµnhd]?(?:Hz|Wh|VA|Pa|Ah|eV|Ω)|[kMGTPmµn][WVABJLN]|[KMGT]iB|dB)"
"""Capitals right behind a number are a unit only in such names; else they belong to a code, such as that of a seat."""

_AFTER = rf"^(?:[{_SPACES}]?(?:[%‰°]|{_CURRENCY}|{_UNIT})|[{_SPACES}][\pL\pM%‰°/²³.$€£ ]{{1,16}}|,-|)$"
_SMALL_PLACES = 9


def number_proposals(known: Sequence[str], cells: pa.Array) -> Iterator[NumberFormat]:
    """Formats that the texts may have, likelier ones first.

    Args:
        known: some of the texts.
        cells: all that are at hand, distinct; ``known`` is its beginning.
    """
    signs = _signs_around(known)
    if signs is None:
        return
    bodies = [read["number"] for text in known if (read := _PARTS.fullmatch(text))]
    inside = {sign for sign in GROUPS if any(sign in body for body in bodies)}
    small = not inside - set(DECIMALS)
    for group in ("", *(sign for sign in GROUPS if sign in inside or small)):
        for decimal in ("", *DECIMALS):
            if (group and group == decimal) or not inside <= {group, decimal} or (decimal and decimal not in inside):
                continue
            base = dataclasses.replace(signs, group=group, decimal=decimal)
            yield from _with_places(base, cells) if decimal else (base,)


def widened(form: NumberFormat, cells: pa.Array) -> NumberFormat | None:
    """A format whose number of decimal places varies, with as many as the cells have; None where it has enough."""
    if not form.decimal or form.fewest_places == form.most_places:
        return None
    _, most = _places(cells, form)
    return dataclasses.replace(form, most_places=most) if form.most_places < most <= _SMALL_PLACES else None


def _signs_around(known: Sequence[str]) -> NumberFormat | None:
    """What stands around the numbers; None where that differs from cell to cell."""
    positive: set[tuple[str, str]] = set()
    negative: set[tuple[str, str]] = set()
    for text in known:
        read = _PARTS.fullmatch(text)
        if read is None:
            return None
        before, after = read["before"], read["after"]
        in_brackets = "(" in before and ")" in after
        is_negative = in_brackets or any(sign in before or after.endswith(sign) for sign in _MINUS)
        (negative if is_negative and after != ",-" else positive).add((before, after))
    if len(positive) > 1 or len(negative) > 1:
        return None
    before_negative, after_negative = next(iter(negative), (None, None))
    if positive:
        before, after = next(iter(positive))
    elif before_negative is not None and before_negative[:1] not in (*_MINUS, "("):
        return None  # with nothing to compare with, a sign inside belongs to a name
    else:
        before, after = (re.sub(f"[{_MINUS}()]", "", side) for side in (before_negative or "", after_negative or ""))
    around = pa.array([before]), pa.array([after])
    known_before = pc.match_substring_regex(around[0], _BEFORE)[0].as_py()
    known_after = pc.match_substring_regex(around[1], _AFTER)[0].as_py()
    # A plus sign tells something only where a minus sign is the other choice: else it belongs to a telephone number.
    if not known_before or not known_after or ("+" in before and not negative):
        return None
    if before_negative is None:
        before_negative, after_negative = "-" + before, after
    return NumberFormat(
        before=before, after=after, before_negative=before_negative, after_negative=after_negative or ""
    )


def _with_places(base: NumberFormat, cells: pa.Array) -> Iterator[NumberFormat]:
    fewest, most = _places(cells, base)
    if not 0 < most <= MOST_DIGITS - 3:
        return
    if fewest == most:
        yield dataclasses.replace(base, fewest_places=most, most_places=most)
    if most <= _SMALL_PLACES:
        yield dataclasses.replace(base, fewest_places=0, most_places=most)
        yield dataclasses.replace(base, fewest_places=1, most_places=max(2, most))


def _places(cells: pa.Array, form: NumberFormat) -> tuple[int, int]:
    """Fewest and most digits behind the decimal sign."""
    found = pc.extract_regex(cells, rf"{re.escape(form.decimal)}(?P<places>\d+)[^\d]*$").field("places")
    lengths = pc.fill_null(pc.utf8_length(found), 0)
    return pc.min(lengths).as_py(), pc.max(lengths).as_py()

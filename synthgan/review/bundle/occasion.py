"""What a reviewer says of a review: which table, what for, and on which day."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Final

from synthgan.errors import SettingsError

LONGEST: Final = 500
"""Characters of a title or a purpose."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Occasion:
    """Stands in both tiers as it was given; nothing in it is computed from the table.

    Attributes:
        date: day of the review, as 2026-11-30.
        title: name of the table, None where nobody gave one.
        purpose: what the rows are wanted for, None where nobody said.
    """

    date: str
    title: str | None = None
    purpose: str | None = None

    @classmethod
    def of(cls, *, title: str | None = None, purpose: str | None = None, date: str | None = None) -> Occasion:
        """Check what was given; without a date, today's in UTC.

        Raises:
            SettingsError: when a text is empty or too long, or the date is none.
        """
        today = datetime.datetime.now(tz=datetime.timezone.utc).date().isoformat()
        return cls(
            date=today if date is None else _day(date), title=_text(title, "title"), purpose=_text(purpose, "purpose")
        )


def _text(value: str | None, name: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST:
        raise SettingsError(f"{name} must be a text of 1 to {LONGEST} characters; leave it out for none.")
    return " ".join(value.encode("utf-8", "replace").decode("utf-8").split())


def _day(value: str) -> str:
    try:
        day = datetime.date.fromisoformat(value)
    except (TypeError, ValueError):
        raise SettingsError("date must be a day as YYYY-MM-DD, such as 2026-11-30.") from None
    return day.isoformat()

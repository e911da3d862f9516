"""Dates and times among Python objects: what one Arrow type would cut off or make alike is refused by name."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time
from typing import Any

import pandas as pd

from synthgan.errors import DataError


def check_moments(kind: str, values: Iterable[Any], name: str) -> None:
    """Refuse dates and times that do not go together.

    Args:
        kind: what `pandas.api.types.infer_dtype` calls the column.
        values: its cells that are not missing.
        name: the column.

    Raises:
        DataError: says what is mixed, or would be cut off.
    """
    if kind == "date":
        if any(isinstance(value, datetime) for value in values):
            raise DataError(
                f"column {name!r} mixes dates and datetimes, and as dates all would lose their times of day: convert "
                "it with pd.to_datetime, or to dates"
            )
    elif kind == "datetime":
        _check_zones({_zone(value) for value in values if isinstance(value, datetime)}, name)
    elif kind == "time" and any(isinstance(value, time) and value.tzinfo is not None for value in values):
        raise DataError(
            f"column {name!r} holds times of day with a time zone, which no column keeps: give plain times, or "
            "datetimes with the zone"
        )
    if kind in ("datetime", "timedelta") and any(_has_nanoseconds(value) for value in values):
        raise DataError(
            f"column {name!r} holds objects with nanoseconds, which would be cut off: convert it with "
            f"pd.to_{kind}, which keeps them"
        )


def _zone(value: datetime) -> str:
    """The offset from UTC where that is all there is to a time's zone, else the zone's name; empty without one."""
    if value.tzinfo is None:
        return ""
    fixed = value.tzinfo.utcoffset(None)
    return str(value.tzinfo) if fixed is None else str(fixed)


def _check_zones(zones: set[str], name: str) -> None:
    if len(zones) <= 1:
        return
    if "" in zones:
        raise DataError(f"column {name!r} mixes datetimes with and without a time zone: give all of them one, or none")
    raise DataError(
        f"column {name!r} holds datetimes of {len(zones)} time zones or offsets from UTC, and a column has one: "
        "convert it with pd.to_datetime(..., utc=True), or keep the offset in a column of its own"
    )


def _has_nanoseconds(value: Any) -> bool:
    if isinstance(value, pd.Timestamp):
        return value.nanosecond != 0
    return isinstance(value, pd.Timedelta) and value.nanoseconds != 0

"""Time zone objects of pandas dtypes as text and back: the same zone may be an object of four libraries."""

from __future__ import annotations

import importlib
import re
from datetime import timedelta, tzinfo
from typing import Any

import pandas as pd
import pyarrow as pa

_HINTED = re.compile(r"datetime64\[(\w+), (dateutil|pytz|zoneinfo)/(.+)\]")
_OFFSET = re.compile(r"([+-])(\d\d):(\d\d)")


def zoned_text(dtype: pd.DatetimeTZDtype) -> str:
    """The dtype as pandas prints it; with the library before the zone where pandas would choose another one."""
    text = str(dtype)
    try:
        if pd.api.types.pandas_dtype(text) == dtype:
            return text
    except (TypeError, ValueError, KeyError):
        pass
    library = type(dtype.tz).__module__.split(".", maxsplit=1)[0]
    return f"datetime64[{dtype.unit}, {library}/{zone_name(dtype.tz)}]"


def zone_name(zone: tzinfo) -> str:
    """The zone's name as Arrow has it; an offset from UTC as ``+01:30``."""
    offset = zone.utcoffset(None)
    if not offset:
        return str(pa.lib.tzinfo_to_string(zone))
    minutes = int(offset / timedelta(minutes=1))
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


def parse_zoned(text: str) -> Any:
    """The dtype behind `zoned_text`; of pandas' own library where the hinted one is not installed."""
    match = _HINTED.fullmatch(text)
    if match is None:
        return pd.api.types.pandas_dtype(text)
    unit, library, name = match.groups()
    try:
        zone = _zone(library, name)
    except (ImportError, KeyError, ValueError):
        zone = None
    if zone is None:
        return pd.api.types.pandas_dtype(f"datetime64[{unit}, {name}]")
    return pd.DatetimeTZDtype(unit, zone)


def _zone(library: str, name: str) -> tzinfo | None:
    module = importlib.import_module("dateutil.tz" if library == "dateutil" else library)
    made: tzinfo | None
    if offset := _OFFSET.fullmatch(name):
        sign, hours, minutes = offset.groups()
        total = (60 * int(hours) + int(minutes)) * (-1 if sign == "-" else 1)
        made = module.FixedOffset(total) if library == "pytz" else module.tzoffset(None, 60 * total)
        return made
    make = {"dateutil": "gettz", "pytz": "timezone", "zoneinfo": "ZoneInfo"}[library]
    made = getattr(module, make)(name)
    return made

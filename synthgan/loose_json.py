"""Values from JSON that somebody else may have written: what is not of the expected form counts as absent.

`synthgan.strict_json` refuses a file; these readers take what is of use in one that was let in.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any


def finite(value: Any) -> float | None:
    """The number as a float; None for everything else, and for numbers that are not finite."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except (OverflowError, TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def numbers(values: Any) -> list[float | None]:
    """Each value as a finite float or None; an empty list for what is no list."""
    if not isinstance(values, Iterable) or isinstance(values, str | bytes | dict):
        return []
    return [finite(value) for value in values]


def mapping(value: Any) -> Mapping[Any, Any]:
    """The value if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: Any) -> list[Any]:
    """The items of a list or tuple, else none."""
    return list(value) if isinstance(value, list | tuple) else []

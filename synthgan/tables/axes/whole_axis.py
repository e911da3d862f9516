"""The exact whole-number axis that integers, decimals, timestamps, dates and durations are stored on."""

from __future__ import annotations

import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.types as pat

from synthgan.tables.arrow_types import DAY, NANOSECONDS

_NUMPY_UNITS = NANOSECONDS | {"D": DAY}
"""Nanoseconds of each unit of time that numpy's own types have here."""


class WholeAxis:
    """The places of one Arrow type's values, as whole numbers of ticks.

    A tick is 1 for integers, ``10**-scale`` for decimals, the unit since the epoch for times, a day for dates. Python
    integers do the arithmetic, so nothing rounds and nothing overflows.
    """

    def __init__(self, arrow_type: pa.DataType) -> None:
        """Take a physical type for which `has_axis` holds."""
        self.arrow_type = arrow_type

    @staticmethod
    def has_axis(arrow_type: pa.DataType) -> bool:
        """Whether values of the type are whole numbers of ticks."""
        return bool(
            pat.is_integer(arrow_type)
            or pat.is_decimal(arrow_type)
            or pat.is_timestamp(arrow_type)
            or pat.is_date32(arrow_type)
            or pat.is_duration(arrow_type)
        )

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest tick that the type can store."""
        if pat.is_decimal(self.arrow_type):
            largest = 10**self.arrow_type.precision - 1
            return -largest, largest
        if pat.is_unsigned_integer(self.arrow_type):
            return 0, 2**self.arrow_type.bit_width - 1
        half = 2 ** (self.arrow_type.bit_width - 1)
        if pat.is_integer(self.arrow_type) or pat.is_date32(self.arrow_type):
            return -half, half - 1
        return -half + 1, half - 1  # numpy keeps the lowest 64-bit tick for NaT

    def ticks(self, value: Any) -> Fraction:
        """Exact place of a value on the axis; a fraction when it falls between two ticks.

        Accepts what the type accepts: numbers; for times anything `pandas.Timestamp` holds (with a zone exactly when
        the type has one); `datetime.date`; anything `pandas.Timedelta` holds.
        """
        arrow_type = self.arrow_type
        if pat.is_integer(arrow_type):
            return Fraction(value)
        if pat.is_decimal(arrow_type):
            return Fraction(value) * Fraction(10) ** int(arrow_type.scale)
        if pat.is_duration(arrow_type):
            return Fraction(_nanoseconds(pd.Timedelta(value).to_numpy()), _NUMPY_UNITS[arrow_type.unit])
        stamp = pd.Timestamp(value)
        if stamp.tzinfo is not None:
            stamp = stamp.tz_convert("UTC").tz_localize(None)
        unit = "D" if pat.is_date32(arrow_type) else arrow_type.unit
        return Fraction(_nanoseconds(stamp.to_numpy()), _NUMPY_UNITS[unit])

    def value(self, tick: int) -> Any:
        """The Python value at a tick: int, Decimal, `pandas.Timestamp`, `datetime.date` or `pandas.Timedelta`."""
        arrow_type = self.arrow_type
        if pat.is_integer(arrow_type):
            return tick
        if pat.is_decimal(arrow_type):
            sign, digits, _ = Decimal(tick).as_tuple()
            return Decimal((sign, digits, -arrow_type.scale))
        if pat.is_date32(arrow_type):
            return datetime.date(1970, 1, 1) + datetime.timedelta(days=tick)
        if pat.is_duration(arrow_type):
            return _arrow_safe(pd.Timedelta(np.timedelta64(tick, arrow_type.unit)))
        stamp = pd.Timestamp(np.datetime64(tick, arrow_type.unit))
        return _arrow_safe(stamp if arrow_type.tz is None else stamp.tz_localize("UTC").tz_convert(arrow_type.tz))


def _nanoseconds(value: np.datetime64 | np.timedelta64) -> int:
    """A numpy time as a Python integer of nanoseconds, whatever its unit, without overflow."""
    unit, step = np.datetime_data(value.dtype)
    return int(value.astype(np.int64)) * step * _NUMPY_UNITS[unit]


def _arrow_safe(value: Any) -> Any:
    """A pandas time that pyarrow converts correctly: in nanoseconds, or else the standard library's.

    pyarrow reads a `pandas.Timedelta` of a coarser unit as if its count were nanoseconds (seen in 26.0.1).
    """
    try:
        return value.as_unit("ns")
    except (pd.errors.OutOfBoundsDatetime, pd.errors.OutOfBoundsTimedelta):
        return value.to_pydatetime() if isinstance(value, pd.Timestamp) else value.to_pytimedelta()

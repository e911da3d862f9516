"""How much of what comes out lies on the grid that a column lives on.

python benchmarks/grids.py --output grids.json

Each column lives on a grid of its own kind. All of them are fitted as one table in a few steps, because the grid is a
matter of the codec and not of learning. The shares of real and of sampled values on each column's grid are printed and
written as JSON, with what they were measured on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402  (the path above makes our own modules importable)
import numpy.typing as npt  # noqa: E402
import pandas as pd  # noqa: E402
import pyarrow as pa  # noqa: E402
import pyarrow.compute as pc  # noqa: E402

from benchmarks.machine import describe_run  # noqa: E402
from synthgan import Synthesizer  # noqa: E402

N_ROWS = 4000
N_STEPS = 20
BERLIN = "Europe/Berlin"
DAY = 86_400
FIRST, LAST = 14_000, 19_500  # days from 1970: May 2008 to May 2023

Whole = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Row:
    """A column on a grid.

    Attributes:
        name: says the grid.
        kind: how the column is modelled.
        values: makes the column, of so many rows.
        on_grid: which values lie on the grid, told without our own code.
    """

    name: str
    kind: Any
    values: Callable[[np.random.Generator, int], pa.Array]
    on_grid: Callable[[pa.Array], npt.NDArray[np.bool_]]

    def share_on_grid(self, values: pa.Array) -> float:
        """Share of the values that lie on the grid."""
        return float(self.on_grid(values).mean())


def _days(array: pa.Array) -> pd.DatetimeIndex:
    """The days of dates or datetimes, by the clock on the wall."""
    if pa.types.is_timestamp(array.type) and array.type.tz is not None:
        array = pc.local_timestamp(array)
    return pd.DatetimeIndex(array.cast(pa.timestamp("s")).to_numpy(zero_copy_only=False)).floor("D")


def _seconds_of_day(array: pa.Array) -> Whole:
    """Seconds since midnight, by the clock on the wall."""
    if array.type.tz is not None:
        array = pc.local_timestamp(array)
    seconds: Whole = array.cast(pa.timestamp("s")).cast(pa.int64()).to_numpy() % DAY
    return seconds


def _numbers(name: str, kind: Any, step: float, offset: float, make: Callable[[Whole], pa.Array]) -> Row:
    """Numbers ``offset + n * step``; ``make`` brings n to the column's type."""

    def on_grid(array: pa.Array) -> npt.NDArray[np.bool_]:
        values = np.array([float(value) for value in array.to_pylist()])
        places = (values - offset) / step
        return np.asarray(np.abs(places - np.rint(places)) < 1e-6)

    return Row(name, kind, lambda rng, n: make(rng.integers(0, 3000, n)), on_grid)


def _times(name: str, step: int, offset: int, zone: str | None = None) -> Row:
    """Datetimes every ``step`` seconds by the clock on the wall."""

    def values(rng: np.random.Generator, n: int) -> pa.Array:
        local = rng.integers(FIRST * DAY // step, LAST * DAY // step, n) * step + offset
        wall = pa.array(local).cast(pa.timestamp("s"))
        if zone is None:
            return wall
        return pc.assume_timezone(wall, zone, ambiguous="earliest", nonexistent="latest")

    def on_grid(array: pa.Array) -> npt.NDArray[np.bool_]:
        wall = array if zone is None else pc.local_timestamp(array)
        return np.asarray((wall.cast(pa.timestamp("s")).cast(pa.int64()).to_numpy() - offset) % step == 0)

    return Row(name, "datetime", values, on_grid)


def _calendar(name: str, rule: str, seconds: int | None = None, zone: str | None = None) -> Row:
    """Days of one of the rules of pandas: as dates, or as datetimes at one time of the day."""
    # More than a hundred distinct days even of one a year: fewer would be levels.
    first, last = ("1700-01-01", "2250-12-31") if rule in ("YS", "YE") else ("1975-01-01", "2040-12-31")
    days = pd.date_range(first, last, freq=rule)

    def values(rng: np.random.Generator, n: int) -> pa.Array:
        chosen = days[rng.integers(0, len(days), n)]
        if seconds is None:
            return pa.array(chosen.to_numpy().astype("datetime64[D]"))
        wall = pa.array((chosen + pd.Timedelta(seconds=seconds)).to_numpy().astype("datetime64[us]"))
        return wall if zone is None else pc.assume_timezone(wall, zone)

    def on_grid(array: pa.Array) -> npt.NDArray[np.bool_]:
        on_days = np.asarray(_days(array).isin(days))
        return on_days if seconds is None else on_days & (_seconds_of_day(array) == seconds)

    return Row(name, "date" if seconds is None else "datetime", values, on_grid)


TABLE: tuple[Row, ...] = (
    _numbers("prices at x.99", "float", 1, 0.99, lambda n: pa.array(n + 0.99)),
    _numbers("float32 at x.5", "float", 1, 0.5, lambda n: pa.array((n + 0.5).astype(np.float32))),
    _numbers("odd numbers", "integer", 2, 1, lambda n: pa.array(2 * n + 1)),
    _numbers("steps of 7 from -3000", "integer", 7, -3000, lambda n: pa.array(7 * n - 3000)),
    _numbers("steps of 37 in 16 bits", "integer", 37, 5, lambda n: pa.array((37 * (n % 800) + 5).astype(np.int16))),
    _numbers("unsigned beyond int64", "integer", 2**15, 2**63, lambda n: pa.array(n.astype(np.uint64) * 2**15 + 2**63)),
    _numbers(
        "decimals at x.95",
        "decimal",
        1,
        0.95,
        lambda n: pa.array([Decimal(int(i)) + Decimal("0.95") for i in n], pa.decimal128(12, 2)),
    ),
    Row(
        "durations of 20 minutes and 5 seconds each",
        "timedelta",
        lambda rng, n: pa.array(rng.integers(0, 2000, n) * 1205, pa.duration("s")),
        lambda array: np.asarray(array.cast(pa.int64()).to_numpy() % 1205 == 0),
    ),
    _times("daily at 12:00", DAY, 12 * 3600),
    _times("daily at 12:00 in Berlin", DAY, 12 * 3600, BERLIN),
    _times("6-hourly", 6 * 3600, 0),
    _times("6-hourly from 04:30 in Berlin", 6 * 3600, 4 * 3600 + 1800, BERLIN),
    _times("20-minute", 1200, 0),
    _times("20-minute from 00:07 in Berlin", 1200, 420, BERLIN),
    _times("weekly, Tuesdays at 09:00", 7 * DAY, 5 * DAY + 9 * 3600),
    _times("weekly, Tuesdays at 09:00 in Berlin", 7 * DAY, 5 * DAY + 9 * 3600, BERLIN),
    _calendar("month starts", "MS"),
    _calendar("month ends", "ME"),
    _calendar("quarter starts", "QS"),
    _calendar("quarter ends", "QE"),
    _calendar("year starts", "YS"),
    _calendar("year ends", "YE"),
    _calendar("business days", "B"),
    _calendar("last business days of months", "BME"),
    Row(
        "Mondays and Thursdays",
        "date",
        lambda rng, n: pa.array((7 * rng.integers(2000, 2800, n) + rng.choice([4, 7], n)).astype("datetime64[D]")),
        lambda array: np.asarray(_days(array).day_of_week.isin([0, 3])),
    ),
    _calendar("month ends at 23:59", "ME", DAY - 60),
    _calendar("business days at 17:30", "B", 17 * 3600 + 1800),
    _calendar("month starts at 00:00 in Berlin", "MS", 0, BERLIN),
    _calendar("month ends at 18:00 in Berlin", "ME", 18 * 3600, BERLIN),
    _calendar("business days at 08:00 in Berlin", "B", 8 * 3600, BERLIN),
)


def main() -> None:
    """Fit one table of all columns, sample it, and write both shares of each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--output", type=Path, help="the JSON to write")
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    real = pa.table({row.name: row.values(rng, N_ROWS) for row in TABLE})
    made = Synthesizer(max_steps=N_STEPS, random_state=0).fit(real).sample(N_ROWS, random_state=0)
    synthetic = pa.Table.from_pandas(made, preserve_index=False).cast(real.schema)
    shares = {
        row.name: {
            which: row.share_on_grid(table.column(row.name).combine_chunks().drop_null())
            for which, table in (("real", real), ("synthetic", synthetic))
        }
        for row in TABLE
    }
    width = max(map(len, shares))
    print(f"{'column':{width}}  real    synthetic")
    for name, share in shares.items():
        print(f"{name:{width}}  {share['real']:6.1%}  {share['synthetic']:6.1%}")
    if arguments.output is not None:
        content = {"run": describe_run(), "rows": N_ROWS, "steps": N_STEPS, "share_on_grid": shares}
        arguments.output.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

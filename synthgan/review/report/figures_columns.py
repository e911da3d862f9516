"""Pictures of columns and of pairs of columns: real beside synthetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
from markupsafe import Markup

from synthgan.review.evidence import MOST_BARS, Column, Pairs
from synthgan.review.report.svg import FONT_SIZE, Picture
from synthgan.review.wording import figure, percent, short

WIDTH = 320.0
_STEPS = 9


def column_picture(column: Column, key: str) -> Markup:
    """Shares of the bins as steps, or of the levels as bars: real filled, synthetic as a line or a dark bar."""
    return _steps(column, key) if column.kind == "numeric" else _bars(column, key)


def heatmap(pairs: Pairs, values: Sequence[Sequence[float | None]], key: str, most: float, label: str) -> Markup:
    """A square per pair of columns, the stronger the larger; grey where undefined, none on the diagonal.

    Args:
        pairs: for the names of the columns.
        values: a row and a column per name.
        key: unique on the page.
        most: the value of the darkest square.
        label: what it shows, for those who do not see it.
    """
    size = len(pairs.columns)
    cell = min(24.0, 260.0 / size)
    names = 98.0
    side = cell * size
    picture = Picture(key, names + side + 2, side + names)
    font = min(FONT_SIZE, cell * 0.8)
    for i, name in enumerate(pairs.columns):
        middle = cell * (i + 0.47)
        picture.write(names - 6, middle, short(name, 15), "ink", anchor="right", size=font)
        picture.write(names + middle, side + 6, short(name, 15), "ink", anchor="right", size=font, upwards=True)
        for j in range(size):
            if i != j:
                picture.box(names + cell * j, cell * i, cell * 0.94, cell * 0.94, _heat(values[i][j], most))
    return picture.svg(label)


def heat_scale(key: str, most: str, least: str = "0") -> Markup:
    """The colours of the heatmaps from least to most."""
    picture = Picture(key, 40 + 15 * _STEPS + 7 * len(most), 16)
    for step in range(_STEPS):
        picture.box(30 + 15 * step, 2, 15, 12, f"heat-{step}")
    picture.write(25, 8, least, anchor="right")
    picture.write(35 + 15 * _STEPS, 8, most)
    return picture.svg(f"Scale of the colours: from {least} to {most}")


def _heat(value: float | None, most: float) -> str:
    if value is None:
        return "empty"
    return f"heat-{int(min(_STEPS - 1.0, max(0.0, _STEPS * (value / most))))}" if most > 0 else "heat-0"


def _steps(column: Column, key: str) -> Markup:
    low, high = column.edges[0], column.edges[-1]
    span = high - low
    if math.isfinite(span) and span > 0:
        edges = [(edge - low) / span for edge in column.edges]
    else:  # so far apart that their difference overflows
        edges = [index / (len(column.edges) - 1) for index in range(len(column.edges))]
    picture = Picture(key, WIDTH, 128)
    left, right, top, base = 6.0, WIDTH - 6, 4.0, 106.0
    heights = {table: _heights(edges, shares) for table, shares in column.shares.items()}
    tallest = max(map(max, heights.values())) or 1.0

    def outline(table: str) -> list[tuple[float, float]]:
        xs = [left + (right - left) * edge for edge in edges]
        ys = [base - (base - top) * height / tallest for height in heights[table]]
        steps = [point for i, y in enumerate(ys) for point in ((xs[i], y), (xs[i + 1], y))]
        return [(left, base), *steps, (right, base)]

    picture.area(outline("real"), "real-soft")
    picture.line([(left, base), (right, base)], "muted", 0.75)
    if "holdout" in heights:
        picture.line(outline("holdout"), "holdout", 1, dashes=(0, (2, 2)))
    picture.line(outline("synthetic"), "synthetic", 1.75)
    for place, text in _ticks(column, low, span):
        anchor: Literal["left", "center", "right"] = "left" if place < 0.06 else "right" if place > 0.94 else "center"
        picture.write(left + (right - left) * place, base + 12, text, anchor=anchor)
    return picture.svg(_description(column))


def _heights(edges: Sequence[float], shares: Sequence[float]) -> list[float]:
    """Shares, or densities where the bins are not equally wide."""
    widths = [right - left for left, right in pairwise(edges)]
    if min(widths) > 0.99 * max(widths) or min(widths) <= 1e-9:
        return list(shares)
    return [share / width for share, width in zip(shares, widths, strict=True)]


def _ticks(column: Column, low: float, span: float) -> list[tuple[float, str]]:
    """Places from 0 to 1 and what to write there."""
    from matplotlib.ticker import MaxNLocator

    if not column.is_time and 1e-9 * max(abs(low), 1e-280) < span < 1e290:
        # a few whole bins around whole numbers are marked by these numbers, not by what lies between them
        halves = all(edge % 1 == 0.5 for edge in column.edges)
        found = [float(tick) for tick in MaxNLocator(nbins=4, integer=halves).tick_values(low, low + span)]
        step = found[1] - found[0]
        return [((tick - low) / span, _tick(tick, step)) for tick in found if low <= tick <= low + span]
    return [(0.0, _edge(column, 0)), (1.0, _edge(column, -1))]


def _edge(column: Column, place: int) -> str:
    edge = column.edges[place]
    return _instant(edge, column.edges[-1] - column.edges[0]) if column.is_time else figure(edge)


def _tick(value: float, step: float) -> str:
    size = abs(value)
    if size >= 1e6 or (0 < size < 1e-3):
        for limit, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
            if limit <= size < 1e15:
                return f"{value / limit:g} {unit}".replace("-", "\N{MINUS SIGN}")
        return f"{value:.2g}".replace("-", "\N{MINUS SIGN}")
    decimals = max(0, min(6, -math.floor(math.log10(step) + 1e-9)))
    return f"{value:,.{decimals}f}".replace("-", "\N{MINUS SIGN}")


def _instant(nanoseconds: float, span: float) -> str:
    """A date, with the time of day where all happened within three days."""
    seconds = nanoseconds / 1e9
    if abs(seconds) > 1e15:
        return figure(seconds)
    unit: Literal["m", "D"] = "m" if span < 3 * 86_400e9 else "D"
    return str(np.datetime_as_string(np.datetime64(math.floor(seconds), "s"), unit=unit)).replace("T", " ")


def _bars(column: Column, key: str) -> Markup:
    shown = _few_levels(column)
    row, names, numbers = 20.0, 114.0, 46.0
    picture = Picture(key, WIDTH, row * len(shown) + 4)
    largest = max(max(real, synthetic) for _, real, synthetic in shown) or 1.0
    for place, (level, *shares) in enumerate(shown):
        middle = row * place + 12
        real, synthetic = ((WIDTH - names - numbers) * share / largest for share in shares)
        picture.write(names - 6, middle, short(level, 16), "ink", anchor="right")
        picture.box(names, middle - 7, real, 14, "real-soft")
        picture.box(names, middle - 2.5, synthetic, 5, "synthetic")
        picture.write(names + max(real, synthetic) + 5, middle, percent(shares[1]), size=10)
    return picture.svg(_description(column))


def _few_levels(column: Column) -> list[tuple[str, float, float]]:
    """Level, real and synthetic share of each bar; of many levels the last ones together."""
    levels = list(zip(column.levels, column.shares["real"], column.shares["synthetic"], strict=True))
    if len(levels) <= MOST_BARS:
        return levels
    shown, rest = levels[: MOST_BARS - 1], levels[MOST_BARS - 1 :]
    return [*shown, (f"({len(rest)} others)", sum(r for _, r, _ in rest), sum(s for _, _, s in rest))]


def _description(column: Column) -> str:
    """The figure in words: where the two differ most."""
    real, synthetic = column.shares["real"], column.shares["synthetic"]
    place = max(range(len(real)), key=lambda index: abs(real[index] - synthetic[index]))
    if column.kind == "numeric":
        where = f"from {_edge(column, place)} to {_edge(column, place + 1)}"
    else:
        where = f"at {short(column.levels[place], 40)}"
    error = "" if column.error is None else f" Shape error {figure(column.error, '%')}."
    return (
        f"Distribution of {short(column.name, 40)}, real and synthetic.{error} They differ most {where}: "
        f"{percent(real[place])} of the real and {percent(synthetic[place])} of the synthetic rows."
    )

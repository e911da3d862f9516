"""Pictures of columns and of pairs of columns: real beside synthetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
from markupsafe import Markup

from synthgan.review.evidence import MOST_BARS, Column, Pairs
from synthgan.review.report.svg import FONT_SIZE, Anchor, Picture, fitted, text_width
from synthgan.review.wording import figure, percent, short

WIDTH = 320.0
_STEPS = 9
_LEAST = 3
"""Numbers below a picture."""
_APART = 10.0
"""Pixels between two numbers below a picture."""
_ENDS: tuple[tuple[float, int, Anchor], ...] = ((0.0, 0, "start"), (1.0, -1, "end"))
_NEAR = 1e-9
"""A number so near to the end of the range, in steps, is in it."""


def column_picture(column: Column) -> Markup:
    """Shares of the bins as steps, or of the levels as bars: real filled, synthetic as a line or a dark bar."""
    return _steps(column) if column.kind == "numeric" else _bars(column)


def heatmap(pairs: Pairs, values: Sequence[Sequence[float | None]], most: float, label: str) -> Markup:
    """A square per pair of columns, the stronger the larger; grey where undefined, none on the diagonal.

    Args:
        pairs: for the names of the columns.
        values: a row and a column per name.
        most: the value of the darkest square.
        label: what it shows, for those who do not see it.
    """
    size = len(pairs.columns)
    cell = min(24.0, 260.0 / size)
    names = 100.0
    side = cell * size
    picture = Picture(names + side + 2, side + names)
    font = min(FONT_SIZE, cell * 0.8)
    for i, name in enumerate(pairs.columns):
        middle = cell * (i + 0.47)
        shown = fitted(name, 15, names - 6, font)
        picture.write(names - 6, middle, shown, "ink", anchor="end", size=font)
        picture.write(names + middle, side + 6, shown, "ink", anchor="end", size=font, upwards=True)
        for j in range(size):
            if i != j:
                picture.box(names + cell * j, cell * i, cell * 0.94, cell * 0.94, _heat(values[i][j], most))
    return picture.svg(label)


def heat_scale(most: str, least: str = "0") -> Markup:
    """The colours of the heatmaps from least to most."""
    left = max(30.0, 5 + text_width(least))
    right = left + 15 * _STEPS
    picture = Picture(right + 10 + text_width(most), 16)
    for step in range(_STEPS):
        picture.box(left + 15 * step, 2, 15, 12, f"heat-{step}")
    picture.write(left - 5, 8, least, anchor="end")
    picture.write(right + 5, 8, most)
    return picture.svg(f"Scale of the colours: from {least} to {most}")


def _heat(value: float | None, most: float) -> str:
    if value is None:
        return "empty"
    return f"heat-{int(min(_STEPS - 1.0, max(0.0, _STEPS * (value / most))))}" if most > 0 else "heat-0"


def _steps(column: Column) -> Markup:
    low, high = column.edges[0], column.edges[-1]
    span = high - low
    if math.isfinite(span) and span > 0:
        edges = [(edge - low) / span for edge in column.edges]
    else:  # so far apart that their difference overflows
        edges = [index / (len(column.edges) - 1) for index in range(len(column.edges))]
    picture = Picture(WIDTH, 128)
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
        picture.line(outline("holdout"), "holdout", 1, dashes=(2, 2))
    picture.line(outline("synthetic"), "synthetic", 1.75)
    _axis(picture, column, left, right, base)
    return picture.svg(_description(column))


def _heights(edges: Sequence[float], shares: Sequence[float]) -> list[float]:
    """Shares, or densities where the bins are not equally wide."""
    widths = [right - left for left, right in pairwise(edges)]
    if min(widths) > 0.99 * max(widths) or min(widths) <= 1e-9:
        return list(shares)
    return [share / width for share, width in zip(shares, widths, strict=True)]


def ticks(low: float, high: float, *, whole: bool = False) -> tuple[float, list[float]]:
    """Round numbers from ``low`` to ``high``, 3 to 8 of them, and their step: 1, 2 or 5 times a power of ten.

    Args:
        low: the least number.
        high: the largest; further from the least than rounding reaches, and not so far that it overflows.
        whole: whether only whole numbers will do, of which there may be fewer than 3.
    """
    power = math.floor(math.log10(high - low))
    steps = [(digit, exponent) for exponent in (power, power - 1) for digit in (5, 2, 1)]
    if whole:
        steps = [(digit, exponent) for digit, exponent in steps if exponent >= 0] or [(1, 0)]
    choices = [(digit * 10.0**exponent, _multiples(low, high, digit, exponent)) for digit, exponent in steps]
    return next((choice for choice in choices if len(choice[1]) >= _LEAST), choices[-1])


def _multiples(low: float, high: float, digit: int, exponent: int) -> list[float]:
    """The multiples of digit times ten to the exponent in a range, each the float next to its decimal number."""
    step = digit * 10.0**exponent
    first, last = math.ceil(low / step - _NEAR), math.floor(high / step + _NEAR)
    return [float(f"{count * digit}e{exponent}") for count in range(first, last + 1)]


def _axis(picture: Picture, column: Column, left: float, right: float, y: float) -> None:
    """Numbers below the line at ``y``, or the two ends of times; as many as do not touch each other."""
    low, high = column.edges[0], column.edges[-1]
    if column.is_time or not 1e-12 * max(abs(low), 1e-280) < high - low < 1e290:
        for x, place, anchor in _ENDS:
            picture.write(left + (right - left) * x, y + 13, _edge(column, place), anchor=anchor)
        return
    # a few whole bins around whole numbers are marked by these numbers, not by what lies between them
    step, numbers = ticks(low, high, whole=all(edge % 1 == 0.5 for edge in column.edges))
    places = [left + (right - left) * min(max((number - low) / (high - low), 0.0), 1.0) for number in numbers]
    texts = [_tick(number, step) for number in numbers]
    needed = max(map(text_width, texts), default=0.0) + _APART
    apart = min((after - before for before, after in pairwise(places)), default=needed)
    every = math.ceil(needed / apart)
    shown = {place for place, number in enumerate(numbers) if round(number / step) % every == 0}
    if len(shown) < 2 <= len(numbers):
        shown = {0, len(numbers) - 1}
    for place, x in enumerate(places):
        picture.line([(x, y), (x, y + 3)], "muted", 0.75)
        if place in shown:
            half = text_width(texts[place]) / 2
            picture.write(min(max(x, half), picture.width - half), y + 13, texts[place], anchor="middle")


def _edge(column: Column, place: int) -> str:
    edge = column.edges[place]
    return _instant(edge, column.edges[-1] - column.edges[0]) if column.is_time else figure(edge)


def _tick(value: float, step: float) -> str:
    """A number with as many digits as tell it from the next one."""
    if not value:
        return "0"
    size = abs(value)
    places = math.floor(math.log10(step) + 1e-9)
    digits = math.floor(math.log10(size)) - places + 1
    if 1e-3 <= size < 1e6:
        text = f"{value:,.{max(0, -places)}f}"
    else:
        units = ((limit, unit) for limit, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M")) if limit <= size < 1e15)
        limit, unit = next(units, (1.0, ""))
        text = f"{value / limit:.{max(6 if unit else 2, digits)}g}{' ' if unit else ''}{unit}"
    return text.replace("-", "\N{MINUS SIGN}")


def _instant(nanoseconds: float, span: float) -> str:
    """A date, with the time of day where all happened within three days."""
    seconds = nanoseconds / 1e9
    if abs(seconds) > 1e15:
        return figure(seconds)
    unit: Literal["m", "D"] = "m" if span < 3 * 86_400e9 else "D"
    return str(np.datetime_as_string(np.datetime64(math.floor(seconds), "s"), unit=unit)).replace("T", " ")


def _bars(column: Column) -> Markup:
    shown = _few_levels(column)
    row, names, size = 20.0, 116.0, 10.0
    numbers = max(46.0, *(5 + text_width(percent(synthetic), size) for *_, synthetic in shown))
    picture = Picture(WIDTH, row * len(shown) + 4)
    largest = max(max(real, synthetic) for _, real, synthetic in shown) or 1.0
    for place, (level, *shares) in enumerate(shown):
        middle = row * place + 12
        real, synthetic = ((WIDTH - names - numbers) * share / largest for share in shares)
        picture.write(names - 6, middle, fitted(level, 16, names - 6), "ink", anchor="end")
        picture.box(names, middle - 7, real, 14, "real-soft")
        picture.box(names, middle - 2.5, synthetic, 5, "synthetic")
        picture.write(names + max(real, synthetic) + 5, middle, percent(shares[1]), size=size)
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

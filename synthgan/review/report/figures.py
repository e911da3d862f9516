"""Pictures of figures: a score with its interval and noise floor, bars with intervals, two figures side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from synthgan.review.report.svg import Picture, fitted, text_width
from synthgan.review.wording import figure

MOST_ROWS = 16
"""Bars of a picture."""

_WIDTH, _NAMES, _FIGURES = 400.0, 136.0, 56.0
_GAP = 7.0
"""Between a bar and its figure."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval, where one is known."""

    value: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """What was found with the synthetic rows, and what it is compared with."""

    label: str
    found: Estimate | None
    compared: Estimate | None


def strip(
    found: Estimate,
    label: str,
    *,
    floor: float | None = None,
    ideal: float | None = None,
    limit: float | None = None,
) -> Markup:
    """A score on its own scale: interval and dot, a diamond for real rows, ticks for ideal and limit."""
    picture = Picture(220, 28)
    points = [found.value, *(found.interval or ()), *(x for x in (floor, ideal, limit) if x is not None)]
    place = _scale(points, 16, 204)
    picture.line([(8, 14), (212, 14)], "grid")
    if ideal is not None:
        picture.line([(place(ideal), 9), (place(ideal), 19)], "muted", 1.25)
    if found.interval is not None:
        picture.line([(place(end), 14) for end in found.interval], "synthetic", 4.5, opacity=0.45)
    if limit is not None:
        picture.line([(place(limit), 5), (place(limit), 23)], "limit", 2)
    if floor is not None:
        picture.diamond(place(floor), 14, "real")
    picture.dot(place(found.value), 14, "synthetic")
    return picture.svg(label)


def bars(rows: Sequence[tuple[str, float]], label: str, unit: str = "") -> Markup:
    """Horizontal bars from zero, in the order given, with the figure at their end."""
    shown = rows[:MOST_ROWS]
    picture = Picture(_WIDTH, 24 * len(shown) + 4)
    place = _scale([0.0, *(value for _, value in shown)], _NAMES, _end([value for _, value in shown], unit))
    zero = place(0.0)
    for row, (name, value) in enumerate(shown):
        middle = 24 * row + 14
        _name(picture, middle, name)
        picture.box(zero, middle - 7, place(value) - zero, 14, "synthetic")
        picture.write(max(place(value), zero) + _GAP, middle, figure(value, unit))
    picture.line([(zero, 2), (zero, picture.height - 2)], "muted", 0.75)
    return picture.svg(label)


def compared_bars(pairs: Sequence[Pair], label: str, *, start: float = 0.0, unit: str = "") -> Markup:
    """Two bars for each row, what was found below what it is compared with, with intervals as whiskers.

    Args:
        pairs: the rows.
        label: what it shows, for those who do not see it.
        start: where the bars begin: the figure of chance.
        unit: "%" or empty.
    """
    shown = pairs[:MOST_ROWS]
    picture = Picture(_WIDTH, 44 * len(shown) + 22)
    estimates = [each for pair in shown for each in (pair.found, pair.compared) if each is not None]
    points = [end for each in estimates for end in (each.value, *(each.interval or ()))]
    place = _scale([start, *points], _NAMES, _end([each.value for each in estimates], unit))
    first = place(start)
    for row, pair in enumerate(shown):
        top = 44 * row + 6
        _name(picture, top + 16, pair.label)
        for y, role, estimate in ((top, "real-soft", pair.compared), (top + 17, "synthetic", pair.found)):
            if estimate is None:
                continue
            end = place(estimate.value)
            picture.box(first, y, end - first, 15, role)
            if estimate.interval is not None:
                ends = [place(point) for point in estimate.interval]
                picture.line([(x, y + 7.5) for x in ends], "ink", 1.5)
                end = max(end, *ends)
            picture.write(max(end, first) + _GAP, y + 7.5, figure(estimate.value, unit))
    picture.line([(first, 2), (first, picture.height - 20)], "muted", 0.75)
    picture.write(first, picture.height - 8, figure(start, unit), anchor="middle")
    return picture.svg(label)


def _name(picture: Picture, y: float, name: str) -> None:
    """The name of a row, before its bar."""
    picture.write(_NAMES - 8, y, fitted(name, 20, _NAMES - 8), "ink", anchor="end")


def _end(values: Sequence[float], unit: str) -> float:
    """Where the longest bar may end, so that the figure behind it stays in the picture."""
    widest = max((text_width(figure(value, unit)) for value in values), default=0.0)
    return _WIDTH - max(_FIGURES, _GAP + widest)


def _scale(points: Sequence[float], left: float, right: float) -> Callable[[float], float]:
    """Places between two pixels for figures between the least and the largest of these."""
    low, high = min(points), max(points)
    span = high / 2 - low / 2  # halves, which cannot overflow
    if span <= 0:
        return lambda _: (left + right) / 2 if low else left
    return lambda value: left + (right - left) * min(max((value / 2 - low / 2) / span, 0.0), 1.0)

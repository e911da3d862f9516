"""Pictures of risk: attacks, and what the privacy budget went to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from synthgan.review.evidence import Curve
from synthgan.review.report.svg import Anchor, Picture, Point
from synthgan.review.wording import figure, percent, short

MOST_CURVES = 8
_PLACES: tuple[tuple[float, Anchor], ...] = (
    *((0.0, "start"), (0.25, "middle"), (0.5, "middle"), (0.75, "middle"), (1.0, "end")),
)
_DASHES = ((), (5, 2), (1.5, 1.5), (6, 2, 1.5, 2))


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the privacy budget.

    Attributes:
        door: 1, 2 or 3; other numbers have no colour of their own.
        mechanism: its name.
        share: of the whole budget.
        releases: how many there were.
    """

    door: int
    mechanism: str
    share: float
    releases: int


def roc_picture(curves: Mapping[int, Curve], title: str) -> Markup:
    """True against false positive rates on logarithmic axes, with the line of chance.

    Args:
        curves: by the number of their line in the legend, below `MOST_CURVES`.
        title: whom the attacks were run on.
    """
    lowest = min((x for curve in curves.values() for x in curve.false_positives if x > 0), default=1e-3)
    decades = min(5, max(2, math.ceil(-math.log10(lowest) - 1e-9)))
    picture = Picture(400, 346)
    left, top, right, base = 52.0, 26.0, 378.0, 300.0

    def at(point: Point) -> Point:
        return left + (right - left) * point[0], base - (base - top) * point[1]

    for power in range(decades, -1, -1):
        rate, share = f"{100 * 10.0**-power:g} %", 1 - power / decades
        x, y = at((share, share))
        picture.line([(x, base), (x, top)], "grid", 0.75)
        picture.line([(left, y), (right, y)], "grid", 0.75)
        picture.write(x, base + 14, rate, anchor="middle")
        picture.write(left - 5, y, rate, anchor="end")
    picture.line([(left, base), (right, base)], "muted", 0.75)
    picture.line([at((0.0, 0.0)), at((1.0, 1.0))], "muted", 1.25, dashes=(2, 2))
    picture.write(4, 10, "True positive rate", "ink")
    picture.write(right, picture.height - 8, "False positive rate", "ink", anchor="end")
    x, y = at((0.62, 0.62))
    picture.write(x + 8, y + 12, "chance")
    for line, curve in curves.items():
        for piece in _within(_steps(curve, decades)):
            picture.line([at(point) for point in piece], f"line-{line}", 1.75, dashes=_DASHES[line % len(_DASHES)])
    return picture.svg(f"{title}: {_at_rates(list(curves.values()))}")


def line_key(line: int) -> Markup:
    """A short piece of the curve with this number, for the legend."""
    picture = Picture(30, 10)
    picture.line([(1, 5), (29, 5)], f"line-{line}", 2, dashes=_DASHES[line % len(_DASHES)])
    return picture.svg("Legend")


def budget_picture(segments: Sequence[Segment]) -> Markup:
    """The budget as one bar: a part for each door's mechanism, and what was not spent."""
    picture = Picture(440, 54)
    start = 0.0
    picture.box(0, 0, picture.width, 32, "empty")
    for segment, shade in zip(segments, shades(segments), strict=True):
        width = min(max(segment.share, 0.0), max(0.0, 1.0 - start))
        picture.box(picture.width * start, 0, max(0.0, picture.width * width - 1.5), 32, shade)
        if width > 0.12:
            text, role = percent(segment.share), "ink" if shade.endswith("b") else "paper"
            picture.write(picture.width * (start + width / 2), 16, text, role, anchor="middle")
        start += width
    for place, anchor in _PLACES:
        picture.write(picture.width * place, 45, f"{100 * place:.0f} %", anchor=anchor)
    spent = "; ".join(f"{segment.mechanism} {percent(segment.share)}" for segment in segments)
    return picture.svg(f"Parts of the privacy budget: {spent}; not spent {percent(max(0.0, 1 - start))}.")


def shades(segments: Sequence[Segment]) -> list[str]:
    """The colour of each part: a door's own for its first mechanism, a lighter one for the others."""
    found: list[str] = []
    for segment in segments:
        door = segment.door if segment.door in (1, 2, 3) else 3
        found.append(f"door-{door}b" if f"door-{door}" in found else f"door-{door}")
    return found


def _steps(curve: Curve, decades: int) -> list[Point]:
    """The corners of a curve of steps that rise at their end: the picture's lowest rate is 0, the rate 1 is 1."""

    def place(rate: float) -> float:
        return 1 + math.log10(max(rate, 10.0 ** -(decades + 1))) / decades

    points = [(place(x), place(y)) for x, y in zip(curve.false_positives, curve.true_positives, strict=True)]
    rises = ([(x, before), (x, y)] for (_, before), (x, y) in pairwise(points))
    return [*points[:1], *(corner for rise in rises for corner in rise)]


def _within(corners: Sequence[Point]) -> list[list[Point]]:
    """The pieces of a line, whose parts go sideways, up or down, that are neither left of 0 nor below it."""
    pieces: list[list[Point]] = []
    is_outside = True
    for ends in pairwise(corners):
        was_outside, is_outside = is_outside, any(max(places) < 0 for places in zip(*ends, strict=True))
        if is_outside:
            continue
        start, end = ((max(x, 0.0), max(y, 0.0)) for x, y in ends)
        pieces += [[start]] if was_outside else []
        pieces[-1].append(end)
    return pieces


def _at_rates(curves: Sequence[Curve]) -> str:
    """The curves in words: true positives at a few rates of false ones."""
    parts = []
    for curve in curves:
        points = list(zip(curve.false_positives, curve.true_positives, strict=True))
        found = [max((y for x, y in points if x <= rate), default=0.0) for rate in (0.01, 0.1)]
        parts.append(
            f"{short(curve.attack, 30)} {figure(100 * found[0])} % at 1 % and {figure(100 * found[1])} % at 10 %"
        )
    return "true positives at a false positive rate of 1 % and 10 %: " + "; ".join(parts) + "."

"""Pictures of risk: attacks, and what the privacy budget went to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from synthgan.review.evidence import Curve
from synthgan.review.report.svg import COLOUR, Picture
from synthgan.review.wording import figure, percent, short

MOST_CURVES = 8
_PLACES: tuple[tuple[float, Literal["left", "center", "right"]], ...] = (
    *((0.0, "left"), (0.25, "center"), (0.5, "center"), (0.75, "center"), (1.0, "right")),
)
_DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))


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


def roc_picture(curves: Mapping[int, Curve], key: str, title: str) -> Markup:
    """True against false positive rates on logarithmic axes, with the line of chance.

    Args:
        curves: by the number of their line in the legend, below `MOST_CURVES`.
        key: unique on the page.
        title: whom the attacks were run on.
    """
    lowest = min((x for curve in curves.values() for x in curve.false_positives if x > 0), default=1e-3)
    decades = min(5, max(2, math.ceil(-math.log10(lowest) - 1e-9)))
    picture = Picture(key, 400, 346)
    axes = picture.axes(50, 26, 22, 46)
    axes.set(xscale="log", yscale="log", xlim=(10.0**-decades, 1), ylim=(10.0**-decades, 1))
    ticks = [10.0**-power for power in range(decades, -1, -1)]
    axes.set_xticks(ticks, [picture.words(_rate(tick)) for tick in ticks])
    axes.set_yticks(ticks, [picture.words(_rate(tick)) for tick in ticks])
    axes.tick_params(axis="x", pad=8)
    axes.minorticks_off()
    axes.grid(color=COLOUR["grid"], linewidth=0.75)
    axes.set_axisbelow(True)
    axes.plot(ticks, ticks, color=COLOUR["muted"], linewidth=1.25, linestyle=(0, (2, 2)))
    picture.write(4, 10, "True positive rate", "ink")
    picture.write(picture.width - 22, picture.height - 8, "False positive rate", "ink", anchor="right")
    along = 0.62
    picture.write(50 + along * 328 + 8, 26 + (1 - along) * 274 + 12, "chance")
    floor = 10.0 ** -(decades + 1)
    for line, curve in curves.items():
        axes.step(
            [max(x, floor) for x in curve.false_positives],
            [max(y, floor) for y in curve.true_positives],
            where="post",
            color=COLOUR[f"line-{line}"],
            linewidth=1.75,
            linestyle=_DASHES[line % len(_DASHES)],
        )
    return picture.svg(f"{title}: {_at_rates(list(curves.values()))}")


def line_key(line: int, key: str) -> Markup:
    """A short piece of the curve with this number, for the legend."""
    picture = Picture(key, 30, 10)
    picture.line([(1, 5), (29, 5)], f"line-{line}", 2, dashes=_DASHES[line % len(_DASHES)])
    return picture.svg("Legend")


def budget_picture(segments: Sequence[Segment], key: str) -> Markup:
    """The budget as one bar: a part for each door's mechanism, and what was not spent."""
    picture = Picture(key, 440, 54)
    start = 0.0
    picture.box(0, 0, picture.width, 32, "empty")
    for segment, shade in zip(segments, shades(segments), strict=True):
        width = min(max(segment.share, 0.0), max(0.0, 1.0 - start))
        picture.box(picture.width * start, 0, max(0.0, picture.width * width - 1.5), 32, shade)
        if width > 0.12:
            text, role = percent(segment.share), "ink" if shade.endswith("b") else "paper"
            picture.write(picture.width * (start + width / 2), 16, text, role, anchor="center")
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


def _rate(rate: float) -> str:
    return f"{100 * rate:g} %"


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

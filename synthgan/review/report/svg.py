"""One picture as SVG within the page, which gives it colours and font.

The page forbids inline styles, so every style is an attribute. Colours are roles: an attribute names the page's
variable, which the page sets for light, dark and print. No element has an id, so pictures cannot disturb each other.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Literal

from markupsafe import Markup, escape

from synthgan.review.wording import harmless, short

ROLES = (
    *("ink", "muted", "grid", "paper", "real", "real-soft", "synthetic", "holdout", "limit", "empty"),
    *(f"heat-{step}" for step in range(9)),
    *(f"line-{line}" for line in range(8)),
    *(f"door-{door}{shade}" for door in (1, 2, 3) for shade in ("", "b")),
)
"""Names of the colours; the style sheet has a variable for each."""

FONT_SIZE = 11.0
"""Of labels, in pixels of the picture."""

Point = tuple[float, float]
Anchor = Literal["start", "middle", "end"]

_WIDTHS = {
    character: width
    for width, characters in {
        0.3: "'IJijl", 0.35: " ,./:;\\f|\N{NO-BREAK SPACE}", 0.4: "!()-[]t", 0.45: '"r', 0.5: "*_`\N{EN DASH}",
        0.55: "?Lcsz", 0.6: "FPkvxy", 0.65: "$0123456789EKSTYabdeghnopqu{}", 0.7: "ABCRVXZ", 0.75: "HNU", 0.8: "&DGOQ",
        0.85: "#+<=>^w~\N{MINUS SIGN}", 0.9: "M", 0.95: "%", 1.0: "@Wm\N{HORIZONTAL ELLIPSIS}",
    }.items()
    for character in characters
}  # fmt: skip
"""Of characters, in sizes of the font: those of DejaVu Sans, wider than which no font of the page is."""

_HALF_LETTER = 0.36
"""Height of the middle of a small letter above the line it stands on, in sizes of the font."""

_DIAMOND, _DOT = 5.0, 3.5


def text_width(text: str, size: float = FONT_SIZE) -> float:
    """About how many pixels a text takes, rather too many than too few."""
    return size * sum(_WIDTHS.get(character) or _width(character) for character in text)


def fitted(text: str, most: int, pixels: float, size: float = FONT_SIZE) -> str:
    """A name of at most ``most`` characters, and of fewer where they would take more than these pixels."""
    lengths = range(most, 3, -1)
    return next((name for n in lengths if text_width(name := short(text, n), size) <= pixels), short(text, 3))


class Picture:
    """A picture of ``width`` by ``height`` pixels; the page scales it. Places are counted from the left and the top."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self._elements: list[Markup] = []

    def write(
        self,
        x: float,
        y: float,
        text: str,
        role: str = "muted",
        *,
        anchor: Anchor = "start",
        size: float = FONT_SIZE,
        upwards: bool = False,
    ) -> None:
        """A line of text, its middle at ``y``; ``upwards`` turns it by a right angle, its middle at ``x``."""
        shift = _HALF_LETTER * size
        place = (x + shift, y) if upwards else (x, y + shift)
        left, top = map(_pixels, place)
        self._add(
            "text",
            {
                "x": left,
                "y": top,
                "fill": _colour(role),
                "font-size": "" if size == FONT_SIZE else _pixels(size),
                "text-anchor": "" if anchor == "start" else anchor,
                "transform": f"rotate(-90 {left} {top})" if upwards else "",
            },
            harmless(text),
        )

    def box(self, x: float, y: float, width: float, height: float, role: str) -> None:
        """A filled rectangle; a negative width goes to the left."""
        left = min(x, x + width)
        size = {"width": _pixels(abs(width)), "height": _pixels(height)}
        self._add("rect", {"x": _pixels(left), "y": _pixels(y), **size, "fill": _colour(role)})

    def line(
        self,
        points: Sequence[Point],
        role: str,
        width: float = 1.0,
        *,
        dashes: Sequence[float] = (),
        opacity: float = 1.0,
    ) -> None:
        """A line through points; ``dashes`` are lengths of dashes and gaps, in widths of the line."""
        self._add(
            "path",
            {
                "d": _path(points),
                "fill": "none",
                "stroke": _colour(role),
                "stroke-width": "" if width == 1 else f"{width:g}",
                "stroke-dasharray": " ".join(_pixels(width * length) for length in dashes),
                "stroke-opacity": "" if opacity == 1 else f"{opacity:g}",
            },
        )

    def area(self, points: Sequence[Point], role: str) -> None:
        """A filled polygon."""
        self._add("path", {"d": f"{_path(points)}Z", "fill": _colour(role)})

    def dot(self, x: float, y: float, role: str) -> None:
        """A dot around a place."""
        self._add("circle", {"cx": _pixels(x), "cy": _pixels(y), "r": _pixels(_DOT), "fill": _colour(role)})

    def diamond(self, x: float, y: float, role: str) -> None:
        """A hollow diamond around a place."""
        corners = [(x, y - _DIAMOND), (x + _DIAMOND, y), (x, y + _DIAMOND), (x - _DIAMOND, y)]
        style = {"fill": _colour("paper"), "stroke": _colour(role), "stroke-width": "1.75"}
        self._add("path", {"d": f"{_path(corners)}Z", **style})

    def svg(self, label: str) -> Markup:
        """The picture for the page.

        Args:
            label: what it shows, for those who do not see it.
        """
        width, height = _pixels(self.width), _pixels(self.height)
        return _element(
            "svg",
            {
                "viewBox": f"0 0 {width} {height}",
                "width": width,
                "height": height,
                "role": "img",
                "aria-label": harmless(label),
                "font-size": _pixels(FONT_SIZE),
            },
            Markup("").join(self._elements),
        )

    def _add(self, tag: str, attributes: dict[str, str], text: str = "") -> None:
        self._elements.append(_element(tag, attributes, text))


def _element(tag: str, attributes: dict[str, str], content: str) -> Markup:
    """An element; attributes that are empty are left out. Whatever is not markup yet is escaped here."""
    listed = "".join(f' {name}="{escape(value)}"' for name, value in attributes.items() if value)
    return Markup(f"<{tag}{listed}>{escape(content)}</{tag}>" if content else f"<{tag}{listed}/>")


def _colour(role: str) -> str:
    return f"var(--{role})"


def _pixels(value: float) -> str:
    """A number with a tenth of a pixel."""
    return f"{round(value, 1) + 0.0:.1f}".removesuffix(".0")


def _path(points: Sequence[Point]) -> str:
    """Straight lines through points, short where they go sideways, up or down."""
    places = [(_pixels(x), _pixels(y)) for x, y in points]
    words: list[str] = []
    before = ("", "")
    for x, y in places:
        if not words:
            words.append(f"M{x} {y}")
        elif y == before[1]:
            words += [f"H{x}"] if x != before[0] else []
        else:
            words.append(f"V{y}" if x == before[0] else f"L{x} {y}")
        before = (x, y)
    return "".join(words)


def _width(character: str) -> float:
    if unicodedata.combining(character) or unicodedata.category(character) == "Cf":
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return 1.3 if unicodedata.category(character) == "So" else 1.05
    return 0.85

"""One picture: drawn by matplotlib, written as SVG that takes its colours and fonts from the page around it.

The page forbids inline styles, so every style becomes an attribute. Colours are roles: matplotlib draws each in a
colour that stands for it, and the attribute names the page's variable, which the page sets for light, dark and print.
Texts never pass through matplotlib: it draws a placeholder, so that no name is read as mathematics or lacks a glyph.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal
from xml.etree import ElementTree

from markupsafe import Markup, escape

from synthgan.review.wording import harmless

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

ROLES = (
    *("ink", "muted", "grid", "paper", "real", "real-soft", "synthetic", "holdout", "limit", "empty"),
    *(f"heat-{step}" for step in range(9)),
    *(f"line-{line}" for line in range(8)),
    *(f"door-{door}{shade}" for door in (1, 2, 3) for shade in ("", "b")),
)
"""Names of the colours; the style sheet has a variable for each."""

COLOUR = {role: f"#{index:02x}5a01" for index, role in enumerate(ROLES, 1)}
"""The colour that stands for each role while matplotlib draws."""

FONT_SIZE = 11.0
"""Of labels, in pixels of the picture."""

_VARIABLE = {colour: f"var(--{role})" for role, colour in COLOUR.items()}
_STYLES = {
    *("fill", "fill-opacity", "opacity", "stroke", "stroke-dasharray", "stroke-linecap", "stroke-linejoin"),
    *("stroke-opacity", "stroke-width", "text-anchor", "font-size", "font-weight"),
}
_ATTRIBUTES = {"d", "x", "y", "width", "height", "transform", "clip-path"}
_TAGS = {"g", "path", "use", "defs", "clipPath", "rect", "text"}
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
_PLACEHOLDER = re.compile(r"<<(\d+)>>")
_NUMBER = re.compile(r"-?\d+\.\d+")


@contextmanager
def house_style() -> Iterator[None]:
    """Matplotlib's own defaults and ours, whatever the user has set; to be held while pictures are drawn."""
    from matplotlib import style

    ours: dict[str, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": "synthgan",
        "text.usetex": False,
        "text.parse_math": False,
        "axes.unicode_minus": True,
        "font.size": FONT_SIZE,
        "path.simplify": True,
    }
    with warnings.catch_warnings(), style.context(["default", ours]):
        warnings.simplefilter("ignore")  # odd figures make odd axes; the page has the figures as text
        yield


class Picture:
    """A picture of ``width`` by ``height`` pixels; the page scales it.

    Args:
        key: unique on the page; a prefix of the ids within.
        width: in pixels.
        height: in pixels.
    """

    def __init__(self, key: str, width: float, height: float) -> None:
        from matplotlib.figure import Figure

        self.key = re.sub(r"[^a-z0-9-]", "", key)
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width / 72, height / 72), dpi=72, facecolor="none")
        self._words: list[str] = []

    def axes(self, left: float, top: float, right: float, bottom: float) -> Axes:
        """Axes within these margins, in pixels, with nothing but a light base line."""
        axes = self.figure.add_axes(
            (
                left / self.width,
                bottom / self.height,
                (self.width - left - right) / self.width,
                (self.height - top - bottom) / self.height,
            ),
            facecolor="none",
        )
        for side in ("left", "right", "top"):
            axes.spines[side].set_visible(False)
        axes.spines["bottom"].set(color=COLOUR["muted"], linewidth=0.75)
        axes.tick_params(length=0, pad=4, labelsize=FONT_SIZE, labelcolor=COLOUR["muted"])
        axes.minorticks_off()
        return axes

    def words(self, text: str) -> str:
        """A placeholder that becomes this text in the picture."""
        self._words.append(harmless(text))
        return f"<<{len(self._words) - 1}>>"

    def write(
        self,
        x: float,
        y: float,
        text: str,
        role: str = "muted",
        *,
        anchor: Literal["left", "center", "right"] = "left",
        size: float = FONT_SIZE,
        upwards: bool = False,
    ) -> None:
        """A line of text, its middle at ``y`` pixels from the top; ``upwards`` turns it by a right angle."""
        from matplotlib.text import Text

        # Beside the middle by a third of the size, as of a small letter: the placeholder has another height.
        shift = 0.36 * size
        place = (x + shift, self.height - y) if upwards else (x, self.height - y - shift)
        self._add(
            Text(
                *place, self.words(text), color=COLOUR[role], fontsize=size, ha=anchor, va="baseline",
                rotation=90 if upwards else 0, rotation_mode="anchor",
            )
        )  # fmt: skip

    def box(self, x: float, y: float, width: float, height: float, role: str) -> None:
        """A filled rectangle, ``x`` and ``y`` from the left and the top; a negative width goes to the left."""
        from matplotlib.patches import Rectangle

        self._add(Rectangle((x, self.height - y - height), width, height, color=COLOUR[role], linewidth=0))

    def line(
        self,
        points: Sequence[tuple[float, float]],
        role: str,
        width: float = 1.0,
        *,
        dashes: Any = "-",
        opacity: float | None = None,
    ) -> None:
        """A line through points, each from the left and the top."""
        from matplotlib.lines import Line2D

        xs, ys = [x for x, _ in points], [self.height - y for _, y in points]
        self._add(
            Line2D(
                xs, ys, color=COLOUR[role], linewidth=width, linestyle=dashes, alpha=opacity, solid_capstyle="butt",
                solid_joinstyle="miter",
            )
        )  # fmt: skip

    def area(self, points: Sequence[tuple[float, float]], role: str) -> None:
        """A filled polygon, its points from the left and the top."""
        from matplotlib.patches import Polygon

        self._add(Polygon([(x, self.height - y) for x, y in points], closed=True, color=COLOUR[role], linewidth=0))

    def mark(self, x: float, y: float, role: str, *, diamond: bool = False) -> None:
        """A dot, or a hollow diamond."""
        from matplotlib.lines import Line2D

        fill = COLOUR["paper" if diamond else role]
        self._add(
            Line2D(
                [x], [self.height - y], marker="D" if diamond else "o", markersize=7, markerfacecolor=fill,
                markeredgecolor=COLOUR[role], markeredgewidth=1.75 if diamond else 0, linestyle="none",
            )
        )  # fmt: skip

    def _add(self, artist: Artist) -> None:
        from matplotlib.transforms import IdentityTransform

        artist.set_transform(IdentityTransform())
        self.figure.add_artist(artist)

    def svg(self, label: str) -> Markup:
        """The picture for the page.

        Args:
            label: what it shows, for those who do not see it.
        """
        from matplotlib.backends.backend_svg import FigureCanvasSVG

        written = io.BytesIO()
        canvas = FigureCanvasSVG(self.figure)
        canvas.print_svg(written, metadata=_NO_METADATA)  # type: ignore[no-untyped-call]
        inner = "".join(self._markup(child) for child in ElementTree.fromstring(written.getvalue()))
        return Markup(
            '<svg viewBox="0 0 {:g} {:g}" width="{:g}" height="{:g}" role="img" aria-label="{}">{}</svg>'
        ).format(self.width, self.height, self.width, self.height, harmless(label), Markup(inner))

    def _markup(self, element: ElementTree.Element) -> str:
        tag = element.tag.rpartition("}")[2]
        if tag not in _TAGS:
            return ""
        attributes = self._attributes(element, tag)
        inner = "".join(self._markup(child) for child in element)
        if tag == "text":
            inner = str(escape(_PLACEHOLDER.sub(lambda match: self._words[int(match[1])], element.text or "")))
        if not inner and tag in ("g", "defs", "text"):
            return ""
        if tag == "g" and not attributes:
            return inner
        if tag == "path" and attributes.get("fill") == "none" == attributes.get("stroke", "none"):
            return ""
        listed = "".join(f' {name}="{escape(value)}"' for name, value in attributes.items())
        return f"<{tag}{listed}>{inner}</{tag}>"

    def _attributes(self, element: ElementTree.Element, tag: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, value in element.attrib.items():
            plain = name.rpartition("}")[2]
            if plain == "href":
                found["href"] = f"#{self.key}-{value.removeprefix('#')}"
            elif plain == "clip-path":
                found["clip-path"] = value.replace("url(#", f"url(#{self.key}-")
            elif plain == "id" and tag in ("path", "clipPath"):
                found["id"] = f"{self.key}-{value}"
            elif plain == "style":
                found |= _styles(value)
            elif plain in _ATTRIBUTES and not value.startswith("rotate(-0 "):
                found[plain] = _rounded(value)
        return found


def _styles(style: str) -> dict[str, str]:
    """A style as attributes, colours as the page's variables."""
    pairs = (part.split(":", 1) for part in style.split(";") if ":" in part)
    found = {name.strip(): value.strip() for name, value in pairs}
    kept = {name: _VARIABLE.get(value, value) for name, value in found.items() if name in _STYLES}
    if "font-size" in kept:
        kept["font-size"] = kept["font-size"].removesuffix("px")
    return kept


def _rounded(value: str) -> str:
    """Numbers with a tenth of a pixel, on one line."""
    short = _NUMBER.sub(lambda match: f"{float(match[0]):.1f}".removesuffix(".0"), value)
    return " ".join(short.split())

"""Pictures written as SVG: what an element is, how wide a text is, and that names from data stay texts."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthgan.review.report.svg import Picture, fitted, text_width
from synthgan.review.wording import harmless


def drawing(*, text: str = "a & b", label: str = "what it shows") -> str:
    picture = Picture(100, 40.04)
    picture.box(50, 2, -20, 10, "real")
    picture.line([(0, 1), (5, 1), (5, 9.96), (7, 3), (7, 3)], "grid", 2, dashes=(5, 2), opacity=0.45)
    picture.area([(0, 0), (1, 0), (1, 1)], "real-soft")
    picture.dot(3, 4, "synthetic")
    picture.diamond(10, 10, "real")
    picture.write(1, 10, text, "ink")
    picture.write(20, 30, text, anchor="end", size=10, upwards=True)
    return str(picture.svg(label))


def test_every_element_is_what_was_drawn() -> None:
    assert drawing() == (
        '<svg viewBox="0 0 100 40" width="100" height="40" role="img" aria-label="what it shows" font-size="11">'
        '<rect x="30" y="2" width="20" height="10" fill="var(--real)"/>'
        '<path d="M0 1H5V10L7 3" fill="none" stroke="var(--grid)" stroke-width="2" stroke-dasharray="10 4" '
        'stroke-opacity="0.45"/>'
        '<path d="M0 0H1V1Z" fill="var(--real-soft)"/>'
        '<circle cx="3" cy="4" r="3.5" fill="var(--synthetic)"/>'
        '<path d="M10 5L15 10L10 15L5 10Z" fill="var(--paper)" stroke="var(--real)" stroke-width="1.75"/>'
        '<text x="1" y="14" fill="var(--ink)">a &amp; b</text>'
        '<text x="23.6" y="30" fill="var(--muted)" font-size="10" text-anchor="end" '
        'transform="rotate(-90 23.6 30)">a &amp; b</text></svg>'
    )


@given(
    text=st.text(max_size=40) | st.sampled_from(["</text><script>", '"><a href="x">', "]]>", "<!--", "&lt;", "{{1}}"])
)
def test_any_text_is_valid_xml_and_comes_back_as_it_is_shown(text: str) -> None:
    root = ElementTree.fromstring(drawing(text=text, label=text))
    assert [each.text or "" for each in root.iter("text")] == [harmless(text)] * 2
    assert root.attrib.get("aria-label", "") == harmless(text)
    assert {each.tag for each in root.iter()} == {"svg", "rect", "path", "circle", "text"}


@pytest.mark.parametrize(
    ("value", "written"), [(-0.04, "0"), (0.05, "0.1"), (-3, "-3"), (1 / 3, "0.3"), (1e6, "1000000")]
)
def test_numbers_have_a_tenth_of_a_pixel(value: float, written: str) -> None:
    picture = Picture(9, 9)
    picture.dot(value, 0, "real")
    (circle,) = ElementTree.fromstring(picture.svg("x")).iter("circle")
    assert circle.attrib["cx"] == written


def test_widths_of_texts() -> None:
    assert text_width("") == 0
    assert text_width("WWW", 10) == 30
    assert text_width("il", 10) == 6
    assert text_width("e\N{COMBINING ACUTE ACCENT}", 10) == text_width("e", 10)
    assert text_width("\u4e2d", 10) == 10.5


@given(name=st.text(max_size=60), most=st.integers(4, 30), pixels=st.floats(45, 200))
def test_a_name_is_cut_until_it_fits(name: str, most: int, pixels: float) -> None:
    shown = fitted(name, most, pixels)
    assert text_width(shown) <= pixels
    assert 0 < len(shown) <= most or shown == "(e\N{HORIZONTAL ELLIPSIS}"


def test_a_name_that_fits_stays_whole() -> None:
    assert fitted("education", 15, 92) == "education"
    assert fitted("W" * 20, 20, 128) == "WWWWWWWW\N{HORIZONTAL ELLIPSIS}WW"
    assert fitted("a" * 30, 10, 1000) == "aaaaaaa\N{HORIZONTAL ELLIPSIS}aa"

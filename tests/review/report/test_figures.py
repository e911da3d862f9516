"""The pictures of the report at their extremes: everything lies within them, and axes have round numbers."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from synthgan.review.evidence import Column, Curve, Pairs
from synthgan.review.report.figures import MOST_ROWS, Estimate, Pair, bars, compared_bars, strip
from synthgan.review.report.figures_columns import _heights, column_picture, heat_scale, heatmap, ticks
from synthgan.review.report.figures_risk import Segment, budget_picture, line_key, roc_picture
from synthgan.review.report.svg import FONT_SIZE, text_width

HUGE = 1.7e308
NUMBERS = {
    "one": [3.0],
    "equal": [2.0, 2.0, 2.0],
    "nothing": [0.0, 0.0],
    "negative": [-5.0, -1e-9, -123_456.789],
    "both signs": [-1.0, 2.0],
    "huge and tiny": [HUGE, -HUGE, 5e-324, 1e-300, 0.0],
    "sixty": [float(number) for number in range(60)],
    "none": [],
}
NAMES = ("W" * 60, "</text><script>alert(1)</script>", '"><img onerror=x>', "\u4e2d\u6587" * 30, "", "a\x00\u202eb")


def inside(picture: Markup) -> ElementTree.Element:
    """The picture, once it is sure that it is valid, acts nowhere, and that nothing lies outside of it."""
    root = ElementTree.fromstring(picture)
    left, top, width, height = map(float, root.attrib["viewBox"].split())
    assert (left, top) == (0, 0)
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"]
    for element in root:
        for x, y in places(element):
            assert -0.051 <= x <= width + 0.051, (element.tag, element.attrib)
            assert -0.051 <= y <= height + 0.051, (element.tag, element.attrib)
    return root


def places(element: ElementTree.Element) -> list[tuple[float, float]]:
    """Corners of what an element covers, without the width of its line."""
    number = {name: float(value) for name, value in element.attrib.items() if re.fullmatch(r"-?[\d.]+", value)}
    if element.tag == "rect":
        assert min(number["width"], number["height"]) >= 0
        return [(number["x"], number["y"]), (number["x"] + number["width"], number["y"] + number["height"])]
    if element.tag == "circle":
        return [(number["cx"] + side * number["r"], number["cy"] + side * number["r"]) for side in (-1, 1)]
    if element.tag == "path":
        return corners(element.attrib["d"])
    assert element.tag == "text"
    size = number.get("font-size", FONT_SIZE)
    width = text_width(element.text or "", size)
    before = {"start": 0.0, "middle": width / 2, "end": width}[element.attrib.get("text-anchor", "start")]
    x, y = number["x"], number["y"]
    if "transform" in element.attrib:
        return [(x - 0.8 * size, y + before), (x + 0.2 * size, y + before - width)]
    return [(x - before, y - 0.8 * size), (x - before + width, y + 0.2 * size)]


def corners(path: str) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    for letter, numbers in re.findall(r"([MLHVZ])([-\d. ]*)", path):
        values = [float(number) for number in numbers.split()]
        if letter in "ML":
            found.append((values[0], values[1]))
        elif letter == "H":
            found.append((values[0], found[-1][1]))
        elif letter == "V":
            found.append((found[-1][0], values[0]))
    assert re.fullmatch(r"(?:[MLHVZ][-\d. ]*)+", path)
    return found


def texts(picture: Markup) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(picture).iter("text")]


@pytest.mark.parametrize("case", NUMBERS)
def test_bars_stay_within(case: str) -> None:
    rows = [(NAMES[place % len(NAMES)], value) for place, value in enumerate(NUMBERS[case])]
    for unit in ("", "%"):
        root = inside(bars(rows, "label", unit))
        assert len(root.findall("rect")) == min(len(rows), MOST_ROWS)
    pairs = [Pair(name, Estimate(value, (value, HUGE)), Estimate(-value) if value else None) for name, value in rows]
    inside(compared_bars(pairs, "label", start=0.5, unit="%"))


def test_bars_are_as_long_as_their_figures() -> None:
    root = inside(bars([("a", 4.0), ("b", 1.0), ("c", -2.0)], "label"))
    places = [(float(each.attrib["x"]), float(each.attrib["width"])) for each in root.findall("rect")]
    # 208 pixels for 6 units, zero after two of them
    zero = 136 + 208 / 3
    assert places == [pytest.approx(each, abs=0.051) for each in ((zero, 416 / 3), (zero, 104 / 3), (136, 208 / 3))]
    assert texts(bars([("a", 4.0)], "label", "%")) == ["a", "4.00\N{NO-BREAK SPACE}%"]


@given(numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=6, max_size=6))
def test_a_strip_stays_within(numbers: list[float]) -> None:
    value, low, high, floor, ideal, limit = numbers
    inside(strip(Estimate(value, (low, high)), "label", floor=floor, ideal=ideal, limit=limit))
    inside(strip(Estimate(value), "label"))


def numeric(edges: list[float], real: list[float], *, is_time: bool = False) -> Column:
    shares = {"real": tuple(real), "synthetic": tuple(real[::-1]), "holdout": tuple(real)}
    return Column("x" * 90, "numeric", tuple(edges), is_time, (), shares, {}, None)


def categorical(levels: list[str], real: list[float]) -> Column:
    return Column(
        "</svg>", "categorical", (), False, tuple(levels), {"real": tuple(real), "synthetic": tuple(real)}, {}, 1
    )


@pytest.mark.parametrize(
    "edges",
    [
        *([0.0, 1.0], [-HUGE, 0.0, HUGE], [0.0, 5e-324], [1e300, 1.5e300], [-3e-12, 2e-12], [-2e6 - 1e-2, -2e6]),
        *([123_456.000_001, 123_456.000_009], [0.0, 999_999_999.0], [-0.5, 0.5, 1.5], [-1e14, -1.0]),
    ],
)
def test_distributions_stay_within(edges: list[float]) -> None:
    bins = len(edges) - 1
    for real in ([1 / bins] * bins, [1.0] + [0.0] * (bins - 1), [0.0] * bins):
        root = inside(column_picture(numeric(edges, real)))
        written = [element for element in root if element.tag == "text"]
        spans = sorted((min(x for x, _ in places(each)), max(x for x, _ in places(each))) for each in written)
        assert all(after[0] - before[1] > 5 for before, after in pairwise(spans))
        assert len({each.text for each in written}) == len(written) >= 2
    inside(column_picture(numeric(edges, [1 / bins] * bins, is_time=True)))


@pytest.mark.parametrize("n", [1, 2, 12, 60])
def test_levels_stay_within(n: int) -> None:
    levels = [NAMES[place % len(NAMES)] + str(place) for place in range(n)]
    root = inside(column_picture(categorical(levels, [1.0] + [0.0] * (n - 1))))
    assert len(root.findall("rect")) == 2 * min(n, 12)
    inside(column_picture(categorical(levels, [0.0] * n)))


@pytest.mark.parametrize("n", [1, 2, 16, 60])
def test_heatmaps_stay_within(n: int) -> None:
    values = [[None if i in (j, 1) else i / n for j in range(n)] for i in range(n)]
    pairs = Pairs(tuple(NAMES[place % len(NAMES)] for place in range(n)), values, values, values)
    root = inside(heatmap(pairs, values, 1.0, "label"))
    assert len(root.findall("rect")) == n * n - n
    for most in ("1", "100.0\N{NO-BREAK SPACE}%", "1.23e+300"):
        inside(heat_scale(most, f"\N{MINUS SIGN}{most}"))


def test_the_largest_value_is_the_darkest() -> None:
    values: list[list[float | None]] = [[None, 1.0], [0.0, None]]
    picture = heatmap(Pairs(("a", "b"), values, values, values), values, 1.0, "label")
    assert [each.attrib["fill"] for each in ElementTree.fromstring(picture).iter("rect")] == [
        "var(--heat-8)",
        "var(--heat-0)",
    ]


RATES = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=30).map(sorted)


@given(points=RATES, line=st.integers(0, 7))
def test_curves_stay_within(points: list[tuple[float, float]], line: int) -> None:
    curve = Curve(NAMES[1], tuple(x for x, _ in points), tuple(y for _, y in points))
    root = inside(roc_picture({line: curve}, "Random records"))
    # the frame of 52 to 378 by 26 to 300 holds the curves
    drawn = [each for each in root.findall("path") if each.attrib["stroke"] == f"var(--line-{line})"]
    for x, y in (corner for each in drawn for corner in corners(each.attrib["d"])):
        assert 52 <= x <= 378
        assert 26 <= y <= 300


def test_a_curve_is_a_staircase_on_logarithmic_axes() -> None:
    curve = Curve("attack", (0.0, 0.01, 0.1, 1.0), (0.0, 0.1, 0.1, 1.0))
    root = inside(roc_picture({0: curve}, "Random records"))
    (path,) = [each.attrib["d"] for each in root.findall("path") if each.attrib["stroke"] == "var(--line-0)"]
    # two decades, each 163 by 137 pixels: up at 1 % to 10 %, along to 100 %, up to 100 %
    assert path == "M52 300V163H215H378V26"
    assert texts(roc_picture({}, "none"))[:2] == ["0.1 %", "0.1 %"]
    inside(line_key(3))


@pytest.mark.parametrize("shares", [[], [1.0], [0.5, 0.5], [2.0, 3.0], [-1.0, 0.0], [1 / 60] * 60, [HUGE]])
def test_budgets_stay_within(shares: list[float]) -> None:
    segments = [Segment(place % 4, NAMES[place % len(NAMES)], share, 1) for place, share in enumerate(shares)]
    inside(budget_picture(segments))


SPANS = st.tuples(
    st.floats(-1e12, 1e12) | st.floats(-1, 1) | st.just(0.0), st.floats(1e-12, 1e15) | st.floats(1, 100)
).filter(lambda pair: pair[1] > 1e-8 * abs(pair[0]))


@given(pair=SPANS)
def test_ticks_are_three_to_eight_round_numbers_over_the_whole_range(pair: tuple[float, float]) -> None:
    low, high = pair[0], pair[0] + pair[1]
    step, numbers = ticks(low, high)
    assert re.fullmatch(r"[125]e[+-]\d+", f"{step:.0e}")
    assert step == pytest.approx(float(f"{step:.0e}"), rel=1e-12)
    assert 3 <= len(numbers) <= 8
    near = 1e-6 * step + 1e-15 * max(abs(low), abs(high))
    assert low - near <= numbers[0] < low + step + near
    assert high - step - near < numbers[-1] <= high + near
    assert [after - before for before, after in pairwise(numbers)] == pytest.approx(
        [step] * (len(numbers) - 1), rel=1e-6
    )
    assert all(abs(number / step - round(number / step)) < 1e-5 for number in numbers)


@pytest.mark.parametrize(
    ("low", "high", "step", "numbers"),
    [
        (0.0, 1.0, 0.5, [0.0, 0.5, 1.0]),
        (0.0, 0.3, 0.1, [0.0, 0.1, 0.2, 0.3]),
        (17.0, 90.0, 20.0, [20.0, 40.0, 60.0, 80.0]),
        (-7.0, 7.0, 5.0, [-5.0, 0.0, 5.0]),
        (0.9, 15.9, 5.0, [5.0, 10.0, 15.0]),
    ],
)
def test_ticks_by_hand(low: float, high: float, step: float, numbers: list[float]) -> None:
    assert ticks(low, high) == (step, numbers)


def test_few_whole_numbers_are_marked_by_whole_numbers() -> None:
    assert ticks(-0.5, 1.5, whole=True) == (1.0, [0.0, 1.0])
    assert ticks(-0.5, 19.5, whole=True) == (5.0, [0.0, 5.0, 10.0, 15.0])
    assert texts(column_picture(numeric([-0.5, 0.5, 1.5], [0.6, 0.4]))) == ["0", "1"]


@pytest.mark.parametrize(
    ("edges", "written"),
    [
        ([12_285.0, 1_484_705.0], ["400,000", "800,000", "1.2 M"]),
        ([0.0, 1e-12], ["0", "5e\N{MINUS SIGN}13", "1e\N{MINUS SIGN}12"]),
        ([-2e6 - 1e-2, -2e6], ["\N{MINUS SIGN}2.00000001 M", "\N{MINUS SIGN}2.000000005 M", "\N{MINUS SIGN}2 M"]),
        ([0.25, 0.45], ["0.25", "0.30", "0.35", "0.40", "0.45"]),
    ],
)
def test_numbers_below_a_distribution(edges: list[float], written: list[str]) -> None:
    assert texts(column_picture(numeric(edges, [1.0]))) == written


def test_bins_that_are_not_equally_wide_are_drawn_as_densities() -> None:
    assert _heights([0.0, 0.5, 1.0], [0.2, 0.8]) == [0.2, 0.8]
    assert _heights([0.0, 0.2, 1.0], [0.2, 0.8]) == pytest.approx([1.0, 1.0])


def test_the_same_figures_give_the_same_bytes() -> None:
    def all_pictures() -> list[Any]:
        return [
            bars([("a", 1.0)], "x"),
            column_picture(numeric([0.0, 1.0, 5.0], [0.2, 0.8])),
            column_picture(categorical(["a"], [1.0])),
            roc_picture({0: Curve("a", (0.0, 1.0), (0.0, 1.0))}, "x"),
        ]

    assert all_pictures() == all_pictures()

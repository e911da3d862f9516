"""The report in a real browser: Debian's Chromium through Playwright."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from synthgan.review.gates import apply
from synthgan.review.policy_file import default_policy
from synthgan.review.report.page import render_report
from tests import review_samples as samples

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

FIGURES = """() => [...document.querySelectorAll('figure svg, td svg[role=img]')].map(svg => {
    const box = svg.getBoundingClientRect();
    return [box.width, box.height, box.left, box.right, svg.querySelectorAll('path, rect, circle').length];
})"""
OPEN_ALL = "() => document.querySelectorAll('details').forEach(details => { details.open = true; })"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("report") / "report.html"
    found.write_text(render_report(**samples.arguments()), encoding="utf-8")
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield started
        started.close()


class Visit:
    """A page that is open, what it asked for and what it complained of."""

    def __init__(self, browser: Any, path: Path, width: int = 1200, scheme: str = "light") -> None:
        self.asked: list[str] = []
        self.complaints: list[str] = []
        self.page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(path.as_uri())

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_: object) -> None:
        self.page.close()


@pytest.mark.parametrize(("width", "scheme"), [(1200, "light"), (1200, "dark"), (360, "light"), (360, "dark")])
def test_it_opens_without_complaint_and_shows_every_figure(browser: Any, path: Path, width: int, scheme: str) -> None:
    with Visit(browser, path, width, scheme) as visit:
        assert visit.asked == [path.as_uri()]
        visit.page.evaluate(OPEN_ALL)
        figures = visit.page.evaluate(FIGURES)
        assert len(figures) > 40
        for box_width, height, left, right, marks in figures:
            assert box_width > 50
            assert height > 10
            assert left >= 0
            assert marks > 0
            assert right <= width
        inner, whole = visit.page.evaluate("() => [window.innerWidth, document.documentElement.scrollWidth]")
        assert whole <= inner == width
        assert visit.complaints == []


def test_the_policy_stops_what_an_attacker_would_add(browser: Any, path: Path, tmp_path: Path) -> None:
    """The control: the watch does see a complaint, and the policy does hold."""
    added = (
        '<img src="https://example.invalid/x.png"><script>document.title = "owned"</script><p style="color: red">x</p>'
    )
    bad = tmp_path / "bad.html"
    bad.write_text(path.read_text(encoding="utf-8").replace("<main>", f"<main>{added}"), encoding="utf-8")
    with Visit(browser, bad) as visit:
        assert visit.page.title() != "owned"
        assert len(visit.complaints) >= 3
        assert all("Content Security Policy" in complaint for complaint in visit.complaints)


def test_the_style_sheet_is_applied_and_follows_the_scheme(browser: Any, path: Path) -> None:
    found = {}
    for scheme in ("light", "dark"):
        with Visit(browser, path, scheme=scheme) as visit:
            found[scheme] = visit.page.evaluate(
                """() => {
                    const bar = document.querySelector('#columns figure [fill="var(--real-soft)"]');
                    return [getComputedStyle(document.body).backgroundColor, getComputedStyle(bar).fill];
                }"""
            )
    assert found == {
        "light": ["rgb(251, 250, 248)", "rgb(180, 195, 208)"],
        "dark": ["rgb(21, 24, 27)", "rgb(83, 103, 121)"],
    }


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_texts_of_pictures_stay_within_them_and_are_in_the_page_s_font(
    browser: Any, path: Path, tmp_path: Path, width: int, scheme: str
) -> None:
    """As a browser measures them: in the sample, and with the widest names and largest figures of the hostile page."""
    wide = ["W" * 60, "\u4e2d\u6587" * 20, "@%" * 30, "M"]
    ranges = ((-8e307, 8e307), (123_456.000001, 123_456.000009), (-2e6 - 1e-2, -2e6), (0.0, 1e-12))
    domain = dict.fromkeys(wide, wide) | {f"{low}": (low, high) for low, high in ranges}
    drops = dict.fromkeys(wide, -123_456_789.0) | {"tiny": 1e-300}
    scores = samples.Scores(
        scores=(
            samples.score("shape", wide[0], 1.0, "fidelity"),
            samples.score("c2st", wide[0], 0.5, "detection", details={"auc": 0.5, "importances": drops}),
            samples.score("auc", "AUC", 0.9, "utility", details={"models": {wide[0]: {"value": -1e9, "real": 1e9}}}),
        ),
        evidence=samples.evidence(domain),
    )
    extreme = tmp_path / "extreme.html"
    extreme.write_text(render_report(**{**samples.arguments(), "scores": scores}), encoding="utf-8")
    for page, least in ((path, 250), (extreme, 40)):
        with Visit(browser, page, width, scheme) as visit:
            visit.page.evaluate(OPEN_ALL)
            texts = visit.page.evaluate(
                """() => [...document.querySelectorAll('svg[role=img] text')].map(text => {
                    const svg = text.closest('svg').getBoundingClientRect(), box = text.getBoundingClientRect();
                    const out = Math.max(svg.left - box.left, box.right - svg.right, svg.top - box.top,
                        box.bottom - svg.bottom);
                    const font = each => getComputedStyle(each).fontFamily;
                    return [text.textContent, out, font(text) === font(document.body)];
                })"""
            )
            assert len(texts) > least
            assert [each for each in texts if each[1] > 1.5 or not each[2]] == []


def test_print_opens_what_is_folded_and_is_light(browser: Any, path: Path, tmp_path: Path) -> None:
    with Visit(browser, path, scheme="dark") as visit:
        folded = "() => [...document.querySelectorAll('details table')].map(t => t.getBoundingClientRect().height)"
        visit.page.emulate_media(media="print")
        heights = visit.page.evaluate(folded)
        assert len(heights) > 5
        assert min(heights) > 10
        assert all(box[1] > 5 for box in visit.page.evaluate(FIGURES))
        ink = visit.page.evaluate("() => getComputedStyle(document.body).color")
        assert ink == "rgb(28, 32, 36)"
        written = visit.page.pdf(path=tmp_path / "report.pdf", format="A4", print_background=True)
        assert written.startswith(b"%PDF")
        assert len(written) > 50_000


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_telephone_cuts_no_table(browser: Any, path: Path, scheme: str) -> None:
    with Visit(browser, path, 390, scheme) as visit:
        visit.page.evaluate(OPEN_ALL)
        cut = visit.page.evaluate(
            """() => [...document.querySelectorAll('table')].filter(
                each => each.getBoundingClientRect().right > window.innerWidth).map(each => each.caption.innerText)"""
        )
        assert cut == []


def test_the_sign_of_every_outcome_is_seen(browser: Any, path: Path) -> None:
    with Visit(browser, path) as visit:
        boxes = visit.page.evaluate(
            "() => [...document.querySelectorAll('.sign')].map(s => [s.getBoundingClientRect().width, "
            "s.querySelector('use').getBoundingClientRect().width])"
        )
        assert len(boxes) == 6
        assert all(outer > 10 and inner > 8 for outer, inner in boxes)


@pytest.mark.parametrize("size", ["A4", "Letter"])
def test_on_paper_gates_stay_together_and_no_heading_is_left_behind(browser: Any, tmp_path: Path, size: str) -> None:
    """The whole default policy: its gates on at most two pages, and each heading with what it heads."""
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext (poppler-utils) is not installed")
    scores = samples.scores()
    verdicts = apply(default_policy(), scores)
    page = tmp_path / "report.html"
    said = {"publication": ("Do not publish this page.",), "heading": {"Table": "Claims"}, "is_signed": True}
    page.write_text(render_report(**{**samples.arguments(), "verdicts": verdicts, **said}), encoding="utf-8")
    with Visit(browser, page) as visit:
        visit.page.pdf(path=tmp_path / "report.pdf", format=size, print_background=True)
        headings = visit.page.evaluate("() => [...document.querySelectorAll('h2, h3, summary')].map(h => h.innerText)")
    text = subprocess.run(
        ["pdftotext", "-layout", tmp_path / "report.pdf", "-"], capture_output=True, check=True, encoding="utf-8"
    ).stdout
    pages = [[line.strip() for line in page.splitlines() if line.strip()] for page in text.split("\f")[:-1]]
    assert [lines[-1].split()[-3:] for lines in pages] == [
        [str(i + 1), "/", str(len(pages))] for i in range(len(pages))
    ]
    left = [lines[-2] for lines in pages if lines[-2] in headings]
    assert left == []
    names = [verdict.gate.name for verdict in verdicts]
    rows = "|".join(re.escape(name) for name in names if name not in ("columns", "pairs of columns"))
    with_gates = [
        i for i, lines in enumerate(pages) if any(re.match(rf"({rows}) .*(Passed|Failed|Inc)", x) for x in lines)
    ]
    assert with_gates
    assert max(with_gates) <= 1


def test_keyboard_reaches_the_verdict_and_what_scrolls(browser: Any, path: Path) -> None:
    with Visit(browser, path, 360) as visit:
        visit.page.keyboard.press("Tab")
        skip = visit.page.evaluate(
            "() => [document.activeElement.className, document.activeElement.getBoundingClientRect().left >= 0]"
        )
        assert skip == ["skip", True]
        visit.page.keyboard.press("Enter")
        assert visit.page.evaluate("() => location.hash") == "#verdict"
        assert visit.page.evaluate("() => document.activeElement.id") == "verdict"
        unreachable = visit.page.evaluate(
            """() => [...document.querySelectorAll('*')].filter(each =>
                each.scrollWidth > each.clientWidth + 1 && ['auto', 'scroll'].includes(getComputedStyle(each).overflowX)
                && each.tabIndex < 0).length"""
        )
        assert unreachable == 0


def test_the_tree_of_assistive_technology(browser: Any, path: Path) -> None:
    with Visit(browser, path) as visit:
        page = visit.page
        assert page.get_by_role("main").count() == 1
        assert page.get_by_role("navigation", name="Contents").count() == 1
        assert page.get_by_role("banner").count() == 1
        assert page.get_by_role("contentinfo").count() == 1
        assert page.get_by_role("heading", level=1).count() == 1
        assert page.get_by_role("heading", level=2).first.inner_text().replace("\n", " ").lower() == "verdict failed"
        assert page.get_by_role("region", name="Every gate of the policy").count() == 1
        assert page.get_by_role("row", name="strong pairs").get_by_text("Failed").count() == 1
        levels = page.evaluate("() => [...document.querySelectorAll('h1, h2, h3')].map(each => +each.tagName[1])")
        assert all(after - before <= 1 for before, after in pairwise(levels))
        unnamed = page.evaluate(
            "() => [...document.querySelectorAll('svg[role=img]')].filter(each => !each.ariaLabel).length"
        )
        assert unnamed == 0
        targets = page.evaluate(
            "() => [...document.querySelectorAll('nav a')].map(a => !!document.querySelector(a.hash))"
        )
        assert len(targets) == 13
        assert all(targets)


def test_hostile_names_run_nothing(browser: Any, tmp_path: Path) -> None:
    names = [
        "</svg><script>document.title='owned'</script>",
        '"><img src=x onerror="document.title=\'owned\'">',
        "{{7*7}}",
    ]
    names += ["$\\frac{1}{", "a" * 5000, "rtl\u202eexe", "\x00", "\U0001f600"]
    domain = {name: (0.0, 1.0) if place % 2 else names for place, name in enumerate(names)}
    scores = samples.Scores(
        scores=(samples.score("shape", names[0], 1.0, "fidelity", note=names[1]),), evidence=samples.evidence(domain)
    )
    path = tmp_path / "hostile.html"
    arguments = {**samples.arguments(), "scores": scores, "title": names[0]}
    path.write_text(render_report(**arguments), encoding="utf-8")
    with Visit(browser, path, 360) as visit:
        assert visit.asked == [path.as_uri()]
        assert visit.complaints == []
        assert "owned" in visit.page.title()
        assert visit.page.title() != "owned"
        assert visit.page.evaluate("() => document.scripts.length + document.images.length") == 0
        assert visit.page.evaluate("() => document.documentElement.scrollWidth") == 360
        assert names[0] in visit.page.locator("h1").inner_text()


def test_the_page_of_scores_opens_without_complaint(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "scores.html"
    path.write_text(samples.scores().to_html(), encoding="utf-8")
    with Visit(browser, path, 360) as visit:
        assert visit.asked == [path.as_uri()]
        assert visit.complaints == []
        assert visit.page.get_by_role("row").count() > 20
        assert visit.page.evaluate("() => document.documentElement.scrollWidth") == 360

"""The report: what it shows, that it survives hostile names and odd figures, and that nothing in it acts."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import math
import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from synthgan.evaluation.evidence import Evidence
from synthgan.evaluation.scores import Score, Scores
from synthgan.review.report.figures_risk import Segment, shades
from synthgan.review.report.page import render_report
from synthgan.review.report.risks import budget_segments
from tests import review_samples as samples

HOSTILE = (
    "</svg><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style></title><script src=//evil.example/x.js>",
    "$\\frac{1}{",
    "{{7*7}}",
    "{% raw %}",
    "<<0>>",
    "&lt;b&gt;",
    "nul\x00bell\x07escape\x1b[31m",
    "rtl\u202egnp.exe\u2066",
    "\ud800 lone",
    "\U0001f600 \u0645\u0631\u062d\u0628\u0627 \u4e2d\u6587",
    "long " * 1000,
    "z\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301",
    "url(http://evil.example)",
    "javascript:alert(1)",
    "",
    "_ ^ \\ % #",
)
TAGS = frozenset(
    "html head meta title style body header main section nav footer a p b h1 h2 h3 ol ul li dl div dt dd "  # noqa: SIM905
    "table caption thead tbody tr th td figure figcaption details summary span bdi "
    "svg g path use defs clippath rect text symbol circle".split()
)
ACTS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Page(HTMLParser):
    """What a browser would make of the file."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def harmless_page(text: str) -> Page:
    """The page, once it is sure that nothing in it acts or points outside."""
    page = Page(text)
    assert page.open == []
    assert not ACTS.search(text)
    text.encode()
    assert {tag for tag, _ in page.tags} <= TAGS
    for tag, attributes in page.tags:
        assert not [
            name for name in attributes if name.startswith("on") or name in ("style", "src", "srcset", "action")
        ]
        for name, value in attributes.items():
            if name in ("href", "xlink:href"):
                assert re.fullmatch(r"#[\w-]+", value or ""), (tag, value)
            if name in ("fill", "stroke", "clip-path"):
                assert re.fullmatch(r"none|var\(--[\w-]+\)|url\(#[\w-]+\)", value or ""), (tag, value)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    used = [attributes["href"] for tag, attributes in page.tags if tag in ("use", "a")]
    assert {str(reference)[1:] for reference in used} <= set(ids)
    return page


@pytest.fixture(scope="module")
def report() -> str:
    return render_report(**samples.arguments())


@pytest.fixture(scope="module")
def page(report: str) -> Page:
    return harmless_page(report)


def empty(**fields: Any) -> dict[str, Any]:
    nothing: dict[str, Any] = {
        "title": "t",
        "scores": None,
        "verdicts": None,
        "ledger": None,
        "provenance": [],
        "facts": {},
        "limits": [],
    }
    return nothing | fields


def test_the_policy_allows_the_one_style_sheet_and_nothing_else(report: str, page: Page) -> None:
    (policy,) = [meta["content"] for meta in page.of("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    (style,) = re.findall(r"<style>(.*?)</style>", report, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert "@import" not in style
    assert "url(" not in style


def test_the_verdict_comes_first_and_in_words(page: Page) -> None:
    assert page.text.index("Verdict Failed") < page.text.index(
        "Of 5 gates, 1 failed, 2 inconclusive (1 of them not required) and 2 passed."
    )
    assert page.text.index("strong pairs") < page.text.index("worst-case members") < page.text.index("Key figures")
    assert "is on the bad side of the threshold, 1.50 %" in page.text
    assert page.of("title")
    assert page.text.startswith("Failed: adult-epsilon-1.synthgan")


def test_sections_stand_in_order(page: Page) -> None:
    keys = [attributes["id"] for attributes in page.of("section")]
    assert keys == [
        *("verdict", "figures", "columns", "pairs", "detection", "utility", "attacks", "disclosure", "ledger"),
        *("provenance", "unprotected", "limits", "glossary", "settings"),
    ]


def test_headings_are_in_order_and_there_is_one_title(page: Page) -> None:
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_every_picture_speaks_and_every_table_has_scopes(page: Page) -> None:
    pictures = [attributes for attributes in page.of("svg") if attributes.get("aria-hidden") != "true"]
    assert len(pictures) > 30
    assert all(picture["role"] == "img" and len(picture["aria-label"] or "") > 5 for picture in pictures)
    assert all("scope" in head for head in page.of("th"))
    assert len(page.of("caption")) == len(page.of("table"))
    assert len(page.of("figcaption")) == len(page.of("figure"))
    assert page.of("html")[0]["lang"] == "en"


def test_colours_are_roles_of_the_style_sheet(report: str) -> None:
    drawn = set(re.findall(r"var\(--([\w-]+)\)", report.split("</style>")[1]))
    style = re.findall(r"<style>(.*?)</style>", report, flags=re.DOTALL)[0]
    light, dark = style.split("@media screen and (prefers-color-scheme: dark)")[:2]
    for role in drawn:
        assert f"--{role}:" in light
        assert f"--{role}:" in dark
    assert not re.search(r'(fill|stroke)="#', report)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast(report: str, scheme: str) -> None:
    """WCAG 2.1: 4.5 for text, 3 for marks."""
    style = re.findall(r"<style>(.*?)</style>", report, flags=re.DOTALL)[0]
    parts = style.split("@media screen and (prefers-color-scheme: dark)")
    found = dict(
        re.findall(r"--([\w-]+): (#[0-9a-f]{6})", parts[0 if scheme == "light" else 1].split("*, *::before")[0])
    )
    for role in ("ink", "muted", "link", "pass", "fail", "inconclusive", "none"):
        assert contrast(found[role], found["page"]) >= 4.5, role
    for state in ("pass", "fail", "inconclusive", "none"):
        assert contrast(found[state], found[f"{state}-soft"]) >= 4.5, state
        assert contrast(found["ink"], found[f"{state}-soft"]) >= 4.5, state
    for role in ("real", "synthetic", "limit", "focus", *(f"line-{i}" for i in range(8)), "door-1", "door-2", "door-3"):
        assert contrast(found[role], found["page"]) >= 3, role
    for door in ("door-1", "door-2", "door-3"):
        assert contrast(found[door], found["paper"]) >= 4.5, door
        assert contrast(found[f"{door}b"], found["ink"]) >= 4.5, door


def contrast(first: str, second: str) -> float:
    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_same_arguments_give_the_same_file(report: str) -> None:
    assert render_report(**samples.arguments()) == report


def test_an_edition_without_scores_says_so() -> None:
    page = harmless_page(render_report(**empty(facts={"Edition": "shareable"})))
    assert "holds no figure that was computed from real rows" in page.text
    assert "this edition is silent about them" in page.text
    assert "No gate was applied" not in page.text
    assert "Edition shareable" in page.text
    assert "The attacks are those that we know" in page.text
    assert [s["id"] for s in page.of("section")] == ["verdict", "figures", "limits", "settings"]


def test_an_edition_with_verdicts_does_not_claim_that_it_holds_nothing_of_real_rows() -> None:
    text = harmless_page(render_report(**empty(verdicts=samples.verdicts()))).text
    assert "holds no figure" not in text
    assert "the verdict above was computed from real rows" in text


def test_a_fit_without_a_guarantee_says_so() -> None:
    text = harmless_page(render_report(**empty(provenance=samples.provenance()))).text
    assert "Guarantee none" in text
    assert "made no promise of differential privacy" in text


def test_limits_of_the_caller_replace_ours() -> None:
    text = harmless_page(render_report(**empty(limits=["Only rows of 2019."]))).text
    assert "Only rows of 2019." in text
    assert "The attacks are those" not in text


def test_outcomes_are_named() -> None:
    passed = samples.Verdicts(verdicts=samples.verdicts().verdicts[:1])
    text = harmless_page(render_report(**empty(verdicts=passed))).text
    assert "Verdict Passed The one gate is passed." in text
    open_ended = samples.Verdicts(verdicts=samples.verdicts().verdicts[:2])
    text = harmless_page(render_report(**empty(verdicts=open_ended))).text
    assert "Verdict Inconclusive Of 2 gates, 1 inconclusive and 1 passed." in text
    assert "does not count as a pass" in text


def gate(name: str, outcome: samples.Outcome, *, required: bool = True) -> samples.Verdict:
    return samples.verdict(samples.gate(name, "shape", at_most=1.0, required=required), outcome, "so it is.")


@pytest.mark.parametrize("n_open", [1, 2, 5])
def test_a_pass_does_not_speak_for_what_is_undecided(n_open: int) -> None:
    """Verdict and sentence may not contradict each other: not every limit is met where the data do not decide."""
    undecided = [gate(f"open {i}", samples.Outcome.INCONCLUSIVE, required=False) for i in range(n_open)]
    verdicts = samples.Verdicts(verdicts=(gate("sure", samples.Outcome.PASS), *undecided))
    text = harmless_page(render_report(**empty(verdicts=verdicts))).text
    assert "Verdict Passed" in text
    assert f"{n_open} inconclusive ({n_open} of them not required) and 1 passed." in text
    assert not re.search(r"every (limit|threshold)", text)
    assert "Every gate that the policy requires is passed." in text
    assert "the evidence does not decide" in text
    assert ("and 2 others" in text) == (n_open == 5)
    sure = samples.Verdicts(verdicts=(gate("a", samples.Outcome.PASS),))
    all_passed = harmless_page(render_report(**empty(verdicts=sure))).text
    assert "The evidence keeps to every limit of the policy." in all_passed


def test_signs_are_drawn_and_differ(report: str, page: Page) -> None:
    """A question mark in a diamond looks like the sign for a broken character."""
    signs = dict(re.findall(r'<symbol id="sign-(\w+)"[^>]*>(.*?)</symbol>', report))
    assert set(signs) == {"pass", "fail", "inconclusive", "none"}
    assert len(set(signs.values())) == 4
    assert all("<path" in sign and "<text" not in sign for sign in signs.values())
    assert "\N{REPLACEMENT CHARACTER}" not in page.text


def test_what_may_be_published_stands_above_the_gates() -> None:
    arguments = samples.arguments() | {
        "heading": {"Table": "Claims", "Purpose": "tests", "Date of the review": "2026-11-30"},
        "publication": ("Do not publish this page.", "The folder may go."),
        "is_signed": True,
    }
    page = harmless_page(render_report(**arguments))
    order = ("Table Claims", "Purpose tests", "2026-11-30", "Verdict", "Do not publish this page.", "Every gate")
    places = [page.text.index(words) for words in order]
    assert places == sorted(places)
    signed = page.text[page.text.index("To be filled in by hand") :]
    assert all(word in signed for word in ("Do not publish", "Name", "Role", "Date", "Signature"))
    assert page.of("section")[-1]["id"] == "sign-off"


def test_figures_are_not_said_twice() -> None:
    """A verdict's figures stand in columns of their own, rounded; why is a clause without them."""
    from synthgan.review.gates import apply
    from synthgan.review.policy_file import default_policy

    scores = samples.scores()
    excess = dataclasses.replace(scores["exact_copies"], value=0.123456789, interval=(0.0987654, 0.2345678))
    scores = dataclasses.replace(scores, scores=(*scores.scores[:-2], excess))
    page = harmless_page(render_report(**empty(scores=scores, verdicts=apply(default_policy(), scores))))
    gates = page.text[page.text.index("Every gate of the policy") : page.text.index("Key figures Chance")]
    gates = gates.replace("\xa0", " ")
    assert "0.08 %" in gates  # 0.1235 less 0.04
    assert "0.12 % less 0.04 % of real rows" in gates
    assert "at most 1 % above real rows" in gates
    assert "on the good side of" not in gates
    assert not re.search(r"\d\.\d{5}", gates)
    assert "The score 'linkability' was not computed" in gates


WORDS = ("C2ST", "NNDR", "DCR", "AUC", "Alpha-precision", "own bins", "shared bins", "TPR", "FPR", "noise floor")


def test_words_of_the_trade_are_explained(page: Page) -> None:
    explained = page.text[page.text.index("Words used here", page.text.index("Limits The attacks")) :]
    for word in (*WORDS[:1], "AUC", "TPR", "FPR", "noise floor", "Epsilon", "Renyi", "exponential mechanism", "DOMIAS"):
        assert word.lower() in explained.lower(), word
    links = {str(link["href"]) for link in page.of("a") if str(link["href"]).startswith("#term-")}
    assert {"#term-c2st", "#term-shape", "#term-membership", "#term-dcr"} <= links


def test_the_words_of_the_trade_are_in_the_glossary() -> None:
    from synthgan.evaluation.catalogue import CATALOGUE
    from synthgan.evaluation.glossary import read_glossary, words_of

    text = " ".join(f"{entry.word} {entry.meaning}" for entry in words_of(CATALOGUE)).lower()
    assert all(word.lower() in text for word in WORDS)
    keys = [entry.key for entry in (*read_glossary(), *read_glossary("synthgan.review.report"))]
    assert len(keys) == len(set(keys))
    assert words_of([]) == []


def test_value_protection_and_provenance_agree() -> None:
    text = harmless_page(
        render_report(**empty(provenance=samples.provenance(), protection="on: rare categories are merged"))
    ).text
    assert "protected by nothing" not in text
    assert "No guarantee covers one that was read off the table without noise; what value protection did" in text
    assert "Value protection: on: rare categories are merged." in text


def test_what_is_not_there_is_not_spoken_of() -> None:
    """No holdout, no attack: the sentences around the figures may not claim either."""
    scores = dataclasses.replace(
        samples.scores(), scores=tuple(s for s in samples.scores() if s.group in ("fidelity", "utility"))
    )
    scores = dataclasses.replace(scores, n_rows={"real": 100, "synthetic": 100})
    text = harmless_page(render_report(**empty(scores=scores, provenance=samples.provenance()))).text
    assert "Compare each with real rows that the fit has not seen" not in text
    assert "There were no real rows that the fit had not seen" in text
    assert "the synthesizer, however, may have seen them" in text
    assert "the attacks above speak" not in text


def test_wide_tables_are_stacked_on_a_telephone(report: str) -> None:
    """A table of more columns than fit may not be cut at the edge of a small screen."""
    found = re.findall(r'<div class="scroll([^"]*)".*?<thead[^>]*>(.*?)</thead>', report, flags=re.DOTALL)
    assert len(found) > 8
    for classes, head in found:
        if head.count("<th ") > 2:
            assert "stacked" in classes.split(), head


def test_the_sheet_for_print_numbers_pages_and_keeps_headings_with_what_follows(report: str) -> None:
    style = re.findall(r"<style>(.*?)</style>", report, flags=re.DOTALL)[0]
    printed = style.split("@media print")[1]
    assert 'content: counter(page) " / " counter(pages)' in printed
    assert re.search(r"h2, h3, [^{]*\{ break-after: avoid; \}", printed)
    assert "thead { display: table-header-group; }" in printed
    assert re.search(r"[^{]*\btr\b[^{]*\{ break-inside: avoid; \}", printed)


def test_the_budget_adds_up(page: Page) -> None:
    segments = budget_segments(samples.ledger())
    assert [(s.door, s.mechanism, s.releases) for s in segments] == [
        (1, "discrete Gaussian", 15),
        (1, "thresholded discrete Gaussian", 1),
        (2, "discrete Gaussian", 8),
        (2, "exponential mechanism", 8),
    ]
    assert [round(s.share, 3) for s in segments] == [0.15, 0.05, 0.48, 0.16]
    assert shades(segments) == ["door-1", "door-1b", "door-2", "door-2b"]
    assert "Marginals: discrete Gaussian, 48.0 %" in page.text.replace("\xa0", " ")
    assert "Not spent, 16.0 %" in page.text.replace("\xa0", " ")


def test_the_budget_falls_back_on_the_doors_totals() -> None:
    ledger = samples.ledger()
    ledger["entries"][0]["event"] = {"type": "unheard of"}
    found = budget_segments(ledger)
    assert [(s.door, round(s.share, 3)) for s in found] == [(1, 0.2), (2, 0.64)]
    assert found[0] == Segment(1, "all mechanisms", found[0].share, 16)


def test_provenance_counts_what_was_read_off_the_data(page: Page) -> None:
    assert (
        "15 facts: 13 declared by the user; 1 read off the table, without noise; 1 released by a private mechanism."
        in page.text
    )


def scores_of(evidence: Evidence | None, *scores: Score, notes: tuple[str, ...] = ()) -> Scores:
    first = samples.score("shape", "Shape error", 1.0, "fidelity", unit="%")
    return Scores(scores=scores or (first,), evidence=evidence, notes=notes, n_rows={"real": 10})


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_do_no_harm(name: str) -> None:
    domain = {name: (0.0, 1.0), name + "2": [name, "b", name + "3"]}
    scores = scores_of(
        samples.evidence(domain),
        samples.score(
            "c2st", name, 0.5, "detection", note=name, details={"auc": 0.5, "importances": {name: 0.1, "b": 0.2}}
        ),
        samples.score("auc", name, 0.9, "utility", note=name, details={"models": {name: {"value": 0.8, "real": 0.9}}}),
        samples.score(
            "subgroup_gap",
            name,
            0.9,
            "utility",
            details={"x": [{"column": name, "group": name, "real": 1.0, "gap": 0.1}]},
        ),
        samples.score(
            "membership_auc",
            name,
            0.5,
            "membership",
            note=name,
            details={"roc": {name: samples.curve(0.9)}, "attacks": {name: {"auc": 0.5, "tpr_1": 0.1, name: 1}}},
        ),
        samples.score(
            "singling_out",
            name,
            0.1,
            "disclosure",
            note=name,
            details={"secrets": {name: {"attack": 0.2, "control": 0.1, name: name}}},
        ),
        notes=(name,),
    )
    gate = samples.gate(name, "auc", at_most=0.5, reason=name)
    verdicts = samples.Verdicts(
        verdicts=(samples.verdict(gate, samples.Outcome.FAIL, name, 0.9, (0.8, 1.0)),), policy=name
    )
    ledger = samples.ledger()
    ledger["unit"] = name
    ledger["unprotected"] = [name]
    ledger["entries"][0] |= {"mechanism": name, "what": {name: 1}, "state": name}
    ledger["composition"]["method"] = name
    text = render_report(
        title=name,
        scores=scores,
        verdicts=verdicts,
        ledger=ledger,
        facts={name: name},
        limits=[name],
        provenance=[{"column": name, "what": name, "source": name, name: name}],
    )
    page = harmless_page(text)
    assert {section["id"] for section in page.of("section")} >= {"columns", "pairs", "utility", "attacks", "disclosure"}
    assert len(text) < 1_000_000
    if name == "{{7*7}}":
        assert "{{7*7}}" in page.text


def test_hostile_names_do_no_harm_in_the_page_of_scores() -> None:
    for name in HOSTILE:
        score = samples.score("shape", name, math.nan, "fidelity", note=name)
        scores = Scores(scores=(score,), notes=(name,), settings={name: [name], "b": {name: name}}, n_rows={name: 1})
        page = Page(scores.to_html(title=name))
        assert page.open == []
        assert not page.of("script")
        assert not page.of("img")
        assert not [a for _, attributes in page.tags for a in attributes if a.startswith("on")]
        assert not ACTS.search(scores.to_html(title=name))


def test_of_sixty_columns_the_worst_are_drawn_and_the_page_stays_small() -> None:
    domain: dict[str, Any] = {f"number {i}": (0.0, 1e6) for i in range(30)}
    domain |= {f"category {i}": [f"level {j} of a long name" for j in range(21)] for i in range(30)}
    evidence = samples.evidence_as_json(domain)
    text = render_report(**empty(scores=scores_of(Evidence.from_json(evidence))))
    page = harmless_page(text)
    assert len(text.encode()) < 1_000_000
    assert len(page.of("figure")) == 36 + 3
    assert "24 columns with the smallest errors are in the table only." in page.text
    assert "The 16 columns with the largest errors are drawn." in page.text
    assert all(name in page.text for name in domain)
    worst = max(domain, key=lambda name: evidence["columns"][name]["shape_error"])
    assert page.text.index(worst) == min(page.text.index(name) for name in domain)
    assert "(10 others)" in page.text


def test_times_have_dates_below_them() -> None:
    column = {
        "kind": "time",
        "edges": ["1969-12-30T00:00:00", "2020-01-01T00:00:00", "12020-01-01T00:00:00"],
        "shares": {"real": [0.5, 0.5], "synthetic": [0.4, 0.6]},
    }
    text = text_with(column)
    assert "1969-12-30" in text
    assert "12020-01-01" in text
    column["edges"] = ["2020-01-01T00:00:00", "2020-01-01T12:00:00", "2020-01-02T06:30:00"]
    assert "2020-01-02 06:30" in text_with(column)


def text_with(column: dict[str, Any]) -> str:
    scores = scores_of(Evidence.from_json({"columns": {"seen": column}}))
    return harmless_page(render_report(**empty(scores=scores))).text


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"at_least": -0.15, "against": "excess"}, "at most 0.15 below real rows"),
        ({"at_most": 0.15, "against": "excess"}, "at most 0.15 above real rows"),
        ({"at_most": -0.15, "against": "interval"}, "at most \N{MINUS SIGN}0.15"),
    ],
)
def test_a_limit_is_said_without_a_double_negative(keys: dict[str, Any], words: str) -> None:
    from synthgan.review.report.verdict import _limit_text

    assert _limit_text(samples.gate("gap", "shape", **keys), "").replace("\xa0", " ") == words


@pytest.mark.parametrize(("n_holdout", "few"), [(499, True), (500, False), (0, False)])
def test_a_small_holdout_is_said_where_it_is_the_yardstick(n_holdout: int, few: bool) -> None:
    from synthgan.review.report.verdict import key_figures

    found = scores_of(None, samples.score("shape", "Shape", 1.0, "fidelity"))
    found = dataclasses.replace(found, n_rows={"real": 1000, "synthetic": 1000, "holdout": n_holdout})
    assert ("Here they are few" in str(key_figures(found, None).lead)) is few


def test_risks_are_found_wherever_an_attack_keeps_them() -> None:
    flat = {"attack_rate": 0.25, "control_rate": 0.2, "baseline": 0.1, "n_attacks": 100}
    counts = {"columns": {"town": {"rare": 5, "recurring": 2}}, "levels": {"rare": 5}}
    scores = scores_of(
        None,
        samples.score("linkability", "Linkability", 0.0625, "disclosure", details=flat),
        samples.score("rare_categories", "Rare categories disclosed", 0.1, "disclosure", details=counts),
    )
    page = harmless_page(render_report(**empty(scores=scores)))
    assert any("25.00 % against 20.00 %" in str(svg.get("aria-label")).replace("\xa0", " ") for svg in page.of("svg"))
    assert re.search(r"Rare Recurring town 5 2", page.text)


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from([10**400, -(10**400), 1e308, -1e308, 5e-324, math.inf, math.nan, "NaN", ""]),
    st.text(max_size=6),
)
JSON = st.recursive(
    ODD,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
NUMBERS = st.lists(ODD, max_size=6)
SHARES = st.floats(0, 1) | ODD
NAMES = st.text(max_size=6) | st.sampled_from(HOSTILE)


@st.composite
def damaged(draw: st.DrawFn, values: dict[Any, Any]) -> Any:
    """The values; now and then one is missing, or is something else."""
    if draw(st.integers(0, 3)) or not values:
        return values
    key = draw(st.sampled_from(sorted(values, key=str)))
    other = draw(JSON)
    return {name: other if name == key else value for name, value in values.items() if other or name != key}


@st.composite
def a_column(draw: st.DrawFn) -> Any:
    n = draw(st.integers(1, 4))
    kind = draw(st.sampled_from(["numeric", "time", "categorical"]))
    edges = None
    if kind != "categorical":
        edges = sorted(
            draw(
                st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=n + 1, max_size=n + 1, unique=True)
            )
        )
    shares = {table: draw(st.lists(SHARES, min_size=n, max_size=n)) for table in ("real", "synthetic", "holdout")}
    levels = draw(st.lists(NAMES, min_size=n, max_size=n)) if edges is None else None
    column = {"kind": kind, "edges": edges, "levels": levels, "shares": draw(damaged(shares))}
    return draw(damaged(column | {"missing": {"real": draw(ODD), "synthetic": draw(ODD)}, "shape_error": draw(ODD)}))


@st.composite
def some_pairs(draw: st.DrawFn) -> Any:
    n = draw(st.integers(2, 4))
    matrix = st.lists(st.lists(SHARES, min_size=n, max_size=n), min_size=n, max_size=n)
    names = draw(st.lists(NAMES, min_size=n, max_size=n))
    return draw(damaged({"columns": names, **{name: draw(matrix) for name in ("real", "synthetic", "error")}}))


@st.composite
def some_evidence(draw: st.DrawFn) -> Any:
    columns = draw(st.dictionaries(NAMES, a_column(), min_size=1, max_size=3))
    return draw(damaged({"columns": columns, "pairs": draw(some_pairs())}))


@st.composite
def some_details(draw: st.DrawFn) -> Any:
    models = st.fixed_dictionaries({"value": SHARES, "interval": NUMBERS, "real": SHARES, "real_interval": NUMBERS})
    rates = st.lists(SHARES, min_size=3, max_size=5)
    risks = st.fixed_dictionaries({"attack": SHARES, "control": SHARES, "gap": ODD, "real": ODD})
    parts = {
        "importances": SHARES,
        "models": models,
        "roc": st.fixed_dictionaries({"fpr": rates, "tpr": rates}),
        "attacks": st.fixed_dictionaries({"value": SHARES, "interval": NUMBERS}),
        "secrets": risks,
        "arms": st.fixed_dictionaries({"label": NAMES, "auc": st.fixed_dictionaries({"uplift": SHARES})}),
    }
    drawn = {name: draw(st.dictionaries(NAMES, part, min_size=1, max_size=2)) for name, part in parts.items()}
    return draw(damaged({name: draw(damaged(part)) for name, part in drawn.items()} | {"auc": draw(SHARES)}))


PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
"""Shrinking would take minutes, and what fails is readable as it is."""

KINDS = (
    *(("fidelity", "shape"), ("detection", "c2st"), ("utility", "auc"), ("utility", "subgroup_gap")),
    *(("utility", "augmentation_uplift"), ("membership", "membership_auc"), ("disclosure", "linkability")),
)


@st.composite
def any_scores(draw: st.DrawFn) -> Scores:
    details = draw(some_details())
    scores = tuple(
        Score(
            name=name,
            label=draw(NAMES),
            value=draw(st.floats()),
            direction=draw(st.sampled_from(["lower", "higher", "target", "none"])),
            group=group,  # type: ignore[arg-type]
            interval=draw(st.none() | st.tuples(st.floats(), st.floats())),
            ideal=draw(st.none() | st.floats()),
            reference=draw(st.none() | st.floats()),
            unit=draw(st.sampled_from(["", "%"])),
            note=draw(NAMES),
            details=details if isinstance(details, dict) else {},
        )
        for group, name in KINDS
        if draw(st.integers(0, 3))
    )
    evidence = Evidence.from_json(draw(some_evidence()))
    return Scores(scores=scores, evidence=evidence, settings=draw(st.dictionaries(NAMES, JSON, max_size=2)))


@given(scores=any_scores())
@settings(max_examples=15, suppress_health_check=list(HealthCheck), phases=PHASES)
def test_odd_scores_never_raise_and_do_no_harm(scores: Scores) -> None:
    harmless_page(render_report(**empty(scores=scores)))
    assert not Page(scores.to_html()).open


@given(
    ledger=JSON
    | st.dictionaries(
        st.sampled_from(["guarantee", "entries", "doors", "composition", "unit", "unprotected", "spent", "randomness"]),
        JSON,
    ),
    data=st.data(),
)
@settings(max_examples=15, suppress_health_check=list(HealthCheck), phases=PHASES)
def test_odd_ledgers_and_facts_never_raise(ledger: Any, data: st.DataObject) -> None:
    if isinstance(ledger, dict):
        whole = samples.ledger()
        keys = data.draw(st.sets(st.sampled_from(list(whole))))
        ledger = {key: whole[key] for key in keys} | ledger
    facts = data.draw(st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2))
    provenance = data.draw(
        st.lists(st.dictionaries(st.sampled_from(["column", "what", "source", "lower"]), JSON), max_size=2)
    )
    harmless_page(render_report(**empty(ledger=ledger, facts=facts, provenance=provenance)))


def test_a_score_that_is_undefined_is_named_as_such() -> None:
    score = dataclasses.replace(samples.score("shape", "Shape error", math.nan, "fidelity"), interval=(math.nan, 1.0))
    page = harmless_page(render_report(**empty(scores=Scores(scores=(score,)))))
    assert "Shape error undefined" in page.text

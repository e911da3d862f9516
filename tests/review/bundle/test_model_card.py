"""The model card: its headings, what it tells of each kind of release, and that names cannot write into it."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthgan.review.bundle.document import Findings, TierContent
from synthgan.review.bundle.model_card import CARD_HEADINGS, escaped, model_card
from synthgan.review.bundle.release import Release
from tests.reviewed_models import Outcome, ReviewedModel, StandIn, people, real_scores


@pytest.fixture(scope="module")
def found() -> Findings:
    frame = people(50)
    scores = real_scores(frame, people(50, seed=1), people(50, seed=2), 0.0)
    verdicts: Any = StandIn(Outcome.INCONCLUSIVE).verdicts_on(scores, None)
    return Findings(scores, verdicts, ("The holdout is small.",))


def card(release: Release, findings: Findings | None, tier: Any = "shareable") -> str:
    return model_card(TierContent(tier, release, 123, True, findings))


def test_the_headings_are_those_of_the_paper(open_release: ReviewedModel, found: Findings) -> None:
    text = card(Release.of(open_release.model), found)
    assert tuple(re.findall(r"^## (.*)$", text, flags=re.MULTILINE)) == CARD_HEADINGS
    assert len(CARD_HEADINGS) == 9
    assert not re.search(r"^\s*$\n\s*$\n", text, flags=re.MULTILINE)


def test_an_open_release_shows_scores_and_gates(open_release: ReviewedModel, found: Findings) -> None:
    text = card(Release.of(open_release.model), found)
    for part in ("Shape error", "Membership AUC", "inconclusive", "The holdout is small.", "none: nothing is proved"):
        assert part in text
    assert "noisy count" not in text


def test_a_private_release_withholds_them(private_release: ReviewedModel, found: Findings) -> None:
    release = Release.of(private_release.model)
    shared, inside = card(release, None), card(release, found, "internal")
    assert shared.count("Not in this tier") == 3
    assert "Shape error" not in shared
    assert "Shape error" in inside
    for text in (shared, inside):
        assert "factor of at most 7.39" in text  # e squared
        assert "the decision to publish" in text
        assert "a noisy count" in text


def test_a_card_claims_no_more_than_the_release_did(
    private_release: ReviewedModel, open_release: ReviewedModel
) -> None:
    """No neural discriminator where the ledger has no door for one; value protection with the number that was set."""
    release = Release.of(private_release.model)
    doors = {entry["door"] for entry in release.ledger["entries"]}
    assert ("neural discriminator" in card(release, None)) == (3 in doors)
    assert "trained on noisy marginals" in card(release, None)
    opened = Release.of(open_release.model)
    assert "fewer than 10 rows have are merged, unless they were declared" in card(opened, None)
    unprotected = dataclasses.replace(opened, protect_values=False)
    assert "off: rare values and true extremes of the table stand in the model" in card(unprotected, None)
    assert "merged" not in card(unprotected, None)


def test_the_card_of_the_inside_says_so_first(open_release: ReviewedModel, found: Findings) -> None:
    text = card(Release.of(open_release.model), found, "internal")
    assert text.index("Do not publish this page") < text.index("## Model Details")


def test_columns_are_listed(open_release: ReviewedModel) -> None:
    text = card(Release.of(open_release.model), None)
    assert "| age | integer | int64 |" in text
    stored = pq.read_schema(open_release.data).field("colour").type  # pandas writes string or large_string
    assert f"| colour | categorical | {escaped(str(stored))} |" in text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a|b", "a&#124;b"),
        ("<script>", "&#60;script&#62;"),
        ("a\n# b", "a # b"),
        ("# b", "&#35; b"),
        ("-x", "&#45;x"),
        ("12. x", "&#49;&#50;. x"),
        ("http://x.y", "http&#58;//x.y"),
        ("WWW.x.y", "WWW&#46;x.y"),
        ("a@b.c", "a&#64;b.c"),
        ("1e-05: (ok)", "1e-05: (ok)"),
        ("[x](y)", "\\[x\\](y)"),
        ("&lt;", "&#38;lt;"),
        ("plain name", "plain name"),
    ],
)
def test_names_are_shown_and_not_obeyed(name: str, shown: str) -> None:
    assert escaped(name) == shown


@given(st.text())
def test_no_text_breaks_out_of_its_line_or_cell(text: str) -> None:
    shown = escaped(text)
    assert len(shown.splitlines()) <= 1
    assert not re.search(r"[<>|]", shown)
    assert not re.search(r"(?<!\\)[\[\]`*_]", re.sub(r"\\\\", "", shown))

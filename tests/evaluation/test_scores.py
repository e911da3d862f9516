"""Scores: how they look and what they export."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest

from synthgan.evaluation.scores import HEADINGS, Score, Scores

SHAPE = Score(
    name="shape",
    label="Shape error",
    value=0.524,
    direction="lower",
    group="fidelity",
    ideal=0.0,
    reference=0.36,
    unit="%",
    note="distance of <columns>",
    details={"age": 0.5, "sex": math.nan},
)
AUC = Score(
    name="utility_auc",
    label="AUC",
    value=0.9012,
    direction="higher",
    group="utility",
    interval=(0.89, 0.91),
    reference=0.927,
)
SHARE = Score(name="dcr_share", label="Closer", value=math.nan, direction="target", group="copies", ideal=0.5)
SCORES = Scores(scores=(SHAPE, AUC, SHARE), n_rows={"real": 10}, settings={"seed": 0}, notes=("Column '<b>' is out.",))


def test_scores_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        SHAPE.value = 1.0  # type: ignore[misc]


def test_lookup_by_name_and_iteration() -> None:
    assert SCORES["utility_auc"] is AUC
    assert "shape" in SCORES
    assert "age" not in SCORES
    assert [score.name for score in SCORES] == ["shape", "utility_auc", "dcr_share"]
    assert len(SCORES) == 3
    with pytest.raises(KeyError, match=r"no score named 'auc'; there are shape, utility_auc, dcr_share"):
        SCORES["auc"]


def test_text_is_an_aligned_table_with_groups_and_notes() -> None:
    assert str(SCORES).splitlines() == [
        "  Score        Synthetic    95% interval  Real rows  Best",
        "Fidelity",
        "  Shape error     0.52 %                     0.36 %  lower",
        "Utility",
        "  AUC              0.901  0.890 to 0.910      0.927  higher",
        "Copies",
        "  Closer       undefined                             near 0.500",
        "Note: Column '<b>' is out.",
    ]


def test_rows_are_as_long_as_the_headings() -> None:
    assert {len(row) for row in SCORES.rows()} == {len(HEADINGS)}


def test_html_shows_every_score_and_escapes_names() -> None:
    shown = SCORES._repr_html_()
    assert all(score.label in shown for score in SCORES)
    assert "<b>" not in shown
    assert "&lt;b&gt;" in shown
    assert 'title="distance of &lt;columns&gt;"' in shown


def test_json_is_the_dict_and_has_no_nan() -> None:
    parsed = json.loads(SCORES.to_json())
    assert parsed == SCORES.to_dict()
    assert parsed["scores"][0]["details"] == {"age": 0.5, "sex": None}
    assert parsed["scores"][2]["value"] is None
    assert parsed["scores"][1]["interval"] == [0.89, 0.91]
    assert parsed["notes"] == ["Column '<b>' is out."]
    assert set(parsed["scores"][0]) == {field.name for field in dataclasses.fields(Score)}


def test_frame_has_a_row_per_score() -> None:
    frame = SCORES.to_frame()
    assert list(frame.index) == ["shape", "utility_auc", "dcr_share"]
    assert frame.loc["utility_auc", ["value", "lower", "upper", "reference"]].tolist() == [0.9012, 0.89, 0.91, 0.927]
    assert math.isnan(frame.loc["shape", "lower"])
    assert frame.loc["dcr_share", "ideal"] == 0.5


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0, "%", "0.00 %"),
        (12.345, "%", "12.35 %"),
        (123.45, "", "123.5"),
        (12345.6, "", "12346"),
        (-0.1234, "", "-0.123"),
    ],
)
def test_figures_keep_the_digits_that_matter(value: float, unit: str, text: str) -> None:
    score = dataclasses.replace(AUC, value=value, unit=unit, interval=None, reference=None)
    assert Scores(scores=(score,)).rows()[0][1] == text


def test_the_page_is_whole_and_loads_nothing() -> None:
    page = SCORES.to_html(title="A <b>")
    assert page.startswith("<!DOCTYPE html>")
    assert "<title>A &lt;b&gt;</title>" in page
    assert "default-src 'none'" in page
    assert page.count('<th scope="rowgroup"') == 3
    assert '<td data-label="95% interval">0.890 to 0.910</td>' in page
    assert page.index("Do not publish this page") < page.index("<table")
    assert "Column &#x27;&lt;b&gt;&#x27; is out." in page
    assert "distance of &lt;columns&gt;" in page
    assert "rows, real" in page
    assert "http" not in page.replace("http-equiv", "")
    assert Scores(scores=()).to_html().count("<tbody>") == 0


def test_what_a_console_echoes_is_one_line_without_details() -> None:
    score = Score(
        name="shape", label="Shape error", value=1.0, direction="lower", group="fidelity", details={"secret": 7}
    )
    found = Scores(scores=(score,), n_rows={"real": 1000, "synthetic": 50}, settings={"secret": 7})
    assert repr(found) == "<Scores: 1 of 1,000 real, 50 synthetic rows; print them for the table>"
    assert repr(Scores(scores=())) == "<Scores: 0 of no rows; print them for the table>"
    assert "secret" not in repr(score)
    assert "Shape error" in str(found)

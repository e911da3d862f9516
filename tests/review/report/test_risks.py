"""The sections on risks: what each drawing says of its score."""

from __future__ import annotations

import pytest

from synthgan.evaluation.scores import Score, Scores
from synthgan.review.report.blocks import Drawing, Gallery
from synthgan.review.report.risks import disclosure_section


@pytest.mark.parametrize(("name", "words"), [("attribute_inference", "Excess 0.1"), ("linkability", "Risk 0.1")])
def test_a_difference_of_successes_is_called_an_excess(name: str, words: str) -> None:
    score = Score.of(name, 0.1, interval=(0.05, 0.15), details={"attack_rate": 0.4, "control_rate": 0.3})
    section = disclosure_section(Scores(scores=(score,)))
    assert section is not None
    drawings = [
        drawing
        for block in section.blocks
        if isinstance(block, Gallery)
        for drawing in block.drawings
        if isinstance(drawing, Drawing)
    ]
    assert [drawing.title for drawing in drawings] == [score.label]
    assert str(drawings[0].detail).startswith(words)

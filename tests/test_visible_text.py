"""Text of unknown origin in a message: nothing in it acts on a terminal."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthgan.visible_text import shown, visible, visible_json

ANYTHING = st.text(st.characters())  # lone surrogates, too


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("age", "age"),
        ("Größe 身長 \N{GRINNING FACE}", "Größe 身長 \N{GRINNING FACE}"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("a\u202egpj.exe", "a\\u202egpj.exe"),
        ("a\u2066b\u2069\u200f", "a\\u2066b\\u2069\\u200f"),
        ("two\nlines\r\t", "two\\nlines\\r\\t"),
        ("\ufeff\u2028\u2029\udc80\U000e0041", "\\ufeff\\u2028\\u2029\\udc80\\U000e0041"),
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"),
    ],
)
def test_what_acts_is_written_out(text: str, expected: str) -> None:
    assert visible(text) == expected


def test_lines_of_ones_own_stay() -> None:
    assert visible("a\nb\x1b", keep="\n") == "a\nb\\x1b"


@given(ANYTHING)
def test_nothing_acts_afterwards(text: str) -> None:
    for seen in (visible(text), shown(text)):
        acting = {c for c in seen if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
        assert acting <= {"\u200c", "\u200d"}
        seen.encode("utf-8")


@given(st.dictionaries(ANYTHING, ANYTHING | st.integers(), max_size=3))
def test_json_keeps_its_meaning(values: dict[str, object]) -> None:
    written = visible_json(json.dumps(values, ensure_ascii=False, indent=2))
    assert json.loads(written) == values
    assert not [
        c for c in written if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Cs") and c not in "\u200c\u200d"
    ]


def test_names_from_files_are_cut() -> None:
    assert len(shown("x" * 10**6)) < 110

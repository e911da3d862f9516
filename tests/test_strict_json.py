"""JSON from outside: what is read, what is refused, and that a refusal is quick and quotes nothing."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthgan.strict_json import DEEPEST, MOST_CONTAINERS, JsonError, RepeatedKeyError, parse_json, read_json

SECRET = "kangaroo"

PLAIN = st.none() | st.booleans() | st.integers(-(10**300), 10**300) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(blacklist_categories=["Cs"]))
VALUES = st.recursive(
    PLAIN | TEXTS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=20
)


@given(VALUES, st.booleans())
def test_what_json_can_say_comes_back(values: object, ascii_only: bool) -> None:
    assert parse_json(json.dumps(values, ensure_ascii=ascii_only, allow_nan=False).encode()) == values


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "is not valid JSON: Expecting value at line 1, column 1"),
        (b'{"a": "kangaroo"', "is not valid JSON: Expecting ',' delimiter at line 1"),
        (b'{"a": 1} kangaroo', "is not valid JSON: Extra data"),
        (b"kangaroo\xff", "is not UTF-8 text"),
        ('"kangaroo"'.encode("utf-16"), "is not UTF-8 text"),
        (b'{"kangaroo": 1, "b": 2, "kangaroo": 3}', "names a key twice"),
        (b"[NaN]", "holds NaN"),
        (b"[-Infinity]", "holds -Infinity"),
        (b"[1e400]", "a number that is too large"),
        (b"[-1" + b"0" * 400 + b"]", "a number that is too large"),
        (b"[1" + b"0" * 308 + b"9]", "a number that is too large"),
        (b"1" * 5_000, "a number that is too large"),
        (b'["\\ud800kangaroo"]', "half of a surrogate pair"),
        (b'{"\\udfff": "kangaroo"}', "half of a surrogate pair"),
        (b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1), "nested too deeply"),
        (b'{"a":' * (DEEPEST + 1) + b"1" + b"}" * (DEEPEST + 1), "nested too deeply"),
    ],
    ids=range(16),
)
def test_what_is_refused(content: bytes, expected: str) -> None:
    with pytest.raises(JsonError, match=expected) as error:
        parse_json(content)
    assert SECRET not in str(error.value)


def test_a_repeated_key_can_be_told() -> None:
    with pytest.raises(RepeatedKeyError) as error:
        parse_json(b'[{"a": {"b": 1, "c": 2, "b": 3}}]')
    assert error.value.key == "b"


def test_brackets_inside_texts_do_not_count() -> None:
    values = ["[" * 1_000, '"' + "{" * 1_000, "\\", '\\"[', "]]]]"]
    assert parse_json(json.dumps(values).encode()) == values
    assert parse_json(b"[" * DEEPEST + b"]" * DEEPEST)


def test_a_byte_order_mark_and_whole_pairs_are_fine() -> None:
    assert parse_json(b'\xef\xbb\xbf{"a": "\\ud83d\\ude00"}') == {"a": "\N{GRINNING FACE}"}


def test_readings_that_are_no_numbers_where_they_are_expected() -> None:
    read = parse_json(b"[NaN, Infinity]", finite=False)
    assert math.isnan(read[0])
    assert read[1] == math.inf


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 6_000_000,
        b'{"a":' * 1_200_000,
        b"[" + b"[[" * 60 + b"]]" * 60 + b"," + b"[" * 6_000_000,
        b"[]," * (MOST_CONTAINERS + 1),
        b'"' + b'\\"' * 3_000_000,
        b"1" * 6_000_000,
    ],
    ids=range(6),
)
def test_megabytes_of_nonsense_are_refused_at_once(content: bytes) -> None:
    began = time.process_time()
    with pytest.raises(JsonError):
        parse_json(content)
    assert time.process_time() - began < 3


def test_a_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(b"[1]   ")
    assert read_json(path, most_bytes=6) == [1]
    with pytest.raises(JsonError, match="too large"):
        read_json(path, most_bytes=5)
    with pytest.raises(OSError, match="No such file"):
        read_json(tmp_path / "none.json")

"""The policy: which gates are accepted, which are refused and in which words."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthgan.errors import PolicyError, SettingsError
from synthgan.evaluation.catalogue import CATALOGUE
from synthgan.review.policy import FORMAT, VERSION, Gate, Policy
from synthgan.review.policy_file import parse_policy
from tests.policy_texts import HEAD, gate_text


def test_a_gate_is_read_with_its_defaults() -> None:
    (gate,) = parse_policy(gate_text()).gates
    assert gate == Gate(name="columns", score="shape", at_most=5.0, reason="as agreed")
    assert (gate.against, gate.least_rows, gate.widest, gate.required, gate.source) == (
        "interval",
        None,
        None,
        True,
        "",
    )
    assert gate.threshold == 5.0
    assert isinstance(gate.at_most, float)


def test_every_key_is_read() -> None:
    text = gate_text(
        score='"mode_coverage"', at_most=None, at_least="-0.1", against='"excess"', least_rows="200", widest="0.5",
        source='"a paper"',
    )  # fmt: skip
    text += '[[gates]]\nname = "b"\nscore = "shape"\nat_most = 1\nreason = "r"\nrequired = false\n'
    policy = parse_policy(text.replace("[[gates]]", 'name = "ours"\n[[gates]]', 1))
    first, second = policy.gates
    assert policy.name == "ours"
    assert (first.at_most, first.at_least, first.threshold, first.against) == (None, -0.1, -0.1, "excess")
    assert (first.least_rows, first.widest, first.source, first.required) == (200, 0.5, "a paper", True)
    assert not second.required


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["lacks the key 'format'"]),
        ("format = 1", ["lacks the key 'version'"]),
        ('format = "x"\nversion = 1', ["is not in the format 'synthgan-policy'"]),
        (f'format = "{FORMAT}"\nversion = 2\ngates = []', ["newer than this synthgan reads (1)", "update"]),
        (f'format = "{FORMAT}"\nversion = true', ["version of", "whole number"]),
        (f'format = "{FORMAT}"\nversion = 0', ["version of", "whole number"]),
        (HEAD, ["has no gates", "[[gates]]"]),
        (HEAD + "gates = 3", ["has no gates"]),
        (HEAD + "gates = [3]", ["gate number 1", "must be a table"]),
        (HEAD + "gate = []", ["unknown key 'gate'", "did you mean 'gates'?"]),
        (HEAD + "name = 3\n[[gates]]", ["gate number 1", "lacks the key 'name'"]),
        (gate_text(reason=None), ["gate number 1", "lacks the key 'reason'"]),
        (gate_text(reason='"  "'), ["gate 'columns'", "'reason' is empty"]),
        (gate_text(reason="3"), ["gate 'columns'", "'reason' must be text"]),
        (gate_text(name='"a\\nb"'), ["'name' must be one line"]),
        (gate_text(name="1979-05-27"), ["a gate", "'name' must be text"]),
        (gate_text(name=f'"{"x" * 101}"'), ["'name' is too long (100"]),
        (gate_text(reason='"\\u0007"'), ["'reason' holds characters that cannot be printed"]),
        (gate_text(reason='"\\u202Eabc"'), ["'reason' holds characters that cannot be printed"]),
        (gate_text(score="[]"), ["'score' must be the name of a score"]),
        (gate_text(score='"shapes"'), ["'shapes', which is no score; did you mean 'shape'?"]),
        (gate_text(score='"quality of life"'), ["which is no score; docs/scores.md"]),
        (gate_text(at_mots="5"), ["unknown key 'at_mots'", "gate number 1", "did you mean 'at_most'?"]),
        (gate_text(colour="5"), ["unknown key 'colour'", "the keys are name, score, reason, at_most"]),
        (gate_text(at_most=None), ["has no threshold: set 'at_most'"]),
        (gate_text(at_least="1"), ["'at_least' would reward a bad table, for less is better of 'shape'"]),
        (
            gate_text(score='"c2st"'),
            ["'at_most' would reward a bad table, for more is better of 'c2st': write 'at_least'"],
        ),
        (gate_text(at_most='"5"'), ["'at_most' must be a number"]),
        (gate_text(at_most="true"), ["'at_most' must be a number"]),
        (gate_text(at_most="nan"), ["'at_most' must be a finite number"]),
        (gate_text(at_most="inf"), ["'at_most' must be a finite number"]),
        (gate_text(at_most="1" + "0" * 400), ["'at_most' must be a finite number"]),
        (gate_text(at_most="1" + "0" * 5000), ["is not valid TOML"]),
        (gate_text(against='"values"'), ["'against' must be one of interval, value, excess; did you mean 'value'?"]),
        (gate_text(against="{}"), ["'against' must be one of interval, value, excess"]),
        (gate_text(against='"value"'), ["a gate against 'value' needs 'least_rows'"]),
        (gate_text(against='"excess"'), ["a gate against 'excess' needs 'least_rows'"]),
        (gate_text(least_rows="0"), ["'least_rows' must be a whole number of at least 1"]),
        (gate_text(least_rows="2.5"), ["'least_rows' must be a whole number"]),
        (gate_text(least_rows="true"), ["'least_rows' must be a whole number"]),
        (gate_text(widest="0"), ["'widest' must be above 0"]),
        (gate_text(widest='"wide"'), ["'widest' must be a number"]),
        (gate_text(required='"no"'), ["'required' must be true or false"]),
        (gate_text(required="0"), ["'required' must be true or false"]),
        (gate_text(required="false"), ["has no required gate", "anything would pass"]),
        (gate_text() + gate_text()[len(HEAD) :], ["two gates 'columns'"]),
        (HEAD + "[[gates]\n", ["is not valid TOML", "line 3"]),
        (HEAD + "x = " + "[" * 100_000, ["nested too deeply"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_sentence(text: str, words: list[str]) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy(text, "the policy file strict.toml")
    message = str(caught.value)
    assert "the policy file strict.toml" in message
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize("score", [name for name, row in CATALOGUE.items() if row.better is None])
def test_a_diagnostic_is_refused_by_name(score: str) -> None:
    for bound in ("at_most", "at_least"):
        with pytest.raises(PolicyError, match=f"'{score}' is a diagnostic and cannot be a gate"):
            parse_policy(gate_text(**{"score": f'"{score}"', "at_most": None, bound: "0.5"}))
        with pytest.raises(PolicyError, match="is a diagnostic"):
            Gate(name="distance", score=score, reason="as agreed", **{bound: 0.5})


def test_a_policy_has_at_least_one_required_gate() -> None:
    with pytest.raises(PolicyError, match="no required gate"):
        Policy(gates=())


def test_the_error_is_one_of_settings() -> None:
    assert issubclass(PolicyError, SettingsError)
    assert PolicyError.exit_code == 2


# ----------------------------------------------------------------------------------------------------------- properties

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=20)


@st.composite
def gates(draw: st.DrawFn) -> Gate:
    score = draw(st.sampled_from(sorted(name for name, row in CATALOGUE.items() if row.better)))
    against = draw(st.sampled_from(["interval", "value", "excess"]))
    rows = st.integers(1, 10**9)
    return Gate(
        name=draw(TEXTS),
        score=score,
        reason=draw(TEXTS),
        **{"at_most" if CATALOGUE[score].better == "lower" else "at_least": draw(NUMBERS)},
        against=against,
        least_rows=draw(rows if against != "interval" else st.none() | rows),
        widest=draw(st.none() | st.floats(min_value=0, exclude_min=True, allow_infinity=False)),
        required=draw(st.booleans()),
        source=draw(st.just("") | TEXTS),
    )


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    drawn = draw(st.lists(gates(), min_size=1, max_size=5, unique_by=lambda gate: gate.name))
    first = dataclasses.replace(drawn[0], required=True)
    return Policy(gates=(first, *drawn[1:]), name=draw(st.just("") | TEXTS))


def as_toml(content: dict[str, Any]) -> str:
    """A policy's content as TOML; JSON texts, numbers and booleans are TOML too."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in content.items() if key != "gates"]
    for gate in content["gates"]:
        lines += ["[[gates]]", *(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in gate.items())]
    return "\n".join(lines)


@given(policies())
def test_a_policy_survives_json_and_toml(policy: Policy) -> None:
    content = policy.to_dict()
    assert Policy.from_dict(json.loads(json.dumps(content, allow_nan=False))) == policy
    if policy.name.isascii():
        assert parse_policy(as_toml(content)) == policy


KEYS = [field.name for field in dataclasses.fields(Gate)]

ATOMS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(sorted(CATALOGUE))
)
NAMED = st.sampled_from(KEYS) | st.text(max_size=4)
JSON = st.recursive(
    ATOMS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMED, inner, max_size=4), max_leaves=8
)


@given(JSON, st.lists(JSON, max_size=3))
def test_no_json_breaks_the_parser(content: Any, listed: list[Any]) -> None:
    for given_content in (content, {"format": FORMAT, "version": VERSION, "gates": listed}):
        try:
            Policy.from_dict(given_content)
        except PolicyError as error:
            assert str(error).isprintable()

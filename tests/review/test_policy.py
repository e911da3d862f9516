"""The policy file: what is accepted, what is refused and in which words; no input whatever breaks the parser."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthgan.errors import PolicyError, SettingsError, SynthganError
from synthgan.review.policy import (
    DIAGNOSTICS,
    FORMAT,
    MOST_BYTES,
    SCORES,
    VERSION,
    Gate,
    Policy,
    default_policy,
    parse_policy,
    read_policy,
)

HEAD = f'format = "{FORMAT}"\nversion = {VERSION}\n'


def gate_text(**keys: str) -> str:
    """A policy of one gate; values as TOML, None leaves a key out."""
    content = {"name": '"columns"', "score": '"shape"', "at_most": "5", "reason": '"as agreed"'} | keys
    return HEAD + "[[gates]]\n" + "".join(f"{key} = {value}\n" for key, value in content.items() if value is not None)


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


@pytest.mark.parametrize("score", sorted(DIAGNOSTICS))
def test_a_diagnostic_is_refused_by_name(score: str) -> None:
    for bound in ("at_most", "at_least"):
        with pytest.raises(PolicyError, match=f"'{score}' is a diagnostic and cannot be a gate"):
            parse_policy(gate_text(**{"score": f'"{score}"', "at_most": None, bound: "0.5"}))
        with pytest.raises(PolicyError, match="is a diagnostic"):
            Gate(name="distance", score=score, reason="as agreed", **{bound: 0.5})
    assert score not in SCORES


def test_a_policy_has_at_least_one_required_gate() -> None:
    with pytest.raises(PolicyError, match="no required gate"):
        Policy(gates=())


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    with pytest.raises(PolicyError, match=r"policy\.toml does not exist: check the path"):
        read_policy(path)
    with pytest.raises(PolicyError, match="cannot be read"):
        read_policy(tmp_path)
    with pytest.raises(PolicyError, match="null character"):
        read_policy("a\0b")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PolicyError, match=r"policy\.toml is not UTF-8 text"):
        read_policy(path)
    path.write_bytes(b"#" * (MOST_BYTES + 1))
    with pytest.raises(PolicyError, match="too large"):
        read_policy(path)
    path.write_bytes(b"\xef\xbb\xbf" + gate_text().replace("\n", "\r\n").encode())
    assert read_policy(str(path)) == parse_policy(gate_text())


def test_the_error_is_one_of_settings() -> None:
    assert issubclass(PolicyError, SettingsError)
    assert PolicyError.exit_code == 2


def test_the_default_policy() -> None:
    policy = default_policy()
    named = {gate.score for gate in policy.gates}
    assert {"membership_auc", "membership_tpr_1", "membership_auc_worst", "membership_tpr_1_worst"} <= named
    assert {"singling_out", "linkability", "attribute_inference", "rare_categories"} <= named
    assert {"exact_copies", "near_copies", "shape", "trend_shared", "utility_gap"} <= named
    for gate in policy.gates:
        assert gate.source, gate.name
        assert gate.reason.endswith(".")
    # What stands between a person and harm must be shown, not assumed.
    required = {gate.score for gate in policy.gates if gate.required}
    assert {"membership_auc", "membership_tpr_1", "singling_out", "linkability", "attribute_inference"} <= required
    assert {gate.at_most for gate in policy.gates if gate.score in ("singling_out", "linkability")} == {0.09}


def test_the_page_documents_every_gate_and_key() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "policy.md").read_text(encoding="utf-8")
    for gate in default_policy().gates:
        row = f"| `{gate.score}` | {'at most' if gate.at_most is not None else 'at least'} {gate.threshold:g} |"
        assert row in page, row
    for field in dataclasses.fields(Gate):
        assert f"| `{field.name}` |" in page


def test_the_example_of_the_page_is_a_policy() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "policy.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```toml\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    assert [gate.score for gate in parse_policy(block).gates] == ["membership_auc", "exact_copies"]


def test_every_score_of_an_evaluation_can_be_gated_the_right_way_round() -> None:
    """The list of scores is that of `synthgan.evaluate`; a new score must be added to it, or to the diagnostics."""
    import numpy as np
    import pandas as pd

    import synthgan

    rng = np.random.default_rng(0)

    def table() -> pd.DataFrame:
        return pd.DataFrame(
            {"x": rng.normal(size=60), "y": rng.choice(["a", "b"], 60), "z": rng.choice(["c", "d"], 60)}
        )

    scores = synthgan.evaluate(table(), table(), table(), target="z")
    assert len(scores) > 8
    for score in scores:
        if score.name not in DIAGNOSTICS:
            assert score.name in SCORES
            assert score.direction in (SCORES[score.name], "target")


# ----------------------------------------------------------------------------------------------------------- properties

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=20)


@st.composite
def gates(draw: st.DrawFn) -> Gate:
    score = draw(st.sampled_from(sorted(SCORES)))
    against = draw(st.sampled_from(["interval", "value", "excess"]))
    rows = st.integers(1, 10**9)
    return Gate(
        name=draw(TEXTS),
        score=score,
        reason=draw(TEXTS),
        **{"at_most" if SCORES[score] == "lower" else "at_least": draw(NUMBERS)},
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


def is_accepted_or_refused(content: bytes | str) -> bool:
    """Whether it is a policy; if not, one clear error of ours says so."""
    try:
        policy = parse_policy(content, "the policy file p.toml")
    except SynthganError as error:
        message = str(error)
        assert "p.toml" in message
        assert message.isprintable() and len(message) < 1000
        return False
    assert isinstance(policy, Policy)
    return True


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_no_bytes_break_the_parser(content: bytes | str) -> None:
    is_accepted_or_refused(content)


TOML_VALUES = st.one_of(
    st.sampled_from(
        ["1", "-1", "0.09", "inf", "nan", "true", '""', '"shape"', '"excess"', '"dcr_share"', "[]", "{}", "{a = 1}"]
    ),
    st.sampled_from(
        ["1979-05-27T07:32:00Z", "0x" + "f" * 300, "[[1], [2]]", "'\\'", '"\\u0000"', '"\\uD800"', "1e400"]
    ),
    st.text(max_size=5),
)
KEYS = [field.name for field in dataclasses.fields(Gate)]


@given(
    st.dictionaries(st.sampled_from([*KEYS, "gates", '"\\n"', "a.b", "''"]), TOML_VALUES, max_size=5),
    st.text(max_size=3),
)
def test_no_gate_breaks_the_parser(keys: dict[str, str], end: str) -> None:
    is_accepted_or_refused(gate_text(**keys) + end)


@given(st.data())
def test_no_damage_to_the_default_policy_breaks_the_parser(data: st.DataObject) -> None:
    text = DEFAULT
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text)))
        text = text[:place] + data.draw(st.binary(max_size=4)) + text[place + data.draw(st.integers(0, 60)) :]
    is_accepted_or_refused(text)


DEFAULT = (Path(__file__).resolve().parents[2] / "synthgan" / "review" / "default_policy.toml").read_bytes()

ATOMS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(sorted(SCORES))
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


def test_the_fuzz_reaches_both_ends() -> None:
    assert is_accepted_or_refused(gate_text())
    assert is_accepted_or_refused(DEFAULT)
    assert not is_accepted_or_refused(gate_text(at_most="x"))


@pytest.mark.parametrize(
    ("keys", "misses"),
    [
        ({"score": '"membership_auc"', "at_most": "60"}, False),
        ({"score": '"singling_out"', "at_most": "1"}, False),
        ({"score": '"shape"', "at_most": "100"}, False),
        ({"score": '"c2st"', "at_most": None, "at_least": "0"}, False),
        ({"score": '"membership_auc"', "at_most": "0.99"}, True),
        ({"score": '"shape"', "at_most": "60"}, True),
        ({"score": '"c2st"', "at_most": None, "at_least": "0.01"}, True),
        ({"score": '"frechet_distance"', "at_most": "200"}, True),
        (
            {"score": '"mode_coverage"', "at_most": None, "at_least": "-0.2", "against": '"excess"', "least_rows": "9"},
            True,
        ),
    ],
)
def test_a_threshold_in_a_file_that_no_table_can_miss_is_refused(
    tmp_path: Path, keys: dict[str, str | None], misses: bool
) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(gate_text(**keys), encoding="utf-8")
    if misses:
        assert len(read_policy(path).gates) == 1
    else:
        with pytest.raises(
            PolicyError, match=r"gate 'columns': no table can miss this threshold, for '\w+' runs from 0"
        ):
            read_policy(path)

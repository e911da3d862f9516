"""Policy files: what is read, what is refused, the policy that ships; no input whatever breaks the parser."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthgan.errors import PolicyError, SynthganError
from synthgan.review.policy import Gate, Policy
from synthgan.review.policy_file import MOST_BYTES, default_policy, parse_policy, read_policy
from tests.policy_texts import gate_text


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


# ----------------------------------------------------------------------------------------------------------- properties


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


def test_the_fuzz_reaches_both_ends() -> None:
    assert is_accepted_or_refused(gate_text())
    assert is_accepted_or_refused(DEFAULT)
    assert not is_accepted_or_refused(gate_text(at_most="x"))

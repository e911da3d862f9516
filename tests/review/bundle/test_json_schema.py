"""Our small JSON Schema checker, held to the verdicts of the jsonschema library."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthgan.review.bundle.document import SCHEMA
from synthgan.review.bundle.json_schema import violations
from synthgan.review.file_names import TIERS
from tests.reviewed_models import ReviewedModel, install

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 3)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def documents(
    open_release: ReviewedModel, private_release: ReviewedModel, tmp_path_factory: pytest.TempPathFactory
) -> list[Any]:
    """All four kinds of ``review.json``."""
    from synthgan.review import write_bundle

    folder = tmp_path_factory.mktemp("documents")
    found = []
    with pytest.MonkeyPatch.context() as patch:
        install(patch)
        for name, release in (("open", open_release), ("private", private_release)):
            write_bundle(release.model, release.data, folder / name, n_rows=20)
            found += [json.loads((folder / name / tier / "review.json").read_text(encoding="utf-8")) for tier in TIERS]
    return found


def agree(value: Any, schema: Any = SCHEMA) -> bool:
    """Whether both find the value valid, or both do not."""
    ours, theirs = violations(value, schema), list(jsonschema.Draft202012Validator(schema).iter_errors(value))
    assert bool(ours) == bool(theirs), (ours, [error.message for error in theirs], value)
    return not ours


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_all_tiers_are_valid(documents: list[Any]) -> None:
    assert len(documents) == 4
    for document in documents:
        assert agree(document)


def places(value: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value inside."""
    found = [way] if way else []
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        found += places(item, (*way, key))
    return found


@settings(max_examples=60)
@given(data=st.data())
def test_changed_documents_are_judged_alike(documents: list[Any], data: st.DataObject) -> None:
    document = copy.deepcopy(data.draw(st.sampled_from(documents)))
    for _ in range(data.draw(st.integers(1, 2))):
        *way, last = data.draw(st.sampled_from(places(document)))
        holder = document
        for key in way:
            holder = holder[key]
        change = data.draw(st.sampled_from(["replace", "remove", "add"]))
        if change == "replace":
            holder[last] = data.draw(VALUES)
        elif change == "remove":
            del holder[last]
        elif isinstance(holder, dict):
            holder["surprise"] = data.draw(VALUES)
        if not document:
            break
    agree(document)


@settings(max_examples=50)
@given(value=VALUES)
@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer", "minimum": 1},
        {"type": ["number", "null"]},
        {"const": 1},
        {"const": True},
        {"enum": [None, 0, "a", False]},
        {"type": "array", "minItems": 1, "maxItems": 2, "items": {"type": "integer"}},
        {"properties": {"a": {"type": "string"}, "b": False}, "additionalProperties": {"type": "boolean"}},
        {"if": {"required": ["a"]}, "then": {"required": ["b"]}},
        {"allOf": [{"type": "string"}, {"pattern": "^a"}]},
    ],
    ids=json.dumps,
)
def test_keywords_are_judged_alike(schema: Any, value: Any) -> None:
    agree(value, schema)


def test_a_private_shareable_tier_cannot_hold_a_figure(documents: list[Any]) -> None:
    shareable = documents[3]
    assert (shareable["tier"], shareable["guarantee"]) == ("shareable", "differential privacy")
    inside = documents[2]
    for field in ("evaluation", "gates", "real", "random_state", "shareable_manifest_sha256"):
        assert not agree({**shareable, field: inside[field]}), field
    shared = documents[1]
    figures = copy.deepcopy(shared)
    figures["evaluation"]["evidence"] = {"columns": {}}
    assert not agree(figures)
    figures = copy.deepcopy(shared)
    figures["evaluation"]["scores"][0]["details"] = {"rare level": 1}
    assert not agree(figures)


def test_a_violation_says_where_and_shows_no_value() -> None:
    schema = {"properties": {"a": {"items": {"type": "integer"}}}, "additionalProperties": False}
    found = violations({"a": [1, "secret"], "b\n": "secret"}, schema)
    assert found == ["$.a[1] is not of type integer", '$["b\\n"] should not be there']


def test_a_number_beyond_all_bounds_is_no_crash() -> None:
    assert violations(float("inf"), {"type": "integer"})


def test_an_unknown_keyword_is_not_passed_over() -> None:
    with pytest.raises(KeyError):
        violations(1, {"maximum": 0})


def test_the_schema_ships_with_the_package() -> None:
    import synthgan.review

    assert (Path(synthgan.review.__file__).parent / "bundle" / "review.schema.json").is_file()

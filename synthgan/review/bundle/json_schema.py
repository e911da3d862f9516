"""Checks a JSON value against a JSON Schema, as far as `synthgan.review.bundle.document` uses that language.

A reader of a bundle needs no further library. A keyword that is not known here raises, so that a schema never promises
more than is checked. The tests compare with the jsonschema library.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

_TYPES: dict[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: _TYPES["number"](value) and (isinstance(value, int) or value.is_integer()),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
_PROSE = {"$schema", "$id", "$defs", "title", "description", "then"}
"""Keywords that check nothing by themselves."""


def violations(value: Any, schema: Schema) -> list[str]:
    """Where a value breaks a schema, a sentence each; none of them quotes the value.

    Args:
        value: JSON values.
        schema: a JSON Schema of the keywords below.
    """
    return list(_check(value, schema, "$", schema))


def _check(value: Any, schema: Schema | bool, place: str, root: Schema) -> Iterator[str]:
    if isinstance(schema, bool):
        if not schema:
            yield f"{place} should not be there"
        return
    for keyword, rule in schema.items():
        if keyword not in _PROSE:
            yield from _KEYWORDS[keyword](value, rule, place, (schema, root))


_Context = tuple[Schema, Schema]


def _type(value: Any, rule: Any, place: str, _: _Context) -> Iterator[str]:
    wanted = [rule] if isinstance(rule, str) else rule
    if not any(_TYPES[name](value) for name in wanted):
        yield f"{place} is not of type {' or '.join(wanted)}"


def _equal(left: Any, right: Any) -> bool:
    """Equality of texts, numbers, truth values and null, where true is not 1."""
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _const(value: Any, rule: Any, place: str, _: _Context) -> Iterator[str]:
    if not _equal(value, rule):
        yield f"{place} is not {json.dumps(rule)}"


def _enum(value: Any, rule: Any, place: str, _: _Context) -> Iterator[str]:
    if not any(_equal(value, known) for known in rule):
        yield f"{place} is none of {', '.join(json.dumps(known) for known in rule)}"


def _pattern(value: Any, rule: Any, place: str, _: _Context) -> Iterator[str]:
    if isinstance(value, str) and not re.search(rule, value):
        yield f"{place} does not have the form {rule}"


def _minimum(value: Any, rule: Any, place: str, _: _Context) -> Iterator[str]:
    if _TYPES["number"](value) and value < rule:
        yield f"{place} is below {rule}"


def _max_items(value: Any, rule: Any, place: str, _: _Context) -> Iterator[str]:
    if isinstance(value, list) and len(value) > rule:
        yield f"{place} has more than {rule} items"


def _min_items(value: Any, rule: Any, place: str, _: _Context) -> Iterator[str]:
    if isinstance(value, list) and len(value) < rule:
        yield f"{place} has fewer than {rule} items"


def _items(value: Any, rule: Any, place: str, context: _Context) -> Iterator[str]:
    for i, item in enumerate(value if isinstance(value, list) else ()):
        yield from _check(item, rule, f"{place}[{i}]", context[1])


def _required(value: Any, rule: Any, place: str, _: _Context) -> Iterator[str]:
    for name in rule if isinstance(value, dict) else ():
        if name not in value:
            yield f"{place}.{name} is missing"


def _properties(value: Any, rule: Any, place: str, context: _Context) -> Iterator[str]:
    for name, inner in rule.items() if isinstance(value, dict) else ():
        if name in value:
            yield from _check(value[name], inner, f"{place}.{name}", context[1])


def _additional(value: Any, rule: Any, place: str, context: _Context) -> Iterator[str]:
    known = context[0].get("properties", {})
    for name in value if isinstance(value, dict) else ():
        if name not in known:
            # The name may be hostile: it is shown as JSON shows it.
            yield from _check(value[name], rule, f"{place}[{json.dumps(name[:60])}]", context[1])


def _reference(value: Any, rule: Any, place: str, context: _Context) -> Iterator[str]:
    yield from _check(value, context[1]["$defs"][rule.removeprefix("#/$defs/")], place, context[1])


def _all_of(value: Any, rule: Any, place: str, context: _Context) -> Iterator[str]:
    for inner in rule:
        yield from _check(value, inner, place, context[1])


def _if(value: Any, rule: Any, place: str, context: _Context) -> Iterator[str]:
    if not list(_check(value, rule, place, context[1])):
        yield from _check(value, context[0].get("then", True), place, context[1])


_KEYWORDS: dict[str, Callable[[Any, Any, str, _Context], Iterator[str]]] = {
    "$ref": _reference,
    "additionalProperties": _additional,
    "allOf": _all_of,
    "const": _const,
    "enum": _enum,
    "if": _if,
    "items": _items,
    "maxItems": _max_items,
    "minItems": _min_items,
    "minimum": _minimum,
    "pattern": _pattern,
    "properties": _properties,
    "required": _required,
    "type": _type,
}

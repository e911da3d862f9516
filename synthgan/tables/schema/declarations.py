"""What a user declares about a table: a schema in JSON, whole or in part, checked and ready to overrule guesses.

A declaration may leave out any column and any fact of a column. Facts that belong together stay unchecked until the
column's type is known; `synthgan.tables.schema.declared_columns.overrule` then brings them onto the column.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

from synthgan.errors import SchemaError, did_you_mean
from synthgan.tables.kinds import TRAITS
from synthgan.tables.pandas_dtypes import parse_dtype
from synthgan.tables.schema.schema import (
    Combinations,
    Constraint,
    Order,
    Provenance,
    Sum,
    UniqueKey,
)
from synthgan.tables.schema.schema_values import label_from_json
from synthgan.visible_text import shown

FORMAT: Final = "synthgan-schema"
VERSION: Final = 2
_PROVENANCES: Final = get_args(Provenance)
_COLUMN_TEXTS: Final = (
    "kind", "source", "reason", "arrow_type", "stored_type", "written", "pandas_dtype", "time_zone", "text",
)  # fmt: skip
GRID_FACTS: Final = ("granularity", "offset", "calendar")
"""What says where the values of a number column lie; none of them goes without the others being heeded."""
_COLUMN_KEYS: Final = ("name", "label", *_COLUMN_TEXTS, "bounds", "levels", *GRID_FACTS, "index")
_RULES: Final[dict[str, tuple[type[Any], tuple[str, ...], tuple[str, ...]]]] = {
    "order": (Order, ("low", "high"), ()),
    "sum": (Sum, ("total",), ("parts",)),
    "combinations": (Combinations, (), ("columns",)),
    "unique_key": (UniqueKey, (), ("columns",)),
}
"""Rule -> its class, its keys that hold a column, its keys that hold a list of columns."""


@dataclass(frozen=True, kw_only=True)
class ColumnDeclaration:
    """The declared facts of one column, as written.

    Attributes:
        name: the column.
        facts: key of the schema file -> value as in JSON; ``bounds`` and ``levels`` in their long form.
    """

    name: str
    facts: Mapping[str, Any]

    @property
    def label(self) -> Hashable:
        """The label that is not a string, or None."""
        return label_from_json(self.facts.get("label"))


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """All declared columns by name, and the declared rules (None when none are mentioned)."""

    columns: Mapping[str, ColumnDeclaration]
    constraints: tuple[Constraint, ...] | None


def parse_declaration(content: Any, where: str = "the schema") -> Declaration:
    """Check the form of a schema in JSON and bring its short forms into the long one.

    Args:
        content: ``{"columns": [...] or {name: facts}, "constraints": [...]}``.
        where: what the content is, for messages.

    Raises:
        SchemaError: says which key of which column is wrong.
    """
    _need(isinstance(content, Mapping), f"{where} must be an object with the key 'columns'")
    _check_keys(content, ("$schema", "format", "version", "columns", "constraints"), where)
    _need(content.get("format", FORMAT) == FORMAT, f"{where} is not in the format {FORMAT!r}")
    version = content.get("version", VERSION)
    _need(isinstance(version, int) and version >= 1, f"the version of {where} must be a whole number")
    _need(version <= VERSION, f"{where} is of version {version}, newer than this synthgan reads ({VERSION}): update it")
    columns: dict[str, ColumnDeclaration] = {}
    for name, facts in _named_columns(content.get("columns", []), where):
        _need(name not in columns, f"{where} lists column {name!r} twice")
        columns[name] = ColumnDeclaration(name=name, facts=_parse_facts(name, facts))
    rules = content.get("constraints")
    _need(rules is None or isinstance(rules, list | tuple), f"the constraints of {where} must be a list")
    constraints = None if rules is None else tuple(_parse_rule(rule, where) for rule in rules)
    return Declaration(columns=columns, constraints=constraints)


def _need(condition: bool, message: str) -> None:
    if not condition:
        raise SchemaError(message)


def _check_keys(content: Mapping[Any, Any], known: Iterable[str], where: str) -> None:
    known = tuple(known)
    for key in content:
        if key not in known:
            hint = did_you_mean(key, known) or f"; the keys are {', '.join(known)}"
            raise SchemaError(f"unknown key {shown(str(key))} in {where}{hint}")


def _named_columns(columns: Any, where: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    if isinstance(columns, Mapping):
        pairs = [(name, {"kind": facts} if isinstance(facts, str) else facts) for name, facts in columns.items()]
    else:
        _need(isinstance(columns, list | tuple), f"the columns of {where} must be a list, or an object by name")
        for position, facts in enumerate(columns):
            _need(isinstance(facts, Mapping) and "name" in facts, f"column {position + 1} of {where} needs a 'name'")
        pairs = [(facts["name"], facts) for facts in columns]
    for name, facts in pairs:
        _need(isinstance(name, str), f"{where} has a column whose name is not text: write the name as text")
        _need(isinstance(facts, Mapping), f"column {name!r} of {where} must be an object of facts, or its kind")
        yield name, facts


def _parse_facts(name: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    where = f"column {name!r}"
    _check_keys(facts, _COLUMN_KEYS, where)
    parsed = {key: value for key, value in facts.items() if value is not None and key != "name"}
    for key in _COLUMN_TEXTS:
        _need(isinstance(parsed.get(key, ""), str), f"{key!r} of {where} must be text")
    _check_dtype(parsed.get("pandas_dtype"), where)
    kind = parsed.get("kind")
    if kind is not None and kind not in TRAITS:
        hint = did_you_mean(kind, TRAITS) or f"; the kinds are {', '.join(TRAITS)}"
        raise SchemaError(f"{where} has an unknown kind {shown(kind)}{hint}")
    _check_source(parsed, where)
    if "bounds" in parsed:
        parsed["bounds"] = _long_bounds(parsed["bounds"], where)
    if "levels" in parsed:
        parsed["levels"] = _long_levels(parsed["levels"], where)
    for key, types, what in (
        ("granularity", int | float, "a number"),
        ("offset", int | float | str, "a number or text"),
    ):
        fits = isinstance(parsed.get(key, 0), types) and not isinstance(parsed.get(key), bool)
        _need(fits, f"the {key} of {where} must be {what}")
    _need(isinstance(parsed.get("calendar", ""), str), f"the calendar of {where} must be text")
    _need(isinstance(parsed.get("index", False), bool), f"'index' of {where} must be true or false")
    return parsed


def _check_dtype(text: str | None, where: str) -> None:
    try:
        if text is not None:
            parse_dtype(text)
    except Exception:  # pandas looks names up in several libraries, each with errors of its own
        raise SchemaError(
            f"the pandas_dtype {shown(text or '')} of {where} is not one that pandas knows: leave it out"
        ) from None


def _check_source(facts: Mapping[str, Any], where: str) -> None:
    source = facts.get("source", "declared")
    _need(source in _PROVENANCES, f"the source in {where} must be one of {', '.join(_PROVENANCES)}")


def _long_bounds(bounds: Any, where: str) -> dict[str, Any]:
    if isinstance(bounds, list | tuple):
        _need(len(bounds) == 2, f"the bounds of {where} must be a pair [lower, upper]; null leaves a side open")
        return {"lower": bounds[0], "upper": bounds[1]}
    _need(isinstance(bounds, Mapping), f"the bounds of {where} must be [lower, upper] or an object with these keys")
    _check_keys(bounds, ("lower", "upper", "source"), f"the bounds of {where}")
    _check_source(bounds, f"the bounds of {where}")
    return dict(bounds)


def _long_levels(levels: Any, where: str) -> dict[str, Any]:
    if isinstance(levels, list | tuple):
        return {"values": list(levels)}
    _need(isinstance(levels, Mapping), f"the levels of {where} must be a list, or an object with the key 'values'")
    _check_keys(levels, ("values", "ordered", "source", "pandas_dtype"), f"the levels of {where}")
    _need(isinstance(levels.get("values"), list | tuple), f"the levels of {where} need a list of 'values'")
    _need(isinstance(levels.get("ordered", False), bool), f"'ordered' in the levels of {where} must be true or false")
    _need(isinstance(levels.get("pandas_dtype") or "", str), f"'pandas_dtype' in the levels of {where} must be text")
    _check_dtype(levels.get("pandas_dtype"), f"the levels of {where}")
    _check_source(levels, f"the levels of {where}")
    return dict(levels)


def _parse_rule(rule: Any, where: str) -> Constraint:
    listed = ", ".join(_RULES)
    _need(
        isinstance(rule, Mapping) and "rule" in rule, f"a constraint of {where} needs the key 'rule' (one of {listed})"
    )
    name = rule["rule"]
    _need(isinstance(name, str), f"the key 'rule' of a constraint of {where} must be text (one of {listed})")
    if name not in _RULES:
        hint = did_you_mean(name, _RULES) or f"; the rules are {listed}"
        raise SchemaError(f"unknown rule {shown(name)} in {where}{hint}")
    cls, singles, lists = _RULES[name]
    _check_keys(rule, ("rule", *singles, *lists), f"a constraint of the rule {name!r}")
    for key in singles:
        _need(isinstance(rule.get(key), str), f"{key!r} in a constraint of the rule {name!r} must be a column name")
    for key in lists:
        columns = rule.get(key)
        named = isinstance(columns, list | tuple) and all(isinstance(column, str) for column in columns)
        _need(named, f"{key!r} in a constraint of the rule {name!r} must be a list of column names")
    parts: dict[str, Any] = {key: rule[key] for key in singles} | {key: tuple(rule[key]) for key in lists}
    constraint: Constraint = cls(**parts)
    return constraint


def constraint_to_json(constraint: Constraint) -> dict[str, Any]:
    """A constraint as an entry of ``constraints``."""
    name = next(name for name, (cls, _, _) in _RULES.items() if type(constraint) is cls)
    _, singles, lists = _RULES[name]
    content: dict[str, Any] = {"rule": name} | {key: getattr(constraint, key) for key in singles}
    return content | {key: list(getattr(constraint, key)) for key in lists}

"""What a user declares about a table: a schema in JSON, whole or in part, checked and ready to overrule guesses.

A declaration may leave out any column and any fact of a column. Facts that belong together stay unchecked until the
column's type is known; `overrule` then brings them onto the column.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

import pyarrow as pa

from synthgan.errors import SchemaError, did_you_mean
from synthgan.tables.arrow_types import is_text, parse_type
from synthgan.tables.schema import (
    KINDS,
    NUMERIC_KINDS,
    Bounds,
    ColumnSchema,
    Combinations,
    Constraint,
    Kind,
    Levels,
    Order,
    Provenance,
    Sum,
    TableSchema,
    UniqueKey,
)
from synthgan.tables.schema_values import label_from_json, value_from_json
from synthgan.tables.written_columns import with_format

FORMAT: Final = "synthgan-schema"
VERSION: Final = 2
_WITH_LEVELS: Final[frozenset[Kind]] = frozenset({"categorical", "boolean", "constant"})
_PROVENANCES: Final = get_args(Provenance)
_COLUMN_TEXTS: Final = (
    "kind", "source", "reason", "arrow_type", "stored_type", "written", "pandas_dtype", "time_zone", "text",
)  # fmt: skip
_COLUMN_KEYS: Final = ("name", "label", *_COLUMN_TEXTS, "bounds", "levels", "granularity")
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
            raise SchemaError(f"unknown key {key!r} in {where}{hint}")


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
    kind = parsed.get("kind")
    if kind is not None and kind not in KINDS:
        hint = did_you_mean(kind, KINDS) or f"; the kinds are {', '.join(KINDS)}"
        raise SchemaError(f"{where} has an unknown kind {kind!r}{hint}")
    _check_source(parsed, where)
    if "bounds" in parsed:
        parsed["bounds"] = _long_bounds(parsed["bounds"], where)
    if "levels" in parsed:
        parsed["levels"] = _long_levels(parsed["levels"], where)
    granularity = parsed.get("granularity")
    number = isinstance(granularity, int | float) and not isinstance(granularity, bool)
    _need(granularity is None or number, f"the granularity of {where} must be a number")
    return parsed


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
    _check_source(levels, f"the levels of {where}")
    return dict(levels)


def _parse_rule(rule: Any, where: str) -> Constraint:
    listed = ", ".join(_RULES)
    _need(
        isinstance(rule, Mapping) and "rule" in rule, f"a constraint of {where} needs the key 'rule' (one of {listed})"
    )
    name = rule["rule"]
    if name not in _RULES:
        hint = did_you_mean(name, _RULES) or f"; the rules are {listed}"
        raise SchemaError(f"unknown rule {name!r} in {where}{hint}")
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


_Check = Callable[[pa.DataType], bool]


def _is_whole(data_type: pa.DataType) -> bool:
    return bool(pa.types.is_integer(data_type) or (pa.types.is_decimal(data_type) and data_type.scale == 0))


def _names_rows(data_type: pa.DataType) -> bool:
    return is_text(data_type) or _is_whole(data_type) or bool(pa.types.is_floating(data_type))


_CARRIES: Final[dict[Kind, _Check]] = {
    "categorical": lambda _: True,
    "constant": lambda _: True,
    "boolean": pa.types.is_boolean,
    "integer": _is_whole,
    "float": pa.types.is_floating,
    "decimal": pa.types.is_decimal,
    "datetime": pa.types.is_timestamp,
    "date": pa.types.is_date,
    "timedelta": pa.types.is_duration,
    "identifier": _names_rows,
    "text": is_text,
}
"""Which kinds a physical type can carry."""


def natural_kind(data_type: pa.DataType) -> Kind:
    """The kind that a physical type stands for when nothing else is known."""
    order: tuple[Kind, ...] = ("boolean", "decimal", "integer", "float", "datetime", "date", "timedelta")
    return next((kind for kind in order if _CARRIES[kind](data_type)), "categorical")


def overrule(column: ColumnSchema, declared: ColumnDeclaration) -> ColumnSchema:
    """``column`` with the declared facts in place of the guessed ones.

    A fact that is marked as inferred keeps that mark as long as it is what was inferred; anything else counts as
    declared, so that an edited file needs no edited marks.

    Raises:
        SchemaError: when a fact does not go with the column's type or kind.
    """
    facts = declared.facts
    if "written" in facts:
        reason = facts.get("reason") or "declared"
        column = with_format(column, facts["written"], source=facts.get("source", "declared"), reason=reason)
    data_type = parse_type(column.arrow_type)
    kind, source, reason = _declared_kind(column, facts, data_type)
    changed = dataclasses.replace(
        column,
        kind=kind,
        source=source,
        reason=reason,
        levels=_declared_levels(column, facts.get("levels"), data_type) if kind in _WITH_LEVELS else None,
        bounds=_declared_bounds(column, facts.get("bounds"), data_type),
        granularity=facts.get("granularity", column.granularity if kind in NUMERIC_KINDS else None),
        text=facts.get("text", column.text),
    )
    if "text" in facts and kind != "text" and facts["text"] != "empty":
        raise SchemaError(f"column {column.name!r} is {kind} and cannot have the option 'text': declare it as text")
    if "levels" in facts and kind not in _WITH_LEVELS:
        raise SchemaError(f"column {column.name!r} is {kind} and cannot have levels: declare it as categorical")
    zone = facts.get("time_zone")
    if zone is not None and zone != column.time_zone:
        has = f"the time zone {column.time_zone}" if column.time_zone else "no time zone"
        raise SchemaError(
            f"column {column.name!r} is declared in the time zone {zone!r} and has {has} in the table: "
            f"convert the column first"
        )
    return changed


def _declared_kind(
    column: ColumnSchema, facts: Mapping[str, Any], data_type: pa.DataType
) -> tuple[Kind, Provenance, str]:
    kind: Kind | None = facts.get("kind")
    if kind is None:
        implied = _implied_kind(column, facts, data_type)
        return (column.kind, column.source, column.reason) if implied is None else (implied, "declared", "declared")
    written: Provenance = facts.get("source", "declared")
    if written == "inferred-exact" and kind == column.kind:
        return kind, column.source, column.reason
    if not _CARRIES[kind](data_type):
        possible = ", ".join(kind for kind in KINDS if _CARRIES[kind](data_type))
        advice = "convert the column first, or declare another kind"
        if kind == "integer" and pa.types.is_floating(data_type):
            advice = "declare float with a granularity of 1, or convert the column first"
        elif is_text(data_type) and kind != "boolean":
            how = _CONVERSIONS.get(kind, "astype")
            advice = f"declare its arrow_type, or convert it to a {kind} type (in pandas: {how})"
        raise SchemaError(
            f"column {column.name!r} is declared {kind}, which its type {data_type} cannot carry "
            f"(it can be {possible}): {advice}"
        )
    return kind, "released" if written == "released" else "declared", facts.get("reason", "") or "declared"


_CONVERSIONS: Final = {
    "integer": "pd.to_numeric",
    "float": "pd.to_numeric",
    "datetime": "pd.to_datetime",
    "date": "pd.to_datetime",
    "timedelta": "pd.to_timedelta",
}


def _implied_kind(column: ColumnSchema, facts: Mapping[str, Any], data_type: pa.DataType) -> Kind | None:
    """The kind that declared facts stand for when no kind is declared and the guess does not go with them."""
    numeric = "bounds" in facts or "granularity" in facts
    if numeric and column.kind not in NUMERIC_KINDS and natural_kind(data_type) in NUMERIC_KINDS:
        return natural_kind(data_type)
    if "levels" in facts and column.kind not in _WITH_LEVELS:
        return "categorical"
    if facts.get("text", "empty") != "empty" and column.kind != "text" and is_text(data_type):
        return "text"
    return None


def _declared_bounds(column: ColumnSchema, bounds: Mapping[str, Any] | None, data_type: pa.DataType) -> Bounds | None:
    if bounds is None:
        return column.bounds
    where = f"a bound of column {column.name!r}"
    lower, upper = (
        None if bounds.get(side) is None else value_from_json(bounds[side], data_type, where)
        for side in ("lower", "upper")
    )
    return Bounds(lower=lower, upper=upper, source=bounds.get("source", "declared"))


def _declared_levels(column: ColumnSchema, levels: Mapping[str, Any] | None, data_type: pa.DataType) -> Levels | None:
    if levels is None:
        return column.levels
    where = f"a level of column {column.name!r}"
    declared = Levels(
        values=tuple(value_from_json(value, data_type, where) for value in levels["values"]),
        ordered=levels.get("ordered", False),
        source=levels.get("source", "declared"),
        pandas_dtype=levels.get("pandas_dtype"),
    )
    if declared.source == "inferred-exact" and column.levels is not None and declared != column.levels:
        return dataclasses.replace(declared, source="declared")
    return declared


def declared_table(declaration: Declaration) -> TableSchema:
    """A complete declaration as a schema of its own.

    Raises:
        SchemaError: when a column lacks its kind or type.
    """
    columns = []
    for name, declared in declaration.columns.items():
        facts = declared.facts
        if "kind" not in facts or "arrow_type" not in facts:
            raise SchemaError(
                f"column {name!r} of the schema lacks its kind or its arrow_type: "
                f"a schema in part can be declared for a fit, but does not stand for a table by itself"
            )
        data_type = parse_type(facts["arrow_type"])
        bare = ColumnSchema(
            name=name,
            label=declared.label,
            kind=facts["kind"],
            source=facts.get("source", "declared"),
            reason=facts.get("reason", ""),
            arrow_type=facts["arrow_type"],
            stored_type=facts.get("stored_type"),
            written=facts.get("written"),
            pandas_dtype=facts.get("pandas_dtype"),
            granularity=facts.get("granularity"),
            time_zone=facts.get("time_zone"),
            text=facts.get("text", "empty"),
        )
        columns.append(
            dataclasses.replace(
                bare,
                bounds=_declared_bounds(bare, facts.get("bounds"), data_type),
                levels=_declared_levels(bare, facts.get("levels"), data_type),
            )
        )
    return TableSchema(columns=tuple(columns), constraints=declaration.constraints or ())

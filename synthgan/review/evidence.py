"""Reads what the evaluation left for the report. Whatever is missing or odd is left out; nothing here raises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from synthgan.review.wording import finite, numbers

MOST_BARS = 12
MOST_POINTS = 200


@dataclass(frozen=True, slots=True)
class Column:
    """The distribution of one column in each table.

    Attributes:
        name: of the column.
        kind: how it is drawn; times are numeric, with edges that are read as dates.
        edges: of the bins, one more than bins; empty for a categorical column.
        is_time: whether the edges are nanoseconds since 1970.
        levels: names of the bars; empty for a numeric column.
        shares: of each bin or level, per table; "real" and "synthetic" are always there.
        missing: share of missing values per table, as far as known.
        error: shape error in percent, None when unknown.
    """

    name: str
    kind: Literal["numeric", "categorical"]
    edges: tuple[float, ...]
    is_time: bool
    levels: tuple[str, ...]
    shares: dict[str, tuple[float, ...]]
    missing: dict[str, float]
    error: float | None


@dataclass(frozen=True, slots=True)
class Pairs:
    """Association of each pair of columns, in [0, 1], and the trend error in percent; None where undefined."""

    columns: tuple[str, ...]
    real: list[list[float | None]]
    synthetic: list[list[float | None]]
    error: list[list[float | None]]


@dataclass(frozen=True, slots=True)
class Curve:
    """An attack's ROC curve."""

    attack: str
    false_positives: tuple[float, ...]
    true_positives: tuple[float, ...]


def mapping(value: Any) -> Mapping[Any, Any]:
    """The value if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: Any) -> list[Any]:
    """The items of a list or tuple, else none."""
    return list(value) if isinstance(value, list | tuple) else []


def read_columns(evidence: Any) -> list[Column]:
    """The columns that can be drawn, worst first; those without an error come last."""
    found = [_column(str(name), mapping(values)) for name, values in mapping(mapping(evidence).get("columns")).items()]
    drawn = [column for column in found if column is not None]
    return sorted(drawn, key=lambda column: -1.0 if column.error is None else column.error, reverse=True)


def read_pairs(evidence: Any) -> Pairs | None:
    """The associations, None when there are no two columns of them."""
    values = mapping(mapping(evidence).get("pairs"))
    names = tuple(str(name) for name in sequence(values.get("columns")))
    if len(names) < 2:
        return None
    real, synthetic, error = (_matrix(values.get(part), len(names)) for part in ("real", "synthetic", "error"))
    if not any(value is not None for row in [*real, *synthetic, *error] for value in row):
        return None
    return Pairs(columns=names, real=real, synthetic=synthetic, error=error)


def read_curves(details: Any) -> list[Curve]:
    """The ROC curves of a membership score's details."""
    curves = []
    for attack, points in mapping(mapping(details).get("roc")).items():
        pairs = zip(numbers(mapping(points).get("fpr")), numbers(mapping(points).get("tpr")), strict=False)
        kept = sorted(
            (min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0)) for x, y in pairs if x is not None and y is not None
        )
        if len(kept) > 1:
            step = -(-len(kept) // MOST_POINTS)
            thinned = [*kept[:-1][::step], kept[-1]]
            curves.append(Curve(str(attack), tuple(x for x, _ in thinned), tuple(y for _, y in thinned)))
    return curves


def records(
    details: Any, wanted: frozenset[str], depth: int = 3, path: tuple[str, ...] = (), *, least: int = 2
) -> Iterator[tuple[tuple[str, ...], Mapping[Any, Any]]]:
    """Mappings within the details that hold ``least`` numbers under the wanted names, with the keys that lead there.

    A list of mappings counts too; its items are named by their "name", or by their place.
    """
    values = mapping(details)
    if sum(finite(values.get(name)) is not None for name in wanted) >= least:
        yield path, values
        return
    if depth == 0:
        return
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from records(value, wanted, depth - 1, (*path, str(key)), least=least)
        elif isinstance(value, list | tuple):
            for place, item in enumerate(value[:1000], 1):
                if isinstance(item, Mapping):
                    named = next((item[label] for label in _LABELS if isinstance(item.get(label), str)), place)
                    yield from records(item, wanted, depth - 1, (*path, str(named)), least=least)


_LABELS = ("name", "label", "secret", "column", "subgroup", "group", "level", "attack", "model")


def _column(name: str, values: Mapping[Any, Any]) -> Column | None:
    shares = {}
    for table in ("real", "synthetic", "holdout"):
        found = [min(max(share or 0.0, 0.0), 1.0) for share in numbers(mapping(values.get("shares")).get(table))]
        if found:
            shares[table] = tuple(found)
    if not {"real", "synthetic"} <= shares.keys():
        return None
    is_time = values.get("kind") == "time"
    edges = _edges(values.get("edges"))
    levels = tuple(str(level) for level in sequence(values.get("levels")))
    size = len(edges) - 1 if edges else len(levels)
    shares = {table: found for table, found in shares.items() if len(found) == size}
    if size < 1 or not {"real", "synthetic"} <= shares.keys():
        return None
    missing = {table: finite(mapping(values.get("missing")).get(table)) for table in ("real", "synthetic")}
    return Column(
        name=name,
        kind="numeric" if edges else "categorical",
        edges=edges,
        is_time=is_time,
        levels=() if edges else levels,
        shares=shares,
        missing={table: share for table, share in missing.items() if share is not None},
        error=finite(values.get("shape_error")),
    )


def _edges(values: Any) -> tuple[float, ...]:
    """Rising edges; texts are read as dates."""
    edges = [_nanoseconds(value) if isinstance(value, str) else finite(value) for value in sequence(values)]
    known = [edge for edge in edges if edge is not None]
    rising = all(left < right for left, right in pairwise(known))
    return tuple(known) if len(known) == len(edges) > 1 and rising else ()


def _nanoseconds(text: str) -> float | None:
    """An ISO 8601 text, of any year, as nanoseconds since 1970."""
    try:
        seconds = np.datetime64(text.removesuffix("Z"), "s")
    except (ValueError, TypeError, OverflowError):
        return None
    return None if np.isnat(seconds) else 1e9 * float(seconds.astype(np.int64))


def _matrix(rows: Any, size: int) -> list[list[float | None]]:
    found = [(numbers(row) + [None] * size)[:size] for row in sequence(rows)[:size]]
    return found + [[None] * size] * (size - len(found))

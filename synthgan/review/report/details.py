"""Reads what the details of scores hold for the report. Whatever is missing or odd is left out; nothing here raises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from synthgan.loose_json import finite, mapping, numbers

MOST_POINTS = 200


@dataclass(frozen=True, slots=True)
class Curve:
    """An attack's ROC curve."""

    attack: str
    false_positives: tuple[float, ...]
    true_positives: tuple[float, ...]


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

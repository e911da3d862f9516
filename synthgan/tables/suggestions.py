"""Rules that seem to hold between columns, each with the counts that speak for it. None is in force unless declared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from synthgan.tables.inference import sample_rows
from synthgan.tables.schema.schema import (
    Combinations,
    Constraint,
    Order,
    Sum,
    TableSchema,
    UniqueKey,
    constraint_columns,
)
from synthgan.tables.sources.batches import Source
from synthgan.tables.suggested_orders import FEWEST_ROWS, Numbers, find_orders, without_shortcuts
from synthgan.warned import warn

Codes = npt.NDArray[np.int64]

_PROBED_ROWS: Final = 24
_MOST_SUMS: Final = 60_000
_MOST_SUMMED_COLUMNS: Final = 346
"""So many have 60,000 pairs."""
_MOST_LEVELS: Final = 2_000
_MOST_LEVELLED_COLUMNS: Final = 60
_MOST_CHECKED: Final = 500


def suggest_constraints(source: Source, schema: TableSchema) -> list[tuple[Constraint, str]]:
    """Constraints that hold in every row, with the evidence in words and counts.

    Candidates come from a sample; sums and orders are then checked on all rows. Keys and combinations of a table larger
    than the sample are judged by the sample alone, and the evidence says so.

    Warns:
        SynthganWarning: when the table is too wide for all its columns to be compared with each other.
    """
    sample = source.sample(sample_rows(len(schema.names)))
    if sample.num_rows < FEWEST_ROWS:
        return []
    whole = source.n_rows == sample.num_rows
    numbers = {
        column.name: to_numbers(sample.column(column.name)) for column in schema.columns if column.traits.is_number
    }
    sums = _find_sums({name: values for name, values in numbers.items() if schema[name].traits.scale == "amount"})
    orders = find_orders(schema, numbers)
    if len(orders) > _MOST_CHECKED:  # all rows of a large table are not read for each of them
        orders = [rule for rule, _ in without_shortcuts([(rule, "") for rule in orders]) if isinstance(rule, Order)]
    kept = without_shortcuts(check_rows(source, [*orders, *sums], numbers, whole=whole))
    summed = [{*constraint_columns(rule)} for rule, _ in kept if isinstance(rule, Sum)]
    found = [(rule, text) for rule, text in kept if not any({*constraint_columns(rule)} < names for names in summed)]
    codes = dict(_levelled(schema, sample))
    _warn_of_limits(schema)
    suffix = "" if whole else f" of a sample of {sample.num_rows:,} rows"
    found += [(rule, text + suffix) for rule, text in _find_combinations(codes)]
    if whole:
        found += _find_keys(schema, sample)
    declared = set(schema.constraints)
    return [(rule, text) for rule, text in found if rule not in declared]


def _warn_of_limits(schema: TableSchema) -> None:
    counted = (
        ("sums", sum(column.traits.scale == "amount" for column in schema.columns), _MOST_SUMMED_COLUMNS),
        ("combinations", sum(column.traits.has_classes for column in schema.columns), _MOST_LEVELLED_COLUMNS),
    )
    for what, n_columns, most in counted:
        if n_columns > most:
            warn(
                f"{what} of columns were looked for among the first {most} of the {n_columns:,} columns that may have "
                "some: declare the others that you know of"
            )


def to_numbers(values: pa.ChunkedArray | pa.Array) -> Numbers:
    """A numeric or time column as float64 in its own unit; missing and infinite values as NaN."""
    plain = values.cast(values.type.value_type) if pa.types.is_dictionary(values.type) else values
    if pa.types.is_date(plain.type):
        plain = plain.cast(pa.int32())
    elif pa.types.is_temporal(plain.type):
        plain = plain.cast(pa.int64())
    numbers: Numbers = plain.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False).astype(np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def check_rows(
    source: Source, rules: list[Order | Sum], sampled: dict[str, Numbers], *, whole: bool
) -> list[tuple[Constraint, str]]:
    """Those of ``rules`` that no row of the whole source breaks, with the number of rows that they were seen in."""
    seen = np.zeros(len(rules), dtype=np.int64)
    broken = np.zeros(len(rules), dtype=bool)
    names = sorted({name for rule in rules for name in constraint_columns(rule)})
    for numbers in [sampled] if whole else _all_numbers(source, names):
        for index, rule in enumerate(rules):
            present, holds = _tested(rule, numbers)
            seen[index] += int(present.sum())
            broken[index] |= bool((present & ~holds).any())
    return [
        (rule, f"holds in all {rows:,} rows that have these values")
        for rule, rows, failed in zip(rules, seen.tolist(), broken.tolist(), strict=True)
        if not failed
    ]


def _all_numbers(source: Source, names: list[str]) -> Iterator[dict[str, Numbers]]:
    if names:
        for batch in source.batches(names):
            yield {name: to_numbers(values) for name, values in zip(names, batch.columns, strict=True)}


def _tested(rule: Order | Sum, numbers: dict[str, Numbers]) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Rows that have all values of the rule, and rows in which it holds."""
    if isinstance(rule, Order):
        low, high = numbers[rule.low], numbers[rule.high]
        return ~(np.isnan(low) | np.isnan(high)), low <= high
    total, parts = numbers[rule.total], sum(numbers[part] for part in rule.parts)
    return ~(np.isnan(total) | np.isnan(parts)), np.isclose(total, parts, rtol=1e-9, atol=1e-6)


# --- Sum -------------------------------------------------------------------------------------------------------------


def _find_sums(numbers: dict[str, Numbers]) -> list[Sum]:
    """Columns that are the sum of two to four others, found on a few telling rows and confirmed on all."""
    names = [name for name, values in numbers.items() if np.nanmax(np.abs(values), initial=0.0) > 0]
    names = names[:_MOST_SUMMED_COLUMNS]
    if len(names) < 3:
        return []
    matrix = np.column_stack([numbers[name] for name in names])
    matrix = matrix[~np.isnan(matrix).any(axis=1)]
    if len(matrix) < FEWEST_ROWS:
        return []
    telling = np.argsort(-(matrix != 0).sum(axis=1), kind="stable")[: _PROBED_ROWS * 40]
    probe = matrix[telling[:: max(1, len(telling) // _PROBED_ROWS)][:_PROBED_ROWS]]
    sums: list[Sum] = []
    for size in (2, 3, 4):
        if comb(len(names), size) > _MOST_SUMS:
            break
        parts = np.array(list(combinations(range(len(names)), size)), dtype=np.int64).reshape(-1, size)
        added = probe[:, parts].sum(axis=2)
        for total in range(len(names)):
            for chosen in parts[_adding_up(added, probe[:, total])]:
                rule = Sum(total=names[total], parts=tuple(names[part] for part in chosen))
                if total not in chosen and _is_sum(matrix, total, chosen) and not _is_known(rule, sums):
                    sums.append(rule)
    return sums


def _adding_up(added: Numbers, total: Numbers) -> npt.NDArray[np.int64]:
    """Columns of ``added`` that agree with ``total`` in every row; each row leaves few for the next one to look at."""
    left = np.arange(added.shape[1])
    for sums, wanted in zip(added, total, strict=True):
        left = left[np.isclose(sums[left], wanted, rtol=1e-9, atol=1e-6)]
    return left


def _is_sum(matrix: Numbers, total: int, parts: npt.NDArray[np.int64]) -> bool:
    """Whether the rule holds in all rows, and each part matters in some."""
    holds = np.isclose(matrix[:, total], matrix[:, parts].sum(axis=1), rtol=1e-9, atol=1e-6).all()
    return bool(holds and ((matrix[:, parts] != 0).sum(axis=0) >= 10).all())


def _is_known(rule: Sum, sums: list[Sum]) -> bool:
    """Whether a shorter rule has the same total, or the same columns in another arrangement."""
    columns = {*constraint_columns(rule)}
    return any(rule.total == known.total or columns == {*constraint_columns(known)} for known in sums)


# --- Combinations ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Levelled:
    """A column as level codes; a missing cell is a level, too."""

    codes: Codes
    n_levels: int


def _levelled(schema: TableSchema, sample: pa.Table) -> Iterable[tuple[str, _Levelled]]:
    candidates = [column.name for column in schema.columns if column.traits.has_classes]
    for name in candidates[:_MOST_LEVELLED_COLUMNS]:
        levelled = _level_codes(sample.column(name))
        if 2 <= levelled.n_levels <= min(_MOST_LEVELS, sample.num_rows // 5):
            yield name, levelled


def _level_codes(values: pa.ChunkedArray) -> _Levelled:
    plain = values.cast(values.type.value_type) if pa.types.is_dictionary(values.type) else values
    encoded = plain.combine_chunks().dictionary_encode(null_encoding="encode")
    return _Levelled(codes=encoded.indices.to_numpy().astype(np.int64), n_levels=len(encoded.dictionary))


def _find_combinations(columns: dict[str, _Levelled]) -> list[tuple[Constraint, str]]:
    """Groups of columns in which one settles the others, like a town and its state."""
    found: list[tuple[Constraint, str]] = []
    grouped: list[set[str]] = []
    for name in sorted(columns, key=lambda name: -columns[name].n_levels):
        settled = [other for other in columns if other != name and _settles(columns[name], columns[other])]
        group = {name, *settled}
        if not settled or any(group <= known for known in grouped):
            continue
        grouped.append(group)
        ordered = tuple(other for other in columns if other in group)
        possible = int(np.prod([columns[other].n_levels for other in ordered], dtype=np.float64))
        text = (
            f"each of the {columns[name].n_levels:,} levels of {name!r} comes with one combination of the others: "
            f"{columns[name].n_levels:,} of {possible:,} possible ones occur"
        )
        found.append((Combinations(columns=ordered), text))
    return found


def _settles(one: _Levelled, other: _Levelled) -> bool:
    """Whether each level of ``one`` comes with one level of ``other``, although chance would mix them."""
    if one.n_levels < other.n_levels:
        return False
    last = np.zeros(one.n_levels, dtype=np.int64)
    last[one.codes] = other.codes
    if (last[one.codes] != other.codes).any():
        return False
    sizes = np.bincount(one.codes, minlength=one.n_levels)
    shares = np.bincount(other.codes, minlength=other.n_levels) / len(other.codes)
    unique_sizes, n_with_size = np.unique(sizes, return_counts=True)
    pure = (shares[None, :] ** unique_sizes[:, None]).sum(axis=1)  # chance that a level's rows agree by accident
    expected_mixed = float(((1 - pure) * n_with_size).sum())
    return expected_mixed >= min(3.0, 0.95 * one.n_levels)


# --- Keys ------------------------------------------------------------------------------------------------------------


def _find_keys(schema: TableSchema, table: pa.Table) -> list[tuple[Constraint, str]]:
    """Identifiers that never repeat, and whole numbers that count the rows of each group from 0 or 1."""
    found: list[tuple[Constraint, str]] = []
    for column in schema.columns:
        values = table.column(column.name)
        names_rows = "row" in column.traits.key_parts
        if names_rows and not values.null_count and pc.count_distinct(values).as_py() == len(values):
            found.append((UniqueKey(columns=(column.name,)), f"{len(values):,} rows, all different and none missing"))
    counters = _starting_at_one(schema, table)
    for group in [column.name for column in schema.columns if "group" in column.traits.key_parts]:
        codes = _level_codes(table.column(group))
        if not 2 <= codes.n_levels <= len(codes.codes) // 2:
            continue
        for counter, numbers in counters.get(_sum_of_places(codes), {}).items():
            if counter != group and _counts_rows(codes, numbers):
                text = (
                    f"{counter!r} counts the rows of each of the {codes.n_levels:,} levels of {group!r} without a gap"
                )
                found.append((UniqueKey(columns=(group, counter)), text))
    return found


def _starting_at_one(schema: TableSchema, table: pa.Table) -> dict[float, dict[str, Numbers]]:
    """Whole numbers that begin with 0 or 1, counted from 0, by their sum: it must be that of the places in all groups.

    That spares comparing every counter with every group.
    """
    found: dict[float, dict[str, Numbers]] = {}
    for column in schema.columns:
        values = table.column(column.name)
        if "counter" in column.traits.key_parts and not values.null_count:
            numbers = to_numbers(values)
            start = float(numbers.min())
            if start in {0.0, 1.0}:
                found.setdefault(float((numbers - start).sum()), {})[column.name] = numbers
    return found


def _sum_of_places(groups: _Levelled) -> float:
    """0 + 1 + ... + (n - 1), summed over the groups."""
    sizes = np.bincount(groups.codes).astype(np.float64)
    return float((sizes * (sizes - 1.0)).sum() / 2)


def _counts_rows(groups: _Levelled, numbers: Numbers) -> bool:
    """Whether the numbers of each group are 0..n-1 or 1..n in some order."""
    n_rows = len(numbers)
    start: Any = numbers.min()
    order = np.lexsort((numbers, groups.codes))
    codes = groups.codes[order]
    first = np.flatnonzero(np.concatenate(([True], codes[1:] != codes[:-1])))
    place = np.arange(n_rows) - np.repeat(first, np.diff(np.append(first, n_rows)))
    return np.array_equal(numbers[order], place + start)

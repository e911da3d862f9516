"""Tables under constraints, and the internal columns no sensible generator would draw, for several test modules."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import strategies as st

from synthgan.tables.arrow_types import parse_type
from synthgan.tables.constraints import ViolationCounter, reparametrise
from synthgan.tables.schema.schema import ColumnSchema, Combinations, TableSchema

KINDS = {
    "int8": "integer",
    "int16": "integer",
    "int32": "integer",
    "int64": "integer",
    "uint8": "integer",
    "uint64": "integer",
    "float": "float",
    "double": "float",
    "decimal128(10, 2)": "decimal",
    "decimal128(38, 2)": "decimal",
    "decimal128(20, 4)": "decimal",
    "timestamp[s]": "datetime",
    "timestamp[us]": "datetime",
    "timestamp[ns]": "datetime",
    "timestamp[us, tz=Europe/Berlin]": "datetime",
    "timestamp[ns, tz=America/New_York]": "datetime",
    "date32[day]": "date",
    "duration[s]": "timedelta",
    "duration[us]": "timedelta",
    "duration[ns]": "timedelta",
    "bool": "boolean",
    "string": "categorical",
    "large_string": "categorical",
    "null": "constant",
}


def column(name, arrow_type, **facts):
    return ColumnSchema(name=name, arrow_type=arrow_type, **{"kind": KINDS[arrow_type], **facts})


def schema(constraints, **types):
    columns = tuple(held if isinstance(held, ColumnSchema) else column(name, held) for name, held in types.items())
    return TableSchema(columns=columns, constraints=tuple(constraints))


def table(of, **values):
    return pa.table({name: pa.array(held, parse_type(of[name].arrow_type)) for name, held in values.items()})


def there_and_back(of, rows, seed=0):
    rules = reparametrise(of)
    return rules.backward(rules.forward(rows), rules.start(np.random.default_rng(seed)))


def rng():
    return np.random.default_rng(0)


def random_internal(rules, n_rows, seed):
    """Anything at all in every internal column, as no sensible generator would draw it."""
    draw = np.random.default_rng(seed)
    arrays = {}
    for each in rules.internal.columns:
        held = parse_type(each.arrow_type)
        scale = int(draw.choice([10, 1000, 10**5]))
        whole = draw.integers(-scale, scale, n_rows)
        if each.name in rules.composites:
            values = pa.array(draw.choice(["<other>", None, "[1]", '["a", "b"]'], n_rows).tolist(), held)
        elif pa.types.is_boolean(held):
            values = pa.array(whole > 0)
        elif pa.types.is_floating(held):
            odd = draw.choice([1.0, np.inf, -np.inf], n_rows, p=[0.9, 0.05, 0.05])
            digits = int(draw.choice([2, 17]))
            values = pa.array(np.round(draw.normal(0, scale, n_rows), digits) * odd).cast(held)
        elif pa.types.is_decimal(held):
            values = pa.array([Decimal(int(each)).scaleb(-held.scale) for each in whole], held)
        elif pa.types.is_integer(held):
            low, high = (
                int(end) for end in (np.iinfo(held.to_pandas_dtype()).min, np.iinfo(held.to_pandas_dtype()).max)
            )
            values = pa.array([min(max(int(each), low), high) for each in whole], held)
        elif pa.types.is_date(held):
            values = pa.array(whole.astype(np.int32)).cast(held)
        elif pa.types.is_string(held):
            values = pa.array(whole.astype(str).tolist(), held)
        else:
            values = pa.array(whole).cast(held)
        missing = draw.random(n_rows) < draw.choice([0, 0.3, 1], p=[0.5, 0.4, 0.1])
        arrays[each.name] = pc.if_else(pa.array(missing), pa.scalar(None, values.type), values)
    return pa.table(arrays)


def broken(of, rows):
    counter = ViolationCounter(of)
    counter.update(rows)
    return sum(counter.counts.values())


def cells(arrow_type, *, infinite=True):
    """Values with up to two decimals or whole ticks, and missing ones."""
    held = parse_type(arrow_type)
    if pa.types.is_floating(held):
        present = st.integers(-(10**4), 10**4).map(lambda each: each / 100)
        if infinite:
            present = st.one_of(present, st.just(math.inf), st.just(-math.inf))
    elif pa.types.is_decimal(held):
        present = st.integers(-(10**6), 10**6).map(lambda each: Decimal(each).scaleb(-held.scale))
    elif pa.types.is_temporal(held) and not pa.types.is_date(held):
        present = st.integers(-(10**9), 10**9)
    else:
        present = st.integers(0, 127)
    return st.one_of(st.none(), present)


def array(values, arrow_type):
    held = parse_type(arrow_type)
    if pa.types.is_temporal(held) and not pa.types.is_date(held):
        return pa.array(values, pa.int64()).cast(held)
    return pa.array(values, pa.int32()).cast(held) if pa.types.is_date(held) else pa.array(values, held)


MIXED = {
    "a": "large_string",
    "b": "int64",
    "c": "bool",
    "d": "double",
    "e": "decimal128(10, 2)",
    "f": "date32[day]",
    "g": "timestamp[us, tz=Europe/Berlin]",
    "h": "duration[ns]",
    "i": "uint64",
}


def mixed_rows():
    of = schema([Combinations(columns=tuple(MIXED))], **MIXED)
    rows = table(
        of,
        a=["x", None, 'quo"te\n', ""],
        b=[1, None, -3, 2**53 + 1],
        c=[True, None, False, True],
        d=[0.1, None, math.inf, -0.0],
        e=[Decimal("1.10"), None, Decimal(0), Decimal("-99999999.99")],
        f=[dt.date(2024, 2, 29), None, dt.date(1, 1, 1), dt.date(9999, 1, 1)],
        g=[0, None, 10**15, -1],
        h=[0, None, 1, -1],
        i=[2**64 - 1, None, 0, 1],
    )
    return of, rows

"""The whole table: fit, encode, decode, conditions, constraints, JSON."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthgan.errors import ConditionError, DataError, ModelFileError, SettingsError
from synthgan.tables.codec import TableCodec
from synthgan.tables.codec_settings import CodecSettings
from synthgan.tables.conditions.predicates import matches, parse_conditions
from synthgan.tables.inference import infer_schema
from synthgan.tables.layout import EncodedTable
from synthgan.tables.schema.schema import (
    ColumnSchema,
    Combinations,
    Constraint,
    Order,
    Sum,
    TableSchema,
    UniqueKey,
)
from synthgan.tables.sources.batches import Source, TableSource
from synthgan.tables.sources.open import open_source
from synthgan.tables.statistics.statistics import ExactStatistics

TABLES = [
    "adult_train",
    "default",
    "german_credit",
    "hotel_bookings",
    "insurance",
    "nyc_taxis",
    "penguins_raw",
    "shoppers",
    "titanic",
]


def fit(table: pa.Table, *constraints: Constraint, kinds: dict[str, Any] | None = None, **options: Any) -> TableCodec:
    source = open_source(table)
    columns = tuple(
        ColumnSchema(name=c.name, kind=(kinds or {}).get(c.name, c.kind), arrow_type=c.arrow_type)
        for c in infer_schema(source).columns
    )
    schema = TableSchema(columns=columns, constraints=constraints)
    return TableCodec.fit(source, schema, CodecSettings(**options))


def middle(encoded: EncodedTable) -> np.ndarray[Any, Any]:
    return (encoded.positions.astype(np.float32) + np.float32(0.5)) / 256


def decode(codec: TableCodec, encoded: EncodedTable, seed: int = 1) -> pa.Table:
    return codec.decoder(np.random.default_rng(seed)).decode(encoded.codes, middle(encoded))


def generate(codec: TableCodec, n_rows: int, seed: int = 0) -> tuple[Any, Any]:
    """Codes and positions drawn column by column: what an untrained generator would give."""
    rng = np.random.default_rng(seed)
    marginal = codec.layout.marginal.astype(np.float64)
    codes = [
        rng.choice(
            span.n_levels, size=n_rows, p=marginal[span.start : span.stop] / marginal[span.start : span.stop].sum()
        )
        for span in codec.layout.spans
    ]
    return np.stack(codes, axis=1), rng.random((n_rows, codec.layout.n_positions), dtype=np.float32)


def check_law(codec: TableCodec, table: pa.Table) -> pa.Table:
    """Codes survive decoding and encoding, shares are as released, and JSON changes nothing."""
    encoded = codec.encode(table, rng=np.random.default_rng(0))
    layout = codec.layout
    assert encoded.codes.dtype == layout.codes_dtype
    assert encoded.codes.shape == (table.num_rows, layout.n_columns)
    assert encoded.positions.shape == (table.num_rows, layout.n_positions)
    for index, span in enumerate(layout.spans):
        share = np.bincount(encoded.codes[:, index], minlength=span.n_levels) / table.num_rows
        np.testing.assert_allclose(share, layout.marginal[span.start : span.stop], atol=1e-6)
    decoded = decode(codec, encoded)
    assert decoded.schema.equals(codec.arrow_schema)
    np.testing.assert_array_equal(codec.encode(decoded, rng=np.random.default_rng(3)).codes, encoded.codes)
    again = TableCodec.from_json(json.loads(json.dumps(codec.to_json(), allow_nan=False)), codec.schema)
    assert decode(again, encoded).equals(decoded)
    assert again.to_json() == codec.to_json()
    np.testing.assert_array_equal(again.layout.value_start, layout.value_start)
    return decoded


# --- Real tables -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protect", [True, False])
@pytest.mark.parametrize("name", TABLES)
def test_real_tables(shared_data: Path, name: str, protect: bool) -> None:
    source = open_source(shared_data / f"{name}.parquet")
    table = source.read().slice(0, 20_000)
    schema = infer_schema(open_source(table))
    codec = TableCodec.fit(table, schema, CodecSettings(protect_values=protect))
    decoded = check_law(codec, table)
    assert decoded.schema.names == table.schema.names
    for column in schema.columns:
        if column.kind in ("text", "identifier"):
            continue
        real, got = table[column.name], decoded[column.name]
        assert abs(real.null_count - got.null_count) <= 0.02 * len(real)
        if column.kind == "categorical":
            counted = pc.value_counts(real.drop_null())
            common = {c["values"] for c in counted.to_pylist() if c["counts"] >= (10 if protect else 1)}
            kept = set(got.drop_null().unique().to_pylist())
            assert kept <= common | {"<other>"}
            # Levels in buckets are drawn, so that some may not come up.
            assert common <= kept or len(common) > codec.settings.max_levels
    codes, positions = generate(codec, 5000)
    made = codec.decoder(np.random.default_rng(0)).decode(codes, positions)
    np.testing.assert_array_equal(codec.encode(made, rng=np.random.default_rng(0)).codes, codes)
    assert len(codec.describe()) >= len(schema.columns)


def test_adult_as_shipped(adult: Any) -> None:
    source = open_source(adult)
    codec = TableCodec.fit(source, infer_schema(source, target="income"))
    encoded = codec.encode(source, rng=np.random.default_rng(0))
    assert encoded.n_rows == len(adult)
    assert codec.n_rows == len(adult)
    gain = codec.layout.spans[codec.layout.index("capital-gain")]
    assert codec.layout.marginal[gain.start] == pytest.approx((adult["capital-gain"] == 0).mean())
    assert (decode(codec, encoded)["capital-gain"].to_numpy() == 0).tolist() == (adult["capital-gain"] == 0).tolist()


# --- All kinds together ----------------------------------------------------------------------------------------------

ROWS = st.fixed_dictionaries(
    {
        "category": st.one_of(st.none(), st.sampled_from(["a", "b", "c", "d"])),
        "flag": st.one_of(st.none(), st.booleans()),
        "whole": st.one_of(st.none(), st.integers(-5, 5), st.integers(-(2**62), 2**62)),
        "real": st.one_of(st.none(), st.floats(allow_infinity=True, allow_nan=True)),
        "time": st.one_of(st.none(), st.datetimes(dt.datetime(1950, 1, 1), dt.datetime(2050, 1, 1))),
        "day": st.one_of(st.none(), st.dates()),
        "span": st.one_of(st.none(), st.timedeltas(dt.timedelta(-99), dt.timedelta(99))),
        "key": st.integers(0, 10**6),
        "note": st.text(max_size=3),
        "same": st.just(1),
    }
)
KINDS = {
    "category": ("categorical", pa.string()),
    "flag": ("boolean", pa.bool_()),
    "whole": ("integer", pa.int64()),
    "real": ("float", pa.float64()),
    "time": ("datetime", pa.timestamp("us")),
    "day": ("date", pa.date32()),
    "span": ("timedelta", pa.duration("us")),
    "key": ("identifier", pa.int64()),
    "note": ("text", pa.string()),
    "same": ("constant", pa.int32()),
}


@settings(max_examples=50, deadline=None)
@given(rows=st.lists(ROWS, min_size=1, max_size=15), times=st.integers(1, 12), protect=st.booleans())
def test_all_kinds(rows: list[dict[str, Any]], times: int, protect: bool) -> None:
    table = pa.table({name: pa.array([row[name] for row in rows] * times, kind[1]) for name, kind in KINDS.items()})
    columns = tuple(ColumnSchema(name=n, kind=kind, arrow_type=str(held)) for n, (kind, held) in KINDS.items())  # type: ignore[arg-type]
    codec = TableCodec.fit(table, TableSchema(columns=columns), CodecSettings(protect_values=protect))
    decoded = check_law(codec, table)
    assert len(set(decoded["key"].to_pylist())) == len(table)
    assert decoded["note"].null_count == len(table)
    if not protect:
        for name in ("category", "flag", "whole", "time", "day", "span", "same"):
            assert decoded[name].equals(table[name])


# --- Encoding in batches ---------------------------------------------------------------------------------------------


class Unsized(TableSource):
    """A source that does not know its number of rows."""

    def __init__(self, table: pa.Table) -> None:
        super().__init__(table, description="a stream")
        self.n_rows = None


@pytest.fixture(scope="module")
def mixed() -> pa.Table:
    rng = np.random.default_rng(7)
    return pa.table(
        {
            "group": pa.array(rng.choice(["x", "y", "z"], 3000)).dictionary_encode(),
            "amount": rng.gamma(2, 50, 3000).round(2),
            "size": rng.integers(0, 9, 3000),
            "when": pa.array(rng.integers(0, 10**6, 3000) * 1000).cast(pa.timestamp("ms")),
        }
    )


@pytest.mark.parametrize("batch_size", [100, 3000, 100_000])
def test_sources_of_unknown_length_and_batches_of_any_size(mixed: pa.Table, batch_size: int) -> None:
    codec = fit(mixed)
    whole = codec.encode(mixed, rng=np.random.default_rng(0))
    parts = codec.encode(Unsized(mixed), rng=np.random.default_rng(0), batch_size=batch_size)
    np.testing.assert_array_equal(parts.codes, whole.codes)
    assert parts.codes.flags["C_CONTIGUOUS"]
    assert parts.positions.shape == whole.positions.shape


def test_a_longer_stream_than_the_fitted_one(mixed: pa.Table) -> None:
    codec = fit(mixed)
    twice = pa.concat_tables([mixed, mixed])
    encoded = codec.encode(Unsized(twice), rng=np.random.default_rng(0), batch_size=700)
    assert encoded.n_rows == 6000
    np.testing.assert_array_equal(encoded.codes[:3000], encoded.codes[3000:])


def test_files_are_read_in_batches(mixed: pa.Table, tmp_path: Path) -> None:
    pq.write_table(mixed, tmp_path / "t.parquet", row_group_size=500)
    source = open_source(tmp_path / "t.parquet")
    codec = TableCodec.fit(source, infer_schema(source))
    assert codec.to_json() == fit(mixed).to_json()
    assert codec.encode(source, rng=np.random.default_rng(0)).n_rows == 3000


def test_the_same_seed_encodes_alike(mixed: pa.Table) -> None:
    codec = fit(mixed)
    first, second, other = (codec.encode(mixed, rng=np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.positions, second.positions)
    assert (first.positions != other.positions).any()


def test_extra_columns_are_ignored_and_missing_ones_named(mixed: pa.Table) -> None:
    codec = fit(mixed)
    wider = mixed.append_column("extra", pa.nulls(3000, pa.string())).select(
        ["extra", "when", "size", "group", "amount"]
    )
    np.testing.assert_array_equal(
        codec.encode(wider, rng=np.random.default_rng(0)).codes, codec.encode(mixed, rng=np.random.default_rng(0)).codes
    )
    with pytest.raises(DataError, match="no column 'size'"):
        codec.encode(mixed.drop_columns(["size"]), rng=np.random.default_rng(0))


def test_a_column_of_another_type_is_refused(mixed: pa.Table) -> None:
    codec = fit(mixed)
    wrong = mixed.set_column(2, "size", pa.array(["secret"] * 3000))
    with pytest.raises(DataError, match="column 'size' holds string") as caught:
        codec.encode(wrong, rng=np.random.default_rng(0))
    assert "secret" not in str(caught.value)


def test_a_codec_can_be_fitted_from_statistics_alone(mixed: pa.Table) -> None:
    codec = fit(mixed)
    batches = open_source(mixed).batches()
    door = ExactStatistics.collect(batches, codec.rules.internal)

    class Locked(Source):
        def _read(self, columns: list[str], batch_size: int) -> Iterator[pa.RecordBatch]:
            raise AssertionError("the table was read")

    locked = Locked(mixed.schema, description="locked", n_rows=None)
    assert TableCodec.fit(locked, codec.schema, statistics=door).to_json() == codec.to_json()


def test_tables_without_anything_to_model() -> None:
    table = pa.table({"one": pa.array(["a"] * 40), "none": pa.nulls(40, pa.string())})
    codec = fit(table)
    assert codec.layout.n_columns == 0
    assert codec.layout.n_levels == 0
    encoded = codec.encode(table, rng=np.random.default_rng(0))
    assert encoded.codes.shape == (40, 0)
    assert decode(codec, encoded).equals(table)


def test_dropped_text_is_left_out_and_noticed() -> None:
    table = pa.table({"a": pa.array([1, 2] * 50), "note": pa.array(["x y z"] * 100), "memo": pa.array(["u v"] * 100)})
    columns = (
        ColumnSchema(name="a", kind="integer", arrow_type="int64"),
        ColumnSchema(name="note", kind="text", arrow_type="string", text="drop"),
        ColumnSchema(name="memo", kind="text", arrow_type="string"),
    )
    codec = TableCodec.fit(table, TableSchema(columns=columns))
    assert decode(codec, codec.encode(table, rng=np.random.default_rng(0))).column_names == ["a", "memo"]
    assert codec.arrow_schema.names == ["a", "memo"]
    assert len(codec.notices) == 1
    assert "'memo'" in codec.notices[0]


def test_identifiers_are_unique_across_batches_of_a_session() -> None:
    table = pa.table({"id": [f"C-{i:07}" for i in range(200)], "x": [1.5, 2.5] * 100})
    codec = fit(table, kinds={"id": "identifier"})
    decoder = codec.decoder(np.random.default_rng(0))
    codes, positions = generate(codec, 500)
    made = pa.concat_tables([decoder.decode(codes, positions) for _ in range(4)])
    assert pc.count_distinct(made["id"]).as_py() == 2000


# --- Protection ------------------------------------------------------------------------------------------------------


def test_the_model_holds_no_rare_value() -> None:
    rng = np.random.default_rng(9)
    table = pa.table(
        {
            "city": ["common"] * 990 + [f"rare{i}" for i in range(10)],
            "income": np.append(rng.gamma(3, 1000, 999), 987_654_321.123),
            "id": [f"person-{i}" for i in range(1000)],
            "note": ["private remark"] * 1000,
        }
    )
    codec = fit(table, kinds={"id": "identifier", "note": "text", "city": "categorical"})
    content = json.dumps(codec.to_json())
    for secret in ("rare", "987654321", "person-1", "private"):
        assert secret not in content
    income = table["income"].to_numpy()
    knots = codec.to_json()["columns"][1]
    assert not np.isin(knots["segment_start"] + knots["segment_last"], income).any()


# --- Conditions ------------------------------------------------------------------------------------------------------


def within(codec: TableCodec, rule: Any, n_rows: int) -> pa.Table:
    """Rows drawn freely within a compiled condition, decoded and settled."""
    codes, positions = generate(codec, n_rows)
    rng = np.random.default_rng(1)
    for index, level in rule.columns.items():
        codes[:, index] = rng.choice(np.flatnonzero(level.allowed), n_rows)
        place = codec.layout.spans[index].position
        if place is not None:
            lower, upper = level.lower[codes[:, index]], level.upper[codes[:, index]]
            positions[:, place] = lower + (upper - lower) * positions[:, place] * np.float32(0.999)
    return rule.settle(codec.decoder(rng).decode(codes, positions))


@pytest.mark.parametrize(
    "conditions",
    [
        {"group": "x"},
        {"group": ["x", "z"], "size": (2, 5)},
        {"amount": (10.5, 99.99), "group": "y", "size": {1, 8}, "when": (dt.datetime(1970, 1, 3), None)},
        {"amount": 20.05},
        {"amount": [20.05, 33.33, 110.0]},
        {"when": dt.datetime(1970, 1, 5, 6, 7, 8)},
    ],
)
def test_conditions_hold(mixed: pa.Table, conditions: dict[str, Any]) -> None:
    codec = fit(mixed)
    predicates = parse_conditions(conditions, codec.schema)
    rule = codec.compile_conditions(predicates)
    made = within(codec, rule, 500)
    assert made.num_rows == 500
    for name, predicate in predicates.items():
        assert matches(predicate, made[name]).all()


def test_impossible_conditions_are_refused_by_name(mixed: pa.Table) -> None:
    codec = fit(mixed)
    for conditions, name in (({"group": "q"}, "group"), ({"size": 10**6}, "size"), ({"when": None}, "when")):
        with pytest.raises(ConditionError, match=f"column '{name}'"):
            codec.compile_conditions(parse_conditions(conditions, codec.schema))


def test_conditions_on_constants_are_checked() -> None:
    codec = fit(pa.table({"c": ["same"] * 50, "x": [1, 2] * 25}))
    assert codec.compile_conditions(parse_conditions({"c": "same"}, codec.schema)).columns == {}
    with pytest.raises(ConditionError, match="column 'c'"):
        codec.compile_conditions(parse_conditions({"c": "else"}, codec.schema))


# --- Constraints -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trips() -> pa.Table:
    rng = np.random.default_rng(11)
    start = rng.integers(0, 10**6, 2000)
    fare, tip = rng.integers(300, 9000, 2000) / 100, rng.integers(0, 900, 2000) / 100
    zone = rng.integers(0, 12, 2000)
    return pa.table(
        {
            "pickup": pa.array(start).cast(pa.timestamp("s")),
            "dropoff": pa.array(start + rng.integers(0, 5000, 2000)).cast(pa.timestamp("s")),
            "fare": fare,
            "tip": tip,
            "total": (fare + tip).round(2),
            "zone": pa.array([f"zone {z}" for z in zone]),
            "borough": pa.array([f"borough {z // 4}" for z in zone]),
            "driver": pa.array(rng.integers(0, 50, 2000)),
            "ride": pa.array(np.arange(2000)),
        }
    )


RULES = (
    Order(low="pickup", high="dropoff"),
    Sum(total="total", parts=("fare", "tip")),
    Combinations(columns=("zone", "borough")),
    UniqueKey(columns=("driver", "ride")),
)


def test_constraints_hold_whatever_is_generated(trips: pa.Table) -> None:
    codec = fit(trips, *RULES, kinds={"driver": "integer", "ride": "integer"})
    decoder = codec.decoder(np.random.default_rng(0))
    made = pa.concat_tables([decoder.decode(*generate(codec, 1500, seed)) for seed in range(2)])
    assert made.schema.equals(codec.arrow_schema)
    assert made.column_names == trips.column_names
    assert pc.all(pc.less_equal(made["pickup"], made["dropoff"])).as_py()
    cents = [np.round(made[name].to_numpy() * 100) for name in ("fare", "tip", "total")]
    np.testing.assert_array_equal(cents[0] + cents[1], cents[2])
    pairs = set(zip(made["zone"].to_pylist(), made["borough"].to_pylist(), strict=True))
    assert pairs <= set(zip(trips["zone"].to_pylist(), trips["borough"].to_pylist(), strict=True))
    keys = list(zip(made["driver"].to_pylist(), made["ride"].to_pylist(), strict=True))
    assert len(set(keys)) == len(keys)
    again = TableCodec.from_json(json.loads(json.dumps(codec.to_json())), codec.schema)
    first = again.decoder(np.random.default_rng(0)).decode(*generate(codec, 1500, 0))
    assert first.equals(made.slice(0, 1500).combine_chunks())


def test_conditions_on_derived_columns(trips: pa.Table) -> None:
    codec = fit(trips, *RULES, kinds={"driver": "integer", "ride": "integer"})
    conditions = {"borough": "borough 1", "total": (20, 60), "fare": (15, 40)}
    predicates = parse_conditions(conditions, codec.schema)
    rule = codec.compile_conditions(predicates)
    assert "total" in rule.residual
    assert "borough" not in rule.residual
    made = within(codec, rule, 2000)
    assert 0 < made.num_rows <= 2000
    for name, predicate in predicates.items():
        assert matches(predicate, made[name]).all()


def test_a_table_that_breaks_a_constraint_is_refused(trips: pa.Table) -> None:
    with pytest.raises(DataError, match="'dropoff' <= 'pickup'"):
        fit(trips, Order(low="dropoff", high="pickup"))


# --- Settings and files ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"n_bins": 1},
        {"n_bins": 2.5},
        {"max_levels": 3},
        {"min_count": 0},
        {"min_count": True},
        {"min_count": float("nan")},
        {"protect_values": 1},
    ],
)
def test_settings_are_checked(options: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(options))):
        CodecSettings(**options)


def test_settings_to_json_and_back() -> None:
    given_settings = CodecSettings(n_bins=12, protect_values=False)
    assert CodecSettings.from_json(json.loads(json.dumps(given_settings.to_json()))) == given_settings
    with pytest.raises(SettingsError, match="'bins' is not a codec setting"):
        CodecSettings.from_json({"bins": 3})


@pytest.mark.parametrize(("n_rows", "n_bins"), [(10, 8), (1000, 25), (10**6, 50)])
def test_the_number_of_bins_follows_the_rows(n_rows: int, n_bins: int) -> None:
    assert CodecSettings().resolve(n_rows).n_bins == n_bins
    assert CodecSettings(n_bins=7).resolve(n_rows).n_bins == 7


def test_damaged_content_is_refused(mixed: pa.Table) -> None:
    codec = fit(mixed)

    def damaged(change: Any) -> None:
        content = json.loads(json.dumps(codec.to_json()))
        change(content)
        with pytest.raises(ModelFileError):
            TableCodec.from_json(content, codec.schema)

    damaged(lambda content: content.pop("columns"))
    damaged(lambda content: content["columns"].pop())
    damaged(lambda content: content["columns"].reverse())
    damaged(lambda content: content["columns"][0].update(name="other"))
    damaged(lambda content: content["columns"][0].update(marginal="abc"))
    damaged(lambda content: content["columns"][1].update(bin_codes=[999]))
    damaged(lambda content: content["columns"][1].update(segment_share=[1.0]))
    damaged(lambda content: content["columns"][1]["axis"].update(arrow_type="nonsense"))
    for step in (0, -1, 1e308, 2**62, 10**400, True, "1", None):  # 2**62: its bins would lie beyond the type
        damaged(lambda content, step=step: content["columns"][3]["axis"].update(step=step))
    for change in ({"offset": 10**9}, {"offset": 1e308}, {"calendar": "moon"}, {"exceptions": [0]}, {"decimals": 1}):
        damaged(lambda content, change=change: content["columns"][3]["axis"].update(change))
    damaged(lambda content: content.update(settings={"min_count": -1}))
    damaged(lambda content: content.update(n_rows="many"))


def test_categories_of_a_dtype_stay_in_it_and_rare_ones_in_no_row() -> None:
    sizes = pd.Categorical(["low", "high"] * 50 + ["rare"], categories=["low", "high", "unused", "rare"], ordered=True)
    frame = pd.DataFrame({"size": sizes, "kind": pd.Categorical(["a", "b"] * 50 + ["a"])})
    source = open_source(frame)
    for rules in ((), (Combinations(columns=("size", "kind")),)):
        schema = infer_schema(source, declared=TableSchema(columns=infer_schema(source).columns, constraints=rules))
        codec = TableCodec.fit(source, schema)
        kept = codec.schema["size"].levels
        assert kept is not None
        assert kept.values == ("low", "high", "unused", "rare")
        assert kept.ordered
        said = [notice for notice in codec.notices if "column 'size' is a categorical with 1 category" in notice]
        assert len(said) == (0 if rules else 1)
        encoded = codec.encode(source, rng=np.random.default_rng(0))
        decoded = codec.decoder(np.random.default_rng(0)).decode(encoded.codes, encoded.positions / 256)
        assert set(decoded["size"].to_pylist()) == {"low", "high"}
        bare = TableCodec.fit(source, schema, CodecSettings(protect_values=False))
        found = bare.encode(source, rng=np.random.default_rng(0))
        restored = bare.decoder(np.random.default_rng(0)).decode(found.codes, found.positions / 256)
        assert restored["size"].to_pylist() == frame["size"].tolist()


def test_a_dtype_that_lists_what_single_rows_hold_does_not_reach_the_schema() -> None:
    """As ``astype("category")`` makes it of names: most rows share theirs with no other."""
    names = [f"name {row}" for row in range(60)] + ["common"] * 40
    source = open_source(pd.DataFrame({"who": pd.Categorical(names), "n": range(100)}))
    codec = TableCodec.fit(source, infer_schema(source))
    kept = codec.schema["who"].levels
    assert kept is not None
    assert kept.values == ("common",)
    assert "name 7" not in str(codec.to_json())

"""The whole table to codes and positions, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from synthgan.errors import ConditionError, DataError, ModelFileError
from synthgan.tables.arrow_types import parse_type
from synthgan.tables.codec_settings import CodecSettings
from synthgan.tables.columns import encoder_class
from synthgan.tables.columns.present_values import present_values
from synthgan.tables.columns.protection_notices import protection_notices
from synthgan.tables.columns.protocol import ColumnEncoder, LevelCondition, ListedValues, Snap
from synthgan.tables.conditions.composites import split_texts
from synthgan.tables.conditions.predicates import ColumnPredicate, Missing, Predicate, matches, settle
from synthgan.tables.constraints import ViolationCounter, grid_columns, reparametrise, with_grids
from synthgan.tables.constraints.contradictions import check_conditions
from synthgan.tables.layout import EncodedTable, layout_of
from synthgan.tables.schema.schema import ColumnSchema, Combinations, TableSchema
from synthgan.tables.sources.batches import BATCH_ROWS, Source, TableSource
from synthgan.tables.statistics.statistics import ColumnStatistics, ExactStatistics


@dataclass(frozen=True, kw_only=True)
class CodeCondition:
    """Conditions on the user's columns, in terms of codes and positions.

    Rows generated within ``columns`` and passed through `settle` after decoding meet all conditions.

    Attributes:
        columns: index of a modelled column -> its levels and positions that may be generated.
        snaps: user's column of which positions can only come near -> moves decoded values to the nearest that is asked.
        residual: user's column -> predicate that only decoded rows can answer; others have to be drawn again.
    """

    columns: Mapping[int, LevelCondition] = field(default_factory=dict)
    snaps: Mapping[str, Snap] = field(default_factory=dict, repr=False)
    residual: Mapping[str, Predicate] = field(default_factory=dict)

    def settle(self, table: pa.Table) -> pa.Table:
        """The decoded rows that meet the conditions, with values moved onto the wanted ones."""
        for name, snap in self.snaps.items():
            index = table.schema.get_field_index(name)
            values = table.column(index).combine_chunks()
            table = table.set_column(index, table.schema.field(index), snap(values))
        for name, asked in self.residual.items():
            table = table.filter(pa.array(matches(asked, table.column(name))))
        return table


class TableCodec:
    """Encodes a table's rows and decodes generated ones; holds levels, knots and shares, and no row.

    Attributes:
        schema: the user's columns and constraints.
        settings: what the codec was fitted with.
        n_rows: released number of rows.
        layout: where each modelled column lies.
        encoders: one per internal column, in order.
    """

    def __init__(
        self, schema: TableSchema, settings: CodecSettings, encoders: tuple[ColumnEncoder, ...], n_rows: float
    ) -> None:
        self.schema = schema
        self.settings = settings
        self.n_rows = n_rows
        self.encoders = encoders
        self.rules = reparametrise(schema, [encoder.name for encoder in encoders])
        self.layout = layout_of(encoders)

    @classmethod
    def fit(
        cls,
        source: Source | pa.Table,
        schema: TableSchema,
        settings: CodecSettings | None = None,
        *,
        statistics: ColumnStatistics | None = None,
    ) -> TableCodec:
        """Fit every column from column statistics.

        Args:
            source: the table, not read when statistics are given.
            schema: its columns and constraints.
            settings: None for the defaults.
            statistics: of the internal columns (`reparametrise(schema).internal`); None reads exact ones off it.

        Raises:
            DataError: when the table does not fit the schema or breaks a constraint.
            SchemaError: when the schema contradicts itself.
        """
        settings = settings or CodecSettings()
        if statistics is None:
            schema, statistics = _read_statistics(_source(source), schema, settings)
        rules = settings.resolve(statistics.n_rows(), counts_are_public=statistics.provenance == "released")
        columns = reparametrise(schema).internal.columns
        encoders = tuple(encoder_class(column).fit(column, statistics, rules) for column in columns)
        if settings.protect_values:
            schema = _without_rare_levels(schema, encoders)
        return cls(schema, settings, encoders, statistics.n_rows())

    @property
    def _modelled(self) -> tuple[ColumnEncoder, ...]:
        return tuple(encoder for encoder in self.encoders if len(encoder.facts.marginal) > 1)

    @property
    def arrow_schema(self) -> pa.Schema:
        """Names and types of decoded tables: the user's columns without dropped text."""
        return pa.schema(
            [(column.name, parse_type(column.arrow_type)) for column in self.schema.columns if not column.is_dropped]
        )

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should know without asking."""
        of_columns = tuple(notice for encoder in self.encoders for notice in encoder.notices())
        return of_columns + protection_notices(self.encoders, self.settings.min_count)

    def encode(
        self, source: Source | pa.Table, *, rng: np.random.Generator, batch_size: int = BATCH_ROWS
    ) -> EncodedTable:
        """Codes and positions of every row.

        Args:
            source: a table with the schema's columns; others are ignored.
            rng: draws the place of a gridded value inside its granule.
            batch_size: rows at a time. Memory is the code table plus one batch; a source that does not know its length
                is taken to be as long as the table of the fit, and the code table grows when it is longer.

        Raises:
            DataError: when a column is missing or has another type.
        """
        source = _source(source)
        room = round(self.n_rows) if source.n_rows is None else source.n_rows
        codes = np.zeros((room, self.layout.n_columns), dtype=self.layout.codes_dtype)
        positions = np.zeros((room, self.layout.n_positions), dtype=np.uint8)
        done = 0
        for batch in _user_batches(source, self.schema, batch_size):
            stop = done + batch.num_rows
            if stop > len(codes):
                codes, positions = _grown(codes, stop), _grown(positions, stop)
            self._encode_batch(self.rules.forward(batch), codes[done:stop], positions[done:stop], rng)
            done = stop
        return EncodedTable(layout=self.layout, codes=codes[:done], positions=positions[:done])

    def _encode_batch(
        self, batch: pa.RecordBatch, codes: npt.NDArray[Any], positions: npt.NDArray[np.uint8], rng: np.random.Generator
    ) -> None:
        for index, (encoder, span) in enumerate(zip(self._modelled, self.layout.spans, strict=True)):
            column_codes, column_positions = encoder.encode(batch.column(encoder.name), rng)
            codes[:, index] = column_codes
            if span.position is not None and column_positions is not None:
                positions[:, span.position] = column_positions * 256

    def decoder(self, rng: np.random.Generator) -> Decoder:
        """A decoder for one sampling session."""
        return Decoder(self, rng)

    def compile_conditions(self, conditions: Mapping[str, ColumnPredicate]) -> CodeCondition:
        """Conditions on the user's columns as codes and positions.

        Args:
            conditions: predicates from `parse_conditions`, by column name.

        Raises:
            ConditionError: when no generated row could meet them; names the column.
        """
        direct, derived = self.rules.conditions(conditions)
        by_name = {encoder.name: encoder for encoder in self.encoders}
        check_conditions(self.schema, conditions, self._can_hold)
        columns: dict[int, LevelCondition] = {}
        snaps: dict[str, Snap] = {}
        residual = dict(derived)
        for name, predicate in direct.items():
            encoder = by_name.get(name)
            if encoder is None:
                raise ConditionError(f"column '{name}' is not generated, so it cannot have a condition; leave it out")
            compiled = encoder.compile(predicate)
            if len(compiled.allowed) > 1:
                columns[self.layout.index(name)] = compiled
            if compiled.is_exact:
                continue
            if compiled.snap is not None and name not in derived:
                snaps[name] = compiled.snap
                if compiled.is_exact_when_snapped:
                    continue
            residual.update((wanted, conditions[wanted]) for wanted in self._users_of(name) if wanted in conditions)
        return CodeCondition(columns=columns, snaps=snaps, residual=residual)

    def _can_hold(self, name: str, predicate: ColumnPredicate) -> bool:
        """Whether a column's values could meet a range; True where it is derived from others, or can be missing."""
        internal = {column.name: column for column in self.rules.internal.columns}
        if name not in internal or not internal[name].traits.is_number:
            return True
        encoder = next(encoder for encoder in self.encoders if encoder.name == name)
        if _can_meet(encoder, Missing()):
            return True
        try:
            settled = settle(predicate, self.schema[name])
        except ConditionError:
            return True
        return _can_meet(encoder, settled)

    def _users_of(self, internal: str) -> tuple[str, ...]:
        """The user's columns behind an internal one."""
        behind = tuple(name for name, columns in self.rules.derived.items() if internal in columns)
        return behind or (internal,)

    def describe(self) -> list[dict[str, Any]]:
        """Per internal column: its kind, how many of the codes are its own, and what the model file holds about it."""
        return [
            {"column": column.name, "kind": column.kind, "codes": len(encoder.facts.marginal), **encoder.describe()}
            for column, encoder in zip(self.rules.internal.columns, self.encoders, strict=True)
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values: everything that decoding needs, besides the schema."""
        return {
            "settings": self.settings.to_json(),
            "n_rows": self.n_rows,
            "columns": [encoder.to_json() for encoder in self.encoders],
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any], schema: TableSchema) -> TableCodec:
        """The codec that `to_json` wrote, for the same schema.

        Raises:
            ModelFileError: when the content is not a codec of that schema.
        """
        try:
            internal = reparametrise(schema, [fitted["name"] for fitted in content["columns"]]).internal.columns
            encoders = tuple(
                encoder_class(column).from_json(fitted)
                for column, fitted in zip(internal, content["columns"], strict=True)
            )
            names = tuple(encoder.name for encoder in encoders)
            codec = cls(schema, CodecSettings.from_json(content["settings"]), encoders, float(content["n_rows"]))
        except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, pa.ArrowException):
            raise ModelFileError(
                "the model's codec is damaged: it does not describe the columns of its schema"
            ) from None
        if names != tuple(column.name for column in internal):
            raise ModelFileError("the model's codec and its schema name different columns")
        return codec


class Decoder:
    """Decodes generated batches; identifiers and keys stay unique through the session."""

    def __init__(self, codec: TableCodec, rng: np.random.Generator) -> None:
        self._codec = codec
        self._rng = rng
        self._columns = [encoder.decoder(rng) for encoder in codec.encoders]
        composites = {
            encoder.name: (listed.values, listed.shares)
            for encoder in codec.encoders
            if encoder.name in codec.rules.composites and (listed := encoder.listed) is not None
        }
        derived = {name for names in codec.rules.derived.values() for name in names}
        values = {
            encoder.name: present_values(encoder, column, rng)
            for encoder, column in zip(codec.encoders, self._columns, strict=True)
            if encoder.name in derived and encoder.name not in composites
        }
        self._state = codec.rules.start(rng, combinations=composites, values=values)

    def decode(self, codes: npt.NDArray[Any], positions: npt.NDArray[Any]) -> pa.Table:
        """Values of a batch.

        Args:
            codes: ``(n_rows, n_columns)`` of any integer dtype.
            positions: ``(n_rows, n_positions)`` float32 or float64 in [0, 1).

        Returns:
            The user's columns with the types of `TableCodec.arrow_schema`.
        """
        codec, n_rows = self._codec, len(codes)
        place = {span.name: (index, span.position) for index, span in enumerate(codec.layout.spans)}
        dropped = {column.name for column in codec.schema.columns if column.is_dropped}
        arrays: dict[str, pa.Array] = {}
        for encoder, column in zip(codec.encoders, self._columns, strict=True):
            if encoder.name in dropped:
                continue
            if encoder.name not in place:
                # A single bin is no column to model, but neither is it a constant.
                anywhere = self._rng.random(n_rows) if encoder.facts.is_bin.any() else None
                arrays[encoder.name] = column.decode(np.zeros(n_rows, dtype=np.int64), anywhere)
                continue
            index, position = place[encoder.name]
            inside = None if position is None else positions[:, position]
            arrays[encoder.name] = column.decode(codes[:, index].astype(np.int64), inside)
        return codec.rules.backward(pa.table(arrays), self._state)


def _source(source: Source | pa.Table) -> Source:
    return TableSource(source, description="the table") if isinstance(source, pa.Table) else source


def _can_meet(encoder: ColumnEncoder, predicate: Predicate) -> bool:
    """Whether any value that the model can generate for the column meets the predicate."""
    try:
        encoder.compile(predicate)
    except ConditionError:
        return False
    return True


def _user_batches(source: Source, schema: TableSchema, batch_size: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
    """The schema's columns of every row; text, which is never read, is left out."""
    for name in schema.names:
        if name not in source.names:
            raise DataError(f"{source.description} has no column '{name}', which the schema lists; add it or fit anew")
    learned = [column.name for column in schema.columns if column.traits.is_read]
    return source.batches(learned or schema.names[:1], batch_size)


def _read_statistics(
    source: Source, schema: TableSchema, settings: CodecSettings
) -> tuple[TableSchema, ExactStatistics]:
    """Exact statistics of the internal columns, and the schema with what constraints need to know."""
    collect = partial(ExactStatistics.collect, min_count=settings.min_count, outer_rows=settings.outer_rows)
    if wanted := grid_columns(schema):
        own = TableSchema(columns=tuple(schema[name] for name in wanted))
        schema = with_grids(schema, collect(_user_batches(source, own), own))
    rules = reparametrise(schema)
    broken = ViolationCounter(schema)

    def internal_batches() -> Iterator[pa.RecordBatch]:
        for batch in _user_batches(source, schema):
            broken.update(batch)
            yield rules.forward(batch)

    statistics = collect(internal_batches(), rules.internal)
    broken.check()
    return schema, statistics


def _without_rare_levels(schema: TableSchema, encoders: tuple[ColumnEncoder, ...]) -> TableSchema:
    """The schema, which goes into the model file, without categories read off the data and too rare to keep.

    Those of a pandas dtype stay, unless the dtype lists what single rows hold: what a dtype allows is no row's value.
    """
    by_name: dict[str, ListedValues] = {
        encoder.name: listed for encoder in encoders if (listed := encoder.listed) is not None
    }
    kept = {name: set(listed.values.to_pylist()) for name, listed in by_name.items()}
    whole = {name for name, listed in by_name.items() if listed.is_closed}
    derived = reparametrise(schema).derived
    for rule in schema.constraints:
        if isinstance(rule, Combinations):
            composite = by_name[derived[rule.columns[0]][0]]
            if composite.share_unlisted <= 1 / 2:
                whole.update(rule.columns)
            members, _ = split_texts(composite.values, [parse_type(schema[name].arrow_type) for name in rule.columns])
            kept |= {name: set(array.to_pylist()) for name, array in zip(rule.columns, members, strict=True)}

    def released(column: ColumnSchema) -> ColumnSchema:
        levels = column.levels
        if levels is None or levels.source != "inferred-exact" or column.name in whole:
            return column
        left = tuple(value for value in levels.values if value in kept.get(column.name, ()))
        return dataclasses.replace(column, levels=dataclasses.replace(levels, values=left) if left else None)

    return dataclasses.replace(schema, columns=tuple(released(column) for column in schema.columns))


def _grown(array: npt.NDArray[Any], n_rows: int) -> npt.NDArray[Any]:
    """The array with room for at least ``n_rows`` rows."""
    room = max(n_rows, len(array) + len(array) // 2)
    grown = np.zeros((room, array.shape[1]), dtype=array.dtype)
    grown[: len(array)] = array
    return grown

"""Column labels that no file could keep are refused when the table is opened, and so are objects cut off in silence."""

from __future__ import annotations

import datetime as dt
import enum
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from synthgan.errors import DataError, SchemaError
from synthgan.tables.frames.frame_labels import column_names
from synthgan.tables.frames.frames import from_frame
from synthgan.tables.schema.declarations import parse_declaration
from synthgan.tables.schema.schema import Combinations, Sum, UniqueKey
from synthgan.tables.schema.schema_values import label_from_json, label_to_json

Colour = enum.Enum("Colour", {"RED": "red"})
Named = enum.Enum("Named", {"RED": "red"}, type=str)


@pytest.mark.parametrize(
    "label",
    [
        pd.Period("2024-01"), pd.Interval(0, 1), Colour.RED, Named.RED, b"raw", ("a", float("nan")), ("a", b"raw"),
        float("inf"), 1j, Decimal(1), dt.timedelta(1), frozenset("a"), ("a", "\ud800"), "\udfff", None, pd.NaT, pd.NA,
    ],
)  # fmt: skip
def test_labels_that_no_file_keeps_are_refused_at_once(label: Any) -> None:
    frame = pd.DataFrame([[1, 2]])
    frame.columns = pd.Index([label, "b"], dtype=object, tupleize_cols=False)
    with pytest.raises(DataError, match=r"the (name of the )?column at position 0"):
        from_frame(frame)


@pytest.mark.parametrize(
    "label", [5, 2.5, True, "text", ("a", 1, None), dt.date(2024, 1, 1), pd.Timestamp("2024-01-01 05:00"), np.int8(3)]
)
def test_other_labels_come_back_from_a_file(label: Any) -> None:
    (name,), labels = column_names([label])
    assert label_from_json(label_to_json(labels.get(name, name))) == label
    assert column_names([np.datetime64("2024-01-01", "ns")])[1] == {"2024-01-01 00:00:00": pd.Timestamp("2024-01-01")}


DAY, MOMENT = dt.date(2024, 1, 1), dt.datetime(2024, 1, 1, 5)
EAST, WEST = (dt.timezone(dt.timedelta(hours=hours)) for hours in (1, -3))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([DAY, MOMENT], "mixes dates and datetimes"),
        ([MOMENT, None, DAY], "mixes dates and datetimes"),
        ([pd.Timestamp(MOMENT), DAY], "mixes dates and datetimes"),
        ([MOMENT.replace(tzinfo=EAST), MOMENT.replace(tzinfo=WEST)], "holds datetimes of 2 time zones or offsets"),
        ([pd.Timestamp(MOMENT, tz="Europe/Rome"), pd.Timestamp(MOMENT, tz="UTC")], "holds datetimes of 2 time zones"),
        ([MOMENT.replace(tzinfo=EAST), MOMENT], "mixes datetimes with and without a time zone"),
        ([dt.time(5, tzinfo=EAST), None], "holds times of day with a time zone"),
        ([MOMENT, pd.Timestamp(MOMENT) + pd.Timedelta(1, "ns")], "nanoseconds, which would be cut off.*pd.to_datetime"),
        ([pd.Timedelta(1, "ns")], "nanoseconds, which would be cut off.*pd.to_timedelta"),
    ],
)
def test_objects_that_one_type_would_cut_off_are_refused(values: list[Any], says: str) -> None:
    with pytest.raises(DataError, match=f"column 'when' .*{says}") as error:
        from_frame(pd.DataFrame({"when": pd.Series(values, dtype=object)}))
    assert "2024" not in str(error.value)


def test_one_offset_from_two_libraries_is_one() -> None:
    from dateutil import tz

    values = [MOMENT.replace(tzinfo=zone) for zone in (EAST, tz.tzoffset(None, 3600))]
    assert from_frame(pd.DataFrame({"when": pd.Series(values, dtype=object)})).table.num_rows == 2


@pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="long doubles are doubles here")
def test_long_doubles_are_refused_by_name() -> None:
    with pytest.raises(DataError, match=r"column 'a' has the dtype .*astype\('float64'\)"):
        from_frame(pd.DataFrame({"a": np.array([1, 2], np.longdouble)}))


@pytest.mark.parametrize("rule", [{"rule": ["order"]}, {"rule": {"a": 1}}, {"rule": 5}])
def test_a_rule_that_is_no_text_is_unknown(rule: dict[str, Any]) -> None:
    with pytest.raises(SchemaError, match="the key 'rule' of a constraint of the schema must be text"):
        parse_declaration({"constraints": [rule]})


def test_rules_take_lists_and_refuse_what_names_no_columns() -> None:
    assert Sum(total="t", parts=["a", "b"]) == Sum(total="t", parts=("a", "b"))  # type: ignore[arg-type]
    assert hash(UniqueKey(columns=["a"])) == hash(UniqueKey(columns=("a",)))  # type: ignore[arg-type]
    for columns in ("ab", [["a"], "b"], 5):
        with pytest.raises(SchemaError, match="Combinations needs a tuple of column names"):
            Combinations(columns=columns)  # type: ignore[arg-type]

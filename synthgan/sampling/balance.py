"""Real rows plus synthetic ones that balance a target."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import pandas as pd

from synthgan.errors import ConditionError, SchemaError, SettingsError
from synthgan.random_state import RandomState
from synthgan.tables.codec import TableCodec
from synthgan.tables.conditions.predicates import parse_conditions
from synthgan.tables.frames.frame_index import flat, with_index

MOST_DRAWS = 20


class Sample(Protocol):
    """Draws synthetic rows as `Synthesizer.sample` does."""

    def __call__(
        self, n_rows: int | None = None, *, conditions: pd.DataFrame | None = None, random_state: RandomState = None
    ) -> pd.DataFrame:
        """A number of rows, or one for each row of conditions."""


def balance(
    data: pd.DataFrame, target: str | None, codec: TableCodec, sample: Sample, *, random_state: RandomState = None
) -> pd.DataFrame:
    """Bring every class of ``target`` to the size of the largest; see `Synthesizer.augment`.

    Args:
        data: the real rows.
        target: the column whose classes are balanced.
        codec: what the model knows of the table.
        sample: draws from the model.
        random_state: as `Synthesizer.sample` takes it.

    Raises:
        SettingsError: when no target is named.
        SchemaError: when the target has no classes, or the frame's columns are not those fitted.
        ConditionError: when a class of the frame is not one that the model can make.
    """
    schema = codec.schema
    if target is None:
        raise SettingsError("augment needs a target column: pass target=, or give one to the Synthesizer.")
    labels = [column.name if column.label is None else column.label for column in schema.columns]
    index = [label for column, label in zip(schema.columns, labels, strict=True) if column.index]
    data = flat(data) if index else data
    if list(data.columns) != labels:
        raise SchemaError(
            f"augment needs the {len(labels)} columns the synthesizer was fitted on, in their order"
            f"{', its index among them' if index else ''}; got {data.shape[1]} columns."
        )
    # The constructor's target is a name as text, also where the frame's label is not one.
    by_name = dict(zip(schema.names, labels, strict=True))
    label: Any = by_name.get(target, target)
    if label not in labels:
        raise SchemaError(f"there is no column {target!r} to balance; name one of the fitted table's columns.")
    column_schema = schema.columns[labels.index(label)]
    if not column_schema.traits.has_classes:
        raise SchemaError(
            f"column {target!r} is of kind {column_schema.kind}, which has no classes to balance; expected a "
            "categorical one."
        )
    counts = data[label].value_counts().loc[lambda rows: rows > 0]  # a category that no row has is no class
    missing = (counts.max() - counts).loc[lambda deficit: deficit > 0]
    if missing.empty:
        return with_index(data, index) if index else data.reset_index(drop=True)
    _check_classes(codec, label, list(missing.index))
    wanted = pd.DataFrame({label: missing.index.repeat(missing.to_numpy())})
    synthetic = flat(sample(conditions=wanted, random_state=random_state))
    for column, name in zip(schema.columns, labels, strict=True):
        if "row" in column.traits.key_parts and data[name].is_unique:
            synthetic[name] = _distinct_from(data[name], synthetic[name], sample, name)
    for name in synthetic.columns:  # without those that are dropped
        if _converts(synthetic[name], data.dtypes[name]):
            synthetic[name] = _converted(synthetic[name], data.dtypes[name])
    rows = pd.concat([data, synthetic], ignore_index=True)
    return with_index(rows, index) if index else rows


def _check_classes(codec: TableCodec, label: Any, classes: list[Any]) -> None:
    """Refuse to balance classes that the model cannot make, before rows are asked of it one by one.

    Raises:
        ConditionError: when there are such.
    """
    unknown = 0
    for value in classes:
        try:
            codec.compile_conditions(parse_conditions({label: [value]}, codec.schema))
        except ConditionError:
            unknown += 1
    if unknown:
        raise ConditionError(
            f"augment cannot bring {unknown} of the {len(classes)} smaller classes of {label!r} to size, because the "
            f"model does not know them: a class in fewer rows than min_count (now {codec.settings.min_count}) of the "
            "fitted table is not kept. Fit with a lower min_count, or leave the rows of these classes out of the data."
        )


def _distinct_from(real: pd.Series[Any], fresh: pd.Series[Any], sample: Sample, label: Any) -> pd.Series[Any]:
    """The fresh identifiers, without any that a real row has already.

    Numbers go on from the largest real one. Others are drawn again, from seeds of their own, while they coincide.
    """
    present = fresh.notna()
    if pd.api.types.is_numeric_dtype(fresh.dtype):
        numbered = fresh.copy()
        numbered[present] = int(real.max()) + 1 + np.arange(int(present.sum()))
        return numbered
    for seed in range(MOST_DRAWS):
        taken = fresh.isin(real) & present
        if not taken.any():
            break
        others = flat(sample(2 * int(taken.sum()) + 64, random_state=seed))[label].dropna()
        spare = others[~others.isin(real) & ~others.isin(fresh)].drop_duplicates()
        at = fresh.index[taken][: len(spare)]
        fresh = fresh.copy()
        fresh[at] = spare.to_numpy()[: len(at)]
    return fresh


def _converts(values: pd.Series[Any], dtype: Any) -> bool:
    """Whether the dtype is another one that can hold the values: plain integers and booleans have no missing ones."""
    holds_missing = not (isinstance(dtype, np.dtype) and dtype.kind in "iub")
    return bool(values.dtype != dtype and (holds_missing or not values.isna().any()))


def _converted(values: pd.Series[Any], dtype: Any) -> pd.Series[Any]:
    """The values as the dtype; those that a categorical dtype lacks become missing, which astype no longer allows."""
    if isinstance(dtype, pd.CategoricalDtype):
        return values.astype("category").cat.set_categories(dtype.categories, ordered=bool(dtype.ordered))
    return values.astype(dtype)

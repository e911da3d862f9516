"""Real rows plus synthetic ones that balance a target."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from synthgan.errors import SchemaError, SettingsError

if TYPE_CHECKING:
    from synthgan.synthesizer import RandomState, Synthesizer

BALANCED_KINDS = ("categorical", "boolean", "integer")


def balance(
    synthesizer: Synthesizer, data: pd.DataFrame, target: str | None, *, random_state: RandomState = None
) -> pd.DataFrame:
    """Bring every class of ``target`` to the size of the largest; see `Synthesizer.augment`.

    Raises:
        SettingsError: when no target is named.
        SchemaError: when the target has no classes, or the frame's columns are not those fitted.
    """
    schema = synthesizer.schema_
    if target is None:
        raise SettingsError("augment needs a target column: pass target=, or give one to the Synthesizer.")
    labels = [column.name if column.label is None else column.label for column in schema.columns]
    if list(data.columns) != labels:
        raise SchemaError(
            f"augment needs the {len(labels)} columns the synthesizer was fitted on, in their order; "
            f"got {data.shape[1]} columns."
        )
    if target not in labels:
        raise SchemaError(f"there is no column {target!r} to balance; name one of the fitted table's columns.")
    kind = schema.columns[labels.index(target)].kind
    if kind not in BALANCED_KINDS:
        raise SchemaError(
            f"column {target!r} is of kind {kind}, which has no classes to balance; expected a categorical one."
        )
    counts = data[target].value_counts().loc[lambda rows: rows > 0]  # a category that no row has is no class
    missing = (counts.max() - counts).loc[lambda deficit: deficit > 0]
    if missing.empty:
        return data.reset_index(drop=True)
    wanted = pd.DataFrame({target: missing.index.repeat(missing.to_numpy())})
    synthetic = synthesizer.sample(conditions=wanted, random_state=random_state)
    synthetic = synthetic.astype(
        {label: dtype for label, dtype in data.dtypes.items() if synthetic[label].dtype != dtype}
    )
    return pd.concat([data, synthetic], ignore_index=True)

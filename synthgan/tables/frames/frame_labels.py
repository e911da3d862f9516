"""Column labels of a DataFrame: the text each goes by, and those that no file could keep."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from synthgan.errors import DataError, SchemaError
from synthgan.tables.schema.schema_values import label_to_json


def column_names(labels: Sequence[Any], *, n_index: int = 0) -> tuple[list[str], dict[str, Hashable]]:
    """String names, and the labels that are not strings.

    Args:
        labels: of all columns, those of the index last.
        n_index: how many labels are names of index levels.

    Raises:
        DataError: for labels that are missing, meet in one name, or could not be saved.
    """
    seen: dict[str, Hashable] = {}
    for position, label in enumerate(labels):
        if pd.api.types.is_scalar(label) and pd.isna(label):
            raise DataError(f"the column at position {position} has no name: give it one")
        plain = _plain(label)
        name = str(plain)
        try:
            content = label_to_json(plain)
        except SchemaError as error:
            raise DataError(f"the column at position {position} cannot be taken: {error}") from None
        if any("\ud800" <= character <= "\udfff" for text in _texts(content) for character in text):
            raise DataError(
                f"the name of the column at position {position} holds half of a surrogate pair, which no file can "
                "store: rename it"
            )
        if name in seen:
            same = isinstance(seen[name], str) == isinstance(plain, str)
            how = "" if same else " once names are text (one is not a string)"
            what = "two columns are" if position < len(labels) - n_index else "the index and a column are both"
            raise DataError(f"{what} called {name!r}{how}: names must differ, so rename one of them")
        seen[name] = plain
    return list(seen), {name: label for name, label in seen.items() if not isinstance(label, str)}


def _plain(label: Any) -> Hashable:
    """A NumPy scalar as its twin in Python; parts of a tuple likewise."""
    if isinstance(label, tuple):
        return tuple(_plain(part) for part in label)
    if isinstance(label, np.datetime64):
        return pd.Timestamp(label)
    plain: Hashable = label.item() if isinstance(label, np.generic) else label
    return plain


def _texts(content: Any) -> list[str]:
    """All texts in a label as JSON."""
    if isinstance(content, dict):
        content = list(content.values())
    if isinstance(content, list):
        return [text for part in content for text in _texts(part)]
    return [content] if isinstance(content, str) else []

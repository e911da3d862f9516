"""What pandas writes into a file about the columns of a DataFrame: their dtypes, and labels that are no text."""

from __future__ import annotations

import warnings
from collections.abc import Hashable

import pyarrow as pa

from synthgan.errors import SynthganWarning
from synthgan.tables.frames import dtype_text


def noted_by_pandas(schema: pa.Schema) -> tuple[dict[str, str], dict[str, Hashable]]:
    """What pandas noted in an Arrow schema: string name -> dtype as text, and -> label where that is not a string."""
    if b"pandas" not in (schema.metadata or {}):
        return {}, {}
    try:
        dtypes = list(schema.empty_table().to_pandas().dtypes.items())
    except Exception:  # what another program wrote there may break pandas in any way
        warnings.warn(
            "what pandas noted in the file about its columns is damaged and was not used: rows come out with plain "
            "dtypes and the column names as text",
            SynthganWarning,
            stacklevel=2,
        )
        return {}, {}
    names = frozenset(schema.names)
    noted = [(str(label), label, dtype) for label, dtype in dtypes if str(label) in names]
    labels = {name: label for name, label, _ in noted if not isinstance(label, str)}
    return {name: dtype_text(dtype) for name, _, dtype in noted}, labels

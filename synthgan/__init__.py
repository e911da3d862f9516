"""synthgan turns a private table into a shareable synthetic one.

Fit, sample, save::

    import synthgan

    synth = synthgan.Synthesizer(target="income")
    synth.fit("data.parquet")
    synth.sample(1000, conditions={"age": (60, 80)})
    synth.save("model.synthgan")

Names are loaded when they are first used, so that ``import synthgan`` does not wait for torch or pandas.
"""

from __future__ import annotations

from importlib import import_module

from synthgan.version import __version__

TYPE_CHECKING = False  # as in typing, which takes longer to load than all else here

if TYPE_CHECKING:
    from typing import Any

    from synthgan import datasets
    from synthgan.errors import (
        BudgetError,
        ConditionError,
        DataError,
        ModelFileError,
        NotFittedError,
        OutputError,
        PrivacyError,
        SchemaError,
        SettingsError,
        SourceError,
        SynthganError,
        SynthganWarning,
        TrainingError,
    )
    from synthgan.evaluation import evaluate
    from synthgan.privacy.account.parameters import Privacy
    from synthgan.synthesizer import Synthesizer, load
    from synthgan.tables.files.csv_format import CsvFormat
    from synthgan.tables.schema.schema import (
        Bounds,
        ColumnSchema,
        Combinations,
        Levels,
        Order,
        Sum,
        TableSchema,
        UniqueKey,
    )
    from synthgan.tables.schema.schema_file import read_schema, write_schema

_OFFERED = {
    "synthgan.synthesizer": ("Synthesizer", "load"),
    "synthgan.evaluation": ("evaluate",),
    "synthgan.privacy.account.parameters": ("Privacy",),
    "synthgan.tables.schema.schema": (
        "TableSchema",
        "ColumnSchema",
        "Bounds",
        "Levels",
        "Order",
        "Sum",
        "Combinations",
        "UniqueKey",
    ),
    "synthgan.tables.files.csv_format": ("CsvFormat",),
    "synthgan.tables.schema.schema_file": ("read_schema", "write_schema"),
    "synthgan.errors": (
        "SynthganError",
        "DataError",
        "SourceError",
        "SchemaError",
        "SettingsError",
        "ConditionError",
        "ModelFileError",
        "OutputError",
        "NotFittedError",
        "TrainingError",
        "PrivacyError",
        "BudgetError",
        "SynthganWarning",
    ),
}
_HOMES = {name: home for home, names in _OFFERED.items() for name in names}

__all__ = [
    "Bounds",
    "BudgetError",
    "ColumnSchema",
    "Combinations",
    "ConditionError",
    "CsvFormat",
    "DataError",
    "Levels",
    "ModelFileError",
    "NotFittedError",
    "Order",
    "OutputError",
    "Privacy",
    "PrivacyError",
    "SchemaError",
    "SettingsError",
    "SourceError",
    "Sum",
    "Synthesizer",
    "SynthganError",
    "SynthganWarning",
    "TableSchema",
    "TrainingError",
    "UniqueKey",
    "__version__",
    "datasets",
    "evaluate",
    "load",
    "read_schema",
    "write_schema",
]


def __getattr__(name: str) -> Any:
    if name == "datasets":
        return import_module("synthgan.datasets")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'synthgan' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

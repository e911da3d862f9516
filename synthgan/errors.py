"""Every error and warning synthgan raises on purpose.

The tree::

    SynthganError
    ├── DataError (ValueError)            the table cannot be used as it is
    │   ├── SourceError                   a file, folder or glob cannot be read
    │   └── SchemaError                   a schema or constraint does not fit the table
    ├── SettingsError (ValueError)        a setting is out of range or unknown
    │   └── PolicyError                   a review policy, or verdicts by it, are malformed
    ├── ConditionError (ValueError)       a sampling condition cannot be met
    ├── ModelFileError (ValueError)       a model or checkpoint file cannot be trusted or read
    ├── BundleError (ValueError)          a review bundle is not what was written
    ├── OutputError (OSError)             an output cannot be written
    ├── NotFittedError (ValueError, AttributeError)   a method needs ``fit`` first
    ├── TrainingError (RuntimeError)      training diverged
    ├── PrivacyError (ValueError)         something cannot be private, or its account cannot be kept
    │   └── BudgetError                   a spend would overshoot the privacy budget
    ├── AuditError (RuntimeError)         an audit proved that more leaks than was claimed
    └── MachineError (RuntimeError)       the machine has too little memory for a command

    SynthganWarning (UserWarning)         the result is usable, with a limit worth reading

A message says what went wrong, where, what was expected and what to do next. It names columns, counts and dtypes, and
never repeats a value of the data: error texts travel further than tables.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar


class SynthganError(Exception):
    """Base of all errors raised on purpose; ``exit_code`` is what the command line exits with."""

    exit_code: ClassVar[int] = 1


class DataError(SynthganError, ValueError):
    """The table cannot be used as it is."""

    exit_code = 3


class SourceError(DataError):
    """A file, folder or glob cannot be read as a table."""


class SchemaError(DataError):
    """A schema or constraint is malformed or does not fit the table."""


class SettingsError(SynthganError, ValueError):
    """A setting is unknown or out of range."""

    exit_code = 2


class PolicyError(SettingsError):
    """A review policy cannot be read, is malformed, or asks for what no gate may; or verdicts by it are malformed."""


class ConditionError(SynthganError, ValueError):
    """A sampling condition is malformed or impossible."""

    exit_code = 4


class ModelFileError(SynthganError, ValueError):
    """A model or checkpoint file is damaged, altered, too new, or not one at all."""

    exit_code = 5


class BundleError(SynthganError, ValueError):
    """A review bundle is damaged, altered, incomplete, or not one at all."""

    exit_code = 5


class OutputError(SynthganError, OSError):
    """An output exists already or cannot be written; nothing was left half written."""

    exit_code = 6


class NotFittedError(SynthganError, ValueError, AttributeError):
    """The synthesizer has not been fitted yet."""


class TrainingError(SynthganError, RuntimeError):
    """Training diverged and was stopped."""

    exit_code = 7


class PrivacyError(SynthganError, ValueError):
    """What was asked for cannot be private, or the account of what was spent cannot be kept or trusted."""

    exit_code = 8


class BudgetError(PrivacyError):
    """A spend would overshoot the privacy budget; it was refused before any data was read for it."""


class AuditError(SynthganError, RuntimeError):
    """An audit's lower bound of epsilon is above the claim: the guarantee does not hold."""

    exit_code = 9


class MachineError(SynthganError, RuntimeError):
    """The machine has too little memory for a command."""

    exit_code = 12


class SynthganWarning(UserWarning):
    """The result is usable, with a limit worth reading."""


_LONGEST_MISSPELT = 200


def did_you_mean(name: object, known: Iterable[object]) -> str:
    """The clause ``; did you mean 'age'?`` when ``name`` is close to a known name, else an empty string."""
    text = str(name)
    if len(text) > _LONGEST_MISSPELT:  # comparing takes time that grows with its square, and no name is that long
        return ""
    near = difflib.get_close_matches(text, [str(other) for other in known if len(str(other)) <= _LONGEST_MISSPELT], n=1)
    return f"; did you mean {near[0]!r}?" if near else ""

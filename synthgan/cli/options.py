"""Options and argument types that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

PATH = click.Path(path_type=Path)
"""A path as typed: whether it exists and can be read is for the reader to say, in its own words."""


@dataclass
class RunState:
    """What one run of the command line knows beyond its options."""

    debug: bool = False
    interrupted: str = "outputs are written only when they are complete, so none is left half written"
    """What Ctrl-C or SIGTERM leaves behind, in words; a command that leaves more says so here."""


def _switch_debug_on(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        context.ensure_object(RunState).debug = True


def debug_option(function: F) -> F:
    """``--debug``: show the traceback of an error."""
    option = click.option(
        "--debug", is_flag=True, expose_value=False, callback=_switch_debug_on, help="Show the traceback of an error."
    )
    return option(function)


def force_option(function: F) -> F:
    """``--force``: overwrite an existing output."""
    return click.option("--force", is_flag=True, help="Overwrite the output if it exists.")(function)


def seed_option(function: F) -> F:
    """``--seed``: make the result reproducible."""
    return click.option(
        "--seed", type=click.IntRange(min=0), metavar="N", help="Same seed, same result (on one kind of processor)."
    )(function)


def given(**options: Any) -> dict[str, Any]:
    """The options a person typed; what was left out (None) keeps the default of the function it is passed to."""
    return {name: value for name, value in options.items() if value is not None}


def examples(*commands: str) -> str:
    """Epilog of a command: its examples, one per line, kept as typed."""
    return "\b\nExamples:\n" + "\n".join(f"  {command}" for command in commands)

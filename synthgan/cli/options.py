"""Options and argument types that several commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from synthgan.cli.memory import check_memory
from synthgan.cli.signals import NOTHING_HALF_WRITTEN

F = TypeVar("F", bound=Callable[..., Any])

PATH = click.Path(path_type=Path)
"""A path as typed: whether it exists and can be read is for the reader to say, in its own words."""


@dataclass
class RunState:
    """What one run of the command line knows beyond its options."""

    debug: bool = False
    interrupted: str = NOTHING_HALF_WRITTEN
    """What Ctrl-C or SIGTERM leaves behind, in words; a command that leaves more says so here."""


class Command(click.Command):
    """A command that looks at its words and at the machine before it begins."""

    needs_networks = False

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Understand the words typed.

        Raises:
            click.UsageError: when they are wrong.
        """
        if any("\0" in word for word in args):
            raise click.UsageError("a null character cannot stand in a file name or text: leave it out.")
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run it.

        Raises:
            click.UsageError: when a word that is no file name is no valid text.
            MachineError: when there is too little memory for what the command loads.
        """
        for parameter in self.params:
            value = ctx.params.get(parameter.name or "")
            for word in value if isinstance(value, tuple) else (value,):
                _check_word(word, parameter.opts[0] if parameter.opts else "a word")
        check_memory(with_networks=self.needs_networks)
        return super().invoke(ctx)


class NetworkCommand(Command):
    """A command that trains or samples, or may."""

    needs_networks = True


def _check_word(word: Any, where: str) -> None:
    # Names of files may be any bytes, which Python shows as halves of surrogate pairs. Columns and values are text.
    if isinstance(word, str) and any("\ud800" <= character <= "\udfff" for character in word):
        raise click.UsageError(f"{where} is not valid text in the encoding of this terminal: write it as UTF-8.")


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


def csv_options(function: F) -> F:
    """``--encoding``, ``--separator``, ``--decimal`` and ``--missing``, given on as one ``csv_format``."""

    @functools.wraps(function)
    def with_format(
        *arguments: Any,
        encoding: str | None,
        separator: str | None,
        decimal: str | None,
        missing: tuple[str, ...],
        **options: Any,
    ) -> Any:
        from synthgan.tables.files.csv_format import CsvFormat

        spellings = tuple(text for text in missing if text) if missing else None
        said = given(encoding=encoding, separator=separator, decimal=decimal, missing=spellings)
        return function(*arguments, csv_format=CsvFormat(**said) if said else None, **options)

    decorated = with_format
    for option in reversed(_CSV_OPTIONS):
        decorated = option(decorated)
    return cast("F", decorated)


_CSV_OPTIONS = (
    click.option(
        "--encoding",
        metavar="NAME",
        help="Of CSV files: latin-1, cp1252, utf-16, ...  [default: utf-8, or what a byte order mark says]",
    ),
    click.option(
        "--separator",
        metavar="CHARACTER",
        help="Between the cells of CSV files; also the words tab, semicolon, pipe.  [default: as in the header]",
    ),
    click.option("--decimal", type=click.Choice((".", ",")), help="Decimal sign in CSV files.  [default: .]"),
    click.option(
        "--missing",
        multiple=True,
        metavar="TEXT",
        help="What stands for a missing cell in CSV files besides the empty one; may be given several times ('': only "
        "the empty one).  [default: NA, NaN, null, None, n/a and others, as in pandas]",
    ),
)


def given(**options: Any) -> dict[str, Any]:
    """The options a person typed; what was left out (None) keeps the default of the function it is passed to."""
    return {name: value for name, value in options.items() if value is not None}


def examples(*commands: str) -> str:
    """Epilog of a command: its examples, one per line, kept as typed."""
    return "\b\nExamples:\n" + "\n".join(f"  {command}" for command in commands)

"""What the commands print: results on standard output, warnings and errors on standard error.

On a terminal tables are drawn with rich; in a pipe they are plain aligned text without escape codes. Everything that is
printed goes through here, and what others wrote (names of columns and files, levels, notes) comes out visible: no
character of it acts on the terminal.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from synthgan.visible_text import visible, visible_json

_LONGEST = 4_000
"""Characters of a message; names in it may be of any length."""


def say(text: str = "") -> None:
    """Print lines of a result on standard output."""
    click.echo(visible(text, keep="\n"))


def say_json(values: Any) -> None:
    """Print JSON on standard output: characters that act on a terminal as JSON escapes them, others as they are."""
    click.echo(visible_json(json.dumps(values, indent=2, ensure_ascii=False)))


def complain(text: str) -> None:
    """Print lines on standard error."""
    click.echo(visible(text, keep="\n"), err=True)


def warn(message: str) -> None:
    """Print a warning on standard error, one line."""
    complain(f"Warning: {_line(message)}")


def fail(message: str) -> None:
    """Print an error on standard error, one line."""
    complain(f"Error: {_line(message)}")


def announce(message: str) -> None:
    """Say what is about to take a while, on a terminal only."""
    if sys.stderr.isatty():
        complain(f"{message} ...")


def summary(headline: str, facts: Sequence[tuple[str, str]] = (), *, next_step: str | None = None) -> None:
    """Print what a command did: a headline, one line per fact, and the command to type next."""
    say(visible(headline))
    width = max((len(name) for name, _ in facts), default=0)
    for name, value in facts:
        say(visible(f"  {name:<{width}}  {value}"))
    if next_step:
        say(visible(f"Next: {next_step}"))


def _line(message: str) -> str:
    line = visible(message)
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} ..."


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> None:
    """Print a table on standard output.

    Args:
        headings: one text per column.
        rows: cells as texts, each row as long as ``headings``.
        right: indices of the columns that are aligned to the right.
    """
    cells = [[visible(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _draw(headings, cells, right)
    else:
        say("\n".join(_lines([list(headings), *cells], right)))


def _draw(headings: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int]) -> None:
    """Long cells are folded to the width of the terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for i, heading in enumerate(headings):
        grid.add_column(heading, justify="right" if i in right else "left", overflow="fold")
    for row in rows:
        grid.add_row(*map(Text, row))  # markup and emoji codes in names come out as typed
    Console(highlight=False).print(grid)


def _lines(rows: Sequence[Sequence[str]], right: Sequence[int]) -> Iterator[str]:
    """A row is a line, however long: that is what the next program in the pipe wants."""
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = []
        for i, (cell, width) in enumerate(zip(row, widths, strict=True)):
            gap = " " * (width - cell_len(cell))
            padded.append(gap + cell if i in right else cell + gap)
        yield "  ".join(padded).rstrip()


def command_line(*words: str | Path) -> str:
    """Join words into a command that can be pasted into a shell, whatever characters they hold."""
    return " ".join(_word(str(word)) for word in words)


def _word(text: str) -> str:
    if visible(text) == text:
        return shlex.quote(text)
    plain = {"\\": "\\\\", "'": "\\'"}
    parts = [
        plain.get(character, character)
        if visible(character) == character
        else "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))
        for character in text
    ]
    return f"$'{''.join(parts)}'"


def file_size(path: Path) -> str:
    """Size of a file for people, such as ``1.3 MB``."""
    return size(path.stat().st_size)


def size(n_bytes: float) -> str:
    """A number of bytes for people, such as ``1.3 MB``."""
    if n_bytes < 1000:
        return f"{n_bytes:.0f} bytes"
    for unit in ("kB", "MB"):
        n_bytes /= 1000
        if n_bytes < 1000:
            return f"{n_bytes:.1f} {unit}"
    return f"{n_bytes / 1000:.1f} GB"


def duration(seconds: float) -> str:
    """A duration for people, such as ``42 s`` or ``6 min 52 s``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"

"""What the commands print: results on standard output, warnings and errors on standard error.

On a terminal tables are drawn with rich; in a pipe they are plain aligned text without escape codes.
"""

from __future__ import annotations

import io
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import click

_UNLIMITED = 100_000
"""Width of a table written to a pipe: a cell is never wrapped there, so that a line is a row."""


def warn(message: str) -> None:
    """Print a warning on standard error."""
    click.echo(f"Warning: {message}", err=True)


def fail(message: str) -> None:
    """Print an error on standard error."""
    click.echo(f"Error: {message}", err=True)


def announce(message: str) -> None:
    """Say what is about to take a while, on a terminal only."""
    if sys.stderr.isatty():
        click.echo(f"{message} ...", err=True)


def summary(headline: str, facts: Sequence[tuple[str, str]] = (), *, next_step: str | None = None) -> None:
    """Print what a command did: a headline, one line per fact, and the command to type next."""
    click.echo(headline)
    width = max((len(name) for name, _ in facts), default=0)
    for name, value in facts:
        click.echo(f"  {name:<{width}}  {value}")
    if next_step:
        click.echo(f"Next: {next_step}")


def table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, title: str | None = None, right: Sequence[int] = ()
) -> None:
    """Print a table on standard output.

    Args:
        headings: one text per column.
        rows: cells as texts, each row as long as ``headings``.
        title: a line above the table.
        right: indices of the columns that are aligned to the right.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    terminal = sys.stdout.isatty()
    drawn = None if terminal else io.StringIO()
    # Cells hold column names: markup and emoji codes in them must come out as typed.
    console = Console(file=drawn, width=None if terminal else _UNLIMITED, markup=False, highlight=False, emoji=False)
    grid = Table(box=box.SIMPLE_HEAD if terminal else None, pad_edge=False, title=title, title_justify="left")
    for i, heading in enumerate(headings):
        grid.add_column(heading, justify="right" if i in right else "left", overflow="fold")
    for row in rows:
        grid.add_row(*row)
    console.print(grid)
    if drawn is not None:
        click.echo("\n".join(line.rstrip() for line in drawn.getvalue().splitlines()))


def command_line(*words: str | Path) -> str:
    """Join words into a command that can be pasted into a shell."""
    return shlex.join(str(word) for word in words)


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

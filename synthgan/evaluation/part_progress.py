"""Which part of an evaluation is being computed: a line on a terminal, silence elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Literal, TypeVar

ProgressMode = Literal["auto", "on", "off"]
Name = TypeVar("Name", bound=str)


def each_part(names: Sequence[Name], mode: ProgressMode) -> Iterator[Name]:
    """The names one after the other; the line says which was handed out last, and how many are done."""
    if mode == "off" or (mode == "auto" and not sys.stderr.isatty()):
        yield from names
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("comparing"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=len(names))
        for name in names:
            progress.update(task, description=name)
            yield name
            progress.advance(task)

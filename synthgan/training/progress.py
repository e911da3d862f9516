"""A progress line on a terminal, and silence elsewhere."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Literal

from synthgan.training.loop import Record

ProgressMode = Literal["auto", "on", "off"]


@contextlib.contextmanager
def training_progress(n_steps: int, mode: ProgressMode, *, n_done: int = 0) -> Iterator[Callable[[Record], None]]:
    """Show steps, time left, marginal error and both critics' losses; yields the function that takes records.

    With ``"auto"`` the line is shown when standard error is a terminal.
    """
    if mode == "off" or (mode == "auto" and not sys.stderr.isatty()):
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("training"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[scores]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("training", total=n_steps, completed=n_done, scores="")

        def show(record: Record) -> None:
            parts = [
                f"{label} {record[key]:.4f}"
                for key, label in (
                    ("marginal_error", "marginals"),
                    ("adversarial", "adversary"),
                    ("discriminator", "critic"),
                )
                if key in record
            ]
            progress.update(task, completed=int(record["step"]), scores="  ".join(parts))

        yield show

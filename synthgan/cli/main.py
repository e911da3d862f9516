"""The command group, and how a run ends: exit codes, errors, interruption."""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from synthgan import __version__
from synthgan.cli.audit import audit
from synthgan.cli.demo import demo
from synthgan.cli.evaluate import evaluate
from synthgan.cli.fit import fit
from synthgan.cli.inspect import inspect
from synthgan.cli.messages import fail, warn
from synthgan.cli.options import RunState, debug_option
from synthgan.cli.review import review
from synthgan.cli.sample import sample
from synthgan.cli.schema import schema
from synthgan.errors import SynthganError, SynthganWarning

# OpenMP threads that spin while they wait take the core from those they wait for: on a busy machine a fit then takes
# several times as long. It must be said before torch is imported, and a user's own choice stands.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

INTERRUPTED = 130
TERMINATED = 143
UNEXPECTED = 1

EXIT_CODES: tuple[tuple[int, str], ...] = (
    (0, "done"),
    (1, "an unexpected error: please report it"),
    (2, "a mistake on the command line, or a setting out of range"),
    (3, "the table, a file it is read from, or its schema cannot be used"),
    (4, "a sampling condition cannot be met"),
    (5, "the model file, checkpoint or review bundle is damaged, altered, too new, or not one"),
    (6, "the output exists already (see --force) or cannot be written"),
    (7, "training diverged"),
    (8, "the privacy budget is spent, or what was asked for cannot be private"),
    (9, "an audit found that more leaks than was claimed"),
    (10, "a gate of the review failed"),
    (11, "no gate of the review failed, and the evidence is too thin for a pass"),
    (130, "interrupted with Ctrl-C"),
    (143, "told to end by SIGTERM, as `kill` sends it"),
)
"""What the process exits with, and when; `SynthganError.exit_code` holds the middle part."""

EPILOG = (
    "\b\nA first look:\n"
    "  synthgan demo\n"
    "  synthgan fit data.parquet -o model.synthgan\n"
    "  synthgan sample model.synthgan -n 10000 -o synthetic.parquet\n"
    "  synthgan evaluate data.parquet synthetic.parquet\n"
    "\n\b\nExit codes:\n" + "\n".join(f"  {code:>3}  {meaning}" for code, meaning in EXIT_CODES)
)


SAME_REQUEST_SECONDS = 2.0
"""A second SIGTERM within this time is the first one again (`timeout` sends two) and must not disturb clearing up."""


class Terminated(BaseException):
    """Raised where the work is when SIGTERM arrives, so that unfinished outputs are cleared away as after Ctrl-C."""


class CommandsInOrder(click.Group):
    """A group that lists its commands in the order of the work, not of the alphabet."""

    def list_commands(self, _context: click.Context) -> list[str]:
        """Names as they were added."""
        return list(self.commands)


@click.group(
    cls=CommandsInOrder,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="synthgan")
@debug_option
def group() -> None:
    """Turn a private table into a shareable synthetic one.

    Fit a model to a table (Parquet or CSV), sample rows from it, measure how good they are. Each command has --help
    with examples.
    """


for _command in (demo, fit, sample, evaluate, review, inspect, schema, audit):
    group.add_command(_command)


@contextmanager
def _warnings_as_sentences() -> Iterator[None]:
    """Show synthgan's own warnings as one line each, without file and line number."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def showwarning(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, SynthganWarning):
                warn(str(message))
            else:
                show(message, category, *place, **more)

        warnings.showwarning = showwarning
        warnings.simplefilter("always", SynthganWarning)
        yield


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Within the block, SIGTERM raises `Terminated`, unless whoever calls has made another arrangement for it."""
    last = -math.inf

    def end(*_: object) -> None:
        nonlocal last
        before, last = last, time.monotonic()
        if last - before > SAME_REQUEST_SECONDS:
            raise Terminated

    in_main_thread = threading.current_thread() is threading.main_thread()  # elsewhere Python allows no handler
    if not in_main_thread or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (default: the process's own) and return its exit code."""
    state = RunState()
    try:
        with _ended_in_order(), _warnings_as_sentences():
            result = group.main(
                args=None if arguments is None else list(arguments),
                prog_name="synthgan",
                standalone_mode=False,
                obj=state,
            )
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo(f"\nInterrupted: {state.interrupted}.", err=True)
        return INTERRUPTED
    except Terminated:
        click.echo(f"\nTerminated: {state.interrupted}.", err=True)
        return TERMINATED
    except SynthganError as error:
        if state.debug:
            traceback.print_exc()
        fail(str(error))
        return error.exit_code
    except Exception as error:
        # The text of a foreign exception may quote the data, so only its type is shown unless asked for.
        if state.debug:
            traceback.print_exc()
            return UNEXPECTED
        fail(
            f"synthgan met an unexpected {type(error).__name__}; please report it. Run the command again with --debug "
            "for the traceback (which may quote your data: read it before you share it)."
        )
        return UNEXPECTED
    return result if isinstance(result, int) else 0


def main() -> None:
    """Entry point of the ``synthgan`` command."""
    sys.exit(run())

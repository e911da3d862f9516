"""The ``synthgan`` command as a process: how a run starts, and how it ends.

Nothing that takes time is loaded before signals are seen to.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import warnings
from contextlib import contextmanager

from synthgan.cli.signals import INTERRUPTED, TERMINATED, Requests, Terminated, end_at_once

TYPE_CHECKING = False  # as in typing, which takes its time to load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from synthgan.cli.options import RunState

UNEXPECTED = 1


def main() -> None:
    """Entry point of the ``synthgan`` command."""
    end_at_once()
    from synthgan.cli.streams import make_tolerant

    output = make_tolerant()
    code = run()
    from synthgan.errors import MachineError, OutputError

    sys.stdout.flush()
    if output.error is not None:
        from synthgan.cli.messages import fail

        reason = os.strerror(output.error.errno or 0).lower()
        fail(f"cannot write to standard output: {reason}; files that the command wrote are whole")
        code = code or OutputError.exit_code
    sys.stderr.flush()
    if code in (INTERRUPTED, TERMINATED, MachineError.exit_code):
        os._exit(code)  # libraries that are loaded by half do not end well
    sys.exit(code)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (default: the process's own) and return its exit code."""
    requests = Requests()
    state: RunState | None = None
    try:
        with requests.raised():
            from synthgan.cli.commands import group
            from synthgan.cli.options import RunState

            state = RunState()
            with _warnings_as_sentences(state):
                result = group.main(
                    args=None if arguments is None else list(arguments),
                    prog_name="synthgan",
                    standalone_mode=False,
                    obj=state,
                )
    except BaseException as error:
        return _ending(error, requests, state)
    return result if isinstance(result, int) else 0


def _ending(error: BaseException, requests: Requests, state: RunState | None) -> int:
    """What to say of the exception that ended a run, and what to exit with."""
    import traceback

    import click

    from synthgan.cli.memory import OUT_OF_MEMORY, is_out_of_memory
    from synthgan.cli.messages import complain, fail
    from synthgan.cli.options import RunState
    from synthgan.errors import OutputError, SynthganError
    from synthgan.tables.files.outputs import FULL

    state = state or RunState()
    if requests.received is not None or isinstance(error, KeyboardInterrupt | Terminated | click.Abort):
        is_terminated = isinstance(error, Terminated) or requests.received == signal.SIGTERM
        complain(f"\n{'Terminated' if is_terminated else 'Interrupted'}: {state.interrupted}.")
        return TERMINATED if is_terminated else INTERRUPTED
    if isinstance(error, click.ClickException):
        text = io.StringIO()
        error.show(file=text)
        complain(text.getvalue().rstrip("\n"))
        return error.exit_code
    if not isinstance(error, Exception):
        raise error
    if state.debug:
        complain(traceback.format_exc().rstrip("\n"))
    if isinstance(error, SynthganError):
        fail(str(error))
        return error.exit_code
    if is_out_of_memory(error):
        fail(str(OUT_OF_MEMORY))
        return OUT_OF_MEMORY.exit_code
    if isinstance(error, OSError) and (error.errno in FULL or "temporary directory" in str(error)):
        fail("no disk space is left for temporary files; free some, or name another folder in the variable TMPDIR")
        return OutputError.exit_code
    if not state.debug:
        # The text of a foreign exception may quote the data, so only its type is shown unless asked for.
        fail(
            f"synthgan met an unexpected {type(error).__name__}; please report it. Run the command again with --debug "
            "for the traceback (which may quote your data: read it before you share it)."
        )
    return UNEXPECTED


@contextmanager
def _warnings_as_sentences(state: RunState) -> Iterator[None]:
    """Show synthgan's own warnings as one line each. Those of libraries are for developers, and may quote the data."""
    from synthgan.cli.messages import warn
    from synthgan.errors import SynthganWarning

    with warnings.catch_warnings():
        show = warnings.showwarning

        def showwarning(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, SynthganWarning):
                warn(str(message))
            elif state.debug:
                show(message, category, *place, **more)

        warnings.showwarning = showwarning
        warnings.simplefilter("always", SynthganWarning)
        yield

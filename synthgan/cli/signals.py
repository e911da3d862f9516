"""Ctrl-C and SIGTERM at any moment of a run: before anything is loaded, in the middle of the work, after it.

As long as nothing needs clearing up, a signal ends the process on the spot (`end_at_once`), also while a module is
loaded: some abort when an exception comes in the middle of that. While a command works, it is raised as an exception
where the work is, so that unfinished outputs vanish (`Requests`). Libraries may turn that exception into one of their
own or swallow it; `Requests` remembers that it came, and asks again.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import time
from contextlib import contextmanager, suppress

TYPE_CHECKING = False  # as in typing, which takes its time to load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

INTERRUPTED = 130
TERMINATED = 143

SAME_REQUEST_SECONDS = 2.0
"""A second signal within this time is the first one again (`timeout` sends two) and must not disturb clearing up."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_WORDS = {signal.SIGINT: "Interrupted", signal.SIGTERM: "Terminated"}
NOTHING_HALF_WRITTEN = "outputs are written only when they are complete, so none is left half written"


class Terminated(BaseException):
    """Raised where the work is when SIGTERM arrives, so that unfinished outputs are cleared away as after Ctrl-C."""


def end_at_once() -> None:
    """From now on, while no command works, a signal ends the process with a sentence and its exit code.

    A signal that whoever started us wants ignored stays ignored.
    """
    for number in _SIGNALS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _end)


def _end(number: int, _frame: Any) -> None:
    with suppress(OSError):
        os.write(2, f"\n{_WORDS[signal.Signals(number)]}: {NOTHING_HALF_WRITTEN}.\n".encode())
    os._exit(128 + number)  # an exception would surface in whatever module happens to be loading


class Requests:
    """What the signals asked for while a command worked.

    Attributes:
        received: the first signal, None as long as there was none.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._last = -SAME_REQUEST_SECONDS
        self._unheard = False
        self._is_process = False

    @contextmanager
    def raised(self) -> Iterator[None]:
        """Within the block a signal raises `KeyboardInterrupt` or `Terminated`, once per request.

        Where whoever calls has made another arrangement for a signal, it is left alone; in a thread where Python allows
        no handlers, nothing is done.
        """
        before = {number: signal.getsignal(number) for number in _SIGNALS}
        hook = sys.unraisablehook
        try:
            self._is_process = _end in before.values()
            for number, handler in before.items():
                if handler in (signal.SIG_DFL, signal.default_int_handler, _end):
                    signal.signal(number, self._raise)
        except ValueError:  # not the main thread
            yield
            return
        sys.unraisablehook = lambda lost: None if self._ask_again(lost) else hook(lost)
        try:
            yield
        finally:
            sys.unraisablehook = hook
            for number, handler in before.items():
                if signal.getsignal(number) == self._raise:
                    signal.signal(number, handler)

    def _raise(self, number: int, frame: Any) -> None:
        if self._is_process and _is_loading(frame) and not _has_unfinished_outputs():
            _end(number, frame)
        before, self._last = self._last, time.monotonic()
        if self._last - before <= SAME_REQUEST_SECONDS and not self._unheard:
            return
        self._unheard = False
        if self.received is None:
            self.received = number
        raise KeyboardInterrupt if number == signal.SIGINT else Terminated

    def _ask_again(self, lost: Any) -> bool:
        """Whether what Python could only report, and would drop, was our exception: then the signal comes once more."""
        if not isinstance(lost.exc_value, KeyboardInterrupt | Terminated) or self.received is None:
            return False
        self._unheard = True
        _thread.start_new_thread(_send_soon, (self.received,))  # not now: whatever is raised here is lost, too
        return True


def _is_loading(frame: Any) -> bool:
    """Whether a module is being imported where the signal came."""
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False


def _has_unfinished_outputs() -> bool:
    outputs = sys.modules.get("synthgan.tables.files.outputs")
    return bool(getattr(outputs, "UNFINISHED", ()))


def _send_soon(number: int) -> None:
    time.sleep(0.02)
    os.kill(os.getpid(), number)

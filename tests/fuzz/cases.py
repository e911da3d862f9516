"""Running one hostile case: in this process, under a time bound, with everything printed looked at."""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import traceback
import unicodedata
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from synthgan.cli.main import run
from synthgan.cli.messages import fail
from synthgan.errors import SynthganError

CANARY = "zebra-canary-7391"
"""Stands in cells, and must stand in no message."""

SECONDS_PER_CASE = 120
"""On a busy machine; alone, a case takes a fraction of a second."""

CASES = float(os.environ.get("SYNTHGAN_FUZZ_CASES", "1"))
"""How many times the usual number of cases to try."""

SEED = int(os.environ.get("SYNTHGAN_FUZZ_SEED", "0"))

SUMMARY: dict[str, Counter[int]] = {}
"""Target -> exit code -> number of cases; shown at the end of the run."""


class TooSlow(BaseException):
    """A case is not done in its time."""


@dataclass
class Fuzzer:
    """Counts how the cases of one target ended, and keeps those that ended wrongly."""

    target: str
    codes: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def command(self, *words: object) -> int:
        """One command line; returns its exit code."""
        texts = [os.fspath(word) if isinstance(word, Path) else str(word) for word in words]
        return self._judge(lambda: run(texts), f"synthgan {texts}")

    def call(self, function: Callable[[], Any], what: str) -> None:
        """One call into the package, whose errors count as the command line would count them."""

        def code() -> int:
            try:
                function()
            except SynthganError as error:
                fail(str(error))
                return error.exit_code
            return 0

        self._judge(code, what)

    def _judge(self, act: Callable[[], int], what: str) -> int:
        out, err = io.StringIO(), io.StringIO()
        try:
            with (
                _bounded(),
                contextlib.redirect_stdout(out),
                contextlib.redirect_stderr(err),
                warnings.catch_warnings(),
            ):
                warnings.simplefilter("ignore")
                code = act()
        except (Exception, TooSlow):
            code = 1
            err.write(traceback.format_exc(limit=-3))
        self.codes[code] += 1
        wrong = self._what_is_wrong(code, out.getvalue(), err.getvalue())
        if wrong:
            self.failures.append(f"{wrong}: {what}\n{err.getvalue()[-600:]}")
        return code

    def _what_is_wrong(self, code: int, out: str, err: str) -> str:
        if code == 1 or "Traceback" in out + err:
            return "an unexpected error"
        if CANARY in out + err:
            return "a value of the table in a message"
        if any(unicodedata.category(c) in ("Cc", "Cs") and c != "\n" for c in out + err):
            return "a character that acts on a terminal"
        if code and not re.search(r"^(Error|Usage): ", err, flags=re.MULTILINE):
            return "no sentence"
        return ""

    def finish(self) -> None:
        """Fail with the first few cases that ended wrongly."""
        SUMMARY[self.target] = self.codes
        assert not self.failures, f"{len(self.failures)} of {self.codes.total()}:\n" + "\n".join(self.failures[:8])
        assert len(self.codes) > 1, "no case was refused, or none was taken: the damage is not damage"


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    def late(*_: object) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS_PER_CASE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)

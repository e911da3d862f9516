from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from synthgan.sampling.ahead import READY, ahead

PATIENCE_SECONDS = 120.0


def n_helpers() -> int:
    return sum(thread.name == "synthgan-ahead" for thread in threading.enumerate())


def test_items_come_in_order_and_the_thread_ends() -> None:
    assert list(ahead(iter(range(100)))) == list(range(100))
    assert list(ahead(iter([]))) == []
    assert n_helpers() == 0


def test_the_next_items_are_made_while_the_caller_works_but_no_more() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for i in range(50):
            made.append(i)
            yield i

    taken = ahead(items())
    assert next(taken) == 0
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(made) < 1 + READY and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.05)
    assert len(made) == 1 + READY
    taken.close()
    assert len(made) <= 2 + READY
    assert n_helpers() == 0


def test_an_error_is_raised_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise KeyError("gone")

    taken = ahead(items())
    assert next(taken) == 1
    with pytest.raises(KeyError, match="gone"):
        next(taken)
    assert n_helpers() == 0


def test_an_error_of_the_caller_ends_the_thread() -> None:
    def use() -> None:
        for item in ahead(iter(range(1000))):
            if item == 3:
                raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        use()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while n_helpers() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert n_helpers() == 0

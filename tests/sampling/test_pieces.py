from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest
import torch

from synthgan.sampling import pieces
from synthgan.sampling.pieces import on_all_cores
from tests.torch_threads import torch_threads


@pytest.fixture(autouse=True)
def crew(monkeypatch: pytest.MonkeyPatch) -> pieces._Crew:
    """A crew of this test alone."""
    own = pieces._Crew()
    monkeypatch.setattr(pieces, "_crew", own)
    return own


@pytest.fixture(params=[1, 3])
def n_threads(request: pytest.FixtureRequest) -> Iterator[int]:
    """Torch with so many threads, for one test."""
    with torch_threads(request.param):
        yield request.param


def threads_elsewhere() -> int:
    """How many cores torch uses in a thread that starts now."""
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return seen[0]


@pytest.mark.parametrize("n_pieces", [0, 1, 2, 50])
def test_each_piece_is_worked_on_once(n_threads: int, n_pieces: int) -> None:
    done: list[int] = []
    on_all_cores(done.append, range(n_pieces))
    assert sorted(done) == list(range(n_pieces))


@pytest.mark.parametrize("n_threads", [3], indirect=True)
def test_each_thread_has_one_core_and_the_others_keep_theirs(n_threads: int) -> None:
    seen: list[tuple[str, int]] = []
    together = threading.Barrier(3)

    def work(_: int) -> None:
        together.wait(120)  # so that no thread does two pieces
        seen.append((threading.current_thread().name, torch.get_num_threads()))

    for _ in range(2):  # the threads stay
        on_all_cores(work, range(3))
        assert torch.get_num_threads() == threads_elsewhere() == 3
    assert [n for _, n in seen] == [1] * 6
    assert {name for name, _ in seen} == {"synthgan-piece"}
    on_all_cores(lambda _: seen.append(("single", torch.get_num_threads())), range(1))
    assert seen[-1] == ("single", 1), "a single piece gives the same whatever the number of threads"


@pytest.mark.parametrize("n_threads", [3], indirect=True)
def test_a_caller_with_a_number_of_its_own_changes_that_of_nobody_else(n_threads: int) -> None:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(2):
        assert torch.get_num_threads() == 2
        on_all_cores(lambda _: None, range(5))
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == threads_elsewhere() == 3


def test_an_error_is_raised_and_the_pieces_that_wait_are_left(n_threads: int) -> None:
    begun: list[int] = []

    def work(piece: int) -> None:
        begun.append(piece)
        time.sleep(0.002)
        raise ValueError("of a piece")

    with pytest.raises(ValueError, match="of a piece"):
        on_all_cores(work, range(1000))
    assert len(begun) <= n_threads
    done: list[int] = []
    on_all_cores(done.append, range(10))
    assert sorted(done) == list(range(10)), "the crew works on"


def test_pieces_of_several_callers_do_not_mix(n_threads: int, crew: pieces._Crew) -> None:
    totals: dict[int, list[int]] = {caller: [] for caller in range(4)}
    cores: list[int] = []

    on_all_cores(lambda _: None, range(5))  # so that no caller starts while torch is told another number

    def call(caller: int) -> None:
        on_all_cores(lambda piece: (totals[caller].append(piece), cores.append(torch.get_num_threads())), range(200))
        assert torch.get_num_threads() == n_threads

    callers = [threading.Thread(target=call, args=(caller,)) for caller in totals]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert all(sorted(done) == list(range(200)) for done in totals.values())
    assert set(cores) == {1}
    assert crew._size == (0 if n_threads == 1 else n_threads)
    assert threads_elsewhere() == n_threads


@pytest.mark.parametrize("n_threads", [3], indirect=True)
@pytest.mark.parametrize("n_given", [0, 1, 2])
def test_the_caller_makes_do_with_the_threads_that_the_system_gives(
    n_threads: int, n_given: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start
    started: list[threading.Thread] = []

    def few(thread: threading.Thread) -> None:
        if len(started) == n_given:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    done: list[int] = []
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", few)
        on_all_cores(done.append, range(10))
    assert sorted(done) == list(range(10))
    assert torch.get_num_threads() == threads_elsewhere() == 3


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timers that interrupt")
# An interruption in a destructor is swallowed by Python, and pytest tells of it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("n_threads", [3], indirect=True)
def test_interruptions_at_any_moment_leave_a_crew_that_works(n_threads: int) -> None:
    armed = False

    def interrupt(*_: object) -> None:
        if armed:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    interrupted = 0
    try:
        for attempt in range(200):
            try:
                armed = True
                signal.setitimer(signal.ITIMER_REAL, 1e-5 * (1 + attempt))
                on_all_cores(lambda _: time.sleep(0.001), range(12))
                armed = False
            except KeyboardInterrupt:
                interrupted += 1
            signal.setitimer(signal.ITIMER_REAL, 0)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert interrupted > 50
    done: list[int] = []
    on_all_cores(done.append, range(10))
    assert sorted(done) == list(range(10))
    assert torch.get_num_threads() == threads_elsewhere() == 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("n_threads", [3], indirect=True)
def test_a_forked_child_has_a_crew_of_its_own(n_threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # the real one knows of forks
    on_all_cores(lambda _: None, range(5))
    child = os.fork()
    if child == 0:
        done: list[int] = []
        on_all_cores(done.append, range(10))
        os._exit(0 if sorted(done) == list(range(10)) else 1)
    for _ in range(1000):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        time.sleep(0.01)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        pytest.fail("the child hangs")
    assert os.waitstatus_to_exitcode(status) == 0

from __future__ import annotations

import threading
import time

import pytest
import torch

from synthgan.sampling.pieces import STREAMS, on_all_cores, piece_streams


@pytest.fixture(params=[1, 3])
def n_threads(request: pytest.FixtureRequest) -> object:
    """Torch with so many threads, for one test."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("n_pieces", [0, 1, 2, 50])
def test_each_piece_is_worked_on_once(n_threads: int, n_pieces: int) -> None:
    done: list[int] = []
    on_all_cores(done.append, range(n_pieces))
    assert sorted(done) == list(range(n_pieces))


def test_each_thread_has_one_core_and_the_others_keep_theirs() -> None:
    before = torch.get_num_threads()
    seen: list[tuple[str, int]] = []
    both = threading.Barrier(2)

    def work(_: int) -> None:
        both.wait(10)  # so that neither thread does both pieces
        seen.append((threading.current_thread().name, torch.get_num_threads()))

    try:
        torch.set_num_threads(2)
        on_all_cores(work, range(2))
        assert torch.get_num_threads() == 2
        later: list[int] = []
        thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
        thread.start()
        thread.join()
        assert later == [2]
    finally:
        torch.set_num_threads(before)
    assert len({name for name, _ in seen}) == 2
    assert [n for _, n in seen] == [1, 1]
    assert not any(thread.name.startswith("synthgan-piece") for thread in threading.enumerate())


def test_an_error_is_raised_and_the_pieces_that_wait_are_left(n_threads: int) -> None:
    begun: list[int] = []

    def work(piece: int) -> None:
        begun.append(piece)
        time.sleep(0.002)
        raise ValueError("of a piece")

    with pytest.raises(ValueError, match="of a piece"):
        on_all_cores(work, range(1000))
    assert len(begun) < 1000
    assert torch.get_num_threads() == n_threads


def test_pieces_of_several_callers_do_not_mix(n_threads: int) -> None:
    totals: dict[int, list[int]] = {caller: [] for caller in range(4)}
    callers = [threading.Thread(target=on_all_cores, args=(totals[caller].append, range(200))) for caller in totals]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert all(sorted(done) == list(range(200)) for done in totals.values())
    assert torch.get_num_threads() == n_threads


def test_streams_differ_repeat_and_do_not_depend_on_their_number() -> None:
    def seeds(n: int) -> list[int]:
        return [stream.initial_seed() for stream in piece_streams(torch.Generator().manual_seed(5), n)]

    many = seeds(20_000)
    assert len(set(many)) == 20_000
    assert max(many) < STREAMS
    assert seeds(3) == many[:3]
    source = torch.Generator().manual_seed(5)
    first, second = (next(piece_streams(source, 1)).initial_seed() for _ in range(2))
    assert first == many[0]
    assert second not in many

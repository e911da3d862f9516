from __future__ import annotations

import torch

from synthgan.sampling.random_streams import STREAMS, Streams


def seeds(streams: Streams, n: int) -> list[int]:
    return [stream.initial_seed() for stream in streams.take(n)]


def session(seed: int = 5) -> Streams:
    return Streams(torch.Generator().manual_seed(seed))


def test_no_two_chunks_of_a_session_have_the_same_source_in_whatever_batches_they_come() -> None:
    whole = seeds(session(), 30_000)
    assert len(set(whole)) == 30_000
    assert max(whole) < STREAMS
    batches = session()
    assert [seed for n in (1, 0, 19_999, 10_000) for seed in seeds(batches, n)] == whole


def test_sources_repeat_with_the_session_s_and_differ_between_sessions() -> None:
    first, again, other = (session(seed).take(1)[0] for seed in (5, 5, 6))
    drawn = torch.rand(8, generator=first)
    assert torch.equal(drawn, torch.rand(8, generator=again))
    assert not torch.equal(drawn, torch.rand(8, generator=other))


def test_neighbouring_sources_are_uncorrelated() -> None:
    drawn = torch.stack([torch.randn(4096, generator=stream) for stream in session().take(30)])
    off_diagonal = torch.corrcoef(drawn) - torch.eye(30)
    assert off_diagonal.abs().max() < 5 / 4096**0.5

"""The second door under attack where it is most of itself: selection among many candidates, and three-way marginals."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch

from synthgan.audit.games import DistinguishingGame, Signals, plain_layout
from synthgan.audit.person_games import ROWS_PER_UNIT
from synthgan.privacy.account.ledger import Ledger
from synthgan.privacy.marginals import Candidate, PrivateMarginals, RoundSettings
from synthgan.privacy.mechanisms import Mechanisms

N_COLUMNS = 6
"""Of the table whose pairs are candidates: 15 of them."""

_OFF_BY = 50.0
"""How many rows candidates are off by, more or less, in the cell that the canary is counted in."""


class _WatchedMarginals(PrivateMarginals):
    """The second door, and what its rounds measured: just what they had selected."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.chosen: list[Candidate] = []
        super().__init__(*arguments, **options)

    def _measure(self, candidate: Candidate, rho: float, what: str) -> None:
        self.chosen.append(candidate)
        super()._measure(candidate, rho, what)


def selection_game(epsilon: float, delta: float, *, n_rounds: int = 2) -> DistinguishingGame:
    """Which marginals are selected, with nearly all of the budget for that: the canary makes half of them worse.

    The generator is chosen so that the canary's rows add to the error of one half of the candidates and take from that
    of the other, and turn the lead of the second half into one of the first. The log-odds between halves then change
    by all that bounded range allows, and are the same for either table but for their sign. The canary is a person of
    `ROWS_PER_UNIT` rows.
    """
    layout = plain_layout({f"column {number}": 2 for number in range(N_COLUMNS)})
    pairs = list(itertools.combinations(range(N_COLUMNS), 2))
    worse = set(pairs[::2])
    codes = np.array(list(itertools.product((0, 1), repeat=N_COLUMNS)), dtype=np.uint8).repeat(16, axis=0)
    canary = np.zeros((ROWS_PER_UNIT, N_COLUMNS), dtype=np.uint8)
    n_rows = float(len(codes))
    exact = torch.full((layout.n_levels, layout.n_levels), n_rows / 4)
    for a, b in pairs:
        exact[2 * a, 2 * b] += ROWS_PER_UNIT / 2 + (-_OFF_BY if (a, b) in worse else _OFF_BY)
    expected = torch.triu(exact, 1) / n_rows
    settings = RoundSettings(n_rounds=n_rounds, per_round=1, selection_share=0.95)
    probe = Ledger(epsilon, delta)

    def run(with_canary: bool) -> Signals:
        ledger = Ledger(epsilon, delta, order=probe.order)
        rows = np.concatenate((codes, canary)) if with_canary else codes
        door = _WatchedMarginals(
            torch.from_numpy(rows),
            layout,
            Mechanisms(ledger, rows_per_unit=ROWS_PER_UNIT),
            rho=ledger.remaining_rho,
            n_rows=n_rows,
            one_way_variance=1.0,
            settings=settings,
        )
        while not door.is_spent:
            door.measure_worst([expected])
        return {"selections that it made likelier": float(sum((each.a, each.b) in worse for each in door.chosen))}

    return DistinguishingGame(name="selection", epsilon=epsilon, delta=delta, play=run, zcdp_delta=delta)


def three_way_game(epsilon: float, delta: float, *, n_rounds: int = 3) -> DistinguishingGame:
    """A marginal by slices of the target, measured again and again: the canary is one row of a known cell.

    The generator is right about everything but the three-way marginal, which is therefore selected each time.
    """
    n_slices = 4
    layout = plain_layout({"a": 2, "b": 2, "target": n_slices})
    cells = [(a, b, c) for c in range(n_slices) for a in (0, 1) for b in (0, 1)]
    codes = np.array(cells, dtype=np.uint8).repeat(50, axis=0)
    n_rows = float(len(codes))
    candidate = Candidate(0, 1, is_split=True)
    known = torch.zeros((layout.n_levels, layout.n_levels))
    known[:4, :4], known[:4, 4:], known[4:, :4] = 0.25, 0.125, 0.125
    slices = [known.clone() for _ in range(n_slices)]
    for part in slices:
        part[:2, 2:4] = 0.0  # as if no row had such levels: off by all of them, four times over
    settings = RoundSettings(n_rounds=n_rounds, per_round=1, first_share=0.01, selection_share=0.02)
    probe = Ledger(epsilon, delta)

    def run(with_canary: bool) -> Signals:
        ledger = Ledger(epsilon, delta, order=probe.order)
        rows = np.concatenate((codes, codes[:1])) if with_canary else codes
        door = PrivateMarginals(
            torch.from_numpy(rows),
            layout,
            Mechanisms(ledger),
            rho=ledger.remaining_rho,
            n_rows=n_rows,
            one_way_variance=1.0,
            target=2,
            slices=[[code] for code in range(n_slices)],
            settings=settings,
        )
        while not door.is_spent:
            door.measure_worst([known, *slices])
        counts = door.measurements[candidate].counts[:, 0, 0] if candidate in door.measurements else np.zeros(n_slices)
        return {"count of its cell": float(counts[0]), "counts of its levels in all slices": float(counts.sum())}

    return DistinguishingGame(name="three-way marginals", epsilon=epsilon, delta=delta, play=run, zcdp_delta=delta)

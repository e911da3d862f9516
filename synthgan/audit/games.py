"""Distinguishing games: a table or its neighbour, again and again, and an attacker who scores what was released.

The games here play against the first and the second door by themselves, each with a whole budget; the third is played
in `synthgan.audit.canaries`, the pipeline in `synthgan.audit.pipeline`. Tables are worst cases: the attacker knows
every row but one, the *canary*, and where it would show.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from synthgan.audit.bounds import CONFIDENCE, LowerBound, Notion, epsilon_lower_bound
from synthgan.privacy.account.ledger import Ledger
from synthgan.privacy.account.parameters import DISCOVERY_SHARE
from synthgan.privacy.columns.private_statistics import PrivateStatistics
from synthgan.privacy.marginals import Candidate, PrivateMarginals, RoundSettings
from synthgan.privacy.mechanisms import Mechanisms
from synthgan.privacy.private_schema import private_schema
from synthgan.tables.layout import Layout, Span
from synthgan.tables.sources.batches import TableSource
from synthgan.tables.statistics.histogram import Histogram

RARE_WORD = "canary"
RARE_NUMBER = 1_000_000
"""What nobody but the canary has."""

Scores = Mapping[str, float]
"""What an attacker makes of one run: a score of each kind of evidence, large where it speaks for the canary."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Game:
    """A mechanism on two neighbouring tables, and an attacker.

    Attributes:
        name: what is attacked.
        epsilon: what is claimed.
        delta: what is claimed.
        play: one run, with the canary or without, on fresh noise; every run has the same kinds of scores.
        zcdp_delta: where the claim is made by zCDP alone, the delta at which it is converted to epsilon; else None.
        sampling_rate: where the claim is that of one Gaussian which is given the canary with a probability only, that
            probability; else None.
    """

    name: str
    epsilon: float
    delta: float
    play: Callable[[bool], Scores]
    zcdp_delta: float | None = None
    sampling_rate: float | None = None

    @property
    def refuting(self) -> tuple[Notion, ...]:
        """The notions that can refute the claim."""
        more: tuple[Notion, ...] = () if self.zcdp_delta is None else ("zcdp",)
        return ("approximate", *more, *(() if self.sampling_rate is None else ("sampled",)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What one kind of evidence proved in a game.

    Attributes:
        evidence: which score.
        bounds: for each notion, a lower bound of epsilon. Those in ``refuting`` hold together with the outcome's
            confidence; the others assume what the mechanism does not promise, and say how tight the audit is.
        refuting: the notions that can refute the claim.
    """

    evidence: str
    bounds: dict[Notion, LowerBound]
    refuting: tuple[Notion, ...]

    @property
    def epsilon(self) -> float:
        """The largest bound that can refute the claim."""
        return max(self.bounds[notion].epsilon for notion in self.refuting)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How a game ended.

    Attributes:
        game: its name.
        epsilon: what was claimed.
        delta: what was claimed.
        confidence: of all bounds that can refute the claim, together.
        n_runs: on both tables together.
        findings: one for each kind of evidence.
    """

    game: str
    epsilon: float
    delta: float
    confidence: float
    n_runs: int
    findings: tuple[Finding, ...]

    @property
    def strongest(self) -> Finding:
        """The finding with the largest lower bound."""
        return max(self.findings, key=lambda finding: finding.epsilon)

    @property
    def is_refuted(self) -> bool:
        """Whether more leaks than was claimed."""
        return self.strongest.epsilon > self.epsilon


@dataclass(slots=True)
class Transcript:
    """Scores of the runs so far, by kind of evidence."""

    without: dict[str, list[float]] = field(default_factory=dict)
    with_: dict[str, list[float]] = field(default_factory=dict)

    def add(self, scores: Scores, *, canary: bool) -> None:
        """Keep the scores of a run."""
        for evidence, score in scores.items():
            (self.with_ if canary else self.without).setdefault(evidence, []).append(float(score))


def play(
    game: Game, n_runs: int, *, confidence: float = CONFIDENCE, on_run: Callable[[], object] = lambda: None
) -> Outcome:
    """Play a game ``n_runs`` times, by turns without and with the canary, and say what that proves.

    Args:
        game: what to play.
        n_runs: runs on both tables together.
        confidence: of all bounds of the outcome together; each gets an equal part of the error.
        on_run: called after each run.

    Raises:
        SettingsError: with fewer than eight runs.
    """
    transcript = Transcript()
    for run in range(n_runs):
        canary = bool(run % 2)
        transcript.add(game.play(canary), canary=canary)
        on_run()
    return judged(game, transcript, confidence=confidence)


def judged(game: Game, transcript: Transcript, *, confidence: float = CONFIDENCE) -> Outcome:
    """What the runs of a game prove."""
    refuting = game.refuting
    each = 1 - (1 - confidence) / (len(refuting) * max(1, len(transcript.without)))
    findings = []
    for evidence, without in transcript.without.items():
        bounds: dict[Notion, LowerBound] = {}
        for notion in (*refuting, "gaussian"):
            bounds[notion] = epsilon_lower_bound(
                without,
                transcript.with_.get(evidence, ()),
                delta=game.zcdp_delta if notion == "zcdp" and game.zcdp_delta is not None else game.delta,
                confidence=each,
                notion=notion,
                sampling_rate=1.0 if game.sampling_rate is None else game.sampling_rate,
            )
        findings.append(Finding(evidence=evidence, bounds=bounds, refuting=refuting))
    n_runs = sum(len(next(iter(part.values()), ())) for part in (transcript.without, transcript.with_))
    return Outcome(
        game=game.name,
        epsilon=game.epsilon,
        delta=game.delta,
        confidence=confidence,
        n_runs=n_runs,
        findings=tuple(findings),
    )


def statistics_game(epsilon: float, delta: float) -> Game:
    """Door 1 with a declared domain: the canary is one row more of a level that all know."""
    sizes = {f"level {number}": 300 * (number + 1) for number in range(8)}
    words = [word for word, size in sizes.items() for _ in range(size)]
    declared = {"columns": {"word": {"levels": list(sizes)}}}
    probe = Ledger(epsilon, delta)

    def run(canary: bool) -> Scores:
        source = _source({"word": words + ["level 3"] * canary})
        schema = private_schema(source, declared)
        ledger = Ledger(epsilon, delta, order=probe.order)
        released = PrivateStatistics.release(
            source, schema, Mechanisms(ledger), rho=ledger.remaining_rho, delta=0.0
        ).levels("word")
        of_level = dict(zip(released.values.to_pylist(), released.counts, strict=True))
        others = np.mean([count for word, count in of_level.items() if word != "level 3"])
        return {"count of its level": of_level["level 3"] - others}

    return Game(name="column statistics", epsilon=epsilon, delta=delta, play=run, zcdp_delta=delta)


def discovery_game(epsilon: float, delta: float) -> Game:
    """Door 1 with nothing declared: the canary has a word and a number that nobody else has."""
    rows: dict[str, list[Any]] = {"word": ["a", "b"] * 150, "number": list(range(10)) * 30}
    discovery = DISCOVERY_SHARE * delta
    probe = Ledger(epsilon, delta, discovery_delta=discovery)

    def run(canary: bool) -> Scores:
        source = _source(with_rare_row(rows) if canary else rows)
        ledger = Ledger(epsilon, delta, order=probe.order, discovery_delta=discovery)
        found = PrivateStatistics.release(
            source, private_schema(source, None), Mechanisms(ledger), rho=ledger.remaining_rho, delta=discovery
        )
        return {
            "its word among the levels": float(RARE_WORD in found.levels("word").values.to_pylist()),
            "largest number": _largest(found.histogram("number")),
            "number of rows": found.n_rows(),
        }

    return Game(name="discovery", epsilon=epsilon, delta=delta, play=run)


def marginals_game(epsilon: float, delta: float, *, n_rounds: int = 3) -> Game:
    """Door 2: the canary is one row more of a known pair of levels, which is measured again and again."""
    layout = plain_layout({"a": 2, "b": 2})
    codes = np.repeat(np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=np.uint8), 100, axis=0)
    settings = RoundSettings(n_rounds=n_rounds, per_round=1)
    probe = Ledger(epsilon, delta)

    def run(canary: bool) -> Scores:
        ledger = Ledger(epsilon, delta, order=probe.order)
        rows = np.concatenate((codes, codes[:1])) if canary else codes
        door = PrivateMarginals(
            torch.from_numpy(rows),
            layout,
            Mechanisms(ledger),
            rho=ledger.remaining_rho,
            n_rows=len(codes),
            one_way_variance=1.0,
            target=0,
            settings=settings,
        )
        expected = torch.full((layout.n_levels, layout.n_levels), 0.25)
        while not door.is_spent:
            door.measure_worst([expected])
        return {"count of its pair of levels": float(door.measurements[Candidate(0, 1)].counts[0, 0])}

    return Game(name="marginals", epsilon=epsilon, delta=delta, play=run, zcdp_delta=delta)


def with_rare_row(rows: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """The columns with one row more, which holds `RARE_WORD` and `RARE_NUMBER`."""
    rare = {"word": RARE_WORD, "number": RARE_NUMBER}
    return {name: [*values, rare[name]] for name, values in rows.items()}


def plain_layout(sizes: Mapping[str, int]) -> Layout:
    """Columns of unordered levels, all equally common."""
    spans, start = [], 0
    for name, size in sizes.items():
        spans.append(Span(name=name, start=start, stop=start + size, position=None))
        start += size
    no, zero = np.zeros(start, dtype=bool), np.zeros(start, dtype=np.float32)
    share: npt.NDArray[np.float32] = np.concatenate([np.full(n, 1 / n, dtype=np.float32) for n in sizes.values()])
    return Layout(spans=tuple(spans), is_bin=no, value_start=zero, value_stop=zero, is_ordered=no, marginal=share)


def _largest(histogram: Histogram) -> float:
    ends = histogram.axis.write(histogram.upper[-1:], None).to_pylist()
    return float(ends[0]) if ends else 0.0


def _source(columns: Mapping[str, list[Any]]) -> TableSource:
    return TableSource(pa.table(dict(columns)), description="the table")
